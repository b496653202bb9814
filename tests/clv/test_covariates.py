"""Static covariates: how they are read, what they move, and what a fit with them must not depend on."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from sklearn.base import clone

from kehu_analysis.clv import BetaGeoCNBDModel, BetaGeoModel, ModifiedBetaGeoModel
from kehu_analysis.clv.evaluation.inference import likelihood_ratio_test, parameter_table
from kehu_analysis.clv.fitting.covariates import CovariateEffects, Covariates
from kehu_analysis.clv.fitting.effects import Effect, spread
from kehu_analysis.clv.fitting.objective import Objective
from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.valuation.forecast_bounds import ForecastBounds, plain_horizons
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.errors import DataError, UsageError

MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
BOTH = {"purchase_covariates": ["km", "web"], "dropout_covariates": ["km", "web"]}
TRUTH = {"r": 1.2, "alpha": 6.0, "a": 1.0, "b": 3.0}
EFFECTS = {"purchase_km": -0.3, "purchase_web": 0.5, "dropout_km": 0.2, "dropout_web": -0.4}


def customers(n: int = 800, seed: int = 3) -> pd.DataFrame:
    """Tell the story of BG/NBD purchase by purchase, with rates and odds of leaving that covariates move."""
    rng = np.random.default_rng(seed)
    km, web = rng.normal(0, 1, n).round(1), rng.integers(0, 2, n).astype(float)
    faster = np.exp(EFFECTS["purchase_km"] * km + EFFECTS["purchase_web"] * web)
    likelier = np.exp(EFFECTS["dropout_km"] * km + EFFECTS["dropout_web"] * web)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], n) * faster
    leaves = rng.beta(TRUTH["a"] * likelier, TRUTH["b"])
    T = rng.integers(30, 60, n).astype(float)
    x, last, logs = np.zeros((3, n))
    for i in range(n):
        clock = rng.exponential(1 / rate[i])
        while clock <= T[i]:
            logs[i] += np.log(clock - last[i])
            x[i], last[i] = x[i] + 1, clock
            if rng.random() < leaves[i]:
                break
            clock += rng.exponential(1 / rate[i])
    frame = pd.DataFrame({"customer_id": [f"{i:04}" for i in range(n)], "frequency": x, "recency": last, "T": T})
    return frame.assign(sum_log_interval=logs, km=km, web=web, channel=np.where(web == 1, "web", "shop"))


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return customers()


@pytest.fixture(scope="module")
def fitted(data: pd.DataFrame) -> dict[str, ParetoNBDModel | BetaGeoModel]:
    return {model.__name__: model(**BOTH).fit(data) for model in MODELS}


# --- reading ----------------


def test_columns_and_a_formula_are_read_alike(data):
    by_column, by_formula = Covariates(["km", "web"], data), Covariates("km + C(channel)", data)
    assert (by_column.columns, by_formula.columns) == (("km", "web"), ("channel", "km"))
    np.testing.assert_array_equal(by_column.of(data), by_formula.of(data))
    assert by_formula.names == ("km", "C(channel)[T.web]")


def test_what_a_formula_learned_in_the_fit_stays(data):
    read = Covariates("center(km) + channel", data)
    part = data[data["channel"] == "web"].head(3)
    found = dict(zip(read.names, read.of(part).T, strict=True))
    assert found["center(km)"] == pytest.approx(part["km"] - data["km"].mean())
    assert found["channel[T.web]"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("given", ["C(channel)", "km + C(channel)"])
def test_a_level_unseen_in_the_fit_is_refused(data, given):
    with pytest.raises(DataError) as raised:
        Covariates(given, data).of(data.head(2).assign(channel=["shop", "fax"]))
    assert raised.value.code == "covariate_unseen"
    assert "fax" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "column", "value"),
    [
        (["km"], "km", np.nan),
        (["km"], "km", np.inf),
        (["km"], "km", "far"),
        (["channel"], "web", 0.0),
        ("C(channel) + km", "channel", None),
        ("km", "km", np.nan),
        ("log(km)", "km", 0.0),
    ],
)
def test_values_that_are_missing_or_no_numbers_are_named(data, given, column, value):
    broken = data.assign(km=data["km"].abs() + 1).astype({"km": object})
    if value != "far":
        broken["km"] = broken["km"].astype(float)
    broken.loc[5, column] = value
    with pytest.raises(DataError) as raised, np.errstate(divide="ignore"):
        Covariates(given, broken)
    assert raised.value.code == "covariate_broken"
    assert "0005" in str(raised.value) or given == ["channel"]


@pytest.mark.parametrize("given", [["flat"], "km + flat", "I(flat * 2)"])
def test_a_covariate_that_is_the_same_for_all_is_refused(data, given):
    with pytest.raises(DataError) as raised:
        BetaGeoModel(purchase_covariates=given).fit(data.assign(flat=3.0))
    assert raised.value.code == "covariate_constant"


@pytest.mark.parametrize("given", [["km", "metres"], "0 + C(channel)", "web + C(channel)"])
def test_covariates_that_follow_from_others_are_refused(data, given):
    with pytest.raises(DataError) as raised:
        BetaGeoModel(dropout_covariates=given).fit(data.assign(metres=1000 * data["km"] + 5))
    assert raised.value.code == "covariates_redundant"


def test_a_missing_column_is_named(data):
    for given in (["km", "height"], "km + height"):
        with pytest.raises(DataError, match="height"):
            BetaGeoModel(purchase_covariates=given).fit(data)


@pytest.mark.parametrize("formula", ["km +* web", "km | web", "frequency ~ km", "C(channel"])
def test_a_formula_that_cannot_be_read_is_a_usage_error(data, formula):
    with pytest.raises(UsageError) as raised:
        Covariates(formula, data)
    assert raised.value.code == "covariate_formula"


@pytest.mark.parametrize("equal", [["height"], ["web"]])
def test_equal_effects_are_of_covariates_of_both(data, equal):
    with pytest.raises(UsageError) as raised:
        BetaGeoModel(purchase_covariates=["km", "web"], dropout_covariates=["km"], equal_effects=equal).fit(data)
    assert raised.value.code == "equal_effects"
    assert "km" in str(raised.value)


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf])
def test_a_ridge_is_finite_and_not_negative(data, ridge):
    with pytest.raises(UsageError) as raised:
        BetaGeoModel(**BOTH, ridge=ridge).fit(data)
    assert raised.value.code == "bad_ridge"


def test_what_coefficients_move(data):
    targets = {"purchase": ((1, -1.0),), "dropout": ((2, 1.0),), "concentration": ((2, 1.0), (3, 1.0))}
    given = {"purchase": ["km", "web"], "dropout": "web + km", "concentration": ["web"]}
    effects = CovariateEffects(targets, given, ["web"], data)
    assert effects.columns == ("km", "web")
    assert effects.moved() == {
        "purchase_km": {("purchase", "km")},
        "equal_web": {("purchase", "web"), ("dropout", "web")},
        "dropout_km": {("dropout", "km")},
        "concentration_web": {("concentration", "web")},
    }
    moved = [(effect.parameter, effect.sign, effect.places.tolist()) for effect in effects.effects(effects.table(data))]
    # The coefficients of dropout come in its own order: web, which is shared, then km.
    assert moved == [(1, -1.0, [0, 1]), (2, 1.0, [1, 2]), (2, 1.0, [3]), (3, 1.0, [3])]


def test_several_sets_of_parameters_are_spread_one_by_one():
    rng = np.random.default_rng(1)
    effects = [
        Effect(0, -1.0, rng.normal(size=(7, 2)), np.array([0, 2])),
        Effect(1, 1.0, rng.normal(size=(7, 1)), np.array([0])),
    ]
    values = np.abs(rng.normal(size=(5, 6)))
    together = spread(values, effects, 3)
    assert [moved.shape for moved in together] == [(5, 7), (5, 7), (5, 1)]
    for draw, row in enumerate(values):
        for moved, alone in zip(together, spread(row, effects, 3), strict=True):
            np.testing.assert_allclose(np.broadcast_to(moved, (5, 7))[draw], np.broadcast_to(alone, 7), rtol=1e-15)
    expected = values[0, 0] * np.exp(-(effects[0].covariates @ values[0, [3, 5]]))
    np.testing.assert_allclose(together[0][0], expected)


# --- fitting ----------------


@pytest.mark.parametrize("equal", [(), ("km",)])
@pytest.mark.parametrize("ridge", [0.0, 2.0])
@pytest.mark.parametrize(
    "model",
    [
        *MODELS,
        lambda **given: BetaGeoCNBDModel(k=2, **given),
        lambda **given: BetaGeoModel(concentration_covariates=["km"], **given),
    ],
)
def test_the_gradient_is_that_of_finite_differences(data, model, equal, ridge):
    made = model(**BOTH, equal_effects=equal, ridge=ridge).fit(data)
    sample = made.sample_of(data)
    objective = Objective(made, sample)
    location = np.random.default_rng(2).normal(0, 0.3, len(made.params_))
    gradient = objective(location)[1]
    numerical = optimize.approx_fprime(location, lambda at: objective(at)[0], 1e-6)
    assert gradient == pytest.approx(numerical, rel=1e-4, abs=1e-2)


@pytest.mark.parametrize("model", MODELS)
def test_the_fit_is_where_a_search_of_its_own_ends(data, fitted, model):
    # scipy's simplex, which uses no derivative, cannot climb higher from there.
    done = fitted[model.__name__]
    objective = Objective(done, done.sample_of(data))
    top = np.concatenate([np.log(done._parameters()[:4]), done._parameters()[4:]])
    top[:4] -= np.log(done.sample_of(data).measure) * np.array(done.dimensions)
    best = optimize.minimize(lambda at: -objective(at)[0], top + 0.01, method="Nelder-Mead", options={"maxiter": 400})
    assert -best.fun <= objective(top)[0] + 1e-9
    assert done.log_likelihood(data) == pytest.approx(done.log_likelihood_, abs=1e-8)


def test_effects_are_found_within_their_errors(data, fitted):
    done = fitted["BetaGeoModel"]
    for name, truth in (TRUTH | EFFECTS).items():
        assert abs(done.params_[name] - truth) < 3.3 * done.standard_errors_[name], name


@pytest.mark.parametrize("model", MODELS)
def test_a_formula_fits_as_columns_do(data, fitted, model):
    formula = "C(channel) + km"
    other = model(purchase_covariates=formula, dropout_covariates=formula).fit(data)
    assert other.log_likelihood_ == pytest.approx(fitted[model.__name__].log_likelihood_, abs=1e-7)
    assert other.params_["dropout_C(channel)[T.web]"] == pytest.approx(
        fitted[model.__name__].params_["dropout_web"], rel=1e-4
    )


@pytest.mark.parametrize("model", MODELS)
def test_row_order_compression_and_unit_change_nothing(data, fitted, model):
    done = fitted[model.__name__]
    twice = pd.concat([data, data]).reset_index(drop=True).drop(columns="customer_id")
    weighted = model(**BOTH).fit(data.assign(weight=2.0).sample(frac=1, random_state=1))
    unrolled = model(**BOTH).fit(twice)
    in_days = model(**BOTH).fit(data.assign(recency=data["recency"] * 7, T=data["T"] * 7))
    unit = pd.Series(7.0 ** np.array([*done.dimensions, 0, 0, 0, 0]), index=done.params_.index)
    for other, scale in ((weighted, 1.0), (unrolled, 1.0), (in_days, unit)):
        np.testing.assert_allclose(other.params_ / scale, done.params_, rtol=1e-6)
    assert unrolled.log_likelihood_ == pytest.approx(2 * done.log_likelihood_, rel=1e-12)
    days = data.assign(recency=data["recency"] * 7, T=data["T"] * 7)
    np.testing.assert_allclose(in_days.expected_purchases(days, 91), done.expected_purchases(data, 13), rtol=1e-6)


@pytest.mark.parametrize("model", [BetaGeoModel, ParetoNBDModel])
def test_units_and_origins_of_covariates_change_nothing(data, model):
    given = {"purchase_covariates": ["z"], "dropout_covariates": ["z"]}
    fits = {}
    for unit, origin in ((1.0, 0.0), (1e-3, 0.0), (1e6, 0.0), (1.0, 100.0), (10.0, 2020.0)):
        z = origin + data["km"] * unit
        fits[unit, origin] = model(**given).fit(data.assign(z=z)), unit, z
    plain, _, _ = fits[1.0, 0.0]
    for done, unit, z in fits.values():
        assert done.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-6)
        for name in ("purchase_z", "dropout_z"):
            assert done.params_[name] * unit == pytest.approx(plain.params_[name], rel=1e-4, abs=1e-5)
            assert done.standard_errors_[name] * unit == pytest.approx(plain.standard_errors_[name], rel=1e-3)
        expected = done.expected_purchases(data.assign(z=z), 13.0)
        np.testing.assert_allclose(expected, plain.expected_purchases(data.assign(z=data["km"]), 13.0), rtol=1e-4)


def test_a_covariate_far_out_is_no_overflow(data, fitted):
    far = data.head(3).assign(km=1e6)
    assert np.isfinite(fitted["BetaGeoModel"].expected_purchases(far, 13.0)).all()


def test_a_model_of_regular_buyers_takes_covariates(data):
    done = BetaGeoCNBDModel(k=2, **BOTH).fit(data)
    assert list(done.params_.index) == [*TRUTH, *EFFECTS]
    assert done.expected_purchases(data, 10).between(0, 50).all()
    drawn = done.simulate_customers(data["T"], rng=1, covariates=data[["km", "web"]])
    assert done.log_likelihood(drawn) < 0
    assert BetaGeoCNBDModel(k=2, **BOTH).fit(drawn).k_ == 2


@pytest.mark.long
@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel])
def test_covariates_of_how_alike_customers_are_let_a_and_b_move_apart(model):
    rng = np.random.default_rng(5)
    web = rng.integers(0, 2, 3000).astype(float)
    truth = model()
    halves = []
    for value, (a, b) in ((0.0, (0.8, 2.4)), (1.0, (4.0, 12.0))):
        truth.params_ = pd.Series([1.5, 4.0, a, b], index=["r", "alpha", "a", "b"])
        drawn = truth.simulate_customers(rng.integers(20, 60, int((web == value).sum())).astype(float), rng=rng)
        halves.append(drawn.assign(web=value))
    pooled = pd.concat(halves, ignore_index=True)
    done = model(dropout_covariates=["web"], concentration_covariates=["web"]).fit(pooled)
    table = parameter_table(done, 0.999).set_index("parameter")
    assert table.loc["dropout_web", "low"] < 0 < table.loc["dropout_web", "high"]
    assert 0 < table.loc["concentration_web", "low"] < np.log(5) < table.loc["concentration_web", "high"]

    # The model with a and b of each group of its own, fitted by scipy's simplex.
    def apart(at):
        parts = [Objective(model(), model().sample_of(half)) for half in halves]
        measures = [np.log(part.sample.measure) for part in parts]
        places = ([0, 1, 2, 3], [0, 1, 4, 5])
        shifted = [at[place] - np.array([0, measure, 0, 0]) for place, measure in zip(places, measures, strict=True)]
        return -sum(part(own)[0] + part.sample.log_jacobian for part, own in zip(parts, shifted, strict=True))

    r, alpha, a, b, dropout, concentration = done.params_
    top = np.log([r, alpha, a, b, a * np.exp(dropout + concentration), b * np.exp(concentration)])
    assert -apart(top) == pytest.approx(done.log_likelihood_, abs=1e-6)
    best = optimize.minimize(apart, top + 0.01, method="Nelder-Mead", options={"maxiter": 300})
    assert -best.fun <= done.log_likelihood_ + 1e-6
    test = likelihood_ratio_test(model(dropout_covariates=["web"]).fit(pooled), done)
    assert (test.degrees_of_freedom, test.p_value < 0.001) == (1, True)


# --- ridge ----------------


def test_a_ridge_shrinks_and_a_large_one_removes(data, fitted):
    ridges = [0.0, 10.0, 100.0, 1e7]
    fits = [BetaGeoModel(**BOTH, ridge=ridge).fit(data) for ridge in ridges]
    sizes = [float((fit.params_[4:] ** 2).sum()) for fit in fits]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 1e-8
    plain = BetaGeoModel().fit(data)
    np.testing.assert_allclose(fits[-1].params_[:4], plain.params_, rtol=1e-3)
    assert fits[-1].log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=0.01)
    # Never below the plain model's, and without the penalty.
    assert all(fit.log_likelihood_ >= plain.log_likelihood_ for fit in fits)
    assert fits[1].log_likelihood(data) == pytest.approx(fits[1].log_likelihood_, abs=1e-8)


def test_at_the_optimum_of_a_ridge_the_likelihood_pulls_as_hard(data):
    # d log L / d g = ridge * g, from differences of the log-likelihood that the model tells.
    done = BetaGeoModel(**BOTH, ridge=25.0).fit(data)
    for name in EFFECTS:
        ends = []
        for step in (-1e-4, 1e-4):
            other = clone(done)
            other._covariates, other.params_ = done._covariates, done.params_ + step * (done.params_.index == name)
            ends.append(other.log_likelihood(data))
        assert (ends[1] - ends[0]) / 2e-4 == pytest.approx(25.0 * done.params_[name], rel=1e-3, abs=1e-3)


# --- predicting ----------------


@pytest.mark.parametrize("model", MODELS)
def test_predictions_use_each_customers_own_values(data, fitted, model):
    done = fitted[model.__name__]
    few = data.head(12)
    together = {
        "purchases": done.expected_purchases(few, 13.0),
        "alive": done.expected_probability_alive(few, 5.0),
        "none": done.expected_probability_no_purchase(few, 13.0),
        "residual": done.discounted_expected_residual_transactions(few, 0.002),
    }
    for place, row in few.iterrows():
        alone = model()
        values = {"km": row["km"], "web": row["web"]}
        alone.params_ = done.params_[:4].copy()
        for effect, moved in model._targets.items():
            shift = sum(done.params_.get(f"{effect}_{name}", 0.0) * value for name, value in values.items())
            for parameter, sign in moved:
                alone.params_.iloc[parameter] *= np.exp(sign * shift)
        one = few.loc[[place]]
        expected = {
            "purchases": alone.expected_purchases(one, 13.0),
            "alive": alone.expected_probability_alive(one, 5.0),
            "none": alone.expected_probability_no_purchase(one, 13.0),
            "residual": alone.discounted_expected_residual_transactions(one, 0.002),
        }
        for name, value in expected.items():
            assert together[name][place] == pytest.approx(value.item(), rel=1e-9), name


@pytest.mark.parametrize("model", MODELS)
def test_a_new_customer_needs_covariates(data, fitted, model):
    done = fitted[model.__name__]
    near = pd.DataFrame({"km": [-1.0], "web": [1.0]})
    far = pd.DataFrame({"km": [2.0], "web": [0.0]})
    assert done.expected_purchases_new_customer(20.0, near) > done.expected_purchases_new_customer(20.0, far)
    chances = done.probability_of_purchases_new_customer(20.0, np.arange(400), near)
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    assert chances @ np.arange(400) == pytest.approx(done.expected_purchases_new_customer(20.0, near), rel=1e-3)
    two = pd.concat([near, far])
    for asked in (
        lambda: done.expected_purchases_new_customer(20.0),
        lambda: done.expected_purchases_new_customer(20.0, two),
        lambda: done.probability_of_purchases_new_customer(20.0, 1),
        lambda: done.simulate_customers([10.0, 20.0, 30.0], rng=1, covariates=two),
    ):
        with pytest.raises(UsageError) as raised:
            asked()
        assert raised.value.code == "covariates_needed"
        assert "km, web" in str(raised.value)
    with pytest.raises(DataError, match="web"):
        done.expected_purchases_new_customer(20.0, near[["km"]])
    with pytest.raises(DataError, match="km"):
        done.expected_purchases(data.drop(columns="km"), 10.0)


@pytest.mark.parametrize("model", MODELS)
def test_simulated_futures_agree_with_the_expectations(data, fitted, model):
    done, few = fitted[model.__name__], data.head(60)
    drawn = done.simulate_future(few, [5.0, 8.0], rng=4, draws=2000).sum(axis=2)
    expected = done.expected_purchases(few, 13.0).to_numpy()
    often = expected > 0.05
    assert often.sum() > 20
    z = (drawn.mean(axis=0) - expected)[often] / (drawn[:, often].std(axis=0) / np.sqrt(len(drawn)))
    assert np.abs(z).max() < 4.5
    assert abs(z.mean()) < 4 / np.sqrt(len(z))


@pytest.mark.parametrize("model", MODELS)
def test_simulated_customers_follow_their_covariates(data, fitted, model):
    done = fitted[model.__name__]
    given = pd.DataFrame({"km": [-1.0, 1.5], "web": [1.0, 0.0]}).iloc[np.repeat([0, 1], 6000)]
    drawn = done.simulate_customers(np.full(12_000, 40.0), rng=5, covariates=given)
    assert drawn["km"].tolist() == given["km"].tolist()
    for place in (0, 6000):
        x = drawn["frequency"].iloc[place : place + 6000]
        expected = done.expected_purchases_new_customer(40.0, given.iloc[[place]])
        assert abs(x.mean() - expected) < 4 * x.std() / np.sqrt(6000)


@pytest.mark.parametrize("model", MODELS)
def test_draws_of_parameters_and_of_futures(data, fitted, model):
    done = fitted[model.__name__]
    drawn = done.draw_parameters(4000, 1)
    assert list(drawn.columns) == list(done.params_.index)
    error = done.standard_errors_[4:] / np.sqrt(4000)
    assert ((drawn.mean()[4:] - done.params_[4:]).abs() < 4.5 * error).all()
    np.testing.assert_allclose(drawn.std()[4:], done.standard_errors_[4:], rtol=0.08)
    outlook = Outlook(data, done, plain_horizons([13.0], 1.0))
    bounds = ForecastBounds(outlook, 0.9)
    (total, _) = bounds.totals(drawn.to_numpy()[:64], None)["purchases"]
    assert total.expected == pytest.approx(done.expected_purchases(data, 13.0).sum())
    assert total.low < total.expected < total.high
    futures = done.simulate_future(data, [13.0], rng=2, draws=100)[:, :, 0]
    low, high = bounds.purchases()
    inside = ((futures >= low) & (futures <= high)).mean(axis=0)
    assert inside.mean() > 0.9


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("formula", [False, True])
def test_pickled_and_cloned_models(data, model, formula):
    given = {"purchase_covariates": "C(channel) + km"} if formula else BOTH
    done = model(**given, ridge=1.0).fit(data)
    again = pickle.loads(pickle.dumps(done))
    pd.testing.assert_series_equal(again.expected_purchases(data, 9), done.expected_purchases(data, 9))
    pd.testing.assert_frame_equal(again.draw_parameters(5, 1), done.draw_parameters(5, 1))
    fresh = clone(done)
    assert fresh.get_params() == done.get_params()
    assert not hasattr(fresh, "params_")
    pd.testing.assert_series_equal(fresh.fit(data).params_, done.params_)


def test_a_refit_without_covariates_forgets_them(data):
    model = BetaGeoModel(**BOTH).fit(data).set_params(purchase_covariates=None, dropout_covariates=None)
    refitted = model.fit(data)
    assert list(refitted.params_.index) == list(TRUTH)
    assert refitted.expected_purchases_new_customer(10.0) > 0
    pd.testing.assert_series_equal(refitted.params_, BetaGeoModel().fit(data).params_)


# --- what a fit tells ----------------


def test_the_table_of_parameters(fitted):
    done = fitted["BetaGeoModel"]
    table = parameter_table(done, 0.9).set_index("parameter")
    assert list(table.index) == list(done.params_.index)
    wide = stats.norm.ppf(0.95)
    one = table.loc["purchase_km"]
    assert one["high"] - one["estimate"] == pytest.approx(wide * one["standard_error"])
    assert one["z"] == pytest.approx(one["estimate"] / one["standard_error"])
    assert one["p_value"] == pytest.approx(2 * stats.norm.sf(abs(one["z"])))
    positive = table.loc["alpha"]
    expected = wide * positive["standard_error"] / positive["estimate"]
    assert np.log(positive["high"] / positive["estimate"]) == pytest.approx(expected)
    assert np.log(positive["estimate"] / positive["low"]) == pytest.approx(expected)
    assert table.loc[list(TRUTH), ["z", "p_value"]].isna().all(axis=None)
    with pytest.raises(UsageError) as raised:
        parameter_table(done, 1.0)
    assert raised.value.code == "interval"


def test_a_parameter_at_the_boundary_has_its_estimate_alone():
    T = np.tile([20.0, 30.0, 40.0], 20)
    model = BetaGeoModel().fit(pd.DataFrame({"frequency": T.astype(int), "recency": T, "T": T}))
    table = parameter_table(model).set_index("parameter").loc[list(model.at_boundary_)]
    assert len(table)
    assert table["estimate"].notna().all()
    assert table[["standard_error", "low", "high"]].isna().all(axis=None)


def test_the_likelihood_ratio_test(data, fitted):
    full = fitted["BetaGeoModel"]
    none = BetaGeoModel().fit(data)
    equal = BetaGeoModel(**BOTH, equal_effects=["km", "web"]).fit(data)
    one = BetaGeoModel(purchase_covariates=["km"]).fit(data)
    test = likelihood_ratio_test(none, full)
    assert test.statistic == pytest.approx(2 * (full.log_likelihood_ - none.log_likelihood_))
    assert test.degrees_of_freedom == 4
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 4))
    assert likelihood_ratio_test(equal, full).degrees_of_freedom == 2
    assert likelihood_ratio_test(one, full).degrees_of_freedom == 3
    assert likelihood_ratio_test(none, equal).degrees_of_freedom == 2
    for restricted, more in ((full, none), (full, full), (one, equal), (none, ModifiedBetaGeoModel(**BOTH).fit(data))):
        with pytest.raises(UsageError) as raised:
            likelihood_ratio_test(restricted, more)
        assert raised.value.code == "models_not_nested"


def test_the_likelihood_ratio_test_needs_the_same_customers_and_no_ridge(data, fitted):
    full = fitted["BetaGeoModel"]
    other_unit = data.assign(recency=data["recency"] * 7, T=data["T"] * 7)
    for others in (data.head(700), other_unit, customers(800, seed=9)):
        with pytest.raises(UsageError) as raised:
            likelihood_ratio_test(BetaGeoModel().fit(others), full)
        assert raised.value.code == "different_customers"
    with pytest.raises(UsageError) as raised:
        likelihood_ratio_test(BetaGeoModel().fit(data), BetaGeoModel(**BOTH, ridge=1.0).fit(data))
    assert raised.value.code == "ridge_in_test"
