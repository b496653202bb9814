"""Templates whose words go by a count: 1 customer, 2 customers."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from babel import Locale

#: Forms of words that go by a count, in CLDR's order.
_FORMS = ("zero", "one", "two", "few", "many", "other")


def fill(template: str, lang: str, values: Mapping[str, object]) -> str:
    """Fill a template with values; words that go by a count are chosen by the plural rules of the language (CLDR).

    ``{n|# customer|# customers}`` names a value and the words for each of the language's forms, in CLDR's order (in
    English one and other, in Chinese there is but one); ``#`` stands for the value. What is written decides: English
    has 1 purchase, but 1.0 purchases.

    Examples
    --------
    >>> fill("{n|# customer has|# customers have} left", "en", {"n": 1})
    '1 customer has left'
    >>> fill("{n|# customer has|# customers have} left", "en", {"n": "1,500"})
    '1,500 customers have left'
    """
    return _Template(lang).vformat(template, (), values)


class _Template(string.Formatter):
    def __init__(self, lang: str) -> None:
        self._lang = lang

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        name, *words = field_name.split("|")
        value, key = super().get_field(name, args, kwargs)
        if not words:
            return value, key
        rule = Locale.parse(self._lang).plural_form
        forms = [form for form in _FORMS if form in {*rule.tags, "other"}]
        chosen = dict(zip(forms, words, strict=True))[rule(_count(str(value)))]
        return chosen.replace("#", str(value)), key


def _count(text: str) -> Decimal:
    # What is no number, such as a dash, takes the form of many.
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)
