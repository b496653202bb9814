"""What a model of repeat purchases and dropout must tell of its customers, and what follows from that alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import checked_summary
from kehu_analysis.clv.fitting.effects import Effect, spread
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel
from kehu_analysis.clv.models.histories import DrawnPurchases, History, lengths_of, part_of


class PurchaseProcess(MaximumLikelihoodModel):
    """Purchases of customers who leave for good at an unseen end ("buy till you die").

    A model of this kind states what it expects of a customer *who is alive now*; all else follows: who left buys
    nothing, and a new customer is one whose past is (0, 0, 0).

    Notes
    -----
    A model's own functions take parameters as arrays that broadcast against the customers, shape () or (n,) each, in
    the order of ``parameter_names``, and times in the unit of the scale parameters.
    """

    @abstractmethod
    def probability_alive_of(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now; broadcasts over leading axes of parameters."""

    @abstractmethod
    def purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` (> 0) of customers who are alive now."""

    @abstractmethod
    def survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t`` (> 0)."""

    @abstractmethod
    def counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` (> 0) of customers who are alive now."""

    @abstractmethod
    def residual_while_alive(self, past: History, discount_rate: float, parameters: Sequence[FloatArray]) -> FloatArray:
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

    def remembered(self) -> tuple[str, ...]:
        """Return the fields of a :class:`History` on which all depends that is expected of customers alive now."""
        return ("x", "T")

    @abstractmethod
    def covariate_effects(self, summary: pd.DataFrame) -> tuple[Effect, ...]:
        """Return what covariates do to the parameters of these customers."""

    def _new_customers(self, T: FloatArray, covariates: pd.DataFrame | None) -> pd.DataFrame:
        """Return a summary of customers of ages ``T`` without a repeat purchase; covariates are of one or of each."""
        return pd.DataFrame({"frequency": 0.0, "recency": 0.0, "T": T})

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
        known = self.probability_alive_of(past, sets) if chance is None else chance
        return self._draw_futures(past, lengths, sets, known, rng)

    def expected_purchases_of(
        self, past: History, future_t: FloatArray, parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Expected purchases in ``future_t`` under given parameters, each of shape () or (n,)."""
        purchases = np.zeros(len(past.x))
        later = np.flatnonzero(future_t > 0)
        if len(later):
            some, of = past.part(later), part_of(parameters, later)
            purchases[later] = self.probability_alive_of(some, of) * self.purchases_while_alive(
                some, future_t[later], of
            )
        return purchases

    def _given(self, summary: pd.DataFrame) -> tuple[History, Sequence[FloatArray]]:
        values, past = self._parameters(), self._past(summary)
        return past, spread(values, self.covariate_effects(summary), len(self.parameter_names))

    def _past(self, summary: pd.DataFrame) -> History:
        rows = self._checked(summary, ["frequency", "recency", "T"])
        return History(*(rows[name].to_numpy() for name in ("frequency", "recency", "T")))

    def _checked(self, summary: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        return checked_summary(summary, columns)

    def _lengths(self, future_t: float | npt.ArrayLike, size: int) -> FloatArray:
        return lengths_of(future_t, size)
