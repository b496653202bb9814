"""The overview in JupyterLab: chapters that have not been run yet are run now, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from jupyter_core.utils import ensure_event_loop

from kehu_analysis import open_dataset
from kehu_analysis.errors import RunError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.workbook import overview, record
from kehu_analysis.workbook.own_chapters import NOTEBOOKS_VARIABLE, chapters_in
from kehu_analysis.workbook.quarters import choose_quarter
from kehu_analysis.workbook.session import FINDINGS_VARIABLE, Workbook

#: A chapter of somebody's own; the project's have been run before.
NAMES = ["my_question"]
BEFORE = [chapter.name for chapter in chapters_in()[1:] if chapter.name not in NAMES]
CELL = """from kehu_analysis.workbook import open_workbook
from kehu_analysis.finding import Fact, Finding
import pandas
book = open_workbook("{name}", data, quarter, lang)
with open({runs!r}, "a") as runs:
    print("{name}", file=runs)
def {name}(): return Finding("{name}", pandas.DataFrame(), {{"n": Fact(1, "count")}})
book.run({name})
{ending}"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbook]:
    monkeypatch.delenv(FINDINGS_VARIABLE, raising=False)
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(NOTEBOOKS_VARIABLE, str(tmp_path / "notebooks"))
    days = pd.date_range("2025-10-01", "2026-04-02").strftime("%Y-%m-%d")
    pd.DataFrame({"customer_id": "a", "date": days, "amount": 1.0}).to_csv(tmp_path / "transactions.csv", index=False)
    dataset = open_dataset(tmp_path / "transactions.csv")
    quarter = choose_quarter(dataset, "")
    folder = dataset.snapshot / "findings" / str(quarter)
    record.begin(folder / "overview")
    for name in BEFORE:
        record.begin(folder / name)
        record.save_finding(Finding(name, pd.DataFrame(), {"n": Fact(1, "count")}), folder / name)
        record.note_order(folder / name, [name])
    yield Workbook("overview", dataset, quarter, "en", folder)
    ensure_event_loop().close()  # nbclient made one for this thread and leaves it open


def write_chapters(folder: Path, ending: str = "") -> Path:
    runs, notebooks = folder / "runs.txt", folder / "notebooks"
    notebooks.mkdir()
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    for number, name in enumerate(NAMES, start=41):
        parameters = nbformat.v4.new_code_cell('data = ""\nquarter = ""\nlang = ""', metadata={"tags": ["parameters"]})
        cell = nbformat.v4.new_code_cell(CELL.format(name=name, runs=str(runs), ending=ending))
        notebook = nbformat.v4.new_notebook(cells=[parameters, cell], metadata=spec)
        nbformat.write(notebook, notebooks / f"{number}_{name}.ipynb")
    return runs


def test_chapters_are_run_once(book: Workbook, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = write_chapters(tmp_path)
    for _ in range(2):
        assert sorted(finding.name for finding in overview.gather(book)) == sorted([*BEFORE, *NAMES])
    assert runs.read_text().split() == NAMES
    assert "1/1" in capsys.readouterr().out  # the progress bar


@pytest.mark.long
def test_half_of_a_chapter_is_not_taken_for_the_whole(book: Workbook, tmp_path: Path) -> None:
    write_chapters(tmp_path, ending="import sys; sys.exit(0)")
    with pytest.raises(RunError, match="stopped at its cell"):
        overview.gather(book)
    assert not record.is_recorded(book.folder / NAMES[0])
