"""What is told of each customer and quarter: sales, margin and purchase days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kehu_analysis.data import Dataset
from kehu_analysis.engine import Engine
from kehu_analysis.summaries.by_period import quarter_frequency
from kehu_analysis.summaries.results import month_number, months_of
from kehu_analysis.summaries.run import customer_ids, rows_of


def customer_quarters(dataset: Dataset, as_of: date | None = None, *, engine: Engine | None = None) -> pd.DataFrame:
    """Sum each customer's sales, and margin where costs are known, by quarter of the fiscal year.

    Parameters
    ----------
    dataset
        An open dataset.
    as_of
        Last day counted, inclusive; only quarters that had ended by then appear.

    Returns
    -------
    DataFrame
        customer_id, quarter (Period), amount (currency, net of returns, each at its own date), margin (currency: the
        amount times the margin share of the lines that have a cost; missing where none has), n_purchase_days. A row for
        each customer and quarter with lines, in order of both.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> customer_quarters(open_dataset("data/cdnow"), date(1997, 6, 30)).head(2)
      customer_id quarter  amount  margin  n_purchase_days
    0       00001  1997Q1   11.77     NaN                1
    1       00002  1997Q1   89.00     NaN                1
    """
    end = as_of or dataset.last_date
    first_month = dataset.fiscal_year_start - 1
    # The last quarter that had ended by then: the one before that of the following day.
    last = (month_number(end + timedelta(days=1)) - first_month) // 3 - 1
    wanted = {"first_month": first_month, "last_period": last}
    found = rows_of("customer_quarters", dataset, "purchase_days", wanted, engine)
    if "cost" in pq.read_schema(dataset.path("transactions")).names:
        costs = rows_of("quarterly_costs", dataset, "transactions", wanted, engine)
        found = found.merge(costs, how="left", on=["customer_key", "period"])
        known = found["amount_with_cost"].where(found["amount_with_cost"] != 0)
        margin = found["amount"] * ((known - found["cost"]) / known)
    else:
        margin = pd.Series(np.nan, index=found.index)
    quarters = months_of(found["period"].to_numpy() * 3 + first_month)
    columns = {
        "customer_id": customer_ids(dataset).iloc[found["customer_key"]].reset_index(drop=True),
        "quarter": quarters.asfreq(quarter_frequency(dataset.fiscal_year_start)),
        "amount": found["amount"],
        "margin": margin,
        "n_purchase_days": found["n_purchase_days"],
    }
    return pd.DataFrame(columns, copy=False)
