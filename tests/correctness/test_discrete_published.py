"""BG/BB and shifted beta-geometric against published numbers."""

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv import BetaGeoBetaBinomModel, ShiftedBetaGeoModel

# Fader, Hardie and Shang (2010): donors first seen in 1995 and the years of 1996 to 2001 in which they gave again, as
# counted in BTYD's data set donationsSummary: frequency, recency, customers; T is 6 for all.
DONATIONS = [
    (6, 6, 1203), (5, 6, 728), (4, 6, 512), (3, 6, 357), (2, 6, 234), (1, 6, 129),
    (5, 5, 335), (4, 5, 284), (3, 5, 225), (2, 5, 173), (1, 5, 119),
    (4, 4, 240), (3, 4, 181), (2, 4, 155), (1, 4, 78),
    (3, 3, 322), (2, 3, 255), (1, 3, 129),
    (2, 2, 613), (1, 2, 277),
    (1, 1, 1091),
    (0, 0, 3464),
]  # fmt: skip

# Fader and Hardie (2007): per cent of 1,000 customers still there after 0, 1, …, 7 renewals.
SURVIVED = {
    "high end": [100, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1],
    "regular": [100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1],
}


@pytest.fixture(scope="module")
def donations() -> pd.DataFrame:
    return pd.DataFrame(DONATIONS, columns=["frequency", "recency", "weight"]).assign(T=6)


def donors() -> BetaGeoBetaBinomModel:
    # Fader, Hardie and Shang (2010), with the decimals that BTYD's bgbb.EstimateParameters prints.
    model = BetaGeoBetaBinomModel()
    model.params_ = pd.Series([1.203528, 0.749726, 0.6567808, 2.783796], index=["alpha", "beta", "gamma", "delta"])
    return model


def contracts(alpha: float, beta: float) -> ShiftedBetaGeoModel:
    model = ShiftedBetaGeoModel()
    model.params_ = pd.Series([alpha, beta], index=["alpha", "beta"])
    return model


def losses(segment: str, renewals: int = 7) -> pd.DataFrame:
    left = -np.diff(SURVIVED[segment])[:renewals] * 10
    return pd.DataFrame({"period": range(1, renewals + 1), "n_left": left.round(), "n_customers": 1000})


def test_donations_are_those_of_the_paper(donations):
    assert donations["weight"].sum() == 11104
    # The paper: 11,104 people made 24,615 repeat donations.
    assert (donations["frequency"] * donations["weight"]).sum() == 24615


def test_beta_geo_beta_binom_fit_of_the_donations(donations):
    # BTYD: bgbb.EstimateParameters(donationsSummary$rf.matrix), bgbb.rf.matrix.LL; the paper prints -33,225.6.
    model = BetaGeoBetaBinomModel().fit(donations)
    assert model.n_customers_ == 11104
    assert model.log_likelihood_ == pytest.approx(-33225.58, abs=5e-3)
    expected = {"alpha": 1.203528, "beta": 0.749726, "gamma": 0.6567808, "delta": 2.783796}
    assert model.params_.to_dict() == pytest.approx(expected, rel=1e-3)
    assert model.at_boundary_ == ()


@pytest.mark.parametrize(("segment", "alpha", "beta"), [("high end", 0.668, 3.806), ("regular", 0.704, 1.182)])
def test_shifted_beta_geo_fit_of_the_segments(segment, alpha, beta):
    # Fader and Hardie's numbers for seven renewals, also those of pymc-marketing's notebook on them.
    model = ShiftedBetaGeoModel().fit(losses(segment))
    assert model.params_.to_dict() == pytest.approx({"alpha": alpha, "beta": beta}, abs=5e-4)
    assert model.survival(range(8)) * 100 == pytest.approx(SURVIVED[segment], abs=2)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        # Fader and Hardie (2010), "Customer-base valuation in a contractual setting": mean chance to leave 0.2
        # and polarisation 1 / (1 + alpha + beta) 0.05 and 0.75, which the paper prints as (3.80, 15.20), (.067, .267).
        (3.8, 15.2, [3.31, 3.45, 3.59, 3.72, 3.84]),
        (1 / 15, 4 / 15, [7.68, 9.46, 9.86, 10.06, 10.19]),
    ],
)
def test_discounted_residual_lifetime(alpha, beta, expected):
    found = contracts(alpha, beta).discounted_expected_residual_lifetime(range(5), 0.1)
    assert found == pytest.approx(expected, abs=5.001e-3)


@pytest.mark.parametrize(("x", "t_x", "expected"), [(0, 0, 0.1302169), (4, 5, 3.627858)])
def test_conditional_expectation_of_one_donor(x, t_x, expected):
    # BTYD walkthrough, bgbb.ConditionalExpectedTransactions(params, n.cal = 6, n.star = 10, x, t.x)
    one = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [6]})
    assert donors().expected_purchases(one, 10).item() == pytest.approx(expected, rel=1e-6)


def test_donors_who_never_and_who_always_gave():
    # Fader, Hardie and Shang (2010): chance of being alive in 2002, and expected donations in 2002 to 2006.
    two = pd.DataFrame({"frequency": [0, 6], "recency": [0, 6], "T": 6})
    assert donors().expected_probability_alive(two, 1).tolist() == pytest.approx([0.11, 0.93], abs=5e-3)
    assert donors().expected_purchases(two, 5).tolist() == pytest.approx([0.07, 3.75], abs=5e-3)
