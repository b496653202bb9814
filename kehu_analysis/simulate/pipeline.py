"""Key-account projects and the stages through which they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.lifetimes import Lifetimes
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stages:
    """Stages entered, in order of shop and stage.

    Attributes
    ----------
    shop
        Position within the block; it has one project.
    stage
        Position in ``parameters.toml``; one more stands for the loss of the project.
    day
        Day on which it was entered.
    amount
        Size of the project (currency).
    outcome
        1 won, -1 lost, 0 where the project goes on.
    """

    shop: IntArray
    stage: IntArray
    day: IntArray
    amount: IntArray
    outcome: IntArray


def draw_pipeline(world: World, clock: Clock, block: int, shops: Shops, lives: Lifetimes) -> Stages:
    """Draw the projects of one block: exponential times in each stage, and a loss at some of its ends."""
    given = parameters()["pipeline"]
    rng = world.rng(block, "pipeline")
    n_stages = len(given["stages"])
    has_project = (rng.random(len(shops)) < given["probability"]) & (shops.size_class == 2)
    has_project &= np.isin(shops.business_type, [parameters()["types"]["codes"].index(one) for one in given["types"]])
    start = shops.open_day + rng.random(len(shops)) * (clock.n_days - shops.open_day)
    weeks = rng.exponential(size=(len(shops), n_stages - 1)) / np.asarray(given["hazard_per_week"])
    entered = np.floor(
        start[:, None] + np.concatenate([np.zeros((len(shops), 1)), np.cumsum(7 * weeks, axis=1)], axis=1)
    )
    lost = rng.random((len(shops), n_stages - 1)) < np.asarray(given["lost_share"])
    survived = np.concatenate([np.ones((len(shops), 1), dtype=bool), np.cumprod(~lost, axis=1).astype(bool)], axis=1)
    # Once a shop is gone nothing happens to its project any more, which nobody closes.
    until = np.minimum(lives.left_day, clock.n_days)[:, None]
    seen = has_project[:, None] & survived & (entered < until)
    ends = np.append(entered[:, 1:], np.full((len(shops), 1), np.inf), axis=1)
    fails = seen & np.append(lost, np.zeros((len(shops), 1), dtype=bool), axis=1) & (ends < until)
    (shop, stage), (loser, at) = np.nonzero(seen), np.nonzero(fails)
    day = np.append(entered[shop, stage], ends[loser, at])
    outcome = np.append(np.where(stage == n_stages - 1, 1, 0), np.full(len(loser), -1))
    shop, stage = np.append(shop, loser), np.append(stage, np.full(len(loser), n_stages))
    order = np.lexsort((stage, shop))
    amount = np.maximum(np.rint(shops.potential_per_month * given["amount_months"] / 1000), 1) * 1000
    columns = (shop, stage, day, amount[shop], outcome)
    return Stages(*(column[order].astype(np.int64) for column in columns))
