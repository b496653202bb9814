"""What an engine returns, as frames: exact sums become the nearest floats once, numbers of days and months dates."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from kehu_analysis.errors import DataError

_EPOCH = date(1970, 1, 1)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return an engine's table as a frame."""
    return pd.DataFrame(columns_of(table))


def columns_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Return an engine's table as arrays of float64 and int64."""
    # Sums were exact in the engine; each becomes the nearest float once, whole numbers int64.
    return {name: _numbers(table[name].combine_chunks()) for name in table.column_names}


def _numbers(values: pa.Array) -> np.ndarray:
    kind = values.type
    if not pa.types.is_decimal(kind):
        return np.asarray(values.cast(pa.int64()) if pa.types.is_integer(kind) else values)
    # Arrow's own cast makes 0.03 a neighbour of the float 0.03. A division of whole numbers rounds once and rightly.
    words = np.frombuffer(values.cast(pa.decimal128(38, kind.scale)).buffers()[1] or b"", dtype="<i8").reshape(-1, 2)
    whole, overflow = words[values.offset : values.offset + len(values)].T
    if (overflow != whole >> 63).any():
        raise DataError("sum_too_large")
    numbers: np.ndarray = whole / 10**kind.scale if kind.scale else whole
    return numbers


def day_number(day: date) -> int:
    """Return the days since 1970-01-01, by which summaries know a day."""
    return (day - _EPOCH).days


def month_number(day: date) -> int:
    """Return the number of a day's month, 12 * year + month - 1."""
    return day.year * 12 + day.month - 1


def months_of(months: np.ndarray) -> pd.PeriodIndex:
    """Return months from their numbers."""
    return pd.PeriodIndex(np.asarray(months - 1970 * 12, dtype="datetime64[M]"), freq="M")


def dates_of(days: np.ndarray) -> pd.Series:
    """Return dates from their numbers."""
    return pd.Series(days.astype("datetime64[D]").astype(object))
