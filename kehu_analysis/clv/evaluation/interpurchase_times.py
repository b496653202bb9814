"""How regularly customers buy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.frames import check_columns


def regularity(log: pd.DataFrame) -> float:
    r"""Number of stages to a purchase that the times between purchases tell: 1 is chance, more is regular.

    Parameters
    ----------
    log
        customer_id and date, one row a purchase; several on a day count once.

    Returns
    -------
    float
        Of each customer with three purchase days or more, M is the share of the last time between purchases in the
        last two. For times that are Gamma of shape k it is Beta(k, k), whose variance v gives

        .. math:: k = \frac{1 - 4v}{8v}, \qquad v = \overline{(M - \tfrac12)^2}

        (Wheat and Morrison 1990, Journal of Marketing Research 27, 87-93). The mean of M is one half whatever k, and
        the two times may change places, so that nothing is drawn at random.

    Raises
    ------
    DataError
        A column is missing, a customer_id is, or a date is missing or none.
    InsufficientDataError
        No customer has three purchase days, or all keep their rhythm exactly.

    Examples
    --------
    >>> days = ["2026-01-01", "2026-01-11", "2026-01-31"] * 2
    >>> round(regularity(pd.DataFrame({"customer_id": list("aaabbb"), "date": days})), 6)
    4.0
    """
    check_columns(log, ("customer_id", "date"), analysis="clv")
    if n_missing := int(log["customer_id"].isna().sum()):
        raise DataError("log_customers", n=n_missing)
    dates = pd.to_datetime(log["date"], errors="coerce").dt.normalize()
    if dates.isna().any():
        raise DataError("log_dates", n=int(dates.isna().sum()))
    days = pd.DataFrame({"customer_id": log["customer_id"], "date": dates}).drop_duplicates()
    last = days.sort_values(["customer_id", "date"]).groupby("customer_id", sort=False).tail(3)
    three = last[last.groupby("customer_id", sort=False)["date"].transform("size") == 3]
    times = np.diff(three["date"].to_numpy().reshape(-1, 3)).astype("timedelta64[D]").astype(float)
    variance = float(np.mean((times[:, 1] / times.sum(axis=1) - 0.5) ** 2)) if len(times) else 0.0
    if variance == 0:
        raise InsufficientDataError("no_regularity", n=len(times))
    return (1 - 4 * variance) / (8 * variance)
