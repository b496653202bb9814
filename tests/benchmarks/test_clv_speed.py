from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.clv_data import OLDEST, simulated_log
from benchmarks.clv_speed import CDNOW, MANY, Outcome, limits, make_data, measure_models, model_rows
from benchmarks.measure import Measurement

#: Told by make test-long.
pytestmark = pytest.mark.long


def test_the_simulated_log_has_every_customer_and_is_told_in_days() -> None:
    customer, day, amount = simulated_log(3000, np.random.default_rng(1))
    assert set(customer) == set(range(3000))
    assert day.min() >= 0
    assert day.max() <= OLDEST
    assert (np.diff(day) >= 0).all()
    assert (amount >= 0.01).all()
    assert 2 < len(customer) / 3000 < 6


@pytest.mark.long
def test_models_are_measured_and_judged_in_processes_of_their_own(tmp_path: Path) -> None:
    folder = make_data([400], tmp_path)["400"]
    outcomes = measure_models("400", folder, 1, 60, ["ours"], ["BetaGeoModel"])
    (one,) = outcomes
    assert (one.n_customers, one.n_scores_differ) == (400, 0)
    assert one.log_likelihood < 0
    scores = pd.read_parquet(folder / "BetaGeoModel" / "ours" / "scores.parquet")
    assert scores["probability_alive"].between(0, 1).all()
    assert model_rows(outcomes)[0][1:3] == ["BG/NBD", "kehu"]


def outcome(package: str, data: str, model: str, seconds: float, log_likelihood: float) -> Outcome:
    times = {"fit": seconds, "score": 0.1}
    return Outcome(data, model, package, Measurement(times, times, 10**9, Path()), log_likelihood)


@pytest.mark.parametrize(("lifetimes", "behind", "held"), [(1.1, 0.0, True), (0.9, 1e-3, False)])
def test_limits_are_judged(lifetimes: float, behind: float, held: bool) -> None:
    outcomes = [
        outcome("ours", CDNOW, "BetaGeoModel", 0.1, -100.0 - behind),
        outcome("lifetimes", CDNOW, "BetaGeoModel", lifetimes, -100.0),
        outcome("ours", f"{MANY:,}", "ParetoNBDModel", 2.9, -200.0),
        Outcome(f"{MANY:,}", "ParetoNBDModel", "lifetimes", None),
    ]
    whole = Measurement({"value": 50.0}, {"value": 80.0}, 3 * 10**9, Path())
    judged = {limit.words: limit.is_held for limit in limits(outcomes, whole)}
    assert judged["BG/NBD on CDNOW at least 10 times as fast as lifetimes"] is held
    assert judged["Pareto/NBD on CDNOW at least 20 times as fast as lifetimes"] is None
    assert judged["log-likelihood nowhere below another package's by more than a millionth of it"] is held
    assert list(judged.values())[-3:] == [held, True, True]
    assert "not within the limit" in model_rows(outcomes)[-1]
