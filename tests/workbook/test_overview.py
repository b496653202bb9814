"""The overview in JupyterLab: chapters that have not been run yet are run now, each once."""

import nbformat
import pandas as pd
import pytest
from jupyter_core.utils import ensure_event_loop

from kehu_analysis import open_dataset
from kehu_analysis.errors import RunError
from kehu_analysis.workbook import execute, overview, record
from kehu_analysis.workbook.session import FINDINGS_VARIABLE, Workbook, choose_quarter

CHAPTERS = ("loyalty", "segmentation")
CELL = """import pathlib
from kehu_analysis.workbook import open_workbook
from kehu_analysis.finding import Fact, Finding
book = open_workbook("{name}", data, quarter, lang)
with open({runs!r}, "a") as runs:
    print("{name}", file=runs)
def {name}(): return Finding("{name}", __import__("pandas").DataFrame(), {{"n": Fact(1, "count")}})
book.run({name})
{ending}"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.delenv(FINDINGS_VARIABLE, raising=False)
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(overview, "CHAPTERS", CHAPTERS)
    find = execute.notebook_path
    monkeypatch.setattr(execute, "notebook_path", lambda chapter: find(chapter, tmp_path))
    days = pd.date_range("2025-10-01", "2026-04-02").strftime("%Y-%m-%d")
    pd.DataFrame({"customer_id": "a", "date": days, "amount": 1.0}).to_csv(tmp_path / "transactions.csv", index=False)
    dataset = open_dataset(tmp_path / "transactions.csv")
    quarter = choose_quarter(dataset, "")
    folder = dataset.snapshot / "findings" / str(quarter)
    record.begin(folder / "overview")
    yield Workbook("overview", dataset, quarter, "en", folder)
    ensure_event_loop().close()  # nbclient made one for this thread and leaves it open


def write_chapters(folder, ending=""):
    runs = folder / "runs.txt"
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    for number, name in enumerate(CHAPTERS, start=1):
        parameters = nbformat.v4.new_code_cell('data = ""\nquarter = ""\nlang = ""', metadata={"tags": ["parameters"]})
        cell = nbformat.v4.new_code_cell(CELL.format(name=name, runs=str(runs), ending=ending))
        notebook = nbformat.v4.new_notebook(cells=[parameters, cell], metadata=spec)
        nbformat.write(notebook, folder / f"{number}0_{name}.ipynb")
    return runs


def test_chapters_are_run_once(book, tmp_path):
    runs = write_chapters(tmp_path)
    for _ in range(2):
        assert [finding.name for finding in overview.gather(book)] == list(CHAPTERS)
    assert runs.read_text().split() == list(CHAPTERS)


def test_half_of_a_chapter_is_not_taken_for_the_whole(book, tmp_path):
    write_chapters(tmp_path, ending="import sys; sys.exit(0)")
    with pytest.raises(RunError, match="stopped at its cell"):
        overview.gather(book)
    assert not record.is_recorded(book.folder / "loyalty")
