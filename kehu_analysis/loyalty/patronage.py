"""How much of what a customer buys, or could buy like its peers, it buys from us."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.frames import check_columns, check_numbers, check_unique
from kehu_analysis.loyalty.sales_retention import numbered_quarters

__all__ = ["PEERS", "patronage", "patronage_of_year"]

#: What makes customers alike, the most telling first; as far as the customers' file has it.
PEERS = ("business_type", "size_class", "region")
#: Where fewer share what peers share, the last column is left out.
_FEWEST_PEERS = 10


def patronage(
    purchases: pd.DataFrame, customers: pd.DataFrame | None = None, *, peers: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Return how often each customer buys against its peers, as a percentile with its error.

    Peers share all columns named; where fewer than ten do, the last column is left out, and so on to all customers. The
    percentile counts half of those that buy as often; of alike customers it is .5. Its error is half of the distance
    between the percentiles of the rate plus and minus its own (Poisson) error.

    Parameters
    ----------
    purchases
        ``customer_id``, ``purchase_days`` (of one and the same stretch of time).
    customers
        ``customer_id`` and the columns of ``peers``.
    peers
        Columns, the most telling first.

    Returns
    -------
    DataFrame
        ``customer_id``, ``patronage``, ``patronage_error``, ``n_peers``, in order of customer_id.

    Examples
    --------
    >>> purchases = pd.DataFrame({"customer_id": ["a", "b", "c"], "purchase_days": [3, 3, 3]})
    >>> patronage(purchases)["patronage"].tolist()
    [0.5, 0.5, 0.5]
    """
    check_columns(purchases, ("customer_id", "purchase_days"), analysis="loyalty_types")
    check_unique(purchases, "customer_id", analysis="loyalty_types")
    check_numbers(purchases, ("purchase_days",), analysis="loyalty_types", at_least=0)
    rows = purchases[["customer_id", "purchase_days"]].sort_values("customer_id").reset_index(drop=True)
    if customers is not None and peers:
        rows = rows.merge(customers[["customer_id", *peers]], how="left", on="customer_id")
    else:
        peers = ()
    found = pd.DataFrame(index=rows.index, columns=["patronage", "patronage_error", "n_peers"], dtype=float)
    for depth in range(len(peers), -1, -1):
        keys = [rows[name].astype(object).where(rows[name].notna(), "") for name in peers[:depth]]
        groups = rows.groupby(keys if len(keys) > 1 else keys[0]).groups.values() if keys else [rows.index]
        for group in groups:
            open_ = found.loc[group, "n_peers"].isna()
            if open_.any() and (len(group) >= _FEWEST_PEERS or depth == 0):
                found.loc[group] = found.loc[group].where(~open_, _percentiles(rows.loc[group, "purchase_days"]))
    return pd.concat([rows[["customer_id"]], found.astype({"n_peers": "int64"})], axis=1)


def patronage_of_year(
    quarters: pd.DataFrame, customers: pd.DataFrame | None = None, *, quarters_back: int = 0
) -> pd.DataFrame:
    """Return :func:`patronage` by the purchase days of four quarters, those before the last ``quarters_back``.

    Parameters
    ----------
    quarters
        As of :func:`~kehu_analysis.summaries.customer_quarters`.
    customers
        The customers' file; peers share of :data:`PEERS` what it has.
    quarters_back
        Quarters left out at the end of the log.

    Returns
    -------
    DataFrame
        That of :func:`patronage`; without a row where nobody bought in that year.

    Examples
    --------
    >>> periods = pd.PeriodIndex(["2025Q1", "2025Q4", "2025Q4"], freq="Q-DEC")
    >>> quarters = pd.DataFrame({"customer_id": ["a", "a", "b"], "quarter": periods, "amount": 1.0, "margin": np.nan,
    ...                          "n_purchase_days": [2, 3, 1]})
    >>> patronage_of_year(quarters)["patronage"].tolist()
    [0.75, 0.25]
    """
    cells = numbered_quarters(quarters, "loyalty_types")
    age = int(cells["number"].max()) - quarters_back - cells["number"]
    days = cells[(age >= 0) & (age < 4)].groupby("customer_id")["n_purchase_days"].sum()
    purchases = days[days > 0].rename("purchase_days").reset_index()
    if purchases.empty:  # a log that is younger: there is nobody to class then
        return pd.DataFrame({"customer_id": [], "patronage": [], "patronage_error": [], "n_peers": []})
    peers = tuple(name for name in PEERS if customers is not None and name in customers)
    return patronage(purchases, customers, peers=peers)


def _percentiles(days: pd.Series) -> pd.DataFrame:
    values = days.to_numpy(dtype=float)
    ordered = np.sort(values)

    def of(points: np.ndarray) -> np.ndarray:
        below, upto = (np.searchsorted(ordered, points, side=side) for side in ("left", "right"))
        return np.asarray((below + upto) / (2 * len(ordered)))

    # One purchase more or less is the least that chance does.
    error = np.sqrt(np.maximum(values, 1.0))
    spread = (of(values + error) - of(values - error)) / 2
    columns = {"patronage": of(values), "patronage_error": spread, "n_peers": float(len(values))}
    return pd.DataFrame(columns, index=days.index)
