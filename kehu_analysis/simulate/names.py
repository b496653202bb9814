"""Ids and names of shops and salespeople."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kehu_analysis.simulate.columns import numbered
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, catalogue, parameters

IntArray = NDArray[np.int64]

_DIGITS = 6


def customer_ids(world: World, number: IntArray) -> pa.Array:
    """Return the ids of shops; they have leading zeros."""
    return numbered("", number, max(_DIGITS, len(str(world.customers))))


def salesperson_ids(world: World, number: IntArray) -> pa.Array:
    """Return the ids of salespeople."""
    return numbered("S", number, max(2, len(str(world.salespeople))))


def draw_parents(world: World, block: int, shops: Shops) -> IntArray:
    """Draw which shops are a second code of another one's owner: its position in the block, else -1.

    It lies in the same town and is of the same type.
    """
    rng = world.rng(block, "parents")
    wants = np.flatnonzero(rng.random(len(shops)) < parameters()["company"]["share_with_parent"])
    parent = np.full(len(shops), -1)
    is_free = ~shops.is_big
    is_free[wants] = False
    for shop in wants:
        alike = is_free & (shops.town == shops.town[shop]) & (shops.business_type == shops.business_type[shop])
        before = np.flatnonzero(alike[:shop])
        if len(before) and not shops.is_big[shop]:
            parent[shop] = before[-1]
            is_free[before[-1]] = False
    return parent


def street_numbers(world: World, block: int, n: int) -> IntArray:
    """Return which street of the catalogue each shop of a block is named after."""
    streets = catalogue()["names"]["streets"]
    drawn = world.rng(block, "names").random((n, 4))[:, 0]
    return np.asarray((drawn * len(streets)).astype(np.int64))


def draw_names(world: World, block: int, shops: Shops, parent: IntArray) -> list[str]:
    """Draw shops' names: town, street, nickname of the owner, and what they are."""
    rng = world.rng(block, "names")
    parts, towns = catalogue()["names"], catalogue()["towns"]
    types = parameters()["types"]["names"]
    uniform = rng.random((len(shops), 4))
    names: list[str] = []
    for shop, own in enumerate(uniform):
        suffixes = parts["suffixes"][types[shops.business_type[shop]]]
        street, surname, given, suffix = (
            words[int(share * len(words))]
            for share, words in zip(own, (parts["streets"], parts["surnames"], parts["given"], suffixes), strict=True)
        )
        name = f"{towns[shops.town[shop]]['short']}{street}{given.format(surname=surname)}{suffix}"
        names.append(name if parent[shop] < 0 else f"{names[parent[shop]]}{parts['branch']}")
    return names
