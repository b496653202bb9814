"""What a model of repeat purchases and dropout predicts of each customer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.checks import as_number, generator_of
from kehu_analysis.clv.fitting.effects import spread
from kehu_analysis.clv.fitting.maximum_likelihood import RandomSource
from kehu_analysis.clv.models.histories import counts_of, part_of
from kehu_analysis.clv.models.purchase_process import PurchaseProcess
from kehu_analysis.errors import UsageError


class PurchasePredictions(PurchaseProcess):
    """Predictions of purchases until an unseen end ("buy till you die"), from what a model states of its process."""

    def expected_probability_alive(
        self, summary: pd.DataFrame, future_t: float | npt.ArrayLike = 0.0
    ) -> pd.Series[float]:
        """Probability that each customer has not left for good by now, or by ``future_t`` from now.

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).
        future_t
            Time from now, in the same unit: one number, or one a customer.

        Returns
        -------
        Series
            ``probability_alive``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            ``future_t`` is negative or not finite.
        """
        past, parameters = self._given(summary)
        t = self._lengths(future_t, len(past.x))
        chance = self.probability_alive_of(past, parameters)
        later = t > 0
        if later.any():
            some = part_of(parameters, later)
            chance[later] *= self.survival_while_alive(past.part(later), t[later], some)
        return pd.Series(chance, index=summary.index, name="probability_alive")

    def expected_purchases(self, summary: pd.DataFrame, future_t: float | npt.ArrayLike) -> pd.Series[float]:
        """Expected number of purchases of each customer in the next ``future_t``.

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).
        future_t
            Length of the future, in the same unit: one number, or one a customer.

        Returns
        -------
        Series
            ``expected_purchases``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            ``future_t`` is negative or not finite.
        """
        past, parameters = self._given(summary)
        purchases = self.expected_purchases_of(past, self._lengths(future_t, len(past.x)), parameters)
        return pd.Series(purchases, index=summary.index, name="expected_purchases")

    def expected_probability_no_purchase(
        self, summary: pd.DataFrame, future_t: float | npt.ArrayLike
    ) -> pd.Series[float]:
        """Probability that each customer buys nothing in the next ``future_t``, having left or not.

        Parameters, errors: see :meth:`expected_purchases`.

        Returns
        -------
        Series
            ``probability_no_purchase``, with the index of ``summary``.
        """
        none = self.expected_probability_of_purchases(summary, future_t, 0)
        return none.rename("probability_no_purchase")

    def expected_probability_of_purchases(
        self, summary: pd.DataFrame, future_t: float | npt.ArrayLike, n_purchases: int | npt.ArrayLike
    ) -> pd.Series[float]:
        """Probability that each customer makes exactly ``n_purchases`` in the next ``future_t``.

        Parameters
        ----------
        summary, future_t
            See :meth:`expected_purchases`.
        n_purchases
            0, 1, 2, …: one number, or one a customer.

        Returns
        -------
        Series
            ``probability_of_purchases``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            ``future_t`` or ``n_purchases`` is negative, not finite, or no whole number of purchases.
        """
        past, parameters = self._given(summary)
        t, n = self._lengths(future_t, len(past.x)), counts_of(n_purchases, len(past.x))
        chance = np.asarray(n == 0, dtype=float)
        later = np.flatnonzero(t > 0)
        if len(later):
            some, of = past.part(later), part_of(parameters, later)
            alive = self.probability_alive_of(some, of)
            chance[later] *= 1 - alive
            chance[later] += alive * self.counts_while_alive(some, t[later], n[later], of)
        return pd.Series(chance, index=summary.index, name="probability_of_purchases")

    def expected_purchases_new_customer(
        self, t: float | npt.ArrayLike, covariates: pd.DataFrame | None = None
    ) -> npt.NDArray[np.float64] | float:
        """Expected repeat purchases of a customer in the time ``t`` after the first purchase.

        Parameters
        ----------
        t
            One length of time or an array of them, in the time unit of the fit.
        covariates
            One row with the customer's covariates, where the model has any.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        lengths = np.atleast_1d(np.asarray(t, dtype=float))
        new = self._new_customers(np.zeros(lengths.size), covariates)
        purchases = self.expected_purchases(new, lengths.ravel()).to_numpy(dtype=float)
        return float(purchases[0]) if np.ndim(t) == 0 else np.asarray(purchases.reshape(lengths.shape))

    def probability_of_purchases_new_customer(
        self, t: float, n_purchases: int | npt.ArrayLike, covariates: pd.DataFrame | None = None
    ) -> npt.NDArray[np.float64] | float:
        """Probability that a customer makes exactly ``n_purchases`` repeat purchases in the time ``t`` after the first.

        Parameters
        ----------
        t
            Length of time, in the time unit of the fit.
        n_purchases
            One number or an array of them.
        covariates
            One row with the customer's covariates, where the model has any.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        wanted = np.atleast_1d(np.asarray(n_purchases))
        new = self._new_customers(np.zeros(wanted.size), covariates)
        chance = self.expected_probability_of_purchases(new, t, wanted.ravel()).to_numpy(dtype=float)
        return float(chance[0]) if np.ndim(n_purchases) == 0 else np.asarray(chance.reshape(wanted.shape))

    def discounted_expected_residual_transactions(
        self, summary: pd.DataFrame, discount_rate: float
    ) -> pd.Series[float]:
        r"""Expected number of all coming purchases, each discounted to now: what is left of a customer.

        Parameters
        ----------
        summary
            See :meth:`expected_purchases`.
        discount_rate
            Continuously compounded rate per time unit of the fit, above 0: :math:`\ln(1 + d) / n` for a yearly rate d
            and a year of n units.

        Returns
        -------
        Series
            ``discounted_residual_transactions``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            The rate is not above 0: without discount the sum need not be finite.
        """
        if not 0 < as_number(discount_rate) < np.inf:
            raise UsageError("bad_discount_rate", discount_rate=discount_rate)
        past, parameters = self._given(summary)
        residual = self.probability_alive_of(past, parameters) * self.residual_while_alive(
            past, discount_rate, parameters
        )
        return pd.Series(residual, index=summary.index, name="discounted_residual_transactions")

    def simulate_future(
        self,
        summary: pd.DataFrame,
        period_lengths: Sequence[float],
        *,
        rng: RandomSource,
        draws: int = 1,
        parameters: pd.DataFrame | None = None,
    ) -> npt.NDArray[np.int64]:
        """Draw what each customer purchases in coming periods, exactly from the model given their past.

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).
        period_lengths
            Lengths of the periods that follow one another from now, in the same unit.
        rng
            Seed or generator.
        draws
            Number of futures of each customer.
        parameters
            One row a draw, to let the parameters vary as well (see :meth:`draw_parameters`); the fitted ones
            when not given.

        Returns
        -------
        Array of shape (draws, n_customers, n_periods).

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError, UsageError
        """
        fitted = self._parameters()
        past = self._past(summary)
        lengths = self._lengths(period_lengths, len(period_lengths))
        if not len(lengths):
            raise UsageError("bad_horizon", future_t=period_lengths)
        values = np.tile(fitted, (draws, 1)) if parameters is None else parameters[list(self.params_.index)]
        sets, generator = np.asarray(values, dtype=float), generator_of(rng)
        drawn = self.draw_futures(past, lengths, sets, generator, effects=self.covariate_effects(summary))
        purchases = np.zeros((len(values), len(past.x), len(lengths)), dtype=np.int64)
        purchases[drawn.draw, drawn.customer] = drawn.purchases
        return purchases

    def simulate_customers(
        self, T: npt.ArrayLike, *, rng: RandomSource, covariates: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Draw new customers up to the age ``T`` (time unit of the fit): a summary as the model is fitted to.

        Parameters
        ----------
        T
            One age, or one a customer.
        rng
            Seed or generator.
        covariates
            A row a customer with their covariates, or one row for all, where the model has any.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError, UsageError
        """
        values = self._parameters()
        ages = np.atleast_1d(np.asarray(T, dtype=float))
        new = self._new_customers(self._lengths(ages, ages.size), covariates)
        own = spread(values, self.covariate_effects(new), len(self.parameter_names))
        drawn = self._draw_pasts(new["T"].to_numpy(), own, generator_of(rng))
        return drawn if covariates is None else drawn.join(new.drop(columns=["frequency", "recency", "T"]))
