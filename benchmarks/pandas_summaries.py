"""The same summaries by pandas, from a log that fits in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ["customer_id", "date", "amount"]


def read_log(path: Path) -> pd.DataFrame:
    """Read customer, date and amount of a raw log."""
    if path.suffix == ".parquet":
        log = pd.read_parquet(path, columns=COLUMNS)
        log["date"] = pd.to_datetime(log["date"])
    else:
        log = pd.read_csv(path, usecols=COLUMNS, dtype={"customer_id": "str"}, parse_dates=["date"])
    # Floats, as pandas has no decimals that it could add up at speed.
    return log.astype({"amount": "float64"})


def summaries(log: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return all summaries of a log."""
    lines = log.assign(is_purchase=log["amount"] >= 0, month=log["date"].to_numpy().astype("datetime64[M]"))
    set_apart = lines[lines["customer_id"].isna()].groupby("month", as_index=False)["amount"].sum()
    days = lines.groupby(["customer_id", "date"], as_index=False).agg(
        amount=("amount", "sum"), is_purchase=("is_purchase", "max"), month=("month", "first")
    )
    monthly = days.groupby(["customer_id", "month"], as_index=False).agg(
        amount=("amount", "sum"), n_purchase_days=("is_purchase", "sum")
    )
    return {
        "customer_history": _customer_history(days),
        "monthly_sales": monthly,
        "cohorts": _cohorts(days),
        "set_apart_sales": set_apart,
    }


def _customer_history(days: pd.DataFrame) -> pd.DataFrame:
    n_purchases = days.groupby("customer_id")["is_purchase"].cumsum()
    days = days.assign(repeat_amount=days["amount"].where(n_purchases > 1, 0.0))[n_purchases > 0]
    amounts = days.groupby("customer_id").agg(total_amount=("amount", "sum"), repeat_amount=("repeat_amount", "sum"))
    purchases = days[days["is_purchase"]]
    intervals = purchases.groupby("customer_id")["date"].diff()
    logs = np.log(intervals / np.timedelta64(1, "D"))
    is_recent = purchases["date"] > days["date"].max() - np.timedelta64(91, "D")
    gaps = (intervals / np.timedelta64(1, "D")).where(is_recent)
    purchases = purchases.assign(log_interval=logs, recent_gap=gaps)
    found = purchases.groupby("customer_id").agg(
        n_purchases=("date", "size"),
        first_purchase=("date", "min"),
        last_purchase=("date", "max"),
        sum_log_interval_days=("log_interval", "sum"),
        recent_gap_days=("recent_gap", "max"),
    )
    found = found.join(amounts)
    frequency = found["n_purchases"] - 1
    week = np.timedelta64(7, "D")
    summary = found.assign(
        frequency=frequency,
        recency=(found["last_purchase"] - found["first_purchase"]) / week,
        T=(days["date"].max() - found["first_purchase"]) / week,
        monetary_value=found["repeat_amount"] / frequency.clip(lower=1),
        sum_log_interval=found["sum_log_interval_days"] - frequency * np.log(7),
        mean_amount=found["total_amount"] / found["n_purchases"],
        n_intervals=frequency,
        recent_gap_days=found["recent_gap_days"].fillna(0).astype("int64"),
    )
    return summary.drop(columns=["n_purchases", "repeat_amount"]).reset_index()


def _cohorts(days: pd.DataFrame) -> pd.DataFrame:
    purchases = days[days["is_purchase"]]
    quarter = purchases["date"].dt.year * 4 + purchases["date"].dt.quarter - 1
    purchases = purchases.assign(quarter=quarter)
    active = purchases.groupby(["customer_id", "quarter"], as_index=False)["amount"].sum()
    active["cohort"] = active.groupby("customer_id")["quarter"].transform("min")
    active["age"] = active["quarter"] - active["cohort"]
    return active.groupby(["cohort", "age"], as_index=False).agg(
        n_active=("customer_id", "size"), amount=("amount", "sum")
    )
