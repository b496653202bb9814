"""Retention of money: what last year's customers bring this year, and how a cohort's sales go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.loyalty.retention import SMALLEST_COHORT, cohort_name

__all__ = ["cohort_sales", "numbered_quarters", "sales_retention"]

_YEAR = 4


def sales_retention(quarters: pd.DataFrame, *, interval: float = 0.95) -> Finding:
    """Answer: of what the customers of a quarter bought, how much do the same customers buy a year later?

    A quarter is set against the same quarter a year before, so that the season cancels; where the log is shorter,
    against the quarter before, and says so. Over the customers with sales above 0 in the base quarter, ``b`` their
    sales then and ``a`` now:

    - net retention ``Σ a / Σ b``: growth of those who stay makes up for those who leave;
    - gross retention ``Σ min(a, b) / Σ b``: nothing makes up for it, so it never exceeds 100 %;
    - kept: the share of customers with a purchase day now.

    New customers are in none of them.

    Parameters
    ----------
    quarters
        ``customer_id``, ``quarter`` (Period), ``amount``, ``margin`` (missing where unknown), ``n_purchase_days``: as
        of :func:`~kehu_analysis.summaries.customer_quarters`.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``sales_retention``: a row a quarter that has a base: ``quarter``, ``n_base``, ``n_kept``, ``kept``,
        ``kept_low``, ``kept_high`` (Wilson), ``base_amount``, ``net_retention``, ``gross_retention``, each with
        ``_low`` and ``_high`` (ratio estimates over customers), ``net_margin_retention`` and ``gross_margin_retention``
        (missing where a margin is not known). Facts: the last row's figures by the same names, ``quarter``,
        ``quarters_between`` (4, or 1), ``n_new`` and ``new_amount`` (customers of the last quarter who are not in its
        base), ``largest_share`` (of the base, of one customer), ``lost_amount`` (base of those who bought nothing),
        ``grown_amount`` and ``fallen_amount`` (changes of those who stayed).

    Raises
    ------
    DataError
        Columns are missing, hold no numbers or quarters, or a customer and quarter stand twice.
    InsufficientDataError
        No quarter has one to be set against.
    UsageError
        ``interval`` is not between 0 and 1.

    Notes
    -----
    Standard error of a ratio: Cochran, W. G. (1977), *Sampling Techniques*, section 2.11. Where one customer is a large
    part of the base no interval helps; its share is told.

    Examples
    --------
    >>> quarters = pd.DataFrame({"customer_id": ["a", "b", "a"], "amount": [60.0, 40.0, 80.0], "margin": np.nan,
    ...     "quarter": pd.PeriodIndex(["2025Q1", "2025Q1", "2026Q1"], freq="Q-DEC"), "n_purchase_days": 1})
    >>> facts = sales_retention(quarters).facts
    >>> facts["net_retention"].value, facts["gross_retention"].value, facts["kept"].value
    (0.8, 0.6, 0.5)
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    cells = numbered_quarters(quarters, "sales_retention")
    last = int(cells["number"].max())
    first = int(cells["number"].min())
    between = _YEAR if last - first >= _YEAR else 1
    if last - first < between:
        raise InsufficientDataError("one_quarter")
    z = float(stats.norm.ppf((1 + interval) / 2))
    rows = [_against_base(cells, number, between, z, interval) for number in range(first + between, last + 1)]
    found = [row for row in rows if row is not None]
    if not found:
        raise InsufficientDataError("one_quarter")
    table = pd.DataFrame([row for row, _ in found])
    row, parts = found[-1]
    facts = {name: Fact(value, _UNITS.get(name, "share")) for name, value in row.items() if name != "quarter"} | {
        "quarter": Fact(row["quarter"], "text"),
        "base_quarter": Fact(parts["base_quarter"], "text"),
        "quarters_between": Fact(between, "count"),
        "n_new": Fact(parts["n_new"], "customers"),
        "interval": Fact(interval, "share"),
        "largest_share": Fact(parts["largest_share"], "share"),
    }
    for name in ("new_amount", "lost_amount", "grown_amount", "fallen_amount"):
        facts[name] = Fact(parts[name], "currency")
    notes = ["sales_retention_ratio", "season_cancels" if between == _YEAR else "season_stays"]
    known = np.isfinite(row["net_margin_retention"])
    notes.append("margin_retention" if known else "sales_not_margin")
    return Finding("sales_retention", table, facts, {"interval": interval}, tuple(notes))


_UNITS = {"n_base": "customers", "n_kept": "customers", "base_amount": "currency"}


def _against_base(
    cells: pd.DataFrame, number: int, between: int, z: float, interval: float
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    names = ["amount", "margin", "n_purchase_days"]
    now, base = (cells[cells["number"] == when].set_index("customer_id")[names] for when in (number, number - between))
    base = base[base["amount"] > 0]
    if base.empty or now.empty:
        return None
    then = now.reindex(base.index)
    absent = then["amount"].isna()
    a, b = then["amount"].fillna(0.0).to_numpy(), base["amount"].to_numpy()
    kept = then["n_purchase_days"].fillna(0).to_numpy() > 0
    low, high = proportion_confint(kept.sum(), len(base), alpha=1 - interval, method="wilson")
    row: dict[str, Any] = {
        "quarter": cohort_name(now_period(cells, number)),
        "n_base": len(base),
        "n_kept": int(kept.sum()),
        "kept": float(kept.mean()),
        "kept_low": float(low),
        "kept_high": float(high),
        "base_amount": float(b.sum()),
    }
    for name, part in (("net_retention", a), ("gross_retention", np.minimum(a, b))):
        ratio, error = _ratio(part, b)
        row |= {name: ratio, f"{name}_low": max(ratio - z * error, 0.0), f"{name}_high": ratio + z * error}
    row["gross_retention_high"] = min(float(row["gross_retention_high"]), 1.0)
    m_then, m_base = then["margin"].where(~absent, 0.0).to_numpy(), base["margin"].to_numpy()
    known = bool(np.isfinite(m_then).all() and np.isfinite(m_base).all() and m_base.sum() > 0)
    row["net_margin_retention"] = float(m_then.sum() / m_base.sum()) if known else np.nan
    row["gross_margin_retention"] = float(np.minimum(m_then, m_base).sum() / m_base.sum()) if known else np.nan
    new = now[~now.index.isin(base.index) & (now["n_purchase_days"] > 0)]
    parts: dict[str, Any] = {
        "base_quarter": cohort_name(now_period(cells, number - between)),
        "n_new": len(new),
        "new_amount": float(new["amount"].sum()),
        "largest_share": float(b.max() / b.sum()),
        "lost_amount": float(b[~kept].sum()),
        "grown_amount": float(np.maximum(a - b, 0)[kept].sum()),
        "fallen_amount": float(np.maximum(b - a, 0)[kept].sum()),
    }
    return row, parts


def _ratio(part: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    ratio, n = float(part.sum() / base.sum()), len(base)
    if n < 2:
        return ratio, float("nan")
    return ratio, float(np.sqrt(n / (n - 1) * ((part - ratio * base) ** 2).sum()) / base.sum())


def now_period(cells: pd.DataFrame, number: int) -> pd.Period:
    """Return the quarter of a number."""
    period: pd.Period = cells["quarter"].iloc[0]
    return period + (number - period.ordinal)


def cohort_sales(quarters: pd.DataFrame) -> Finding:
    """Answer: what do the customers who first bought in one quarter bring in each later one?

    Sales and margin of a cohort by age, for each customer of the cohort, whether it still buys or not. The first
    quarter of a cohort is cut short for most of its customers, so the course is told against age 1.

    Parameters
    ----------
    quarters
        As for :func:`sales_retention`.

    Returns
    -------
    Finding
        ``cohort_sales``: ``cohort``, ``age``, ``n_customers``, ``amount_each``, ``margin_each``,
        ``amount_against_1`` and ``margin_against_1`` (share of that of age 1), missing for cohorts under 10 customers;
        ``is_small``. After them ``all_cohorts``, without the first cohort where there are others: each age against age
        1 of the same cohorts. Facts: ``n_cohorts``, ``n_customers``, ``n_small_cohorts``, ``first_cohort``,
        ``amount_against_1_at_4`` and ``margin_against_1_at_4`` (a year later, of all cohorts; the season cancels not).

    Raises
    ------
    DataError
        As for :func:`sales_retention`.
    InsufficientDataError
        No cohort has a later quarter.
    """
    cells = numbered_quarters(quarters, "cohort_sales")
    bought = cells[cells["n_purchase_days"] > 0]
    first = bought.groupby("customer_id")["number"].min()
    cells = cells.assign(cohort=cells["customer_id"].map(first)).dropna(subset=["cohort"])
    # A return from before the log, on an earlier day than the first purchase, belongs to no cohort.
    cells = cells[cells["number"] >= cells["cohort"]].astype({"cohort": "int64"})
    sizes = first.value_counts()
    last = int(cells["number"].max())
    if not (sizes.index < last).any():
        raise InsufficientDataError("no_later_period", as_of=cohort_name(now_period(cells, last)))
    pairs = [(cohort, age) for cohort in sorted(sizes.index) for age in range(last - cohort + 1)]
    sums = cells.assign(age=cells["number"] - cells["cohort"]).groupby(["cohort", "age"])
    # A margin is known of all lines or of none that matter.
    whole = pd.DataFrame({"amount": sums["amount"].sum(), "margin": sums["margin"].sum(min_count=1)})
    grid = pd.MultiIndex.from_tuples(pairs, names=["cohort", "age"])
    has_margin = bool(cells["margin"].notna().any())
    table = whole.reindex(grid).fillna({"amount": 0.0} | ({"margin": 0.0} if has_margin else {})).reset_index()
    table["n_customers"] = table["cohort"].map(sizes)
    others = table[table["cohort"] != table["cohort"].min()]
    headline = others if (others["age"] > 0).any() else table
    rows = pd.concat([_by_customer(table, cells), _pooled_course(headline)], ignore_index=True)
    own = rows[rows["cohort"] == "all_cohorts"].set_index("age")
    facts = {
        "n_cohorts": Fact(len(sizes), "count"),
        "n_customers": Fact(int(sizes.sum()), "customers"),
        "n_small_cohorts": Fact(int((sizes < SMALLEST_COHORT).sum()), "count"),
        "smallest_cohort": Fact(SMALLEST_COHORT, "customers"),
        "first_cohort": Fact(cohort_name(now_period(cells, int(sizes.index.min()))), "text"),
        "amount_against_1_at_4": Fact(own["amount_against_1"].get(4), "share"),
        "margin_against_1_at_4": Fact(own["margin_against_1"].get(4), "share"),
    }
    notes = ["cohort_sales_from_1", "margin_of_lines" if has_margin else "sales_not_margin"]
    notes += ["small_cohorts_pooled"] if facts["n_small_cohorts"].value else []
    return Finding("cohort_sales", rows, facts, {}, tuple(notes))


def _by_customer(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    ones = table[table["age"] == 1].set_index("cohort")
    shown = table["n_customers"] >= SMALLEST_COHORT
    found = pd.DataFrame(
        {
            "cohort": [cohort_name(now_period(cells, int(number))) for number in table["cohort"]],
            "age": table["age"],
            "n_customers": table["n_customers"],
            "is_small": ~shown,
        }
    )
    for name in ("amount", "margin"):
        base = table["cohort"].map(ones[name])
        found[f"{name}_each"] = (table[name] / table["n_customers"]).where(shown)
        found[f"{name}_against_1"] = (table[name] / base.where(base > 0)).where(shown & (table["age"] > 0))
    return found


def _pooled_course(table: pd.DataFrame) -> pd.DataFrame:
    ones = table[table["age"] == 1].set_index("cohort")
    based = table.assign(**{f"{name}_1": table["cohort"].map(ones[name]) for name in ("amount", "margin")})
    sums = based.groupby("age").sum(min_count=1)
    found = pd.DataFrame({"cohort": "all_cohorts", "age": sums.index, "n_customers": sums["n_customers"].to_numpy()})
    found["is_small"] = False
    for name in ("amount", "margin"):
        found[f"{name}_each"] = (sums[name] / sums["n_customers"]).to_numpy()
        course = sums[name] / sums[f"{name}_1"].where(sums[f"{name}_1"] > 0)
        found[f"{name}_against_1"] = course.where(sums.index > 0).to_numpy()
    return found


def numbered_quarters(quarters: pd.DataFrame, analysis: str) -> pd.DataFrame:
    """Return the rows of customers and quarters, checked, with the number of the quarter, in order of both."""
    names = ("customer_id", "quarter", "amount", "margin", "n_purchase_days")
    check_columns(quarters, names, analysis=analysis)
    check_numbers(quarters, ("amount",), analysis=analysis)
    check_numbers(quarters, ("n_purchase_days",), analysis=analysis, at_least=0)
    if not isinstance(quarters["quarter"].dtype, pd.PeriodDtype):
        raise DataError("not_periods", dtype=str(quarters["quarter"].dtype))
    twice = quarters.duplicated(["customer_id", "quarter"])
    if twice.any():
        row = quarters[twice].iloc[0]
        raise DataError("customer_quarter_twice", customer_id=str(row["customer_id"]), quarter=str(row["quarter"]))
    number = pd.PeriodIndex(quarters["quarter"]).asi8
    found = quarters[list(names)].assign(number=number, margin=pd.to_numeric(quarters["margin"]))
    return found.sort_values(["customer_id", "number"]).reset_index(drop=True)
