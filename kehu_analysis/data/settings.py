"""What ``dataset.toml`` may say, checked before anything is read."""

from __future__ import annotations

import codecs
import math
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kehu_analysis.data.schema import contract
from kehu_analysis.data.setting_faults import describe_fault
from kehu_analysis.data.units import unit_named
from kehu_analysis.errors import DataError, reason_of

FILE_NAME = "dataset.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Operand: TypeAlias = StrictStr | StrictInt | StrictFloat


class Filter(_Strict):
    """Rows to set aside, with the reason that the report shows.

    ``equals`` and ``is_one_of`` compare texts with texts and numbers with numbers; ``starts_with`` and ``contains``
    take a text, ``less_than`` and ``greater_than`` a number.
    """

    column: str
    operator: Literal["equals", "is_one_of", "starts_with", "contains", "less_than", "greater_than"]
    value: Operand | list[Operand]
    reason: str = Field(min_length=1)

    @property
    def values(self) -> list[str | int | float]:
        """The value, or the values, to compare with."""
        return self.value if isinstance(self.value, list) else [self.value]

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        takes_list, types = _TAKES[self.operator]
        fit = isinstance(self.value, list) == takes_list and bool(self.values)
        if not fit or not all(isinstance(value, types) and _is_plain(value) for value in self.values):
            raise PydanticCustomError("filter_value", "value does not fit {operator}", {"operator": self.operator})
        return self


_TEXT, _NUMBER, _ANY = (str,), (int, float), (str, int, float)
#: Whether each operator takes a list, and of which types its values are.
_TAKES: dict[str, tuple[bool, tuple[type, ...]]] = {
    "equals": (False, _ANY),
    "is_one_of": (True, _ANY),
    "starts_with": (False, _TEXT),
    "contains": (False, _TEXT),
    "less_than": (False, _NUMBER),
    "greater_than": (False, _NUMBER),
}


def _is_plain(value: str | int | float) -> bool:
    return "\0" not in value if isinstance(value, str) else math.isfinite(value)


class AmountFrom(_Strict):
    """The headers of the columns that make the amount, where the file has no amounts.

    Quantity times unit price, less a share (``discount_rate``; ``paid_rate`` is what remains) and a sum (``discount``)
    where there are such; or debit less credit.
    """

    quantity: str | None = None
    unit_price: str | None = None
    discount: str | None = None
    discount_rate: str | None = None
    paid_rate: str | None = None
    debit: str | None = None
    credit: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The header of each part that is named."""
        return {name: header for name, header in self.model_dump().items() if header is not None}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        product, sides = {"quantity", "unit_price"}, {"debit", "credit"}
        named = set(self.headers)
        if not (named == sides or (product <= named and not sides & named)):
            raise PydanticCustomError("amount_parts", "quantity and unit_price, or debit and credit")
        return self


class Returns(_Strict):
    """The column that tells goods that came back from goods sold, and what it says of the former."""

    column: str
    values: list[str] = Field(min_length=1)


class DatedRate(_Strict):
    """A rate of exchange from a day on."""

    since: date
    rate: float = Field(gt=0)


class Currencies(_Strict):
    """What one of each currency is worth in the dataset's own; ``column`` says which a row is in, else its amount."""

    column: str | None = None
    rates: dict[str, float | list[DatedRate]] = Field(min_length=1)

    @field_validator("rates")
    @classmethod
    def _positive(cls, value: dict[str, float | list[DatedRate]]) -> dict[str, float | list[DatedRate]]:
        if not all(rate if isinstance(rate, list) else rate > 0 for rate in value.values()):
            raise PydanticCustomError("greater_than", "a rate is above 0")
        return value


class CrossTable(_Strict):
    """A table with months or quarters across: the year of headers that do not name theirs."""

    year: int | None = Field(default=None, ge=1900, le=2200)


class Lines(_Strict):
    """The file with the lines of orders whose customer and date stand in ``source``, and the column of both.

    ``sheet`` is that of a workbook, by itself one of the orders' own; ``orders_on`` what the orders call the column.
    """

    source: str | None = None
    sheet: str | None = None
    on: str
    orders_on: str | None = None

    @property
    def key(self) -> str:
        """What the column is called in the orders."""
        return self.orders_on or self.on

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.source is None and self.sheet is None:
            raise PydanticCustomError("missing", "source or sheet")
        return self


class TableSettings(_Strict):
    """Where a table's rows are, what its columns are called there, and how its values are written."""

    source: str | list[str] | None = None
    sheet: str | list[str] | None = None
    lines: Lines | None = None
    crosstab: CrossTable | None = None
    columns: dict[str, str] = {}
    amount_from: AmountFrom | None = None
    returns: Returns | None = None
    currencies: Currencies | None = None
    date_order: Literal["day_first", "month_first", "year_first"] | None = None
    date_era: Literal["roc"] | None = None
    date_format: str | None = None
    encoding: str | None = None
    scales: dict[str, tuple[float, float]] = {}
    amount_unit: int | None = Field(default=None, ge=1, le=1_000_000_000)
    decimal_mark: Literal[".", ","] | None = None
    last_row: Annotated[int, Field(ge=1)] | dict[str, Annotated[int, Field(ge=1)]] | None = None
    files_may_differ: bool = False
    filters: list[Filter] = []

    @field_validator("date_format")
    @classmethod
    def _names_a_day(cls, value: str | None) -> str | None:
        day = datetime(2026, 11, 25)
        try:
            is_read = value is None or datetime.strptime(day.strftime(value), value).date() == day.date()
        except ValueError:
            is_read = False
        if not is_read:
            raise PydanticCustomError("no_date_format", "this names no day")
        return value

    @field_validator("amount_unit", mode="before")
    @classmethod
    def _known_unit(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if (unit := unit_named(value)) is None:
            raise PydanticCustomError("no_such_unit", "no such unit")
        return unit

    @field_validator("scales")
    @classmethod
    def _has_width(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        if any(first == last for first, last in value.values()):
            raise PydanticCustomError("no_width", "lowest and highest answer, which differ")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return None if value is None else codecs.lookup(value).name
        except LookupError:
            raise PydanticCustomError("no_such_encoding", "no such encoding") from None

    @property
    def sheets(self) -> list[str]:
        """The sheets of a workbook that are to be read; empty where that is left to find out."""
        return [self.sheet] if isinstance(self.sheet, str) else list(self.sheet or [])

    @property
    def computed(self) -> frozenset[str]:
        """The columns that are computed from others of the file."""
        return frozenset(["amount"] if self.amount_from is not None else [])


class DatasetSettings(_Strict):
    """The whole of ``dataset.toml``; every key has a default."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=60,
        pattern=r"^[^\\/:*?\"<>|\x00-\x1f.][^\\/:*?\"<>|\x00-\x1f]*$",
    )
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$")
    timezone: str = "Asia/Shanghai"
    amounts_include_tax: bool | None = None
    fiscal_year_start: int = Field(default=1, ge=1, le=12)
    complete_until: date | None = None
    customers_by: Literal["code", "company"] = "code"
    customer_acquisition_cost: float | None = Field(default=None, ge=0)
    maximum_rejected: float = Field(default=0.05, ge=0, le=1)
    tables: dict[str, TableSettings] = {}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise PydanticCustomError("no_such_zone", "no such time zone") from None
        return value

    @field_validator("complete_until")
    @classmethod
    def _not_in_the_future(cls, value: date | None) -> date | None:
        if value is not None and value > date.today():
            raise PydanticCustomError("not_come_yet", "this day has not come yet")
        return value

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, value: dict[str, TableSettings]) -> dict[str, TableSettings]:
        for name, table in value.items():
            if name not in contract():
                known = {"table": name, "known": ", ".join(contract())}
                raise PydanticCustomError("no_such_table", "no such table: {table}", known)
            if table.amount_from is not None and contract()[name].column("amount") is None:
                known = {"columns": "amount", "known": ", ".join(c.name for c in contract()[name].columns)}
                raise PydanticCustomError("no_such_column", "no such column: {columns}", known)
            if table.amount_from is not None and "amount" in table.columns:
                raise PydanticCustomError("amount_twice", "amount is mapped and computed")
            unknown = [column for column in table.columns if contract()[name].column(column) is None]
            if unknown:
                known = {"columns": ", ".join(unknown), "known": ", ".join(c.name for c in contract()[name].columns)}
                raise PydanticCustomError("no_such_column", "no such column: {columns}", known)
        return value

    def table(self, name: str) -> TableSettings:
        """Return the settings of one table."""
        return self.tables.get(name, TableSettings())


def read_settings(folder: Path) -> DatasetSettings:
    """Read a folder's ``dataset.toml``; without one, the defaults.

    Raises
    ------
    DataError
        The file is no TOML in UTF-8, or is called ``dataset.toml.txt``, or says something that the contract does not
        know (every fault is listed).
    """
    path = folder / FILE_NAME
    if not path.exists():
        # Editors that hide the ends of names add one of their own; the settings would be passed over in silence.
        if (misnamed := folder / f"{FILE_NAME}.txt").is_file():
            raise DataError("settings_misnamed", path=misnamed, name=FILE_NAME)
        return DatasetSettings()
    try:
        return DatasetSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except UnicodeDecodeError as error:
        raise DataError("settings_not_utf8", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise DataError("settings_not_toml", path=path, reason=error) from error
    except OSError as error:
        raise DataError("unreadable_file", path=path, reason=reason_of(error)) from error
    except ValidationError as error:
        raise DataError(
            "settings_wrong", path=path, faults=[describe_fault(found) for found in error.errors()]
        ) from error
