"""Lives of customers: from which age each was watched, until when, and whether and why it left.

What makes an end is said by whoever asks: a day in the customers' file, or a silence of so many days.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.frames import check_columns, check_numbers, check_unique

__all__ = ["LIFE_COLUMNS", "lives_by_file", "lives_by_silence"]

#: Of every table of lives, besides columns to group by.
LIFE_COLUMNS = ("customer_id", "entered_days", "seen_days", "has_left", "reason")


def lives_by_file(customers: pd.DataFrame, *, log_start: date, as_of: date) -> pd.DataFrame:
    """Return the lives of customers whose ends the file knows: contracts, accounts and shops that were closed.

    A customer of before the log enters at the age it had on the log's first day: had it left before nobody would know
    of it (left truncation). Who left before that day, or came after ``as_of``, is in nobody's count.

    Parameters
    ----------
    customers
        ``customer_id``, ``opened_on``, ``closed_on`` (dates; missing: still there) and, where known,
        ``closed_reason``. Other columns are kept, to group by.
    log_start, as_of
        First and last day watched.

    Returns
    -------
    DataFrame
        A row a customer, in order of customer_id: ``entered_days`` and ``seen_days`` (ages between which it was
        watched, in days; missing where ``opened_on`` is, as its age is then unknown and not 0), ``has_left``,
        ``reason`` (missing where it has not left, or nobody wrote why).

    Raises
    ------
    DataError
        Columns are missing, or a customer stands twice.
    InsufficientDataError
        Nobody has a day of closing.

    Examples
    --------
    >>> file = pd.DataFrame({"customer_id": ["old", "new"], "opened_on": [date(2024, 1, 1), date(2026, 1, 11)],
    ...                      "closed_on": [date(2026, 3, 2), None]})
    >>> lives_by_file(file, log_start=date(2026, 1, 1), as_of=date(2026, 3, 31))[["entered_days", "seen_days"]]
       entered_days  seen_days
    0           0.0       80.0
    1         731.0      791.0
    """
    check_columns(customers, ("customer_id", "opened_on", "closed_on"), analysis="survival_curve")
    check_unique(customers, "customer_id", analysis="survival_curve")
    rows = customers.sort_values("customer_id").reset_index(drop=True)
    opened, closed = (pd.to_datetime(rows[name]) for name in ("opened_on", "closed_on"))
    first, last = pd.Timestamp(log_start), pd.Timestamp(as_of)
    if not (closed <= last).any():
        raise InsufficientDataError("no_ends", as_of=str(as_of))
    has_left = (closed <= last).to_numpy()
    reasons = rows["closed_reason"] if "closed_reason" in rows else pd.Series(None, index=rows.index, dtype=object)
    until = closed.where(has_left, last + pd.Timedelta(days=1))
    # Opened again under the same number, or noted late: such a day is no end that was watched.
    watched = ((opened <= last) & (until > first) & ~(until < opened)) | opened.isna() & ~(until <= first)
    lives = _lives(rows, (first - opened).dt.days.clip(lower=0), (until - opened).dt.days, has_left, reasons)
    return lives[watched.to_numpy()].reset_index(drop=True)


def lives_by_silence(
    history: pd.DataFrame, *, as_of: date, limit_days: float | pd.Series, opened_on: pd.Series | None = None
) -> pd.DataFrame:
    """Return the lives of customers who never sign off: whoever has been silent for so long counts as gone.

    The end stands at the last purchase. Whether a customer has left is known only once its limit has passed, so all are
    watched up to ``as_of`` less the limit, and none later: without that the curve would drop at its end, or be held up
    there. A customer who came back after such a silence never left.

    A customer enters with its first purchase in the log, as nobody would know of it without one; where ``opened_on``
    says that it is older it enters at that age.

    Parameters
    ----------
    history
        ``customer_id``, ``first_purchase``, ``last_purchase`` (dates). Other columns are kept, to group by.
    as_of
        Last day of the observation.
    limit_days
        Silence that counts as leaving: one for all, or by ``customer_id``; customers without one are left out.
    opened_on
        Days of opening by ``customer_id``; else age counts from the first purchase in the log.

    Returns
    -------
    DataFrame
        As of :func:`lives_by_file`; ages are missing of customers who came too late to tell, or have no limit.

    Raises
    ------
    DataError
        Columns are missing, or a customer stands twice.
    UsageError
        A limit is not above 0.

    Examples
    --------
    >>> history = pd.DataFrame({"customer_id": ["a", "b"], "first_purchase": [date(2026, 1, 1)] * 2,
    ...                         "last_purchase": [date(2026, 3, 31), date(2026, 5, 31)]})
    >>> lives_by_silence(history, as_of=date(2026, 6, 30), limit_days=60)[["seen_days", "has_left"]]
       seen_days  has_left
    0       89.0      True
    1      120.0     False
    """
    check_columns(history, ("customer_id", "first_purchase", "last_purchase"), analysis="survival_curve")
    check_unique(history, "customer_id", analysis="survival_curve")
    rows = history.sort_values("customer_id").reset_index(drop=True)
    given = rows["customer_id"].map(limit_days) if isinstance(limit_days, pd.Series) else limit_days
    limits = pd.Series(given, index=rows.index, dtype=float)
    if (limits <= 0).any():
        raise UsageError("lost_after", limit_days=float(limits.min()))
    first, last = (pd.to_datetime(rows[name]) for name in ("first_purchase", "last_purchase"))
    opened = first if opened_on is None else pd.to_datetime(rows["customer_id"].map(opened_on))
    # A day of opening after the first purchase was noted late.
    opened = opened.fillna(first).clip(upper=first)
    known_until = pd.Timestamp(as_of) - pd.to_timedelta(np.floor(limits), unit="D")
    has_left = (last <= known_until).to_numpy()
    until = last.where(has_left, known_until)
    entered = (first - opened).dt.days.where(first <= known_until)
    reasons = pd.Series(None, index=rows.index, dtype=object)
    return _lives(rows, entered, (until - opened).dt.days, has_left, reasons)


def _lives(
    rows: pd.DataFrame, entered: pd.Series, seen: pd.Series, has_left: np.ndarray, reasons: pd.Series
) -> pd.DataFrame:
    known = (entered.notna() & seen.notna()).to_numpy()
    # Whoever came and left on one day was there for half of it.
    seen = seen.where(seen >= entered + 0.5, entered + 0.5)
    lives = rows.assign(
        entered_days=entered.astype(float).where(known),
        seen_days=seen.astype(float).where(known),
        has_left=has_left & known,
        reason=reasons.where(has_left),
    )
    others = [name for name in rows.columns if name not in LIFE_COLUMNS]
    return lives[[*LIFE_COLUMNS, *others]]


def checked_lives(lives: pd.DataFrame, analysis: str) -> tuple[pd.DataFrame, int]:
    """Return the lives whose ages are known, in order of customer_id, and how many others there are."""
    check_columns(lives, LIFE_COLUMNS, analysis=analysis)
    check_unique(lives, "customer_id", analysis=analysis)
    known = lives[lives["entered_days"].notna() & lives["seen_days"].notna()].sort_values("customer_id")
    if known.empty:
        raise InsufficientDataError("no_lives", n_customers=len(lives))
    check_numbers(known, ("entered_days",), analysis=analysis, at_least=0)
    stay = known.assign(stay_days=known["seen_days"] - known["entered_days"])
    check_numbers(stay, ("stay_days",), analysis=analysis, at_least=0.5)
    if not known["has_left"].any():
        raise InsufficientDataError("nobody_left", n_customers=len(known))
    return known.reset_index(drop=True), len(lives) - len(known)
