"""Ordinal regression: what moves a grade, where the distance between two grades is nobody's to say."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.miscmodels.ordinal_model import OrderedModel

from kehu_analysis.errors import ConvergenceError

__all__ = ["OrdinalFit", "fit_ordinal"]

Array = npt.NDArray[np.float64]

#: Places to which effects and errors are told: derivatives are taken from differences.
_PLACES = 4


class OrdinalFit(NamedTuple):
    """A proportional-odds model.

    Attributes
    ----------
    effects, errors
        Log odds of a better grade for each point, and their standard errors, shape (p,).
    thresholds
        Between the grades, rising.
    log_likelihood
        At the maximum.
    """

    effects: Array
    errors: Array
    thresholds: Array
    log_likelihood: float


def fit_ordinal(grades: pd.Series, drivers: pd.DataFrame, groups: npt.ArrayLike | None = None) -> OrdinalFit:
    """Fit ``logit P(grade > g) = x'β - c_g`` by maximum likelihood.

    Parameters
    ----------
    grades
        Ordered whole numbers, two or more of them.
    drivers
        Numbers, on the index of ``grades``; no column of ones.
    groups
        Customer of each row: errors then allow for rows of one customer that go along; None takes rows as independent.

    Raises
    ------
    ConvergenceError
        No maximum was found: as a rule a driver tells the grade for certain.

    Notes
    -----
    McCullagh, P. (1980), *Journal of the Royal Statistical Society B* 42, 109-142. statsmodels states the thresholds
    after the first as logs of steps; here they are thresholds.

    Examples
    --------
    >>> grades = pd.Series([1, 1, 2, 1, 2, 2, 2, 1] * 5)
    >>> fit_ordinal(grades, pd.DataFrame({"x": [0, 1, 0, 0, 1, 1, 1, 1] * 5})).effects.round(3).tolist()
    [1.099]
    """
    endog = pd.Series(pd.Categorical(grades, categories=sorted(grades.unique()), ordered=True), index=grades.index)
    model = OrderedModel(endog, drivers.astype(float), distr="logit")
    with warnings.catch_warnings():
        # What it warns of is read from the result and told as an error.
        warnings.simplefilter("ignore")
        fit = model.fit(method="bfgs", disp=False, maxiter=500, gtol=1e-6)
        parameters = np.asarray(fit.params, dtype=np.float64)
        n_drivers = drivers.shape[1]
        gradient = np.asarray(model.score(parameters), dtype=np.float64)
        if not np.isfinite(parameters).all() or np.abs(gradient).max() > 1e-3 * len(grades):
            raise ConvergenceError("ordinal_not_fitted", n_rows=len(grades), n_drivers=n_drivers)
        bread = np.linalg.pinv(-np.asarray(model.hessian(parameters), dtype=np.float64))
        # Where the search ends hangs on the last bit of its sums; where a Newton step from there leads, hardly.
        for _ in range(2):
            parameters = parameters + bread @ np.asarray(model.score(parameters), dtype=np.float64)
        covariance = bread
        if groups is not None:
            scores = np.asarray(model.score_obs(parameters), dtype=np.float64)
            owner = np.unique(np.asarray(groups), return_inverse=True)[1]
            n_groups = int(owner.max()) + 1
            sums = np.zeros((n_groups, scores.shape[1]))
            np.add.at(sums, owner, scores)
            covariance = bread @ (sums.T @ sums) @ bread * (n_groups / max(n_groups - 1, 1))
    errors = np.sqrt(np.clip(np.diag(covariance)[:n_drivers], 0.0, None))
    if not (np.isfinite(errors).all() and (errors > 0).all()) or np.abs(parameters[:n_drivers]).max() > 50:
        raise ConvergenceError("ordinal_not_fitted", n_rows=len(grades), n_drivers=n_drivers)
    thresholds = np.asarray(model.transform_threshold_params(parameters), dtype=np.float64)[1:-1]
    effects = parameters[:n_drivers].round(_PLACES)
    return OrdinalFit(effects, errors.round(_PLACES), thresholds.round(_PLACES), float(fit.llf))
