"""What a new chapter begins with: valid, named everywhere, and in nobody's way."""

import ast
import json
import shutil
import subprocess
import sys
import tomllib

import nbformat
import pandas as pd
import pytest

from kehu_analysis.errors import UsageError
from kehu_analysis.workbook.chapters import CHAPTERS
from kehu_analysis.workbook.new_chapter import write_chapter
from tests.notebooks import test_shape
from tests.rooms import ROOT

ADDED_TO = (
    "kehu_analysis/workbook/chapters.py",
    "pyproject.toml",
    "README.md",
    "README.zh-CN.md",
    "kehu_analysis/plots/__init__.py",
)


@pytest.fixture
def project(tmp_path):
    for name in ADDED_TO:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def added(project, name):
    before = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in (project / name).read_text(encoding="utf-8").splitlines() if line not in before]


def test_a_chapter_is_named_everywhere(project):
    written = write_chapter("reach", finding="visit_reach", project=project)
    number = CHAPTERS[-1].number + 10
    new = [
        path.relative_to(project).as_posix() for path in written if path.relative_to(project).as_posix() not in ADDED_TO
    ]
    assert new == [
        f"notebooks/{number}_reach.ipynb",
        "kehu_analysis/reach/__init__.py",
        "kehu_analysis/reach/visit_reach.py",
        "kehu_analysis/reach/labels.toml",
        "kehu_analysis/plots/reach.py",
        "tests/reach/examples.py",
        "tests/reach/test_visit_reach.py",
    ]
    assert added(project, ADDED_TO[0]) == [f'    ChapterRecord({number}, "reach", "reach"),']
    (line,) = added(project, ADDED_TO[1])
    assert "| reach |" in line
    assert all("`reach`" in line for page in ADDED_TO[2:4] for line in added(project, page))
    assert added(project, ADDED_TO[4]) == [
        "from kehu_analysis.plots.reach import visit_reach",
        '    "visit_reach",',
    ]
    for path in written:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            ast.parse(text)
        elif path.suffix == ".toml":
            tomllib.loads(text)
        assert "{{" not in text
    # Most of the package is not here, so that ruff would take it for somebody else's.
    ours = 'lint.isort.known-first-party = ["kehu_analysis", "tests"]'
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", ours, "."]
    checked = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    with pytest.raises(UsageError, match="reach"):
        write_chapter("reach", project=project)


def test_its_notebook_has_the_shape_of_a_chapter(project):
    path = write_chapter("reach", project=project)[0]
    for holds in (
        test_shape.test_kernel_is_any_python3,
        test_shape.test_parts_stand_in_order,
        test_shape.test_prose_stands_twice,
        test_shape.test_code_is_short_and_plain,
        test_shape.test_nothing_of_this_machine,
    ):
        holds(path)


@pytest.mark.parametrize("name", ["Reach", "2nd", "re-ach", "réach", "", "../up", "_x"])
def test_names_that_will_not_do(project, kehu, name):
    code, _, said = kehu("new-chapter", "--lang", "en", "--notebooks", project / "own", "--", name)
    assert code == 2
    assert "my_question" in said
    with pytest.raises(UsageError):
        write_chapter(name, project=project)
    assert not (project / "own").exists()


@pytest.mark.parametrize("name", ["loyalty", "overview", "plots", "errors", "grade_customers"])
def test_names_that_are_taken(name):
    before = sorted(path for path in ROOT.glob("kehu_analysis/*"))
    with pytest.raises(UsageError) as refused:
        write_chapter(name)
    assert refused.value.code == "chapter_exists"
    assert sorted(path for path in ROOT.glob("kehu_analysis/*")) == before


def test_files_that_were_rewritten_are_left_alone(project):
    (project / "README.md").write_text("another page")
    with pytest.raises(UsageError, match=r"README\.md"):
        write_chapter("reach", project=project)
    assert not (project / "notebooks").exists()


def test_it_needs_a_checkout(tmp_path):
    with pytest.raises(UsageError, match="--notebooks"):
        write_chapter("reach", project=tmp_path)


def test_a_chapter_of_ones_own_runs_with_the_report(tmp_path, kehu):
    own, data = tmp_path / "own", tmp_path / "data"
    code, said, _ = kehu("new-chapter", "my_question", "--notebooks", own, "--lang", "en")
    assert code == 0
    assert f"--notebooks {own}" in said
    assert [path.name for path in own.iterdir()] == ["80_my_question.ipynb"]
    assert kehu("new-chapter", "my_question", "--notebooks", own)[0] == 2
    data.mkdir()
    days = pd.date_range("2025-01-01", "2025-12-31").strftime("%Y-%m-%d")
    log = pd.DataFrame({"customer_id": [f"c{place % 40}" for place in range(365)], "date": days, "amount": 5.0})
    log.to_csv(data / "transactions.csv", index=False)
    arguments = ("--notebooks", own, "--lang", "en", "--only", "my_question", "-p", "n_customers=3")
    code, _, said = kehu("report", data, "--out", tmp_path / "out", *arguments)
    assert code == 0, said
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["chapters"] == ["my_question"]
    ran = nbformat.read(tmp_path / "out" / "notebooks" / "80_my_question.ipynb", as_version=4)
    shown = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
    assert shown[0].data["text/plain"] == "3 × 4"
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "A chapter of my own" in page
    assert "我的章节" not in page
