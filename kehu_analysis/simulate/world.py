"""Which company is simulated, and where its numbers and its randomness come from."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from kehu_analysis.errors import UsageError
from kehu_analysis.periods import Quarter

#: Customers drawn together. Part of what a seed means: another number gives other companies.
BLOCK = 512

#: The largest whole number of a TOML file, in which the seed is written down.
_LARGEST_SEED = 2**63 - 1

#: Why shops do not answer surveys, and what files a company may be written as.
NONRESPONSES = ("attributes", "satisfaction")
FORMATS = ("parquet", "csv")


@cache
def parameters() -> Mapping[str, Any]:
    """Return the truth that every simulated company shares, as ``parameters.toml`` states it."""
    return _read("parameters.toml")


@cache
def catalogue() -> Mapping[str, Any]:
    """Return the places, names and products of the company."""
    return _read("catalogue.toml")


def _read(name: str) -> dict[str, Any]:
    text = resources.files("kehu_analysis.simulate").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True)
class World:
    """One company: how large, how long, from which seed, and why some shops do not answer its surveys.

    Parameters
    ----------
    customers
        Number of shops; 50 to 10 million.
    quarters
        Length of the log; it ends with the last quarter of ``parameters.toml``. 4 to 40.
    seed
        The same seed gives the same company. A shop's own data depend on its number and the seed alone, not on how many
        others there are; only who serves it does.
    nonresponse
        ``attributes``: who answers depends on what the company knows of a shop, weighting mends it; ``satisfaction``:
        on the answer itself, weighting does not.

    Raises
    ------
    UsageError
        One of them is out of range.

    Examples
    --------
    >>> world = World(customers=200, quarters=8, seed=7)
    >>> world.first_day, world.last_day, world.blocks
    (datetime.date(2024, 10, 1), datetime.date(2026, 9, 30), 1)
    """

    customers: int = 1500
    quarters: int = 12
    seed: int = 1
    nonresponse: str = "attributes"

    def __post_init__(self) -> None:
        limits = parameters()["company"]
        fewest, most = limits["fewest_customers"], limits["most_customers"]
        if not fewest <= self.customers <= most:
            raise UsageError("demo_customers", given=self.customers, fewest=fewest, most=most)
        if not limits["fewest_quarters"] <= self.quarters <= limits["most_quarters"]:
            fewest, most = limits["fewest_quarters"], limits["most_quarters"]
            raise UsageError("demo_quarters", given=self.quarters, fewest=fewest, most=most)
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise UsageError("demo_seed", given=self.seed, most=_LARGEST_SEED)
        if self.nonresponse not in NONRESPONSES:
            raise UsageError("demo_nonresponse", given=self.nonresponse, known=", ".join(NONRESPONSES))

    @property
    def last_quarter(self) -> Quarter:
        """The last quarter of the log, which is complete."""
        return Quarter.parse(parameters()["company"]["last_quarter"])

    @property
    def first_day(self) -> date:
        """First day of the log."""
        return self.last_quarter.shifted(1 - self.quarters).start

    @property
    def last_day(self) -> date:
        """Last day of the log."""
        return self.last_quarter.last_day

    @property
    def blocks(self) -> int:
        """Number of blocks of customers."""
        return -(-self.customers // BLOCK)

    @property
    def salespeople(self) -> int:
        """Number of salespeople, the same in every district and at least two there."""
        wanted: float = self.customers * parameters()["company"]["salespeople_per_customers"]
        districts = len({town["district"] for town in catalogue()["towns"]})
        return districts * max(2, round(wanted / districts))

    def rng(self, block: int, topic: str) -> np.random.Generator:
        """Return the generator of one topic of one block: what is drawn for one topic moves no other."""
        return np.random.default_rng([self.seed, block, zlib.crc32(topic.encode())])
