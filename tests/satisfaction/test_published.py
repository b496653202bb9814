"""Published figures whose inputs are short: intervals of surveys, weights, importance and ordinal regression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kehu_analysis.satisfaction import stated_share
from kehu_analysis.satisfaction.estimates import Answers, estimate_mean
from kehu_analysis.satisfaction.importance import johnson_weights, shapley_shares
from kehu_analysis.satisfaction.intervals import (
    effective_size,
    mean_interval,
    nps_interval,
    wilson_interval,
    worst_case,
)
from kehu_analysis.satisfaction.ordinal import fit_ordinal
from kehu_analysis.satisfaction.weighting import kish_size, rake, weigh_answers
from kehu_analysis.satisfaction.within import within_slopes

# --- shares ----------------


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.255289, 0.366210), (15, 148, 0.062386, 0.160487), (0, 20, 0, 0.161125), (1, 29, 0.006113, 0.171755)],
)
def test_wilson(k: int, n: int, low: float, high: float) -> None:
    # Newcombe, R. G. (1998), Statistics in Medicine 17, 857-872, table I; R's prop.test(correct=FALSE).
    assert wilson_interval(k / n, n, level=0.95)[1:] == pytest.approx((low, high), abs=1e-6)


def test_wilson_of_a_finite_number() -> None:
    assert effective_size(263, 600) == pytest.approx(467.4688, abs=1e-4)
    found = wilson_interval(81 / 263, 263, level=0.95, population=600)
    assert found[1:] == pytest.approx((0.267841, 0.351258), abs=1e-6)
    assert wilson_interval(0.4, 50, level=0.95, population=50) == (0.4, 0.4, 0.4)


def test_bounds_of_silence() -> None:
    # Manski, C. F. (1995), Identification problems in the social sciences, chapter 2; interval of Imbens and Manski.
    found = worst_case(21, 64, 106, level=0.95)
    assert found == pytest.approx((21 / 106, 63 / 106, 0.134435, 0.672786), abs=1e-6)
    whole = worst_case(21, 64, 64, level=0.95)
    assert whole.lowest == whole.highest == 21 / 64


def test_the_handbooks_share_is_no_whole_number_of_shops() -> None:
    found = stated_share(0.9778, 1500, interval=0.95)
    facts = {name: fact.value for name, fact in found.facts.items()}
    assert facts["n_if_all"] == pytest.approx(1466.7)
    assert facts["is_whole"] == "not_whole"
    assert facts["fewest_answers"] == 45
    first = found.table.iloc[0]
    assert (first["n_answers"], first["n_satisfied"]) == (45, 44)
    assert round(first["share"], 4) == 0.9778
    wilson = wilson_interval(44 / 45, 45, level=0.95, population=1500)
    assert (first["low"], first["high"]) == pytest.approx(wilson[1:])
    assert (first["lowest"], first["highest"]) == pytest.approx((44 / 1500, 1499 / 1500))
    assert {"stated_share_ask", "stated_share_silent"} == set(found.notes)
    assert "1,466.7" in found.reading("en")
    assert (found.table["n_satisfied"] / found.table["n_answers"]).round(4).eq(0.9778).all()


# --- net promoter score ----------------


def test_net_promoter_score() -> None:
    # 162 promoters, 108 passives, 54 detractors: score 33.33, Var = p + d - (p - d)² = .5555556 (Cross Validated).
    p, d, n = 162 / 324, 54 / 324, 324
    assert p + d - (p - d) ** 2 == pytest.approx(0.5555556, abs=1e-7)
    # Rocks, B. (2016), The American Statistician 70, 365-372: adjusted Wald.
    assert nps_interval(p, d, n, level=0.95) == pytest.approx((33.3333, 24.94525, 41.10980), abs=1e-4)
    ten = nps_interval(1.0, 0.0, 10, level=0.95)
    assert ten.low == pytest.approx(47.503, abs=1e-3)
    assert ten.high <= 100


# --- means and weights ----------------


def answers(values: np.ndarray, strata: np.ndarray, asked: list[int]) -> Answers:
    """Return answers of a survey in which so many were asked in each stratum."""
    silent = np.concatenate([np.full(n - (strata == level).sum(), level) for level, n in enumerate(asked)])
    frame = pd.DataFrame({"stratum": np.concatenate([strata, silent])})
    answered = np.arange(len(frame)) < len(values)
    shop = np.arange(len(values))
    return Answers(shop, np.zeros_like(shop), weigh_answers(frame, answered, ["stratum"]), answered, 0.0, 1.0)


def exactly(n: int, mean: float, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return numbers with this mean and sample standard deviation."""
    draw = rng.normal(size=n)
    return mean + deviation * (draw - draw.mean()) / draw.std(ddof=1)


def test_mean_of_a_finite_number() -> None:
    # R survey, apisrs: mean of api00 656.585, SE 9.402772 of endlessly many, 9.249722 of 6,194 schools.
    rng = np.random.default_rng(1)
    values = exactly(200, 656.585, 9.402772 * np.sqrt(200), rng)
    found = estimate_mean(values, answers(values, np.zeros(200, dtype=int), [6194]))
    assert found.mean == pytest.approx(656.585)
    assert np.sqrt(found.variance) == pytest.approx(9.249722, abs=1e-5)
    limits = mean_interval(found.mean, found.variance, level=0.95, limits=(0, 1000))
    assert limits[1:] == pytest.approx((638.455878, 674.714122), abs=1e-4)


def test_mean_of_strata() -> None:
    # R survey, apistrat: mean 662.287363578, SE 9.408940879.
    rng = np.random.default_rng(2)
    strata = [(100, 674.43, 125.249428), (50, 625.82, 109.302742), (50, 636.60, 117.579153)]
    values = np.concatenate([exactly(*stratum, rng) for stratum in strata])
    found = estimate_mean(values, answers(values, np.repeat([0, 1, 2], [100, 50, 50]), [4421, 755, 1018]))
    assert found.mean == pytest.approx(662.287363578, abs=1e-6)
    assert np.sqrt(found.variance) == pytest.approx(9.408940879, abs=1e-5)


def test_post_stratified_weights() -> None:
    # R survey, apiclus1: 144 elementary, 14 high, 25 middle schools.
    level = np.repeat([0, 1, 2], [144, 14, 25])
    weights = rake(level[:, None], [[4421, 755, 1018]])
    assert [weights[level == each][0] for each in range(3)] == pytest.approx([30.70138889, 53.92857143, 40.72])


def test_raked_weights() -> None:
    # R survey's rake of apiclus1; ipfn and weightipy agree.
    counts = {(0, 0): 12, (0, 1): 132, (1, 0): 3, (1, 1): 11, (2, 0): 8, (2, 1): 17}
    codes = np.repeat(list(counts), list(counts.values()), axis=0)
    weights = rake(codes, [[4421, 755, 1018], [1072, 5122]], np.full(183, 33.846996))
    expected = [39.83923625, 29.87067549, 67.12552924, 50.32940112, 49.06907216, 36.79102486]
    found = [weights[(codes == cell).all(axis=1)][0] for cell in counts]
    assert found == pytest.approx(expected, abs=1e-6)
    assert kish_size(weights) == pytest.approx(174.011, abs=1e-3)
    assert 183 / kish_size(weights) == pytest.approx(1.0516567, abs=1e-6)


def test_iterative_proportional_fitting() -> None:
    # Wikipedia's table of iterative proportional fitting; numpy and R agree.
    start = np.array([[40, 30, 20, 10], [35, 50, 100, 75], [30, 80, 70, 120], [20, 30, 40, 50]], dtype=float)
    codes = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), axis=-1).reshape(-1, 2)
    found = rake(codes, [[150, 300, 400, 150], [200, 300, 400, 100]], start.ravel()).reshape(4, 4)
    expected = [
        [64.5585, 46.2325, 35.3843, 3.8247],
        [49.9679, 68.1594, 156.4985, 25.3742],
        [56.7219, 144.4282, 145.0825, 53.7673],
        [28.7516, 41.1800, 63.0347, 17.0337],
    ]
    assert found == pytest.approx(np.array(expected), abs=1e-4)
    odds = found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0])
    assert odds == pytest.approx(40 * 50 / (30 * 35), abs=1e-6)


# --- importance ----------------

#: Correlations below the diagonal, the outcome last. attitude (Chatterjee and Price 1977): complaints, privileges,
#: learning, raises, critical, advance, rating. mtcars (Henderson and Velleman 1981): cyl, disp, hp, gear, mpg.
ATTITUDE = [
    [0.558288201],
    [0.596735806, 0.493330966],
    [0.669197481, 0.445477938, 0.640314373],
    [0.187714271, 0.147233136, 0.115965246, 0.376882965],
    [0.224579553, 0.343293434, 0.531619788, 0.574186161, 0.283343174],
    [0.82541757, 0.42611687, 0.623678165, 0.590138995, 0.156439152, 0.155086253],
]
MTCARS = [
    [0.902032872],
    [0.832447453, 0.790948586],
    [-0.492686599, -0.555569199, -0.125704258],
    [-0.852161959, -0.847551379, -0.776168372, 0.480284757],
]


def correlation_of(below: list[list[float]]) -> np.ndarray:
    """Return the whole matrix of what stands below its diagonal."""
    matrix = np.eye(len(below) + 1)
    for place, row in enumerate(below, start=1):
        matrix[place, :place] = matrix[:place, place] = row
    return matrix


def test_shapley_shares_of_attitude() -> None:
    # Lindeman, Merenda and Gold's measure; subset formula and all orders by least squares agree.
    found = shapley_shares(correlation_of(ATTITUDE))
    assert found == pytest.approx([0.370816, 0.050904, 0.155766, 0.120345, 0.006589, 0.028182], abs=1e-6)
    assert found.sum() == pytest.approx(0.732602, abs=1e-6)


def test_johnson_weights_of_attitude_and_mtcars() -> None:
    found = johnson_weights(correlation_of(ATTITUDE))
    assert found == pytest.approx([0.362760, 0.056002, 0.163611, 0.121780, 0.008255, 0.020193], abs=1e-6)
    # README of the R package rwa.
    cars = johnson_weights(correlation_of(MTCARS))
    assert cars == pytest.approx([0.2284797, 0.2221469, 0.2321744, 0.0963886], abs=1e-7)
    assert cars.sum() == pytest.approx(0.7791896, abs=1e-7)


# --- ordinal regression ----------------


def test_ordinal_regression_of_wine() -> None:
    # Randall, J. H. (1989), in R's package ordinal: bitterness 1 to 5 by temperature and contact; clm's figures.
    counts = {(0, 0): (4, 9, 5, 0, 0), (0, 1): (1, 7, 8, 2, 0), (1, 0): (0, 5, 8, 3, 2), (1, 1): (0, 1, 5, 7, 5)}
    rows = [(w, c, grade) for (w, c), n in counts.items() for grade, k in enumerate(n, start=1) for _ in range(k)]
    data = pd.DataFrame(rows, columns=["warm", "contact", "rating"])
    fit = fit_ordinal(data["rating"], data[["warm", "contact"]])
    assert fit.effects == pytest.approx([2.503102, 1.527798], abs=1e-4)
    assert fit.errors == pytest.approx([0.528680, 0.476623], abs=1e-3)
    assert fit.thresholds == pytest.approx([-1.344383, 1.250809, 3.466887, 5.006404], abs=1e-4)
    assert fit.log_likelihood == pytest.approx(-86.491923, abs=1e-6)


# --- within customers ----------------


def test_within_slopes_are_those_of_dummies() -> None:
    rng = np.random.default_rng(3)
    customer, period = np.repeat(np.arange(12), 9), np.tile(np.arange(9), 12)
    x = rng.normal(size=(108, 2)) + customer[:, None] / 4
    y = x @ [0.5, -0.2] + customer + 0.1 * period + rng.normal(size=108)
    kept = rng.random(108) < 0.8
    customer, period, x, y = customer[kept], period[kept], x[kept], y[kept]
    found = within_slopes(y, x, customer, period)
    dummies = [pd.get_dummies(pd.Series(codes), dtype=float).to_numpy() for codes in (customer, period)]
    design = np.column_stack([x, dummies[0], dummies[1][:, 1:]])
    fit = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": customer, "use_correction": False})
    assert found.slopes == pytest.approx(fit.params[:2], abs=1e-8)
    n, groups, counted = len(y), 12, 2 + 8
    factor = groups / (groups - 1) * (n - 1) / (n - counted)
    assert found.errors == pytest.approx(fit.bse[:2] * np.sqrt(factor), abs=1e-8)
