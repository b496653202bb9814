"""Every word that a reader sees, by code, in Chinese and English, and how numbers are written.

The words stand in ``labels.toml``, those of one room in its own folder and those of several beside this module;
nothing else in the package holds display words. Codes are dotted: ``column.amount``,
``finding.grade_customers.reading``, ``error.no_file``.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from numbers import Real
from typing import Any, NamedTuple

import pandas as pd
from babel import numbers

from kehu_analysis.plurals import fill

LANGUAGES = ("zh", "en")
_FILE = "labels.toml"
_LOCALES = {"zh": "zh_CN", "en": "en_US"}
_MISSING = "–"
#: From here on a sentence names purchases without decimals.
_MANY_PURCHASES = 100

#: Decimals with which a value of each unit is written in a table.
_DECIMALS = {
    "count": 0,
    "customers": 0,
    "lines": 0,
    "purchases": 1,
    "currency": 2,
    "days": 0,
    "weeks": 1,
    "months": 0,
    "number": 2,
    "parameter": 4,
}


@cache
def catalogue() -> Mapping[str, Any]:
    """Return the words of all rooms, merged.

    Raises
    ------
    ValueError
        A code stands in two files.
    """
    package = resources.files("kehu_analysis")
    rooms = sorted((room for room in package.iterdir() if room.is_dir()), key=lambda room: room.name)
    merged: dict[str, Any] = {}
    for folder in (package, *rooms):
        words = folder.joinpath(_FILE)
        if words.is_file():
            merge(merged, tomllib.loads(words.read_text(encoding="utf-8")), f"{folder.name}/{_FILE}")
    return merged


def merge(into: dict[str, Any], words: Mapping[str, Any], file: str, above: str = "") -> None:
    """Add the words of a file to those of others; lists of sentences are joined.

    Raises
    ------
    ValueError
        A code of the file is there already.

    Examples
    --------
    >>> words = {"column": {"amount": {"zh": "销售额", "en": "Sales"}}}
    >>> merge(words, {"column": {"name": {"zh": "名称", "en": "Name"}}}, "sales/labels.toml")
    >>> sorted(words["column"])
    ['amount', 'name']
    """
    for name, content in words.items():
        there = into.get(name)
        if isinstance(content, list):
            into[name] = [*(there or []), *content]
        elif there is None:
            into[name] = content
        elif not _is_group(there) or not _is_group(content):
            raise ValueError(f"{file}: {above}{name} stands in another file, too")
        else:
            into[name] = dict(there)
            merge(into[name], content, file, f"{above}{name}.")


def _is_group(content: object) -> bool:
    # What holds words, and not further codes: a text, or both languages of one.
    return isinstance(content, Mapping) and all(isinstance(inner, (Mapping, list)) for inner in content.values())


def entry(code: str) -> Mapping[str, str]:
    """Return what ``labels.toml`` holds under a dotted code, e.g. ``column.amount``.

    Raises
    ------
    KeyError
        No such code: a mistake in the program, never in the data.
    """
    found: Any = catalogue()
    for part in code.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise KeyError(f"labels.toml has no entry {code!r}")
        found = found[part]
    return found  # type: ignore[no-any-return]


def entries(code: str) -> list[Mapping[str, str]]:
    """Return a list that ``labels.toml`` holds under a dotted code; none where it has no such code."""
    return list(entry(code)) if has(code) else []  # type: ignore[arg-type]


def has(code: str) -> bool:
    """Tell whether ``labels.toml`` holds this code."""
    try:
        entry(code)
    except KeyError:
        return False
    return True


def label(code: str, lang: str = "zh") -> str:
    """Return the words of one code in one language.

    Examples
    --------
    >>> label("column.customer_id", "en")
    'Customer'
    """
    return entry(code)[lang]


class Phrase(NamedTuple):
    """A code and the values of its template: words whose language is chosen when they are read.

    Examples
    --------
    >>> render("ui.not_run", "en", reason=Phrase("error.not_a_quarter", {"text": "soon"}))
    'Not run: soon is not a quarter. Write it like 2026Q3.'
    """

    code: str
    values: Mapping[str, object] = {}


def render(code: str, lang: str, **values: object) -> str:
    """Fill the template of a code with values: texts, plain numbers, a phrase or a list of phrases."""
    return fill(label(code, lang), lang, {name: _spoken(value, lang) for name, value in values.items()})


def _spoken(value: object, lang: str) -> object:
    if isinstance(value, Phrase):
        return render(value.code, lang, **value.values)
    if isinstance(value, list) and value and isinstance(value[0], Phrase):
        return label("ui.phrase_separator", lang).join(str(_spoken(phrase, lang)) for phrase in value)
    return value


def column_unit(column: str) -> str:
    """Return the unit in which a table's column is written (``text`` where none is stated)."""
    code = f"column.{column}"
    return entry(code).get("unit", "text") if has(code) else "text"


def column_label(column: str, lang: str = "zh", *, currency: str = "") -> str:
    """Return a column's heading, with its unit where the unit is not obvious."""
    words = label(f"column.{column}", lang) if has(f"column.{column}") else column
    unit = column_unit(column)
    if unit == "currency" and currency:
        return f"{words} ({currency_name(currency, lang)})"
    if unit in ("days", "weeks", "months"):
        return f"{words} ({label(f'unit.{unit}', lang)})"
    return words


def currency_name(currency: str, lang: str = "zh") -> str:
    """Return the everyday name of a currency code: ``CNY`` is 元 in Chinese.

    Examples
    --------
    >>> currency_name("CNY", "zh"), currency_name("USD", "en")
    ('元', 'USD')
    """
    if lang == "en" or not currency:
        return currency
    if has(f"currency.{currency}"):
        return label(f"currency.{currency}", lang)
    return str(numbers.get_currency_name(currency, locale=_LOCALES[lang]))


def is_missing(value: Any) -> bool:
    """Tell whether a scalar stands for nothing (``None``, ``NaN``, ``NaT``, ``pd.NA``)."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def format_value(value: Any, unit: str = "text", lang: str = "zh") -> str:
    """Write a scalar for a table cell, in full.

    Parameters
    ----------
    value
        A number, date, code or text; a missing value becomes a dash. What does not fit its unit is written as it is.
    unit
        ``count``, ``customers``, ``lines``, ``purchases``, ``currency``, ``share`` (0 to 1, written as per
        cent), ``days``, ``weeks``, ``months``, ``number``, ``parameter``, ``date``, ``code`` (a value with a
        label under ``value.``) or ``text``.
    lang
        Language.

    Examples
    --------
    >>> format_value(1234567.5, "currency"), format_value(0.8126, "share"), format_value(None)
    ('1,234,567.50', '81.3%', '–')
    """
    if is_missing(value):
        return _MISSING
    if unit == "date" or isinstance(value, date):
        return str(value)[:10]
    if unit == "code":
        words = catalogue()["value"].get(str(value))
        return str(words[lang]) if words else str(value)
    number = _number(value)
    if number is None or not (unit == "share" or unit in _DECIMALS):
        return str(value)
    return _written(number * 100, 1) + "%" if unit == "share" else _written(number, _DECIMALS[unit])


def shortened(text: str, longest: int = 60) -> str:
    r"""Return a text on one line, cut where it is longer than a table or a chart has room for.

    Examples
    --------
    >>> shortened("one\ntwo", 5)
    'one t…'
    """
    line = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
    return line if len(line) <= longest else f"{line[:longest]}…"


def text_width(text: str) -> int:
    """Return how wide a text stands, in digits: a Chinese character is two of them.

    Examples
    --------
    >>> text_width("A级客户")
    7
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def format_prose(value: Any, unit: str, lang: str = "zh", *, currency: str = "") -> str:
    """Write a scalar inside a sentence: large amounts in 万 and 亿, or thousands and millions, with the currency.

    Examples
    --------
    >>> format_prose(2500315.63, "currency", "zh", currency="CNY")
    '250.03万元'
    >>> format_prose(2500315.63, "currency", "en", currency="USD")
    'USD 2.50 million'
    """
    number = None if is_missing(value) else _number(value)
    if number is not None and unit == "share":
        return format_tick(value, "share", lang)
    if number is None or unit != "currency":
        return format_value(value, _plainer(unit, number), lang)
    size, word = _scale(number, lang)
    amount = _written(number / size, 2) + word
    name = currency_name(currency, lang)
    return f"{amount}{name}" if lang == "zh" else f"{name} {amount}".strip()


def _plainer(unit: str, number: Decimal | None) -> str:
    # A sentence carries fewer decimals than a table.
    if unit == "purchases" and number is not None and abs(number) >= _MANY_PURCHASES:
        return "count"
    return "number" if unit == "parameter" else unit


def format_tick(value: float, unit: str, lang: str = "zh") -> str:
    """Write a number on an axis: no more digits than it has.

    Examples
    --------
    >>> format_tick(25000.0, "currency", "zh"), format_tick(0.2, "share"), format_tick(1500, "count")
    ('2.5万', '20%', '1,500')
    """
    number = _number(value)
    if number is None:
        return str(value)
    if unit == "share":
        return _without_zeros(_written(number * 100, 1)) + "%"
    size, word = _scale(number, lang) if unit == "currency" else (1, "")
    return _without_zeros(_written(number / size, 2)) + word


def _number(value: Any) -> Decimal | None:
    """Return a finite number as the decimal that it is written as; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _written(number: Decimal, decimals: int) -> str:
    # Both languages group by thousands with commas and have a decimal point. No zero is negative ("z").
    return f"{number:z,.{decimals}f}"


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def _scale(number: Decimal, lang: str) -> tuple[int, str]:
    # CLDR has no long compact form for Chinese, hence the scales of our own catalogue. Whether a scale is reached
    # is judged by what would be written: 99,999,999 is 1.00亿 and not 10,000.00万.
    size, word = 1, ""
    for larger, its_word in sorted((int(size), word) for size, word in entry(f"scale.{lang}").items()):
        if round(abs(float(number)) / size, 2) * size >= larger:
            size, word = larger, its_word
    return size, word
