"""Purchases of customers who are alive, may leave after any purchase, and buy at every k-th stage of a hidden process.

With k above 1 purchases come more regularly than by chance: the longer ago the last one, the nearer the next. With
k = 1 the stages are the purchases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.numerics.rising_factorials import log_rising

_PRECISION = 1e-14
#: Probability of stage events that no sum goes beyond.
_NEVER = 1e-18
#: A block of the sum over purchases has so many nodes; shorter blocks are summed one by one.
_PER_BLOCK = 12
_ROWS_AT_A_TIME = 4096


class Stages(NamedTuple):
    """What is known of customers who are alive now; arrays of shape (n,), positive.

    Attributes
    ----------
    shape, rate
        The rate of stages is Gamma(shape + j, rate) where j stages have passed since the last purchase.
    leave, stay
        The chance to leave after a purchase is Beta(leave, stay).
    phase
        Probability of j = 0 … k-1, shape (k, n); it says what k is.
    """

    shape: FloatArray
    rate: FloatArray
    leave: FloatArray
    stay: FloatArray
    phase: FloatArray

    def part(self, rows: npt.NDArray[np.intp]) -> Stages:
        """Return some of the customers."""
        return Stages(self.shape[rows], self.rate[rows], self.leave[rows], self.stay[rows], self.phase[:, rows])


def phases(shape: FloatArray, waited: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    r"""How many stages have passed since the last purchase, if fewer than k have.

    Parameters
    ----------
    shape
        Shape of the rate of stages at the last purchase.
    waited
        (T - t_x) / (alpha + T), 0 to 1; broadcasts against ``shape``.
    k
        Stages to a purchase.

    Returns
    -------
    The logarithm of :math:`\sum_{j<k} waited^j\, (shape)_j / j!`, and the share of each j in it, one more axis in
    front.

    Examples
    --------
    >>> log_sum, share = phases(np.array([2.0]), np.array([0.5]), 2)
    >>> np.exp(log_sum), share.ravel()
    (array([2.]), array([0.5, 0.5]))
    """
    size = np.broadcast(shape, waited).shape
    terms = np.zeros((k, *size))
    with np.errstate(divide="ignore"):
        log_waited = np.log(waited)
    for j in range(1, k):
        terms[j] = terms[j - 1] + log_waited + np.log((shape + (j - 1)) / j)
    largest = terms.max(axis=0)
    terms = np.exp(terms - largest)
    total = terms.sum(axis=0)
    return largest + np.log(total), terms / total


def expected_regular_purchases(known: Stages, t: FloatArray) -> FloatArray:
    r"""Expected number of purchases in the next ``t`` of customers alive now.

    .. math:: E = \sum_{n \ge 1} P(N_t \ge n)\; E[(1-p)^{n-1}]

    The n-th purchase comes if time allows, nk - j stages within t (a regularised incomplete beta function), and if the
    customer stays after the n - 1 before it. Terms are positive and smooth in n: the first are added one by one, the
    others in blocks of growing length by a rule of 12 nodes which is exact for the *sum* of a polynomial over whole
    numbers, so that neither heavy buyers nor long horizons cost much.

    Examples
    --------
    Somebody who never leaves and buys at every second of 10 stages a week, with one of the two behind, on average:

    >>> one = np.ones(1)
    >>> sure = Stages(1e12 * one, 1e11 * one, 1e-9 * one, one, np.array([[0.5], [0.5]]))
    >>> expected_regular_purchases(sure, 52 * one).round(3)
    array([260.])
    """
    result = np.empty(len(t))
    for first in range(0, len(t), _ROWS_AT_A_TIME):
        rows = np.arange(first, min(first + _ROWS_AT_A_TIME, len(t)))
        result[rows] = _summed(known.part(rows), t[rows])
    return result


def probability_of_regular_purchases(known: Stages, t: FloatArray, n: npt.NDArray[np.int64]) -> FloatArray:
    """Return the probability of exactly ``n`` purchases in the next ``t`` of customers alive now.

    Either time allows n and no more, or more, but the customer leaves after the n-th.

    Examples
    --------
    >>> one = np.ones(1)
    >>> known = Stages(one, one, one, one, np.ones((1, 1)))
    >>> [probability_of_regular_purchases(known, one, np.array([n])).item() for n in (0, 1)]
    [0.5, 0.375]
    """
    exactly = _exactly(known, t, n)
    some = np.flatnonzero(n > 0)
    of, at = known.part(some), n[some].astype(float)[:, None]
    leaves = (of.leave / (of.leave + of.stay + at[:, 0] - 1)) * _at_least(of, t[some], at + 1)[:, 0]
    exactly[some] = _stayed(of, at)[:, 0] * (exactly[some] + leaves)
    return exactly


def _summed(known: Stages, t: FloatArray) -> FloatArray:
    k = len(known.phase)
    pace = t / known.rate
    # Where the number of purchases that time allows lies: from where on it is in doubt, and where it cannot be.
    mean, deviation = known.shape * pace / k, np.sqrt(known.shape * pace * (1 + pace)) / k
    fastest = special.gammainccinv(known.shape + (k - 1), _NEVER) * pace
    end = (fastest + 9 * np.sqrt(fastest) + 45) / k + 2
    result, n = np.zeros(len(t)), np.ones(len(t))
    rows = np.arange(len(t))
    while len(rows):
        of, at = known.part(rows), n[rows]
        leaving = np.log1p(of.leave / (of.stay + at - 1))
        in_doubt = np.maximum(deviation[rows], mean[rows] - 9 * deviation[rows] - at)
        width = np.maximum(np.floor(np.minimum(np.minimum(at / 2, in_doubt), 2 / leaving)), _PER_BLOCK)
        places, weights = _rule(width)
        places += at[:, None]
        terms = _at_least(of, t[rows], places) * _stayed(of, places)
        result[rows] += np.sum(weights * terms, axis=1)
        n[rows] = at + width
        # Terms fall, so that the last one bounds all that follow.
        rest = terms[:, -1] * (end[rows] - n[rows])
        rows = rows[rest > _PRECISION * result[rows]]
    return result


def _rule(width: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Sum over 0 … width-1 by the midpoint form of Euler and Maclaurin: the integral, and derivatives at the ends.
    step = (2 / width)[:, None]
    places = width[:, None] * (_NODES + 1) / 2 - 0.5
    weights = _WEIGHTS / step
    for order, correction in enumerate(_CORRECTIONS):
        weights = weights + step ** (2 * order + 1) * correction
    single = width <= _PER_BLOCK
    places[single], weights[single] = np.arange(_PER_BLOCK), 1.0
    return places, weights


def _corrections() -> FloatArray:
    # B_2m(1/2) / (2m)! times the weights with which nodes give the difference of derivatives between the ends.
    bernoulli = [-1 / 24, 7 / 5760, -31 / 967680, 127 / 154828800, -73 / 3503554560]
    at_nodes = np.polynomial.legendre.legvander(_NODES, _PER_BLOCK - 1)
    basis = np.eye(_PER_BLOCK)
    rows = []
    for order, factor in enumerate(bernoulli):
        slopes = np.polynomial.legendre.legder(basis, 2 * order + 1, axis=0)
        ends = np.polynomial.legendre.legval(np.array([-1.0, 1.0]), slopes)
        rows.append(factor * np.linalg.solve(at_nodes.T, ends[:, 1] - ends[:, 0]))
    return np.array(rows)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_PER_BLOCK)
_CORRECTIONS = _corrections()


def _stayed(known: Stages, n: FloatArray) -> FloatArray:
    # E[(1-p)^(n-1)], for n of shape (rows, nodes).
    leave, stay = known.leave[:, None], known.stay[:, None]
    return np.exp(log_rising(stay, n - 1) - log_rising(leave + stay, n - 1))


def _at_least(known: Stages, t: FloatArray, n: FloatArray) -> FloatArray:
    # P(time allows n purchases), n > 0 of shape (rows, nodes) and not whole between the terms of the sum. With M stage
    # events, P(M >= nk - j | shape + j) exceeds that of j - 1 by a positive term, and these follow from one another.
    k = len(known.phase)
    shape, pace = known.shape[:, None], (t / known.rate)[:, None]
    m = n * k
    chance = np.empty(n.shape)
    # The smaller of z and 1 - z keeps its digits. (betaincc is ten times as slow as betainc, and no better here: of
    # chances near 0 there are others near 1 in the same sum.)
    slow = pace[:, 0] <= 1
    chance[slow] = special.betainc(m[slow], shape[slow], (pace / (1 + pace))[slow])
    chance[~slow] = 1 - special.betainc(shape[~slow], m[~slow], (1 / (1 + pace))[~slow])
    if k == 1:
        return chance
    beyond = np.cumsum(known.phase[::-1], axis=0)[::-1]
    log_term = (1 - m) * np.log1p(1 / pace) - shape * np.log1p(pace) + log_rising(m, shape) - special.gammaln(shape + 1)
    term = np.exp(log_term)
    for j in range(1, k):
        chance += beyond[j][:, None] * term
        term = term * ((m - j) / ((shape + j) * pace))
    return chance


def _exactly(known: Stages, t: FloatArray, n: npt.NDArray[np.int64]) -> FloatArray:
    # P(time allows n purchases and no more): stage events from nk - j to nk - j + k - 1, none below 0.
    k = len(known.phase)
    pace = t / known.rate
    log_z, log_rest = -np.log1p(1 / pace), -np.log1p(pace)
    chance = np.zeros(len(t))
    for j in range(k):
        shape = known.shape + j
        least = np.maximum(n * k - j, 0).astype(float)
        term = np.exp(log_rising(shape, least) - special.gammaln(least + 1) + least * log_z + shape * log_rest)
        for i in range(k):
            within = least + i < (n + 1) * k - j
            chance += known.phase[j] * np.where(within, term, 0.0)
            term = term * (np.exp(log_z) * (shape + least + i) / (least + i + 1))
    return chance
