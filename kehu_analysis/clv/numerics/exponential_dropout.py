"""Integrals over the unseen end of customers who leave at a constant rate of their own, without overflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from kehu_analysis.clv.arrays import FloatArray

#: Gauss-Legendre nodes by the length of the way in u = log(1 + time / scale). Against 320 nodes, over 150,000 draws
#: with x to 2,000, shapes and ratios of the rates over 6 to 8 orders and ways to 41, log integrals were right within
#: 1e-11 (1e-10 on ways above 20) and their derivatives within 1e-9.
_NODES_BY_WAY = ((0.5, 6), (1.0, 8), (2.0, 12), (3.0, 16), (4.0, 20), (6.0, 28), (8.0, 32), (14.0, 48), (30.0, 80))
_MOST_NODES = 128
_RULES = tuple(np.polynomial.legendre.leggauss(n) for n in (*(n for _, n in _NODES_BY_WAY), _MOST_NODES))
_WAYS = np.array([way for way, _ in _NODES_BY_WAY])
#: Cells of one block: temporaries of 128 kB stay in the cache.
_CELLS = 16_384
#: exp(-37) is below the last bit of 1, exp(300) beyond every ratio of times.
_NEGLIGIBLE = 37.0
_ENDLESS = 300.0
_PEAK_NODES, _PEAK_WEIGHTS = np.polynomial.legendre.leggauss(64)
_PEAK_ROWS = 512
_NEWTON_STEPS = 12


class LeftBefore(NamedTuple):
    """How much likelier it is that a customer has left since the last purchase than that they are still there.

    Attributes
    ----------
    log_odds
        Shape (n,); minus infinity where no time has passed.
    derivatives
        By r, alpha, s, beta, shape (4, n); 0 where no time has passed.
    """

    log_odds: FloatArray
    derivatives: FloatArray


def left_before(
    x: FloatArray, t_x: FloatArray, T: FloatArray, r: FloatArray, alpha: FloatArray, s: FloatArray, beta: FloatArray
) -> LeftBefore:
    r"""Return the log-odds that customers have left, and their derivatives.

    Purchases come at a rate that is Gamma(r, alpha), the end at one that is Gamma(s, beta). The odds are

    .. math:: s\,\frac{(\alpha+T)^{r+x} (\beta+T)^s}{1}
              \int_{t_x}^T \frac{dt}{(\alpha+t)^{r+x} (\beta+t)^{s+1}}

    Parameters
    ----------
    x, t_x, T
        Repeat purchases, age at the last, age now; shape (n,).
    r, alpha, s, beta
        Shape () or (n,).

    Notes
    -----
    Schmittlein, Morrison and Colombo (1987) write the integral with a Gauss hypergeometric function, which overflows
    for heavy buyers and needs the larger of alpha and beta first. Here both powers are 1 at the last purchase and
    the integral is taken by Gauss-Legendre in u = log(1 + (t - t_x) / c), with the time c in which the integrand falls
    off: smooth, positive, nothing to cancel.

    Examples
    --------
    At r + x = 1 and s = 1 the integral is elementary; alpha = beta = 1 and T - t_x = 1 give odds of 3/2:

    >>> one = np.ones(1)
    >>> left_before(0 * one, 0 * one, one, one, one, one, one).log_odds.round(12) == np.log(1.5).round(12)
    array([ True])
    """
    x, t_x, T, r, alpha, s, beta = np.broadcast_arrays(x, t_x, T, r, alpha, s, beta)
    shape, since, rate, end_rate = r + x, T - t_x, alpha + t_x, beta + t_x
    size = len(x)
    integral, slopes = np.zeros(size), np.zeros((4, size))
    for rows, t, dt in _nodes(shape, rate, s + 1, end_rate, since):
        k, a, m, b = shape[rows], rate[rows], s[rows] + 1, end_rate[rows]
        log_a, log_b = np.log1p(t / a), np.log1p(t / b)
        mass = np.exp(-k * log_a - m * log_b) * dt
        total = mass.sum(axis=0)
        integral[rows] = total
        slopes[0, rows] = -(mass * log_a).sum(axis=0) / total
        slopes[1, rows] = k / a * (mass * (t / (a + t))).sum(axis=0) / total
        slopes[2, rows] = -(mass * log_b).sum(axis=0) / total
        slopes[3, rows] = m / b * (mass * (t / (b + t))).sum(axis=0) / total
    log_a, log_b = np.log1p(since / rate), np.log1p(since / end_rate)
    with np.errstate(divide="ignore"):
        log_odds = np.log(s / end_rate) + np.log(integral) + shape * log_a + s * log_b
    slopes[0] += log_a
    slopes[1] -= shape / rate * (since / (rate + since))
    slopes[2] += 1 / s + log_b
    slopes[3] -= (1 + s * (since / (end_rate + since))) / end_rate
    return LeftBefore(log_odds, np.where(since > 0, slopes, 0.0))


def log_odds_left(
    x: FloatArray, t_x: FloatArray, T: FloatArray, r: FloatArray, alpha: FloatArray, s: FloatArray, beta: FloatArray
) -> FloatArray:
    """Return the log-odds of :func:`left_before` alone, for arrays that broadcast to any shape."""
    broadcast = np.broadcast_arrays(x, t_x, T, r, alpha, s, beta)
    x, t_x, T, r, alpha, s, beta = (np.ravel(values) for values in broadcast)
    shape, since, rate, end_rate = r + x, T - t_x, alpha + t_x, beta + t_x
    integral = _fallen(shape, rate, s + 1, end_rate, since)
    with np.errstate(divide="ignore"):
        log_odds = np.log(s / end_rate) + np.log(integral)
    log_odds += shape * np.log1p(since / rate) + s * np.log1p(since / end_rate)
    return np.reshape(log_odds, broadcast[0].shape)


def lifetime_within(s: FloatArray, rate: FloatArray, t: FloatArray) -> FloatArray:
    """Return the expected time, of the next ``t``, that customers alive now still are; mu is Gamma(s, rate).

    Examples
    --------
    >>> lifetime_within(np.array([1.0, 1.0 + 1e-9]), np.array(2.0), np.array(2.0)).round(6)
    array([1.386294, 1.386294])
    """
    way = np.log1p(t / rate)
    return np.asarray(rate * way * special.exprel((1 - s) * way))


def discounted_lifetime(s: FloatArray, rate: FloatArray, discount_rate: float) -> FloatArray:
    r"""Return the expected time that customers alive now still have, discounted to now; mu is Gamma(s, rate).

    .. math:: E\left[\frac{1}{\delta + \mu}\right] = \int_0^\infty e^{-\delta u} \left(1 + u / rate\right)^{-s} du

    Fader, Hardie and Lee (2005, "RFM and CLV", eq. 12) write this with a confluent hypergeometric function of the
    second kind; the integral is taken as in :func:`left_before`.

    Examples
    --------
    Who never leaves stays for 1 / discount rate:

    >>> discounted_lifetime(np.array([1e-12]), np.ones(1), 0.1).round(6)
    array([10.])
    """
    s, rate = np.broadcast_arrays(s, rate)
    expected = np.empty(len(s))
    # The fall exp(-delta u) is the limit of one by a power.
    scale = 1 / (discount_rate + (s + 1) / rate)
    end = np.minimum(_NEGLIGIBLE / discount_rate, _end_of_power(s, rate))
    for rows, t, dt in nodes_to(scale, end):
        falls = discount_rate * t + s[rows] * np.log1p(t / rate[rows])
        expected[rows] = (np.exp(-falls) * dt).sum(axis=0)
    return expected


def probability_of_purchases(
    n: npt.NDArray[np.int64], t: FloatArray, shape: FloatArray, rate: FloatArray, s: FloatArray, end_rate: FloatArray
) -> FloatArray:
    r"""Return the probability that customers alive now make ``n`` purchases in the next ``t`` (> 0).

    Purchases come at a rate that is Gamma(shape, rate), the end at one that is Gamma(s, end_rate). Either the end
    comes later, or at some time u before (Fader and Hardie 2014, "Deriving the conditional PMF of the Pareto/NBD
    model"): with the negative binomial :math:`p_n(u)` of the purchases within u,

    .. math:: P = p_n(t) (1 + t / b)^{-s} + \int_0^t p_n(u) \frac{s}{b} (1 + u / b)^{-s-1} du

    Examples
    --------
    >>> three = np.arange(3)
    >>> probability_of_purchases(three, np.ones(3), np.ones(3), np.ones(3), np.ones(3), np.ones(3)).round(6)
    array([0.625   , 0.208333, 0.088542])
    """
    n, t, shape, rate, s, end_rate = np.broadcast_arrays(n, t, shape, rate, s, end_rate)
    # Gamma(shape + n) / (Gamma(shape) n!), from a beta function: no large numbers to take from one another.
    log_ways = -np.log(shape + n) - special.betaln(shape, n + 1.0)
    log_reached = log_ways - n * np.log1p(rate / t) - shape * np.log1p(t / rate)
    chance = np.exp(log_reached - s * np.log1p(t / end_rate))
    none = n == 0
    left = np.empty(len(n))
    left[none] = _fallen(shape[none], rate[none], s[none] + 1, end_rate[none], t[none]) * (s / end_rate)[none]
    some = np.flatnonzero(~none)
    for first in range(0, len(some), _PEAK_ROWS):
        rows = some[first : first + _PEAK_ROWS]
        peaked = _Peaked(n[rows].astype(float), shape[rows], rate[rows], s[rows], end_rate[rows])
        left[rows] = peaked.integral(t[rows], log_ways[rows] + np.log(s[rows]))
    return np.asarray(np.minimum(chance + left, 1.0))


def _fallen(shape: FloatArray, rate: FloatArray, power: FloatArray, end_rate: FloatArray, t: FloatArray) -> FloatArray:
    # Integral of (1 + u / rate)^-shape (1 + u / end_rate)^-power over u from 0 to t.
    integral = np.zeros(len(t))
    for rows, u, du in _nodes(shape, rate, power, end_rate, t):
        falls = shape[rows] * np.log1p(u / rate[rows]) + power[rows] * np.log1p(u / end_rate[rows])
        integral[rows] = (np.exp(-falls) * du).sum(axis=0)
    return integral


Block = tuple[npt.NDArray[np.intp], FloatArray, FloatArray]


def _nodes(
    shape: FloatArray, rate: FloatArray, power: FloatArray, end_rate: FloatArray, t: FloatArray
) -> Iterator[Block]:
    # The scale never exceeds the distance of the poles at -rate and -end_rate, however small the shape.
    scale = 1 / (np.maximum(shape, 1) / rate + power / end_rate)
    # What lies beyond, as a share of the integral, is at most exp(-37).
    end = np.minimum(t, np.minimum(_end_of_power(shape, rate), _end_of_power(power, end_rate)))
    return nodes_to(scale, end)


def _end_of_power(power: FloatArray, rate: FloatArray) -> FloatArray:
    exponent = _NEGLIGIBLE / np.maximum(power - 1, _NEGLIGIBLE / _ENDLESS)
    return np.asarray(rate * np.expm1(exponent))


def nodes_to(scale: FloatArray, end: FloatArray) -> Iterator[Block]:
    """Yield rows, times (nodes, rows) from 0 to ``end`` and their weights, even in log(1 + time / scale)."""
    way = np.log1p(end / scale)
    rule_of = np.searchsorted(_WAYS, way)
    rule_of[way <= 0] = -1
    for rule, (nodes, weights) in enumerate(_RULES):
        members = np.flatnonzero(rule_of == rule)
        step = _CELLS // len(nodes)
        for first in range(0, len(members), step):
            rows = members[first : first + step]
            u = ((1 + nodes) / 2)[:, None] * way[rows]
            stretch = np.expm1(u)
            yield rows, scale[rows] * stretch, (weights / 2)[:, None] * (1 + stretch) * (way[rows] * scale[rows])


class _Peaked(NamedTuple):
    """The integrand of those who leave after n purchases, over v = log u: log-concave, with one peak."""

    n: FloatArray
    shape: FloatArray
    rate: FloatArray
    s: FloatArray
    end_rate: FloatArray

    def log_density(self, v: FloatArray) -> FloatArray:
        u = np.exp(v)
        falls = self.n * np.log1p(self.rate / u) + self.shape * np.log1p(u / self.rate)
        return np.asarray(v - np.log(self.end_rate) - falls - (self.s + 1) * np.log1p(u / self.end_rate))

    def slope(self, v: FloatArray) -> FloatArray:
        u = np.exp(v)
        towards = (self.n * self.rate - self.shape * u) / (self.rate + u)
        return np.asarray(1 + towards - (self.s + 1) * u / (self.end_rate + u))

    def peak(self) -> FloatArray:
        # The slope is 0 at the positive root of a u^2 - q u - c, written so that nothing cancels.
        a, c = self.shape + self.s, (self.n + 1) * self.rate * self.end_rate
        q = (self.n - self.s) * self.rate + (1 - self.shape) * self.end_rate
        root = np.sqrt(q**2 + 4 * a * c)
        return np.log(np.where(q > 0, (q + root) / (2 * a), 2 * c / (root + np.abs(q))))

    def integral(self, t: FloatArray, log_factor: FloatArray) -> FloatArray:
        last = np.log(t)
        peak = np.minimum(self.peak(), last)
        top = self.log_density(peak)
        # Newton's steps from outside towards where a concave function has fallen by 37 never pass that point.
        outside = np.minimum(peak, np.minimum(np.log(self.rate), np.log(self.end_rate))) - 2 * _NEGLIGIBLE
        lowest = self._down_to(top, outside)
        highest = np.where(self.log_density(last) - top > -_NEGLIGIBLE, last, self._down_to(top, last))
        total = np.zeros(len(t))
        for low, high in ((lowest, peak), (peak, highest)):
            half = (high - low) / 2
            for node, weight in zip(_PEAK_NODES, _PEAK_WEIGHTS, strict=True):
                total += weight * half * np.exp(self.log_density(low + half * (1 + node)) - top)
        return np.asarray(np.exp(np.log(total) + top + log_factor))

    def _down_to(self, top: FloatArray, v: FloatArray) -> FloatArray:
        for _ in range(_NEWTON_STEPS):
            excess = np.minimum(self.log_density(v) - top + _NEGLIGIBLE, 0.0)
            v = v - np.divide(excess, self.slope(v), out=np.zeros(len(v)), where=excess < 0)
        return v
