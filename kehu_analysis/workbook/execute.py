"""Run one notebook with papermill, under a deadline, and say plainly what went wrong."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import nbformat.reader
import papermill
from nbclient.exceptions import CellTimeoutError

from kehu_analysis.errors import RunError

KERNEL = "python3"
_SHORTEST_WAIT = 0.1
_STARTS = 2
#: Tag by which a notebook's author tells Jupyter to leave a cell out.
_SKIPPED = "skip-execution"
#: The cell whose output is the chapter's answer.
_ANSWER = "answer-source"


@dataclass(frozen=True)
class Execution:
    """An executed notebook and where its seconds went: in all, starting the kernel, in the set-up cell, in the rest."""

    notebook: nbformat.NotebookNode
    seconds: float
    kernel_seconds: float
    import_seconds: float
    work_seconds: float


def execute_chapter(
    source: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    deadline: float,
    on_cell: Callable[[], None] | None = None,
    kernel_settings: Mapping[str, Any] | None = None,
) -> Execution:
    """Run a notebook and keep it as executed.

    Parameters
    ----------
    source, output
        The notebook and where it goes; a broken one is kept there too, for reading.
    parameters
        Checked parameters (see :func:`kehu_analysis.workbook.parameters.share_out`).
    deadline
        ``time.monotonic()`` by which it must be done.
    on_cell
        Called after each cell.
    kernel_settings
        Further settings of nbclient (see :func:`kehu_analysis.workbook.kernels.kernels`).

    Raises
    ------
    RunError
        A cell raised or ended the notebook, the kernel died or did not start, or time ran out.
    """
    started = time.monotonic()
    log = logging.getLogger("papermill")
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # what went wrong is said once, in our words
    try:
        for start in range(1, _STARTS + 1):
            try:
                _execute(source, output, parameters, deadline, on_cell, kernel_settings or {})
                break
            except papermill.PapermillExecutionError as error:
                fault = f"{error.ename}: {error.evalue}"
                number = error.cell_index + 1
                raise RunError("notebook_failed", notebook=source.name, cell=number, error=fault) from error
            except CellTimeoutError as error:
                raise RunError("out_of_time", notebook=source.name) from error
            except RuntimeError as error:  # the kernel: dead, or silent since its start
                if time.monotonic() >= deadline:
                    raise RunError("out_of_time", notebook=source.name) from error
                if reached := _cells_begun(output):
                    raise RunError("kernel_died", notebook=source.name, cell=reached) from error
                if start == _STARTS:
                    raise RunError("kernel_not_started", notebook=source.name) from error
    finally:
        if output.is_file():
            _forget_paths(output)
    seconds = time.monotonic() - started
    notebook = nbformat.read(output, as_version=4)
    if stopped := _stopped_at(notebook):
        raise RunError("notebook_stopped", notebook=source.name, cell=stopped)
    durations = {
        index: cell.metadata.get("papermill", {}).get("duration") or 0.0
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
    }
    set_up = sum(durations[index] for index in durations if "setup" in notebook.cells[index].metadata.get("tags", []))
    in_cells = sum(durations.values())
    return Execution(notebook, seconds, seconds - in_cells, set_up, in_cells - set_up)


def _execute(
    source: Path,
    output: Path,
    parameters: Mapping[str, Any],
    deadline: float,
    on_cell: Callable[[], None] | None,
    kernel_settings: Mapping[str, Any],
) -> None:
    def executed(cell_index: int, execute_reply: Mapping[str, Any], **_: Any) -> None:
        # exit() ends the kernel some time later: with quick cells perhaps after them all.
        if any(said.get("source") == "ask_exit" for said in execute_reply["content"].get("payload", [])):
            raise RunError("notebook_stopped", notebook=source.name, cell=cell_index + 1)
        if on_cell is not None:
            on_cell()

    papermill.execute_notebook(
        str(source),
        str(output),
        dict(parameters),
        kernel_name=KERNEL,
        language="python",
        progress_bar=False,
        # The kernel's folder; papermill's own cwd= would change that of this whole process.
        resources={"metadata": {"path": str(source.parent.absolute())}},
        # The kernel's own log goes to our terminal otherwise.
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        on_cell_executed=executed,
        start_timeout=max(1, math.ceil(deadline - time.monotonic())),
        timeout_func=lambda cell: max(_SHORTEST_WAIT, deadline - time.monotonic()),
        **kernel_settings,
    )


def _cells_begun(output: Path) -> int:
    """Return how many cells of a notebook were begun: the number of the last one."""
    cells = nbformat.read(output, as_version=4).cells if output.is_file() else []
    return sum(bool(cell.metadata.get("papermill", {}).get("start_time")) for cell in cells)


def _stopped_at(notebook: nbformat.NotebookNode) -> int | None:
    """Return the number of the cell that ended a notebook before its end, if one did.

    papermill takes ``sys.exit(0)`` for a success, and leaves what comes after it undone.
    """
    last = None
    for number, cell in enumerate(notebook.cells, start=1):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or not cell.source.strip() or _SKIPPED in tags:
            continue
        if cell.execution_count is None:
            return last or number
        last = number
        if any(shown.output_type == "error" for shown in cell.outputs) or (_ANSWER in tags and not cell.outputs):
            return number
    return None


def _forget_paths(output: Path) -> None:
    # papermill writes absolute paths of this machine into the notebook; they concern nobody who reads it.
    try:
        notebook = nbformat.read(output, as_version=4)
    except nbformat.reader.NotJSONError:
        return  # the disk was full; that is told by the error under way
    for name in ("input_path", "output_path", "environment_variables"):
        notebook.metadata.get("papermill", {}).pop(name, None)
    nbformat.write(notebook, output)


@contextmanager
def kernel_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the kernels started within, and put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
