"""What the models of this package have in common: scikit-learn's manners and maximum likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.checks import as_number, check_table, generator_of, is_whole
from kehu_analysis.clv.fitting.effects import spread
from kehu_analysis.clv.fitting.maximise import Maximum
from kehu_analysis.clv.fitting.objective import Objective
from kehu_analysis.clv.fitting.parameter_sets import draw_parameter_sets
from kehu_analysis.clv.fitting.sample import Sample
from kehu_analysis.errors import ConvergenceError, InsufficientDataError, UsageError

RandomSource = int | np.random.Generator

#: Standard deviation of a log-parameter beyond which the normal approximation is no longer taken at its word.
_WIDE_DEVIATION = 0.3
_REGION = 0.999
#: Maxima that differ by this share are one and the same.
_SAME_MAXIMUM = 1e-10
#: Places of maxima are told apart to a standard error times two to minus so much; covariances to a product of standard
#: errors times two to minus so much, and no coarser than the least eigenvalue of the correlations bears.
_SETTLED_BITS, _COVARIANCE_BITS, _BITS_BELOW_LEAST = 24, 14, 10
#: Totals of two fits differ by this share at most where they are sums of the same numbers in another order.
SAME_TOTALS = 1e-9


class FirstGuess(NamedTuple):
    """Where a search begins, in the sample's measure; minus the Hessian in logarithms if known; what it is around."""

    parameters: FloatArray
    curvature: FloatArray | None = None
    centre: FloatArray | None = None


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
    dimensions: ClassVar[tuple[int, ...]]
    #: Whether a maximum within the limits may not be the highest.
    _has_several_maxima: ClassVar[bool] = False

    def __init__(self, *, max_iterations: int = 200, tolerance: float = 1e-4) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    @abstractmethod
    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""

    @abstractmethod
    def _start(self, sample: Sample) -> FloatArray:
        """Return parameters, in the sample's measure, to begin with."""

    def _first_guess(self, sample: Sample) -> FirstGuess:
        """Return where the search begins."""
        return FirstGuess(self._start(sample))

    def _other_starts(self, parameters: FloatArray) -> list[FloatArray]:
        """Return further parameters to begin with where a search ended, at ``parameters``, at no sure maximum."""
        return []

    def _promising(self, starts: list[FloatArray], here: FloatArray, sample: Sample) -> list[FloatArray]:
        """Return those starts, or better ones, that may lead higher than to ``here``."""
        return starts

    @abstractmethod
    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n).

        A parameter is one number, or one a row where covariates move it.
        """

    def _coefficient_names(self) -> tuple[str, ...]:
        """Return the names of the coefficients of covariates, in the order of the sample's effects."""
        return ()

    def penalty_weight(self) -> float:
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
        UsageError
            ``max_iterations`` is no whole number, or ``tolerance`` not above 0.
        """
        check_table(summary)
        if not (is_whole(self.max_iterations) and as_number(self.tolerance) > 0):
            raise UsageError("bad_search", max_iterations=self.max_iterations, tolerance=self.tolerance)
        sample = self.sample_of(summary)
        objective = Objective(self, sample)
        names = [*self.parameter_names, *self._coefficient_names()]
        top = self._highest(objective, len(names))
        location, covariance = _settled(top.location, top.covariance)
        parameters = self._in_unit_of_data(objective.parameters(location), sample)
        if not top.converged:
            at = ", ".join(f"{n} {v:.4g}" for n, v in zip(names, parameters, strict=True))
            report = f"{top.evaluations} evaluations, scaled gradient {top.scaled_gradient:.3g}, {at}"
            raise ConvergenceError("model_not_converged", model=type(self).__name__, report=report)
        # A coefficient is no logarithm: its uncertainty is what it is.
        scales = np.where(np.arange(len(names)) < len(self.parameter_names), parameters, 1.0)
        known = np.where(top.at_boundary, np.nan, scales)
        self.params_ = pd.Series(parameters, index=names)
        self.at_boundary_ = tuple(n for n, is_there in zip(names, top.at_boundary, strict=True) if is_there)
        self.log_covariance_ = pd.DataFrame(covariance, index=names, columns=names)
        self.covariance_ = self.log_covariance_ * np.outer(known, known)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(covariance)) * known, index=names)
        self.log_likelihood_ = top.value + objective.penalty(top.location) + sample.log_jacobian
        self.converged_ = True
        self.n_customers_ = round(float(sample.weight.sum()))
        self.totals_ = sample.totals()
        return self

    def was_fitted_to(self, summary: pd.DataFrame) -> bool:
        """Tell whether these are the customers of the fit, as far as sums over all of them tell.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        """
        check_is_fitted(self, "totals_")
        try:
            totals = self.sample_of(summary).totals()
        except InsufficientDataError:
            return False
        return totals.shape == self.totals_.shape and np.allclose(totals, self.totals_, rtol=SAME_TOTALS, atol=0)

    def _highest(self, objective: Objective, n_places: int) -> Maximum:
        # From where the model begins; and where that may not lead to the highest, from its other beginnings too.
        n_positive = len(self.parameter_names)

        def place_of(parameters: FloatArray) -> FloatArray:
            return np.concatenate([np.log(parameters), np.zeros(n_places - n_positive)])

        first = self._first_guess(objective.sample)
        centre = None if first.centre is None else place_of(first.centre)
        top = objective.climb(place_of(first.parameters), first.curvature if n_places == n_positive else None, centre)
        if top.converged and not top.at_boundary.any() and not self._has_several_maxima:
            return top
        here = objective.parameters(top.location)[:n_positive]
        for start in self._promising(self._other_starts(here), here, objective.sample):
            other = objective.climb(place_of(start))
            # The same maximum, found from elsewhere, differs in the last bits alone: the first one stays.
            is_higher = other.value > top.value + _SAME_MAXIMUM * max(1.0, abs(top.value))
            if other.converged > top.converged or (other.converged == top.converged and is_higher):
                top = other
        return top

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
        return self._log_likelihood_at(self._parameters(), self.sample_of(summary))

    def draw_parameters(self, draws: int, rng: RandomSource, summary: pd.DataFrame | None = None) -> pd.DataFrame:
        """Draw parameters from the normal approximation in their logarithms, evenly (a scrambled Sobol sequence).

        Parameters
        ----------
        draws
            Number of draws.
        rng
            Seed or generator.
        summary
            What the model was fitted to; other customers are of no use here. Where some logarithm is uncertain by more
            than 0.3 the approximation reaches far beyond what the data allow; sets less likely than the 99.9 %
            confidence region are then left out, and others taken.

        Returns
        -------
        DataFrame
            Shape (draws, k), one column a parameter.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Not fitted yet.
        """
        check_is_fitted(self, "log_covariance_")
        sample = None if summary is None else self.sample_to_judge_by(summary)
        (values,) = draw_parameter_sets([self], draws, generator_of(rng), [sample])
        return pd.DataFrame(values, columns=list(self.params_.index))

    def n_uncertain(self) -> int:
        """Return how many standard normal numbers :meth:`parameters_at` takes."""
        return len(self._uncertain())

    def parameters_at(self, scores: FloatArray) -> FloatArray:
        """Return parameters, (n, k), at so many standard normal numbers from the fit, (n, n_uncertain)."""
        free = self._uncertain()
        root = np.linalg.cholesky(self.log_covariance_.to_numpy()[np.ix_(free, free)])
        values = np.tile(self._parameters(), (len(scores), 1))
        moved = np.zeros(values.shape)
        moved[:, free] = scores @ root.T
        n_positive = len(self.parameter_names)
        with np.errstate(over="ignore"):  # such a set is never likely
            values[:, :n_positive] *= np.exp(moved[:, :n_positive])
        values[:, n_positive:] += moved[:, n_positive:]
        return values

    def are_likely(self, parameters: FloatArray, sample: Sample | None) -> npt.NDArray[np.bool_]:
        """Tell which sets of parameters, (n, k), lie in the 99.9 % confidence region.

        All count as such where there is no sample to judge them by.
        """
        if sample is None:
            return np.ones(len(parameters), dtype=bool)
        lowest = self.log_likelihood_ - stats.chi2.ppf(_REGION, self.n_uncertain()) / 2
        with np.errstate(all="ignore"):
            return np.array([self._log_likelihood_at(row, sample) >= lowest for row in parameters], dtype=bool)

    def sample_to_judge_by(self, summary: pd.DataFrame) -> Sample | None:
        """Return the customers of the fit, if these are they and the normal approximation is not to be taken as it is.

        It is where no logarithm is uncertain by more than 0.3.
        """
        is_good = float(np.diag(self.log_covariance_).max()) <= _WIDE_DEVIATION**2
        return None if is_good or not self.was_fitted_to(summary) else self.sample_of(summary)

    def _uncertain(self) -> IntArray:
        return np.flatnonzero(np.diag(self.log_covariance_) > 0)

    def _log_likelihood_at(self, parameters: FloatArray, sample: Sample) -> float:
        scaled = parameters.copy()
        scaled[: len(self.parameter_names)] /= sample.measure ** np.asarray(self.dimensions, dtype=float)
        by_row = spread(scaled, sample.effects, len(self.parameter_names))
        return float(np.sum(self.log_likelihoods(by_row, sample)[0] * sample.weight)) + sample.log_jacobian

    def _in_unit_of_data(self, parameters: FloatArray, sample: Sample) -> FloatArray:
        scaled = parameters.copy()
        scaled[: len(self.parameter_names)] *= sample.measure ** np.asarray(self.dimensions, dtype=float)
        return scaled

    def _parameters(self) -> FloatArray:
        check_is_fitted(self, "params_")
        return np.asarray(self.params_, dtype=np.float64)


def _settled(location: FloatArray, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    # What is left of the search, and the last bits of sums that processors take differently, are far below a millionth
    # of a standard error: rounded to that, and to a power of two, a place is the same wherever it was found.
    # Covariances come from differences, and differ by up to a ten-millionth of themselves.
    deviation = np.sqrt(np.diag(covariance))
    # One that could be anywhere has a place all the same.
    exponent = np.where(deviation > 0, np.floor(np.log2(np.clip(deviation, 2.0**-60, 1.0))), 0.0)
    step = 2.0 ** (exponent - _SETTLED_BITS)
    free = np.flatnonzero(deviation > 0)
    settled = covariance
    if len(free):
        alike = covariance[np.ix_(free, free)] / np.outer(deviation[free], deviation[free])
        least = max(float(np.linalg.eigvalsh(alike)[0]), 2.0**-60)
        bits = max(_COVARIANCE_BITS, _BITS_BELOW_LEAST - np.floor(np.log2(least)))
        unit = 2.0 ** np.where(deviation > 0, np.floor(np.log2(np.maximum(deviation, 2.0**-60))), 0.0)
        grid = np.outer(unit, unit) * 2.0**-bits
        if bits <= _SETTLED_BITS:  # else so nearly one that rounding would make them one
            settled = np.rint(covariance / grid) * grid
    return np.asarray(np.rint(location / step) * step), np.asarray(settled)


@contextmanager
def unchanged_on_failure(model: BaseEstimator) -> Iterator[None]:
    """Leave a model as it was where a fit fails: half of an old one and half of a new one would tell nonsense."""
    before = dict(vars(model))
    try:
        yield
    except BaseException:
        vars(model).clear()
        vars(model).update(before)
        raise
