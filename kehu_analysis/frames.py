"""What every analysis asks of the table it is given: the columns, some rows, and sound numbers in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.errors import DataError, InsufficientDataError

__all__ = ["check_columns", "check_numbers", "check_unique"]

_EXAMPLES = 3


def check_columns(frame: pd.DataFrame, columns: tuple[str, ...], *, analysis: str) -> None:
    """Check that a table has the columns an analysis reads, and rows.

    Parameters
    ----------
    frame
        The table given.
    columns
        The columns read.
    analysis
        The analysis's code, for the message.

    Raises
    ------
    DataError
        Columns are missing.
    InsufficientDataError
        The table has no rows.

    Examples
    --------
    >>> check_columns(pd.DataFrame({"customer_id": ["a"]}), ("customer_id",), analysis="demo")
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        found = ", ".join(str(column) for column in frame.columns) or "–"
        raise DataError("missing_columns", analysis=analysis, missing=", ".join(missing), found=found)
    if frame.empty:
        raise InsufficientDataError("no_rows", analysis=analysis)


def check_numbers(frame: pd.DataFrame, columns: tuple[str, ...], *, analysis: str, at_least: float = -np.inf) -> None:
    """Check that columns hold finite numbers, none below ``at_least``.

    Raises
    ------
    DataError
        A column is not numeric, or holds missing, infinite or too small values; the first customers
        concerned are named.

    Examples
    --------
    >>> check_numbers(pd.DataFrame({"T": [1.0, 2.0]}), ("T",), analysis="demo", at_least=0)
    """
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        wrong = ~(np.isfinite(values) & (values >= at_least))
        if wrong.any():
            _refuse("bad_numbers", frame, column, wrong, analysis)


def check_unique(frame: pd.DataFrame, column: str, *, analysis: str) -> None:
    """Check that a column, such as ``customer_id``, is filled in and names each row once.

    Raises
    ------
    DataError
        Values are missing or repeated.

    Examples
    --------
    >>> check_unique(pd.DataFrame({"customer_id": ["a", "b"]}), "customer_id", analysis="demo")
    """
    wrong = (frame[column].duplicated(keep=False) | frame[column].isna()).to_numpy()
    if wrong.any():
        _refuse("not_unique", frame, column, wrong, analysis)


def _refuse(code: str, frame: pd.DataFrame, column: str, wrong: np.ndarray, analysis: str) -> None:
    named = frame["customer_id"] if "customer_id" in frame.columns else frame.index.to_series()
    examples = ", ".join(str(value) for value in named[wrong].head(_EXAMPLES))
    raise DataError(code, analysis=analysis, column=column, n_rows=int(wrong.sum()), examples=examples)
