"""Who the shops are: place, type, size, true segment, and the rates at which they order, leave and spend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.ragged import choose
from kehu_analysis.simulate.world import BLOCK, World, catalogue, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class Shops:
    """One block of shops; every array has one value a shop.

    Attributes
    ----------
    number
        From 1; the customer's id is made of it.
    town, business_type, size_class, segment
        Positions in the catalogue and in ``parameters.toml``.
    longitude, latitude, distance_km
        Degrees, and road kilometres from the depot.
    salesperson
        From 1.
    is_big
        Whether the shop is one of the two planted large ones.
    open_day
        Day of the log on which it opened; 0 if before.
    days_before
        Days between opening and the log's first day; 0 for those that opened later.
    order_rate
        Orders a week of average trading while alive.
    regularity
        k of its Erlang-k intervals.
    dropout_rate
        Hazard of leaving, a calendar week, at reference satisfaction.
    potential_order_size, order_size
        Mean amount of an order at list price (currency): what the shop needs, and what we get of it.
    share_of_wallet
        Between 0 and 1.
    discount_rate, earned_discount_rate
        Share off list: granted, and what the ladder gives for the shop's volume.
    """

    number: IntArray
    town: IntArray
    business_type: IntArray
    size_class: IntArray
    segment: IntArray
    longitude: FloatArray
    latitude: FloatArray
    distance_km: FloatArray
    salesperson: IntArray
    is_big: BoolArray
    open_day: IntArray
    days_before: IntArray
    order_rate: FloatArray
    regularity: IntArray
    dropout_rate: FloatArray
    potential_order_size: FloatArray
    order_size: FloatArray
    share_of_wallet: FloatArray
    discount_rate: FloatArray
    earned_discount_rate: FloatArray

    def __len__(self) -> int:
        return len(self.number)

    @property
    def amount_per_month(self) -> FloatArray:
        """Expected amount a month at list price (currency)."""
        return self.order_rate * self.order_size * float(parameters()["potential"]["weeks_per_month"])

    @property
    def potential_per_month(self) -> FloatArray:
        """What the shop buys of such goods a month from anybody, at list price (currency)."""
        return self.order_rate * self.potential_order_size * float(parameters()["potential"]["weeks_per_month"])

    def is_type(self, code: str) -> BoolArray:
        """Tell which shops are of a business type."""
        return np.asarray(self.business_type == parameters()["types"]["codes"].index(code))


def draw_shops(world: World, clock: Clock, block: int) -> Shops:
    """Draw one block of shops."""
    given = parameters()
    rng = world.rng(block, "shops")
    towns = catalogue()["towns"]
    types, segments = given["types"], given["segments"]
    number = block * BLOCK + np.arange(BLOCK) + 1

    def drawn(shares: list[float]) -> IntArray:
        return choose(np.tile(shares, (BLOCK, 1)), rng.random(BLOCK))

    business_type = drawn(types["share"])
    wholesale = segments["codes"].index("wholesale")
    segment = np.where(business_type == types["codes"].index("wholesale"), wholesale, drawn(segments["share"]))
    town = drawn([one["weight"] for one in towns])
    is_big = np.zeros(BLOCK, dtype=bool)
    for place, big in enumerate(given["big_customers"]["numbers"]):
        hit = number == big
        is_big |= hit
        business_type[hit] = types["codes"].index(given["big_customers"]["types"][place])
        segment[hit], town[hit] = wholesale, given["big_customers"]["towns"][place]
    size_class = _sizes(rng, segment, town)
    size_class[is_big] = 2
    longitude, latitude, distance_km = _places(rng, town)
    before, open_day = _openings(rng, clock)
    before[is_big], open_day[is_big] = np.maximum(before[is_big], 1500), 0
    shops = Shops(
        number=number,
        town=town,
        business_type=business_type,
        size_class=size_class,
        segment=segment,
        longitude=longitude,
        latitude=latitude,
        distance_km=distance_km,
        salesperson=_salespeople(world, town, latitude),
        is_big=is_big,
        open_day=open_day,
        days_before=before,
        regularity=np.where(is_big, 4, np.asarray(segments["regularity"])[segment]),
        **_rates(rng, business_type, size_class, segment, distance_km),
    )
    return _with_discounts(_with_big_customers(shops))


def _sizes(rng: np.random.Generator, segment: IntArray, town: IntArray) -> IntArray:
    given = parameters()["size_classes"]
    shares = np.tile(given["share"], (BLOCK, 1))
    shares[_districts()[town] == _districts().max()] = given["share_in_outer_district"]
    shares[segment == parameters()["segments"]["codes"].index("latent_high")] = given["share_if_latent_high"]
    return choose(shares, rng.random(BLOCK))


def _districts() -> IntArray:
    """Return the district of each town, numbered by the distance of its nearest town from the depot."""
    towns, depot = catalogue()["towns"], catalogue()["prefecture"]["depot"]
    nearest: dict[str, float] = {}
    for town in towns:
        distance = _kilometres(town["longitude"], town["latitude"], depot)
        nearest[town["district"]] = min(distance, nearest.get(town["district"], np.inf))
    order = sorted(nearest, key=nearest.__getitem__)
    return np.array([order.index(town["district"]) for town in towns])


def _kilometres(longitude: Any, latitude: Any, depot: dict[str, float]) -> Any:
    # A prefecture is small enough for the earth to be flat.
    east = (longitude - depot["longitude"]) * np.cos(np.radians(depot["latitude"]))
    return _KM_PER_DEGREE * np.hypot(east, latitude - depot["latitude"])


def _places(rng: np.random.Generator, town: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    given, towns, depot = parameters()["distance"], catalogue()["towns"], catalogue()["prefecture"]["depot"]
    spread = given["spread_km"] / _KM_PER_DEGREE
    north, east = rng.normal(0.0, spread, (2, BLOCK))
    latitude = np.array([one["latitude"] for one in towns])[town] + north
    longitude = np.array([one["longitude"] for one in towns])[town] + east / np.cos(np.radians(depot["latitude"]))
    longitude, latitude = longitude.round(5), latitude.round(5)
    return longitude, latitude, given["road_factor"] * _kilometres(longitude, latitude, depot)


def _salespeople(world: World, town: IntArray, latitude: FloatArray) -> IntArray:
    """Give every salesperson an equal part of one district: its towns in order, cut from south to north."""
    towns = catalogue()["towns"]
    district = _districts()
    share = np.array([one["weight"] for one in towns])
    before = np.array([share[:place][district[:place] == district[place]].sum() for place in range(len(towns))])
    per_district = np.bincount(district, share)[district]
    spread = parameters()["distance"]["spread_km"] / _KM_PER_DEGREE
    centre = np.array([one["latitude"] for one in towns])
    # The logistic curve stands for the share of a town's shops that lie further south.
    south = 1 / (1 + np.exp(-1.702 * (latitude - centre[town]) / spread))
    each = world.salespeople // (district.max() + 1)
    passed = (before[town] + south * share[town]) / per_district[town]
    part = np.minimum((passed * each).astype(np.int64), each - 1)
    return np.asarray(district[town] * each + part + 1)


def _openings(rng: np.random.Generator, clock: Clock) -> tuple[IntArray, IntArray]:
    given = parameters()["company"]
    is_old = rng.random(BLOCK) < given["share_open_at_start"]
    years = np.minimum(rng.exponential(given["mean_age_at_start_years"], BLOCK), given["oldest_account_years"])
    opened = clock.day_of(rng.random(BLOCK) * clock.operational[-1])
    return np.where(is_old, 30 + (years * 365.25).astype(np.int64), 0), np.where(is_old, 0, opened)


def _rates(
    rng: np.random.Generator, business_type: IntArray, size_class: IntArray, segment: IntArray, distance_km: FloatArray
) -> dict[str, Any]:
    given = parameters()
    types, segments, spend = given["types"], given["segments"], given["order_size"]

    def by_type(name: str) -> FloatArray:
        return np.asarray(types[name])[business_type]

    def by_segment(name: str) -> FloatArray:
        return np.asarray(segments[name], dtype=float)[segment]

    shape = by_segment("order_rate_shape")
    own_rate = rng.gamma(shape) / shape
    log_rate = by_type("log_order_rate") + given["distance"]["log_order_rate_per_10_km"] * distance_km / 10
    leaving = by_segment("dropout_shape")
    own_dropout = rng.gamma(leaving) / leaving
    between = spend["between_shops_shape"]
    own_size = (between - 1) / rng.gamma(between, size=BLOCK)
    is_wholesale = segment == segments["codes"].index("wholesale")
    own_size *= np.where(is_wholesale, own_rate ** spend["wholesale_exponent"], 1.0)
    log_size = by_type("log_order_size") + np.asarray(given["size_classes"]["log_order_size"])[size_class]
    potential = spend["potential"] * np.exp(log_size) * own_size
    share = rng.beta(by_segment("share_of_wallet_a"), by_segment("share_of_wallet_b"))
    return {
        "order_rate": by_segment("order_rate") * np.exp(log_rate) * own_rate,
        "dropout_rate": by_segment("dropout_rate") * np.exp(by_type("log_dropout_rate")) * own_dropout,
        "potential_order_size": potential,
        "order_size": potential * share,
        "share_of_wallet": share,
        "discount_rate": np.zeros(BLOCK),
        "earned_discount_rate": np.zeros(BLOCK),
    }


def _with_big_customers(shops: Shops) -> Shops:
    given = parameters()["big_customers"]
    rate, size, dropout = shops.order_rate.copy(), shops.order_size.copy(), shops.dropout_rate.copy()
    for place, big in enumerate(given["numbers"]):
        hit = shops.number == big
        rate[hit], size[hit], dropout[hit] = given["order_rate"][place], given["order_size"][place], 0.0
    return replace(
        shops,
        order_rate=rate,
        order_size=size,
        dropout_rate=dropout,
        potential_order_size=np.where(shops.is_big, size / shops.share_of_wallet, shops.potential_order_size),
    )


def _with_discounts(shops: Shops) -> Shops:
    given = parameters()
    ladder = given["prices"]
    yearly = 12 * shops.amount_per_month
    earned = np.asarray(ladder["ladder_rate"])[np.searchsorted(ladder["ladder_annual_amount"], yearly, side="right")]
    granted = earned.copy()
    for place, big in enumerate(given["big_customers"]["numbers"]):
        granted[shops.number == big] = given["big_customers"]["discount_rate"][place]
    return replace(shops, discount_rate=granted, earned_discount_rate=earned)
