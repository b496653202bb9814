"""What was read, what of it is used, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers

#: Every line read is counted in exactly one of these, always shown in this order.
LINE_CLASSES = ("accepted", "set_apart", "filtered", "rejected")

#: What the log holds, with units.
_LOG_FACTS = {
    "n_customers": "customers",
    "n_transactions": "lines",
    "amount": "currency",
    "first_date": "date",
    "last_date": "date",
    "n_purchase_days": "count",
    "n_zero_amount": "lines",
    "n_returns": "lines",
    "return_amount": "currency",
    "n_duplicate_lines": "lines",
    "n_customers_without_purchase": "customers",
}


def data_quality(line_classes: pd.DataFrame, log_facts: Mapping[str, Any], *, as_of: date | None = None) -> Finding:
    """Answer: what was read, how much of it do the analyses use, and why is the rest left out?

    Parameters
    ----------
    line_classes
        One row per class and reason: ``line_class`` (``accepted``, ``set_apart``, ``filtered`` or
        ``rejected``), ``reason`` (a code, or empty), ``n_lines`` (lines), ``amount`` (currency).
    log_facts
        What the accepted lines hold: ``n_customers``, ``n_transactions`` (lines), ``amount`` (currency),
        ``first_date``, ``last_date``, ``n_purchase_days``, ``n_zero_amount`` (lines of 0), ``n_returns``
        (lines), ``return_amount`` (currency), ``n_duplicate_lines``, ``n_customers_without_purchase``
        (customers with returns only).
    as_of
        Last day that the other analyses count. The account is of the whole log, and says so where it goes on.

    Returns
    -------
    Finding
        ``data_quality``: table with ``line_class``, ``reason``, ``n_lines``, ``share_of_lines``, ``amount``
        (every class present, be it with 0 lines); facts as in ``log_facts`` and ``n_lines``,
        ``n_set_apart``, ``n_filtered``, ``n_rejected``, ``share_accepted``, ``share_rejected``,
        ``set_apart_amount``.

    Raises
    ------
    DataError
        A column or fact is missing, a class is unknown, or the accepted lines are not those of the log.
    InsufficientDataError
        Nothing was read.

    Examples
    --------
    >>> lines = pd.DataFrame({"line_class": ["accepted", "rejected"], "reason": ["", "no_date"],
    ...                       "n_lines": [98, 2], "amount": [980.0, 5.0]})
    >>> log = dict.fromkeys(("n_customers", "n_purchase_days"), 7) | {"n_transactions": 98, "amount": 980.0}
    >>> log |= {"first_date": None, "last_date": None, "n_zero_amount": 0, "n_returns": 0,
    ...         "return_amount": 0.0, "n_duplicate_lines": 0, "n_customers_without_purchase": 0}
    >>> data_quality(lines, log).facts["share_rejected"].value
    0.02
    """
    columns = ("line_class", "reason", "n_lines", "amount")
    check_columns(line_classes, columns, analysis="data_quality")
    check_numbers(line_classes, ("n_lines",), analysis="data_quality", at_least=0)
    missing = [name for name in _LOG_FACTS if name not in log_facts]
    if missing:
        raise DataError(
            "missing_columns", analysis="data_quality", missing=", ".join(missing), found=", ".join(log_facts)
        )
    unknown = sorted(set(line_classes["line_class"]) - set(LINE_CLASSES))
    if unknown:
        raise DataError("unknown_line_class", classes=", ".join(unknown), known=", ".join(LINE_CLASSES))

    table = _by_class_and_reason(line_classes)
    n_lines = int(table["n_lines"].sum())
    if n_lines == 0:
        raise InsufficientDataError("no_rows", analysis="data_quality")
    per_class = table.groupby("line_class")["n_lines"].sum()
    if int(per_class["accepted"]) != int(log_facts["n_transactions"]):
        raise DataError(
            "lines_do_not_add_up", accepted=int(per_class["accepted"]), log=int(log_facts["n_transactions"])
        )
    table.insert(3, "share_of_lines", table["n_lines"] / n_lines)

    facts = {name: Fact(log_facts[name], unit) for name, unit in _LOG_FACTS.items()}
    facts |= {
        "n_lines": Fact(n_lines, "lines"),
        "n_set_apart": Fact(int(per_class["set_apart"]), "lines"),
        "n_filtered": Fact(int(per_class["filtered"]), "lines"),
        "n_rejected": Fact(int(per_class["rejected"]), "lines"),
        "share_accepted": Fact(float(per_class["accepted"]) / n_lines, "share"),
        "share_rejected": Fact(float(per_class["rejected"]) / n_lines, "share"),
        "set_apart_amount": Fact(float(table.loc[table["line_class"] == "set_apart", "amount"].sum()), "currency"),
    }
    notes = _notes(facts)
    if as_of is not None and facts["last_date"].value is not None and log_facts["last_date"] > as_of:
        facts["as_of"] = Fact(as_of, "date")
        notes = ("log_goes_on", *notes)
    return Finding("data_quality", table, facts, notes=notes)


def _by_class_and_reason(line_classes: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in LINE_CLASSES if name not in set(line_classes["line_class"])]
    empty = pd.DataFrame({"line_class": absent, "reason": "", "n_lines": 0, "amount": 0.0})
    # A reason that was not given is the empty reason, not a row that a group-by drops.
    given = line_classes.assign(reason=line_classes["reason"].fillna("").astype(str))
    rows = given if empty.empty else pd.concat([given, empty], ignore_index=True)
    table = rows.groupby(["line_class", "reason"], as_index=False, sort=True)[["n_lines", "amount"]].sum()
    table["n_lines"] = table["n_lines"].astype("int64")
    position = {name: place for place, name in enumerate(LINE_CLASSES)}
    table["position"] = table["line_class"].map(position)
    ordered = table.sort_values(["position", "n_lines", "reason"], ascending=[True, False, True])
    return ordered.drop(columns="position").reset_index(drop=True)


def _notes(facts: Mapping[str, Fact]) -> tuple[str, ...]:
    told_when_any = {
        "rejected_lines": "n_rejected",
        "set_apart_lines": "n_set_apart",
        "filtered_lines": "n_filtered",
        "duplicate_lines": "n_duplicate_lines",
        "zero_amounts": "n_zero_amount",
        "returns_netted": "n_returns",
        "customers_without_purchase": "n_customers_without_purchase",
    }
    return (*(note for note, fact in told_when_any.items() if facts[fact].value), "sales_not_margin")
