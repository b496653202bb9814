"""Days on which business rests where a company is at home: public holidays and the weeks around the New Year."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import numpy as np
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


def territory_of(timezone: str) -> str:
    """Return the ISO code of the territory of a time zone; empty where it belongs to none.

    Examples
    --------
    >>> territory_of("Asia/Shanghai"), territory_of("Asia/Chongqing"), territory_of("UTC")
    ('CN', 'CN', '')
    """
    name = get_global("zone_aliases").get(timezone, timezone)
    return str(get_global("zone_territories").get(name) or "").replace("ZZ", "")


def rest_days(first: date, last: date, *, timezone: str) -> NDArray[np.bool_]:
    """Answer: on which days is silence what everybody expects?

    Parameters
    ----------
    first, last
        First and last day, both counted.
    timezone
        Name of the company's time zone; it tells the territory.

    Returns
    -------
    ndarray of bool, one per day
        True on public holidays; from 10 days before to 20 days after the lunar New Year where it is kept (China,
        Hong Kong, Macau, Taiwan, Singapore, Malaysia, Korea, Vietnam), and from 22 December to 6 January elsewhere.

    Examples
    --------
    >>> days = rest_days(date(2026, 2, 1), date(2026, 3, 31), timezone="Asia/Shanghai")  # New Year: 17 February
    >>> int(days.sum()), bool(days[5]), bool(days[6])
    (31, False, True)
    """
    start, n_days = first.toordinal(), (last - first).days + 1
    resting = np.zeros(n_days, dtype=bool)

    def rest(begin: date, end: date) -> None:
        resting[max(begin.toordinal() - start, 0) : max(end.toordinal() - start + 1, 0)] = True

    # A festival of the next year begins in this one; the calendars know some years only.
    years = range(max(first.year, _FIRST_YEAR), min(last.year + 1, _LAST_YEAR) + 1)
    for day in _public_holidays(territory_of(timezone), years):
        rest(day, day)
    if territory_of(timezone) in _LUNAR:
        for day in _lunar_new_years(years):
            rest(day - timedelta(days=_DAYS_BEFORE), day + timedelta(days=_DAYS_AFTER))
    else:
        for year in range(max(first.year - 1, 1), min(last.year, date.max.year - 1) + 1):
            rest(date(year, *_CHRISTMAS), date(year + 1, *_EPIPHANY))
    return resting


def _public_holidays(territory: str, years: range) -> list[date]:
    if not territory or not years:
        return []
    try:
        return sorted(holidays.country_holidays(territory, years=years))
    except NotImplementedError:  # a territory without a calendar
        return []


def _lunar_new_years(years: range) -> list[date]:
    # The calendar of China has the festival in every year since 1950; its first day is the New Year.
    china = holidays.country_holidays("CN", years=years, language="en_US") if years else {}
    festival: dict[int, date] = {}
    for day, name in china.items():
        if name.startswith("Chinese New Year (Spring Festival)"):
            festival[day.year] = min(day, festival.get(day.year, day))
    return sorted(festival.values())
