"""List prices and costs, which rise every January."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.world import catalogue, parameters

FloatArray = NDArray[np.float64]


def unit_prices(clock: Clock) -> dict[str, FloatArray]:
    """Return list price and cost of a carton in cents, shape (n_years, n_products): the catalogue has the latest."""
    products = catalogue()["products"]
    found = {}
    for name, column, rises in (("list", "list_price", "list_price_rise"), ("cost", "unit_cost", "cost_rise")):
        latest = np.array([product[column] for product in products])
        found[name] = np.rint(100 * latest * _level(clock, rises)[:, None])
    return found


def price_level(clock: Clock) -> FloatArray:
    """Return how high list prices are on each day, the latest being 1.

    Examples
    --------
    >>> from kehu_analysis.simulate.clock import clock_of
    >>> from kehu_analysis.simulate.world import World
    >>> price_level(clock_of(World(quarters=8)))[[0, -1]].round(4).tolist()  # 2024 and 2026
    [0.9518, 1.0]
    """
    return np.asarray(_level(clock, "list_price_rise")[clock.year - clock.year[0]])


def _level(clock: Clock, rises: str) -> FloatArray:
    years = range(int(clock.year[0]), int(clock.year[-1]) + 1)
    return np.array([1 / _rise_after(year, rises) for year in years])


@cache
def _rise_after(year: int, rises: str) -> float:
    given = parameters()["prices"]
    later = [1 + rise for start, rise in zip(given["years"], given[rises], strict=True) if start > year]
    return float(np.prod(later))
