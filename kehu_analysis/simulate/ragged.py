"""Several values an owner, in one flat array: orders of shops, lines of orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def owners(counts: IntArray) -> IntArray:
    """Return the number of the owner of each value.

    Examples
    --------
    >>> owners(np.array([2, 0, 3])).tolist()
    [0, 0, 2, 2, 2]
    """
    return np.repeat(np.arange(len(counts)), counts)


def positions(owner: IntArray) -> IntArray:
    """Return how many values of the same owner stand before each; values of an owner stand together.

    Examples
    --------
    >>> positions(np.array([0, 0, 2, 2, 2])).tolist()
    [0, 1, 0, 1, 2]
    """
    place = np.arange(len(owner))
    begins = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def running(values: IntArray, owner: IntArray) -> IntArray:
    """Return the sum of the values of the same owner that stand before each.

    Examples
    --------
    >>> running(np.array([1, 1, 0, 1, 1]), np.array([0, 0, 2, 2, 2])).tolist()
    [0, 1, 0, 0, 1]
    """
    before = np.cumsum(values) - values
    begins = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
    return before - np.maximum.accumulate(np.where(begins, before, 0))


def choose(weights: FloatArray, uniform: FloatArray) -> IntArray:
    """Choose a column of each row of weights, with one uniform number a row.

    Examples
    --------
    >>> choose(np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.4, 0.0])).tolist()
    [0, 1]
    """
    until = np.cumsum(weights, axis=1)
    found: IntArray = (until <= uniform[:, None] * until[:, -1:]).sum(axis=1).clip(max=weights.shape[1] - 1)
    return found
