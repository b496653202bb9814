"""Visits, calls, services, complaints and deliveries, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.lifetimes import Lifetimes
from kehu_analysis.simulate.ragged import owners
from kehu_analysis.simulate.satisfaction import Satisfaction
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Contacts:
    """Contacts of one kind, in order of shop and day.

    Attributes
    ----------
    shop
        Position within the block.
    day
        Day of the log.
    minutes
        Time spent.
    cost
        Currency.
    """

    shop: IntArray
    day: IntArray
    minutes: IntArray
    cost: FloatArray


def planned_visits_per_month(shops: Shops) -> FloatArray:
    """Return how many visits a month the company plans for each shop, by what it expects to sell there."""
    given = parameters()["visits"]
    net = shops.amount_per_month * (1 - shops.discount_rate)
    return np.asarray(given["per_month"])[np.searchsorted(given["monthly_amount"], net, side="right")]


def draw_contacts(
    world: World, clock: Clock, block: int, shops: Shops, lives: Lifetimes, opinions: Satisfaction
) -> dict[str, Contacts]:
    """Draw the contacts that are no deliveries: by kind."""
    given, costs = parameters()["visits"], parameters()["cost_to_serve"]
    rng = world.rng(block, "contacts")
    until = np.minimum(lives.left_day + given["days_after_leaving"], clock.n_days)
    plan = planned_visits_per_month(shops) * rng.gamma(given["shop_shape"], size=len(shops)) / given["shop_shape"]
    delivery = parameters()["satisfaction"]["drivers"].index("delivery")
    unhappy = opinions.drivers[:, :, delivery].mean(axis=1) - parameters()["satisfaction"]["driver_mean"]
    complaints = given["complaints_per_month"] * np.exp(given["log_complaints_per_point"] * unhappy)
    per_month = {
        "visit": plan,
        "call": np.full(len(shops), given["calls_per_month"]),
        "service": np.full(len(shops), given["services_per_month"]),
        "complaint": complaints,
    }
    drawn = {}
    for kind, monthly in per_month.items():
        last = until if kind == "visit" else lives.left_day
        shop, day = _days(rng, clock, shops.open_day, last, monthly)
        minutes, cost = np.zeros(len(shop), dtype=np.int64), np.zeros(len(shop))
        if kind == "visit":
            minutes = 5 + rng.poisson(costs["visit_minutes"] - 5, len(shop))
            cost = minutes * costs["visit_minute_cost"] + costs["visit_km_cost"] * shops.distance_km[shop]
        elif kind == "call":
            minutes = 1 + rng.poisson(costs["call_minutes"] - 1, len(shop))
            cost = minutes * costs["visit_minute_cost"]
        else:
            minutes = 10 + rng.poisson(20, len(shop))
            cost = np.full(len(shop), costs[f"{kind}_cost"])
        drawn[kind] = Contacts(shop, day, minutes, cost.round(2))
    return drawn


def _days(
    rng: np.random.Generator, clock: Clock, first: IntArray, until: IntArray, per_month: FloatArray
) -> tuple[IntArray, IntArray]:
    """Draw days of contacts, evenly over the trading days, at most one of a kind a day."""
    trading = clock.trading_days
    begin, end = np.searchsorted(trading, first), np.searchsorted(trading, until)
    per_trading_day = per_month / _DAYS_PER_MONTH * clock.n_days / len(trading)
    shop = owners(rng.poisson(per_trading_day * (end - begin)))
    place = begin[shop] + (rng.random(len(shop)) * (end - begin)[shop]).astype(np.int64)
    key = np.unique(shop * clock.n_days + trading[place])
    return key // clock.n_days, key % clock.n_days


def visits_before(visits: Contacts, clock: Clock, shop: IntArray, day: IntArray) -> IntArray:
    """Count the visits to a shop in the days before an order, as many days as a visit has an effect."""
    width = clock.n_days + parameters()["visits"]["effect_days"]
    key = visits.shop * width + visits.day
    at = shop * width + day
    first = shop * width + np.maximum(day - parameters()["visits"]["effect_days"], 0)
    return np.asarray(np.searchsorted(key, at) - np.searchsorted(key, first))


def deliveries(shops: Shops, shop: IntArray, day: IntArray, cartons: IntArray) -> Contacts:
    """Return the delivery of each order: a drop, its way and its cartons."""
    given = parameters()["cost_to_serve"]
    cost = given["drop_cost"] + given["drop_km_cost"] * shops.distance_km[shop] + given["carton_cost"] * cartons
    minutes = 8 + (cartons / 8).astype(np.int64)
    return Contacts(shop, day, minutes, cost.round(2))
