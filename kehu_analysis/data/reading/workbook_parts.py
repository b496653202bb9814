"""What the parts of a workbook unfold into, counted piece by piece before anything reads them whole.

A text may stand once and be said in a million cells, and what a part packs well it may repeat without end: neither
shows in the size of the file. Where something is written in an unusual way, the most that it can mean is counted.
"""

from __future__ import annotations

import copy
import re
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from kehu_analysis.data.reading.chunks import CHUNK

#: A row or a cell that says where it stands, in any way that XML allows.
_PLACE = re.compile(rb"""\sr\s*=\s*["']\s*([A-Za-z]*)(\d+)""")
_UNIQUE_TEXTS = re.compile(rb"""uniqueCount\s*=\s*["']\s*(\d+)""")
_ROW_OR_CELL = re.compile(rb"<(?:[\w.-]+:)?(row|c)(?=[\s/>])[^<>]*")
_CELL = re.compile(rb"<(?:[\w.-]+:)?c[\s/>]")
_END_OF_TEXT = re.compile(rb"</(?:[\w.-]+:)?si\s*>|<(?:[\w.-]+:)?si\s*/>")
#: A cell whose text is one of those that all sheets share, and which one; and any such cell.
_SHARED = re.compile(rb"""\st=["']s["'][^<>]*><(?:[\w.-]+:)?v>(\d{1,9})<""")
_ANY_SHARED = re.compile(rb"""\st\s*=\s*["']\s*s\s*["']""")
#: Texts in cells themselves; shorter ones take no more than the cell does.
_SHORT = 32
_LONG = re.compile(rb">[^<]{%d,}" % (_SHORT + 1))
#: The least that a cell with a value takes in a part besides its text.
_LEAST_CELL = 24
_LONGEST_NUMBER = 9
#: Between two tags stands a text of 32,767 characters at most, however it is written.
_LONGEST_RUN = 8 * CHUNK
#: Where cells are looked for to part a part before one of them.
_TAIL = 1 << 16


class PartTooLargeError(Exception):
    """A part unfolds into more bytes, or holds more texts, than are read.

    Parameters
    ----------
    n_bytes
        What it unfolds into, as far as is known.
    """

    def __init__(self, n_bytes: int) -> None:
        super().__init__(n_bytes)
        self.n_bytes = n_bytes


@dataclass(frozen=True)
class Limits:
    """What a part may hold: bytes, and more than ``much`` only so many times its packed size; texts, blocks, places."""

    most_bytes: int
    much: int
    most_times: int
    most_texts: int
    most_blocks: int
    most_rows: int
    most_columns: int


@dataclass
class Extent:
    """What a part holds, as far as its size in memory goes.

    Attributes
    ----------
    n_bytes
        What it unfolds into.
    n_rows, n_columns
        The last row and column that it names, or has.
    n_cells
        How many cells it has.
    n_said
        How many shared texts it says to hold.
    texts
        The length of each shared text, at most.
    is_plain
        Whether it holds nothing that hides what stands where: no comments, no passages taken as they are.
    """

    n_bytes: int = 0
    n_rows: int = 0
    n_columns: int = 0
    n_cells: int = 0
    n_said: int = 0
    texts: array[int] = field(default_factory=lambda: array("L"))
    is_plain: bool = True


def measure(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limits: Limits) -> Extent:
    """Count what a part holds.

    Raises
    ------
    PartTooLargeError
        It unfolds into more than the limits allow; what lies beyond is not unpacked.
    zipfile.BadZipFile
        It does not unfold into what the archive says.
    """
    found = Extent()
    n_usual = n_blocks = since = 0
    for piece in _pieces(archive, part, limits):
        if places := _PLACE.findall(piece):
            found.n_rows = max(found.n_rows, max(map(_number, {row for _, row in places})))
            found.n_columns = max(found.n_columns, max(map(_column_number, {letters for letters, _ in places})))
        found.n_said = max(found.n_said, *map(_number, _UNIQUE_TEXTS.findall(piece)), 0)
        found.n_cells += _n_cells(piece)
        n_usual += piece.count(b'<c r="')
        n_blocks += piece.count(b"mergeCell") if b"mergeCell" in piece else 0
        found.is_plain &= b"<!" not in piece
        if b"si" in piece:
            for match in _END_OF_TEXT.finditer(piece):
                found.texts.append(found.n_bytes + match.end() - since)
                since = found.n_bytes + match.end()
        found.n_bytes += len(piece)
        if len(found.texts) > limits.most_texts or n_blocks > limits.most_blocks:
            raise PartTooLargeError(found.n_bytes)
    if n_usual != found.n_cells:
        _count_places(archive, part, limits, found)
    return found


def text_of_cells(
    archive: zipfile.ZipFile,
    part: zipfile.ZipInfo,
    limits: Limits,
    sheet: Extent,
    texts: Extent,
    few: int,
    most: int,
) -> int:
    """Return how many bytes of text the cells of a sheet hold together, at most.

    Parameters
    ----------
    archive, part
        Where the sheet is.
    limits
        As for :func:`measure`.
    sheet, texts
        What the sheet holds, and the part with the texts that sheets share.
    few, most
        Up to ``few`` bytes, and beyond ``most``, nobody needs to know how many they are.
    """
    longest = max(texts.texts, default=0)
    own = max(sheet.n_bytes - _LEAST_CELL * sheet.n_cells, 0)
    roughly = sheet.n_cells * longest + own
    if roughly <= few or not sheet.is_plain:
        return roughly
    lengths = np.array(texts.texts, dtype=np.int64) if texts.is_plain else np.full(len(texts.texts), longest)
    total = 0
    for piece in _pieces(archive, part, limits):
        shared = _SHARED.findall(piece)
        if shared and len(lengths):
            # What is none of the texts is no text; as the last it is counted high enough.
            numbers = np.fromstring(b" ".join(shared).decode(), dtype=np.int64, sep=" ")
            total += int(lengths[np.minimum(numbers, len(lengths) - 1)].sum())
        total += (len(_ANY_SHARED.findall(piece)) - len(shared)) * longest
        total += sum(map(len, _LONG.findall(piece)))
        if total > most:
            break
    return total


def _pieces(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limits: Limits) -> Iterator[bytes]:
    """Yield a part in pieces that end before a tag, before one of a cell where there are such."""
    _refuse_size(part.file_size, part.compress_size, limits)
    # What the archive says of the size is not believed: the reader would not read beyond, and another might.
    whole = copy.copy(part)
    whole.file_size = limits.most_bytes + CHUNK
    n_bytes, rest = 0, b""
    with archive.open(whole) as file:
        while chunk := file.read(CHUNK):
            n_bytes += len(chunk)
            _refuse_size(n_bytes, part.compress_size, limits)
            text = rest + chunk
            place = text.rfind(b"<c", max(len(text) - _TAIL, 1))
            place = place if place > 0 else text.rfind(b"<", 1)
            if place > 0:
                yield text[:place]
            rest = text[max(place, 0) :]
            if len(rest) > _LONGEST_RUN:
                raise PartTooLargeError(max(part.file_size, n_bytes))
    if n_bytes != part.file_size:
        raise zipfile.BadZipFile(part.filename)
    yield rest


def _refuse_size(n_bytes: int, n_packed: int, limits: Limits) -> None:
    if n_bytes > limits.most_bytes or (n_bytes > limits.much and n_bytes > limits.most_times * n_packed):
        raise PartTooLargeError(n_bytes)


def _n_cells(piece: bytes) -> int:
    # Between the first cell of a sheet and the last no other tag begins with this letter.
    n_usual = piece.count(b"<c ")
    return n_usual if n_usual == piece.count(b"<c") and b":c" not in piece else len(_CELL.findall(piece))


def _count_places(archive: zipfile.ZipFile, part: zipfile.ZipInfo, limits: Limits, found: Extent) -> None:
    """Count where cells stand that do not say so: each right of the one before, each row below the one before."""
    row = column = 0
    for piece in _pieces(archive, part, limits):
        for match in _ROW_OR_CELL.finditer(piece):
            place = _PLACE.search(match[0])
            if match[1] == b"row":
                row, column = (_number(place[2]) if place else row + 1), 0
            else:
                column = _column_number(place[1]) if place and place[1] else column + 1
            found.n_rows, found.n_columns = max(found.n_rows, row), max(found.n_columns, column)
        if found.n_rows > limits.most_rows or found.n_columns > limits.most_columns:
            return


def _number(digits: bytes) -> int:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:_LONGEST_NUMBER]:
        number = number * 26 + letter - ord("A") + 1
    return number
