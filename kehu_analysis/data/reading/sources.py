"""Find a table's files and open each as rows of raw values with a row number.

Nothing here judges a value: rows whose very structure is broken are reported, everything else is passed on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import duckdb

from kehu_analysis.data.period_headers import is_cross_table
from kehu_analysis.data.reading.delimited import open_delimited
from kehu_analysis.data.reading.spreadsheet import SUFFIXES as WORKBOOKS
from kehu_analysis.data.reading.spreadsheet import is_workbook, open_sheets, sheets_of, table_of_sheet
from kehu_analysis.data.reading.text_files import FILE, ROW, distinct
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import DatasetSettings, TableSettings
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted
from kehu_analysis.errors import DataError, reason_of

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", *WORKBOOKS, ".parquet")
#: Name of the workbook in which rejected rows are handed out.
REJECTED = "rejected"
_NO_SPACE = os.strerror(errno.ENOSPC)
_TEXT = "VARCHAR"


@dataclass(frozen=True)
class OpenedFile:
    """A file, or a sheet of one, as an SQL relation with all its columns, and the file and row each comes from.

    Attributes
    ----------
    relation
        Name of the relation.
    shown
        The file's name for readers, with the sheet's where it has several.
    types
        SQL type of each header.
    broken
        The relation of the lines whose structure is broken, where the format can have such.
    encoding
        In which a text file is written.
    above
        What stands above the header, line by line.
    rounded
        By header how many numbers a spreadsheet has rounded, the row of the first, and what it says.
    """

    relation: str
    shown: str
    types: dict[str, str]
    broken: str | None = None
    encoding: str = ""
    above: tuple[str, ...] = ()
    rounded: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)

    @property
    def headers(self) -> tuple[str, ...]:
        """What the columns are called in the file."""
        return tuple(self.types)

    @property
    def is_text(self) -> bool:
        """Whether every value is a text that has yet to be read."""
        return set(self.types.values()) <= {_TEXT}


def find_files(root: Path, table: Table, settings: TableSettings) -> list[Path]:
    """Return the files of one table, in order of name.

    ``root`` is a folder, or one file that is the transactions. In a folder, a table's files are those that its
    settings name, else ``<table>.csv`` and the like and ``<table>-*.csv``, else a workbook with a sheet of that name; a
    folder with a single data file of any other name holds transactions. ``<table>-mended*`` comes last, however the
    others were found; a workbook called ``rejected…`` is never taken for a table.

    Raises
    ------
    DataError
        The settings name a file that is not there, or a table lies there twice (as CSV and as Parquet).
    """
    if root.is_file():
        return [root] if table.name == "transactions" or _has_sheet(root, table) else []
    # Mended rows belong to the rows they mend, however those were found.
    mended = sorted(
        path
        for path in root.iterdir()
        if path.is_file() and is_data_file(path) and path.name.lower().startswith(f"{table.name}-mended")
    )
    found = _unmended_files(root, table, settings, mended)
    return [*(path for path in found if path not in mended), *mended] if found else []


def _unmended_files(root: Path, table: Table, settings: TableSettings, mended: Sequence[Path]) -> list[Path]:
    if settings.source is not None:
        return _named_files(root, table, settings.source)
    data_files = sorted(path for path in root.iterdir() if path.is_file() and is_data_file(path) and path not in mended)
    _refuse_a_second(table, data_files)
    named = [path for path in data_files if table.is_called(stem(path))]
    others = [path for path in data_files if _is_foreign(path)]
    with_sheet = [path for path in others if _has_sheet(path, table)]
    if named or with_sheet:
        return named or with_sheet
    return others if len(others) == 1 and table.name == "transactions" else []


def _refuse_a_second(table: Table, data_files: Sequence[Path]) -> None:
    whole = [path for path in data_files if stem(path).lower() in (table.name, *table.names)]
    if len(whole) > 1:
        # Read together, every sale would count twice.
        raise DataError("table_twice", table=table.name, files=", ".join(path.name for path in whole))


def _is_foreign(path: Path) -> bool:
    """Tell whether a data file's name says nothing of what is in it."""
    if any(table.is_called(stem(path)) for table in contract().values()):
        return False
    # Rows that were rejected, not yet mended: read as the log, they would be all of it.
    return not (is_workbook(path) and stem(path).lower().startswith(REJECTED))


def line_files(root: Path, settings: DatasetSettings) -> list[Path]:
    """Return the files with the lines of the orders, where ``dataset.toml`` names such.

    Raises
    ------
    DataError
        It names a file that is not there.
    """
    lines = settings.table("transactions").lines
    if lines is None:
        return []
    table = contract()["transactions"]
    if lines.source is None:  # another sheet of the same workbook
        return find_files(root, table, settings.table(table.name))
    return _named_files(root, table, lines.source) if root.is_dir() else []


def unread_files(root: Path, read: Iterable[Path], settings: DatasetSettings) -> list[Path]:
    """Return the data files of a folder, and of the folders in it, that are read as no table.

    Where ``dataset.toml`` names the source of the transactions, what it does not name is left out on purpose.
    """
    if root.is_file() or settings.table("transactions").source is not None:
        return []
    known = set(read)
    found = (path for pattern in ("*", "*/*") for path in root.glob(pattern))
    return sorted(path for path in found if path not in known and path.is_file() and is_data_file(path))


def stem(path: Path) -> str:
    """Return a file's name without what says its format.

    Examples
    --------
    >>> stem(Path("transactions-2026.csv.gz"))
    'transactions-2026'
    """
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def shown_name(path: Path, root: Path) -> str:
    """Return a file's name for readers: its place in the folder ``root``, or its own name where ``root`` is the file.

    Examples
    --------
    >>> shown_name(Path("shop/2026/sales.csv"), Path("shop"))
    '2026/sales.csv'
    """
    return path.relative_to(root).as_posix() if path != root and path.is_relative_to(root) else path.name


def _has_sheet(path: Path, table: Table) -> bool:
    if not is_workbook(path):
        return False
    known = path.stat()
    return table.name in _tables_of_sheets(path, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=64)
def _tables_of_sheets(path: Path, _changed: int, _size: int) -> frozenset[str | None]:
    # Every table asks every workbook, and a large one takes seconds to open.
    try:
        return frozenset(map(table_of_sheet, sheets_of(path, path.name)))
    except DataError:
        # A broken workbook is told of where it is read.
        return frozenset()


def _named_files(root: Path, table: Table, source: str | list[str]) -> list[Path]:
    files: dict[Path, None] = {}
    for pattern in [source] if isinstance(source, str) else source:
        found = dict.fromkeys(path for path in _matches(root, pattern) if path.is_file())
        if not found:
            raise DataError("source_missing", table=table.name, source=pattern, folder=root)
        files |= found
    return list(files)


def _matches(root: Path, pattern: str) -> list[Path]:
    # A name may hold the characters of a pattern: "sales [2026].csv".
    if (root / pattern).is_file():
        return [root / pattern]
    try:
        return sorted(root.glob(pattern))
    except (ValueError, NotImplementedError):  # not a pattern within the folder
        return []


def is_data_file(path: Path) -> bool:
    """Tell whether a file is one that tables are read from, by its name.

    Examples
    --------
    >>> [is_data_file(Path(name)) for name in ("sales.csv.gz", "~$sales.xlsx", "notes.docx")]
    [True, False, False]
    """
    # Spreadsheets and file managers leave hidden companions of a file beside it.
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith((".", "~$"))


def open_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    scratch: Path,
    *,
    shown: str,
    table: Table,
    settings: TableSettings,
) -> tuple[list[OpenedFile], list[str]]:
    """Make a file, or the sheets of a workbook that hold the table, relations of raw values.

    Parameters
    ----------
    connection
        Where the relations are made.
    path
        A delimited text file, a workbook, or a Parquet file.
    name
        Name of the relation, or the beginning of the names of several.
    scratch
        A folder for rewritten copies.
    shown
        The file's name for readers.
    table
        The table that the file holds.
    settings
        What ``dataset.toml`` says of the table.

    Returns
    -------
    list of OpenedFile, list of str
        What was opened, and the sheets that were passed over.

    Raises
    ------
    DataError
        The file is empty, damaged, protected, no text, no workbook, or no Parquet.
    """
    is_header = header_test(table, settings)
    try:
        if path.stat().st_size == 0:
            raise DataError("empty_file", path=shown)
        if path.suffix.lower() == ".parquet":
            return [OpenedFile(name, shown, _open_parquet(connection, path, shown, name))], []
        if is_workbook(path):
            sheets, passed_over = open_sheets(
                connection, path, shown, name, scratch, table=table, wanted=settings.sheets, is_header=is_header
            )
            opened = [
                OpenedFile(
                    one.relation,
                    one.shown,
                    dict.fromkeys(one.headers, _TEXT),
                    above=one.above,
                    rounded=one.rounded,
                )
                for one in sheets
            ]
            return opened, [f"{shown} [{sheet}]" for sheet in passed_over]
        text = open_delimited(connection, path, shown, name, scratch, is_header, settings.encoding)
        types = dict.fromkeys(text.headers, _TEXT)
        return [OpenedFile(name, shown, types, f"{name}_broken", text.encoding, text.above)], []
    except duckdb.Error as error:
        if _NO_SPACE in str(error):
            raise OSError(errno.ENOSPC, _NO_SPACE) from error
        raise DataError("unreadable_file", path=shown, reason=str(error).splitlines()[0]) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:  # the copy did not fit; the file is sound
            raise
        raise DataError("unreadable_file", path=shown, reason=reason_of(error)) from error


def header_test(table: Table, settings: TableSettings) -> Callable[[Sequence[str]], bool]:
    """Return the test whether a row's cells are the header of a table: what the settings name, else what is known.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> is_header = header_test(contract()["transactions"], TableSettings())
    >>> is_header(["客户编号", "日期", "金额"]), is_header(["2026 年销售", "", ""])
    (True, False)
    """
    mapped = set(settings.columns.values())
    if settings.lines is not None:
        # What is mapped may stand in either file; the column of both stands in each.
        mapped = {settings.lines.key}

    def is_header(cells: Sequence[str]) -> bool:
        if mapped:
            return mapped <= set(cells)
        found = table.candidates(cells)
        if table.name == "transactions" and "customer_id" in found and is_cross_table(cells):
            return True
        return all(name in found for name in table.required_columns if name not in settings.computed)

    return is_header


def _open_parquet(connection: duckdb.DuckDBPyConnection, path: Path, shown: str, name: str) -> dict[str, str]:
    source = f"read_parquet({path_literal(path)}, hive_partitioning = false"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source})").fetchall()
    headers = distinct([row[0].strip() for row in described])
    columns = ", ".join(
        f"{_present(row[0], row[1])} AS {identifier(header)}" for row, header in zip(described, headers, strict=True)
    )
    # Parquet has no header row: its first row is row 1. A file may have a column of the name that the reader gives.
    numbered, row = f"{source}, file_row_number = true)", "file_row_number + 1"
    if any(header.lower() == "file_row_number" for header in headers):
        numbered, row = f"{source})", "row_number() OVER ()"
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT {columns}, {quoted(shown)} AS {FILE}, {row} AS {ROW} FROM {numbered}"
    )
    return {header: row[1] for row, header in zip(described, headers, strict=True)}


def _present(column: str, sql_type: str) -> str:
    # A frame writes a missing number as NaN. Parquet's statistics leave NaN out, and DuckDB answers isnan from them.
    name = identifier(column)
    is_present = f"isfinite({name}) OR abs({name}) = CAST('infinity' AS {sql_type})"
    return f"CASE WHEN {is_present} THEN {name} END" if sql_type in ("DOUBLE", "FLOAT") else name
