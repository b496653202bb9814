"""Run a measurement in a process of its own: seconds, CPU seconds, peak memory.

A measurement is a function ``(phases, **arguments) -> {name: DataFrame}`` that wraps each part of its work in
``with phases("name")``. Imports, and the storing of the results for comparison, are outside the clock. The peak is that
of the process and its children, so it holds whatever the imports take too.

The parent imports nothing large: a child's peak begins at what its parent held.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Measurement:
    """What a run took: seconds and CPU seconds of each phase, peak memory in bytes, and where its results lie."""

    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    peak_bytes: int
    results: Path


class Phases:
    """Clock of a run's phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start, cpu = time.perf_counter(), _cpu_seconds()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.cpu_seconds[name] = _cpu_seconds() - cpu

    def divide(self, name: str, times: int) -> None:
        """Say that a phase did its work so many times over."""
        self.seconds[name] /= times
        self.cpu_seconds[name] /= times


def run(
    function: str,
    results: Path,
    *,
    python: Path | None = None,
    packages: Path | None = None,
    timeout: float | None = None,
    **arguments: Any,
) -> Measurement:
    """Run ``module:function`` once in a fresh process; its frames are left in ``results`` as Parquet.

    Parameters
    ----------
    function
        ``benchmarks.module:name``.
    results
        A folder; made if need be.
    python
        The interpreter, by default this one; another one keeps its warnings to itself.
    packages
        A folder with packages that it gets besides its own.
    timeout
        Seconds that it may take.
    arguments
        Handed to the function; plain values.

    Raises
    ------
    subprocess.TimeoutExpired
        It took longer, and was ended.
    """
    results.mkdir(parents=True, exist_ok=True)
    call = [str(python or sys.executable), "-m", "benchmarks.measure", function, str(results), json.dumps(arguments)]
    # Caches of our own would spare work that is to be measured; spills go where the data are.
    with tempfile.TemporaryDirectory(prefix="kehu-bench-", dir=results) as scratch:
        environment = {**os.environ, "KEHU_CACHE": scratch, "TMPDIR": scratch}
        if python is not None:
            # What other packages warn of is not ours to mend; what this environment warns of is to be seen.
            environment["PYTHONWARNINGS"] = "ignore"
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        done = subprocess.run(
            call, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=timeout
        )
    if done.returncode != 0:
        raise SystemExit(f"{function} failed with exit code {done.returncode}; its message stands above")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]), results=results)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_bytes() -> int:
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _store(frame: pd.DataFrame, path: Path) -> None:
    # An environment may be without Arrow: that is how the other packages install themselves.
    if importlib.util.find_spec("pyarrow"):
        frame.to_parquet(path.with_suffix(".parquet"), index=False)
    else:
        frame.to_pickle(path.with_suffix(".pickle"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function")
    parser.add_argument("results", type=Path)
    parser.add_argument("arguments", type=json.loads)
    given = parser.parse_args()
    module, name = given.function.split(":")
    function = getattr(importlib.import_module(module), name)
    phases = Phases()
    frames = function(phases, **given.arguments)
    peak = _peak_bytes()
    for name, frame in frames.items():
        _store(frame, given.results / name)
    print(json.dumps({"seconds": phases.seconds, "cpu_seconds": phases.cpu_seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
