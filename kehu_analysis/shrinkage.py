"""Empirical Bayes: what of a figure is the customer's own, and what is chance that does not come again.

Whoever heads a list by an extreme figure is there partly by luck, and returns towards the middle by itself. A shrunken
figure is what is expected to last. The analyses that pick customers by a raw extreme show it beside the raw one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

__all__ = ["ModeratedVariances", "Shrunken", "moderate_variances", "shrink", "trigamma_inverse"]

Array = npt.NDArray[np.float64]


class Shrunken(NamedTuple):
    """Estimates drawn towards their common mean, shape (n,), and the prior that they share.

    Attributes
    ----------
    values
        Shrunken estimates, in the unit of the estimates.
    weights
        Share of the distance from the common mean that is kept, 0 to 1.
    deviations
        Standard deviations of the true values given the estimates, with the prior taken as known.
    prior_mean, prior_variance
        Of the true values.
    """

    values: Array
    weights: Array
    deviations: Array
    prior_mean: float
    prior_variance: float


class ModeratedVariances(NamedTuple):
    """Variances drawn towards a common one, shape (n,), and the prior that they share.

    Attributes
    ----------
    values
        Moderated variances; where one's own are not enough to tell them apart, the common one.
    prior_degrees_of_freedom, prior_variance
        d0, infinite when the variances do not differ beyond chance, and s0².
    """

    values: Array
    prior_degrees_of_freedom: float
    prior_variance: float


def shrink(estimates: npt.ArrayLike, variances: npt.ArrayLike) -> Shrunken:
    """Shrink estimates towards their common mean, each by how little it is known.

    With estimates ``y_i ~ N(θ_i, v_i)`` of true values ``θ_i ~ N(m, τ²)``, the expected true value is
    ``m + τ² / (τ² + v_i) · (y_i - m)``. Whoever is picked by a large ``y_i`` is picked partly for its error; the
    expectation given all the ``y_i`` has that error out, whatever the rule by which it was picked. ``τ²`` solves
    ``Σ (y_i - m)² / (τ² + v_i) = n - 1`` with ``m`` the mean weighted by ``1 / (τ² + v_i)``; where no ``τ²`` above 0
    does, the estimates differ by chance alone and all become ``m``.

    Parameters
    ----------
    estimates
        Shape (n,), in one unit, finite.
    variances
        Of their errors, shape (n,), in that unit squared, at least 0; 0 is known without error and stays as it is.

    Returns
    -------
    Shrunken
        Fewer than three estimates tell nothing of what they share, and stay as they are.

    Notes
    -----
    Efron, B. and Morris, C. (1975), Data analysis using Stein's estimator and its generalizations, *Journal of the
    American Statistical Association* 70, 311-319, for unequal variances; ``τ²`` by Paule, R. C. and Mandel, J. (1982),
    Consensus values and weighting factors, *Journal of Research of the National Bureau of Standards* 87, 377-385.

    Examples
    --------
    >>> shrunken = shrink([-40.0, -10.0, 0.0, 10.0, 40.0], [100.0, 100.0, 100.0, 100.0, 100.0])
    >>> shrunken.values.round(1).tolist(), round(shrunken.prior_variance, 6)
    ([-35.3, -8.8, 0.0, 8.8, 35.3], 750.0)
    """
    values, errors = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if len(values) < 3 or not values.var() > 0:
        return Shrunken(
            values.copy(), np.ones_like(values), np.sqrt(errors), float(values.mean()) if len(values) else 0.0, 0.0
        )
    # In units of their own spread, so that the search does not depend on the currency.
    unit = float(values.std())
    scaled, own = values / unit, errors / unit**2
    # An exact value among the others would have all the weight in the common mean.
    floored = np.maximum(own, 1e-9)

    def excess(prior: float) -> float:
        mean = _weighted_mean(scaled, 1 / (prior + floored))
        return float(np.sum((scaled - mean) ** 2 / (prior + floored))) - (len(scaled) - 1)

    # Beyond the plain variance of the estimates the left side is below n - 1.
    prior = brentq(excess, 0.0, 2.0, xtol=1e-12) if excess(0.0) > 0 else 0.0
    mean = _weighted_mean(scaled, 1 / (prior + floored))
    kept = np.where(own > 0, prior / (prior + floored), 1.0)
    shrunken = (mean + kept * (scaled - mean)) * unit
    return Shrunken(shrunken, kept, np.sqrt(kept * errors), mean * unit, prior * unit**2)


def moderate_variances(variances: npt.ArrayLike, degrees_of_freedom: npt.ArrayLike) -> ModeratedVariances:
    """Moderate variances of few observations by what all of them share.

    With sample variances ``s²`` of ``d`` degrees of freedom, and true variances scattered as scaled inverse chi-square
    ``(d0, s0²)``, the moderated variance is ``(d0·s0² + d·s²) / (d0 + d)``. ``d0`` and ``s0²`` come from mean and
    variance of ``log s²`` in closed form.

    Parameters
    ----------
    variances
        Shape (n,), above 0.
    degrees_of_freedom
        Of each, shape (n,), above 0.

    Notes
    -----
    Smyth, G. K. (2004), Linear models and empirical Bayes methods for assessing differential expression,
    *Statistical Applications in Genetics and Molecular Biology* 3(1), article 3, section 6.2.

    Examples
    --------
    >>> moderate_variances([1.0, 1.1, 0.9, 1.0], [4.0, 4.0, 4.0, 4.0]).prior_degrees_of_freedom
    inf
    """
    values, own = np.asarray(variances, dtype=np.float64), np.asarray(degrees_of_freedom, dtype=np.float64)
    prior, prior_variance = _prior(np.log(values), own)
    if np.isinf(prior):
        return ModeratedVariances(np.full_like(values, prior_variance), prior, prior_variance)
    return ModeratedVariances((prior * prior_variance + own * values) / (prior + own), prior, prior_variance)


def _weighted_mean(values: Array, weights: Array) -> float:
    return float(np.sum(weights * values) / np.sum(weights))


def _prior(log_variance: Array, own: Array) -> tuple[float, float]:
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
