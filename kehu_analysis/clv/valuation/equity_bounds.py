"""Values of customers, of segments and of all, with what parameters and chance leave open of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.valuation.expected_value import Valuation
from kehu_analysis.clv.valuation.futures import draw_values
from kehu_analysis.clv.valuation.intervals import quantiles

Bounds = tuple[FloatArray, FloatArray]


class CustomerEquity:
    """What customers are worth, each, by segment and together.

    Parameters
    ----------
    valuation
        Expected purchases and spend of each customer.
    margin
        Share of the spend that counts, (n,).
    segment
        Number of each customer's segment, (n,).
    covariances
        Of the logarithms of the parameters of both models.
    interval
        Coverage.

    Attributes
    ----------
    value
        By customer, (n,).
    totals
        By segment, (n_segments,), and last of all customers.
    parameter_bounds, bounds
        Low and high by customer, (n,): of the value, from its parameters; and of what may come, after :meth:`draw`.
    total_parameter_bounds, total_bounds
        The same of ``totals``.
    """

    bounds: Bounds
    total_bounds: Bounds

    def __init__(
        self,
        valuation: Valuation,
        margin: FloatArray,
        segment: npt.NDArray[np.intp],
        covariances: Sequence[FloatArray],
        interval: float,
    ) -> None:
        self._valuation, self._margin, self._segment, self._interval = valuation, margin, segment, interval
        self._z = float(stats.norm.ppf((1 + interval) / 2))
        self.value = margin * valuation.spend * valuation.discounted
        self.totals = self._summed(self.value)
        # Where no value is below 0 the logarithm of a sum is nearer to normal than the sum.
        self._is_positive = self._summed((margin < 0).astype(float)) == 0
        slopes, spend_slopes = valuation.slopes(), valuation.spend_slopes()
        by_past = np.einsum("ij,jk,ik->i", slopes, covariances[0], slopes, optimize=True)
        by_spend = np.einsum("ij,jk,ik->i", spend_slopes, covariances[1], spend_slopes, optimize=True)
        factor = np.exp(self._z * np.sqrt(by_past[valuation.place] + by_spend))
        self.parameter_bounds = _in_order(self.value / factor, self.value * factor)
        variance = np.zeros(len(self.totals))
        for each, covariance, place in (
            (slopes, covariances[0], valuation.place),
            (spend_slopes, covariances[1], None),
        ):
            columns = [column if place is None else column[place] for column in each.T]
            moved = np.column_stack([self._summed(self.value * column) for column in columns])
            variance += np.einsum("ij,jk,ik->i", moved, covariance, moved)
        self._parameter_variance = variance
        self.total_parameter_bounds = self._around(variance)

    def draw(self, purchase_sets: FloatArray, spend_sets: FloatArray, draws: int, rng: np.random.Generator) -> None:
        """Draw futures, with one set of parameters a draw, or with one for all: see :func:`draw_values`."""
        drawn = draw_values(
            self._valuation,
            self._margin,
            self._segment,
            purchase_sets=purchase_sets,
            spend_sets=spend_sets,
            draws=draws,
            interval=self._interval,
            rng=rng,
        )
        self.bounds = drawn.low, drawn.high
        if len(purchase_sets) > 1:
            with_all = np.column_stack([drawn.totals, drawn.totals.sum(axis=1)])
            self.total_bounds = quantiles(with_all, self._interval)
        else:
            # Given the parameters customers are independent, so that variances add up.
            chance = np.append(drawn.variance, drawn.variance.sum())
            low, high = self._around(chance + self._parameter_variance)
            few = np.flatnonzero(drawn.are_drawn)
            if len(few):
                moved = self._moved_by_parameters(drawn.totals[:, few], few, rng)
                low[few], high[few] = quantiles(moved, self._interval)
            self.total_bounds = low, high

    def by_segment(self, names: Sequence[str]) -> pd.DataFrame:
        """Return a row a segment, the most valuable first."""
        n = len(names)
        table = pd.DataFrame(
            {
                "segment": names,
                "n_customers": np.bincount(self._segment, minlength=n),
                "customer_equity": self.totals[:n],
                "equity_parameter_low": self.total_parameter_bounds[0][:n],
                "equity_parameter_high": self.total_parameter_bounds[1][:n],
                "equity_low": self.total_bounds[0][:n],
                "equity_high": self.total_bounds[1][:n],
            }
        )
        total = self.totals[-1]
        table["share_of_equity"] = table["customer_equity"] / total if total > 0 else np.nan
        return table.sort_values(["customer_equity", "segment"], ascending=[False, True], ignore_index=True)

    def _summed(self, values: FloatArray) -> FloatArray:
        sums = np.bincount(self._segment, values)
        return np.append(sums, values.sum())

    def _moved_by_parameters(
        self, totals: FloatArray, segments: npt.NDArray[np.intp], rng: np.random.Generator
    ) -> FloatArray:
        # What parameters leave open, as normal as in the intervals that hold it alone.
        shift = rng.standard_normal(totals.shape) * np.sqrt(self._parameter_variance[segments])
        expected = self.totals[segments]
        positive = self._is_positive[segments] & (expected > 0)
        factor = np.exp(np.divide(shift, expected, out=np.zeros(shift.shape), where=positive))
        return np.where(positive, totals * factor, totals + shift)

    def _around(self, variance: FloatArray) -> Bounds:
        width = self._z * np.sqrt(variance)
        positive = self._is_positive & (self.totals > 0)
        factor = np.exp(np.divide(width, self.totals, out=np.zeros(len(width)), where=positive))
        low = np.where(positive, self.totals / factor, self.totals - width)
        return low, np.where(positive, self.totals * factor, self.totals + width)


def _in_order(one: FloatArray, other: FloatArray) -> Bounds:
    return np.minimum(one, other), np.maximum(one, other)
