"""What a customer's file holds beyond what moves its sales: place, people, ways of paying, how it was won and ended.

Every column is drawn from a stream of its own, so that one more moves no other.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kehu_analysis.simulate.block import Block
from kehu_analysis.simulate.columns import dates, money, numbered, texts
from kehu_analysis.simulate.names import salesperson_ids, street_numbers
from kehu_analysis.simulate.ragged import choose
from kehu_analysis.simulate.receivables import terms_days
from kehu_analysis.simulate.world import catalogue, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_WORKING_DAYS = 5


def customer_file(block: Block) -> dict[str, pa.Array]:
    """Return the optional columns of ``customers``, one value a shop of the block."""
    return {**_where_and_whom(block), **_operations(block), **_credit(block), **_beginning_and_end(block)}


def _uniform(block: Block, topic: str) -> FloatArray:
    return block.world.rng(block.number, f"records {topic}").random(len(block.shops))


def _whole(block: Block, topic: str, most: int) -> IntArray:
    """Draw whole numbers from 0 up to, not including, ``most``."""
    return (_uniform(block, topic) * most).astype(np.int64)


def _chosen(block: Block, topic: str, words: list[str], shares: list[list[float]]) -> pa.Array:
    """Draw one of the words by the shares of each shop's business type; none where the shares leave room."""
    weights = np.asarray(shares, dtype=float)[block.shops.business_type]
    none = np.maximum(1 - weights.sum(axis=1, keepdims=True), 0).round(9)
    place = choose(np.hstack([weights, none]), _uniform(block, topic))
    return texts(words, np.where(place == len(words), -1, place))


def _where_and_whom(block: Block) -> dict[str, pa.Array]:
    shops, given, parts = block.shops, parameters()["records"], catalogue()["names"]
    towns = catalogue()["towns"]
    town = texts([town["name"] for town in towns], shops.town)
    street = texts(parts["streets"], street_numbers(block.world, block.number, len(shops)))
    number = pc.cast(pa.array(1 + _whole(block, "house", given["house_numbers"])), pa.string())
    house = pc.binary_join_element_wise(number, given["house_suffix"], "")
    surname = texts(parts["surnames"], _whole(block, "surname", len(parts["surnames"])))
    title = texts(given["titles"], _whole(block, "title", len(given["titles"])))
    route = pc.cast(pa.array(shops.town % _WORKING_DAYS + 1), pa.string())
    return {
        "address": pc.binary_join_element_wise(town, street, house, ""),
        "phone": numbered(given["phone_prefix"], _whole(block, "phone", 10**8), 8),
        "contact_name": pc.binary_join_element_wise(surname, title, ""),
        "route_code": pc.binary_join_element_wise(salesperson_ids(block.world, shops.salesperson), route, "-"),
    }


def _operations(block: Block) -> dict[str, pa.Array]:
    shops, given = block.shops, parameters()["records"]
    spread = np.exp(given["floor_area_log_sd"] * block.world.rng(block.number, "records floor").normal(size=len(shops)))
    floor = np.maximum(np.rint(np.asarray(given["floor_area"])[shops.size_class] * spread), given["least_floor_area"])
    storage = np.rint(floor * np.asarray(given["storage_per_floor_area"])[shops.business_type])
    more = block.world.rng(block.number, "records staff").poisson(np.asarray(given["more_staff"])[shops.size_class])
    return {
        "floor_area": pa.array(floor),
        "storage_area": pa.array(storage),
        "n_staff": pa.array((1 + more).astype(np.int32)),
        "coverage": _chosen(block, "coverage", given["coverages"], given["coverage_share"]),
        "transport": _chosen(block, "transport", given["transports"], given["transport_share"]),
        "delivery_place": _chosen(block, "delivery", given["delivery_places"], given["delivery_place_share"]),
    }


def _credit(block: Block) -> dict[str, pa.Array]:
    shops, given = block.shops, parameters()["records"]
    days = np.asarray(given["settlement_days"])[_whole(block, "settlement", len(given["settlement_days"]))]
    settles = terms_days(shops) >= given["settles_from_terms_days"]
    base = np.asarray(given["registered_capital"])[shops.size_class]
    noise = block.world.rng(block.number, "records capital").normal(size=len(shops))
    capital = np.maximum(np.rint(base * np.exp(given["registered_capital_log_sd"] * noise)), 1.0)
    # A shop was there before it became a customer.
    known = (block.clock.n_days - shops.open_day + shops.days_before) / 365.25
    years = np.floor(known + _uniform(block, "years") * given["most_years_before"])
    registration = numbered(given["registration_prefix"], _whole(block, "registration", 10**10), 10)
    return {
        "settlement_day": pa.array(days.astype(np.int32), mask=~settles),
        "payment_method": _chosen(block, "payment", given["payment_methods"], given["payment_method_share"]),
        "registered_capital": money(100 * given["capital_unit"] * capital),
        "years_in_business": pa.array(years),
        "registration_no": registration,
        "tax_no": registration,
        "account_no": numbered(given["account_prefix"], _whole(block, "account", 10**12), 12),
    }


def _beginning_and_end(block: Block) -> dict[str, pa.Array]:
    shops, given, clock = block.shops, parameters()["records"], block.clock
    promotion = np.full(len(shops), -1)
    is_won = _uniform(block, "won") < given["share_won_by_promotion"]
    for place, campaign in enumerate(block.orders.campaigns):
        within = (shops.days_before == 0) & (shops.open_day >= campaign.first_day)
        promotion[is_won & within & (shops.open_day <= campaign.last_day)] = place
    left = block.lives.left_day
    until = block.world.rng(block.number, "records told").exponential(given["mean_days_until_told"], len(shops))
    told = left + np.rint(until).astype(np.int64)
    is_told = (_uniform(block, "closed") < given["share_of_ends_told"]) & (left < clock.n_days) & (told < clock.n_days)
    share = np.tile(given["closed_reason_share"], (len(shops), 1))
    reason = np.where(is_told, choose(share, _uniform(block, "reason")), -1)
    return {
        "referred_by": texts(block.customer_ids, _referrers(block)),
        "won_by_promotion_id": texts([one.promotion_id for one in block.orders.campaigns], promotion),
        "closed_on": dates(clock, told, is_told),
        "closed_reason": texts(given["closed_reasons"], reason),
    }


def _referrers(block: Block) -> IntArray:
    """Return the position of the shop that recommended us to each, else -1: of the same town, and there before.

    It has a lower number: a shop's own data do not depend on how many others there are.
    """
    shops = block.shops
    wants = _uniform(block, "referred") < parameters()["records"]["share_referred"]
    which = _uniform(block, "referrer")
    opened = np.where(shops.days_before > 0, -shops.days_before, shops.open_day)
    referrer = np.full(len(shops), -1)
    for shop in np.flatnonzero(wants):
        there = np.flatnonzero((shops.town[:shop] == shops.town[shop]) & (opened[:shop] < opened[shop]))
        if len(there):
            referrer[shop] = there[int(which[shop] * len(there))]
    return referrer
