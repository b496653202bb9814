"""Pasts and drawn futures of customers, and the checks of what is asked about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.errors import UsageError

#: Whole numbers beyond it have no 64 bits.
_COUNTLESS = 2.0**63


class History(NamedTuple):
    """Pasts of customers, in the time unit of the parameters; arrays of one shape, (n,).

    Attributes
    ----------
    x, t_x, T
        Repeat purchases, age at the last of them (0 where there is none), age now. A customer who has just made the
        first purchase is (0, 0, 0).
    """

    x: FloatArray
    t_x: FloatArray
    T: FloatArray

    def part(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """Return some of the customers."""
        return type(self)(*(column[rows] for column in self))


class DrawnPurchases(NamedTuple):
    """Futures with at least one purchase; all others have none.

    Attributes
    ----------
    draw, customer
        Which, shape (n_futures,).
    purchases
        By period, shape (n_futures, n_periods).
    """

    draw: npt.NDArray[np.int64]
    customer: npt.NDArray[np.int64]
    purchases: npt.NDArray[np.int64]


def part_of(parameters: Sequence[FloatArray], rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> list[FloatArray]:
    """Return the parameters of some of the customers: one number for all, or one a customer."""
    return [values if np.ndim(values) == 0 else values[rows] for values in parameters]


def lengths_of(future_t: float | npt.ArrayLike, size: int) -> FloatArray:
    """Return lengths of time, one a customer.

    Raises
    ------
    UsageError
        They are no numbers, one is negative or not finite, or there is neither one nor one a customer.
    """
    lengths = _one_each(future_t, size)
    if lengths is None or not (np.isfinite(lengths).all() and (lengths >= 0).all()):
        raise UsageError("bad_horizon", future_t=future_t)
    return lengths


def counts_of(n_purchases: int | npt.ArrayLike, size: int) -> npt.NDArray[np.int64]:
    """Return numbers of purchases, one a customer.

    Raises
    ------
    UsageError
        They are no whole numbers from 0 to 2^63, or there is neither one nor one a customer.
    """
    given = _one_each(n_purchases, size)
    if given is None or not ((given >= 0).all() and (given < _COUNTLESS).all() and (given % 1 == 0).all()):
        raise UsageError("bad_number_of_purchases", n_purchases=n_purchases)
    return np.asarray(given, dtype=np.int64)


def _one_each(given: float | npt.ArrayLike, size: int) -> FloatArray | None:
    # None where these are no numbers, or neither one nor one a customer.
    try:
        return np.broadcast_to(np.asarray(given, dtype=float), (size,))
    except (TypeError, ValueError):
        return None
