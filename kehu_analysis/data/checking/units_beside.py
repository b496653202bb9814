"""Units that stand below a table, or between its rows, where nothing is read but what a page says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from kehu_analysis.data.checking.failures import failure
from kehu_analysis.data.checking.page_lines import FOOTER
from kehu_analysis.data.checking.validate import Part
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.data.units import unit_of_lines
from kehu_analysis.engine.duckdb import identifier

#: A footer stands on every page; so many of them are looked at, and so many of their cells.
_MOST_FOOTERS, _MOST_CELLS = 500, 60


def units_beside(
    connection: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part], settings: TableSettings
) -> list[dict[str, Any]]:
    """Return the footers that name another unit than the one in which amounts were read.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows``.
    table
        A table with amounts.
    parts
        Its files, as they were classified.
    settings
        What ``dataset.toml`` says of the table; where that is the unit, nothing is asked.

    Returns
    -------
    list of dict
        ``file``, ``first_row``, ``text`` and ``unit`` (the word that it names), one a file.
    """
    if settings.amount_unit is not None:
        return []
    footers = f"SELECT {FILE}, {ROW} FROM {table.name}_rows WHERE line_class = 'filtered' AND class_reason = '{FOOTER}'"
    found = []
    for part in parts:
        file = part.file
        if not file.is_text:
            continue
        cells = ", ".join(map(identifier, file.headers[:_MOST_CELLS]))
        of_footers = f"SEMI JOIN ({footers}) USING ({FILE}, {ROW})"
        lines = f"SELECT {ROW}, concat_ws(chr(10), {cells}) FROM {file.relation} {of_footers}"
        if file.broken is not None:
            lines += f" UNION ALL SELECT {ROW}, line_text FROM {file.broken} {of_footers}"
        for row, text in connection.execute(f"{lines} ORDER BY 1 LIMIT {_MOST_FOOTERS}").fetchall():
            said = unit_of_lines(text.split("\n"))
            if said is not None and said[1] != part.style.units.get("amount", 1):
                found.append({"file": file.shown, "first_row": row, "text": text.strip(), "unit": said[0]})
                break
    return found


def doubts_of_units(table: Table, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, as failures, what :func:`units_beside` found."""
    return [
        failure(table.name, "unit_beside", file=one["file"])
        | {"column": "amount", "n_lines": 1, "first_row": one["first_row"], "example": one["text"]}
        for one in found
    ]
