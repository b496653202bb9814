"""Predictions stay finite, bounded and ordered for any customer, in any unit; warnings are errors."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from kehu_analysis.clv import BetaGeoCNBDModel, BetaGeoModel, GammaGammaModel, ModifiedBetaGeoCNBDModel, NBDModel
from kehu_analysis.clv.checks import checked_summary
from tests.scale import examples, scaled

pytestmark = scaled

positive = st.floats(-3, 3).map(lambda power: float(np.exp(power)))
over_orders = st.floats(-8, 8).map(lambda power: float(np.exp(power)))
lengths = st.floats(np.log(0.1), np.log(5000)).map(lambda power: float(np.exp(power)))


@st.composite
def customers(draw):
    n = draw(st.integers(1, 6))
    T = np.array([draw(lengths) for _ in range(n)])
    x = np.array([draw(st.one_of(st.integers(0, 3), st.integers(0, 2000))) for _ in range(n)])
    share = np.array([draw(st.floats(0, 1)) for _ in range(n)])
    return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, T * share, 0.0), "T": T})


@st.composite
def families(draw, orders=over_orders):
    """Any of BG/NBD, MBG/NBD and their regular forms, with parameters over many orders."""
    model = draw(st.sampled_from([BetaGeoCNBDModel, ModifiedBetaGeoCNBDModel]))(
        k=draw(st.sampled_from([1, 1, 2, 3, 12]))
    )
    values = [draw(st.one_of(st.just(1.0), orders)) for _ in range(4)]
    model.params_ = pd.Series(values, index=["r", "alpha", "a", "b"])
    return model


@examples(100)
@given(families(), customers(), lengths)
def test_beta_geo_predictions(model, summary, t):
    x, T = summary["frequency"], summary["T"]
    r, alpha = model.params_[["r", "alpha"]]
    alive = model.expected_probability_alive(summary)
    assert alive.between(0, 1).all()
    assert (model.expected_probability_alive(summary, t) <= alive).all()
    purchases = model.expected_purchases(summary, t)
    # Stages that pass without dropout; those before now count towards the first purchase.
    k = model.k
    without_dropout = ((r + k * x + k - 1) / (alpha + T) * t + k - 1) / k
    assert (purchases >= 0).all()
    assert (purchases <= without_dropout * (1 + 1e-9)).all()
    assert (model.expected_purchases(summary, 2 * t) >= purchases * (1 - 1e-9)).all()
    assert 0 <= model.expected_purchases_new_customer(t) <= r / alpha * t / k * (1 + 1e-9)


@examples(100)
@given(families(), customers(), lengths, st.integers(0, 2000))
def test_beta_geo_chances(model, summary, t, n):
    none = model.expected_probability_no_purchase(summary, t)
    some = model.expected_probability_of_purchases(summary, t, n)
    assert none.between(0, 1).all()
    assert some.between(0, 1).all()
    # Markov's inequality, and that who buys nothing may have left.
    purchases = model.expected_purchases(summary, t)
    assert (n * some <= purchases * (1 + 1e-9)).all()
    assert (1 - none <= purchases * (1 + 1e-9) + 1e-12).all()
    assert (1 - model.expected_probability_alive(summary) <= none + 1e-12).all()


@examples(60)
@given(families(), customers(), st.floats(-9, 3).map(lambda power: float(np.exp(power))))
def test_beta_geo_discounted_purchases(model, summary, rate):
    residual = model.discounted_expected_residual_transactions(summary, rate)
    assert (residual >= 0).all()
    assert np.isfinite(residual).all()
    assert (model.discounted_expected_residual_transactions(summary, 2 * rate) <= residual * (1 + 1e-7)).all()
    # A purchase within 1 / rate counts more than exp(-1), one within half of that more than exp(-1/2).
    for share in (1.0, 0.5):
        soon = model.expected_purchases(summary, share / rate)
        assert (residual >= np.exp(-share) * soon * (1 - 1e-7)).all()


@examples(60)
@given(families(), customers(), lengths, st.sampled_from([7.0, 12 * 7 / 365.25]))
def test_beta_geo_predictions_in_another_unit(model, summary, t, unit):
    other = summary.assign(recency=summary["recency"] * unit, T=summary["T"] * unit)
    scaled = clone(model)
    scaled.params_ = model.params_ * [1, unit, 1, 1]
    here, there = model.expected_purchases(summary, t), scaled.expected_purchases(other, t * unit)
    np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-300)


@examples(100)
@given(families(), customers())
def test_beta_geo_likelihood_and_gradient_are_finite(model, summary):
    repeat = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]})
    sample = BetaGeoModel().sample_of(pd.concat([summary, repeat], ignore_index=True))
    each, derivatives = model.log_likelihoods(model.params_.to_numpy(), sample)
    assert np.isfinite(each).all()
    assert np.isfinite(derivatives).all()


@examples(60)
@given(families(), customers(), lengths, st.integers(0, 99))
def test_simulated_futures_are_counts(model, summary, t, seed):
    purchases = model.simulate_future(summary, [t, t / 3], rng=seed, draws=4)
    assert purchases.shape == (4, len(summary), 2)
    assert (purchases >= 0).all()


@examples(40)
@given(families(positive), st.lists(st.floats(0, 200), min_size=1, max_size=4), st.integers(0, 99))
def test_simulated_customers_are_a_sound_summary(model, ages, seed):
    drawn = model.simulate_customers(ages, rng=seed)
    checked_summary(drawn, ["frequency", "recency", "T", "sum_log_interval"])


@examples(60)
@given(customers(), over_orders, over_orders, lengths, st.integers(0, 2000), st.integers(0, 99))
def test_nbd(summary, r, alpha, t, n, seed):
    model = NBDModel()
    model.params_ = pd.Series({"r": r, "alpha": alpha})
    assert (model.expected_probability_alive(summary, t) == 1).all()
    purchases = model.expected_purchases(summary, t)
    some = model.expected_probability_of_purchases(summary, t, n)
    assert some.between(0, 1).all()
    assert (n * some <= purchases * (1 + 1e-9)).all()
    assert (1 - model.expected_probability_no_purchase(summary, t) <= purchases * (1 + 1e-9) + 1e-12).all()
    residual = model.discounted_expected_residual_transactions(summary, 1 / t)
    np.testing.assert_allclose(residual, purchases, rtol=1e-12)
    assert model.expected_purchases_new_customer(t) >= 0
    assert model.simulate_future(summary, [t, t / 3], rng=seed, draws=4).min() >= 0
    checked_summary(model.simulate_customers(summary["T"], rng=seed), ["frequency", "recency", "T"])
    repeat = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]})
    each = model.log_likelihoods(list(model.params_), model.sample_of(pd.concat([summary, repeat], ignore_index=True)))
    assert all(np.isfinite(values).all() for values in each)


@examples(60)
@given(customers(), positive, st.floats(1.01, 50), positive, st.floats(0.01, 1e7))
def test_expected_spend_lies_between_own_and_population_mean(summary, p, q, v, own):
    model = GammaGammaModel()
    model.params_ = pd.Series([p, q, v], index=["p", "q", "v"])
    summary = summary.assign(monetary_value=np.where(summary["frequency"] > 0, own, 0.0))
    spend = model.expected_customer_spend(summary)
    ends = sorted([own, p * v / (q - 1)])
    assert spend.between(ends[0] * (1 - 1e-9), ends[1] * (1 + 1e-9)).all()
