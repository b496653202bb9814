"""Sentences for the readers, rendered from findings."""

from __future__ import annotations

from collections.abc import Sequence

from kehu_analysis import labels
from kehu_analysis.finding import Finding


def sentences(code: str, findings: Sequence[Finding], lang: str) -> list[str]:
    """Render a list of sentences, each from one finding's facts; those about findings that were not run are left out.

    Every entry of the list under ``code`` in ``labels.toml`` names its ``finding``.
    """
    by_name = {finding.name: finding for finding in findings if finding.not_run is None}
    entries = [entry for entry in labels.entries(code) if entry["finding"] in by_name]
    return [entry[lang].format(**by_name[entry["finding"]].prose(lang)) for entry in entries]
