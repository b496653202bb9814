"""Find a table's files and open each as rows of raw values with a row number.

Nothing here judges a value: rows whose very structure is broken are reported, everything else is passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from kehu_analysis.data.delimited import FILE, ROW, distinct, open_delimited
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted
from kehu_analysis.errors import DataError, reason_of

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


@dataclass(frozen=True)
class OpenedFile:
    """A file as an SQL relation with all its columns, ``_file`` and ``_row`` (a header is row 1)."""

    relation: str
    headers: tuple[str, ...]
    typed: bool


def find_files(root: Path, table: Table, settings: TableSettings) -> list[Path]:
    """Return the files of one table, in order of name.

    ``root`` is a folder, or one file that is the transactions. In a folder, a table's files are those that its
    settings name, else ``<table>.csv`` and the like and ``<table>-*.csv``; a folder with a single data file of any
    other name holds transactions.

    Raises
    ------
    DataError
        The settings name a file that is not there, or a table lies there twice (as CSV and as Parquet).
    """
    if root.is_file():
        return [root] if table.name == "transactions" else []
    if settings.source is not None:
        return _named_files(root, table, settings.source)
    data_files = sorted(path for path in root.iterdir() if path.is_file() and _is_data_file(path))
    whole = [path for path in data_files if path.stem.lower() == table.name]
    if len(whole) > 1:
        # Read together, every sale would count twice.
        raise DataError("table_twice", table=table.name, files=", ".join(path.name for path in whole))
    named = [path for path in data_files if path in whole or _is_part_of(path, table)]
    if named or table.name != "transactions":
        return named
    others = [path for path in data_files if path.stem.lower() not in contract()]
    return others if len(others) == 1 else []


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


def _is_data_file(path: Path) -> bool:
    # Spreadsheets and file managers leave hidden companions of a file beside it.
    return path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~$"))


def _is_part_of(path: Path, table: Table) -> bool:
    return path.stem.lower().startswith((f"{table.name}-", f"{table.name}_2"))


def open_file(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, scratch: Path, *, shown: str = ""
) -> OpenedFile:
    """Make a file a relation of raw values.

    Parameters
    ----------
    connection
        Where the relation is made.
    path
        A CSV, TSV or Parquet file.
    name
        Name of the relation.
    scratch
        A folder for a rewritten copy where the file needs one.
    shown
        The file's name for readers; by default that of the path.

    Raises
    ------
    DataError
        The file is empty, no text, or no Parquet.
    """
    shown = shown or path.name
    try:
        if path.stat().st_size == 0:
            raise DataError("empty_file", path=shown)
        if path.suffix.lower() == ".parquet":
            return OpenedFile(name, _open_parquet(connection, path, shown, name), typed=True)
        return OpenedFile(name, open_delimited(connection, path, shown, name, scratch), typed=False)
    except duckdb.Error as error:
        raise DataError("unreadable_file", path=shown, reason=str(error).splitlines()[0]) from error
    except OSError as error:
        raise DataError("unreadable_file", path=shown, reason=reason_of(error)) from error


def _open_parquet(connection: duckdb.DuckDBPyConnection, path: Path, shown: str, name: str) -> tuple[str, ...]:
    source = f"read_parquet({path_literal(path)}, hive_partitioning = false"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source})").fetchall()
    headers = distinct([row[0].strip() for row in described])
    columns = ", ".join(
        f"{_present(row[0], row[1])} AS {identifier(header)}" for row, header in zip(described, headers, strict=True)
    )
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT {columns}, {quoted(shown)} AS {FILE}, row_number() OVER () AS {ROW} "
        f"FROM {source})"
    )
    return tuple(headers)


def _present(column: str, sql_type: str) -> str:
    # A frame writes a missing number as NaN. Told by its text: Parquet's statistics leave NaN out, and a comparison of
    # numbers is decided from them.
    name = identifier(column)
    return f"nullif(CAST({name} AS VARCHAR), 'nan')" if sql_type in ("DOUBLE", "FLOAT") else name
