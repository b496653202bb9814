from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.periods import DAYS_PER_UNIT, Quarter, days_per_unit, quarters_between

DAYS = st.dates(date(2, 1, 1), date(9998, 12, 31))
STARTS = st.integers(1, 12)


@given(DAYS, STARTS)
def test_a_day_lies_in_its_quarter_and_quarters_tile_the_years(day, start):
    quarter = Quarter.containing(day, fiscal_year_start=start)
    assert quarter.start <= day < quarter.end
    assert quarter.last_day + timedelta(days=1) == quarter.end
    assert quarter.previous().end == quarter.start
    assert Quarter.containing(quarter.last_day, fiscal_year_start=start) == quarter
    assert quarter.start.day == 1
    assert (quarter.start.month - start) % 3 == 0


@given(st.integers(20, 9980), st.integers(1, 4), st.integers(-30, 30), st.integers(-30, 30))
def test_shifts_add_up(year, number, one, other):
    quarter = Quarter(year, number)
    assert quarter.shifted(one).shifted(other) == quarter.shifted(one + other)
    assert (quarter.shifted(one) < quarter) == (one < 0)


@given(st.integers(1, 9998), st.integers(1, 4), STARTS)
def test_text_round_trip(year, number, start):
    quarter = Quarter(year, number, start)
    if year >= 1000:
        assert Quarter.parse(str(quarter), fiscal_year_start=start) == quarter


@pytest.mark.parametrize(
    ("start", "text", "first", "last"),
    [
        (1, "2026Q1", date(2026, 1, 1), date(2026, 3, 31)),
        (4, "2026Q1", date(2026, 4, 1), date(2026, 6, 30)),
        (4, "2026Q4", date(2027, 1, 1), date(2027, 3, 31)),
        (12, "2023Q1", date(2023, 12, 1), date(2024, 2, 29)),
        (7, " 2026q3 ", date(2027, 1, 1), date(2027, 3, 31)),
    ],
)
def test_fiscal_years(start, text, first, last):
    quarter = Quarter.parse(text, fiscal_year_start=start)
    assert (quarter.start, quarter.last_day) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026Q5", "2026Q0", "26Q1", "2026-Q1", "2026Q11", "Q12026", "0000Q1", "２０２６Q1"]
)
def test_what_is_no_quarter(text):
    with pytest.raises(ValueError, match="quarter"):
        Quarter.parse(text)


@pytest.mark.parametrize("fields", [(2026, 0), (2026, 5), (0, 1), (9999, 1), (2026, 1, 0), (2026, 1, 13)])
def test_no_such_quarter(fields):
    with pytest.raises(ValueError, match="no such quarter"):
        Quarter(*fields)


@given(DAYS, st.integers(0, 4000), STARTS)
def test_quarters_between_are_all_that_have_ended(first, length, start):
    last = min(first + timedelta(days=length), date(9998, 12, 31))
    quarters = quarters_between(first, last, fiscal_year_start=start)
    assert all(quarter.end - timedelta(days=1) <= last for quarter in quarters)
    assert all(one.shifted(1) == other for one, other in pairwise(quarters))
    following = quarters[-1].end if quarters else Quarter.containing(first, fiscal_year_start=start).start
    assert Quarter.containing(following, fiscal_year_start=start).last_day > last


def test_no_quarter_has_ended():
    assert quarters_between(date(2026, 1, 1), date(2026, 3, 30)) == []
    assert quarters_between(date(2026, 5, 1), date(2026, 4, 1)) == []


def test_time_units():
    assert days_per_unit("week") == 7.0
    assert days_per_unit("month") * 12 == days_per_unit("quarter") * 4 == days_per_unit("year") == 365.25
    for unit in ("weeks", "", "Week"):
        with pytest.raises(ValueError, match=", ".join(DAYS_PER_UNIT)):
            days_per_unit(unit)
