"""What is picked as extreme is drawn to where it will be next time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import polygamma

from kehu_analysis.shrinkage import moderate_variances, shrink, trigamma_inverse


@given(st.floats(1e-9, 1e9))
def test_trigamma_inverse(value):
    assert float(polygamma(1, trigamma_inverse(value))) == pytest.approx(value, rel=1e-6)


def world(seed, n=2000):
    """True values, and two measurements of each with an error of its own size."""
    rng = np.random.default_rng(seed)
    truth, deviation = rng.normal(-3.0, 2.0, n), rng.uniform(0.5, 6.0, n)
    now, following = truth + deviation * rng.normal(size=(2, n))
    return truth, deviation, now, following


def test_the_prior_of_a_simulated_world_is_found_again():
    _, deviation, now, _ = world(1, n=50_000)
    found = shrink(now, deviation**2)
    assert found.prior_mean == pytest.approx(-3.0, abs=0.05)
    assert found.prior_variance == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("pick", ["lowest", "highest"])
def test_the_shrunken_figures_of_the_picked_are_those_of_the_next_period_and_the_raw_ones_are_not(pick):
    gaps = {"raw": [], "shrunken": []}
    for seed in range(60):
        _, deviation, now, following = world(seed)
        shrunken = shrink(now, deviation**2).values
        picked = np.argsort(now if pick == "lowest" else -now)[:50]
        for name, told in (("raw", now), ("shrunken", shrunken)):
            gaps[name].append(float((told - following)[picked].mean()))
    error = np.std(gaps["shrunken"], ddof=1) / np.sqrt(len(gaps["shrunken"]))
    assert abs(np.mean(gaps["shrunken"])) < 3 * error
    assert abs(np.mean(gaps["raw"])) > 30 * error


def test_intervals_cover_the_true_values_of_the_picked():
    covered = []
    for seed in range(40):
        truth, deviation, now, _ = world(seed)
        found = shrink(now, deviation**2)
        picked = np.argsort(now)[:50]
        covered.append((np.abs(truth - found.values) < 1.645 * found.deviations)[picked].mean())
    assert 0.87 < np.mean(covered) < 0.93


def test_what_differs_by_chance_alone_becomes_the_common_mean():
    found = shrink([1.0, 2.0, 3.0], [100.0, 100.0, 100.0])
    assert found.values.tolist() == pytest.approx([2.0] * 3)
    assert found.prior_variance == 0.0


def test_what_is_known_without_error_stays():
    found = shrink([0.0, 10.0, 20.0, 50.0], [0.0, 0.0, 0.0, 400.0])
    assert found.values[:3].tolist() == pytest.approx([0.0, 10.0, 20.0])
    assert 10.0 < found.values[3] < 50.0


@pytest.mark.parametrize("estimates", [[], [1.0], [1.0, 5.0], [2.0, 2.0, 2.0]])
def test_few_or_equal_estimates_stay_as_they_are(estimates):
    found = shrink(estimates, np.ones(len(estimates)))
    assert found.values.tolist() == estimates


@given(
    st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9)), min_size=3, max_size=30),
    st.floats(0.01, 100.0),
)
def test_shrinking_stays_between_the_estimate_and_the_mean_in_any_unit(rows, unit):
    estimates, variances = np.array(rows).T
    found = shrink(estimates, variances)
    between = np.sort([estimates, np.full(len(rows), found.prior_mean)], axis=0)
    slack = 1e-9 * (1 + np.abs(estimates).max())
    assert ((found.values >= between[0] - slack) & (found.values <= between[1] + slack)).all()
    assert ((found.weights >= 0) & (found.weights <= 1)).all()
    again = shrink(estimates * unit, variances * unit**2)
    assert again.values == pytest.approx(found.values * unit, rel=1e-6, abs=1e-6 * unit * (1 + np.abs(estimates).max()))


def test_moderated_variances_are_between_ones_own_and_the_common_one():
    rng = np.random.default_rng(3)
    true = 0.5 * 8 / rng.chisquare(8, 50_000)
    sample = true * rng.chisquare(4, 50_000) / 4
    found = moderate_variances(sample, np.full(50_000, 4.0))
    assert found.prior_degrees_of_freedom == pytest.approx(8, rel=0.2)
    assert found.prior_variance == pytest.approx(0.5, rel=0.1)
    assert np.abs(np.log(found.values / true)).mean() < np.abs(np.log(sample / true)).mean()
