"""Retention: how many of those who first bought together are active later."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.loyalty.cohort_intervals import (
    FEWEST_COHORTS,
    mean_rate_intervals,
    next_cohort_interval,
    trend_interval,
)
from kehu_analysis.periods import Quarter

__all__ = ["ALL_COHORTS", "SMALLEST_COHORT", "cohort_name", "cohort_retention"]

#: A smaller cohort shows no rate of its own; it counts in the pooled one.
SMALLEST_COHORT = 10
#: Stands for the pooled rows in the column ``cohort``.
ALL_COHORTS = "all_cohorts"
#: Ages whose pooled retention is told as a fact.
_TOLD_AGES = (1, 2, 4)
#: The next cohort is taken to be as large as these last ones on the mean.
_LAST_COHORTS = 4
_PERIODS_PER_YEAR = {"M": 12, "Q": 4}


def cohort_retention(
    cohorts: pd.DataFrame,
    *,
    as_of: date,
    interval: float = 0.95,
    prediction_interval: float = 0.90,
    rng: np.random.Generator | int = 0,
) -> Finding:
    """Answer: of the customers who first bought in one period, how many buy again in each later one?

    The retention of a cohort at an age is ``n_active / n_customers``, with Wilson's interval. A customer
    may skip a period and be active again, so retention can rise with age. Pooled retention at an age takes
    only the cohorts that have reached it, ``Σ n_active / Σ n_customers`` over those, and not the first cohort: it holds
    whoever bought before the log began, and is none.

    Cohorts differ, by more than chance among their customers, and the same customers stand in all cells of one. The
    interval of the pooled rate draws whole cohorts; where the *next* cohort's rate will lie is another question, and
    its interval wider (beta-binomial). Of fewer than five cohorts there is neither.

    Down the pooled curve cohorts drop out, and it may rise for that alone. The linked curve goes from each age to the
    next by the cohorts that have reached both: ``Π Σ n_active(a) / Σ n_active(a - 1)``.

    Parameters
    ----------
    cohorts
        ``cohort`` (Period of the first purchase, quarters or months), ``age`` (periods since),
        ``n_customers`` (size of the cohort), ``n_active`` (with a purchase day in that period). Periods that
        end after ``as_of`` are censored and not read.
    as_of
        Last day of the observation.
    interval, prediction_interval
        Level of the intervals, and of that of the next cohort.
    rng
        Seed or source of the draws of cohorts.

    Returns
    -------
    Finding
        ``cohort_retention``: table with ``cohort``, ``age``, ``n_cohorts`` (in the row), ``n_customers``, ``n_active``,
        ``retention``, ``retention_low``, ``retention_high`` (missing for cohorts under 10 customers; bounds also at age
        0), ``next_low`` and ``next_high`` (of the next cohort), ``linked_retention`` with ``_low`` and ``_high``, by
        cohort and age, and after them the pooled rows with cohort ``all_cohorts``. Facts: ``n_customers``,
        ``n_cohorts``, ``n_small_cohorts``, ``n_pooled_cohorts`` and ``n_pooled_customers`` (without the first, unless
        it is the only one), ``period`` (code), ``oldest_age``, and ``retention_1``, ``retention_2``, ``retention_4``,
        each with ``_low`` and ``_high``, ``next_1_low``, ``next_1_high`` (for a cohort of ``next_size``),
        ``trend_per_year`` (change of ``retention_1`` from the cohorts of one year to those of the next) with ``_low``
        and ``_high``, ``retention_1_of_first``, ``oldest_pooled_age``, and at that age ``retention_oldest`` and
        ``linked_oldest``. What cannot be told is missing.

    Raises
    ------
    DataError
        Columns are missing, a cell stands twice, or more customers are active than there are.
    InsufficientDataError
        No cohort has a complete later period.
    UsageError
        ``interval`` or ``prediction_interval`` is not between 0 and 1.

    Notes
    -----
    Wilson, E. B. (1927), *JASA* 22, 209-212; pooled and next:
    :mod:`kehu_analysis.loyalty.cohort_intervals`.

    Examples
    --------
    >>> cohorts = pd.DataFrame({"cohort": pd.PeriodIndex(["2026Q1", "2026Q1", "2026Q2"], freq="Q-DEC"),
    ...                         "age": [0, 1, 0], "n_customers": [40, 40, 20], "n_active": [40, 10, 20]})
    >>> cohort_retention(cohorts, as_of=date(2026, 6, 30)).facts["retention_1"].value
    0.25
    """
    for level in (interval, prediction_interval):
        if not 0 < level < 1:
            raise UsageError("interval", interval=level)
    cells = _observed_cells(cohorts, as_of)
    if not (cells["age"] > 0).any():
        raise InsufficientDataError("no_later_period", as_of=str(as_of))

    first = cells["cohort"].min()
    later = cells[cells["cohort"] != first]
    # The first cohort alone is better than nothing, and said to be that.
    has_others = bool((later["age"] > 0).any())
    headline = later if has_others else cells[cells["cohort"] == first]
    by_cohort = cells.sort_values(["cohort", "age"])
    by_cohort["cohort"] = by_cohort["cohort"].map(cohort_name)
    by_cohort = _with_own_rates(by_cohort.assign(n_cohorts=1), 1 - interval)
    pooled = _pooled(headline, interval, prediction_interval, np.random.default_rng(rng))
    columns = ["cohort", "age", "n_cohorts", "n_customers", "n_active", "retention", "retention_low", "retention_high"]
    columns += ["next_low", "next_high", "linked_retention", "linked_retention_low", "linked_retention_high"]
    table = pd.concat([by_cohort, pooled.assign(cohort=ALL_COHORTS)], ignore_index=True)[columns]

    sizes = cells.groupby("cohort")["n_customers"].first()
    pooled_sizes = headline.groupby("cohort")["n_customers"].first()
    facts = {
        "n_customers": Fact(int(sizes.sum()), "customers"),
        "n_cohorts": Fact(len(sizes), "count"),
        "n_small_cohorts": Fact(int((sizes < SMALLEST_COHORT).sum()), "count"),
        "n_pooled_cohorts": Fact(int((headline["age"] == 1).sum()), "count"),
        "n_pooled_customers": Fact(int(pooled_sizes.sum()), "customers"),
        "fewest_cohorts": Fact(FEWEST_COHORTS, "count"),
        "smallest_cohort": Fact(SMALLEST_COHORT, "customers"),
        "period": Fact("period_month" if _frequency(cells).startswith("M") else "period_quarter", "code"),
        "oldest_age": Fact(int(cells["age"].max()), "count"),
        "first_cohort": Fact(cohort_name(first), "text"),
        "interval": Fact(interval, "share"),
        "prediction_interval": Fact(prediction_interval, "share"),
    }
    facts |= _told(pooled.set_index("age"), cells, headline, interval)
    parameters = {"as_of": str(as_of), "interval": interval, "prediction_interval": prediction_interval}
    return Finding("cohort_retention", table, facts, parameters, _notes(facts, has_others))


def _told(pooled: pd.DataFrame, cells: pd.DataFrame, headline: pd.DataFrame, interval: float) -> dict[str, Fact]:
    facts = {}
    for age in _TOLD_AGES:
        for end in ("", "_low", "_high"):
            facts[f"retention_{age}{end}"] = Fact(pooled[f"retention{end}"].get(age), "share")
    facts["next_1_low"] = Fact(pooled["next_low"].get(1), "share")
    facts["next_1_high"] = Fact(pooled["next_high"].get(1), "share")
    facts["next_size"] = Fact(_next_size(headline), "customers")
    ones = headline[headline["age"] == 1].sort_values("cohort")
    counted = [ones[name].to_numpy(dtype=float) for name in ("n_active", "n_customers")]
    position = np.array([period.ordinal for period in ones["cohort"]], dtype=float)
    per_year = _PERIODS_PER_YEAR[_frequency(cells)[0]]
    trend = trend_interval(position, *counted, interval=interval)
    for end, value in zip(("", "_low", "_high"), trend, strict=True):
        facts[f"trend_per_year{end}"] = Fact(value * per_year, "share")
    own = cells[(cells["age"] == 1) & (cells["cohort"] == cells["cohort"].min())]
    facts["retention_1_of_first"] = Fact(float((own["n_active"] / own["n_customers"]).sum()), "share")
    oldest = int(pooled.index.max())
    facts["oldest_pooled_age"] = Fact(oldest, "count")
    facts["retention_oldest"] = Fact(pooled["retention"].get(oldest), "share")
    facts["linked_oldest"] = Fact(pooled["linked_retention"].get(oldest), "share")
    return facts


def _notes(facts: dict[str, Fact], has_others: bool) -> tuple[str, ...]:
    has_intervals = int(facts["n_pooled_cohorts"].value or 0) >= FEWEST_COHORTS  # type: ignore[arg-type]
    notes = ["first_cohort_apart" if has_others else "only_first_cohort"]
    notes.append("cohorts_differ" if has_intervals else "too_few_cohorts")
    notes += ["next_cohort", "retention_trend"] if has_intervals else []
    notes.append("retention_periods_skipped")
    notes += ["retention_linked"] if has_others and np.isfinite(facts["linked_oldest"].value) else []  # type: ignore[arg-type]
    return (*notes, "small_cohorts_pooled") if facts["n_small_cohorts"].value else tuple(notes)


def _next_size(headline: pd.DataFrame) -> int:
    sizes = headline.sort_values(["cohort", "age"]).groupby("cohort")["n_customers"].first()
    return max(1, round(float(sizes.tail(_LAST_COHORTS).mean())))


def _pooled(
    headline: pd.DataFrame, interval: float, prediction_interval: float, rng: np.random.Generator
) -> pd.DataFrame:
    active = headline.pivot_table(index="cohort", columns="age", values="n_active", aggfunc="sum")
    sizes = headline.groupby("cohort")["n_customers"].first().reindex(active.index).to_numpy(dtype=float)
    matrix = active.to_numpy(dtype=float)
    table = headline.groupby("age", as_index=False)[["n_customers", "n_active"]].sum()
    table["n_cohorts"] = np.isfinite(matrix).sum(axis=0)
    table["retention"] = table["n_active"] / table["n_customers"]
    low, high, linked_low, linked_high = mean_rate_intervals(matrix, sizes, interval=interval, rng=rng)
    estimated = (table["age"] > 0).to_numpy()
    table["retention_low"] = np.where(estimated, low, np.nan)
    table["retention_high"] = np.where(estimated, high, np.nan)
    table["linked_retention"] = _linked(matrix, table)
    table["linked_retention_low"] = np.where(estimated, linked_low, np.nan)
    table["linked_retention_high"] = np.where(estimated, linked_high, np.nan)
    bounds = [(np.nan, np.nan)] * len(table)
    for place in np.flatnonzero(estimated & (table["n_cohorts"] >= FEWEST_COHORTS).to_numpy()):
        seen = np.isfinite(matrix[:, place])
        size = _next_size(headline)
        bounds[place] = next_cohort_interval(matrix[seen, place], sizes[seen], size, interval=prediction_interval)
    return table.assign(next_low=[low for low, _ in bounds], next_high=[high for _, high in bounds])


def _linked(matrix: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    linked = np.full(len(table), np.nan)
    # A table of one cell, or with an age left out, has no link to go by.
    if (table["age"].to_numpy() == np.arange(len(table))).all():
        reached = np.isfinite(matrix[:, 1:])
        before = np.where(reached, matrix[:, :-1], 0.0).sum(axis=0)
        after = np.where(reached, matrix[:, 1:], 0.0).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            linked = np.cumprod(np.r_[1.0, after / before])
    return linked


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


def cohort_name(period: pd.Period) -> str:
    """Return a cohort's name: its month, or the quarter of the fiscal year by where that starts."""
    if period.freqstr.startswith("M"):
        return str(period)
    # pandas names a fiscal quarter by the year in which its fiscal year ends, the package by where it starts.
    start = pd.Period(period.start_time, "M") - 3 * (period.quarter - 1)
    return str(Quarter.containing(period.start_time.date(), fiscal_year_start=start.month))


def _frequency(cells: pd.DataFrame) -> str:
    return str(pd.PeriodIndex(cells["cohort"]).freqstr)


def _with_own_rates(cells: pd.DataFrame, alpha: float) -> pd.DataFrame:
    n_active = cells["n_active"].to_numpy(dtype=float)
    n_customers = cells["n_customers"].to_numpy(dtype=float)
    low, high = proportion_confint(n_active, n_customers, alpha=alpha, method="wilson")
    shown = n_customers >= SMALLEST_COHORT
    # At age 0 all are active by definition: nothing is estimated.
    estimated = shown & (cells["age"] > 0).to_numpy()
    return cells.assign(
        retention=np.where(shown, n_active / n_customers, np.nan),
        retention_low=np.where(estimated, low, np.nan),
        retention_high=np.where(estimated, high, np.nan),
    )
