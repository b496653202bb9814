"""What is told of each customer: purchases, their rhythm, days and margins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kehu_analysis.data import Dataset
from kehu_analysis.engine import DuckDBEngine, Engine
from kehu_analysis.periods import days_per_unit
from kehu_analysis.summaries.in_memory import history_of_frame
from kehu_analysis.summaries.results import columns_of, dates_of, day_number
from kehu_analysis.summaries.run import customer_ids, rows_of, sql

#: A wait that ended within a quarter is news.
_RECENT_DAYS = 91


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
    return _btyd(*_by_customer(transactions, as_of, engine, gaps=False), days_per_unit(time_unit))


def btyd_summaries(
    transactions: pd.DataFrame | Dataset,
    cutoffs: Iterable[date],
    time_unit: str = "week",
    *,
    engine: Engine | None = None,
) -> dict[date, pd.DataFrame]:
    """Summarise a transaction log as it was known at the end of each of several days.

    What is tried on the past, or follows customers through time, gets its tables here; each holds what came up to its
    own day alone.

    Parameters
    ----------
    transactions, time_unit, engine
        As for :func:`btyd_summary`, whose errors it raises.
    cutoffs
        Last days counted, inclusive.

    Returns
    -------
    By day the frame of :func:`btyd_summary`; without a row where nobody had bought yet.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "date": ["2026-01-01", "2026-01-15"], "amount": [10.0, 30.0]})
    >>> {str(day): len(then) for day, then in btyd_summaries(log, [date(2026, 1, 7), date(2026, 1, 31)]).items()}
    {'2026-01-07': 1, '2026-01-31': 2}
    """
    return {day: btyd_summary(transactions, day, time_unit, engine=engine) for day in cutoffs}


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
        n_intervals, sum_log_interval_days (of the logs of the intervals between purchase days, in days) and
        recent_gap_days (the longest interval that ended in the last 91 days, 0 without one).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "date": ["2026-01-01", "2026-01-15"], "amount": [10.0, 30.0]})
    >>> customer_history(log)[["customer_id", "last_purchase", "total_amount", "n_intervals"]]
      customer_id last_purchase  total_amount  n_intervals
    0           a    2026-01-15          40.0            1
    """
    found, ids, end = _by_customer(transactions, as_of, engine, gaps=True)
    frequency, total = found["frequency"], found["total_amount"]
    return _btyd(found, ids, end, days_per_unit(time_unit)).assign(
        first_purchase=dates_of(found["first_day"]),
        last_purchase=dates_of(found["last_day"]),
        total_amount=total,
        mean_amount=total / (frequency + 1),
        n_intervals=frequency,
        sum_log_interval_days=found["sum_log_interval"],
        recent_gap_days=found["recent_gap"],
    )


def _by_customer(
    transactions: pd.DataFrame | Dataset, as_of: date | None, engine: Engine | None, *, gaps: bool
) -> tuple[dict[str, np.ndarray], pd.Series, int]:
    """Return the columns of ``btyd.sql``, the ids by ``customer_key``, and the last day counted."""
    if not isinstance(transactions, Dataset):
        return history_of_frame(
            transactions, None if as_of is None else day_number(as_of), gaps_after=_RECENT_DAYS if gaps else None
        )
    end = day_number(as_of or transactions.last_date)
    days = transactions.path("purchase_days")
    parameters = {"as_of": end, "recent_from": end - _RECENT_DAYS}
    rows = (engine or DuckDBEngine()).query(sql("btyd"), tables={"purchase_days": days}, parameters=parameters)
    return columns_of(rows), customer_ids(transactions), end


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
    end = as_of or dataset.last_date
    ids = customer_ids(dataset)
    key = ids.index[ids == customer_id]
    wanted = {"as_of": day_number(end), "customer_key": int(key[0]) if len(key) else -1}
    found = rows_of("customer_days", dataset, "purchase_days", wanted, engine)
    return pd.DataFrame({"date": dates_of(found["day"].to_numpy())})


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
    end = as_of or dataset.last_date
    names = ["customer_id", "amount", "cost", "n_lines", "n_lines_without_cost", "margin_share"]
    if "cost" not in pq.read_schema(dataset.path("transactions")).names:
        return pd.DataFrame(columns=names)
    found = rows_of("product_margins", dataset, "transactions", {"as_of": day_number(end)}, engine)
    if (found["n_lines_without_cost"] == found["n_lines"]).all():
        return pd.DataFrame(columns=names)
    known = found["amount_with_cost"].where(found["amount_with_cost"] > 0)
    found["margin_share"] = (found["amount_with_cost"] - found["cost"]) / known
    found["customer_id"] = customer_ids(dataset).iloc[found["customer_key"]].reset_index(drop=True)
    return found[names]
