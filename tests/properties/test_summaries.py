"""The summaries against a slow reference in plain Python, on random small logs."""

import math
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kehu_analysis import open_dataset
from kehu_analysis.data import check_dataset
from kehu_analysis.periods import DAYS_PER_UNIT
from kehu_analysis.summaries import btyd_summary, cohorts, customer_history, monthly_sales
from tests.scale import at_scale, scaled

pytestmark = scaled

START = date(2023, 1, 1)
LINE = st.tuples(
    st.sampled_from(["a", "b", "07", "7", "客户", "o'x"]),
    st.integers(0, 400).map(lambda n: START + timedelta(days=n)),
    st.integers(-3000, 9000).map(lambda cents: Decimal(cents) / 100),
)
LOGS = st.lists(LINE, min_size=1, max_size=40)
MODEST = settings(max_examples=at_scale(8, 25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Where each example is a data set that is read from files.
FEW = settings(MODEST, max_examples=at_scale(5, 12))


def frame_of(lines):
    return pd.DataFrame(
        [(customer, day.isoformat(), float(amount)) for customer, day, amount in lines],
        columns=["customer_id", "date", "amount"],
    )


def dataset_of(lines, folder):
    # An engine that rounds or misreads would do so from text, as a company's file is.
    path = Path(folder) / "transactions.csv"
    text = "".join(f'"{customer}",{day},{amount}\n' for customer, day, amount in lines)
    path.write_text("customer_id,date,amount\n" + text, encoding="utf-8")
    return open_dataset(folder, cache=Path(folder) / "cache")


def reference(lines, as_of):
    """Return, by customer: purchase days with their net spend, in order."""
    purchases = {}
    for customer in sorted({line[0] for line in lines}):
        own = [(day, amount) for who, day, amount in lines if who == customer and day <= as_of]
        days = sorted({day for day, amount in own if amount >= 0})
        spend = dict.fromkeys(days, Decimal(0))
        for day, amount in own:
            earlier = [bought for bought in days if bought <= day]
            if earlier:  # a return before the first purchase belongs to none
                spend[earlier[-1]] += amount
        if days:
            purchases[customer] = [(day, spend[day]) for day in days]
    return purchases


@MODEST
@given(LOGS, st.integers(-1, 401), st.sampled_from(sorted(DAYS_PER_UNIT)))
def test_btyd_summary_is_what_the_definitions_say(lines, offset, unit):
    as_of = START + timedelta(days=offset)
    expected = reference(lines, as_of)
    found = btyd_summary(frame_of(lines), as_of, unit)
    assert found["customer_id"].tolist() == list(expected)
    for row, purchases in zip(found.itertuples(), expected.values(), strict=True):
        days = [day for day, _ in purchases]
        gaps = [(later - earlier).days for earlier, later in pairwise(days)]
        repeat = [amount for _, amount in purchases[1:]]
        scale = DAYS_PER_UNIT[unit]
        assert row.frequency == len(gaps)
        assert (row.recency, row.T) == ((days[-1] - days[0]).days / scale, (as_of - days[0]).days / scale)
        assert row.monetary_value == (float(sum(repeat)) / len(repeat) if repeat else 0.0)
        assert row.sum_log_interval == pytest.approx(sum(math.log(gap / scale) for gap in gaps), abs=1e-9)
        assert 0 <= row.recency <= row.T


@FEW
@given(LOGS, st.randoms(use_true_random=False))
def test_dataset_frame_and_any_order_of_rows_agree_to_the_last_bit(lines, random):
    shuffled = random.sample(lines, len(lines))
    with tempfile.TemporaryDirectory() as folder:
        from_dataset = customer_history(dataset_of(lines, folder))
    pd.testing.assert_frame_equal(from_dataset, customer_history(frame_of(lines)), check_exact=True)
    pd.testing.assert_frame_equal(from_dataset, customer_history(frame_of(shuffled)), check_exact=True)


@FEW
@given(LOGS, st.integers(0, 400), st.sampled_from(["month", "quarter"]), st.integers(1, 12))
def test_months_add_up_and_cohorts_are_what_the_definitions_say(lines, offset, period, year_start):
    as_of = START + timedelta(days=offset)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dataset.toml").write_text(f"fiscal_year_start = {year_start}\n")
        dataset = dataset_of(lines, folder)
        months, table = monthly_sales(dataset, as_of), cohorts(dataset, as_of, period=period)
    until = [line for line in lines if line[1] <= as_of]
    by_month = {}
    for customer, day, amount in until:
        by_month[customer, f"{day:%Y-%m}"] = by_month.get((customer, f"{day:%Y-%m}"), 0) + amount
    assert {(row.customer_id, str(row.month)): row.amount for row in months.itertuples()} == {
        key: float(amount) for key, amount in by_month.items()
    }

    length, first = (1, 0) if period == "month" else (3, year_start - 1)

    def number(day):
        return (day.year * 12 + day.month - 1 - first) // length

    complete = number(as_of + timedelta(days=1)) - 1
    active = {who: {number(day) for day, _ in bought} for who, bought in reference(lines, as_of).items()}
    expected = {}
    for periods in active.values():
        for age in range(complete - min(periods) + 1):
            cell = expected.setdefault((min(periods), age), [0, 0])
            cell[0] += 1
            cell[1] += min(periods) + age in periods
    found = {(number(r.cohort.start_time.date()), r.age): [r.n_customers, r.n_active] for r in table.itertuples()}
    assert found == expected


BROKEN = st.sampled_from(["1", "1,2026-01-05,1,1", '"1,2026-01-05,1', '1,"2026"x,1', ",,x,,"])
SOUND = st.sampled_from(
    ["1,2026-01-05,1.25", '"1","2026-01-05","1"', ",2026-01-05,2", "1,never,1", '5" x,2026-01-05,1']
)
BLANK = st.just("")


@MODEST
@given(
    st.lists(st.one_of(SOUND, SOUND, BROKEN, BLANK), min_size=1, max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_every_line_of_a_file_is_in_one_class_at_its_place(lines, line_end, ends):
    if not any(lines):
        return
    text = line_end.join(["customer_id,date,amount", *lines]) + (line_end if ends else "")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "transactions.csv").write_bytes(text.encode())
        dataset = check_dataset(folder, cache=Path(folder) / "cache")
        counts = dataset.line_classes().groupby("line_class")["n_lines"].sum().to_dict()
        rejected = dataset.rejected()
    sound = {"1,2026-01-05,1.25", '"1","2026-01-05","1"', '5" x,2026-01-05,1'}
    apart = ",2026-01-05,2"
    expected = {
        "accepted": sum(line in sound for line in lines),
        "set_apart": sum(line == apart for line in lines),
        "rejected": sum(line not in sound and line not in ("", apart) for line in lines),
    }
    assert counts == {name: n for name, n in expected.items() if n}
    places = [row for row, line in enumerate(lines, start=2) if line not in sound and line not in ("", apart)]
    assert sorted(rejected["row"]) == places
