from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import labels
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.segmentation import rfm_profile, rfm_segments
from kehu_analysis.segmentation.rfm import RULES, SEGMENTS
from tests.scale import examples

AS_OF = date(2026, 9, 30)


def history(n=200, seed=1):
    rng = np.random.default_rng(seed)
    frequency = rng.geometric(0.4, n) - 1
    age = rng.integers(30, 700, n)
    recency = np.where(frequency > 0, rng.integers(0, age), 0)
    return pd.DataFrame(
        {
            "customer_id": [f"{number:04d}" for number in range(n)],
            "frequency": frequency,
            "recency": recency / 7,
            "T": age / 7,
            "monetary_value": np.where(frequency > 0, 20.0, 0.0),
            "total_amount": (frequency + 1) * rng.gamma(2.0, 30.0, n).round(2),
        }
    )


def test_the_rules_name_a_segment_for_every_combination_and_all_are_used():
    named = set()
    for scores in product(range(1, 6), repeat=3):
        fitting = [
            rule.segment
            for rule in RULES
            if all(low <= score <= high for score, (low, high) in zip(scores, rule[1:], strict=True))
        ]
        assert fitting, scores
        named.add(fitting[0])
    assert named == set(SEGMENTS)
    for name in SEGMENTS:
        for lang in ("zh", "en"):
            assert labels.label(f"value.{name}", lang)


def test_scores_by_hand():
    # Ten customers: the score is 1 + floor(5 · share of customers that are worse).
    summary = pd.DataFrame(
        {
            "customer_id": list("abcdefghij"),
            "frequency": [0, 0, 0, 0, 0, 0, 1, 1, 2, 9],
            "recency": 0.0,
            "T": np.arange(10) / 7,
            "monetary_value": 0.0,
            "mean_amount": [5.0] * 10,
        }
    )
    table = rfm_segments(summary, as_of=AS_OF).table.set_index("customer_id").sort_index()
    assert table["recency_days"].tolist() == list(range(10))
    assert table["recency_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    # Six tie at the bottom; beyond them 60, 60, 80 and 90 per cent are worse.
    assert table["frequency_score"].tolist() == [1] * 6 + [4, 4, 5, 5]
    assert table["monetary_score"].tolist() == [1] * 10
    assert table["purchase_days"].tolist() == [1] * 6 + [2, 2, 3, 10]
    assert table["segment"].tolist() == ["newcomers"] * 4 + ["needs_attention"] * 2 + ["at_risk"] * 4


@pytest.mark.parametrize(("n_latest", "score"), [(30, 3), (25, 3), (17, 4), (12, 5)])
def test_most_customers_bought_on_the_last_day_and_are_not_lost(n_latest, score):
    # A log dated by the month, say: whoever is up to date must not score like whoever is not.
    age = np.concatenate([np.zeros(n_latest), np.arange(1, 31 - n_latest)])
    summary = history(30).assign(frequency=0, recency=0.0, T=age / 7, total_amount=1.0)
    table = rfm_segments(summary, as_of=AS_OF, n_resamples=2).table
    latest = table[table["recency_days"] == 0]
    assert set(latest["recency_score"]) == {score}
    assert not set(latest["segment"]) & {"lost", "at_risk", "must_win_back"}


@examples(40)
@given(
    counts=st.lists(st.integers(0, 4), min_size=10, max_size=60),
    seed=st.integers(0, 2**16),
)
def test_equal_values_score_equally_better_ones_no_less_and_order_is_irrelevant(counts, seed):
    rng = np.random.default_rng(seed)
    n = len(counts)
    summary = pd.DataFrame(
        {
            "customer_id": [f"{number:02d}" for number in range(n)],
            "frequency": counts,
            "recency": rng.integers(0, 5, n),
            "T": 5.0,
            "monetary_value": 0.0,
            "mean_amount": rng.integers(1, 4, n) / 3,
        }
    )
    table = rfm_segments(summary, as_of=AS_OF, n_resamples=2).table
    for value, score, worst in (
        ("purchase_days", "frequency_score", False),
        ("mean_amount", "monetary_score", False),
        ("recency_days", "recency_score", True),
    ):
        scores = table.groupby(value)[score].agg(["min", "max"])
        assert (scores["min"] == scores["max"]).all()
        assert scores["min"].iloc[:: -1 if worst else 1].is_monotonic_increasing
    shuffled = summary.iloc[rng.permutation(n)]
    pd.testing.assert_frame_equal(rfm_segments(shuffled, as_of=AS_OF, n_resamples=2).table, table)


def test_money_is_the_mean_of_a_purchase_day_where_it_can_be_known():
    summary = history(20)
    table = rfm_segments(summary, as_of=AS_OF).table.set_index("customer_id").sort_index()
    expected = summary["total_amount"] / (summary["frequency"] + 1)
    assert table["mean_amount"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-4)
    plain = rfm_segments(summary.drop(columns="total_amount"), as_of=AS_OF).table
    assert set(plain["mean_amount"]) == {0.0, 20.0}


def test_the_same_silence_in_any_time_unit():
    weeks = history()
    days = weeks.assign(recency=weeks["recency"] * 7, T=weeks["T"] * 7)
    pd.testing.assert_frame_equal(
        rfm_segments(weeks, as_of=AS_OF).table, rfm_segments(days, as_of=AS_OF, time_unit="day").table
    )


def test_stability_is_measured_and_repeatable():
    first, again = (rfm_segments(history(), as_of=AS_OF, rng=7).facts for _ in range(2))
    assert first == again
    low, mid, high = (first[f"share_kept_segment{end}"].value for end in ("_low", "", "_high"))
    assert 0.5 < low < mid < high <= 1
    # More customers fix the borders better.
    many = rfm_segments(history(5000), as_of=AS_OF, n_resamples=30).facts["share_kept_segment"].value
    assert many > mid


def test_profile_adds_up():
    finding = rfm_segments(history(), as_of=AS_OF).in_currency("CNY")
    profile = rfm_profile(finding)
    assert profile.currency == "CNY"
    table = profile.table.set_index("segment")
    assert table["n_customers"].sum() == 200
    assert table["share_of_customers"].sum() == pytest.approx(1)
    assert table["share_of_sales"].sum() == pytest.approx(1)
    customers = finding.table[finding.table["segment"] == "lost"]
    assert table.loc["lost", "median_recency_days"] == customers["recency_days"].median()
    assert table.loc["lost", "amount"] == pytest.approx(customers["total_amount"].sum())
    assert [name for name in SEGMENTS if name in table.index] == list(table.index)
    assert sum(profile.facts[f"share_of_customers_{name}"].value for name in SEGMENTS) == pytest.approx(1)


def test_without_amounts_no_share_of_sales_is_told():
    profile = rfm_profile(rfm_segments(history().drop(columns="total_amount"), as_of=AS_OF))
    assert "share_of_sales" not in profile.table
    assert profile.facts["share_of_sales_lost"].value is None


def test_words_in_both_languages():
    finding = rfm_segments(history(), as_of=AS_OF)
    for found in (finding, rfm_profile(finding)):
        assert found.reading("zh") != found.reading("en")
        assert len(found.note_texts("zh")) == len(found.notes)


def test_faulty_input():
    summary = history(20)
    with pytest.raises(DataError, match="lacks T"):
        rfm_segments(summary.drop(columns="T"), as_of=AS_OF)
    with pytest.raises(DataError, match="must name each row once"):
        rfm_segments(summary.assign(customer_id="a"), as_of=AS_OF)
    with pytest.raises(DataError, match="recency_days"):
        rfm_segments(summary.assign(recency=summary["T"] + 1), as_of=AS_OF)
    for frame in (summary.iloc[:0], summary.iloc[:1]):
        with pytest.raises(InsufficientDataError):
            rfm_segments(frame, as_of=AS_OF)
    with pytest.raises(UsageError):
        rfm_segments(summary, as_of=AS_OF, n_resamples=0)
    with pytest.raises(UsageError):
        rfm_profile(rfm_profile(rfm_segments(summary, as_of=AS_OF)))
