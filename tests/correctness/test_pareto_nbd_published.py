"""Pareto/NBD against published numbers, on the CDNOW log."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel

LOG = Path(__file__).parents[2] / "data" / "cdnow" / "transactions.csv"
CALIBRATION_END = pd.Timestamp("1997-09-30")
HOLDOUT_END = pd.Timestamp("1998-06-30")
HOLDOUT_WEEKS = 39
NAMES = ["r", "alpha", "s", "beta"]


def summarise(log: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    days = log.loc[log["date"] <= as_of, ["customer_id", "date"]].drop_duplicates().groupby("customer_id")["date"]
    ends = days.agg(["size", "min", "max"])
    return pd.DataFrame(
        {
            "frequency": ends["size"] - 1,
            "recency": (ends["max"] - ends["min"]).dt.days / 7,
            "T": (as_of - ends["min"]).dt.days / 7,
        }
    )


def with_parameters(*values: float) -> ParetoNBDModel:
    model = ParetoNBDModel()
    model.params_ = pd.Series(values, index=NAMES)
    return model


def published() -> ParetoNBDModel:
    # BTYD walkthrough ("Buy 'Til You Die - A Walkthrough", section 2.2): pnbd.EstimateParameters(cal.cbs); Fader,
    # Hardie and Lee (2005), table 2, print .553 10.578 .606 11.669.
    return with_parameters(0.553279, 10.5777, 0.60623, 11.6684)


def customer(x: int, t_x: float, T: float) -> pd.DataFrame:
    return pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [T]})


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return pd.read_csv(LOG, dtype={"customer_id": str}, parse_dates=["date"])


@pytest.fixture(scope="module")
def sample_log(log: pd.DataFrame) -> pd.DataFrame:
    return log[log["in_published_sample"] == 1]


@pytest.fixture(scope="module")
def sample(sample_log: pd.DataFrame) -> pd.DataFrame:
    return summarise(sample_log, CALIBRATION_END)


@pytest.fixture(scope="module")
def fitted(sample: pd.DataFrame) -> ParetoNBDModel:
    return ParetoNBDModel().fit(sample)


def test_log_likelihood_of_the_sample(fitted):
    # BTYD: pnbd.cbs.LL(params, cal.cbs) and CLVTools; Fader, Hardie and Lee (2005) print -9595.0.
    assert fitted.n_customers_ == 2357
    assert fitted.log_likelihood_ == pytest.approx(-9594.976179, abs=1e-5)


def test_parameters_of_the_sample(fitted):
    # As published() above, where the search stops short of the optimum; fully converged, beta is 11.66874.
    expected = {"r": 0.553279, "alpha": 10.5777, "s": 0.60623, "beta": 11.66874}
    assert fitted.params_.to_dict() == pytest.approx(expected, rel=2e-5)


def test_standard_errors_of_the_sample(fitted):
    # CLVTools: summary(pnbd(clv.cdnow)), from the inverse Hessian.
    expected = [0.0476264, 0.8427222, 0.1872594, 6.2105448]
    assert fitted.standard_errors_.to_list() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("which", "total"), [("published", 1665.69), ("converged", 1665.51)])
def test_holdout_of_the_sample(which, total, fitted, sample, sample_log):
    # Sum of conditional expectations over weeks 40 to 78, actual 1,882: BTYD and CLVTools print 1665.69, MAE .7545,
    # RMSE 1.6028; 1665.51 is that of the fully converged optimum.
    model = published() if which == "published" else fitted
    later = summarise(sample_log, HOLDOUT_END)["frequency"]
    expected = model.expected_purchases(sample, HOLDOUT_WEEKS)
    actual = later.loc[sample.index] - sample["frequency"]
    assert actual.sum() == 1882
    assert expected.sum() == pytest.approx(total, rel=1e-3)
    assert (expected - actual).abs().mean() == pytest.approx(0.7545, rel=1e-3)
    assert np.sqrt(((expected - actual) ** 2).mean()) == pytest.approx(1.6028, rel=1e-3)


def test_one_customer_of_the_walkthrough(fitted):
    # BTYD walkthrough, whose parameters have more decimals: pnbd.ConditionalExpectedTransactions(params, T.star = 52,
    # x = 26, t.x = 30.86, T.cal = 31), pnbd.PAlive(params, 26, 30.86, 31), pnbd.Expectation(params, t = 52)
    one = customer(26, 30.857143, 31.0)
    assert published().expected_purchases(one, 52).item() == pytest.approx(25.45647, rel=1e-4)
    assert fitted.expected_purchases(one, 52).item() == pytest.approx(25.45518, rel=1e-6)
    assert published().expected_probability_alive(one).item() == pytest.approx(0.997874, rel=1e-6)
    assert published().expected_purchases_new_customer(52) == pytest.approx(1.473434, rel=1e-5)


def test_expectation_of_a_new_customer():
    # BTYD manual: pnbd.Expectation(params, t = 1:10) with params <- c(0.55, 10.56, 0.61, 11.64)
    expected = [
        0.05077821,
        0.09916088,
        0.14542507,
        0.18979930,
        0.23247466,
        0.27361274,
        0.31335159,
        0.35181024,
        0.38909211,
    ]
    model = with_parameters(0.55, 10.56, 0.61, 11.64)
    assert model.expected_purchases_new_customer(np.arange(1, 10)) == pytest.approx(expected, abs=6e-9)


def test_probability_alive_of_who_bought_once():
    # BTYD manual: pnbd.PAlive(params, x = 0, t.x = 0, T.cal = 39) and x = 23, t.x = 39 with the same parameters
    model = with_parameters(0.55, 10.56, 0.61, 11.64)
    assert model.expected_probability_alive(customer(0, 0.0, 39.0)).item() == pytest.approx(0.2924031, abs=6e-8)
    assert model.expected_probability_alive(customer(23, 39.0, 39.0)).item() == 1


@pytest.mark.parametrize(("x", "expected"), [(132, 6.2060517889632418), (133, 6.2528722475748113)])
def test_heavy_buyers_do_not_underflow(x, expected):
    # lifetimes: test_conditional_expectation_underflow, t = 10, t_x = T = 200
    model = with_parameters(0.55, 10.58, 0.61, 11.67)
    assert model.expected_purchases(customer(x, 200.0, 200.0), 10).item() == pytest.approx(expected, rel=1e-12)


def test_a_customer_whom_other_implementations_lose():
    # NaN in packages that evaluate 2F1. Alive almost certainly, so that the expectation is that of the rate's
    # posterior, less the end that may come.
    one = customer(221, 103.43, 103.57)
    model = published()
    assert model.expected_probability_alive(one).item() == pytest.approx(1, abs=1e-3)
    expected = model.expected_purchases(one, 1).item()
    assert expected == pytest.approx((0.553279 + 221) / (10.5777 + 103.57), rel=5e-3)


def test_the_full_log(log):
    # CLVTools and lifetimes (its mean times n, back in weeks), 23,570 customers, first 39 weeks.
    model = ParetoNBDModel().fit(summarise(log, CALIBRATION_END))
    assert model.n_customers_ == 23570
    assert model.log_likelihood_ == pytest.approx(-95415.1186, abs=1e-4)
    expected = {"r": 0.597426, "alpha": 11.5857, "s": 0.522173, "beta": 8.827529}
    assert model.params_.to_dict() == pytest.approx(expected, rel=1e-4)
