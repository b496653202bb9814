"""Buying rhythms: how spread out one customer's waits are, learned from its own and everybody's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kehu_analysis.shrinkage import moderate_variances

__all__ = ["Rhythms", "fit_rhythms"]

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

    With ``s²`` the sample variance of ``n`` log intervals (``d = n - 1`` degrees of freedom), the moderated variance
    ``(d0·s0² + d·s²) / (d0 + d)`` has ``d0 + d`` degrees of freedom
    (:func:`~kehu_analysis.shrinkage.moderate_variances`).

    Intervals are whole days, so a variance below the rounding error (1/6 square day over the squared usual
    interval) is not believed: a customer who came exactly every 7 days may come late on the 7th.

    Parameters
    ----------
    n
        Intervals of each customer, at least 2.
    sum_log, sum_squared_log
        Sums of the logs of the intervals in days, and of their squares.

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
    moderated = moderate_variances(variance, own)
    # The common spread must not undercut the rounding of somebody with a short rhythm either.
    deviation = np.sqrt(np.maximum(moderated.values, rounding))
    prior = moderated.prior_degrees_of_freedom
    return Rhythms(mean_log, deviation, prior + own, prior, float(np.sqrt(moderated.prior_variance)))
