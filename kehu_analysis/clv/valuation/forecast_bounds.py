"""How sure a forecast is: of each customer over the horizon, of all together by period and over the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.checks import generator_of
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.fitting.parameter_sets import draw_parameter_sets
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.valuation.amount_terms import inverse_gamma_moment
from kehu_analysis.clv.valuation.discounting import Horizon
from kehu_analysis.clv.valuation.future_laws import (
    AmountLaw,
    PurchaseLaw,
    counted_one_in,
    counts_of_kinds,
)
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.clv.valuation.totals import (
    FEW_CUSTOMERS,
    Law,
    Moments,
    bounds_of,
    law_of_counts,
    law_of_many_amounts,
    law_of_moments,
)

#: Sets of parameters, common to all customers.
DRAWS = 256
#: Customers up to whose number one customer's bounds hold what is open about the parameters.
_MOST_IN_DOUBT = 40_000


class Total(NamedTuple):
    """What is expected of all together, and between which bounds it will lie."""

    expected: float
    low: float
    high: float


def plain_horizons(days: Sequence[float], unit_days: float) -> list[Horizon]:
    """Return the ends of periods that follow one another, without discount.

    Examples
    --------
    >>> [horizon.length for horizon in plain_horizons([7, 14], 7.0)]
    [1.0, 3.0]
    """
    return [Horizon(float(end) / unit_days, 0.0, float(end)) for end in np.cumsum(days)]


class ForecastBounds:
    """Bounds of the coming periods' purchases and amounts.

    Parameters
    ----------
    outlook
        At the end of each period, without discount.
    interval
        Probability of what lies between the bounds.
    """

    def __init__(self, outlook: Outlook, interval: float) -> None:
        self._outlook, self._interval = outlook, interval
        self._length = outlook.horizons[-1].length
        self._place = outlook.kinds.place

    def purchases(self) -> tuple[IntArray, IntArray]:
        """Return the fewest and the most purchases of each customer over the horizon, (n,) each."""
        outlook = self._outlook
        doubt = None
        if len(self._place) <= _MOST_IN_DOUBT:
            slopes, covariance = outlook.purchase_slopes(), _covariance(outlook.model)
            by_past = np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes, optimize=True))
            # Kinds take the mean doubt of their customers.
            own = by_past[outlook.past_kinds.place]
            doubt = np.bincount(self._place, own) / outlook.kinds.number
        law = PurchaseLaw(outlook.model, outlook.kinds, self._length, outlook.parameters, doubt)
        return law.bounds(self._place, outlook.probability_alive, self._interval)

    def amounts(self) -> tuple[FloatArray, FloatArray]:
        """Return low and high amount of each customer over the horizon, (n,) each."""
        outlook, law = self._outlook, self._amount_law()
        doubt = None
        if len(self._place) <= _MOST_IN_DOUBT and outlook.spend_model is not None:
            variance = np.zeros(len(self._place))
            for slopes, model, place in (
                (outlook.purchase_slopes(), outlook.model, outlook.past_kinds.place),
                (outlook.spend_slopes(), outlook.spend_model, None),
            ):
                own = np.einsum("ij,jk,ik->i", slopes, _covariance(model), slopes, optimize=True)
                variance += own if place is None else own[place]
            doubt = np.sqrt(variance)
        return law.bounds(self._place, outlook.probability_alive, self._unit(law), self._interval, doubt)

    def totals(self, purchase_sets: FloatArray, spend_sets: FloatArray | None) -> dict[str, list[Total]]:
        """Return purchases and amounts of all customers in each period and last over the horizon.

        Parameters
        ----------
        purchase_sets, spend_sets
            Parameters that the data allow, common to all customers, (draws, k) each; without a model of spend there
            are no amounts.
        """
        outlook = self._outlook
        everybody, weight = np.zeros(len(self._place), dtype=np.intp), np.ones(len(self._place))
        moved = outlook.moved(purchase_sets, spend_sets, weight, everybody, outlook.horizons)
        spends = None if spend_sets is None else outlook.spend_parameters[None]
        fitted = outlook.moved(outlook.parameters[None], spends, weight, everybody, outlook.horizons)
        found: dict[str, list[Total]] = {}
        moments = self.moments_of_periods(with_amounts=spend_sets is not None)
        expected = {"purchases": outlook.purchases, "amount": outlook.purchases * outlook.spend[:, None]}
        factors = {
            "purchases": _by_period(moved[0]) / _by_period(fitted[0]),
            "amount": _by_period(moved[1][:, -1]) / np.maximum(_by_period(fitted[1][:, -1]), np.finfo(float).tiny),
        }
        for name, of_periods in moments.items():
            totals = _by_period(expected[name].sum(axis=0)[None])[0]
            found[name] = []
            for number, (total, of_all) in enumerate(zip(totals.tolist(), of_periods, strict=True)):
                law = self._law(name, total, of_all, whole=number + 1 == len(totals))
                deviation = float(np.sqrt(of_all.variance[-1]))
                low, high = bounds_of(law, total, deviation, factors[name][:, number], self._interval, by_factor=True)
                found[name].append(Total(total, max(low, 0.0), high))
        return found

    def _law(self, name: str, total: float, moments: Moments, *, whole: bool) -> Law:
        if whole and name == "purchases" and len(self._place) <= FEW_CUSTOMERS:
            law = PurchaseLaw(self._outlook.model, self._outlook.kinds, self._length, self._outlook.parameters)
            chances = [row for kind in self._place if (row := law.chances(int(kind))) is not None]
            are_told = len(chances) == len(self._place)
            if are_told and (exact := law_of_counts(chances, self._outlook.probability_alive)) is not None:
                return exact
        elif whole and name == "amount":
            amounts = self._amount_law()

            def of_one(number: int) -> Law:
                kind, alive = int(self._place[number]), float(self._outlook.probability_alive[number])
                return lambda amount: amounts.probability_below(amount, kind, alive)

            each = Moments(*(column[:-1] for column in moments))
            return law_of_many_amounts(of_one, self._unit(amounts), amounts.highest()[self._place], each)
        return law_of_moments(total, float(moments.variance[-1]), float(moments.third[-1]))

    def moments_of_periods(self, *, with_amounts: bool) -> dict[str, list[Moments]]:
        """Return those of each customer and last of all together, in each period and last over the horizon."""
        outlook = self._outlook
        ends = np.array([horizon.length for horizon in outlook.horizons])
        starts = np.append(np.concatenate([[0.0], ends[:-1]]), 0.0)
        ends = np.append(ends, ends[-1])
        factorial = np.zeros((len(ends), 3, len(outlook.kinds.number)))
        t = np.full(len(outlook.kinds.number), self._length)
        one_in = counted_one_in(outlook.model, outlook.kinds, t, outlook.parameters)
        for rows, counts in counts_of_kinds(outlook.model, outlook.kinds, t, outlook.parameters, one_in):
            power = one_in[rows] ** np.arange(1, 4)[:, None]
            for period, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
                edges = (np.full(len(rows), edge) for edge in (start, end, self._length))
                factorial[period][:, rows] = power * counts.factorial_moments(*edges)
        found: dict[str, list[Moments]] = {"purchases": [], **({"amount": []} if with_amounts else {})}
        alive = outlook.probability_alive
        own = _by_period(outlook.while_alive)
        for period in range(len(ends)):
            first, second, third = factorial[period]
            raw = (first, first + second, first + 3 * second + third)
            found["purchases"].append(self._summed(alive, own[:, period], raw))
            if with_amounts:
                p, q, _ = outlook.spend_parameters
                tail = p * outlook.kinds.past.x + q
                # Gamma(p m) has moments p m, p m (p m + 1), p m (p m + 1) (p m + 2).
                m, m2, m3 = raw
                rising = (p * m, p * m + p**2 * m2, 2 * p * m + 3 * p**2 * m2 + p**3 * m3)
                inverse = [inverse_gamma_moment(tail, order, len(alive)) for order in (1, 2, 3)]
                of_amount = [of * by for of, by in zip(rising, inverse, strict=True)]
                found["amount"].append(self._summed(alive, own[:, period] * outlook.spend, of_amount))
        return found

    def _summed(self, alive: FloatArray, expected: FloatArray, raw: Sequence[FloatArray]) -> Moments:
        # Of who is alive: raw moments by kind, and what each customer is expected to bring.
        unit = expected / np.maximum(raw[0][self._place], np.finfo(float).tiny)
        each = Moments.of_raw(*(alive * unit ** (order + 1) * of[self._place] for order, of in enumerate(raw)))
        return Moments(*(np.append(column, column.sum()) for column in each))

    def _amount_law(self) -> AmountLaw:
        outlook = self._outlook
        return AmountLaw(outlook.model, outlook.kinds, self._length, outlook.parameters, 0.0, outlook.spend_parameters)

    def _unit(self, law: AmountLaw) -> FloatArray:
        # Each of a kind is taken to its own expectation.
        expected = self._outlook.spend * self._outlook.while_alive[:, -1]
        return np.asarray(expected / np.maximum(law.moments[0, self._place], np.finfo(float).tiny))


def predictive_totals(
    customers: pd.DataFrame,
    lengths: Sequence[float],
    purchase_model: PurchaseModel,
    spend_model: GammaGammaModel | None = None,
    *,
    interval: float,
    draws: int = DRAWS,
    rng: RandomSource = 0,
) -> dict[str, list[Total]]:
    """Return what all customers together will buy, and spend, in each of the coming periods and last in all of them.

    Parameters
    ----------
    customers
        What the models were fitted to: frequency, recency, T, and monetary_value with a model of spend.
    lengths
        Of the periods that follow one another, in the time unit of the fit.
    purchase_model, spend_model
        Fitted; without a model of spend there are no amounts.
    interval
        Probability of what lies between the bounds.
    draws, rng
        Sets of parameters, and seed or generator.

    Examples
    --------
    >>> from kehu_analysis.clv import NBDModel
    >>> truth = NBDModel()
    >>> truth.params_ = pd.Series({"r": 0.8, "alpha": 8.0})
    >>> summary = truth.simulate_customers(np.full(300, 52.0), rng=1)
    >>> (total, _) = predictive_totals(summary, [13.0], truth.fit(summary), interval=0.9)["purchases"]
    >>> total.low < total.expected < total.high
    True
    """
    outlook = Outlook(customers, purchase_model, plain_horizons(lengths, 1.0), spend_model)
    return ForecastBounds(outlook, interval).totals(*parameter_sets(outlook, customers, draws, rng))


def parameter_sets(
    outlook: Outlook, customers: pd.DataFrame, draws: int, rng: RandomSource
) -> tuple[FloatArray, FloatArray | None]:
    """Return sets of parameters of both models that the data allow, (draws, k) each."""
    models = [outlook.model, *([] if outlook.spend_model is None else [outlook.spend_model])]
    samples = [model.sample_to_judge_by(customers) for model in models]
    purchase_sets, *spend_sets = draw_parameter_sets(models, draws, generator_of(rng), samples)
    return purchase_sets, spend_sets[0] if spend_sets else None


def _by_period(by_then: FloatArray) -> FloatArray:
    # Ends of periods to periods, and last all of them.
    return np.concatenate([np.diff(by_then, axis=-1, prepend=0.0), by_then[..., -1:]], axis=-1)


def _covariance(model: MaximumLikelihoodModel) -> FloatArray:
    return np.asarray(model.log_covariance_, dtype=np.float64)
