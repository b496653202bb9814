"""Expected values of customers, and how they move with the models' parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import Effect, spread
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel, expected_spend_of, spend_slopes
from kehu_analysis.clv.models.purchases import History, PurchaseModel
from kehu_analysis.clv.valuation.discounting import Horizon, discounted_purchases_while_alive, period_factors

_DIFFERENCE = 1e-3
#: Pasts from which the worth of a period's purchases is taken.
_SAMPLED = 500


class Valuation:
    """Customers, the models they are valued with, and how far ahead.

    What is expected depends on a customer's past alone, and of one who is alive mostly on purchases and age alone: it
    is worked out once for each past that occurs.

    Parameters
    ----------
    customers
        One row a customer: frequency, recency, T, monetary_value, and covariates of the model.
    purchase_model, spend_model
        Fitted.
    horizon
        In the time unit of the fit.

    Attributes
    ----------
    past
        Of each customer, (n,).
    spent
        Mean spend per repeat purchase day of each customer, (n,).
    place
        Which of the different pasts each customer has, (n,).
    probability_alive
        By customer, (n,).
    purchases
        Expected purchases up to the horizon, undiscounted, (n,); NaN where it is endless.
    discounted
        The same, discounted, (n,).
    spend
        Expected spend per purchase day, (n,).
    """

    def __init__(
        self,
        customers: pd.DataFrame,
        purchase_model: PurchaseModel,
        spend_model: GammaGammaModel,
        horizon: Horizon,
    ) -> None:
        self.model, self.spend_model, self.horizon = purchase_model, spend_model, horizon
        self.past = History(*(customers[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))
        self.spent = customers["monetary_value"].to_numpy(dtype=float)
        self.effects = purchase_model.covariate_effects(customers)
        # Where covariates move parameters, customers with one past are no longer alike.
        self.place, first = _alike(self.past, ("x", "t_x", "T"), apart=bool(self.effects))
        self.pasts = self.past.part(first)
        self._moved = effects_of(self.effects, first)
        remembered = purchase_model.remembered()
        self._place_alive, first_alive = _alike(self.pasts, remembered, apart=bool(self.effects))
        self._alive, self._moved_alive = self.pasts.part(first_alive), effects_of(self._moved, first_alive)
        fitted = np.asarray(purchase_model.params_, dtype=np.float64)
        self.chance, self._worth = self._chance(fitted), self._discounted(fitted)
        self.probability_alive = self.chance[self.place]
        self.discounted = (self.chance * self._worth[self._place_alive])[self.place]
        self.purchases = self._undiscounted(fitted)
        parameters = np.asarray(spend_model.params_, dtype=np.float64)
        self.spend = expected_spend_of(self.past.x, self.spent, parameters)

    def period_factors(self) -> FloatArray:
        """Return what a purchase in each of the horizon's periods is worth today."""
        rows = np.unique(np.linspace(0, len(self._alive.x) - 1, _SAMPLED).astype(np.intp))
        alive = self.chance * np.bincount(self.place)
        number = np.asarray(np.bincount(self._place_alive, alive, len(self._alive.x)), dtype=np.float64)
        parameters = np.asarray(self.model.params_, dtype=np.float64)
        sets = spread(parameters, effects_of(self._moved_alive, rows), len(self.model.parameter_names))
        return period_factors(self.model, self._alive.part(rows), number[rows], self.horizon, sets)

    def slopes(self) -> FloatArray:
        """Return how the logarithm of each past's discounted purchases moves with the purchase model's parameters.

        Returns
        -------
        Array of shape (n_pasts, k): by logarithms of parameters, then by coefficients; central differences of all at
        once.
        """
        fitted = np.asarray(self.model.params_, dtype=np.float64)
        by_chance = _central(self._log_chance, fitted, len(self.model.parameter_names))
        by_worth = _central(self._log_worth, fitted, len(self.model.parameter_names))
        return by_chance + by_worth[self._place_alive]

    def spend_slopes(self) -> FloatArray:
        """Return how the logarithm of each customer's expected spend moves with those of its parameters, (n, 3)."""
        return spend_slopes(self.past.x, self.spent, np.asarray(self.spend_model.params_, dtype=np.float64))

    def _chance(self, parameters: FloatArray) -> FloatArray:
        sets = spread(parameters, self._moved, len(self.model.parameter_names))
        return self.model.probability_alive_of(self.pasts, sets)

    def _discounted(self, parameters: FloatArray) -> FloatArray:
        sets = spread(parameters, self._moved_alive, len(self.model.parameter_names))
        return discounted_purchases_while_alive(self.model, self._alive, self.horizon, sets)

    def _log_chance(self, parameters: FloatArray) -> FloatArray:
        return np.log(np.maximum(self._chance(parameters), np.finfo(float).tiny))

    def _log_worth(self, parameters: FloatArray) -> FloatArray:
        return np.log(np.maximum(self._discounted(parameters), np.finfo(float).tiny))

    def _undiscounted(self, parameters: FloatArray) -> FloatArray:
        if not np.isfinite(self.horizon.length):
            return np.full(len(self.place), np.nan)
        sets = spread(parameters, self._moved_alive, len(self.model.parameter_names))
        end = np.full(len(self._alive.x), self.horizon.length)
        while_alive = self.model.purchases_while_alive(self._alive, end, sets)
        return np.asarray((self.chance * while_alive[self._place_alive])[self.place])


def effects_of(effects: Sequence[Effect], rows: IntArray) -> list[Effect]:
    """Return what covariates do to some of the customers."""
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
