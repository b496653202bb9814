"""Does an estimator find a truth again, and do its intervals cover as often as they say?

A *row* draws a small world from a known truth, estimates, and says for each quantity what was estimated and what was
true. Over many worlds z-scores then have mean 0 and standard deviation 1, and 90 % intervals cover in 90 of 100.

To add a row, write ``test_‹row›.py`` beside this file::

    def world(rng: np.random.Generator) -> list[Estimate]:
        summary = ...  # drawn from the model's own story with plain numpy, by none of the package's code
        fitted = parameter_facts("model", SomeModel().fit(summary), LEVEL)
        return [lognormal(name, fitted[f"model_{name}_low"].value, fitted[f"model_{name}_high"].value, truth)
                for name, truth in TRUTH.items()]

    ROW = Row("‹row›", world)

    @scaled
    def test_the_truth_is_found_again():
        assert_recovered(run(ROW, WORLDS))

``make test`` draws 100 worlds, ``make test-long`` 400 and ``make recovery`` as many as the row names. The fewer, the
wider the bars, which are given by numbers; seeds are fixed and never chosen by what comes out.

A module is a scope of its own to pytest-xdist, so that rows run side by side, each in one process: a pool would cost
seconds of imports a row and gain nothing while other tests fill the cores.
More worlds, for looking, over all cores: ``python -m tests.recovery --row ‹row› --worlds 5000``.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.errors import KehuError
from tests.scale import at_scale

#: What intervals promise.
LEVEL = 0.9
#: Worlds of a test.
WORLDS = at_scale(100, 400)
#: The least and the largest share of intervals that may cover, from so many worlds on.
_COVERAGE = {1000: (0.87, 0.93), 400: (0.85, 0.96), 100: (0.80, 1.0), 0: (0.0, 1.0)}
_MONTE_CARLO_ERRORS = 3.2
_SEED = 20_240_607
_BATCHES_PER_PROCESS = 8


class Estimate(NamedTuple):
    """What one world says of one quantity; the interval, or the estimate with its standard error, may be missing.

    All numbers are on one scale, and where a standard error is given the estimate is nearly normal on it.
    """

    quantity: str
    truth: float
    low: float = np.nan
    high: float = np.nan
    estimate: float = np.nan
    standard_error: float = np.nan


def lognormal(quantity: str, low: float, high: float, truth: float) -> Estimate:
    """Return, in logarithms, an estimate known by an interval that is normal there."""
    ends = np.log([low, high])
    standard_error = float(ends[1] - ends[0]) / (2 * NormalDist().inv_cdf((1 + LEVEL) / 2))
    return Estimate(f"log {quantity}", float(np.log(truth)), *ends.tolist(), float(ends.mean()), standard_error)


@dataclass(frozen=True)
class Row:
    """A known truth and what is to find it again.

    Attributes
    ----------
    name
        Stands for the row on the command line.
    world
        Draws one world with the generator given, estimates, and returns the same quantities each time. It is a
        function of a module, so that other processes find it.
    worlds
        How many of them are drawn.
    most_failed
        Share of the worlds that may end in one of the package's errors. Their intervals count as not covering.
    finite_bias, finite_spread
        How far from 0 and 1 mean and standard deviation of the z-scores may be beyond Monte-Carlo error: maximum
        likelihood is unbiased and normal in endless samples only.
    """

    name: str
    world: Callable[[np.random.Generator], Sequence[Estimate]]
    worlds: int = 1000
    most_failed: float = 0.0
    finite_bias: float = 0.05
    finite_spread: float = 0.05


@dataclass(frozen=True)
class Outcome:
    """What came of a row's worlds.

    Attributes
    ----------
    row
        Which.
    worlds
        How many were drawn.
    estimates
        A row a world and quantity: world, quantity, truth, low, high, estimate, standard_error.
    failures
        A row a world that ended in an error: world, error.
    """

    row: Row
    worlds: int
    estimates: pd.DataFrame
    failures: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Return by quantity its z-scores, the share of all worlds that its intervals cover, and what is wrong.

        NaN stands where no world gives a standard error, or an interval; ``…_error`` is the Monte-Carlo error.
        """
        given = self.estimates.assign(
            z=(self.estimates["estimate"] - self.estimates["truth"]) / self.estimates["standard_error"],
            has_interval=self.estimates[["low", "high"]].notna().all(axis=1),
            covers=self.estimates["truth"].between(self.estimates["low"], self.estimates["high"]),
        )
        by_quantity = given.groupby("quantity", sort=False)
        table = by_quantity.agg(
            n_z=("z", "count"),
            mean_z=("z", "mean"),
            sd_z=("z", "std"),
            n_intervals=("has_interval", "sum"),
            covered=("covers", "sum"),
        )
        table["mean_z_error"] = 1 / np.sqrt(table["n_z"].where(table["n_z"] > 0))
        table["sd_z_error"] = table["mean_z_error"] / np.sqrt(2)
        table["coverage"] = (table.pop("covered") / self.worlds).where(table["n_intervals"] > 0)
        table["coverage_error"] = np.sqrt(LEVEL * (1 - LEVEL) / self.worlds)
        limits = {
            "mean_z": (0, self.row.finite_bias + _MONTE_CARLO_ERRORS * table["mean_z_error"]),
            "sd_z": (1, self.row.finite_spread + _MONTE_CARLO_ERRORS * table["sd_z_error"]),
        }
        table["wrong"] = ""
        for column, (ideal, within) in limits.items():
            table["wrong"] += np.where((table[column] - ideal).abs() > within, f"{column} ", "")
        least, most = next(bars for from_worlds, bars in _COVERAGE.items() if self.worlds >= from_worlds)
        misses = (table["coverage"] < least) | (table["coverage"] > most)
        table["wrong"] += np.where(misses, "coverage ", "")
        return table

    def faults(self) -> list[str]:
        """Return what is wrong, in words; nothing where the truth was recovered."""
        faults = []
        if len(self.failures) > self.row.most_failed * self.worlds:
            faults.append(f"{len(self.failures)} of {self.worlds} worlds failed:\n{self.failures.head(10).to_string()}")
        summary = self.summary()
        if summary.empty or summary[["mean_z", "coverage"]].isna().all(axis=1).any():
            faults.append("a quantity without z-scores and intervals")
        faults += [f"{quantity}: {wrong.strip()}" for quantity, wrong in summary["wrong"].items() if wrong]
        return faults


def run(row: Row, worlds: int | None = None, *, first: int = 0, processes: int = 1) -> Outcome:
    """Draw and estimate worlds ``first``, ``first + 1``, …; each is the same however many there are, and wherever run.

    A warning in a world is an error, and any error but the package's own ends the run with the world's number.
    """
    n_worlds = row.worlds if worlds is None else worlds
    numbers = range(first, first + n_worlds)
    if processes == 1:
        results = [_one_world(row, number) for number in numbers]
    else:
        # Spawned, not forked: pytest-xdist has threads running.
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            size = max(1, n_worlds // (processes * _BATCHES_PER_PROCESS))
            results = list(pool.map(partial(_one_world, row), numbers, chunksize=size))
    estimates, failures = [], []
    for number, result in zip(numbers, results, strict=True):
        if isinstance(result, str):
            failures.append((number, result))
        else:
            estimates += [(number, *estimate) for estimate in result]
    return Outcome(
        row,
        n_worlds,
        pd.DataFrame(estimates, columns=["world", *Estimate._fields]),
        pd.DataFrame(failures, columns=["world", "error"]),
    )


def assert_recovered(outcome: Outcome) -> None:
    """Fail with the whole summary where something is wrong."""
    faults = outcome.faults()
    assert not faults, "\n".join([outcome.row.name, *faults, outcome.summary().round(3).to_string()])


def _one_world(row: Row, number: int) -> list[Estimate] | str:
    rng = np.random.default_rng(np.random.SeedSequence(_SEED, spawn_key=(number,)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return list(row.world(rng))
    except KehuError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        error.add_note(f"row {row.name}, world {number}")
        raise
