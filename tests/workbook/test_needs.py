"""What a chapter needs and what it does without: its record says so, and nothing that is missing fails it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.data import Dataset, contract
from kehu_analysis.finding import Finding
from kehu_analysis.report.run import make_report
from kehu_analysis.simulate.world import World
from kehu_analysis.simulate.writing import write_company
from kehu_analysis.workbook.chapters import CHAPTERS, ChapterRecord
from kehu_analysis.workbook.lacking import NEEDS
from tests.workbook.cells import run_chapter

CASES = [(chapter, source) for chapter in CHAPTERS for source in (*chapter.needs, *chapter.uses)]
OPTIONAL = sorted(set(contract()) - {"transactions"})
#: The log, and what every chapter is made with: names beside numbers.
ALWAYS = {"transactions", "customers"}


class Run(NamedTuple):
    """What a chapter found, and the tables that it asked the dataset for."""

    findings: dict[str, Finding]
    asked: set[str]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company with every table."""
    folder = tmp_path_factory.mktemp("company")
    write_company(folder, World(customers=50, quarters=5, seed=1), file_format="parquet")
    return folder


def without(company: Path, source: str, folder: Path) -> Dataset:
    """Open the company's data as they are without a table, or without one of its columns; whole without neither."""
    shutil.copytree(company, folder / "data", ignore=shutil.ignore_patterns("truth_*"))
    table, _, column = source.partition(".")
    if column:
        path = folder / "data" / f"{table}.parquet"
        pd.read_parquet(path).drop(columns=column).to_parquet(path, index=False)
    elif table:
        (folder / "data" / f"{table}.parquet").unlink()
        settings = folder / "data" / "dataset.toml"
        named = f'[tables.{table}]\nsource = "{table}.parquet"\n'
        assert named in settings.read_text("utf-8")
        settings.write_text(settings.read_text("utf-8").replace(named, ""), "utf-8")
    return open_dataset(folder / "data", cache=folder / "cache")


@pytest.fixture(scope="module")
def whole(company: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What each chapter finds where nothing is missing, and which tables it asks for."""
    folder = tmp_path_factory.mktemp("whole")
    dataset = without(company, "", folder)
    runs = {}
    path = Dataset.path
    for chapter in CHAPTERS:
        asked: set[str] = set()
        with patch.object(Dataset, "path", lambda self, table, asked=asked: asked.add(table) or path(self, table)):
            runs[chapter.name] = Run(run_chapter(chapter.name, dataset.snapshot, folder / chapter.name), asked)
    return runs


@pytest.mark.parametrize(("chapter", "source"), CASES, ids=lambda case: getattr(case, "name", case))
def test_what_is_missing_is_told_in_one_way(
    company: Path, whole: dict[str, Run], tmp_path: Path, chapter: ChapterRecord, source: str
) -> None:
    there = whole[chapter.name].findings
    found = run_chapter(chapter.name, without(company, source, tmp_path).snapshot, tmp_path / "findings")
    assert list(found) == list(there)
    lost = {name for name, finding in found.items() if finding.not_run and not there[name].not_run}
    if source in chapter.uses:
        assert lost == set()
        return
    assert lost
    for name in lost:
        assert (found[name].not_run or ("",))[0] == NEEDS
        for lang in ("zh", "en"):
            assert source.partition(".")[0] in found[name].reading(lang)
            assert source.partition(".")[2] in found[name].reading(lang)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_records_name_what_the_contract_knows(chapter: ChapterRecord) -> None:
    for source in (*chapter.needs, *chapter.uses):
        table, _, column = source.partition(".")
        assert not column or contract()[table].column(column) is not None
        # A required column is there wherever its table is.
        assert column not in contract()[table].required_columns
        assert source != "transactions"
    assert not set(chapter.needs) & set(chapter.uses)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_a_chapter_reads_no_table_that_it_does_not_name(whole: dict[str, Run], chapter: ChapterRecord) -> None:
    asked = whole[chapter.name].asked & set(contract()) - ALWAYS
    named = [other for other in CHAPTERS if other.name in (chapter.name, *chapter.after)]
    assert {table for table in asked if not any(record.declares(table) for record in named)} == set()


@pytest.mark.long
@pytest.mark.parametrize("table", OPTIONAL)
def test_a_report_is_made_without_a_table(company: Path, tmp_path: Path, table: str) -> None:
    data = without(company, table if (company / f"{table}.parquet").is_file() else "", tmp_path)
    assert not data.has(table)
    out = make_report(tmp_path / "data", out=tmp_path / "report")
    assert (out / "index.html").is_file()
