"""Find which files, and which sheets of a workbook, hold each table, also where their names do not say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kehu_analysis.data.proposing.columns import propose_columns
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.reading.known_headers import header_test
from kehu_analysis.data.reading.samples import Sample, take_samples
from kehu_analysis.data.reading.sources import find_files, is_data_file, shown_name
from kehu_analysis.data.reading.spreadsheet import table_of_sheet
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import DatasetSettings, TableSettings
from kehu_analysis.errors import DataError

#: A table in more files is judged by the first of them, and of more foreign files only the first are looked at.
_MOST_FILES = 12
#: Of a wider table the first columns tell what it is.
_MOST_HEADERS = 100
#: A file that lacks so many columns of the log, and is like it in nothing, is not the log.
_FAR = 1.5
_MOSTLY = 0.8


@dataclass(frozen=True)
class Attributed:
    """The beginning of the files that hold a table.

    Attributes
    ----------
    table
        The table.
    samples
        The beginning of each file, or of each sheet that holds the table.
    source
        The files, where only the settings can say that they are the table's; else empty.
    sheets
        The sheets, where a workbook has others too; else empty.
    is_sure
        Whether the files are the table's beyond reasonable doubt.
    rivals
        Files that look like the table, too, under other headers: no one mapping holds for both.
    """

    table: Table
    samples: tuple[Sample, ...]
    source: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    is_sure: bool = True
    rivals: tuple[str, ...] = ()


def attribute(
    connection: duckdb.DuckDBPyConnection, root: Path, settings: DatasetSettings, scratch: Path
) -> list[Attributed]:
    """Return the tables of a dataset with the beginning of their files.

    Files that cannot be read, and tables whose settings name none, are passed over.

    Parameters
    ----------
    connection
        Where the beginnings of the files are made relations.
    root
        The dataset's folder, or its one file; it is only read.
    settings
        What ``dataset.toml`` says.
    scratch
        A folder for copies of the beginnings.

    Returns
    -------
    list of Attributed
        In the order of the contract; a table that no file holds or looks like is not among them.
    """
    found: list[Attributed] = []
    known: set[Path] = set()
    for table in contract().values():
        wanted = settings.table(table.name)
        try:
            paths = find_files(root, table, wanted)
        except DataError:
            continue
        known |= set(paths)
        samples: list[Sample] = []
        for number, path in enumerate(paths[:_MOST_FILES]):
            taken = _taken(connection, path, root, f"{table.name}_{number}", scratch, table, wanted)
            samples += _sheets_of_table(taken, table, wanted)
        if samples:
            sheets = _sheet_names(samples, paths, wanted)
            found.append(Attributed(table, tuple(samples), sheets=sheets))
    if root.is_dir():
        foreign = [
            path for path in sorted(root.iterdir()) if path.is_file() and is_data_file(path) and path not in known
        ]
        found += _foreign(connection, root, foreign, settings, scratch, {one.table.name for one in found})
    order = list(contract())
    return sorted(found, key=lambda one: order.index(one.table.name))


def fit(table: Table, headers: Sequence[str]) -> float:
    """Return how well headers go with a table: the mean likeness of what it needs, and a little for what else it has.

    Examples
    --------
    >>> headers = ["客户编号", "客户名称", "城市"]
    >>> fit(contract()["customers"], headers) > 1 > fit(contract()["transactions"], headers)
    True
    """
    headers = headers[:_MOST_HEADERS]
    needed = [table.column(name) for name in table.required_columns]
    likes = [max((likeness(header, column) for header in headers), default=0.0) for column in needed if column]
    recognised = table.candidates(headers)
    extra = sum(name in recognised for name in recognised if name not in table.required_columns)
    return sum(one for one in likes if one >= LIKE) / len(likes) + 0.1 * extra


def _taken(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    root: Path,
    name: str,
    scratch: Path,
    table: Table,
    settings: TableSettings,
) -> list[Sample]:
    try:
        is_header = header_test(table, settings)
        return take_samples(connection, path, shown_name(path, root), name, scratch, is_header, settings.encoding)
    except (DataError, duckdb.Error, OSError, ValueError):
        return []  # what is wrong with the file itself is told by the check


def _sheets_of_table(samples: Sequence[Sample], table: Table, settings: TableSettings) -> list[Sample]:
    """Return the samples of the sheets that hold a table: those named or called so, else those that look like it."""
    if not samples or not samples[0].sheet:
        return list(samples)
    wanted = [one for one in samples if one.sheet in settings.sheets]
    called = [one for one in samples if table_of_sheet(one.sheet) == table.name]
    if wanted or called:
        return wanted or called
    return _alike([one for one in samples if table_of_sheet(one.sheet) is None], table)


def _alike(samples: Sequence[Sample], table: Table) -> list[Sample]:
    """Return the sample that fits a table best, and those with the same headers."""
    if not samples:
        return []
    best = max(samples, key=lambda one: (fit(table, one.file.headers), one.has_header))
    return [one for one in samples if one.file.headers == best.file.headers]


def _sheet_names(samples: Sequence[Sample], paths: Sequence[Path], settings: TableSettings) -> tuple[str, ...]:
    is_shown = any(sample.file.shown.endswith(f"[{sample.sheet}]") for sample in samples if sample.sheet)
    names = tuple(sample.sheet for sample in samples)
    return names if len(paths) == 1 and is_shown and list(names) != settings.sheets else ()


def _foreign(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    paths: Sequence[Path],
    settings: DatasetSettings,
    scratch: Path,
    have: set[str],
) -> list[Attributed]:
    """Return which tables files of foreign names look like: first the log, where there is none, then the others."""
    samples: list[Sample] = []
    for number, path in enumerate(paths[:_MOST_FILES]):
        if _is_writable(path.name):
            samples += _taken(
                connection, path, root, f"foreign_{number}", scratch, contract()["transactions"], TableSettings()
            )
    found = []
    for table in (table for name, table in contract().items() if name not in have):
        if table.name == "transactions":
            attributed = _like_log([(_log_fit(connection, one, settings), one) for one in samples])
        else:
            fits = [(_own_fit(table, one), one) for one in samples]
            attributed = _like_table(table, fits, has_log="transactions" in have)
        if attributed is not None:
            found.append(attributed)
            samples = [one for one in samples if one not in attributed.samples]
    return found


def _like_log(fits: Sequence[tuple[float, Sample]]) -> Attributed | None:
    """Return the files that are most like the log, and those that are like it under other headers."""
    value, best = max(fits, key=lambda one: one[0], default=(-_FAR, None))
    if best is None or value <= -_FAR:
        return None
    same = _same_headers(fits, best)
    own = {one.path for one in same}
    rivals = dict.fromkeys(one.path.name for its_value, one in fits if its_value >= 0 and one.path not in own)
    return _attributed(contract()["transactions"], same, is_sure=value >= 0 and not rivals, rivals=tuple(rivals))


def _like_table(table: Table, fits: Sequence[tuple[float, Sample]], *, has_log: bool) -> Attributed | None:
    """Return the files that are most like a table other than the log."""
    value, best = max(fits, key=lambda one: one[0], default=(-_FAR, None))
    # A customer's number and a date say nothing: the log has them too.
    is_plain = all(contract()["transactions"].column(name) is not None for name in table.required_columns)
    if best is None or value <= (1.0 if is_plain else _MOSTLY):
        return None
    return _attributed(table, _same_headers(fits, best), is_sure=not has_log and value > 1)


def _same_headers(fits: Sequence[tuple[float, Sample]], best: Sample) -> list[Sample]:
    return [one for value, one in fits if one.file.headers == best.file.headers and value > -_FAR]


def _attributed(table: Table, samples: Sequence[Sample], *, is_sure: bool, rivals: tuple[str, ...] = ()) -> Attributed:
    several = any(one.sheet and one.file.shown != one.path.name for one in samples)
    return Attributed(
        table,
        tuple(samples),
        source=tuple(dict.fromkeys(one.path.name for one in samples)),
        sheets=tuple(dict.fromkeys(one.sheet for one in samples)) if several else (),
        is_sure=is_sure,
        rivals=rivals,
    )


def _log_fit(connection: duckdb.DuckDBPyConnection, sample: Sample, settings: DatasetSettings) -> float:
    """Return how well a file goes with the log, by its headers and by what can be read below them."""
    table = contract()["transactions"]
    proposed = propose_columns(connection, table, [sample], TableSettings(), settings.timezone)
    return fit(table, sample.file.headers) - sum(one.is_left(proposed.amount_from) for one in proposed.open)


def _own_fit(table: Table, sample: Sample) -> float:
    """Return how well a file goes with a table; nothing where it goes better with another.

    A customer's number alone is in most of them.
    """
    headers = sample.file.headers
    best = max(fit(one, headers) for one in contract().values())
    return fit(table, headers) if fit(table, headers) >= best else -_FAR


def _is_writable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8: no settings can name such a file
        return False
    return True
