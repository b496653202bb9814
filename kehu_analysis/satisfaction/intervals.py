"""Intervals of shares, means and net promoter scores, also where a finite number of customers was drawn from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

__all__ = ["Bounds", "Interval", "effective_size", "mean_interval", "nps_interval", "wilson_interval", "worst_case"]

#: What the adjusted Wald interval of a net promoter score adds: ¾ to each end, 1½ to the middle.
_ADDED = 3.0


class Interval(NamedTuple):
    """An estimate with its limits, in its own unit."""

    value: float
    low: float
    high: float


class Bounds(NamedTuple):
    """What a share can be at worst and at best, and an interval that covers it.

    Attributes
    ----------
    lowest, highest
        If none, or all, of those who did not answer were among it.
    low, high
        Limits that cover the true share at the level asked for, wherever between the bounds it lies.
    """

    lowest: float
    highest: float
    low: float
    high: float


def effective_size(n: float, population: float | None) -> float:
    """Return the size of a sample with replacement that would tell as much: ``n (N - 1) / (N - n)``.

    Examples
    --------
    >>> round(effective_size(263, 600), 4), effective_size(600, 600), effective_size(50, None)
    (467.4688, inf, 50.0)
    """
    if population is None:
        return float(n)
    return float(n * (population - 1) / (population - n)) if n < population else np.inf


def wilson_interval(share: float, n: float, *, level: float, population: float | None = None) -> Interval:
    """Return a share with Wilson's limits.

    Parameters
    ----------
    share
        Observed, 0 to 1.
    n
        Answers that it stands for; where they are weighted or repeated the effective number, which need not be whole.
    level
        Level of the limits.
    population
        Number of customers of whom ``n`` were drawn at random; None where it is endless.

    Notes
    -----
    Wilson, E. B. (1927), *Journal of the American Statistical Association* 22, 209-212.

    Examples
    --------
    >>> [round(value, 6) for value in wilson_interval(81 / 263, 263, level=0.95)]
    [0.307985, 0.255289, 0.36621]
    """
    size = effective_size(n, population)
    if not np.isfinite(size):
        return Interval(share, share, share)
    low, high = proportion_confint(share * size, size, alpha=1 - level, method="wilson")
    return Interval(share, max(float(low), 0.0), min(float(high), 1.0))


def nps_interval(promoters: float, detractors: float, n: float, *, level: float) -> Interval:
    """Return a net promoter score in points with the adjusted Wald limits.

    Parameters
    ----------
    promoters, detractors
        Shares of the answers, 0 to 1.
    n
        Answers, or their effective number; infinite where the score is known.
    level
        Level of the limits.

    Returns
    -------
    Interval
        The score itself is not adjusted; the limits lie around the adjusted one.

    Notes
    -----
    With ¾ added to promoters and to detractors and 3 to the answers, ``Var = (p + d - (p - d)²) / (n + 3)``: Rocks, B.
    (2016), Interval estimation for the net promoter score, *The American Statistician* 70, 365-372.

    Examples
    --------
    >>> [round(value, 4) for value in nps_interval(162 / 324, 54 / 324, 324, level=0.95)]
    [33.3333, 24.9453, 41.1098]
    """
    score = promoters - detractors
    if not np.isfinite(n):
        return Interval(100 * score, 100 * score, 100 * score)
    size = n + _ADDED
    up, down = (promoters * n + _ADDED / 4) / size, (detractors * n + _ADDED / 4) / size
    width = float(stats.norm.ppf(0.5 + level / 2) * np.sqrt((up + down - (up - down) ** 2) / size))
    low, high = up - down - width, up - down + width
    return Interval(100 * score, 100 * max(min(low, score), -1.0), 100 * min(max(high, score), 1.0))


def mean_interval(
    mean: float, variance: float, *, level: float, degrees_of_freedom: float = np.inf, limits: tuple[float, float]
) -> Interval:
    """Return a mean with the limits of Student's distribution, kept on the scale of the answers.

    Parameters
    ----------
    mean, variance
        Of the estimate.
    level
        Level of the limits.
    degrees_of_freedom
        With which the variance is known.
    limits
        Smallest and largest answer of the scale.

    Examples
    --------
    >>> mean_interval(4.9, 0.01, level=0.95, limits=(1, 5)).high
    5.0
    """
    width = float(stats.t.ppf(0.5 + level / 2, degrees_of_freedom) * np.sqrt(variance))
    return Interval(mean, max(mean - width, float(limits[0])), min(mean + width, float(limits[1])))


def worst_case(n_yes: int, n_answered: int, n_asked: int, *, level: float) -> Bounds:
    """Bound a share of all who were asked, with nothing assumed about those who did not answer.

    Parameters
    ----------
    n_yes, n_answered, n_asked
        Counts.
    level
        Of the interval, which covers the true share and not the whole stretch between the bounds.

    Notes
    -----
    Manski, C. F. (1995), *Identification problems in the social sciences*, chapter 2; the interval of Imbens, G. W. and
    Manski, C. F. (2004), *Econometrica* 72, 1845-1857, with simple standard errors of both bounds.

    Examples
    --------
    >>> [round(value, 4) for value in worst_case(21, 64, 106, level=0.95)]
    [0.1981, 0.5943, 0.1344, 0.6728]
    """
    lowest, highest = n_yes / n_asked, (n_yes + n_asked - n_answered) / n_asked
    errors = [float(np.sqrt(share * (1 - share) / n_asked)) for share in (lowest, highest)]
    times = _imbens_manski(highest - lowest, max(errors), level)
    low, high = lowest - times * errors[0], highest + times * errors[1]
    return Bounds(lowest, highest, max(low, 0.0), min(high, 1.0))


def _imbens_manski(width: float, error: float, level: float) -> float:
    """Solve ``Φ(C + width / error) - Φ(-C) = level`` for ``C``, by halving."""
    low, high = (float(stats.norm.ppf(share)) for share in (level, 0.5 + level / 2))
    if error == 0:
        return low
    for _ in range(80):
        middle = (low + high) / 2
        is_short = stats.norm.cdf(middle + width / error) - stats.norm.cdf(-middle) < level
        low, high = (middle, high) if is_short else (low, middle)
    return (low + high) / 2
