"""The days of the log, and how fast ordering runs on each: weekdays, seasons, the Spring Festival."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import holidays
import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Clock:
    """Days of the log by number, from 0; and operational time, in weeks of average trading.

    Attributes
    ----------
    days
        Dates, datetime64[D].
    is_open
        Whether the company trades.
    trading_days
        Numbers of the days on which it does.
    operational
        Operational time at the beginning of each day and at the end of the last, shape (n_days + 1,).
    year, month, quarter
        Year, month since the first (from 0) and quarter since the first (from 0) of each day.
    """

    days: NDArray[np.datetime64]
    is_open: NDArray[np.bool_]
    trading_days: IntArray
    operational: FloatArray
    year: IntArray
    month: IntArray
    quarter: IntArray

    @property
    def n_days(self) -> int:
        """Number of days."""
        return len(self.days)

    def quarter_start(self, quarter: int) -> int:
        """Return the number of the first day of a quarter; the one after the last begins after the log."""
        return int(np.searchsorted(self.quarter, quarter))

    def month_end(self) -> IntArray:
        """Return the number of the last day of each month."""
        return np.append(np.flatnonzero(np.diff(self.month)), self.n_days - 1)

    def day_of(self, operational_time: FloatArray) -> IntArray:
        """Return the trading day on which an operational time falls."""
        found = np.searchsorted(self.operational[1:], operational_time, side="right")
        return np.asarray(np.minimum(found, self.trading_days[-1]))

    def next_trading_day(self, day: IntArray) -> IntArray:
        """Return the day itself where the company trades, else the next; ``n_days`` after the log."""
        ends = np.append(self.trading_days, self.n_days)
        return np.asarray(ends[np.searchsorted(self.trading_days, day)])


def clock_of(world: World) -> Clock:
    """Return the clock of a world.

    Examples
    --------
    >>> clock = clock_of(World(quarters=4))
    >>> closed = clock.days[~clock.is_open & (np.abs(clock.days - np.datetime64("2026-02-17")).astype(int) < 12)]
    >>> str(closed[0]), str(closed[-1])  # a Sunday before, and the last of the closed days
    ('2026-02-08', '2026-02-25')
    """
    given: dict[str, Any] = parameters()["calendar"]
    days = np.arange(np.datetime64(world.first_day), np.datetime64(world.last_day) + 1)
    weekday = (days - np.datetime64("1970-01-05")).astype(np.int64) % 7
    weight = np.asarray(given["weekdays"])[weekday]
    years = range(world.first_day.year, world.last_day.year + 2)
    china = holidays.country_holidays("CN", years=years, language="en_US")
    make_up = np.isin(days, np.array(sorted(china.weekend_workdays), dtype="datetime64[D]")) & (weekday == 6)
    weight[make_up] = given["make_up_sunday"]
    for new_year in _lunar_new_years(china):
        begin = np.datetime64(new_year - timedelta(days=given["closed_days_before_new_year"]))
        end = np.datetime64(new_year + timedelta(days=given["closed_days_after_new_year"]))
        weight[(days >= begin) & (days <= end)] = 0.0
        weight[(days < begin) & (days >= begin - given["run_up_days"])] *= given["run_up_factor"]
    months = days.astype("datetime64[M]").astype(np.int64)
    day_of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    weight[(months % 12 == 9) & (day_of_month <= given["closed_national_days"])] = 0.0
    weight *= np.asarray(given["months"])[months % 12]
    is_open = weight > 0
    return Clock(
        days=days,
        is_open=is_open,
        trading_days=np.flatnonzero(is_open),
        operational=np.concatenate([[0.0], np.cumsum(weight)]) / 7,
        year=months // 12 + 1970,
        month=months - months[0],
        quarter=months // 3 - months[0] // 3,
    )


def _lunar_new_years(china: holidays.HolidayBase) -> list[date]:
    first: dict[int, date] = {}
    for day, name in china.items():
        if name.startswith("Chinese New Year (Spring Festival)"):
            first[day.year] = min(day, first.get(day.year, day))
    return sorted(first.values())
