"""Monthly invoices, and when shops pay them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kehu_analysis.simulate.clock import Clock
from kehu_analysis.simulate.lifetimes import Lifetimes
from kehu_analysis.simulate.ragged import positions
from kehu_analysis.simulate.shops import Shops
from kehu_analysis.simulate.world import World, parameters

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Payers:
    """How shops pay; one value a shop."""

    is_late: BoolArray
    is_bad_debt: BoolArray


@dataclass(frozen=True)
class Invoices:
    """One invoice a shop and month with sales; days count from the log's first and may lie after its last.

    Attributes
    ----------
    shop
        Position within the block.
    month
        Month of the log, from 0.
    issued, due
        Days.
    cents
        Amount; negative for a credit note.
    paid
        Day of payment; -1 while open.
    """

    shop: IntArray
    month: IntArray
    issued: IntArray
    due: IntArray
    cents: IntArray
    paid: IntArray


def draw_payers(world: World, clock: Clock, block: int, shops: Shops, lives: Lifetimes) -> Payers:
    """Draw who pays late, and who left without paying."""
    given = parameters()["receivables"]
    rng = world.rng(block, "payers")
    late, bad = rng.random((2, len(shops)))
    left = lives.left_day < clock.n_days
    return Payers(late < given["late_payer_share"], left & (bad < given["bad_debt_share"]))


def terms_days(shops: Shops) -> IntArray:
    """Return the days each shop is allowed for payment."""
    return np.asarray(parameters()["types"]["terms_days"])[shops.business_type]


def draw_invoices(
    world: World, clock: Clock, block: int, shops: Shops, payers: Payers, shop: IntArray, day: IntArray, cents: IntArray
) -> Invoices:
    """Invoice each shop at the end of each month, from the lines' shop, day and amount (cents), and draw payments."""
    given = parameters()["receivables"]
    rng = world.rng(block, "payments")
    n_months = int(clock.month[-1]) + 1
    sums = np.bincount(shop * n_months + clock.month[day], cents, minlength=len(shops) * n_months)
    key = np.flatnonzero(np.rint(sums))
    owner, month = key // n_months, key % n_months
    amount = np.rint(sums[key]).astype(np.int64)
    issued = clock.month_end()[month]
    is_credit = amount < 0
    due = issued + np.where(is_credit, 0, terms_days(shops)[owner])
    first, last = given["prompt_days"]
    prompt = due + rng.integers(first, last, len(key), endpoint=True)
    late = due + 1 + rng.exponential(given["late_mean_days"], len(key)).astype(np.int64)
    paid = np.maximum(np.where(payers.is_late[owner], late, prompt), issued + 1)
    paid = np.where(is_credit, issued, paid)
    from_last = positions(owner[::-1])[::-1]
    never = payers.is_bad_debt[owner] & (from_last < given["bad_debt_invoices"]) & ~is_credit
    return Invoices(owner, month, issued, due, amount, np.where(never | (paid >= clock.n_days), -1, paid))
