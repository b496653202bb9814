"""Customers for the models of lifetime value: the CDNOW log, and any number drawn from BG/NBD, day by day.

Both are written as plain arrays, which every environment can read: a log, and the summary that models are fitted to.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measure import ROOT

if TYPE_CHECKING:
    from benchmarks.measure import Phases

CDNOW = ROOT / "data" / "cdnow" / "transactions.csv"
CALIBRATION_END = date(1997, 9, 30)
SIMULATION_END = date(2025, 12, 31)
#: Of the simulated: purchases while alive (r, alpha in days), leaving (a, b), and spend (p, q, v).
PURCHASES, LEAVING, SPEND = (0.6, 40.0), (0.8, 2.6), (3.0, 4.0, 120.0)
#: Days since the first purchase, of the customer who came first and of the one who came last.
OLDEST, YOUNGEST = 729, 60


def write_cdnow(phases: Phases, *, folder: str) -> dict[str, pd.DataFrame]:
    """Write the log of 1997 up to the end of September (a measurement for :mod:`benchmarks.measure`)."""
    log = pd.read_csv(CDNOW, dtype={"customer_id": str}, parse_dates=["date"])
    log = log[log["date"].dt.date <= CALIBRATION_END]
    return _write(log[["customer_id", "date", "amount"]], CALIBRATION_END, Path(folder))


def write_simulated(phases: Phases, *, folder: str, customers: int) -> dict[str, pd.DataFrame]:
    """Write a log of so many customers; the same number gives the same log."""
    customer, day, amount = simulated_log(customers, np.random.default_rng(customers))
    log = pd.DataFrame(
        {
            "customer_id": pd.Series(np.char.mod("C%08d", np.arange(customers))).take(customer).array,
            "date": np.datetime64(SIMULATION_END) - (OLDEST - day).astype("timedelta64[D]"),
            "amount": amount,
        }
    )
    return _write(log, SIMULATION_END, Path(folder))


def simulated_log(
    customers: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Draw purchases by BG/NBD, told one by one: customer, day (up to ``OLDEST``) and amount in whole cents."""
    rate = rng.gamma(PURCHASES[0], 1 / PURCHASES[1], customers)
    leaves = rng.beta(*LEAVING, customers)
    nu = rng.gamma(SPEND[1], 1 / SPEND[2], customers)
    buying = np.arange(customers)
    clock = rng.integers(0, OLDEST - YOUNGEST, customers, endpoint=True).astype(float)
    who, when = [buying], [clock]
    while len(buying):
        clock = clock + rng.standard_exponential(len(buying)) / rate[buying]
        in_time = clock < OLDEST + 1
        buying, clock = buying[in_time], clock[in_time]
        who.append(buying)
        when.append(clock)
        stays = rng.random(len(buying)) >= leaves[buying]
        buying, clock = buying[stays], clock[stays]
    customer, day = np.concatenate(who), np.floor(np.concatenate(when)).astype(np.int64)
    amount = np.maximum(np.round(rng.gamma(SPEND[0], 1 / nu[customer]), 2), 0.01)
    order = np.lexsort((customer, day))
    return customer[order], day[order], amount[order]


def _write(log: pd.DataFrame, as_of: date, folder: Path) -> dict[str, pd.DataFrame]:
    from kehu_analysis.summaries import btyd_summary

    folder.mkdir(parents=True, exist_ok=True)
    log.to_parquet(folder / "transactions.parquet", index=False)
    paid = log[log["amount"] > 0]
    np.savez(
        folder / "log.npz",
        customer_id=paid["customer_id"].to_numpy(dtype="U"),
        date=paid["date"].to_numpy(dtype="datetime64[D]"),
        amount=paid["amount"].to_numpy(dtype=float),
    )
    summary = btyd_summary(log, as_of=as_of, time_unit="week")
    columns = ("frequency", "recency", "T", "monetary_value")
    np.savez(folder / "summary.npz", **{name: summary[name].to_numpy(dtype=float) for name in columns})
    return {}
