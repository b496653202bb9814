"""Show how far the reading of a dataset is."""

from __future__ import annotations

import sys
from typing import Never

from tqdm import tqdm

from kehu_analysis import labels


class ReadingBar:
    """The progress of :func:`kehu_analysis.open_dataset`: on a terminal a bar a table, else a line each, or nothing.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.
    lines
        Whether anything but a terminal gets a line for each step.
    """

    def __init__(self, lang: str, *, lines: bool) -> None:
        self._lang = lang
        self._lines = lines and not sys.stderr.isatty()
        self._has_bar = sys.stderr.isatty()
        self._bar: tqdm[Never] | None = None
        self._step = ""

    def __call__(self, step: str, share: float) -> None:
        """Show how far a step is."""
        if step != self._step:
            self.close()
            self._step = step
            self._begin(step)
        if self._bar is not None:
            self._bar.update(max(share - self._bar.n, 0.0))

    def close(self) -> None:
        """Clear the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _begin(self, step: str) -> None:
        words = (
            labels.label(f"ui.step_{step}", self._lang)
            if labels.has(f"ui.step_{step}")
            else labels.render("ui.progress_reading", self._lang, table=step)
        )
        if self._has_bar:
            shape = "{desc} {bar:24} {percentage:3.0f}% {elapsed}"
            self._bar = tqdm(total=1.0, desc=words, bar_format=shape, file=sys.stderr, leave=False)
        elif self._lines:
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()
