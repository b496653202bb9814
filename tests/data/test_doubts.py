"""Doubts about a log: planted faults are found with their exact period, and life is not taken for a fault."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import open_dataset
from kehu_analysis.data.doubts import COLUMNS, REASONS, doubtful_periods
from kehu_analysis.workbook.session import Workbook
from tests.scale import examples

SHANGHAI, LONDON = "Asia/Shanghai", "Europe/London"
#: Lunar New Years of the calendar, against which the closures are planted.
NEW_YEARS = [date(2021, 2, 12), date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10), date(2025, 1, 29)]


def a_log(lines_a_day, *, start=date(2022, 1, 3), share=0.01, price=60.0, seed=0):
    """Return the days of a log with so many lines on average, of which a share repeats."""
    rng = np.random.default_rng(seed)
    lines = rng.poisson(lines_a_day)
    medians = [float(np.median(rng.lognormal(np.log(price), 0.8, n))) if n else np.nan for n in np.minimum(lines, 200)]
    days = pd.DataFrame(
        {
            "date": [start + timedelta(days=place) for place in range(len(lines))],
            "n_lines": lines,
            "n_repeated_lines": rng.binomial(lines, share),
            "n_customers": np.maximum(lines // 2, 1),
            "amount": lines * price * np.exp(rng.normal(0.3, 0.1, len(lines))),
            "median_amount": medians,
        }
    )
    return days[days["n_lines"] > 0].reset_index(drop=True)


def weekdays(n_days, start=date(2022, 1, 3)):
    return (np.arange(n_days) + start.weekday()) % 7


def noise(n_days, seed=0):
    return np.exp(np.random.default_rng([seed, 1]).normal(0, 0.15, n_days))


def between(days, first, last):
    return (days["date"] >= first) & (days["date"] <= last)


def found(days, timezone=SHANGHAI):
    return [
        tuple(row)
        for row in doubtful_periods(days, timezone=timezone)[["reason", "first_date", "last_date"]].to_numpy()
    ]


def shop(n_days=800, level=60, seed=0):
    return a_log(level * np.array([1, 1, 1, 1, 1.1, 1.5, 1.4])[weekdays(n_days)] * noise(n_days, seed), seed=seed)


def distributor(n_days=1200, seed=0):
    """Monday to Friday, closed around the Spring Festival, which moves in the calendar, and on the National Days."""
    start = date(2022, 1, 3)
    open_ = weekdays(n_days) < 5
    for place in range(n_days):
        day = start + timedelta(days=place)
        in_festival = any(-7 <= (day - new_year).days <= 14 for new_year in NEW_YEARS)
        open_[place] &= not (in_festival or (day.month == 10 and day.day <= 7) or (day.month, day.day) == (1, 1))
    return a_log(40 * open_ * noise(n_days, seed), seed=seed)


def key_accounts(n_days=900, seed=0):
    rng = np.random.default_rng([seed, 2])
    lines = np.where((rng.random(n_days) < 0.12) & (weekdays(n_days) < 5), rng.integers(1, 5, n_days), 0)
    return a_log(lines, seed=seed, share=0)


def seasonal(n_days=1100, seed=0):
    turn = 2 * np.pi * np.arange(n_days) / 365.25
    return a_log(80 * np.exp(0.9 * np.sin(turn)) * noise(n_days, seed), seed=seed)


def growing(n_days=1000, seed=0):
    return a_log(50 * 1.5 ** (np.arange(n_days) / 365) * noise(n_days, seed), seed=seed)


def summer_closure(n_days=1100, seed=0):
    start = date(2022, 1, 3)
    days = [start + timedelta(days=place) for place in range(n_days)]
    open_ = np.array([not (day.month == 8 and 5 <= day.day <= 18) for day in days]) & (weekdays(n_days) < 6)
    return a_log(50 * open_ * noise(n_days, seed), seed=seed)


def cohort(n_days=540, seed=0):
    """New customers come for twelve weeks; from then on there are only their repeat purchases, ever fewer."""
    age = np.arange(n_days)
    new = np.where(age < 84, 300 + 2.0 * age, 0)
    repeat = np.convolve(new, 0.008 * (1 + age / 60) ** -0.6)[:n_days]
    return a_log((new + repeat) * noise(n_days, seed), seed=seed)


CLEAN = [shop, distributor, key_accounts, seasonal, growing, summer_closure, cohort]


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_life_is_no_fault(kind, seed):
    assert found(kind(seed=seed), LONDON if kind is cohort else SHANGHAI) == []


# --- loaded twice ----------------


@pytest.mark.parametrize(
    ("first", "n_days", "copies"),
    [(date(2023, 3, 6), 7, 2), (date(2023, 3, 6), 7, 3), (date(2023, 6, 1), 30, 2), (date(2022, 9, 14), 1, 2)],
)
@pytest.mark.parametrize("make", [shop, distributor])
def test_a_period_loaded_again_is_found_to_the_day(make, first, n_days, copies):
    days = make(seed=5)
    again = between(days, first, first + timedelta(days=n_days - 1))
    lines = days.loc[again, "n_lines"]
    days.loc[again, "n_repeated_lines"] += lines * (copies - 1)
    days.loc[again, "n_lines"] *= copies
    days.loc[again, "amount"] *= copies
    doubts = doubtful_periods(days, timezone=SHANGHAI)
    planted = days.loc[again, "date"]
    assert doubts["reason"].tolist() == ["loaded_twice"]
    assert (doubts["first_date"][0], doubts["last_date"][0]) == (planted.iloc[0], planted.iloc[-1])
    assert doubts["n_lines"][0] == days.loc[again, "n_lines"].sum()
    assert doubts["size"][0] == pytest.approx(copies, abs=0.1)


def test_a_log_that_repeats_everywhere_is_doubted_as_a_whole():
    days = a_log(60 * noise(700), share=0.3)
    doubts = doubtful_periods(days, timezone=SHANGHAI)
    assert doubts["reason"].tolist() == ["many_repeated_lines"]
    assert doubts["n_lines"][0] == days["n_lines"].sum()
    assert doubts["size"][0] == pytest.approx(0.3, abs=0.01)


def test_a_week_loaded_twice_stands_out_of_many_repeats():
    days = a_log(60 * noise(700), share=0.3)
    again = between(days, date(2023, 3, 6), date(2023, 3, 12))
    days.loc[again, "n_repeated_lines"] += days.loc[again, "n_lines"]
    days.loc[again, "n_lines"] *= 2
    assert found(days)[0] == ("loaded_twice", date(2023, 3, 6), date(2023, 3, 12))


def test_a_log_loaded_twice_as_a_whole():
    days = shop()
    days["n_repeated_lines"] += days["n_lines"]
    days["n_lines"] *= 2
    assert [reason for reason, *_ in found(days)] == ["many_repeated_lines"]


def test_small_days_repeat_by_chance():
    days = a_log(np.full(2000, 2.0), share=0.1)
    assert (2 * days["n_repeated_lines"] >= days["n_lines"]).sum() > 100
    assert "loaded_twice" not in [reason for reason, *_ in found(days)]


# --- missing weeks ----------------


@pytest.mark.parametrize("make", [shop, distributor, seasonal, growing, summer_closure])
@pytest.mark.parametrize("first", [date(2022, 11, 7), date(2023, 6, 5)])
def test_a_missing_week_is_found_to_the_day(make, first):
    days = make(seed=3)
    gone = between(days, first, first + timedelta(days=6))
    planted = days.loc[gone, "date"]
    assert found(days[~gone]) == [("missing_weeks", planted.iloc[0], planted.iloc[-1])]


def test_a_week_with_a_few_lines_is_as_good_as_missing():
    days = shop()
    few = between(days, date(2023, 6, 5), date(2023, 6, 11))
    days.loc[few, ["n_lines", "n_repeated_lines"]] = [1, 0]
    (doubt,) = doubtful_periods(days, timezone=SHANGHAI).itertuples()
    assert (doubt.reason, doubt.first_date, doubt.last_date, doubt.n_lines) == (
        *("missing_weeks", date(2023, 6, 5), date(2023, 6, 11)),
        7,
    )
    assert 0 < doubt.size < 0.05


def test_holidays_are_those_of_the_place():
    days = shop(n_days=700)
    christmas = days[~between(days, date(2022, 12, 23), date(2023, 1, 2))]
    festival = days[~between(days, date(2023, 1, 16), date(2023, 1, 30))]
    assert found(christmas, LONDON) == []
    assert found(festival, SHANGHAI) == []
    assert [reason for reason, *_ in found(christmas, SHANGHAI)] == ["missing_weeks"]
    assert [reason for reason, *_ in found(festival, LONDON)] == ["missing_weeks"]


def own_calendar(days, off):
    first, n_days = days["date"].iloc[0], (days["date"].iloc[-1] - days["date"].iloc[0]).days + 1
    dates = [first + timedelta(days=place) for place in range(n_days)]
    return pd.DataFrame({"date": dates, "is_workday": [day not in off for day in dates]})


def test_the_companys_own_calendar_goes_before_public_holidays():
    days = shop(n_days=700)
    festival = pd.date_range("2023-01-16", "2023-01-30").date
    stocktaking = pd.date_range("2023-06-05", "2023-06-13").date
    closed = days[~days["date"].isin([*festival, *stocktaking])]
    asked = {
        "public": None,
        "says so": own_calendar(days, {*festival, *stocktaking}),
        "works through": own_calendar(days, set()),
    }
    named = {
        name: doubtful_periods(closed, timezone=SHANGHAI, own_calendar=own)["first_date"].tolist()
        for name, own in asked.items()
    }
    assert named == {
        "public": [stocktaking[0]],
        "says so": [],
        "works through": [festival[0], stocktaking[0]],
    }


def test_the_check_reads_the_companys_own_calendar(tmp_path):
    days = shop(n_days=300, level=6)
    closed = pd.date_range("2022-06-06", "2022-06-16").date
    lines = days.loc[~days["date"].isin(closed)].rename(columns={"n_customers": "customer_id"})
    lines = lines.loc[lines.index.repeat(5), ["customer_id", "date"]].assign(amount=range(5 * len(lines)))
    lines.to_csv(tmp_path / "transactions.csv", index=False)
    told = []
    for off in (set(), {*closed}):
        calendar = own_calendar(days, off).replace({"is_workday": {True: "是", False: "否"}})
        calendar.to_csv(tmp_path / "calendar.csv", index=False)
        dataset = open_dataset(tmp_path, cache=tmp_path / "cache")
        told.append(dataset.failures()["reason"].tolist())
        book = Workbook("data_quality", dataset, dataset.last_quarter(), "zh", tmp_path)
        assert book.doubts()["reason"].tolist() == [reason for reason in told[-1] if reason in REASONS]
    assert told == [["missing_weeks"], []]


# --- level shifts ----------------


@pytest.mark.parametrize("factor", [0.3, 3.0])
@pytest.mark.parametrize("make", [shop, growing, summer_closure])
def test_a_jump_to_another_level_is_found_within_two_days(make, factor):
    days = make(seed=1)
    after = days["date"] >= date(2023, 5, 10)
    days.loc[after, "n_lines"] = np.maximum((days.loc[after, "n_lines"] * factor).astype(int), 1)
    days.loc[after, "amount"] *= factor
    days["n_repeated_lines"] = 0
    (doubt,) = doubtful_periods(days, timezone=SHANGHAI).itertuples()
    assert (doubt.reason, doubt.last_date) == ("level_shift", days["date"].iloc[-1])
    assert abs((doubt.first_date - date(2023, 5, 10)).days) <= 2
    assert doubt.size == pytest.approx(factor, rel=0.3)


def test_a_ramp_of_a_quarter_is_no_jump():
    ramp = np.interp(np.arange(900), [400, 490], [1.0, 3.0])
    assert found(a_log(60 * ramp * noise(900))) == []


# --- powers of ten ----------------


@pytest.mark.parametrize("factor", [10.0, 100.0, 1e4, 0.1, 0.01, 1e-4])
@pytest.mark.parametrize(
    ("first", "last"), [(date(2023, 9, 6), date(2024, 3, 12)), (date(2023, 3, 6), date(2023, 3, 19))]
)
def test_another_unit_is_found_to_the_day(factor, first, last):
    days = shop(seed=2)
    odd = between(days, first, last)
    days.loc[odd, ["amount", "median_amount"]] *= factor
    doubts = doubtful_periods(days, timezone=SHANGHAI)
    assert doubts["reason"].tolist() == ["power_of_ten"]
    planted = days.loc[odd, "date"]
    assert (doubts["first_date"][0], doubts["last_date"][0]) == (planted.iloc[0], planted.iloc[-1])
    assert doubts["size"][0] == pytest.approx(factor)


def test_no_power_of_ten():
    days = shop(seed=2)
    after = days["date"] >= date(2023, 9, 6)
    days.loc[after, ["amount", "median_amount"]] *= 4
    assert "power_of_ten" not in [reason for reason, *_ in found(days)]


def test_trade_on_weekdays_and_the_public_on_saturdays():
    days = shop(seed=2)
    weekend = np.array([day.weekday() >= 5 for day in days["date"]])
    days.loc[weekend, ["amount", "median_amount"]] /= 10
    assert found(days) == []


# --- any log ----------------

DAY = st.tuples(
    st.dates(min_value=date(2010, 1, 1), max_value=date(2030, 12, 31)),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.floats(-1e12, 1e12),
    st.one_of(st.floats(-1e3, 1e12), st.just(float("nan"))),
)


@given(st.lists(DAY, max_size=30, unique_by=lambda day: day[0]), st.sampled_from([SHANGHAI, LONDON, "UTC", "?"]))
@examples(40)
def test_any_days_can_be_asked(rows, timezone):
    days = pd.DataFrame(rows, columns=["date", "n_lines", "share", "amount", "median_amount"])
    days = days.assign(n_repeated_lines=(days["n_lines"] * days["share"]).astype("int64"), n_customers=1)
    doubts = doubtful_periods(days, timezone=timezone)
    assert tuple(doubts.columns) == COLUMNS
    assert set(doubts["reason"]) <= set(REASONS)
    assert (doubts["first_date"] <= doubts["last_date"]).all()
    assert np.isfinite(doubts["size"]).all()
    pd.testing.assert_frame_equal(doubts, doubtful_periods(days[::-1], timezone=timezone))


def test_few_days_and_long_logs():
    assert doubtful_periods(shop().head(0), timezone=SHANGHAI).empty
    assert found(shop().head(1)) == []
    assert found(shop().head(2)) == []
    yearly = pd.DataFrame({"date": [date(year, 5, 4) for year in range(2000, 2020)], "amount": 5.0, "n_lines": 1})
    assert found(yearly.assign(n_repeated_lines=0, median_amount=5.0)) == []
    zero = shop().assign(amount=0.0, median_amount=np.nan)
    assert found(zero) == []
    assert found(a_log(30 * noise(7300), start=date(2005, 1, 3))) == []


@pytest.mark.parametrize("timezone", ["America/New_York", SHANGHAI])
def test_the_cohort_that_ships_is_no_fault(timezone):
    # New customers end in March 1997, and weekly lines fall to a third within a fortnight.
    lines = pd.read_csv(Path(__file__).parents[2] / "data" / "cdnow" / "transactions.csv", parse_dates=["date"])
    lines["repeated"] = lines.duplicated(["customer_id", "date", "amount", "quantity"])
    by_day = lines.groupby(lines["date"].dt.date)
    days = pd.DataFrame(
        {
            "n_lines": by_day.size(),
            "n_repeated_lines": by_day["repeated"].sum(),
            "amount": by_day["amount"].sum(),
            "median_amount": lines[lines["amount"] > 0].groupby(lines["date"].dt.date)["amount"].median(),
        }
    )
    assert found(days.reset_index(), timezone) == []
