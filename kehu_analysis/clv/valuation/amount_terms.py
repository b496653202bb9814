"""Amounts of coming purchases as a mixture of ratios of gammas: its terms, moments and quantiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.numerics.future_counts import FutureCounts

#: Up to so many purchases each number has a term of its own; beyond, those within such a factor share one.
_SINGLE, _FACTOR = 8, 1.25
_LEAST_WEIGHT = 1e-10
#: Where a table of amounts begins and ends, as probabilities of the fewest and of the most purchases, and its length.
_LOWEST, _HIGHEST, PLACES = 1e-4, 1 - 1e-7, 36
_SHORTEST = 1e-9
#: From so far beyond its order on a moment of an inverse gamma is taken as it is.
_EXISTS, _RAREST = 0.1, 0.01
_RARE_NODES, _RARE_WEIGHTS = np.polynomial.legendre.leggauss(64)
_FURTHEST_SCORE = 12.0
#: So many standard deviations of the logarithm below its middle an amount is exceeded.
_SURE = 16.0


class Terms(NamedTuple):
    """A mixture of gammas, each to be divided by another: weights, shapes and means, (n_terms, n_kinds)."""

    weight: FloatArray
    shape: FloatArray
    mean: FloatArray


def terms_of(counts: FutureCounts, length: FloatArray, rate: float, p: FloatArray) -> Terms:
    """Return the mixture of what customers spend, in units of nu.

    Of ``length`` is the horizon and of shape ``p`` the spend on what is counted as one, (n_kinds,).
    """
    numbers = np.arange(1, len(counts.still), dtype=float)
    bins = _bins(len(numbers))
    still, left, (after, spread_of) = counts.still[1:], counts.left[1:], counts.left_times()
    classes = [(still, np.broadcast_to(length, still.shape))]
    # They left sooner or later than they do on average.
    classes += [(left / 2, np.clip(after + way * spread_of, 0, length)[1:]) for way in (-1, 1)]
    if rate == 0:  # when they are made does not matter
        classes = [(still + left, classes[0][1])]
    found = []
    for weight, spans in classes:
        together = np.add.reduceat(weight, bins, axis=0)
        number = np.broadcast_to(numbers[:, None], weight.shape)
        n, squared, span = (_mean(of, weight, together, bins) for of in (number, number**2, spans))
        first, second = _worth(rate * span), _worth(2 * rate * span)
        mean = n * p * first
        # Of n amounts Gamma(p) counted at f each: the variance is n p (E f^2 (p + 1) - (E f)^2 p), and that of n.
        variance = n * p * (second * (p + 1) - first**2 * p) + (p * first) ** 2 * np.maximum(squared - n**2, 0.0)
        found.append(Terms(together, mean**2 / np.maximum(variance, np.finfo(float).tiny), mean))
    weight, shape, mean = (np.concatenate(columns) for columns in zip(*found, strict=True))
    some = weight.max(axis=1) > _LEAST_WEIGHT
    return Terms(weight[some], np.maximum(shape[some], 1e-12), mean[some])


def _bins(most: int) -> IntArray:
    # Where, among 1, 2, …, most, terms begin.
    bins = list(range(min(most, _SINGLE)))
    place = float(_SINGLE)
    while place < most:
        bins.append(int(place))
        place = max(place + 1, np.floor(place * _FACTOR))
    return np.asarray(bins, dtype=np.intp)


def _mean(values: FloatArray, weight: FloatArray, together: FloatArray, bins: IntArray) -> FloatArray:
    total = np.add.reduceat(values * weight, bins, axis=0)
    plain = np.array(values[bins], dtype=np.float64)
    return np.asarray(np.divide(total, together, out=plain, where=together > np.finfo(float).tiny))


def _worth(way: FloatArray) -> FloatArray:
    # Mean of exp(-u) for u even over 0 … way.
    return np.asarray(special.exprel(-way), dtype=np.float64)


def moments_of(terms: Terms, tail: FloatArray, n_customers: int) -> FloatArray:
    """Return three raw moments of gammas over one of the shape of the tail, (3, n_kinds)."""
    scale = terms.mean / terms.shape
    moments, rising = [], np.ones(terms.shape.shape)
    for order in (1, 2, 3):
        rising = rising * scale * (terms.shape + (order - 1))
        moments.append(np.sum(terms.weight * rising, axis=0) * inverse_gamma_moment(tail, order, n_customers))
    return np.stack(moments)


def inverse_gamma_moment(shape: FloatArray, order: int, n_customers: int = 1) -> FloatArray:
    """Return the mean of the inverse of Gamma(shape) to a power, (n,).

    Where it does not exist, or nearly not, it would be decided by what is never seen. What then befalls one in a
    hundred times ``n_customers`` is left out: none of so many customers, with a probability of 99 %.

    Examples
    --------
    >>> inverse_gamma_moment(np.array([4.0]), 2).round(6)
    array([0.166667])
    """
    falling = np.prod([np.maximum(shape - place, _EXISTS) for place in range(1, order + 1)], axis=0)
    moment: FloatArray = np.asarray(1 / falling, dtype=np.float64)
    rare = np.flatnonzero(shape <= order + (_EXISTS if order < 3 else 1.0))
    if len(rare):
        reach = np.log(n_customers / _RAREST)
        depth = reach * (1 + _RARE_NODES[:, None]) / 2
        smallest = special.gammaincinv(shape[rare], np.exp(-depth))
        moment[rare] = np.sum(_RARE_WEIGHTS[:, None] * reach / 2 * np.exp(-depth) / smallest**order, axis=0)
    return np.asarray(moment)


def table_of(terms: Terms, tail: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return logarithms of amounts in even steps, and the normal scores of the chance to stay below, of who buys."""
    scale = terms.mean / terms.shape
    heavy = terms.weight / terms.weight.sum(axis=0) > 1e-6
    first = np.where(heavy, terms.mean, np.inf).argmin(axis=0)
    last = np.where(heavy, terms.mean, -np.inf).argmax(axis=0)
    kinds = np.arange(len(tail))
    ends = []
    for term, share in ((first, _LOWEST), (last, _HIGHEST)):
        shape = terms.shape[term, kinds]
        z = special.betaincinv(shape, tail, share)
        ends.append(np.log(np.maximum(z / np.maximum(1 - z, 1e-15), _SHORTEST)) + np.log(scale[term, kinds]))
    log_amount = np.linspace(ends[0], np.maximum(ends[1], ends[0] + 1e-6), PLACES, axis=1)
    weight = terms.weight / terms.weight.sum(axis=0)
    beyond = np.zeros(log_amount.shape)
    for of, shape, unit in zip(weight, terms.shape, scale, strict=True):
        rows = np.flatnonzero(of > _LEAST_WEIGHT)
        log_ratio = log_amount[rows] - np.log(unit[rows, None])
        # The chance to exceed it keeps its digits where it is small; where it is 1 to all of them it is not worked out.
        chance = np.ones(log_ratio.shape)
        deviation = np.sqrt(special.polygamma(1, shape[rows]) + special.polygamma(1, tail[rows]))[:, None]
        row, place = np.nonzero(log_ratio > np.log(shape[rows] / tail[rows])[:, None] - _SURE * deviation)
        at = rows[row]
        chance[row, place] = special.betainc(tail[at], shape[at], 1 / (1 + np.exp(log_ratio[row, place])))
        beyond[rows] += of[rows, None] * chance
    score = np.clip(-special.ndtri(beyond), -_FURTHEST_SCORE, _FURTHEST_SCORE)
    # Where the table begins nobody is below it, nearly; scores rise.
    return log_amount, np.maximum.accumulate(score, axis=1) + np.arange(PLACES) * 1e-12
