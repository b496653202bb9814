"""Tables of survival: Kaplan-Meier and Aalen-Johansen with late entry, their intervals, and the restricted mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

__all__ = ["Incidence", "Survival", "aalen_johansen", "kaplan_meier", "restricted_mean", "survival_quantile"]

Array = npt.NDArray[np.float64]


class Survival(NamedTuple):
    """A survival curve at its event times, each array of shape (n_times,).

    Attributes
    ----------
    times
        Times at which somebody left, rising.
    at_risk, n_events
        Present just before, and left at, each time.
    survival
        Share that is still there after each time.
    errors
        Greenwood's standard errors; missing where nobody is left.
    low, high
        Log-log limits.
    """

    times: Array
    at_risk: Array
    n_events: Array
    survival: Array
    errors: Array
    low: Array
    high: Array


class Incidence(NamedTuple):
    """Cumulative incidence of one cause at the times of any event, each array of shape (n_times,).

    Attributes
    ----------
    times
        Times at which somebody left for any cause, rising.
    at_risk, n_events
        Present just before each time, and left at it for this cause.
    incidence
        Share that has left for this cause by each time.
    errors
        Standard errors.
    low, high
        Log-log limits.
    """

    times: Array
    at_risk: Array
    n_events: Array
    incidence: Array
    errors: Array
    low: Array
    high: Array


def kaplan_meier(
    entry: npt.ArrayLike, exit_: npt.ArrayLike, event: npt.ArrayLike, *, interval: float = 0.95
) -> Survival:
    """Estimate the survival curve; who entered late counts from its entry on.

    ``S(t) = Π (1 - d/n)`` over event times up to ``t``, at risk being ``entry < t <= exit``; limits
    ``S^exp(±z·SE/(S ln S))``.

    Parameters
    ----------
    entry, exit_
        Ages at which each was first and last seen, shape (n,); entry before exit.
    event
        Whether it left at ``exit_``; else it was still there.
    interval
        Level of the limits.

    Notes
    -----
    Kaplan, E. L. and Meier, P. (1958), *JASA* 53, 457-481. Late entry: Turnbull, B. W. (1976), *JRSS B* 38, 290-295.

    Examples
    --------
    >>> kaplan_meier([1, 2, 4, 0, 0], [2, 10, 5, 4, 3], [1, 1, 1, 1, 1]).survival.round(3).tolist()
    [0.667, 0.444, 0.222, 0.111, 0.0]
    """
    start, end, left = _arrays(entry, exit_, event)
    if not left.any():
        return Survival(*(np.empty(0) for _ in Survival._fields))
    # Without late entry nobody enters: statsmodels is told so, as it then keeps whoever leaves at age 0.
    fitted = SurvfuncRight(end, left.astype(int), entry=start if start.any() else None)
    keep = fitted.n_events > 0
    survival = fitted.surv_prob[keep]
    # Where nobody is left Greenwood's sum is infinite, and there is nothing to be unsure of.
    with np.errstate(invalid="ignore"):
        errors = np.where(survival > 0, fitted.surv_prob_se[keep], np.nan)
    low, high = _log_log(survival, errors, interval)
    return Survival(
        np.asarray(fitted.surv_times, dtype=float)[keep],
        np.asarray(fitted.n_risk, dtype=float)[keep],
        np.asarray(fitted.n_events, dtype=float)[keep],
        survival,
        errors,
        low,
        high,
    )


def aalen_johansen(
    entry: npt.ArrayLike, exit_: npt.ArrayLike, cause: npt.ArrayLike, *, interval: float = 0.95
) -> dict[int, Incidence]:
    """Estimate how many leave for each cause, where leaving for one rules out the others.

    ``I(t) = Σ S(s-)·d_cause/n`` over event times up to ``t``, with the survival of all causes together. One minus a
    Kaplan-Meier curve that takes the other causes as censored overstates it.

    Parameters
    ----------
    entry, exit_, interval
        As for :func:`kaplan_meier`.
    cause
        0: still there, else the number of the cause, shape (n,).

    Returns
    -------
    The curve of each cause that occurs, by its number.

    Notes
    -----
    Aalen, O. O. and Johansen, S. (1978), *Scandinavian Journal of Statistics* 5, 141-150; variance by the delta method:
    Marubini, E. and Valsecchi, M. G. (1995), *Analysing Survival Data from Clinical Trials*, chapter 10.

    Examples
    --------
    >>> found = aalen_johansen(np.zeros(6), [1, 2, 3, 4, 5, 6], [0, 1, 1, 2, 2, 0])
    >>> {number: curve.incidence.round(3).tolist() for number, curve in found.items()}
    {1: [0.2, 0.4, 0.4, 0.4], 2: [0.0, 0.0, 0.2, 0.4]}
    """
    start, end, number = _arrays(entry, exit_, cause)
    left = number > 0
    times = np.unique(end[left])
    at_risk = _at_risk(start, end, times)
    # Whoever leaves at age 0 was there, although it entered no earlier.
    deaths = _counts(end[left], times)
    at_risk = np.maximum(at_risk, deaths)
    after = np.cumprod(1 - deaths / at_risk)
    before = np.r_[1.0, after[:-1]]
    found = {}
    for code in np.unique(number[left]):
        own = _counts(end[number == code], times)
        incidence = np.cumsum(before * own / at_risk)
        errors = _incidence_errors(incidence, before, own, deaths, at_risk)
        high, low = (1 - bound for bound in _log_log(1 - incidence, errors, interval))
        found[int(code)] = Incidence(times, at_risk, own, incidence, errors, low, high)
    return found


def restricted_mean(curve: Survival, until: float) -> tuple[float, float]:
    """Return the mean time spent up to ``until``, the area under the curve, and its standard error.

    ``SE² = Σ A(t)²·d/(n(n - d))`` over the events, ``A(t)`` the area right of ``t``; where all leave nothing is added.

    Examples
    --------
    >>> restricted_mean(kaplan_meier([0, 0], [1, 3], [1, 0]), 3.0)
    (2.0, 0.7071067811865476)
    """
    counted = curve.times < until
    edges = np.r_[0.0, curve.times[counted], until]
    heights = np.r_[1.0, curve.survival[counted]]
    areas = heights * np.diff(edges)
    right_of = areas[1:][::-1].cumsum()[::-1]
    n, d = curve.at_risk[counted], curve.n_events[counted]
    terms = np.where(n > d, right_of**2 * d / np.maximum(n * (n - d), 1.0), 0.0)
    return float(areas.sum()), float(np.sqrt(terms.sum()))


def survival_quantile(times: Array, values: Array, share: float = 0.5) -> float:
    """Return the first time at which a falling curve is at ``share`` or below; infinite where it stays above.

    Examples
    --------
    >>> survival_quantile(np.array([1.0, 4.0]), np.array([0.6, 0.3]))
    4.0
    """
    # A curve that stands at the share itself has reached it, whatever the last bit says.
    reached = np.flatnonzero(values <= share + 1e-12)
    return float(times[reached[0]]) if len(reached) else float("inf")


def _arrays(
    entry: npt.ArrayLike, exit_: npt.ArrayLike, event: npt.ArrayLike
) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    return np.asarray(entry, dtype=float), np.asarray(exit_, dtype=float), np.asarray(event).astype("int64")


def _at_risk(start: Array, end: Array, times: Array) -> Array:
    entered = np.searchsorted(np.sort(start), times, side="left")
    gone = np.searchsorted(np.sort(end), times, side="left")
    return np.asarray(entered - gone, dtype=float)


def _counts(values: Array, times: Array) -> Array:
    return np.bincount(np.searchsorted(times, values), minlength=len(times)).astype(float)


def _incidence_errors(incidence: Array, before: Array, own: Array, deaths: Array, at_risk: Array) -> Array:
    # Var = Σ [I(t)-I(s)]² g + Σ h - 2 Σ [I(t)-I(s)] k over s <= t: sums of powers of I(s), so that one pass does.
    rest = at_risk - deaths
    g = np.where(rest > 0, deaths / np.maximum(at_risk * rest, 1.0), 0.0)
    h = before**2 * (at_risk - own) * own / at_risk**3
    k = before * own / at_risk**2
    sums = [np.cumsum(part) for part in (g, incidence * g, incidence**2 * g, h, k, incidence * k)]
    variance = (
        incidence**2 * sums[0] - 2 * incidence * sums[1] + sums[2] + sums[3] - 2 * (incidence * sums[4] - sums[5])
    )
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _log_log(survival: Array, errors: Array, interval: float) -> tuple[Array, Array]:
    z = stats.norm.ppf((1 + interval) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.exp(z * errors / np.abs(survival * np.log(survival)))
        low, high = survival**width, survival ** (1 / width)
    known = (survival > 0) & (survival < 1)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
