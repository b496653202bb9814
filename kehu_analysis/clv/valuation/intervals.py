"""How sure: what chance and the uncertainty of the parameters leave open about coming purchases and value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel
from kehu_analysis.finding import Fact

_DIFFERENCE = 1e-3


def parameter_interval(
    total: Callable[[Sequence[FloatArray]], FloatArray],
    models: Sequence[MaximumLikelihoodModel],
    interval: float,
) -> tuple[FloatArray, FloatArray]:
    """Interval of expectations that comes from not knowing the parameters alone (delta method).

    Parameters
    ----------
    total
        Parameters of each model to positive expectations, shape (k,).
    models
        Fitted models, independent of one another.
    interval
        Confidence, e.g. 0.9.

    Returns
    -------
    Low and high, each of shape (k,); normal for the logarithm of the expectation.
    """
    fitted: list[FloatArray] = [np.asarray(model.params_, dtype=np.float64) for model in models]
    centre = np.log(total(fitted))
    variance = np.zeros_like(centre)
    for place, model in enumerate(models):
        gradient = []
        for k in range(len(fitted[place])):
            ends = []
            for sign in (-1, 1):
                moved = [values.copy() for values in fitted]
                if k < len(model.parameter_names):
                    moved[place][k] *= np.exp(sign * _DIFFERENCE)
                else:  # a coefficient is no logarithm
                    moved[place][k] += sign * _DIFFERENCE
                ends.append(np.log(total(moved)))
            gradient.append((ends[1] - ends[0]) / (2 * _DIFFERENCE))
        slopes = np.stack(gradient)
        variance += np.einsum("ik,ij,jk->k", slopes, model.log_covariance_.to_numpy(), slopes)
    width = stats.norm.ppf((1 + interval) / 2) * np.sqrt(variance)
    return np.exp(centre - width), np.exp(centre + width)


def with_interval(name: str, value: float, low: float, high: float, unit: str) -> dict[str, Fact]:
    """Return the facts ``name``, ``name_low`` and ``name_high``."""
    return {name: Fact(value, unit), f"{name}_low": Fact(low, unit), f"{name}_high": Fact(high, unit)}


def parameter_facts(name: str, model: MaximumLikelihoodModel, interval: float) -> dict[str, Fact]:
    """Return a fitted model's log-likelihood and its parameters with intervals, as facts named after it."""
    facts = {f"{name}_log_likelihood": Fact(model.log_likelihood_, "parameter")}
    z = stats.norm.ppf((1 + interval) / 2)
    # Coefficients of covariates are no parameters of this kind. One at the boundary has no standard error, hence no
    # interval.
    names = list(model.parameter_names)
    values = model.params_[names]
    widths = np.exp(z * model.standard_errors_[names] / values)
    for parameter, value, width in zip(names, values.tolist(), widths.tolist(), strict=True):
        facts |= with_interval(f"{name}_{parameter}", value, value / width, value * width, "parameter")
    return facts
