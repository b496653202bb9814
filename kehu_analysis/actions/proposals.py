"""What each finding proposes to do: its table or its facts in, proposals out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from types import MappingProxyType

import pandas as pd

from kehu_analysis.actions.rows import propose
from kehu_analysis.finding import Finding
from kehu_analysis.periods import DAYS_PER_UNIT

_MONTHS_AHEAD = 12
_STOPPED = "inactive"


def of_fallen(finding: Finding, as_of: date) -> pd.DataFrame:
    """Ask whoever fell a grade or stopped: in person where the grade was the highest, else by telephone.

    What hangs on it is a year of the change that is expected to last, of those who fell most by chance less.
    """
    table = finding.table
    has_stopped = table["to_grade"] == _STOPPED
    lasting = -table["shrunken_change_in_monthly_amount"]
    return propose(
        table,
        kind=(table["from_grade"] == "A").map({True: "visit", False: "call"}).tolist(),
        reason=has_stopped.map({True: "stopped_buying", False: "fell_a_grade"}).tolist(),
        numbers={
            "from_grade": "from_grade",
            "to_grade": "to_grade",
            "before": "previous_average_monthly_amount",
            "now": "average_monthly_amount",
            "change": "change_in_monthly_amount",
            "shrunken_change": "shrunken_change_in_monthly_amount",
        },
        amount=(lasting * _MONTHS_AHEAD).clip(lower=0.0),
        chapter=finding.chapter,
        as_of=as_of,
    )


def of_overdue(finding: Finding, as_of: date) -> pd.DataFrame:
    """Call whoever has just been silent for too long; of those silent for longer ask whether they still exist.

    Whoever has almost surely left is on no list.

    What hangs on a call is a year of orders in the customer's own rhythm; on who has been silent for long no more than
    the one order that is waited for: a list by what they once bought would begin with those long gone.
    """
    table = finding.table[finding.table["status"].isin(("newly_overdue", "long_overdue"))]
    is_new = table["status"] == "newly_overdue"
    orders = (DAYS_PER_UNIT["year"] / table["usual_interval_days"]).clip(lower=1.0, upper=DAYS_PER_UNIT["year"])
    return propose(
        table,
        kind=is_new.map({True: "call", False: "check_if_closed"}).tolist(),
        reason=table["status"].tolist(),
        numbers={
            "silence_days": "silence_days",
            "usual_interval_days": "usual_interval_days",
            "order": "amount_at_stake",
        },
        amount=table["amount_at_stake"] * orders.where(is_new, 1.0),
        chapter=finding.chapter,
        as_of=as_of,
    )


def of_segments(finding: Finding, as_of: date) -> pd.DataFrame:
    """Make an offer to those who bought often and have gone quiet; one order of the usual size hangs on it."""
    table = finding.table[finding.table["segment"].isin(("must_win_back", "at_risk"))]
    return propose(
        table,
        kind="offer",
        reason="win_back",
        numbers={name: name for name in ("segment", "purchase_days", "recency_days", "mean_amount")},
        amount=table["mean_amount"].clip(lower=0.0),
        chapter=finding.chapter,
        as_of=as_of,
    )


def of_data_quality(finding: Finding, as_of: date) -> pd.DataFrame:
    """Hold lines that repeat or have no amount against the documents, where there are any."""
    return _decision(finding, as_of, "doubtful_lines", ("n_duplicate_lines", "n_zero_amount"), owner="manager")


def of_log_doubts(finding: Finding, as_of: date) -> pd.DataFrame:
    """Look into the doubts about the log, where there are any."""
    return _decision(finding, as_of, "log_doubts", ("n_doubts",), owner="manager")


def of_forecast(finding: Finding, as_of: date) -> pd.DataFrame:
    """Decide how the few customers on whom most of the expected sales rest are kept."""
    share = float(finding.facts["top_share_of_expected_amount"].value or 0.0)  # type: ignore[arg-type]
    expected = float(finding.facts["expected_amount"].value or 0.0)  # type: ignore[arg-type]
    year = DAYS_PER_UNIT["year"] / float(finding.facts["horizon_days"].value or 1)  # type: ignore[arg-type]
    told = ("top_share_of_customers", "top_share_of_expected_amount", "expected_amount")
    # Not longer ahead than was forecast: where that is less than a year, a year's worth would be a guess.
    return _decision(finding, as_of, "value_concentrated", told, amount=share * expected * min(year, 1.0))


def _decision(
    finding: Finding,
    as_of: date,
    reason: str,
    told: tuple[str, ...],
    *,
    owner: str | None = None,
    amount: float | None = None,
) -> pd.DataFrame:
    row = pd.DataFrame([{"customer_id": "", **{name: finding.facts[name].value for name in told}}])
    # Where all that it would tell is 0 there is nothing to decide.
    row = row[row[list(told)].any(axis=1)]
    return propose(
        row,
        kind="company_decision",
        reason=reason,
        numbers={name: name for name in told},
        amount=amount,
        chapter=finding.chapter,
        as_of=as_of,
        owner=owner,
    )


#: By the finding's name; others propose nothing.
PROPOSALS: MappingProxyType[str, Callable[[Finding, date], pd.DataFrame]] = MappingProxyType(
    {
        "fallen_customers": of_fallen,
        "overdue_customers": of_overdue,
        "rfm_segments": of_segments,
        "data_quality": of_data_quality,
        "log_doubts": of_log_doubts,
        "purchase_forecast": of_forecast,
    }
)
