"""Orders and the contacts around them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from kehu_analysis.data import Dataset
from kehu_analysis.engine import DuckDBEngine, Engine
from kehu_analysis.summaries.results import dates_of, day_number, frame_of
from kehu_analysis.summaries.run import customer_ids, sql

_KINDS = ("visit", "call", "service")


def orders_with_contacts(
    dataset: Dataset,
    as_of: date | None = None,
    *,
    kinds: Sequence[str] = _KINDS,
    days: int = 28,
    engine: Engine | None = None,
) -> pd.DataFrame:
    """Count the contacts in the days before and after each purchase day.

    Parameters
    ----------
    dataset
        An open dataset with contacts.
    as_of
        Last day counted, inclusive; by default the last day of the log.
    kinds
        Kinds of contacts.
    days
        How many days before and after; the purchase day itself is not among them.

    Returns
    -------
    DataFrame
        customer_id, date, amount (currency, net of the day's own returns), and for each kind ``<kind>_before`` and
        ``<kind>_after``; one row a purchase day, in order of customer_id and date.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> rows = orders_with_contacts(open_dataset("data/demo"), date(2023, 10, 31), kinds=["visit"])
    >>> rows[["customer_id", "date", "visit_before"]].tail(1)
         customer_id        date  visit_before
    1061      001500  2023-10-31             5
    """
    end = day_number(as_of or dataset.last_date)
    tables = {name: dataset.path(name) for name in ("purchase_days", "contacts", "customer_keys")}
    found = pd.DataFrame()
    for kind in kinds:
        wanted: dict[str, str | int] = {"as_of": end, "kind": kind, "days": days}
        rows = frame_of((engine or DuckDBEngine()).query(sql("orders_and_contacts"), tables=tables, parameters=wanted))
        if found.empty:
            columns = {
                "customer_id": customer_ids(dataset).iloc[rows["customer_key"]].reset_index(drop=True),
                "date": dates_of(rows["day"].to_numpy()),
                "amount": rows["amount"],
            }
            found = pd.DataFrame(columns)
        # Rows come in the same order whichever kind is counted.
        found[f"{kind}_before"], found[f"{kind}_after"] = rows["n_before"].to_numpy(), rows["n_after"].to_numpy()
    return found
