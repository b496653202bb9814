"""How much a header is like the names that a column of the contract is known by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache

from kehu_analysis.data.schema import Column, clues, plain

#: From here on a header says what it is; below, only its values could.
LIKE = 0.5
#: Two texts so much alike differ by a slip of the pen.
_ALMOST = 0.8
_LONGEST_COMPARED = 60
#: A Latin piece as short as that is only looked for as a word of its own.
_SHORT = 4


def likeness(header: str, column: Column, named: str = "") -> float:
    """Return how much a header is like those that a column is known by: 1 its own name, 0 nothing in common.

    Parameters
    ----------
    header
        The header in the file.
    column
        The column of the contract.
    named
        A header that the settings name for it and that the file lacks: perhaps it was only mistyped.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> date = contract()["transactions"].column("date")
    >>> [round(likeness(header, date), 2) for header in ("Date", "Pstng Date", "Remark")]
    [1.0, 0.68, 0.0]
    """
    text = plain(re.sub(r" \(\d+\)$", "", header))[:_LONGEST_COMPARED]
    if not text:
        return 0.0
    known = _plain((column.name, *column.headers))
    # A header that the file has a second time is the same, a little less.
    repeated = 0.02 if re.search(r" \(\d+\)$", header) else 0.0
    if text in known:
        return 1.0 - 0.01 * known.index(text) - repeated
    found = _likeness_in_part(header, text, column, known)
    if named:
        found = max([found, *(0.95 * ratio for ratio in _ratios(text, [plain(named)]) if ratio >= LIKE)])
    return max(0.0, min(found, 0.95) - repeated)


def _likeness_in_part(header: str, text: str, column: Column, known: Sequence[str]) -> float:
    """Return the likeness of a header that holds what hints at the column, or is written almost like its names."""
    hints, weak, against, never = (_plain(tuple(part)) for part in clues(column.name))
    parts = [0.55 + 0.3 * len(hint) / len(text) for hint in hints if _holds(header, text, hint)]
    parts += [0.5 + 0.04 * len(hint) / len(text) for hint in weak if _holds(header, text, hint)]
    parts += [0.5 + 0.35 * len(name) / len(text) for name in known if len(name) > 1 and _holds(header, text, name)]
    parts += [0.9 * ratio if ratio >= _ALMOST else 0.4 * ratio for ratio in _ratios(text, known) if ratio >= LIKE]
    found = max(parts, default=0.0)
    if column.kind == "id" and found and any(_holds(header, text, hint) for hint in _plain(tuple(clues("id").hints))):
        found += 0.08
    return found * 0.5 if any(_holds(header, text, piece) for piece in (*against, *never)) else found


def is_ruled_out(header: str, column: Column) -> bool:
    """Tell whether a header says that it is something else, so that only a person may take it for the column.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> customer = contract()["transactions"].column("customer_id")
    >>> [is_ruled_out(header, customer) for header in ("购买数量", "客户细分", "买家昵称", "Customer")]
    [True, True, False, False]
    """
    text = plain(header)[:_LONGEST_COMPARED]
    if text in _plain((column.name, *column.headers)):
        return False
    return any(_holds(header, text, piece) for piece in _plain(tuple(clues(column.name).never)))


@cache
def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(plain, names))


def _holds(header: str, text: str, part: str) -> bool:
    if part.isascii() and len(part) < _SHORT:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", header[: 2 * _LONGEST_COMPARED])
        return part in plain(words, "_").split("_")
    return part in text


def _ratios(text: str, known: Sequence[str]) -> list[float]:
    matcher = SequenceMatcher(b=text, autojunk=False)
    ratios = []
    for name in known:
        matcher.set_seq1(name[:_LONGEST_COMPARED])
        ratios.append(matcher.ratio() if matcher.quick_ratio() >= LIKE else 0.0)
    return ratios
