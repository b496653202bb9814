"""What one customer may buy and spend until a horizon, as a distribution: no draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import spread
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.numerics.future_counts import FutureCounts
from kehu_analysis.clv.valuation.kinds import Kinds

#: Kinds times purchases held at once.
_CELLS = 20_000
#: Nodes and weights by which a normal doubt about the logarithm of what is expected is integrated out.
_DOUBT_NODES = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
_DOUBT_WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6])
#: Up to so many purchases each number has a term of its own; beyond, those within such a factor share one.
_SINGLE, _FACTOR = 8, 1.25
_LEAST_WEIGHT = 1e-10
#: Where a table of amounts begins and ends, as probabilities of the fewest and of the most purchases, and its length.
_LOWEST, _HIGHEST, _PLACES = 1e-4, 1 - 1e-7, 48
_SHORTEST = 1e-9
#: From so far beyond its order on a moment of an inverse gamma is taken as it is.
_EXISTS, _RAREST = 0.1, 0.01
_RARE_NODES, _RARE_WEIGHTS = np.polynomial.legendre.leggauss(64)
#: Steps of the search for a quantile under doubt.
_SEARCH = 40
#: Two kinds lie so far apart in a table of all, which normal scores never reach.
_APART = 64.0
_FURTHEST_SCORE = 12.0


def counts_of_kinds(
    model: PurchaseModel, kinds: Kinds, t: FloatArray, parameters: FloatArray
) -> Iterator[tuple[IntArray, FutureCounts]]:
    """Yield kinds of customers, and how many purchases they may make in the next ``t``, a few kinds at a time."""
    sets = spread(parameters, kinds.effects, len(model.parameter_names))
    most = np.broadcast_to(model.most_purchases(kinds.past, t, sets), kinds.number.shape)
    order = np.argsort(most, kind="stable")
    first = 0
    while first < len(order):
        # As many as fit, with what the last of them needs.
        reach = (most[order[first:]] + 1) * np.arange(1, len(order) - first + 1)
        rows = order[first : first + max(1, int(np.searchsorted(reach, _CELLS)))]
        own = spread(parameters, [effect.part(rows) for effect in kinds.effects], len(model.parameter_names))
        yield rows, model.counts_by(kinds.past.part(rows), t[rows], int(most[rows[-1]]), own)
        first += len(rows)


class PurchaseLaw:
    """How many purchases customers of each kind may make until a horizon, if they are alive now.

    Parameters
    ----------
    model
        Fitted.
    kinds
        Of customers.
    length
        Of the horizon, in the time unit of the fit.
    parameters
        Parameters and coefficients, (k,).
    doubt
        Of the logarithm of what is expected of each kind, (n_kinds,): as if the horizon were longer or shorter by that
        share. None where it is left out.

    Attributes
    ----------
    mean
        Expected purchases, (n_kinds,).
    """

    def __init__(
        self,
        model: PurchaseModel,
        kinds: Kinds,
        length: float,
        parameters: FloatArray,
        doubt: FloatArray | None = None,
    ) -> None:
        size = len(kinds.number)
        rows: list[FloatArray] = [np.zeros(0)] * size
        for node, weight in _nodes(doubt):
            t = np.full(size, length) if doubt is None else length * np.exp(node * doubt)
            for members, counts in counts_of_kinds(model, kinds, t, parameters):
                chances = weight * (counts.still + counts.left)
                for place, kind in enumerate(members):
                    rows[kind] = _sum(rows[kind], chances[:, place])
        self._rows = rows
        self.mean = np.array([np.sum(np.arange(len(row)) * row) for row in rows])

    def chances(self, kind: int) -> FloatArray:
        """Return the probabilities of 0, 1, … purchases of a kind."""
        return self._rows[kind]

    def bounds(self, place: IntArray, alive: FloatArray, interval: float) -> tuple[IntArray, IntArray]:
        """Return the fewest and the most purchases of each customer, (n,) each.

        Parameters
        ----------
        place, alive
            Kind of each customer, and probability of being alive.
        interval
            Probability, at least, of what lies between, both ends counted; the same is left out at either end, at most.
        """
        starts = np.concatenate([[0], np.cumsum([len(row) for row in self._rows])])
        # One rising table of all kinds: those of a kind lie in its own stretch of 2.
        table = np.concatenate([np.minimum(np.cumsum(row), 1.0) + 2 * kind for kind, row in enumerate(self._rows)])
        found = []
        for share in ((1 - interval) / 2, (1 + interval) / 2):
            wanted = _while_alive(share, alive)
            at = np.searchsorted(table, 2 * place + np.maximum(wanted, 0.0))
            count = np.minimum(at, starts[place + 1] - 1) - starts[place]
            found.append(np.where(wanted > 0, count, 0).astype(np.intp))
        return found[0], found[1]


class AmountLaw:
    """What customers of each kind may spend until a horizon, if they are alive now, each amount by its worth today.

    Spend on n purchases is Gamma(p n) over the customer's own nu, and nu is Gamma(p x + q) over v and what was spent so
    far; so that, in units of the latter, it is a ratio of two gammas. Purchases of those who are still there then fall
    evenly over the time until the horizon, of the others over the time until they left; what a discounted amount
    varies by is that of such a sum, matched by a gamma.

    Parameters
    ----------
    model, kinds, length, parameters
        As for :class:`PurchaseLaw`.
    rate
        Continuously compounded discount rate per time unit; 0 without discount.
    spend_parameters
        p, q, v of Gamma-Gamma.

    Attributes
    ----------
    purchases
        Expected purchases, each by its worth today, (n_kinds,).
    moments
        First, second and third raw moment of the amount in units of v and spend so far, shape (3, n_kinds).
    """

    def __init__(
        self,
        model: PurchaseModel,
        kinds: Kinds,
        length: float,
        parameters: FloatArray,
        rate: float,
        spend_parameters: FloatArray,
    ) -> None:
        p, q, _ = spend_parameters
        size = len(kinds.number)
        self._tail = p * kinds.past.x + q
        self.purchases, self._nothing = np.zeros(size), np.zeros(size)
        self.moments = np.zeros((3, size))
        self._log_amount, self._score = np.zeros((2, size, _PLACES))
        for rows, counts in counts_of_kinds(model, kinds, np.full(size, length), parameters):
            terms = _terms(counts, np.full(len(rows), length), rate, p)
            self._nothing[rows] = counts.still[0] + counts.left[0]
            self.purchases[rows] = np.sum(terms.weight * terms.mean, axis=0) / p
            self.moments[:, rows] = _moments(terms, self._tail[rows], int(kinds.number.sum()))
            self._log_amount[rows], self._score[rows] = _table(terms, self._tail[rows])
        offset = _APART * np.arange(size)[:, None]
        self._all_scores = (self._score + offset).ravel()
        self._all_logs = self._log_amount.ravel()

    def bounds(
        self, place: IntArray, alive: FloatArray, scale: FloatArray, interval: float, doubt: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return low and high amount of each customer, (n,) each.

        Parameters
        ----------
        place, alive
            Kind of each customer, and probability of being alive.
        scale
            What the amounts of its kind are to be multiplied by, of each customer.
        interval
            Probability of what lies between; the same is left out at either end.
        doubt
            Standard deviation of the logarithm of what is expected of each customer; None where it is left out.
        """
        low, high = (
            scale * self._quantile(share, place, alive, doubt) for share in ((1 - interval) / 2, (1 + interval) / 2)
        )
        return low, high

    def probability_below(self, amount: FloatArray, kind: int, alive: float) -> FloatArray:
        """Return the probability of no more than such amounts, in units of v and spend so far, of one customer."""
        with np.errstate(divide="ignore"):
            score = self._score_of(np.log(amount), np.full(len(amount), kind))
        some = 1 - self._nothing[kind]
        return np.asarray(np.where(amount >= 0, 1 - alive * some * special.ndtr(-score), 0.0))

    def highest(self, kind: int) -> float:
        """Return an amount, in units of v and spend so far, that one of a kind hardly ever exceeds."""
        return float(np.exp(self._log_amount[kind, -1]))

    def _quantile(self, share: float, place: IntArray, alive: FloatArray, doubt: FloatArray | None) -> FloatArray:
        # Probability to exceed it, of those who are alive and buy.
        beyond = (1 - share) / np.maximum(alive * (1 - self._nothing[place]), np.finfo(float).tiny)
        some = np.flatnonzero(beyond < 1)
        amount = np.zeros(len(place))
        log_amount = np.interp(-special.ndtri(beyond[some]) + _APART * place[some], self._all_scores, self._all_logs)
        if doubt is not None:
            log_amount = self._in_doubt(log_amount, beyond[some], place[some], doubt[some])
        amount[some] = np.exp(log_amount)
        return amount

    def _in_doubt(self, log_amount: FloatArray, beyond: FloatArray, place: IntArray, doubt: FloatArray) -> FloatArray:
        low, high = log_amount - 4 * doubt - 1e-12, log_amount + 4 * doubt + 1e-12
        for _ in range(_SEARCH):
            middle = (low + high) / 2
            exceeded = sum(
                weight * special.ndtr(-self._score_of(middle - node * doubt, place)) for node, weight in _nodes(doubt)
            )
            is_low = exceeded > beyond
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return np.asarray((low + high) / 2)

    def _score_of(self, log_amount: FloatArray, place: IntArray) -> FloatArray:
        first, last = self._log_amount[place, 0], self._log_amount[place, -1]
        step = (last - first) / (_PLACES - 1)
        at = np.clip((log_amount - first) / step, -1e6, 1e6)
        left = np.clip(np.floor(at), 0, _PLACES - 2).astype(np.intp)
        here, there = self._score[place, left], self._score[place, left + 1]
        return np.asarray(here + (at - left) * (there - here))


class _Terms(NamedTuple):
    # A mixture of gammas, each to be divided by another: weights, shapes and means, (n_terms, n_kinds).
    weight: FloatArray
    shape: FloatArray
    mean: FloatArray


def _terms(counts: FutureCounts, length: FloatArray, rate: float, p: float) -> _Terms:
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
        found.append(_Terms(together, mean**2 / np.maximum(variance, np.finfo(float).tiny), mean))
    weight, shape, mean = (np.concatenate(columns) for columns in zip(*found, strict=True))
    some = weight.max(axis=1) > _LEAST_WEIGHT
    return _Terms(weight[some], np.maximum(shape[some], 1e-12), mean[some])


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


def _moments(terms: _Terms, tail: FloatArray, n_customers: int) -> FloatArray:
    # Of a gamma of this shape over one of the shape of the tail.
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


def _table(terms: _Terms, tail: FloatArray) -> tuple[FloatArray, FloatArray]:
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
    log_amount = np.linspace(ends[0], np.maximum(ends[1], ends[0] + 1e-6), _PLACES, axis=1)
    weight = terms.weight / terms.weight.sum(axis=0)
    beyond = np.zeros(log_amount.shape)
    for of, shape, unit in zip(weight, terms.shape, scale, strict=True):
        rows = np.flatnonzero(of > _LEAST_WEIGHT)
        ratio = np.exp(log_amount[rows]) / unit[rows, None]
        # The chance to exceed it keeps its digits where it is small.
        beyond[rows] += of[rows, None] * special.betainc(tail[rows, None], shape[rows, None], 1 / (1 + ratio))
    score = np.clip(-special.ndtri(beyond), -_FURTHEST_SCORE, _FURTHEST_SCORE)
    # Where the table begins nobody is below it, nearly; scores rise.
    return log_amount, np.maximum.accumulate(score, axis=1) + np.arange(_PLACES) * 1e-12


def _nodes(doubt: FloatArray | None) -> list[tuple[float, float]]:
    if doubt is None:
        return [(0.0, 1.0)]
    return list(zip(_DOUBT_NODES.tolist(), _DOUBT_WEIGHTS.tolist(), strict=True))


def _sum(one: FloatArray, other: FloatArray) -> FloatArray:
    size = max(len(one), len(other))
    return np.pad(one, (0, size - len(one))) + np.pad(other, (0, size - len(other)))


def _while_alive(share: float, alive: FloatArray) -> FloatArray:
    # The share of the futures of who is alive below which a share of all lies; below 0 where it lies at nothing at all.
    return np.asarray((share - (1 - alive)) / np.maximum(alive, np.finfo(float).tiny))
