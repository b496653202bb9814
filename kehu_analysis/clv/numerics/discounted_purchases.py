"""All coming purchases of customers who are alive and may leave after any of them, discounted to now."""

from __future__ import annotations

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.numerics.regular_purchases import Stages

#: Distance of nodes, in logarithms: the trapezoidal rule is then exact to 1e-11 for what is analytic within a quarter
#: turn, as these integrands are; and in standard deviations, for narrow peaks.
_STEP = 0.3
_STEP_OF_PEAK = 0.5
_REACH = 32.0
_NEGLIGIBLE = 1e-17
_DROP = 40.0
_BISECTIONS = 40
_CELLS = 400_000


def discounted_regular_purchases(known: Stages, discount_rate: float) -> FloatArray:
    r"""Expected number of all coming purchases, a purchase in ``u`` counting as exp(-discount_rate u).

    Given the rate of stages and the chance p to leave, a stage takes a factor
    :math:`\zeta = \lambda / (\lambda + \delta)` and the purchases are a geometric series:

    .. math:: E\left[\frac{\zeta^{k-j}}{1 - (1-p)\, \zeta^k}\right]

    over the Gamma law of the rate, the phase j and the Beta law of p, by the trapezoidal rule in the logarithm of the
    rate and the logit of p. Beyond the nodes the integrands are exponentials, which are summed exactly.

    Parameters
    ----------
    known
        Customers, (n,).
    discount_rate
        Per time unit, above 0.

    Examples
    --------
    Somebody who leaves for certain after the next purchase, which comes at rate 1 a week, at a rate of 1 a week:

    >>> one = np.ones(1)
    >>> sure = Stages(1e6 * one, 1e6 * one, 1e12 * one, one, np.ones((1, 1)))
    >>> discounted_regular_purchases(sure, 1.0).round(6)
    array([0.5])
    """
    k, delta = len(known.phase), discount_rate * known.rate
    low, high, step = _range_of_rates(known, delta)
    n_rates = np.ceil((high - low) / step).astype(int) + 1
    # What a customer who never leaves would lose to discount from one purchase to the next, at the fastest.
    loss = -np.expm1(-k * np.log1p(delta * np.exp(-high)))
    left, right, chance_step = range_of_chances(known.leave, known.stay, loss)
    n_chances = np.ceil((right - left) / chance_step).astype(int) + 1
    result = np.empty(len(delta))
    order = np.argsort(n_rates * n_chances, kind="stable")
    while len(order):
        cells = n_rates[order[-1]] * n_chances[order[-1]]
        rows, order = (
            np.split(order, [-(max(1, _CELLS // cells))])[::-1]
            if len(order) * cells > _CELLS
            else (
                order,
                order[:0],
            )
        )
        of = known.part(rows)
        log_rates = np.linspace(low[rows], high[rows], n_rates[rows].max(), axis=1)
        logits = np.linspace(left[rows], right[rows], n_chances[rows].max(), axis=1)
        result[rows] = _integrated(of, delta[rows], log_rates, logits)
    return result


def _range_of_rates(known: Stages, delta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    # In v = log(rate of stages * rate). Below delta the integrand falls off as exp((shape + k) v).
    k = len(known.phase)
    shape = known.shape
    with np.errstate(divide="ignore"):
        hardly = np.log(special.gammaincinv(shape, _NEGLIGIBLE))
    falls = np.minimum(np.log(delta), np.log(shape + k)) - 1 - _REACH / (shape + k)
    low = np.maximum(hardly, falls)
    high = np.log(special.gammainccinv(shape + k, _NEGLIGIBLE))
    return low, high, np.minimum(_STEP, _STEP_OF_PEAK / np.sqrt(shape + k))


def range_of_chances(
    leave: FloatArray, stay: FloatArray, loss: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return first and last logit of the chance to leave, and the distance of nodes between them, for a mean over it.

    What the mean is of hardly moves with chances far below ``loss``, and falls above as 1 / chance at most. With u the
    logit, the integrand is then exp(leave u) before the first node and exp(-stay u) after the last.
    """
    least = _where_beta_ends(leave, stay, _DROP - np.log(loss))
    most = -_where_beta_ends(stay, leave, np.full(len(stay), _DROP))
    left = np.maximum(least, np.minimum(np.log(loss), -np.log1p(stay)) - _REACH)
    right = np.maximum(np.minimum(most, np.maximum(np.log1p(leave), 0) + _REACH), left + 1)
    return left, right, np.minimum(_STEP, _STEP_OF_PEAK * np.sqrt(1 / leave + 1 / stay))


def weighted_chances(leave: FloatArray, stay: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return chances that are Beta(leave, stay), and their weights in a mean; ``logits`` in even steps, (n, nodes).

    Examples
    --------
    >>> leave, stay = np.array([0.7]), np.array([2.1])
    >>> left, right, step = range_of_chances(leave, stay, np.ones(1))
    >>> p, weights = weighted_chances(leave, stay, np.linspace(left, right, 300, axis=1))
    >>> np.sum(weights * p, axis=1).round(9)
    array([0.25])
    """
    step = (logits[:, 1] - logits[:, 0])[:, None]
    log_p, log_q = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
    log_density = leave[:, None] * log_p + stay[:, None] * log_q
    weights = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weights[:, :1] /= -np.expm1(-leave[:, None] * step)
    weights[:, -1:] /= -np.expm1(-stay[:, None] * step)
    return np.exp(log_p), weights / weights.sum(axis=1, keepdims=True)


def _where_beta_ends(leave: FloatArray, stay: FloatArray, drop: FloatArray) -> FloatArray:
    # The logit below the mode at which the log-density has fallen so far. (scipy's quantiles are NaN for some laws.)
    def log_density(u: FloatArray) -> FloatArray:
        return np.asarray(-leave * np.logaddexp(0, -u) - stay * np.logaddexp(0, u))

    high = np.log(leave) - np.log(stay)
    peak = log_density(high)
    low = high - (drop + (leave + stay) * np.logaddexp(0, high)) / leave
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = peak - log_density(middle) > drop
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(low)


def _integrated(known: Stages, delta: FloatArray, log_rates: FloatArray, logits: FloatArray) -> FloatArray:
    k, shape = len(known.phase), known.shape[:, None]
    p, weights = weighted_chances(known.leave, known.stay, logits)
    log_zeta = -np.log1p(delta[:, None] * np.exp(-log_rates))
    loss, kept = -np.expm1(k * log_zeta), np.exp(k * log_zeta)
    series = np.einsum("rp,rvp->rv", weights, 1 / (loss[:, :, None] + p[:, None, :] * kept[:, :, None]))
    step = (log_rates[:, 1] - log_rates[:, 0])[:, None]
    rates = np.exp(log_rates)
    next_one = np.zeros(log_rates.shape)
    for j in range(k):
        log_density = (shape + j) * log_rates - rates - special.gammaln(shape + j)
        next_one += known.phase[j][:, None] * np.exp(log_density + (k - j) * log_zeta)
    next_one[:, :1] /= -np.expm1(-(shape + k) * step)
    return np.asarray(np.sum(next_one * series, axis=1) * step[:, 0])
