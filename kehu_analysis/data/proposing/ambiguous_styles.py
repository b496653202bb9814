"""Propose how dates and numbers are to be read that can be read in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import duckdb

from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.parse import column_value
from kehu_analysis.data.checking.texts import Style, clean_text
from kehu_analysis.data.checking.writing_styles import DATE_ORDERS, find_styles, has_short_year
from kehu_analysis.data.reading.samples import Sample
from kehu_analysis.data.reading.text_files import ROW
from kehu_analysis.data.schema import Column, Table
from kehu_analysis.data.settings import AmountFrom, TableSettings
from kehu_analysis.errors import DataError

#: What each setting of style may be.
CHOICES = {"date_era": ("roc",), "date_order": DATE_ORDERS, "decimal_mark": (".", ",")}
#: A log is kept day by day: under the wrong reading its days go back and forth, and so many times as far.
_TIMES = 4
_FEWEST_DAYS = 10


@dataclass(frozen=True)
class StyleProposal:
    """A way of writing dates or numbers that can be read in two ways.

    Attributes
    ----------
    setting
        ``"date_era"``, ``"date_order"`` or ``"decimal_mark"``.
    example
        A value that can be read in both ways.
    chosen
        One of :data:`CHOICES`; None where that is left to the analyst.
    """

    setting: str
    example: str
    chosen: str | None

    @property
    def choices(self) -> tuple[str, ...]:
        """Those of :data:`CHOICES` that the example could be."""
        is_long = self.setting == "date_order" and not has_short_year(self.example)
        return CHOICES[self.setting][:2] if is_long else CHOICES[self.setting]


def propose_styles(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    samples: Sequence[Sample],
    settings: TableSettings,
    headers: Mapping[str, str],
    amount_from: AmountFrom | None,
    timezone: str,
    fault: DataError | None = None,
) -> tuple[StyleProposal, ...]:
    """Find the styles that the values sampled, or the fault that the check found in all values, leave open.

    Parameters
    ----------
    headers
        Header of each column, recognised or proposed.
    amount_from
        The two columns that the amount is computed from, if it is.
    fault
        What the check said.
    """
    opened = [
        (one.file, ColumnMapping({column: h for column, h in headers.items() if h in one.file.headers}, ()))
        for one in samples
    ]
    wanted = settings.model_copy(update={"amount_from": amount_from})
    found: list[StyleProposal] = []
    for setting in CHOICES:
        if getattr(settings, setting) is not None:
            continue
        # Only this setting is in question.
        asked = wanted.model_copy(update={name: of[0] for name, of in CHOICES.items() if name != setting})
        said = fault if fault is not None and fault.code.startswith(setting) else None
        try:
            find_styles(connection, table, opened, asked)
        except DataError as error:
            said = said or error
        if said is not None:
            one = StyleProposal(setting, str(said.details.get("example", "")), None)
            if setting == "date_era":
                one = replace(one, chosen=CHOICES[setting][0])
            if setting == "date_order" and said.code == "date_order_unknown":
                one = replace(one, chosen=_order_of_days(connection, table, samples, headers, timezone, one.choices))
            found.append(one)
    return tuple(found)


def _order_of_days(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    samples: Sequence[Sample],
    headers: Mapping[str, str],
    timezone: str,
    orders: Sequence[str],
) -> str | None:
    """Return the order under which no day lies in the future, or under which the days of a log run on."""
    names = (column.name for column in table.columns if column.kind == "date" and column.name in headers)
    name = next(names, None)
    column = table.column(name) if name is not None else None
    if column is None:
        return None
    read = {
        order: _course(_days(connection, column, headers[column.name], samples, timezone, Style(order)))
        for order in orders
    }
    past = [order for order, course in read.items() if course.n_future == 0 and course.n_days]
    if column.past and len(past) == 1:
        return past[0]
    running = [
        order
        for order, course in read.items()
        if all(_runs_on(course, other) for its, other in read.items() if its != order and other.n_days)
    ]
    return running[0] if len(running) == 1 and read[running[0]].n_days else None


class _Course(NamedTuple):
    """How the days of files follow each other, read in one order."""

    n_future: int
    n_days: int
    n_turns: int
    way: int


def _course(files: Sequence[Sequence[tuple[int, bool]]]) -> _Course:
    return _Course(
        n_future=sum(is_future for file in files for _, is_future in file),
        n_days=len({day for file in files for day, _ in file}),
        n_turns=sum(_n_turns(_steps(file)) for file in files),
        way=sum(abs(step) for file in files for step in _steps(file)),
    )


def _runs_on(one: _Course, other: _Course) -> bool:
    return one.n_turns < other.n_turns and _TIMES * one.way <= other.way and one.n_days >= _FEWEST_DAYS


def _days(
    connection: duckdb.DuckDBPyConnection,
    column: Column,
    header: str,
    samples: Sequence[Sample],
    timezone: str,
    style: Style,
) -> list[list[tuple[int, bool]]]:
    days = []
    for sample in samples:
        if header in sample.file.headers:
            day = column_value(column, header, sample.file.types[header], timezone, style)
            days.append(
                connection.execute(
                    f"SELECT day - DATE '1970-01-01', day > current_date + 1 FROM (SELECT {day} AS day, {ROW} AS row "
                    f"FROM {sample.file.relation} WHERE {clean_text(header)} IS NOT NULL) "
                    "WHERE day IS NOT NULL ORDER BY row"
                ).fetchall()
            )
    return days


def _steps(days: Sequence[tuple[int, bool]]) -> list[int]:
    return [later - earlier for (earlier, _), (later, _) in pairwise(days)]


def _n_turns(steps: Sequence[int]) -> int:
    """Return how many steps go against the way that most go, be the newest first or last."""
    return min(sum(step > 0 for step in steps), sum(step < 0 for step in steps))
