"""BG/BB and shifted beta-geometric stay finite, bounded and ordered for any customer; warnings are errors."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.clv import BetaGeoBetaBinomModel, ShiftedBetaGeoModel
from tests.scale import examples, scaled

pytestmark = scaled

parameters = st.floats(np.log(1e-3), np.log(1e6)).map(lambda power: float(np.exp(power)))
rates = st.floats(np.log(1e-4), np.log(10)).map(lambda power: float(np.exp(power)))
steps = st.one_of(st.integers(0, 5), st.integers(0, 500))


@st.composite
def customers(draw):
    n = draw(st.integers(1, 6))
    T = [draw(st.one_of(st.integers(0, 6), st.integers(0, 2000))) for _ in range(n)]
    t_x = [draw(st.integers(0, age)) for age in T]
    x = [draw(st.integers(1, last)) if last else 0 for last in t_x]
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": T})


def beta_geo_beta_binom(*values):
    model = BetaGeoBetaBinomModel()
    model.params_ = pd.Series(values, index=["alpha", "beta", "gamma", "delta"])
    return model


def shifted_beta_geo(alpha, beta):
    model = ShiftedBetaGeoModel()
    model.params_ = pd.Series([alpha, beta], index=["alpha", "beta"])
    return model


@examples(40)
@given(customers(), parameters, parameters, parameters, parameters, steps, rates)
def test_beta_geo_beta_binom_predictions(summary, alpha, beta, gamma, delta, t, rate):
    model = beta_geo_beta_binom(alpha, beta, gamma, delta)
    x, T = summary["frequency"], summary["T"]
    alive = model.expected_probability_alive(summary)
    assert alive.between(0, 1 + 1e-12).all()
    later = model.expected_probability_alive(summary, t)
    assert (later <= alive * (1 + 1e-12)).all()
    purchases = model.expected_purchases(summary, t)
    chance = (alpha + x) / (alpha + beta + T)
    # Leaving only takes purchases away, and who is there at the end has had every opportunity.
    assert (purchases <= alive * chance * t * (1 + 1e-9)).all()
    assert (purchases >= later * chance * t * (1 - 1e-9)).all()
    none = model.expected_probability_no_purchase(summary, t)
    assert none.between(0, 1 + 1e-9).all()
    assert (1 - none <= purchases + 1e-9).all()
    residual = model.discounted_expected_residual_transactions(summary, rate)
    assert (residual <= alive * chance / rate * (1 + 1e-9)).all()
    assert (residual >= purchases * (1 / (1 + rate)) ** t * (1 - 1e-9)).all()


@examples(60)
@given(parameters, parameters, parameters, parameters, steps)
def test_counts_of_a_new_customer_sum_to_one_and_have_the_expectation_as_mean(alpha, beta, gamma, delta, t):
    model = beta_geo_beta_binom(alpha, beta, gamma, delta)
    chances = model.probability_of_purchases_new_customer(t, np.arange(t + 2))
    np.testing.assert_allclose(chances.sum(), 1, rtol=1e-9)
    np.testing.assert_allclose(
        chances @ np.arange(t + 2), model.expected_purchases_new_customer(t), rtol=1e-8, atol=1e-300
    )


@examples(100)
@given(customers(), parameters, parameters, parameters, parameters)
def test_beta_geo_beta_binom_likelihood_and_gradient_are_finite(summary, alpha, beta, gamma, delta):
    model = BetaGeoBetaBinomModel()
    repeat = pd.DataFrame({"frequency": [1, 1], "recency": [1, 1], "T": [3, 3]})
    sample = model.sample_of(pd.concat([summary, repeat], ignore_index=True))
    each, derivatives = model.log_likelihoods([np.float64(value) for value in (alpha, beta, gamma, delta)], sample)
    assert np.isfinite(each).all()
    assert (each <= 0).all()
    assert np.isfinite(derivatives).all()


@examples(60)
@given(customers(), parameters, parameters, parameters, parameters, steps, st.integers(0, 99))
def test_simulated_purchases_are_no_more_than_opportunities(summary, alpha, beta, gamma, delta, t, seed):
    model = beta_geo_beta_binom(alpha, beta, gamma, delta)
    purchases = model.simulate_future(summary, [t, 1], rng=seed, draws=3)
    assert purchases.shape == (3, len(summary), 2)
    assert ((purchases >= 0) & (purchases <= [t, 1])).all()
    # What is drawn is a past as the model takes it.
    drawn = model.simulate_customers(summary["T"], rng=seed)
    assert model.expected_probability_alive(drawn).between(0, 1 + 1e-12).all()


@examples(150)
@given(parameters, parameters, st.integers(0, 2000), steps, rates)
def test_shifted_beta_geo_predictions(alpha, beta, n_renewals, t, rate):
    model = shifted_beta_geo(alpha, beta)
    survival = model.survival(np.arange(t + 2), n_renewals)
    assert survival[0] == 1
    assert (np.diff(survival) <= 0).all()
    assert (survival >= 0).all()
    retention = model.retention_rate(np.arange(1, t + 3))
    assert (np.diff(retention) >= 0).all()
    assert ((retention >= 0) & (retention <= 1)).all()
    renewals = model.expected_renewals(n_renewals, t)
    np.testing.assert_allclose(renewals, survival[1 : t + 1].sum(), rtol=1e-9)
    residual = model.discounted_expected_residual_lifetime(n_renewals, rate)
    assert 0 < residual <= (1 + rate) / rate * (1 + 1e-9)
    # Who has renewed more often is worth more.
    assert model.discounted_expected_residual_lifetime(n_renewals + 1, rate) >= residual * (1 - 1e-9)
    lifetime = model.discounted_expected_lifetime(rate)
    new = model.discounted_expected_residual_lifetime(0, rate)
    np.testing.assert_allclose(lifetime, 1 + new / (1 + rate), rtol=1e-9)


@examples(60)
@given(parameters, parameters, st.lists(steps, min_size=2, max_size=20), st.integers(0, 99))
def test_shifted_beta_geo_takes_what_it_draws(alpha, beta, seen, seed):
    model = shifted_beta_geo(alpha, beta)
    drawn = model.simulate_customers(seen, rng=seed)
    assert ((drawn["period"] >= drawn["ended"]) & (drawn["period"] <= seen)).all()
    sample = model.sample_of(pd.concat([drawn, pd.DataFrame({"period": [2, 2], "ended": [True, False]})]))
    each, derivatives = model.log_likelihoods([np.float64(alpha), np.float64(beta)], sample)
    assert np.isfinite(each).all()
    assert (each <= 0).all()
    assert np.isfinite(derivatives).all()
