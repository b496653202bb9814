"""What of a customer's sales is margin, where costs are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.frames import check_columns

MARGIN = "margin_share"


def with_margins(summary: pd.DataFrame, margins: pd.DataFrame) -> pd.DataFrame:
    """Add to a summary the share of each customer's sales that is product margin, where any cost is known.

    Parameters
    ----------
    summary
        customer_id, one row a customer.
    margins
        By customer: customer_id, amount and cost (currency), over lines of which the cost is known. No rows where no
        cost is.

    Returns
    -------
    DataFrame
        ``summary`` with margin_share, (amount - cost) / amount; without that column where nothing is known. Customers
        of whom no cost is known, or whose share lies outside -1 to 1 (as after returns), have that of all together.

    Raises
    ------
    DataError
        A column is missing.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b", "c"]})
    >>> margins = pd.DataFrame({"customer_id": ["a", "b"], "amount": [100.0, 300.0], "cost": [80.0, 200.0]})
    >>> with_margins(summary, margins)["margin_share"].round(2).tolist()
    [0.2, 0.33, 0.3]
    """
    if margins.empty:
        return summary
    check_columns(margins, ("customer_id", "amount", "cost"), analysis="customer_lifetime_value")
    of_all = margins[["amount", "cost"]].sum()
    if not of_all["amount"] > 0 or not abs(1 - of_all["cost"] / of_all["amount"]) <= 1:
        return summary
    known = margins.set_index("customer_id")
    share = 1 - known["cost"] / known["amount"].where(known["amount"] > 0, np.nan)
    share = share.where(share.abs() <= 1).reindex(summary["customer_id"])
    return summary.assign(**{MARGIN: share.fillna(1 - of_all["cost"] / of_all["amount"]).to_numpy(dtype=float)})
