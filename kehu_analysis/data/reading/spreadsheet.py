"""Read Excel workbooks as rows of raw texts: which sheets, where the header is, what a cell says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine

from kehu_analysis.data.reading.cells import cell_text, headers_of, is_rounded
from kehu_analysis.data.reading.date_system import begins_in_1904
from kehu_analysis.data.reading.known_headers import MOST_COLUMNS, kept_places
from kehu_analysis.data.reading.merged_cells import MergedCells, MergedColumn, Roles
from kehu_analysis.data.reading.text_files import FILE, HEADER_ROWS, ROW
from kehu_analysis.data.reading.workbook_opening import opened_workbook, visible_sheets
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.engine.duckdb import path_literal, quoted
from kehu_analysis.errors import DataError

SUFFIXES = (".xlsx", ".xlsm", ".xls")
#: So many cells, and so many letters, are texts at a time.
_BATCH, _BATCH_LETTERS = 500_000, 1 << 26


@dataclass(frozen=True)
class OpenedSheet:
    """A sheet as a relation of texts, with the file and row each comes from.

    Attributes
    ----------
    relation, headers, shown
        Its name, its headers, and what it is called for readers.
    above
        What stands above the header, row by row.
    rounded
        By header how many numbers have more digits than Excel keeps, the row of the first, and what it says.
    merged
        By header what became of merged cells.
    is_from_1904
        Whether the workbook counts its days from 1904.
    n_left_out
        How many columns of a very wide sheet were not read.
    """

    relation: str
    headers: tuple[str, ...]
    shown: str
    above: tuple[str, ...]
    rounded: Mapping[str, tuple[int, int, str]]
    merged: Mapping[str, MergedColumn]
    is_from_1904: bool
    n_left_out: int


def is_workbook(path: Path) -> bool:
    """Tell whether a file is an Excel workbook by its name.

    Examples
    --------
    >>> is_workbook(Path("sales.XLSX")), is_workbook(Path("sales.csv"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES


def sheets_of(path: Path, shown: str) -> list[str]:
    """Return the names of a workbook's visible sheets.

    Raises
    ------
    DataError
        The file is no workbook, or protected by a password.
    """
    with opened_workbook(path, shown) as book:
        return visible_sheets(book)


def first_rows(
    path: Path, shown: str, n_rows: int, header_place: Callable[[list[list[str | None]]], int | None]
) -> dict[str, tuple[list[list[str | None]], int | None]]:
    """Return the first rows of each visible sheet, cell by cell as text, and which of them is the header.

    Parameters
    ----------
    path, shown
        The workbook, and its name for readers.
    n_rows
        How many rows; of a very wide sheet they hold the first columns.
    header_place
        Told the first rows of a sheet, says which of them is the header, from 0; None where none is.

    Raises
    ------
    DataError
        The file is no workbook, too large, or protected by a password.
    """
    found = {}
    with opened_workbook(path, shown) as book:
        for name in visible_sheets(book):
            sheet = book.get_sheet_by_name(name)
            rows = [row[:MOST_COLUMNS] for row in islice(sheet.iter_rows(), n_rows)]
            texts = [list(map(cell_text, row)) for row in rows[:HEADER_ROWS]]
            place = header_place(texts)
            if place is not None:
                numbered = enumerate(rows[place + 1 :], start=place + 2)
                merged = _merged(sheet, place + 1, headers_of(texts[place]), Roles())
                rows[place + 1 :] = [row for _, row in merged.filled(numbered)]
            found[name] = ([list(map(cell_text, row)) for row in rows], place)
    return found


def table_of_sheet(name: str) -> str | None:
    """Return the table whose name a sheet bears; None where it bears none.

    Examples
    --------
    >>> table_of_sheet("客户资料"), table_of_sheet("Sheet1")
    ('customers', None)
    """
    return next((table.name for table in contract().values() if table.is_called(name)), None)


def open_sheets(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shown: str,
    name: str,
    scratch: Path,
    *,
    table: Table,
    wanted: Sequence[str],
    is_header: Callable[[Sequence[str]], bool],
    roles: Callable[[Sequence[str]], Roles],
    needed: Callable[[Sequence[str]], AbstractSet[str]],
) -> tuple[list[OpenedSheet], list[str]]:
    """Make the sheets of a table relations ``<name>_<number>``; return them, and the names of those passed over.

    Read are the sheets that are ``wanted``, else those called like the table, else all that have a known header and
    are not called like another table. Where there are none, the first sheet with a cell is.

    Parameters
    ----------
    connection
        Where the relations are made.
    path
        The workbook; it is only read.
    shown
        Its name for readers.
    name
        The beginning of the relations' names.
    scratch
        A folder for the sheets' rows, where they are kept.
    table
        The table of the contract.
    wanted
        The sheets that the settings name; may be empty.
    is_header
        Tells whether a row's cells are a known header: what stands above it is passed over.
    roles
        Tells which of the headers hold sums, for merged cells.
    needed
        Tells which of the headers are read however many there are.

    Returns
    -------
    list of OpenedSheet, list of str
        The sheets as relations of texts, and the names of the visible sheets that were passed over.

    Raises
    ------
    DataError
        The workbook is damaged, protected or empty, or a sheet is missing or too large.
    """
    with opened_workbook(path, shown) as book:
        names = visible_sheets(book)
        if missing := [one for one in wanted if one not in names]:
            raise DataError("no_such_sheet", path=shown, sheets=", ".join(missing), present=", ".join(names))
        called = [one for one in names if table_of_sheet(one) == table.name]
        asked = list(wanted) or called or [one for one in names if table_of_sheet(one) is None]
        sheets = _Sheets(book)
        found, without_header = _header_places(sheets, asked, is_header)
        # Sheets that were asked for are read whatever their header; else one is, so that the fault can be named.
        read = [*found, *without_header] if wanted or called else found or without_header[:1]
        if not read:
            raise DataError("empty_file", path=shown)
        several, is_from_1904 = len(names) > 1, begins_in_1904(path)
        opened = [
            _store(
                connection,
                sheets.named(one),
                place,
                roles,
                needed,
                shown=f"{shown} [{one}]" if several else shown,
                relation=f"{name}_{number}",
                scratch=scratch,
                is_from_1904=is_from_1904,
            )
            for number, (one, place) in enumerate(read)
        ]
        return opened, [one for one in names if one not in {sheet for sheet, _ in read}]


def _header_places(
    sheets: _Sheets, names: Sequence[str], is_header: Callable[[Sequence[str]], bool]
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the sheets with a known header and its row; and those without, with their first row that has a cell."""
    found, without_header = [], []
    for sheet in names:
        rows = [list(map(cell_text, row)) for row in islice(sheets.named(sheet).iter_rows(), HEADER_ROWS)]
        place = next((number for number, row in enumerate(rows) if is_header(headers_of(row))), None)
        first = next((number for number, row in enumerate(rows) if any(row)), None)
        if place is not None:
            found.append((sheet, place))
        elif first is not None:
            without_header.append((sheet, first))
    return found, without_header


class _Sheets:
    """The sheets of a workbook, of which the last one asked for is kept: to read a large one takes seconds."""

    def __init__(self, book: python_calamine.CalamineWorkbook) -> None:
        self._book = book
        self._last: tuple[str, python_calamine.CalamineSheet] | None = None

    def named(self, name: str) -> python_calamine.CalamineSheet:
        if self._last is None or self._last[0] != name:
            self._last = None  # before the next one takes memory
            self._last = (name, self._book.get_sheet_by_name(name))
        return self._last[1]


def _merged(sheet: python_calamine.CalamineSheet, header_row: int, headers: Sequence[str], roles: Roles) -> MergedCells:
    _, first_column = sheet.start or (0, 0)
    return MergedCells(sheet.merged_cell_ranges or (), first_column, header_row, headers, roles)


def _next_batch(rows: Iterator[tuple[int, list[str | None]]], n_rows: int) -> list[tuple[int, list[str | None]]]:
    batch: list[tuple[int, list[str | None]]] = []
    n_letters = 0
    for number, row in rows:
        batch.append((number, row))
        n_letters += sum(len(text) for text in row if text is not None)
        if len(batch) >= n_rows or n_letters >= _BATCH_LETTERS:
            break
    return batch


def _store(
    connection: duckdb.DuckDBPyConnection,
    sheet: python_calamine.CalamineSheet,
    header_place: int,
    roles: Callable[[Sequence[str]], Roles],
    needed: Callable[[Sequence[str]], AbstractSet[str]],
    *,
    shown: str,
    relation: str,
    scratch: Path,
    is_from_1904: bool,
) -> OpenedSheet:
    """Write a sheet's rows as texts to Parquet and make that a relation; a row without a cell is none."""
    rows = enumerate(sheet.iter_rows(), start=1)
    above = tuple(" ".join(filter(None, map(cell_text, row))) for _, row in islice(rows, header_place))
    header = [cell_text(cell) for cell in next(row for _, row in rows)]
    # Columns to the right that have neither header nor value are none.
    every = headers_of(header)
    merged = _merged(sheet, header_place + 1, every, roles(every))
    kept = kept_places(every, needed(every))
    headers = [every[place] for place in kept]
    schema = pa.schema([*((name, pa.string()) for name in headers), (ROW, pa.int64())])
    path = scratch / f"{relation}.parquet"
    rounded: dict[str, tuple[int, int, str]] = {}

    def noted(number: int, row: list[Any]) -> list[str | None]:
        if len(kept) < len(every):
            row = [row[place] for place in kept]
        for header, cell in zip(headers, row, strict=True):
            if is_rounded(cell):
                n, first, example = rounded.get(header, (0, number, cell_text(cell) or ""))
                rounded[header] = (n + 1, first, example)
        return [cell_text(cell) for cell in row]

    with pq.ParquetWriter(path, schema) as writer:
        texts = ((number, noted(number, row)) for number, row in merged.filled(rows))
        filled = ((number, row) for number, row in texts if any(cell is not None for cell in row))
        while batch := _next_batch(filled, max(_BATCH // len(headers), 1)):
            arrays = [pa.array([row[place] for _, row in batch], pa.string()) for place in range(len(headers))]
            arrays.append(pa.array([number for number, _ in batch], pa.int64()))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    connection.execute(
        f"CREATE TEMP VIEW {relation} AS SELECT *, {quoted(shown)} AS {FILE} FROM read_parquet({path_literal(path)})"
    )
    n_left_out = len(every) - len(kept)
    return OpenedSheet(relation, tuple(headers), shown, above, rounded, merged.found, is_from_1904, n_left_out)
