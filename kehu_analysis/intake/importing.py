"""What `kehu import` is told on the command line, and what it says while it works and when it is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from kehu_analysis import labels
from kehu_analysis.data.database import ImportedTable
from kehu_analysis.errors import UsageError
from kehu_analysis.intake.account import argument


def read_pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return what an option that may be repeated says of each table.

    Raises
    ------
    UsageError
        A text is not ``table=something``, or a table is named twice.

    Examples
    --------
    >>> read_pairs("--table", ["transactions=sales.orders"])
    {'transactions': 'sales.orders'}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        table, separator, value = (part.strip() for part in text.partition("="))
        if not (table and separator and value):
            raise UsageError("import_option_form", option=option, text=text)
        if table in pairs:
            raise UsageError("import_table_twice", table=table)
        pairs[table] = value
    return pairs


class RowsProgress:
    """A bar for each table on a terminal; on anything else a line for each.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.

    Attributes
    ----------
    has_bar
        Whether standard error is a terminal.
    """

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.has_bar = sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None
        self._table = ""

    def __call__(self, table: str, total: int | None, n_rows: int) -> None:
        """Say how many rows of a table have arrived."""
        if table != self._table:
            self.close()
            self._table = table
            if self.has_bar:
                unit = f" {labels.label('ui.import_rows', self._lang)}"
                self._bar = tqdm(total=total, desc=table, unit=unit, unit_scale=True, file=sys.stderr, leave=False)
            else:
                sys.stderr.write(labels.render("ui.import_reading", self._lang, table=table) + "\n")
                sys.stderr.flush()
        if self._bar is not None:
            self._bar.update(n_rows - self._bar.n)

    def close(self) -> None:
        """Clear the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def import_lines(tables: Mapping[str, ImportedTable], folder: Path, lang: str) -> list[str]:
    """Return what to say of an import: each table with its rows, and what to do next."""
    lines = []
    for name, table in tables.items():
        code = "ui.import_table" if table.n_rows else "ui.import_empty"
        n_rows = labels.format_value(table.n_rows, "lines", lang)
        lines.append(labels.render(code, lang, table=name, source=labels.shortened(table.source), n=n_rows))
        if table.left_out:
            columns = ", ".join(map(labels.shortened, table.left_out))
            lines.append("  " + labels.render("ui.import_left_out", lang, columns=columns))
    total = labels.format_value(sum(table.n_rows for table in tables.values()), "lines", lang)
    return [*lines, labels.render("ui.import_done", lang, n=total, path=argument(folder))]
