"""BG/NBD with its family, and Gamma-Gamma, against published numbers, on the CDNOW log."""

from pathlib import Path

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
    regularity,
)
from kehu_analysis.summaries import btyd_summary

LOG = Path(__file__).parents[2] / "data" / "cdnow" / "transactions.csv"
CALIBRATION_END = pd.Timestamp("1997-09-30")
HOLDOUT_END = pd.Timestamp("1998-06-30")
HOLDOUT_WEEKS = 39


def summarise(log: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = log[log["date"] <= as_of].groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    first = days.groupby("customer_id")["date"].transform("min")
    repeats = days[days["date"] > first].groupby("customer_id")["amount"].agg(["size", "mean"])
    ends = days.groupby("customer_id")["date"].agg(["min", "max"])
    both = ends.join(repeats).fillna({"size": 0, "mean": 0.0})
    return pd.DataFrame(
        {
            "frequency": both["size"].astype(int),
            "recency": (both["max"] - both["min"]).dt.days / 7,
            "T": (as_of - both["min"]).dt.days / 7,
            "monetary_value": both["mean"],
        }
    ).reset_index()


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return pd.read_csv(LOG, dtype={"customer_id": str}, parse_dates=["date"])


@pytest.fixture(scope="module")
def sample(log: pd.DataFrame) -> pd.DataFrame:
    return summarise(log[log["in_published_sample"] == 1], CALIBRATION_END)


@pytest.fixture(scope="module")
def purchases(sample: pd.DataFrame) -> BetaGeoModel:
    return BetaGeoModel().fit(sample)


@pytest.fixture(scope="module")
def full(log: pd.DataFrame) -> pd.DataFrame:
    return summarise(log, CALIBRATION_END)


def published() -> BetaGeoModel:
    # Fader, Hardie and Lee (2005), table 2, with the decimals that BTYD's bgnbd.EstimateParameters prints.
    model = BetaGeoModel()
    model.params_ = pd.Series([0.2425945, 4.4136019, 0.7929199, 2.4258881], index=["r", "alpha", "a", "b"])
    return model


def test_beta_geo_log_likelihood_of_the_sample(purchases):
    # BTYD: bgnbd.cbs.LL(params, cal.cbs), and CLVTools; Fader, Hardie and Lee (2005) print -9582.4.
    assert purchases.n_customers_ == 2357
    assert purchases.log_likelihood_ == pytest.approx(-9582.429207, abs=1e-5)


def test_beta_geo_parameters_of_the_sample(purchases):
    # As published() above; b of the converged optimum is 2.425907.
    expected = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.425907}
    assert purchases.params_.to_dict() == pytest.approx(expected, rel=1e-5)


def test_beta_geo_standard_errors_are_the_roots_of_the_inverse_hessian(purchases, sample):
    # Differences of the log-likelihood itself, in the parameters, without the package's gradient.
    params = purchases.params_.to_numpy()
    data = purchases.sample_of(sample)
    scale = np.array([1, data.measure, 1, 1])

    def value(parameters):
        return float(purchases.log_likelihoods(parameters / scale, data)[0] @ data.weight)

    steps = np.diag(params * 1e-3)
    hessian = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            hessian[i, j] = (
                value(params + steps[i] + steps[j])
                - value(params + steps[i] - steps[j])
                - value(params - steps[i] + steps[j])
                + value(params - steps[i] - steps[j])
            ) / (4 * steps[i, i] * steps[j, j])
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    assert purchases.standard_errors_.to_numpy() == pytest.approx(expected, rel=2e-3)


def test_holdout_of_the_sample(purchases, sample, log):
    # Sum of conditional expectations over weeks 40 to 78, actual 1,882: CLVTools and BTYD print 1653.41, MAE .7855,
    # RMSE 1.6080.
    later = summarise(log[log["in_published_sample"] == 1], HOLDOUT_END).set_index("customer_id")["frequency"]
    expected = purchases.expected_purchases(sample, HOLDOUT_WEEKS)
    actual = later.loc[sample["customer_id"]].to_numpy() - sample["frequency"].to_numpy()
    assert actual.sum() == 1882
    assert expected.sum() == pytest.approx(1653.41, abs=0.01)
    assert np.abs(expected - actual).mean() == pytest.approx(0.7855, abs=5e-5)
    assert np.sqrt(((expected - actual) ** 2).mean()) == pytest.approx(1.6080, abs=5e-5)


@pytest.mark.parametrize(
    ("x", "t_x", "T", "t", "expected"),
    [
        # BTYD walkthrough, bgnbd.ConditionalExpectedTransactions(params, T.star = 52, x = 26, t.x = 30.86, T.cal = 31)
        (26, 30.857143, 31.0, 52, 25.75659),
        # Fader, Hardie and Lee, "Implementing the BG/NBD model in Excel" (2005): E[Y(39) | x, t_x, T] of customer 1
        (2, 30.43, 38.86, 39, 1.226),
    ],
)
def test_conditional_expectation_of_one_customer(x, t_x, T, t, expected):
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T]})
    assert published().expected_purchases(one, t).item() == pytest.approx(expected, rel=1e-4)


def test_converged_conditional_expectation_of_one_customer(purchases):
    # The same customer of the walkthrough at the converged optimum.
    one = pd.DataFrame({"frequency": [26], "recency": [30.857143], "T": [31.0]})
    assert purchases.expected_purchases(one, 52).item() == pytest.approx(25.75734, rel=1e-5)


def test_probability_alive_of_one_customer():
    # BTYD walkthrough, bgnbd.PAlive(params, x = 26, t.x = 30.86, T.cal = 31); its params have more decimals.
    one = pd.DataFrame({"frequency": [26], "recency": [30.857143], "T": [31.0]})
    assert published().expected_probability_alive(one).item() == pytest.approx(0.9688523, rel=1e-5)


def test_expectation_of_a_new_customer():
    # BTYD walkthrough, bgnbd.Expectation(params, t = 52)
    assert published().expected_purchases_new_customer(52) == pytest.approx(1.444004, rel=2e-5)
    # Fader, Hardie and Lee, "Implementing the BG/NBD model in Excel": E[X(t)], 4 decimals, parameters to 3
    t = [0.1429, 1, 3, 31.8571, 32, 78]
    printed = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
    assert published().expected_purchases_new_customer(t) == pytest.approx(printed, abs=6e-5, rel=5e-4)


def test_beta_geo_of_the_full_log(full):
    # CLVTools and lifetimes (its mean times n, back in weeks), 23,570 customers, first 39 weeks.
    model = BetaGeoModel().fit(full)
    assert model.n_customers_ == 23570
    assert model.log_likelihood_ == pytest.approx(-95368.4439, abs=1e-3)
    expected = {"r": 0.251624, "alpha": 4.788965, "a": 0.723437, "b": 2.161108}
    assert model.params_.to_dict() == pytest.approx(expected, rel=1e-4)


def test_probabilities_of_purchases_of_a_new_customer():
    # BTYD, help of bgnbd.pmf, with params <- c(0.243, 4.414, 0.793, 2.426)
    model = BetaGeoModel()
    model.params_ = pd.Series([0.243, 4.414, 0.793, 2.426], index=["r", "alpha", "a", "b"])
    assert model.probability_of_purchases_new_customer(2, 10) == pytest.approx(1.07869e-07, rel=5e-6)
    assert model.probability_of_purchases_new_customer(39, 0) == pytest.approx(0.5737864, rel=2e-7)


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    # The customers at whom other implementations overflow, or go from one number to another that does not follow.
    [(132, 200.0, 200.0), (133, 200.0, 200.0), (221, 103.43, 103.57)],
)
def test_heavy_buyers_expect_what_a_fine_sum_over_chances_to_leave_gives(x, t_x, T):
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T]})
    r, alpha, a, b = published().params_
    # Fader, Hardie and Lee (2005) before the last integral, by the midpoint rule over p^a, in which the integrand is
    # smooth: p^(a-1) dp is the differential of p^a / a.
    p = ((np.arange(200_000) + 0.5) / 200_000) ** (1 / a)
    density = np.exp((b + x - 1) * np.log1p(-p))
    bought = -np.expm1(-(r + x) * np.log1p(p * 10 / (alpha + T))) / p
    alive = 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))
    expected = alive * (bought @ density) / density.sum()
    assert published().expected_purchases(one, 10).item() == pytest.approx(expected, rel=1e-7)


def test_modified_beta_geo_of_the_sample(sample, log):
    # BTYDplus: mbgnbd.EstimateParameters(cbs), mbgnbd.cbs.LL; printed parameters stop short of the optimum in the fifth
    # digit. Holdout, mbgnbd.ConditionalExpectedTransactions: sum 1576.71, MAE .7648.
    model = ModifiedBetaGeoModel().fit(sample)
    assert model.log_likelihood_ == pytest.approx(-9582.135716, abs=1e-5)
    expected = {"r": 0.52484356, "alpha": 6.18309285, "a": 0.89138778, "b": 1.61404833}
    assert model.params_.to_dict() == pytest.approx(expected, rel=1e-4)
    later = summarise(log[log["in_published_sample"] == 1], HOLDOUT_END).set_index("customer_id")["frequency"]
    actual = later.loc[sample["customer_id"]].to_numpy() - sample["frequency"].to_numpy()
    purchases = model.expected_purchases(sample, HOLDOUT_WEEKS)
    assert purchases.sum() == pytest.approx(1576.71, rel=2e-5)
    assert np.abs(purchases - actual).mean() == pytest.approx(0.7648, abs=5e-5)


def test_modified_beta_geo_of_the_full_log(full):
    # lifetimes' ModifiedBetaGeoFitter (its mean times n, back in weeks).
    model = ModifiedBetaGeoModel().fit(full)
    assert model.log_likelihood_ == pytest.approx(-95336.9583, abs=1e-3)
    expected = {"r": 0.63714, "alpha": 7.31029, "a": 0.807474, "b": 1.228394}
    assert model.params_.to_dict() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "log_likelihood"), [(BetaGeoCNBDModel, -9582.429207), (ModifiedBetaGeoCNBDModel, -9582.135716)]
)
def test_regular_models_choose_chance(log, model, log_likelihood):
    # BTYDplus: bgcnbd.EstimateParameters(cbs), mbgcnbd.EstimateParameters(cbs): k = 1.
    cbs = btyd_summary(log[log["in_published_sample"] == 1], CALIBRATION_END.date())
    fitted = model().fit(cbs)
    assert fitted.k_ == 1
    assert fitted.log_likelihood_ == pytest.approx(log_likelihood, abs=1e-5)


def test_nbd_of_the_sample(sample):
    # BTYDplus: nbd.EstimateParameters(cal.cbs), nbd.cbs.LL(params, cal.cbs); printed .38476588 12.07201373.
    model = NBDModel().fit(sample)
    assert model.log_likelihood_ == pytest.approx(-9763.657615, abs=1e-5)
    assert model.params_.to_dict() == pytest.approx({"r": 0.38476588, "alpha": 12.07201373}, rel=1e-5)
    # BG/NBD in which nobody leaves is the same model.
    still = BetaGeoModel()
    still.params_ = pd.Series([*model.params_, 1e-60, 1.0], index=["r", "alpha", "a", "b"])
    assert still.log_likelihood(sample) == pytest.approx(model.log_likelihood_, abs=1e-6)
    customers, t = sample.head(50), 39.0
    for name in ("expected_purchases", "expected_probability_alive", "expected_probability_no_purchase"):
        given = getattr(model, name)(customers, t), getattr(still, name)(customers, t)
        np.testing.assert_allclose(*given, rtol=1e-8)
    for n in (0, 1, 5):
        given = (one.expected_probability_of_purchases(customers, t, n) for one in (model, still))
        np.testing.assert_allclose(*given, rtol=1e-7)
    given = (one.discounted_expected_residual_transactions(customers, 0.002) for one in (model, still))
    np.testing.assert_allclose(*given, rtol=1e-6)


def test_regularity_of_the_sample(log):
    # BTYDplus: estimateRegularity(elog, method = "wheat") over all 78 weeks; .98505 where no order is drawn at random.
    assert regularity(log[log["in_published_sample"] == 1]) == pytest.approx(0.98505, abs=5e-6)


def test_gamma_gamma_of_the_sample(sample):
    # Fader and Hardie (2013), "The Gamma-Gamma model of monetary value"; BTYD spend.EstimateParameters and CLVTools.
    # Converged optimum: p 6.249572, v 15.44352.
    model = GammaGammaModel().fit(sample)
    assert (model.n_customers_, model.n_left_out_) == (946, 0)
    assert model.log_likelihood_ == pytest.approx(-4055.917695, abs=1e-5)
    assert model.params_.to_dict() == pytest.approx({"p": 6.249572, "q": 3.744256, "v": 15.44352}, rel=2e-5)


def test_gamma_gamma_of_the_full_log(full):
    # CLVTools; one repeat buyer with spend 0 left out.
    model = GammaGammaModel().fit(full)
    assert model.n_left_out_ == 1
    assert model.log_likelihood_ == pytest.approx(-40763.4763, abs=1e-3)


def test_expected_spend_is_the_weighted_mean_of_fader_and_hardie():
    # Fader and Hardie (2013), eq. 5, written as the weighted mean of p v / (q - 1) and the customer's own mean.
    p, q, v = 6.25, 3.74, 15.44
    model = GammaGammaModel()
    model.params_ = pd.Series([p, q, v], index=["p", "q", "v"])
    customers = pd.DataFrame({"frequency": [0, 2, 7, 3], "monetary_value": [0.0, 22.35, 73.74, 0.0]})
    population = p * v / (q - 1)
    weight = (q - 1) / (p * np.array([2, 7]) + q - 1)
    expected = [population, *(weight * population + (1 - weight) * np.array([22.35, 73.74])), population]
    assert model.expected_customer_spend(customers).to_numpy() == pytest.approx(expected)
