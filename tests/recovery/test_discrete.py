"""BG/BB and shifted beta-geometric: parameters, and what was then expected."""

import numpy as np
import pandas as pd

from kehu_analysis.clv import BetaGeoBetaBinomModel, ShiftedBetaGeoModel
from kehu_analysis.clv.valuation.intervals import parameter_facts
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

PURCHASES = {"alpha": 1.2, "beta": 1.5, "gamma": 0.8, "delta": 3.0}
CONTRACTS = {"alpha": 0.8, "beta": 2.5}
N_CUSTOMERS = 4000
N_CONTRACTS = 1500


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    facts = parameter_facts("purchases", BetaGeoBetaBinomModel().fit(pasts(rng)), LEVEL)
    facts |= parameter_facts("contracts", ShiftedBetaGeoModel().fit(contracts(rng)), LEVEL)
    return [
        lognormal(f"{model} {name}", facts[f"{model}_{name}_low"].value, facts[f"{model}_{name}_high"].value, value)
        for model, truth in (("purchases", PURCHASES), ("contracts", CONTRACTS))
        for name, value in truth.items()
    ]


def pasts(rng: np.random.Generator) -> pd.DataFrame:
    """Tell the story of BG/BB opportunity by opportunity: who is there, and who takes it."""
    T = rng.choice([8, 12], N_CUSTOMERS)
    buys = rng.beta(PURCHASES["alpha"], PURCHASES["beta"], N_CUSTOMERS)
    leaves = rng.beta(PURCHASES["gamma"], PURCHASES["delta"], N_CUSTOMERS)
    there = np.ones(N_CUSTOMERS, dtype=bool)
    x, t_x = np.zeros((2, N_CUSTOMERS), dtype=int)
    for opportunity in range(1, T.max() + 1):
        there &= rng.random(N_CUSTOMERS) >= leaves
        bought = there & (opportunity <= T) & (rng.random(N_CUSTOMERS) < buys)
        x += bought
        t_x[bought] = opportunity
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": T})


def contracts(rng: np.random.Generator) -> pd.DataFrame:
    """Tell the story of contracts period by period, of cohorts that are 4 to 12 periods old."""
    age = rng.integers(4, 13, N_CONTRACTS)
    leaves = rng.beta(CONTRACTS["alpha"], CONTRACTS["beta"], N_CONTRACTS)
    period, ended = np.zeros(N_CONTRACTS, dtype=int), np.zeros(N_CONTRACTS, dtype=bool)
    for now in range(1, age.max() + 1):
        under_contract = ~ended & (now <= age)
        period[under_contract] = now
        ended |= under_contract & (rng.random(N_CONTRACTS) < leaves)
    return pd.DataFrame({"period": period, "ended": ended})


ROW = Row("discrete", world)
