"""Sentences of several findings: the answer of a chapter, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.plurals import fill


def sentences(code: str, findings: Sequence[Finding], lang: str) -> list[str]:
    """Render a list of sentences, each from one finding's facts; the largest stake first where stakes are named.

    An entry of the list under ``code`` in ``labels.toml`` names its ``finding`` and, where it is ranked, the fact
    that is at ``stake`` (``times`` a number makes it sales a quarter: amounts of a month and of a year do not
    compare). The others follow in the order in which their findings were made, whatever rooms they come from. Left out
    are sentences about findings that were not run, and those of which all ``needs`` are 0.
    """
    by_name: dict[str, Finding] = {}
    for finding in findings:
        if finding.not_run is None:
            by_name.setdefault(finding.name, finding)
    places = {name: place for place, name in enumerate(by_name)}

    def number(entry: Any, fact_name: str) -> float:
        fact = by_name[entry["finding"]].facts.get(fact_name)
        return float(fact.value) if fact is not None and isinstance(fact.value, (int, float)) else 0.0

    def rank(entry: Any) -> tuple[float, int]:
        stake = number(entry, entry.get("stake", "")) * float(entry.get("times", 1))
        return -stake, places[entry["finding"]]

    entries: list[Any] = [entry for entry in labels.entries(code) if entry["finding"] in by_name]
    entries = [entry for entry in entries if "needs" not in entry or any(number(entry, n) for n in entry["needs"])]
    return [fill(entry[lang], lang, by_name[entry["finding"]].prose(lang)) for entry in sorted(entries, key=rank)]
