"""Histories of customers whose lives and waits are known, for the tests of states."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

AS_OF = date(2026, 9, 30)


def history(intervals, silence, amounts=None, recent_gap=0):
    """Make the input from each customer's intervals in days and its silence so far."""
    logs = [np.log(np.asarray(row, dtype=float)).sum() if len(row) else 0.0 for row in intervals]
    last = [AS_OF - timedelta(days=int(days)) for days in silence]
    first = [day - timedelta(days=int(np.sum(row))) for day, row in zip(last, intervals, strict=True)]
    return pd.DataFrame(
        {
            "customer_id": [f"{number:05d}" for number in range(len(logs))],
            "first_purchase": first,
            "last_purchase": last,
            "n_intervals": [len(row) for row in intervals],
            "sum_log_interval_days": logs,
            "recent_gap_days": recent_gap,
            "mean_amount": np.full(len(logs), 100.0) if amounts is None else amounts,
        }
    )


def crowd(n=300, seed=5, shape=2.0, mean=12.0, days=700, hazard=1 / 700):
    """Simulate customers who come at rates and leave at hazards of their own; return the history and who had left."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(3.0, 1 / 3.0, n) / mean
    life = rng.exponential(1 / hazard, n)
    intervals, silence = [], []
    for place in range(n):
        waits = rng.gamma(shape, 1 / (shape * rate[place]), 4 * int(days / mean) + 20)
        times = np.concatenate([[0.0], np.cumsum(waits)])
        seen = times[times <= min(life[place], days)]
        whole = np.unique(np.floor(seen))
        intervals.append(np.diff(whole))
        silence.append(days - whole[-1])
    return history(intervals, silence), life < days
