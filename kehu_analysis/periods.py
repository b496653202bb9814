"""Quarters, time units and horizons that carry their unit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import takewhile
from typing import Self

#: Length of each time unit in days. A month is a twelfth of a Julian year, everywhere.
DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}


def days_per_unit(time_unit: str) -> float:
    """Return the length of a time unit in days.

    Raises
    ------
    ValueError
        The unit is none of day, week, month, quarter, year.

    Examples
    --------
    >>> days_per_unit("week")
    7.0
    """
    if time_unit not in DAYS_PER_UNIT:
        raise ValueError(f"time_unit is {time_unit!r}; choose one of {', '.join(DAYS_PER_UNIT)}")
    return DAYS_PER_UNIT[time_unit]


@dataclass(frozen=True, order=True)
class Quarter:
    """A quarter of a fiscal year, as the half-open interval [start, end).

    Parameters
    ----------
    year
        The calendar year in which the fiscal year starts.
    number
        1 to 4.
    fiscal_year_start
        The month (1 to 12) with which the fiscal year starts.

    Examples
    --------
    >>> q = Quarter.parse("2026Q3")
    >>> q.start, q.last_day, str(q.previous())
    (datetime.date(2026, 7, 1), datetime.date(2026, 9, 30), '2026Q2')
    """

    year: int
    number: int
    fiscal_year_start: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        if not (1 <= self.number <= 4 and 1 <= self.fiscal_year_start <= 12 and 1 <= self.year <= 9998):
            raise ValueError(f"no such quarter: {self.year}Q{self.number}, start {self.fiscal_year_start}")

    @classmethod
    def parse(cls, text: str, *, fiscal_year_start: int = 1) -> Self:
        """Read ``2026Q3``.

        Raises
        ------
        ValueError
            The text has another form.
        """
        match = re.fullmatch(r"([0-9]{4})[Qq]([1-4])", text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a quarter; write it like 2026Q3")
        return cls(int(match[1]), int(match[2]), fiscal_year_start)

    @classmethod
    def containing(cls, day: date, *, fiscal_year_start: int = 1) -> Self:
        """Return the quarter in which a day falls."""
        months = day.year * 12 + day.month - fiscal_year_start
        return cls(months // 12, months % 12 // 3 + 1, fiscal_year_start)

    @property
    def start(self) -> date:
        """First day."""
        return self._month_start(3 * (self.number - 1))

    @property
    def end(self) -> date:
        """First day after the quarter."""
        return self._month_start(3 * self.number)

    def _month_start(self, months_into_year: int) -> date:
        months = self.year * 12 + self.fiscal_year_start - 1 + months_into_year
        return date(months // 12, months % 12 + 1, 1)

    @property
    def last_day(self) -> date:
        """Last day, the ``as_of`` of a report."""
        return self.end - timedelta(days=1)

    def shifted(self, quarters: int) -> Self:
        """Return the quarter so many quarters later (earlier when negative)."""
        index = self.year * 4 + self.number - 1 + quarters
        return type(self)(index // 4, index % 4 + 1, self.fiscal_year_start)

    def previous(self) -> Self:
        """Return the quarter before."""
        return self.shifted(-1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"


def quarters_between(first_day: date, last_day: date, *, fiscal_year_start: int = 1) -> list[Quarter]:
    """Return the quarters from the one of ``first_day`` to the last that has ended by ``last_day``.

    Examples
    --------
    >>> [str(q) for q in quarters_between(date(2026, 2, 10), date(2026, 9, 30))]
    ['2026Q1', '2026Q2', '2026Q3']
    """
    first = Quarter.containing(first_day, fiscal_year_start=fiscal_year_start)
    count = (last_day.year - first_day.year) * 4 + 5
    candidates = (first.shifted(i) for i in range(count))
    return list(takewhile(lambda quarter: quarter.last_day <= last_day, candidates))
