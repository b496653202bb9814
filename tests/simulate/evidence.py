"""What the tests of truth share: a company, its orders, and estimates held against what was planted."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.simulate import simulate_company
from kehu_analysis.simulate.clock import Clock, clock_of
from kehu_analysis.simulate.world import World, catalogue, parameters

#: A fair estimate lies farther from the truth in one of 2,000 companies.
FARTHEST = 3.5
SEED = 11
TYPES = dict(zip(parameters()["types"]["names"], parameters()["types"]["codes"], strict=True))
SIZES = parameters()["size_classes"]["names"]


class Found(NamedTuple):
    """One estimate, its standard error, and what was planted."""

    name: str
    estimate: float
    error: float
    truth: float

    @property
    def z(self) -> float:
        return (self.estimate - self.truth) / self.error


def assert_found(found: list[Found]) -> None:
    assert found
    far = [f"{one} lies {one.z:.1f} standard errors off" for one in found if not abs(one.z) < FARTHEST]
    assert not far, "\n".join(far)


def found_of(fit: object, truths: dict[str, float]) -> list[Found]:
    """Take named coefficients of a fit of statsmodels."""
    return [Found(name, fit.params[name], fit.bse[name], truth) for name, truth in truths.items()]


class Company:
    """The tables of one simulated company, and what several tests make of them."""

    def __init__(self, customers: int = 1500, quarters: int = 12, seed: int = SEED, nonresponse: str = "attributes"):
        self.world = World(customers, quarters, seed, nonresponse)
        self.tables = simulate_company(customers, quarters, seed, nonresponse)
        self.clock: Clock = clock_of(self.world)
        self.shops = self._shops()
        self.orders = self._orders()

    def day(self, dates: pd.Series) -> np.ndarray:
        """Number of days since the log began; one after its last for no date."""
        days = (dates - pd.Timestamp(self.world.first_day)).dt.days
        return days.fillna(self.clock.n_days).to_numpy(int)

    def _shops(self) -> pd.DataFrame:
        shops = self.tables["customers"].merge(self.tables["truth_customers"], on="customer_id", validate="1:1")
        shops["type"] = shops.business_type.map(TYPES)
        shops["is_big"] = shops.discount_rate > shops.earned_discount_rate + 0.1
        shops["is_new"] = shops.opened_on >= pd.Timestamp(self.world.first_day)
        shops["begin"] = np.maximum(self.day(shops.opened_on), 0)
        shops["end"] = self.day(shops.left_on)
        shops["pauses"] = shops.paused_from.notna()
        shops["distance_10_km"] = shops.distance_km / 10
        return shops

    def _orders(self) -> pd.DataFrame:
        """One row an order: list and net amount, lines, and day and operational time of it."""
        sold = self.tables["transactions"].query("quantity > 0")
        sold = sold.assign(list_amount=sold.amount + sold.discount)
        orders = sold.groupby(["customer_id", "date"], as_index=False).agg(
            amount=("amount", "sum"), list_amount=("list_amount", "sum"), lines=("product_id", "size")
        )
        orders["day"] = self.day(orders.date)
        orders["time"] = self.weeks(orders.day.to_numpy() + 0.5)
        return orders

    def weeks(self, day: np.ndarray) -> np.ndarray:
        """Operational time in weeks of average trading at a time in days of the log."""
        return np.interp(day, np.arange(self.clock.n_days + 1), self.clock.operational)

    def campaign_days(self, promotion_id: str) -> tuple[int, int]:
        row = self.tables["campaigns"].set_index("promotion_id").loc[promotion_id]
        first, last = self.day(pd.Series([row.starts_on, row.ends_on]))
        return int(first), int(last)


@cache
def company(customers: int = 1500, quarters: int = 12, seed: int = SEED, nonresponse: str = "attributes") -> Company:
    return Company(customers, quarters, seed, nonresponse)


def segment_value(name: str, segment: str) -> float:
    given = parameters()["segments"]
    return float(given[name][given["codes"].index(segment)])


def type_value(name: str, business_type: str) -> float:
    given = parameters()["types"]
    return float(given[name][given["codes"].index(business_type)])


def category_codes() -> dict[str, str]:
    return {one["name"]: one["code"] for one in catalogue()["categories"]}
