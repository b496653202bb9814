"""Futures of all customers, drawn a block of customers at a time and kept as quantiles and totals alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import spread
from kehu_analysis.clv.models.gamma_gamma import draw_spend
from kehu_analysis.clv.valuation.expected_value import Valuation, effects_of
from kehu_analysis.clv.valuation.intervals import order_statistics

#: Draws times customers held at once, by each thread.
_CELLS = 250_000
#: Totals of segments of fewer customers are far from any law that variances would tell.
_FEW_CUSTOMERS = 1000


@dataclass(frozen=True)
class DrawnValues:
    """What the futures are worth.

    Attributes
    ----------
    low, high
        Quantiles by customer, (n,).
    totals
        By draw and segment, (draws, n_segments); with fixed parameters of small segments only.
    variance
        By segment, the sum of the customers' own variances, (n_segments,).
    are_drawn
        Of which segments there are totals, (n_segments,).
    """

    low: FloatArray
    high: FloatArray
    totals: FloatArray
    variance: FloatArray
    are_drawn: npt.NDArray[np.bool_]


def draw_values(
    valuation: Valuation,
    margin: FloatArray,
    segment: npt.NDArray[np.intp],
    *,
    purchase_sets: FloatArray,
    spend_sets: FloatArray,
    draws: int,
    interval: float,
    rng: np.random.Generator,
    threads: int | None = None,
) -> DrawnValues:
    """Draw what each customer's future is worth today.

    Parameters
    ----------
    valuation
        Of the customers.
    margin
        Share of the spend that counts, (n,).
    segment
        Number of each customer's segment, (n,).
    purchase_sets, spend_sets
        Parameters of each draw, (draws, k), or the one set of all, (1, k).
    draws
        Number of futures.
    interval
        Share of futures between low and high.
    rng
        Each block of customers has a child of it, so that the number of threads leaves no trace.
    threads
        As many as there are processors, when not given.
    """
    n, n_segments = len(margin), int(segment.max()) + 1
    are_fixed = len(purchase_sets) == 1
    # Customers with one past stand together, so that a block has few different ones. With one set of parameters those
    # who are alike in all need to be drawn once only: customers are then independent of each other anyway.
    order = np.lexsort((valuation.spent, valuation.place))
    are_drawn = np.bincount(segment) < _FEW_CUSTOMERS if are_fixed else np.ones(n_segments, dtype=bool)
    members = _first_of_alike(valuation, order, apart=are_drawn[segment]) if are_fixed else np.arange(n)
    drawn_rows = order[members]
    step = max(1, _CELLS // draws)
    blocks = [slice(first, first + step) for first in range(0, len(drawn_rows), step)]
    draw_block = _block_drawer(valuation, purchase_sets, spend_sets, draws)
    low, high, variance = np.empty((3, len(drawn_rows)))
    totals = np.zeros((draws, n_segments))

    def drawn(task: tuple[slice, np.random.Generator]) -> tuple[IntArray, FloatArray]:
        block, generator = task
        rows = drawn_rows[block]
        futures = draw_block(rows, generator)
        counted = np.flatnonzero(are_drawn[segment[rows]])
        counted = counted[np.argsort(segment[rows[counted]], kind="stable")]
        codes, first = np.unique(segment[rows[counted]], return_index=True)
        worth = futures[counted] * margin[rows[counted], None]
        sums = np.add.reduceat(worth, first, axis=0) if len(first) else np.zeros((0, draws))
        variance[block] = futures.var(axis=1, ddof=1)
        low[block], high[block] = order_statistics(futures, interval)
        return codes, sums

    with ThreadPoolExecutor(threads or _processors()) as pool:
        for codes, sums in pool.map(drawn, zip(blocks, rng.spawn(len(blocks)), strict=True)):
            totals[:, codes] += sums.T
    place = np.empty(n, dtype=np.intp)
    place[order] = np.repeat(np.arange(len(members)), np.diff(members, append=n))
    ends = margin * low[place], margin * high[place]
    own_variance = np.asarray(np.bincount(segment, margin**2 * variance[place], n_segments), dtype=np.float64)
    return DrawnValues(np.minimum(*ends), np.maximum(*ends), totals, own_variance, are_drawn)


def _first_of_alike(valuation: Valuation, order: IntArray, apart: npt.NDArray[np.bool_]) -> IntArray:
    """Return where, in order, a customer is to be told apart, or differs in past, spend or covariates from the last."""
    differs = np.ones(len(order), dtype=bool)
    columns = (valuation.place[order], valuation.spent[order])
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.flatnonzero(differs | apart[order])


def _block_drawer(
    valuation: Valuation, purchase_sets: FloatArray, spend_sets: FloatArray, draws: int
) -> Callable[[IntArray, np.random.Generator], FloatArray]:
    """Return what draws the sales of some customers' futures, discounted, (n, draws)."""
    model, n_positive = valuation.model, len(valuation.model.parameter_names)
    lengths = np.diff(valuation.horizon.ends(), prepend=0.0)
    factors = valuation.period_factors()
    are_fixed = len(purchase_sets) == 1

    def draw_block(rows: IntArray, rng: np.random.Generator) -> FloatArray:
        past, effects = valuation.past.part(rows), effects_of(valuation.effects, rows)
        if are_fixed:
            chance = np.broadcast_to(valuation.probability_alive[rows], (draws, len(rows)))
        else:
            groups, place = np.unique(valuation.place[rows], return_inverse=True)
            moved = effects_of(valuation._moved, groups)
            sets = spread(purchase_sets, moved, n_positive)
            chance = model.probability_alive_of(valuation.pasts.part(groups), sets)[:, place]
        drawn = model.draw_futures(past, lengths, purchase_sets, rng, effects=effects, chance=chance)
        own = rows[drawn.customer]
        of = np.broadcast_to(spend_sets, (draws, spend_sets.shape[1]))[drawn.draw]
        amounts = draw_spend(valuation.past.x[own], valuation.spent[own], drawn.purchases, of, rng)
        futures = np.zeros((len(rows), draws))
        futures[drawn.customer, drawn.draw] = amounts @ factors
        return futures

    return draw_block


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
