"""What goes with leaving, and why customers left: a Cox regression, and the ends that compete."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.tools.sm_exceptions import ModelWarning

from kehu_analysis.errors import ConvergenceError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.loyalty.lives import checked_lives
from kehu_analysis.loyalty.survival_tables import aalen_johansen
from kehu_analysis.periods import DAYS_PER_UNIT

__all__ = ["OTHER_ENDS", "REASON_UNKNOWN", "competing_ends", "cox_fit", "leaving_hazards"]

#: Stand in the column ``reason`` for rare reasons together, and for ends of which nobody wrote one.
OTHER_ENDS = "other_ends"
REASON_UNKNOWN = "reason_unknown"
#: Rarer reasons, and levels of a class, are put together.
_FEWEST = 5
#: A standard error, per standard deviation of a covariate, beyond which nothing was learned.
_WIDEST = 5.0
#: Events that a coefficient needs.
_EVENTS_PER_TERM = 5
_MONTH = DAYS_PER_UNIT["month"]
_TOLD_MONTHS = (12, 24, 36)


def cox_fit(
    entry: np.ndarray, exit_: np.ndarray, event: np.ndarray, covariates: np.ndarray, *, ties: str = "efron"
) -> object:
    """Return statsmodels' Cox regression with late entry as R counts it: at risk on (entry, exit].

    statsmodels counts a row as present at its very entry; half of the smallest step of time added to it gives the
    other reading, and the published values.

    Parameters
    ----------
    entry, exit_, event
        As for :func:`~kehu_analysis.loyalty.survival_tables.kaplan_meier`.
    covariates
        Shape (n, p).
    ties
        ``efron`` or ``breslow``.
    """
    times = np.unique(np.r_[entry, exit_])
    step = float(np.diff(times).min()) if len(times) > 1 else 1.0
    later = np.where(entry > 0, entry + step / 2, 0.0) if entry.any() else None
    return PHReg(exit_, covariates, status=event.astype(int), entry=later, ties=ties).fit(disp=False)


def leaving_hazards(lives: pd.DataFrame, covariates: Sequence[str], *, interval: float = 0.95) -> Finding:
    """Answer: which customers leave sooner, other things known of them being equal?

    Cox's proportional hazards, ties as Efron's. A class is set against its most frequent value; values of fewer than 5
    customers are put together. That two things go together does not make one the other's cause. Covariates have to be
    known when the customer comes: orders in total are not, they grow with the life that they would explain.

    Parameters
    ----------
    lives
        Of :func:`~kehu_analysis.loyalty.lives.lives_by_file` or
        :func:`~kehu_analysis.loyalty.lives.lives_by_silence`.
    covariates
        Columns: numbers, or classes; missing classes are one of their own.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``leaving_hazards``: a row a term: ``term``, ``against`` (what a class is set against; empty for numbers),
        ``n_customers`` (of the class), ``hazard_ratio`` (times as many leave at any age), ``hazard_low``,
        ``hazard_high``, ``p_value``, ``proportional_p`` (small: the ratio changes with age). Facts: ``n_customers``,
        ``n_left``, ``n_left_out``, ``n_terms``, ``log_likelihood``, ``likelihood_ratio``, ``likelihood_ratio_p``,
        ``n_clear`` (terms whose interval leaves out 1), ``n_not_proportional``.

    Raises
    ------
    ConvergenceError
        The optimiser found no maximum.
    DataError
        Columns are missing, or a number is none.
    InsufficientDataError
        Fewer than five customers left for each term, no covariate is named, or one is the same for all.
    UsageError
        ``interval`` is not between 0 and 1.

    Notes
    -----
    Cox, D. R. (1972), *JRSS B* 34, 187-220; Efron, B. (1977), *JASA* 72, 557-565; test of proportionality with ranked
    time: Grambsch, P. M. and Therneau, T. M. (1994), *Biometrika* 81, 515-526.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> small = np.arange(400) % 2 == 0
    >>> lives = pd.DataFrame({"customer_id": [f"{n:03d}" for n in range(400)], "entered_days": 0.0,
    ...     "seen_days": 1 + rng.exponential(np.where(small, 100, 200)), "has_left": True, "reason": None,
    ...     "size": np.where(small, "small", "large")})
    >>> leaving_hazards(lives, ["size"]).table[["term", "against"]].values.tolist()
    [['size: small', 'large']]
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if not covariates:
        raise InsufficientDataError("no_covariates")
    known, n_left_out = checked_lives(lives, "leaving_hazards")
    design, terms = _design(known, covariates)
    n_left = int(known["has_left"].sum())
    if n_left < _EVENTS_PER_TERM * len(terms):
        raise InsufficientDataError("few_ends", n_left=n_left, n_terms=len(terms), fewest=_EVENTS_PER_TERM * len(terms))
    entry, seen = known["entered_days"].to_numpy(), known["seen_days"].to_numpy()
    event = known["has_left"].to_numpy()
    # Centred and scaled the search is as easy for areas in square metres as for classes.
    scale = design.std(axis=0)
    fitted = _fit_or_refuse(entry, seen, event, (design - design.mean(axis=0)) / scale, terms)
    slope, error = fitted.params / scale, fitted.bse / scale  # type: ignore[attr-defined]
    z = stats.norm.ppf((1 + interval) / 2)
    table = pd.DataFrame(terms, columns=["term", "against", "n_customers"]).assign(
        hazard_ratio=np.exp(slope),
        hazard_low=np.exp(slope - z * error),
        hazard_high=np.exp(slope + z * error),
        p_value=2 * stats.norm.sf(np.abs(slope / error)),
        proportional_p=_proportional_p(fitted, seen, event),
    )
    log_likelihood = float(fitted.llf)  # type: ignore[attr-defined]
    ratio = 2 * (log_likelihood - float(fitted.model.loglike(np.zeros(len(terms)))))  # type: ignore[attr-defined]
    clear = (table["hazard_low"] > 1) | (table["hazard_high"] < 1)
    facts = {
        "n_customers": Fact(len(known), "customers"),
        "n_left": Fact(n_left, "customers"),
        "n_left_out": Fact(n_left_out, "customers"),
        "n_terms": Fact(len(terms), "count"),
        "log_likelihood": Fact(log_likelihood, "number"),
        "likelihood_ratio": Fact(ratio, "number"),
        "likelihood_ratio_p": Fact(float(stats.chi2.sf(ratio, len(terms))), "parameter"),
        "n_clear": Fact(int(clear.sum()), "count"),
        "n_not_proportional": Fact(int((table["proportional_p"] < 0.05).sum()), "count"),
        "interval": Fact(interval, "share"),
    }
    notes = ["hazards_no_cause"]
    notes += ["hazards_not_proportional"] if facts["n_not_proportional"].value else []
    notes += ["survival_age_unknown"] if n_left_out else []
    parameters = {"covariates": list(covariates), "interval": interval}
    return Finding("leaving_hazards", table, facts, parameters, tuple(notes))


def _fit_or_refuse(
    entry: np.ndarray, seen: np.ndarray, event: np.ndarray, design: np.ndarray, terms: list[tuple[str, str, int]]
) -> object:
    refusal = ConvergenceError("cox_no_maximum", terms=", ".join(term for term, *_ in terms))
    with warnings.catch_warnings():
        # Where a class has no ends its slope runs away, and statsmodels warns and returns where it stopped.
        warnings.simplefilter("error", ModelWarning)
        try:
            fitted = cox_fit(entry, seen, event, design)
            errors = fitted.bse  # type: ignore[attr-defined]
        except (ModelWarning, np.linalg.LinAlgError) as error:
            raise refusal from error
    if not np.isfinite(errors).all() or (errors > _WIDEST).any():
        raise refusal
    return fitted


def _design(known: pd.DataFrame, covariates: Sequence[str]) -> tuple[np.ndarray, list[tuple[str, str, int]]]:
    check_columns(known, tuple(covariates), analysis="leaving_hazards")
    columns: list[np.ndarray] = []
    terms: list[tuple[str, str, int]] = []
    for name in covariates:
        if known[name].nunique(dropna=False) < 2:
            raise InsufficientDataError("same_for_all", column=name)
        if pd.api.types.is_numeric_dtype(known[name]) and not pd.api.types.is_bool_dtype(known[name]):
            check_numbers(known, (name,), analysis="leaving_hazards")
            columns.append(known[name].to_numpy(dtype=float))
            terms.append((name, "", len(known)))
            continue
        classes = known[name].astype(object).where(known[name].notna(), "–").astype(str)
        counts = classes.value_counts()
        classes = classes.where(classes.map(counts) >= _FEWEST, "…")
        counts = classes.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
        for value in sorted(counts.index[1:]):
            columns.append((classes == value).to_numpy(dtype=float))
            terms.append((f"{name}: {value}", str(counts.index[0]), int(counts[value])))
    if not terms:
        raise InsufficientDataError("same_for_all", column=", ".join(covariates))
    return np.column_stack(columns), terms


def _proportional_p(fitted: object, seen: np.ndarray, event: np.ndarray) -> np.ndarray:
    residuals = np.asarray(fitted.schoenfeld_residuals)[event]  # type: ignore[attr-defined]
    ranks = stats.rankdata(seen[event])
    centred = ranks - ranks.mean()
    covariance = np.asarray(fitted.cov_params())  # type: ignore[attr-defined]
    scaled = len(ranks) * (centred @ residuals) @ covariance
    spread = len(ranks) * np.diag(covariance) * (centred**2).sum()
    return np.asarray(stats.chi2.sf(scaled**2 / np.where(spread > 0, spread, np.inf), 1))


def competing_ends(lives: pd.DataFrame, *, interval: float = 0.95) -> Finding:
    """Answer: of what do we lose customers, and how many of each by what age?

    A shop that closed down cannot go to a rival any more: the ends compete. Aalen-Johansen with late entry; the shares
    of all reasons and of those who are still there add up to one.

    Parameters
    ----------
    lives
        Of :func:`~kehu_analysis.loyalty.lives.lives_by_file`.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``competing_ends``: table with ``reason`` (by number of ends; ``other_ends`` for those of fewer than 5 customers
        together, ``reason_unknown`` where nobody wrote one), ``age_months``, ``n_left`` (by that age), ``incidence``,
        ``incidence_low``, ``incidence_high``, a row a reason and whole month. Facts: ``n_customers``, ``n_left``,
        ``n_left_out``, ``n_reasons``, ``n_without_reason``, ``first_reason`` (of those named), its ``first_share``,
        ``told_months`` (12, 24 or 36, as far as the lives go), ``first_incidence`` with ``_low`` and ``_high`` and
        ``any_incidence`` at that age.

    Raises
    ------
    DataError
        Columns are missing, a customer stands twice, or an age is none.
    InsufficientDataError
        Nobody's age is known, nobody left, or no reason is known of 5 customers.
    UsageError
        ``interval`` is not between 0 and 1.

    Examples
    --------
    >>> lives = pd.DataFrame({"customer_id": [f"{n:02d}" for n in range(40)], "entered_days": 0.0,
    ...     "seen_days": np.arange(40) * 20.0 + 5, "has_left": [True, False] * 20, "reason": ["moved", None] * 20})
    >>> competing_ends(lives).facts["first_reason"].value
    'moved'
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    known, n_left_out = checked_lives(lives, "competing_ends")
    reasons = known["reason"].where(known["has_left"])
    if not reasons.notna().any():
        raise InsufficientDataError("no_reasons", n_left=int(known["has_left"].sum()))
    named = reasons.astype(object).where(reasons.notna() | ~known["has_left"], REASON_UNKNOWN)
    rare = named.map(named.value_counts()) < _FEWEST
    named = named.where(~rare.fillna(False).astype(bool) | (named == REASON_UNKNOWN), OTHER_ENDS)
    counts = named.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    kinds = [reason for reason in counts.index if reason not in (OTHER_ENDS, REASON_UNKNOWN)]
    if not kinds:
        raise InsufficientDataError("rare_reasons", n_left=int(counts.sum()), fewest=_FEWEST)
    code = named.map({reason: number for number, reason in enumerate(counts.index, start=1)}).fillna(0)
    curves = aalen_johansen(known["entered_days"], known["seen_days"], code.astype(int), interval=interval)
    months = np.arange(int(known["seen_days"].max() // _MONTH) + 1)
    parts = []
    for number, reason in enumerate(counts.index, start=1):
        curve = curves[number]
        passed = np.searchsorted(curve.times, months * _MONTH, side="right")
        columns = {
            "n_left": np.r_[0.0, np.cumsum(curve.n_events)][passed].astype("int64"),
            "incidence": np.r_[0.0, curve.incidence][passed],
            "incidence_low": np.r_[np.nan, curve.low][passed],
            "incidence_high": np.r_[np.nan, curve.high][passed],
        }
        parts.append(pd.DataFrame({"reason": reason, "age_months": months, **columns}))
    table = pd.concat(parts, ignore_index=True)
    told = max((month for month in _TOLD_MONTHS if month <= months[-1]), default=int(months[-1]))
    then = table[table["age_months"] == told]
    first = then[then["reason"] == kinds[0]].iloc[0]
    facts = {
        "n_customers": Fact(len(known), "customers"),
        "n_left": Fact(int(known["has_left"].sum()), "customers"),
        "n_left_out": Fact(n_left_out, "customers"),
        "n_reasons": Fact(len(kinds), "count"),
        "n_without_reason": Fact(int(counts.get(REASON_UNKNOWN, 0)), "customers"),
        "first_reason": Fact(str(kinds[0]), "text"),
        "first_share": Fact(float(counts[kinds[0]] / counts.sum()), "share"),
        "told_months": Fact(told, "months"),
        "first_incidence": Fact(first["incidence"], "share"),
        "first_incidence_low": Fact(first["incidence_low"], "share"),
        "first_incidence_high": Fact(first["incidence_high"], "share"),
        "any_incidence": Fact(float(then["incidence"].sum()), "share"),
        "interval": Fact(interval, "share"),
    }
    notes = ["ends_compete"] + (["survival_age_unknown"] if n_left_out else [])
    return Finding("competing_ends", table, facts, {"interval": interval}, tuple(notes))
