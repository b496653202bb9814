"""Who is overdue: the next expected order against the customer's own rhythm."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers, check_unique
from kehu_analysis.loyalty.rhythm import Rhythms, fit_rhythms

__all__ = ["STATUSES", "overdue_customers"]

#: In the order of the list.
STATUSES = ("newly_overdue", "long_overdue", "due", "on_time")
#: Whoever passed the limit within a quarter is news; the others were on the list before, or should have been.
RECENT_DAYS = 91
#: No limit is told beyond a century; it also keeps the exponential of a wild limit finite.
_LONGEST_LIMIT_DAYS = 36525.0


def overdue_customers(
    rhythm: pd.DataFrame, *, as_of: date, interval: float = 0.95, minimum_intervals: int = 3
) -> Finding:
    """Answer: who has been silent for longer than its own rhythm leads us to expect, and is worth a call?

    Waits between purchase days are taken as log-normal for each customer, the spread moderated by that of all
    customers (:func:`~kehu_analysis.loyalty.rhythm.fit_rhythms`). With mean log interval ``m`` of ``n``
    intervals, moderated deviation ``s`` and ``d`` degrees of freedom:

    - usual interval ``exp(m)``, the median wait; the next order is *due* on last purchase + usual interval;
    - limit ``exp(m + t(interval, d) · s · √(1 + 1/n))``, the upper prediction limit of the next wait; silence
      beyond it is *overdue*: longer than ``interval`` of the waits that its own rhythm leads us to expect.

    Whoever passed the limit in the last 91 days is *newly* overdue and heads the list. The others are *long*
    overdue: their orders may be large, but most of those who have been silent for many times their usual
    interval are gone, and a list by amount alone would begin with them.

    Some customers who keep their rhythm are beyond the limit on any day. Of waits, 1 - ``interval`` pass it,
    but long waits are met more often on a given day than short ones: the share of time spent beyond the limit
    ``L`` is ``E[(W - L)⁺] / E[W]``. Its sum over the customers is told as ``expected_false_alarms``. It is a
    lower bound where the log is not many times longer than the waits: it takes each rhythm as known, and a
    rhythm is known from finished waits only, among which the long ones are missing.

    Parameters
    ----------
    rhythm
        ``customer_id``, ``last_purchase`` (date), ``n_intervals``, ``sum_log_interval_days`` and
        ``sum_squared_log_interval_days`` (sums over the intervals between purchase days, of the logs of days
        and of their squares), ``mean_amount`` (currency per purchase day).
    as_of
        Last day of the observation.
    interval
        Level of the one-sided limit.
    minimum_intervals
        Customers with fewer have no rhythm to judge by; at least 2.

    Returns
    -------
    Finding
        ``overdue_customers``: one row per customer judged: ``customer_id``, ``status`` (one of
        :data:`STATUSES`), ``last_purchase``, ``silence_days``, ``usual_interval_days``, ``limit_days``,
        ``due_on``, ``days_overdue`` (beyond the limit), ``silence_ratio`` (silence over usual interval),
        ``n_intervals``, ``amount_at_stake`` (currency: the one order waited for, at its mean size; 0 when on
        time). By status, then amount at stake, then customer. Facts: ``n_customers``, ``n_judged``,
        ``n_overdue`` (newly and long), ``n_newly_overdue``, ``n_long_overdue``, ``n_due``, ``n_on_time``,
        ``n_too_few``, ``share_overdue`` (of those judged), ``expected_false_alarms``, ``amount_overdue``,
        ``amount_newly_overdue``, ``median_usual_interval_days``, ``interval``,
        ``minimum_intervals``, ``prior_deviation`` and ``prior_degrees_of_freedom`` of the log intervals.

    Raises
    ------
    DataError
        Columns are missing, hold no sound numbers, a customer stands twice or bought after ``as_of``.
    InsufficientDataError
        Nobody has enough intervals.
    UsageError
        ``interval`` or ``minimum_intervals`` is out of range.

    Examples
    --------
    >>> logs = np.log([[6, 7, 8], [6, 7, 8]])
    >>> rhythm = pd.DataFrame({"customer_id": ["a", "b"], "n_intervals": 3, "mean_amount": 50.0,
    ...     "last_purchase": [date(2026, 6, 28), date(2026, 3, 1)],
    ...     "sum_log_interval_days": logs.sum(axis=1),
    ...     "sum_squared_log_interval_days": (logs**2).sum(axis=1)})
    >>> finding = overdue_customers(rhythm, as_of=date(2026, 6, 30))
    >>> finding.table.set_index("customer_id")["status"].to_dict()
    {'b': 'long_overdue', 'a': 'on_time'}
    """
    if not 0.5 < interval < 1 or minimum_intervals < 2:
        raise UsageError("overdue_parameters", interval=interval, minimum_intervals=minimum_intervals)
    silence_days = _check(rhythm, as_of)
    judged = (rhythm["n_intervals"] >= minimum_intervals).to_numpy()
    if not judged.any():
        raise InsufficientDataError("no_rhythm", n_customers=len(rhythm), minimum_intervals=minimum_intervals)
    customers, silence = rhythm[judged], silence_days[judged]
    n = customers["n_intervals"].to_numpy(dtype=float)
    fit = fit_rhythms(
        n,
        customers["sum_log_interval_days"].to_numpy(dtype=float),
        customers["sum_squared_log_interval_days"].to_numpy(dtype=float),
    )
    width = stats.t.ppf(interval, fit.degrees_of_freedom) * fit.deviation * np.sqrt(1 + 1 / n)
    limit = np.exp(np.minimum(fit.mean_log + width, np.log(_LONGEST_LIMIT_DAYS)))
    # Rounded, so that whoever came every 7 days is due on the 7th whatever the last bit of a logarithm.
    usual = np.exp(fit.mean_log).round(6)
    days_overdue = np.where(silence > limit, np.ceil(silence - limit), 0).astype("int64")
    status = np.select([days_overdue > RECENT_DAYS, days_overdue > 0, silence >= usual], [1, 0, 2], default=3)
    # Whose returns outweigh its purchases has no order of a size to wait for.
    mean_amount = np.maximum(customers["mean_amount"].to_numpy(dtype=float), 0.0)
    last = pd.to_datetime(customers["last_purchase"])
    table = pd.DataFrame(
        {
            "customer_id": customers["customer_id"].to_numpy(),
            "status": np.array(STATUSES, dtype=object)[status],
            "last_purchase": last.dt.date.to_numpy(),
            "silence_days": silence,
            "usual_interval_days": usual,
            "limit_days": limit,
            "due_on": (last + pd.to_timedelta(np.rint(usual), unit="D")).dt.date.to_numpy(),
            "days_overdue": days_overdue,
            "silence_ratio": silence / usual,
            "n_intervals": n.astype("int64"),
            "amount_at_stake": np.where(status < 3, mean_amount, 0.0),
        }
    )
    order = pd.DataFrame({"status": status, "amount": -table["amount_at_stake"], "id": table["customer_id"]})
    table = table.loc[order.sort_values(["status", "amount", "id"]).index].reset_index(drop=True)
    facts = _facts(table, fit, _share_of_time_beyond(limit, fit), len(rhythm))
    facts |= {"interval": Fact(interval, "share"), "minimum_intervals": Fact(minimum_intervals, "count")}
    parameters = {"as_of": str(as_of), "interval": interval, "minimum_intervals": minimum_intervals}
    notes = ("overdue_many_tests", "overdue_stake", "rhythm_steady", "sales_not_margin")
    return Finding("overdue_customers", table, facts, parameters, notes)


def _check(rhythm: pd.DataFrame, as_of: date) -> np.ndarray:
    sums = ("sum_log_interval_days", "sum_squared_log_interval_days")
    columns = ("customer_id", "last_purchase", "n_intervals", *sums, "mean_amount")
    check_columns(rhythm, columns, analysis="overdue_customers")
    check_unique(rhythm, "customer_id", analysis="overdue_customers")
    check_numbers(rhythm, ("n_intervals", *sums), analysis="overdue_customers", at_least=0)
    check_numbers(rhythm, ("mean_amount",), analysis="overdue_customers")
    silence = (pd.Timestamp(as_of) - pd.to_datetime(rhythm["last_purchase"])).dt.days
    check_numbers(rhythm.assign(silence_days=silence), ("silence_days",), analysis="overdue_customers", at_least=0)
    return silence.to_numpy(dtype="int64")


def _share_of_time_beyond(limit: np.ndarray, fit: Rhythms) -> np.ndarray:
    """Return E[(W - L)+] / E[W] of log-normal waits W with the fitted mean and spread."""
    sigma = fit.deviation
    distance = (np.log(limit) - fit.mean_log) / sigma
    beyond = stats.norm.sf(distance - sigma)
    # The second term in logs: the growing exponential and the vanishing tail go together.
    cut = np.exp(distance * sigma - sigma**2 / 2 + stats.norm.logsf(distance))
    return np.asarray(np.clip(beyond - cut, 0.0, 1.0))


def _facts(table: pd.DataFrame, fit: Rhythms, share_beyond: np.ndarray, n_customers: int) -> dict[str, Fact]:
    counts = table["status"].value_counts()
    n_judged = len(table)
    amount = table.groupby("status")["amount_at_stake"].sum().reindex(STATUSES, fill_value=0.0)
    n_overdue = int((table["days_overdue"] > 0).sum())
    facts = {
        "n_customers": Fact(n_customers, "customers"),
        "n_judged": Fact(n_judged, "customers"),
        "n_too_few": Fact(n_customers - n_judged, "customers"),
        "n_overdue": Fact(n_overdue, "customers"),
        "share_overdue": Fact(n_overdue / n_judged, "share"),
        "expected_false_alarms": Fact(float(share_beyond.sum()), "customers"),
        "amount_overdue": Fact(float(amount["newly_overdue"] + amount["long_overdue"]), "currency"),
        "amount_newly_overdue": Fact(float(amount["newly_overdue"]), "currency"),
        "recent_days": Fact(RECENT_DAYS, "days"),
        "median_usual_interval_days": Fact(float(table["usual_interval_days"].median()), "days"),
        "prior_deviation": Fact(fit.prior_deviation, "parameter"),
    }
    finite = np.isfinite(fit.prior_degrees_of_freedom)
    prior = float(fit.prior_degrees_of_freedom) if finite else None
    facts["prior_degrees_of_freedom"] = Fact(prior, "parameter")
    return facts | {f"n_{status}": Fact(int(counts.get(status, 0)), "customers") for status in STATUSES}
