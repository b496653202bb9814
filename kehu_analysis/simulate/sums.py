"""What the company's blocks come to together: enough for its targets and for the outcomes of the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.block import Block
from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.sales import categories_of
from kehu_analysis.simulate.world import World, catalogue, parameters

FloatArray = NDArray[np.float64]


@dataclass
class Sums:
    """Sums over the blocks added so far; money in cents.

    Attributes
    ----------
    world, clock
        Of which company.
    sales
        Net amount by salesperson and month.
    open_shops, expected_sales
        Shops that were open at the beginning of a month, and what they may be expected to buy net in it (currency), by
        salesperson and month.
    category_sales, category_cost
        By quarter and category.
    campaigns
        By campaign: members, treated, incremental amount, net amount in its weeks of members and of others, others.
    counts
        Customers, alive at the end, orders and lines.
    """

    world: World
    clock: Clock
    sales: FloatArray = field(init=False)
    open_shops: FloatArray = field(init=False)
    expected_sales: FloatArray = field(init=False)
    category_sales: FloatArray = field(init=False)
    category_cost: FloatArray = field(init=False)
    campaigns: dict[str, FloatArray] = field(init=False)
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        n_months, people = int(self.clock.month[-1]) + 1, self.world.salespeople
        self.sales = np.zeros((people, n_months))
        self.open_shops = np.zeros((people, n_months))
        self.expected_sales = np.zeros((people, n_months))
        self.category_sales = np.zeros((self.world.quarters, len(catalogue()["categories"])))
        self.category_cost = np.zeros_like(self.category_sales)
        self.campaigns = {code: np.zeros(6) for code in parameters()["campaigns"]}
        self.counts = dict.fromkeys(("customers", "alive", "orders", "lines"), 0)

    def add(self, block: Block) -> None:
        """Add one block."""
        shops, lines, clock, n = block.shops, block.lines, self.clock, block.n_shops
        shop = block.shop_of_line
        kept = shop < n
        shop, day, net = shop[kept], lines.day[kept], lines.amount_cents[kept]
        np.add.at(self.sales, (shops.salesperson[shop] - 1, clock.month[day]), net)
        place = clock.quarter[day], categories_of(lines)[kept]
        np.add.at(self.category_sales, place, net)
        np.add.at(self.category_cost, place, lines.cost_cents[kept])
        begins = np.append(0, clock.month_end()[:-1] + 1)
        is_open = (shops.open_day[:n, None] <= begins) & (begins < block.lives.left_day[:n, None])
        who, month = np.nonzero(is_open)
        place = shops.salesperson[who] - 1, month
        np.add.at(self.open_shops, place, 1)
        np.add.at(self.expected_sales, place, (shops.amount_per_month * (1 - shops.discount_rate))[who])
        self._add_campaigns(block, shop, day, net)
        self.counts["customers"] += n
        self.counts["alive"] += int(np.sum(block.lives.left_day[:n] >= clock.n_days))
        self.counts["orders"] += int(np.sum(block.orders.shop < n))
        self.counts["lines"] += int(np.sum(kept))

    def _add_campaigns(self, block: Block, shop: NDArray[Any], day: NDArray[Any], net: NDArray[Any]) -> None:
        n = block.n_shops
        for place, one in enumerate(block.orders.campaigns):
            inside = (day >= one.first_day) & (day <= one.last_day)
            amount = np.bincount(shop[inside], net[inside], minlength=n)
            member = one.member[:n]
            # Compared with whom it is usually compared: everybody else who had dealings with the company by then.
            other = ~member & (block.shops.open_day[:n] < one.first_day)
            gained = 100 * block.orders.incremental[place, :n].sum()
            self.campaigns[one.promotion_id] += (
                member.sum(), one.treated[:n].sum(), gained, amount[member].sum(), amount[other].sum(), other.sum()
            )  # fmt: skip
