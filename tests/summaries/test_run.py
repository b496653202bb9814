from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.periods import DAYS_PER_UNIT
from kehu_analysis.summaries import (
    btyd_summary,
    cohorts,
    customer_days,
    customer_history,
    customer_quarters,
    in_memory,
    monthly_sales,
    product_margins,
    set_apart_sales,
    weekly_purchases,
)

LOG = pd.DataFrame(
    [
        ("b", "2026-01-10", -5.0),  # a return before any purchase counts nowhere
        ("b", "2026-02-01", 20.0),
        ("b", "2026-02-01", -30.0),  # on the purchase day itself
        ("b", "2026-02-15", 0.0),  # nothing paid is a purchase day
        ("b", "2026-02-20", -4.0),  # nets against 02-15
        ("b", "2026-03-01", 7.5),
        ("a", "2026-01-31", 10.0),
        ("a", "2026-01-31", 2.5),
        ("r", "2026-01-31", -1.0),  # returns only: no customer who buys
        ("z", "2026-03-02", 1.0),
    ],
    columns=["customer_id", "date", "amount"],
)


@pytest.fixture
def dataset(tmp_path):
    def _open(log=LOG, **settings):
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        log.to_csv(folder / "transactions.csv", index=False)
        (folder / "dataset.toml").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        return open_dataset(folder, cache=tmp_path / "cache")

    return _open


def test_btyd_summary_by_hand():
    found = btyd_summary(LOG, date(2026, 3, 1), "day").set_index("customer_id")
    assert found.index.tolist() == ["a", "b"]
    assert found.loc["a"].tolist() == [0, 0.0, 29.0, 0.0, 0.0]
    frequency, recency, age, spend, logs = found.loc["b"].tolist()
    assert (frequency, recency, age) == (2, 28.0, 28.0)
    assert spend == (0.0 - 4.0 + 7.5) / 2
    assert logs == pytest.approx(2 * np.log(14), abs=1e-11)


def test_dataset_and_frame_agree(dataset):
    for as_of in (None, date(2026, 2, 15), date(2026, 3, 1)):
        pd.testing.assert_frame_equal(btyd_summary(dataset(), as_of), btyd_summary(LOG, as_of))
    assert btyd_summary(LOG)["customer_id"].dtype == "str"


def test_customer_quarters_by_hand(dataset):
    log = LOG.assign(cost=[None, 12.0, -18.0, None, None, 5.0, 4.0, 1.0, None, 0.5])
    found = customer_quarters(dataset(log), date(2026, 3, 31)).set_index("customer_id")
    assert set(found["quarter"].astype(str)) == {"2026Q1"}
    assert found["amount"].to_dict() == {"a": 12.5, "b": -11.5, "r": -1.0, "z": 1.0}
    assert found["n_purchase_days"].to_dict() == {"a": 1, "b": 3, "r": 0, "z": 1}
    # b: lines with a cost of 20, -30 and 7.5 bring -2.5 at a cost of -1, a margin share of .6; r has no cost.
    assert found["margin"].to_dict() == pytest.approx({"a": 7.5, "b": -6.9, "r": np.nan, "z": 0.5}, nan_ok=True)
    # A quarter that is not over is not there; and quarters are those of the fiscal year.
    assert customer_quarters(dataset(log), date(2026, 3, 30)).empty
    fiscal = customer_quarters(dataset(log, fiscal_year_start=2), date(2026, 3, 31))
    assert fiscal[["customer_id", "amount"]].to_numpy().tolist() == [["a", 12.5], ["b", -5.0], ["r", -1.0]]
    assert customer_quarters(dataset(), date(2026, 3, 31))["margin"].isna().all()


def test_as_of_is_inclusive_and_nothing_later_is_seen():
    day_before = btyd_summary(LOG, date(2026, 2, 14), "day").set_index("customer_id")
    same_day = btyd_summary(LOG, date(2026, 2, 15), "day").set_index("customer_id")
    assert (day_before.loc["b", "frequency"], same_day.loc["b", "frequency"]) == (0, 1)
    assert same_day.loc["b", "monetary_value"] == 0.0  # the return of 02-20 is not known yet
    assert btyd_summary(LOG, date(2025, 12, 31)).empty
    assert btyd_summary(LOG, date(2025, 12, 31)).columns.tolist() == list(btyd_summary(LOG).columns)


@pytest.mark.parametrize("unit", DAYS_PER_UNIT)
def test_time_units(unit):
    days, in_unit = btyd_summary(LOG, time_unit="day"), btyd_summary(LOG, time_unit=unit)
    scale = DAYS_PER_UNIT[unit]
    np.testing.assert_allclose(in_unit[["recency", "T"]], days[["recency", "T"]] / scale, rtol=1e-14)
    expected = days["sum_log_interval"] - days["frequency"] * np.log(scale)
    np.testing.assert_allclose(in_unit["sum_log_interval"], expected, atol=1e-12)
    assert in_unit["sum_log_interval"][days["frequency"] == 0].eq(0).all()


def test_an_unknown_time_unit_is_refused():
    with pytest.raises(ValueError, match="fortnight"):
        btyd_summary(LOG, time_unit="fortnight")


@pytest.mark.parametrize(
    "dates",
    [
        LOG["date"].map(date.fromisoformat),
        pd.to_datetime(LOG["date"]),
        pd.to_datetime(LOG["date"] + " 23:59:59"),
        pd.to_datetime(LOG["date"] + " 23:30").dt.tz_localize("Asia/Shanghai"),
        pd.to_datetime(LOG["date"] + " 00:30").dt.tz_localize("Asia/Shanghai"),
        LOG["date"].astype("string[python]"),
        LOG["date"].astype("category"),
    ],
    ids=["date", "midnight", "evening", "zoned evening", "zoned morning", "string", "category"],
)
def test_dates_of_any_type_are_days_on_their_own_clock(dates, monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    pd.testing.assert_frame_equal(btyd_summary(LOG.assign(date=dates)), btyd_summary(LOG))


def test_ids_and_amounts_of_any_type():
    numbers = LOG["customer_id"].map({"a": 10, "b": 9, "r": 8, "z": 7})
    found = btyd_summary(LOG.assign(customer_id=numbers))
    assert found["customer_id"].tolist() == ["10", "7", "9"]  # in order of text
    for amounts in (LOG["amount"].map(lambda x: Decimal(str(x))), LOG["amount"].astype("str")):
        pd.testing.assert_frame_equal(btyd_summary(LOG.assign(amount=amounts)), btyd_summary(LOG))
    categories = LOG.assign(customer_id=LOG["customer_id"].astype("category"), amount=LOG["amount"].astype("float32"))
    pd.testing.assert_frame_equal(btyd_summary(categories), btyd_summary(LOG))


def test_the_frame_is_left_as_it_was_and_its_index_does_not_matter():
    log = LOG.set_index(pd.Index([7] * len(LOG)))
    before = log.copy(deep=True)
    pd.testing.assert_frame_equal(btyd_summary(log), btyd_summary(LOG))
    pd.testing.assert_frame_equal(log, before)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("customer_id", None),
        ("customer_id", ""),
        ("date", None),
        ("date", "never"),
        ("amount", None),
        ("amount", "ten"),
        ("amount", float("inf")),
        ("amount", 1e15),
    ],
)
def test_a_row_that_cannot_be_used_is_named(column, value):
    log = LOG.astype(object)
    log.loc[4, column] = value
    with pytest.raises(DataError) as error:
        btyd_summary(log)
    assert error.value.code == "unusable_rows"
    assert error.value.details == {"n_rows": 1, "example": 4}


@pytest.mark.parametrize(
    "dates",
    [[20260105] * len(LOG), ["2026-01-05T00:00+08:00", "2026-01-05T00:00Z"] * (len(LOG) // 2)],
    ids=["numbers", "several offsets"],
)
def test_dates_that_would_be_misread_are_refused(dates):
    with pytest.raises(DataError) as error:
        btyd_summary(LOG.assign(date=dates))
    assert error.value.code == "unusable_rows"


def test_missing_columns_and_no_rows():
    with pytest.raises(DataError, match="amount"):
        btyd_summary(LOG.drop(columns="amount"))
    with pytest.raises(InsufficientDataError):
        btyd_summary(LOG.iloc[:0])


def test_customer_history_by_hand():
    found = customer_history(LOG).set_index("customer_id")
    assert found.loc["b", "first_purchase"] == date(2026, 2, 1)
    assert found.loc["b", "last_purchase"] == date(2026, 3, 1)
    assert found.loc["b", "total_amount"] == -10.0 - 4.0 + 7.5
    assert found.loc["b", "mean_amount"] == pytest.approx((-10.0 - 4.0 + 7.5) / 3)
    assert found["recent_gap_days"].to_dict() == {"a": 0, "b": 14, "z": 0}
    later = customer_history(LOG, date(2026, 5, 20)).set_index("customer_id")  # 91 days after the second of three
    assert later["recent_gap_days"].to_dict() == {"a": 0, "b": 14, "z": 0}
    assert customer_history(LOG, date(2026, 6, 1)).set_index("customer_id").loc["b", "recent_gap_days"] == 0
    assert found.loc["a", ["n_intervals", "total_amount", "mean_amount"]].tolist() == [0, 12.5, 12.5]


def test_monthly_sales_by_hand(dataset):
    found = monthly_sales(dataset())
    assert found["month"].dtype == pd.PeriodDtype("M")
    rows = [(r.customer_id, str(r.month), r.amount, r.n_purchase_days) for r in found.itertuples()]
    assert rows == [
        ("a", "2026-01", 12.5, 1),
        ("b", "2026-01", -5.0, 0),
        ("b", "2026-02", -14.0, 2),
        ("b", "2026-03", 7.5, 1),
        ("r", "2026-01", -1.0, 0),
        ("z", "2026-03", 1.0, 1),
    ]
    assert found["amount"].sum() == LOG["amount"].sum()


def test_monthly_sales_of_a_window(dataset):
    opened = dataset()
    assert set(monthly_sales(opened, months=1)["month"].astype("str")) == {"2026-03"}
    window = monthly_sales(opened, date(2026, 2, 15), months=2)
    assert [(r.customer_id, str(r.month), r.amount) for r in window.itertuples()] == [
        ("a", "2026-01", 12.5),
        ("b", "2026-01", -5.0),
        ("b", "2026-02", -10.0),
        ("r", "2026-01", -1.0),
    ]
    assert monthly_sales(opened, date(2025, 1, 1)).empty


COHORT_LOG = pd.DataFrame(
    [
        ("a", "2025-11-05", 1.0),
        ("a", "2026-02-05", 2.0),
        ("a", "2026-02-06", 2.0),
        ("b", "2025-12-31", 4.0),
        ("b", "2026-06-30", 8.0),
        ("c", "2026-01-01", 16.0),
        ("c", "2026-04-30", -3.0),  # a return alone is no activity
        ("d", "2026-07-01", 64.0),  # after the last complete quarter
    ],
    columns=["customer_id", "date", "amount"],
)


def cells(frame):
    return [(str(r.cohort), r.age, r.n_customers, r.n_active, r.amount) for r in frame.itertuples()]


def test_cohorts_by_hand(dataset):
    found = cohorts(dataset(COHORT_LOG), date(2026, 6, 30))
    assert found["cohort"].dtype == pd.PeriodDtype("Q-DEC")
    assert cells(found) == [
        ("2025Q4", 0, 2, 2, 5.0),
        ("2025Q4", 1, 2, 1, 4.0),
        ("2025Q4", 2, 2, 1, 8.0),
        ("2026Q1", 0, 1, 1, 16.0),
        ("2026Q1", 1, 1, 0, 0.0),  # nobody active is a cell, what is not over is none
    ]
    # A day before its end, the quarter is not over.
    assert cells(cohorts(dataset(COHORT_LOG), date(2026, 6, 29)))[-1] == ("2026Q1", 0, 1, 1, 16.0)


def test_cohorts_by_month(dataset):
    found = cohorts(dataset(COHORT_LOG), date(2026, 3, 30), period="month")
    assert [(str(r.cohort), r.age, r.n_active) for r in found.itertuples()] == [
        ("2025-11", 0, 1),
        ("2025-11", 1, 0),
        ("2025-11", 2, 0),
        ("2025-11", 3, 1),
        ("2025-12", 0, 1),
        ("2025-12", 1, 0),
        ("2025-12", 2, 0),
        ("2026-01", 0, 1),
        ("2026-01", 1, 0),
    ]


@pytest.mark.parametrize(
    ("start", "frequency", "first", "n_cohorts"),
    [(2, "Q-JAN", date(2025, 11, 1), 1), (4, "Q-MAR", date(2025, 10, 1), 2), (12, "Q-NOV", date(2025, 9, 1), 2)],
)
def test_cohorts_of_fiscal_quarters(dataset, start, frequency, first, n_cohorts):
    found = cohorts(dataset(COHORT_LOG, fiscal_year_start=start), date(2026, 6, 30))
    assert found["cohort"].dtype == pd.PeriodDtype(frequency)
    assert found["cohort"].iloc[0].start_time.date() == first
    assert found["cohort"].nunique() == n_cohorts
    assert (found["n_active"] <= found["n_customers"]).all()


@pytest.mark.parametrize("as_of", [date(2025, 1, 1), date(2025, 12, 30)])
def test_no_complete_period_is_an_empty_table(dataset, as_of):
    found = cohorts(dataset(COHORT_LOG), as_of)
    assert found.empty
    assert found.columns.tolist() == ["cohort", "age", "n_customers", "n_active", "amount"]


def test_cdnow_facts():
    # Fader and Hardie's full CDNOW log: 23,570 customers, all first bought in 1997Q1; the counts of repeat purchase
    # days and the amounts against pandas.
    cdnow = open_dataset("data/cdnow")
    log = pd.read_csv("data/cdnow/transactions.csv", dtype={"customer_id": "str"}, parse_dates=["date"])
    found = btyd_summary(cdnow)
    by_day = log.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    grouped = by_day.groupby("customer_id")
    assert len(found) == 23_570
    assert found["customer_id"].tolist() == sorted(log["customer_id"].unique())
    np.testing.assert_array_equal(found["frequency"], grouped.size() - 1)
    np.testing.assert_allclose(found["T"] * 7, (pd.Timestamp("1998-06-30") - grouped["date"].min()).dt.days)
    first = by_day.drop_duplicates("customer_id")["amount"].to_numpy()
    total = grouped["amount"].sum().to_numpy()
    np.testing.assert_allclose(found["monetary_value"] * found["frequency"], total - first, atol=1e-8)


def test_cdnow_sample_calibrated_to_39_weeks():
    # Fader and Hardie's 1/10 sample, calibrated to 1997-09-30: 2,357 customers, 946 of them repeat buyers. (Their x
    # counts transactions; of one day they are one here, so its sum is checked against pandas.)
    log = pd.read_csv("data/cdnow/transactions.csv", dtype={"customer_id": "str"})
    sample = log[(log["in_published_sample"] == 1) & (log["date"] <= "1997-09-30")]
    found = btyd_summary(log[log["in_published_sample"] == 1], date(1997, 9, 30))
    assert (len(found), (found["frequency"] > 0).sum()) == (2357, 946)
    assert found["frequency"].sum() == len(sample.drop_duplicates(["customer_id", "date"])) - 2357
    assert (found["T"].max() * 7, found["recency"].max() <= found["T"].max()) == (272, True)


def test_set_apart_sales_by_hand(dataset):
    nobody = pd.DataFrame(
        [("", "2026-01-05", 3.1), ("", "2026-01-31", -1.0), ("", "2026-03-01", 0.2)], columns=LOG.columns
    )
    opened = dataset(pd.concat([LOG, nobody]), maximum_rejected=1)
    found = set_apart_sales(opened)
    assert found["month"].astype("str").tolist() == ["2026-01", "2026-03"]
    assert found["amount"].tolist() == [2.1, 0.2]
    assert set_apart_sales(opened, date(2026, 1, 30))["amount"].tolist() == [3.1]
    assert set_apart_sales(dataset()).empty


def test_amounts_and_days_too_wide_for_one_number(monkeypatch):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "customer_id": rng.integers(0, 40, 900).astype(str),
            "date": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, 900), unit="D"),
            "amount": rng.integers(-300, 900, 900) / 100,
        }
    )
    packed = customer_history(frame)
    monkeypatch.setattr(in_memory, "_BITS", 0)
    with pytest.raises(DataError, match="more digits"):
        customer_history(frame)
    monkeypatch.setattr(in_memory, "_BITS", 34)  # enough for the sum, not for customer, day and money side by side
    pd.testing.assert_frame_equal(customer_history(frame), packed)


def test_weekly_purchases_by_hand(dataset):
    days = {"a": ("01", "05", "06", "06", "14"), "b": ("06", "07"), "c": ("08", "09"), "z": ("28",)}
    lines = [(customer, f"2026-01-{day}", 1.0) for customer, those in days.items() for day in those]
    opened = dataset(pd.DataFrame([*lines, ("b", "2026-01-20", -1.0)], columns=LOG.columns))
    found = weekly_purchases(opened, date(2026, 1, 7))
    # c came later; a's two lines of one day are one purchase day; a return is none; the first and last weeks are whole.
    assert found["week_end"].tolist() == [date(2026, 1, day) for day in (7, 14, 21, 28)]
    assert found["n_purchases"].tolist() == [3, 1, 0, 0]
    assert weekly_purchases(opened, date(2026, 1, 7), date(2026, 1, 20))["week_end"].tolist() == [
        date(2026, 1, 7),
        date(2026, 1, 14),
    ]
    assert len(weekly_purchases(opened, date(2026, 1, 8))) == 3


def test_customer_days_by_hand(dataset):
    opened = dataset()
    days = customer_days(opened, "b")["date"].tolist()
    # Returns are no purchases, and lines of one day are one purchase day.
    assert days == [date(2026, 2, 1), date(2026, 2, 15), date(2026, 3, 1)]
    assert customer_days(opened, "b", date(2026, 2, 28))["date"].tolist() == days[:2]
    assert customer_days(opened, "r").empty
    assert customer_days(opened, "nobody").empty


def test_margins_take_the_lines_whose_cost_is_known(dataset):
    log = pd.DataFrame(
        [
            ("a", "2026-01-01", 100.0, 60.0),
            ("a", "2026-01-02", 50.0, None),
            ("a", "2026-01-03", -20.0, -12.0),  # a return takes its cost back
            ("b", "2026-01-01", 10.0, 15.0),
            ("c", "2026-01-01", 10.0, None),
            ("a", "2026-02-01", 5.0, 5.0),
        ],
        columns=["customer_id", "date", "amount", "cost"],
    )
    found = product_margins(dataset(log), date(2026, 1, 31)).set_index("customer_id")
    assert found.loc["a"].tolist() == [130.0, 48.0, 3, 1, 0.4]
    assert found.loc["b", "margin_share"] == -0.5
    assert (found.loc["c", "cost"], found.loc["c", "n_lines_without_cost"]) == (0.0, 1)
    assert np.isnan(found.loc["c", "margin_share"])
    assert product_margins(dataset(log)).set_index("customer_id").loc["a", "n_lines"] == 4


def test_a_log_without_costs_has_no_margins(dataset):
    for log in (LOG, LOG.assign(cost=None)):
        found = product_margins(dataset(log))
        assert found.empty
        assert found.columns.tolist()[-1] == "margin_share"
