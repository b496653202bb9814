"""What is told by period: sales, cohorts and purchases by week, month or quarter."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from kehu_analysis.data import Dataset
from kehu_analysis.engine import Engine
from kehu_analysis.summaries.results import dates_of, day_number, month_number, months_of
from kehu_analysis.summaries.run import customer_ids, rows_of

_MONTHS_PER_PERIOD = {"month": 1, "quarter": 3}
_MONTH_CODES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


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
    end = as_of or dataset.last_date
    first = 0 if months is None else month_number(end) - months + 1
    wanted = {"as_of": day_number(end), "first_month": first}
    found = rows_of("monthly_sales", dataset, "purchase_days", wanted, engine)
    columns = {
        "customer_id": customer_ids(dataset).iloc[found["customer_key"]].reset_index(drop=True),
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
    wanted = {"as_of": day_number(as_of or dataset.last_date)}
    found = rows_of("set_apart_sales", dataset, "transactions_set_apart", wanted, engine)
    return pd.DataFrame({"month": months_of(found["month"].to_numpy()), "amount": found["amount"]})


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
    end = as_of or dataset.last_date
    n_months = _MONTHS_PER_PERIOD[period]
    first_month = dataset.fiscal_year_start - 1 if period == "quarter" else 0
    wanted = {"as_of": day_number(end), "first_month": first_month, "months_per_period": n_months}
    found = rows_of("cohorts", dataset, "purchase_days", wanted, engine)
    # The last period that had ended by then: the one before that of the following day.
    last = (month_number(end + timedelta(days=1)) - first_month) // n_months - 1
    sizes = found.loc[found["age"] == 0].set_index("cohort")["n_active"]
    pairs = [(cohort, age) for cohort in sizes.index for age in range(last - cohort + 1)]
    cells = pd.MultiIndex.from_frame(pd.DataFrame(pairs, columns=["cohort", "age"], dtype="int64"))
    table = found.set_index(["cohort", "age"]).reindex(cells, fill_value=0).reset_index()
    periods = months_of(table["cohort"].to_numpy() * n_months + first_month)
    if period == "quarter":
        periods = periods.asfreq(quarter_frequency(dataset.fiscal_year_start))
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
    end = as_of or dataset.last_date
    wanted = {"as_of": day_number(end), "acquired_until": day_number(acquired_until)}
    found = rows_of("weekly_purchases", dataset, "purchase_days", wanted, engine)
    since = day_number(acquired_until) + 1
    weeks = np.arange(-((since - day_number(dataset.first_date)) // 7), (day_number(end) + 1 - since) // 7)
    counts = found.set_index("week")["n_purchases"].reindex(weeks, fill_value=0)
    return pd.DataFrame({"week_end": dates_of(since + 7 * weeks + 6), "n_purchases": counts.to_numpy()})


def quarter_frequency(fiscal_year_start: int) -> str:
    """Return pandas' frequency of the quarters of a fiscal year."""
    return f"Q-{_MONTH_CODES[fiscal_year_start - 2]}"  # the year ends with the month before it starts
