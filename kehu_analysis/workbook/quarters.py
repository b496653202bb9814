"""Choose the quarter that is reported on."""

from __future__ import annotations

from kehu_analysis.data import Dataset
from kehu_analysis.errors import UsageError
from kehu_analysis.periods import Quarter


def choose_quarter(dataset: Dataset, text: str, *, preview: bool = False) -> Quarter:
    """Return the quarter asked for, or the last complete one; where none is complete yet, the last one begun.

    Raises
    ------
    UsageError
        The text is no quarter; the data do not cover it; it is unfinished and no preview was asked for.
    """
    complete, last = dataset.quarters(), dataset.last_quarter()
    if not text:
        return complete[-1] if complete else last
    try:
        quarter = Quarter.parse(text, fiscal_year_start=dataset.fiscal_year_start)
    except ValueError:
        raise UsageError("not_a_quarter", text=text) from None
    if quarter in complete or (preview and quarter == last):
        return quarter
    listed = ", ".join(map(str, complete)) or "–"
    if quarter == last:
        raise UsageError("unfinished_quarter", quarter=quarter, until=dataset.complete_until, quarters=listed)
    raise UsageError("unknown_quarter", quarter=quarter, quarters=listed)
