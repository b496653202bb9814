from datetime import date

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import cohort_retention


def triangle(rows, freq="Q-DEC"):
    frame = pd.DataFrame(rows, columns=["cohort", "age", "n_customers", "n_active"])
    return frame.assign(cohort=pd.PeriodIndex(frame["cohort"], freq=freq))


COHORTS = triangle(
    [
        ("2025Q1", 0, 100, 100),
        ("2025Q1", 1, 100, 40),
        ("2025Q1", 2, 100, 30),
        ("2025Q1", 3, 100, 35),
        ("2025Q2", 0, 60, 60),
        ("2025Q2", 1, 60, 20),
        ("2025Q2", 2, 60, 0),
        ("2025Q3", 0, 5, 5),
        ("2025Q3", 1, 5, 4),
        ("2025Q4", 0, 20, 20),
    ]
)
AS_OF = date(2025, 12, 31)


def rates(finding):
    return finding.table.set_index(["cohort", "age"])["retention"]


def test_triangle_by_hand():
    finding = cohort_retention(COHORTS, as_of=AS_OF)
    found = rates(finding)
    assert found["2025Q1"].tolist() == [1.0, 0.4, 0.3, 0.35]
    assert found["2025Q2"].tolist() == [1.0, 20 / 60, 0.0]
    # Five customers show no rate of their own but count in the pooled one; the first cohort, which is none, does not.
    assert found["2025Q3"].isna().all()
    assert found["all_cohorts"].tolist() == pytest.approx([1.0, 24 / 65, 0 / 60])
    facts = finding.facts
    assert facts["retention_1"].value == pytest.approx(24 / 65)
    assert facts["retention_2"].value == 0
    assert facts["retention_4"].value is None
    assert facts["retention_1_of_first"].value == pytest.approx(0.4)
    assert "40%" in " ".join(finding.note_texts("en"))
    # Three cohorts do not tell how cohorts differ.
    assert "too_few_cohorts" in finding.notes
    assert finding.table.loc[finding.table["cohort"] == "all_cohorts", "retention_low"].isna().all()
    assert (facts["n_customers"].value, facts["n_cohorts"].value, facts["n_small_cohorts"].value) == (185, 4, 1)


def test_what_is_not_over_by_then_is_censored():
    early = cohort_retention(COHORTS, as_of=date(2025, 12, 30))
    # The fourth quarter lacks a day: its cells are gone, and its cohort with them.
    assert early.facts["oldest_age"].value == 2
    assert early.facts["n_cohorts"].value == 3
    assert ("2025Q3", 1) not in rates(early).index
    assert early.facts["retention_1"].value == pytest.approx(20 / 60)


# Newcombe, R. G. (1998), Two-sided confidence intervals for the single proportion, Statistics in Medicine 17,
# 857-872, table I, method 3 (score without continuity correction); printed to 4 digits.
@pytest.mark.parametrize(
    ("active", "customers", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_intervals(active, customers, low, high):
    cohorts = triangle([("2025Q1", 1, customers, active)])
    row = cohort_retention(cohorts, as_of=AS_OF).table.iloc[0]
    assert (row["retention_low"], row["retention_high"]) == pytest.approx((low, high), abs=5e-5)


def test_at_age_0_nothing_is_estimated():
    table = cohort_retention(COHORTS, as_of=AS_OF).table
    assert table.loc[table["age"] == 0, ["retention_low", "retention_high"]].isna().all(axis=None)


def test_months_and_fiscal_quarters_have_their_names():
    months = triangle([("2026-01", 0, 30, 30), ("2026-01", 1, 30, 10)], freq="M")
    finding = cohort_retention(months, as_of=date(2026, 2, 28))
    assert finding.table["cohort"].tolist()[0] == "2026-01"
    assert "第 1 个月" in finding.reading("zh")
    # A fiscal year from April: July to September 2025 is its second quarter, of the year that starts in 2025.
    fiscal = triangle([("2026Q2", 0, 30, 30), ("2026Q2", 1, 30, 10)], freq="Q-MAR")
    assert fiscal["cohort"][0].start_time.date() == date(2025, 7, 1)
    assert cohort_retention(fiscal, as_of=AS_OF).table["cohort"].tolist()[0] == "2025Q2"


def test_order_of_rows_is_irrelevant_and_the_input_stays_as_it_was():
    before = COHORTS.copy()
    shuffled = COHORTS.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(
        cohort_retention(shuffled, as_of=AS_OF).table, cohort_retention(COHORTS, as_of=AS_OF).table
    )
    pd.testing.assert_frame_equal(COHORTS, before)


def test_words_in_both_languages():
    finding = cohort_retention(COHORTS, as_of=AS_OF)
    assert finding.reading("zh") != finding.reading("en")
    assert len(finding.note_texts("en")) == len(finding.notes)


def test_faulty_input():
    with pytest.raises(DataError, match="n_active"):
        cohort_retention(COHORTS.drop(columns="n_active"), as_of=AS_OF)
    with pytest.raises(DataError, match="must hold quarters or months"):
        cohort_retention(COHORTS.assign(cohort="2025Q1"), as_of=AS_OF)
    with pytest.raises(DataError, match="2025Q1 at age 1 stands twice"):
        cohort_retention(COHORTS.iloc[[0, 1, 1]], as_of=AS_OF)
    with pytest.raises(DataError, match="more active"):
        cohort_retention(COHORTS.assign(n_active=101), as_of=AS_OF)
    with pytest.raises(DataError, match="sound number"):
        cohort_retention(COHORTS.assign(n_active=np.nan), as_of=AS_OF)
    with pytest.raises(InsufficientDataError):
        cohort_retention(COHORTS.iloc[:0], as_of=AS_OF)
    with pytest.raises(InsufficientDataError, match="no cohort has seen"):
        cohort_retention(COHORTS, as_of=date(2025, 3, 31))
    with pytest.raises(UsageError):
        cohort_retention(COHORTS, as_of=AS_OF, interval=95)


def test_one_cohort_alone_is_pooled_and_said_to_be_that():
    finding = cohort_retention(triangle([("2025Q1", 0, 1, 1), ("2025Q1", 1, 1, 0)]), as_of=AS_OF)
    assert finding.facts["retention_1"].value == 0.0
    assert finding.facts["retention_1_high"].value is None
    assert finding.notes[:2] == ("only_first_cohort", "too_few_cohorts")
    finding = cohort_retention(COHORTS[COHORTS["cohort"] == pd.Period("2025Q1")], as_of=AS_OF)
    assert finding.facts["retention_1"].value == pytest.approx(0.4)


def cohorts_of(rates_by_age, sizes, rng, correlation=0.03, first="2020Q1"):
    """Return cohorts by quarter, the last of which is new: each with its own rates, all drawn about the same."""
    rows = []
    start = pd.Period(first, freq="Q-DEC")
    for number, size in enumerate(sizes):
        own = rng.normal()
        for age in range(len(sizes) - number):
            mean = 1.0 if age == 0 else rates_by_age[min(age, len(rates_by_age)) - 1]
            spread = np.sqrt(correlation * mean * (1 - mean))
            rate = np.clip(mean + spread * (0.8 * own + 0.6 * rng.normal()), 0.001, 1)
            rows.append((start + number, age, size, rng.binomial(size, rate)))
    frame = pd.DataFrame(rows, columns=["cohort", "age", "n_customers", "n_active"])
    return frame.assign(cohort=pd.PeriodIndex(frame["cohort"], freq="Q-DEC"))


def last_day(frame):
    return frame["cohort"].max().end_time.date()


def test_intervals_know_that_cohorts_differ():
    """The mean rate is covered, and the next cohort; taking all customers as alike covers far less."""
    mean, naive, following = 0, 0, 0
    n_worlds = 60
    for seed in range(n_worlds):
        rng = np.random.default_rng([1, seed])
        frame = cohorts_of([0.6, 0.5, 0.45], rng.integers(80, 400, 11), rng)
        facts = cohort_retention(frame[frame["age"] <= 1], as_of=last_day(frame)).facts
        mean += facts["retention_1_low"].value <= 0.6 <= facts["retention_1_high"].value
        pooled = frame[(frame["age"] == 1) & (frame["cohort"] > frame["cohort"].min())]
        share, n = pooled["n_active"].sum() / pooled["n_customers"].sum(), pooled["n_customers"].sum()
        naive += abs(share - 0.6) < 1.96 * np.sqrt(share * (1 - share) / n)
        size = facts["next_size"].value
        rate = np.clip(0.6 + np.sqrt(0.03 * 0.24) * rng.normal(), 0, 1)
        following += facts["next_1_low"].value <= rng.binomial(size, rate) / size <= facts["next_1_high"].value
    assert mean >= 0.85 * n_worlds
    assert naive < 0.6 * n_worlds
    assert 0.8 * n_worlds <= following


def test_the_linked_curve_does_not_rise_because_cohorts_drop_out():
    rng = np.random.default_rng(4)
    sizes = np.full(12, 40_000)
    frame = cohorts_of([0.7, 0.6, 0.55, 0.5], sizes, rng, correlation=0.0)
    # The oldest cohorts are those that stay: pooled, the curve rises at its end.
    old = frame["cohort"] <= pd.Period("2020Q3")
    frame.loc[old & (frame["age"] > 0), "n_active"] = (frame["n_active"] * 1.3).astype(int).clip(upper=40_000)
    table = cohort_retention(frame, as_of=last_day(frame)).table
    pooled = table[table["cohort"] == "all_cohorts"].set_index("age")
    assert pooled["retention"][10] > pooled["retention"][8] + 0.03
    assert pooled["linked_retention"][10] < pooled["linked_retention"][8] + 0.01


def test_the_linked_curve_by_hand():
    table = cohort_retention(COHORTS, as_of=AS_OF).table
    linked = table[table["cohort"] == "all_cohorts"].set_index("age")["linked_retention"]
    # At age 1 24 of 65; to age 2 only the cohort of 60 goes on, 20 of whom were there at age 1.
    assert linked.tolist() == pytest.approx([1, 24 / 65, 0])


def test_a_trend_from_cohort_to_cohort_is_found():
    rng = np.random.default_rng(9)
    frame = cohorts_of([0.5], np.full(13, 500), rng, correlation=0.0)
    number = frame["cohort"].map(lambda period: period.ordinal) - frame["cohort"].min().ordinal
    ones = frame["age"] == 1
    frame.loc[ones, "n_active"] += (500 * 0.01 * number[ones]).astype(int)
    facts = cohort_retention(frame, as_of=last_day(frame)).facts
    assert facts["trend_per_year_low"].value <= 0.04 <= facts["trend_per_year_high"].value
    assert facts["trend_per_year_low"].value > 0


def test_the_draws_do_not_hang_on_the_order_of_rows_and_may_be_seeded():
    rng = np.random.default_rng(2)
    frame = cohorts_of([0.6], rng.integers(20, 60, 9), rng)
    one = cohort_retention(frame, as_of=last_day(frame), rng=5)
    other = cohort_retention(frame.sample(frac=1, random_state=1), as_of=last_day(frame), rng=np.random.default_rng(5))
    pd.testing.assert_frame_equal(one.table, other.table)
