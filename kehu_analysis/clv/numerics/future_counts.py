"""How many purchases customers who are alive now will have made by some time, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.numerics.regular_purchases import Stages

#: More purchases than :func:`most_purchases` says come with less than this probability.
_NEVER = 1e-9
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_FEW_NODES, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class FutureCounts:
    """Probabilities of 0, 1, … purchases until some time, of customers who are alive now.

    Attributes
    ----------
    still
        With so many purchases, and still alive then, shape (most + 1, n); times of purchases are even over the time.
    left_mass
        With so many purchases, and gone by then, at about each of some times, shape (most + 1, n_times, n); times of
        purchases are even over the time before.
    left_at
        These times from now, shape (n_times, n).
    ends_with_purchase
        Whether those who left did so right after a purchase, which is then made at that time.
    """

    still: FloatArray
    left_mass: FloatArray
    left_at: FloatArray
    ends_with_purchase: bool = False

    @property
    def left(self) -> FloatArray:
        """With so many purchases, and gone by then, (most + 1, n)."""
        return np.asarray(self.left_mass.sum(axis=1))

    def left_times(self) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the times at which those of each number left, (most + 1, n) each."""
        left = self.left
        mean, squared = (
            _ratio(np.sum(self.left_mass * times, axis=1), left) for times in (self.left_at, self.left_at**2)
        )
        return mean, np.sqrt(np.maximum(squared - mean**2, 0.0))

    def factorial_moments(self, start: FloatArray, end: FloatArray, length: FloatArray) -> FloatArray:
        """Return means of m, m (m - 1) and m (m - 1) (m - 2) of the purchases m between two times, (3, n).

        Parameters
        ----------
        start, end
            Times from now, (n,).
        length
            The time until which counts are, (n,).
        """
        n = np.arange(len(self.still), dtype=float)[:, None]
        share = (end - start) / length
        falling = np.stack([n, n * (n - 1), n * (n - 1) * (n - 2)])
        found = np.sum(falling * self.still * share ** np.arange(1, 4)[:, None, None], axis=1)
        before = (np.clip(self.left_at, start, end) - start) / np.maximum(self.left_at, np.finfo(float).tiny)
        mass = self.left_mass
        if not self.ends_with_purchase:
            of_numbers = np.einsum("ain,ijn->ajn", np.broadcast_to(falling, (3, *self.still.shape)), mass)
            return np.asarray(found + np.sum(of_numbers * before ** np.arange(1, 4)[:, None, None], axis=1))
        # All but the last one fall before; whether that one falls in between is a matter of where each time's stretch
        # lies.
        borders = np.concatenate([np.zeros((1, len(start))), (self.left_at[1:] + self.left_at[:-1]) / 2, length[None]])
        inside = np.diff(np.clip(borders, start, end), axis=0) / np.maximum(np.diff(borders, axis=0), 1e-300)
        others = np.stack([n - 1, (n - 1) * (n - 2), (n - 1) * (n - 2) * (n - 3)])
        none, one, two, three = (np.sum(of * mass, axis=0) for of in (np.ones_like(n)[:, None], *others[:, :, None]))
        moments = np.stack(
            [
                one * before + none * inside,
                two * before**2 + 2 * one * before * inside,
                three * before**3 + 3 * two * before**2 * inside,
            ]
        )
        return np.asarray(found + moments.sum(axis=1))


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
    return FutureCounts(still, np.zeros((most + 1, 1, len(t))), t[None])


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
    at_end = np.stack(list(_negative_binomial(shape, rate, t, most)))
    at_nodes = np.stack(list(_negative_binomial(shape, rate, u, most)))
    return FutureCounts(at_end * stays, at_nodes * weight, u)


def counts_until_purchase(known: Stages, t: FloatArray, most: int) -> FutureCounts:
    r"""Return them where customers leave after a purchase, if they leave.

    Time allows exactly n purchases with a probability :math:`e_n`, at least n with :math:`a_n`; the customer stays
    after each of n with :math:`E[(1-p)^n]`. Still alive are :math:`e_n E[(1-p)^n]`; gone, for n above 0,
    :math:`a_n E[p (1-p)^{n-1}]`, at the time of the n-th, taken at 24 nodes of Gauss-Legendre.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = counts_until_purchase(Stages(one, one, one, one, np.ones((1, 1))), one, 40)
    >>> (found.still + found.left)[:2].ravel().round(6)
    array([0.5  , 0.375])
    """
    n = np.arange(most + 1.0)[:, None]
    exactly = _time_allows(known, t, most)
    # (stay)_n / (leave + stay)_n, one factor after the other.
    factors = (known.stay + n[:-1]) / (known.leave + known.stay + n[:-1])
    stayed = np.concatenate([np.ones((1, len(t))), np.cumprod(factors, axis=0)])
    u = t * (1 + _FEW_NODES[:, None]) / 2
    mass = _arrivals(known, u, most) * (_FEW_WEIGHTS[:, None] / 2 * t)
    leaves = np.zeros_like(exactly)
    leaves[1:] = stayed[:-1] * (1 - factors)
    # The rule's own error is taken out: at least n purchases come with the probability that they do.
    at_least = np.maximum(1 - (np.cumsum(exactly, axis=0) - exactly), 0.0)
    mass *= (leaves * _ratio(at_least, mass.sum(axis=1)))[:, None]
    return FutureCounts(exactly * stayed, mass, u, ends_with_purchase=True)


def _negative_binomial(shape: FloatArray, rate: FloatArray, t: FloatArray, most: int) -> Iterator[FloatArray]:
    """Yield the probability of 0, 1, … events within ``t`` (…, n), at a rate that is Gamma(shape, rate)."""
    log_chance = -shape * np.log1p(t / rate)
    log_step = -np.log1p(rate / t)
    for n in range(most + 1):
        yield np.exp(log_chance)
        log_chance = log_chance + (log_step + np.log((shape + n) / (n + 1)))


def _time_allows(known: Stages, t: FloatArray, most: int) -> FloatArray:
    # Exactly so many purchases within t, of which each takes k stages: shape (most + 1, n).
    k = len(known.phase)
    exactly = np.zeros((most + 1, len(t)))
    for passed in range(k):
        events = _negative_binomial(known.shape + passed, known.rate, t, k * (most + 1) - 1 - passed)
        for n_events, chance in enumerate(events):
            exactly[(n_events + passed) // k] += known.phase[passed] * chance
    return exactly


def _arrivals(known: Stages, u: FloatArray, most: int) -> FloatArray:
    # Density of the n-th purchase at times u (nodes, n): shape (most + 1, nodes, n), 0 for n = 0. It is that of the
    # stage that completes it, which comes at a rate of (shape + stages before) / (rate + u).
    k = len(known.phase)
    density = np.zeros((most + 1, *u.shape))
    for passed in range(k):
        shape = known.shape + passed
        events = _negative_binomial(shape, known.rate, u, k * most - 1 - passed)
        for n_events, chance in enumerate(events):
            number, rest = divmod(n_events + 1 + passed, k)
            if rest == 0:
                density[number] += known.phase[passed] * chance * ((shape + n_events) / (known.rate + u))
    return density


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
