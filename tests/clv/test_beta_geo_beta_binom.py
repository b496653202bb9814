"""BG/BB against exact fractions, against itself, and its input checks."""

import math
import pickle
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from kehu_analysis.clv import BetaGeoBetaBinomModel
from kehu_analysis.clv.fitting.maximise import maximise
from kehu_analysis.clv.fitting.objective import Objective
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError

NAMES = ["alpha", "beta", "gamma", "delta"]
TYPICAL = (1.2, 0.75, 0.66, 2.8)
EXTREME = [
    (1e-3, 1e6, 1e-3, 1e6),
    (1e6, 1e-3, 1e6, 1e-3),
    (1e-3, 1e-3, 1e-3, 1e-3),
    (1e6, 1e6, 1e6, 1e6),
    (1e-3, 1.0, 1e3, 1e6),
    (2.0, 3.0, 1.0, 4.0),
]
PASTS = [(0, 0, 0), (0, 0, 6), (3, 5, 6), (6, 6, 6), (1, 1, 20), (10, 20, 20), (2, 10, 40), (1, 1, 1), (0, 0, 1)]


def model_of(parameters) -> BetaGeoBetaBinomModel:
    model = BetaGeoBetaBinomModel()
    model.params_ = pd.Series(parameters, index=NAMES)
    return model


def frame(pasts) -> pd.DataFrame:
    return pd.DataFrame(pasts, columns=["frequency", "recency", "T"])


def rising(start: Fraction, count: int) -> Fraction:
    return math.prod((start + k for k in range(count)), start=Fraction(1))


def ratio(a: float, b: float, more_a: int, more_b: int) -> Fraction:
    """B(a + more_a, b + more_b) / B(a, b), exactly."""
    a, b = Fraction(a), Fraction(b)
    return rising(a, more_a) * rising(b, more_b) / rising(a + b, more_a + more_b)


def likelihood(parameters, x: int, t_x: int, T: int) -> Fraction:
    """Fader, Hardie and Shang (2010), the likelihood of one customer as printed, in fractions."""
    alpha, beta, gamma, delta = parameters
    alive = ratio(alpha, beta, x, T - x) * ratio(gamma, delta, 0, T)
    return alive + sum(ratio(alpha, beta, x, i - x) * ratio(gamma, delta, 1, i) for i in range(t_x, T))


def log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


def log_likelihoods(parameters, pasts) -> tuple[np.ndarray, np.ndarray]:
    model = BetaGeoBetaBinomModel()
    rows = frame([*pasts, (1, 1, 1), (1, 1, 1)])
    sample = model.sample_of(rows.assign(weight=1.0))
    each, derivatives = model.log_likelihoods([np.float64(value) for value in parameters], sample)
    columns = [sample.columns[name].astype(int).tolist() for name in ("x", "t_x", "T")]
    place = {past: row for row, past in enumerate(zip(*columns, strict=True))}
    rows = [place[past] for past in pasts]
    return each[rows], derivatives[:, rows]


@pytest.mark.parametrize("parameters", [TYPICAL, *EXTREME])
def test_likelihood_is_that_of_the_paper_in_fractions(parameters):
    expected = [log(likelihood(parameters, *past)) for past in PASTS]
    found = log_likelihoods(parameters, PASTS)[0]
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("parameters", [TYPICAL, *EXTREME])
def test_gradient_is_that_of_differences(parameters):
    derivatives = log_likelihoods(parameters, PASTS)[1]
    for row, value in enumerate(parameters):
        # Fractions have no rounding, so that the step can be as small as one likes.
        step = Fraction(value) / 10**15
        moved = [*parameters[:row], Fraction(value) + step, *parameters[row + 1 :]]
        gained = [likelihood(moved, *past) / likelihood(parameters, *past) - 1 for past in PASTS]
        assert derivatives[row] == pytest.approx([float(gain / step) for gain in gained], rel=1e-6, abs=1e-15)


def test_all_pasts_together_have_probability_one():
    pasts = [(0, 0, 9)] + [(x, t, 9) for t in range(1, 10) for x in range(1, t + 1)]
    ways = [1] + [math.comb(t - 1, x - 1) for x, t, _ in pasts[1:]]
    assert np.exp(log_likelihoods(TYPICAL, pasts)[0]) @ ways == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("parameters", [TYPICAL, *EXTREME])
def test_predictions_are_those_of_every_possible_future(parameters):
    # A future is a sequence of taken and missed opportunities; with the past it makes a longer past.
    steps, discount = 5, 0.1
    model = model_of(parameters)
    for x, t_x, T in [(0, 0, 0), (0, 0, 4), (2, 3, 5), (4, 4, 4)]:
        before = likelihood(parameters, x, t_x, T)
        chances = [Fraction(0)] * (steps + 1)
        for future in product((0, 1), repeat=steps):
            last = max((T + i for i, bought in enumerate(future, 1) if bought), default=t_x)
            chances[sum(future)] += likelihood(parameters, x + sum(future), last, T + steps) / before
        one = frame([(x, t_x, T)])
        found = [model.expected_probability_of_purchases(one, steps, n).item() for n in range(steps + 2)]
        assert found == pytest.approx([*map(float, chances), 0], rel=1e-10, abs=1e-300)
        assert model.expected_probability_no_purchase(one, steps).item() == pytest.approx(float(chances[0]), rel=1e-12)
        mean = float(sum(n * chance for n, chance in enumerate(chances)))
        assert model.expected_purchases(one, steps).item() == pytest.approx(mean, rel=1e-11)
        for later in (0, 1, steps):
            there = ratio(*parameters[:2], x, T - x) * ratio(*parameters[2:], 0, T + later) / before
            assert model.expected_probability_alive(one, later).item() == pytest.approx(float(there), rel=1e-11)
        far = 400
        purchases = np.diff(model.expected_purchases(frame([(x, t_x, T)] * far), np.arange(far)))
        worth = np.sum(purchases / (1 + discount) ** np.arange(1, far))
        found = model.discounted_expected_residual_transactions(one, discount).item()
        assert found == pytest.approx(worth, rel=1e-11)


def test_a_new_customer_is_one_without_a_past():
    model = model_of(TYPICAL)
    new = frame([(0, 0, 0)])
    assert model.expected_purchases_new_customer(7) == pytest.approx(model.expected_purchases(new, 7).item())
    assert model.expected_purchases_new_customer([0, 7])[0] == 0
    chances = model.probability_of_purchases_new_customer(7, np.arange(8))
    assert chances.sum() == pytest.approx(1, abs=1e-13)
    assert chances @ np.arange(8) == pytest.approx(model.expected_purchases_new_customer(7), rel=1e-12)


def test_many_opportunities_neither_underflow_nor_lose_what_is_left():
    # The chance of 1,500 purchases in 1,500 opportunities is below the smallest number, that in 3,000 is not.
    model = model_of((20.0, 20.0, 1e-6, 1.0))
    chances = model.probability_of_purchases_new_customer(3000, np.arange(3001))
    assert chances.sum() == pytest.approx(1, abs=1e-10)
    assert chances[1500] > 1e-4
    assert chances @ np.arange(3001) == pytest.approx(model.expected_purchases_new_customer(3000), rel=1e-9)


def test_simulated_futures_agree_with_the_expectations():
    model, draws = model_of(TYPICAL), 40_000
    pasts = frame([(0, 0, 4), (2, 3, 5), (4, 4, 4), (0, 0, 0)])
    purchases = model.simulate_future(pasts, [2, 0, 5], rng=3, draws=draws)
    assert purchases.shape == (draws, 4, 3)
    assert not purchases[:, :, 1].any()
    for upto, t in ((1, 2), (3, 7)):
        total = purchases[:, :, :upto].sum(axis=2)
        for n in range(t + 1):
            chance = model.expected_probability_of_purchases(pasts, t, n)
            z = ((total == n).mean(axis=0) - chance) / np.sqrt(chance * (1 - chance) / draws)
            assert (z.abs() < 4.5).all(), (t, n)
    other = pd.DataFrame([[1.2, 0.75, 0.66, 2.8], [1e-6, 1.0, 1.0, 1.0]], columns=NAMES)
    varied = model.simulate_future(pasts, [50], rng=3, parameters=other)
    assert varied.shape == (2, 4, 1)
    assert varied[1, 3].sum() == 0


def test_simulated_customers_have_the_frequencies_of_the_model():
    n = 60_000
    drawn = model_of(TYPICAL).simulate_customers(np.full(n, 4), rng=5)
    pasts = [(0, 0, 4)] + [(x, t, 4) for t in range(1, 5) for x in range(1, t + 1)]
    ways = np.array([1] + [math.comb(t - 1, x - 1) for x, t, _ in pasts[1:]])
    found = drawn.groupby(["frequency", "recency", "T"]).size()
    expected = n * ways * np.exp(log_likelihoods(TYPICAL, pasts)[0])
    assert found.sum() == n
    assert stats.chisquare([found.get(past, 0) for past in pasts], expected).pvalue > 1e-3


def test_fit_does_not_depend_on_order_or_compression():
    drawn = model_of(TYPICAL).simulate_customers(np.resize([3, 6, 8], 3000), rng=8)
    model = BetaGeoBetaBinomModel().fit(drawn)
    counted = drawn.value_counts().rename("weight").reset_index()
    for other in (drawn.sample(frac=1, random_state=1), counted, drawn.astype(float)):
        again = BetaGeoBetaBinomModel().fit(other)
        pd.testing.assert_series_equal(again.params_, model.params_, rtol=1e-9)
        assert again.log_likelihood_ == pytest.approx(model.log_likelihood_, rel=1e-12)
    assert model.n_customers_ == 3000
    assert model.standard_errors_.gt(0).all()


def test_the_highest_of_several_maxima_is_found():
    rng = np.random.default_rng(11)
    for share in (0.05, 0.2):
        # Nearly all leave at once; the few who stay take nearly everything.
        stays = rng.random(300) < share
        x = np.where(stays, rng.binomial(11, 0.86, 300), 0)
        last = np.where(x > 0, 11 - (rng.random(300) < 0.14), 0)
        pasts = pd.DataFrame({"frequency": np.minimum(x, last), "recency": last, "T": 11})
        done = BetaGeoBetaBinomModel().fit(pasts)
        for start in ([1, 1, 1, 11], [8, 1.5, 2, 0.5], [0.3, 0.3, 3, 3], [50, 9, 0.5, 0.5]):
            objective = Objective(done, done.sample_of(pasts))
            top = maximise(objective, np.log(np.array(start, dtype=float)), max_iterations=200, tolerance=1e-4)
            # At the limits of the search a little may be left.
            assert top.value <= done.log_likelihood_ + 0.01


def test_customers_who_never_leave_end_at_the_boundary():
    rng = np.random.default_rng(2)
    taken = rng.random((4000, 12)) < rng.beta(4, 3, (4000, 1))
    last = np.where(taken.any(axis=1), 12 - taken[:, ::-1].argmax(axis=1), 0)
    model = BetaGeoBetaBinomModel().fit(pd.DataFrame({"frequency": taken.sum(axis=1), "recency": last, "T": 12}))
    assert "gamma" in model.at_boundary_
    assert model.standard_errors_[list(model.at_boundary_)].isna().all()
    assert model.expected_probability_alive(frame([(5, 9, 12)]), 1).item() > 0.99


@pytest.mark.parametrize(
    ("past", "fault"),
    [
        ((1, 2.5, 6), "recency ≠ 0, 1, 2, …: 1 (7)"),
        ((1, 2, 6.5), "T ≠ 0, 1, 2, …: 1 (7)"),
        ((3, 2, 6), "frequency > recency: 1 (7)"),
        ((2, 0, 6), "frequency > recency: 1 (7)"),
        ((0, 2, 6), "frequency = 0, recency > 0: 1 (7)"),
        ((1, 7, 6), "recency > T: 1 (7)"),
        ((1.5, 2, 6), "frequency ≠ 0, 1, 2, …: 1 (7)"),
        ((np.nan, 2, 6), "frequency = NaN: 1 (7)"),
    ],
)
def test_a_broken_row_is_named(past, fault):
    broken = frame([(1, 2, 6), (0, 0, 6), past]).assign(customer_id=[5, 6, 7])
    model = model_of(TYPICAL)
    for use in (model.fit, model.expected_probability_alive):
        with pytest.raises(DataError) as raised:
            use(broken)
        assert raised.value.code == "opportunities_broken"
        assert fault in raised.value.details["faults"].split("; ")


def test_too_little_data_is_said():
    with pytest.raises(InsufficientDataError) as raised:
        BetaGeoBetaBinomModel().fit(frame([(1, 1, 2)]))
    assert raised.value.code == "too_few_customers"
    with pytest.raises(InsufficientDataError) as raised:
        BetaGeoBetaBinomModel().fit(frame([(0, 0, 2), (0, 0, 0)]))
    assert raised.value.code == "nobody_bought_twice"
    with pytest.raises(InsufficientDataError, match="here the most is 2"):
        BetaGeoBetaBinomModel().fit(frame([(1, 1, 2), (0, 0, 1), (2, 2, 2)]))
    with pytest.raises(DataError, match="lacks T"):
        BetaGeoBetaBinomModel().fit(frame([(1, 1, 2)]).drop(columns="T"))


def test_wrong_use_is_said():
    model, one = model_of(TYPICAL), frame([(1, 1, 2)])
    with pytest.raises(UsageError) as raised:
        model.expected_purchases(one, 1.5)
    assert raised.value.code == "bad_opportunities"
    with pytest.raises(UsageError):
        model.expected_purchases(one, -1)
    with pytest.raises(UsageError):
        model.discounted_expected_residual_transactions(one, 0.0)
    with pytest.raises(UsageError):
        model.simulate_customers([2.5], rng=0)
    with pytest.raises(NotFittedError):
        BetaGeoBetaBinomModel().expected_purchases(one, 1)


def test_it_is_cloned_and_pickled_as_scikit_learn_expects():
    model = model_of(TYPICAL)
    assert clone(BetaGeoBetaBinomModel(tolerance=1e-5)).tolerance == 1e-5
    assert pickle.loads(pickle.dumps(model)).params_.equals(model.params_)
