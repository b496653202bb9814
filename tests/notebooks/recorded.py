"""nbval on notebooks that have run already: their kernel is the session's report, which answers cell by cell.

nbval runs a cell, gathers what the kernel sends, and compares it with what is stored. Here a cell is answered with what
it said when the report was made, so that no notebook is run twice; all the rest is nbval's.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import nbformat
from nbval.plugin import IPyNbFile

from tests.demo import demo_report


class RecordedKernel:
    """What nbval asks of a kernel, from an executed notebook."""

    def __init__(self, executed: Path) -> None:
        cells = nbformat.read(executed, as_version=4).cells
        self._cells = deque(
            cell
            for cell in cells
            if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
        )
        self._messages: deque[dict[str, Any]] = deque()

    def is_alive(self) -> bool:
        return True

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        # Cells before it may have been left out, or be another process's.
        while self._cells and self._cells[0].source != source:
            self._cells.popleft()
        assert self._cells, "the report was made of another notebook"
        cell = self._cells.popleft()
        outputs = [(output.output_type, output) for output in cell.outputs]
        busy_until = ("status", {"execution_state": "idle"})
        parent = {"msg_id": cell.id}
        self._messages.extend(
            {"msg_type": kind, "content": content, "parent_header": parent} for kind, content in (*outputs, busy_until)
        )
        return str(cell.id)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        pass

    def await_idle(self, parent_id: str, timeout: float | None = None) -> None:
        self._messages.clear()

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        return self._messages.popleft()

    def stop(self) -> None:
        self._messages.clear()


class RecordedNotebook(IPyNbFile):
    """A stored notebook beside the same one in the session's report."""

    def setup(self) -> None:
        self.kernel = RecordedKernel(demo_report() / "notebooks" / self.path.name)
        self.setup_sanitize_files()
