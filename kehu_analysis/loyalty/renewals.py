"""How customers buy and stop: waits of differing regularity, rates that differ, and lives whose end nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

__all__ = ["Judged", "Purchases", "Renewals", "fit_renewals"]

Array = npt.NDArray[np.float64]

#: Shapes of gamma waits that a customer may have: irregular, at random (1), regular. Nobody is taken for a clock:
#: whoever came every tenth day may be ill once.
SHAPES = np.array([0.6, 1.0, 1.6, 2.5, 4.0, 7.0])
#: What all customers share is learned from so many of them; more would move it by less than chance does.
_LEARNED_FROM = 2_000
#: Alternations of the rates and lives with the shapes; steps of the weights of the shapes within each.
_ROUNDS, _WEIGHT_STEPS = 4, 60
#: Standard deviation of the natural logarithms of the common parameters around where the search begins, taken for
#: known beforehand: with a handful of customers it keeps them finite, with hundreds it is not felt.
_PRIOR_SD = 2.0
#: A life of four years, widely scattered, to begin with.
_LIFE_SHAPE, _LIFE_SCALE_DAYS = 1.5, 1500.0
_NODES, _QUANTILES = 10, 16
#: A shape that so few customers have, or fewer, is left out where customers are judged.
_RARE = 0.003
#: The waits that are believed to tell of the next one, at most.
_BELIEVED_WAITS = 12.0
#: Customers whose probabilities are worked out at once.
_BLOCK = 16_384
_TINY = 1e-300
#: How far from where it begins a climb may go, in natural logarithms; and the differences of its last steps.
_FURTHEST, _DIFFERENCE, _LONGEST_STEP, _FLAT = 8.0, 1e-3, 0.1, 1e-6
#: Places to which the common parameters' logarithms are told, at the end and before the last climb.
_PLACES, _ROUGH_PLACES = 5, 3


@dataclass(frozen=True)
class Purchases:
    """What is known of each customer's purchase days, shape (n,), in days on which business was open.

    Attributes
    ----------
    frequency
        Waits that ended with a purchase.
    recency_days
        From the first purchase day to the last.
    silence_days
        From the last purchase day to the end of the observation.
    sum_log_days
        Of the waits, the sum of the natural logarithms.
    """

    frequency: Array
    recency_days: Array
    silence_days: Array
    sum_log_days: Array

    def __len__(self) -> int:
        return len(self.frequency)

    def taken(self, which: npt.NDArray[np.int64] | slice) -> Purchases:
        """Return some of the customers."""
        return Purchases(
            self.frequency[which], self.recency_days[which], self.silence_days[which], self.sum_log_days[which]
        )


@dataclass(frozen=True)
class Renewals:
    """What all customers share, and with it what each one's silence means.

    While a customer lives, its waits are gamma with a shape ``k`` and the mean ``1 / ρ``; ``ρ`` is gamma over the
    customers with shape ``rate_shape`` and rate ``rate_days``, ``k`` one of :data:`SHAPES` with ``shape_weights``. A
    life is exponential, its hazard gamma over the customers with shape ``life_shape`` and rate ``life_days``. With
    ``k = 1`` for all, and old waits believed like new ones, this is the Pareto/NBD model.

    Notes
    -----
    Platzer, M. and Reutterer, T. (2016), Ticking away the moments: timing regularity helps to better predict customer
    activity, *Marketing Science* 35(5), 779-799, whose lives and waits these are. They sample the shapes; here they
    are few, so that everything else is in closed form but for one integral over the day of leaving.
    """

    rate_shape: float
    rate_days: float
    life_shape: float
    life_days: float
    shape_weights: Array

    def judged(self, known: Purchases, recent_days: float) -> Judged:
        """Return what each customer's waits and silence tell.

        Parameters
        ----------
        known
            The customers.
        recent_days
            Days before the end of the observation that count as recent.
        """
        with ThreadPoolExecutor() as pool:
            parts = list(pool.map(lambda which: self._judged(known.taken(which), recent_days), _blocks(len(known))))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Judged(*columns)

    def _judged(self, known: Purchases, recent_days: float) -> tuple[Array, Array, Array]:
        believed = np.flatnonzero(self.shape_weights > _RARE)
        logs, gone, recently = (np.empty((len(known), len(believed))) for _ in range(3))
        for place, shape in enumerate(SHAPES[believed]):
            stayed, left = _stayed_and_left(self, known, shape)
            total = np.maximum(stayed + left, _TINY)
            logs[:, place] = _of_waits(self, known, shape) + np.log(total)
            gone[:, place] = left / total
            recently[:, place] = _left_between(self, known, shape, recent_days) / total
        shares = _shares(logs, self.shape_weights[believed])
        told = ((shares * one).sum(axis=1).clip(0.0, 1.0) for one in (gone, recently))
        return np.exp(shares @ np.log(SHAPES[believed])), *told

    def next_wait(self, known: Purchases, shape: Array, probability_alive: Array) -> NextWait:
        """Return what the next wait of each customer may be, by its own waits and the one that is not over.

        A silence tells of a slow rhythm as far as the customer is still there: the expected rate is that of a customer
        who has been silent for so long and lives, and that of its finished waits, by the probability of either.
        """
        events, exposure = _rate_terms(self, known, shape)
        rate = events / exposure
        quantile = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        of_living = np.empty(len(known))
        for which in _blocks(len(known)):
            rates = special.gammaincinv(events[which, None], quantile) / exposure[which, None]
            silent = special.gammaincc(shape[which, None], shape[which, None] * rates * known.silence_days[which, None])
            total = silent.sum(axis=1)
            # Where no rate makes such a silence likely, the slowest does most.
            of_living[which] = np.where(
                total > _TINY, (rates * silent).sum(axis=1) / np.maximum(total, _TINY), rates[:, 0]
            )
        expected = probability_alive * of_living + (1 - probability_alive) * rate
        return NextWait(shape, events, events / expected)


class Judged(NamedTuple):
    """What is told of each customer, shape (n,).

    Attributes
    ----------
    shape
        Its regularity, the shape of its waits, as far as they tell.
    gone
        Probability that it left since its last purchase.
    recently
        Probability that it left in the recent days.
    """

    shape: Array
    gone: Array
    recently: Array


@dataclass(frozen=True)
class NextWait:
    """The next wait of each customer: gamma with a shape, its rate gamma with so many events in so much exposure."""

    shape: Array
    events: Array
    exposure: Array

    def probability_beyond(self, days: Array) -> Array:
        """Return the probability that the wait is longer than ``days``, shape (n,)."""
        return _survival(self.events, self.shape, self.exposure, days)

    def quantile(self, level: float) -> Array:
        """Return the days that the wait does not exceed with probability ``level``, shape (n,)."""
        share = special.betaincinv(self.events, self.shape, 1 - level)
        return np.asarray(self.exposure / self.shape * (1 / np.maximum(share, _TINY) - 1))


def fit_renewals(known: Purchases) -> Renewals:
    """Learn from all customers what they share: rates, lives and how regular they are.

    The most likely common parameters are looked for, those of rates and lives and the weights of the shapes in turn. A
    run of every m-th customer stands for more than 2,000.

    Parameters
    ----------
    known
        The customers, in an order that has nothing to do with how they buy; at least one of them has bought twice.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> waits = rng.gamma(2.0, 10.0, (300, 12)) + 0.5
    >>> known = Purchases(np.full(300, 12.0), waits.sum(axis=1), np.full(300, 5.0), np.log(waits).sum(axis=1))
    >>> model = fit_renewals(known)
    >>> bool(1.5 < model.judged(known, 91).shape.mean() < 2.6)
    True
    """
    step = -(-len(known) // _LEARNED_FROM)
    some = known.taken(np.arange(0, len(known), step))
    mean_wait = (some.recency_days.sum() + some.silence_days.sum()) / max(some.frequency.sum(), 1.0)
    begin = np.log([1.0, mean_wait, _LIFE_SHAPE, _LIFE_SCALE_DAYS])
    place, weights = begin, np.full(len(SHAPES), 1 / len(SHAPES))
    shape = np.full(len(some), 1.5)
    for _ in range(_ROUNDS):
        loss = _loss(begin, some, shape)
        place = _polished(loss, _climb(loss, place), steps=1)
        logs = np.stack([_log_likelihood(_model(place, weights), some, one) for one in SHAPES], axis=1)
        for _ in range(_WEIGHT_STEPS):
            shares = _shares(logs, weights)
            weights = (shares.sum(axis=0) + 0.5) / (len(some) + 0.5 * len(SHAPES))
        shape = np.exp(shares @ np.log(SHAPES))
    # Told roughly and taken as known: then the last climb ends at one and the same place on every machine.
    rough = _model(place.round(_ROUGH_PLACES), weights.round(_ROUGH_PLACES))
    loss = _loss(begin, some, rough.judged(some, 1.0).shape)
    place = _polished(loss, _climb(loss, place), steps=2)
    return _model(place.round(_PLACES), rough.shape_weights)


def _model(logs: Array, shape_weights: Array) -> Renewals:
    rate_shape, rate_days, life_shape, life_days = (float(one) for one in np.exp(logs))
    return Renewals(rate_shape, rate_days, life_shape, life_days, shape_weights)


def _loss(centre: Array, known: Purchases, shape: Array) -> Callable[[Array], float]:
    """Return minus the log-likelihood of the common parameters' logarithms, the shapes given."""

    def loss(logs: Array) -> float:
        apart = float((((logs - centre) / _PRIOR_SD) ** 2).sum()) / 2
        return apart - float(_log_likelihood(_model(logs, np.ones(1)), known, shape).sum())

    return loss


def _climb(loss: Callable[[Array], float], place: Array) -> Array:
    bounds = optimize.Bounds(place - _FURTHEST, place + _FURTHEST)
    found = optimize.minimize(loss, place, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-10, "gtol": 1e-5})
    return np.asarray(found.x)


def _polished(loss: Callable[[Array], float], place: Array, *, steps: int) -> Array:
    """Return the place after some Newton steps, with derivatives from differences.

    Where a climb ends hangs on the last bit of its sums; where a Newton step from there leads, hardly.
    """
    units = np.eye(len(place)) * _DIFFERENCE
    for _ in range(steps):
        here = loss(place)
        ahead, behind = ([loss(place + sign * unit) for unit in units] for sign in (1, -1))
        gradient = (np.array(ahead) - np.array(behind)) / (2 * _DIFFERENCE)
        curvature = np.diag((np.array(ahead) + np.array(behind) - 2 * here) / _DIFFERENCE**2)
        for row, column in zip(*np.triu_indices(len(place), 1), strict=True):
            both, neither = (loss(place + sign * (units[row] + units[column])) for sign in (1, -1))
            apart = ahead[row] + ahead[column] + behind[row] + behind[column]
            mixed = (both + neither + 2 * here - apart) / (2 * _DIFFERENCE**2)
            curvature[row, column] = curvature[column, row] = mixed
        values, directions = np.linalg.eigh(curvature)
        # On a ridge nothing is gained by a long way, and where it bends the other way the step would climb down.
        lengths = np.where(values > _FLAT * values.max(), (directions.T @ gradient) / np.maximum(values, _TINY), 0.0)
        place = place - directions @ np.clip(lengths, -_LONGEST_STEP, _LONGEST_STEP)
    return place


def _log_likelihood(model: Renewals, known: Purchases, shape: float | Array) -> Array:
    """Return the log-likelihood of each customer's purchases and silence, its shape given."""
    stayed, left = _stayed_and_left(model, known, shape)
    return np.asarray(_of_waits(model, known, shape) + np.log(np.maximum(stayed + left, _TINY)))


def _of_waits(model: Renewals, known: Purchases, shape: float | Array) -> Array:
    n, k = known.frequency, shape
    events, exposure = model.rate_shape + n * k, model.rate_days + k * known.recency_days
    return np.asarray(
        special.gammaln(events)
        - special.gammaln(model.rate_shape)
        + model.rate_shape * np.log(model.rate_days)
        - events * np.log(exposure)
        + n * k * np.log(k)
        - n * special.gammaln(k)
        + (k - 1) * known.sum_log_days
    )


def _rate_terms(model: Renewals, known: Purchases, shape: float | Array) -> tuple[Array, Array]:
    """Return what is known of each customer's present rate, as events in an exposure."""
    # Rates change over the years: however many waits there were, they tell of the next like so many at most.
    believed = 1 / (1 + known.frequency / _BELIEVED_WAITS)
    return (
        np.asarray(model.rate_shape + known.frequency * believed * shape),
        np.asarray(model.rate_days + shape * known.recency_days * believed),
    )


def _stayed_and_left(model: Renewals, known: Purchases, shape: float | Array) -> tuple[Array, Array]:
    """Return how likely the silence is together with having stayed, and with having left within it."""
    events, exposure = _rate_terms(model, known, shape)
    lived = _lived(model, known.recency_days + known.silence_days)
    stayed = _survival(events, shape, exposure, known.silence_days) * lived
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    # Leaving is likelier soon after the last purchase, where more of the silence is explained: nodes lie dense there.
    share, weight = ((node + 1) / 2) ** 2, weight * (node + 1) / 2
    left = np.zeros(len(known))
    for point, size in zip(share, weight, strict=True):
        left += _density(model, known, events, shape, exposure, known.silence_days * point) * size
    return stayed, left * known.silence_days


def _left_between(model: Renewals, known: Purchases, shape: float, within_days: float) -> Array:
    """Return how likely the silence is together with having left in its last days."""
    events, exposure = _rate_terms(model, known, shape)
    begin = np.maximum(known.silence_days - within_days, 0.0)
    width = known.silence_days - begin
    node, weight = np.polynomial.legendre.leggauss(_NODES // 2)
    left = np.zeros(len(known))
    for point, size in zip((node + 1) / 2, weight / 2, strict=True):
        left += _density(model, known, events, shape, exposure, begin + width * point) * size
    return left * width


def _density(
    model: Renewals, known: Purchases, events: Array, shape: float | Array, exposure: Array, days: Array
) -> Array:
    """Return the density of leaving so many days after the last purchase, with no purchase before."""
    age = known.recency_days + days
    hazard = model.life_shape / (model.life_days + age)
    return np.asarray(_survival(events, shape, exposure, days) * _lived(model, age) * hazard)


def _lived(model: Renewals, days: Array) -> Array:
    return np.asarray((1 + days / model.life_days) ** -model.life_shape)


def _survival(events: Array, shape: float | Array, exposure: Array, days: Array) -> Array:
    """Return the probability of a wait beyond so many days: gamma, with a rate that is known as far as waits tell."""
    return np.asarray(special.betainc(events, shape, exposure / (exposure + shape * days)))


def _shares(logs: Array, weights: Array) -> Array:
    found = np.exp(logs - logs.max(axis=1, keepdims=True)) * weights
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _blocks(n: int) -> Iterator[slice]:
    return (slice(begin, begin + _BLOCK) for begin in range(0, n, _BLOCK))
