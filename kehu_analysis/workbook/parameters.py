"""What a notebook may be told: the declared parameters, their types and ranges.

A chapter's record names its class; the ``parameters`` cell of its notebook holds the same names and defaults (a test
compares them).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kehu_analysis.data.setting_faults import describe_fault
from kehu_analysis.errors import UsageError


class Parameters(BaseModel):
    """What every notebook is told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: str = Field(default="../data/demo", min_length=1)
    quarter: str = Field(default="", pattern=r"^(\d{4}Q[1-4])?$")
    lang: Literal["zh", "en"] = "zh"


class SegmentationParameters(Parameters):
    """How customers are graded."""

    grade_months: int = Field(default=3, ge=3, le=6)
    grade_by: Literal["share", "amount", "rank"] = "share"
    grade_standards: list[float] = Field(default=[0.80, 0.95], min_length=1, max_length=4, validate_default=True)

    @field_validator("grade_standards")
    @classmethod
    def _standards_fit(cls, standards: list[float], others: ValidationInfo) -> list[float]:
        by = others.data.get("grade_by")
        falling = by == "amount"
        if sorted(set(standards), reverse=falling) != standards or min(standards) <= 0:
            raise PydanticCustomError("standards_order", "above 0 and rising (falling, where grade_by is amount)")
        if by == "share" and max(standards) > 1:
            raise PydanticCustomError("standards_share", "running shares of sales, up to 1")
        if by == "rank" and any(value != int(value) for value in standards):
            raise PydanticCustomError("standards_rank", "whole ranks")
        return standards


class LoyaltyParameters(Parameters):
    """When a silence counts as too long, and what a later year's margin is worth."""

    overdue_interval: float = Field(default=0.90, gt=0.5, le=0.999)
    minimum_intervals: int = Field(default=3, ge=2, le=50)
    lost_after_days: int = Field(default=180, ge=30, le=1000)
    keeping_discount_rate: float = Field(default=0.10, ge=0.02, le=1)


class SatisfactionParameters(Parameters):
    """How surely satisfaction is to be known, and which contacts count."""

    survey_interval: float = Field(default=0.90, ge=0.5, le=0.99)
    survey_half_width: float = Field(default=0.05, ge=0.005, le=0.4)
    expected_response: float = Field(default=0.5, gt=0, le=1)
    contact_days: int = Field(default=28, ge=1, le=365)
    days_in_time: int = Field(default=7, ge=1, le=365)
    bootstrap_seed: int = Field(default=20260930, ge=0)


class LifetimeValueParameters(Parameters):
    """How far ahead is looked, at which rate of discount, and with which intervals."""

    horizon_quarters: int = Field(default=4, ge=1, le=4)
    value_horizon_years: float = Field(default=2.0, gt=0, le=20)
    discount_rate: float = Field(default=0.10, ge=0, le=1)
    interval: float = Field(default=0.90, ge=0.5, le=0.99)
    seed: int = Field(default=20260930, ge=0)


def read_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` texts; a value that is no number, list or truth value is a text.

    Raises
    ------
    UsageError
        A text has no equals sign.

    Examples
    --------
    >>> read_assignments(["grade_months=4", "grade_standards=[0.75, 0.95]", "grade_by=share"])
    {'grade_months': 4, 'grade_standards': [0.75, 0.95], 'grade_by': 'share'}
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise UsageError("parameter_form", text=assignment)
        try:
            found[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = text.strip()
    return found


def share_out(parameters: Mapping[str, Any], schemas: Mapping[str, type[Parameters]]) -> dict[str, dict[str, Any]]:
    """Give each notebook the parameters that it declares, checked.

    Parameters
    ----------
    parameters
        Values by name.
    schemas
        What each notebook declares, by its name.

    Raises
    ------
    UsageError
        A parameter is declared by none of the notebooks, or a value has the wrong type or range.

    Examples
    --------
    >>> share_out({"lang": "en", "grade_months": 4}, {"segmentation": SegmentationParameters, "overview": Parameters})
    {'segmentation': {'lang': 'en', 'grade_months': 4}, 'overview': {'lang': 'en'}}
    """
    declared = {field for schema in schemas.values() for field in schema.model_fields}
    if unknown := [name for name in parameters if name not in declared]:
        raise UsageError("unknown_parameter", names=", ".join(unknown), known=", ".join(sorted(declared)))
    shared = {}
    for name, schema in schemas.items():
        own = {key: value for key, value in parameters.items() if key in schema.model_fields}
        try:
            schema.model_validate(own)
        except ValidationError as error:
            faults = [describe_fault(found) for found in error.errors()]
            raise UsageError("wrong_parameter", notebook=name, faults=faults) from error
        shared[name] = own
    return shared
