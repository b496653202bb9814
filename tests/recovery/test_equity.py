"""Customer equity: the true expected discounted value, and what the customers then really brought."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv import customer_lifetime_value
from tests.recovery.harness import WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

FloatArray = npt.NDArray[np.float64]

PURCHASES = {"r": 1.5, "alpha": 5.0, "a": 1.2, "b": 3.0}
SPEND = {"p": 2.0, "q": 4.0, "v": 18.0}
N_CUSTOMERS = 260  # just above where sums are taken exactly, which costs more
MARGIN, DISCOUNT_RATE, YEARS = 0.3, 0.5, 1.0  # so high a rate that a wrong one would be seen
YEAR_WEEKS = 365.25 / 7
HORIZON = YEARS * YEAR_WEEKS
N_DRAWS = 24


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    summary, realised = history_and_future(rng)
    finding = customer_lifetime_value(
        summary, horizon=YEARS, discount_rate=DISCOUNT_RATE, margin=MARGIN, draws=N_DRAWS, rng=rng
    )
    equity = {name: finding.facts[f"customer_equity{name}"].value for name in ("_low", "_high")}
    parameters = {name: finding.facts[f"customer_equity_parameter{name}"].value for name in ("_low", "_high")}
    return [
        lognormal("expected equity", parameters["_low"], parameters["_high"], expected_equity(summary)),
        Estimate("actual equity", realised, equity["_low"], equity["_high"]),
    ]


def history_and_future(rng: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """Tell the models' story purchase by purchase: the summary, and what the future was worth."""
    # Three cohorts: what is expected of customers who are alike is worked out once.
    T = 26.0 * rng.integers(1, 4, N_CUSTOMERS)
    rate = rng.gamma(PURCHASES["r"], 1 / PURCHASES["alpha"], N_CUSTOMERS)
    leaves = rng.beta(PURCHASES["a"], PURCHASES["b"], N_CUSTOMERS)
    nu = rng.gamma(SPEND["q"], 1 / SPEND["v"], N_CUSTOMERS)
    clock, x, t_x, spent, worth = np.zeros((5, N_CUSTOMERS))
    buying = np.arange(N_CUSTOMERS)
    while len(buying):
        clock[buying] += rng.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying] + HORIZON]
        spend = rng.gamma(SPEND["p"], 1 / nu[buying])
        is_past = clock[buying] <= T[buying]
        past, future = buying[is_past], buying[~is_past]
        x[past] += 1
        t_x[past] = clock[past]
        spent[past] += spend[is_past]
        years = (clock[future] - T[future]) / YEAR_WEEKS
        worth[future] += MARGIN * spend[~is_past] * (1 + DISCOUNT_RATE) ** -years
        buying = buying[rng.random(len(buying)) >= leaves[buying]]
    summary = pd.DataFrame(
        {
            "customer_id": [f"{i:03}" for i in range(N_CUSTOMERS)],
            "frequency": x,
            "recency": t_x,
            "T": T,
            "monetary_value": spent / np.maximum(x, 1),
        }
    )
    return summary, float(worth.sum())


def expected_equity(summary: pd.DataFrame) -> float:
    """Sum discounted expectations week by week under the true parameters: Fader, Hardie and Lee (2005), equation 10."""
    x, t_x, T, m = (summary[name].to_numpy() for name in ("frequency", "recency", "T", "monetary_value"))
    r, alpha, a, b = PURCHASES.values()
    p, q, v = SPEND.values()
    ends = np.linspace(0, HORIZON, 27)[:, None]
    ratio = (alpha + T) / (alpha + T + ends)
    hypergeometric = special.hyp2f1(r + x, b + x, a + b + x - 1, 1 - ratio)
    odds_gone = np.where(x > 0, a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x), 0)
    by_then = (a + b + x - 1) / (a - 1) * (1 - ratio ** (r + x) * hypergeometric) / (1 + odds_gone)
    worth = (1 + DISCOUNT_RATE) ** (-(ends[1:] + ends[:-1]) / 2 / YEAR_WEEKS)
    spend = p * (v + x * m) / (p * x + q - 1)
    return float(np.sum(MARGIN * spend * np.diff(by_then, axis=0) * worth))


ROW = Row("equity", world)
