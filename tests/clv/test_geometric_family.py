"""BG/NBD, MBG/NBD and their regular forms: the likelihood, and all that it tells, against brute force."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats
from sklearn.base import clone

from kehu_analysis.clv import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
    NBDModel,
    regularity,
)
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.numerics.discounted_purchases import discounted_regular_purchases
from kehu_analysis.clv.numerics.geometric_dropout import expected_purchases_while_alive
from kehu_analysis.clv.numerics.regular_purchases import (
    Stages,
    expected_regular_purchases,
    phases,
    probability_of_regular_purchases,
)
from kehu_analysis.clv.numerics.rising_factorials import log_rising, log_rising_slope
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError

NAMES = ["r", "alpha", "a", "b"]
TRUTH = np.array([1.5, 2.0, 0.8, 2.5])
FAMILY = [
    pytest.param(BetaGeoCNBDModel, 1, 0, id="BG/NBD"),
    pytest.param(ModifiedBetaGeoCNBDModel, 1, 1, id="MBG/NBD"),
    pytest.param(BetaGeoCNBDModel, 3, 0, id="BG/CNBD-3"),
    pytest.param(ModifiedBetaGeoCNBDModel, 2, 1, id="MBG/CNBD-2"),
]


def true_model(model, k, parameters=TRUTH):
    known = model(k=k)
    known.params_ = pd.Series(parameters, index=NAMES)
    return known


def story(k, d, n, seed, *, future=26.0, rate=None, leaves=None):
    """The models' story told stage by stage, with plain numpy: what is seen by T, and what then follows."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = TRUTH
    T = rng.uniform(10, 60, n)
    rate = rng.gamma(r, 1 / alpha, n) if rate is None else rate
    leaves = rng.beta(a, b, n) if leaves is None else leaves
    told = {name: np.zeros(n) for name in ("frequency", "recency", "sum_log_interval", "later", "discounted", "left")}
    told["left"][:] = np.inf
    clock, active = np.zeros(n), np.arange(n)
    if d:
        gone = rng.random(n) < leaves
        told["left"][gone] = 0.0
        active = active[~gone]
    while len(active):
        interval = rng.gamma(k, 1 / rate[active])
        clock[active] += interval
        keep = clock[active] <= T[active] + future
        active, interval = active[keep], interval[keep]
        past = clock[active] <= T[active]
        told["frequency"][active] += past
        told["recency"][active[past]] = clock[active[past]]
        told["sum_log_interval"][active[past]] += np.log(interval[past])
        told["later"][active] += ~past
        told["discounted"][active] += ~past * np.exp(-0.2 * (clock[active] - T[active]))
        gone = rng.random(len(active)) < leaves[active]
        told["left"][active[gone]] = clock[active[gone]]
        active = active[~gone]
    return pd.DataFrame({**told, "T": T})


def agrees(actual, expected, within=4.0):
    missed = np.asarray(actual, dtype=float) - np.asarray(expected)
    return abs(missed.sum()) <= within * np.sqrt((missed**2).sum())


@pytest.mark.parametrize(
    ("cnbd", "plain"), [(BetaGeoCNBDModel, BetaGeoModel), (ModifiedBetaGeoCNBDModel, ModifiedBetaGeoModel)]
)
def test_with_one_stage_the_regular_model_is_the_plain_one_to_the_last_bit(cnbd, plain):
    customers = story(1, plain._leaves_at_once, 500, 1)
    regular, simple = cnbd(k=1).fit(customers.drop(columns="sum_log_interval")), plain().fit(customers)
    assert regular.params_.equals(simple.params_)
    assert regular.log_likelihood_ == simple.log_likelihood_
    assert regular.expected_purchases(customers, 9.0).equals(simple.expected_purchases(customers, 9.0))


@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
@pytest.mark.parametrize("times", [[], [3.0], [1.0, 2.5, 7.0, 7.5]])
def test_likelihood_is_the_integral_over_rates_and_chances(model, k, d, times):
    r, alpha, a, b = TRUTH
    T, x = 20.0, len(times)
    t_x = times[-1] if times else 0.0
    intervals = np.diff([0.0, *times])

    def given_rate(rate):
        seen = np.prod(stats.gamma.pdf(intervals, k, scale=1 / rate))
        silent = stats.gamma.sf(T - t_x, k, scale=1 / rate)
        stayed = special.beta(a, b + x + d) / special.beta(a, b)
        left = special.beta(a + 1, b + x + d - 1) / special.beta(a, b) if x + d else 0.0
        return stats.gamma.pdf(rate, r, scale=1 / alpha) * seen * (stayed * silent + left)

    expected = integrate.quad(given_rate, 0, 20, epsabs=0, epsrel=1e-10, points=[0.05, 0.5], limit=300)[0]
    logs = float(np.log(intervals).sum())
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T], "sum_log_interval": [logs]})
    other = pd.DataFrame({"frequency": [1], "recency": [2.0], "T": [T], "sum_log_interval": [np.log(2.0)]})
    known = true_model(model, k)

    def log_likelihood(summary):
        sample = known.sample_of(summary)
        parameters = TRUTH / sample.measure ** np.array([0, 1, 0, 0])
        return known.log_likelihoods(parameters, sample)[0] @ sample.weight + sample.log_jacobian

    both, twice = log_likelihood(pd.concat([one, other])), log_likelihood(pd.concat([other, other]))
    assert both - twice / 2 == pytest.approx(np.log(expected), abs=1e-8)


def test_a_second_maximum_is_found_where_the_first_is_that_nobody_leaves():
    # A short log in which a sixth leave at their first repeat purchase and the others never.
    gains = []
    for seed in (4, 9, 37):
        rng = np.random.default_rng(seed)
        n = 400
        T, rate, gone = rng.uniform(2, 8, n), rng.gamma(0.67, 1 / 5.8, n), rng.random(n) < 0.17
        x, recency = rng.poisson(rate * T), np.zeros(n)
        for customer in np.flatnonzero(x):
            times = np.sort(rng.uniform(0, T[customer], x[customer]))
            x[customer] = 1 if gone[customer] else x[customer]
            recency[customer] = times[x[customer] - 1]
        summary = pd.DataFrame({"frequency": x, "recency": recency, "T": T})
        done, still = BetaGeoModel().fit(summary), NBDModel().fit(summary)
        assert set(done.at_boundary_) >= {"a", "b"}
        assert np.exp(np.log(done.params_["a"]) - np.log(done.params_["b"])) == pytest.approx(0.2, abs=0.19)
        gains.append(done.log_likelihood_ - still.log_likelihood_)
    assert min(gains) > 0.05


@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
def test_gradient_is_the_derivative_also_with_parameters_by_row(model, k, d):
    known = true_model(model, k)
    sample = known.sample_of(story(k, d, 300, 3))
    n = len(sample.weight)
    for seed in range(3):
        parameters = np.exp(np.random.default_rng(seed).normal(0, 0.8, 4))
        each, derivatives = known.log_likelihoods(parameters, sample)
        by_row = known.log_likelihoods([np.full(n, value) for value in parameters], sample)
        assert by_row[0] == pytest.approx(each, rel=1e-10, abs=1e-12)
        assert by_row[1] == pytest.approx(derivatives, rel=1e-8, abs=1e-10)
        for place, value in enumerate(parameters):
            step = np.zeros(4)
            step[place] = 1e-5 * value
            up, down = (known.log_likelihoods(parameters + sign * step, sample)[0] for sign in (1, -1))
            numerical = (up - down) / (2 * step[place])
            assert derivatives[place] == pytest.approx(numerical, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
def test_what_is_expected_is_what_happens(model, k, d):
    told = story(k, d, 30_000, 5)
    known = true_model(model, k)
    alive = known.expected_probability_alive(told)
    still = known.expected_probability_alive(told, 26.0)
    purchases = known.expected_purchases(told, 26.0)
    none = known.expected_probability_no_purchase(told, 26.0)
    two = known.expected_probability_of_purchases(told, 26.0, 2)
    # Apart by how often, and by how long ago as a share of the customer's own interval: what the phase is about.
    waited = (told["T"] - told["recency"]) / ((told["recency"] + 5) / (told["frequency"] + 1))
    for _, rows in told.groupby([np.minimum(told["frequency"], 6), np.digitize(waited, [0.5, 1.0, 2.0])]):
        at = rows.index
        if len(at) < 300:
            continue
        assert agrees(rows["left"] > rows["T"], alive[at])
        assert agrees(rows["left"] > rows["T"] + 26.0, still[at])
        assert agrees(rows["later"], purchases[at])
        assert agrees(rows["later"] == 0, none[at])
        assert agrees(rows["later"] == 2, two[at])
    if not d:
        assert (alive[told["frequency"] == 0] == 1).all()
    else:
        assert (alive[told["frequency"] == 0] < TRUTH[3] / TRUTH[2:].sum()).all()


@pytest.mark.long
@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
def test_discounted_purchases_are_those_that_come(model, k, d):
    # At 0.2 a week what comes after two years weighs nothing.
    told = story(k, d, 20_000, 6, future=104.0)
    residual = true_model(model, k).discounted_expected_residual_transactions(told, 0.2)
    for _, rows in told.groupby(np.minimum(told["frequency"], 4)):
        assert agrees(rows["discounted"], residual[rows.index])


@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
def test_counts_sum_to_one_and_their_mean_is_the_expectation(model, k, d):
    known = true_model(model, k)
    customers = pd.DataFrame({"frequency": [0, 4, 60], "recency": [0.0, 20.0, 49.0], "T": [30.0, 24.0, 50.0]})
    n = np.arange(400)
    for place in range(len(customers)):
        repeated = customers.iloc[np.full(len(n), place)]
        chance = known.expected_probability_of_purchases(repeated, 20.0, n).to_numpy()
        assert chance.sum() == pytest.approx(1, abs=1e-9)
        assert chance @ n == pytest.approx(known.expected_purchases(repeated, 20.0).iloc[0], rel=1e-8)
    new = known.probability_of_purchases_new_customer(20.0, n)
    assert new @ n == pytest.approx(known.expected_purchases_new_customer(20.0), rel=1e-8)


@pytest.mark.parametrize(("model", "k", "d"), FAMILY)
def test_drawn_futures_and_pasts_follow_the_formulas(model, k, d):
    known = true_model(model, k)
    one = pd.DataFrame({"frequency": [4], "recency": [20.0], "T": [24.0]})
    drawn = known.simulate_future(one, [5.0, 0.0, 20.0], rng=1, draws=40_000)[:, 0, :]
    assert (drawn[:, 1] == 0).all()
    for until, purchases in ((5.0, drawn[:, 0]), (25.0, drawn.sum(axis=1))):
        assert agrees(purchases, known.expected_purchases(one, until).item())
        for n in (0, 1, 3):
            assert agrees(purchases == n, known.expected_probability_of_purchases(one, until, n).item())
    pasts = known.simulate_customers(np.full(30_000, 30.0), rng=2)
    for n in (0, 1, 5):
        assert agrees(pasts["frequency"] == n, known.probability_of_purchases_new_customer(30.0, n))
    told = story(k, d, 30_000, 7)
    again = known.simulate_customers(told["T"], rng=3)
    for column in ("frequency", "recency", "sum_log_interval"):
        for few in (1, 4):
            samples = [rows.loc[rows["frequency"].between(1, few), column] for rows in (told, again)]
            apart = samples[0].mean() - samples[1].mean()
            assert abs(apart) <= 4 * np.sqrt(sum(values.var() / len(values) for values in samples))


def test_parameters_may_vary_from_draw_to_draw_and_from_customer_to_customer():
    known = true_model(BetaGeoCNBDModel, 2)
    customers = story(2, 0, 300, 8)
    other = [3.0, 1.0, 0.5, 4.0]
    sets = pd.DataFrame([TRUTH] * 150 + [other] * 150, columns=NAMES)
    drawn = known.simulate_future(customers, [10.0], rng=1, parameters=sets)[:, :, 0]
    expected = [
        true_model(BetaGeoCNBDModel, 2, values).expected_purchases(customers, 10.0) for values in (TRUTH, other)
    ]
    assert drawn[:150].mean(axis=0).sum() == pytest.approx(expected[0].sum(), rel=0.05)
    assert drawn[150:].mean(axis=0).sum() == pytest.approx(expected[1].sum(), rel=0.05)

    past = History(*(customers[name].to_numpy() for name in ("frequency", "recency", "T")))
    second = np.arange(300) % 2 == 1
    by_row = [np.where(second, values[1], values[0]) for values in zip(TRUTH, other, strict=True)]
    mixed = known.expected_purchases_of(past, np.full(300, 10.0), by_row)
    assert mixed == pytest.approx(np.where(second, expected[1], expected[0]))


def test_the_number_of_stages_is_found():
    customers = story(3, 1, 1500, 9)
    chosen = ModifiedBetaGeoCNBDModel().fit(customers)
    assert (chosen.k, chosen.k_) == (None, 3)
    given = ModifiedBetaGeoCNBDModel(k=3).fit(customers)
    assert chosen.log_likelihood_ == given.log_likelihood_
    assert given.log_likelihood_ > ModifiedBetaGeoCNBDModel(k=4).fit(customers).log_likelihood_
    again = pickle.loads(pickle.dumps(chosen))
    assert again.expected_purchases(customers, 5.0).equals(given.expected_purchases(customers, 5.0))
    assert not hasattr(clone(chosen), "k_")
    assert chosen.set_params(k=1).fit(customers).k_ == 1


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "2"])
def test_stages_are_a_whole_number(k):
    with pytest.raises(UsageError) as raised:
        BetaGeoCNBDModel(k=k).fit(story(1, 0, 50, 1))
    assert raised.value.code == "bad_stages"


def test_regular_models_need_the_logs_of_intervals_in_the_right_unit():
    customers = story(2, 0, 100, 1)
    with pytest.raises(DataError, match="sum_log_interval"):
        BetaGeoCNBDModel(k=2).fit(customers.drop(columns="sum_log_interval"))
    in_days = customers.assign(sum_log_interval=customers["sum_log_interval"] + customers["frequency"] * np.log(7))
    with pytest.raises(DataError) as raised:
        BetaGeoCNBDModel(k=2).fit(in_days)
    assert "sum_log_interval > frequency · ln(recency / frequency)" in raised.value.details["faults"]


def test_unit_order_and_compression_do_not_matter_to_regular_models():
    whole = BetaGeoCNBDModel(k=2)
    weeks = story(2, 0, 400, 4)
    days = weeks.assign(
        recency=weeks["recency"] * 7,
        T=weeks["T"] * 7,
        sum_log_interval=weeks["sum_log_interval"] + weeks["frequency"] * np.log(7),
    )
    fitted, other = whole.fit(weeks), BetaGeoCNBDModel(k=2).fit(days.sample(frac=1, random_state=2))
    assert other.params_.to_numpy() == pytest.approx(fitted.params_.to_numpy() * [1, 7, 1, 1], rel=1e-7)
    assert other.log_likelihood_ == pytest.approx(fitted.log_likelihood_ - weeks["frequency"].sum() * np.log(7))
    expected = fitted.expected_purchases(weeks, 8.0)
    assert other.expected_purchases(days, 56.0).to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)
    residual = fitted.discounted_expected_residual_transactions(weeks, 0.07)
    in_days = other.discounted_expected_residual_transactions(days, 0.01)
    assert in_days.to_numpy() == pytest.approx(residual.to_numpy(), rel=1e-6)
    twice = BetaGeoCNBDModel(k=2).fit(weeks.assign(weight=2))
    assert twice.log_likelihood_ == pytest.approx(2 * fitted.log_likelihood_, rel=1e-12)


def known_customers(k, seed, n=12):
    rng = np.random.default_rng(seed)
    shape = np.exp(rng.uniform(-3, 8, n))
    phase = phases(shape, rng.uniform(0, 1, n), k)[1]
    rate, leave, stay = (np.exp(rng.uniform(low, high, n)) for low, high in ((-1, 5), (-5, 5), (-3, 6)))
    return Stages(shape, rate, leave, stay, phase), np.exp(rng.uniform(-3, 3, n))


@pytest.mark.long
@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_blocks_of_the_sum_over_purchases_are_the_sum(k):
    known, t = known_customers(k, k)
    n = np.arange(1, 60_001.0)
    stayed = (
        special.betaln(known.leave[:, None], known.stay[:, None] + n - 1)
        - special.betaln(known.leave, known.stay)[:, None]
    )
    pace = t / known.rate
    comes = sum(
        known.phase[j][:, None] * special.betainc(n * k - j, (known.shape + j)[:, None], (pace / (1 + pace))[:, None])
        for j in range(k)
    )
    assert comes[:, -1].max() < 1e-12  # all of it is here
    expected = np.sum(np.exp(stayed) * comes, axis=1)
    assert expected_regular_purchases(known, t) == pytest.approx(expected, rel=1e-9)
    if k == 1:
        assert expected_purchases_while_alive(*known[:4], t) == pytest.approx(expected, rel=1e-8)


@pytest.mark.long
@pytest.mark.parametrize("k", [1, 2, 7])
def test_discounted_purchases_are_the_discounted_increments_of_the_expectation(k):
    known, _ = known_customers(k, 10 + k)
    for delta in (1e-4, 0.05, 3.0):
        # delta * integral of exp(-delta t) E(t) dt, by the trapezoidal rule in log t.
        times = np.exp(np.arange(-45, 4.4, 0.1))
        weights = times * np.exp(-times) * 0.1
        expected = [
            expected_regular_purchases(
                Stages(*(np.repeat(column, len(times), -1) for column in known.part([row]))), times / delta
            )
            @ weights
            for row in range(len(known.shape))
        ]
        assert discounted_regular_purchases(known, delta) == pytest.approx(np.array(expected), rel=1e-6)


def test_one_time_and_very_heavy_buyers_and_endless_horizons():
    one = np.ones(1)
    # All of a geometric number of purchases come in the end: E[1/p] of those alive.
    for shape, k in ((0.5, 1), (3.0, 4), (24_000.0, 12)):
        known = Stages(shape * one, one, 3 * one, 4 * one, phases(shape * one, 0.5 * one, k)[1])
        assert expected_regular_purchases(known, 1e16 * one) == pytest.approx((3 + 4 - 1) / (3 - 1), rel=1e-6)
        chances = [probability_of_regular_purchases(known, 1e16 * one, np.array([n])).item() for n in (0, 1)]
        assert chances[1] == pytest.approx(3 / 7, rel=1e-2)


@pytest.mark.parametrize("z", [1e-200, 0.3, 15.99, 16.0, 40.0, 1e9])
@pytest.mark.parametrize("n", [0, 1, 7, 2000])
def test_rising_factorials_against_their_products(z, n):
    factors = z + np.arange(n)
    at = np.array([z]), np.array([float(n)])
    assert log_rising(*at) == pytest.approx(np.log(factors).sum(), rel=1e-13, abs=1e-300)
    assert log_rising_slope(*at) == pytest.approx((1 / factors).sum(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_regularity_is_found(k):
    rng = np.random.default_rng(k)
    days = np.cumsum(rng.gamma(k, 200 / k, (4000, 3)), axis=1).round()
    log = pd.DataFrame(
        {
            "customer_id": np.repeat([f"{i:04}" for i in range(4000)], 3),
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(days.ravel(), unit="D"),
        }
    )
    found = regularity(log.sample(frac=1, random_state=1))
    assert found == pytest.approx(k, rel=0.1)
    assert regularity(pd.concat([log, log.head(50)])) == found


def test_regularity_needs_intervals_and_dates():
    log = pd.DataFrame({"customer_id": ["a", "a"], "date": ["2026-01-01", "2026-01-02"]})
    with pytest.raises(InsufficientDataError) as raised:
        regularity(log)
    assert raised.value.code == "no_regularity"
    with pytest.raises(DataError) as broken:
        regularity(log.assign(date=["2026-01-01", "soon"]))
    assert broken.value.details["n"] == 1
