"""The comparison of stored outputs can fail: a stored output that is not what the notebook says is found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import NbCellError

from tests.notebooks.recorded import RecordedKernel, RecordedNotebook

SOURCES = ("1 + 1", "print('a')", "x = 1")
OUTPUTS = (
    [nbformat.v4.new_output("display_data", {"text/plain": "2", "text/markdown": "**2**", "image/png": "aGVyZQ=="})],
    [nbformat.v4.new_output("stream", name="stdout", text="a\n")],
    [],
)


@pytest.fixture
def executed(tmp_path: Path) -> Path:
    cells = [
        nbformat.v4.new_code_cell(source, execution_count=number, outputs=outputs)
        for number, (source, outputs) in enumerate(zip(SOURCES, OUTPUTS, strict=True), start=1)
    ]
    injected = nbformat.v4.new_code_cell("y = 2", metadata={"tags": ["injected-parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[injected, *cells]), tmp_path / "executed.ipynb")
    return tmp_path / "executed.ipynb"


def differing(request: pytest.FixtureRequest, executed: Path, change: Any, *, cells: Any = slice(None)) -> list[int]:
    """Return the cells whose stored outputs nbval finds to differ, after a change of the stored notebook."""
    stored = executed.with_name("stored.ipynb")
    shutil.copy(executed, stored)
    notebook = nbformat.read(stored, as_version=4)
    notebook.cells = notebook.cells[1:]
    change(notebook.cells)
    nbformat.write(notebook, stored)
    file = RecordedNotebook.from_parent(request.session, path=stored)
    items = list(file.collect())[cells]
    file.kernel = RecordedKernel(executed)  # type: ignore[assignment]
    found = []
    for item in items:
        try:
            item.runtest()
        except NbCellError:
            found.append(item.cell_num)
    return found


def test_what_is_stored_as_it_was_said_passes(request: pytest.FixtureRequest, executed: Path) -> None:
    assert differing(request, executed, lambda cells: None) == []
    assert differing(request, executed, lambda cells: None, cells=slice(1, 2)) == []


def test_images_are_not_compared(request: pytest.FixtureRequest, executed: Path) -> None:
    assert differing(request, executed, lambda cells: cells[0].outputs[0].data.pop("image/png")) == []


def set_text(cells: Any) -> None:
    cells[0].outputs[0].data["text/plain"] = "3"


def set_stream(cells: Any) -> None:
    cells[1].outputs[0].text = "b\n"


def add_output(cells: Any) -> None:
    cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="not said\n")]


def drop_output(cells: Any) -> None:
    cells[0].outputs = []


@pytest.mark.parametrize(("change", "cell"), [(set_text, 0), (set_stream, 1), (add_output, 2), (drop_output, 0)])
def test_a_stored_output_that_was_not_said_is_found(
    request: pytest.FixtureRequest, executed: Path, change: Any, cell: int
) -> None:
    assert differing(request, executed, change) == [cell]


def test_another_notebook_than_the_reports_is_no_match(request: pytest.FixtureRequest, executed: Path) -> None:
    def rewrite(cells: Any) -> None:
        cells[0].source = "1 + 2"

    with pytest.raises(AssertionError, match="another notebook"):
        differing(request, executed, rewrite)
