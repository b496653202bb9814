"""Expected purchases of a customer who is alive and may leave after any purchase, without overflow."""

from __future__ import annotations

import numpy as np

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.numerics.discounted_purchases import range_of_chances, weighted_chances
from kehu_analysis.clv.numerics.regular_purchases import Stages, expected_regular_purchases

#: Beyond these the series is slow (ratio close to 1) or loses digits (large negative order, large exponent).
_LARGEST_RATIO = 0.95
_LOWEST_ORDER = -30.0
_LARGEST_EXPONENT = 30.0
_PRECISION = 1e-16
_TERMS_BETWEEN_CHECKS = 16
_ROWS_AT_A_TIME = 256


def expected_purchases_while_alive(
    shape: FloatArray, rate: FloatArray, leave: FloatArray, stay: FloatArray, t: FloatArray
) -> FloatArray:
    r"""Expected number of purchases in the next ``t`` of customers alive now.

    Purchases come as a Poisson process whose rate is Gamma(shape, rate); after each one the customer leaves
    with a chance p that is Beta(leave, stay). Integrating the Poisson process and the rate out leaves

    .. math:: E = \int_0^1 \frac{1 - (1 + p t / rate)^{-shape}}{p}\, \mathrm{Beta}(p; leave, stay)\, dp

    Parameters
    ----------
    shape, rate, leave, stay, t
        Positive arrays of one shape, (n,); ``rate`` and ``t`` in one time unit.

    Returns
    -------
    Array of shape (n,).

    Notes
    -----
    Fader, Hardie and Lee (2005, "Counting your customers the easy way", eq. 10) write this with a Gauss
    hypergeometric function in which shape and stay, thousands for a heavy buyer, overflow, and which is 0/0
    at leave = 1. Euler's transformation leaves a series in z = t / (rate + t) whose orders do not grow with
    the number of purchases, and taking its first term apart removes 0/0. Where it converges slowly, z close to 1,
    the integral above is taken by the trapezoidal rule in the logit of p. Elsewhere purchases are summed one by one and
    then in blocks, as they are where k stages make a purchase.

    Examples
    --------
    A customer who leaves for certain after the next purchase buys once at most:

    >>> one = np.ones(1)
    >>> expected_purchases_while_alive(one, one, 1e9 * one, 1e-3 * one, 1e6 * one).round(3)
    array([1.])
    """
    pace = t / rate
    z = pace / (1 + pace)
    order = leave + stay - 1 - shape
    by_series = (z <= _LARGEST_RATIO) & (order >= _LOWEST_ORDER) & (leave * np.log1p(pace) <= _LARGEST_EXPONENT)
    result = np.empty(len(z))
    rows = np.flatnonzero(by_series)
    result[rows] = _series(order[rows], leave[rows], leave[rows] + stay[rows], z[rows])
    is_long = z > _LARGEST_RATIO
    rows = np.flatnonzero(is_long)
    result[rows] = _integrated(shape[rows], leave[rows], stay[rows], pace[rows])
    rows = np.flatnonzero(~(by_series | is_long))
    one_stage = Stages(shape[rows], rate[rows], leave[rows], stay[rows], np.ones((1, len(rows))))
    result[rows] = expected_regular_purchases(one_stage, t[rows])
    return result


def _integrated(shape: FloatArray, leave: FloatArray, stay: FloatArray, pace: FloatArray) -> FloatArray:
    # Chances far below 1 / (shape pace) end nothing before the time is up.
    left, right, step = range_of_chances(leave, stay, 1 / (np.maximum(shape, 1) * pace))
    nodes = np.ceil((right - left) / step).astype(int) + 1
    order = np.argsort(nodes, kind="stable")
    result = np.empty(len(pace))
    for first in range(0, len(order), _ROWS_AT_A_TIME):
        rows = order[first : first + _ROWS_AT_A_TIME]
        logits = np.linspace(left[rows], right[rows], nodes[rows[-1]], axis=1)
        p, weights = weighted_chances(leave[rows], stay[rows], logits)
        bought = -np.expm1(-shape[rows, None] * np.log1p(p * pace[rows, None]))
        result[rows] = np.sum(weights * (bought / p), axis=1)
    return result


def _series(order: FloatArray, leave: FloatArray, total: FloatArray, z: FloatArray) -> FloatArray:
    # E = (total - 1) (1 - (1-z)^(leave-1)) / (leave-1) - (1-z)^(leave-1) z order S, with
    # S = sum over m of (order+1)_m (leave)_m / ((total)_m (m+1)!) z^m.
    log_rest = np.log1p(-z)
    power = np.exp((leave - 1) * log_rest)
    with np.errstate(invalid="ignore"):
        plain = np.where(leave == 1, -log_rest, -np.expm1((leave - 1) * log_rest) / (leave - 1))
    return np.asarray((total - 1) * plain - power * z * order * _sum(order, leave, total, z))


def _sum(order: FloatArray, leave: FloatArray, total: FloatArray, z: FloatArray) -> FloatArray:
    result = np.empty(len(z))
    rows = np.arange(len(z))
    term, sums = np.ones(len(z)), np.ones(len(z))
    m = 0
    while len(rows):
        for _ in range(_TERMS_BETWEEN_CHECKS):
            term = term * ((order + 1 + m) * (leave + m) / ((total + m) * (m + 2)) * z)
            sums = sums + term
            m += 1
        # The ratio of successive terms tends to z; once below (1 + z) / 2 for good, it bounds the rest.
        ratio = (order + 1 + m) * (leave + m) / ((total + m) * (m + 2)) * z
        shrinking = (order + 1 + m >= 0) & (ratio <= (1 + z) / 2)
        done = shrinking & (2 * np.abs(term) <= _PRECISION * (1 - z) * np.abs(sums))
        result[rows[done]] = sums[done]
        keep = ~done
        rows, term, sums = rows[keep], term[keep], sums[keep]
        order, leave, total, z = order[keep], leave[keep], total[keep], z[keep]
    return result
