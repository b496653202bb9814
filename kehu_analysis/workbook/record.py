"""Keep findings on disk, so that the overview and the report can be made from them."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from kehu_analysis.finding import Fact, Finding

_ORDER = "order.json"


def save_finding(finding: Finding, folder: Path) -> None:
    """Write a finding to ``<name>.json`` and ``<name>.parquet`` in a folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f".{finding.name}.parquet.partial"
    _storable(finding.table).to_parquet(table, index=False)
    table.replace(folder / f"{finding.name}.parquet")
    content = {
        "name": finding.name,
        "facts": facts_as_json(finding),
        "parameters": {name: _json_value(value) for name, value in finding.parameters.items()},
        "notes": list(finding.notes),
        "currency": finding.currency,
        "not_run": None if finding.not_run is None else [finding.not_run[0], _texts(finding.not_run[1])],
    }
    partial = folder / f".{finding.name}.json.partial"
    partial.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
    partial.replace(folder / f"{finding.name}.json")


def facts_as_json(finding: Finding) -> dict[str, dict[str, Any]]:
    """Return a finding's facts as JSON holds them: value and unit; what is no number is null."""
    return {name: {"value": _json_value(fact.value), "unit": fact.unit} for name, fact in finding.facts.items()}


def is_recorded(folder: Path) -> bool:
    """Tell whether a notebook has left findings in its folder."""
    return (folder / _ORDER).is_file()


def load_findings(folder: Path) -> list[Finding]:
    """Read the findings of one notebook, in the order in which it made them."""
    order = folder / _ORDER
    names = json.loads(order.read_text(encoding="utf-8")) if order.is_file() else []
    return [_load(folder, name) for name in names]


def begin(folder: Path) -> None:
    """Make the folder ready for a fresh run of its notebook: what an earlier run left is taken away."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.json"), *folder.glob("*.parquet")):
        path.unlink()


def note_order(folder: Path, names: list[str]) -> None:
    """Write in which order the notebook made its findings; a finding counts once it is listed here."""
    partial = folder / f".{_ORDER}.partial"
    partial.write_text(json.dumps(names), encoding="utf-8")
    partial.replace(folder / _ORDER)


def _load(folder: Path, name: str) -> Finding:
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    facts = {key: Fact(_scalar(fact["value"], fact["unit"]), fact["unit"]) for key, fact in content["facts"].items()}
    return Finding(
        name=content["name"],
        table=pd.read_parquet(folder / f"{name}.parquet"),
        facts=facts,
        parameters=content["parameters"],
        notes=tuple(content["notes"]),
        currency=content["currency"],
        not_run=None if content["not_run"] is None else (content["not_run"][0], content["not_run"][1]),
    )


def _storable(table: pd.DataFrame) -> pd.DataFrame:
    # Parquet has no periods; their text sorts and reads the same.
    periods = [name for name in table.columns if isinstance(table[name].dtype, pd.PeriodDtype)]
    return table.assign(**{name: table[name].astype("str") for name in periods}).reset_index(drop=True)


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, bool, str)) or value is None else str(value)


def _scalar(value: Any, unit: str) -> Any:
    return date.fromisoformat(value) if unit == "date" and value is not None else value


def _texts(details: Any) -> dict[str, str]:
    return {name: str(value) for name, value in details.items()}
