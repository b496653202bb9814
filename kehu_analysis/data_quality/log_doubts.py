"""Doubts about the log as a whole, and the table of all that is wrong or doubtful in the data."""

from __future__ import annotations

from datetime import date

import pandas as pd

from kehu_analysis.errors import DataError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers

#: Kinds of doubt about a period, and how each is marked: where two meet in a week, the first one is named.
DOUBTS = ("loaded_twice", "missing_weeks", "power_of_ten", "level_shift")
#: A doubt about the whole log marks no week.
WHOLE_LOG = "many_repeated_lines"
_WEEK = 7
_FAILURES = ("severity", "table", "file", "column", "reason", "n_lines", "first_row", "example", "period")


def log_doubts(days: pd.DataFrame, doubts: pd.DataFrame, *, as_of: date | None = None) -> Finding:
    """Answer: does the log as a whole look like something went wrong when it was exported or loaded?

    Parameters
    ----------
    days
        One row per day with accepted lines: ``date``, ``n_lines``, ``amount`` (currency, net).
    doubts
        What :func:`kehu_analysis.data.doubts.doubtful_periods` found in them: ``reason``, ``first_date``,
        ``last_date``.
    as_of
        Last day that the other analyses count. The account is of the whole log, and says so where it goes on.

    Returns
    -------
    Finding
        ``log_doubts``: table with ``week`` (its Monday; every week from first to last), ``amount``, ``n_lines``,
        ``doubt`` (a code, missing where there is none; a level shift marks the week of the jump); facts ``n_doubts``,
        ``n_doubtful_weeks``, ``n_weeks``, ``first_date``, ``last_date``, and the number of doubts of each kind.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers.
    InsufficientDataError
        There are no days.

    Examples
    --------
    >>> days = pd.DataFrame({"date": [date(2026, 3, 2), date(2026, 3, 17)], "n_lines": 5, "amount": 10.0})
    >>> gap = pd.DataFrame({"reason": ["missing_weeks"], "first_date": [date(2026, 3, 9)],
    ...                     "last_date": [date(2026, 3, 13)]})
    >>> finding = log_doubts(days, gap)
    >>> finding.table["amount"].tolist(), finding.table["doubt"].dropna().tolist(), finding.facts["n_doubts"].value
    ([10.0, 0.0, 10.0], ['missing_weeks'], 1)
    """
    check_columns(days, ("date", "n_lines", "amount"), analysis="log_doubts")
    _check_columns(doubts, ("reason", "first_date", "last_date"), analysis="log_doubts")
    check_numbers(days, ("n_lines", "amount"), analysis="log_doubts")
    weekly = days.groupby(days["date"].map(_monday))[["amount", "n_lines"]].sum()
    mondays = range(weekly.index.min(), weekly.index.max() + 1, _WEEK)
    weekly = weekly.reindex(mondays, fill_value=0)
    mark = pd.Series(pd.NA, index=weekly.index, dtype="str")
    for reason in reversed(DOUBTS):
        of_kind = doubts[doubts["reason"] == reason]
        for first_date, last_date in zip(of_kind["first_date"], of_kind["last_date"], strict=True):
            first = _monday(first_date)
            mark.loc[first : first if reason == "level_shift" else _monday(last_date)] = reason
    table = pd.DataFrame(
        {
            "week": [date.fromordinal(monday) for monday in mondays],
            # Rounded, so that the order of the days cannot show in the last bit of a sum.
            "amount": weekly["amount"].astype("float64").round(4).to_numpy(),
            "n_lines": weekly["n_lines"].astype("int64").to_numpy(),
            "doubt": mark.to_numpy(),
        }
    )
    facts = {
        "n_doubts": Fact(len(doubts), "count"),
        "n_doubtful_weeks": Fact(int(mark.notna().sum()), "count"),
        "n_weeks": Fact(len(table), "count"),
        "first_date": Fact(days["date"].min(), "date"),
        "last_date": Fact(days["date"].max(), "date"),
    }
    facts |= {f"n_{kind}": Fact(int((doubts["reason"] == kind).sum()), "count") for kind in (*DOUBTS, WHOLE_LOG)}
    notes = ["doubts_not_corrected" if len(doubts) else "no_doubts"]
    if facts["n_level_shift"].value:
        notes.append("level_shift_is_a_question")
    if as_of is not None and days["date"].max() > as_of:
        facts["as_of"] = Fact(as_of, "date")
        notes.insert(0, "log_goes_on")
    return Finding("log_doubts", table, facts, notes=tuple(notes))


def data_failures(failures: pd.DataFrame) -> Finding:
    """Answer: what is wrong or doubtful in the data, where, and in how many lines?

    Parameters
    ----------
    failures
        One row per table, file, column and reason: ``severity`` (``error`` or ``warning``), ``table``, ``file``,
        ``column``, ``reason`` (a code), ``n_lines``, ``first_row`` (may be missing), ``example``, ``period``.

    Returns
    -------
    Finding
        ``data_failures``: the table as given, errors first and most lines first; facts ``n_failures``, ``n_errors``
        (kinds of fault by which lines were rejected), ``n_warnings``.

    Raises
    ------
    DataError
        Columns are missing.

    Examples
    --------
    >>> failures = pd.DataFrame({"severity": ["warning", "error"], "table": "transactions", "file": "a.csv",
    ...     "column": "amount", "reason": ["missing", "not_money"], "n_lines": [9, 2], "first_row": [3, 5],
    ...     "example": ["", "x"], "period": ""})
    >>> finding = data_failures(failures)
    >>> finding.table["severity"].tolist(), finding.facts["n_errors"].value
    (['error', 'warning'], 1)
    """
    _check_columns(failures, _FAILURES, analysis="data_failures")
    table = failures[list(_FAILURES)].sort_values(
        ["severity", "n_lines", "table", "file", "column", "reason", "period"],
        ascending=[True, False, True, True, True, True, True],
    )
    n_errors = int((table["severity"] == "error").sum())
    facts = {
        "n_failures": Fact(len(table), "count"),
        "n_errors": Fact(n_errors, "count"),
        "n_warnings": Fact(len(table) - n_errors, "count"),
    }
    return Finding("data_failures", table.reset_index(drop=True), facts, notes=("mend_errors",) if n_errors else ())


def _check_columns(frame: pd.DataFrame, columns: tuple[str, ...], *, analysis: str) -> None:
    # Unlike the rows of an analysis, faults may be none.
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(
            "missing_columns", analysis=analysis, missing=", ".join(missing), found=", ".join(map(str, frame.columns))
        )


def _monday(day: date) -> int:
    # Ordinal 1 is a Monday.
    return day.toordinal() - day.weekday()
