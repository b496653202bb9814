"""The describing analyses on the CDNOW log, against counts made straight from its lines."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.loyalty import cohort_retention
from kehu_analysis.periods import Quarter
from kehu_analysis.sales import quarter_sales
from kehu_analysis.segmentation import grade_customers

AS_OF = date(1998, 6, 30)


@pytest.fixture(scope="module")
def log():
    path = Path(__file__).parents[2] / "data" / "cdnow" / "transactions.csv"
    return pd.read_csv(path, dtype={"customer_id": str}, parse_dates=["date"])


@pytest.fixture(scope="module")
def sales(log):
    month = log["date"].dt.to_period("M").rename("month")
    grouped = log.groupby([log["customer_id"], month])
    return grouped.agg(amount=("amount", "sum"), n_purchase_days=("date", "nunique")).reset_index()


def test_the_last_quarter(log, sales):
    lines = log[log["date"] >= "1998-04-01"]
    facts = quarter_sales(sales, quarter=Quarter.parse("1998Q2")).facts
    assert facts["amount"].value == pytest.approx(lines["amount"].sum(), abs=0.005)
    assert facts["n_active"].value == lines["customer_id"].nunique()


def test_all_quarters_make_up_the_published_total(sales):
    table = quarter_sales(sales, quarter=Quarter.parse("1998Q2")).table
    # 69,659 purchases of 23,570 customers, 2,500,315.63 in all; everybody first bought in the first quarter.
    assert round(float(table["amount"].sum()), 2) == 2_500_315.63
    assert table["n_active"].iloc[0] == 23_570


def test_grades_against_the_procedure_step_by_step(log, sales):
    cents = (log.loc[log["date"] >= "1998-04-01"].set_index("customer_id")["amount"] * 100).round().astype(int)
    totals = cents.groupby(level=0).sum().sort_values(ascending=False)
    running = totals.cumsum()
    borders = [int(totals[running * 100 >= totals.sum() * share].iloc[0]) for share in (80, 95)]
    table = grade_customers(sales).table.set_index("customer_id")
    for grade, chosen in (
        ("A", totals >= borders[0]),
        ("B", (totals < borders[0]) & (totals >= borders[1])),
    ):
        assert set(table.index[table["grade"] == grade]) == set(totals.index[chosen])
    assert len(table) == 23_570


def test_retention_against_distinct_customers(log):
    quarter = log["date"].dt.to_period("Q")
    active = log.groupby(quarter)["customer_id"].nunique()
    cohorts = pd.DataFrame(
        {
            "cohort": pd.PeriodIndex(["1997Q1"] * 6, freq="Q-DEC"),
            "age": np.arange(6),
            "n_customers": 23_570,
            "n_active": active.to_numpy(),
        }
    )
    facts = cohort_retention(cohorts, as_of=AS_OF).facts
    # By hand from the log: 5,376 customers bought in the second quarter of 1997, 3,817 in the first of 1998.
    assert facts["retention_1"].value == pytest.approx(5376 / 23570)
    assert facts["retention_4"].value == pytest.approx(3817 / 23570)
