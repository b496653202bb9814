from collections.abc import Callable
from pathlib import Path

import pytest

from kehu_analysis.data import Dataset, check_dataset
from kehu_analysis.intake import results
from kehu_analysis.report import layout

SOUND = "".join(f"{n:05d},2026-0{1 + n % 3}-1{n % 10},{n}.50\n" for n in range(1, 150))
#: What a file may hold: markup, formulas, links, steering characters, long values.
HOSTILE = (
    "<script>alert(1)</script>",
    "=2+5+cmd|' /C calc'!A0",
    "@SUM(1)",
    "https://example.org",
    "\u202eevil",
    "\x1b[31mred",
    "字" * 10_000,
    "_x000D_",
    "<img src=x onerror=alert(1)>",
)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep cache and reports of every test to itself."""
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(results, "reports_folder", lambda: tmp_path / "project" / "reports")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    return made


@pytest.fixture
def check(folder: Path) -> Callable[..., Dataset]:
    """Write texts into files of a folder (``customers__csv``) and check it as a dataset."""

    def _check(**files: str) -> Dataset:
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text, encoding="utf-8", newline="")
        return check_dataset(folder)

    return _check


@pytest.fixture(scope="session")
def dirty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows in all four classes, a warning, an unused column, and hostile texts everywhere."""
    made = tmp_path_factory.mktemp("dirty") / "shop"
    made.mkdir()
    quoted = [value.replace('"', '""') for value in HOSTILE]
    header = '客户编号,日期,金额,数量,"<b onclick=x>&",=1+1\n'
    sound = "".join(f"{line},1,x,y\n" for line in SOUND.splitlines())
    faulty = "".join(f'"{value}",never,1,1,"{value}","{value}"\n' for value in quoted)
    others = ",2026-01-05,3,1,x,y\n7,2026-01-06,4,many,x,y\n8,2026-01-07,,9,x,y\n"
    files = {
        "transactions.csv": f"{header}{sound}{faulty}{others}",
        "customers.csv": "customer_id,name\n00001,甲\n00001,乙\n",
        "dataset.toml": "[[tables.transactions.filters]]\ncolumn = '金额'\noperator = 'equals'\nvalue = '5.50'\n"
        "reason = '<i>邮费</i>'\n",
    }
    for name, text in files.items():
        (made / name).write_text(text, encoding="utf-8", newline="")
    return made


@pytest.fixture(scope="session")
def dirty(dirty_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return check_dataset(dirty_folder, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the font out of pages: cutting it takes most of a page's time."""
    monkeypatch.setattr(layout, "font_face", lambda *_: "")
