"""Pareto/NBD stays finite, bounded and ordered for any customer and parameters, in any unit; warnings are errors."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from tests.scale import examples, scaled

pytestmark = scaled


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda power: float(np.exp(power)))


shapes = st.one_of(st.just(1.0), log_uniform(1e-4, 1e4))
rates = log_uniform(1e-4, 1e6)
lengths = log_uniform(0.1, 5000)
#: Weeks in seconds, days, weeks, months, years.
units = st.sampled_from([604_800.0, 7.0, 1.0, 84 / 365.25, 7 / 365.25])


@st.composite
def customers(draw):
    n = draw(st.integers(1, 5))
    T = np.array([draw(lengths) for _ in range(n)])
    x = np.array([draw(st.one_of(st.integers(0, 3), st.integers(0, 2000))) for _ in range(n)])
    share = np.array([draw(st.one_of(st.just(1.0), st.just(1 - 1e-12), st.floats(0, 1))) for _ in range(n)])
    return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, T * share, 0.0), "T": T})


def in_unit(summary: pd.DataFrame, unit: float) -> pd.DataFrame:
    return summary.assign(recency=summary["recency"] * unit, T=summary["T"] * unit)


@st.composite
def models(draw):
    # Sometimes alpha and beta are one number.
    alpha = draw(rates)
    values = [draw(shapes), alpha, draw(shapes), draw(st.one_of(st.just(alpha), rates))]
    return with_parameters(*values)


def with_parameters(*values: float) -> ParetoNBDModel:
    model = ParetoNBDModel()
    model.params_ = pd.Series(values, index=["r", "alpha", "s", "beta"])
    return model


def scaled(model: ParetoNBDModel, unit: float) -> ParetoNBDModel:
    return with_parameters(*(model.params_.to_numpy() * [1, unit, 1, unit]))


@examples(200)
@given(customers(), models(), lengths, units)
def test_predictions(weeks, in_weeks, t, unit):
    summary, model, t = in_unit(weeks, unit), scaled(in_weeks, unit), t * unit
    r, alpha, _, _ = model.params_
    x, T = summary["frequency"], summary["T"]
    now, later = model.expected_probability_alive(summary), model.expected_probability_alive(summary, t)
    assert now.between(0, 1).all()
    assert later.between(0, 1).all()
    assert (later <= now).all()
    purchases = model.expected_purchases(summary, t)
    without_dropout = (r + x) / (alpha + T) * t
    assert (purchases >= 0).all()
    assert (purchases <= without_dropout * (1 + 1e-9)).all()
    assert (model.expected_purchases(summary, 2 * t) >= purchases * (1 - 1e-9)).all()
    assert 0 <= model.expected_purchases_new_customer(t) <= r / alpha * t * (1 + 1e-9)
    # Who discounts gets less than all, and less than for ever the rate.
    delta = 0.1 / t
    residual = model.discounted_expected_residual_transactions(summary, delta)
    assert (residual >= purchases * np.exp(-delta * t) * (1 - 1e-9)).all()
    assert (residual <= without_dropout / t / delta * (1 + 1e-9)).all()


@examples(200)
@given(customers(), models(), lengths, units, st.one_of(st.integers(0, 3), st.integers(0, 3000)))
def test_probabilities_of_purchases(weeks, in_weeks, t, unit, n):
    summary, model = in_unit(weeks, unit), scaled(in_weeks, unit)
    none = model.expected_probability_no_purchase(summary, t * unit)
    some = model.expected_probability_of_purchases(summary, t * unit, n)
    assert none.between(0, 1).all()
    assert some.between(0, 1).all()
    # The mean bounds the chance of n or more, and with it that of n.
    assert (n * some <= model.expected_purchases(summary, t * unit) * (1 + 1e-6)).all()
    np.testing.assert_allclose(some, in_weeks.expected_probability_of_purchases(weeks, t, n), rtol=1e-6, atol=1e-12)


@examples(100)
@given(customers(), models(), lengths, units)
def test_predictions_in_another_unit(weeks, model, t, unit):
    here, there = (
        model.expected_purchases(weeks, t),
        scaled(model, unit).expected_purchases(in_unit(weeks, unit), t * unit),
    )
    np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-300)


@examples(200)
@given(customers(), models())
def test_likelihood_and_gradient_are_finite(summary, model):
    repeat = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]})
    sample = model.sample_of(pd.concat([summary, repeat], ignore_index=True))
    each, derivatives = model.log_likelihoods(list(model.params_), sample)
    assert np.isfinite(each).all()
    assert np.isfinite(derivatives).all()


@examples(100)
@given(customers(), models(), lengths, st.integers(0, 99))
def test_simulated_futures_and_pasts_are_counts(summary, model, t, seed):
    purchases = model.simulate_future(summary, [t, t / 3], rng=seed, draws=4)
    assert purchases.shape == (4, len(summary), 2)
    assert (purchases >= 0).all()
    drawn = model.simulate_customers(summary["T"], rng=seed)
    assert (drawn["frequency"] >= 0).all()
    assert drawn["recency"].between(0, drawn["T"]).all()
    assert (drawn["recency"][drawn["frequency"] == 0] == 0).all()
