"""Malformed datasets from seeds: a message or a dataset with every row accounted for, and nothing else."""

import os
import subprocess
import sys

import pytest

from benchmarks import malformed
from benchmarks.malformed import Watched
from benchmarks.malformed_cases import DAMAGES, malformed_case
from benchmarks.malformed_files import write_case
from tests.scale import at_scale, scaled

#: The even seeds are malformed (the odd ones are in test_plausible_worlds.py); the commands' begin where they end.
N_CASES = 2_000
SEEDS, N_COMMANDS = range(0, at_scale(500, N_CASES), 2), at_scale(1, 10)
N_CHUNKS = 5


@pytest.fixture(scope="module")
def watched():
    with Watched() as process:
        yield process


@scaled
@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_malformed_datasets_are_told_of_or_accounted_for(watched, chunk):
    outcomes = [
        watched.examine(seed, with_command=seed % malformed.COMMAND_EVERY == 0) for seed in SEEDS[chunk::N_CHUNKS]
    ]
    assert {outcome.seed: outcome.faults for outcome in outcomes if outcome.faults} == {}
    # Both ends are met, and what is counted independently is not nothing.
    assert {"dataset"} < {outcome.ended for outcome in outcomes}
    assert sum("rows" in outcome.counted for outcome in outcomes) >= 3


def test_every_kind_of_damage_is_done():
    done = {name for seed in range(N_CASES // 4) for name in malformed_case(seed).mutations}
    assert set(DAMAGES) - done == set()


def test_a_seed_gives_the_same_files():
    first, second = (malformed_case(7) for _ in range(2))
    assert [file.text for file in first.files] == [file.text for file in second.files]
    assert first.mutations == second.mutations


@scaled
@pytest.mark.parametrize("seed", range(N_CASES, N_CASES + 2 * N_COMMANDS, 2))
def test_as_a_command_of_its_own(tmp_path, seed):
    folder = tmp_path / "shop"
    folder.mkdir()
    write_case(malformed_case(seed), folder)
    done = subprocess.run(
        [sys.executable, "-m", "kehu_analysis.cli", "check", str(folder), "--out", str(tmp_path / "out")],
        env={**os.environ, "KEHU_CACHE": str(tmp_path / "cache"), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == done.returncode
    assert not (tmp_path / "cache" / "last-error.txt").exists()


def test_what_hangs_or_ends_the_process_is_a_fault(monkeypatch):
    with Watched(seconds=0.01) as watched:
        assert watched.examine(0).faults == ["no end within 0.01 seconds"]
    monkeypatch.setattr(malformed, "_answer", os._exit)
    with Watched() as watched:
        assert watched.examine(0).faults == ["ended the process"]
        assert watched.examine(1).ended == "fault"
