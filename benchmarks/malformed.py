"""Check thousands of malformed and plausible datasets: none may hang, take much memory, fall over, or lose a row, and
none may be added up wrongly in silence.

    python -m benchmarks.malformed --cases 10000

Each case is made from its seed (:mod:`benchmarks.malformed_cases`), examined within a process that examines many
(:mod:`benchmarks.malformed_outcome`), and watched from outside: what takes too long or ends the process is a fault of
its own. One seed is looked into with ``--seed``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from benchmarks import report
from benchmarks.malformed_cases import DAMAGES, case_of
from benchmarks.malformed_files import write_case
from benchmarks.malformed_outcome import Outcome, examine
from benchmarks.measure import ROOT
from benchmarks.plausible_cases import FEATURES

SECONDS = 60.0
#: A fresh process holds about 0.2 GB; DuckDB may take 2 GB, which nothing so small has a use for.
PEAK_BYTES = 1_500_000_000
#: Of so many cases, one is run as the command with its page and workbook too.
COMMAND_EVERY = 49
#: Counted from where the tests' own seeds end.
FIRST_SEED = 10_000


class Watched:
    """A process that examines one case after the other, and is replaced where one of them ends or stops it.

    Parameters
    ----------
    seconds
        How long a case may take.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        # Not forked from a process in which DuckDB's threads run.
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def examine(self, seed: int, *, with_command: bool = False) -> Outcome:
        """Examine a case; a process that ends, or does not answer in time, is a fault."""
        connection = self._connection or self._start()
        connection.send((seed, with_command))
        try:
            if connection.poll(self._seconds):
                outcome: Outcome = connection.recv()
                if outcome.peak_bytes > PEAK_BYTES:
                    outcome.faults.append(f"took {outcome.peak_bytes / 1e9:.1f} GB of memory")
                    self._end()
                return outcome
            fault = f"no end within {self._seconds:g} seconds"
        except (EOFError, ConnectionError):
            fault = "ended the process"
        self._end()
        return Outcome(seed, case_of(seed).mutations, "fault", [fault], seconds=self._seconds)

    def _start(self) -> Connection:
        self._connection, other = self._context.Pipe()
        self._process = self._context.Process(target=_answer, args=(other,), daemon=True)
        self._process.start()
        other.close()
        return self._connection

    def _end(self) -> None:
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._process = self._connection = None


def _answer(connection: Connection) -> None:
    # What libraries say of their own end would stand between the results.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            seed, with_command = connection.recv()
        except EOFError:
            return
        connection.send(examine(seed, with_command=with_command))


def examine_all(seeds: Iterable[int], *, n_processes: int = 1, command_every: int = COMMAND_EVERY) -> Iterator[Outcome]:
    """Examine cases in several processes; outcomes come as they are ready."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    n_cases = 0
    for seed in seeds:
        waiting.put(seed)
        n_cases += 1

    def work() -> None:
        with Watched() as watched:
            while True:
                try:
                    seed = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put(watched.examine(seed, with_command=seed % command_every == 0))

    for _ in range(n_processes):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(n_cases):
        yield done.get()


def summary(outcomes: list[Outcome], command: str) -> str:
    """Return the counts by outcome, by damage and by what an office did as Markdown."""
    ended = Counter(outcome.ended for outcome in outcomes)
    counted = Counter(kind for outcome in outcomes for kind in set(outcome.counted))
    malformed = [outcome for outcome in outcomes if "truth" not in outcome.counted]
    plausible = [outcome for outcome in outcomes if "truth" in outcome.counted]
    times = sorted(outcome.seconds for outcome in outcomes)
    lines = [
        f"`{command}`: {len(malformed):,} malformed and {len(plausible):,} plausible datasets, "
        f"{sum(bool(one.faults) for one in outcomes)} with a fault. Rows were counted independently in "
        f"{counted['rows']:,} of the malformed and amounts added in {counted['amounts']:,}; of the plausible each line "
        f"was held against the truth. Longest {times[-1]:.1f} s, median {times[len(times) // 2]:.2f} s; at most "
        f"{max(one.peak_bytes for one in outcomes) / 1e9:.2f} GB of memory.",
        report.table(["ended with", "", "cases"], [[f"`{name}`", "", f"{n:,}"] for name, n in ended.most_common()]),
        _by_mutation(
            "what was wrong", DAMAGES, malformed, {"of which a dataset with its rows accounted for": _is_read}
        ),
        _by_mutation(
            "what an office did", FEATURES, plausible, {"true at once": _is_true_at_once, "after answers": _is_answered}
        ),
    ]
    return "\n\n".join(lines)


def _by_mutation(
    title: str, names: Iterable[str], outcomes: list[Outcome], kinds: dict[str, Callable[[Outcome], bool]]
) -> str:
    counts = [
        Counter(name for one in outcomes if is_one(one) for name in set(one.mutations)) for is_one in kinds.values()
    ]
    every = Counter(name for one in outcomes for name in set(one.mutations))
    rows = [[name, "", f"{every[name]:,}", *(f"{count[name]:,}" for count in counts)] for name in names]
    return report.table([title, "", "cases", *kinds], rows)


def _is_read(outcome: Outcome) -> bool:
    return outcome.ended == "dataset"


def _is_true_at_once(outcome: Outcome) -> bool:
    return outcome.ended == "dataset" and not outcome.n_answers and not outcome.faults


def _is_answered(outcome: Outcome) -> bool:
    return outcome.n_answers > 0 and not outcome.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed of the first case")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="examine this one case, and leave its files in a folder")
    given = parser.parse_args()
    if given.seed is not None:
        folder = Path(tempfile.mkdtemp(prefix=f"malformed-{given.seed}-"))
        write_case(case_of(given.seed), folder)
        print(folder, examine(given.seed, with_command=True), sep="\n")
        return
    outcomes = []
    for outcome in examine_all(range(given.first, given.first + given.cases), n_processes=given.processes):
        outcomes.append(outcome)
        for fault in outcome.faults:
            print(f"seed {outcome.seed} ({', '.join(outcome.mutations)}): {fault}", file=sys.stderr)
        if len(outcomes) % 500 == 0:
            print(f"{len(outcomes):,} of {given.cases:,}", file=sys.stderr)
    text = summary(outcomes, f"python -m benchmarks.malformed --cases {given.cases}")
    print(text)
    if any(outcome.faults for outcome in outcomes):
        sys.exit(1)
    if given.first == FIRST_SEED:
        report.write_between_markers(ROOT / "benchmarks" / "README.md", "malformed", text)


if __name__ == "__main__":
    main()
