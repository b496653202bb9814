"""How long shops stay, and which of them pause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.satisfaction import Satisfaction
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Lifetimes:
    """Ends and pauses of one block of shops, as days of the log.

    Attributes
    ----------
    left_day
        First day on which the shop is gone for good; ``n_days`` of the log if it stays.
    pause_begin, pause_end
        The shop orders nothing from ``pause_begin`` up to, not including, ``pause_end``; both are ``n_days`` without a
        pause.
    """

    left_day: IntArray
    pause_begin: IntArray
    pause_end: IntArray


def draw_lifetimes(world: World, clock: Clock, block: int, shops: Shops, opinions: Satisfaction) -> Lifetimes:
    """Draw lifetimes: the hazard of leaving is a shop's own, times what its satisfaction of the half year does."""
    given = parameters()["satisfaction"]
    rng = world.rng(block, "lifetimes")
    point = given["log_dropout_rate_per_point"]
    hazard = shops.dropout_rate[:, None] * np.exp(point * (opinions.satisfaction - given["reference"])) / 7
    begins = np.maximum(opinions.starts[None, :-1], shops.open_day[:, None])
    spent = hazard * np.maximum(opinions.starts[None, 1:] - begins, 0)
    until = np.cumsum(spent, axis=1)
    endured = rng.exponential(size=len(shops))
    wave = (until < endured[:, None]).sum(axis=1)
    stays = wave == hazard.shape[1]
    row, wave = np.arange(len(shops)), np.minimum(wave, hazard.shape[1] - 1)
    rest = endured - (until - spent)[row, wave]
    with np.errstate(divide="ignore", invalid="ignore"):  # who never leaves has no hazard
        left = begins[row, wave] + rest / hazard[row, wave]
    # Opened and gone within a day: it was there for the day.
    left_day = np.where(stays, clock.n_days, np.maximum(np.where(stays, 0, left), shops.open_day + 1))
    return Lifetimes(left_day.astype(np.int64), *_pauses(world, clock, block, shops, left_day))


def _pauses(
    world: World, clock: Clock, block: int, shops: Shops, left_day: NDArray[np.float64]
) -> tuple[IntArray, IntArray]:
    given = parameters()["dormancy"]
    rng = world.rng(block, "pauses")
    wants = rng.random(len(shops)) < given["share"]
    days = rng.integers(given["shortest_days"], given["longest_days"] + 1, len(shops))
    margin = given["margin_days"]
    room = left_day - shops.open_day - 2 * margin - days
    begin = shops.open_day + margin + (rng.random(len(shops)) * np.maximum(room, 0)).astype(np.int64)
    pauses = wants & (room > 0) & ~shops.is_big
    return np.where(pauses, begin, clock.n_days), np.where(pauses, begin + days, clock.n_days)
