"""Days on which business rests where a company is at home: its own calendar, public holidays, the New Year's break."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

import holidays
import numpy as np
import pandas as pd
from babel.core import get_global
from numpy.typing import NDArray

#: Territories whose business rests around the lunar New Year.
_LUNAR = frozenset({"CN", "TW", "HK", "MO", "SG", "MY", "KR", "VN"})
#: Migrant workers travel before the festival and return after the Lantern Festival: shops and factories go with them.
_DAYS_BEFORE, _DAYS_AFTER = 10, 20
#: From the last working days before Christmas to Epiphany.
_CHRISTMAS, _EPIPHANY = (12, 22), (1, 6)
#: Years for which the calendars of public holidays are worth asking.
_FIRST_YEAR, _LAST_YEAR = 1950, 2100
#: Where weekends are worked to make up for long holidays, and a year is not known before that was announced.
_MAKE_UP = "CN"
_WEEK = 7
_WEEKEND = frozenset({5, 6})


def territory_of(timezone: str) -> str:
    """Return the ISO code of the territory of a time zone; empty where it belongs to none.

    Examples
    --------
    >>> territory_of("Asia/Shanghai"), territory_of("Asia/Chongqing"), territory_of("UTC")
    ('CN', 'CN', '')
    """
    name = get_global("zone_aliases").get(timezone, timezone)
    return str(get_global("zone_territories").get(name) or "").replace("ZZ", "")


def rest_days(first: date, last: date, *, timezone: str, own_calendar: pd.DataFrame | None = None) -> NDArray[np.bool_]:
    """Answer: on which days is silence what everybody expects, whatever the rhythm of the week?

    Parameters
    ----------
    first, last
        First and last day, both counted.
    timezone
        Name of the company's time zone; it tells the territory.
    own_calendar
        The company's own ``calendar``: ``date``, ``is_workday`` (bool). Of the days in it nothing else is believed; a
        day off rests where its weekday is otherwise worked, since the weekly rhythm is the log's to tell.

    Returns
    -------
    ndarray of bool, one per day
        True on public holidays and on those of :func:`new_year_break`, or as the company's own calendar says.

    Examples
    --------
    >>> days = rest_days(date(2026, 2, 1), date(2026, 3, 31), timezone="Asia/Shanghai")  # New Year: 17 February
    >>> int(days.sum()), bool(days[5]), bool(days[6])
    (31, False, True)
    >>> own = pd.DataFrame({"date": [date(2026, 2, 7), date(2026, 2, 8)], "is_workday": [True, True]})
    >>> rest_days(date(2026, 2, 6), date(2026, 2, 9), timezone="Asia/Shanghai", own_calendar=own).tolist()
    [False, False, False, True]
    """
    resting = new_year_break(first, last, timezone=timezone) | _public_holidays(first, last, territory_of(timezone))
    if own_calendar is not None:
        is_stated, is_workday = _stated(own_calendar, first, last)
        weekday = _weekdays(first, len(resting))
        worked = np.isin(weekday, _worked_weekdays(own_calendar))
        resting[is_stated] = (~is_workday & worked)[is_stated]
    return resting


def new_year_break(first: date, last: date, *, timezone: str) -> NDArray[np.bool_]:
    """Answer: on which days does business run low around the New Year, be the company itself open or not?

    Returns
    -------
    ndarray of bool, one per day from ``first`` to ``last``
        True from 10 days before to 20 days after the lunar New Year where it is kept (China, Hong Kong, Macau, Taiwan,
        Singapore, Malaysia, Korea, Vietnam), and from 22 December to 6 January elsewhere.

    Examples
    --------
    >>> new_year_break(date(2025, 12, 21), date(2025, 12, 23), timezone="Europe/London").tolist()
    [False, True, True]
    """
    low = np.zeros((last - first).days + 1, dtype=bool)
    if territory_of(timezone) in _LUNAR:
        for day in _lunar_new_years(_years(first, last)):
            _mark(low, first, day - timedelta(days=_DAYS_BEFORE), day + timedelta(days=_DAYS_AFTER))
    else:
        for year in range(max(first.year - 1, 1), min(last.year, date.max.year - 1) + 1):
            _mark(low, first, date(year, *_CHRISTMAS), date(year + 1, *_EPIPHANY))
    return low


def working_days(
    first: date,
    last: date,
    *,
    timezone: str,
    own_calendar: pd.DataFrame | None = None,
    open_weekdays: Collection[int] | None = None,
) -> pd.DataFrame:
    """Answer: which days are worked, and of which is that known?

    Parameters
    ----------
    first, last
        First and last day, both counted.
    timezone
        Name of the company's time zone; it tells the territory.
    own_calendar
        The company's own ``calendar``: ``date``, ``is_workday`` (bool). Of the days in it nothing else is believed.
    open_weekdays
        Weekdays that are worked, 0 for Monday; by default those that are no weekend in the territory. With
        :func:`trading_weekdays` the result is the company's trading days.

    Returns
    -------
    DataFrame
        ``date``; ``is_workday``: neither a day off by the weekday nor a public holiday, or a weekend that is worked to
        make up for one; ``is_known``: False where that is a guess, since the territory has no calendar, or the make-up
        working days of that year were not yet known (China announces them in the November before).

    Examples
    --------
    >>> days = working_days(date(2026, 9, 19), date(2026, 9, 25), timezone="Asia/Shanghai")
    >>> days["is_workday"].tolist()  # Sunday the 20th makes up for a day of the National holidays; Friday is a holiday
    [False, True, True, True, True, True, False]
    >>> bool(working_days(date(2099, 1, 1), date(2099, 12, 31), timezone="Asia/Shanghai")["is_known"].any())
    False
    """
    territory, years = territory_of(timezone), _years(first, last)
    weekday = _weekdays(first, (last - first).days + 1)
    calendar = _calendar(territory, years)
    weekend = _WEEKEND if calendar is None else calendar.weekend
    is_open = set(range(_WEEK)) - set(weekend) if open_weekdays is None else set(open_weekdays)
    is_workday = np.isin(weekday, sorted(is_open)) & ~_public_holidays(first, last, territory)
    made_up = sorted(calendar.weekend_workdays) if calendar is not None else []
    for day in made_up:
        _mark(is_workday, first, day, day)
    known_years = set(years) if calendar is not None else set()
    if territory == _MAKE_UP:
        known_years &= {day.year for day in made_up}
    dates = [first + timedelta(days=place) for place in range(len(weekday))]
    is_known = np.array([day.year in known_years for day in dates], dtype=bool)
    if own_calendar is not None:
        is_stated, stated = _stated(own_calendar, first, last)
        is_workday, is_known = np.where(is_stated, stated, is_workday), is_known | is_stated
    return pd.DataFrame({"date": dates, "is_workday": is_workday, "is_known": is_known})


def trading_weekdays(days_with_sales: pd.Series) -> list[int]:
    """Return the weekdays (0 for Monday) on which a log has sales in at least half of its weeks.

    Parameters
    ----------
    days_with_sales
        Dates, in any order; repeated ones count once.

    Examples
    --------
    >>> trading_weekdays(pd.Series(pd.date_range("2026-03-02", "2026-03-29")[:13].date))
    [0, 1, 2, 3, 4, 5, 6]
    """
    ordinals = np.unique(np.array([day.toordinal() for day in days_with_sales], dtype=np.int64))
    if not len(ordinals):
        return []
    # Ordinal 1 is a Monday.
    n_weeks = len(np.unique((ordinals - 1) // _WEEK))
    counts = np.bincount((ordinals - 1) % _WEEK, minlength=_WEEK)
    return [int(weekday) for weekday in np.flatnonzero(2 * counts >= n_weeks)]


def _mark(days: NDArray[np.bool_], first: date, begin: date, end: date) -> None:
    start = first.toordinal()
    days[max(begin.toordinal() - start, 0) : max(end.toordinal() - start + 1, 0)] = True


def _weekdays(first: date, n_days: int) -> NDArray[np.int64]:
    return (np.arange(n_days) + first.weekday()) % _WEEK


def _years(first: date, last: date) -> range:
    # A festival of the next year begins in this one; the calendars know some years only.
    return range(max(first.year, _FIRST_YEAR), min(last.year + 1, _LAST_YEAR) + 1)


def _stated(own_calendar: pd.DataFrame, first: date, last: date) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of each day whether the company's calendar has it, and whether it is a working day there."""
    is_stated = np.zeros((last - first).days + 1, dtype=bool)
    is_workday = is_stated.copy()
    for day, works in zip(own_calendar["date"], own_calendar["is_workday"], strict=True):
        place = day.toordinal() - first.toordinal()
        if 0 <= place < len(is_stated) and pd.notna(works):
            is_stated[place], is_workday[place] = True, bool(works)
    return is_stated, is_workday


def _worked_weekdays(own_calendar: pd.DataFrame) -> list[int]:
    weekday = pd.Series([day.weekday() for day in own_calendar["date"]], dtype="int64")
    share = own_calendar["is_workday"].reset_index(drop=True).astype("float64").groupby(weekday).mean()
    return [int(day) for day in share.index[share >= 0.5]]


@lru_cache(maxsize=64)
def _calendar(territory: str, years: range) -> holidays.HolidayBase | None:
    if not territory or not years:
        return None
    try:
        return holidays.country_holidays(territory, years=years)
    except NotImplementedError:  # a territory without a calendar
        return None


def _public_holidays(first: date, last: date, territory: str) -> NDArray[np.bool_]:
    closed = np.zeros((last - first).days + 1, dtype=bool)
    calendar = _calendar(territory, _years(first, last))
    named = [] if calendar is None else sorted(calendar)
    for day in named:
        _mark(closed, first, day, day)
    if territory == _MAKE_UP:
        # A break is one stretch: a weekend within it goes without a name.
        for before, after in pairwise(named):
            between = [before + timedelta(days=n) for n in range(1, (after - before).days)]
            if len(between) <= len(_WEEKEND) and _WEEKEND.issuperset(day.weekday() for day in between):
                _mark(closed, first, before, after)
    return closed


@lru_cache(maxsize=64)
def _lunar_new_years(years: range) -> tuple[date, ...]:
    # The calendar of China has the festival in every year since 1950; its first day is the New Year.
    china = holidays.country_holidays("CN", years=years, language="en_US") if years else {}
    festival: dict[int, date] = {}
    for day, name in china.items():
        if name.startswith("Chinese New Year (Spring Festival)"):
            festival[day.year] = min(day, festival.get(day.year, day))
    return tuple(sorted(festival.values()))
