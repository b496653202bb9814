"""Find a table's files and open each as rows of raw values with a row number.

Nothing here judges a value: rows whose very structure is broken are reported, everything else is passed on.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import quoted
from kehu_analysis.errors import DataError

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
_DELIMITERS = (",", ";", "\t", "|")
_ENCODINGS = ("utf-8-sig", "gb18030")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
_CHUNK = 1 << 20
#: Names of the two columns that every opened file gets.
FILE, ROW = "_file", "_row"


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
        The settings name a file that is not there.
    """
    if root.is_file():
        return [root] if table.name == "transactions" else []
    if settings.source is not None:
        patterns = [settings.source] if isinstance(settings.source, str) else settings.source
        files: list[Path] = []
        for pattern in patterns:
            matches = sorted(path for path in root.glob(pattern) if path.is_file())
            if not matches:
                raise DataError("source_missing", table=table.name, source=pattern, folder=root)
            files += matches
        return files
    data_files = sorted(path for path in root.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)
    named = [path for path in data_files if path.stem.lower() == table.name or _is_part_of(path, table)]
    if named or table.name != "transactions":
        return named
    others = [path for path in data_files if path.stem.lower() not in contract()]
    return others if len(others) == 1 else []


def _is_part_of(path: Path, table: Table) -> bool:
    return path.stem.lower().startswith((f"{table.name}-", f"{table.name}_2"))


def open_file(connection: duckdb.DuckDBPyConnection, path: Path, name: str, scratch: Path) -> OpenedFile:
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
        A folder for a copy in UTF-8 where the file has another encoding.

    Raises
    ------
    DataError
        The file is empty, no text, or no Parquet.
    """
    if path.stat().st_size == 0:
        raise DataError("empty_file", path=path.name)
    try:
        if path.suffix.lower() == ".parquet":
            return _open_parquet(connection, path, name)
        return _open_csv(connection, path, name, scratch)
    except duckdb.Error as error:
        raise DataError("unreadable_file", path=path.name, reason=str(error).splitlines()[0]) from error


def _open_parquet(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> OpenedFile:
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT * EXCLUDE (file_row_number), {quoted(path.name)} AS {FILE}, "
        f"file_row_number + 1 AS {ROW} FROM read_parquet({quoted(path)}, file_row_number = true)"
    )
    return OpenedFile(name, _headers(connection, name), typed=True)


def _open_csv(connection: duckdb.DuckDBPyConnection, path: Path, name: str, scratch: Path) -> OpenedFile:
    encoding = find_encoding(path)
    readable = path if encoding.startswith("utf-8") else _in_utf8(path, encoding, scratch / f"{name}.csv")
    headers, delimiter = _read_header(readable, path.name)
    columns = ", ".join(f"{quoted(header)}: 'VARCHAR'" for header in headers)
    # Strict: a line whose structure is broken is rejected and reported, never patched or silently dropped.
    connection.execute(
        f"CREATE TEMP TABLE {name}_read AS SELECT *, row_number() OVER () AS {ROW} FROM read_csv({quoted(readable)}, "
        f"auto_detect = false, header = true, delim = {quoted(delimiter)}, quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, null_padding = false, strict_mode = true, ignore_errors = true, "
        f"store_rejects = true, rejects_table = {quoted(name + '_errors')}, rejects_scan = {quoted(name + '_scans')}, "
        f"rejects_limit = 0)"
    )
    connection.execute(
        f"CREATE TEMP TABLE {name}_broken AS SELECT {quoted(path.name)} AS {FILE}, line AS {ROW}, "
        f"any_value(csv_line) AS line_text, row_number() OVER (ORDER BY line) AS n FROM {name}_errors GROUP BY line"
    )
    # A read row's place in the file is its place among the read rows plus the broken lines before it, plus the header.
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT r.* EXCLUDE ({ROW}), {quoted(path.name)} AS {FILE}, "
        f"r.{ROW} + 1 + coalesce(b.n, 0) AS {ROW} FROM {name}_read r "
        f"ASOF LEFT JOIN (SELECT n, {ROW} - 1 - n AS before FROM {name}_broken) b ON r.{ROW} > b.before"
    )
    return OpenedFile(name, tuple(headers), typed=False)


def _headers(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, ...]:
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    return tuple(row[0] for row in described if row[0] not in (FILE, ROW))


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else the first that decodes the whole of it.

    Raises
    ------
    DataError
        The file is no text in any encoding known.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\x00" in start:
        raise DataError("not_text", path=path.name)
    for encoding in _ENCODINGS:
        try:
            for _ in _decoded(path, encoding):
                pass
        except UnicodeDecodeError:
            continue
        return encoding
    # A few broken characters in a UTF-8 file cost their lines, not the file.
    return "utf-8"


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _in_utf8(path: Path, encoding: str, copy: Path) -> Path:
    try:
        with copy.open("w", encoding="utf-8", newline="") as file:
            file.writelines(_decoded(path, encoding))
    except UnicodeDecodeError as error:
        raise DataError("not_text", path=path.name) from error
    return copy


def _read_header(path: Path, shown: str) -> tuple[list[str], str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline(1 << 16)
    rows = {mark: next(csv.reader([line], delimiter=mark), []) for mark in _DELIMITERS}
    delimiter = max(rows, key=lambda mark: len(rows[mark]))
    headers = [header.strip() for header in rows[delimiter]]
    if not any(headers):
        raise DataError("no_header", path=shown)
    return _distinct(headers), delimiter


def _distinct(headers: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    for position, header in enumerate(headers, start=1):
        name = header or f"column {position}"
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
        names.append(name if seen[name.lower()] == 1 else f"{name} ({seen[name.lower()]})")
    return names
