"""Summary functions of lifetimes and pymc-marketing, and ours, on one and the same frame of daily data.

What the packages define differently is kept out of the frame: it has positive amounts only, and every line names a
customer. The peers run in an environment of their own (``requirements.txt``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from benchmarks.measure import Phases

COLUMNS = ["customer_id", "frequency", "recency", "T", "monetary_value"]


def ours(phases: Phases, *, log: str) -> dict[str, pd.DataFrame]:
    """Run :func:`kehu_analysis.summaries.btyd_summary`."""
    from kehu_analysis.summaries import btyd_summary

    return _timed(phases, log, lambda frame: btyd_summary(frame, time_unit="day"))


def lifetimes(phases: Phases, *, log: str) -> dict[str, pd.DataFrame]:
    """Run ``lifetimes.utils.summary_data_from_transaction_data``."""
    from lifetimes.utils import summary_data_from_transaction_data

    def summarise(frame: pd.DataFrame) -> pd.DataFrame:
        return summary_data_from_transaction_data(
            frame, "customer_id", "date", monetary_value_col="amount", freq="D"
        ).reset_index()

    return _timed(phases, log, summarise)


def pymc_marketing(phases: Phases, *, log: str) -> dict[str, pd.DataFrame]:
    """Run ``pymc_marketing.clv.utils.rfm_summary``."""
    from pymc_marketing.clv.utils import rfm_summary

    return _timed(
        phases,
        log,
        lambda frame: rfm_summary(frame, "customer_id", "date", monetary_value_col="amount", time_unit="D"),
    )


def write_frame(phases: Phases, *, log: str, path: str) -> dict[str, pd.DataFrame]:
    """Write a log's customers, days and positive amounts as plain arrays, which every environment can read."""
    frame = pd.read_parquet(log, columns=["customer_id", "date", "amount"])
    frame = frame[frame["customer_id"].notna() & (frame["amount"] > 0)]
    np.savez(
        path,
        customer_id=frame["customer_id"].to_numpy(dtype="U"),
        date=pd.to_datetime(frame["date"]).to_numpy(dtype="datetime64[D]"),
        amount=frame["amount"].to_numpy(dtype="float64"),
    )
    return {}


def _timed(phases: Phases, log: str, summarise: Callable[[pd.DataFrame], pd.DataFrame]) -> dict[str, pd.DataFrame]:
    with np.load(log) as arrays:
        frame = pd.DataFrame({name: pd.Series(arrays[name]) for name in ("customer_id", "date", "amount")})
    frame = frame.astype({"customer_id": "str", "date": "datetime64[us]"})
    with phases("summary"):
        summary = summarise(frame)
    return {"btyd_summary": summary[COLUMNS]}
