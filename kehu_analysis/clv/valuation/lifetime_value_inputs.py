"""What a valuation of customers is given: in order, or refused with the reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import as_number, check_table, customers_in_order
from kehu_analysis.errors import DataError, UsageError

#: Segments of fewer customers are put together: a total of so few tells of single customers.
SMALLEST_SEGMENT = 5
OTHER_SEGMENTS = "other_segments"
_COLUMNS = ["frequency", "recency", "T", "monetary_value"]
_EXAMPLES = 3


def customers_to_value(summary: pd.DataFrame, segment: str | None) -> pd.DataFrame:
    """Return sound customers by their id."""
    check_table(summary)
    if segment is not None and segment not in summary.columns:
        found = ", ".join(str(column) for column in summary.columns)
        raise DataError("missing_columns", analysis="clv", missing=segment, found=found)
    return customers_in_order(summary, _COLUMNS)


def margin_shares(customers: pd.DataFrame, margin: float | str | None) -> FloatArray:
    """Return each customer's margin share; 1 where value is sales."""
    if not isinstance(margin, str):
        share = 1.0 if margin is None else as_number(margin)
        if not 0 < share <= 1:
            raise UsageError("bad_margin", margin=margin)
        return np.full(len(customers), share)
    if margin not in customers.columns:
        found = ", ".join(str(column) for column in customers.columns)
        raise DataError("missing_columns", analysis="clv", missing=margin, found=found)
    shares = pd.to_numeric(customers[margin], errors="coerce").to_numpy(dtype=float)
    wrong = ~(np.isfinite(shares) & (shares <= 1))
    if wrong.any():
        examples = ", ".join(str(customer) for customer in customers["customer_id"][wrong][:_EXAMPLES])
        raise DataError("bad_margin_shares", column=margin, n=int(wrong.sum()), examples=examples)
    return shares


def segments_of(customers: pd.DataFrame, segment: str | None) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the names of the segments, small ones together, and the number of each customer's."""
    if segment is None:
        return ["all"], np.zeros(len(customers), dtype=np.intp)
    given = customers[segment].astype("str").where(customers[segment].notna(), OTHER_SEGMENTS)
    sizes = given.value_counts()
    names = given.where(given.map(sizes) >= SMALLEST_SEGMENT, OTHER_SEGMENTS)
    codes, found = pd.factorize(names, sort=True)
    return [str(name) for name in found], np.asarray(codes, dtype=np.intp)
