"""When shops order: Erlang-k renewals in operational time while alive, and what campaigns do to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.contacts import Contacts, visits_before
from kehu_analysis.simulate.lifetimes import Lifetimes
from kehu_analysis.simulate.prices import price_level
from kehu_analysis.simulate.ragged import owners, positions
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Who ordered in so many days before a campaign is on its list.
_DAYS_OF_LIST = 180


@dataclass(frozen=True)
class Campaign:
    """A campaign and its members of one block.

    Attributes
    ----------
    promotion_id
        Its code.
    first_day, last_day
        Days of the log, both included.
    member, treated
        One value a shop.
    """

    promotion_id: str
    first_day: int
    last_day: int
    member: BoolArray
    treated: BoolArray


@dataclass(frozen=True)
class Orders:
    """Orders of one block, in order of shop and day; at most one a shop and day.

    Attributes
    ----------
    shop
        Position within the block.
    day
        Day of the log.
    amount
        Expected amount at list price (currency), effects of visits and campaigns included.
    discount_rate
        Share off list.
    campaign
        Number of the campaign whose discount the order takes, -1 for none.
    campaigns
        The campaigns with their members.
    incremental
        Expected net amount (currency) that each campaign brought or cost a shop, shape (n_campaigns, n_shops).
    """

    shop: IntArray
    day: IntArray
    amount: FloatArray
    discount_rate: FloatArray
    campaign: IntArray
    campaigns: tuple[Campaign, ...]
    incremental: FloatArray

    @property
    def key(self) -> IntArray:
        """Number of each order's shop and day in one, growing."""
        return self.shop * 100_000 + self.day


def draw_orders(world: World, clock: Clock, block: int, shops: Shops, lives: Lifetimes, visits: Contacts) -> Orders:
    """Draw the orders of one block of shops."""
    given = parameters()
    shop, day = _order_days(world, clock, block, shops, lives)
    rng = world.rng(block, "order amounts")
    within = given["order_size"]["within_shop_shape"]
    # As prices rise shops buy as many cartons as before, for more money.
    amount = shops.order_size[shop] * price_level(clock)[day] * rng.gamma(within, size=len(shop)) / within
    amount *= np.exp(given["visits"]["effect"] * visits_before(visits, clock, shop, day))
    rate = shops.discount_rate[shop]
    campaign = np.full(len(shop), -1)
    campaigns: list[Campaign] = []
    incremental = np.zeros((len(given["campaigns"]), len(shops)))
    for place, (code, effect) in enumerate(given["campaigns"].items()):
        drawn = _members(world, clock, block, shops, code, effect, shop, day, amount)
        campaigns.append(drawn)
        rng = world.rng(block, f"campaign {code}")
        inside = drawn.treated[shop] & (day >= drawn.first_day) & (day <= drawn.last_day)
        cancelled = inside & (rng.random(len(shop)) < effect.get("cancelled_share", 0.0) * _harmed(shops, effect)[shop])
        factor = np.where(inside & _moved(shops, effect)[shop], effect["units_factor"], 1.0)
        new_rate = rate + np.where(inside, effect["discount_rate"], 0.0)
        gained = np.where(cancelled, 0.0, amount * factor * (1 - new_rate)) - amount * (1 - rate)
        incremental[place] = np.bincount(shop, gained, minlength=len(shops))
        if effect["discount_rate"] > 0:
            campaign[inside] = place
        amount, rate = amount * factor, new_rate
        shop, day, amount, rate, campaign = (part[~cancelled] for part in (shop, day, amount, rate, campaign))
    return Orders(shop, day, amount, rate, campaign, tuple(campaigns), incremental)


def _order_days(world: World, clock: Clock, block: int, shops: Shops, lives: Lifetimes) -> tuple[IntArray, IntArray]:
    rng = world.rng(block, "order days")
    n = len(shops)
    begin, end = clock.operational[shops.open_day], clock.operational[lives.left_day]
    k = shops.regularity
    # Every k-th event of a Poisson process k times as fast. A shop that was there before the log is met at a random
    # point of its interval; one that opens does so with an order.
    is_old = shops.days_before > 0
    phase = np.where(is_old, (rng.random(n) * k).astype(np.int64), 0)
    events = rng.poisson(shops.order_rate * k * (end - begin))
    owner = owners(events)
    # Sorting owner + share sorts within owners.
    share = np.sort(owner + rng.random(len(owner))) - owner
    counts = (positions(owner) + phase[owner]) % k[owner] == k[owner] - 1
    owner, share = owner[counts], share[counts]
    day = clock.day_of(begin[owner] + share * (end - begin)[owner])
    opening = np.flatnonzero(~is_old)
    owner, day = np.append(owner, opening), np.append(day, clock.next_trading_day(shops.open_day[opening]))
    pauses = (day >= lives.pause_begin[owner]) & (day < lives.pause_end[owner])
    key = np.unique((owner * 100_000 + day)[~pauses & (day < clock.n_days)])
    return key // 100_000, key % 100_000


def _moved(shops: Shops, effect: dict[str, Any]) -> BoolArray:
    """Tell whose units the campaign moves."""
    if "responsive_type" in effect:
        return shops.is_type(effect["responsive_type"])
    return ~_harmed(shops, effect)


def _harmed(shops: Shops, effect: dict[str, Any]) -> BoolArray:
    if "harmed_type" in effect:
        return shops.is_type(effect["harmed_type"])
    return np.zeros(len(shops), dtype=bool)


def _members(
    world: World,
    clock: Clock,
    block: int,
    shops: Shops,
    code: str,
    effect: dict[str, Any],
    shop: IntArray,
    day: IntArray,
    amount: FloatArray,
) -> Campaign:
    weeks = parameters()["campaign_weeks"]
    quarter = world.quarters - 1 - effect["position"]
    start = clock.quarter_start(quarter)
    first = start + weeks["first_day"]
    if "eligible_amount" in effect:
        before = (day >= clock.quarter_start(max(quarter - 1, 0))) & (day < start)
        member = np.bincount(shop[before], amount[before], minlength=len(shops)) >= effect["eligible_amount"]
        treated = member
    else:
        recent = (day < first) & (day >= first - _DAYS_OF_LIST)
        member = np.bincount(shop[recent], minlength=len(shops)) > 0
        treated = member & (world.rng(block, f"members {code}").random(len(shops)) < effect["share_treated"])
    return Campaign(code, first, first + weeks["days"] - 1, member, treated)
