"""What ``kehu new-chapter`` leaves to be written is named, place by place, until it is."""

from __future__ import annotations

from pathlib import Path

from tests.rooms import ROOT

MARK = "TO" + "DO"
PLACES = ("kehu_analysis/**/*.py", "kehu_analysis/**/*.toml", "notebooks/*.ipynb", "tests/**/*.py", "*.md", "docs/*.md")


def left(path: Path) -> list[str]:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for number, line in lines if MARK in line]


def test_nothing_is_left_to_be_written() -> None:
    # The notice of `kehu new-chapter` speaks of the mark.
    own = {ROOT / "kehu_analysis" / "workbook" / "labels.toml", *(ROOT / "docs").glob("OWN_CHAPTER*.md")}
    places = sorted(path for pattern in PLACES for path in ROOT.glob(pattern) if path not in own)
    assert [place for path in places for place in left(path)] == []
