"""NBD: parameters, and what the customers then really bought."""

import numpy as np
import pandas as pd

from kehu_analysis.clv import NBDModel
from kehu_analysis.clv.valuation.forecast_bounds import predictive_totals
from kehu_analysis.clv.valuation.intervals import parameter_facts
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

TRUTH = {"r": 0.8, "alpha": 8.0}
N_CUSTOMERS = 300
HORIZON = 26.0
N_DRAWS = 64


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    T = rng.uniform(26, 78, N_CUSTOMERS)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], N_CUSTOMERS)
    clock, x, t_x = np.zeros((3, N_CUSTOMERS))
    future = 0
    buying = np.arange(N_CUSTOMERS)
    while len(buying):
        clock[buying] += rng.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying] + HORIZON]
        past = buying[clock[buying] <= T[buying]]
        x[past] += 1
        t_x[past] = clock[past]
        future += len(buying) - len(past)
    summary = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    model = NBDModel().fit(summary)
    facts = parameter_facts("model", model, LEVEL)
    estimates = [
        lognormal(name, facts[f"model_{name}_low"].value, facts[f"model_{name}_high"].value, value)
        for name, value in TRUTH.items()
    ]
    (_, low, high), _ = predictive_totals(summary, [HORIZON], model, interval=LEVEL, draws=N_DRAWS, rng=rng)[
        "purchases"
    ]
    return [*estimates, Estimate("actual purchases", future, low, high)]


ROW = Row("nbd", world)
