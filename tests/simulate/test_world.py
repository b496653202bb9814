"""Which companies there can be, and on which days they trade."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.errors import UsageError
from kehu_analysis.simulate.clock import clock_of
from kehu_analysis.simulate.world import World, catalogue, parameters

NEW_YEARS = (date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17))
CALENDAR = parameters()["calendar"]


@pytest.fixture(scope="module")
def clock():
    return clock_of(World())


def closed_days(clock):
    return {day.item() for day in clock.days[~clock.is_open]}


# --- the world ----------------


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"customers": 49}, "demo_customers", "50 to 10000000"),
        ({"quarters": 3}, "demo_quarters", "4 to 40"),
        ({"quarters": 41}, "demo_quarters", "4 to 40"),
        ({"seed": -1}, "demo_seed", "between 0 and"),
        ({"nonresponse": "mood"}, "demo_nonresponse", "attributes, satisfaction"),
    ],
)
def test_what_is_out_of_range_is_refused(options, code, words):
    with pytest.raises(UsageError, match=words) as refused:
        World(**options)
    assert (refused.value.code, refused.value.exit_code) == (code, 2)
    assert str(next(iter(options.values()))) in refused.value.message("zh")


@given(st.integers(4, 40))
def test_the_log_has_whole_quarters_up_to_the_last(quarters):
    world = World(quarters=quarters)
    assert world.last_day == date(2026, 9, 30)
    assert world.first_day.day == 1
    months = 12 * (2026 - world.first_day.year) + 10 - world.first_day.month
    assert months == 3 * quarters


@given(st.integers(50, 2_000_000))
def test_every_district_has_as_many_salespeople_and_two_at_least(customers):
    districts = len({town["district"] for town in catalogue()["towns"]})
    salespeople = World(customers=customers).salespeople
    assert salespeople % districts == 0
    assert salespeople >= 2 * districts


def test_the_default_company_has_eight_salespeople():
    assert World().salespeople == 8


def test_topics_blocks_and_seeds_draw_apart():
    drawn = {
        World(seed=seed).rng(block, topic).random()
        for seed in (1, 2)
        for block in (0, 1)
        for topic in ("shops", "orders")
    }
    assert len(drawn) == 8
    assert World(customers=60).rng(0, "shops").random() == World(customers=9000).rng(0, "shops").random()


# --- the clock ----------------


def test_the_days_are_those_of_the_log(clock):
    world = World()
    assert (clock.days[0].item(), clock.days[-1].item()) == (world.first_day, world.last_day)
    assert clock.n_days == (world.last_day - world.first_day).days + 1
    assert (clock.quarter[-1], clock.month[-1]) == (world.quarters - 1, 3 * world.quarters - 1)
    assert clock.days[clock.quarter_start(world.quarters - 1)].item() == date(2026, 7, 1)
    assert clock.quarter_start(world.quarters) == clock.n_days


def test_the_spring_festival_moves_in_the_calendar(clock):
    before, after = CALENDAR["closed_days_before_new_year"], CALENDAR["closed_days_after_new_year"]
    closed = closed_days(clock)
    festivals = [{new_year + timedelta(days=shift) for shift in range(-before, after + 1)} for new_year in NEW_YEARS]
    for festival in festivals:
        assert festival <= closed
    in_the_year = [{(day.month, day.day) for day in festival} for festival in festivals]
    assert len({frozenset(days) for days in in_the_year}) == 3


def test_sundays_are_closed_but_for_official_make_up_days(clock):
    open_sundays = {day.item() for day in clock.days[clock.is_open] if day.item().weekday() == 6}
    # As the State Council announced them for these years.
    assert {date(2024, 2, 4), date(2024, 4, 7), date(2024, 9, 29), date(2025, 1, 26), date(2025, 4, 27)} <= open_sundays
    n_sundays = sum(day.item().weekday() == 6 for day in clock.days)
    assert len(open_sundays) < 0.15 * n_sundays


def test_the_national_day_is_closed(clock):
    first_days = {
        date(year, 10, day) for year in (2023, 2024, 2025) for day in range(1, CALENDAR["closed_national_days"] + 1)
    }
    assert first_days <= closed_days(clock)


def test_ordinary_weekdays_are_open(clock):
    ordinary = {date(2025, 6, 1) + timedelta(days=shift) for shift in range(30)}
    assert {day for day in ordinary if day.weekday() < 6}.isdisjoint(closed_days(clock))


def test_operational_time_stands_still_on_closed_days_alone(clock):
    passed = np.diff(clock.operational)
    assert np.array_equal(passed > 0, clock.is_open)
    assert np.array_equal(np.flatnonzero(clock.is_open), clock.trading_days)


def test_shops_stock_up_before_the_festival(clock):
    passed = np.diff(clock.operational)
    monday = {day: passed[clock.days == np.datetime64(day)][0] for day in (date(2026, 1, 19), date(2026, 2, 2))}
    months = CALENDAR["months"]
    ratio = monday[date(2026, 2, 2)] / monday[date(2026, 1, 19)]
    assert ratio == pytest.approx(CALENDAR["run_up_factor"] * months[1] / months[0])


@given(st.integers(0, 1095))
def test_the_next_trading_day_is_open_and_none_lies_between(day):
    clock = clock_of(World())
    following = int(clock.next_trading_day(np.array([day]))[0])
    assert following >= day
    assert not clock.is_open[day:following].any()
    assert following == clock.n_days or clock.is_open[following]


@given(st.floats(0, 1))
def test_operational_time_is_met_on_the_day_on_which_it_passes(share):
    clock = clock_of(World(quarters=4))
    time = share * clock.operational[-1]
    day = int(clock.day_of(np.array([time]))[0])
    assert clock.is_open[day]
    assert clock.operational[day] <= time <= clock.operational[day + 1] + 1e-9


def test_months_end_on_their_last_day(clock):
    ends = clock.days[clock.month_end()]
    assert len(ends) == 36
    assert {(day + 1).item().day for day in ends} == {1}
