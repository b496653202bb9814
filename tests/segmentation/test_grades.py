import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.segmentation import grade_customers
from tests.scale import examples

# The worked example of the handbook's grading procedure: 20 customers, 2.5 million in sales over three months;
# the first 4 bring 80 %, the 5th to 10th 15 %, the last 10 5 %.
HANDBOOK = np.array([500_000.0] * 4 + [62_500.0] * 6 + [12_500.0] * 10)
EXPECTED = ["A"] * 4 + ["B"] * 6 + ["C"] * 10


def monthly(amounts, months=("2026-07", "2026-08", "2026-09"), ids=None):
    """Spread each customer's total evenly over the months."""
    ids = ids or [f"{number:03d}" for number in range(len(amounts))]
    frame = pd.DataFrame(
        [(name, month, amount / len(months)) for name, amount in zip(ids, amounts, strict=True) for month in months],
        columns=["customer_id", "month", "amount"],
    )
    return frame.assign(month=pd.PeriodIndex(frame["month"], freq="M"))


def grades(sales, **settings_):
    return grade_customers(sales, **settings_).table.set_index("customer_id")["grade"].sort_index()


def test_handbook_example():
    finding = grade_customers(monthly(HANDBOOK))
    assert finding.table["grade"].tolist() == EXPECTED
    facts = finding.facts
    assert [facts[f"n_customers_{name}"].value for name in "abc"] == [4, 6, 10]
    assert [facts[f"share_of_sales_{name}"].value for name in "abc"] == pytest.approx([0.80, 0.15, 0.05])
    assert facts["standard_amount_a"].value == pytest.approx(500_000 / 3, abs=0.01)
    assert facts["standard_amount_b"].value == pytest.approx(62_500 / 3, abs=0.01)
    assert facts["total_amount"].value == 2_500_000.0


@examples(100)
@given(
    scale=st.floats(1e-6, 1e7) | st.sampled_from([1 / 3, 0.1, 1e-4, 7 / 11]),
    ulps=st.lists(st.integers(-4, 4), min_size=60, max_size=60),
    seed=st.integers(0, 2**32 - 1),
    uneven=st.booleans(),
)
def test_handbook_example_whatever_the_last_bits_the_scale_and_the_order(scale, ulps, seed, uneven):
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet([1.0] * 3, size=20) if uneven else np.full((20, 3), 1 / 3)
    amounts = HANDBOOK[:, None] * scale * parts
    noisy = amounts.ravel() + np.spacing(amounts.ravel()) * np.array(ulps)
    sales = monthly(HANDBOOK).assign(amount=noisy)
    shuffled = sales.iloc[rng.permutation(len(sales))]
    assert grades(shuffled).tolist() == EXPECTED


@examples(60)
@given(
    amounts=st.lists(st.decimals(0, 10_000, places=2).map(float), min_size=1, max_size=30).filter(lambda x: sum(x) > 0),
    by=st.sampled_from([("share", None), ("amount", (500.0, 20.0)), ("rank", (2, 5, 9))]),
)
def test_properties(amounts, by):
    how, standards = by
    sales = monthly(amounts, months=("2026-09",))
    table = grade_customers(sales, by=how, standards=standards).table
    # Sorted, and grades fall with amounts: equal customers share a grade.
    assert table["average_monthly_amount"].is_monotonic_decreasing
    assert table["grade"].is_monotonic_increasing
    assert len(table[["average_monthly_amount", "grade"]].drop_duplicates()) == len(
        set(table["average_monthly_amount"])
    )
    assert table["share_of_sales"].sum() == pytest.approx(1)
    assert table["running_share"].iloc[-1] == pytest.approx(1)
    assert table["rank"].tolist() == list(range(1, len(amounts) + 1))
    # A customer without sales in the window changes nobody's grade.
    idle = pd.DataFrame({"customer_id": ["zzz"], "month": pd.PeriodIndex(["2026-01"], freq="M"), "amount": [77.0]})
    more = grade_customers(pd.concat([sales, idle]), by=how, standards=standards).table
    pd.testing.assert_series_equal(more["grade"].iloc[:-1], table["grade"])
    assert not more["is_active"].iloc[-1]


def test_a_month_without_sales_counts_as_nothing():
    sales = monthly([90.0], months=("2026-09",))
    assert grade_customers(sales, months=3).table["average_monthly_amount"].tolist() == [30.0]
    assert grade_customers(sales, months=6).table["average_monthly_amount"].tolist() == [15.0]
    assert "window_before_log" in grade_customers(sales).notes


def test_the_window_ends_with_the_month_asked_for_and_nobody_later_exists():
    sales = pd.concat(
        [
            monthly([60.0, 30.0], months=("2026-04",), ids=["old", "b"]),
            monthly([999.0], months=("2026-09",), ids=["new"]),
        ]
    )
    finding = grade_customers(sales, last_month=pd.Period("2026-06", "M"))
    assert finding.table["customer_id"].tolist() == ["old", "b"]
    assert finding.table["average_monthly_amount"].tolist() == [20.0, 10.0]
    assert finding.parameters["first_month"] == "2026-04"


def test_customers_without_sales_have_the_last_grade_and_stand_apart():
    sales = pd.concat([monthly([80.0, 15.0, 5.0]), monthly([500.0], months=("2026-01",), ids=["idle"])])
    finding = grade_customers(sales)
    idle = finding.table.iloc[-1]
    assert (idle["customer_id"], idle["grade"], idle["is_active"]) == ("idle", "C", False)
    assert finding.facts["n_inactive"].value == 1
    assert finding.facts["n_customers_c"].value == 1
    assert "inactive_apart" in finding.notes


def test_returns_above_purchases_leave_a_customer_without_sales():
    finding = grade_customers(monthly([80.0, 25.0, -5.0]))
    assert finding.table["is_active"].tolist() == [True, True, False]
    assert finding.table["running_share"].tolist() == pytest.approx([0.80, 1.05, 1.0])
    assert "net_returns_in_window" in finding.notes


def test_by_amount():
    # At the standard amount is in the grade; monthly amounts, whatever the window.
    sales = monthly([300.0, 299.99, 30.0, 29.99, 0.03])
    assert grades(sales, by="amount", standards=(100.0, 10.0)).tolist() == ["A", "B", "B", "C", "C"]


def test_by_rank_takes_all_who_equal_the_last_of_the_rank():
    sales = monthly([90.0, 60.0, 60.0, 60.0, 30.0])
    assert grades(sales, by="rank", standards=(2, 5)).tolist() == ["A", "A", "A", "A", "B"]


def test_a_third_three_times_is_the_whole():
    whole, thirds = monthly([100.0], months=("2026-09",), ids=["whole"]), monthly([100.0], ids=["thirds"])
    sales = pd.concat([whole, thirds, monthly([40.0], ids=["less"])])
    for how, standards in (("rank", (1,)), ("amount", (100 / 3,)), ("share", (0.4,))):
        expected = {"less": "B", "thirds": "A", "whole": "A"}
        assert grades(sales, by=how, standards=standards).to_dict() == expected


def test_by_rank_beyond_the_customers_with_sales():
    idle = monthly([50.0], months=("2026-01",), ids=["idle"])
    sales = pd.concat([monthly([90.0, 60.0]), idle])
    assert grades(sales, by="rank", standards=(1, 10)).to_dict() == {"000": "A", "001": "B", "idle": "C"}


def test_one_standard_gives_two_grades_and_three_give_four():
    sales = monthly(HANDBOOK)
    assert set(grades(sales, standards=(0.8,))) == {"A", "B"}
    assert grades(sales, standards=(0.5, 0.8, 0.95)).tolist() == ["A"] * 4 + ["C"] * 6 + ["D"] * 10


def test_one_customer():
    assert grades(monthly([12.5])).tolist() == ["A"]


def test_months_may_come_as_text_or_dates():
    sales = monthly(HANDBOOK)
    for months in (sales["month"].astype(str), sales["month"].dt.to_timestamp()):
        assert grades(sales.assign(month=months)).tolist() == EXPECTED


def test_the_input_stays_as_it_was():
    sales = monthly(HANDBOOK)
    before = sales.copy()
    grade_customers(sales)
    pd.testing.assert_frame_equal(sales, before)


def test_words_in_both_languages():
    finding = grade_customers(monthly(HANDBOOK), standards=(0.8,)).in_currency("CNY")
    assert "4 家" in finding.reading("zh")
    assert "4 of them" in finding.reading("en")
    assert finding.note_texts("zh")


@pytest.mark.parametrize(
    "wrong",
    [
        {"months": 2},
        {"months": 7},
        {"months": 3.5},
        {"by": "profit"},
        {"by": "amount"},
        {"by": "rank"},
        {"standards": (0.95, 0.80)},
        {"standards": (80, 95)},
        {"standards": ()},
        {"standards": (np.nan,)},
        {"by": "amount", "standards": (10.0, 100.0)},
        {"by": "rank", "standards": (2.5, 4)},
        {"by": "rank", "standards": (0, 4)},
        {"standards": tuple(np.linspace(0.1, 1, 9))},
    ],
)
def test_wrong_use(wrong):
    with pytest.raises(UsageError):
        grade_customers(monthly(HANDBOOK), **wrong)


def test_faulty_input():
    sales = monthly([10.0, 20.0])
    with pytest.raises(DataError, match="month"):
        grade_customers(sales.drop(columns="month"))
    with pytest.raises(DataError, match="holds 'spring'"):
        grade_customers(sales.assign(month="spring"))
    with pytest.raises(DataError, match="sound number"):
        grade_customers(sales.assign(amount=np.nan))
    with pytest.raises(InsufficientDataError):
        grade_customers(sales.iloc[:0])
    with pytest.raises(InsufficientDataError, match="not above 0"):
        grade_customers(monthly([-10.0, 10.0]))
