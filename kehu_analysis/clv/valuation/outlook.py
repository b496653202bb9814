"""What customers are expected to buy and spend, and how that moves with the models' parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import Effect, spread
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel, expected_spend_of, spend_slopes
from kehu_analysis.clv.models.histories import part_of
from kehu_analysis.clv.models.purchases import History, PurchaseModel
from kehu_analysis.clv.numerics.response_surface import at_places
from kehu_analysis.clv.valuation.discounting import Horizon, discounted_purchases_while_alive
from kehu_analysis.clv.valuation.kinds import COARSE, FINE, Fineness, Kinds, kinds_of

_DIFFERENCE = 1e-3
_ALL = ("x", "t_x", "T")
#: What is expected under many sets of parameters misses by no more than this share of what it varies by among them.
_SURFACE_WITHIN = 0.1
#: Mean spend under a set of parameters of which it hardly exists is no larger than this times p.
_LEAST_DEGREES = 0.05


class Outlook:
    """Customers, the models by which they are looked at, and how far ahead.

    What is expected depends on a customer's past alone, and of one who is alive mostly on purchases and age alone: it
    is worked out once for each past that occurs.

    Parameters
    ----------
    customers
        One row a customer: frequency, recency, T, covariates of the model, and with a model of spend monetary_value.
    purchase_model, spend_model
        Fitted.
    horizons
        In the time unit of the fit; what is uncertain is told of the last one.
    fineness
        Of the kinds into which many customers are put.

    Attributes
    ----------
    past
        Of each customer, (n,).
    spent
        Mean spend per repeat purchase day of each customer, (n,); 0 without a model of spend.
    probability_alive
        By customer, (n,).
    while_alive
        Expected purchases of who is alive up to each horizon, each by its worth today, (n, n_horizons).
    purchases
        The same of everybody, (n, n_horizons).
    spend
        Expected spend per purchase day, (n,); 0 without a model of spend.
    """

    def __init__(
        self,
        customers: pd.DataFrame,
        purchase_model: PurchaseModel,
        horizons: Sequence[Horizon],
        spend_model: GammaGammaModel | None = None,
        fineness: Fineness = FINE,
    ) -> None:
        self._fineness = fineness
        self.model, self.spend_model, self.horizons = purchase_model, spend_model, tuple(horizons)
        self.past = History(*(customers[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))
        self.effects = purchase_model.covariate_effects(customers)
        self.parameters = np.asarray(purchase_model.params_, dtype=np.float64)
        place, first = _alike(self.past, _ALL, apart=bool(self.effects))
        self.probability_alive = self.chance(self.parameters, self.past.part(first), _part(self.effects, first))[place]
        place, first = _alike(self.past, purchase_model.remembered(), apart=bool(self.effects))
        worth = self.worth(self.parameters, self.past.part(first), _part(self.effects, first))
        self.while_alive = worth[place]
        self.purchases = self.probability_alive[:, None] * self.while_alive
        self.spent = np.zeros(len(customers))
        self.spend = np.zeros(len(customers))
        if spend_model is not None:
            self.spent = customers["monetary_value"].to_numpy(dtype=float)
            self.spend = expected_spend_of(self.past.x, self.spent, self.spend_parameters)

    @property
    def spend_parameters(self) -> FloatArray:
        """p, q, v of the model of spend."""
        assert self.spend_model is not None
        return np.asarray(self.spend_model.params_, dtype=np.float64)

    @cached_property
    def kinds(self) -> Kinds:
        """Customers who, if alive, are alike."""
        return self._kinds(self.model.remembered(), self._fineness)

    @cached_property
    def past_kinds(self) -> Kinds:
        """Customers whose pasts are alike."""
        return self._kinds(_ALL, self._fineness)

    @property
    def is_binned(self) -> bool:
        """Tell whether a kind stands for customers who are only much alike."""
        return self.kinds.is_binned

    def binning_error(self) -> float:
        """Return by what share the purchases expected of all together differ when each kind counts as its mean past."""
        kinds = self.kinds
        worth = self.worth(self.parameters, kinds.past, kinds.effects, self.horizons[-1:])[:, 0]
        binned = float(np.sum(self.probability_alive * worth[kinds.place]))
        exact = float(self.purchases[:, -1].sum())
        return binned / exact - 1 if exact else 0.0

    def purchase_slopes(self) -> FloatArray:
        """Return how the logarithm of purchases up to the last horizon moves with parameters, by past kind, (·, k)."""
        kinds, pasts = self.kinds, self.past_kinds
        n_positive = len(self.model.parameter_names)

        def log_chance(parameters: FloatArray) -> FloatArray:
            return _log(self.chance(parameters, pasts.past, pasts.effects))

        def log_worth(parameters: FloatArray) -> FloatArray:
            return _log(self.worth(parameters, kinds.past, kinds.effects, self.horizons[-1:])[:, 0])

        by_worth = _central(log_worth, self.parameters, n_positive)
        return _central(log_chance, self.parameters, n_positive) + by_worth[kinds.place[pasts.first]]

    def spend_slopes(self) -> FloatArray:
        """Return how the logarithm of each customer's expected spend moves with those of its parameters, (n, 3)."""
        return spend_slopes(self.past.x, self.spent, self.spend_parameters)

    def moved(
        self,
        purchase_sets: FloatArray,
        spend_sets: FloatArray | None,
        weight: FloatArray,
        group: IntArray,
        horizons: Sequence[Horizon],
    ) -> tuple[FloatArray, FloatArray]:
        """Return what is expected of all customers, and of groups, under other parameters.

        Parameters
        ----------
        purchase_sets, spend_sets
            Parameters of each model, (draws, k) each.
        weight
            What the amount of each customer counts, (n,).
        group
            Number of each customer's group, (n,).
        horizons
            Up to which it is expected.

        Returns
        -------
        Purchases of all, (draws, n_horizons), and weighted amounts of each group and last of all, (draws, n_groups + 1,
        n_horizons); of few and coarse kinds, to be held against what the fitted parameters give in the same way.
        """
        pasts, kinds = self._kinds(_ALL, COARSE), self._kinds(self.model.remembered(), COARSE)
        n_kinds, n_groups = len(pasts.number), int(group.max()) + 1
        cell = group * n_kinds + pasts.place
        spent = self.past.x * np.maximum(self.spent, 0.0)
        by_cell = (np.bincount(cell, column, n_groups * n_kinds) for column in (weight, weight * spent))
        tables = [column.reshape(n_groups, n_kinds) for column in by_cell]
        weights, weighted = (np.vstack([rows, rows.sum(axis=0)]) for rows in tables)
        expected = self._expected_under(purchase_sets, pasts, kinds, horizons)
        purchases = np.einsum("dkh,k->dh", expected, pasts.number)
        amounts = np.zeros((len(purchase_sets), n_groups + 1, len(horizons)))
        for draw, each in enumerate(expected if spend_sets is not None else ()):
            assert spend_sets is not None
            p, q, v = spend_sets[draw]
            degrees = np.maximum(p * pasts.past.x + q - 1, _LEAST_DEGREES)
            unit = (v * weights + weighted) * (p / degrees)
            amounts[draw] = np.sum(unit[:, :, None] * each[None], axis=1)
        return purchases, amounts

    def _expected_under(self, sets: FloatArray, pasts: Kinds, kinds: Kinds, horizons: Sequence[Horizon]) -> FloatArray:
        # Purchases of one of each past up to each horizon under sets of parameters, (draws, n_pasts, n_horizons).
        n_positive, alike = len(self.model.parameter_names), kinds.place[pasts.first]

        def of_all(place: FloatArray) -> FloatArray:
            parameters = np.concatenate([np.exp(place[:n_positive]), place[n_positive:]])
            worth = self.worth(parameters, kinds.past, kinds.effects, horizons)[alike]
            return np.asarray(self.chance(parameters, pasts.past, pasts.effects)[:, None] * worth).ravel()

        places = np.column_stack([np.log(sets[:, :n_positive]), sets[:, n_positive:]])
        weight = np.repeat(pasts.number, len(horizons))
        found = at_places(of_all, places, weight, _SURFACE_WITHIN)
        return found.reshape(len(sets), len(pasts.number), len(horizons))

    def totals_under(self, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the purchases and the amount expected of all up to the last horizon under other parameters, (2,)."""
        kinds, pasts = self.kinds, self.past_kinds
        worth = self.worth(parameters[0], kinds.past, kinds.effects, self.horizons[-1:])[:, 0]
        each = self.chance(parameters[0], pasts.past, pasts.effects)[pasts.place] * worth[kinds.place]
        return np.array([each.sum(), np.sum(each * expected_spend_of(self.past.x, self.spent, parameters[1]))])

    def chance(self, parameters: FloatArray, past: History, effects: Sequence[Effect]) -> FloatArray:
        """Return the probability that customers are alive, (n,)."""
        return self.model.probability_alive_of(past, spread(parameters, effects, len(self.model.parameter_names)))

    def worth(
        self,
        parameters: FloatArray,
        past: History,
        effects: Sequence[Effect],
        horizons: Sequence[Horizon] | None = None,
    ) -> FloatArray:
        """Return the purchases expected of customers who are alive up to each horizon, (n, n_horizons)."""
        horizons = self.horizons if horizons is None else horizons
        sets = spread(parameters, effects, len(self.model.parameter_names))
        if len(horizons) > 1 and all(horizon.rate == 0 for horizon in horizons):
            # All ends in one go.
            rows = np.tile(np.arange(len(past.x)), len(horizons))
            ends = np.repeat([horizon.length for horizon in horizons], len(past.x))
            together = self.model.purchases_while_alive(past.part(rows), ends, part_of(sets, rows))
            return np.asarray(together.reshape(len(horizons), -1).T)
        found = [discounted_purchases_while_alive(self.model, past, horizon, sets) for horizon in horizons]
        return np.column_stack(found)

    @property
    def _coefficients(self) -> FloatArray:
        return self.parameters[len(self.model.parameter_names) :]

    def _kinds(self, fields: Sequence[str], fineness: Fineness) -> Kinds:
        return kinds_of(self.past, fields, fineness=fineness, effects=self.effects, coefficients=self._coefficients)


def _part(effects: Sequence[Effect], rows: IntArray) -> list[Effect]:
    return [effect.part(rows) for effect in effects]


def _alike(past: History, fields: Sequence[str], *, apart: bool) -> tuple[IntArray, IntArray]:
    """Return the group of each customer, in order of their pasts, and a member of each."""
    size = len(past.x)
    if apart:
        return np.arange(size), np.arange(size)
    columns = pd.DataFrame({name: getattr(past, name) for name in fields})
    group = np.asarray(columns.groupby(list(fields), sort=True).ngroup(), dtype=np.intp)
    first = np.empty(int(group.max()) + 1, dtype=np.intp)
    first[group] = np.arange(size)
    return group, first


def _log(values: FloatArray) -> FloatArray:
    return np.log(np.maximum(values, np.finfo(float).tiny))


def _central(function: Callable[[FloatArray], FloatArray], fitted: FloatArray, n_positive: int) -> FloatArray:
    # One parameter after the other; those that are positive by a factor, coefficients by a sum.
    slopes = []
    for place in range(len(fitted)):
        ends = []
        for sign in (-1, 1):
            moved = fitted.copy()
            if place < n_positive:
                moved[place] *= np.exp(sign * _DIFFERENCE)
            else:
                moved[place] += sign * _DIFFERENCE
            ends.append(function(moved))
        slopes.append((ends[1] - ends[0]) / (2 * _DIFFERENCE))
    return np.column_stack(slopes)
