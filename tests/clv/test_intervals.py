"""Uncertainty of parameters: the normal approximation against customers drawn anew."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from kehu_analysis.clv import BetaGeoModel, GammaGammaModel, ParetoNBDModel, bootstrap_parameters
from kehu_analysis.clv.fitting.objective import maximise
from kehu_analysis.errors import ConvergenceError


def customers(n: int = 4000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    truth = BetaGeoModel()
    truth.params_ = pd.Series({"r": 1.0, "alpha": 5.0, "a": 1.0, "b": 2.5})
    summary = truth.simulate_customers(np.full(n, 52.0), rng=rng)
    # Whole weeks, so that many are alike and a draw is cheap.
    x = summary["frequency"].to_numpy()
    summary["recency"] = np.where(x > 0, np.ceil(summary["recency"]), 0.0)
    spend = rng.gamma(3.0 * np.maximum(x, 1)) / np.maximum(x, 1) / rng.gamma(4, 1 / 60, n)
    return summary.assign(monetary_value=np.where(x > 0, spend, 0.0))


@pytest.mark.long
@pytest.mark.parametrize("model", [BetaGeoModel(), GammaGammaModel()])
def test_the_bootstrap_spreads_as_the_normal_approximation_does(model):
    summary = customers()
    fitted = model.fit(summary)
    drawn = np.log(bootstrap_parameters(fitted, summary, 200, rng=1))
    found, expected = drawn.cov(), fitted.log_covariance_
    deviations = np.sqrt(np.diag(found) / np.diag(expected))
    # 200 draws tell a standard deviation within 5 %, one standard error.
    np.testing.assert_allclose(deviations, 1, atol=0.2)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(drawn.corr(), expected / np.outer(scale, scale), atol=0.2)
    bias = (drawn.mean() - np.log(fitted.params_)) / scale
    assert (bias.abs() < 0.4).all()


def test_the_bootstrap_knows_weights_units_and_covariates():
    summary = customers(400)
    fitted = ParetoNBDModel().fit(summary)
    drawn = bootstrap_parameters(fitted, summary, 5, rng=1)
    compressed = summary.groupby(["frequency", "recency", "T"]).size().rename("weight").reset_index()
    pd.testing.assert_frame_equal(bootstrap_parameters(fitted, compressed, 5, rng=1), drawn)
    days = summary.assign(recency=summary["recency"] * 7, T=summary["T"] * 7)
    in_days = bootstrap_parameters(ParetoNBDModel().fit(days), days, 5, rng=1)
    np.testing.assert_allclose(in_days / drawn, [[1, 7, 1, 7]] * 5, rtol=1e-3)
    given = summary.assign(far=np.arange(400) % 2.0)
    moved = bootstrap_parameters(BetaGeoModel(purchase_covariates=["far"]).fit(given), given, 5, rng=1)
    assert moved.columns.tolist() == ["r", "alpha", "a", "b", "purchase_far"]
    assert moved["purchase_far"].abs().max() < 1


def test_samples_that_cannot_be_fitted_are_drawn_again_unless_they_are_many(monkeypatch):
    summary = customers(300)
    model = GammaGammaModel().fit(summary)
    with pytest.raises(NotFittedError):
        bootstrap_parameters(GammaGammaModel(), summary, 5, rng=1)
    model.tolerance = 1e-300
    with pytest.raises(ConvergenceError, match="bootstrap"):
        bootstrap_parameters(model, summary, 5, rng=1)
    model.tolerance, calls = 1e-4, []

    def fails_once(*args, **settings):
        calls.append(1)
        return maximise(*args, **{**settings, "max_iterations": 0 if len(calls) == 1 else 200})

    monkeypatch.setattr("kehu_analysis.clv.fitting.objective.maximise", fails_once)
    assert len(bootstrap_parameters(model, summary, 5, rng=1)) == 5
    assert len(calls) == 6
