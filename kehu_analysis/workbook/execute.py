"""Run one notebook with papermill, under a deadline, and say plainly what went wrong."""

from __future__ import annotations

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
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from kehu_analysis.errors import RunError

KERNEL = "python3"
_SHORTEST_WAIT = 0.1


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
        Further settings of nbclient (see :func:`kehu_analysis.workbook.kernels.preload_kernels`).

    Raises
    ------
    RunError
        A cell raised, the kernel died, or time ran out.
    """
    started = time.monotonic()
    hooks = {} if on_cell is None else {"on_cell_complete": lambda **_: on_cell()}
    try:
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
            timeout_func=lambda cell: max(_SHORTEST_WAIT, deadline - time.monotonic()),
            **hooks,
            **(kernel_settings or {}),
        )
    except papermill.PapermillExecutionError as error:
        fault = f"{error.ename}: {error.evalue}"
        raise RunError("notebook_failed", notebook=source.name, cell=error.cell_index, error=fault) from error
    except DeadKernelError as error:
        raise RunError("kernel_died", notebook=source.name) from error
    except CellTimeoutError as error:
        raise RunError("out_of_time", notebook=source.name) from error
    finally:
        if output.is_file():
            _forget_paths(output)
    seconds = time.monotonic() - started
    notebook = nbformat.read(output, as_version=4)
    durations = {
        index: cell.metadata.get("papermill", {}).get("duration") or 0.0
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
    }
    set_up = sum(durations[index] for index in durations if "setup" in notebook.cells[index].metadata.get("tags", []))
    in_cells = sum(durations.values())
    return Execution(notebook, seconds, seconds - in_cells, set_up, in_cells - set_up)


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
