"""How the models behave: input checks, invariances, gradients, scikit-learn's manners."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from kehu_analysis.clv import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from kehu_analysis.clv.models import geometric
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.numerics import rising_factorials
from kehu_analysis.clv.numerics.geometric_dropout import expected_purchases_while_alive
from kehu_analysis.clv.valuation.intervals import parameter_facts
from kehu_analysis.errors import ConvergenceError, DataError, InsufficientDataError, UsageError

MODELS = [BetaGeoModel, ModifiedBetaGeoModel, NBDModel, GammaGammaModel]


def customers(n: int = 600, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    T = rng.integers(40, 80, n).astype(float)
    active = np.minimum(T, rng.exponential(60, n)).round()
    x = np.minimum(rng.poisson(rng.gamma(0.6, 0.2, n) * active), active).astype(int)
    spend = rng.gamma(6, 1 / rng.gamma(4, 0.02, n))
    return pd.DataFrame(
        {
            "customer_id": [f"{i:04}" for i in range(n)],
            "frequency": x,
            "recency": np.where(x > 0, active, 0.0),
            "T": T,
            "monetary_value": np.where(x > 0, spend, 0.0),
        }
    )


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("recency", 99.0, "recency > T: 1 (0003)"),
        ("frequency", -1, "frequency < 0: 1 (0003)"),
        ("frequency", 1.5, "frequency ≠ 0, 1, 2, …: 1 (0003)"),
        ("T", np.nan, "T = NaN: 1 (0003)"),
        ("T", np.inf, "T = ±∞: 1 (0003)"),
        ("monetary_value", np.nan, "monetary_value = NaN: 1 (0003)"),
        ("customer_id", "0002", "customer_id: 2×: 1 (0002)"),
    ],
)
def test_a_broken_row_is_named(column, value, fault):
    broken = customers(20).astype({"frequency": float})
    broken.loc[3, column] = value
    model = GammaGammaModel() if column == "monetary_value" else BetaGeoModel()
    with pytest.raises(DataError) as raised:
        model.fit(broken)
    assert fault in raised.value.details["faults"]


def test_all_faults_are_gathered():
    broken = customers(20)
    broken["frequency"] = 0
    broken["recency"] = [5.0] * 10 + [90.0] * 10
    with pytest.raises(DataError) as raised:
        BetaGeoModel().fit(broken)
    faults = raised.value.details["faults"]
    assert "recency > T: 10 (0010, 0011, 0012, …)" in faults
    assert "frequency = 0, recency > 0: 20 (0000, 0001, 0002, …)" in faults


@pytest.mark.parametrize("model", MODELS)
def test_a_missing_column_is_named(model):
    with pytest.raises(DataError, match="lacks frequency"):
        model().fit(customers(20).drop(columns="frequency"))


@pytest.mark.parametrize("model", MODELS)
def test_one_customer_is_too_few(model):
    data = customers(50)
    with pytest.raises(InsufficientDataError) as raised:
        model().fit(data[data["frequency"] > 0].head(1))
    assert raised.value.code == "too_few_customers"


def test_nobody_bought_twice():
    once = customers(50).assign(frequency=0, recency=0.0)
    with pytest.raises(InsufficientDataError) as raised:
        BetaGeoModel().fit(once)
    assert raised.value.code == "nobody_bought_twice"


def test_customers_who_are_all_alike_end_at_the_boundary_with_sound_predictions():
    # Every customer buys once a week until today: no differences in rate, and nobody leaves.
    T = np.tile([20.0, 30.0, 40.0], 20)
    alike = pd.DataFrame({"frequency": T.astype(int), "recency": T, "T": T})
    model = BetaGeoModel().fit(alike)
    assert {"r", "alpha", "a"} & set(model.at_boundary_)
    assert model.standard_errors_[list(model.at_boundary_)].isna().all()
    assert model.expected_purchases(alike, 10.0).to_numpy() == pytest.approx(10.0, rel=0.01)
    at_limit = model.params_.index[np.diag(model.log_covariance_) == 0]
    assert len(at_limit)
    assert set(at_limit) <= set(model.at_boundary_)
    assert model.draw_parameters(5, 0)[at_limit].nunique().max() == 1


def test_where_only_a_product_of_parameters_is_known_neither_has_an_interval():
    # Nobody's spend varies, so that p is endless and v next to nothing; their product and q are known all the same.
    rng = np.random.default_rng(8)
    spend = 60 / rng.gamma(4, 1, 400)
    steady = pd.DataFrame({"frequency": rng.integers(2, 9, 400), "monetary_value": spend})
    model = GammaGammaModel().fit(steady)
    assert model.at_boundary_ == ("p", "v")
    assert model.standard_errors_.isna().tolist() == [True, False, True]
    facts = parameter_facts("spend", model, 0.9)
    assert [bool(np.isnan(facts[f"spend_{name}_low"].value)) for name in "pqv"] == [True, False, True]
    assert facts["spend_q_low"].value < 4 < facts["spend_q_high"].value
    assert model.params_["p"] * model.params_["v"] == pytest.approx(60, rel=0.2)
    # What is drawn for forecasts keeps what is known of the product.
    drawn = model.draw_parameters(500, 0)
    assert 0.02 < np.log(drawn["p"] * drawn["v"]).std() < 0.2


def test_a_b_next_to_nothing_is_no_division_by_zero():
    one = np.ones(1)
    past = History(one, one, 5 * one)
    assert BetaGeoModel().expected_purchases_of(past, 9 * one, [1.0, 5.0, 1.0, 1e-20]) == pytest.approx(0)


def test_one_chance_to_leave_for_all_ends_at_the_boundary_of_a_and_b():
    rng = np.random.default_rng(5)
    n, leave = 3000, 0.2
    T = rng.uniform(30, 60, n)
    times = np.cumsum(rng.exponential(1 / rng.gamma(1.0, 0.2, (n, 1)), (n, 300)), axis=1)
    made = (np.arange(1, 301) <= rng.geometric(leave, n)[:, None]) & (times <= T[:, None])
    data = pd.DataFrame({"frequency": made.sum(axis=1), "recency": np.where(made, times, 0).max(axis=1), "T": T})
    model = BetaGeoModel().fit(data)
    assert model.params_["a"] / (model.params_["a"] + model.params_["b"]) == pytest.approx(leave, rel=0.1)
    assert model.params_["a"] > 20


@pytest.mark.parametrize("model", MODELS)
def test_too_few_iterations_are_reported(model):
    with pytest.raises(ConvergenceError, match="scaled gradient"):
        model(max_iterations=1).fit(customers())


@pytest.mark.parametrize("model", MODELS)
def test_gradient_is_the_derivative(model):
    model = model()
    sample = model.sample_of(customers())
    for seed in range(3):
        parameters = np.exp(np.random.default_rng(seed).normal(0, 0.7, len(model.parameter_names)))
        _, derivatives = model.log_likelihoods(parameters, sample)
        for k, value in enumerate(parameters):
            step = np.zeros(len(parameters))
            step[k] = 1e-5 * value
            up, down = (model.log_likelihoods(parameters + sign * step, sample)[0] for sign in (1, -1))
            numerical = (up - down) / (2 * step[k])
            assert derivatives[k] == pytest.approx(numerical, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("factor", [7.0, 12 * 7 / 365.25])
def test_time_unit_does_not_matter(factor):
    weeks = customers()
    other = weeks.assign(recency=weeks["recency"] * factor, T=weeks["T"] * factor)
    in_weeks, in_other = BetaGeoModel().fit(weeks), BetaGeoModel().fit(other)
    expected = in_weeks.expected_purchases(weeks, 26)
    assert in_other.expected_purchases(other, 26 * factor).to_numpy() == pytest.approx(expected, rel=1e-8)
    assert in_other.params_["alpha"] == pytest.approx(in_weeks.params_["alpha"] * factor, rel=1e-8)
    n_purchases = weeks["frequency"].sum()
    shift = -n_purchases * np.log(factor)
    assert in_other.log_likelihood_ == pytest.approx(in_weeks.log_likelihood_ + shift, rel=1e-10)


def test_currency_does_not_matter():
    data = customers()
    yuan = data.assign(monetary_value=data["monetary_value"] * 7.1)
    dollars, other = GammaGammaModel().fit(data), GammaGammaModel().fit(yuan)
    expected = dollars.expected_customer_spend(data) * 7.1
    assert other.expected_customer_spend(yuan).to_numpy() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_row_order_and_compression_do_not_matter(model):
    data = customers()
    plain = model().fit(data)
    shuffled = model().fit(data.sample(frac=1, random_state=1))
    columns = ["frequency", "recency", "T", "monetary_value"]
    counted = data.groupby(columns, as_index=False).size().rename(columns={"size": "weight"})
    compressed = model().fit(counted)
    assert compressed.n_customers_ == plain.n_customers_
    for other in (shuffled, compressed):
        assert other.params_.to_numpy() == pytest.approx(plain.params_.to_numpy(), rel=1e-9)
        assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)


def test_weights_count_as_customers():
    data = customers()
    twice = BetaGeoModel().fit(data.assign(weight=2))
    once = BetaGeoModel().fit(data)
    assert twice.n_customers_ == 2 * once.n_customers_
    assert twice.log_likelihood_ == pytest.approx(2 * once.log_likelihood_)
    assert twice.standard_errors_.to_numpy() * np.sqrt(2) == pytest.approx(once.standard_errors_.to_numpy(), rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_scikit_learn_manners(model):
    data = customers()
    before = data.copy()
    fitted = model(tolerance=1e-7).fit(data)
    pd.testing.assert_frame_equal(data, before)
    assert clone(fitted).get_params() == model(tolerance=1e-7).get_params()
    assert not hasattr(clone(fitted), "params_")
    again = pickle.loads(pickle.dumps(fitted))
    assert again.params_.equals(fitted.params_)
    assert fitted.converged_
    assert np.linalg.eigvalsh(fitted.covariance_).min() > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda data: BetaGeoModel().expected_purchases(data, 1.0),
        lambda data: BetaGeoModel().expected_probability_alive(data),
        lambda data: BetaGeoModel().expected_purchases_new_customer(1.0),
        lambda data: BetaGeoModel().simulate_future(data, [1.0], rng=0),
        lambda data: BetaGeoModel().draw_parameters(2, 0),
        lambda data: GammaGammaModel().expected_customer_spend(data),
    ],
)
def test_unfitted(call):
    with pytest.raises(NotFittedError):
        call(customers(5))


@pytest.mark.parametrize("future_t", [-1.0, np.nan, np.inf])
def test_a_horizon_must_be_a_length_of_time(future_t):
    model = BetaGeoModel().fit(customers())
    with pytest.raises(UsageError):
        model.expected_purchases(customers(5), future_t)


def test_predictions_keep_the_index_and_take_a_horizon_each():
    data = customers()
    model = BetaGeoModel().fit(data)
    some = data.iloc[[5, 2, 9]]
    each = model.expected_purchases(some, [1.0, 2.0, 0.0])
    assert each.index.tolist() == [5, 2, 9]
    assert each[2] == pytest.approx(model.expected_purchases(data, 2.0)[2])
    assert each[9] == 0


def test_one_time_buyers_are_alive_by_construction():
    model = BetaGeoModel().fit(customers())
    once = pd.DataFrame({"frequency": [0, 0], "recency": [0.0, 0.0], "T": [1.0, 500.0]})
    assert model.expected_probability_alive(once).tolist() == [1.0, 1.0]
    early, late = model.expected_purchases(once, 10.0)
    assert late < early / 5


def test_spend_without_a_mean_is_refused():
    model = GammaGammaModel()
    model.params_ = pd.Series([2.0, 0.8, 10.0], index=["p", "q", "v"])
    buyers = pd.DataFrame({"frequency": [3], "monetary_value": [20.0]})
    assert model.expected_customer_spend(buyers).item() == pytest.approx(2 * (10 + 60) / (6 + 0.8 - 1))
    with pytest.raises(InsufficientDataError) as raised:
        model.expected_customer_spend(buyers.assign(frequency=0, monetary_value=0.0))
    assert raised.value.code == "spend_has_no_mean"


# Both ways of computing: series (moderate), quadrature (t far beyond the past; a shape far above leave + stay).
@pytest.mark.parametrize("shape", [0.2, 3.0, 60.0, 400.0])
@pytest.mark.parametrize("leave", [0.05, 1.0, 2.7])
@pytest.mark.parametrize("t", [0.1, 30.0, 4000.0])
def test_expected_purchases_while_alive_is_the_integral_over_the_chance_to_leave(shape, leave, t):
    rate, stay = 12.0, 2.4

    def integrand(u):
        # In the logit of p; the mass left of -800 is below 1e-17 even at leave = 0.05.
        log_p, log_q = -np.logaddexp(0, -u), -np.logaddexp(0, u)
        bought = -np.expm1(-shape * np.log1p(np.exp(log_p) * t / rate))
        return bought * np.exp((leave - 1) * log_p + stay * log_q - special.betaln(leave, stay))

    edges = [-650, -300, -100, -40, -20, -10, -5, 0, 5, 20]
    expected = sum(
        integrate.quad(integrand, low, high, epsabs=0, epsrel=1e-11, limit=200)[0] for low, high in pairwise(edges)
    )
    found = expected_purchases_while_alive(*(np.array([value]) for value in (shape, rate, leave, stay, t)))
    assert found.item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0.0, 30.0), (3, 25.0, 30.0), (40, 29.0, 30.0)])
def test_simulated_futures_have_the_expected_mean(x, t_x, T):
    model = BetaGeoModel()
    model.params_ = pd.Series([0.8, 5.0, 0.9, 2.5], index=["r", "alpha", "a", "b"])
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T]})
    drawn = model.simulate_future(one, [13.0, 26.0, 1.0], rng=7, draws=60_000)[:, 0, :]
    expected = np.diff([0.0, *(model.expected_purchases(one, t).item() for t in (13.0, 39.0, 40.0))])
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.mean(axis=0) - expected) < 4 * error)


def test_simulated_futures_follow_the_process_itself():
    # The same customer by brute force: rate and chance drawn from the posterior, arrivals one by one.
    model = BetaGeoModel()
    model.params_ = pd.Series([0.8, 5.0, 0.9, 2.5], index=["r", "alpha", "a", "b"])
    x, t_x, T, draws = 3, 25.0, 30.0, 40_000
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T]})
    exact = model.simulate_future(one, [10.0, 20.0], rng=1, draws=draws)[:, 0, :]
    rng = np.random.default_rng(2)
    alive = rng.random(draws) < model.expected_probability_alive(one).item()
    rate, leave = rng.gamma(0.8 + x, 1 / (5.0 + T), draws), rng.beta(0.9, 2.5 + x, draws)
    clock, forced = np.zeros(draws), np.zeros((draws, 2))
    while alive.any():
        clock = clock + rng.exponential(1 / rate)
        forced[:, 0] += alive & (clock <= 10)
        forced[:, 1] += alive & (clock > 10) & (clock <= 30)
        alive = alive & (clock <= 30) & (rng.random(draws) >= leave)
    for most in range(4):
        for period in range(2):
            shares = [np.mean(futures[:, period] <= most) for futures in (exact, forced)]
            assert shares[0] == pytest.approx(shares[1], abs=4 * np.sqrt(0.5 / draws))
    correlations = [np.corrcoef(futures.T)[0, 1] for futures in (exact, forced)]
    assert correlations[0] == pytest.approx(correlations[1], abs=0.03)


def test_simulated_spend_has_the_expected_mean():
    model = GammaGammaModel()
    model.params_ = pd.Series([6.0, 4.0, 15.0], index=["p", "q", "v"])
    buyers = pd.DataFrame({"frequency": [0, 5], "monetary_value": [0.0, 60.0]})
    purchases = np.tile([[[1, 0], [2, 3]]], (60_000, 1, 1))
    amounts = model.simulate_spend(buyers, purchases, rng=3)
    expected = model.expected_customer_spend(buyers).to_numpy()[:, None] * purchases[0]
    error = amounts.std(axis=0) / np.sqrt(len(amounts))
    assert np.all(np.abs(amounts.mean(axis=0) - expected) <= 4 * error)
    assert (amounts[:, 0, 1] == 0).all()


def test_wide_draws_stay_where_the_data_allow():
    # Nobody leaves and all buy alike: the likelihood is nearly flat in several parameters, and the normal
    # approximation alone reaches parameters under which nobody would have bought what they did.
    rng = np.random.default_rng(1)
    T = rng.uniform(30, 60, 150)
    x = rng.poisson(0.08 * T)
    recency = np.where(x > 0, T * rng.beta(np.maximum(x, 1), 1), 0.0)
    data = pd.DataFrame({"frequency": x, "recency": recency, "T": T})
    model = BetaGeoModel().fit(data)
    assert np.sqrt(np.diag(model.log_covariance_)).max() > 0.3

    sample = model.sample_of(data)
    scale = sample.measure ** np.asarray(model.dimensions, dtype=float)

    def log_likelihood(row):
        with np.errstate(all="ignore"):
            return np.sum(model.log_likelihoods(row / scale, sample)[0] * sample.weight) + sample.log_jacobian

    free = int((np.diag(model.log_covariance_) > 0).sum())
    lowest = model.log_likelihood_ - stats.chi2.ppf(0.999, free) / 2
    plain, bound = model.draw_parameters(200, 0), model.draw_parameters(200, 0, data)
    assert min(log_likelihood(row) for row in plain.to_numpy()) < lowest
    assert min(log_likelihood(row) for row in bound.to_numpy()) >= lowest
    assert bound.drop_duplicates().shape[0] > 100


@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel])
def test_an_absurd_frequency_needs_no_memory(model):
    # A cash register's number read as a count: running sums over it would be terabytes.
    rows = customers().assign(frequency=lambda frame: frame["frequency"].astype(float))
    rows.loc[0, ["frequency", "recency", "T"]] = 1e12, 5.0, 50.0
    fitted = model().fit(rows)
    assert np.isfinite(fitted.log_likelihood_)
    assert np.isfinite(fitted.expected_purchases(rows, 13.0)).all()


def test_sums_and_closed_forms_meet_where_one_gives_way_to_the_other(monkeypatch):
    rows, values = customers(), [np.array(value) for value in (0.7, 0.2, 0.9, 2.1)]
    for kind in (BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel, NBDModel):
        model = kind()
        values = values[: len(model.parameter_names)]
        sample = model.sample_of(rows)
        with monkeypatch.context() as patched:
            for module in (geometric, rising_factorials):
                patched.setattr(module, "MOST_SUMMED", -1)
            closed = model.log_likelihoods(values, sample)
        for summed, other in zip(model.log_likelihoods(values, sample), closed, strict=True):
            np.testing.assert_allclose(summed, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("future_t", ["12 weeks", [1.0, 2.0, 3.0], [[1.0], [2.0, 3.0]], [1.0, "soon"]])
def test_a_horizon_that_is_no_number_a_customer_is_refused(future_t):
    fitted = BetaGeoModel().fit(customers())
    with pytest.raises(UsageError) as raised:
        fitted.expected_purchases(customers(), future_t)
    assert raised.value.code == "bad_horizon"


@pytest.mark.parametrize("n_purchases", ["many", 10**30, [1, 2]])
def test_a_number_of_purchases_that_cannot_be_counted_is_refused(n_purchases):
    fitted = BetaGeoModel().fit(customers())
    with pytest.raises(UsageError) as raised:
        fitted.expected_probability_of_purchases(customers(), 3.0, n_purchases)
    assert raised.value.code == "bad_number_of_purchases"


def test_a_future_without_periods_is_refused():
    with pytest.raises(UsageError) as raised:
        BetaGeoModel().fit(customers()).simulate_future(customers(), [], rng=1)
    assert raised.value.code == "bad_horizon"


def test_what_is_no_table_is_refused():
    for model in (BetaGeoModel(), BetaGeoModel(purchase_covariates=["far"]), GammaGammaModel()):
        with pytest.raises(DataError, match="list"):
            model.fit([1, 2])


def test_numbers_are_read_from_any_type_and_days_are_none():
    rows = customers(60)
    plain = BetaGeoModel().fit(rows).expected_purchases(rows, 13.0)
    for given in (rows.astype(dict.fromkeys(["frequency", "recency", "T"], "str")), rows.astype({"T": "category"})):
        np.testing.assert_array_equal(BetaGeoModel().fit(given).expected_purchases(given, 13.0), plain)
    days = rows.assign(T=pd.to_timedelta(rows["T"] * 7, unit="D"))
    with pytest.raises(DataError, match="T = NaN: 60"):
        BetaGeoModel().fit(days)
    twice = pd.concat([rows, rows[["T"]]], axis=1)
    with pytest.raises(DataError, match="T") as raised:
        BetaGeoModel().fit(twice)
    assert raised.value.code == "columns_twice"


def test_what_cannot_seed_draws_or_guide_a_search_is_refused():
    rows = customers(60)
    fitted = BetaGeoModel().fit(rows)
    for rng in ("x", -1, 1.5):
        with pytest.raises(UsageError) as raised:
            fitted.simulate_future(rows, [13.0], rng=rng)
        assert raised.value.code == "bad_rng"
    for given in ({"tolerance": None}, {"tolerance": 0}, {"max_iterations": "many"}):
        with pytest.raises(UsageError) as raised:
            BetaGeoModel(**given).fit(rows)
        assert raised.value.code == "bad_search"


def test_a_refit_that_fails_leaves_the_model_as_it_was():
    rows = customers(200).assign(sum_log_interval=0.0, km=np.arange(200.0))
    model = BetaGeoCNBDModel(k=1).fit(rows)
    before = model.expected_purchases(rows, 13.0)
    for given in ({"k": 5}, {"purchase_covariates": ["km"]}):
        model.set_params(**given)
        with pytest.raises(InsufficientDataError):
            model.fit(rows.head(1).assign(km=[1.0]) if "k" in given else rows.assign(frequency=0, recency=0.0))
        np.testing.assert_array_equal(model.expected_purchases(rows, 13.0), before)


def test_spend_that_hardly_varies_within_customers_is_fitted():
    # Of hundreds of purchases each the mean is nearly exact: p goes out of sight, and what is known stays.
    rng = np.random.default_rng(3)
    x = rng.integers(1, 2000, 200)
    own = 40.0 / rng.gamma(4.0, 1.0, 200)
    spend = own * (1 + rng.normal(0, 1e-4, 200))
    fitted = GammaGammaModel().fit(pd.DataFrame({"frequency": x, "monetary_value": spend}))
    assert fitted.params_["q"] == pytest.approx(4.0, rel=0.3)
    expected = fitted.expected_customer_spend(pd.DataFrame({"frequency": x, "monetary_value": spend}))
    np.testing.assert_allclose(expected[x > 300], spend[x > 300], rtol=0.02)


def test_parameters_that_were_set_have_no_uncertainty():
    known = BetaGeoModel()
    known.params_ = pd.Series({"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4})
    with pytest.raises(NotFittedError):
        known.draw_parameters(10, rng=1)


def test_a_number_of_iterations_below_zero_is_none():
    with pytest.raises(ConvergenceError):
        BetaGeoModel(max_iterations=-1).fit(customers(60))


def test_a_discount_rate_in_words_is_refused():
    model = BetaGeoModel().fit(customers(60))
    with pytest.raises(UsageError, match="10%"):
        model.discounted_expected_residual_transactions(customers(60), "10%")


def test_stages_may_be_a_number_of_numpy():
    told = BetaGeoCNBDModel(k=2)
    told.params_ = pd.Series({"r": 2.0, "alpha": 3.0, "a": 1.0, "b": 4.0})
    assert BetaGeoCNBDModel(k=np.int64(2)).fit(told.simulate_customers(np.full(200, 52.0), rng=1)).k_ == 2
