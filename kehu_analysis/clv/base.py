"""What the models of this package have in common: scikit-learn's manners and maximum likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from kehu_analysis.clv.checks import check_table
from kehu_analysis.clv.effects import Effect, spread
from kehu_analysis.clv.maximise import FloatArray, maximise
from kehu_analysis.errors import ConvergenceError

RandomSource = int | np.random.Generator
IntArray = npt.NDArray[np.intp]

#: Standard deviation of a log-parameter beyond which the normal approximation is no longer taken at its word.
_WIDE_DEVIATION = 0.3
_REGION = 0.999
_ROUNDS = 20
_MOST_KEYS = 2**62


@dataclass(frozen=True)
class Sample:
    """What a log-likelihood is computed from: unique rows, how often each occurs, and the measure used.

    Attributes
    ----------
    columns
        Arrays of shape (n_unique,), those with a dimension already divided by ``measure``.
    weight
        Number of customers of each row, shape (n_unique,).
    measure
        Length of time or amount of money, in the caller's unit, that counts as 1 inside the fit. It makes the
        fit the same whatever the unit.
    log_jacobian
        What to add to the log-likelihood to bring it back to the caller's unit.
    effects
        What covariates do to parameters, with their values in these rows.
    """

    columns: dict[str, FloatArray]
    weight: FloatArray
    measure: float
    log_jacobian: float
    effects: tuple[Effect, ...] = ()


class FirstGuess(NamedTuple):
    """Where a search begins: parameters in the sample's measure, and minus the Hessian in their logarithms if known."""

    parameters: FloatArray
    curvature: FloatArray | None = None


class MaximumLikelihoodModel(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn carries no types
    """A model with positive parameters, fitted by maximum likelihood in their logarithms.

    Parameters
    ----------
    max_iterations
        Largest number of steps of the search.
    tolerance
        Largest gradient, in standard errors, that counts as a maximum.

    Attributes
    ----------
    params_
        Series, shape (k,), by parameter name; those of the model, then the coefficients of covariates.
    standard_errors_
        Series, shape (k,); NaN for parameters at the boundary.
    covariance_
        DataFrame, shape (k, k), of the parameters; NaN for those at the boundary.
    log_covariance_
        DataFrame, shape (k, k), of the parameters' logarithms, in which the normal approximation is good, and of
        coefficients as they are; 0 for those at the limit of the search, given which the others' are.
    at_boundary_
        Names of parameters that the data drive towards zero or infinity, alone or together (say a and b, where
        all customers share one chance to leave). They stand where the search ends, far out; predictions hold, the
        parameters do not.
    log_likelihood_
        Maximised log-likelihood, all constants in, in the unit of the data.
    converged_
        True after a fit that returned.
    n_customers_
        Number of customers fitted on (sum of weights).
    totals_
        Array of a few sums over these customers, by which to know whether two fits were to the same.
    """

    parameter_names: ClassVar[tuple[str, ...]]
    #: Power of the sample's measure that each parameter carries (a scale parameter: 1).
    _dimensions: ClassVar[tuple[int, ...]]

    def __init__(self, *, max_iterations: int = 200, tolerance: float = 1e-4) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    @abstractmethod
    def _sample(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""

    @abstractmethod
    def _start(self, sample: Sample) -> FloatArray:
        """Return parameters, in the sample's measure, to begin with."""

    def _first_guess(self, sample: Sample) -> FirstGuess:
        """Return where the search begins."""
        return FirstGuess(self._start(sample))

    @abstractmethod
    def _log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n).

        A parameter is one number, or one a row where covariates move it.
        """

    def _coefficient_names(self) -> tuple[str, ...]:
        """Return the names of the coefficients of covariates, in the order of the sample's effects."""
        return ()

    def _ridge(self) -> float:
        """Return what half the squared coefficients cost."""
        return 0.0

    def fit(self, summary: pd.DataFrame, y: None = None) -> Self:
        """Fit to a summary of purchases.

        Parameters
        ----------
        summary
            One row a customer, or a group of identical customers with their number as ``weight``; the
            columns are the model's.
        y
            Ignored; there for scikit-learn.

        Raises
        ------
        DataError
            The summary breaks its rules.
        InsufficientDataError
            The customers do not carry the model.
        ConvergenceError
            The search did not reach a maximum.
        """
        check_table(summary)
        sample = self._sample(summary)
        objective = Objective(self, sample)
        names = [*self.parameter_names, *self._coefficient_names()]
        start = np.zeros(len(names))
        first = self._first_guess(sample)
        start[: len(self.parameter_names)] = np.log(first.parameters)
        curvature = first.curvature if len(names) == len(self.parameter_names) else None
        top = maximise(
            objective, start, max_iterations=self.max_iterations, tolerance=self.tolerance, curvature=curvature
        )
        parameters = self._in_unit_of_data(objective.parameters(top.location), sample)
        if not top.converged:
            at = ", ".join(f"{n} {v:.4g}" for n, v in zip(names, parameters, strict=True))
            report = f"{top.evaluations} evaluations, scaled gradient {top.scaled_gradient:.3g}, {at}"
            raise ConvergenceError("model_not_converged", model=type(self).__name__, report=report)
        # A coefficient is no logarithm: its uncertainty is what it is.
        scales = np.where(np.arange(len(names)) < len(self.parameter_names), parameters, 1.0)
        known = np.where(top.at_boundary, np.nan, scales)
        self.params_ = pd.Series(parameters, index=names)
        self.at_boundary_ = tuple(n for n, is_there in zip(names, top.at_boundary, strict=True) if is_there)
        self.log_covariance_ = pd.DataFrame(top.covariance, index=names, columns=names)
        self.covariance_ = self.log_covariance_ * np.outer(known, known)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(top.covariance)) * known, index=names)
        self.log_likelihood_ = top.value + objective.penalty(top.location) + sample.log_jacobian
        self.converged_ = True
        self.n_customers_ = round(float(sample.weight.sum()))
        sums = [np.sum(values * sample.weight) for values in sample.columns.values()]
        self.totals_ = np.array([sample.measure, sample.weight.sum(), *sums])
        return self

    def log_likelihood(self, summary: pd.DataFrame) -> float:
        """Log-likelihood of customers under the parameters that the model has, all constants in.

        Parameters
        ----------
        summary
            As for :meth:`fit`, whose errors it raises; it need not be what the model was fitted to.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Not fitted yet.
        """
        return self._log_likelihood_at(self._parameters(), self._sample(summary))

    def draw_parameters(self, draws: int, rng: RandomSource, summary: pd.DataFrame | None = None) -> pd.DataFrame:
        """Draw parameters from the normal approximation in their logarithms.

        Parameters
        ----------
        draws
            Number of draws.
        rng
            Seed or generator.
        summary
            What the model was fitted to. Where some logarithm is uncertain by more than 0.3 the approximation
            reaches far beyond what the data allow; draws less likely than the 99.9 % confidence region are then
            drawn again.

        Returns
        -------
        DataFrame
            Shape (draws, k), one column a parameter.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Not fitted yet.
        """
        check_is_fitted(self, "params_")
        generator = np.random.default_rng(rng)
        variances = np.diag(self.log_covariance_)
        free = np.flatnonzero(variances > 0)
        root = np.linalg.cholesky(self.log_covariance_.to_numpy()[np.ix_(free, free)])
        values = self._around_the_fit(draws, free, root, generator)
        if summary is not None and variances.max() > _WIDE_DEVIATION**2:
            values = self._likely(values, free, root, generator, self._sample(summary))
        return pd.DataFrame(values, columns=list(self.params_.index))

    def _around_the_fit(self, draws: int, free: IntArray, root: FloatArray, rng: np.random.Generator) -> FloatArray:
        values = np.tile(self._parameters(), (draws, 1))
        moved = np.zeros(values.shape)
        moved[:, free] = rng.standard_normal(values.shape)[:, free] @ root.T
        n_positive = len(self.parameter_names)
        with np.errstate(over="ignore"):  # such a draw is never likely
            values[:, :n_positive] *= np.exp(moved[:, :n_positive])
        values[:, n_positive:] += moved[:, n_positive:]
        return values

    def _likely(
        self, values: FloatArray, free: IntArray, root: FloatArray, rng: np.random.Generator, sample: Sample
    ) -> FloatArray:
        lowest = self.log_likelihood_ - stats.chi2.ppf(_REGION, len(free)) / 2

        def is_likely(parameters: FloatArray) -> bool:
            with np.errstate(all="ignore"):
                return self._log_likelihood_at(parameters, sample) >= lowest

        unlikely = np.array([not is_likely(row) for row in values])
        for _ in range(_ROUNDS):
            again = np.flatnonzero(unlikely)
            if not len(again):
                break
            values[again] = self._around_the_fit(len(again), free, root, rng)
            unlikely[again] = [not is_likely(row) for row in values[again]]
        # The fit itself stands in where the approximation hardly ever hits the region.
        values[unlikely] = self._parameters()
        return values

    def _log_likelihood_at(self, parameters: FloatArray, sample: Sample) -> float:
        scaled = parameters.copy()
        scaled[: len(self.parameter_names)] /= sample.measure ** np.asarray(self._dimensions, dtype=float)
        by_row = spread(scaled, sample.effects, len(self.parameter_names))
        return float(np.sum(self._log_likelihoods(by_row, sample)[0] * sample.weight)) + sample.log_jacobian

    def _in_unit_of_data(self, parameters: FloatArray, sample: Sample) -> FloatArray:
        scaled = parameters.copy()
        scaled[: len(self.parameter_names)] *= sample.measure ** np.asarray(self._dimensions, dtype=float)
        return scaled

    def _parameters(self) -> FloatArray:
        check_is_fitted(self, "params_")
        return np.asarray(self.params_, dtype=np.float64)


class Objective:
    """The log-likelihood of one sample as a function of log-parameters and coefficients, less what these cost."""

    def __init__(self, model: MaximumLikelihoodModel, sample: Sample) -> None:
        self.model = model
        self.sample = sample

    def parameters(self, location: FloatArray) -> FloatArray:
        """Return parameters and coefficients."""
        values = location.copy()
        n_positive = len(self.model.parameter_names)
        values[:n_positive] = np.exp(values[:n_positive])
        return values

    def __call__(self, location: FloatArray) -> tuple[float, FloatArray]:
        """Return it, less what coefficients cost, and its gradient."""
        values = self.parameters(location)
        n_positive = len(self.model.parameter_names)
        by_row = spread(values, self.sample.effects, n_positive)
        each, derivatives = self.model._log_likelihoods(by_row, self.sample)
        # Plain sums, not the matrix product: its threads cost more than the work and may change the last bit.
        weight = self.sample.weight
        gradient = np.zeros(len(location))
        gradient[:n_positive] = [
            np.sum(slope * (weight * parameter)) for slope, parameter in zip(derivatives, by_row, strict=True)
        ]
        for effect in self.sample.effects:
            slope = effect.sign * derivatives[effect.parameter] * by_row[effect.parameter] * weight
            np.add.at(gradient, n_positive + effect.places, np.sum(effect.covariates * slope[:, None], axis=0))
        gradient[n_positive:] -= self.model._ridge() * location[n_positive:]
        return float(np.sum(each * weight)) - self.penalty(location), gradient

    def penalty(self, location: FloatArray) -> float:
        """Return what the coefficients cost."""
        coefficients = location[len(self.model.parameter_names) :]
        return self.model._ridge() * float(np.sum(coefficients**2)) / 2


def compressed(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the unique rows with their number (or the sum of their weights) as ``weight``, sorted.

    Examples
    --------
    >>> compressed(pd.DataFrame({"frequency": [0, 2, 0]}), ["frequency"]).to_dict("list")
    {'frequency': [0, 2], 'weight': [2.0, 1.0]}
    """
    # A whole number a row, in the order of the rows' values: pandas groups by one column in half the time of several.
    key, n_keys = np.zeros(len(rows), dtype=np.int64), 1
    for column in columns:
        place, levels = pd.factorize(rows[column].to_numpy(), sort=True)
        if n_keys * len(levels) > _MOST_KEYS:
            key, found = pd.factorize(key, sort=True)
            n_keys = len(found)
        key, n_keys = key * len(levels) + place, n_keys * len(levels)
    place, keys = pd.factorize(key)
    order = np.argsort(keys)
    member = np.empty(len(keys), dtype=np.intp)
    member[place] = np.arange(len(rows))
    unique = pd.DataFrame({column: rows[column].to_numpy()[member[order]] for column in columns})
    weight = rows["weight"].to_numpy(dtype=float) if "weight" in rows.columns else None
    return unique.assign(weight=np.bincount(place, weight, len(keys))[order].astype(float))
