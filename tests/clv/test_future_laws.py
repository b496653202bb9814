"""Futures as distributions: against the models' own probabilities and against customer-by-customer draws."""

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from kehu_analysis.clv.models.gamma_gamma import draw_spend
from kehu_analysis.clv.models.histories import History
from kehu_analysis.clv.valuation.forecast_bounds import ForecastBounds, parameter_sets, plain_horizons
from kehu_analysis.clv.valuation.future_laws import AmountLaw, PurchaseLaw
from kehu_analysis.clv.valuation.kinds import FINE, kinds_of
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.clv.valuation.totals import law_of_moments
from tests.scale import at_scale, scaled

PAST = History(np.array([0.0, 1, 5, 40, 100]), np.array([0.0, 3, 90, 100, 150]), np.array([20.0, 60, 100, 110, 151]))
SPENT = np.array([0.0, 30, 50, 20, 80])
SPEND = np.array([6.25, 3.74, 15.4])
MODELS = [
    (ParetoNBDModel(), (0.55, 10.6, 0.6, 11.7)),
    (BetaGeoModel(), (0.24, 4.4, 0.79, 2.4)),
    (ModifiedBetaGeoModel(), (0.5, 6.0, 0.9, 1.6)),
    (NBDModel(), (0.4, 5.0)),
    (BetaGeoCNBDModel(k=2), (0.5, 6.0, 0.9, 1.6)),
    (ModifiedBetaGeoCNBDModel(k=3), (0.5, 6.0, 0.9, 1.6)),
]


@pytest.fixture(params=MODELS, ids=lambda case: f"{type(case[0]).__name__}")
def known(request):
    model, parameters = request.param
    if hasattr(model, "k"):
        model.k_ = model.k
    return model, np.array(parameters)


def test_counts_are_the_models_probabilities(known):
    model, parameters = known
    sets, t = [np.array(value) for value in parameters], np.full(5, 104.0)
    most = int(model.most_purchases(PAST, t, sets).max())
    counts = model.counts_by(PAST, t, most, sets)
    together = counts.still + counts.left
    np.testing.assert_allclose(together.sum(axis=0), 1, atol=1e-7)
    for n in (0, 1, 2, 7, 30, 90):
        chance = model.counts_while_alive(PAST, t, np.full(5, n), sets)
        np.testing.assert_allclose(together[n], chance, atol=1e-9)
    numbers = np.arange(most + 1)[:, None]
    np.testing.assert_allclose((numbers * together).sum(0), model.purchases_while_alive(PAST, t, sets), rtol=1e-5)
    survival = model.survival_while_alive(PAST, t, sets)
    np.testing.assert_allclose(counts.still.sum(axis=0), survival, atol=1e-7)
    assert ((counts.left_at > 0) & (counts.left_at <= 104.0)).all()
    if model.stages() > 1:
        return
    # The first quarter is a horizon of its own. (Of regular purchases it is known up to how they lie in time.)
    quarter, whole = (np.full(5, length) for length in (26.0, 104.0))
    moments = counts.factorial_moments(0 * quarter, quarter, whole)
    alone = model.counts_by(PAST, quarter, most, sets)
    n = numbers.astype(float)
    for order, falling in enumerate((n, n * (n - 1), n * (n - 1) * (n - 2))):
        np.testing.assert_allclose(moments[order], np.sum(falling * (alone.still + alone.left), axis=0), rtol=0.02)


@scaled
@pytest.mark.parametrize(
    ("length", "rate", "within"), [(104.0, 0.0, 0.004), (104.0, 0.0018, 0.004), (1500.0, 0.0018, 0.012)]
)
def test_bounds_of_one_customer_hold_what_they_say(known, length, rate, within):
    model, parameters = known
    kinds = kinds_of(PAST, model.remembered())
    alive = model.probability_alive_of(PAST, [np.array(value) for value in parameters])
    law = AmountLaw(model, kinds, length, parameters, rate, SPEND)
    scale = SPEND[2] + PAST.x * SPENT
    low, high = law.bounds(kinds.place, alive, scale, 0.9)
    draws, n_periods = at_scale(8000, 20_000), 30
    lost = -np.expm1(-rate * length) * np.arange(1, n_periods + 1) / n_periods
    ends = -np.log1p(-lost) / rate if rate else length * np.arange(1, n_periods + 1) / n_periods
    lengths = np.diff(ends, prepend=0.0)
    rng = np.random.default_rng(3)
    drawn = model.draw_futures(PAST, lengths, np.tile(parameters, (draws, 1)), rng)
    own = PAST.x[drawn.customer], SPENT[drawn.customer]
    amounts = draw_spend(*own, drawn.purchases, np.tile(SPEND, (len(drawn.customer), 1)), rng)
    worth = np.zeros((5, draws))
    worth[drawn.customer, drawn.draw] = amounts @ np.exp(-rate * (ends - lengths / 2))
    monte_carlo = 4 * np.sqrt(0.05 * 0.95 / draws)
    has_low = low > 0
    assert (np.abs((worth <= high[:, None]).mean(axis=1) - 0.95) < within + monte_carlo)[high > 0].all()
    assert (np.abs((worth < low[:, None]).mean(axis=1) - 0.05) < within + monte_carlo)[has_low].all()
    if rate == 0:
        fewest, most = PurchaseLaw(model, kinds, length, parameters).bounds(kinds.place, alive, 0.9)
        numbers = np.zeros((5, draws))
        numbers[drawn.customer, drawn.draw] = drawn.purchases.sum(axis=1)
        assert ((numbers <= most[:, None]).mean(axis=1) > 0.95 - monte_carlo).all()
        assert ((numbers < fewest[:, None]).mean(axis=1) < 0.05 + monte_carlo).all()
        assert ((numbers < most[:, None]).mean(axis=1)[most > 0] < 0.95 + monte_carlo).all()


def company(n: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = ParetoNBDModel()
    truth.params_ = pd.Series({"r": 0.8, "alpha": 6.0, "s": 0.6, "beta": 20.0})
    summary = truth.simulate_customers(np.ceil(rng.uniform(20, 100, n)), rng=rng)
    x = summary["frequency"].to_numpy()
    spend = rng.gamma(6.0 * np.maximum(x, 1)) / np.maximum(x, 1) / rng.gamma(5, 1 / 60, n)
    summary["recency"] = np.round(summary["recency"] * 7) / 7
    return summary.assign(monetary_value=np.where(x > 0, spend, 0.0))


@scaled
@pytest.mark.parametrize("model", [ParetoNBDModel(), ModifiedBetaGeoModel()])
def test_mean_and_variance_of_totals_are_those_of_customer_by_customer_draws(model):
    summary = company(600)
    spend = GammaGammaModel().fit(summary)
    model.fit(summary)
    outlook = Outlook(summary, model, plain_horizons([13.0, 13.0], 1.0), spend)
    bounds = ForecastBounds(outlook, 0.9)
    moments = bounds.moments_of_periods(with_amounts=True)
    draws, rng = at_scale(4000, 12_000), np.random.default_rng(2)
    totals = {"purchases": np.zeros((draws, 3)), "amount": np.zeros((draws, 3))}
    variances = {"purchases": np.zeros(3), "amount": np.zeros(3)}
    for first in range(0, 600, 100):
        part = slice(first, first + 100)
        futures = model.draw_futures(
            outlook.past.part(part), np.array([13.0, 13.0]), np.tile(model.params_, (draws, 1)), rng
        )
        own = outlook.past.x[part][futures.customer], outlook.spent[part][futures.customer]
        amounts = draw_spend(*own, futures.purchases, np.tile(spend.params_, (len(futures.customer), 1)), rng)
        for name, values in (("purchases", futures.purchases), ("amount", amounts)):
            by_customer = np.zeros((3, 100, draws))
            for period in range(2):
                by_customer[period, futures.customer, futures.draw] = values[:, period]
            by_customer[2] = by_customer[0] + by_customer[1]
            totals[name] += by_customer.sum(axis=1).T
            # Customers are independent: the sum of their variances is known better than the variance of the sum.
            variances[name] += by_customer.var(axis=2).sum(axis=1)
    fixed = bounds.totals(outlook.parameters[None], outlook.spend_parameters[None])
    for name, drawn in totals.items():
        for period in range(3):
            of_all = moments[name][period]
            assert fixed[name][period].expected == pytest.approx(drawn[:, period].mean(), rel=0.004)
            assert of_all.variance[-1] == pytest.approx(variances[name][period], rel=0.02)
            low, high = fixed[name][period][1:]
            assert ((drawn[:, period] >= low) & (drawn[:, period] <= high)).mean() == pytest.approx(0.9, abs=0.015)


@scaled
def test_totals_hardly_depend_on_the_seed():
    summary = company(600)
    spend = GammaGammaModel().fit(summary)
    outlook = Outlook(summary, ParetoNBDModel().fit(summary), plain_horizons([26.0], 1.0), spend)
    bounds = ForecastBounds(outlook, 0.9)
    found = [bounds.totals(*parameter_sets(outlook, summary, 256, seed)) for seed in range(at_scale(4, 16))]
    for name in ("purchases", "amount"):
        low, high = np.array([[one[name][0].low, one[name][0].high] for one in found]).T
        half_width = (high - low).mean() / 2
        assert max(low.std(ddof=1), high.std(ddof=1)) < 0.02 * half_width


def test_kinds_stand_for_many_customers():
    summary = company(3000)
    model, spend = ParetoNBDModel().fit(summary), GammaGammaModel().fit(summary)
    exact = Outlook(summary, model, plain_horizons([52.0], 1.0), spend)
    assert exact.binning_error() == pytest.approx(0, abs=1e-12)
    binned = Outlook(summary, model, plain_horizons([52.0], 1.0), spend, FINE._replace(few=0))
    assert len(binned.kinds.number) < len(exact.kinds.number)
    assert binned.kinds.number.sum() == 3000
    assert 0 < abs(binned.binning_error()) < 1e-3
    sets = parameter_sets(exact, summary, 64, 1)
    for name in ("purchases", "amount"):
        one, other = (ForecastBounds(outlook, 0.9).totals(*sets)[name][0] for outlook in (exact, binned))
        assert one.expected == other.expected
        assert np.array(one) == pytest.approx(np.array(other), rel=1e-3)
    one, other = (ForecastBounds(outlook, 0.9).amounts()[1] for outlook in (exact, binned))
    assert np.median(np.abs(other / np.maximum(one, 1e-9) - 1)[one > 1]) < 0.01


def test_laws_of_sums():
    exponential = law_of_moments(3.0, 3.0, 6.0)
    assert exponential(np.array([-1.0, 3.0])) == pytest.approx([0, 0.5768099])
    mirrored = law_of_moments(-3.0, 3.0, -6.0)
    assert mirrored(np.array([-3.0])) == pytest.approx([1 - 0.5768099])
    assert law_of_moments(2.0, 0.0, 0.0)(np.array([1.9, 2.0])).tolist() == [0, 1]
