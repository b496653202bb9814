"""Pareto/NBD against brute force: every formula by plain integration or simulation, at typical and extreme places."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

from kehu_analysis.clv.fitting.maximum_likelihood import FirstGuess
from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.numerics import exponential_dropout
from kehu_analysis.clv.numerics.exponential_dropout import (
    discounted_lifetime,
    left_before,
    lifetime_within,
    log_odds_left,
    probability_of_purchases,
)
from kehu_analysis.errors import InsufficientDataError

NAMES = ["r", "alpha", "s", "beta"]
CDNOW = (0.55, 10.58, 0.61, 11.67)
#: Parameters: as published; nearly one rate for all; hardly anybody leaves; alpha = beta; rates that differ wildly.
PARAMETERS = [
    CDNOW,
    (400.0, 3000.0, 300.0, 9000.0),
    (2.0, 5.0, 1e-4, 3.0),
    (1.0, 7.0, 1.0, 7.0),
    (0.01, 1e-3, 0.02, 1e4),
]
#: Customers (x, t_x, T): silent, just bought, heavy, heavy and gone, hardly older than the last purchase, young, old.
CUSTOMERS = [
    (0, 0.0, 39.0),
    (3, 39.0, 39.0),
    (26, 30.857, 31.0),
    (400, 20.0, 39.0),
    (2000, 99.0, 100.0),
    (5, 38.999999, 39.0),
    (1, 0.05, 0.1),
    (7, 4000.0, 5000.0),
]


def with_parameters(*values: float) -> ParetoNBDModel:
    model = ParetoNBDModel()
    model.params_ = pd.Series(values, index=NAMES)
    return model


def arrays(*values):
    return tuple(np.atleast_1d(np.asarray(value, dtype=float)) for value in values)


def log_integral(log_density, low: float, high: float) -> float:
    """Integrate over log time, leaving out what lies 60 below the peak, by very many steps."""
    grid = np.linspace(low, high, 4001)
    values = log_density(np.exp(grid)) + grid
    high_enough = np.flatnonzero(values > values.max() - 60)
    first, last = grid[max(high_enough[0] - 1, 0)], grid[min(high_enough[-1] + 1, len(grid) - 1)]
    fine = np.linspace(first, last, 200_001)
    values = log_density(np.exp(fine)) + fine
    return float(values.max() + np.log(integrate.simpson(np.exp(values - values.max()), x=fine)))


def summary_of(customers) -> pd.DataFrame:
    return pd.DataFrame(customers, columns=["frequency", "recency", "T"])


def drawn_customers(n: int = 600, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    summary = with_parameters(0.8, 6.0, 0.7, 14.0).simulate_customers(rng.integers(20, 60, n).astype(float), rng=rng)
    return summary.assign(recency=np.ceil(summary["recency"]))


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("customer", CUSTOMERS)
def test_log_likelihood_is_that_of_schmittlein_morrison_and_colombo(parameters, customer):
    r, alpha, s, beta = parameters
    x, t_x, T = customer
    gone = -np.inf
    if t_x < T:
        # From the last purchase on; the powers are those of the original, not as shares of anything.
        def log_density(u):
            return -(r + x) * np.log(alpha + t_x + u) - (s + 1) * np.log(beta + t_x + u)

        gone = np.log(s) + log_integral(log_density, np.log(T - t_x) - 60, np.log(T - t_x))
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    constant = np.log(np.arange(x) + r).sum() + r * np.log(alpha) + s * np.log(beta)
    model = with_parameters(*parameters)
    two = summary_of([customer, (1, 1.0, 2.0)])
    sample = model.sample_of(two)
    one = {name: values * (sample.measure if name != "x" else 1) for name, values in sample.columns.items()}
    place = np.flatnonzero((one["x"] == x) & np.isclose(one["T"], T, rtol=1e-12))[0]
    scale = np.array([1, sample.measure, 1, sample.measure])
    each, _ = model.log_likelihoods(list(np.array(parameters) / scale), sample)
    log_likelihood = each[place] - x * np.log(sample.measure)
    assert log_likelihood == pytest.approx(constant + np.logaddexp(alive, gone), rel=1e-10, abs=1e-8)
    chance = model.expected_probability_alive(two.head(1)).item()
    assert chance == pytest.approx(np.exp(alive - np.logaddexp(alive, gone)), rel=1e-7, abs=1e-300)


def test_log_likelihood_agrees_with_the_hypergeometric_function():
    # Fader and Hardie (2005), "A note on deriving the Pareto/NBD model and related expressions", eq. 15 to 17, for
    # alpha below and above beta.
    x, t_x, T, r, s = 3.0, 20.0, 39.0, 0.55, 0.61
    for alpha, beta in ((10.0, 12.0), (12.0, 10.0)):
        most, least = max(alpha, beta), min(alpha, beta)
        order = s + 1 if alpha >= beta else r + x

        def term(t, most=most, least=least, order=order):
            series = special.hyp2f1(r + s + x, order, r + s + x + 1, (most - least) / (most + t))
            return series / (most + t) ** (r + s + x)

        odds = s / (r + s + x) * (alpha + T) ** (r + x) * (beta + T) ** s * (term(t_x) - term(T))
        found = left_before(*arrays(x, t_x, T, r, alpha, s, beta)).log_odds.item()
        assert found == pytest.approx(np.log(odds), rel=1e-10)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_gradient(parameters):
    model, customers = with_parameters(*parameters), summary_of(CUSTOMERS)
    sample = model.sample_of(customers)
    at = np.array(parameters) / np.array([1, sample.measure, 1, sample.measure])
    _, derivatives = model.log_likelihoods(list(at), sample)
    for k in range(4):
        values = []
        for factor in (-2, -1, 1, 2):
            moved = at.copy()
            moved[k] *= np.exp(1e-3 * factor)
            values.append(model.log_likelihoods(list(moved), sample)[0])
        by_log = (8 * (values[2] - values[1]) - (values[3] - values[0])) / 12e-3
        np.testing.assert_allclose(derivatives[k] * at[k], by_log, rtol=1e-6, atol=2e-8)


def test_a_parameter_a_row_is_the_same_as_one_for_all():
    model, customers = with_parameters(*CDNOW), summary_of(CUSTOMERS)
    sample = model.sample_of(customers)
    one = model.log_likelihoods(list(CDNOW), sample)
    by_row = model.log_likelihoods([np.full(len(customers), value) for value in CDNOW], sample)
    for found, expected in zip(by_row, one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_chances_of_several_parameter_sets_at_once():
    model, customers = with_parameters(*CDNOW), summary_of(CUSTOMERS)
    past = History(*(customers[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")))
    several = model.probability_alive_of(past, [np.array(values)[:, None] for values in zip(*PARAMETERS, strict=True)])
    assert several.shape == (len(PARAMETERS), len(CUSTOMERS))
    for row, parameters in zip(several, PARAMETERS, strict=True):
        assert row.tolist() == with_parameters(*parameters).expected_probability_alive(customers).tolist()


def test_the_two_ways_to_the_odds_agree():
    x, t_x, T = np.array(CUSTOMERS).T
    for r, alpha, s, beta in PARAMETERS:
        left = left_before(x, t_x, T, r, alpha, s, beta)
        np.testing.assert_allclose(left.log_odds, log_odds_left(x, t_x, T, r, alpha, s, beta), rtol=1e-13)
        assert left.log_odds[1] == -np.inf
        assert (left.derivatives[:, 1] == 0).all()


@pytest.mark.parametrize("s", [1e-4, 0.3, 1 - 1e-12, 1.0, 1 + 1e-9, 2.5, 40.0, 1e4])
@pytest.mark.parametrize(("rate", "t"), [(11.67, 39.0), (1e-3, 5000.0), (1e6, 0.1)])
def test_lifetime_within(s, rate, t):
    def log_density(u):
        return -s * np.log1p(u / rate)

    expected = np.exp(log_integral(log_density, np.log(t) - 60, np.log(t)))
    assert lifetime_within(*arrays(s, rate, t)).item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("s", [1e-4, 0.3, 1.0, 2.5, 40.0, 1e4])
@pytest.mark.parametrize("rate", [1e-3, 0.9, 50.0, 1e5])
@pytest.mark.parametrize("delta", [1e-5, 0.0027, 0.3])
def test_discounted_lifetime(s, rate, delta):
    def log_density(u):
        return -delta * u - s * np.log1p(u / rate)

    expected = np.exp(log_integral(log_density, np.log(min(rate / s, 1 / delta)) - 60, np.log(100 / delta)))
    assert discounted_lifetime(*arrays(s, rate), delta).item() == pytest.approx(expected, rel=1e-8)


def test_residual_purchases_are_fader_hardie_and_lees():
    # "RFM and CLV: using iso-value curves" (2005), eq. 12, whose confluent function is that of scipy here.
    r, alpha, s, beta = CDNOW
    delta = 0.0027
    customers = summary_of([(3, 30.0, 39.0), (0, 0.0, 39.0)])
    model = with_parameters(*CDNOW)
    x, T = customers["frequency"].to_numpy(), customers["T"].to_numpy()
    alive = model.expected_probability_alive(customers).to_numpy()
    confluent = special.hyperu(s, s, delta * (beta + T))
    # E[1 / (delta + mu)] = delta^(s-1) (beta + T)^s Psi(s, s, delta (beta + T))
    expected = (r + x) / (alpha + T) * alive * delta ** (s - 1) * (beta + T) ** s * confluent
    found = model.discounted_expected_residual_transactions(customers, delta)
    assert found.to_numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "t", "shape", "rate", "s", "end_rate"),
    [
        (0, 39.0, 0.55, 10.58, 0.61, 11.67),
        (1, 39.0, 0.55, 10.58, 0.61, 11.67),
        (10, 2.0, 0.55, 10.58, 0.61, 11.67),
        (30, 52.0, 26.55, 41.58, 0.61, 42.67),
        (3463, 220.9, 447.0, 21.3, 709.6, 225.0),
        (2000, 5000.0, 2000.5, 5000.0, 1e-3, 5000.0),
        (3, 5000.0, 1e-3, 1e-3, 1e-3, 1e4),
        (1, 5000.0, 1.0, 1e-4, 0.02, 1e4),
        (500, 0.1, 0.3, 1e-4, 30.0, 1e-3),
        (5, 100.0, 1e4, 5e3, 1e4, 1e7),
    ],
)
def test_probability_of_purchases(n, t, shape, rate, s, end_rate):
    def log_count(u):
        # numpy's own negative binomial would underflow.
        return stats.nbinom.logpmf(n, shape, rate / (rate + u))

    def log_density(u):
        return log_count(u) + np.log(s / end_rate) - (s + 1) * np.log1p(u / end_rate)

    stays = log_count(t) - s * np.log1p(t / end_rate)
    left = log_integral(log_density, np.log(min(t, rate, end_rate)) - 60, np.log(t))
    found = probability_of_purchases(*arrays(n, t, shape, rate, s, end_rate))
    assert np.log(found).item() == pytest.approx(np.logaddexp(stays, left), abs=1e-7)


@pytest.mark.parametrize("parameters", PARAMETERS[:4])
def test_probabilities_of_purchases_add_up_to_one_and_their_mean_is_the_expectation(parameters):
    model = with_parameters(*parameters)
    customers = summary_of([(0, 0.0, 39.0), (3, 39.0, 39.0), (26, 30.857, 31.0), (40, 20.0, 39.0)])
    n = np.arange(3000)
    for place in range(len(customers)):
        same = customers.iloc[np.full(len(n), place)]
        chances = model.expected_probability_of_purchases(same, 52.0, n).to_numpy()
        expected = model.expected_purchases(customers.iloc[[place]], 52.0).item()
        assert chances.sum() == pytest.approx(1, abs=1e-9)
        assert (chances * n).sum() == pytest.approx(expected, rel=1e-8)


def test_simulation_agrees_with_the_formulas():
    model = with_parameters(*CDNOW)
    customers = summary_of([(0, 0.0, 39.0), (3, 35.0, 39.0), (26, 30.857, 31.0), (8, 25.0, 39.0), (0, 0.0, 0.0)])
    draws, lengths = 40_000, [13.0, 26.0, 13.0]
    purchases = model.simulate_future(customers, lengths, rng=1, draws=draws)
    by_then = purchases.cumsum(axis=2)
    for place, end in enumerate(np.cumsum(lengths)):
        expected = model.expected_purchases(customers, end).to_numpy()
        z = (by_then[:, :, place].mean(axis=0) - expected) / (by_then[:, :, place].std(axis=0) / np.sqrt(draws))
        assert np.abs(z).max() < 4
        for n in (0, 1, 4):
            chance = model.expected_probability_of_purchases(customers, end, n).to_numpy()
            share = (by_then[:, :, place] == n).mean(axis=0)
            error = np.sqrt(chance * (1 - chance) / draws)
            assert (np.abs(share - chance) < 4 * error + 1e-4).all()


def test_drawn_customers_are_those_of_the_likelihood():
    # Counts against the probabilities of a new customer; who has left against P(alive), which knows the past alone.
    model, T, n = with_parameters(*CDNOW), 39.0, 60_000
    drawn = model.simulate_customers(np.full(n, T), rng=2)
    assert (drawn["recency"] <= drawn["T"]).all()
    assert ((drawn["recency"] > 0) == (drawn["frequency"] > 0)).all()
    for count in range(6):
        chance = model.probability_of_purchases_new_customer(T, count)
        share = (drawn["frequency"] == count).mean()
        assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / n)
    # The next 39 weeks of all of them hold what is expected of a new customer from week 39 to 78.
    expected = model.expected_purchases_new_customer(2 * T) - model.expected_purchases_new_customer(T)
    given = model.expected_purchases(drawn, T)
    assert abs(given.mean() - expected) < 4 * given.std() / np.sqrt(n)


@pytest.mark.parametrize("unit", [7.0, 1 / (365.25 / 84), 604_800.0])
def test_time_unit_row_order_and_compression_do_not_matter(unit):
    customers = drawn_customers()
    model = ParetoNBDModel().fit(customers)
    groups = customers.groupby(["frequency", "recency", "T"], as_index=False).size().rename(columns={"size": "weight"})
    other = groups.sample(frac=1, random_state=1).assign(
        recency=lambda table: table["recency"] * unit, T=lambda table: table["T"] * unit
    )
    there = ParetoNBDModel().fit(other)
    assert there.params_.to_numpy() == pytest.approx(model.params_.to_numpy() * [1, unit, 1, unit], rel=1e-6)
    here = model.expected_purchases(customers, 13.0)
    scaled = customers.assign(recency=customers["recency"] * unit, T=customers["T"] * unit)
    assert there.expected_purchases(scaled, 13.0 * unit).to_numpy() == pytest.approx(here.to_numpy(), rel=1e-6)
    jacobian = customers["frequency"].sum() * np.log(unit)
    assert there.log_likelihood_ + jacobian == pytest.approx(model.log_likelihood_, abs=1e-6)


def test_the_maximum_is_one():
    customers = drawn_customers()
    model = ParetoNBDModel().fit(customers)
    sample = model.sample_of(customers)
    scale = np.array([1, sample.measure, 1, sample.measure])

    def loss(location):
        return -float(model.log_likelihoods(list(np.exp(location)), sample)[0] @ sample.weight)

    found = optimize.minimize(loss, np.zeros(4), method="Nelder-Mead", options={"fatol": 1e-9, "maxiter": 4000})
    assert model.log_likelihood_ - sample.log_jacobian >= -found.fun - 1e-8
    assert model.params_.to_numpy() == pytest.approx(np.exp(found.x) * scale, rel=1e-2)


def test_many_rows_start_among_rounded_ages_and_end_at_the_same_place(monkeypatch):
    rng = np.random.default_rng(3)
    customers = with_parameters(*CDNOW).simulate_customers(rng.uniform(10, 60, 4000), rng=rng)
    coarse = ParetoNBDModel().fit(customers)
    begin = FirstGuess(np.array([1.0, 0.5, 1.0, 1.0]))
    monkeypatch.setattr(ParetoNBDModel, "_first_guess", lambda model, sample: begin)
    plain = ParetoNBDModel().fit(customers)
    assert coarse.params_.to_numpy() == pytest.approx(plain.params_.to_numpy(), rel=1e-8)
    assert coarse.log_covariance_.to_numpy() == pytest.approx(plain.log_covariance_.to_numpy(), rel=1e-3)


def test_where_nobody_leaves_the_end_is_at_the_boundary():
    rng = np.random.default_rng(8)
    T = np.full(300, 40.0)
    x = rng.poisson(rng.gamma(2.0, 0.1, 300) * T)
    customers = pd.DataFrame(
        {"frequency": x, "recency": np.where(x > 0, T * rng.random(300) ** (1 / np.maximum(x, 1)), 0), "T": T}
    )
    model = ParetoNBDModel().fit(customers)
    assert {"s", "beta"} & set(model.at_boundary_)
    assert model.expected_probability_alive(customers).mean() > 0.97


def test_covariates_of_both_processes_are_found():
    # Of 6,000 customers half buy at twice the rate, another half leave at three times the rate.
    rng = np.random.default_rng(6)
    parts = []
    for fast in (0, 1):
        for short in (0, 1):
            model = with_parameters(1.5, 6.0 / 2**fast, 1.5, 40.0 / 3**short)
            part = model.simulate_customers(np.full(1500, 52.0), rng=rng)
            parts.append(part.assign(fast=fast, short=short))
    customers = pd.concat(parts, ignore_index=True)
    model = ParetoNBDModel(purchase_covariates=["fast"], dropout_covariates=["short"]).fit(customers)
    for name, truth in (("purchase_fast", np.log(2)), ("dropout_short", np.log(3))):
        assert abs(model.params_[name] - truth) < 4 * model.standard_errors_[name]
    assert model.expected_purchases(customers, 10.0).between(0, 1000).all()


def test_a_second_maximum_is_found_where_many_leave_almost_at_once():
    # Half leave with nine chances in ten after each purchase, the others never; all at one rate.
    rng = np.random.default_rng(27)
    rows = []
    for end in rng.uniform(10, 100, 200):
        leaves = 0.9 if rng.random() < 0.5 else 0.0
        clock = last = 0.0
        x = 0
        while rng.random() >= leaves:
            clock += rng.exponential(2)
            if clock > end:
                break
            x, last = x + 1, clock
        rows.append((x, last, end))
    summary = pd.DataFrame(rows, columns=["frequency", "recency", "T"])
    better = ParetoNBDModel()
    better.params_ = pd.Series([118.67, 241.35, 0.0992, 0.00699], index=["r", "alpha", "s", "beta"])
    done = ParetoNBDModel().fit(summary)
    assert done.log_likelihood_ > better.log_likelihood(summary)
    assert done.params_["r"] > 50


def test_nobody_who_bought_twice_is_too_little():
    with pytest.raises(InsufficientDataError):
        ParetoNBDModel().fit(summary_of([(0, 0.0, 9.0), (0, 0.0, 8.0)]))


def test_nodes_are_enough():
    # The rule of each length of way against one of 120 nodes, at the far end of the way, for a slow and a fast fall.
    rules = {n: np.polynomial.legendre.leggauss(n) for n in (120, *dict(exponential_dropout._NODES_BY_WAY).values())}
    for way, n in exponential_dropout._NODES_BY_WAY:
        for k, ratio in ((0.5, 1e-6), (0.5, 1.0), (1.2, 1e3), (30.0, 1.0), (2000.0, 100.0)):
            scale = 1 / (max(k, 1) + 1.6 * ratio)
            end = min(scale * np.expm1(way), np.expm1(37 / max(k - 1, 0.125)))
            integrals = []
            for nodes, weights in (rules[n], rules[120]):
                u = (1 + nodes) / 2 * np.log1p(end / scale)
                t = scale * np.expm1(u)
                integrals.append(np.sum(weights * np.exp(u - k * np.log1p(t) - 1.6 * np.log1p(t * ratio))))
            assert integrals[0] == pytest.approx(integrals[1], rel=1e-10)
