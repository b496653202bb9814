"""How sure a rate is that cohorts share: the mean over cohorts, and what the next cohort may do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import betainc, gammaln

__all__ = ["FEWEST_COHORTS", "mean_rate_intervals", "next_cohort_interval", "trend_interval"]

Array = npt.NDArray[np.float64]

#: From fewer nobody can tell how cohorts differ.
FEWEST_COHORTS = 5
#: The largest root of the intraclass correlation that is thought possible.
_WIDEST_ROOT = 0.7
_N_DRAWS = 5000
_N_RATES, _N_ROOTS = 80, 24


def mean_rate_intervals(
    n_active: Array, n_customers: Array, *, interval: float, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Return the limits of the pooled rate at each age, and of the linked one, by drawing whole cohorts.

    A cohort is drawn with all its ages, as the same customers stand in them. Tails are those of Student's t for the
    number of cohorts (Hesterberg's expanded percentiles): of five cohorts plain percentiles are far too narrow.

    Parameters
    ----------
    n_active
        Customers with a purchase by cohort and age, shape (n_cohorts, n_ages); missing where not reached.
    n_customers
        Sizes, shape (n_cohorts,).
    interval
        Level.
    rng
        Source of the draws.

    Returns
    -------
    Lower and upper limits of the pooled rate, and of the linked rate, each of shape (n_ages,); missing for ages that
    fewer than five cohorts have reached.

    Notes
    -----
    Hesterberg, T. (2015), "What teachers should know about the bootstrap", *The American Statistician* 69, 371-386.
    """
    reached = np.isfinite(n_active)
    counts = reached.sum(axis=0)
    limits = tuple(np.full(n_active.shape[1], np.nan) for _ in range(4))
    if counts[0] < FEWEST_COHORTS:
        return limits  # type: ignore[return-value]
    weights = rng.multinomial(len(n_active), np.full(len(n_active), 1 / len(n_active)), size=_N_DRAWS).astype(float)
    active = np.where(reached, n_active, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (weights @ active) / (weights @ (reached * n_customers[:, None]))
        before = np.where(reached[:, 1:], n_active[:, :-1], 0.0)
        linked = np.c_[pooled[:, :1], (weights @ active[:, 1:]) / (weights @ before)]
        linked = np.cumprod(linked, axis=1)
    for age in np.flatnonzero(counts >= FEWEST_COHORTS):
        n = counts[age]
        tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf((1 + interval) / 2, n - 1))
        for place, drawn in ((0, pooled[:, age]), (2, linked[:, age])):
            known = drawn[np.isfinite(drawn)]
            limits[place][age], limits[place + 1][age] = np.quantile(known, [tail, 1 - tail])
    return limits  # type: ignore[return-value]


def next_cohort_interval(n_active: Array, n_customers: Array, size: int, *, interval: float) -> tuple[float, float]:
    """Return where the rate of a next cohort of so many customers will lie.

    Rates of cohorts are drawn from a beta distribution, customers from their cohort's rate; what is not known of the
    distribution (mean and intraclass correlation) is averaged over, with a Jeffreys prior on the mean and a uniform one
    on the root of the correlation. Limits are widened to whole customers.

    Parameters
    ----------
    n_active, n_customers
        Of the cohorts seen, shape (n_cohorts,).
    size
        Customers of the next one.
    interval
        Level.

    Notes
    -----
    Skellam, J. G. (1948), *JRSS B* 10, 257-261. The beta-binomial is read off the beta distribution of the same mean
    and variance.

    Examples
    --------
    >>> seen = np.array([60.0, 66, 58, 70, 62]), np.full(5, 100.0)
    >>> next_cohort_interval(*seen, 100, interval=0.9)
    (0.49, 0.76)
    """
    if len(n_active) < FEWEST_COHORTS:
        return float("nan"), float("nan")
    rates, correlations, weights = _posterior(n_active, n_customers)
    spread = correlations + (1 - correlations) / size
    total = 1 / spread - 1
    tail = (1 - interval) / 2
    low, high = (_mixture_quantile(share, rates * total, (1 - rates) * total, weights) for share in (tail, 1 - tail))
    return float(np.floor(low * size + 1e-9) / size), float(np.ceil(high * size - 1e-9) / size)


def trend_interval(
    position: Array, n_active: Array, n_customers: Array, *, interval: float
) -> tuple[float, float, float]:
    """Return the change of the rate from one cohort to the next with limits: a line through the cohorts' rates.

    Cohorts weigh by how well each rate is known, given how far cohorts differ; the limits are Student's, with the
    scatter about the line.

    Parameters
    ----------
    position
        Place of each cohort in time, in periods.
    n_active, n_customers, interval
        As for :func:`next_cohort_interval`; missing for fewer than five cohorts.
    """
    if len(n_active) < FEWEST_COHORTS:
        return (float("nan"),) * 3
    _, correlations, weights = _posterior(n_active, n_customers)
    correlation = float(correlations @ weights)
    weight = n_customers / (1 + (n_customers - 1) * correlation)
    rate = n_active / n_customers
    centred = position - np.average(position, weights=weight)
    information = weight @ centred**2
    slope = float(weight @ (centred * rate) / information)
    rest = rate - np.average(rate, weights=weight) - slope * centred
    df = len(rate) - 2
    error = np.sqrt(weight @ rest**2 / df / information)
    width = float(stats.t.ppf((1 + interval) / 2, df) * error)
    return slope, slope - width, slope + width


def _posterior(n_active: Array, n_customers: Array) -> tuple[Array, Array, Array]:
    """Return mean rates, intraclass correlations and their weights, flat: first everywhere, then where the mass is."""
    rates = (np.arange(_N_RATES) + 0.5) / _N_RATES
    roots = (np.arange(_N_ROOTS) + 0.5) / _N_ROOTS * _WIDEST_ROOT
    for _ in range(3):
        log_weights = _log_posterior(n_active, n_customers, rates, roots)
        weights = np.exp(log_weights - log_weights.max())
        rates_next = _refined(rates, weights.max(axis=1), 0.0, 1.0)
        roots_next = _refined(roots, weights.max(axis=0), 0.0, _WIDEST_ROOT)
        found = rates, roots, weights
        rates, roots = rates_next, roots_next
    rates, roots, weights = found
    # Cells of the last grid are of one size, so that weights need no width.
    kept = weights > 1e-5 * weights.max()
    row, column = np.nonzero(kept)
    return rates[row], roots[column] ** 2, weights[kept] / weights[kept].sum()


def _refined(grid: Array, weights: Array, lowest: float, highest: float) -> Array:
    step = grid[1] - grid[0]
    heavy = grid[weights > 1e-6]
    low, high = max(heavy[0] - step, lowest), min(heavy[-1] + step, highest)
    return np.asarray(low + (np.arange(len(grid)) + 0.5) / len(grid) * (high - low))


def _log_posterior(n_active: Array, n_customers: Array, rates: Array, roots: Array) -> Array:
    total = 1 / roots**2 - 1
    a, b = rates[:, None] * total, (1 - rates[:, None]) * total
    found = -0.5 * np.log(rates * (1 - rates))[:, None] + np.zeros_like(a)
    found += len(n_active) * (gammaln(a + b) - gammaln(a) - gammaln(b))
    for active, customers in zip(n_active, n_customers, strict=True):
        found += gammaln(a + active) + gammaln(b + customers - active) - gammaln(a + b + customers)
    return np.asarray(found)


def _mixture_quantile(share: float, a: Array, b: Array, weights: Array) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if weights @ betainc(a, b, middle) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2
