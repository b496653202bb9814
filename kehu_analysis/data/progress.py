"""Tell how far the reading of a dataset is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import duckdb

#: Called with the step (``hash`` or a table's name) and the share of it that is done, from 0 to 1.
Progress = Callable[[str, float], None]

_SECONDS_BETWEEN = 0.2
#: Where in a table's reading each phase begins and ends; measured on logs of ten million lines.
_PHASES = {"open": (0.0, 0.2), "judge": (0.2, 0.35), "store": (0.35, 0.75), "days": (0.75, 1.0)}


def let_be_watched(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a connection tell how far it is, and print nothing itself.

    In a notebook DuckDB asks for a widget to draw on, though nothing is to be drawn; there it tells nothing.
    """
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")


class Watch:
    """Ask a connection at work how far it is, and pass that on.

    Parameters
    ----------
    progress
        Told of every step.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def __call__(self, connection: duckdb.DuckDBPyConnection, table: str, phase: str) -> Iterator[None]:
        """Watch the statements that are run within; each of them counts from the beginning of the phase."""
        begin, end = _PHASES[phase]
        self._progress(table, begin)
        done = threading.Event()

        def ask() -> None:
            furthest = begin
            while not done.wait(_SECONDS_BETWEEN):
                share = min(max(connection.query_progress(), 0.0), 100.0) / 100
                furthest = max(furthest, begin + share * (end - begin))
                self._progress(table, furthest)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        self._progress(table, end)
