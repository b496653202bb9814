"""What can go wrong in and around a notebook: it is told in words, with the notebook and the cell."""

import ast
import errno
import os
import signal
import time

import nbformat
import papermill
import pytest
from jupyter_core.utils import ensure_event_loop

from kehu_analysis.errors import RunError
from kehu_analysis.workbook.execute import execute_chapter
from kehu_analysis.workbook.kernels import CAN_FORK, ForkedKernel, kernels

SECONDS = 120


@pytest.fixture(scope="module")
def settings():
    with kernels() as given:
        yield given


@pytest.fixture
def execute(tmp_path, settings):
    def run(*sources, seconds=SECONDS, **metadata):
        cells = [nbformat.v4.new_code_cell(source, metadata=metadata) for source in sources]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), tmp_path / "in.ipynb")
        deadline = time.monotonic() + seconds
        source, output = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
        return execute_chapter(source, output, {}, deadline=deadline, kernel_settings=settings)

    yield run
    ensure_event_loop().close()  # nbclient made one for this thread and leaves it open


def test_full_disk_is_told_and_not_the_half_file_that_it_left(monkeypatch, tmp_path):
    def run_out_of_space(source, output, *_, **__):
        (tmp_path / "out.ipynb").write_text('{"cells": [')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), output)

    monkeypatch.setattr(papermill, "execute_notebook", run_out_of_space)
    with pytest.raises(OSError, match="No space"):
        execute_chapter(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, deadline=time.monotonic() + 1)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import sys; sys.exit(0)", "in.ipynb stopped at its cell 2"),
        ("exit()", "in.ipynb stopped at its cell 2"),
        ("import os; os._exit(0)", "in.ipynb died at its cell 2"),
        ("raise SystemExit('enough')", "Cell 2 of notebook in.ipynb failed: SystemExit: enough"),
    ],
)
@pytest.mark.parametrize(
    "rest", [pytest.param(("y = 1",), marks=pytest.mark.long), ()], ids=["in the middle", "at the end"]
)
def test_a_notebook_that_is_ended_before_its_end_is_no_chapter(execute, cell, said, rest):
    with pytest.raises(RunError, match=said):
        execute("x = 1", cell, *rest)


def test_an_answer_that_was_not_given_ends_the_run(execute):
    with pytest.raises(RunError, match="stopped at its cell 1"):
        execute("x = 1", tags=["answer-source"])


def test_cells_that_are_empty_or_that_their_author_leaves_out_end_nothing(execute):
    assert execute("", "x = 1").notebook.cells[1].execution_count == 1
    assert execute("1 / 0", tags=["skip-execution"]).notebook.cells[0].execution_count is None


@pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")
def test_a_kernel_starts_with_its_imports_done_and_with_none_that_it_does_not_need(execute):
    cell = "import sys; {name: name in sys.modules for name in ('kehu_analysis.clv', 'papermill', 'nbclient', 'lark')}"
    (shown,) = execute(cell).notebook.cells[0].outputs
    there = ast.literal_eval(shown["data"]["text/plain"])
    assert there == {"kehu_analysis.clv": True, "papermill": False, "nbclient": False, "lark": False}


@pytest.fixture
def at_start(monkeypatch):
    """Send a signal to the first kernels right after their start; return those started."""

    def do(number, times):
        launch, started = ForkedKernel.launch_kernel, []

        async def launch_and_send(self, *arguments, **more):
            info = await launch(self, *arguments, **more)
            started.append(info)
            if len(started) <= times:
                self.process.send_signal(number)
            return info

        monkeypatch.setattr(ForkedKernel, "launch_kernel", launch_and_send)
        return started

    return do


@pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")
def test_a_kernel_that_dies_at_its_start_is_started_once_more(execute, at_start, capfd):
    started = at_start(signal.SIGKILL, 1)
    assert execute("x = 1").notebook.cells[0].execution_count == 1
    assert len(started) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
@pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")
def test_kernels_that_die_again_at_their_start_end_the_run(execute, at_start, capfd):
    started = at_start(signal.SIGKILL, 2)
    with pytest.raises(RunError, match=r"kernel for notebook in\.ipynb died twice"):
        execute("x = 1")
    assert len(started) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
@pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")
def test_the_wait_for_a_kernel_ends_with_the_time_allowed(execute, at_start):
    execute("x = 1")
    started, began = at_start(signal.SIGSTOP, 1), time.monotonic()
    with pytest.raises(RunError, match=r"in\.ipynb was not done in time"):
        execute("x = 1", seconds=1)
    assert len(started) == 1
    assert time.monotonic() - began < 40  # not after nbclient's minute
