"""What shops think of the company, wave by wave, and who says so when asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import BLOCK, World, parameters

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_QUARTERS_PER_WAVE = 2
_DAYS_OF_ASKING = 30
#: A shop is asked once it has dealt with the company for so long.
_DAYS_OF_DEALING = 45


@dataclass(frozen=True)
class Satisfaction:
    """Opinions of one block of shops; shape (n_shops, n_waves), drivers (n_shops, n_waves, n_drivers).

    Attributes
    ----------
    starts
        Day with which each wave's half year begins; the last entry is the end of the log, shape (n_waves + 1,).
    satisfaction, drivers
        Whole numbers 1 to 5.
    asked_on
        Day on which the shop would be asked.
    would_answer
        Whether it would answer then.
    """

    starts: IntArray
    satisfaction: IntArray
    drivers: IntArray
    asked_on: IntArray
    would_answer: BoolArray


def draw_satisfaction(world: World, clock: Clock, block: int, shops: Shops) -> Satisfaction:
    """Draw the opinions of one block of shops, as long as the log is."""
    given = parameters()["satisfaction"]
    rng = world.rng(block, "satisfaction")
    n_waves = -(-world.quarters // _QUARTERS_PER_WAVE)
    starts = np.array([clock.quarter_start(_QUARTERS_PER_WAVE * wave) for wave in range(n_waves)] + [clock.n_days])
    names = given["drivers"]
    shape = (len(shops), n_waves, len(names))
    # Waves come last in the draws, so that a longer log begins with the opinions of a shorter one.
    trait = rng.normal(size=(len(shops), len(names)))
    moved = np.stack([rng.normal(size=(len(shops), len(names))) for _ in range(n_waves)], axis=1)
    acting, idle = names.index(given["correlated_with"]), names.index(given["correlated"])
    share = given["correlation"]
    for part in (trait, moved):
        part[..., idle] = share * part[..., acting] + np.sqrt(1 - share**2) * part[..., idle]
    latent = given["driver_mean"] + given["driver_trait_sd"] * trait[:, None] + given["driver_wave_sd"] * moved
    farther = (shops.distance_km - given["delivery_reference_km"]) / 10
    latent[..., names.index("delivery")] += given["delivery_per_10_km"] * farther[:, None]
    service = given["service_size_large"] * (shops.size_class == 2)
    service = service + given["service_type_restaurant"] * shops.is_type("restaurant")
    latent[..., names.index("service")] += service[:, None]
    drivers = np.clip(np.rint(latent), 1, 5)
    assert drivers.shape == shape
    noise = given["noise_sd"] * np.stack([rng.normal(size=len(shops)) for _ in range(n_waves)], axis=1)
    level = given["mean"] + (drivers - given["driver_mean"]) @ np.asarray(given["effect"]) + noise
    satisfaction = np.clip(np.rint(level), 1, 5)
    return Satisfaction(
        starts=starts,
        satisfaction=satisfaction.astype(np.int64),
        drivers=drivers.astype(np.int64),
        asked_on=_asked_on(world, clock, block, starts),
        would_answer=_would_answer(world, block, shops, satisfaction),
    )


def asked(opinions: Satisfaction, shops: Shops, left_day: IntArray) -> BoolArray:
    """Tell which shops each wave can ask: open long enough, and not gone."""
    known = (shops.days_before[:, None] > 0) | (opinions.asked_on >= shops.open_day[:, None] + _DAYS_OF_DEALING)
    return known & (opinions.asked_on < left_day[:, None])


def _asked_on(world: World, clock: Clock, block: int, starts: IntArray) -> IntArray:
    rng = world.rng(block, "survey dates")
    days = []
    for start in starts[:-1]:
        possible = clock.trading_days[(clock.trading_days >= start) & (clock.trading_days < start + _DAYS_OF_ASKING)]
        days.append(possible[(rng.random(BLOCK) * len(possible)).astype(np.int64)])
    return np.stack(days, axis=1)


def _would_answer(world: World, block: int, shops: Shops, satisfaction: NDArray[np.float64]) -> BoolArray:
    given = parameters()["survey_response"]
    rng = world.rng(block, "survey answers")
    logit = given["intercept"] + given["size_large"] * (shops.size_class == 2)
    logit = logit + given["type_restaurant"] * shops.is_type("restaurant") + given["per_10_km"] * shops.distance_km / 10
    each = np.repeat(logit[:, None], satisfaction.shape[1], axis=1)
    if world.nonresponse == "satisfaction":
        each = each + given["per_point_of_satisfaction"] * (satisfaction - parameters()["satisfaction"]["mean"])
    uniform = np.stack([rng.random(len(shops)) for _ in range(satisfaction.shape[1])], axis=1)
    return np.asarray(uniform < 1 / (1 + np.exp(-each)))
