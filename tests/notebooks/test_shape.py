"""The shape of the notebooks: parts in order, little code, every word twice, nothing of this machine."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kehu_analysis import labels
from kehu_analysis.workbook.chapters import CHAPTERS, OVERVIEW, ChapterRecord
from kehu_analysis.workbook.chapters import chapter as record_named

FOLDER = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
TRUST, ACTION, LIMITS = "How far to trust it", "What to do next quarter", "Limits and provenance"
MOST_CELLS, MOST_LINES, MEDIAN_LINES = 30, 10, 3
#: Calls of the workbook that show something.
SHOWING = {"show", "draw", "tabulate", "advise", "provenance", "answer"}

pytestmark = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells_of(path: Path) -> list[Any]:
    return list(nbformat.read(path, as_version=4).cells)


def code_of(path: Path) -> list[Any]:
    return [cell for cell in cells_of(path) if cell.cell_type == "code"]


def tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def chapter(path: Path) -> str:
    return path.stem.partition("_")[2]


def tagged(path: Path, tag: str) -> Any:
    (cell,) = (cell for cell in cells_of(path) if tag in tags(cell))
    return cell


def record(path: Path) -> ChapterRecord:
    return record_named(chapter(path))


def test_notebooks_are_those_of_the_chapters(path: Path) -> None:
    assert path.stem == f"{record(path).number:02d}_{chapter(path)}"
    assert len(PATHS) == len((OVERVIEW, *CHAPTERS))


def test_findings_of_other_chapters_are_declared(path: Path) -> None:
    # Which chapter makes a finding is seen when it runs; that one is waited for is seen here.
    takes = any(".finding(" in cell.source for cell in code_of(path))
    assert takes == bool(record(path).after)


def test_kernel_is_any_python3(path: Path) -> None:
    metadata = nbformat.read(path, as_version=4).metadata
    assert metadata["kernelspec"]["name"] == "python3"
    assert "papermill" not in metadata
    nbformat.validate(nbformat.read(path, as_version=4))


def test_parts_stand_in_order(path: Path) -> None:
    cells = cells_of(path)
    assert [cell.source.startswith("# ") for cell in cells[:2]] == [True, True]
    for cell, question in zip(cells[:2], ("**问题：", "**Question: "), strict=True):
        assert question in cell.source
    assert [tags(cell) for cell in cells[2:6]] == [
        {"lang-zh", "answer"},
        {"lang-en", "answer"},
        {"parameters"},
        {"setup"},
    ]
    titles = [
        match[1] for cell in cells if "lang-en" in tags(cell) for match in [re.match(r"## (.+)", cell.source)] if match
    ]
    findings = [title for title in titles if title not in ("Data used", TRUST, ACTION, LIMITS)]
    assert 2 <= len(findings) <= 5
    assert titles[-3:] == [TRUST, ACTION, LIMITS] or (
        record(path) == OVERVIEW and titles[-3:] == [ACTION, TRUST, LIMITS]
    )
    assert "answer-source" in tags(cells[-1])


def test_prose_stands_twice(path: Path) -> None:
    prose = [cell for cell in cells_of(path) if cell.cell_type == "markdown"]
    assert prose
    for chinese, english in zip(prose[::2], prose[1::2], strict=True):
        assert tags(chinese) - {"lang-zh"} == tags(english) - {"lang-en"}
        assert "lang-zh" in tags(chinese)
        assert "lang-en" in tags(english)
        assert CHINESE.search(chinese.source)
        assert not CHINESE.search(english.source)
        levels = [re.findall(r"^#+", cell.source, re.MULTILINE) for cell in (chinese, english)]
        assert levels[0] == levels[1]
    positions = [place for place, cell in enumerate(cells_of(path)) if "lang-zh" in tags(cell)]
    assert all("lang-en" in tags(cells_of(path)[place + 1]) for place in positions)


def test_code_is_short_and_plain(path: Path) -> None:
    sources = [cell.source for cell in code_of(path)]
    lines = [len(source.splitlines()) for source in sources]
    assert len(sources) <= MOST_CELLS
    assert max(lines) <= MOST_LINES
    assert statistics.median(lines) <= MEDIAN_LINES
    forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.While, ast.Lambda)
    for source in sources:
        assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, forbidden)]


def test_parameters_are_those_declared(path: Path) -> None:
    source = tagged(path, "parameters").source
    stated = {}
    for line in source.splitlines():
        assert re.search(r"  # \S", line), line
        (assignment,) = ast.parse(line).body
        assert isinstance(assignment, ast.Assign)
        (target,) = assignment.targets
        assert isinstance(target, ast.Name)
        stated[target.id] = ast.literal_eval(assignment.value)
    declared = {name: field.default for name, field in record(path).parameters.model_fields.items()}
    assert list(stated.items()) == list(declared.items())
    assert [type(value) for value in stated.values()] == [type(value) for value in declared.values()]


def test_set_up_opens_its_own_chapter(path: Path) -> None:
    assert f'open_workbook("{chapter(path)}", data, quarter, lang)' in tagged(path, "setup").source


def test_nothing_of_this_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users|usr|opt|var|mnt)/|[A-Z]:\\\\", text)
    assert "://" not in text


def test_images_are_stripped(path: Path) -> None:
    for cell in code_of(path):
        for output in cell.outputs:
            assert not [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            assert "image/png" not in output.get("metadata", {})


def shows(source: str) -> bool:
    """Tell whether a cell ends with a call of the workbook that shows something."""
    last = ast.parse(source).body[-1]
    call = last.value if isinstance(last, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in SHOWING


def test_text_outputs_are_stored(path: Path) -> None:
    showing = [cell for cell in code_of(path) if shows(cell.source)]
    assert len(showing) >= 5
    for cell in showing:
        assert cell.outputs, cell.source
        assert all(output.output_type == "display_data" and output.data["text/plain"] for output in cell.outputs)
    for cell in code_of(path):
        assert not [output for output in cell.outputs if output.output_type in ("error", "stream")], cell.source


def test_answer_is_the_one_that_the_notebook_gives(path: Path) -> None:
    said = tagged(path, "answer-source").outputs[0]["data"]["text/markdown"]
    answers = []
    for lang, cell in zip(labels.LANGUAGES, (cell for cell in cells_of(path) if "answer" in tags(cell)), strict=True):
        answer, _, remark = cell.source.partition("\n\n")
        assert remark == f"*{labels.label('ui.stored_answer', lang)}*"
        answers.append(answer)
    assert said == answers[0]
    assert not CHINESE.search(answers[1])
    # At most three sentences; a point inside a number ends none.
    for answer, ends in zip(answers, (r"。", r"\.(?=\s|$)"), strict=True):
        assert 1 <= len(re.findall(ends, answer)) <= 3
