"""How many purchases customers who are alive now will have made by some time, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.numerics.regular_purchases import Stages

#: More purchases than :func:`most_purchases` says come with less than this probability.
_NEVER = 1e-9
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_FEW_NODES, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(8)


class FutureCounts(NamedTuple):
    """Probabilities of 0, 1, … purchases until some time, of customers who are alive now.

    Attributes
    ----------
    still
        With so many purchases, and still alive then, shape (most + 1, n).
    left
        With so many purchases, and gone by then, shape (most + 1, n).
    left_after
        Mean time from now at which those of ``left`` made their last purchase, or left, shape (most + 1, n).
    """

    still: FloatArray
    left: FloatArray
    left_after: FloatArray


def most_purchases(shape: FloatArray, rate: FloatArray, t: FloatArray, k: int) -> FloatArray:
    """Return a number of purchases beyond which nobody gets until ``t``, whose rate of stages is Gamma(shape, rate).

    Examples
    --------
    >>> most_purchases(np.ones(1), np.array([10.0]), np.array([10.0]), 1) > 20
    array([ True])
    """
    fastest = special.gammainccinv(shape + (k - 1), _NEVER) * t / rate
    return np.asarray(np.ceil((fastest + 6 * np.sqrt(fastest) + 10) / k))


def counts_for_ever(shape: FloatArray, rate: FloatArray, t: FloatArray, most: int) -> FutureCounts:
    """Return them where nobody leaves; the rate of purchases is Gamma(shape, rate).

    Examples
    --------
    >>> one = np.ones(1)
    >>> counts_for_ever(one, one, one, 2).still.ravel()
    array([0.5  , 0.25 , 0.125])
    """
    still = np.stack(list(_negative_binomial(shape, rate, t, most)))
    return FutureCounts(still, np.zeros_like(still), np.zeros_like(still))


def counts_until_end(
    shape: FloatArray, rate: FloatArray, s: FloatArray, end_rate: FloatArray, t: FloatArray, most: int
) -> FutureCounts:
    r"""Return them where customers leave at a rate that is Gamma(s, end_rate), whatever they buy.

    With the negative binomial :math:`p_n(u)` of purchases within u, still alive are
    :math:`p_n(t) (1 + t/b)^{-s}`, and gone :math:`\int_0^t p_n(u) \frac{s}{b} (1 + u/b)^{-s-1} du`, taken by 48 nodes
    of Gauss-Legendre in log(1 + u / c) for all n at once.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = counts_until_end(one, one, one, one, one, 40)
    >>> (found.still + found.left)[:3].ravel().round(6)
    array([0.625   , 0.208333, 0.088542])
    """
    scale = 1 / (np.maximum(shape, 1) / rate + (s + 1) / end_rate)
    way = np.log1p(t / scale)
    stretch = np.expm1((1 + _NODES[:, None]) / 2 * way)
    u = scale * stretch
    du = _WEIGHTS[:, None] / 2 * (1 + stretch) * (way * scale)
    weight = du * s / end_rate * np.exp(-(s + 1) * np.log1p(u / end_rate))
    # The rule's own error is taken out of the sum: all who leave, leave.
    weight *= -np.expm1(-s * np.log1p(t / end_rate)) / weight.sum(axis=0)
    stays = np.exp(-s * np.log1p(t / end_rate))
    still, left, left_after = (np.empty((most + 1, len(t))) for _ in range(3))
    pairs = zip(_negative_binomial(shape, rate, t, most), _negative_binomial(shape, rate, u, most), strict=True)
    for n, (at_end, at_nodes) in enumerate(pairs):
        still[n] = at_end * stays
        mass = weight * at_nodes
        left[n] = mass.sum(axis=0)
        left_after[n] = _ratio((mass * u).sum(axis=0), left[n])
    return FutureCounts(still, left, left_after)


def counts_until_purchase(known: Stages, t: FloatArray, most: int) -> FutureCounts:
    r"""Return them where customers leave after a purchase, if they leave.

    Time allows exactly n purchases with a probability :math:`e_n`, at least n with :math:`a_n`; the customer stays
    after each of n with :math:`E[(1-p)^n]`. Still alive are :math:`e_n E[(1-p)^n]`; gone, for n above 0,
    :math:`a_n E[p (1-p)^{n-1}]`, after :math:`t - \int_0^t a_n(u) du / a_n(t)` on average.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = counts_until_purchase(Stages(one, one, one, one, np.ones((1, 1))), one, 40)
    >>> (found.still + found.left)[:2].ravel().round(6)
    array([0.5  , 0.375])
    """
    n = np.arange(most + 1.0)[:, None]
    exactly = _time_allows(known, t[None], most)[:, 0]
    at_least = _at_least(exactly)
    u = t * (1 + _FEW_NODES[:, None]) / 2
    before = _at_least(_time_allows(known, u, most))
    waited = (before * _FEW_WEIGHTS[:, None] / 2).sum(axis=1) * t
    # (stay)_n / (leave + stay)_n, one factor after the other.
    factors = (known.stay + n[:-1]) / (known.leave + known.stay + n[:-1])
    stayed = np.concatenate([np.ones((1, len(t))), np.cumprod(factors, axis=0)])
    left = np.zeros_like(exactly)
    left[1:] = at_least[1:] * stayed[:-1] * (1 - factors)
    left_after = np.clip(t - _ratio(waited, at_least), 0.0, t)
    return FutureCounts(exactly * stayed, left, left_after)


def _negative_binomial(shape: FloatArray, rate: FloatArray, t: FloatArray, most: int) -> Iterator[FloatArray]:
    """Yield the probability of 0, 1, … events within ``t`` (…, n), at a rate that is Gamma(shape, rate)."""
    log_chance = -shape * np.log1p(t / rate)
    log_step = -np.log1p(rate / t)
    for n in range(most + 1):
        yield np.exp(log_chance)
        log_chance = log_chance + (log_step + np.log((shape + n) / (n + 1)))


def _time_allows(known: Stages, t: FloatArray, most: int) -> FloatArray:
    # Exactly so many purchases within t (nodes, n), of which each takes k stages: shape (most + 1, nodes, n).
    k = len(known.phase)
    exactly = np.zeros((most + 1, *t.shape))
    for passed in range(k):
        events = _negative_binomial(known.shape + passed, known.rate, t, k * (most + 1) - 1 - passed)
        for n_events, chance in enumerate(events):
            exactly[(n_events + passed) // k] += known.phase[passed] * chance
    return exactly


def _at_least(exactly: FloatArray) -> FloatArray:
    fewer = np.cumsum(exactly, axis=0) - exactly
    return np.maximum(1 - fewer, 0.0)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
