"""Tell the person who waits, or the scheduler's log, what is being done."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Never

import nbformat
from tqdm import tqdm

from kehu_analysis import labels
from kehu_analysis.report.reading import ReadingBar


class Progress:
    """A bar that names the notebooks under way; on anything but a terminal, a line for each.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.
    quiet
        Say nothing.
    """

    def __init__(self, lang: str, *, quiet: bool = False) -> None:
        self._lang = lang
        self._quiet = quiet
        self._lines = not sys.stderr.isatty()
        self._bar: tqdm[Never] | None = None
        self._running: list[str] = []
        self._reading = None if quiet else ReadingBar(lang, lines=True)
        self._lock = threading.Lock()

    def reading(self, step: str, share: float) -> None:
        """Say that a table is being read, or that the sources are looked at, and how far that is."""
        if self._reading is not None:
            self._reading(step, share)

    def begin(self, notebooks: Sequence[Path]) -> None:
        """Count the cells that are to be run."""
        if self._reading is not None:
            self._reading.close()
        # One more for each: that of the parameters, which papermill adds.
        n_cells = len(notebooks) + sum(
            cell.cell_type == "code" for path in notebooks for cell in nbformat.read(path, as_version=4).cells
        )
        if not (self._quiet or self._lines):
            shape = "{desc} {bar:24} {percentage:3.0f}% {elapsed}"
            self._bar = tqdm(total=n_cells, bar_format=shape, file=sys.stderr, leave=False)

    @contextmanager
    def notebook(self, name: str) -> Iterator[None]:
        """Name a notebook while it runs."""
        with self._lock:
            self._running.append(name)
            self._name_running()
        self._say("progress_running", notebook=name)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(name)
                self._name_running()

    def step(self) -> None:
        """Count a cell as done."""
        with self._lock:
            if self._bar is not None:
                self._bar.update()

    def writing(self) -> None:
        """Say that the report is being put together."""
        if self._bar is not None:
            self._bar.set_description_str(labels.label("ui.progress_writing", self._lang))
        self._say("progress_writing")

    def close(self) -> None:
        """Clear the bar away."""
        if self._reading is not None:
            self._reading.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _name_running(self) -> None:
        if self._bar is not None:
            self._bar.set_description_str(" + ".join(self._running))

    def _say(self, code: str, **values: str) -> None:
        # A terminal has the bar, once there is one.
        if self._bar is None and not self._quiet:
            sys.stderr.write(labels.render(f"ui.{code}", self._lang, **values) + "\n")
            sys.stderr.flush()
