"""By when an action is due."""

from __future__ import annotations

from datetime import date, timedelta

#: Days after the last day counted: whoever has just gone silent first, what a company has to decide last.
DAYS_AFTER = {
    "call": 9,
    "stop_following": 9,
    "do_not_disturb": 9,
    "collect": 12,
    "hold_credit": 12,
    "visit": 16,
    "offer": 23,
    "renegotiate": 23,
    "grow": 31,
    "check_if_closed": 31,
    "company_decision": 31,
}


def due_on(kind: str, as_of: date) -> date:
    """Return by when an action of this kind is due: so many plain days after the last day counted.

    Examples
    --------
    >>> due_on("visit", date(2026, 9, 30))
    datetime.date(2026, 10, 16)
    """
    return as_of + timedelta(days=DAYS_AFTER[kind])
