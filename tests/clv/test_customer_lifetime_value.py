"""Lifetime value: discounting against dense sums, expectations, intervals, segments, what it refuses."""

import time
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from kehu_analysis.clv import (
    BetaGeoBetaBinomModel,
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoCNBDModel,
    ParetoNBDModel,
    customer_lifetime_value,
    equity_by_segment,
)
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.valuation import lifetime_value as value_module
from kehu_analysis.clv.valuation.discounting import Horizon, discounted_purchases_while_alive
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from tests.scale import at_scale, scaled

YEAR_WEEKS = 365.25 / 7


def customers(n: int = 400, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = BetaGeoModel()
    truth.params_ = pd.Series({"r": 1.0, "alpha": 8.0, "a": 0.8, "b": 2.5})
    summary = truth.simulate_customers(np.ceil(rng.uniform(20, 100, n)), rng=rng)
    x = summary["frequency"].to_numpy()
    spend = rng.gamma(3.0 * np.maximum(x, 1)) / np.maximum(x, 1) / rng.gamma(4, 1 / 60, n)
    summary["monetary_value"] = np.where(x > 0, spend, 0.0)
    summary.insert(0, "customer_id", [f"{i:04}" for i in range(n)])
    return summary


@pytest.fixture(scope="module")
def summary():
    return customers()


@pytest.fixture(scope="module")
def models(summary):
    return {"purchase_model": BetaGeoModel().fit(summary), "spend_model": GammaGammaModel().fit(summary)}


@pytest.fixture(scope="module")
def finding(summary, models):
    return customer_lifetime_value(summary, **models, horizon=2, margin=0.3)


def dense(model, past, horizon, parameters):
    """Sum exp(-delta t) dE(t) over panels that halve towards 0, each by 16 Gauss-Legendre nodes, by parts."""
    edges = np.concatenate([[0.0], horizon.length * 2.0 ** np.arange(-20, 1)])
    nodes, weights = np.polynomial.legendre.leggauss(16)
    total = np.exp(-horizon.rate * horizon.length) * expected(model, past, horizon.length, parameters)
    for low, high in pairwise(edges):
        for node, weight in zip(nodes, weights, strict=True):
            t = low + (high - low) * (1 + node) / 2
            slope = horizon.rate * np.exp(-horizon.rate * t) * expected(model, past, t, parameters)
            total += weight * (high - low) / 2 * slope
    return total


def expected(model, past, t, parameters):
    return model.purchases_while_alive(past, np.full(len(past.x), t), parameters)


@pytest.mark.parametrize("model", [BetaGeoModel(), ParetoNBDModel()])
@pytest.mark.parametrize("parameters", [(0.5, 10.0, 0.8, 2.5), (0.04, 2.8, 30.0, 0.6), (20.0, 0.3, 0.1, 40.0)])
@pytest.mark.parametrize(
    ("years", "rate"),
    [
        pytest.param(0.02, 0.1, marks=pytest.mark.long),
        (3, 0.1),
        pytest.param(3, 5.0, marks=pytest.mark.long),
        (50, 0.02),
    ],
)
def test_discounted_purchases_are_dense_sums(model, parameters, years, rate):
    past = History(
        np.array([0.0, 0, 1, 8, 40, 2000]), np.array([0.0, 0, 9, 50, 3, 4990]), np.array([0.1, 90, 52, 278, 4, 5000])
    )
    horizon = Horizon.of(years, "year", discount_rate=rate, time_unit="week")
    of = [np.array(value) for value in parameters]
    found = discounted_purchases_while_alive(model, past, horizon, of)
    np.testing.assert_allclose(found, dense(model, past, horizon, of), rtol=1e-8)


def test_of_regular_buyers_too(summary):
    model = ModifiedBetaGeoCNBDModel(k=3)
    model.params_ = pd.Series({"r": 2.0, "alpha": 3.0, "a": 1.0, "b": 4.0})
    past = model._past(summary.head(40))
    horizon = Horizon.of(2, "year", discount_rate=0.1, time_unit="week")
    of = [np.array(value) for value in model.params_]
    found = discounted_purchases_while_alive(model, past, horizon, of)
    # Regular buyers come in waves, which the rule for the others follows less closely.
    np.testing.assert_allclose(found, dense(model, past, horizon, of), rtol=1e-5)


def test_values_are_margin_times_spend_times_discounted_purchases(finding, summary, models):
    model, spend = models["purchase_model"], models["spend_model"].expected_customer_spend(summary)
    months = [model.expected_purchases(summary, YEAR_WEEKS / 12 * month) for month in range(25)]
    discounts = 1.1 ** -((np.arange(24) + 0.5) / 12)
    by_month = sum((after - before) * d for before, after, d in zip(months[:-1], months[1:], discounts, strict=True))
    table = finding.table.set_index("customer_id").loc[summary["customer_id"]]
    # A month's purchases count as if made in its middle, which is right within some 1e-4.
    np.testing.assert_allclose(table["customer_lifetime_value"], 0.3 * spend * by_month, rtol=5e-4)
    np.testing.assert_allclose(table["expected_purchases"], months[-1])
    np.testing.assert_allclose(table["expected_spend"], spend)
    np.testing.assert_allclose(table["probability_alive"], model.expected_probability_alive(summary))
    assert table["customer_lifetime_value"].sum() == pytest.approx(finding.facts["customer_equity"].value, abs=0.01)


@pytest.mark.long
def test_an_endless_horizon_is_the_limit_of_a_long_one(summary, models):
    some = summary.head(40)
    for purchase_model in (models["purchase_model"], ParetoNBDModel().fit(summary)):
        given = {"purchase_model": purchase_model, "spend_model": models["spend_model"], "draws": 19}
        endless = customer_lifetime_value(some, **given, horizon=None)
        long = customer_lifetime_value(some, **given, horizon=300)
        np.testing.assert_allclose(
            endless.table["customer_lifetime_value"], long.table["customer_lifetime_value"], rtol=1e-6
        )
        assert endless.table["expected_purchases"].isna().all()
        assert "value_endless" in endless.notes
        low, high = (endless.facts[f"customer_equity_{end}"].value for end in ("low", "high"))
        assert low < endless.facts["customer_equity"].value < high


def test_row_order_time_unit_and_unit_of_the_horizon_do_not_matter(finding, summary, models):
    shuffled = customer_lifetime_value(summary.sample(frac=1, random_state=3), **models, horizon=2, margin=0.3)
    pd.testing.assert_frame_equal(shuffled.table, finding.table)
    assert shuffled.facts == finding.facts
    in_days = summary.assign(recency=summary["recency"] * 7, T=summary["T"] * 7)
    days = customer_lifetime_value(in_days, horizon=24, horizon_unit="month", margin=0.3, time_unit="day", draws=19)
    for name in ("customer_equity", "customer_equity_parameter_low"):
        assert days.facts[name].value == pytest.approx(finding.facts[name].value, rel=1e-5)


def test_customers_are_fitted_where_models_are_not(finding, summary):
    given = BetaGeoModel()
    found = customer_lifetime_value(summary, purchase_model=given, horizon=2, margin=0.3)
    assert found.facts == finding.facts
    assert not hasattr(given, "params_")


def test_one_customer_has_a_value_under_models_of_all(finding, summary, models):
    one = customer_lifetime_value(summary.tail(1), **models, horizon=2, margin=0.3, draws=19)
    row = finding.table.set_index("customer_id").loc[summary["customer_id"].iloc[-1]]
    for name in ("customer_lifetime_value", "value_parameter_low", "value_parameter_high"):
        assert one.table[name].item() == pytest.approx(row[name])
    with pytest.raises(InsufficientDataError):
        customer_lifetime_value(summary.tail(1))


def test_parameter_bounds_are_the_spread_of_values_under_drawn_parameters(finding, summary, models):
    purchases, spend = models["purchase_model"], models["spend_model"]
    horizon = Horizon.of(2, "year", discount_rate=0.1, time_unit="week")
    past, totals, several = purchases._past(summary), [], []
    for rates, sizes in zip(
        purchases.draw_parameters(150, 1).to_numpy(), spend.draw_parameters(150, 2).to_numpy(), strict=True
    ):
        of = list(rates)
        p, q, v = sizes
        x, m = past.x, summary["monetary_value"].to_numpy()
        value = purchases.probability_alive_of(past, of) * discounted_purchases_while_alive(
            purchases, past, horizon, of
        )
        value = 0.3 * value * p * (v + x * m) / (p * x + q - 1)
        totals.append(value.sum())
        several.append(value[:20])
    low, high = (finding.facts[f"customer_equity_parameter_{end}"].value for end in ("low", "high"))
    assert np.log(high / low) / (2 * 1.6449) == pytest.approx(np.log(totals).std(), rel=0.2)
    table = finding.table.set_index("customer_id").loc[summary["customer_id"].head(20)]
    found = np.log(table["value_parameter_high"] / table["value_parameter_low"]) / (2 * 1.6449)
    np.testing.assert_allclose(found, np.log(several).std(axis=0), rtol=0.4)


@pytest.mark.long
def test_fixed_parameters_and_varying_ones_agree_where_there_are_many_customers(monkeypatch):
    summary = customers(3000, seed=8)
    summary["channel"] = np.where(np.arange(3000) % 3 == 0, "shop", "web")
    varying = customer_lifetime_value(summary, segment="channel", horizon=1)
    monkeypatch.setattr(value_module, "MOST_IN_DOUBT", 0)
    fixed = customer_lifetime_value(summary, segment="channel", horizon=1)
    assert (varying.parameters["parameters_vary"], fixed.parameters["parameters_vary"]) == (True, False)
    assert "value_interval_kinds_fixed" in fixed.notes
    widths = [f.facts["customer_equity_high"].value - f.facts["customer_equity_low"].value for f in (varying, fixed)]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)
    for end in ("equity_low", "equity_high"):
        np.testing.assert_allclose(fixed.segments[end], varying.segments[end], rtol=0.05)
    # Who is alike in all has one interval.
    alike = fixed.table.merge(summary[["customer_id", "frequency", "T"]], on="customer_id").query("frequency == 0")
    by_age = alike.groupby("T")["value_high"]
    assert (by_age.min() == by_age.max()).all()


def test_small_segments_have_the_laws_of_their_few_customers(monkeypatch):
    summary = customers(3000, seed=8)
    # Those who bought once and long ago, five by five: most of them will bring nothing.
    lapsed = summary.index[(summary["frequency"] == 0) & (summary["T"] > summary["T"].median())]
    summary["group"] = "others"
    summary.loc[lapsed, "group"] = [f"lapsed {place // 5:03}" for place in range(len(lapsed))]
    given = {"purchase_model": BetaGeoModel().fit(summary), "spend_model": GammaGammaModel().fit(summary)}
    segments = customer_lifetime_value(summary, **given, segment="group", horizon=1, discount_rate=0).segments
    segments = segments.set_index("segment")
    model, spend = given.values()
    one = summary[summary["group"] == "lapsed 003"]
    purchases = model.simulate_future(one, [YEAR_WEEKS], rng=1, draws=20_000)
    totals = spend.simulate_spend(one, purchases, rng=2).sum(axis=(1, 2))
    low, high = segments.loc["lapsed 003", ["equity_low", "equity_high"]]
    # What is open about the parameters widens it a little.
    assert (totals < low).mean() <= 0.051
    assert 0.93 < (totals <= high).mean() < 0.965
    assert (segments["equity_low"] <= segments["customer_equity"]).all()


def test_models_of_other_customers_are_known_as_such(summary, models):
    for model in models.values():
        assert model.was_fitted_to(summary.sample(frac=1, random_state=1))
        assert not model.was_fitted_to(summary.assign(T=summary["T"] + 1, monetary_value=summary["monetary_value"] * 2))
        assert not model.was_fitted_to(summary.head(1))
    later = summary.assign(T=summary["T"] + 26, monetary_value=summary["monetary_value"] * 2)
    found = customer_lifetime_value(later, **models, draws=99)
    low, high = (found.facts[f"customer_equity_parameter_{end}"].value for end in ("low", "high"))
    assert found.facts["customer_equity_low"].value < low < high < found.facts["customer_equity_high"].value
    with pytest.raises(UsageError) as raised:
        customer_lifetime_value(later, **models, draws=99, parameter_draws="bootstrap")
    assert raised.value.code == "bootstrap_of_others"


def test_numbers_are_read_from_any_type(finding, summary, models):
    names = ["frequency", "recency", "T", "monetary_value"]
    decimals = summary.assign(**{name: summary[name].map(lambda value: Decimal(repr(float(value)))) for name in names})
    for given in (summary.astype(dict.fromkeys(names, "str")), decimals):
        found = customer_lifetime_value(given, **models, horizon=2, margin=0.3)
        pd.testing.assert_frame_equal(found.table, finding.table)
    known = BetaGeoModel()
    known.params_ = models["purchase_model"].params_
    with pytest.raises(NotFittedError):
        customer_lifetime_value(summary, purchase_model=known)


@scaled
def test_bounds_hardly_depend_on_the_seed(summary, models):
    regions = np.where(np.arange(len(summary)) % 5 == 0, "east", "west")
    tables = [
        customer_lifetime_value(summary.assign(region=regions), **models, segment="region", rng=seed).segments
        for seed in range(at_scale(4, 16))
    ]
    lows, highs = (np.array([table[f"equity_{end}"] for table in tables]) for end in ("low", "high"))
    half_width = (highs - lows).mean(axis=0) / 2
    for ends in (lows, highs):
        assert (ends.std(axis=0, ddof=1) < 0.02 * half_width).all()


def test_any_interval_can_be_asked_for(summary, models):
    wide = customer_lifetime_value(summary, **models, interval=0.999)
    narrow = customer_lifetime_value(summary, **models, interval=0.5)
    assert wide.facts["customer_equity_low"].value < narrow.facts["customer_equity_low"].value
    assert (wide.table["value_high"] >= narrow.table["value_high"]).all()


def test_margins_of_customers_may_be_below_zero(summary, models):
    shares = np.where(np.arange(len(summary)) % 4 == 0, -0.1, 0.4)
    found = customer_lifetime_value(summary.assign(share=shares), **models, margin="share")
    table = found.table.set_index("customer_id").loc[summary["customer_id"]]
    assert ((table["customer_lifetime_value"] < 0) == (shares < 0)).all()
    for low, high in (("value_low", "value_high"), ("value_parameter_low", "value_parameter_high")):
        assert (table[low] <= table[high]).all()
    assert (table.loc[shares < 0, "value_high"] <= 0).all()
    assert (found.facts["n_negative_margin"].value, "margin_below_zero" in found.notes) == (100, True)
    assert found.facts["customer_equity"].value == pytest.approx(table["customer_lifetime_value"].sum(), abs=0.01)


def test_how_far_costs_are_known_is_told(summary, models):
    known = np.ones(len(summary))
    known[:30], known[30:50] = 0.0, 0.5
    given = summary.assign(margin_share=0.3, cost_known_share=known)
    found = customer_lifetime_value(given, **models, margin="margin_share", draws=19)
    assert found.facts["n_margin_of_others"].value == 30
    assert found.facts["n_margin_of_some_lines"].value == 20
    for lang in ("zh", "en"):
        assert any("30" in note and "20" in note for note in found.note_texts(lang))
    without = customer_lifetime_value(given, **models, margin=0.3, draws=19)
    assert "margins_partly_known" not in without.notes


def test_segments_add_up_and_small_ones_are_not_named(summary, models):
    regions = np.where(np.arange(400) < 4, "north", np.where(np.arange(400) < 150, "east", "west")).astype(object)
    regions[399] = None
    found = customer_lifetime_value(summary.assign(region=regions), **models, segment="region", draws=99)
    by_segment = equity_by_segment(found.in_currency("CNY"))
    table = by_segment.table.set_index("segment")
    assert table["n_customers"].to_dict() == {"west": 249, "east": 146, "other_segments": 5}
    assert table["customer_equity"].sum() == pytest.approx(found.facts["customer_equity"].value, abs=0.01)
    assert table["share_of_equity"].sum() == pytest.approx(1)
    assert (table["equity_low"] < table["equity_parameter_low"]).all()
    assert (table["equity_high"] > table["equity_parameter_high"]).all()
    assert "small_segments_together" in by_segment.notes
    assert by_segment.currency == "CNY"
    assert "2 个细分" in by_segment.reading("zh")
    with pytest.raises(UsageError, match="segment"):
        equity_by_segment(customer_lifetime_value(summary, **models, draws=19))


def test_covariates_move_values(summary):
    far = np.arange(400) % 2
    given = summary.assign(far=far.astype(float))
    model = BetaGeoModel(purchase_covariates=["far"]).fit(given)
    found = customer_lifetime_value(given, purchase_model=model, draws=49).table.set_index("customer_id")
    expected_total = model.expected_purchases(given, 3 * YEAR_WEEKS)
    np.testing.assert_allclose(found["expected_purchases"].loc[given["customer_id"]], expected_total)
    assert (found["value_low"] <= found["value_high"]).all()


@pytest.mark.long
def test_the_bootstrap_gives_intervals_of_like_width(finding, summary, models):
    found = customer_lifetime_value(summary, **models, horizon=2, margin=0.3, draws=99, parameter_draws="bootstrap")
    widths = [
        np.log(f.facts["customer_equity_parameter_high"].value / f.facts["customer_equity_parameter_low"].value)
        for f in (found, finding)
    ]
    assert widths[0] == pytest.approx(widths[1], rel=0.35)
    assert found.facts["customer_equity_low"].value < found.facts["customer_equity_high"].value


def test_spend_below_zero_is_counted(summary):
    buyer = summary.index[summary["frequency"] > 0][0]
    broken = summary.copy()
    broken.loc[buyer, "monetary_value"] = -3.0
    found = customer_lifetime_value(broken, draws=19)
    assert (found.facts["n_without_spend"].value, "left_out_of_spend" in found.notes) == (1, True)


def test_words_in_both_languages(finding, summary, models):
    sales = customer_lifetime_value(summary.head(40), **models, draws=19, horizon=None)
    assert (finding.facts["value_is"].value, sales.facts["value_is"].value) == ("margin", "sales")
    assert "value_is_sales" in sales.notes
    for lang, word in (("zh", "毛利"), ("en", "margin")):
        assert any(word in text for text in finding.in_currency("CNY").note_texts(lang))
        assert "None" not in " ".join([*sales.note_texts(lang), sales.reading(lang)])


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"horizon_unit": "fortnight"}, "fortnight"),
        ({"time_unit": "weeks"}, "weeks"),
        ({"horizon": 0}, "horizon=0"),
        ({"horizon": np.inf}, "inf"),
        ({"horizon": None, "discount_rate": 0}, "without discount"),
        ({"discount_rate": -0.1}, "-0.1"),
        ({"margin": 0}, "margin=0"),
        ({"margin": 25}, "margin=25"),
        ({"interval": 1.0}, "interval"),
        ({"draws": 0}, "draws=0"),
        ({"parameter_draws": "guess"}, "guess"),
        ({"horizon": None, "discount_rate": 1e-9}, "distant future"),
        ({"horizon": "3 years"}, "3 years"),
        ({"discount_rate": "10%"}, "10%"),
        ({"interval": "90%"}, "90%"),
        ({"draws": "50"}, "draws=50"),
        ({"draws": 50.5}, "50.5"),
        ({"margin": True}, "True"),
    ],
)
def test_wrong_settings_are_refused(summary, models, given, word):
    with pytest.raises(UsageError, match=word):
        customer_lifetime_value(summary, **models, **given)


def test_wrong_data_are_refused(summary, models):
    for broken, word in (
        (summary.drop(columns="customer_id"), "customer_id"),
        (summary.assign(T=0.5), "recency > T"),
        (summary.assign(monetary_value=np.nan), "NaN"),
    ):
        with pytest.raises(DataError, match=word):
            customer_lifetime_value(broken, **models)
    for ids, word in (([1, *summary["customer_id"][1:]], "int, str"), ([None, *summary["customer_id"][1:]], "= NaN")):
        with pytest.raises(DataError, match=word):
            customer_lifetime_value(summary.assign(customer_id=pd.Series(ids, dtype=object)), **models)
    with pytest.raises(DataError, match="region"):
        customer_lifetime_value(summary, **models, segment="region")
    with pytest.raises(DataError, match="share"):
        customer_lifetime_value(summary, **models, margin="share")
    with pytest.raises(DataError, match="2 customers"):
        customer_lifetime_value(summary.assign(share=[np.nan, 1.2, *[0.3] * 398]), **models, margin="share")
    with pytest.raises(UsageError, match="weight"):
        customer_lifetime_value(summary.assign(weight=2), **models)
    opportunities = BetaGeoBetaBinomModel()
    opportunities.params_ = pd.Series({"alpha": 1.0, "beta": 1.0, "gamma": 1.0, "delta": 5.0})
    with pytest.raises(UsageError, match="opportunities"):
        customer_lifetime_value(summary, purchase_model=opportunities, spend_model=models["spend_model"])


def test_without_discount_value_is_that_of_expected_purchases(summary, models):
    found = customer_lifetime_value(summary, **models, discount_rate=0, horizon=52, horizon_unit="week", draws=19)
    table = found.table
    np.testing.assert_allclose(table["customer_lifetime_value"], table["expected_purchases"] * table["expected_spend"])


@pytest.mark.long
def test_a_tiny_discount_on_an_endless_horizon_ends(summary, models):
    begun = time.process_time()
    found = customer_lifetime_value(summary, **models, horizon=None, discount_rate=1e-5, draws=19).facts
    assert time.process_time() - begun < 10  # it was minutes
    assert found["customer_equity_low"].value < found["customer_equity"].value < found["customer_equity_high"].value


def test_totals_whose_variance_does_not_exist_are_noted(summary, models):
    for q, is_noted in ((1.8, True), (2.2, False)):
        heavy = clone(models["spend_model"]).fit(summary)
        heavy.params_ = heavy.params_.copy()
        heavy.params_["q"] = q
        given = {"purchase_model": models["purchase_model"], "spend_model": heavy, "draws": 19}
        found = customer_lifetime_value(summary, **given)
        assert ("totals_without_variance" in found.notes) == is_noted
        assert not is_noted or any("1.80" in text for text in found.note_texts("en"))


def test_a_share_above_all_is_explained(summary, models):
    shares = np.where(np.arange(len(summary)) % 2 == 0, -0.3, 0.4)
    found = customer_lifetime_value(summary.assign(share=shares), **models, margin="share", draws=19)
    assert found.facts["top_share_of_value"].value > 1
    assert "share_above_all" in found.notes
    plain = customer_lifetime_value(summary, **models, draws=19)
    assert "share_above_all" not in plain.notes
