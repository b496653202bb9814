"""Measure how fast a large simulated company is written, and how fast its log becomes a snapshot and summaries.

    python -m benchmarks.simulation [--customers 117000] [--repeat 3]

Every measurement runs in a process of its own; the fastest of the repeats counts, and the highest peak. Writes the
table in ``README.md`` and exits with 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data_speed import ALL_SUMMARIES, DATA, JOBS, Best, Limit, best_of
from benchmarks.measure import ROOT, Measurement, run
from benchmarks.report import machine, table, write_between_markers

if TYPE_CHECKING:
    import pandas as pd

    from benchmarks.measure import Phases

#: With the parameters of the simulation this many shops have somewhat more than 10 million lines in three years.
CUSTOMERS = 117_000
LARGE_LINES = 10_000_000
GENERATION, LOG, DATASET = "generation", "log", "dataset"
#: Job, its phases, and the words for them.
TASKS = (
    (GENERATION, (GENERATION,), "→ all tables, as Parquet"),
    (LOG, ("snapshot",), "raw log → check, snapshot"),
    (LOG, ALL_SUMMARIES, "its snapshot → all summaries"),
    (DATASET, ("snapshot",), "all tables → check, snapshot"),
)


def generate(phases: Phases, *, folder: str, customers: int) -> dict[str, pd.DataFrame]:
    """Write a company (a measurement for :mod:`benchmarks.measure`)."""
    from kehu_analysis.simulate.world import World
    from kehu_analysis.simulate.writing import write_company

    with phases(GENERATION):
        write_company(Path(folder), World(customers=customers))
    return {}


def measure_company(customers: int, repeat: int, work: Path) -> tuple[int, dict[str, Best]]:
    """Return the number of lines of a company's log, and what each job took."""
    company, caches = work / "company", work / "caches"
    log = company / "transactions.parquet"
    runs: dict[str, list[Measurement]] = {GENERATION: [], LOG: [], DATASET: []}
    for _ in range(repeat):
        for folder in (company, caches):
            shutil.rmtree(folder, ignore_errors=True)
        done = run("benchmarks.simulation:generate", work / GENERATION, folder=str(company), customers=customers)
        runs[GENERATION].append(done)
        for name, source in ((LOG, log), (DATASET, company)):
            cache = str(caches / name)
            runs[name].append(run(f"{JOBS}:ours_from_log", work / name, log=str(source), folder=cache))
    # Not above: the peak of a child begins at what its parent held.
    from pyarrow.parquet import read_metadata

    return read_metadata(log).num_rows, {name: best_of(done) for name, done in runs.items()}


def limits(n_lines: int, found: Mapping[str, Best]) -> list[Limit]:
    """Return what must hold, with what was measured; a company of fewer lines than 10 million tells nothing."""
    made = found[GENERATION] if n_lines >= LARGE_LINES else None
    return [
        Limit("10 million lines simulated in at most 180 seconds", made and made.total((GENERATION,)), most=180),
        Limit("peak memory of it under 3 GB", made and made.peak_bytes / 1e9, most=3),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="number of shops")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep-readme", action="store_true", help="print the table, leave README.md as it is")
    given = parser.parse_args()
    work = DATA / "simulation"
    shutil.rmtree(work, ignore_errors=True)
    n_lines, found = measure_company(given.customers, given.repeat, work)
    shutil.rmtree(work)
    judged = limits(n_lines, found)
    command = f"make bench-simulation CUSTOMERS={given.customers} REPEAT={given.repeat}"
    parts = [
        f"`{command}`, the fastest of {given.repeat} runs each, on {machine()}.\n",
        table(["lines", "task", "seconds", "peak", "lines a second"], _rows(n_lines, found)),
        "Limits:\n",
        *(f"- {limit}" for limit in judged),
    ]
    text = "\n".join(parts)
    sys.stdout.write(f"{text}\n")
    if not given.keep_readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", "simulation", text)
    sys.exit(any(limit.is_held is False for limit in judged))


def _rows(n_lines: int, found: Mapping[str, Best]) -> list[list[str]]:
    rows = []
    for name, phases, words in TASKS:
        best = found[name]
        seconds = best.total(phases)
        rows.append(
            [f"{n_lines:,}", words, f"{seconds:.2f} s", f"{best.peak_bytes / 1e9:.1f} GB", f"{n_lines / seconds:,.0f}"]
        )
    return rows


if __name__ == "__main__":
    main()
