"""BG/NBD with a covariate of purchases and one of dropout: parameters and effects."""

import numpy as np
import pandas as pd

from kehu_analysis.clv import BetaGeoModel
from kehu_analysis.clv.evaluation.inference import parameter_table
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

PURCHASES = {"r": 1.5, "alpha": 5.0, "a": 1.2, "b": 3.0}
EFFECTS = {"purchase_web": 0.4, "purchase_km": -0.2, "dropout_web": -0.5, "dropout_km": 0.3}
N_CUSTOMERS = 600


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    model = BetaGeoModel(purchase_covariates=["web", "km"], dropout_covariates=["web", "km"])
    table = parameter_table(model.fit(customers(rng)), LEVEL).set_index("parameter")
    found = [lognormal(name, table.loc[name, "low"], table.loc[name, "high"], PURCHASES[name]) for name in PURCHASES]
    for name, truth in EFFECTS.items():
        estimate, error, low, high = table.loc[name, ["estimate", "standard_error", "low", "high"]]
        found.append(Estimate(name, truth, low, high, estimate, error))
    return found


def customers(rng: np.random.Generator) -> pd.DataFrame:
    """Tell the model's story purchase by purchase."""
    web, km = rng.integers(0, 2, N_CUSTOMERS), rng.normal(0, 1, N_CUSTOMERS)
    T = rng.uniform(26, 78, N_CUSTOMERS)
    rate = rng.gamma(PURCHASES["r"], 1 / PURCHASES["alpha"], N_CUSTOMERS)
    rate *= np.exp(EFFECTS["purchase_web"] * web + EFFECTS["purchase_km"] * km)
    a = PURCHASES["a"] * np.exp(EFFECTS["dropout_web"] * web + EFFECTS["dropout_km"] * km)
    leaves = rng.beta(a, PURCHASES["b"])
    clock, x, t_x = np.zeros((3, N_CUSTOMERS))
    buying = np.arange(N_CUSTOMERS)
    while len(buying):
        clock[buying] += rng.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= T[buying]]
        x[buying], t_x[buying] = x[buying] + 1, clock[buying]
        buying = buying[rng.random(len(buying)) >= leaves[buying]]
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": T, "web": web, "km": km})


ROW = Row("covariates", world)
