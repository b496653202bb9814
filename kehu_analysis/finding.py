"""A Finding: what one analysis found, as a table and as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import pandas as pd

from kehu_analysis import labels

Scalar = int | float | str | bool | date | None


class Fact(NamedTuple):
    """One scalar with its unit (the units of :func:`kehu_analysis.labels.format_value`).

    Examples
    --------
    >>> Fact(23570, "customers")
    Fact(value=23570, unit='customers')
    """

    value: Scalar
    unit: str


@dataclass(frozen=True)
class Finding:
    """What one analysis found.

    Attributes
    ----------
    name
        Its code, the same as the function's; its words stand under ``finding.<name>`` in ``labels.toml``.
    table
        One tidy table; a column's words and unit stand under ``column.<name>``.
    facts
        Scalars with units; the sentence that a reader sees is rendered from them.
    parameters
        The settings under which it was found.
    notes
        Codes under ``note.``: limits that a reader must know (their templates may name facts).
    currency
        ISO code of the money in table and facts; empty when unknown.
    not_run
        Why the analysis was not run (the error's code and details), or ``None``.
    chapter
        The chapter that made it; empty where none did.

    Examples
    --------
    >>> Finding("demo", pd.DataFrame({"n": [1]}), {"n_customers": Fact(1, "customers")}).facts["n_customers"].value
    1
    """

    name: str
    table: pd.DataFrame
    facts: Mapping[str, Fact]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    currency: str = ""
    not_run: tuple[str, Mapping[str, object]] | None = None
    chapter: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType({k: _plain(v) for k, v in self.facts.items()}))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def in_currency(self, currency: str) -> Self:
        """Return the same finding with the currency of its money stated."""
        return replace(self, currency=currency)

    def title(self, lang: str = "zh") -> str:
        """Return the finding's title."""
        return labels.label(f"finding.{self.name}.title", lang)

    def reading(self, lang: str = "zh") -> str:
        """Return the sentence that reads the finding aloud, rendered from its facts."""
        if self.not_run is not None:
            code, details = self.not_run
            reason = labels.render(f"error.{code}", lang, **details)
            return labels.render("ui.not_run", lang, reason=reason)
        return labels.render(f"finding.{self.name}.reading", lang, **self.prose(lang))

    def note_texts(self, lang: str = "zh") -> list[str]:
        """Return the notes as sentences."""
        return [labels.render(f"note.{code}", lang, **self.prose(lang)) for code in self.notes]

    def prose(self, lang: str = "zh") -> dict[str, str]:
        """Return every fact as text for a sentence."""
        return {
            name: labels.format_prose(fact.value, fact.unit, lang, currency=self.currency)
            for name, fact in self.facts.items()
        }


def _plain(fact: Fact) -> Fact:
    value: Any = fact.value
    if labels.is_missing(value):
        return Fact(None, fact.unit)
    if hasattr(value, "item") and not isinstance(value, date):
        value = value.item()  # numpy scalars are no part of a public signature
    if fact.unit == "currency" and isinstance(value, float):
        value = round(value, 2)
    return Fact(value, fact.unit)
