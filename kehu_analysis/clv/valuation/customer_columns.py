"""What is laid beside a summary of purchases before customers are valued: margins where costs are known, segments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.frames import check_columns, check_unique

MARGIN, COST_KNOWN = "margin_share", "cost_known_share"


def with_margins(summary: pd.DataFrame, margins: pd.DataFrame) -> pd.DataFrame:
    """Add to a summary the share of each customer's sales that is product margin, where any cost is known.

    Parameters
    ----------
    summary
        customer_id, one row a customer.
    margins
        By customer, as :func:`~kehu_analysis.summaries.product_margins` tells: customer_id, amount (currency),
        n_lines, n_lines_without_cost and margin_share. No rows where no cost is known.

    Returns
    -------
    DataFrame
        ``summary`` with margin_share, and with cost_known_share, the share of the customer's lines that it rests on;
        without these columns where nothing is known. Customers whose margin share is missing or lies outside -1 to 1
        (as after returns) have that of the others together, weighted by sales, which rests on none of their lines.

    Raises
    ------
    DataError
        A column is missing.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b", "c"]})
    >>> margins = pd.DataFrame({"customer_id": ["a", "b"], "amount": [100.0, 300.0], "n_lines": [4, 9],
    ...     "n_lines_without_cost": [1, 0], "margin_share": [0.2, 0.4]})
    >>> found = with_margins(summary, margins)
    >>> found["margin_share"].tolist(), found["cost_known_share"].tolist()
    ([0.2, 0.4, 0.35], [0.75, 1.0, 0.0])
    """
    if margins.empty:
        return summary
    needed = ("customer_id", "amount", "n_lines", "n_lines_without_cost", MARGIN)
    check_columns(margins, needed, analysis="customer_lifetime_value")
    sound = margins[(margins["amount"] > 0) & (margins[MARGIN].abs() <= 1)]
    if sound.empty:
        return summary
    of_all = float(np.average(sound[MARGIN], weights=sound["amount"]))
    known = sound.assign(known=1 - sound["n_lines_without_cost"] / sound["n_lines"]).set_index("customer_id")
    own = known[[MARGIN, "known"]].reindex(summary["customer_id"])
    share, rests_on = own[MARGIN].fillna(of_all), own["known"].fillna(0.0)
    return summary.assign(**{MARGIN: share.to_numpy(dtype=float), COST_KNOWN: rests_on.to_numpy(dtype=float)})


def with_segments(summary: pd.DataFrame, segments: pd.DataFrame, column: str) -> pd.DataFrame:
    """Add to a summary the segment of each customer.

    Parameters
    ----------
    summary
        customer_id, one row a customer.
    segments
        customer_id and ``column``, such as the table of a segmentation; an empty table where that was not run.
    column
        Name of the segment's column.

    Returns
    -------
    DataFrame
        ``summary`` with ``column``, missing for customers that ``segments`` does not name.

    Raises
    ------
    DataError
        A column is missing, or a customer stands twice in ``segments``.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"]})
    >>> graded = with_segments(summary, pd.DataFrame({"customer_id": ["b"], "grade": ["A"]}), "grade")
    >>> graded["grade"].isna().tolist()
    [True, False]
    """
    if segments.empty:
        return summary.assign(**{column: None})
    check_columns(segments, ("customer_id", column), analysis="equity_by_segment")
    check_unique(segments, "customer_id", analysis="equity_by_segment")
    own = segments.set_index("customer_id")[column].reindex(summary["customer_id"])
    return summary.assign(**{column: own.to_numpy()})
