"""In what state is each customer, from new over due to gone and back: decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers, check_unique
from kehu_analysis.loyalty.renewals import Purchases, Renewals, fit_renewals

__all__ = ["STATES", "call_list_levels", "customer_states"]

#: In the order of a relationship; of several that hold, the first of :data:`_PRECEDENCE` counts.
STATES = ("new", "on_time", "due", "late", "probably_gone", "gone", "back")
_PRECEDENCE = ("gone", "probably_gone", "late", "back", "new", "due")
#: Who came within a quarter is new, or back; who left within it is worth finding.
RECENT_DAYS = 91
#: What is between the last purchase and midnight counts as half a day.
_REST_OF_DAY = 0.5
#: Levels of the limit that are shown beside the one chosen.
LEVELS = (0.80, 0.85, 0.90, 0.95, 0.99)
#: A silence that so few waits exceed, and that ended, was one of a customer who had been given up.
_WAS_AWAY = 0.99
_GONE, _PROBABLY_GONE = 0.95, 0.5
#: Nobody who has been silent for a year is called for being late.
LONGEST_ON_LIST = 365


def customer_states(
    history: pd.DataFrame,
    *,
    as_of: date,
    alive: pd.DataFrame | None = None,
    closed_days: Iterable[date] | None = None,
    interval: float = 0.9,
) -> Finding:
    """Answer: in what state is the relationship with each customer?

    A customer's own waits, the one that is not over among them, and what all customers share tell how long it may be
    silent and still keep its rhythm, and how likely it has left
    (:class:`~kehu_analysis.loyalty.renewals.Renewals`). The states, the first that holds:

    - ``gone``: it has left with a probability of 95 % or more;
    - ``probably_gone``: of 50 % or more;
    - ``late``: the silence is longer than the share ``interval`` of the waits that are to be expected of it;
    - ``back``: it bought in the last 91 days after a silence longer than 99 % of them;
    - ``new``: its first purchase lies in the last 91 days;
    - ``due``: the silence is longer than half of the waits;
    - ``on_time``: none of these.

    Parameters
    ----------
    history
        As :func:`kehu_analysis.summaries.customer_history` gives it: ``customer_id``, ``first_purchase`` and
        ``last_purchase`` (dates), ``n_intervals``, ``sum_log_interval_days``, ``recent_gap_days`` (the longest wait
        that ended in the last 91 days, 0 without one).
    as_of
        Last day of the observation.
    alive
        ``customer_id`` and ``probability_alive`` of a model of purchases, whose word then counts in place of ours; of a
        customer that is not in it ours does.
    closed_days
        Days on which business was closed: nobody is silent on them.
    interval
        Level of the limit, 0.5 to 1.

    Returns
    -------
    Finding
        ``customer_states``: one row a customer, by customer: ``customer_id``, ``state``, ``probability_late`` (share of
        its waits that the silence exceeds), ``probability_gone``, ``probability_gone_recently`` (left within the last
        91 days), ``silence_days`` (calendar days), ``open_silence_days`` (without closed days), ``usual_interval_days``
        (median of the next wait, open days), ``limit_days`` (open days), ``days_beyond_limit`` (open days, 0 within).
        Facts: ``n_customers``, one ``n_<state>`` each, ``share_gone``, ``expected_gone``, ``interval``, and of what all
        share ``mean_regularity`` and ``yearly_loss`` (share of customers like the average who leave within a year).

    Raises
    ------
    DataError
        Columns are missing, hold no sound numbers, a customer stands twice or bought after ``as_of``.
    InsufficientDataError
        Nobody has bought twice.
    UsageError
        ``interval`` is out of range.

    Examples
    --------
    >>> days = [["2026-01-05", "2026-02-04", "2026-03-06", "2026-04-05"], ["2026-01-05", "2026-01-15", "2026-01-25"]]
    >>> log = pd.DataFrame([(name, day, 1.0) for name, of in zip("ab", days) for day in of],
    ...                    columns=["customer_id", "date", "amount"])
    >>> from kehu_analysis.summaries import customer_history
    >>> states = customer_states(customer_history(log, date(2026, 4, 30)), as_of=date(2026, 4, 30))
    >>> states.table.set_index("customer_id")["state"].to_dict()
    {'a': 'on_time', 'b': 'gone'}
    """
    if not 0.5 < interval < 1:
        raise UsageError("interval", interval=interval)
    history, known, silence = _known(history, as_of, closed_days)
    if not known.frequency.any():
        raise InsufficientDataError("no_repeat_purchases", n_customers=len(history))
    model = fit_renewals(known)
    judged = model.judged(known, RECENT_DAYS)
    gone = _told(history, alive, judged.gone)
    wait = model.next_wait(known, judged.shape, 1 - gone)
    late = 1 - wait.probability_beyond(known.silence_days)
    limit = wait.quantile(interval)
    first = (pd.Timestamp(as_of) - pd.to_datetime(history["first_purchase"])).dt.days.to_numpy()
    gap = history["recent_gap_days"].to_numpy(dtype=float)
    # Rounded, so that whoever came every 7 days is due on the 7th whatever the last bit of a logarithm.
    usual = wait.quantile(0.5).round(6)
    holds = {
        "gone": gone >= _GONE,
        "probably_gone": gone >= _PROBABLY_GONE,
        "late": late > interval,
        "back": (gap > 0) & (gap > wait.quantile(_WAS_AWAY)),
        "new": first < RECENT_DAYS,
        "due": known.silence_days - _REST_OF_DAY >= usual,
    }
    state = np.select([holds[name] for name in _PRECEDENCE], _PRECEDENCE, default="on_time")
    table = pd.DataFrame(
        {
            "customer_id": history["customer_id"].to_numpy(),
            "state": state.astype(object),
            "probability_late": late,
            "probability_gone": gone,
            "probability_gone_recently": np.minimum(judged.recently, gone),
            "silence_days": silence,
            "open_silence_days": (known.silence_days - _REST_OF_DAY).astype("int64"),
            "usual_interval_days": usual,
            "limit_days": limit,
            "days_beyond_limit": np.ceil(np.maximum(known.silence_days - limit, 0)).astype("int64"),
        }
    )
    parameters = {"as_of": str(as_of), "interval": interval, "alive_given": alive is not None}
    notes = ("states_of_silence", "states_steady")
    return Finding(
        "customer_states", table, _facts(table, model, judged.shape[known.frequency > 0], interval), parameters, notes
    )


def call_list_levels(states: Finding) -> Finding:
    """Answer: where should the limit lie, so that calls find those who are leaving and spare those who are not?

    Parameters
    ----------
    states
        What :func:`customer_states` found.

    Returns
    -------
    Finding
        ``call_list_levels``: one row a level: ``level``, ``n_listed`` (silent beyond the limit of that level, for less
        than a year, and not surely gone), ``expected_false_alarms`` (of them, still there), ``share_of_leavers_found``
        (of those who left within the last 91 days, expected). Facts: those of the level chosen, with ``interval``.

    Examples
    --------
    >>> table = pd.DataFrame({"probability_late": [0.5, 0.97], "probability_gone": [0.1, 0.7], "silence_days": [5, 60],
    ...                       "probability_gone_recently": [0.1, 0.6]})
    >>> states = Finding("customer_states", table, {"interval": Fact(0.9, "share")})
    >>> call_list_levels(states).table.query("level == 0.9")[["n_listed", "share_of_leavers_found"]].values.tolist()
    [[1.0, 0.8571428571428572]]
    """
    table, chosen = states.table, float(states.facts["interval"].value)  # type: ignore[arg-type]
    is_called = (table["silence_days"] < LONGEST_ON_LIST) & (table["probability_gone"] < _GONE)
    rows = []
    for level in sorted({*LEVELS, chosen}):
        listed = (table["probability_late"] > level) & is_called
        recently = table["probability_gone_recently"]
        rows.append(
            {
                "level": level,
                "n_listed": int(listed.sum()),
                "expected_false_alarms": float((1 - table["probability_gone"])[listed].sum()),
                "share_of_leavers_found": float(recently[listed].sum() / max(float(recently.sum()), 1e-12)),
            }
        )
    found = pd.DataFrame(rows)
    row = found[found["level"] == chosen].iloc[0]
    facts = {
        "interval": Fact(chosen, "share"),
        "n_listed": Fact(int(row["n_listed"]), "customers"),
        "expected_false_alarms": Fact(float(row["expected_false_alarms"]), "customers"),
        "share_of_leavers_found": Fact(float(row["share_of_leavers_found"]), "share"),
        "recent_days": Fact(RECENT_DAYS, "days"),
    }
    return Finding("call_list_levels", found, facts, dict(states.parameters), ("levels_are_a_choice",))


def _known(
    history: pd.DataFrame, as_of: date, closed_days: Iterable[date] | None
) -> tuple[pd.DataFrame, Purchases, npt.NDArray[np.int64]]:
    """Return the history by customer, what is known of each in open days, and the silence in calendar days."""
    numbers = ("n_intervals", "sum_log_interval_days", "recent_gap_days")
    check_columns(history, ("customer_id", "first_purchase", "last_purchase", *numbers), analysis="customer_states")
    check_unique(history, "customer_id", analysis="customer_states")
    check_numbers(history, numbers, analysis="customer_states", at_least=0)
    history = history.sort_values("customer_id").reset_index(drop=True)
    first, last = (
        pd.to_datetime(history[name]).to_numpy().astype("datetime64[D]") for name in ("first_purchase", "last_purchase")
    )
    end = np.datetime64(as_of)
    silence = (end - last).astype("int64")
    check_numbers(history.assign(silence_days=silence), ("silence_days",), analysis="customer_states", at_least=0)
    lived = (last - first).astype("int64")
    n = history["n_intervals"].to_numpy(dtype=float)
    closed = np.unique(np.array(list(closed_days or ()), dtype="datetime64[D]"))
    passed = [np.searchsorted(closed, day, side="right") for day in (first, last, end)]
    # Whoever bought on a closed day has at least a day a wait.
    recency = np.where(n > 0, np.maximum(lived - (passed[1] - passed[0]), n), 0.0)
    shorter = np.divide(recency, lived, out=np.ones(len(n)), where=lived > 0)
    logs = history["sum_log_interval_days"].to_numpy(dtype=float) + n * np.log(shorter)
    open_silence = silence - (passed[2] - passed[1])
    return history, Purchases(n, recency, open_silence + _REST_OF_DAY, logs), silence


def _told(history: pd.DataFrame, alive: pd.DataFrame | None, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if alive is None:
        return own
    check_columns(alive, ("customer_id", "probability_alive"), analysis="customer_states")
    check_unique(alive, "customer_id", analysis="customer_states")
    found = history["customer_id"].map(alive.set_index("customer_id")["probability_alive"]).to_numpy(dtype=float)
    if ((found < 0) | (found > 1)).any():
        raise DataError("no_probability", column="probability_alive")
    return np.where(np.isnan(found), own, 1 - found)


def _facts(
    table: pd.DataFrame, model: Renewals, regularity: npt.NDArray[np.float64], interval: float
) -> dict[str, Fact]:
    counts = table["state"].value_counts()
    facts = {"n_customers": Fact(len(table), "customers")}
    facts |= {f"n_{state}": Fact(int(counts.get(state, 0)), "customers") for state in STATES}
    return facts | {
        "share_gone": Fact(float(np.mean(table["state"].isin(("gone", "probably_gone")))), "share"),
        "expected_gone": Fact(float(table["probability_gone"].sum()), "customers"),
        "interval": Fact(interval, "share"),
        "recent_days": Fact(RECENT_DAYS, "days"),
        "mean_regularity": Fact(float(regularity.mean()), "parameter"),
        "yearly_loss": Fact(float(1 - (1 + 365.25 / model.life_days) ** -model.life_shape), "share"),
    }
