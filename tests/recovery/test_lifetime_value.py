"""BG/NBD and Gamma-Gamma: parameters, expected totals and what the customers then really bought and spent."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv import BetaGeoModel, GammaGammaModel
from kehu_analysis.clv.models.gamma_gamma import expected_spend_of
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.valuation.forecast_bounds import predictive_totals
from kehu_analysis.clv.valuation.intervals import parameter_facts, parameter_interval
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

FloatArray = npt.NDArray[np.float64]

# Frequent buyers who often leave: so few customers tell the parameters, and a world costs 50 milliseconds. In 1,000
# worlds of 200 such customers all intervals still cover; of 100, those of p are too wide (93.3 %); of 50, one fit in
# thirty leaves a parameter without an interval and z-scores of r have mean 0.16, while 88 to 90 % of the totals'
# intervals cover. Of 200 customers who buy half as often (r = 0.7, a = 0.8, b = 2.5, p = 5), those of a and v are too
# wide (93.1 %).
PURCHASES = {"r": 1.5, "alpha": 5.0, "a": 1.2, "b": 3.0}
SPEND = {"p": 2.0, "q": 4.0, "v": 18.0}
N_CUSTOMERS = 260  # just above where sums are taken exactly, which costs more
HORIZON = 26.0
N_DRAWS = 24


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    summary, purchases, amount = history_and_future(rng)
    x, t_x, T, m = (summary[name].to_numpy() for name in ("frequency", "recency", "T", "monetary_value"))
    purchase_model, spend_model = BetaGeoModel().fit(summary), GammaGammaModel().fit(summary)
    facts = parameter_facts("purchases", purchase_model, LEVEL) | parameter_facts("spend", spend_model, LEVEL)
    estimates = [
        lognormal(name, facts[f"{model}_{name}_low"].value, facts[f"{model}_{name}_high"].value, value)
        for model, truth in (("purchases", PURCHASES), ("spend", SPEND))
        for name, value in truth.items()
    ]

    @cache
    def by_customer(*parameters: float) -> FloatArray:
        return purchase_model.expected_purchases_of(History(x, t_x, T), np.full(len(x), HORIZON), list(parameters))

    def totals(parameters: list[FloatArray]) -> FloatArray:
        expected = by_customer(*parameters[0].tolist())
        return np.array([expected.sum(), np.sum(expected * expected_spend_of(x, m, parameters[1]))])

    low, high = parameter_interval(totals, [purchase_model, spend_model], LEVEL)
    expected = expected_purchases(x, t_x, T)
    estimates += [
        lognormal("expected purchases", low[0], high[0], expected.sum()),
        lognormal("expected amount", low[1], high[1], np.sum(expected * expected_spend(x, m))),
    ]
    totals_ahead = predictive_totals(
        summary, [HORIZON], purchase_model, spend_model, interval=LEVEL, draws=N_DRAWS, rng=rng
    )
    for name, actual in (("purchases", purchases), ("amount", amount)):
        _, low, high = totals_ahead[name][0]
        estimates.append(Estimate(f"actual {name}", actual, low, high))
    return estimates


def history_and_future(rng: np.random.Generator) -> tuple[pd.DataFrame, int, float]:
    """Tell the models' story purchase by purchase: the summary, and purchases and amount of the next period."""
    T = rng.uniform(26, 78, N_CUSTOMERS)
    rate = rng.gamma(PURCHASES["r"], 1 / PURCHASES["alpha"], N_CUSTOMERS)
    leaves = rng.beta(PURCHASES["a"], PURCHASES["b"], N_CUSTOMERS)
    nu = rng.gamma(SPEND["q"], 1 / SPEND["v"], N_CUSTOMERS)
    clock, x, t_x, spent = np.zeros((4, N_CUSTOMERS))
    future_purchases, future_amount = 0, 0.0
    buying = np.arange(N_CUSTOMERS)
    while len(buying):
        clock[buying] += rng.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying] + HORIZON]
        spend = rng.gamma(SPEND["p"], 1 / nu[buying])
        is_past = clock[buying] <= T[buying]
        past = buying[is_past]
        x[past] += 1
        t_x[past] = clock[past]
        spent[past] += spend[is_past]
        future_purchases += int((~is_past).sum())
        future_amount += float(spend[~is_past].sum())
        buying = buying[rng.random(len(buying)) >= leaves[buying]]
    summary = pd.DataFrame({"frequency": x, "recency": t_x, "T": T, "monetary_value": spent / np.maximum(x, 1)})
    return summary, future_purchases, future_amount


def expected_purchases(
    x: FloatArray, t_x: FloatArray, T: FloatArray, truth: Mapping[str, float] = PURCHASES
) -> FloatArray:
    """Fader, Hardie and Lee (2005), equation 10, as printed, under the true parameters."""
    r, alpha, a, b = truth.values()
    ratio = (alpha + T) / (alpha + T + HORIZON)
    hypergeometric = special.hyp2f1(r + x, b + x, a + b + x - 1, 1 - ratio)
    odds_gone = np.where(x > 0, a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x), 0)
    return (a + b + x - 1) / (a - 1) * (1 - ratio ** (r + x) * hypergeometric) / (1 + odds_gone)


def expected_spend(x: FloatArray, m: FloatArray) -> FloatArray:
    """Fader and Hardie (2013), equation 5, under the true parameters."""
    p, q, v = SPEND.values()
    return p * (v + x * m) / (p * x + q - 1)


ROW = Row("lifetime_value", world)
