"""Pareto/NBD: parameters, expected total and what the customers then really bought."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.models.purchases import History
from kehu_analysis.clv.valuation.forecast_bounds import predictive_totals
from kehu_analysis.clv.valuation.intervals import parameter_facts, parameter_interval
from tests.recovery.harness import LEVEL, WORLDS, Estimate, Row, assert_recovered, lognormal, run
from tests.scale import scaled

FloatArray = npt.NDArray[np.float64]

# Frequent buyers, most of whom leave within the time seen: so few customers tell the parameters, and a world costs
# 0.16 seconds. Of 600 such worlds all intervals covered in 88.7 to 92.8 %, and z-scores had means within 0.08.
TRUTH = {"r": 1.5, "alpha": 5.0, "s": 1.2, "beta": 20.0}
N_CUSTOMERS = 400
HORIZON = 26.0
N_DRAWS = 24


@scaled
def test_the_truth_is_found_again():
    assert_recovered(run(ROW, WORLDS))


def world(rng: np.random.Generator) -> list[Estimate]:
    summary, purchases = history_and_future(rng)
    model = ParetoNBDModel().fit(summary)
    facts = parameter_facts("model", model, LEVEL)
    estimates = [
        lognormal(name, facts[f"model_{name}_low"].value, facts[f"model_{name}_high"].value, value)
        for name, value in TRUTH.items()
    ]
    past = History(*(summary[name].to_numpy() for name in ("frequency", "recency", "T")))
    horizon = np.full(len(summary), HORIZON)

    def total(parameters: list[FloatArray]) -> FloatArray:
        return np.array([model.expected_purchases_of(past, horizon, list(parameters[0])).sum()])

    low, high = parameter_interval(total, [model], LEVEL)
    expected = expected_purchases(*past).sum()
    estimates.append(lognormal("expected purchases", low[0], high[0], expected))
    (_, low, high), _ = predictive_totals(summary, [HORIZON], model, interval=LEVEL, draws=N_DRAWS, rng=rng)[
        "purchases"
    ]
    estimates.append(Estimate("actual purchases", purchases, low, high))
    return estimates


def history_and_future(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Tell the model's story purchase by purchase: the summary, and the purchases of the next period."""
    T = rng.uniform(26, 78, N_CUSTOMERS)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], N_CUSTOMERS)
    end = rng.exponential(1 / rng.gamma(TRUTH["s"], 1 / TRUTH["beta"], N_CUSTOMERS))
    clock, x, t_x = np.zeros((3, N_CUSTOMERS))
    future = 0
    buying = np.arange(N_CUSTOMERS)
    while len(buying):
        clock[buying] += rng.exponential(1 / rate[buying])
        buying = buying[clock[buying] <= np.minimum(end[buying], T[buying] + HORIZON)]
        past = buying[clock[buying] <= T[buying]]
        x[past] += 1
        t_x[past] = clock[past]
        future += len(buying) - len(past)
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": T}), future


def expected_purchases(x: FloatArray, t_x: FloatArray, T: FloatArray, truth: Mapping[str, float] = TRUTH) -> FloatArray:
    """Fader and Hardie (2005), "A note on deriving the Pareto/NBD model", under the true parameters; alpha < beta."""
    r, alpha, s, beta = truth.values()

    def term(t: FloatArray) -> FloatArray:
        series = special.hyp2f1(r + s + x, r + x, r + s + x + 1, (beta - alpha) / (beta + t))
        return series * ((beta + T) / (beta + t)) ** (r + s + x)

    odds_gone = s / (r + s + x) * ((alpha + T) / (beta + T)) ** (r + x) * (term(t_x) - term(T))
    within = (1 - ((beta + T) / (beta + T + HORIZON)) ** (s - 1)) / (s - 1)
    return (r + x) / (alpha + T) * (beta + T) * within / (1 + odds_gone)


ROW = Row("pareto_nbd", world)
