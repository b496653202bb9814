"""Simulated worlds whose truth is known: parameters found again, intervals that cover."""

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.clv import BetaGeoModel, GammaGammaModel
from kehu_analysis.clv.intervals import predictive_draws, quantiles

TRUE_PURCHASES = {"r": 0.7, "alpha": 5.0, "a": 0.8, "b": 2.5}
TRUE_SPEND = {"p": 5.0, "q": 4.0, "v": 18.0}
MOST_PURCHASES = 400
HORIZON = 26.0


def world(n: int, seed: int) -> tuple[pd.DataFrame, int, float]:
    """A summary, and the purchases and sales of the next 26 weeks, purchase by purchase."""
    rng = np.random.default_rng(seed)
    truth = TRUE_PURCHASES
    T = rng.uniform(26, 78, n)
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], n)
    last = rng.geometric(rng.beta(truth["a"], truth["b"], n))
    times = np.cumsum(rng.exponential(1 / rate[:, None], (n, MOST_PURCHASES)), axis=1)
    made = np.arange(1, MOST_PURCHASES + 1) <= last[:, None]
    nu = rng.gamma(TRUE_SPEND["q"], 1 / TRUE_SPEND["v"], n)
    spend = rng.gamma(TRUE_SPEND["p"], 1 / nu[:, None], (n, MOST_PURCHASES))
    past = made & (times <= T[:, None])
    future = made & ~past & (times <= T[:, None] + HORIZON)
    x = past.sum(axis=1)
    summary = pd.DataFrame(
        {
            "frequency": x,
            "recency": np.where(past, times, 0).max(axis=1),
            "T": T,
            "monetary_value": np.where(past, spend, 0).sum(axis=1) / np.maximum(x, 1),
        }
    )
    return summary, int(future.sum()), float(spend[future].sum())


def test_parameters_are_found_within_three_standard_errors():
    summary, _, _ = world(4000, seed=11)
    for model, truth in ((BetaGeoModel(), TRUE_PURCHASES), (GammaGammaModel(), TRUE_SPEND)):
        fitted = model.fit(summary)
        for name, value in truth.items():
            error = (fitted.params_[name] - value) / fitted.standard_errors_[name]
            assert abs(error) < 3, (name, error)
            # And the standard errors are small enough to say something.
            assert fitted.standard_errors_[name] < 0.35 * value


def test_intervals_of_the_totals_cover():
    worlds = 40
    covered = np.zeros(2, dtype=int)
    for seed in range(worlds):
        summary, purchases, amount = world(400, seed=1000 + seed)
        drawn = predictive_draws(
            summary,
            [HORIZON],
            BetaGeoModel().fit(summary),
            GammaGammaModel().fit(summary),
            interval=0.9,
            draws=300,
            rng=seed,
        )
        for place, (totals, actual) in enumerate(((drawn.purchases, purchases), (drawn.amount, amount))):
            low, high = quantiles(totals[:, 0], 0.9)
            covered[place] += low <= actual <= high
    # Honest 90 % intervals cover fewer than this in one run of a thousand.
    fewest = stats.binom.ppf(0.001, worlds, 0.9)
    assert (covered >= fewest).all(), covered
