"""The tables of the data contract, from what was drawn for a block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kehu_analysis.simulate.block import Block
from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.columns import dates, money, numbered, texts
from kehu_analysis.simulate.names import salesperson_ids
from kehu_analysis.simulate.orders import Campaign
from kehu_analysis.simulate.ragged import choose
from kehu_analysis.simulate.receivables import terms_days
from kehu_analysis.simulate.records import customer_file
from kehu_analysis.simulate.satisfaction import asked
from kehu_analysis.simulate.upkeep import answer_columns, contact_columns
from kehu_analysis.simulate.world import catalogue, parameters

BoolArray = NDArray[np.bool_]

#: Shares of an order's channels are drawn with the order's own day, so that they move evenly over the log.
_RESPONSE_NOISE = 0.08


def block_tables(block: Block) -> dict[str, pa.Table]:
    """Return the block's rows of the tables that have some of every shop, in order of customer and day."""
    return {
        "transactions": _transactions(block),
        "customers": _customers(block),
        "surveys": _surveys(block),
        "contacts": _contacts(block),
        "invoices": _invoices(block),
        "campaign_members": _campaign_members(block),
        "opportunities": _opportunities(block),
    }


def company_tables(clock: Clock, campaigns: tuple[Campaign, ...]) -> dict[str, pa.Table]:
    """Return the tables that do not depend on shops: products, campaigns, calendar."""
    products = catalogue()["products"]
    price = {name: np.array([100 * product[name] for product in products]) for name in ("list_price", "unit_cost")}
    names = {category["code"]: category["name"] for category in catalogue()["categories"]}
    given = parameters()["campaigns"]
    costs = np.array([100 * given[one.promotion_id]["contact_cost"] for one in campaigns])
    return {
        "products": pa.table(
            {
                "product_id": [product["product_id"] for product in products],
                "name": [product["name"] for product in products],
                "category": [names[product["category"]] for product in products],
                "brand": [product["brand"] for product in products],
                **{name: money(cents) for name, cents in price.items()},
            }
        ),
        "campaigns": pa.table(
            {
                "promotion_id": [one.promotion_id for one in campaigns],
                "starts_on": dates(clock, np.array([one.first_day for one in campaigns])),
                "ends_on": dates(clock, np.array([one.last_day for one in campaigns])),
                "contact_cost": money(costs),
            }
        ),
        "calendar": pa.table(
            {"date": dates(clock, np.arange(clock.n_days)), "is_workday": pa.array(clock.is_open)},
        ),
    }


def _transactions(block: Block) -> pa.Table:
    lines, orders, shops = block.lines, block.orders, block.shops
    shop = block.shop_of_line
    kept = np.flatnonzero(shop < block.n_shops)
    shop, order, day = shop[kept], lines.order[kept], lines.day[kept]
    campaign = np.where(lines.is_return, -1, orders.campaign[lines.order])[kept]
    table = {
        "customer_id": pc.take(block.customer_ids, pa.array(shop)),
        "date": dates(block.clock, day),
        "amount": money(lines.amount_cents[kept]),
        "order_id": _order_ids(block, order, lines.is_return[kept]),
        "product_id": texts([product["product_id"] for product in catalogue()["products"]], lines.product[kept]),
        "quantity": pa.array(lines.quantity[kept].astype(np.int32)),
        "discount": money(lines.discount_cents[kept]),
        "cost": money(lines.cost_cents[kept]),
        "channel": texts(parameters()["channels"]["names"], _channels(block)[order]),
        "salesperson_id": pc.take(salesperson_ids(block.world, shops.salesperson), pa.array(shop)),
        "promotion_id": texts([one.promotion_id for one in orders.campaigns], campaign),
    }
    return pa.table(table)


def _order_ids(block: Block, order: NDArray[Any], is_return: BoolArray) -> pa.Array:
    """Return numbers of orders: what it is, its date and its customer; a return has the number of its order."""
    day = block.clock.days[block.orders.day]
    month = day.astype("datetime64[M]").astype(np.int64)
    stamp = (
        (month // 12 + 1970) % 100 * 10_000
        + (month % 12 + 1) * 100
        + (day - day.astype("datetime64[M]")).astype(int)
        + 1
    )
    customer = pc.take(block.customer_ids, pa.array(block.orders.shop))
    written = pc.binary_join_element_wise(numbered("", stamp, 6), customer, "-")
    letter = texts(["D", "T"], is_return.astype(np.int64))
    return pc.binary_join_element_wise(letter, pc.take(written, pa.array(order)), "")


def _channels(block: Block) -> NDArray[np.int64]:
    given = parameters()["channels"]
    rng = block.world.rng(block.number, "channels")
    passed = block.orders.day / block.clock.n_days
    shares = np.outer(1 - passed, given["share_at_start"]) + np.outer(passed, given["share_at_end"])
    return choose(shares, rng.random(len(passed)))


def _customers(block: Block) -> pa.Table:
    shops, given, n = block.shops, parameters(), block.n_shops
    towns = catalogue()["towns"]
    net = shops.amount_per_month * (1 - shops.discount_rate)
    limit = np.maximum(np.rint(net * given["receivables"]["credit_limit_months"] / 500), 2) * 500
    opened = np.where(shops.days_before > 0, -shops.days_before, shops.open_day)
    ids = block.customer_ids
    return pa.table(
        {
            "customer_id": ids,
            "parent_id": texts(ids, block.parent),
            "name": pa.array(block.names, pa.string()),
            "region": texts([town["district"] for town in towns], shops.town),
            "city": texts([town["name"] for town in towns], shops.town),
            "business_type": texts(given["types"]["names"], shops.business_type),
            "size_class": texts(given["size_classes"]["names"], shops.size_class),
            "opened_on": dates(block.clock, opened),
            "longitude": pa.array(shops.longitude),
            "latitude": pa.array(shops.latitude),
            "salesperson_id": salesperson_ids(block.world, shops.salesperson),
            "credit_limit": money(100 * limit),
            "terms_days": pa.array(terms_days(shops).astype(np.int32)),
            **customer_file(block),
        }
    ).slice(0, n)


def _surveys(block: Block) -> pa.Table:
    opinions, n = block.opinions, block.n_shops
    shop, wave = np.nonzero(asked(opinions, block.shops, block.lives.left_day)[:n])
    # Who was asked and did not answer has a row without any answer.
    answered = opinions.would_answer[shop, wave]
    rng = block.world.rng(block.number, "survey noise")
    noise = rng.normal(size=(*opinions.satisfaction.shape, 2))[shop, wave]
    satisfaction = opinions.satisfaction[shop, wave]
    repurchase = np.clip(0.17 * satisfaction + 0.10 + _RESPONSE_NOISE * noise[:, 0], 0, 1)
    recommendation = np.clip(np.rint(2 * satisfaction - 0.5 + noise[:, 1]), 0, 10)
    drivers = {
        f"driver_{name}": pa.array(opinions.drivers[shop, wave, place].astype(np.int32), mask=~answered)
        for place, name in enumerate(parameters()["satisfaction"]["drivers"])
    }
    return pa.table(
        {
            "customer_id": pc.take(block.customer_ids, pa.array(shop)),
            "date": dates(block.clock, opinions.asked_on[shop, wave]),
            "satisfaction": pa.array(satisfaction.astype(np.int32), mask=~answered),
            "repurchase_probability": pa.array(np.rint(20 * repurchase) / 20, mask=~answered),
            "recommendation": pa.array(recommendation.astype(np.int32), mask=~answered),
            **answer_columns(block, shop, wave, answered),
            **drivers,
        }
    )


def _contacts(block: Block) -> pa.Table:
    kinds = list(block.contacts)
    parts = [block.contacts[kind] for kind in kinds]
    kind = np.repeat(np.arange(len(kinds)), [len(part.shop) for part in parts])
    shop, day, minutes, cost = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("shop", "day", "minutes", "cost")
    )
    place = np.lexsort((kind, day, shop))
    place = place[shop[place] < block.n_shops]
    # Drivers bring deliveries; everything else is the salesperson's.
    by_whom = np.where(kind == kinds.index("delivery"), -1, shop)[place]
    return pa.table(
        {
            "customer_id": pc.take(block.customer_ids, pa.array(shop[place])),
            "date": dates(block.clock, day[place]),
            "kind": texts(kinds, kind[place]),
            "salesperson_id": texts(salesperson_ids(block.world, block.shops.salesperson), by_whom),
            "minutes": pa.array(minutes[place].astype(np.int32)),
            "cost": money(100 * cost[place]),
            **contact_columns(block, kinds, place),
        }
    )


def _invoices(block: Block) -> pa.Table:
    bills, clock = block.invoices, block.clock
    kept = bills.shop < block.n_shops
    shop, month, issued, due, cents, paid = (
        getattr(bills, name)[kept] for name in ("shop", "month", "issued", "due", "cents", "paid")
    )
    years = month + clock.days[0].astype("datetime64[M]").astype(np.int64)
    stamp = (years // 12 + 1970) % 100 * 100 + years % 12 + 1
    customer = pc.take(block.customer_ids, pa.array(shop))
    return pa.table(
        {
            "invoice_id": pc.binary_join_element_wise(numbered("F", stamp, 4), customer, "-"),
            "customer_id": customer,
            "issued_on": dates(clock, issued),
            "due_on": dates(clock, due),
            "amount": money(cents),
            "paid_on": dates(clock, paid, paid >= 0),
            "paid_amount": money(np.where(paid >= 0, cents, 0)),
        }
    )


def _campaign_members(block: Block) -> pa.Table:
    campaigns, n = block.orders.campaigns, block.n_shops
    members = np.stack([one.member[:n] for one in campaigns])
    treated = np.stack([one.treated[:n] for one in campaigns])
    campaign, shop = np.nonzero(members)
    return pa.table(
        {
            "promotion_id": texts([one.promotion_id for one in campaigns], campaign),
            "customer_id": pc.take(block.customer_ids, pa.array(shop)),
            "treated": pa.array(treated[campaign, shop]),
        }
    )


def _opportunities(block: Block) -> pa.Table:
    kept = block.stages.shop < block.n_shops
    shop, stage, day, amount, outcome = (
        getattr(block.stages, name)[kept] for name in ("shop", "stage", "day", "amount", "outcome")
    )
    customer = pc.take(block.customer_ids, pa.array(shop))
    return pa.table(
        {
            "opportunity_id": pc.binary_join_element_wise("X", customer, "-"),
            "customer_id": customer,
            "stage": texts([*parameters()["pipeline"]["stages"], "lost"], stage),
            "entered_on": dates(block.clock, day),
            "amount": money(100 * amount),
            "salesperson_id": pc.take(salesperson_ids(block.world, block.shops.salesperson), pa.array(shop)),
            "outcome": texts(["lost", "won"], np.where(outcome == 0, -1, np.where(outcome > 0, 1, 0))),
        }
    )
