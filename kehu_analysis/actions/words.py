"""The list in the readers' words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kehu_analysis import labels
from kehu_analysis.finding import Finding


def readable(actions: Finding, lang: str = "zh", *, rows: int | None = None) -> pd.DataFrame:
    """Write actions as people read them, in the order of the list.

    Parameters
    ----------
    actions
        A finding of :func:`~kehu_analysis.actions.list_actions`; a ``name`` beside ``customer_id`` is kept.
    lang
        ``zh`` or ``en``.
    rows
        At most so many; all by default.

    Returns
    -------
    DataFrame
        customer_id, (name,) kind, reasons, expected_gain with its bounds (where one is known), amount_involved,
        amount_is, deadline, owner, chapter, listed_before (where there was a list before), action_id.
    """
    table = actions.table if rows is None else actions.table.head(rows)
    shown = table[[name for name in ("customer_id", "name") if name in table]].copy()
    shown["kind"] = table["kind"].map(lambda kind: labels.label(f"action_kind.{kind}", lang)).astype("str")
    shown["reasons"] = [_reasons(row, lang, actions.currency) for row in table.to_dict("records")]
    if actions.table["expected_gain"].notna().any():
        for name in ("expected_gain", "expected_gain_low", "expected_gain_high"):
            shown[name] = table[name]
    shown[["amount_involved", "amount_is", "deadline"]] = table[["amount_involved", "amount_is", "due_on"]]
    shown["owner"] = _words("owner", table["owner"], lang)
    shown["chapter"] = _words("chapter", table["chapter"], lang)
    if table["listed_before"].notna().any():
        shown["listed_before"] = table["listed_before"].astype("bool")
    return shown.assign(action_id=table["action_id"])


def decisions(actions: Finding, lang: str = "zh") -> list[str]:
    """Write the decisions of the company as sentences, with who decides by when, and whether it stood before."""
    said = []
    for row in actions.table[actions.table["customer_id"] == ""].to_dict("records"):
        known = row["listed_before"] is True
        words = {
            "owner": labels.label(f"owner.{row['owner']}", lang),
            "due": labels.format_value(row["due_on"], "date"),
        }
        sentence = _reasons(row, lang, actions.currency)
        said.append(labels.render("ui.decision_again" if known else "ui.decision", lang, sentence=sentence, **words))
    return said


def chapter_words(name: str, lang: str = "zh") -> str:
    """Return a chapter's name as a reader knows it; one without words goes by its own.

    Examples
    --------
    >>> chapter_words("loyalty", "en"), chapter_words("my_own", "en")
    ('Customer loyalty', 'my_own')
    """
    return labels.label(f"chapter.{name}", lang) if labels.has(f"chapter.{name}") else name


def _words(group: str, codes: pd.Series, lang: str) -> pd.Series:
    known = {code: labels.label(f"{group}.{code}", lang) for code in codes.unique() if labels.has(f"{group}.{code}")}
    return codes.map(lambda code: known.get(code, code)).astype("str")


def _reasons(row: Mapping[Any, Any], lang: str, currency: str) -> str:
    told = [
        _reason(row[name], json.loads(row[f"{name}_numbers"]), row["chapter"], lang, currency)
        for name in ("reason_1", "reason_2")
        if row[name]
    ]
    return labels.label("ui.phrase_separator", lang).join(told)


def _reason(code: str, numbers: Mapping[str, Any], chapter: str, lang: str, currency: str) -> str:
    units: Mapping[str, str] = labels.entry(f"reason.{code}").get("units", {})  # type: ignore[assignment]
    told = {
        name: labels.format_prose(value, units.get(name, "text"), lang, currency=currency)
        for name, value in numbers.items()
    }
    return labels.render(f"reason.{code}", lang, chapter=chapter_words(chapter, lang), **told)
