"""Read Excel workbooks as rows of raw texts: which sheets, where the header is, what a cell says."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine

from kehu_analysis.data.reading.chunks import CHUNK
from kehu_analysis.data.reading.text_files import FILE, HEADER_ROWS, ROW, distinct
from kehu_analysis.data.reading.workbook_guard import refuse_harmful
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.engine.duckdb import path_literal, quoted
from kehu_analysis.errors import DataError

SUFFIXES = (".xlsx", ".xlsm", ".xls")
_BATCH = 50_000
#: Excel keeps 15 digits of a number; of one that has more the last are not known.
_MOST_DIGITS = 10**15
_LARGEST_WHOLE = 10**21
_PROTECTED = "EncryptedPackage".encode("utf-16-le")


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
    """

    relation: str
    headers: tuple[str, ...]
    shown: str
    above: tuple[str, ...]
    rounded: Mapping[str, tuple[int, int, str]]


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
    with _opened(path, shown) as book:
        return _visible(book)


def first_rows(path: Path, shown: str, n_rows: int) -> dict[str, list[list[str | None]]]:
    """Return the first rows of each visible sheet, cell by cell as text.

    Raises
    ------
    DataError
        The file is no workbook, too large, or protected by a password.
    """
    with _opened(path, shown) as book:
        return {name: list(islice(_rows(book, name), n_rows)) for name in _visible(book)}


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

    Returns
    -------
    list of OpenedSheet, list of str
        The sheets as relations of texts, and the names of the visible sheets that were passed over.

    Raises
    ------
    DataError
        The workbook is damaged, protected or empty, or a sheet is missing or too large.
    """
    with _opened(path, shown) as book:
        names = _visible(book)
        if missing := [one for one in wanted if one not in names]:
            raise DataError("no_such_sheet", path=shown, sheets=", ".join(missing), present=", ".join(names))
        called = [one for one in names if table_of_sheet(one) == table.name]
        asked = list(wanted) or called or [one for one in names if table_of_sheet(one) is None]
        found, without_header = _header_places(book, asked, is_header)
        # Sheets that were asked for are read whatever their header; else one is, so that the fault can be named.
        read = [*found, *without_header] if wanted or called else found or without_header[:1]
        if not read:
            raise DataError("empty_file", path=shown)
        several = len(names) > 1
        opened = [
            _store(
                connection,
                book,
                one,
                place,
                shown=f"{shown} [{one}]" if several else shown,
                relation=f"{name}_{number}",
                scratch=scratch,
            )
            for number, (one, place) in enumerate(read)
        ]
        return opened, [one for one in names if one not in {sheet for sheet, _ in read}]


def _header_places(
    book: python_calamine.CalamineWorkbook, sheets: Sequence[str], is_header: Callable[[Sequence[str]], bool]
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the sheets with a known header and its row; and those without, with their first row that has a cell."""
    found, without_header = [], []
    for sheet in sheets:
        rows = list(islice(_rows(book, sheet), HEADER_ROWS))
        place = next((number for number, row in enumerate(rows) if is_header(headers_of(row))), None)
        first = next((number for number, row in enumerate(rows) if any(row)), None)
        if place is not None:
            found.append((sheet, place))
        elif first is not None:
            without_header.append((sheet, first))
    return found, without_header


@contextmanager
def _opened(path: Path, shown: str) -> Iterator[python_calamine.CalamineWorkbook]:
    if path.stat().st_size == 0:
        raise DataError("empty_file", path=shown)
    if _is_protected(path):
        raise DataError("protected_workbook", path=shown)
    try:
        refuse_harmful(path, shown)
        with python_calamine.load_workbook(path) as book:
            yield book
    except python_calamine.PasswordError as error:
        raise DataError("protected_workbook", path=shown) from error
    except (python_calamine.CalamineError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError("no_workbook", path=shown) from error
    except OSError as error:
        # An archive whose beginning is lost names places before its beginning.
        if error.errno != errno.EINVAL:
            raise
        raise DataError("no_workbook", path=shown) from error
    except BaseException as error:
        # A reader that finds what it never thought of panics; that is no reason for the program to end.
        if type(error).__name__ != "PanicException":
            raise
        raise DataError("no_workbook", path=shown) from error


def _is_protected(path: Path) -> bool:
    # Excel wraps an encrypted workbook in its old format; that names its parts in the directory.
    with path.open("rb") as file:
        if not file.read(8).startswith(b"\xd0\xcf\x11\xe0"):
            return False
        tail = b""
        while chunk := file.read(CHUNK):
            if _PROTECTED in tail + chunk:
                return True
            tail = chunk[-len(_PROTECTED) :]
    return False


def _visible(book: python_calamine.CalamineWorkbook) -> list[str]:
    return [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        and sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]


def _rows(book: python_calamine.CalamineWorkbook, sheet: str) -> Iterator[list[str | None]]:
    for row in book.get_sheet_by_name(sheet).iter_rows():
        yield [cell_text(cell) for cell in row]


def cell_text(cell: Any) -> str | None:
    """Return what a cell says as text: whole numbers without a point, dates in ISO form; None where it is empty.

    Examples
    --------
    >>> cell_text(17.0), cell_text(0.1), cell_text(datetime(2026, 1, 5)), cell_text("00017"), cell_text("")
    ('17', '0.1', '2026-01-05', '00017', None)
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_WHOLE:
        return str(int(cell))
    if isinstance(cell, datetime):
        # A serial number a hair below a second is that second.
        cell = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
        has_time = (cell.hour, cell.minute, cell.second, cell.microsecond) != (0, 0, 0, 0)
        return str(cell.isoformat(sep=" ") if has_time else cell.date().isoformat())
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell) or None


def headers_of(row: Sequence[str | None]) -> list[str]:
    """Return the cells of a row as headers of which no two are the same.

    Examples
    --------
    >>> headers_of([" date ", None, "date"])
    ['date', 'column 2', 'date (2)']
    """
    return distinct([(cell or "").strip() for cell in row])


def _store(
    connection: duckdb.DuckDBPyConnection,
    book: python_calamine.CalamineWorkbook,
    sheet: str,
    header_place: int,
    *,
    shown: str,
    relation: str,
    scratch: Path,
) -> OpenedSheet:
    """Write a sheet's rows as texts to Parquet and make that a relation; a row without a cell is none."""
    rows = enumerate(book.get_sheet_by_name(sheet).iter_rows(), start=1)
    above = tuple(" ".join(filter(None, map(cell_text, row))) for _, row in islice(rows, header_place))
    header = [cell_text(cell) for cell in next(row for _, row in rows)]
    # Columns to the right that have neither header nor value are none.
    headers = headers_of(header)
    schema = pa.schema([*((name, pa.string()) for name in headers), (ROW, pa.int64())])
    path = scratch / f"{relation}.parquet"
    rounded: dict[str, tuple[int, int, str]] = {}

    def noted(number: int, row: list[Any]) -> list[str | None]:
        for place, cell in enumerate(row):
            if isinstance(cell, float) and _MOST_DIGITS <= abs(cell) < _LARGEST_WHOLE:
                n, first, example = rounded.get(headers[place], (0, number, cell_text(cell) or ""))
                rounded[headers[place]] = (n + 1, first, example)
        return [cell_text(cell) for cell in row]

    with pq.ParquetWriter(path, schema) as writer:
        texts = ((number, noted(number, row)) for number, row in rows)
        filled = ((number, row) for number, row in texts if any(cell is not None for cell in row))
        while batch := list(islice(filled, _BATCH)):
            arrays = [pa.array([row[place] for _, row in batch], pa.string()) for place in range(len(headers))]
            arrays.append(pa.array([number for number, _ in batch], pa.int64()))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    connection.execute(
        f"CREATE TEMP VIEW {relation} AS SELECT *, {quoted(shown)} AS {FILE} FROM read_parquet({path_literal(path)})"
    )
    return OpenedSheet(relation, tuple(headers), shown, above, rounded)
