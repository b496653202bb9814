from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import overdue_customers

AS_OF = date(2026, 9, 30)


def rhythm(intervals, silence, amounts=None):
    """Make the input from each customer's intervals in days and its silence so far."""
    logs = [np.log(np.asarray(row, dtype=float)) for row in intervals]
    return pd.DataFrame(
        {
            "customer_id": [f"{number:05d}" for number in range(len(logs))],
            "last_purchase": [AS_OF - timedelta(days=int(days)) for days in silence],
            "n_intervals": [len(row) for row in logs],
            "sum_log_interval_days": [row.sum() for row in logs],
            "sum_squared_log_interval_days": [(row**2).sum() for row in logs],
            "mean_amount": np.full(len(logs), 100.0) if amounts is None else amounts,
        }
    )


def test_one_customer_by_hand():
    # Alone, no spread is borrowed: m = log 10, s = log 2, two degrees of freedom.
    frame = rhythm([[5, 10, 20]], [12])
    finding = overdue_customers(frame, as_of=AS_OF)
    row = finding.table.iloc[0]
    limit = 10 * np.exp(stats.t.ppf(0.95, 2) * np.log(2) * np.sqrt(4 / 3))
    assert row["usual_interval_days"] == pytest.approx(10)
    assert row["limit_days"] == pytest.approx(limit)
    assert (row["status"], row["silence_days"], row["days_overdue"]) == ("due", 12, 0)
    assert row["due_on"] == AS_OF - timedelta(days=2)
    assert row["amount_at_stake"] == 100.0


@pytest.mark.parametrize(
    ("silence", "status", "stake"),
    [(9, "on_time", 0), (10, "due", 50), (104, "newly_overdue", 50), (200, "long_overdue", 50)],
)
def test_status_by_silence(silence, status, stake):
    row = overdue_customers(rhythm([[5, 10, 20]], [silence], [50.0]), as_of=AS_OF).table.iloc[0]
    assert (row["status"], row["amount_at_stake"]) == (status, stake)
    # The limit is 103.5 days.
    assert row["days_overdue"] == {"newly_overdue": 1, "long_overdue": 97}.get(status, 0)


def test_the_list_begins_with_those_who_just_fell_silent_however_large_the_orders_of_those_long_gone():
    frame = rhythm([[7, 8, 9]] * 4, [500, 40, 60, 9], [900.0, 10.0, 20.0, 70.0])
    finding = overdue_customers(frame, as_of=AS_OF)
    assert finding.table["customer_id"].tolist() == ["00002", "00001", "00000", "00003"]
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert (facts["n_overdue"], facts["n_newly_overdue"], facts["n_long_overdue"]) == (3, 2, 1)
    assert (facts["amount_overdue"], facts["amount_newly_overdue"]) == (930.0, 30.0)


def test_net_returns_are_no_order_to_wait_for():
    finding = overdue_customers(rhythm([[7, 8, 9]] * 2, [40, 40], [-50.0, 20.0]), as_of=AS_OF)
    assert finding.table["amount_at_stake"].tolist() == [20.0, 0.0]


def test_who_has_no_rhythm_is_counted_not_judged():
    finding = overdue_customers(rhythm([[7, 7, 8], [7, 8], [9], []], [7, 400, 400, 400]), as_of=AS_OF)
    assert finding.table["customer_id"].tolist() == ["00000"]
    assert (finding.facts["n_judged"].value, finding.facts["n_too_few"].value) == (1, 3)


def test_sorted_by_urgency_then_stake_then_customer():
    frame = rhythm([[7, 8, 9]] * 5, [100, 1, 100, 9, 100], [10.0, 99.0, 30.0, 70.0, 30.0])
    finding = overdue_customers(frame, as_of=AS_OF)
    assert finding.table["customer_id"].tolist() == ["00002", "00004", "00000", "00003", "00001"]
    assert finding.facts["amount_overdue"].value == 70.0
    counts = [finding.facts[f"n_{status}"].value for status in ("overdue", "due", "on_time")]  # newly and long in one
    assert counts == [3, 1, 1]
    shuffled = frame.iloc[[3, 1, 4, 0, 2]]
    pd.testing.assert_frame_equal(overdue_customers(shuffled, as_of=AS_OF).table, finding.table)


def test_of_log_normal_waits_the_promised_share_passes_the_limit():
    # 12,000 customers whose spreads differ: 600 expected beyond, binomial deviation 24.
    rng = np.random.default_rng(2)
    n = 12_000
    deviation = 0.6 * np.sqrt(8 / rng.chisquare(8, n))
    mean = rng.normal(np.log(400), 0.8, n)
    waits = np.exp(mean[:, None] + deviation[:, None] * rng.normal(size=(n, 5)))
    table = overdue_customers(rhythm(waits[:, :4], np.zeros(n)), as_of=AS_OF).table
    next_wait = waits[table["customer_id"].astype(int), 4]
    assert np.mean(next_wait > table["limit_days"]) == pytest.approx(0.05, abs=3.5 * 0.002)


def test_of_gamma_waits_about_that_share_does():
    # The log-normal has the heavier right tail, so the list errs towards saying less.
    rng = np.random.default_rng(3)
    n = 6_000
    waits = rng.gamma(2.0, 20.0, (n, 9)) * np.exp(rng.normal(0, 0.5, (n, 1))) + 0.5
    table = overdue_customers(rhythm(waits[:, :8], np.zeros(n)), as_of=AS_OF).table
    beyond = np.mean(waits[table["customer_id"].astype(int), 8] > table["limit_days"])
    assert 0.01 < beyond < 0.055


@pytest.mark.parametrize(("deviation", "lowest", "highest"), [(0.4, 0.005, 0.03), (1.0, 0.09, 0.13)])
def test_false_alarms_among_customers_who_all_keep_their_rhythm(deviation, lowest, highest):
    # Renewal processes watched on one day, long after their start: whoever is beyond the limit is a false alarm.
    # Not 5 %: a day meets long waits more often than short ones, and a limit that few waits pass is soon left.
    rng = np.random.default_rng(8)
    n, watched = 4_000, 15_000.0
    waits = np.exp(np.log(200) + deviation * rng.normal(size=(n, 250)))
    times = np.cumsum(waits, axis=1)
    assert (times[:, -1] > watched).all()
    past = times <= watched
    intervals = [row[seen][1:] for row, seen in zip(waits, past, strict=True)]
    silence = watched - np.where(past, times, 0).max(axis=1)
    facts = overdue_customers(rhythm(intervals, silence), as_of=AS_OF).facts
    expected = facts["expected_false_alarms"].value
    assert lowest < expected / n < highest
    # Three binomial deviations, and a tenth for the waits unfinished at the end, which the rhythm cannot know.
    assert facts["n_overdue"].value == pytest.approx(expected, abs=3 * np.sqrt(expected) + 0.1 * expected)


def test_in_a_short_log_the_false_alarms_told_are_a_lower_bound():
    # As above, but watched after some waits only: the long ones are still open and unknown to the rhythm.
    rng = np.random.default_rng(9)
    waits = np.exp(np.log(60) + 0.6 * rng.normal(size=(4_000, 100)))
    times = np.cumsum(waits, axis=1)
    past = times <= 500.0
    intervals = [row[seen][1:] for row, seen in zip(waits, past, strict=True)]
    silence = 500.0 - np.where(past, times, 0).max(axis=1)
    facts = overdue_customers(rhythm(intervals, silence), as_of=AS_OF).facts
    assert facts["expected_false_alarms"].value < facts["n_overdue"].value


def test_a_clockwork_customer_is_overdue_only_when_it_misses_the_day_after_too():
    # No spread is believed below the rounding of intervals to whole days.
    frame = rhythm([[7] * 20] * 2 + [[30, 31, 30]], [7, 9, 30])
    status = overdue_customers(frame, as_of=AS_OF).table.set_index("customer_id")["status"]
    assert (status["00000"], status["00001"]) == ("due", "newly_overdue")


def test_words_in_both_languages():
    finding = overdue_customers(rhythm([[5, 10, 20]], [300]), as_of=AS_OF)
    assert "1 家" in finding.reading("zh")
    assert finding.reading("en")
    assert len(finding.note_texts("zh")) == len(finding.notes)


def test_a_wild_rhythm_stays_finite():
    frame = rhythm([[1, 900, 1], [1, 1, 800], [5, 6, 7]], [10, 10, 10])
    table = overdue_customers(frame, as_of=AS_OF, interval=0.9999).table
    assert np.isfinite(table["limit_days"]).all()


def test_faulty_input():
    frame = rhythm([[5, 10, 20], [5, 6, 7]], [3, 4])
    with pytest.raises(DataError, match="n_intervals"):
        overdue_customers(frame.drop(columns="n_intervals"), as_of=AS_OF)
    with pytest.raises(DataError, match="silence_days"):
        overdue_customers(frame, as_of=AS_OF - timedelta(days=10))
    with pytest.raises(DataError, match="name each row once"):
        overdue_customers(frame.assign(customer_id="a"), as_of=AS_OF)
    with pytest.raises(InsufficientDataError, match="None of 2 customers"):
        overdue_customers(rhythm([[], [5]], [3, 4]), as_of=AS_OF)
    with pytest.raises(InsufficientDataError):
        overdue_customers(frame.iloc[:0], as_of=AS_OF)
    for wrong in ({"interval": 0.05}, {"interval": 95}, {"minimum_intervals": 1}):
        with pytest.raises(UsageError):
            overdue_customers(frame, as_of=AS_OF, **wrong)
