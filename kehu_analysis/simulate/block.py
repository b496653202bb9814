"""One block of the company: everything drawn for its shops, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.contacts import Contacts, deliveries, draw_contacts
from kehu_analysis.simulate.lifetimes import Lifetimes, draw_lifetimes
from kehu_analysis.simulate.names import customer_ids, draw_names, draw_parents
from kehu_analysis.simulate.orders import Orders, draw_orders
from kehu_analysis.simulate.pipeline import Stages, draw_pipeline
from kehu_analysis.simulate.receivables import Invoices, Payers, draw_invoices, draw_payers
from kehu_analysis.simulate.sales import Lines, draw_lines
from kehu_analysis.simulate.satisfaction import Satisfaction, draw_satisfaction
from kehu_analysis.simulate.shops import Shops, draw_shops
from kehu_analysis.simulate.world import World


@dataclass(frozen=True)
class Block:
    """All that was drawn for one block of shops.

    Attributes
    ----------
    contacts
        By kind; the deliveries among them.
    parent
        Position of the shop whose owner's second code a shop is, else -1.
    names
        Names of the shops.
    """

    world: World
    clock: Clock
    number: int
    shops: Shops
    opinions: Satisfaction
    lives: Lifetimes
    contacts: dict[str, Contacts]
    orders: Orders
    lines: Lines
    payers: Payers
    invoices: Invoices
    stages: Stages
    parent: NDArray[np.int64]
    names: list[str]

    @property
    def n_shops(self) -> int:
        """How many of the shops belong to the company: a block is drawn whole."""
        return int(np.sum(self.shops.number <= self.world.customers))

    @property
    def customer_ids(self) -> pa.Array:
        """Ids of the shops."""
        return customer_ids(self.world, self.shops.number)

    @property
    def shop_of_line(self) -> NDArray[np.int64]:
        """Position of each line's shop."""
        return self.orders.shop[self.lines.order]


def draw_block(world: World, clock: Clock, number: int) -> Block:
    """Draw one block; it depends on the world's seed, its length and its number of salespeople only."""
    shops = draw_shops(world, clock, number)
    opinions = draw_satisfaction(world, clock, number, shops)
    lives = draw_lifetimes(world, clock, number, shops, opinions)
    contacts = draw_contacts(world, clock, number, shops, lives, opinions)
    orders = draw_orders(world, clock, number, shops, lives, contacts["visit"])
    lines = draw_lines(world, clock, number, shops, orders)
    sold = np.where(lines.is_return, 0, lines.quantity)
    cartons = np.bincount(lines.order, sold, minlength=len(orders.shop)).astype(np.int64)
    contacts["delivery"] = deliveries(shops, orders.shop, orders.day, cartons)
    payers = draw_payers(world, clock, number, shops, lives)
    billed = orders.shop[lines.order], lines.day, lines.amount_cents
    parent = draw_parents(world, number, shops)
    return Block(
        world=world,
        clock=clock,
        number=number,
        shops=shops,
        opinions=opinions,
        lives=lives,
        contacts=contacts,
        orders=orders,
        lines=lines,
        payers=payers,
        invoices=draw_invoices(world, clock, number, shops, payers, *billed),
        stages=draw_pipeline(world, clock, number, shops, lives),
        parent=parent,
        names=draw_names(world, number, shops, parent),
    )
