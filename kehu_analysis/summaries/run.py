"""Run the summaries: one SQL text each, over purchase days, by an engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kehu_analysis.data import Dataset
from kehu_analysis.engine import DuckDBEngine, Engine
from kehu_analysis.periods import days_per_unit
from kehu_analysis.summaries.in_memory import history_of_frame
from kehu_analysis.summaries.results import columns_of, dates_of, day_number, frame_of, month_number, months_of

_MONTHS_PER_PERIOD = {"month": 1, "quarter": 3}
_MONTH_CODES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def btyd_summary(
    transactions: pd.DataFrame | Dataset,
    as_of: date | None = None,
    time_unit: str = "week",
    *,
    engine: Engine | None = None,
) -> pd.DataFrame:
    """Summarise a transaction log for the "buy till you die" models: how often, how lately, for how much.

    Parameters
    ----------
    transactions
        A dataset, or a frame with customer_id, date and amount (currency; returns negative), one row a line. A frame
        is summed where it is, in memory; ``engine`` runs the summary of a dataset.
    as_of
        Last day counted, inclusive; by default the last day of the log.
    time_unit
        ``day``, ``week`` (7 days), ``month`` (365.25 / 12 days), ``quarter`` or ``year``.

    Returns
    -------
    DataFrame
        One row a customer with at least one purchase day, in order of customer_id: customer_id; frequency (repeat
        purchase days); recency (age at the last purchase) and T (age at the end of ``as_of``), in the time unit;
        monetary_value (mean net spend per repeat purchase day, 0 if none); sum_log_interval (sum of the logs of the
        intervals between purchase days, in the time unit; 0 if none).

        A purchase day has at least one line with amount >= 0; a return nets against the latest earlier purchase day.

    Raises
    ------
    DataError
        A column is missing, a value is missing, too large or no date or number, or a sum has more digits than can be
        told exactly.

    Notes
    -----
    Fader and Hardie (2005), "A note on implementing the Pareto/NBD model in MATLAB": x, t_x and T; several
    transactions of a day count once.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": ["2026-01-01", "2026-01-15", "2026-01-08"],
    ...                     "amount": [10.0, 30.0, 5.0]})
    >>> btyd_summary(log, date(2026, 1, 22))[["customer_id", "frequency", "recency", "T", "monetary_value"]]
      customer_id  frequency  recency    T  monetary_value
    0           a          1      2.0  3.0            30.0
    1           b          0      0.0  2.0             0.0
    """
    return _btyd(*_by_customer(transactions, as_of, engine, squared=False), days_per_unit(time_unit))


def customer_history(
    transactions: pd.DataFrame | Dataset,
    as_of: date | None = None,
    time_unit: str = "week",
    *,
    engine: Engine | None = None,
) -> pd.DataFrame:
    """Summarise each customer's purchases: :func:`btyd_summary` and what segments and rhythms need besides.

    Parameters, errors and first six columns are those of :func:`btyd_summary`.

    Returns
    -------
    DataFrame
        Also first_purchase and last_purchase (dates), total_amount (net), mean_amount (net, per purchase day),
        n_intervals, sum_log_interval_days and sum_squared_log_interval_days (of the logs of the intervals between
        purchase days, in days).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "date": ["2026-01-01", "2026-01-15"], "amount": [10.0, 30.0]})
    >>> customer_history(log)[["customer_id", "last_purchase", "total_amount", "n_intervals"]]
      customer_id last_purchase  total_amount  n_intervals
    0           a    2026-01-15          40.0            1
    """
    found, ids, end = _by_customer(transactions, as_of, engine, squared=True)
    frequency, total = found["frequency"], found["total_amount"]
    return _btyd(found, ids, end, days_per_unit(time_unit)).assign(
        first_purchase=dates_of(found["first_day"]),
        last_purchase=dates_of(found["last_day"]),
        total_amount=total,
        mean_amount=total / (frequency + 1),
        n_intervals=frequency,
        sum_log_interval_days=found["sum_log_interval"],
        sum_squared_log_interval_days=found["sum_squared_log_interval"],
    )


def _by_customer(
    transactions: pd.DataFrame | Dataset, as_of: date | None, engine: Engine | None, *, squared: bool
) -> tuple[dict[str, np.ndarray], pd.Series, int]:
    """Return the columns of ``btyd.sql``, the ids by ``customer_key``, and the last day counted."""
    if not isinstance(transactions, Dataset):
        return history_of_frame(transactions, None if as_of is None else day_number(as_of), squared=squared)
    end = day_number(as_of or transactions.last_date)
    days = transactions.path("purchase_days")
    rows = (engine or DuckDBEngine()).query(_sql("btyd"), tables={"purchase_days": days}, parameters={"as_of": end})
    return columns_of(rows), _customer_ids(transactions), end


def _btyd(found: Mapping[str, np.ndarray], ids: pd.Series, end: int, unit_days: float) -> pd.DataFrame:
    frequency, first_day = found["frequency"], found["first_day"]
    columns = {
        "customer_id": ids.iloc[found["customer_key"]].reset_index(drop=True),
        "frequency": frequency,
        "recency": (found["last_day"] - first_day) / unit_days,
        "T": (end - first_day) / unit_days,
        "monetary_value": found["repeat_amount"] / np.maximum(frequency, 1),
        "sum_log_interval": found["sum_log_interval"] - frequency * np.log(unit_days),
    }
    return pd.DataFrame(columns, copy=False)


def monthly_sales(
    dataset: Dataset, as_of: date | None = None, *, months: int | None = None, engine: Engine | None = None
) -> pd.DataFrame:
    """Sum each customer's net sales by month.

    Parameters
    ----------
    dataset
        An open dataset.
    as_of
        Last day counted, inclusive; by default the last day of the log.
    months
        Only so many months, ending with the one of ``as_of``; all by default.

    Returns
    -------
    DataFrame
        customer_id, month (monthly Period), amount (currency, net of returns), n_purchase_days; one row for each
        customer and month with lines, in order of customer_id and month.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> monthly_sales(open_dataset("data/cdnow"), date(1997, 1, 31)).head(2)
      customer_id    month  amount  n_purchase_days
    0       00001  1997-01   11.77                1
    1       00002  1997-01   89.00                1
    """
    runner = engine or DuckDBEngine()
    end = as_of or dataset.last_date
    first = 0 if months is None else month_number(end) - months + 1
    found = frame_of(
        runner.query(
            _sql("monthly_sales"),
            tables={"purchase_days": dataset.path("purchase_days")},
            parameters={"as_of": day_number(end), "first_month": first},
        )
    )
    columns = {
        "customer_id": _customer_ids(dataset).iloc[found["customer_key"]].reset_index(drop=True),
        "month": months_of(found["month"].to_numpy()),
        "amount": found["amount"],
        "n_purchase_days": found["n_purchase_days"],
    }
    return pd.DataFrame(columns, copy=False)


def set_apart_sales(dataset: Dataset, as_of: date | None = None, *, engine: Engine | None = None) -> pd.DataFrame:
    """Sum by month the net sales that belong to no customer: they are the company's, and in no other summary.

    Parameters
    ----------
    dataset
        An open dataset.
    as_of
        Last day counted, inclusive; by default the last day of the log.

    Returns
    -------
    DataFrame
        month (monthly Period), amount (currency, net of returns); one row for each month with such lines.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> len(set_apart_sales(open_dataset("data/cdnow")))
    0
    """
    runner = engine or DuckDBEngine()
    found = frame_of(
        runner.query(
            _sql("set_apart_sales"),
            tables={"transactions_set_apart": dataset.path("transactions_set_apart")},
            parameters={"as_of": day_number(as_of or dataset.last_date)},
        )
    )
    return pd.DataFrame({"month": months_of(found["month"].to_numpy()), "amount": found["amount"]})


def product_margins(dataset: Dataset, as_of: date | None = None, *, engine: Engine | None = None) -> pd.DataFrame:
    """Sum each customer's sales and the product cost of their lines, where the log has costs.

    Parameters
    ----------
    dataset
        An open dataset.
    as_of
        Last day counted, inclusive; by default the last day of the log.

    Returns
    -------
    DataFrame
        customer_id, amount (currency, net of returns), cost (currency, of the lines that have one), n_lines,
        n_lines_without_cost, margin_share ((amount - cost) / amount over the lines that have a cost; missing where
        these amount to nothing). In order of customer_id; no row at all where no line of the log has a cost.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> product_margins(open_dataset("data/cdnow")).empty
    True
    """
    runner, end = engine or DuckDBEngine(), as_of or dataset.last_date
    names = ["customer_id", "amount", "cost", "n_lines", "n_lines_without_cost", "margin_share"]
    transactions = dataset.path("transactions")
    if "cost" not in pq.read_schema(transactions).names:
        return pd.DataFrame(columns=names)
    found = frame_of(
        runner.query(
            _sql("product_margins"),
            tables={"transactions": transactions},
            parameters={"as_of": day_number(end)},
        )
    )
    if (found["n_lines_without_cost"] == found["n_lines"]).all():
        return pd.DataFrame(columns=names)
    known = found["amount_with_cost"].where(found["amount_with_cost"] > 0)
    found["margin_share"] = (found["amount_with_cost"] - found["cost"]) / known
    found["customer_id"] = _customer_ids(dataset).iloc[found["customer_key"]].reset_index(drop=True)
    return found[names]


def cohorts(
    dataset: Dataset, as_of: date | None = None, *, period: str = "quarter", engine: Engine | None = None
) -> pd.DataFrame:
    """Count how many of the customers who first bought in one period bought in each later one.

    Parameters
    ----------
    dataset
        An open dataset.
    as_of
        Last day counted, inclusive; only periods that had ended by then appear.
    period
        ``quarter`` (of the fiscal year) or ``month``.

    Returns
    -------
    DataFrame
        cohort (Period of the first purchase), age (periods since), n_customers (the cohort's size), n_active (with a
        purchase day in that period), amount (currency, of the purchase days; a return on another day is not in it).
        Periods after ``as_of`` are absent, not zero.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> cohorts(open_dataset("data/cdnow")).query("age <= 1")
       cohort  age  n_customers  n_active      amount
    0  1997Q1    0        23570     23570  1071805.47
    1  1997Q1    1        23570      5376   359153.66
    """
    runner = engine or DuckDBEngine()
    end = as_of or dataset.last_date
    n_months = _MONTHS_PER_PERIOD[period]
    first_month = dataset.fiscal_year_start - 1 if period == "quarter" else 0
    found = frame_of(
        runner.query(
            _sql("cohorts"),
            tables={"purchase_days": dataset.path("purchase_days")},
            parameters={"as_of": day_number(end), "first_month": first_month, "months_per_period": n_months},
        )
    )
    # The last period that had ended by then: the one before that of the following day.
    last = (month_number(end + timedelta(days=1)) - first_month) // n_months - 1
    sizes = found.loc[found["age"] == 0].set_index("cohort")["n_active"]
    pairs = [(cohort, age) for cohort in sizes.index for age in range(last - cohort + 1)]
    cells = pd.MultiIndex.from_frame(pd.DataFrame(pairs, columns=["cohort", "age"], dtype="int64"))
    table = found.set_index(["cohort", "age"]).reindex(cells, fill_value=0).reset_index()
    periods = months_of(table["cohort"].to_numpy() * n_months + first_month)
    if period == "quarter":
        periods = periods.asfreq(_quarter_frequency(dataset.fiscal_year_start))
    table.insert(2, "n_customers", sizes.reindex(table["cohort"]).to_numpy())
    return table.assign(cohort=periods)


def weekly_purchases(
    dataset: Dataset, acquired_until: date, as_of: date | None = None, *, engine: Engine | None = None
) -> pd.DataFrame:
    """Count the repeat purchases of each week, of the customers who were there by a day.

    Parameters
    ----------
    dataset
        An open dataset.
    acquired_until
        Last day of first purchases, inclusive; a week ends with it.
    as_of
        Last day counted, inclusive; by default the last day of the log.

    Returns
    -------
    DataFrame
        One row a whole week, also those without a purchase: week_end (last day), n_purchases (repeat purchase days).

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> weeks = weekly_purchases(open_dataset("data/cdnow"), date(1997, 9, 30))
    >>> weeks[weeks["week_end"] == date(1997, 9, 30)]["n_purchases"].item()
    543
    """
    runner, end = engine or DuckDBEngine(), as_of or dataset.last_date
    found = frame_of(
        runner.query(
            _sql("weekly_purchases"),
            tables={"purchase_days": dataset.path("purchase_days")},
            parameters={"as_of": day_number(end), "acquired_until": day_number(acquired_until)},
        )
    )
    since = day_number(acquired_until) + 1
    weeks = np.arange(-((since - day_number(dataset.first_date)) // 7), (day_number(end) + 1 - since) // 7)
    counts = found.set_index("week")["n_purchases"].reindex(weeks, fill_value=0)
    return pd.DataFrame({"week_end": dates_of(since + 7 * weeks + 6), "n_purchases": counts.to_numpy()})


def customer_days(
    dataset: Dataset, customer_id: str, as_of: date | None = None, *, engine: Engine | None = None
) -> pd.DataFrame:
    """List the purchase days of one customer.

    Parameters
    ----------
    dataset
        An open dataset.
    customer_id
        The customer's number.
    as_of
        Last day counted, inclusive; by default the last day of the log.

    Returns
    -------
    DataFrame
        date, one row a purchase day, the first one first; no rows where the customer is unknown.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> customer_days(open_dataset("data/cdnow"), "00001")["date"].tolist()
    [datetime.date(1997, 1, 1)]
    """
    runner, end = engine or DuckDBEngine(), as_of or dataset.last_date
    ids = _customer_ids(dataset)
    key = ids.index[ids == customer_id]
    found = frame_of(
        runner.query(
            _sql("customer_days"),
            tables={"purchase_days": dataset.path("purchase_days")},
            parameters={"as_of": day_number(end), "customer_key": int(key[0]) if len(key) else -1},
        )
    )
    return pd.DataFrame({"date": dates_of(found["day"].to_numpy())})


def _quarter_frequency(fiscal_year_start: int) -> str:
    return f"Q-{_MONTH_CODES[fiscal_year_start - 2]}"  # the year ends with the month before it starts


def _customer_ids(dataset: Dataset) -> pd.Series:
    # Keys run from 1 in the snapshot, in the order of the ids.
    ids = pd.read_parquet(dataset.path("customer_keys"))["customer_id"]
    return pd.concat([pd.Series([""], dtype="str"), ids], ignore_index=True)


@cache
def _sql(name: str) -> str:
    return resources.files("kehu_analysis.summaries").joinpath(f"{name}.sql").read_text(encoding="utf-8")
