"""Measure the models of lifetime value against lifetimes and pymc-marketing, and our own whole path on many customers.

    python -m benchmarks.clv_speed [--customers 200000,2000000] [--repeat 3] [--limit 600]

Every measurement runs in a process of its own with one thread, the packages taking turns on the same summary; the run
of the fewest CPU seconds counts, and the highest peak. What takes longer than the limit is not waited for.
Log-likelihoods are computed by one function at the parameters that each package found. Writes the tables in
``README.md`` and exits with 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.data_speed import DATA, PEERS, PEERS_PYTHON, Limit
from benchmarks.measure import ROOT, Measurement, run
from benchmarks.report import machine, table, write_between_markers

if TYPE_CHECKING:
    import pandas as pd

CDNOW = "CDNOW"
MODELS = ("BetaGeoModel", "ModifiedBetaGeoModel", "ParetoNBDModel", "GammaGammaModel")
WORDS = dict(zip(MODELS, ("BG/NBD", "MBG/NBD", "Pareto/NBD", "Gamma-Gamma"), strict=True))
PACKAGES = ("ours", *PEERS)
#: Times that a fit of the small log is done over in one process: less than that the clock of CPU time cannot tell.
TIMES = {"ours": 20, "lifetimes": 5, "pymc_marketing": 1}
MANY, WHOLE = 200_000, 2_000_000
#: CPU seconds of CLVTools on CDNOW, measured once on two cores.
CLVTOOLS = {"BetaGeoModel": 17.0, "ParetoNBDModel": 8.0}
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What a package needed for one model of one data set; no measurement where it was not within the limit.

    Attributes
    ----------
    data, model, package
        Which.
    done
        Its best run.
    log_likelihood
        At the parameters found.
    n_scores_differ, n_customers
        Customers whose scores are not what we find at the same parameters, and all of them.
    """

    data: str
    model: str
    package: str
    done: Measurement | None
    log_likelihood: float = float("nan")
    n_scores_differ: int = 0
    n_customers: int = 0

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of the fit."""
        return None if self.done is None else self.done.cpu_seconds["fit"]


def make_data(customers: Sequence[int], folder: Path) -> dict[str, Path]:
    """Return a folder with ``summary.npz``, ``log.npz`` and ``transactions.parquet`` by data set, written once."""
    made = {CDNOW: folder / CDNOW.lower()} | {f"{n:,}": folder / str(n) for n in customers}
    for n, target in zip((None, *customers), made.values(), strict=True):
        if not (target / "summary.npz").is_file():
            function, of = ("write_cdnow", {}) if n is None else ("write_simulated", {"customers": n})
            run(f"benchmarks.clv_data:{function}", target, folder=str(target), **of)
    return made


def measure_models(
    data: str,
    folder: Path,
    repeat: int,
    limit: float,
    packages: Sequence[str] = PACKAGES,
    models: Sequence[str] = MODELS,
) -> list[Outcome]:
    """Fit and score every model of a data set with every package, and judge the results on one footing."""
    outcomes = []
    for model in models:
        best: dict[str, Measurement | None] = {}
        for package in [package for _ in range(repeat) for package in packages]:
            if package in best and best[package] is None:
                continue
            times = TIMES[package] if data == CDNOW else 1
            done = _within(
                limit, package, folder / model / package, data=str(folder / "summary.npz"), model=model, times=times
            )
            best[package] = _better(best.get(package), done)
            _tell(data, model, package, done)
        stored = {package: str(done.results) for package, done in best.items() if done is not None}
        judged = folder / model / "judged"
        run("benchmarks.clv_jobs:compare", judged, data=str(folder / "summary.npz"), model=model, stored=stored)
        found = _read(judged / "judged.parquet").set_index("package")
        for package, done in best.items():
            if done is None:
                outcomes.append(Outcome(data, model, package, None))
                continue
            row = found.loc[package]
            outcomes.append(
                Outcome(
                    data,
                    model,
                    package,
                    done,
                    float(row["log_likelihood"]),
                    int(row["n_scores_differ"]),
                    int(row["n_customers"]),
                )
            )
    return outcomes


def measure_summaries(data: str, folder: Path, repeat: int, limit: float) -> dict[str, Measurement | None]:
    """Summarise a log with every package."""
    best: dict[str, Measurement | None] = {}
    for package in [package for _ in range(repeat) for package in PACKAGES]:
        if package in best and best[package] is None:
            continue
        done = _within(
            limit, package, folder / "summary" / package, module="benchmarks.peers", log=str(folder / "log.npz")
        )
        best[package] = _better(best.get(package), done)
        _tell(data, "summary", package, done)
    return best


def measure_whole(folder: Path, repeat: int) -> Measurement:
    """Take a log's customers from the snapshot to their values, with all cores."""
    snapshot = folder / "snapshot"
    if not list(snapshot.glob("*/customer_keys.parquet")):
        log = str(folder / "transactions.parquet")
        run("benchmarks.clv_whole:snapshot", folder / "whole", log=log, folder=str(snapshot))
    runs = [run("benchmarks.clv_whole:value", folder / "whole", folder=str(snapshot)) for _ in range(repeat)]
    fastest = min(runs, key=lambda done: sum(done.seconds.values()))
    return Measurement(fastest.seconds, fastest.cpu_seconds, max(done.peak_bytes for done in runs), fastest.results)


def limits(outcomes: Sequence[Outcome], whole: Measurement | None) -> list[Limit]:
    """Return what must hold, with what was measured."""
    by = {(one.data, one.model, one.package): one for one in outcomes}

    def seconds(data: str, model: str, package: str = "ours") -> float | None:
        one = by.get((data, model, package))
        return None if one is None else one.cpu_seconds

    found = []
    for model, least in (("BetaGeoModel", 10), ("ParetoNBDModel", 20)):
        ours, other = seconds(CDNOW, model), seconds(CDNOW, model, "lifetimes")
        words = f"{WORDS[model]} on {CDNOW} at least {least} times as fast as lifetimes"
        found.append(Limit(words, other / ours if ours and other else None, least=least))
    for model, most in CLVTOOLS.items():
        found.append(
            Limit(
                f"{WORDS[model]} on {CDNOW} in less CPU time than CLVTools, {most:g} seconds",
                seconds(CDNOW, model),
                most=most,
            )
        )
    words = f"Pareto/NBD on {MANY:,} customers in at most 3 CPU seconds"
    found.append(Limit(words, seconds(f"{MANY:,}", "ParetoNBDModel"), most=3))
    found.append(
        Limit(
            "log-likelihood nowhere below another package's by more than a millionth of it",
            _behind(outcomes),
            most=1e-6,
        )
    )
    took = None if whole is None else sum(whole.seconds.values())
    found.append(Limit(f"log of {WHOLE:,} customers to value with 90 % intervals in at most 60 seconds", took, most=60))
    peak = None if whole is None else whole.peak_bytes / 1e9
    found.append(Limit("peak memory of it under 4 GB", peak, most=4))
    return found


def _behind(outcomes: Sequence[Outcome]) -> float | None:
    ours = {(one.data, one.model): one.log_likelihood for one in outcomes if one.package == "ours"}
    others = [
        (one.log_likelihood - ours[one.data, one.model]) / abs(one.log_likelihood)
        for one in outcomes
        if one.package != "ours" and one.log_likelihood == one.log_likelihood and (one.data, one.model) in ours
    ]
    return max(0.0, *others) if others else None


def _within(
    limit: float, package: str, results: Path, *, module: str = "benchmarks.clv_jobs", **arguments: Any
) -> Measurement | None:
    python = None if package == "ours" else PEERS_PYTHON
    try:
        return run(f"{module}:{package}", results, python=python, timeout=limit, **arguments)
    except subprocess.TimeoutExpired:
        return None


def _better(known: Measurement | None, new: Measurement | None) -> Measurement | None:
    if known is None or new is None:
        return new
    fastest = min(known, new, key=lambda done: sum(done.cpu_seconds.values()))
    return Measurement(fastest.seconds, fastest.cpu_seconds, max(known.peak_bytes, new.peak_bytes), fastest.results)


def _read(path: Path) -> pd.DataFrame:
    # Not above: the peak of a child begins at what its parent held.
    import pandas as pd

    return pd.read_parquet(path)


def _tell(data: str, model: str, package: str, done: Measurement | None) -> None:
    words = "not within the limit" if done is None else f"{done.cpu_seconds} {done.peak_bytes / 1e9:.1f} GB"
    sys.stderr.write(f"{data} {model} {package}: {words}\n")


def model_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the rows of the table of models."""
    ours = {(one.data, one.model): one for one in outcomes if one.package == "ours"}
    rows = []
    for one in outcomes:
        if one.done is None:
            rows.append([one.data, WORDS[one.model], _name(one.package), "not within the limit", *[""] * 6])
            continue
        reference = ours[one.data, one.model]
        assert reference.done is not None
        fit, score = (one.done.cpu_seconds[phase] for phase in ("fit", "score"))
        ratios = [_ratio(one.done.cpu_seconds[phase], reference.done.cpu_seconds[phase]) for phase in ("fit", "score")]
        behind = one.log_likelihood - reference.log_likelihood
        rows.append(
            [
                *(one.data, WORDS[one.model], _name(one.package), f"{fit:.3f} s", f"{one.done.seconds['fit']:.3f} s"),
                *(ratios[0], f"{score:.3f} s", ratios[1], f"{one.done.peak_bytes / 1e9:.1f} GB"),
                f"{one.log_likelihood:.4f}" if one.package == "ours" else f"{behind:+.4f}",
                f"{one.n_scores_differ:,}",
            ]
        )
    return rows


def _name(package: str) -> str:
    return "kehu" if package == "ours" else package.replace("_", "-")


def _ratio(other: float, ours: float) -> str:
    return f"{other / ours:.1f}" if ours > 0 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default=f"{MANY},{WHOLE}", help="numbers of simulated customers")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600, help="seconds that a measurement may take")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--keep-readme", action="store_true", help="print the tables, leave README.md as it is")
    given = parser.parse_args()
    customers = [int(n) for n in given.customers.split(",") if n]
    packages = ("ours",) if given.without_peers else PACKAGES
    folders = make_data(customers, DATA / "clv")
    whole = None
    if WHOLE in customers:
        whole = measure_whole(folders[f"{WHOLE:,}"], given.repeat)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    outcomes, summaries = [], {}
    for data, folder in folders.items():
        outcomes += measure_models(data, folder, given.repeat, given.limit, packages)
        if not given.without_peers:
            summaries[data] = measure_summaries(data, folder, given.repeat, given.limit)
    judged = limits(outcomes, whole)
    command = f"make bench-clv CLV_CUSTOMERS={given.customers} REPEAT={given.repeat}"
    head = [
        "customers",
        "model",
        "package",
        "fit, CPU",
        "on the clock",
        "times ours",
        "scores, CPU",
        "times ours",
        "peak",
        "log-likelihood",
        "scores that differ",
    ]
    parts = [
        f"`{command}`, one thread, the best of {given.repeat} runs each, at most {given.limit:g} s a measurement, on "
        f"{machine()}.\n",
        table(head, model_rows(outcomes)),
        *(
            []
            if not summaries
            else [table(["customers", "summary of the log", "CPU", "times ours"], _summary_rows(summaries))]
        ),
        *([] if whole is None else [table(["customers", "our whole path, all cores", "seconds"], _whole_rows(whole))]),
        "Limits:\n",
        *(f"- {limit}" for limit in judged),
    ]
    text = "\n".join(parts)
    sys.stdout.write(f"{text}\n")
    if not given.keep_readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", "clv", text)
    sys.exit(any(limit.is_held is False for limit in judged))


def _summary_rows(summaries: dict[str, dict[str, Measurement | None]]) -> list[list[str]]:
    rows = []
    for data, by_package in summaries.items():
        ours = by_package["ours"]
        for package, done in by_package.items():
            name = _name(package)
            if done is None or ours is None:
                rows.append([data, name, "not within the limit", ""])
            else:
                seconds = done.cpu_seconds["summary"]
                rows.append([data, name, f"{seconds:.3f} s", _ratio(seconds, ours.cpu_seconds["summary"])])
    return rows


def _whole_rows(whole: Measurement) -> list[list[str]]:
    rows = [[f"{WHOLE:,}", phase, f"{seconds:.1f} s"] for phase, seconds in whole.seconds.items()]
    return [
        *rows,
        [
            f"{WHOLE:,}",
            f"together, with a peak of {whole.peak_bytes / 1e9:.1f} GB",
            f"{sum(whole.seconds.values()):.1f} s",
        ],
    ]


if __name__ == "__main__":
    main()
