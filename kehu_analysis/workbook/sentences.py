"""Sentences for the readers, rendered from findings."""

from __future__ import annotations

from collections.abc import Sequence

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.plurals import fill


def sentences(code: str, findings: Sequence[Finding], lang: str) -> list[str]:
    """Render a list of sentences, each from one finding's facts, in the order in which these were made.

    Every entry of the list under ``code`` in a ``labels.toml`` names its ``finding``; those of one follow the file.
    Left out are sentences about findings that were not run, and those of which all the facts named by ``needs`` are 0.
    """
    by_name: dict[str, Finding] = {}
    for finding in findings:
        if finding.not_run is None:
            by_name.setdefault(finding.name, finding)
    places = {name: place for place, name in enumerate(by_name)}
    entries = [entry for entry in labels.entries(code) if entry["finding"] in by_name]
    said = [entry for entry in entries if _has_something(by_name[entry["finding"]], entry.get("needs"))]
    # A doubt goes before all else.
    said.sort(key=lambda entry: ("needs" not in entry, places[entry["finding"]]))
    return [fill(entry[lang], lang, by_name[entry["finding"]].prose(lang)) for entry in said]


def _has_something(finding: Finding, needs: Sequence[str] | None) -> bool:
    return needs is None or any(finding.facts[name].value for name in needs if name in finding.facts)
