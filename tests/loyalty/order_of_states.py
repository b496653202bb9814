"""Whether customers buy the less, the later the state that the past gives them; out of time."""

from datetime import date

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.loyalty import customer_states
from kehu_analysis.summaries import customer_history

#: New and back have no place in the order.
ORDER = ("on_time", "due", "late", "probably_gone", "gone")
SMALLEST, AHEAD_DAYS = 50, 182


def reversals(log: pd.DataFrame, as_of: date) -> list[tuple[str, str]]:
    """Return neighbouring states of 50 or more of which the later one buys more often, beyond joint 95 % limits."""
    later = log["date"] - pd.Timestamp(as_of)
    ahead = (later > pd.Timedelta(0)) & (later <= pd.Timedelta(days=AHEAD_DAYS)) & (log["amount"] >= 0)
    table = customer_states(customer_history(log, as_of), as_of=as_of).table
    buys = table["customer_id"].isin(log.loc[ahead, "customer_id"].unique())
    counts = buys.groupby(table["state"]).agg(["size", "sum"]).reindex(ORDER).dropna().astype(int)
    counts = counts[counts["size"] >= SMALLEST]
    assert len(counts) >= 2
    # Several limits hold jointly where each holds the more surely.
    low, high = proportion_confint(counts["sum"], counts["size"], alpha=0.05 / len(counts), method="wilson")
    pairs = zip(counts.index[:-1], counts.index[1:], np.asarray(high)[:-1], np.asarray(low)[1:], strict=True)
    return [(before, after) for before, after, high_before, low_after in pairs if low_after > high_before]
