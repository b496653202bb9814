"""What lies in data/demo is what ``kehu demo`` writes now, and is as small and as clean as it should be."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kehu_analysis.simulate.world import World
from kehu_analysis.simulate.writing import write_company

SHIPPED = Path(__file__).parents[2] / "data" / "demo"
LARGEST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "demo"
    write_company(folder, World())
    return folder


def test_the_shipped_company_is_the_one_that_is_written_now(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {path.name for path in SHIPPED.iterdir()}, "make demo writes it again"
    for name in sorted(names):
        ours, now = SHIPPED / name, written / name
        if name.endswith(".parquet"):
            # How values are packed depends on the version of pyarrow, and the last bit of some on the processor.
            pd.testing.assert_frame_equal(pd.read_parquet(ours), pd.read_parquet(now), rtol=1e-12, atol=0)
        else:
            assert ours.read_bytes() == now.read_bytes(), f"{name}: make demo writes it again"


def test_the_shipped_company_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < LARGEST_BYTES


def test_the_shipped_company_is_clean(kehu: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    code, said, complaints = kehu("check", SHIPPED, "--lang", "en", "--out", tmp_path / "check")
    assert (code, complaints) == (0, "")
    account = said[said.index("\nTable ") :]
    classes = {line.split(":")[0].strip() for line in account.splitlines() if line.startswith("  ")}
    assert classes == {"Accepted"}, said
