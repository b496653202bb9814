"""MBG/NBD, MBG/CNBD-2 and BG/CNBD-2: parameters, and what the customers then really bought."""

import numpy as np
import pandas as pd

from kehu_analysis.clv import BetaGeoCNBDModel, ModifiedBetaGeoCNBDModel
from kehu_analysis.clv.valuation.forecast_bounds import predictive_totals
from kehu_analysis.clv.valuation.intervals import parameter_facts
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import at_scale, scaled

# BG/NBD itself is recovered with the value of its customers, future and all.
TRUTH = {"r": 2.0, "alpha": 4.0, "a": 1.5, "b": 4.0}
N_CUSTOMERS = 300
HORIZON = 26.0
N_DRAWS = 24


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    cases = (ModifiedBetaGeoCNBDModel(k=2), *at_scale((), (ModifiedBetaGeoCNBDModel(k=1), BetaGeoCNBDModel(k=2))))
    return [estimate for model in cases for estimate in one_model(model, rng)]


def one_model(model: BetaGeoCNBDModel | ModifiedBetaGeoCNBDModel, rng: np.random.Generator) -> list[Estimate]:
    k, name_of = model.k, f"{type(model).__name__} with k = {model.k}"
    summary, purchases = history_and_future(k, leaves_at_once=isinstance(model, ModifiedBetaGeoCNBDModel), rng=rng)
    model.fit(summary)
    facts = parameter_facts("model", model, LEVEL)
    estimates = [
        lognormal(f"{name} of {name_of}", facts[f"model_{name}_low"].value, facts[f"model_{name}_high"].value, value)
        for name, value in TRUTH.items()
    ]
    (_, low, high), _ = predictive_totals(summary, [HORIZON], model, interval=LEVEL, draws=N_DRAWS, rng=rng)[
        "purchases"
    ]
    estimates.append(Estimate(f"actual purchases of {name_of}", purchases, low, high))
    return estimates


def history_and_future(k: int, *, leaves_at_once: bool, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Tell the models' story purchase by purchase: the summary, and the purchases of the next period."""
    T = rng.uniform(26, 78, N_CUSTOMERS)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], N_CUSTOMERS)
    leaves = rng.beta(TRUTH["a"], TRUTH["b"], N_CUSTOMERS)
    clock, x, t_x, logs = np.zeros((4, N_CUSTOMERS))
    future = 0
    buying = np.arange(N_CUSTOMERS)
    if leaves_at_once:
        buying = buying[rng.random(N_CUSTOMERS) >= leaves]
    while len(buying):
        interval = rng.gamma(k, 1 / rate[buying])
        clock[buying] += interval
        keep = clock[buying] <= T[buying] + HORIZON
        buying, interval = buying[keep], interval[keep]
        is_past = clock[buying] <= T[buying]
        past = buying[is_past]
        x[past] += 1
        t_x[past] = clock[past]
        logs[past] += np.log(interval[is_past])
        future += int((~is_past).sum())
        buying = buying[rng.random(len(buying)) >= leaves[buying]]
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": T, "sum_log_interval": logs}), future


ROW = Row("geometric_family", world)
