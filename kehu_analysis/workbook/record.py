"""Keep findings on disk, so that the overview and the report can be made from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from kehu_analysis.finding import Fact, Finding
from kehu_analysis.labels import Phrase


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
        "not_run": None if finding.not_run is None else [finding.not_run[0], _details(finding.not_run[1])],
    }
    partial = folder / f".{finding.name}.json.partial"
    partial.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
    partial.replace(folder / f"{finding.name}.json")


def facts_as_json(finding: Finding) -> dict[str, dict[str, Any]]:
    """Return a finding's facts as JSON holds them: value and unit; what is no number is null."""
    return {name: {"value": _json_value(fact.value), "unit": fact.unit} for name, fact in finding.facts.items()}


def load_findings(folder: Path) -> list[Finding]:
    """Read the findings of one notebook, in the order in which it made them."""
    order = folder / "order.json"
    names = json.loads(order.read_text(encoding="utf-8")) if order.is_file() else []
    return [_load(folder, name) for name in names]


def begin(folder: Path) -> None:
    """Make the folder ready for a fresh run of its notebook: what an earlier run left is taken away."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.json"), *folder.glob("*.parquet")):
        path.unlink()


def note_order(folder: Path, names: list[str]) -> None:
    """Write in which order the notebook made its findings; a finding counts once it is listed here."""
    partial = folder / ".order.json.partial"
    partial.write_text(json.dumps(names), encoding="utf-8")
    partial.replace(folder / "order.json")


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
        not_run=None if content["not_run"] is None else (content["not_run"][0], _read(content["not_run"][1])),
        chapter=folder.name,
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


#: Marks a phrase among the details of a reason: its words are chosen when they are read.
_PHRASE = "phrase"


def _details(details: Mapping[str, object]) -> dict[str, Any]:
    return {name: _detail(value) for name, value in details.items()}


def _detail(value: object) -> Any:
    if isinstance(value, Phrase):
        return {_PHRASE: value.code, "values": _details(value.values)}
    if isinstance(value, list):
        return [_detail(item) for item in value]
    return str(value)


def _read(details: Mapping[str, Any]) -> dict[str, object]:
    return {name: _read_detail(value) for name, value in details.items()}


def _read_detail(value: Any) -> object:
    if isinstance(value, dict):
        return Phrase(value[_PHRASE], _read(value["values"]))
    return [_read_detail(item) for item in value] if isinstance(value, list) else value
