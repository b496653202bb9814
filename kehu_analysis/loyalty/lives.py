"""Lives of customers: from which age each was watched, until when, and whether and why it left.

What makes an end is said by whoever asks: a day in the customers' file, or a silence of so many days.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.frames import check_columns, check_numbers, check_unique

__all__ = ["LIFE_COLUMNS", "lives_by_file", "lives_by_silence", "lives_of"]

#: With fewer closings, or with more silent customers to a closing that it does not have, nobody keeps the file.
_FEWEST_ENDS = 10
_MOST_UNTOLD = 0.1

#: Of every table of lives, besides columns to group by.
LIFE_COLUMNS = ("customer_id", "entered_days", "seen_days", "has_left", "reason")


def lives_of(
    history: pd.DataFrame,
    customers: pd.DataFrame | None = None,
    *,
    log_start: date,
    as_of: date,
    limit_days: float | pd.Series,
) -> pd.DataFrame:
    """Return the lives by the customers' file where it is kept, else by silence.

    A file is kept when it has the closings of ten customers or more, and for each ten of them at most one other
    customer has been silent for longer than the limit: of a file with some closings only, customers would seem to stay
    for ever. By silence, the closings that it has go before.

    Parameters
    ----------
    history
        As for :func:`lives_by_silence`.
    customers
        As for :func:`lives_by_file`; None where there is no file.
    log_start, as_of, limit_days
        As for either.

    Returns
    -------
    DataFrame
        Of the one or the other, with the columns of the file, and ``ends`` (``ends_by_file`` or ``ends_by_silence``)
        and ``limit_days``.

    Examples
    --------
    >>> history = pd.DataFrame({"customer_id": ["a"], "first_purchase": [date(2026, 1, 1)],
    ...                         "last_purchase": [date(2026, 3, 31)]})
    >>> file = pd.DataFrame({"customer_id": ["a"], "opened_on": [date(2025, 12, 2)], "region": ["north"]})
    >>> found = lives_of(history, file, log_start=date(2026, 1, 1), as_of=date(2026, 6, 30), limit_days=60)
    >>> found[["entered_days", "seen_days", "region", "ends"]].values.tolist()
    [[30.0, 119.0, 'north', 'ends_by_silence']]
    """
    if customers is not None and _is_kept(history, customers, log_start, as_of, limit_days):
        lives = lives_by_file(customers, log_start=log_start, as_of=as_of)
        return lives.assign(ends="ends_by_file", limit_days=np.nan)
    rows = history[["customer_id", "first_purchase", "last_purchase"]]
    opened = None
    if customers is not None:
        rows = rows.merge(customers, how="left", on="customer_id")
        opened = customers.set_index("customer_id")["opened_on"] if "opened_on" in customers else None
    lives = lives_by_silence(rows, as_of=as_of, limit_days=limit_days, opened_on=opened)
    limits = lives["customer_id"].map(limit_days) if isinstance(limit_days, pd.Series) else float(limit_days)
    return lives.assign(ends="ends_by_silence", limit_days=limits)


def _is_kept(
    history: pd.DataFrame, customers: pd.DataFrame, log_start: date, as_of: date, limit_days: float | pd.Series
) -> bool:
    if not {"opened_on", "closed_on"} <= set(customers):
        return False
    closed = pd.to_datetime(customers["closed_on"]).between(pd.Timestamp(log_start), pd.Timestamp(as_of))
    ids = history["customer_id"]
    limits = ids.map(limit_days) if isinstance(limit_days, pd.Series) else limit_days
    silent = (pd.Timestamp(as_of) - pd.to_datetime(history["last_purchase"])).dt.days >= limits
    n_untold = int((silent & ~ids.isin(customers.loc[closed, "customer_id"])).sum())
    return bool(closed.sum() >= _FEWEST_ENDS and n_untold <= _MOST_UNTOLD * closed.sum())


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
        ``customer_id``, ``first_purchase``, ``last_purchase`` (dates) and, where known, ``closed_on`` and
        ``closed_reason``: whoever closed left on that day, unless it bought later. Other columns are kept, to group by.
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
    if "closed_on" in rows:
        closed = pd.to_datetime(rows["closed_on"])
        told = (closed >= last) & (closed <= known_until)
        # Closed since, after a silence that had not yet lasted: at the time it was there.
        has_left = (has_left & ~(closed > known_until).to_numpy()) | told.to_numpy()
        until = closed.where(told, until.where(~(closed > known_until), known_until))
    entered = (first - opened).dt.days.where(first <= known_until)
    reasons = rows["closed_reason"] if "closed_reason" in rows else pd.Series(None, index=rows.index, dtype=object)
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
