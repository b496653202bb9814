"""Propose settings where a file's headers, dates or numbers are not recognised, for an analyst to look over.

Only the beginning of each file is read, and nothing is decided here: a proposal is the best guess and what else it
could be, each with values from the file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from kehu_analysis.data.dataset import dataset_name
from kehu_analysis.data.proposing.ambiguous_styles import CHOICES, StyleProposal, propose_styles
from kehu_analysis.data.proposing.amount_parts import is_like_discount
from kehu_analysis.data.proposing.attribution import Attributed, attribute
from kehu_analysis.data.proposing.candidates import Candidate
from kehu_analysis.data.proposing.columns import ColumnProposal, ProposedColumns, propose_columns
from kehu_analysis.data.proposing.order_lines import propose_lines
from kehu_analysis.data.proposing.row_kinds import RowKinds, StatesProposal, is_across, propose_row_kinds
from kehu_analysis.data.schema import contract
from kehu_analysis.data.settings import FILE_NAME, AmountFrom, DatasetSettings, Lines, read_settings
from kehu_analysis.engine import DuckDBEngine
from kehu_analysis.errors import DataError

__all__ = [
    "CHOICES",
    "Candidate",
    "ColumnProposal",
    "Proposals",
    "RowKinds",
    "StatesProposal",
    "StyleProposal",
    "TableProposal",
    "propose_settings",
]


@dataclass(frozen=True)
class TableProposal:
    """What could be said of a table in ``dataset.toml``.

    Attributes
    ----------
    table
        Name of the table.
    files
        The files, or sheets, that were looked at.
    source, sheets
        Files and sheets to name, where only the settings can say which they are; else empty.
    source_is_sure
        Whether they can be named without asking.
    rivals
        Files that look like the table, too, under other headers.
    has_header
        Whether the files have a row of headers; without one nothing is chosen.
    recognised
        Header of each column that needs no proposal.
    columns
        The columns whose header is not known.
    amount_from
        The two headers whose product could be the amount, where there is none.
    lines
        The file with the lines of the orders, where the amounts stand in another file than customer and date.
    styles
        Dates or numbers that can be read in two ways.
    unused
        Headers that are no column.
    kept
        What ``dataset.toml`` says of the table now and can go on saying.
    kinds
        What its rows are: currencies, states, periods across, where it ends.
    headers
        What the columns of its first file are called.
    """

    table: str
    files: tuple[str, ...]
    source: tuple[str, ...]
    sheets: tuple[str, ...]
    source_is_sure: bool
    rivals: tuple[str, ...]
    has_header: bool
    recognised: Mapping[str, str]
    columns: tuple[ColumnProposal, ...]
    amount_from: AmountFrom | None
    styles: tuple[StyleProposal, ...]
    unused: tuple[str, ...]
    kept: Mapping[str, Any]
    lines: Lines | None = None
    kinds: RowKinds = field(default_factory=RowKinds)
    headers: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything is proposed, or left to the analyst."""
        return bool(self.columns or self.styles or self.source or self.lines or self.kinds.is_needed)

    @property
    def undecided(self) -> tuple[str, ...]:
        """What is left to the analyst: columns, and settings of style."""
        columns = (one.column for one in self.columns if one.is_left(self.amount_from))
        source = ("source",) if self.source and self.rivals else ()
        styles = (one.setting for one in self.styles if one.chosen is None)
        return (*source, *columns, *styles, *self.kinds.undecided)

    @property
    def unclear_discounts(self) -> tuple[str, ...]:
        """Headers of what may be taken off a computed amount, and is not, as nothing tells whether shares or sums."""
        table = contract()[self.table]
        if self.amount_from is None:
            return ()
        used = set(self.amount_from.headers.values())
        free = (*self.unused, *filter(None, [self.recognised.get("discount")]))
        return tuple(header for header in free if header not in used and is_like_discount(table, header))

    @property
    def can_help(self) -> bool:
        """Whether the files hold what an analyst could choose from."""
        return self.is_needed and all(self._has_choice(one) for one in self.columns)

    def _has_choice(self, one: ColumnProposal) -> bool:
        if self.table == "transactions" and one.column in ("customer_id", "date") and one.fault == "missing":
            return bool(one.candidates)
        return bool(one.chosen or one.candidates or self.amount_from is not None or self.unused)


@dataclass(frozen=True)
class Proposals:
    """What could be said of a dataset in ``dataset.toml``; plain data.

    Attributes
    ----------
    name
        What the dataset is called.
    settings_path
        Where ``dataset.toml`` belongs.
    settings
        What it says now, or the defaults.
    tables
        A proposal for each table that was found, needed or not.
    """

    name: str
    settings_path: Path
    settings: DatasetSettings
    tables: tuple[TableProposal, ...]

    @property
    def needed(self) -> tuple[TableProposal, ...]:
        """The tables of which something is not recognised."""
        return tuple(one for one in self.tables if one.is_needed)


def propose_settings(
    root: str | os.PathLike[str], fault: DataError | None = None, account: Mapping[str, Any] | None = None
) -> Proposals:
    r"""Say what ``dataset.toml`` could say of data whose headers, dates or numbers are not recognised.

    Parameters
    ----------
    root
        The folder or file that :func:`kehu_analysis.data.check_dataset` was given. It is only read, and of each file
        only the beginning.
    fault
        What the check said, which looked at all values and not at the first alone.
    account
        What the check counted, where it came to its end.

    Returns
    -------
    Proposals
        Without a table where nothing can be read. Nothing is raised for what the data are.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = "customer_id,Pstng Date,sales\n7,2026-01-05,12.50\n8,2026-01-06,3.10\n"
    ...     _ = (Path(folder) / "sales.csv").write_text(text)
    ...     propose_settings(folder).needed[0].columns[0].chosen
    'Pstng Date'
    """
    place = Path(root)
    folder = place if os.path.isdir(place) else place.parent
    nothing = Proposals("data", folder / FILE_NAME, DatasetSettings(), ())
    if not os.path.exists(place):
        return nothing
    try:
        settings = read_settings(folder)
    except DataError:  # told by the check
        return nothing
    tables: tuple[TableProposal, ...] = ()
    try:
        with tempfile.TemporaryDirectory(prefix="kehu-draft-") as scratch, DuckDBEngine().session() as connection:
            tables = tuple(
                _proposal(connection, found, settings, fault, place, Path(scratch), account)
                for found in attribute(connection, place, settings, Path(scratch))
            )
    except (OSError, duckdb.Error, DataError, ValueError):
        # A draft is a help; where none can be made, the check's own message stands.
        tables = ()
    return Proposals(dataset_name(place, settings), folder / FILE_NAME, settings, tables)


def _proposal(
    connection: duckdb.DuckDBPyConnection,
    found: Attributed,
    settings: DatasetSettings,
    fault: DataError | None,
    root: Path,
    scratch: Path,
    account: Mapping[str, Any] | None,
) -> TableProposal:
    table, samples = found.table, found.samples
    wanted = settings.table(table.name)
    columns = propose_columns(connection, table, samples, wanted, settings.timezone)
    across = is_across(table, samples, wanted, columns.recognised)
    if across:
        # Date and amount come from the headers and the cells below them.
        left = tuple(one for one in columns.open if one.column not in ("date", "amount"))
        columns = replace(columns, open=left, amount_from=None)
    lines = None
    if table.name == "transactions" and wanted.lines is None and any(one.column == "amount" for one in columns.open):
        proposed = propose_lines(connection, table, samples, root, scratch, settings.timezone)
        if proposed is not None:
            lines, of_lines = proposed
            of_orders = tuple(one for one in columns.open if one.column != "amount")
            of_amount = tuple(one for one in of_lines.open if one.column == "amount" and one.chosen is not None)
            columns = replace(
                columns,
                recognised={**of_lines.recognised, **columns.recognised},
                open=(*of_orders, *of_amount),
                amount_from=of_lines.amount_from,
            )
    own = fault if fault is not None and fault.details.get("table") == table.name else None
    has_header = all(sample.has_header for sample in samples)
    styles = propose_styles(
        connection,
        table,
        samples,
        wanted,
        columns.headers,
        # The parts of an amount that stands in the lines are no columns of the orders.
        None if lines else columns.amount_from or (None if "amount" in columns.lost else wanted.amount_from),
        settings.timezone,
        own,
    )
    kinds = RowKinds()
    if table.name == "transactions":
        kinds = propose_row_kinds(
            connection,
            samples,
            wanted,
            {} if lines or across else columns.headers,
            settings.currency,
            settings.timezone,
            account,
            across=across,
        )
    sheets = found.sheets
    if lines is not None and lines.source is None and not sheets and not wanted.sheets:
        sheets = tuple(dict.fromkeys(sample.sheet for sample in samples))
    return TableProposal(
        table=table.name,
        files=tuple(dict.fromkeys(sample.file.shown for sample in samples)),
        source=found.source,
        sheets=sheets,
        source_is_sure=(found.is_sure or lines is not None)
        and has_header
        and not any(one.is_left(columns.amount_from) for one in columns.open),
        rivals=found.rivals,
        has_header=has_header,
        recognised=columns.recognised,
        columns=columns.open,
        amount_from=columns.amount_from,
        styles=styles,
        unused=columns.unused,
        kept=_kept(wanted.model_dump(exclude_unset=True), columns, found),
        lines=lines,
        kinds=kinds,
        headers=samples[0].file.headers,
    )


def _kept(said: dict[str, Any], columns: ProposedColumns, found: Attributed) -> dict[str, Any]:
    """Return what the settings say of a table without what is not there (any more)."""
    kept = {name: value for name, value in said.items() if value is not None}
    if "columns" in kept:
        kept["columns"] = {name: header for name, header in kept["columns"].items() if name not in columns.lost}
    if "amount" in columns.lost:
        kept.pop("amount_from", None)
    if found.source:
        kept.pop("source", None)
    if found.sheets or (kept.get("sheet") and not any(sample.sheet for sample in found.samples)):
        kept.pop("sheet", None)
    return kept
