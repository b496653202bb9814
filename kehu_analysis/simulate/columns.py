"""Arrow columns of texts, dates and money, made from whole arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock

MONEY = pa.decimal128(14, 2)


def texts(words: Sequence[str] | pa.Array, place: NDArray[Any]) -> pa.Array:
    """Return the word at each place; none where the place is negative.

    Examples
    --------
    >>> texts(["a", "b"], np.array([1, -1, 0])).to_pylist()
    ['b', None, 'a']
    """
    return pc.take(pa.array(words, pa.string()), pa.array(place, pa.int64(), mask=place < 0))


def numbered(prefix: str, numbers: NDArray[Any], width: int) -> pa.Array:
    """Return ids of a prefix and a number with leading zeros.

    Examples
    --------
    >>> numbered("S", np.array([3, 12]), 2).to_pylist()
    ['S03', 'S12']
    """
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def money(cents: NDArray[Any]) -> pa.Array:
    """Return exact amounts of currency.

    Examples
    --------
    >>> money(np.array([-1205])).to_pylist()
    [Decimal('-12.05')]
    """
    whole = np.rint(np.asarray(cents)).astype("<i8")
    halves = np.empty((len(whole), 2), dtype="<i8")
    halves[:, 0], halves[:, 1] = whole, whole >> 63
    return pa.Array.from_buffers(MONEY, len(whole), [None, pa.py_buffer(halves)])


def dates(clock: Clock, day: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return the dates of days of the log, also before and after it; none where not ``known``."""
    since_1970 = clock.days[0].astype(np.int64) + np.asarray(day, dtype=np.int64)
    return pa.array(since_1970.astype(np.int32), mask=None if known is None else ~known).cast(pa.date32())
