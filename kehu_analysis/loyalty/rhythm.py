"""Buying rhythms: how spread out one customer's waits are, learned from its own and everybody's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, polygamma

__all__ = ["Rhythms", "fit_rhythms", "trigamma_inverse"]

#: Variance of the rounding error of an interval in whole days: a difference of two roundings.
ROUNDING_VARIANCE_DAYS = 1 / 6


class Rhythms(NamedTuple):
    """Log-normal waits of each customer, shape (n,), and the prior spread that they share.

    Attributes
    ----------
    mean_log
        Mean of the logs of its intervals.
    deviation
        Moderated standard deviation of the logs.
    degrees_of_freedom
        Prior's and own together; infinite when the customers' spreads do not differ beyond chance.
    prior_degrees_of_freedom, prior_deviation
        d0 and s0.
    """

    mean_log: np.ndarray
    deviation: np.ndarray
    degrees_of_freedom: np.ndarray
    prior_degrees_of_freedom: float
    prior_deviation: float


def fit_rhythms(n: np.ndarray, sum_log: np.ndarray, sum_squared_log: np.ndarray) -> Rhythms:
    """Estimate each customer's log-normal waits with moderated variances.

    With ``s²`` the sample variance of ``n`` log intervals (``d = n - 1`` degrees of freedom) and customers'
    true variances scattered as scaled inverse chi-square ``(d0, s0²)``, the moderated variance is
    ``(d0·s0² + d·s²) / (d0 + d)`` with ``d0 + d`` degrees of freedom. ``d0`` and ``s0²`` come from mean and
    variance of ``log s²`` in closed form.

    Intervals are whole days, so a variance below the rounding error (1/6 square day over the squared usual
    interval) is not believed: a customer who came exactly every 7 days may come late on the 7th.

    Parameters
    ----------
    n
        Intervals of each customer, at least 2.
    sum_log, sum_squared_log
        Sums of the logs of the intervals in days, and of their squares.

    Notes
    -----
    Smyth, G. K. (2004), Linear models and empirical Bayes methods for assessing differential expression,
    *Statistical Applications in Genetics and Molecular Biology* 3(1), article 3, section 6.2.

    Examples
    --------
    >>> fit = fit_rhythms(np.array([3.0]), np.array([6.0]), np.array([12.5]))
    >>> float(fit.mean_log[0]), float(fit.deviation[0]), float(fit.degrees_of_freedom[0])
    (2.0, 0.5, 2.0)
    """
    mean_log = sum_log / n
    own = n - 1.0
    rounding = ROUNDING_VARIANCE_DAYS * np.exp(-2.0 * mean_log)
    variance = np.maximum((sum_squared_log - n * mean_log**2) / own, rounding)
    prior, prior_variance = _prior(np.log(variance), own)
    if np.isinf(prior):
        moderated = np.full_like(variance, prior_variance)
    else:
        moderated = (prior * prior_variance + own * variance) / (prior + own)
    # The common spread must not undercut the rounding of somebody with a short rhythm either.
    deviation = np.sqrt(np.maximum(moderated, rounding))
    return Rhythms(mean_log, deviation, prior + own, prior, float(np.sqrt(prior_variance)))


def _prior(log_variance: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    if len(log_variance) < 2:
        return 0.0, float(np.exp(log_variance.mean())) if len(log_variance) else 0.0
    centred = log_variance - digamma(own / 2) + np.log(own / 2)
    scatter = float(centred.var(ddof=1) - polygamma(1, own / 2).mean())
    if scatter <= 0:
        return np.inf, float(np.exp(centred.mean()))
    prior = 2 * trigamma_inverse(scatter)
    return prior, float(np.exp(centred.mean() + digamma(prior / 2) - np.log(prior / 2)))


def trigamma_inverse(value: float) -> float:
    """Solve ``trigamma(y) = value`` for ``y > 0`` by Newton's method on ``1 / trigamma`` (Smyth 2004).

    Examples
    --------
    >>> round(trigamma_inverse(float(polygamma(1, 3.7))), 9)
    3.7
    """
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step < 1e-12 * y:
            break
    return y
