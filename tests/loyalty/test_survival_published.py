"""Published and recomputed values of survival analysis.

aml: Miller, R. G. (1981), *Survival Analysis*, p. 49 (R `survival::aml`); 6-MP: Gehan, E. A. (1965), *Biometrika* 52,
203-223 (R `MASS::gehan`); tests 1 and 2: Therneau, T. M., validation of R's survival package; lifelines: its issues #36
and #619. Values by R 4.2.2 with survival 3.5-3. Tolerance 1e-6 unless the value is printed with fewer digits.
"""

import numpy as np
import pytest
from statsmodels.duration.survfunc import survdiff

from kehu_analysis.loyalty.leaving import cox_fit
from kehu_analysis.loyalty.survival_tables import aalen_johansen, kaplan_meier, restricted_mean, survival_quantile

AML = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
AML_OTHER = [5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
TREATED = (
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21
# Start, stop, event, x of Therneau's test 2.
START = np.array([1, 2, 5, 2, 1, 7, 3, 4, 8, 8.0])
STOP = np.array([2, 3, 6, 7, 8, 9, 9, 9, 14, 17.0])
EVENT = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
X = np.array([1, 0, 0, 1, 0, 1, 1, 1, 0, 0.0])


def curve_of(data):
    times, event = data
    return kaplan_meier(np.zeros(len(times)), times, event)


def near(*values):
    return pytest.approx(list(values), abs=1e-6)


def test_aml_survival_errors_and_log_log_limits():
    # survfit(Surv(time, status) ~ 1, subset = x == "Maintained", conf.type = "log-log")
    curve = curve_of(AML)
    assert curve.times.tolist() == [9, 13, 18, 23, 31, 34, 48]
    assert curve.survival.tolist() == near(0.909091, 0.818182, 0.715909, 0.613636, 0.490909, 0.368182, 0.184091)
    assert curve.errors.tolist() == near(0.086678, 0.116291, 0.139665, 0.152632, 0.164193, 0.162669, 0.153493)
    assert curve.low.tolist() == near(0.508080, 0.447429, 0.350190, 0.265752, 0.167331, 0.092830, 0.011738)
    assert curve.high.tolist() == near(0.986674, 0.951162, 0.899024, 0.835299, 0.753400, 0.657041, 0.525015)


def test_aml_median_and_its_limits():
    # quantile(survfit, .5): 31, log-log limits 13 and infinity
    curve = curve_of(AML)
    limits = [survival_quantile(curve.times, values) for values in (curve.low, curve.survival, curve.high)]
    assert limits == [13, 31, np.inf]


@pytest.mark.parametrize(
    ("data", "until", "mean", "error"),
    [
        (AML, 35, 27.0568182, 2.9061216),
        (AML_OTHER, 35, 20.9583333, 3.4560108),
        (TREATED, 23, 17.9092437, 1.5531900),
        (CONTROL, 23, 8.6666667, 1.3773900),
    ],
)
def test_restricted_means(data, until, mean, error):
    # print(survfit, rmean = until)
    assert restricted_mean(curve_of(data), until) == near(mean, error)


def test_six_mp_survival():
    curve = curve_of(TREATED)
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival.tolist() == near(0.857143, 0.806723, 0.752941, 0.690196, 0.627451, 0.537815, 0.448179)


@pytest.mark.parametrize(
    ("one", "other", "statistic", "p"),
    [(AML, AML_OTHER, 3.396388699, 0.065339), (TREATED, CONTROL, 16.7929409892, 4.168809e-5)],
)
def test_log_rank_as_the_finding_asks_for_it(one, other, statistic, p):
    # survdiff(Surv(time, status) ~ group)
    times, event = np.r_[one[0], other[0]], np.r_[one[1], other[1]]
    group = np.r_[np.zeros(len(one[0])), np.ones(len(other[0]))]
    assert survdiff(times, event, group) == near(statistic, p)


@pytest.mark.parametrize(
    ("ties", "slope", "error", "log_likelihood"),
    [("breslow", 1.5091914, 0.4095644, -86.3796221), ("efron", 1.5721251, 0.4123967, -85.0084246)],
)
def test_six_mp_cox(ties, slope, error, log_likelihood):
    # coxph(Surv(time, cens) ~ treat == "control", ties = ties)
    times, event = np.r_[TREATED[0], CONTROL[0]].astype(float), np.r_[TREATED[1], CONTROL[1]]
    x = np.repeat([0.0, 1.0], 21)[:, None]
    fit = cox_fit(np.zeros(42), times, event, x, ties=ties)
    assert [*fit.params, *fit.bse, fit.llf] == near(slope, error, log_likelihood)


@pytest.mark.parametrize(
    ("ties", "slope", "variance", "log_likelihood"),
    [("breslow", 1.47528491, 1.57686887, -3.82474951), ("efron", 1.67685749, 1.63230156, -3.35897484)],
)
def test_ties(ties, slope, variance, log_likelihood):
    # Therneau, test 1
    times, event = np.array([9, 1, 1, 6, 6, 8.0]), np.array([1, 1, 0, 1, 1, 0])
    fit = cox_fit(np.zeros(6), times, event, np.array([[0, 1, 1, 1, 0, 0.0]]).T, ties=ties)
    assert [*fit.params, *fit.cov_params().ravel(), fit.llf] == near(slope, variance, log_likelihood)


@pytest.mark.parametrize(
    ("ties", "slope", "variance", "log_likelihood"),
    [("breslow", -0.08452608, 0.63014587, -9.38701512), ("efron", -0.02110521, 0.63230626, -9.16916646)],
)
def test_late_entry_in_cox(ties, slope, variance, log_likelihood):
    # Therneau, test 2: entry counts from after it
    fit = cox_fit(START, STOP, EVENT, X[:, None], ties=ties)
    assert [*fit.params, *fit.cov_params().ravel(), fit.llf] == near(slope, variance, log_likelihood)


def test_late_entry_in_kaplan_meier():
    # survfit(Surv(start, stop, event) ~ 1) of Therneau's test 2
    curve = kaplan_meier(START, STOP, EVENT)
    assert curve.times.tolist() == [2, 3, 6, 7, 8, 9]
    assert curve.survival.tolist() == near(0.5, 0.333333, 0.266667, 0.2, 0.15, 0.09)
    assert curve.at_risk.tolist() == [2, 3, 5, 4, 4, 5]
    # lifelines' test of left truncation
    curve = kaplan_meier([1, 2, 4, 0, 0], [2, 10, 5, 4, 3], np.ones(5))
    assert curve.times.tolist() == [2, 3, 4, 5, 10]
    assert curve.survival.tolist() == near(0.666667, 0.444444, 0.222222, 0.111111, 0)
    assert curve.at_risk.tolist() == [3, 3, 2, 2, 1]


def test_competing_causes():
    # lifelines #619; survfit(Surv(t, factor(cause)) ~ 1), standard errors too
    times, causes = [1, 5, 3, 6, 1, 3, 2, 5, 2, 3, 6], [0, 1, 1, 1, 2, 1, 0, 1, 0, 2, 2]
    found = aalen_johansen(np.zeros(11), times, causes)
    assert found[1].times.tolist() == [1, 3, 5, 6]
    assert found[1].incidence.tolist() == near(0, 0.25974026, 0.51948052, 0.64935065)
    assert found[2].incidence.tolist() == near(0.09090909, 0.22077922, 0.22077922, 0.35064935)
    assert found[1].errors[1:].tolist() == near(0.1571877, 0.1771069, 0.1671164)
    found = aalen_johansen(np.zeros(6), [1, 2, 3, 4, 5, 6], [0, 1, 1, 2, 2, 0])
    assert found[1].times.tolist() == [2, 3, 4, 5]
    assert found[1].incidence.tolist() == near(0.2, 0.4, 0.4, 0.4)
    assert found[2].incidence.tolist() == near(0, 0, 0.2, 0.4)


def test_competing_causes_and_those_still_there_add_up_to_one_with_late_entry_too():
    rng = np.random.default_rng(3)
    entry = np.floor(rng.uniform(0, 30, 300)) * (np.arange(300) % 2)
    exit_ = entry + 1 + np.floor(rng.exponential(40, 300))
    causes = rng.integers(0, 3, 300)
    found = aalen_johansen(entry, exit_, causes)
    alive = kaplan_meier(entry, exit_, causes > 0)
    total = found[1].incidence + found[2].incidence + alive.survival
    assert total == pytest.approx(np.ones(len(total)))
    # Of a single cause the two are one.
    alone = aalen_johansen(entry, exit_, causes > 0)[1]
    assert 1 - alone.incidence == pytest.approx(alive.survival)
    assert alone.errors[:-1] == pytest.approx(alive.errors[:-1])
