"""Retention: how many of those who first bought together are active later."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.periods import Quarter

__all__ = ["ALL_COHORTS", "SMALLEST_COHORT", "cohort_retention"]

#: A smaller cohort shows no rate of its own; it counts in the pooled one.
SMALLEST_COHORT = 10
#: Stands for the pooled rows in the column ``cohort``.
ALL_COHORTS = "all_cohorts"
#: Ages whose pooled retention is told as a fact.
_TOLD_AGES = (1, 2, 4)


def cohort_retention(cohorts: pd.DataFrame, *, as_of: date, interval: float = 0.95) -> Finding:
    """Answer: of the customers who first bought in one period, how many buy again in each later one?

    The retention of a cohort at an age is ``n_active / n_customers``, with Wilson's interval. A customer
    may skip a period and be active again, so retention can rise with age. Pooled retention at an age takes
    only the cohorts that have reached it: ``Σ n_active / Σ n_customers`` over those.

    Parameters
    ----------
    cohorts
        ``cohort`` (Period of the first purchase, quarters or months), ``age`` (periods since),
        ``n_customers`` (size of the cohort), ``n_active`` (with a purchase day in that period). Periods that
        end after ``as_of`` are censored and not read.
    as_of
        Last day of the observation.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``cohort_retention``: table with ``cohort``, ``age``, ``n_customers``, ``n_active``, ``retention``,
        ``retention_low``, ``retention_high`` (missing for cohorts under 10 customers; bounds also at age 0),
        by cohort and age, and after them the pooled rows with cohort ``all_cohorts``. Facts: ``n_customers``,
        ``n_cohorts``, ``n_small_cohorts``, ``period`` (code), ``oldest_age``, and ``retention_1``,
        ``retention_2``, ``retention_4``, each with ``_low`` and ``_high`` (missing where no cohort is that
        old), and ``retention_1_without_first``: pooled without the cohort that may hold older customers.

    Raises
    ------
    DataError
        Columns are missing, a cell stands twice, or more customers are active than there are.
    InsufficientDataError
        No cohort has a complete later period.
    UsageError
        ``interval`` is not between 0 and 1.

    Notes
    -----
    Wilson, E. B. (1927), *JASA* 22, 209-212. The pooled interval takes customers as independent with the
    same chance; cohorts that differ make it somewhat too narrow.

    Examples
    --------
    >>> cohorts = pd.DataFrame({"cohort": pd.PeriodIndex(["2026Q1", "2026Q1", "2026Q2"], freq="Q-DEC"),
    ...                         "age": [0, 1, 0], "n_customers": [40, 40, 20], "n_active": [40, 10, 20]})
    >>> cohort_retention(cohorts, as_of=date(2026, 6, 30)).facts["retention_1"].value
    0.25
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    cells = _observed_cells(cohorts, as_of)
    if not (cells["age"] > 0).any():
        raise InsufficientDataError("no_later_period", as_of=str(as_of))

    pooled = cells.groupby("age", as_index=False)[["n_customers", "n_active"]].sum()
    by_cohort = cells.sort_values(["cohort", "age"])
    by_cohort["cohort"] = by_cohort["cohort"].map(_name)
    table = pd.concat([by_cohort, pooled.assign(cohort=ALL_COHORTS)], ignore_index=True)[
        ["cohort", "age", "n_customers", "n_active"]
    ]
    _add_rates(table, 1 - interval)
    sizes = cells.groupby("cohort")["n_customers"].first()
    facts = {
        "n_customers": Fact(int(sizes.sum()), "customers"),
        "n_cohorts": Fact(len(sizes), "count"),
        "n_small_cohorts": Fact(int((sizes < SMALLEST_COHORT).sum()), "count"),
        "smallest_cohort": Fact(SMALLEST_COHORT, "customers"),
        "period": Fact("period_month" if _frequency(cells).startswith("M") else "period_quarter", "code"),
        "oldest_age": Fact(int(cells["age"].max()), "count"),
        "first_cohort": Fact(_name(cells["cohort"].min()), "text"),
        "interval": Fact(interval, "share"),
    }
    all_cohorts = table[table["cohort"] == ALL_COHORTS].set_index("age")
    for age in _TOLD_AGES:
        for end in ("", "_low", "_high"):
            value = all_cohorts[f"retention{end}"].get(age)
            facts[f"retention_{age}{end}"] = Fact(None if value is None else float(value), "share")
    later = cells[(cells["age"] == 1) & (cells["cohort"] != cells["cohort"].min())]
    without_first = float(later["n_active"].sum() / later["n_customers"].sum()) if len(later) else None
    facts["retention_1_without_first"] = Fact(without_first, "share")
    notes = ["first_cohort_left_censored", "retention_periods_skipped"]
    if without_first is not None:
        notes.insert(1, "retention_without_first_cohort")
    if facts["n_small_cohorts"].value:
        notes.append("small_cohorts_pooled")
    return Finding("cohort_retention", table, facts, {"as_of": str(as_of), "interval": interval}, tuple(notes))


def _observed_cells(cohorts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    columns = ("cohort", "age", "n_customers", "n_active")
    check_columns(cohorts, columns, analysis="cohort_retention")
    check_numbers(cohorts, columns[1:], analysis="cohort_retention", at_least=0)
    if not isinstance(cohorts["cohort"].dtype, pd.PeriodDtype):
        raise DataError("not_periods", dtype=str(cohorts["cohort"].dtype))
    twice = cohorts.duplicated(["cohort", "age"])
    too_many = cohorts["n_active"] > cohorts["n_customers"]
    if twice.any() or too_many.any():
        first = cohorts[twice | too_many].iloc[0]
        raise DataError("cohort_cell", cohort=str(first["cohort"]), age=int(first["age"]))
    started = pd.PeriodIndex(cohorts["cohort"])
    period = started + cohorts["age"].to_numpy(dtype="int64")
    complete = np.asarray(period.end_time.normalize() <= pd.Timestamp(as_of))
    return cohorts.loc[complete & (cohorts["n_customers"] > 0).to_numpy(), list(columns)]


def _name(period: pd.Period) -> str:
    if period.freqstr.startswith("M"):
        return str(period)
    # pandas names a fiscal quarter by the year in which its fiscal year ends, the package by where it starts.
    start = pd.Period(period.start_time, "M") - 3 * (period.quarter - 1)
    return str(Quarter.containing(period.start_time.date(), fiscal_year_start=start.month))


def _frequency(cells: pd.DataFrame) -> str:
    return str(pd.PeriodIndex(cells["cohort"]).freqstr)


def _add_rates(table: pd.DataFrame, alpha: float) -> None:
    n_active = table["n_active"].to_numpy(dtype=float)
    n_customers = table["n_customers"].to_numpy(dtype=float)
    low, high = proportion_confint(n_active, n_customers, alpha=alpha, method="wilson")
    shown = (n_customers >= SMALLEST_COHORT) | (table["cohort"] == ALL_COHORTS).to_numpy()
    # At age 0 all are active by definition: nothing is estimated.
    estimated = shown & (table["age"] > 0).to_numpy()
    table["retention"] = np.where(shown, n_active / n_customers, np.nan)
    table["retention_low"] = np.where(estimated, low, np.nan)
    table["retention_high"] = np.where(estimated, high, np.nan)
