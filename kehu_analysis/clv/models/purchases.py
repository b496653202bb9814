"""Fitting models of repeat purchases and dropout, with covariates or without."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import check_table
from kehu_analysis.clv.fitting.covariates import CovariateEffects, Targets
from kehu_analysis.clv.fitting.effects import Effect
from kehu_analysis.clv.fitting.maximise import Maximum, maximise
from kehu_analysis.clv.fitting.maximum_likelihood import FirstGuess, unchanged_on_failure
from kehu_analysis.clv.fitting.sample import Sample, compressed
from kehu_analysis.clv.models.histories import DrawnPurchases, History
from kehu_analysis.clv.models.predictions import PurchasePredictions
from kehu_analysis.clv.numerics.future_counts import FutureCounts, most_purchases
from kehu_analysis.errors import InsufficientDataError, UsageError

__all__ = ["DrawnPurchases", "History", "PurchaseModel"]

#: From this many unique rows on a first search among rounded ages saves time.
_MANY_ROWS = 3000
#: Rounding of ages in that search, as a share of the mean age.
_ROUNDED = 1 / 30
#: How near it comes to its maximum, in standard errors.
_ROUGHLY = 0.1
#: What a maximum must be higher by, among rounded ages, to be looked at among the exact ones.
_HIGHER = 0.1


class PurchaseModel(PurchasePredictions):
    """Purchases in continuous time until an unseen end ("buy till you die").

    A model of this kind states its likelihood, and what
    :class:`~kehu_analysis.clv.models.purchase_process.PurchaseProcess` asks of it; how it is fitted, with covariates or
    without, is said here.

    Parameters
    ----------
    purchase_covariates, dropout_covariates
        Static covariates of the rate of purchases and of leaving: columns of the summary that hold numbers, or a
        formula such as ``"C(channel) + km"``. A coefficient g multiplies the rate by exp(g) for each unit of its
        covariate.
    equal_effects
        Covariates of both whose effects are to have one coefficient.
    ridge
        Half the sum of squared coefficients times this is taken off the log-likelihood that is maximised, as if the
        coefficients came from a normal distribution of variance 1 / ridge; ``log_likelihood_`` is without it.
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.

    Attributes
    ----------
    coefficients_
        By name of a coefficient the processes and covariates that it moves, such as ``("purchase", "km")``.
    """

    #: Effects that covariates can have; those of ``purchase`` are given as ``purchase_covariates``, and so on.
    _targets: ClassVar[Targets] = {}
    #: Columns of the summary that the likelihood reads.
    _columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    #: Until a fit reads some, as where parameters are set from a publication, there are none.
    _covariates: CovariateEffects = CovariateEffects({}, {}, (), pd.DataFrame())

    def __init__(
        self,
        *,
        purchase_covariates: str | Sequence[str] | None = None,
        dropout_covariates: str | Sequence[str] | None = None,
        equal_effects: Sequence[str] = (),
        ridge: float = 0.0,
        max_iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(max_iterations=max_iterations, tolerance=tolerance)
        self.purchase_covariates = purchase_covariates
        self.dropout_covariates = dropout_covariates
        self.equal_effects = equal_effects
        self.ridge = ridge

    @abstractmethod
    def counts_by(
        self,
        past: History,
        t: FloatArray,
        most: int,
        parameters: Sequence[FloatArray],
        one_in: FloatArray | float = 1.0,
    ) -> FutureCounts:
        """Return the probabilities of 0 to ``most`` purchases in the next ``t`` (> 0) of customers alive now.

        Of the purchases one in so many is counted, by chance: of thousands of them.
        """

    def stages(self) -> int:
        """Return the number of stages to a purchase."""
        return 1

    def most_purchases(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return a number beyond which customers who are alive now hardly ever get in the next ``t``, (n,)."""
        r, alpha = parameters[:2]
        k = self.stages()
        return most_purchases(r + k * past.x, alpha + past.T, t, k)

    def fit(self, summary: pd.DataFrame, y: None = None) -> Self:
        """Fit to a summary of purchases.

        Parameters
        ----------
        summary
            One row a customer, or a group of identical customers with their number as ``weight``: frequency (repeat
            purchase days), recency and T (ages, in one time unit), the covariates if the model has any.
        y
            Ignored; there for scikit-learn.

        Raises
        ------
        DataError
            The summary breaks its rules, or a covariate does.
        InsufficientDataError
            The customers do not carry the model.
        ConvergenceError
            The search did not reach a maximum.
        UsageError
            A formula cannot be read, or covariates said to have equal effects are not those of both processes.
        """
        check_table(summary)
        if not (np.isfinite(self.ridge) and self.ridge >= 0):
            raise UsageError("bad_ridge", ridge=self.ridge)
        given = {effect: getattr(self, f"{effect}_covariates") for effect in self._targets}
        with unchanged_on_failure(self):
            self._covariates = CovariateEffects(self._targets, given, self.equal_effects, summary)
            super().fit(summary)
        self.coefficients_ = self._covariates.moved()
        return self

    def _coefficient_names(self) -> tuple[str, ...]:
        return self._covariates.names

    def penalty_weight(self) -> float:
        """Return what half the squared coefficients cost."""
        return self.ridge

    def _first_guess(self, sample: Sample) -> FirstGuess:
        plain = self._start(sample)
        if len(sample.weight) < _MANY_ROWS:
            return FirstGuess(plain)
        top = self._climb_roughly(_with_rounded_ages(sample), plain)
        if not top.converged:
            return FirstGuess(plain)
        # Where some are driven to the boundary the others' curvature there is of no use.
        return FirstGuess(np.exp(top.location), None if top.at_boundary.any() else top.curvature, plain)

    def _promising(self, starts: list[FloatArray], here: FloatArray, sample: Sample) -> list[FloatArray]:
        # Among rounded ages it is told sooner whether another start leads higher: covariates do not know.
        if len(sample.weight) < _MANY_ROWS or self._covariates.names:
            return starts
        rounded = _with_rounded_ages(sample)
        # Rounded, the maximum lies a little elsewhere.
        value = self._climb_roughly(rounded, here).value
        tops = [self._climb_roughly(rounded, start) for start in starts]
        return [np.exp(top.location) for top in tops if top.value > value + _HIGHER]

    def _climb_roughly(self, rounded: Sample, start: FloatArray) -> Maximum:
        def objective(location: FloatArray) -> tuple[float, FloatArray]:
            return self._roughly(location, rounded)

        return maximise(objective, np.log(start), max_iterations=self.max_iterations, tolerance=_ROUGHLY, roughly=True)

    def _roughly(self, location: FloatArray, rounded: Sample) -> tuple[float, FloatArray]:
        each, slopes = self.log_likelihoods(list(np.exp(location)), rounded)
        return float(np.sum(each * rounded.weight)), np.sum(slopes * rounded.weight, axis=1) * np.exp(location)

    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""
        unique = self._unique(summary)
        number = unique["weight"].to_numpy()
        # The mean age as the measure of time makes the fit one and the same in days, weeks or months.
        measure = float(np.average(unique["T"], weights=number))
        x = unique["frequency"].to_numpy()
        values = {"x": x, "t_x": unique["recency"].to_numpy() / measure, "T": unique["T"].to_numpy() / measure}
        if "sum_log_interval" in unique.columns:
            values["sum_log_interval"] = unique["sum_log_interval"].to_numpy() - x * np.log(measure)
        log_jacobian = -float(np.sum(x * number)) * np.log(measure)
        return Sample(values, number, measure, log_jacobian, self._covariates.effects(unique))

    def _unique(self, summary: pd.DataFrame) -> pd.DataFrame:
        columns = list(self._columns)
        rows = self._checked(summary, columns)
        weight = rows["weight"] if "weight" in rows.columns else pd.Series(1.0, index=rows.index)
        n_customers = float(weight.sum())
        if n_customers < 2:
            raise InsufficientDataError("too_few_customers", model=type(self).__name__, n=round(n_customers))
        if not (rows["frequency"] > 0).any():
            raise InsufficientDataError("nobody_bought_twice", n=round(n_customers))
        if not self._covariates.names:
            return compressed(rows, columns)
        covariates = self._covariates.table(summary)
        return compressed(pd.concat([rows, covariates], axis=1), [*columns, *covariates.columns])

    def covariate_effects(self, summary: pd.DataFrame) -> tuple[Effect, ...]:
        """Return what covariates do to the parameters of these customers."""
        if not self._covariates.names:
            return ()
        return self._covariates.effects(self._covariates.table(summary))

    def _new_customers(self, T: FloatArray, covariates: pd.DataFrame | None) -> pd.DataFrame:
        columns = self._covariates.columns
        if columns and (covariates is None or len(covariates) not in (1, len(T))):
            raise UsageError("covariates_needed", model=type(self).__name__, n=len(T), columns=", ".join(columns))
        if covariates is None:
            given = pd.DataFrame(index=range(len(T)))
        else:
            given = covariates.iloc[np.arange(len(T)) if len(covariates) == len(T) else np.zeros(len(T), dtype=int)]
        return given.reset_index(drop=True).assign(frequency=0.0, recency=0.0, T=T)


def _with_rounded_ages(sample: Sample) -> Sample:
    x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
    since, age = (np.rint(lengths / _ROUNDED).astype(np.int64) for lengths in (T - t_x, T))
    n_since, n_ages = int(since.max()) + 1, int(age.max()) + 1
    if float(x.max() + 1) * n_since * n_ages >= 2.0**62:  # too many for one whole number a row
        return sample
    few, place = np.unique((x.astype(np.int64) * n_since + since) * n_ages + age, return_inverse=True)
    rest, ages = np.divmod(few, n_ages)
    purchases, silences = np.divmod(rest, n_since)
    columns = {
        "x": purchases.astype(float),
        "t_x": np.maximum(ages - silences, 0) * _ROUNDED,
        "T": ages * _ROUNDED,
    }
    return replace(sample, columns=columns, weight=np.bincount(place, sample.weight).astype(float), effects=())
