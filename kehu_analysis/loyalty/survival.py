"""How long customers stay: the survival curve, of all and by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.survfunc import survdiff

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.loyalty.lives import checked_lives
from kehu_analysis.loyalty.survival_tables import Survival, kaplan_meier, restricted_mean, survival_quantile
from kehu_analysis.periods import DAYS_PER_UNIT

__all__ = ["ALL_CUSTOMERS", "SMALLEST_GROUP", "survival_curve"]

#: Fewer customers show no curve of their own, and a curve is not followed where fewer are left.
SMALLEST_GROUP = 10
#: Stands for all customers in the column ``group``.
ALL_CUSTOMERS = "all_customers"
_MONTH = DAYS_PER_UNIT["month"]
_TOLD_MONTHS = (12, 24, 36)


def survival_curve(lives: pd.DataFrame, *, by: str | None = None, interval: float = 0.95) -> Finding:
    """Answer: of the customers who come, how many are still there after so many months?

    Kaplan-Meier with late entry: customers of before the log count from the age they had when the log began, as those
    who had left by then are unknown. Where few such customers are of a low age, the curve is that of customers who
    reached the first age at which ten are present, and says so.

    Parameters
    ----------
    lives
        Of :func:`~kehu_analysis.loyalty.lives.lives_of`.
    by
        A column to group by; groups of fewer than 10 customers show no curve and are counted.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``survival_curve``: table with ``group`` (``all_customers`` first), ``age_months``, ``at_risk`` (present at
        that age), ``n_left`` (since the age before), ``survival``, ``survival_low``, ``survival_high``, a row a whole
        month while ten are present. Facts: ``n_customers``, ``n_left``, ``n_late_entry`` (customers of before the
        log), ``n_left_out`` (of unknown age), ``start_months`` (age from which the curve counts), ``last_months``,
        ``survival_12``, ``survival_24``, ``survival_36`` with ``_low`` and ``_high`` (missing beyond the curve),
        ``median_months`` with ``_low`` and ``_high`` (missing where not reached), ``mean_months`` (months present, up
        to ``mean_until_months``) with ``_low`` and ``_high``, and with ``by`` ``n_groups``, ``n_small_groups``,
        ``longest_group``, ``shortest_group`` (by the mean), ``difference_months`` of the two with ``_low`` and
        ``_high``, ``log_rank``, ``log_rank_p``.

    Raises
    ------
    DataError
        Columns are missing, a customer stands twice, or an age is none.
    InsufficientDataError
        Nobody's age is known, nobody left, there are fewer than 10 customers, or no two groups of 10.
    UsageError
        ``interval`` is not between 0 and 1.

    Notes
    -----
    Limits are log-log (Kalbfleisch and Prentice), the median's those of the limits' curves (Brookmeyer, R. and Crowley,
    J. 1982, *Biometrics* 38, 29-41). The log-rank test is stratified by nothing and takes late entry into account.

    Examples
    --------
    >>> lives = pd.DataFrame({"customer_id": [f"{n:02d}" for n in range(40)], "entered_days": 0.0,
    ...     "seen_days": np.arange(40) * 20.0 + 5, "has_left": [True, False] * 20, "reason": None})
    >>> round(survival_curve(lives).facts["survival_12"].value, 3)
    0.712
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    known, n_left_out = checked_lives(lives, "survival_curve")
    if len(known) < SMALLEST_GROUP:
        raise InsufficientDataError("few_lives", n_customers=len(known), smallest=SMALLEST_GROUP)
    groups, n_small = _groups(known, by)
    start = max(_first_age(part) for part in groups.values())
    curves = {name: _conditional(part, start, interval) for name, part in groups.items()}
    table = pd.concat([_monthly(name, curves[name], groups[name], start) for name in groups], ignore_index=True)
    facts = {
        "n_customers": Fact(len(known), "customers"),
        "n_left": Fact(int(known["has_left"].sum()), "customers"),
        "n_late_entry": Fact(int((known["entered_days"] > 0).sum()), "customers"),
        "n_left_out": Fact(n_left_out, "customers"),
        "start_months": Fact(start / _MONTH, "number"),
        "smallest_group": Fact(SMALLEST_GROUP, "customers"),
        "interval": Fact(interval, "share"),
    }
    own = table[table["group"] == ALL_CUSTOMERS].set_index("age_months")
    facts["last_months"] = Fact(int(own.index.max()), "months")
    for month in _TOLD_MONTHS:
        for end in ("", "_low", "_high"):
            facts[f"survival_{month}{end}"] = Fact(own[f"survival{end}"].get(month), "share")
    facts |= _durations(curves, table, interval)
    facts |= _between_groups(groups, curves, facts, start, interval, by is not None, n_small)
    kinds = set(known["ends"]) if "ends" in known else set()
    if "limit_days" in known:
        facts["limit_days"] = Fact(known["limit_days"].median(), "days")
    notes = [kind for kind in ("ends_by_file", "ends_by_silence") if kind in kinds] + ["survival_ends"]
    notes += ["survival_late_entry"] if facts["n_late_entry"].value else []
    notes += ["survival_conditional"] if start > 0 else []
    notes += ["survival_age_unknown"] if n_left_out else []
    notes += ["survival_small_groups"] if n_small else []
    notes += ["survival_groups_differ"] if by is not None else []
    return Finding("survival_curve", table, facts, {"by": by, "interval": interval}, tuple(notes))


def _groups(known: pd.DataFrame, by: str | None) -> tuple[dict[str, pd.DataFrame], int]:
    groups = {ALL_CUSTOMERS: known}
    if by is None:
        return groups, 0
    parts = {str(name): part for name, part in known.groupby(by, sort=True)}
    large = {name: part for name, part in parts.items() if len(part) >= SMALLEST_GROUP}
    if len(large) < 2:
        raise InsufficientDataError("few_groups", by=by, smallest=SMALLEST_GROUP)
    return groups | large, len(parts) - len(large)


def _first_age(part: pd.DataFrame) -> float:
    """Return the age from which ten are present until most have gone; 0 where ten were watched from the beginning."""
    entered, seen = np.sort(part["entered_days"].to_numpy()), np.sort(part["seen_days"].to_numpy())
    if len(entered) < SMALLEST_GROUP or entered[SMALLEST_GROUP - 1] == 0:
        return 0.0
    ages = np.unique(np.r_[entered, seen])
    present = np.searchsorted(entered, ages, side="right") - np.searchsorted(seen, ages, side="right")
    peak = int(present.argmax())
    few = np.flatnonzero(present[:peak] < SMALLEST_GROUP)
    return float(ages[few[-1] + 1]) if len(few) else float(ages[0])


def _conditional(part: pd.DataFrame, start: float, interval: float) -> Survival:
    later = part[part["seen_days"] > start]
    entered = np.maximum(later["entered_days"], start) - start
    return kaplan_meier(entered, later["seen_days"] - start, later["has_left"], interval=interval)


def _monthly(name: str, curve: Survival, part: pd.DataFrame, start: float) -> pd.DataFrame:
    first = int(np.ceil(start / _MONTH))
    months = np.arange(first, int(part["seen_days"].max() // _MONTH) + 1)
    ages = months * _MONTH
    present = ((part["entered_days"].to_numpy() <= ages[:, None]) & (part["seen_days"].to_numpy() > ages[:, None])).sum(
        axis=1
    )
    passed = np.searchsorted(curve.times + start, ages, side="right")
    so_far = np.r_[0.0, np.cumsum(curve.n_events)][passed]
    table = pd.DataFrame(
        {
            "group": name,
            "age_months": months,
            "at_risk": present,
            "n_left": np.diff(so_far, prepend=0.0).astype("int64"),
            "survival": np.r_[1.0, curve.survival][passed],
            "survival_low": np.r_[np.nan, curve.low][passed],
            "survival_high": np.r_[np.nan, curve.high][passed],
        }
    )
    followed = present >= SMALLEST_GROUP
    # One row at least: a group may be gone before the first month is over.
    return table[: max(1, int(followed.argmin()) if not followed.all() else len(table))]


def _durations(curves: dict[str, Survival], table: pd.DataFrame, interval: float) -> dict[str, Fact]:
    own = curves[ALL_CUSTOMERS]
    last = table[table["group"] == ALL_CUSTOMERS]["age_months"].max() * _MONTH
    facts = {}
    for end, values in (("", own.survival), ("_low", own.low), ("_high", own.high)):
        known = np.isfinite(values)
        median = survival_quantile(own.times[known], values[known])
        facts[f"median_months{end}"] = Fact(median / _MONTH if median <= last else None, "number")
    until = table.groupby("group")["age_months"].max().min()
    start = table["age_months"].min()
    mean, error = restricted_mean(own, max(until - start, 1) * _MONTH)
    z = stats.norm.ppf((1 + interval) / 2)
    facts["mean_until_months"] = Fact(int(until), "months")
    for end, sign in (("", 0), ("_low", -1), ("_high", 1)):
        facts[f"mean_months{end}"] = Fact((mean + sign * z * error) / _MONTH, "number")
    return facts


def _between_groups(
    groups: dict[str, pd.DataFrame],
    curves: dict[str, Survival],
    facts: dict[str, Fact],
    start: float,
    interval: float,
    grouped: bool,
    n_small: int,
) -> dict[str, Fact]:
    if not grouped:
        return {}
    until = float(facts["mean_until_months"].value or 0) * _MONTH - start  # type: ignore[arg-type]
    means = {name: restricted_mean(curves[name], max(until, _MONTH)) for name in groups if name != ALL_CUSTOMERS}
    ranked = sorted(means, key=lambda name: (means[name][0], name))
    shortest, longest = ranked[0], ranked[-1]
    gap = means[longest][0] - means[shortest][0]
    width = stats.norm.ppf((1 + interval) / 2) * np.hypot(means[longest][1], means[shortest][1])
    parts = pd.concat([groups[name].assign(group=name) for name in means])
    later = parts[parts["seen_days"] > start]
    entered = np.maximum(later["entered_days"].to_numpy(), start)
    found = {
        "n_groups": Fact(len(means), "count"),
        "n_small_groups": Fact(n_small, "count"),
        "longest_group": Fact(longest, "text"),
        "shortest_group": Fact(shortest, "text"),
        "difference_months": Fact(gap / _MONTH, "number"),
        "difference_months_low": Fact((gap - width) / _MONTH, "number"),
        "difference_months_high": Fact((gap + width) / _MONTH, "number"),
    }
    statistic, p = survdiff(
        later["seen_days"].to_numpy(),
        later["has_left"].to_numpy().astype(int),
        later["group"].to_numpy(),
        entry=entered if entered.any() else None,
    )
    return found | {"log_rank": Fact(float(statistic), "number"), "log_rank_p": Fact(float(p), "parameter")}
