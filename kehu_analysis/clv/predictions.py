"""What a model of repeat purchases and dropout can tell of a customer, from a few functions of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.base import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.checks import checked_summary
from kehu_analysis.clv.effects import Effect, spread
from kehu_analysis.clv.maximise import FloatArray
from kehu_analysis.errors import UsageError

#: Whole numbers beyond it have no 64 bits.
_COUNTLESS = 2.0**63


class History(NamedTuple):
    """Pasts of customers, in the time unit of the parameters; arrays of one shape, (n,).

    Attributes
    ----------
    x, t_x, T
        Repeat purchases, age at the last of them (0 where there is none), age now. A customer who has just made the
        first purchase is (0, 0, 0).
    """

    x: FloatArray
    t_x: FloatArray
    T: FloatArray

    def part(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """Return some of the customers."""
        return type(self)(*(column[rows] for column in self))


class DrawnPurchases(NamedTuple):
    """Futures with at least one purchase; all others have none.

    Attributes
    ----------
    draw, customer
        Which, shape (n_futures,).
    purchases
        By period, shape (n_futures, n_periods).
    """

    draw: npt.NDArray[np.int64]
    customer: npt.NDArray[np.int64]
    purchases: npt.NDArray[np.int64]


class PurchasePredictions(MaximumLikelihoodModel):
    """Predictions of purchases in continuous time until an unseen end ("buy till you die").

    A model of this kind states what it expects of a customer *who is alive now*; all else follows here: who left buys
    nothing, and a new customer is one whose past is (0, 0, 0).

    Notes
    -----
    A model's own functions take parameters as arrays that broadcast against the customers, shape () or (n,) each, in
    the order of ``parameter_names``, and times in the unit of the scale parameters.
    """

    @abstractmethod
    def _probability_alive(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now; broadcasts over leading axes of parameters."""

    @abstractmethod
    def _purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` (> 0) of customers who are alive now."""

    @abstractmethod
    def _survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t`` (> 0)."""

    @abstractmethod
    def _counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` (> 0) of customers who are alive now."""

    @abstractmethod
    def _residual_while_alive(
        self, past: History, discount_rate: float, parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the expected number of all coming purchases of customers alive now, discounted continuously."""

    @abstractmethod
    def _draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: Sequence[FloatArray],
        chance: FloatArray,
        rng: np.random.Generator,
    ) -> DrawnPurchases:
        """Draw a future for each cell of ``chance``, (draws, n), the probabilities to be alive.

        Parameters are of shapes that broadcast to that of ``chance``.
        """

    @abstractmethod
    def _draw_pasts(self, T: FloatArray, parameters: Sequence[FloatArray], rng: np.random.Generator) -> pd.DataFrame:
        """Draw the summary columns of new customers up to age ``T``."""

    def _remembered(self) -> tuple[str, ...]:
        """Return the fields of a :class:`History` on which all depends that is expected of customers alive now."""
        return ("x", "T")

    @abstractmethod
    def _effects(self, summary: pd.DataFrame) -> tuple[Effect, ...]:
        """Return what covariates do to the parameters of these customers."""

    def _new_customers(self, T: FloatArray, covariates: pd.DataFrame | None) -> pd.DataFrame:
        """Return a summary of customers of ages ``T`` without a repeat purchase; covariates are of one or of each."""
        return pd.DataFrame({"frequency": 0.0, "recency": 0.0, "T": T})

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
        chance = self._probability_alive(past, parameters)
        later = t > 0
        if later.any():
            some = _part(parameters, later)
            chance[later] *= self._survival_while_alive(past.part(later), t[later], some)
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
        t, n = self._lengths(future_t, len(past.x)), _counts_of(n_purchases, len(past.x))
        chance = np.asarray(n == 0, dtype=float)
        later = np.flatnonzero(t > 0)
        if len(later):
            some, of = past.part(later), _part(parameters, later)
            alive = self._probability_alive(some, of)
            chance[later] *= 1 - alive
            chance[later] += alive * self._counts_while_alive(some, t[later], n[later], of)
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
        if not (np.isfinite(discount_rate) and discount_rate > 0):
            raise UsageError("bad_discount_rate", discount_rate=discount_rate)
        past, parameters = self._given(summary)
        residual = self._probability_alive(past, parameters) * self._residual_while_alive(
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
        sets, generator = np.asarray(values, dtype=float), np.random.default_rng(rng)
        drawn = self.draw_futures(past, lengths, sets, generator, effects=self._effects(summary))
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
        own = spread(values, self._effects(new), len(self.parameter_names))
        drawn = self._draw_pasts(new["T"].to_numpy(), own, np.random.default_rng(rng))
        return drawn if covariates is None else drawn.join(new.drop(columns=["frequency", "recency", "T"]))

    def draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: FloatArray,
        rng: np.random.Generator,
        *,
        effects: Sequence[Effect] = (),
        chance: FloatArray | None = None,
    ) -> DrawnPurchases:
        """Draw futures of customers, one for each set of parameters.

        Parameters
        ----------
        past
            Customers, (n,).
        lengths
            Of the periods that follow one another from now.
        parameters
            Parameters and coefficients, shape (draws, k), or (1, k) where ``chance`` says how many draws there are.
        rng
            Generator.
        effects
            What covariates do to the parameters of these customers.
        chance
            Probability that each customer is alive, (draws, n), where it is known already.
        """
        sets = spread(parameters, effects, len(self.parameter_names))
        known = self._probability_alive(past, sets) if chance is None else chance
        return self._draw_futures(past, lengths, sets, known, rng)

    def expected_purchases_of(
        self, past: History, future_t: FloatArray, parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Expected purchases in ``future_t`` under given parameters, each of shape () or (n,)."""
        purchases = np.zeros(len(past.x))
        later = np.flatnonzero(future_t > 0)
        if len(later):
            some, of = past.part(later), _part(parameters, later)
            purchases[later] = self._probability_alive(some, of) * self._purchases_while_alive(
                some, future_t[later], of
            )
        return purchases

    def _given(self, summary: pd.DataFrame) -> tuple[History, Sequence[FloatArray]]:
        values, past = self._parameters(), self._past(summary)
        return past, spread(values, self._effects(summary), len(self.parameter_names))

    def _past(self, summary: pd.DataFrame) -> History:
        rows = self._checked(summary, ["frequency", "recency", "T"])
        return History(*(rows[name].to_numpy() for name in ("frequency", "recency", "T")))

    def _checked(self, summary: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        return checked_summary(summary, columns)

    def _lengths(self, future_t: float | npt.ArrayLike, size: int) -> FloatArray:
        return lengths_of(future_t, size)


def _part(parameters: Sequence[FloatArray], rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> list[FloatArray]:
    return [values if np.ndim(values) == 0 else values[rows] for values in parameters]


def lengths_of(future_t: float | npt.ArrayLike, size: int) -> FloatArray:
    """Return lengths of time, one a customer.

    Raises
    ------
    UsageError
        They are no numbers, one is negative or not finite, or there is neither one nor one a customer.
    """
    lengths = _one_each(future_t, size)
    if lengths is None or not (np.isfinite(lengths).all() and (lengths >= 0).all()):
        raise UsageError("bad_horizon", future_t=future_t)
    return lengths


def _counts_of(n_purchases: int | npt.ArrayLike, size: int) -> npt.NDArray[np.int64]:
    given = _one_each(n_purchases, size)
    if given is None or not ((given >= 0).all() and (given < _COUNTLESS).all() and (given % 1 == 0).all()):
        raise UsageError("bad_number_of_purchases", n_purchases=n_purchases)
    return np.asarray(given, dtype=np.int64)


def _one_each(given: float | npt.ArrayLike, size: int) -> FloatArray | None:
    # None where these are no numbers, or neither one nor one a customer.
    try:
        return np.broadcast_to(np.asarray(given, dtype=float), (size,))
    except (TypeError, ValueError):
        return None
