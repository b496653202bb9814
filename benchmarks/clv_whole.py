"""Our whole path on many customers: a snapshot of their log, the summary, and every customer's value with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from benchmarks.measure import Phases


def snapshot(phases: Phases, *, log: str, folder: str) -> dict[str, pd.DataFrame]:
    """Check the log and make its snapshot in ``folder``."""
    from kehu_analysis.data import check_dataset

    with phases("log → check, snapshot"):
        check_dataset(log, cache=folder)
    return {}


def value(phases: Phases, *, folder: str) -> dict[str, pd.DataFrame]:
    """Summarise the snapshot, fit both models, and tell values with intervals over three years."""
    from kehu_analysis.clv import BetaGeoModel, GammaGammaModel
    from kehu_analysis.clv.valuation.lifetime_value import customer_lifetime_value
    from kehu_analysis.data import check_dataset
    from kehu_analysis.summaries import btyd_summary

    (stored,) = (path.parent for path in Path(folder).glob("*/customer_keys.parquet"))
    dataset = check_dataset(str(stored))
    with phases("snapshot → summary"):
        summary = btyd_summary(dataset, time_unit="week")
    with phases("fit of BG/NBD and Gamma-Gamma"):
        purchases, spend = BetaGeoModel().fit(summary), GammaGammaModel().fit(summary)
    with phases("value of each, and of all, with 90 % intervals"):
        values = customer_lifetime_value(summary, purchase_model=purchases, spend_model=spend, time_unit="week")
    names = ("customer_equity", "customer_equity_low", "customer_equity_high")
    told = {name: [values.facts[name].value] for name in names}
    return {"value": pd.DataFrame({"n_customers": [len(values.table)], **told})}
