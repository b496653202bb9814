"""Quantities, prices, discounts, costs and returns: the lines of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.baskets import category_of_product, draw_baskets
from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.orders import Orders
from kehu_analysis.simulate.prices import unit_prices
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """Lines of one block, in order of shop, day, order and product; money in cents, returns negative.

    Attributes
    ----------
    order
        Position of the order that the line belongs to, or gives back from.
    day
        Day of the log.
    product
        Position in the catalogue.
    quantity
        Cartons.
    list_cents, discount_cents, cost_cents
        Amount at list price, what is taken off it, and what the goods cost.
    is_return
        Whether it gives goods back.
    """

    order: IntArray
    day: IntArray
    product: IntArray
    quantity: IntArray
    list_cents: IntArray
    discount_cents: IntArray
    cost_cents: IntArray
    is_return: BoolArray

    @property
    def amount_cents(self) -> IntArray:
        """Amount, net of discount."""
        return self.list_cents - self.discount_cents


def draw_lines(world: World, clock: Clock, block: int, shops: Shops, orders: Orders) -> Lines:
    """Draw the lines of one block's orders and of what comes back."""
    given = parameters()["order_size"]
    order, product = draw_baskets(world, clock, block, shops, orders)
    rng = world.rng(block, "lines")
    day = orders.day[order]
    prices = unit_prices(clock)
    unit_list = prices["list"][clock.year[day] - clock.year[0], product]
    unit_cost = prices["cost"][clock.year[day] - clock.year[0], product]
    pushed = clock.quarter[day] == clock.quarter[-1]
    unit_cost = np.where(pushed, np.rint(unit_cost * parameters()["simpson"]["cost_factor"]), unit_cost)
    n_lines = np.bincount(order, minlength=len(orders.shop))
    differs = rng.gamma(given["line_shape"], size=len(order)) / given["line_shape"]
    cartons = 100 * (orders.amount / np.maximum(n_lines, 1))[order] * differs / unit_list
    # Rounded up or down by chance, so that effects on units stay what they are; a line has a carton at least.
    quantity = np.maximum(np.floor(cartons + rng.random(len(order))), 1)
    list_cents = quantity * unit_list
    discount = np.rint(list_cents * orders.discount_rate[order])
    sold = [order, day, product, quantity, list_cents, discount, quantity * unit_cost]
    back = _returns(rng, clock, sold)
    columns = [np.concatenate([part, again]).astype(np.int64) for part, again in zip(sold, back, strict=True)]
    is_return = np.repeat([False, True], [len(order), len(back[0])])
    place = np.lexsort((columns[2], is_return, columns[1], orders.shop[columns[0]]))
    return Lines(*(column[place] for column in (*columns, is_return)))


def _returns(rng: np.random.Generator, clock: Clock, sold: list[NDArray[Any]]) -> list[NDArray[Any]]:
    given = parameters()["order_size"]
    order, day, product, quantity, list_cents, discount, cost = sold
    comes_back = rng.random(len(order)) < given["return_share"]
    first, last = given["return_days"]
    later = clock.next_trading_day(day + rng.integers(first, last, len(order), endpoint=True))
    part = np.where(rng.random(len(order)) < 0.5, 1.0, 0.5)
    back = np.maximum(np.floor(quantity * part), 1)
    chosen = comes_back & (later < clock.n_days)
    share = back / quantity
    columns = [order, later, product, -back, -(list_cents * share), -np.rint(discount * share), -(cost * share)]
    return [np.rint(column[chosen]) for column in columns]


def categories_of(lines: Lines) -> IntArray:
    """Return the position of each line's category."""
    return category_of_product()[lines.product]
