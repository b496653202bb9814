"""Measure how fast logs become snapshots and summaries, against plain DuckDB SQL, pandas and other packages.

    python -m benchmarks.data_speed [--lines 1000000,10000000] [--repeat 3]

Every measurement runs in a process of its own, the sides taking turns; the fastest of the repeats counts, and the
highest peak. Results are compared before any ratio is told. Writes the tables in ``README.md`` and exits with 1 when a
limit does not hold.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Measurement, run
from benchmarks.report import machine, table, write_between_markers

DATA = ROOT / "benchmarks" / ".data"
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
#: Arrow alone, which the peers do not bring; with it pandas keeps texts in a form that they too group by faster.
ARROW = ROOT / ".venv-bench" / "arrow"
JOBS = "benchmarks.data_jobs"
PEERS = ("lifetimes", "pymc_marketing")
WITH_ARROW = "_with_arrow"
PEER_LINES = 1_000_000
LARGE_LINES = 10_000_000
ALL_SUMMARIES = ("summaries",)
WHOLE = ("snapshot", "summaries")


@dataclass(frozen=True)
class Best:
    """The fastest of several runs of a job: seconds and CPU seconds by phase; the highest peak of them, in bytes."""

    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]
    peak_bytes: int

    def total(self, phases: Sequence[str]) -> float:
        """Return the seconds of some phases together."""
        return sum(self.seconds[phase] for phase in phases)


@dataclass(frozen=True)
class Limit:
    """What must hold: ``value`` at most ``most``, or at least ``least``; None is not measured in this run."""

    words: str
    value: float | None
    most: float = float("inf")
    least: float = 0.0

    @property
    def is_held(self) -> bool | None:
        """Whether it holds, None if it was not measured."""
        return None if self.value is None else self.least <= self.value <= self.most

    def __str__(self) -> str:
        verdict = {True: "held", False: "NOT HELD", None: "not measured"}[self.is_held]
        return f"{self.words}: {verdict}" + ("" if self.value is None else f" ({self.value:.2f})")


def measure_data(n_lines: int, form: str, repeat: int, work: Path) -> dict[str, Best]:
    """Measure the way from a raw log to the summaries, and from our snapshot; check that all agree."""
    log = make_log(n_lines, form)
    ours, plain = work / "ours", work / "plain"
    jobs: dict[str, dict[str, Any]] = {
        "ours_from_log": {"log": str(log), "folder": str(ours)},
        "plain_from_log": {"log": str(log), "folder": str(plain)},
        "plain_from_log_directly": {"log": str(log)},
        "pandas_from_log": {"log": str(log)},
    }
    runs: dict[str, list[Measurement]] = {}
    for _ in range(repeat):
        shutil.rmtree(ours, ignore_errors=True)
        shutil.rmtree(plain, ignore_errors=True)
        _run_all(jobs, runs, work, n_lines, form)
    (snapshot,) = (path.parent for path in ours.glob("*/customer_keys.parquet"))
    run("benchmarks.equality:check_snapshots", work / "equality", snapshots=[str(snapshot), str(plain)])
    if form == "parquet":
        names = (
            "ours_from_snapshot", "plain_from_snapshot", "plain_from_snapshot_lines", "pandas_from_snapshot_lines",
        )  # fmt: skip
        for _ in range(repeat):
            _run_all({name: {"snapshot": str(snapshot)} for name in names}, runs, work, n_lines, form)
    _check_equal(runs, work)
    return {name: best_of(done) for name, done in runs.items()}


def measure_peers(repeat: int, work: Path) -> dict[str, Best]:
    """Measure the summaries of a frame that other packages make too; check that all agree."""
    frame = work / "frame.npz"
    run("benchmarks.peers:write_frame", work, log=str(make_log(PEER_LINES, "parquet")), path=str(frame))
    runs: dict[str, list[Measurement]] = {}
    for _ in range(repeat):
        for name in ("ours", *PEERS, *(f"{peer}{WITH_ARROW}" for peer in PEERS)):
            python = None if name == "ours" else PEERS_PYTHON
            packages = ARROW if name.endswith(WITH_ARROW) else None
            function = f"benchmarks.peers:{name.removesuffix(WITH_ARROW)}"
            done = run(function, work / f"peer_{name}", python=python, packages=packages, log=str(frame))
            runs.setdefault(name, []).append(done)
            _tell(name, PEER_LINES, "frame", done)
    _check_equal(runs, work)
    return {name: best_of(done) for name, done in runs.items()}


def make_log(n_lines: int, form: str) -> Path:
    """Return the log of so many lines, writing it where it is not there yet."""
    path = DATA / f"log-{n_lines}.{form}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run("benchmarks.skewed_log:make", DATA / "generator", path=str(path), n_lines=n_lines)
    # The first to read a file would wait for the disk, the others not.
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
    return path


def limits(data: Mapping[tuple[int, str], Mapping[str, Best]], peers: Mapping[str, Best]) -> list[Limit]:
    """Return what must hold, with what was measured."""
    large = data.get((LARGE_LINES, "parquet"))
    ours = [found[name] for found in data.values() for name in found if name.startswith("ours_")]
    words = "from 10 million lines of Parquet, at most {} times plain DuckDB SQL"
    found = [
        Limit(
            f"snapshot to all summaries {words.format(1.5)}",
            large and _ratio(large["ours_from_snapshot"], large["plain_from_snapshot"], ALL_SUMMARIES),
            most=1.5,
        ),
        Limit(
            f"raw log to snapshot and summaries {words.format(3)}",
            large and _ratio(large["ours_from_log"], large["plain_from_log"], WHOLE),
            most=3,
        ),
        Limit(
            "peak memory under 2.5 GB, everywhere",
            max(best.peak_bytes for best in ours) / 1e9 if large else None,
            most=2.5,
        ),
    ]
    for name in PEERS:
        ratio = peers[name].total(("summary",)) / peers["ours"].total(("summary",)) if peers else None
        words = f"btyd_summary at least 10 times as fast as {name} as it installs itself, 1 million lines"
        found.append(Limit(words, ratio, least=10))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lines", default=f"{PEER_LINES},{LARGE_LINES}", help="lengths of the logs, with commas between"
    )
    parser.add_argument("--formats", default="parquet,csv")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--keep-readme", action="store_true", help="print the tables, leave README.md as it is")
    given = parser.parse_args()
    work = DATA / "work"
    shutil.rmtree(work, ignore_errors=True)
    data = {}
    for n_lines in map(int, given.lines.split(",")):
        for form in given.formats.split(","):
            data[n_lines, form] = measure_data(n_lines, form, given.repeat, work / f"{n_lines}-{form}")
            shutil.rmtree(work)
    peers = {} if given.without_peers else measure_peers(given.repeat, work)
    shutil.rmtree(work, ignore_errors=True)
    found = limits(data, peers)
    command = f"make bench-data LINES={given.lines} REPEAT={given.repeat}"
    parts = [
        f"`{command}`, the fastest of {given.repeat} runs each, on {machine()}.\n",
        _data_table(data),
        *([_peer_table(peers)] if peers else []),
        "Limits:\n",
        *(f"- {limit}" for limit in found),
    ]
    text = "\n".join(parts)
    sys.stdout.write(f"{text}\n")
    if not given.keep_readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", "data-speed", text)
    sys.exit(any(limit.is_held is False for limit in found))


def _run_all(
    jobs: Mapping[str, Mapping[str, Any]], runs: dict[str, list[Measurement]], work: Path, n_lines: int, form: str
) -> None:
    for name, arguments in jobs.items():
        done = run(f"{JOBS}:{name}", work / name, **arguments)
        runs.setdefault(name, []).append(done)
        _tell(name, n_lines, form, done)


def _check_equal(runs: Mapping[str, Sequence[Measurement]], work: Path) -> None:
    folders = [str(done[-1].results) for done in runs.values()]
    run("benchmarks.equality:check_frames", work / "equality", folders=folders)


def best_of(runs: Sequence[Measurement]) -> Best:
    """Return the fastest of several runs of one job, with the highest peak of all."""
    fastest = min(runs, key=lambda done: sum(done.seconds.values()))
    return Best(fastest.seconds, fastest.cpu_seconds, max(done.peak_bytes for done in runs))


def _ratio(ours: Best, other: Best, phases: Sequence[str]) -> float:
    return ours.total(phases) / other.total(phases)


def _tell(name: str, n_lines: int, form: str, done: Measurement) -> None:
    phases = ", ".join(
        f"{phase} {seconds:.2f} s (CPU {done.cpu_seconds[phase]:.2f} s)" for phase, seconds in done.seconds.items()
    )
    sys.stderr.write(f"{n_lines:>10,} {form:8}{name:27} {phases}, peak {done.peak_bytes / 1e9:.2f} GB\n")


def _data_table(data: Mapping[tuple[int, str], Mapping[str, Best]]) -> str:
    rows = []
    for (n_lines, form), found in data.items():
        lines, source = f"{n_lines:,}", {"parquet": "Parquet", "csv": "CSV"}[form]
        ours, plain, pandas = found["ours_from_log"], found["plain_from_log"], found["pandas_from_log"]
        direct = found["plain_from_log_directly"]
        rows += [
            _row(lines, f"raw {source} → check, snapshot", (ours, plain, None), ("snapshot",)),
            _row(lines, f"raw {source} → check, snapshot, summaries", (ours, plain, None), WHOLE),
            _row(lines, "… the others without check and snapshot", (ours, direct, pandas), WHOLE),
        ]
        if "ours_from_snapshot" in found:
            ours, plain = found["ours_from_snapshot"], found["plain_from_snapshot"]
            of_lines = (found["plain_from_snapshot_lines"], found["pandas_from_snapshot_lines"])
            rows += [
                _row(lines, "snapshot → all summaries", (ours, plain, None), ALL_SUMMARIES),
                _row(lines, "… the others from the snapshot's lines", (ours, *of_lines), ALL_SUMMARIES),
            ]
    head = ["lines", "task", "kehu", "plain DuckDB", "ratio", "pandas", "ratio"]
    return table(head, rows)


def _row(lines: str, task: str, sides: Sequence[Best | None], phases: Sequence[str]) -> list[str]:
    ours, *others = sides
    assert ours is not None
    taken = sum(ours.seconds[phase] for phase in phases)
    cells = [lines, task, f"{taken:.2f} s, {ours.peak_bytes / 1e9:.1f} GB"]
    for other in others:
        if other is None:
            cells += ["", ""]
        else:
            # A side that takes no snapshot has the one phase.
            seconds = sum(other.seconds.get(phase, 0.0) for phase in phases)
            cells += [f"{seconds:.2f} s, {other.peak_bytes / 1e9:.1f} GB", f"{taken / seconds:.2f}"]
    return cells


def _peer_table(peers: Mapping[str, Best]) -> str:
    ours = peers["ours"].total(("summary",))
    names = {
        "ours": "`kehu_analysis.summaries.btyd_summary`",
        "lifetimes": "`lifetimes`",
        "pymc_marketing": "`pymc-marketing`",
        "lifetimes_with_arrow": "`lifetimes`, pyarrow installed beside it",
        "pymc_marketing_with_arrow": "`pymc-marketing`, pyarrow installed beside it",
    }
    rows = [
        [names[name], f"{best.total(('summary',)):.3f} s", f"{best.total(('summary',)) / ours:.1f}"]
        for name, best in peers.items()
    ]
    return table([f"summary of a frame, {PEER_LINES:,} lines, days", "seconds", "times ours"], rows)


if __name__ == "__main__":
    main()
