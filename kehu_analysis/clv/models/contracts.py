"""Tables of contracts, a row a customer or a row a cohort and period, as the counts that a model is fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kehu_analysis.clv.checks import faults_in
from kehu_analysis.clv.fitting.sample import compressed
from kehu_analysis.errors import DataError


def contract_counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many customers left in which period, and how many were still there after the last one seen.

    Parameters
    ----------
    table
        Either a row a customer (or, with ``weight``, a group of customers alike): ``period`` in which the contract
        ended (1, 2, …) where ``ended`` is True, and the number of periods survived (0, 1, …) where it is False.
        Or a row a cohort and period: ``period`` (1, 2, … without a gap), ``n_left`` customers who left in it, and
        ``n_customers`` at the cohort's start, in each row or in one alone, say of period 0. ``cohort`` names the
        cohort where there are several.

    Returns
    -------
    DataFrame
        period, ended (1 or 0), weight (number of customers), sorted; none has weight 0.

    Raises
    ------
    DataError
        A column is missing, or rows break the rules.

    Examples
    --------
    >>> contract_counts(pd.DataFrame({"period": [1, 2], "n_left": [30, 20], "n_customers": 100})).to_dict("list")
    {'period': [1.0, 2.0, 2.0], 'ended': [1.0, 0.0, 1.0], 'weight': [30.0, 50.0, 20.0]}
    """
    is_by_cohort = "n_left" in table.columns
    needed = ["period", "n_left", "n_customers"] if is_by_cohort else ["period", "ended"]
    missing = [column for column in needed if column not in table.columns]
    if missing:
        found = ", ".join(str(column) for column in table.columns)
        raise DataError("missing_columns", analysis="clv", missing=", ".join(missing), found=found)
    rows = _of_cohorts(table) if is_by_cohort else _of_customers(table)
    return compressed(rows[rows["weight"] > 0], ["period", "ended"])


def _of_customers(table: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({"period": _numbers(table["period"]), "ended": _numbers(table["ended"])})
    rows["weight"] = _numbers(table["weight"]) if "weight" in table.columns else 1.0
    rules = _period_rules(rows["period"])
    if "customer_id" in table.columns:
        rules.append(("customer_id: 2×", table["customer_id"].duplicated()))
    rules += [
        ("ended ≠ True, False", ~rows["ended"].isin([0, 1])),
        ("ended, period = 0", (rows["ended"] == 1) & (rows["period"] == 0)),
        ("weight ≤ 0, weight = NaN", ~(np.isfinite(rows["weight"]) & (rows["weight"] > 0))),
    ]
    _refuse(faults_in(table, rules))
    return rows


def _of_cohorts(table: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame({name: _numbers(table[name]) for name in ("period", "n_left", "n_customers")})
    rows["cohort"] = table["cohort"] if "cohort" in table.columns else 0
    start = rows["period"] == 0
    rows.loc[start & rows["n_left"].isna(), "n_left"] = 0.0
    by_cohort = rows.groupby("cohort", sort=False, dropna=False)
    sizes = by_cohort["n_customers"].transform("max")
    # The periods that a cohort should have are as many as its last one says.
    last = by_cohort["period"].transform("max")
    n_periods = (~start).groupby(rows["cohort"], sort=False, dropna=False).transform("sum")
    rules = [
        *_period_rules(rows["period"]),
        ("cohort = NaN", rows["cohort"].isna()),
        ("n_left = NaN", ~np.isfinite(rows["n_left"])),
        ("n_left < 0", rows["n_left"] < 0),
        ("period = 0, n_left > 0", start & (rows["n_left"] > 0)),
        ("n_customers ≤ 0, n_customers = NaN", ~(np.isfinite(sizes) & (sizes > 0))),
        ("n_customers ≠ n_customers", by_cohort["n_customers"].transform("min") < sizes),
        ("(cohort, period): 2×", rows.duplicated(["cohort", "period"])),
        ("period ≠ 1, 2, …, max(period)", n_periods != last),
        ("Σ n_left > n_customers", by_cohort["n_left"].transform("sum") > sizes * (1 + 1e-12)),
    ]
    _refuse(faults_in(table, rules))
    cohorts = by_cohort.agg(period=("period", "max"), left=("n_left", "sum"), size=("n_customers", "max"))
    left = pd.DataFrame({"period": rows["period"], "ended": 1.0, "weight": rows["n_left"]})
    stayed = pd.DataFrame({"period": cohorts["period"], "ended": 0.0, "weight": cohorts["size"] - cohorts["left"]})
    return pd.concat([left, stayed], ignore_index=True)


def _numbers(values: pd.Series[float]) -> pd.Series[float]:
    return pd.to_numeric(values, errors="coerce").astype(float)


def _period_rules(period: pd.Series[float]) -> list[tuple[str, pd.Series[bool]]]:
    return [("period ≠ 0, 1, 2, …", ~((period >= 0) & (period % 1 == 0)))]


def _refuse(faults: str) -> None:
    if faults:
        raise DataError("contracts_broken", faults=faults)
