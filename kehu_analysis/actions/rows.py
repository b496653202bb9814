"""The rows of the list: what one holds, how several reasons become one row, and which comes first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from kehu_analysis.actions.deadlines import due_on

#: Who does what by default; a decision names its own.
OWNER_OF = {
    "visit": "salesperson",
    "call": "salesperson",
    "offer": "salesperson",
    "renegotiate": "manager",
    "grow": "salesperson",
    "collect": "finance",
    "hold_credit": "finance",
    "check_if_closed": "salesperson",
    "do_not_disturb": "salesperson",
    "stop_following": "manager",
    "company_decision": "director",
}
KINDS = tuple(OWNER_OF)
OWNERS = ("salesperson", "manager", "finance", "director")
#: In the order of ``actions.parquet``.
ACTION_COLUMNS = (
    *("action_id", "customer_id", "kind"),
    *("reason_1", "reason_1_numbers", "reason_2", "reason_2_numbers"),
    *("expected_gain", "expected_gain_low", "expected_gain_high", "amount_involved", "amount_is"),
    *("due_on", "owner", "chapter"),
)
_DECISION = "company_decision"
_GAINS = ("expected_gain", "expected_gain_low", "expected_gain_high")
#: What a proposal holds: a row to be, with one reason.
_PROPOSED = (
    *("customer_id", "kind", "reason", "numbers", *_GAINS),
    *("amount_involved", "amount_is", "due_on", "owner", "chapter"),
)
_DECIMALS = 4


def action_id(dataset: str, quarter: str, customer_id: str, kind: str, reason: str = "") -> str:
    """Return the name of an action: the same whenever the same report is made again.

    Parameters
    ----------
    dataset, quarter, customer_id, kind
        Of the action; ``customer_id`` is empty for a decision of the company.
    reason
        Code of its first reason, which tells decisions of the company apart; of a customer's action it plays no part.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256.

    Examples
    --------
    >>> action_id("demo", "2026Q3", "000740", "visit")
    '176b9488ade706b8'
    """
    told = [dataset, quarter, customer_id, kind, "" if customer_id else reason]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def propose(
    customers: pd.DataFrame,
    *,
    kind: str | Sequence[str],
    reason: str | Sequence[str],
    numbers: Mapping[str, str],
    amount: pd.Series | float | None,
    chapter: str,
    as_of: date,
    owner: str | None = None,
    amount_is: str = "sales",
) -> pd.DataFrame:
    """Write proposals, a row a customer of a table: what to do, why, and how much hangs on it.

    Parameters
    ----------
    customers
        ``customer_id`` (empty for a decision of the company) and the columns named by ``numbers``.
    kind, reason
        Codes, of all or a sequence of each; the reason's words stand under ``reason.‹code›`` in ``labels.toml``.
    numbers
        The values that these words name: name in the words to column.
    amount
        Sales or margin of at most 12 months that hang on it (currency), missing where none can be told.
    chapter, as_of, owner, amount_is
        Of all of them; the owner is that of the kind unless given, ``amount_is`` is ``sales`` or ``margin``.

    Returns
    -------
    DataFrame
        customer_id, kind, reason, numbers (JSON), expected_gain with its bounds (missing: what an action earns is known
        once it was tried beside a control group), amount_involved, amount_is, due_on, owner, chapter.
    """
    kinds = pd.Series(kind, index=customers.index, dtype="str")
    found = pd.DataFrame(
        {
            "customer_id": customers["customer_id"].astype("str"),
            "kind": kinds,
            "reason": pd.Series(reason, index=customers.index, dtype="str"),
            "numbers": _as_json(customers, numbers),
            **dict.fromkeys(_GAINS, np.nan),
            "amount_involved": np.nan if amount is None else amount,
            "amount_is": amount_is,
            "due_on": kinds.map({one: due_on(one, as_of) for one in KINDS}),
            "owner": kinds.map(OWNER_OF) if owner is None else owner,
            "chapter": chapter,
        }
    )
    return found.astype({"amount_involved": "float64"})


def merge_proposals(proposals: Sequence[pd.DataFrame], *, dataset: str, quarter: str) -> pd.DataFrame:
    """Make one row of all proposals to do the same with the same customer, the most weighty first.

    Parameters
    ----------
    proposals
        Of :func:`propose`, in any order.
    dataset, quarter
        Name and quarter of the report.

    Returns
    -------
    DataFrame
        :data:`ACTION_COLUMNS`; by expected gain, then amount involved, then action_id. The first reason is that of the
        proposal which would stand first by itself, the second that of the next one with another reason; gain, amount
        and chapter are the first one's.
    """
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in _PROPOSED})
    given = [frame for frame in proposals if len(frame)]
    found = pd.concat(given, ignore_index=True) if given else empty
    for name in (*_GAINS, "amount_involved"):
        found[name] = found[name].astype("float64").round(_DECIMALS)
    of_company = found["customer_id"] == ""
    # Of the company every reason is a decision of its own.
    found["told_apart"] = found["reason"].where(of_company, "")
    order = ["expected_gain", "amount_involved", "reason", "numbers", "chapter"]
    found = found.sort_values(order, ascending=[False, False, True, True, True], na_position="last", kind="stable")
    key = ["customer_id", "kind", "told_apart"]
    found = found.drop_duplicates([*key, "reason"])
    place = found.groupby(key, sort=False).cumcount()
    second = found.loc[place == 1, [*key, "reason", "numbers"]]
    rows = found[place == 0].merge(second, on=key, how="left", suffixes=("", "_2"), validate="1:1")
    rows = rows.rename(columns={"reason": "reason_1", "numbers": "reason_1_numbers", "reason_2": "reason_2"})
    rows = rows.rename(columns={"numbers_2": "reason_2_numbers"})
    rows[["reason_2", "reason_2_numbers"]] = rows[["reason_2", "reason_2_numbers"]].astype("str").fillna("")
    named = zip(rows["customer_id"], rows["kind"], rows["reason_1"], strict=True)
    rows["action_id"] = pd.Series([action_id(dataset, quarter, *one) for one in named], index=rows.index, dtype="str")
    rows = rows.sort_values(["expected_gain", "amount_involved", "action_id"], ascending=[False, False, True])
    return rows[list(ACTION_COLUMNS)].reset_index(drop=True)


def listed_before(rows: pd.DataFrame, previous: pd.DataFrame) -> pd.Series:
    """Tell of each row whether the same stood on an earlier list: the same customer and kind, or decision.

    Examples
    --------
    >>> columns = ["customer_id", "kind", "reason_1"]
    >>> now = pd.DataFrame([["a", "call", "x"], ["a", "visit", "x"], ["", "company_decision", "y"]], columns=columns)
    >>> before = pd.DataFrame([["a", "call", "z"], ["", "company_decision", "z"]], columns=columns)
    >>> listed_before(now, before).tolist()
    [True, False, False]
    """
    keys = [
        pd.MultiIndex.from_arrays([of["customer_id"], of["kind"], of["reason_1"].where(of["customer_id"] == "", "")])
        for of in (rows, previous)
    ]
    return pd.Series(keys[0].isin(keys[1]), index=rows.index)


def _as_json(table: pd.DataFrame, numbers: Mapping[str, str]) -> list[str]:
    columns = [[_plain(value) for value in table[column].tolist()] for column in numbers.values()]
    if not columns:
        return ["{}"] * len(table)
    rows = zip(*columns, strict=True)
    return [json.dumps(dict(zip(numbers, row, strict=True)), ensure_ascii=False) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if not np.isfinite(value) else round(value, _DECIMALS)
    return value.isoformat() if isinstance(value, date) else value
