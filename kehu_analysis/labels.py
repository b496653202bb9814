"""Every word that a reader sees, by code, in Chinese and English, and how numbers are written.

The words stand in ``labels.toml``; nothing else in the package holds display words. Codes are dotted:
``column.amount``, ``finding.customer_grades.reading``, ``error.no_file``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

from babel import numbers

LANGUAGES = ("zh", "en")
_LOCALES = {"zh": "zh_CN", "en": "en_US"}
_MISSING = "–"

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
    """Return the whole of ``labels.toml``."""
    text = resources.files("kehu_analysis").joinpath("labels.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


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


def render(code: str, lang: str, **values: object) -> str:
    """Fill the template of a code with values that are already text or plain numbers."""
    return label(code, lang).format(**values)


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


def is_missing(value: object) -> bool:
    """Tell whether a scalar stands for nothing (``None``, ``NaN``, ``NaT``)."""
    if value is None:
        return True
    return bool(value != value)  # NaN and NaT differ from themselves


def format_value(value: Any, unit: str = "text", lang: str = "zh", *, currency: str = "") -> str:
    """Write a scalar for a table cell, in full.

    Parameters
    ----------
    value
        A number, date, code or text; a missing value becomes a dash.
    unit
        ``count``, ``customers``, ``lines``, ``purchases``, ``currency``, ``share`` (0 to 1, written as per
        cent), ``days``, ``weeks``, ``months``, ``number``, ``parameter``, ``date``, ``code`` (a value with a
        label under ``value.``) or ``text``.
    lang, currency
        Language, and the currency code (only used in prose, see :func:`format_prose`).

    Examples
    --------
    >>> format_value(1234567.5, "currency"), format_value(0.8126, "share"), format_value(None)
    ('1,234,567.50', '81.3%', '–')
    """
    if is_missing(value):
        return _MISSING
    if unit == "share":
        return str(numbers.format_percent(value, "#,##0.0%", locale=_LOCALES[lang]))
    if unit == "date" or isinstance(value, (date, datetime)):
        return str(value)[:10]
    if unit == "code":
        return label(f"value.{value}", lang) if has(f"value.{value}") else str(value)
    if unit in _DECIMALS and not isinstance(value, str):
        if not math.isfinite(value):
            return str(value)
        decimals = _DECIMALS[unit]
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return str(numbers.format_decimal(value, pattern, locale=_LOCALES[lang], decimal_quantization=True))
    return str(value)


def format_prose(value: Any, unit: str, lang: str = "zh", *, currency: str = "") -> str:
    """Write a scalar inside a sentence: large amounts in 万 and 亿, or thousands and millions, with the currency.

    Examples
    --------
    >>> format_prose(2500315.63, "currency", "zh", currency="CNY")
    '250.03万元'
    >>> format_prose(2500315.63, "currency", "en", currency="USD")
    'USD 2.50 million'
    """
    if unit == "share" and not is_missing(value):
        return format_tick(value, "share", lang)
    if unit != "currency" or is_missing(value):
        return format_value(value, unit, lang)
    size, word = _scale(value, lang)
    amount = format_value(value / size, "currency", lang) + word
    name = currency_name(currency, lang)
    return f"{amount}{name}" if lang == "zh" else f"{name} {amount}".strip()


def format_tick(value: float, unit: str, lang: str = "zh") -> str:
    """Write a number on an axis: no more digits than it has.

    Examples
    --------
    >>> format_tick(25000.0, "currency", "zh"), format_tick(0.2, "share"), format_tick(1500, "count")
    ('2.5万', '20%', '1,500')
    """
    if unit == "share":
        return str(numbers.format_percent(value, "#,##0.#%", locale=_LOCALES[lang]))
    size, word = _scale(value, lang) if unit == "currency" else (1, "")
    return str(numbers.format_decimal(value / size, "#,##0.##", locale=_LOCALES[lang])) + word


def _scale(value: float, lang: str) -> tuple[int, str]:
    # CLDR has no long compact form for Chinese, hence the scales of our own catalogue, largest first.
    scales = ((int(size), word) for size, word in entry(f"scale.{lang}").items())
    return next(((size, word) for size, word in scales if abs(value) >= size), (1, ""))
