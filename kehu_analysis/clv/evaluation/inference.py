"""What a fit says of its parameters, and whether covariates tell more than chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils.validation import check_is_fitted

from kehu_analysis.clv.checks import check_interval
from kehu_analysis.clv.fitting.maximum_likelihood import SAME_TOTALS, MaximumLikelihoodModel
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.errors import UsageError


class LikelihoodRatio(NamedTuple):
    """Outcome of a likelihood-ratio test.

    Attributes
    ----------
    statistic
        Twice the difference of the log-likelihoods, 0 or more.
    degrees_of_freedom
        How many coefficients the full model has more.
    p_value
        Probability of a statistic so large, or larger, where the restricted model holds (chi-squared).
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def parameter_table(model: MaximumLikelihoodModel, interval: float = 0.95) -> pd.DataFrame:
    """What a fit found, and how sure it is.

    Parameters
    ----------
    model
        A fitted model.
    interval
        Confidence, between 0 and 1.

    Returns
    -------
    DataFrame
        A row a parameter: parameter, estimate, standard_error, low, high, z, p_value. The interval is normal, of the
        logarithm where a parameter is positive and of coefficients as they are. z and p_value (two-sided, against 0)
        are those of coefficients; a parameter at the boundary has its estimate alone. With a ridge all are those of
        the penalised likelihood: coefficients are drawn towards 0 and p_value is too large rather than too small.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Not fitted yet.
    UsageError
        ``interval`` is not between 0 and 1.

    Notes
    -----
    Wald intervals from the inverse of minus the Hessian: Greene, Econometric Analysis, on maximum likelihood.

    Examples
    --------
    >>> from kehu_analysis.clv import BetaGeoModel
    >>> truth = BetaGeoModel()
    >>> truth.params_ = pd.Series({"r": 1.0, "alpha": 5.0, "a": 1.0, "b": 3.0})
    >>> fitted = BetaGeoModel().fit(truth.simulate_customers(np.full(800, 52.0), rng=1))
    >>> table = parameter_table(fitted)
    >>> table["parameter"].tolist()
    ['r', 'alpha', 'a', 'b']
    >>> bool((table["low"] < table["estimate"]).all()), bool(table["z"].isna().all())
    (True, True)
    """
    check_is_fitted(model, "standard_errors_")
    check_interval(interval)
    estimate, error = model.params_.to_numpy(dtype=float), model.standard_errors_.to_numpy(dtype=float)
    is_coefficient = ~model.params_.index.isin(model.parameter_names)
    width = stats.norm.ppf((1 + interval) / 2) * error
    factor = np.exp(width / np.where(is_coefficient, 1.0, estimate))
    z = np.where(is_coefficient, estimate / error, np.nan)
    return pd.DataFrame(
        {
            "parameter": list(model.params_.index),
            "estimate": estimate,
            "standard_error": error,
            "low": np.where(is_coefficient, estimate - width, estimate / factor),
            "high": np.where(is_coefficient, estimate + width, estimate * factor),
            "z": z,
            "p_value": 2 * stats.norm.sf(np.abs(z)),
        }
    )


def likelihood_ratio_test(restricted: PurchaseModel, full: PurchaseModel) -> LikelihoodRatio:
    r"""Whether the full model's further coefficients tell more than chance would.

    Parameters
    ----------
    restricted, full
        Two fits of one model to the same customers. The covariates of ``restricted`` are some of those of ``full``,
        or none, or effects that ``full`` leaves apart are equal in it.

    Returns
    -------
    LikelihoodRatio
        statistic, degrees_of_freedom, p_value.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Not fitted yet.
    UsageError
        Neither is a special case of the other, or it is ``full`` that is one; the customers are not the same; or a
        ridge was on the coefficients, of which the statistic's distribution knows nothing.

    Notes
    -----
    Where the restricted model holds, :math:`2 (\ell_{full} - \ell_{restricted})` is chi-squared in large samples, with
    as many degrees of freedom as there are coefficients more (Wilks 1938, Annals of Mathematical Statistics 9, 60-62).

    Examples
    --------
    >>> from kehu_analysis.clv import BetaGeoModel
    >>> truth = BetaGeoModel()
    >>> truth.params_ = pd.Series({"r": 1.0, "alpha": 5.0, "a": 1.0, "b": 3.0})
    >>> customers = truth.simulate_customers(np.full(800, 52.0), rng=1).assign(parity=np.arange(800) % 2)
    >>> test = likelihood_ratio_test(
    ...     BetaGeoModel().fit(customers), BetaGeoModel(purchase_covariates=["parity"]).fit(customers)
    ... )
    >>> test.degrees_of_freedom, test.p_value > 0.01
    (1, True)
    """
    for model in (restricted, full):
        check_is_fitted(model, "log_likelihood_")
    own, more = restricted.coefficients_, full.coefficients_
    # Coefficients of one model move different things, so that each of the other is a sum of some of them or of none.
    is_nested = (
        type(restricted) is type(full)
        and getattr(restricted, "k_", 1) == getattr(full, "k_", 1)
        and len(own) < len(more)
        and all(moved == set().union(*(part for part in more.values() if part <= moved)) for moved in own.values())
    )
    if not is_nested:
        raise UsageError("models_not_nested", restricted=_words(restricted), full=_words(full))
    if not np.allclose(restricted.totals_, full.totals_, rtol=SAME_TOTALS, atol=0):
        raise UsageError("different_customers", restricted=restricted.n_customers_, full=full.n_customers_)
    if restricted.ridge or full.ridge:
        raise UsageError("ridge_in_test", ridge=max(restricted.ridge, full.ridge))
    statistic = max(2 * (full.log_likelihood_ - restricted.log_likelihood_), 0.0)
    more_coefficients = len(more) - len(own)
    return LikelihoodRatio(statistic, more_coefficients, float(stats.chi2.sf(statistic, more_coefficients)))


def _words(model: PurchaseModel) -> str:
    return f"{type(model).__name__} ({', '.join(model.coefficients_) or '–'})"
