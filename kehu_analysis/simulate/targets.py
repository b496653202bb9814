"""Monthly targets of the salespeople: fair to the mix of their shops, but for one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kehu_analysis.simulate.columns import money
from kehu_analysis.simulate.names import salesperson_ids
from kehu_analysis.simulate.sums import Sums
from kehu_analysis.simulate.world import parameters

FloatArray = NDArray[np.float64]

_ROUND_TO = 1000.0  # currency


def monthly_plan(sums: Sums) -> FloatArray:
    """Return what the company is to sell each month (currency): an even level, moved by season and closed days."""
    clock = sums.clock
    operational = np.diff(clock.operational)
    season = np.bincount(clock.month, operational)
    total = sums.sales.sum() / 100
    return np.asarray(parameters()["targets"]["growth"] * total * season / season.sum())


def mix_shares(sums: Sums) -> tuple[FloatArray, FloatArray]:
    """Return each salesperson's share of the plan by month, shape (n_salespeople, n_months): by mix, and by number.

    By mix, a shop counts with what it may be expected to buy; by number, each counts one.
    """
    return _shares(sums.expected_sales), _shares(sums.open_shops)


def _shares(counted: FloatArray) -> FloatArray:
    return np.asarray(counted / np.maximum(counted.sum(axis=0), 1e-9))


def targets_table(sums: Sums) -> pa.Table:
    """Return the targets: plan times share."""
    by_mix, by_number = mix_shares(sums)
    share = by_mix.copy()
    share[-1] = by_number[-1]
    amount = np.rint(share * monthly_plan(sums) / _ROUND_TO) * _ROUND_TO
    people, n_months = share.shape
    months = sums.clock.days[0].astype("datetime64[M]") + np.arange(n_months)
    return pa.table(
        {
            "salesperson_id": salesperson_ids(sums.world, np.repeat(np.arange(people) + 1, n_months)),
            "month": pa.array(np.tile(months.astype(str), people)),
            "amount": money(100 * amount.ravel()),
        }
    )
