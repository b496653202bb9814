"""Predictions stay finite, bounded and ordered for any customer, in any unit; warnings are errors."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kehu_analysis.clv import BetaGeoModel, GammaGammaModel

positive = st.floats(-3, 3).map(lambda power: float(np.exp(power)))
lengths = st.floats(np.log(0.1), np.log(5000)).map(lambda power: float(np.exp(power)))


@st.composite
def customers(draw):
    n = draw(st.integers(1, 6))
    T = np.array([draw(lengths) for _ in range(n)])
    x = np.array([draw(st.one_of(st.integers(0, 3), st.integers(0, 2000))) for _ in range(n)])
    share = np.array([draw(st.floats(0, 1)) for _ in range(n)])
    return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, T * share, 0.0), "T": T})


def beta_geo(r, alpha, a, b):
    model = BetaGeoModel()
    model.params_ = pd.Series([r, alpha, a, b], index=["r", "alpha", "a", "b"])
    return model


@settings(max_examples=200, deadline=None)
@given(customers(), positive, positive, st.one_of(st.just(1.0), positive), positive, lengths)
def test_beta_geo_predictions(summary, r, alpha, a, b, t):
    model = beta_geo(r, alpha, a, b)
    x, T = summary["frequency"], summary["T"]
    alive = model.expected_probability_alive(summary)
    assert alive.between(0, 1).all()
    purchases = model.expected_purchases(summary, t)
    without_dropout = (r + x) / (alpha + T) * t
    assert (purchases >= 0).all()
    assert (purchases <= without_dropout * (1 + 1e-9)).all()
    assert (model.expected_purchases(summary, 2 * t) >= purchases * (1 - 1e-9)).all()
    assert 0 <= model.expected_purchases_new_customer(t) <= r / alpha * t * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(customers(), positive, positive, positive, positive, lengths, st.sampled_from([7.0, 12 * 7 / 365.25]))
def test_beta_geo_predictions_in_another_unit(summary, r, alpha, a, b, t, unit):
    other = summary.assign(recency=summary["recency"] * unit, T=summary["T"] * unit)
    here = beta_geo(r, alpha, a, b).expected_purchases(summary, t)
    there = beta_geo(r, alpha * unit, a, b).expected_purchases(other, t * unit)
    np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-300)


@settings(max_examples=100, deadline=None)
@given(customers(), positive, positive, positive, positive)
def test_beta_geo_likelihood_and_gradient_are_finite(summary, r, alpha, a, b):
    model = BetaGeoModel()
    repeat = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]})
    sample = model._sample(pd.concat([summary, repeat], ignore_index=True))
    each, derivatives = model._log_likelihoods(np.array([r, alpha, a, b]), sample)
    assert np.isfinite(each).all()
    assert np.isfinite(derivatives).all()


@settings(max_examples=60, deadline=None)
@given(customers(), positive, positive, positive, positive, lengths, st.integers(0, 99))
def test_simulated_futures_are_counts(summary, r, alpha, a, b, t, seed):
    purchases = beta_geo(r, alpha, a, b).simulate_future(summary, [t, t / 3], rng=seed, draws=4)
    assert purchases.shape == (4, len(summary), 2)
    assert (purchases >= 0).all()


@settings(max_examples=60, deadline=None)
@given(customers(), positive, st.floats(1.01, 50), positive, st.floats(0.01, 1e7))
def test_expected_spend_lies_between_own_and_population_mean(summary, p, q, v, own):
    model = GammaGammaModel()
    model.params_ = pd.Series([p, q, v], index=["p", "q", "v"])
    summary = summary.assign(monetary_value=np.where(summary["frequency"] > 0, own, 0.0))
    spend = model.expected_customer_spend(summary)
    ends = sorted([own, p * v / (q - 1)])
    assert spend.between(ends[0] * (1 - 1e-9), ends[1] * (1 + 1e-9)).all()
