"""How sure the value of customers is: of each, by segment and together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.valuation.future_laws import AmountLaw
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.clv.valuation.totals import Law, Moments, bounds_of, law_of_many_amounts

Bounds = tuple[FloatArray, FloatArray]

#: An endless future is looked at until a purchase is worth this share of one today.
_LEAST_WORTH = 1e-3
#: Of a purchase at the horizon so much is lost, as a logarithm, where waiting matters little.
_LITTLE_WAITING = 0.5


class CustomerEquity:
    """What customers are worth, each, by segment and together.

    Parameters
    ----------
    outlook
        Expected purchases and spend of each customer, last up to the horizon of the value.
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
        Low and high by customer, (n,): of the value, from its parameters; and of what may come, after :meth:`look`.
    total_parameter_bounds, total_bounds
        The same of ``totals``.
    """

    bounds: Bounds
    total_bounds: Bounds

    def __init__(
        self,
        outlook: Outlook,
        margin: FloatArray,
        segment: IntArray,
        covariances: Sequence[FloatArray],
        interval: float,
    ) -> None:
        self._outlook, self._margin, self._segment, self._interval = outlook, margin, segment, interval
        z = float(stats.norm.ppf((1 + interval) / 2))
        self.value = margin * outlook.spend * outlook.purchases[:, -1]
        self.totals = self._summed(self.value)
        # Where no value is below 0 the logarithm of a sum is nearer to normal than the sum.
        self._is_positive = (self._summed((margin < 0).astype(float)) == 0) & (self.totals > 0)
        slopes, spend_slopes = outlook.purchase_slopes(), outlook.spend_slopes()
        place = outlook.past_kinds.place
        by_past = np.einsum("ij,jk,ik->i", slopes, covariances[0], slopes, optimize=True)[place]
        by_spend = np.einsum("ij,jk,ik->i", spend_slopes, covariances[1], spend_slopes, optimize=True)
        self._doubt = np.sqrt(by_past + by_spend)
        factor = np.exp(z * self._doubt)
        self.parameter_bounds = _in_order(self.value / factor, self.value * factor)
        variance = np.zeros(len(self.totals))
        for each, covariance, of in ((slopes, covariances[0], place), (spend_slopes, covariances[1], None)):
            columns = [column if of is None else column[of] for column in each.T]
            moved = np.column_stack([self._summed(self.value * column) for column in columns])
            variance += np.einsum("ij,jk,ik->i", moved, covariance, moved)
        self.total_parameter_bounds = self._around(z * np.sqrt(variance))

    def look(self, purchase_sets: FloatArray, spend_sets: FloatArray, *, with_doubt: bool) -> None:
        """Look at what may come, whatever the parameters.

        Parameters
        ----------
        purchase_sets, spend_sets
            Parameters that the data allow, common to all customers, (draws, k) each.
        with_doubt
            Whether one customer's bounds hold what is open about the parameters, too.
        """
        outlook, margin = self._outlook, self._margin
        horizon = outlook.horizons[-1]
        length = min(horizon.length, -np.log(_LEAST_WORTH) / horizon.rate) if horizon.rate > 0 else horizon.length
        law = AmountLaw(
            outlook.model, outlook.kinds, length, outlook.parameters, horizon.rate, outlook.spend_parameters
        )
        place, alive = outlook.kinds.place, outlook.probability_alive
        # Each of a kind is taken to its own expectation.
        of_kind = np.maximum(law.moments[0, place], np.finfo(float).tiny)
        own = outlook.spend * outlook.while_alive[:, -1] / of_kind
        unit = margin * own
        doubt = self._doubt if with_doubt else None
        low, high = law.bounds(place, alive, own, self._interval, doubt)
        self.bounds = _in_order(margin * low, margin * high)
        raw = [alive * unit**order * law.moments[order - 1, place] for order in (1, 2, 3)]
        moments = Moments.of_raw(*raw)
        # Over a few years parameters move what is bought, hardly by what waiting makes it worth.
        soon = horizon.rate * horizon.length < _LITTLE_WAITING
        ends = [replace(horizon, rate=0.0) if soon else horizon]
        _, amounts = outlook.moved(purchase_sets, spend_sets, margin, self._segment, ends)
        at_fit = outlook.parameters[None], outlook.spend_parameters[None]
        _, (fitted,) = outlook.moved(*at_fit, margin, self._segment, ends)
        if soon and not self._is_positive.all():  # differences, which have a unit
            discount = outlook.purchases[:, -1].sum() / np.maximum(outlook.purchases[:, 0].sum(), np.finfo(float).tiny)
            amounts, fitted = amounts * discount, fitted * discount
        sums = moments.summed(self._segment, len(self.totals) - 1)
        bounds = []
        for number, total in enumerate(self.totals.tolist()):
            is_all = number + 1 == len(self.totals)
            members = np.arange(len(alive)) if is_all else np.flatnonzero(self._segment == number)
            by_factor = bool(self._is_positive[number])
            expected, of_fit = amounts[:, number, -1], fitted[number, -1]
            moved = expected / of_fit if by_factor else expected - of_fit
            variance = float(sums.variance[number])
            of_sum = self._law_of_sum(law, members, unit, moments)
            bounds.append(
                bounds_of(of_sum, total, float(np.sqrt(variance)), moved, self._interval, by_factor=by_factor)
            )
        low, high = np.array(bounds).T
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

    def _law_of_sum(self, law: AmountLaw, members: IntArray, unit: FloatArray, moments: Moments) -> Law:
        place, alive = self._outlook.kinds.place[members], self._outlook.probability_alive[members]

        def of_one(number: int) -> Law:
            kind, there = int(place[number]), float(alive[number])
            return lambda amount: law.probability_below(amount, kind, there)

        of_members = Moments(*(column[members] for column in moments))
        return law_of_many_amounts(of_one, unit[members], law.highest()[place], of_members)

    def _summed(self, values: FloatArray) -> FloatArray:
        sums = np.bincount(self._segment, values)
        return np.append(sums, values.sum())

    def _around(self, width: FloatArray) -> Bounds:
        factor = np.exp(np.divide(width, self.totals, out=np.zeros(len(width)), where=self._is_positive))
        low = np.where(self._is_positive, self.totals / factor, self.totals - width)
        return low, np.where(self._is_positive, self.totals * factor, self.totals + width)


def _in_order(one: FloatArray, other: FloatArray) -> Bounds:
    return np.minimum(one, other), np.maximum(one, other)
