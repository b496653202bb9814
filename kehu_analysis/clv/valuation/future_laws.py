"""What one customer may buy and spend until a horizon, as a distribution: no draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import spread
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.numerics.future_counts import FutureCounts
from kehu_analysis.clv.valuation.amount_terms import PLACES, moments_of, table_of, terms_of
from kehu_analysis.clv.valuation.kinds import Kinds

#: Where more purchases than these may come one in some is counted: of numbers, and of amounts, which vary more.
_MOST_NUMBERS, _MOST_AMOUNTS = 10_000.0, 1500.0
#: Kinds times purchases held at once.
_CELLS = 20_000
#: Nodes and weights by which a normal doubt about the logarithm of what is expected is integrated out.
_DOUBT_NODES = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
_DOUBT_WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6])
#: Steps of the search for a quantile under doubt.
_SEARCH = 40
#: Two kinds lie so far apart in a table of all, which normal scores never reach.
_APART = 64.0


def counts_of_kinds(
    model: PurchaseModel, kinds: Kinds, t: FloatArray, parameters: FloatArray, one_in: FloatArray
) -> Iterator[tuple[IntArray, FutureCounts]]:
    """Yield kinds of customers, and how many purchases they may make in the next ``t``, a few kinds at a time.

    Of those of each kind one in so many is counted. The means of m, m (m - 1), … of what is counted are those of
    purchases over its first, second, … power.
    """
    counted = _most_purchases(model, kinds, t, parameters) / one_in
    most = np.where(one_in > 1, np.ceil(counted + 6 * np.sqrt(counted) + 10), counted)
    order = np.argsort(most, kind="stable")
    first = 0
    while first < len(order):
        # As many as fit, with what the last of them needs.
        reach = (most[order[first:]] + 1) * np.arange(1, len(order) - first + 1)
        rows = order[first : first + max(1, int(np.searchsorted(reach, _CELLS)))]
        own = spread(parameters, [effect.part(rows) for effect in kinds.effects], len(model.parameter_names))
        yield rows, model.counts_by(kinds.past.part(rows), t[rows], int(most[rows[-1]]), own, one_in[rows])
        first += len(rows)


def counted_one_in(
    model: PurchaseModel, kinds: Kinds, t: FloatArray, parameters: FloatArray, most_counted: float = _MOST_NUMBERS
) -> FloatArray:
    """Return in how many purchases of each kind one is to be counted, (n_kinds,): where thousands may come, some."""
    return np.maximum(_most_purchases(model, kinds, t, parameters) / most_counted, 1.0)


def _most_purchases(model: PurchaseModel, kinds: Kinds, t: FloatArray, parameters: FloatArray) -> FloatArray:
    sets = spread(parameters, kinds.effects, len(model.parameter_names))
    return np.broadcast_to(model.most_purchases(kinds.past, t, sets), kinds.number.shape)


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
        lengths = [
            (np.full(size, length) * np.exp(node * (0 if doubt is None else doubt)), w) for node, w in _nodes(doubt)
        ]
        self._one_in = counted_one_in(model, kinds, lengths[-1][0], parameters)
        for t, weight in lengths:
            for members, counts in counts_of_kinds(model, kinds, t, parameters, self._one_in):
                chances = weight * (counts.still + counts.left)
                for place, kind in enumerate(members):
                    rows[kind] = _sum(rows[kind], chances[:, place])
        self._rows = rows
        self.mean = self._one_in * [np.sum(np.arange(len(row)) * row) for row in rows]

    def chances(self, kind: int) -> FloatArray | None:
        """Return the probabilities of 0, 1, … purchases of a kind; None where too many may come to tell them apart."""
        return self._rows[kind] if self._one_in[kind] == 1 else None

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
            found.append(np.where(wanted > 0, np.rint(count * self._one_in[place]), 0).astype(np.intp))
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
        self._log_amount, self._score = np.zeros((2, size, PLACES))
        t = np.full(size, length)
        one_in = counted_one_in(model, kinds, t, parameters, _MOST_AMOUNTS)
        for rows, counts in counts_of_kinds(model, kinds, t, parameters, one_in):
            terms = terms_of(counts, t[rows], rate, p * one_in[rows])
            self._nothing[rows] = counts.still[0] + counts.left[0]
            self.purchases[rows] = np.sum(terms.weight * terms.mean, axis=0) / p
            self.moments[:, rows] = moments_of(terms, self._tail[rows], int(kinds.number.sum()))
            self._log_amount[rows], self._score[rows] = table_of(terms, self._tail[rows])
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

    def highest(self) -> FloatArray:
        """Return what one of each kind, in units of v and spend so far, hardly ever exceeds, (n_kinds,)."""
        return np.asarray(np.exp(self._log_amount[:, -1]))

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
        step = (last - first) / (PLACES - 1)
        at = np.clip((log_amount - first) / step, -1e6, 1e6)
        left = np.clip(np.floor(at), 0, PLACES - 2).astype(np.intp)
        here, there = self._score[place, left], self._score[place, left + 1]
        return np.asarray(here + (at - left) * (there - here))


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
