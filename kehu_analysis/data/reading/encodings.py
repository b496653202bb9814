"""Find out in which encoding a text file is written."""

from __future__ import annotations

import codecs
from pathlib import Path

from kehu_analysis.data.reading.chunks import chunks, decoded
from kehu_analysis.errors import DataError

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
#: What exports are written in that are not Unicode; the first goes first where nothing tells them apart.
_OLD = ("gb18030", "big5", "cp1252")
#: What a person may be asked to set.
_OTHERS = ("cp1250", "cp1251", "cp1253", "cp1254", "cp949", "cp874", "cp1255", "cp1256", "cp1258")
_MOST_ZEROS_IN_PLACE = 0.9
#: So many bytes of lines with other than ASCII characters tell what those are.
_TELLING = 1 << 17
#: Of a file in UTF-8, so many of the other characters may be broken: they cost their lines, not the file.
_MOST_BROKEN = 0.1
_ASCII = 128
#: Letters and signs that texts in Western European languages have, and the share of them that no Chinese text has.
_WESTERN = frozenset(map(chr, range(0xC0, 0x100))) | frozenset(
    "\u0152\u0153\u0160\u0161\u017d\u017e\u0178\u20ac\u2013\u2019"
)
_MOST_LETTERS = 0.7
#: Where more of the lines than this cannot be read, it is the encoding and not the lines.
_MOST_ASTRAY, _FEWEST_ASTRAY = 0.2, 5
_JAPANESE, _FEWEST_KANA = "cp932", 0.15


def find_encoding(path: Path, shown: str, wanted: str | None = None) -> str:
    """Return the encoding of a text file: by its mark, as the settings say, else by what it holds.

    Parameters
    ----------
    path
        The file, unpacked.
    shown
        Its name for readers.
    wanted
        What the settings say.

    Raises
    ------
    DataError
        The file is no text, or not in the encoding that the settings say, or in one that is not known.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if wanted is not None:
        if not _decodes(path, wanted):
            raise DataError("wrong_encoding", path=shown, encoding=wanted)
        return wanted
    if b"\x00" in start:
        return _unmarked_utf16(path, start, shown)
    if _decodes(path, "utf-8"):
        return "utf-8-sig"
    telling = _telling_lines(path)
    if _is_broken_utf8(telling):
        return "utf-8"
    if _is_japanese(telling) and _decodes(path, _JAPANESE):
        return _JAPANESE
    for encoding in _likely(telling):
        if _decodes(path, encoding):
            return encoding
    if telling.count(b"\n") + 1 < max(_FEWEST_ASTRAY, _MOST_ASTRAY * _n_lines(path)):
        return "utf-8"  # some lines are broken, and told one by one
    guesses = [name for name in _guesses(telling) if _decodes(path, name)]
    raise DataError("encoding_unknown", path=shown, guess=guesses[0] if guesses else "cp1251")


def _unmarked_utf16(path: Path, start: bytes, shown: str) -> str:
    # UTF-16 has a zero byte in every delimiter and line end: second of the pair in one order, first in the other.
    # A few characters, such as 一 and the ideographic space, have one in the other place.
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if zeros.count(0) > _MOST_ZEROS_IN_PLACE * start.count(0) and _decodes(path, encoding):
            return encoding
    raise DataError("not_text", path=shown)


def _decodes(path: Path, encoding: str) -> bool:
    try:
        for _ in decoded(path, encoding):
            pass
    except UnicodeError:
        return False
    return True


def _telling_lines(path: Path) -> bytes:
    """Return the first lines that hold other than ASCII characters."""
    found, size, rest = [], 0, b""
    for chunk in chunks(path):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.isascii():
                found.append(line)
                size += len(line) + 1
        if size >= _TELLING:
            break
    if not found and not rest.isascii():
        found.append(rest)
    return b"\n".join(found)[:_TELLING]


def _is_broken_utf8(text: bytes) -> bool:
    others = [letter for letter in text.decode("utf-8", errors="replace") if ord(letter) >= _ASCII]
    return others.count("\ufffd") <= _MOST_BROKEN * len(others)


def _n_lines(path: Path) -> int:
    return sum(chunk.count(b"\n") for chunk in chunks(path))


def _is_japanese(text: bytes) -> bool:
    """Tell whether a text reads as Japanese, with kana between the characters."""
    letters = [letter for letter in text.decode(_JAPANESE, errors="replace") if ord(letter) >= _ASCII]
    n_kana = sum("\u3041" <= letter <= "\u30fe" for letter in letters)
    return n_kana >= _FEWEST_KANA * max(1, len(letters)) and "\ufffd" not in letters


def _guesses(text: bytes) -> list[str]:
    """Return the encodings of other languages that a text may be in, the likeliest first."""
    from charset_normalizer import from_bytes

    return [match.encoding for match in from_bytes(text, cp_isolation=list(_OTHERS))]


def _likely(text: bytes) -> list[str]:
    """Return old encodings in order of likelihood; where two are as likely, the one that most of our users write."""
    # Not above: it is asked for seldom, and takes a while to import.
    from charset_normalizer import from_bytes

    results = {match.encoding: match for match in from_bytes(text, cp_isolation=list(_OLD))}
    ranked = sorted(results, key=lambda name: (results[name].chaos, -results[name].coherence, _OLD.index(name)))
    # Western European text may be any bytes: it is taken for that only where it looks so, and not for a mark astray.
    is_mark = any(mark in text for mark in _MARKS)
    if not _are_western_letters(text):
        ranked.sort(key=lambda name: name == _OLD[-1])
    likely = [*ranked, *(name for name in _OLD[:-1] if name not in ranked)]
    return [name for name in likely if name != _OLD[-1] or not is_mark]


def _are_western_letters(text: bytes) -> bool:
    """Tell whether what is not ASCII would mostly be letters; of a few Chinese characters half would be signs."""
    others = [letter for letter in text.decode(_OLD[-1], errors="replace") if ord(letter) >= _ASCII]
    return sum(letter in _WESTERN for letter in others) > _MOST_LETTERS * len(others)
