"""Make a text file readable: unpacked, in UTF-8, with one kind of line end, beginning with its header.

The file itself is only read; what has to be rewritten goes into a copy, chunk by chunk, so that memory stays bounded.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from kehu_analysis.data.reading.chunks import CHUNK, chunks, decoded
from kehu_analysis.data.reading.encodings import find_encoding
from kehu_analysis.data.reading.known_headers import MOST_COLUMNS, kept_places
from kehu_analysis.data.reading.wide_files import narrowed
from kehu_analysis.errors import DataError

#: Names of the two columns that every opened file gets: the file's name, and the row as a spreadsheet counts it.
FILE, ROW = "_source_file", "_source_row"
DELIMITERS = (",", ";", "\t", "|")
_OTHER_QUOTE = "'"
#: Above its header a file may have a title and notes; so far down the header is looked for.
HEADER_ROWS = 20
#: So much is looked at, and more where the lines are longer.
_USUAL_BEGINNING, _LONGEST_BEGINNING = 1 << 16, 1 << 22
#: What unpacks to more than this, and to so many times its own size, is no log but a trap.
_MUCH, _MOST_TIMES = 1 << 28, 200
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Dialect:
    """What stands between values, and around one that holds that or a line end."""

    delimiter: str
    quote: str = '"'


@dataclass(frozen=True)
class ReadableText:
    """A text file in UTF-8 whose first line is the header, the lines that stood above that, and how it was written.

    Of a very wide file ``n_left_out`` columns are not read.
    """

    path: Path
    headers: tuple[str, ...]
    dialect: Dialect
    above: tuple[str, ...]
    encoding: str
    n_left_out: int = 0

    @property
    def n_lines_above(self) -> int:
        """How many lines stood above the header."""
        return len(self.above)


def make_readable(
    path: Path,
    shown: str,
    copy: Path,
    is_header: Callable[[Sequence[str]], bool],
    encoding: str | None = None,
    needed: Callable[[Sequence[str]], AbstractSet[str]] = lambda _: frozenset(),
) -> ReadableText:
    """Return a text file ready for reading: itself where it is so already, else a copy.

    Parameters
    ----------
    path
        A delimited text file, perhaps packed by gzip.
    shown
        Its name for readers.
    copy
        Where the copy goes.
    is_header
        Tells whether a row's cells are a header that the contract or the settings know.
    encoding
        What the settings say; by default it is found out.
    needed
        Tells which of the headers are read however many there are.

    Raises
    ------
    DataError
        The file is no text, has no header, is damaged, is not in the encoding that the settings say, or unpacks to far
        more than a log would.
    """
    if is_packed(path):
        path = _unpacked(path, shown, copy.with_suffix(".unpacked"))
    encoding = find_encoding(path, shown, encoding)
    in_utf8 = encoding.startswith("utf-8")
    readable = path
    if not in_utf8 or not _has_one_line_end(chunks(path)):
        try:
            pieces = chunks(path) if in_utf8 else (text.encode() for text in decoded(path, encoding))
            with copy.open("wb") as file:
                file.writelines(_with_line_feeds(pieces))
        except UnicodeError as error:
            raise DataError("not_text", path=shown) from error
        readable = copy
    headers, dialect, above = read_header(readable, shown, is_header)
    if above:
        readable = _below(readable, len(above), copy.with_suffix(".below"))
    kept = kept_places(headers, needed(headers))
    if n_left_out := len(headers) - len(kept):
        readable = narrowed(
            readable, shown, copy.with_suffix(".narrow"), len(headers), kept, dialect.delimiter, dialect.quote
        )
        headers = [headers[place] for place in kept]
    return ReadableText(readable, tuple(headers), dialect, tuple(above), encoding.removesuffix("-sig"), n_left_out)


def read_header(
    path: Path, shown: str, is_header: Callable[[Sequence[str]], bool] = lambda _: False
) -> tuple[list[str], Dialect, list[str]]:
    """Return a file's headers, each made distinct, its dialect, and the lines that stand above the header.

    The header is the first line that ``is_header`` knows, else the first line; the delimiter is the one that splits
    it most. Values are quoted by ``'`` where all headers are.

    Raises
    ------
    DataError
        The first line is empty, or longer than the header of any table.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        start = file.read(_USUAL_BEGINNING)
        is_wide = any(start.count(delimiter) > MOST_COLUMNS for delimiter in DELIMITERS)
        while is_wide and start.count("\n") < HEADER_ROWS and len(start) < _LONGEST_BEGINNING:
            if not (more := file.read(len(start))):
                break
            start += more
    lines = start.split("\n")
    if len(start) >= _LONGEST_BEGINNING and len(lines) == 1:
        n_columns = len(_split_header(start)[0])
        # Cut off, the header would fit no line, and each of them would be kept as broken.
        if n_columns > MOST_COLUMNS:
            raise DataError("too_wide", path=shown, n_columns=n_columns)
    for n_above in range(min(HEADER_ROWS, len(lines))):
        headers, dialect = _split_header("\n".join(lines[n_above:]))
        if is_header(headers):
            return headers, dialect, lines[:n_above]
    headers, dialect = _split_header(start)
    if not any(headers):
        raise DataError("no_header", path=shown)
    return headers, dialect, []


def _split_header(text: str) -> tuple[list[str], Dialect]:
    rows = {delimiter: _first_record(text, Dialect(delimiter)) for delimiter in DELIMITERS}
    delimiter = max(rows, key=lambda mark: len(rows[mark]))
    dialect, record = Dialect(delimiter), rows[delimiter]
    if record and all(len(cell) > 1 and cell[0] == cell[-1] == _OTHER_QUOTE for cell in record):
        dialect = Dialect(delimiter, _OTHER_QUOTE)
        record = _first_record(text, dialect)
    headers = [header.strip() for header in record]
    return (distinct(headers) if any(headers) else []), dialect


def distinct(headers: Sequence[str]) -> list[str]:
    """Return headers of which no two are the same: a repeated one gets a number, an empty one its place.

    Examples
    --------
    >>> distinct(["date", "Date", "", "_source_row"])
    ['date', 'Date (2)', 'column 3', '_source_row (2)']
    """
    taken = {FILE, ROW}
    # Where a row says the same thousands of times, counting from one each time would take minutes.
    last: dict[str, int] = {}
    names = []
    for place, header in enumerate(headers, start=1):
        wanted = header or f"column {place}"
        name, number = wanted, last.get(wanted.lower(), 1)
        while name.lower() in taken:
            number += 1
            name = f"{wanted} ({number})"
        last[wanted.lower()] = number
        taken.add(name.lower())
        names.append(name)
    return names


def _first_record(text: str, dialect: Dialect) -> list[str]:
    try:
        lines = io.StringIO(text, newline="")
        return next(csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote), [])
    except csv.Error:
        return []


def is_packed(path: Path) -> bool:
    """Tell whether a file is packed by gzip, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _unpacked(path: Path, shown: str, copy: Path) -> Path:
    packed_size = path.stat().st_size
    size = 0
    try:
        with gzip.open(path) as source, copy.open("wb") as target:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                if size > _MUCH and size > _MOST_TIMES * packed_size:
                    raise DataError("unpacks_to_too_much", path=shown, times=_MOST_TIMES)
                target.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("damaged_archive", path=shown) from error
    if size == 0:
        raise DataError("empty_file", path=shown)
    return copy


def _has_one_line_end(pieces: Iterable[bytes]) -> bool:
    n_pairs = n_feeds = n_returns = 0
    last = b""
    for chunk in pieces:
        n_pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
        n_feeds += chunk.count(b"\n")
        n_returns += chunk.count(b"\r")
        last = chunk[-1:]
    return n_returns == n_pairs and n_pairs in (0, n_feeds)


def _with_line_feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in pieces:
        text = held + chunk
        # A pair of line end characters may be split between two chunks.
        held = b"\r" if text.endswith(b"\r") else b""
        yield text.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    yield b"\n" if held else b""


def _below(path: Path, n_lines: int, copy: Path) -> Path:
    with path.open("rb") as source, copy.open("wb") as target:
        for _ in range(n_lines):
            source.readline()
        while chunk := source.read(CHUNK):
            target.write(chunk)
    return copy
