"""Read a delimited text file as rows of raw texts: broken lines, blank lines, row numbers.

DuckDB reads strictly; a line whose structure is broken is reported, never patched. It needs help where a file is
irregular: a quote that is never closed is kept from swallowing the lines after it, and blank lines are counted, so that
row numbers are those that a spreadsheet shows. What was read is kept as Parquet, so that memory stays bounded.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Container, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from pathlib import Path

import duckdb

from kehu_analysis.data.reading.chunks import CHUNK, chunks
from kehu_analysis.data.reading.text_files import FILE, ROW, Dialect, ReadableText, make_readable
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted
from kehu_analysis.errors import DataError

#: So much of a broken line is kept for reading.
_KEPT_OF_BROKEN = 500
#: Stands for the quotes of a line that is held back from the parser: a character for private use.
_QUOTE_MARK = "\ue000"
_BLANK_LINE = re.compile(rb"\n\r?\n\r?[^\n\r]")
#: DuckDB reads in blocks of so many bytes. Where broken lines, some thousands of them, lie across the end of a block,
#: it takes the file for read; in other blocks they lie within one.
_BLOCKS = (8_000_000, 13_000_000, 29_000_000, 67_000_000, 149_000_000)
#: More broken lines than this are too many to keep, and no slips: the lines are of another form than the header.
_MOST_BROKEN = 400_000
#: Of a larger file than this, only every eighth piece is looked at for lines of another form.
_SMALL, _EVERY = 1 << 26, 8
#: Each reading frees at least every other line swallowed by a quote; more than this is no text.
_MOST_READINGS = 24


def open_delimited(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shown: str,
    name: str,
    scratch: Path,
    is_header: Callable[[Sequence[str]], bool],
    encoding: str | None = None,
    needed: Callable[[Sequence[str]], AbstractSet[str]] = lambda _: frozenset(),
) -> ReadableText:
    """Make a delimited file the relation ``name`` and its broken lines ``<name>_broken``; return what was read.

    Parameters
    ----------
    connection
        Where the relations are made.
    path
        The file; it is only read.
    shown
        Its name for readers.
    name
        The relation's name: all columns as text, and the file and row each comes from.
    scratch
        A folder for rewritten copies.
    is_header
        Tells whether a row's cells are a known header: what stands above it is passed over.
    encoding
        What the settings say; by default it is found out.
    needed
        Tells which of the headers are read however many there are.

    Raises
    ------
    DataError
        The file is no text, or has no header, or so many broken lines that not all of it can be read.
    """
    text = make_readable(path, shown, scratch / f"{name}.csv", is_header, encoding, needed)
    readable, headers, dialect = text.path, text.headers, text.dialect
    prefix = dialect.delimiter * len(headers)
    stored = scratch / f"{name}.parquet"
    for number in range(_MOST_READINGS):
        _refuse_another_form(readable, shown, headers, dialect)
        _read(connection, readable, name, stored, headers, dialect)
        _refuse_too_many(connection, shown, name)
        swallowing = _swallowing_lines(connection, name)
        if not swallowing:
            break
        readable = _hold_back(readable, scratch / f"{name}_{number}.csv", swallowing, prefix, dialect.quote)
    # In a file of one column a blank line is a row: a missing value.
    blank = _blank_lines(readable, dialect) if len(headers) > 1 else {}
    if blank:
        readable = _without_lines(readable, scratch / f"{name}_dense.csv", set(blank.values()))
        _read(connection, readable, name, stored, headers, dialect)
    _read_to_the_end(connection, readable, shown, name, stored, headers, dialect)
    _number_rows(connection, shown, name, prefix, list(blank), text)
    return text


def _read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    stored: Path,
    headers: Sequence[str],
    dialect: Dialect,
    block: int = _BLOCKS[0],
) -> None:
    connection.execute(f"DROP VIEW IF EXISTS {name}_read")
    for table in (f"{name}_errors", f"{name}_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    columns = ", ".join(f"{quoted(header)}: 'VARCHAR'" for header in headers)
    sized = "" if block == _BLOCKS[0] else f", buffer_size = {block}"
    connection.execute(
        f"COPY (SELECT *, row_number() OVER () AS {ROW} FROM read_csv({path_literal(path)}, "
        f"auto_detect = false, header = true, delim = {quoted(dialect.delimiter)}, "
        f"quote = {quoted(dialect.quote)}, escape = {quoted(dialect.quote)}, "
        f"columns = {{{columns}}}, hive_partitioning = false, null_padding = false, strict_mode = true, "
        f"ignore_errors = true, store_rejects = true, rejects_table = {quoted(name + '_errors')}, "
        f"rejects_scan = {quoted(name + '_scans')}, rejects_limit = {_MOST_BROKEN}{sized})) TO {quoted(stored)} "
        "(FORMAT parquet)"
    )
    connection.execute(f"CREATE TEMP VIEW {name}_read AS FROM read_parquet({path_literal(stored)})")


def _refuse_another_form(path: Path, shown: str, headers: Sequence[str], dialect: Dialect) -> None:
    """Refuse a file of which very many lines are broken before it is read: each of them takes kilobytes of memory."""
    n_between, mark = len(headers) - 1, dialect.delimiter.encode()
    step = 1 if path.stat().st_size <= _SMALL else _EVERY
    n_astray = 0
    for chunk in islice(chunks(path), None, None, step):
        n_feeds = chunk.count(b"\n")
        n_astray += min(n_feeds, abs(chunk.count(mark) - n_feeds * n_between))
    if n_astray * step < _MOST_BROKEN:
        return
    # Line ends and delimiters within values look the same so far.
    n_broken = 0
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        records = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote)
        try:
            for row, record in enumerate(records, start=1):
                n_broken += bool(record) and len(record) != len(headers)
                if n_broken >= _MOST_BROKEN:
                    raise DataError("broken_stretch", path=shown, n_lines=n_broken, row=row)
        except csv.Error:  # a quote that is not closed, most likely: it will be held back
            return


def _read_to_the_end(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shown: str,
    name: str,
    stored: Path,
    headers: Sequence[str],
    dialect: Dialect,
) -> None:
    """Read a file again where broken lines kept it from being read to its end; refuse it where nothing helps."""
    for block in (*_BLOCKS[1:], None):
        n_broken, last_row, is_whole = _account(connection, path, name, headers)
        if is_whole:
            return
        if block is None:
            raise DataError("broken_stretch", path=shown, n_lines=n_broken, row=last_row)
        _read(connection, path, name, stored, headers, dialect, block)
        _refuse_too_many(connection, shown, name)


def _refuse_too_many(connection: duckdb.DuckDBPyConnection, shown: str, name: str) -> None:
    found = connection.execute(f"SELECT count(*), max(line) FROM {name}_errors").fetchone()
    assert found is not None  # aggregates always return a row
    if found[0] >= _MOST_BROKEN:
        raise DataError("broken_stretch", path=shown, n_lines=found[0], row=found[1])


def _account(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, headers: Sequence[str]
) -> tuple[int, int, bool]:
    """Return how many lines are broken, the last of them, and whether all lines of the file were read."""
    broken = connection.execute(
        f"SELECT count(*), coalesce(sum(1 + {_n_feeds('text')}), 0), max(line) FROM (SELECT line, "
        f"trim(any_value(csv_line), chr(10) || chr(13)) AS text FROM {name}_errors GROUP BY line)"
    ).fetchone()
    assert broken is not None  # aggregates always return a row
    if broken[0] == 0 or path.stat().st_size <= _BLOCKS[0]:
        return broken[0], broken[2], True
    in_values = " + ".join(f"coalesce({_n_feeds(identifier(header))}, 0)" for header in headers)
    sound = connection.execute(f"SELECT count(*), coalesce(sum({in_values}), 0) FROM {name}_read").fetchone()
    assert sound is not None
    n_read = 1 + sum(header.count("\n") for header in headers) + sum(sound) + broken[1]
    return broken[0], broken[2], n_read >= sum(chunk.count(b"\n") for chunk in chunks(path))


def _n_feeds(text: str) -> str:
    return f"length({text}) - length(replace({text}, chr(10), ''))"


def _swallowing_lines(connection: duckdb.DuckDBPyConnection, name: str) -> list[int]:
    """Return where (in bytes) the lines begin whose open quote swallowed other lines, or that are far too long."""
    rows = connection.execute(
        f"SELECT DISTINCT line_byte_position - 1 FROM {name}_errors "
        "WHERE error_type IN ('UNQUOTED VALUE', 'LINE SIZE OVER MAXIMUM') "
        # Only the beginning of a long line is kept with the error: what it swallowed is not known.
        "AND (length(csv_line) >= 10000 OR contains(trim(csv_line, chr(10) || chr(13)), chr(10))) ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def _hold_back(path: Path, copy: Path, positions: Sequence[int], prefix: str, quote: str) -> Path:
    """Copy a file with single lines made harmless: no quotes, and too many columns, so that they are rejected."""
    with path.open("rb") as source, copy.open("wb") as target:
        for position in positions:
            _copy_bytes(source, target, position - source.tell())
            line = source.readline()
            while line and not line.strip(b"\r\n"):  # the position may be that of the line end before
                target.write(line)
                line = source.readline()
            text = line.decode(errors="replace").rstrip("\r\n")[:_KEPT_OF_BROKEN].replace(quote, _QUOTE_MARK)
            target.write(f"{prefix}{text}".encode() + (b"\r\n" if line.endswith(b"\r\n") else b"\n"))
        shutil.copyfileobj(source, target)
    return copy


def _copy_bytes(source: io.BufferedReader, target: io.BufferedWriter, size: int) -> None:
    while size > 0 and (chunk := source.read(min(size, CHUNK))):
        target.write(chunk)
        size -= len(chunk)


def _blank_lines(path: Path, dialect: Dialect) -> dict[int, int]:
    """Return the lines without a character, which are no rows of data: by row (a header is row 1) the line number.

    The two differ where a value before it holds a line end.
    """
    tail = b""
    for chunk in chunks(path):
        text = tail + chunk
        if (b"\n\n" in text or b"\n\r\n" in text) and _BLANK_LINE.search(text):
            break
        tail = text[-4:]
    else:
        return {}
    limit = csv.field_size_limit(1 << 30)
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote)
            return {row: reader.line_num for row, record in enumerate(reader, start=1) if not record}
    finally:
        csv.field_size_limit(limit)


def _without_lines(path: Path, copy: Path, numbers: Container[int]) -> Path:
    with path.open("rb") as source, copy.open("wb") as target:
        target.writelines(line for number, line in enumerate(source, start=1) if number not in numbers)
    return copy


def _number_rows(
    connection: duckdb.DuckDBPyConnection,
    shown: str,
    name: str,
    prefix: str,
    blank: Sequence[int],
    of: ReadableText,
) -> None:
    # A row's place in the file is its place among those read, plus the broken lines before it, plus the header, plus
    # the blank lines before it, which the parser did not see. Of lines next to each other the last one counts.
    connection.execute(f"CREATE TEMP TABLE {name}_blank (before BIGINT, n BIGINT)")
    if blank:
        numbered = "SELECT unnest($lines) AS line, generate_subscripts($lines, 1) AS n"
        connection.execute(
            f"INSERT INTO {name}_blank SELECT line - n AS before, max(n) FROM ({numbered}) GROUP BY ALL",
            {"lines": list(blank)},
        )
    place = f"r.{ROW} + coalesce(b.n, 0) AS {ROW}"
    blank_before = f"ASOF LEFT JOIN {name}_blank b ON r.{ROW} > b.before"
    text = "trim(any_value(csv_line), chr(10) || chr(13))"
    whole = f"replace({text}, {quoted(_QUOTE_MARK)}, {quoted(of.dialect.quote)})"
    kept = f"CASE WHEN starts_with({text}, {quoted(prefix)}) THEN substr({whole}, {len(prefix) + 1}) ELSE {whole} END"
    connection.execute(
        f"CREATE TEMP TABLE {name}_faulty AS SELECT line AS {ROW}, left({kept}, {_KEPT_OF_BROKEN}) AS line_text, "
        f"row_number() OVER (ORDER BY line) AS n FROM {name}_errors GROUP BY line"
    )
    connection.execute(
        f"CREATE TEMP VIEW {name}_broken AS SELECT {quoted(shown)} AS {FILE}, "
        f"r.{ROW} + coalesce(b.n, 0) + {of.n_lines_above} AS {ROW}, r.line_text "
        f"FROM {name}_faulty r {blank_before}"
    )
    rows = f"SELECT * REPLACE ({ROW} + 1 AS {ROW}) FROM {name}_read"
    if connection.execute(f"SELECT count(*) FROM {name}_faulty").fetchone() != (0,):
        rows = (
            f"SELECT d.* EXCLUDE ({ROW}), d.{ROW} + 1 + coalesce(f.n, 0) AS {ROW} FROM {name}_read d ASOF LEFT JOIN "
            f"(SELECT {ROW} - 1 - n AS before, max(n) AS n FROM {name}_faulty GROUP BY ALL) f ON d.{ROW} > f.before"
        )
    if blank:
        rows = f"SELECT r.* EXCLUDE ({ROW}), {place} FROM ({rows}) r {blank_before}"
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT * REPLACE ({ROW} + {of.n_lines_above} AS {ROW}), {quoted(shown)} AS {FILE} "
        f"FROM ({rows})"
    )
