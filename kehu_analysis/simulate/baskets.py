"""What is in an order: categories by taste and season, products by assortment, and the planted pairs and ladder."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.orders import Orders
from kehu_analysis.simulate.ragged import choose, owners, running
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, catalogue, parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@cache
def product_numbers() -> dict[str, int]:
    """Return the position of each product in the catalogue."""
    return {product["product_id"]: place for place, product in enumerate(catalogue()["products"])}


@cache
def category_of_product() -> IntArray:
    """Return the position of each product's category."""
    codes = [category["code"] for category in catalogue()["categories"]]
    return np.array([codes.index(product["category"]) for product in catalogue()["products"]])


def draw_baskets(world: World, clock: Clock, block: int, shops: Shops, orders: Orders) -> tuple[IntArray, IntArray]:
    """Draw the lines of all orders.

    Returns
    -------
    Order and product of each line, both as positions, in this order; a product stands once in an order.
    """
    rng = world.rng(block, "baskets")
    given = parameters()["assortment"]
    mean = np.asarray(parameters()["types"]["lines_per_order"])[shops.business_type][orders.shop]
    lines = np.minimum(1 + rng.poisson(mean - 1), parameters()["order_size"]["most_lines"])
    order = owners(lines)
    category = _categories(rng, clock, shops, orders, order)
    product = _products(rng, shops, orders.shop[order], category)
    product = _on_the_ladder(rng, given, orders.shop[order], product)
    order, product = _with_second_of_pairs(rng, given["pair_probability"], order, product)
    order, product = _once_each(order, product)
    kept = ~_dropped_substitutes(rng, given["substitute_probability"], order, product)
    return order[kept], product[kept]


def _categories(rng: np.random.Generator, clock: Clock, shops: Shops, orders: Orders, order: IntArray) -> IntArray:
    categories = catalogue()["categories"]
    names = parameters()["types"]["names"]
    shape = parameters()["assortment"]["shop_category_shape"]
    taste = np.array([[category["type_taste"][name] for category in categories] for name in names])
    own = taste[shops.business_type] * rng.gamma(shape, size=(len(shops), len(categories)))
    season = np.array([category["month_weights"] for category in categories]).T
    pushed = parameters()["simpson"]
    codes = [category["code"] for category in categories]
    push = np.where(np.array(codes) == pushed["category"], pushed["weight_factor"], 1.0)
    day = orders.day[order]
    month = (clock.days[day].astype("datetime64[M]").astype(np.int64)) % 12
    weights = own[orders.shop[order]] * season[month]
    weights[clock.quarter[day] == clock.quarter[-1]] *= push
    return choose(weights, rng.random(len(order)))


def _products(rng: np.random.Generator, shops: Shops, shop: IntArray, category: IntArray) -> IntArray:
    products, categories = catalogue()["products"], category_of_product()
    shape = parameters()["assortment"]["shop_product_shape"]
    own = np.array([one["weight"] for one in products]) * rng.gamma(shape, size=(len(shops), len(products)))
    uniform = rng.random(len(category))
    product = np.empty(len(category), dtype=np.int64)
    for each in range(categories.max() + 1):
        place = np.flatnonzero(categories == each)
        hit = category == each
        product[hit] = place[choose(own[np.ix_(shop[hit], place)], uniform[hit])]
    return product


def _on_the_ladder(rng: np.random.Generator, given: dict[str, Any], shop: IntArray, product: IntArray) -> IntArray:
    """Let shops take up the products of the ladder one after the other."""
    ladder = np.array([product_numbers()[code] for code in given["ladder"]])
    lines = np.flatnonzero(category_of_product()[product] == category_of_product()[ladder[0]])
    steps = (rng.random(len(lines)) < given["ladder_step_probability"]).astype(np.int64)
    step = np.minimum(running(steps, shop[lines]), len(ladder) - 1)
    adheres = rng.random(len(lines)) < given["ladder_adherence"]
    product = product.copy()
    product[lines] = np.where(adheres, ladder[step], product[lines])
    return product


def _with_second_of_pairs(
    rng: np.random.Generator, probability: float, order: IntArray, product: IntArray
) -> tuple[IntArray, IntArray]:
    extra = []
    for first, second in parameters()["assortment"]["pairs"]:
        has_first = np.unique(order[product == product_numbers()[first]])
        taken = has_first[rng.random(len(has_first)) < probability]
        extra.append((taken, np.full(len(taken), product_numbers()[second])))
    return (
        np.concatenate([order, *(orders for orders, _ in extra)]),
        np.concatenate([product, *(products for _, products in extra)]),
    )


def _once_each(order: IntArray, product: IntArray) -> tuple[IntArray, IntArray]:
    n_products = len(product_numbers())
    key = np.unique(order * n_products + product)
    return key // n_products, key % n_products


def _dropped_substitutes(
    rng: np.random.Generator, probability: float, order: IntArray, product: IntArray
) -> NDArray[np.bool_]:
    one, other = (product_numbers()[code] for code in parameters()["assortment"]["substitutes"])
    both = np.intersect1d(order[product == one], order[product == other])
    dropping = both[rng.random(len(both)) < probability]
    # Which of the two goes is a matter of chance.
    gone = np.where(rng.random(len(dropping)) < 0.5, one, other)
    n_products = len(product_numbers())
    return np.isin(order * n_products + product, dropping * n_products + gone)
