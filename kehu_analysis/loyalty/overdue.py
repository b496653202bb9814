"""Who is overdue: the customers beyond their own limit, a view of their states for whoever calls."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.loyalty.states import LONGEST_ON_LIST

__all__ = ["STATUSES", "overdue_customers"]

#: In the order of the list.
STATUSES = ("newly_overdue", "long_overdue", "gone", "due", "on_time")


def overdue_customers(history: pd.DataFrame, states: Finding, *, since: date, minimum_intervals: int = 3) -> Finding:
    """Answer: who has been silent for longer than its own rhythm leads us to expect, and is worth a call?

    Whoever is beyond the limit of :func:`~kehu_analysis.loyalty.states.customer_states`, has bought often enough to
    show a rhythm and has not surely left is overdue: *newly* where the limit was passed on ``since`` or later and the
    silence is shorter than a year, else *long*. How many of them are there after all is the sum of their probabilities
    of it.

    Parameters
    ----------
    history
        ``customer_id``, ``last_purchase`` (date), ``n_intervals``, ``mean_amount`` (currency per purchase day).
    states
        What :func:`~kehu_analysis.loyalty.states.customer_states` found of the same customers.
    since
        First day of the quarter.
    minimum_intervals
        Customers with fewer have no rhythm of their own to judge by; at least 2.

    Returns
    -------
    Finding
        ``overdue_customers``: one row a customer judged: ``customer_id``, ``status`` (one of :data:`STATUSES`),
        ``state``, ``last_purchase``, ``silence_days``, ``usual_interval_days``, ``limit_days``, ``due_on``,
        ``days_overdue`` (beyond the limit), ``probability_gone``, ``n_intervals``, ``amount_at_stake`` (currency: the
        one order waited for, at its mean size; 0 when on time). By status, then amount at stake, then customer. Facts:
        ``n_customers``, ``n_judged``, ``n_too_few``, ``n_overdue`` (newly and long), one ``n_<status>`` each,
        ``share_overdue`` (of those judged), ``expected_false_alarms``, ``amount_overdue``, ``amount_newly_overdue``,
        ``median_usual_interval_days``, ``interval``, ``minimum_intervals``, ``since``.

    Raises
    ------
    DataError
        Columns are missing or hold no sound numbers.
    InsufficientDataError
        Nobody has enough intervals.
    UsageError
        ``minimum_intervals`` is out of range.

    Examples
    --------
    >>> from kehu_analysis.loyalty.states import customer_states
    >>> from kehu_analysis.summaries import customer_history
    >>> days = {"a": ["01-05", "02-04", "03-06", "04-05"], "b": ["01-05", "01-12", "01-19", "01-26"]}
    >>> log = pd.DataFrame([(name, f"2026-{day}", 1.0) for name, of in days.items() for day in of],
    ...                    columns=["customer_id", "date", "amount"])
    >>> history = customer_history(log, date(2026, 4, 30))
    >>> states = customer_states(history, as_of=date(2026, 4, 30))
    >>> overdue_customers(history, states, since=date(2026, 2, 1)).table.set_index("customer_id")["status"].to_dict()
    {'b': 'gone', 'a': 'on_time'}
    """
    if minimum_intervals < 2:
        raise UsageError("minimum_intervals", minimum_intervals=minimum_intervals)
    check_columns(history, ("customer_id", "last_purchase", "n_intervals", "mean_amount"), analysis="overdue_customers")
    check_numbers(history, ("mean_amount",), analysis="overdue_customers")
    if not (history["n_intervals"] >= minimum_intervals).any():
        raise InsufficientDataError("no_rhythm", n_customers=len(history), minimum_intervals=minimum_intervals)
    kept = history[["customer_id", "last_purchase", "n_intervals", "mean_amount"]]
    table = states.table.merge(kept, on="customer_id", validate="one_to_one")
    table = table[table["n_intervals"] >= minimum_intervals]
    as_of = date.fromisoformat(str(states.parameters["as_of"]))
    days_overdue = table["days_beyond_limit"].to_numpy()
    is_beyond = days_overdue > 0
    is_gone = (table["state"] == "gone").to_numpy()
    is_recent = (days_overdue <= (as_of - since).days + 1) & (table["silence_days"] < LONGEST_ON_LIST).to_numpy()
    is_due = (table["open_silence_days"] >= table["usual_interval_days"]).to_numpy()
    place = np.select(
        [is_beyond & is_recent & ~is_gone, is_beyond & ~is_gone, is_gone, is_due], [0, 1, 2, 3], default=4
    )
    # Whose returns outweigh its purchases has no order of a size to wait for.
    amount = np.where(place < 4, np.maximum(table["mean_amount"].to_numpy(dtype=float), 0.0), 0.0)
    usual = table["usual_interval_days"].to_numpy()
    closed_so_far = (table["silence_days"] - table["open_silence_days"]).to_numpy()
    last = pd.to_datetime(table["last_purchase"])
    found = pd.DataFrame(
        {
            "customer_id": table["customer_id"].to_numpy(),
            "status": np.array(STATUSES, dtype=object)[place],
            "state": table["state"].to_numpy(),
            "last_purchase": last.dt.date.to_numpy(),
            "silence_days": table["silence_days"].to_numpy(),
            "usual_interval_days": usual,
            "limit_days": table["limit_days"].to_numpy(),
            # Closed days that have passed since put the day off.
            "due_on": [
                day + timedelta(days=int(days))
                for day, days in zip(last.dt.date, np.rint(usual) + closed_so_far, strict=True)
            ],
            "days_overdue": days_overdue,
            "probability_gone": table["probability_gone"].to_numpy(),
            "n_intervals": table["n_intervals"].to_numpy(dtype="int64"),
            "amount_at_stake": amount,
        }
    )
    order = pd.DataFrame({"status": place, "amount": -amount, "id": found["customer_id"]})
    found = found.loc[order.sort_values(["status", "amount", "id"]).index].reset_index(drop=True)
    facts = _facts(found, len(history))
    facts |= {"interval": states.facts["interval"], "minimum_intervals": Fact(minimum_intervals, "count")}
    facts["since"] = Fact(since, "date")
    parameters = {**states.parameters, "since": str(since), "minimum_intervals": minimum_intervals}
    notes = ("overdue_many_tests", "overdue_stake", "states_steady", "sales_not_margin")
    return Finding("overdue_customers", found, facts, parameters, notes)


def _facts(table: pd.DataFrame, n_customers: int) -> dict[str, Fact]:
    counts = table["status"].value_counts()
    n_judged = len(table)
    amount = table.groupby("status")["amount_at_stake"].sum().reindex(STATUSES, fill_value=0.0)
    is_overdue = table["status"].isin(("newly_overdue", "long_overdue"))
    facts = {
        "n_customers": Fact(n_customers, "customers"),
        "n_judged": Fact(n_judged, "customers"),
        "n_too_few": Fact(n_customers - n_judged, "customers"),
        "n_overdue": Fact(int(is_overdue.sum()), "customers"),
        "share_overdue": Fact(float(is_overdue.mean()), "share"),
        "expected_false_alarms": Fact(float((1 - table["probability_gone"])[is_overdue].sum()), "customers"),
        "amount_overdue": Fact(float(amount["newly_overdue"] + amount["long_overdue"]), "currency"),
        "amount_newly_overdue": Fact(float(amount["newly_overdue"]), "currency"),
        "median_usual_interval_days": Fact(float(table["usual_interval_days"].median()), "days"),
    }
    return facts | {f"n_{status}": Fact(int(counts.get(status, 0)), "customers") for status in STATUSES}
