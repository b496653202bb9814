"""Parameters fitted to customers drawn anew: how far to trust the normal approximation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import generator_of
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.fitting.objective import Objective
from kehu_analysis.errors import ConvergenceError

#: Samples may fail this often, as a share of the draws.
_MOST_FAILED = 0.2


def bootstrap_parameters(
    model: MaximumLikelihoodModel, summary: pd.DataFrame, draws: int, rng: RandomSource
) -> pd.DataFrame:
    """Draw as many customers anew, with replacement, and fit again: ``draws`` times.

    Customers who are alike are one row, whose number is drawn (multinomial weights), so that a draw costs no more than
    a fit that starts at its end.

    Parameters
    ----------
    model
        Fitted.
    summary
        What it was fitted to.
    draws
        Number of samples.
    rng
        Seed or generator.

    Returns
    -------
    DataFrame
        Shape (draws, k), one column a parameter, as :meth:`MaximumLikelihoodModel.draw_parameters` returns.

    Raises
    ------
    sklearn.exceptions.NotFittedError, DataError
    ConvergenceError
        More samples than a fifth of the draws could not be fitted; fewer are drawn again.

    Notes
    -----
    Efron, B. and Tibshirani, R. (1993), An Introduction to the Bootstrap, chapter 6.

    Examples
    --------
    >>> from kehu_analysis.clv import GammaGammaModel
    >>> rng = np.random.default_rng(1)
    >>> x = rng.integers(1, 9, 300)
    >>> spend = rng.gamma(6.0 * x) / x / rng.gamma(4, 0.1, 300)
    >>> customers = pd.DataFrame({"frequency": x, "monetary_value": spend})
    >>> drawn = bootstrap_parameters(GammaGammaModel().fit(customers), customers, 20, rng=2)
    >>> drawn.shape, bool((drawn > 0).all(axis=None))
    ((20, 3), True)
    """
    check_is_fitted(model, "log_covariance_")
    generator = generator_of(rng)
    sample = model.sample_of(summary)
    n = round(float(sample.weight.sum()))
    shares = sample.weight / sample.weight.sum()
    n_positive = len(model.parameter_names)
    fitted = np.asarray(model.params_, dtype=np.float64)
    log_measures = np.log(sample.measure) * np.asarray(model.dimensions, dtype=float)
    start = fitted.copy()
    start[:n_positive] = np.log(fitted[:n_positive]) - log_measures
    rows: list[FloatArray] = []
    n_failed = 0
    while len(rows) < draws:
        drawn = replace(sample, weight=generator.multinomial(n, shares).astype(float))
        top = Objective(model, drawn).climb(start)
        if not top.converged:
            n_failed += 1
            if n_failed > max(1.0, _MOST_FAILED * draws):
                raise ConvergenceError("bootstrap_failed", model=type(model).__name__, n=n_failed, draws=draws)
            continue
        values = top.location.copy()
        values[:n_positive] = np.exp(values[:n_positive] + log_measures)
        rows.append(values)
    return pd.DataFrame(np.array(rows), columns=list(model.params_.index))
