"""Read the beginning of a data file whose headers nobody knows: where the header is, and some thousand rows.

The time that takes does not grow with a text file: of it only the beginning is read.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from kehu_analysis.data.period_headers import ANY_YEAR, FEWEST_PERIODS, period_headers
from kehu_analysis.data.reading.sources import OpenedFile, open_file
from kehu_analysis.data.reading.spreadsheet import first_rows, headers_of, is_workbook
from kehu_analysis.data.reading.text_files import FILE, HEADER_ROWS, ROW, is_packed, make_readable
from kehu_analysis.data.schema import contract, pattern_of
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import identifier
from kehu_analysis.errors import DataError

#: So many rows tell what a column holds.
N_ROWS = 3000
_N_BYTES = 1 << 20
_LONGEST_VALUE = 200
_DATE_FORMS = ("year_first", "year_last", "short_year_first", "short_year_last", "short_year_in_words")


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, or of a sheet of one.

    Attributes
    ----------
    file
        The rows as a relation, as they would be opened for checking.
    path
        Where the file is.
    sheet
        The sheet's name; empty where the file is no workbook.
    has_header
        Whether the first row of words could be told from the values below it.
    """

    file: OpenedFile
    path: Path
    sheet: str
    has_header: bool


def take_samples(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shown: str,
    name: str,
    scratch: Path,
    is_header: Callable[[Sequence[str]], bool] = lambda _: False,
    encoding: str | None = None,
) -> list[Sample]:
    """Read the beginning of a file, or of each sheet of a workbook that holds something.

    Parameters
    ----------
    connection
        Where the relations are made.
    path
        A delimited text file, a workbook, or a Parquet file; it is only read.
    shown
        Its name for readers.
    name
        Name of the relation, or the beginning of the names of several.
    scratch
        A folder for copies of the beginning.
    is_header
        Tells whether a row's cells are a known header; where none is, the header is guessed: it is the row with the
        most words.
    encoding
        That of a text file, where the settings say it.

    Raises
    ------
    DataError
        The file is empty, damaged, protected, or none that can be read.
    """
    if path.suffix.lower() == ".parquet":
        opened, _ = open_file(
            connection, path, name, scratch, shown=shown, table=contract()["transactions"], settings=TableSettings()
        )
        connection.execute(f"CREATE TEMP TABLE {name}_rows AS FROM {name} LIMIT {N_ROWS}")
        return [Sample(replace(opened[0], relation=f"{name}_rows"), path, "", has_header=True)]
    if is_workbook(path):
        sheets = first_rows(path, shown, N_ROWS + HEADER_ROWS)
        found = []
        for number, (sheet, rows) in enumerate(sheets.items()):
            tops = [headers_of(row) for row in rows[:HEADER_ROWS]]
            place = _header_place(tops, is_header)
            first = next((number for number, row in enumerate(rows) if any(row)), None)
            if first is None:
                continue
            top = first if place is None else place
            label = f"{shown} [{sheet}]" if len(sheets) > 1 else shown
            above = tuple(" ".join(filter(None, row)) for row in rows[:top])
            file = _as_relation(connection, f"{name}_{number}", label, tops[top], rows[top + 1 :], top + 2, above)
            found.append(Sample(file, path, sheet, place is not None))
        return found
    headers, values, above, has_header = _text_rows(path, shown, scratch / name, is_header, encoding)
    file = _as_relation(connection, name, shown, headers, values, len(above) + 2, above)
    return [Sample(file, path, "", has_header)]


def _text_rows(
    path: Path, shown: str, copy: Path, is_header: Callable[[Sequence[str]], bool], encoding: str | None
) -> tuple[Sequence[str], list[list[str]], tuple[str, ...], bool]:
    head = copy.with_suffix(".head")
    head.write_bytes(_beginning(path, shown))
    tops: list[list[str]] = []

    def note(cells: Sequence[str]) -> bool:
        tops.append(list(cells))
        return False

    try:
        make_readable(head, shown, copy.with_suffix(".noted"), note, encoding)
    except DataError as error:
        if error.code != "no_header":  # the first line is empty; the header may come below
            raise
    place = _header_place(tops, is_header)
    wanted = None if place is None else tops[place]
    text = make_readable(head, shown, copy.with_suffix(".csv"), lambda cells: list(cells) == wanted, encoding)
    rows = []
    try:
        with text.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            records = csv.reader(file, delimiter=text.dialect.delimiter, quotechar=text.dialect.quote)
            next(records, None)
            rows = [record for record in islice(records, N_ROWS) if len(record) == len(text.headers)]
    except csv.Error:  # a quote that is never closed
        pass
    return text.headers, rows, text.above, place is not None


def _beginning(path: Path, shown: str) -> bytes:
    """Return the first lines of a file, unpacked where it is packed, up to a line end."""
    try:
        with gzip.open(path) if is_packed(path) else path.open("rb") as source:
            start = source.read(_N_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("damaged_archive", path=shown) from error
    if len(start) < _N_BYTES:
        return start
    # A character cut in two would make another encoding of the file.
    end = max(start.rfind(b"\n"), start.rfind(b"\r"))
    wide = b"\x00" in start[:HEADER_ROWS]
    return start[: end + (2 if wide and end % 2 == 0 else 1)] if end > 0 else start


def _header_place(rows: Sequence[Sequence[str]], is_header: Callable[[Sequence[str]], bool]) -> int | None:
    """Return which of the first rows is the header: one that is known, else the first with the most words."""
    known = next((number for number, row in enumerate(rows) if is_header(row)), None)
    if known is not None:
        return known
    counts = [_n_words(row) for row in rows]
    most = max(counts, default=0)
    return counts.index(most) if most > 1 else None


def _n_words(row: Sequence[str]) -> int:
    """Return how many cells of a row are words; none where one is a value, as in a row of data."""
    filled = [cell for place, cell in enumerate(row, start=1) if cell != f"column {place}"]
    # Months across may look like values.
    across = set(period_headers(filled, ANY_YEAR))
    if len(across) >= FEWEST_PERIODS and not any(is_value(cell) and cell not in across for cell in filled):
        return len(filled)
    if any(is_value(cell) for cell in filled):
        return 0
    return sum(any(letter.isalpha() for letter in cell) for cell in filled)


def is_value(cell: str) -> bool:
    """Tell whether a text is a date or a number, and so no header.

    Examples
    --------
    >>> is_value("2026/1/5"), is_value("1,280.00"), is_value("C00017"), is_value("Net 2026")
    (True, True, True, False)
    """
    weekday = pattern_of("date", "weekday")
    day = re.sub(weekday, "", cell).strip()
    if any(re.match(pattern_of("date", form), day) for form in _DATE_FORMS):
        return True
    digits = sum(letter.isdigit() for letter in cell)
    return digits > 2 * sum(letter.isalpha() for letter in cell)


def _as_relation(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    shown: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    first_row: int,
    above: tuple[str, ...] = (),
) -> OpenedFile:
    filled = [(number, row) for number, row in enumerate(rows, start=first_row) if any(row)][:N_ROWS]
    arrays = [
        pa.array([(row[place] or "")[:_LONGEST_VALUE] or None for _, row in filled], pa.string())
        for place in range(len(headers))
    ]
    numbers = pa.array([number for number, _ in filled], pa.int64())
    files = pa.array([shown] * len(filled), pa.string())
    table = pa.Table.from_arrays([*arrays, numbers, files], names=[*headers, ROW, FILE])
    # A result of which one row was fetched stands in the way of registering.
    connection.execute("SELECT 1").fetchall()
    connection.register(f"{name}_given", table)
    columns = ", ".join(map(identifier, table.column_names))
    connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM {name}_given")
    connection.unregister(f"{name}_given")
    return OpenedFile(name, shown, dict.fromkeys(headers, "VARCHAR"), above=above)
