"""The units in which sums are counted: ten thousands, thousands, millions, where a header or a line says so."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from kehu_analysis.data.schema import pattern_of, unit_words


def unit_of_header(header: str) -> tuple[str, int] | None:
    """Return the unit that a header names, as it is written there and as a number; None where it names none.

    Examples
    --------
    >>> unit_of_header("金额（万元）"), unit_of_header("Sales in thousands"), unit_of_header("金额")
    (('万元', 10000), ('thousands', 1000), None)
    """
    return _found(re.match(pattern_of("units", "in_header"), unicodedata.normalize("NFKC", header).strip()), first=2)


def unit_of_lines(lines: Iterable[str]) -> tuple[str, int] | None:
    """Return the unit that a line above a table names, as it is written there and as a number; None where none does.

    Examples
    --------
    >>> unit_of_lines(["2026 年销售", "单位：万元"]), unit_of_lines(["Amounts in thousands"])
    (('万元', 10000), ('thousands', 1000))
    """
    texts = (unicodedata.normalize("NFKC", line) for line in lines)
    return next((unit for text in texts if (unit := _found(re.search(pattern_of("units", "in_line"), text)))), None)


def unit_alone(text: str) -> tuple[str, int] | None:
    """Return the unit that a cell names and nothing else, as it is written there and as a number; else None.

    Examples
    --------
    >>> unit_alone("（万元）"), unit_alone("12 万元"), unit_alone("箱")
    (('万元', 10000), None, None)
    """
    return _found(re.match(pattern_of("units", "alone"), unicodedata.normalize("NFKC", text)))


def unit_named(word: str) -> int | None:
    """Return the number that a word for a unit stands for; None where it is none.

    Examples
    --------
    >>> unit_named("万元"), unit_named("million"), unit_named("dozen")
    (10000, 1000000, None)
    """
    return unit_words().get(unicodedata.normalize("NFKC", word).strip().lower())


def _found(match: re.Match[str] | None, first: int = 1) -> tuple[str, int] | None:
    if match is None:
        return None
    word = next(word for word in match.groups()[first - 1 :] if word)
    number = unit_named(word)
    return None if number is None else (word, number)
