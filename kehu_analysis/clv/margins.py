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
        By customer, as :func:`~kehu_analysis.summaries.product_margins` tells: customer_id, amount (currency) and
        margin_share. No rows where no cost is known.

    Returns
    -------
    DataFrame
        ``summary`` with margin_share; without that column where nothing is known. Customers whose share is missing or
        lies outside -1 to 1 (as after returns) have that of the others together, weighted by sales.

    Raises
    ------
    DataError
        A column is missing.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b", "c"]})
    >>> margins = pd.DataFrame({"customer_id": ["a", "b"], "amount": [100.0, 300.0], "margin_share": [0.2, 0.4]})
    >>> with_margins(summary, margins)["margin_share"].tolist()
    [0.2, 0.4, 0.35]
    """
    if margins.empty:
        return summary
    check_columns(margins, ("customer_id", "amount", MARGIN), analysis="customer_lifetime_value")
    sound = margins[(margins["amount"] > 0) & (margins[MARGIN].abs() <= 1)]
    if sound.empty:
        return summary
    of_all = float(np.average(sound[MARGIN], weights=sound["amount"]))
    own = sound.set_index("customer_id")[MARGIN].reindex(summary["customer_id"])
    return summary.assign(**{MARGIN: own.fillna(of_all).to_numpy(dtype=float)})
