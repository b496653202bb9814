"""Keep findings on disk, so that the overview and the report can be made from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from kehu_analysis.finding import Fact, Finding
from kehu_analysis.labels import Phrase

FloatArray = npt.NDArray[np.float64]

#: Significant digits of what is kept of facts and tables: as many as anybody reads. Of the 16 that a float has the last
#: ones hang on the order in which a processor sums, and the fewer are kept, the seldomer that moves one.
DIGITS = 8
#: Decimal places that are kept however large a number is: cents.
_CENTS = 2
#: The powers of ten that a float holds exactly.
_POWERS = np.array([float(f"1e{n}") for n in range(23)])
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
        "not_run": None if finding.not_run is None else [finding.not_run[0], _details(finding.not_run[1])],
    }
    partial = folder / f".{finding.name}.json.partial"
    partial.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
    partial.replace(folder / f"{finding.name}.json")


def significant(values: npt.ArrayLike, digits: int = DIGITS) -> FloatArray:
    """Round numbers to significant digits, but to no fewer than two decimal places; a zero has no sign.

    What differs in its last bits alone comes out the same, but where it stands at the middle between two neighbours.

    Parameters
    ----------
    values
        Numbers of any unit; those that are not finite stay.
    digits
        Significant digits.

    Examples
    --------
    >>> significant([2 / 3, 0.1 + 0.2, -1e-30 / 3, -0.0, 12345678901.236], 4).tolist()
    [0.6667, 0.3, -3.333e-31, 0.0, 12345678901.24]
    """
    found = np.array(values, dtype=float)
    with np.errstate(divide="ignore"):
        size = np.floor(np.log10(np.abs(found), out=np.zeros_like(found), where=np.isfinite(found)))
    decimals = np.maximum(digits - 1 - size, _CENTS)
    is_plain = np.isfinite(found) & (decimals < len(_POWERS)) & (np.abs(found) < 1 / (np.finfo(float).eps * 100))
    scale = _POWERS[decimals[is_plain].astype(int)]
    is_tiny = np.isfinite(found) & (decimals >= len(_POWERS))
    found[is_plain] = np.rint(found[is_plain] * scale) / scale
    found[is_tiny] = [float(f"{value:.{digits - 1}e}") for value in found[is_tiny].tolist()]
    return found + 0.0


def facts_as_json(finding: Finding) -> dict[str, dict[str, Any]]:
    """Return a finding's facts as JSON holds them: value and unit; what is no number is null.

    Numbers have :data:`DIGITS` significant digits, amounts are exact to the cent.
    """
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
        not_run=None if content["not_run"] is None else (content["not_run"][0], _read(content["not_run"][1])),
        chapter=folder.name,
    )


def _storable(table: pd.DataFrame) -> pd.DataFrame:
    # Parquet has no periods; their text sorts and reads the same.
    columns = {name: table[name] for name in table.columns}
    return pd.DataFrame(
        {
            name: column.astype("str") if isinstance(column.dtype, pd.PeriodDtype) else _rounded(column)
            for name, column in columns.items()
        },
        index=table.index,
    ).reset_index(drop=True)


def _rounded(column: pd.Series[Any]) -> pd.Series[Any]:
    if not types.is_float_dtype(column.dtype):
        return column
    numbers = significant(column.to_numpy(float, na_value=math.nan))
    return pd.Series(numbers, index=column.index, dtype=column.dtype)


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, float):
        return float(significant(value)) if math.isfinite(value) else None
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
