"""Shifted beta-geometric: against exact fractions and sums, the tables it reads, and its input checks."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from sklearn.exceptions import NotFittedError

from kehu_analysis.clv import ShiftedBetaGeoModel
from kehu_analysis.clv.models.contracts import contract_counts
from kehu_analysis.clv.numerics.discrete_dropout import discounted_survival
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError

EXTREME = [(0.7, 1.2), (1e-3, 1e-3), (1e-3, 1e6), (1e6, 1e-3), (1e6, 1e6), (1.0, 1.0), (50.0, 1e-3)]
LEFT = [369, 163, 86, 56, 37]


def model_of(alpha: float, beta: float) -> ShiftedBetaGeoModel:
    model = ShiftedBetaGeoModel()
    model.params_ = pd.Series([alpha, beta], index=["alpha", "beta"])
    return model


def survived(alpha: float, beta: float, t: int) -> Fraction:
    alpha, beta = Fraction(alpha), Fraction(beta)
    return math.prod(((beta + k) / (alpha + beta + k) for k in range(t)), start=Fraction(1))


def log(value: Fraction) -> float:
    # Near 1 the difference of two logarithms would not tell.
    return math.log1p(value - 1) if value > 0.5 else math.log(value.numerator) - math.log(value.denominator)


def cohort(left, n: int = 1000, **more) -> pd.DataFrame:
    return pd.DataFrame({"period": range(1, len(left) + 1), "n_left": left, "n_customers": n, **more})


def customers(left, n: int = 1000) -> pd.DataFrame:
    period = np.repeat(np.arange(1, len(left) + 1), left)
    stayed = n - len(period)
    return pd.DataFrame({"period": [*period, *[len(left)] * stayed], "ended": [True] * len(period) + [False] * stayed})


@pytest.mark.parametrize(("alpha", "beta"), EXTREME)
def test_survival_and_retention_are_those_of_fractions(alpha, beta):
    model = model_of(alpha, beta)
    t = np.arange(40)
    exact = [survived(alpha, beta, int(k)) for k in t]
    assert model.survival(t) == pytest.approx([float(value) for value in exact], rel=1e-12, abs=1e-300)
    retention = [float(later / before) for before, later in pairwise(exact)]
    assert model.retention_rate(t[1:]) == pytest.approx(retention, rel=1e-14)
    later = [float(exact[5 + k] / exact[5]) for k in range(30)]
    assert model.survival(t[:30], 5) == pytest.approx(later, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("alpha", "beta"), EXTREME)
def test_likelihood_and_gradient_are_those_of_fractions(alpha, beta):
    rows = [(1, True), (2, True), (9, True), (0, False), (1, False), (30, False)]
    sample = ShiftedBetaGeoModel().sample_of(pd.DataFrame(rows, columns=["period", "ended"]))

    def likelihoods(alpha, beta):
        return [
            survived(alpha, beta, int(t)) if not ended else survived(alpha, beta, t - 1) - survived(alpha, beta, t)
            for t, ended in zip(sample.columns["period"].astype(int).tolist(), sample.columns["ended"], strict=True)
        ]

    found, derivatives = ShiftedBetaGeoModel().log_likelihoods([np.float64(alpha), np.float64(beta)], sample)
    exact = likelihoods(alpha, beta)
    assert found == pytest.approx([log(value) for value in exact], rel=1e-12, abs=1e-15)
    for row, value in enumerate((alpha, beta)):
        step = Fraction(value) / 10**15
        moved = likelihoods(*(Fraction(v) + step * (k == row) for k, v in enumerate((alpha, beta))))
        expected = [float((there / here - 1) / step) for here, there in zip(exact, moved, strict=True)]
        assert derivatives[row] == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("alpha", "beta"), EXTREME)
def test_expected_renewals_are_sums_of_survival(alpha, beta):
    model = model_of(alpha, beta)
    for renewed in (0, 7):
        sums = np.cumsum(model.survival(np.arange(1, 30), renewed))
        assert model.expected_renewals(renewed, np.arange(1, 30)) == pytest.approx(sums, rel=1e-12)
    assert model.expected_renewals(3, 0) == 0


@pytest.mark.parametrize(("alpha", "beta"), EXTREME)
@pytest.mark.parametrize("rate", [0.05, 0.6, 20.0])
def test_discounted_lifetimes_are_sums_of_survival(alpha, beta, rate):
    model = model_of(alpha, beta)
    t = np.arange(900)
    lifetime = np.sum(model.survival(t) * (1 / (1 + rate)) ** t)
    assert model.discounted_expected_lifetime(rate) == pytest.approx(lifetime, rel=1e-11)
    for renewed in (0, 4, 300):
        residual = np.sum(model.survival(t + 1, renewed) * (1 / (1 + rate)) ** t)
        assert model.discounted_expected_residual_lifetime(renewed, rate) == pytest.approx(residual, rel=1e-11)


@pytest.mark.parametrize("rate", [1e-3, pytest.param(1e-5, marks=pytest.mark.long), 1e-7])
@pytest.mark.parametrize(("leave", "stay"), [(0.2, 0.8), (0.7, 40.0), (3.0, 2.0), (1e3, 1e6), (1.0, 1.0)])
def test_discounting_next_to_nothing_is_exact_too(leave, stay, rate):
    # The sum over i as an integral over the chance p to leave, in its logit: z (1 - p) / (1 - z (1 - p)).
    def term(u):
        p, q = 1 / (1 + np.exp(-u)), 1 / (1 + np.exp(u))
        return q / (rate + p) * np.exp(leave * np.log(p) + stay * np.log(q) - constant)

    constant = math.lgamma(leave) + math.lgamma(stay) - math.lgamma(leave + stay)
    peak, spread = np.log(leave / stay), np.sqrt(1 / leave + 1 / stay)
    ends = [peak - 45 * (spread + 1 / leave), *np.linspace(peak - 12 * spread, peak + 12 * spread, 25)]
    points = sorted([*ends, np.log(rate), peak + 45 * (spread + 1 / stay)])
    expected = sum(
        integrate.quad(term, max(low, -690), min(high, 690), epsrel=1e-11, epsabs=0, limit=400)[0]
        for low, high in pairwise(points)
        if min(high, 690) > max(low, -690)
    )
    # 1e-9: the integral's constant is a difference of large logarithms.
    assert discounted_survival(np.array([leave]), np.array([stay]), rate)[0] == pytest.approx(expected, rel=2e-9)


def test_customers_and_cohorts_are_fitted_alike():
    by_customer = customers(LEFT)
    model = ShiftedBetaGeoModel().fit(cohort(LEFT))
    start = pd.DataFrame({"period": [0], "n_customers": [1000]})
    size_first = pd.concat([start, cohort(LEFT).drop(columns="n_customers")])
    weighted = by_customer.value_counts().rename("weight").reset_index()
    numbers = weighted.astype({"ended": int})
    for table in (by_customer, by_customer.sample(frac=1, random_state=1), weighted, numbers, size_first):
        again = ShiftedBetaGeoModel().fit(table)
        pd.testing.assert_series_equal(again.params_, model.params_, rtol=1e-9)
        assert again.log_likelihood_ == pytest.approx(model.log_likelihood_, rel=1e-12)
        assert again.n_customers_ == 1000
    assert model.at_boundary_ == ()
    assert model.standard_errors_.gt(0).all()


def test_cohorts_of_different_age_go_together():
    old, young = cohort(LEFT, cohort="2021"), cohort(LEFT[:2], 800, cohort="2024")
    newest = pd.DataFrame({"cohort": ["2026"], "period": [0], "n_left": [0], "n_customers": [50]})
    together = ShiftedBetaGeoModel().fit(pd.concat([old, young, newest]))
    rows = pd.concat([customers(LEFT), customers(LEFT[:2], 800)])
    pd.testing.assert_series_equal(together.params_, ShiftedBetaGeoModel().fit(rows).params_, rtol=1e-9)
    assert together.n_customers_ == 1850


def test_who_was_still_there_counts_as_such():
    drawn = model_of(0.7, 1.2).simulate_customers(np.resize([1, 3, 8], 30_000), rng=4)
    model = ShiftedBetaGeoModel().fit(drawn)
    z = (np.log(model.params_) - np.log([0.7, 1.2])) / np.sqrt(np.diag(model.log_covariance_))
    assert (z.abs() < 4).all()


@pytest.mark.parametrize(
    ("left", "retention"), [([0], 1), ([0, 0, 0], 1), ([100], 0), ([100, 0], 0), ([0, 100], 0.5), ([50, 25, 13], 0.5)]
)
def test_a_cohort_without_differences_ends_at_the_boundary(left, retention):
    model = ShiftedBetaGeoModel().fit(cohort(left, 100))
    assert model.at_boundary_ == ("alpha", "beta")
    assert model.standard_errors_.isna().all()
    assert model.retention_rate(1) == pytest.approx(retention, abs=2e-2)
    assert 0 <= model.discounted_expected_residual_lifetime(0, 0.1) <= 11
    assert len(model.draw_parameters(3, 0)) == 3


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (pd.DataFrame({"period": [3], "ended": [True]}), "too_few_customers"),
        (pd.DataFrame({"period": [0, 0], "ended": [False, False]}), "no_contract_renewed"),
        (pd.DataFrame({"period": [1, 1, 0], "ended": [True, False, False]}), "one_renewal"),
        (cohort([30], 100), "one_renewal"),
    ],
)
def test_too_little_data_is_said(table, code):
    with pytest.raises(InsufficientDataError) as raised:
        ShiftedBetaGeoModel().fit(table)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"period": 1.5}, "period ≠ 0, 1, 2, …: 1 (c)"),
        ({"period": -1}, "period ≠ 0, 1, 2, …: 1 (c)"),
        ({"period": np.inf}, "period ≠ 0, 1, 2, …: 1 (c)"),
        ({"period": 0}, "ended, period = 0: 1 (c)"),
        ({"ended": "Yes"}, "ended ≠ True, False: 1 (c)"),
        ({"ended": None}, "ended ≠ True, False: 1 (c)"),
        ({"weight": 0}, "weight ≤ 0, weight = NaN: 1 (c)"),
        ({"customer_id": "a"}, "customer_id: 2×: 1 (a)"),
    ],
)
def test_a_broken_customer_is_named(change, fault):
    table = pd.DataFrame({"customer_id": ["a", "b", "c"], "period": [1, 2, 3], "ended": [True, False, True]})
    table = table.assign(weight=1.0).astype(object)
    table.loc[2, list(change)] = list(change.values())
    with pytest.raises(DataError) as raised:
        ShiftedBetaGeoModel().fit(table)
    assert raised.value.code == "contracts_broken"
    assert raised.value.details["faults"] == fault


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"period": [1, 3, 4]}, "period ≠ 1, 2, …, max(period): 3 (0, 1, 2)"),
        ({"period": [1, 2, 2]}, "(cohort, period): 2×: 1 (2)"),
        ({"n_left": [5, -1, 2]}, "n_left < 0: 1 (1)"),
        ({"n_left": [5, np.nan, 2]}, "n_left = NaN: 1 (1)"),
        ({"n_left": [50, 40, 20]}, "Σ n_left > n_customers: 3 (0, 1, 2)"),
        ({"n_customers": [100, 90, 80]}, "n_customers ≠ n_customers: 3 (0, 1, 2)"),
        ({"n_customers": np.nan}, "n_customers ≤ 0, n_customers = NaN: 3 (0, 1, 2)"),
        ({"period": [0, 1, 2]}, "period = 0, n_left > 0: 1 (0)"),
        ({"cohort": ["x", None, "x"]}, "cohort = NaN: 1 (1)"),
    ],
)
def test_a_broken_cohort_is_named(change, fault):
    table = cohort([20, 10, 5], 100).assign(**change)
    with pytest.raises(DataError) as raised:
        ShiftedBetaGeoModel().fit(table)
    assert raised.value.code == "contracts_broken"
    assert fault in raised.value.details["faults"].split("; ")


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        (pd.DataFrame({"tenure": [1]}), "period, ended"),
        (pd.DataFrame({"period": [1], "n_left": [3]}), "n_customers"),
    ],
)
def test_a_missing_column_is_named(table, missing):
    with pytest.raises(DataError) as raised:
        ShiftedBetaGeoModel().fit(table)
    assert raised.value.details["missing"] == missing


def test_counts_hold_every_customer_once():
    counts = contract_counts(pd.concat([cohort([20, 0, 5], 100, cohort=1), cohort([7, 3], 10, cohort=2)]))
    assert counts.to_dict("list") == {
        "period": [1.0, 2.0, 3.0, 3.0],
        "ended": [1.0, 1.0, 0.0, 1.0],
        "weight": [27.0, 3.0, 75.0, 5.0],
    }


def test_simulated_customers_and_futures_have_the_frequencies_of_the_model():
    model, n = model_of(0.7, 1.2), 60_000
    drawn = model.simulate_customers(np.full(n, 4), rng=1)
    expected = n * np.append(-np.diff(model.survival(range(5))), model.survival(4))
    found = [((drawn["period"] == t) & drawn["ended"]).sum() for t in range(1, 5)]
    found.append((~drawn["ended"]).sum())
    assert stats.chisquare(found, expected).pvalue > 1e-3
    assert (drawn.loc[~drawn["ended"], "period"] == 4).all()
    future = model.simulate_future([0, 6], 3, rng=2, draws=n)
    assert future.shape == (n, 2)
    for column, renewed in enumerate((0, 6)):
        expected = n * np.append(-np.diff(model.survival(range(4), renewed)), model.survival(3, renewed))
        assert stats.chisquare(np.bincount(future[:, column], minlength=4), expected).pvalue > 1e-3
    other = pd.DataFrame({"alpha": [1e-9, 1e9], "beta": [1.0, 1e-3]})
    assert model.simulate_future([0], 5, rng=2, parameters=other).tolist() == [[5], [0]]


def test_wrong_use_is_said():
    model = model_of(0.7, 1.2)
    for call in (
        lambda: model.survival(-1),
        lambda: model.survival(1.5),
        lambda: model.retention_rate([0, 1]),
        lambda: model.expected_renewals(0, np.nan),
        lambda: model.discounted_expected_residual_lifetime(0.5, 0.1),
        lambda: model.simulate_customers([2.5], rng=0),
    ):
        with pytest.raises(UsageError) as raised:
            call()
        assert raised.value.code == "bad_number_of_renewals"
    for rate in (0.0, -0.1, np.inf):
        with pytest.raises(UsageError) as raised:
            model.discounted_expected_lifetime(rate)
        assert raised.value.code == "bad_discount_rate"
    with pytest.raises(NotFittedError):
        ShiftedBetaGeoModel().survival(1)
