"""Draws of futures and pasts of customers who may leave for good after a purchase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.models.histories import DrawnPurchases, History
from kehu_analysis.clv.numerics.regular_purchases import phases

#: numpy's geometric draws need a chance above 0; below this nobody leaves within any horizon.
_SMALLEST_CHANCE = 1e-15
#: numpy's Poisson draws end a little above.
_MOST_STAGES = 1e18

IntArray = npt.NDArray[np.int64]


def draw_futures(
    past: History,
    lengths: FloatArray,
    parameters: Sequence[FloatArray],
    chance: FloatArray,
    k: int,
    leaves_at_once: int,
    rng: np.random.Generator,
) -> DrawnPurchases:
    """Draw one future of each customer for each set of parameters.

    Of a customer who is alive the rate is Gamma and the chance to leave Beta (each purchase so far was survived);
    purchases are those of the process up to the one after which the customer leaves, whose number is geometric.

    Parameters
    ----------
    past
        Customers, (n,).
    lengths
        Of the periods that follow one another from now.
    parameters
        r, alpha, a, b, of shapes that broadcast to (draws, n).
    chance
        Probability that each customer is alive, (draws, n).
    k
        Stages to a purchase.
    leaves_at_once
        1 where the customer may have left right after the first purchase, else 0.
    rng
        Generator.
    """
    r, alpha, a, b = parameters
    if k == 1:
        draw, customer, bought = _futures(past, lengths, r, alpha, chance, rng)
    else:
        draw, customer, bought = _regular_futures(past, lengths, r, alpha, chance, k, rng)
    a, b = np.broadcast_to(a, chance.shape), np.broadcast_to(b, chance.shape)
    leaves = rng.beta(a[draw, customer], b[draw, customer] + past.x[customer] + leaves_at_once)
    last = rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE))
    return DrawnPurchases(draw, customer, np.diff(np.minimum(bought, last[:, None]), axis=1, prepend=0))


def draw_pasts(
    T: FloatArray, parameters: Sequence[FloatArray], k: int, leaves_at_once: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the summary of new customers up to the ages ``T``: frequency, recency, T and sum_log_interval.

    Every time between purchases is drawn, so that memory grows with the number of purchases.
    """
    r, alpha, a, b = parameters
    n = len(T)
    rate, leaves = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    stages = rng.poisson(np.minimum(rate * T, _MOST_STAGES))
    last = rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE)) - leaves_at_once
    x = np.minimum(stages // k, last)
    # Stages fall evenly over T, so that the age at one of them is Beta; those up to it cut that age evenly.
    buyers = np.flatnonzero(x)
    recency = np.zeros(n)
    recency[buyers] = T[buyers] * rng.beta(k * x[buyers], stages[buyers] + 1 - k * x[buyers])
    pieces = rng.gamma(float(k), 1.0, int(x.sum()))
    starts = np.cumsum(x[buyers]) - x[buyers]
    logs = np.zeros(n)
    if len(buyers):
        whole = np.add.reduceat(pieces, starts)
        sums = np.add.reduceat(np.log(pieces), starts)
        logs[buyers] = sums + x[buyers] * np.log(recency[buyers] / whole)
    return pd.DataFrame({"frequency": x, "recency": recency, "T": T, "sum_log_interval": logs})


def _futures(
    past: History,
    lengths: FloatArray,
    r: FloatArray,
    alpha: FloatArray,
    chance: FloatArray,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, IntArray]:
    # One uniform number decides whether a purchase comes at all and, if so, when the first one does: the wait of a
    # customer who is alive exceeds s with probability (rate / (rate + s))^shape.
    ends = np.cumsum(lengths)
    waits = np.log1p(ends[-1] / (alpha + past.T)) * (r + past.x)
    uniform = rng.random(chance.shape)
    draw, customer = np.nonzero(uniform < -chance * np.expm1(-waits))
    r, alpha = np.broadcast_to(r, chance.shape), np.broadcast_to(alpha, chance.shape)
    shape, rate = r[draw, customer] + past.x[customer], alpha[draw, customer] + past.T[customer]
    reached = np.log1p(-uniform[draw, customer] / chance[draw, customer])
    first = np.clip(rate * np.expm1(-reached / shape), 0, ends[-1])
    # After it the rate is Gamma(shape + 1, rate + first), the number of others negative binomial, and these fall
    # evenly over the time that is left.
    others = rng.negative_binomial(shape + 1, (rate + first) / (rate + ends[-1]))
    left = np.maximum(np.minimum(lengths, ends - first[:, None]), 0)
    bought = (ends >= first[:, None]).astype(np.int64)
    bought += _spread(others, left, rng)
    return draw, customer, bought


def _regular_futures(
    past: History,
    lengths: FloatArray,
    r: FloatArray,
    alpha: FloatArray,
    chance: FloatArray,
    k: int,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, IntArray]:
    # Stages passed since the last purchase, rate, stages to come; most futures without a purchase go before the rest.
    draw, customer = np.nonzero(rng.random(chance.shape) < chance)
    r, alpha = np.broadcast_to(r, chance.shape), np.broadcast_to(alpha, chance.shape)
    shape, rate = r[draw, customer] + k * past.x[customer], alpha[draw, customer] + past.T[customer]
    share = phases(shape, (past.T - past.t_x)[customer] / rate, k)[1]
    phase = np.sum(np.cumsum(share, axis=0)[:-1] < rng.random(len(shape)), axis=0)
    expected = rng.gamma(shape + phase) / rate * lengths.sum()
    stages = rng.poisson(np.minimum(expected, _MOST_STAGES))
    some = np.flatnonzero(phase + stages >= k)
    by_then = _spread(stages[some], np.broadcast_to(lengths, (len(some), len(lengths))), rng)
    return draw[some], customer[some], (phase[some, None] + by_then) // k


def _spread(numbers: IntArray, lengths: FloatArray, rng: np.random.Generator) -> IntArray:
    # How many of so many events, evenly over time, have happened by the end of each period.
    by_then = np.zeros(lengths.shape, dtype=np.int64)
    some = np.flatnonzero(numbers)
    shares = lengths[some] / lengths[some].sum(axis=1, keepdims=True)
    by_then[some] = np.cumsum(rng.multinomial(numbers[some], shares), axis=1)
    return by_then
