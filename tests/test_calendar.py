"""Holidays and working days: the company's own calendar goes first, and what is not known is said."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.calendar import new_year_break, rest_days, trading_weekdays, working_days
from tests.scale import examples

SHANGHAI, LONDON = "Asia/Shanghai", "Europe/London"
NEW_YEARS = [date(2021, 2, 12), date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10), date(2025, 1, 29)]


def calendar(stated):
    return pd.DataFrame({"date": list(stated), "is_workday": list(stated.values())})


def test_the_lunar_new_year_is_known():
    for new_year in NEW_YEARS:
        first = date(new_year.year, 1, 5)
        days = rest_days(first, date(new_year.year, 3, 31), timezone=SHANGHAI)
        place = (new_year - first).days
        assert days[place - 10 : place + 21].all()
        assert not days[place - 11]
        assert not days[place + 21]
    assert rest_days(date(2023, 12, 1), date(2024, 1, 31), timezone="UTC").sum() == 16
    # The days that end in a year after the last are nobody's.
    assert not rest_days(date(9999, 12, 1), date(9999, 12, 31), timezone="Nowhere/Land").any()


def test_the_break_is_low_even_where_the_company_is_open():
    first, last = date(2025, 1, 1), date(2025, 3, 31)
    own = calendar({first + timedelta(days=n): True for n in range(90)})
    assert not rest_days(first, last, timezone=SHANGHAI, own_calendar=own).any()
    assert new_year_break(first, last, timezone=SHANGHAI).sum() == 31


def test_a_weekly_day_off_is_the_rhythm_of_the_week_and_no_holiday():
    monday = date(2025, 6, 2)
    own = {monday + timedelta(days=n): n % 7 != 6 for n in range(70)}
    own[date(2025, 6, 18)] = False
    resting = rest_days(monday, monday + timedelta(days=69), timezone=SHANGHAI, own_calendar=calendar(own))
    assert np.flatnonzero(resting).tolist() == [16]


# The State Council's notices for 2024 to 2026: days off, weekends worked, and working days of the year.
@pytest.mark.parametrize(
    ("first", "last", "n_days"),
    [
        (date(2024, 1, 1), date(2024, 12, 31), 251),
        (date(2025, 1, 1), date(2025, 12, 31), 248),
        (date(2026, 1, 1), date(2026, 12, 31), 248),
        (date(2025, 1, 26), date(2025, 2, 8), 6),  # worked at both ends: Sunday 26 January, Saturday 8 February
        (date(2025, 10, 1), date(2025, 10, 8), 0),
    ],
)
def test_make_up_working_days_of_china(first, last, n_days):
    days = working_days(first, last, timezone=SHANGHAI)
    assert days["is_known"].all()
    assert days["is_workday"].sum() == n_days


def test_who_trades_on_saturdays_rests_on_those_within_a_break():
    days = working_days(date(2025, 10, 1), date(2025, 10, 18), timezone=SHANGHAI, open_weekdays=range(6))
    assert days.loc[days["is_workday"], "date"].tolist() == [date(2025, 10, day) for day in (9, 10, 11, *range(13, 19))]


def test_what_is_not_known_is_said():
    def known(timezone, year, own=None):
        days = working_days(date(year, 1, 1), date(year, 12, 31), timezone=timezone, own_calendar=own)
        return days["is_known"].mean()

    assert known(SHANGHAI, 2025) == 1
    assert known(SHANGHAI, 2099) == known(SHANGHAI, 1949) == 0
    assert known(LONDON, 2099) == 1
    assert known("UTC", 2025) == 0
    own = calendar({date(2099, 5, 4): False})
    assert known(SHANGHAI, 2099, own) * 365 == pytest.approx(1)
    # A guess is one by the weekday and by the holidays that no notice can move.
    days = working_days(date(2099, 1, 1), date(2099, 12, 31), timezone=SHANGHAI).set_index("date")["is_workday"]
    assert not days[date(2099, 1, 1)]
    assert days[date(2099, 6, 9)]


def test_weekdays_on_which_a_company_trades():
    start = date(2026, 3, 2)
    weekdays = [start + timedelta(days=n) for n in range(140) if n % 7 < 5]
    assert trading_weekdays(pd.Series([*weekdays, start + timedelta(days=5)])) == [0, 1, 2, 3, 4]
    assert trading_weekdays(pd.Series([], dtype="object")) == []


DAYS = st.dates(min_value=date(1, 1, 1), max_value=date(9999, 12, 31))
PLACES = st.sampled_from([SHANGHAI, "Asia/Hong_Kong", "Asia/Dubai", LONDON, "UTC", "?"])


@given(DAYS, st.integers(0, 400), PLACES, st.dictionaries(st.integers(-5, 405), st.booleans(), max_size=20))
@examples(60)
def test_the_own_calendar_wins_on_its_days_and_nowhere_else(first, n_days, timezone, own):
    last = date.fromordinal(min(first.toordinal() + n_days, date.max.toordinal()))
    stated = {date.fromordinal(first.toordinal() + n): works for n, works in own.items()
              if 1 <= first.toordinal() + n <= date.max.toordinal()}  # fmt: skip
    mine = working_days(first, last, timezone=timezone, own_calendar=calendar(stated))
    public = working_days(first, last, timezone=timezone)
    assert mine["date"].tolist() == [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    in_own = mine["date"].isin(list(stated))
    assert mine.loc[in_own, "is_workday"].tolist() == [stated[day] for day in mine.loc[in_own, "date"]]
    assert mine.loc[in_own, "is_known"].all()
    pd.testing.assert_frame_equal(mine[~in_own], public[~in_own])
    resting = rest_days(first, last, timezone=timezone, own_calendar=calendar(stated))
    assert not resting[mine["is_workday"] & in_own].any()
    assert (resting == rest_days(first, last, timezone=timezone))[~in_own].all()


@given(DAYS, st.integers(0, 400), st.integers(0, 400), PLACES)
@examples(30)
def test_a_part_is_judged_like_the_whole(first, before, after, timezone):
    middle, last = (
        date.fromordinal(min(first.toordinal() + n, date.max.toordinal())) for n in (before, before + after)
    )
    n_before = (middle - first).days
    for judge in (rest_days, new_year_break):
        whole, part = (judge(begin, last, timezone=timezone).tolist() for begin in (first, middle))
        assert whole[n_before:] == part
    worked = working_days(first, last, timezone=timezone)[n_before:].reset_index(drop=True)
    pd.testing.assert_frame_equal(worked, working_days(middle, last, timezone=timezone))
