from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.data_speed import Best
from benchmarks.simulation import DATASET, GENERATION, LOG, limits, measure_company

#: Told by make test-long.
pytestmark = pytest.mark.long


@pytest.mark.long
def test_a_company_is_written_and_summarised_in_processes_of_their_own(tmp_path: Path) -> None:
    n_lines, found = measure_company(60, 1, tmp_path)
    assert n_lines == pq.read_metadata(tmp_path / "company" / "transactions.parquet").num_rows > 1000
    assert {name: set(best.seconds) for name, best in found.items()} == {
        GENERATION: {"generation"},
        LOG: {"snapshot", "summaries"},
        DATASET: {"snapshot", "summaries"},
    }
    assert all(50e6 < best.peak_bytes < 2e9 for best in found.values())
    assert (tmp_path / LOG / "customer_history.parquet").is_file()
    assert [limit.is_held for limit in limits(n_lines, found)] == [None, None]


@pytest.mark.parametrize(
    ("seconds", "peak_bytes", "held"), [(179.0, 2_900_000_000, True), (181.0, 3_100_000_000, False)]
)
def test_limits_are_judged(seconds: float, peak_bytes: int, held: bool) -> None:
    found = {GENERATION: Best({"generation": seconds}, {"generation": seconds}, peak_bytes)}
    assert [limit.is_held for limit in limits(10_000_000, found)] == [held, held]
