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
    # Five customers show no rate of their own but count in the pooled one, which takes whom it has seen.
    assert found["2025Q3"].isna().all()
    assert found["all_cohorts"].tolist() == pytest.approx([1.0, 64 / 165, 30 / 160, 35 / 100])
    facts = finding.facts
    assert facts["retention_1"].value == pytest.approx(64 / 165)
    assert facts["retention_2"].value == pytest.approx(30 / 160)
    assert facts["retention_4"].value is None
    assert facts["retention_1_without_first"].value == pytest.approx(24 / 65)
    assert "36.9%" in " ".join(finding.note_texts("en"))
    assert (facts["n_customers"].value, facts["n_cohorts"].value, facts["n_small_cohorts"].value) == (185, 4, 1)


def test_what_is_not_over_by_then_is_censored():
    early = cohort_retention(COHORTS, as_of=date(2025, 12, 30))
    # The fourth quarter lacks a day: its cells are gone, and its cohort with them.
    assert early.facts["oldest_age"].value == 2
    assert early.facts["n_cohorts"].value == 3
    assert ("2025Q3", 1) not in rates(early).index
    assert early.facts["retention_1"].value == pytest.approx(60 / 160)


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


def test_one_customer():
    finding = cohort_retention(triangle([("2025Q1", 0, 1, 1), ("2025Q1", 1, 1, 0)]), as_of=AS_OF)
    assert finding.facts["retention_1"].value == 0.0
    assert finding.facts["retention_1_high"].value > 0.7


def test_one_cohort_alone_has_no_rate_without_it():
    finding = cohort_retention(COHORTS[COHORTS["cohort"] == pd.Period("2025Q1")], as_of=AS_OF)
    assert finding.facts["retention_1_without_first"].value is None
    assert "retention_without_first_cohort" not in finding.notes
