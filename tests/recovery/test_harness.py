"""The harness itself: it lets the honest pass, and names what is wrong with the others."""

import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from kehu_analysis.errors import InsufficientDataError
from tests.recovery.__main__ import main
from tests.recovery.harness import LEVEL, Estimate, Row, assert_recovered, lognormal, run

TRUTH = 3.0
N = 25
Z = 1.6448536269514722


def mean_of(rng: np.random.Generator, *, shift: float = 0, width: float = 1, spread: float = 1) -> list[Estimate]:
    """The mean of normals with known deviation 1; what is off is measured in standard errors."""
    error = 1 / np.sqrt(N)
    mean = rng.normal(TRUTH, 1, N).mean() + shift * error
    half = width * Z * error
    return [Estimate("mean", TRUTH, mean - half, mean + half, mean, spread * error)]


def honest(rng: np.random.Generator) -> list[Estimate]:
    return mean_of(rng)


def too_narrow(rng: np.random.Generator) -> list[Estimate]:
    return mean_of(rng, width=0.85)


def too_wide(rng: np.random.Generator) -> list[Estimate]:
    return mean_of(rng, width=1.2)


def biased(rng: np.random.Generator) -> list[Estimate]:
    return mean_of(rng, shift=0.25)


def too_sure(rng: np.random.Generator) -> list[Estimate]:
    return mean_of(rng, spread=0.8)


def interval_alone(rng: np.random.Generator) -> list[Estimate]:
    return [mean_of(rng)[0]._replace(estimate=np.nan, standard_error=np.nan)]


def sometimes_without_interval(rng: np.random.Generator) -> list[Estimate]:
    missing = rng.random() < 0.1
    return [estimate._replace(low=np.nan, high=np.nan) if missing else estimate for estimate in mean_of(rng)]


def never_anything(rng: np.random.Generator) -> list[Estimate]:
    return [Estimate("mean", TRUTH)]


def sometimes_fails(rng: np.random.Generator) -> list[Estimate]:
    if rng.random() < 0.01:
        raise InsufficientDataError("nobody_bought_twice", n=N)
    return mean_of(rng)


def always_fails(rng: np.random.Generator) -> list[Estimate]:
    raise InsufficientDataError("nobody_bought_twice", n=N)


def broken(rng: np.random.Generator) -> list[Estimate]:
    return [Estimate("mean", [][0])]


def warns(rng: np.random.Generator) -> list[Estimate]:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    return mean_of(rng)


@pytest.mark.parametrize("world", [honest, interval_alone])
def test_an_honest_row_passes(world):
    assert_recovered(run(Row("honest", world)))


@pytest.mark.parametrize(
    ("world", "fault"),
    [
        (too_narrow, "mean: coverage"),
        (too_wide, "mean: coverage"),
        (biased, "mean: mean_z"),
        (too_sure, "mean: sd_z"),
        (sometimes_without_interval, "mean: coverage"),
        (never_anything, "a quantity without z-scores and intervals"),
    ],
)
def test_a_dishonest_row_is_told_what_is_wrong(world, fault):
    outcome = run(Row("dishonest", world))
    assert outcome.faults() == [fault]
    with pytest.raises(AssertionError, match=r"(?s)dishonest.*n_intervals"):
        assert_recovered(outcome)


def test_worlds_that_fail_are_counted_and_limited():
    outcome = run(Row("failing", sometimes_fails))
    n_failed = len(outcome.failures)
    assert 0 < n_failed < 30
    assert len(outcome.estimates) == 1000 - n_failed
    assert outcome.faults()[0].startswith(f"{n_failed} of 1000 worlds failed:")
    assert "InsufficientDataError" in outcome.faults()[0]
    assert not run(Row("failing", sometimes_fails, most_failed=0.03)).faults()
    covered = outcome.estimates["truth"].between(outcome.estimates["low"], outcome.estimates["high"]).sum()
    assert outcome.summary().loc["mean", "coverage"] == covered / 1000


def test_a_row_whose_worlds_all_fail_is_not_recovered():
    assert len(run(Row("failing", always_fails, most_failed=1), 10).faults()) == 1


@pytest.mark.parametrize(("world", "error"), [(broken, IndexError), (warns, RuntimeWarning)])
def test_any_other_error_ends_the_run_and_names_its_world(world, error):
    with pytest.raises(error) as raised:
        run(Row("broken", world), 3, first=4)
    assert raised.value.__notes__ == ["row broken, world 4"]


def test_a_world_is_the_same_however_many_there_are_and_wherever_it_is_run():
    row = Row("honest", honest)
    many = run(row, 12).estimates
    assert many["estimate"].nunique() == 12
    some = many[many["world"] >= 7].reset_index(drop=True)
    pd.testing.assert_frame_equal(run(row, 5, first=7).estimates, some)
    pd.testing.assert_frame_equal(run(row, 12, processes=2).estimates, many)


def test_intervals_that_are_normal_in_logarithms_give_estimate_and_standard_error():
    found = lognormal("rate", np.exp(1 - Z * 0.2), np.exp(1 + Z * 0.2), np.e)
    assert found.quantity == "log rate"
    assert [found.truth, found.estimate, found.standard_error] == pytest.approx([1, 1, 0.2])
    assert LEVEL == 0.9


def test_rows_are_run_by_name():
    shown = CliRunner().invoke(main, ["--row", "lifetime_value", "--worlds", "2", "--processes", "1"])
    assert "lifetime_value: 2 worlds, 0 failed" in shown.output
    assert "log alpha" in shown.output
    unknown = CliRunner().invoke(main, ["--row", "nonsense"])
    assert unknown.exit_code == 2
    assert "lifetime_value" in unknown.output
