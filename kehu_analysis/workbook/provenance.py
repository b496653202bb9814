"""Where a report comes from, in words."""

from __future__ import annotations

from importlib.metadata import version

from kehu_analysis import labels
from kehu_analysis.data import Dataset


def describe_source(dataset: Dataset, *, period: str, lang: str) -> dict[str, str]:
    """Return what a reader must know of a report's origin, label and text."""
    values = {
        "dataset": dataset.name,
        "period": period,
        "log": f"{dataset.first_date} – {dataset.last_date}",
        "n_lines": labels.format_value(dataset.account["log"]["n_lines"], "lines", lang),
        "content_hash": dataset.content_hash[:16],
        "version": version("kehu_analysis"),
    }
    return {labels.label(f"source.{name}", lang): text for name, text in values.items()}
