"""Sums over opportunities that come one by one, before each of which a customer may leave; no step can overflow.

Everywhere a customer takes an opportunity with a chance that is Beta(buy, skip) over customers, and leaves just before
it with a chance that is Beta(leave, stay). The sums are built up opportunity by opportunity from the chances that the
next one is lived and taken, which are ratios of parameters: no Gamma function, and nothing but positive terms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray

IntArray = npt.NDArray[np.int64]

_ROWS_AT_A_TIME = 2048
_CELLS_AT_A_TIME = 16_384


def silence(
    buy: FloatArray, skip: FloatArray, leave: FloatArray, stay: FloatArray, steps: IntArray
) -> tuple[FloatArray, FloatArray]:
    r"""Probability of taking none of the next ``steps`` opportunities, and of that and still being there.

    Parameters
    ----------
    buy, skip, leave, stay
        Positive; arrays whose last axis has one element or n.
    steps
        Shape (n,).

    Returns
    -------
    Two arrays of the broadcast shape, (..., n).

    Notes
    -----
    With j opportunities behind, the chance q of silence over those that are left is

    .. math:: q_j = \frac{leave}{leave+stay+j} + \frac{stay+j}{leave+stay+j}\,\frac{skip+j}{buy+skip+j}\,q_{j+1}

    Examples
    --------
    One opportunity: half of the customers leave before it, and a quarter of the others takes it.

    >>> one = np.ones(1)
    >>> silence(one, 3 * one, one, one, np.array([1]))
    (array([0.875]), array([0.375]))
    """
    order, (buy, skip, leave, stay) = _longest_first(steps, buy, skip, leave, stay)
    shape = np.broadcast_shapes(buy.shape, skip.shape, leave.shape, stay.shape, steps.shape)
    silent, there = np.ones(shape), np.ones(shape)
    for j, m in _backwards(steps):
        of_leaving, of_buying = (leave + stay + j)[..., :m], (buy + skip + j)[..., :m]
        passed = (stay + j)[..., :m] / of_leaving * ((skip + j)[..., :m] / of_buying)
        silent[..., :m] = leave[..., :m] / of_leaving + passed * silent[..., :m]
        there[..., :m] *= passed
    back = np.argsort(order)
    return silent[..., back], there[..., back]


def log_silence(
    buy: FloatArray, skip: FloatArray, leave: FloatArray, stay: FloatArray, steps: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Logarithm of the probability of :func:`silence`, (n,), and its derivatives by the four parameters, (4, n)."""
    order = np.argsort(steps, kind="stable")
    silent, slopes = np.ones(len(steps)), np.zeros((4, len(steps)))
    first = 0
    while first < len(order):
        # Customers with nearly as many opportunities each, and so few that all arrays stay in the cache.
        size = max(1, _CELLS_AT_A_TIME // max(1, int(steps[order[min(first + _ROWS_AT_A_TIME, len(order)) - 1]])))
        rows = order[first : first + min(size, _ROWS_AT_A_TIME)]
        silent[rows], slopes[:, rows] = _silence_of_block(buy[rows], skip[rows], leave[rows], stay[rows], steps[rows])
        first += len(rows)
    return np.log(silent), slopes / silent


def _silence_of_block(
    buy: FloatArray, skip: FloatArray, leave: FloatArray, stay: FloatArray, steps: IntArray
) -> tuple[FloatArray, FloatArray]:
    j = np.arange(steps.max(initial=0))[:, None]
    waits = j < steps
    of_leaving, of_buying = leave + stay + j, buy + skip + j
    lives, skips = (stay + j) / of_leaving, (skip + j) / of_buying
    passes, leaves = np.where(waits, lives * skips, 1.0), np.where(waits, leave / of_leaving, 0.0)
    silent = np.ones((len(j) + 1, len(steps)))
    for i in range(len(j) - 1, -1, -1):
        silent[i] = leaves[i] + passes[i] * silent[i + 1]
    # What an opportunity adds to the slopes counts as often as it is reached in silence.
    reached = np.where(waits, np.cumprod(np.vstack([np.ones(len(steps)), passes]), axis=0)[:-1], 0.0)
    lived, after = reached * lives, skips * silent[1:]
    slopes = [
        -np.sum(lived * after / of_buying, axis=0),
        np.sum(lived * silent[1:] / of_buying**2, axis=0) * buy,
        np.sum(lived * (1 - after) / of_leaving, axis=0),
        -np.sum(reached * (1 - after) / of_leaving**2, axis=0) * leave,
    ]
    return silent[0], np.stack(slopes)


def survival(leave: FloatArray, stay: FloatArray, steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probability of living the next ``steps`` opportunities, and the expected number lived; arrays of shape (n,).

    Examples
    --------
    >>> survival(np.ones(2), np.ones(2), np.array([1, 2]))
    (array([0.5       , 0.33333333]), array([0.5       , 0.83333333]))
    """
    # Few customers differ in what matters here.
    rows = pd.DataFrame({"steps": steps, "leave": leave, "stay": stay})
    group = rows.groupby(["steps", "leave", "stay"], sort=False).ngroup().to_numpy()
    some = rows.iloc[np.unique(group, return_index=True)[1]]
    steps = some["steps"].to_numpy()
    order, (leave, stay) = _longest_first(steps, some["leave"].to_numpy(), some["stay"].to_numpy())
    lives, lived = np.ones(len(some)), np.zeros(len(some))
    for j, m in reversed(_backwards(steps)):
        lives[:m] *= (stay[:m] + j) / (leave[:m] + stay[:m] + j)
        lived[:m] += lives[:m]
    place = np.argsort(order)[group]
    return lives[place], lived[place]


def discounted_survival(leave: FloatArray, stay: FloatArray, discount_rate: float) -> FloatArray:
    r"""Expected number of coming opportunities lived, the i-th one divided by (1 + discount_rate)^i.

    Parameters
    ----------
    leave, stay
        Shape (n,).
    discount_rate
        Above 0, for each opportunity.

    Notes
    -----
    The sum is :math:`z\,\frac{stay}{leave+stay}\,{}_2F_1(1, stay+1; leave+stay+1; z)` with z = 1 / (1 +
    discount_rate). Gauss's continued fraction of it converges for every z below 1, its error falling as
    exp(-2 sqrt(1 - z)) a level (DLMF 15.7.1).

    Examples
    --------
    Nobody ever leaves, so that at 10 % the coming opportunities are worth 1 / 0.1:

    >>> discounted_survival(np.array([1e-12]), np.ones(1), 0.1).round(6)
    array([10.])
    """
    pairs, place = np.unique(np.column_stack([leave, stay]), axis=0, return_inverse=True)
    leave, stay = pairs.T
    z, total = 1 / (1 + discount_rate), leave + stay
    # The quotient is folded from below; an error at the lowest level reaches the top below the last bit.
    levels = int(10 / np.sqrt(discount_rate / (1 + discount_rate))) + 10
    quotient = np.ones(len(pairs))
    for n in range(levels, -1, -1):
        even = (n + 1) * (leave + n) / ((total + 2 * n + 1) * (total + 2 * n + 2))
        odd = (stay + 1 + n) * (total + n) / ((total + 2 * n) * (total + 2 * n + 1))
        quotient = 1 - odd * z / (1 - even * z / quotient)
    return np.asarray((z * stay / total / quotient)[place.reshape(-1)])


def counts(
    buy: FloatArray, skip: FloatArray, leave: FloatArray, stay: FloatArray, steps: FloatArray, n: IntArray
) -> FloatArray:
    """Probability of taking exactly ``n`` of the next ``steps`` opportunities; arrays of shape (n_customers,).

    Examples
    --------
    >>> one = np.ones(3)
    >>> counts(one, 3 * one, one, one, one, np.arange(3))
    array([0.875, 0.125, 0.   ])
    """
    order, (buy, skip, leave, stay, steps, n) = _longest_first(steps, buy, skip, leave, stay, steps, n)
    total = np.zeros(len(steps))
    # In logarithms, for the chance of n in n opportunities may be too small a number where that of n in more is not.
    log_taken, log_lives = np.zeros(len(steps)), np.zeros(len(steps))
    for i in range(int(steps.max(initial=0)) + 1):
        m = int(np.searchsorted(-steps, -i, side="right"))
        of_leaving = leave[:m] + stay[:m] + i
        enough, skipped = n[:m] <= i, i - n[:m]
        leaves = np.where(steps[:m] > i, leave[:m] / of_leaving, 1.0)
        total[:m] += np.where(enough, np.exp(log_taken[:m] + log_lives[:m]) * leaves, 0.0)
        following = np.where(enough, (i + 1) * (skip[:m] + skipped) / (np.maximum(skipped, 0) + 1), buy[:m] + i)
        log_taken[:m] += np.log(following / (buy[:m] + skip[:m] + i))
        log_lives[:m] += np.log((stay[:m] + i) / of_leaving)
    return total[np.argsort(order)]


def _longest_first(
    steps: npt.NDArray[Any], *columns: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], list[npt.NDArray[Any]]]:
    # Sorted so, the customers who still have opportunities to come are the first ones of all arrays.
    order = np.argsort(-steps, kind="stable")
    return order, [column if column.shape[-1] != len(order) else column[..., order] for column in columns]


def _backwards(steps: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Return the opportunities from the last to the first, each with the number of customers who have it to come."""
    waiting = len(steps) - np.cumsum(np.bincount(np.asarray(steps, dtype=np.int64)))
    return [(j, int(waiting[j])) for j in range(len(waiting) - 2, -1, -1)]
