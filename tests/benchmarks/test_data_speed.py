from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import data_jobs
from benchmarks.data_speed import Best, Limit, limits
from benchmarks.equality import check_frames, check_snapshots, difference
from benchmarks.measure import Phases, run
from benchmarks.report import table, write_between_markers
from benchmarks.skewed_log import write_log

#: Told by make test-long.
pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_all_ways_lead_to_the_same_summaries(tmp_path: Path, form: str) -> None:
    log = tmp_path / f"log.{form}"
    write_log(log, 5000)
    ours, plain, phases = tmp_path / "ours", tmp_path / "plain", Phases()
    found = {
        "ours": data_jobs.ours_from_log(phases, log=str(log), folder=str(ours)),
        "plain": data_jobs.plain_from_log(phases, log=str(log), folder=str(plain)),
        "directly": data_jobs.plain_from_log_directly(phases, log=str(log)),
        "pandas": data_jobs.pandas_from_log(phases, log=str(log)),
    }
    (snapshot,) = (str(path.parent) for path in ours.glob("*/customer_keys.parquet"))
    found |= {
        "ours again": data_jobs.ours_from_snapshot(phases, snapshot=snapshot),
        "plain again": data_jobs.plain_from_snapshot(phases, snapshot=snapshot),
        "plain of lines": data_jobs.plain_from_snapshot_lines(phases, snapshot=snapshot),
        "pandas of lines": data_jobs.pandas_from_snapshot_lines(phases, snapshot=snapshot),
    }
    for name, frames in found.items():
        (tmp_path / name).mkdir(exist_ok=True)
        for summary, frame in frames.items():
            assert len(frame) > 0
            frame.to_parquet(tmp_path / name / f"{summary}.parquet")
    check_frames(phases, folders=[str(tmp_path / name) for name in found])
    check_snapshots(phases, snapshots=[snapshot, str(plain)])
    assert set(phases.seconds) == {"snapshot", "summaries"}


def test_unequal_results_stop_the_run(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": ["a", "b"], "amount": [1.0, 2.0]})
    assert difference(frame, frame) == ""
    assert "columns ['amount']" in difference(frame[["customer_id"]], frame)
    assert difference(frame.head(1), frame) == "1 rows, not 2"
    changed = frame.assign(amount=[1.0, 2.00001])
    assert difference(changed, frame).startswith("amount in 1 rows, the first 1")
    assert difference(frame.assign(customer_id=["a", "c"]), frame).startswith("customer_id in 1 rows")
    for name, content in {"one": frame, "other": changed}.items():
        (tmp_path / name).mkdir()
        content.to_parquet(tmp_path / name / "summary.parquet")
    with pytest.raises(SystemExit, match="summary of other differs from that of one: amount"):
        check_frames(Phases(), folders=[str(tmp_path / "one"), str(tmp_path / "other")])


def test_a_run_tells_time_and_memory_and_leaves_its_frames(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_log(log, 500)
    done = run("benchmarks.data_jobs:pandas_from_log", tmp_path / "results", log=str(log))
    assert done.seconds["summaries"] > 0
    assert 30e6 < done.peak_bytes < 2e9
    assert len(pd.read_parquet(tmp_path / "results" / "cohorts.parquet")) > 0


def test_a_run_that_fails_stops(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="pandas_from_log failed with exit code 1"):
        run("benchmarks.data_jobs:pandas_from_log", tmp_path, log=str(tmp_path / "none.parquet"))
    assert "none.parquet" in capfd.readouterr().err


def best(seconds: float, peak_bytes: int = 1_000_000_000) -> Best:
    phases = dict.fromkeys(("snapshot", "summaries", "summary"), seconds)
    return Best(phases, phases, peak_bytes)


@pytest.mark.parametrize(
    ("ours", "peak_bytes", "expected"),
    [(1.0, 2_400_000_000, [True] * 5), (4.0, 2_600_000_000, [False] * 5), (2.0, 1, [False, True, True, False, False])],
)
def test_limits_are_judged(ours: float, peak_bytes: int, expected: list[bool]) -> None:
    names = ("ours_from_log", "plain_from_log", "ours_from_snapshot", "plain_from_snapshot")
    large = {name: best(ours, peak_bytes) if name.startswith("ours") else best(1.0) for name in names}
    peers = {"ours": best(ours), "lifetimes": best(10.0), "pymc_marketing": best(12.0)}
    found = limits({(10_000_000, "parquet"): large}, peers)
    assert [limit.is_held for limit in found] == expected
    assert [limit.is_held for limit in limits({}, {})] == [None] * 5
    assert str(Limit("speed", 2.0, most=1.5)) == "speed: NOT HELD (2.00)"


def test_tables_are_written_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nafter\n", encoding="utf-8")
    write_between_markers(page, "speed", table(["a", "b", "c"], [["1", "2", "3"]]))
    new = "| a | b | c |\n| --- | --- | ---: |\n| 1 | 2 | 3 |"
    assert page.read_text(encoding="utf-8") == f"before\n<!-- speed: begin -->\n\n{new}\n\n<!-- speed: end -->\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        write_between_markers(page, "memory", "")


def test_peers_have_the_same_pandas_as_we() -> None:
    pins = {
        name: dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "benchmarks/requirements.txt")
    }
    ours, theirs = pins.values()
    for package in ("pandas", "numpy"):
        assert theirs[package] == ours[package]
    assert {"lifetimes", "pymc-marketing"} <= set(theirs)
