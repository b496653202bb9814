"""The rooms of the package, found and not listed: whoever adds one forgets no test."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType

from kehu_analysis.finding import Finding

ROOT = Path(__file__).parents[1]
_CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def floors() -> list[list[str]]:
    """Return the rooms that may import each other in one direction only, highest first; import-linter misses none."""
    (street,) = (contract for contract in _CONTRACTS if contract.get("exhaustive"))
    return [[room.strip() for room in floor.split("|")] for floor in street["layers"]]


def analysis_rooms() -> list[str]:
    """Return the rooms of the analyses: what stands between the charts and the summaries, but for the simulation."""
    street = floors()
    start, end = (next(place for place, floor in enumerate(street) if room in floor) for room in ("plots", "summaries"))
    return sorted(room for floor in street[start + 1 : end] for room in floor if room != "simulate")


def public(room: str) -> dict[str, object]:
    """Return what a room shows to others, by name."""
    module = import_module(f"kehu_analysis.{room}")
    return {name: getattr(module, name) for name in getattr(module, "__all__", ())}


def analyses(room: str) -> dict[str, Callable[..., Finding]]:
    """Return the public functions of a room that return a finding, or what is one and more."""
    return {name: thing for name, thing in public(room).items() if inspect.isfunction(thing) and returns_finding(thing)}


def returns_finding(function: FunctionType) -> bool:
    returned = function.__annotations__.get("return")
    kind = function.__globals__.get(returned) if isinstance(returned, str) else returned
    return inspect.isclass(kind) and issubclass(kind, Finding)
