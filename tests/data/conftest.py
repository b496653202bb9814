from collections.abc import Callable
from pathlib import Path

import pytest

from kehu_analysis.data import Dataset, check_dataset

HEADER = "customer_id,date,amount\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("KEHU_CACHE", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    return made


@pytest.fixture
def check(folder: Path) -> Callable[..., Dataset]:
    """Write files into a folder (texts as UTF-8, bytes as they are) and check it as a dataset."""

    def _check(**files: str | bytes) -> Dataset:
        for name, content in files.items():
            path = folder / (name.replace("__", ".") if "__" in name else f"{name}.csv")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return check_dataset(folder)

    return _check
