"""Complaints: how many, about what, how soon they are over, and whether orders come again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns
from kehu_analysis.satisfaction.intervals import Interval, wilson_interval

__all__ = ["complaints"]

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

_COMPLAINT = "complaint"
#: A reason with fewer complaints stands with the others.
_SMALLEST_REASON = 5
_MOST_REASONS = 8
_OTHER, _UNKNOWN = "other_reasons", "reason_unknown"
_FEWEST = 5


def complaints(
    contacts: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    as_of: date,
    days_in_time: int = 7,
    days_to_order: int = 28,
    interval: float = 0.90,
) -> Finding:
    """Answer: how often do customers complain, about what, how soon is it over, and do they order again?

    - Complaints per 1,000 orders: complaints over purchase days, with the variance of a ratio over customers, since a
      few complain again and again; its limits on the log scale, those of Poisson for fewer than 20.
    - Days to resolve: median of Kaplan and Meier, the unresolved censored at ``as_of``. In time are those resolved
      within ``days_in_time``, of all that are old enough to have been.
    - The next order: share that came within ``days_to_order`` of a complaint, of complaints that are old enough.
      Beside it what the rhythm of the same customers leads us to expect of any day: ``1 - Σ(g - d)⁺ / Σ g`` over
      their intervals ``g``. Those who left after a complaint are in the first and have no interval for it in the
      second.

    Parameters
    ----------
    contacts
        ``customer_id``, ``date``, ``kind`` (complaints are read, other kinds counted out), perhaps ``reason`` and
        ``resolved_on``.
    orders
        ``customer_id`` and ``date`` of purchase days.
    as_of
        Last day of the observation.
    days_in_time, days_to_order
        Days.
    interval
        Level of the limits.

    Returns
    -------
    Finding
        ``complaints``: one row a reason, the most frequent first: ``complaint_reason``, ``n_complaints``, ``share``
        with ``low``, ``high``, ``median_days``, ``share_in_time``. Facts: ``n_complaints``, ``n_orders``,
        ``n_customers``, ``n_customers_complaining``, ``per_1000`` with ``_low``, ``_high``; ``median_days``,
        ``share_in_time`` with ``_low``, ``_high``, ``n_unresolved``; ``share_ordering`` with ``_low``, ``_high``,
        ``share_expected``, ``median_days_to_order``. Those of resolving are missing where nothing says when a
        complaint was over.

    Raises
    ------
    DataError
        Columns are missing.
    InsufficientDataError
        Fewer than 5 complaints of customers with orders.
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=20, freq="7D")
    >>> orders = pd.DataFrame({"customer_id": np.repeat(["a", "b"], 20), "date": [*days, *days]})
    >>> contacts = pd.DataFrame({"customer_id": "a", "kind": "complaint", "date": days[:8], "reason": "late"})
    >>> finding = complaints(contacts, orders, as_of=date(2026, 6, 30))
    >>> finding.facts["per_1000"].value, finding.facts["share_ordering"].value
    (200.0, 1.0)
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if days_in_time < 1 or days_to_order < 1:
        raise UsageError("complaint_days", days_in_time=days_in_time, days_to_order=days_to_order)
    check_columns(contacts, ("customer_id", "date", "kind"), analysis="complaints")
    check_columns(orders, ("customer_id", "date"), analysis="complaints")
    end = int(_days(pd.Series([as_of]))[0])
    told = contacts[(contacts["kind"] == _COMPLAINT) & contacts["customer_id"].isin(orders["customer_id"])]
    if len(told) < _FEWEST:
        raise InsufficientDataError("few_complaints", n_complaints=len(told), fewest=_FEWEST)
    told = told.sort_values(["customer_id", "date"]).reset_index(drop=True)
    day = _days(told["date"])
    knows_end = "resolved_on" in told and told["resolved_on"].notna().any()
    waits, is_over = _resolving(told, day, end) if knows_end else (None, None)
    table = _reasons(told, waits, is_over, day, end, days_in_time, interval)
    facts = _rate(told, orders, interval)
    facts |= _of_resolving(waits, is_over, day, end, days_in_time, interval)
    facts |= _of_ordering(told["customer_id"], day, orders, end, days_to_order, interval)
    facts |= {
        "days_in_time": Fact(days_in_time, "days"),
        "days_to_order": Fact(days_to_order, "days"),
        "interval": Fact(interval, "share"),
        "top_reason": Fact(_top(table), "text"),
        "top_reason_share": Fact(_top_share(table), "share"),
    }
    notes = ["complaints_told", "complaints_next_order"]
    if not knows_end:
        notes.append("complaints_end_unknown")
    if "reason" not in told or told["reason"].isna().all():
        notes.append("complaints_reason_unknown")
    parameters = {"days_in_time": days_in_time, "days_to_order": days_to_order, "interval": interval}
    return Finding("complaints", table, facts, parameters, tuple(notes))


def _days(dates: pd.Series) -> Days:
    return pd.to_datetime(dates).to_numpy().astype("datetime64[D]").astype(np.int64)


def _resolving(told: pd.DataFrame, day: Days, end: int) -> tuple[Days, npt.NDArray[np.bool_]]:
    """Return the days until a complaint was over, or until now, and whether it is over."""
    resolved = pd.to_datetime(told["resolved_on"])
    known = (resolved.notna() & (resolved <= pd.Timestamp(end, unit="D"))).to_numpy()
    over = np.where(known, resolved.to_numpy().astype("datetime64[D]").astype(np.int64), end)
    return np.maximum(over - day, 0), known


def _in_time(waits: Days, is_over: npt.NDArray[np.bool_], day: Days, end: int, days: int) -> tuple[int, int]:
    """Return how many were over in time, of how many that are old enough to tell."""
    old = day <= end - days
    return int((old & is_over & (waits <= days)).sum()), int(old.sum())


def _median(waits: Days, is_over: npt.NDArray[np.bool_]) -> float | None:
    if not is_over.any():
        return None
    # A complaint resolved on its day took no time; the estimator asks for times above 0.
    found = SurvfuncRight(waits + 0.5, is_over.astype(int)).quantile(0.5)
    return float(found) - 0.5 if np.isfinite(found) else None


def _reasons(
    told: pd.DataFrame,
    waits: Days | None,
    is_over: npt.NDArray[np.bool_] | None,
    day: Days,
    end: int,
    days_in_time: int,
    level: float,
) -> pd.DataFrame:
    given = told["reason"] if "reason" in told else pd.Series(None, index=told.index, dtype=object)
    reason = given.astype("object").where(given.notna(), _UNKNOWN)
    sizes = reason.value_counts()
    order = sorted(sizes.index, key=lambda name: (-sizes[name], str(name)))
    large = [name for name in order if sizes[name] >= _SMALLEST_REASON and name != _UNKNOWN][:_MOST_REASONS]
    grouped = reason.where(reason.isin([*large, _UNKNOWN]), _OTHER)
    rows = []
    for name in [*large, *(last for last in (_OTHER, _UNKNOWN) if (grouped == last).any())]:
        rows_of = (grouped == name).to_numpy()
        n = int(rows_of.sum())
        limits = wilson_interval(n / len(told), len(told), level=level)
        row = {
            "complaint_reason": str(name),
            "n_complaints": n,
            "share": limits.value,
            "low": limits.low,
            "high": limits.high,
        }
        if waits is not None and is_over is not None:
            in_time, old = _in_time(waits[rows_of], is_over[rows_of], day[rows_of], end, days_in_time)
            row |= {"median_days": _median(waits[rows_of], is_over[rows_of])}
            row |= {"share_in_time": in_time / old if old >= _SMALLEST_REASON else None}
        else:
            row |= {"median_days": None, "share_in_time": None}
        rows.append(row)
    return pd.DataFrame(rows)


def _top(table: pd.DataFrame) -> str | None:
    named = table[~table["complaint_reason"].isin([_OTHER, _UNKNOWN])]
    return str(named["complaint_reason"].iloc[0]) if len(named) else None


def _top_share(table: pd.DataFrame) -> float | None:
    named = table[~table["complaint_reason"].isin([_OTHER, _UNKNOWN])]
    return float(named["share"].iloc[0]) if len(named) else None


def _rate(told: pd.DataFrame, orders: pd.DataFrame, level: float) -> dict[str, Fact]:
    n_orders = orders.groupby("customer_id").size()
    n_told = told.groupby("customer_id").size().reindex(n_orders.index, fill_value=0)
    total, of = int(n_told.sum()), int(n_orders.sum())
    rate = total / of
    few = 20
    if total < few:
        tail = (1 - level) / 2
        low = float(stats.chi2.ppf(tail, 2 * total)) / 2 / of
        high = float(stats.chi2.ppf(1 - tail, 2 * total + 2)) / 2 / of
    else:
        n = len(n_orders)
        left = (n_told - rate * n_orders).to_numpy(dtype=np.float64)
        error = float(np.sqrt((left**2).sum() * n / max(n - 1, 1))) / total
        times = np.exp(float(stats.norm.ppf(0.5 + level / 2)) * error)
        low, high = rate / times, rate * times
    return {
        "n_complaints": Fact(total, "count"),
        "n_orders": Fact(of, "purchases"),
        "n_customers": Fact(len(n_orders), "customers"),
        "n_customers_complaining": Fact(int((n_told > 0).sum()), "customers"),
        "per_1000": Fact(1000 * rate, "number"),
        "per_1000_low": Fact(1000 * float(low), "number"),
        "per_1000_high": Fact(1000 * float(high), "number"),
    }


def _of_resolving(
    waits: Days | None, is_over: npt.NDArray[np.bool_] | None, day: Days, end: int, days: int, level: float
) -> dict[str, Fact]:
    names = ("share_in_time", "share_in_time_low", "share_in_time_high")
    if waits is None or is_over is None:
        nothing = {name: Fact(None, "share") for name in names}
        return nothing | {"median_days": Fact(None, "days"), "n_unresolved": Fact(None, "count")}
    in_time, old = _in_time(waits, is_over, day, end, days)
    limits = wilson_interval(in_time / old, old, level=level) if old else (None, None, None)
    facts = {name: Fact(value, "share") for name, value in zip(names, limits, strict=True)}
    return facts | {
        "median_days": Fact(_median(waits, is_over), "days"),
        "n_unresolved": Fact(int((~is_over).sum()), "count"),
    }


def _of_ordering(
    customer: pd.Series, day: Days, orders: pd.DataFrame, end: int, days: int, level: float
) -> dict[str, Fact]:
    """Return how soon the next order came, and what the customers' own rhythm leads us to expect."""
    bought = {name: np.unique(_days(rows)) for name, rows in _of_complaining(customer, orders)}
    wait, came, expected = np.empty(len(day)), np.empty(len(day), dtype=bool), np.empty(len(day))
    for place, (name, when) in enumerate(zip(customer, day, strict=True)):
        history = bought[name]
        following = history[np.searchsorted(history, when, side="right") :]
        came[place] = len(following) > 0
        wait[place] = (following[0] if len(following) else end) - when
        gaps = np.diff(history).astype(np.float64)
        expected[place] = 1 - np.clip(gaps - days, 0, None).sum() / gaps.sum() if len(gaps) else np.nan
    old = day <= end - days
    ordered = int((old & came & (wait <= days)).sum())
    share = ordered / old.sum() if old.any() else None
    # Complaints of one customer go along: their effective number is that of clusters.
    limits: Interval | None
    if share is not None and 0 < share < 1:
        left = ((came & (wait <= days)) - share)[old]
        owner = pd.factorize(customer[old])[0]
        size = min(share * (1 - share) * old.sum() ** 2 / float((np.bincount(owner, left) ** 2).sum()), old.sum())
        limits = wilson_interval(float(share), float(size), level=level)
    else:
        limits = None if share is None else wilson_interval(float(share), float(old.sum()), level=level)
    positive = wait > 0
    median = (
        float(SurvfuncRight(wait[positive], came[positive].astype(int)).quantile(0.5)) if positive.any() else np.nan
    )
    known = np.isfinite(expected)
    return {
        "share_ordering": Fact(None if limits is None else limits.value, "share"),
        "share_ordering_low": Fact(None if limits is None else limits.low, "share"),
        "share_ordering_high": Fact(None if limits is None else limits.high, "share"),
        "share_expected": Fact(float(expected[known].mean()) if known.any() else None, "share"),
        "median_days_to_order": Fact(median if np.isfinite(median) else None, "days"),
    }


def _of_complaining(customer: pd.Series, orders: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    ours = orders[orders["customer_id"].isin(customer.unique())]
    for name, rows in ours.groupby("customer_id")["date"]:
        yield str(name), rows
