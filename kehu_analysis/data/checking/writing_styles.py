"""Find out how a file writes its dates and numbers, where more than one reading is possible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from kehu_analysis.data.checking.days import day_of
from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.money_units import units_of
from kehu_analysis.data.checking.texts import Style, clean_text
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import quoted
from kehu_analysis.errors import DataError

#: Of the values that can be read in one way only, so many must be read the same way; the rest are mistakes.
_AGREEMENT = 0.99
DATE_ORDERS = ("day_first", "month_first", "year_first")
#: Three numbers of two digits at most, which may be a day, a month and a year in any of these orders.
#: Of that many days the right order is told by how many times as far the others spread them.
_FEWEST_DAYS, _TIMES = 10, 4
_SHORT = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{1,2}(\D|$)|^\d{6}$"
#: Years of the Republic of China, of this century; so many rows tell.
_ROC = r"^(1[0-4]\d\s*[-/.\x{5e74}]\s*\d{1,2}\s*[-/.\x{6708}]\s*\d{1,2}(\D|$)|1[0-4]\d[01]\d[0-3]\d$)"
_ROC_ROWS, _ROC_SHARE = 1000, 0.5
_DAY_MONTH = r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}"
#: A number with both marks, or with one that can only be the decimal mark, says which that is.
_POINT = r"^\D*(\d{1,3}(,\d{3})+\.\d*|\d{1,3}(,\d{3}){2,}|\d*\.\d{1,2}|\d*\.\d{4,}|\d{4,}\.\d+|0\.\d+)\D*$"
_COMMA = r"^\D*(\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}|\d*,\d{1,2}|\d*,\d{4,}|\d{4,},\d+|0,\d+)\D*$"
#: One point and three digits after it: thousands, or a fraction.
_POINT_AND_THREE = r"^\D*[1-9]\d{0,2}\.\d{3}\D*$"
_THOUSAND = 1000
#: What is said where nothing tells how values are to be read, and where they contradict each other.
_FAULTS = {
    "date_order": ("date_order_unknown", "date_order_mixed"),
    "decimal_mark": ("decimal_mark_unknown", "decimal_mark_mixed"),
}


@dataclass(frozen=True)
class _Evidence:
    """How many values can be read in one way only, in the other way only, or in both; and one of the last."""

    first: int = 0
    second: int = 0
    both: int = 0
    example: str | None = None

    def __add__(self, other: _Evidence) -> _Evidence:
        return _Evidence(
            self.first + other.first,
            self.second + other.second,
            self.both + other.both,
            self.example or other.example,
        )

    @property
    def n(self) -> int:
        return self.first + self.second + self.both

    @property
    def verdict(self) -> Literal["first", "second", "mixed", "none"]:
        n_told = self.first + self.second
        if n_told == 0:
            return "none"
        if max(self.first, self.second) < _AGREEMENT * n_told:
            return "mixed"
        return "first" if self.first > self.second else "second"


def find_styles(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    opened: Sequence[tuple[OpenedFile, ColumnMapping]],
    settings: TableSettings,
) -> list[Style]:
    """Return how each file writes dates and numbers: as the settings say, else as its values show.

    A file whose values can all be read in both ways is read like the table's other files.

    Parameters
    ----------
    connection
        Where the files are relations.
    table
        The table of the contract.
    opened
        Its files, each with its columns.
    settings
        What ``dataset.toml`` says of the table.

    Returns
    -------
    list of Style
        One a file, in the order of ``opened``.

    Raises
    ------
    DataError
        The values can be read in two ways and nothing tells which is meant, or they contradict each other.
    """
    orders: list[str] = [settings.date_order or ""] * len(opened)
    marks: list[str] = [settings.decimal_mark or ""] * len(opened)
    if settings.date_era is None and settings.date_format is None:
        for one in opened:
            _refuse_another_era(connection, table, *one)
    if settings.date_order is None and settings.date_format is None:
        found = [_date_evidence(connection, table, *one) for one in opened]
        orders = _decide(found, ("day_first", "month_first"), "date_order", table, opened)
        told = [order if one.first or one.second else None for order, one in zip(orders, found, strict=True)]
        # Where no date leaves it open the order is nobody's business.
        orders = [
            _order_of_short_years(connection, table, *one, order) or (decided if of.n else "")
            for one, order, decided, of in zip(opened, told, orders, found, strict=True)
        ]
    if settings.decimal_mark is None:
        found = [_number_evidence(connection, table, *one, settings) for one in opened]
        marks = _decide(found, (".", ","), "decimal_mark", table, opened)
    return [
        Style(
            order,
            mark,
            settings.date_format or "",
            units_of(connection, table, *one, settings),
            settings.date_era or "",
        )
        for one, order, mark in zip(opened, orders, marks, strict=True)
    ]


def _refuse_another_era(
    connection: duckdb.DuckDBPyConnection, table: Table, file: OpenedFile, mapping: ColumnMapping
) -> None:
    """Ask for the era where years are such as 113, which no calendar of ours has."""
    for header in _headers(table, file, mapping, ("date",)):
        row = connection.execute(
            f"SELECT avg(CAST({_is(_ROC)} AS INTEGER)), min(text) FILTER ({_is(_ROC)}) FROM "
            f"(SELECT text FROM ({_texts(file, [header])}) WHERE text IS NOT NULL LIMIT {_ROC_ROWS})"
        ).fetchone()
        if row is not None and (row[0] or 0) >= _ROC_SHARE:
            raise DataError("date_era_unknown", table=table.name, path=file.shown, example=row[1])


def _decide(
    evidence: Sequence[_Evidence],
    choices: tuple[str, str],
    name: str,
    table: Table,
    opened: Sequence[tuple[OpenedFile, ColumnMapping]],
) -> list[str]:
    verdict_of_all = sum(evidence, _Evidence()).verdict
    decided = []
    for found, (file, _) in zip(evidence, opened, strict=True):
        verdict = verdict_of_all if found.verdict == "none" and found.both else found.verdict
        if verdict == "mixed" or (verdict == "none" and found.both):
            raise DataError(
                _FAULTS[name][verdict == "mixed"], table=table.name, path=file.shown, example=found.example or "–"
            )
        decided.append(choices[1] if verdict == "second" else choices[0])
    return decided


def _date_evidence(
    connection: duckdb.DuckDBPyConnection, table: Table, file: OpenedFile, mapping: ColumnMapping
) -> _Evidence:
    headers = _headers(table, file, mapping, ("date", "month"))
    if not headers:
        return _Evidence()
    first, second = (f"TRY_CAST(regexp_extract(text, {quoted(_DAY_MONTH)}, {group}) AS INTEGER)" for group in (1, 2))
    is_either = f"{first} <= 12 AND {second} <= 12 AND {first} <> {second}"
    # A date whose year stands first, as nearly all do, has no mark so early.
    row = connection.execute(
        f"SELECT count(*) FILTER ({first} BETWEEN 13 AND 31 AND {second} BETWEEN 1 AND 12), "
        f"count(*) FILTER ({first} BETWEEN 1 AND 12 AND {second} BETWEEN 13 AND 31), "
        f"count(*) FILTER ({is_either}), min(text) FILTER ({is_either}) FROM ({_texts(file, headers)}) "
        "WHERE substr(text, 2, 1) IN ('/', '.', '-') OR substr(text, 3, 1) IN ('/', '.', '-')"
    ).fetchone()
    assert row is not None  # aggregates always return a row
    return _Evidence(*row)


def _order_of_short_years(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    file: OpenedFile,
    mapping: ColumnMapping,
    told: str | None,
) -> str | None:
    """Return what stands where in dates whose year has two digits; None where a file has none.

    The order is the one in which nearly all of them are days up to tomorrow, and if there are several the one in which
    they lie together; ``told`` is that of years in four digits.
    """
    headers = _headers(table, file, mapping, ("date",))
    if not headers:
        return None
    short = f"(regexp_matches(text, {quoted(_SHORT)}))"
    texts = f"FROM ({_texts(file, headers)}) WHERE {short}"
    if connection.execute(f"SELECT 1 {texts} LIMIT 1").fetchone() is None:
        return None
    days = ", ".join(f"{day_of('text', 'UTC', Style(order))} AS {order}" for order in DATE_ORDERS)
    readings = ", ".join(
        f"count(*) FILTER ({order} BETWEEN DATE '1990-01-01' AND current_date + 1), count(DISTINCT {order}), "
        f"max({order}) - min({order})"
        for order in DATE_ORDERS
    )
    row = connection.execute(f"SELECT count(*), min(text), {readings} FROM (SELECT text, {days} {texts})").fetchone()
    assert row is not None
    n, example, *found = row
    read = {order: found[3 * place : 3 * place + 3] for place, order in enumerate(DATE_ORDERS)}
    orders = [order for order, (n_read, *_) in read.items() if n_read >= _AGREEMENT * n]
    if len(orders) > 1:
        # A log runs from day to day: where a year is taken for a day it is spread over decades.
        orders.sort(key=lambda order: read[order][2])
        (_, n_days, span), (_, _, other) = read[orders[0]], read[orders[1]]
        orders = orders[:1] if n_days >= _FEWEST_DAYS and _TIMES * span <= other else orders
    if told is not None and (told in orders or not orders):
        return told
    if len(orders) != 1:
        fault = "date_order_unknown" if orders else "date_order_mixed"
        raise DataError(fault, table=table.name, path=file.shown, example=example)
    return orders[0]


def has_short_year(text: str) -> bool:
    """Tell whether a date has its year in two digits.

    Examples
    --------
    >>> has_short_year("1/3/24"), has_short_year("1/3/2024 9:30")
    (True, False)
    """
    return re.match(_SHORT, text) is not None


def _number_evidence(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    file: OpenedFile,
    mapping: ColumnMapping,
    settings: TableSettings,
) -> _Evidence:
    headers = _headers(table, file, mapping, ("money", "number", "integer"))
    if settings.amount_from is not None:
        factors = settings.amount_from.headers.values()
        headers += [header for header in factors if header not in headers and file.types[header] == "VARCHAR"]
    if not headers:
        return _Evidence()
    texts = _texts(file, headers)
    usual = "contains(text, '.') AND substr(text, length(text) - 3, 1) <> '.'"
    row = connection.execute(
        f"SELECT count(*) FILTER (contains(text, ',')), count(*) FILTER ({usual}) FROM ({texts})"
    ).fetchone()
    assert row is not None
    if row[0] == 0 and row[1] > 0:
        return _Evidence(first=row[1])
    counts = ", ".join(f"count(*) FILTER ({_is(pattern)})" for pattern in (_POINT, _COMMA, _POINT_AND_THREE))
    row = connection.execute(
        f"SELECT {counts}, min(text) FILTER ({_is(_POINT_AND_THREE)}) FROM ({texts}) "
        "WHERE contains(text, ',') OR contains(text, '.')"
    ).fetchone()
    assert row is not None
    return _Evidence(*row)


def _is(pattern: str) -> str:
    return f"regexp_matches(text, {quoted(pattern)})"


def _headers(table: Table, file: OpenedFile, mapping: ColumnMapping, kinds: tuple[str, ...]) -> list[str]:
    columns = ((table.column(name), header) for name, header in mapping.headers.items())
    return [
        header
        for column, header in columns
        if column is not None
        and column.kind in kinds
        and file.types[header] == "VARCHAR"
        # Thousands are out of the question for a longitude.
        and (column.maximum is None or column.maximum >= _THOUSAND)
    ]


def _texts(file: OpenedFile, headers: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT {clean_text(header)} AS text FROM {file.relation}" for header in headers)
