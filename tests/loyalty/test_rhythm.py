import numpy as np
import pytest

from kehu_analysis.loyalty.rhythm import fit_rhythms


def fit(intervals):
    logs = np.log(np.asarray(intervals, dtype=float))
    n = np.full(len(logs), float(logs.shape[1]))
    return fit_rhythms(n, logs.sum(axis=1), (logs**2).sum(axis=1))


def test_the_prior_of_a_simulated_world_is_found_again():
    # True variances are s0² · d0 / chi²(d0).
    rng = np.random.default_rng(11)
    n, prior, spread = 20_000, 8.0, 0.6
    deviation = spread * np.sqrt(prior / rng.chisquare(prior, n))
    found = fit(np.exp(rng.normal(np.log(60), 1.0, (n, 1)) + deviation[:, None] * rng.normal(size=(n, 5))))
    assert found.prior_degrees_of_freedom == pytest.approx(prior, rel=0.1)
    assert found.prior_deviation == pytest.approx(spread, rel=0.02)
    # The moderated variance predicts the true one better than the customer's own or the common one.
    assert np.allclose(found.degrees_of_freedom, found.prior_degrees_of_freedom + 4)
    error = np.abs(np.log(found.deviation / deviation)).mean()
    assert error < np.abs(np.log(found.prior_deviation / deviation)).mean()


def test_customers_alike_share_one_spread():
    rng = np.random.default_rng(4)
    found = fit(np.exp(rng.normal(3.0, 0.5, (40, 4))))
    apart = fit(np.exp(rng.normal(3.0, np.repeat([0.1, 2.0], 20)[:, None], (40, 4))))
    assert found.prior_degrees_of_freedom > 20
    assert apart.prior_degrees_of_freedom < 5


def test_no_spread_is_believed_below_the_rounding_to_days():
    found = fit([[7.0] * 6, [7.0] * 6, [90.0] * 6])
    assert (found.deviation >= np.sqrt(1 / 6) / np.array([7.0, 7.0, 90.0]) - 1e-12).all()
    assert np.isfinite(found.prior_deviation)


def test_one_customer_stands_on_its_own():
    logs = np.log([5.0, 10.0, 20.0])
    found = fit([[5.0, 10.0, 20.0]])
    assert found.deviation[0] == pytest.approx(logs.std(ddof=1))
    assert found.degrees_of_freedom[0] == 2
