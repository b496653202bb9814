"""Into which periods draws of the future are cut."""

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv import BetaGeoModel, ParetoNBDModel, customer_lifetime_value
from kehu_analysis.clv.valuation.discounting import Horizon


def horizon(length: float | None, discount_rate: float = 0.1) -> Horizon:
    return Horizon.of(length, "year", discount_rate=discount_rate, time_unit="week")


@pytest.mark.parametrize(("length", "discount_rate"), [(1, 0.1), (3, 0.1), (3.01, 1e-12), (50, 0.0), (50, 1e-12)])
def test_short_horizons_and_those_without_discount_are_cut_evenly(length, discount_rate):
    given = horizon(length, discount_rate)
    lengths = np.diff(given.ends(), prepend=0)
    np.testing.assert_allclose(lengths, lengths[0])
    assert given.ends()[-1] == pytest.approx(given.length)


def test_a_long_horizon_is_cut_where_worth_falls_by_equal_steps():
    given = horizon(30)
    worth = np.exp(-given.rate * np.append(0, given.ends()))
    np.testing.assert_allclose(np.diff(worth), (1.1**-30 - 1) / 12)
    assert given.ends()[-1] == pytest.approx(given.length)


@pytest.mark.long
def test_beyond_a_lifetime_a_longer_horizon_changes_no_interval():
    truth = BetaGeoModel()
    truth.params_ = pd.Series({"r": 1.0, "alpha": 8.0, "a": 0.8, "b": 2.5})
    rng = np.random.default_rng(1)
    customers = truth.simulate_customers(rng.uniform(20, 100, 200), rng=rng)
    customers["customer_id"] = range(200)
    customers["monetary_value"] = np.where(customers["frequency"] > 0, rng.gamma(6, 10, 200), 0.0)
    model = ParetoNBDModel().fit(customers)
    ends = ("customer_equity_low", "customer_equity", "customer_equity_high")
    found = []
    for years in (1000, None):
        facts = customer_lifetime_value(customers, purchase_model=model, horizon=years, draws=49).facts
        found.append([facts[name].value for name in ends])
    np.testing.assert_allclose(*found, rtol=1e-6)
