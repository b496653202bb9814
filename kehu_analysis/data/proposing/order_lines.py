"""Propose to put orders and their lines together, where the sums stand in another file than customer and date."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from kehu_analysis.data.proposing.columns import ProposedColumns, propose_columns
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.reading.samples import Sample, take_samples
from kehu_analysis.data.reading.sources import is_data_file, shown_name
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import Lines, TableSettings
from kehu_analysis.engine.duckdb import identifier
from kehu_analysis.errors import DataError

#: A file has lines of the orders if so many of those sampled are among them.
_MOSTLY = 0.8
_MOST_FILES = 12


class ProposedLines(NamedTuple):
    """The file with the lines and the column that both have, and what was found in that file."""

    lines: Lines
    columns: ProposedColumns


def propose_lines(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    samples: Sequence[Sample],
    root: Path,
    scratch: Path,
    timezone: str,
) -> ProposedLines | None:
    """Return the file whose lines belong to the orders that were sampled, if it holds amounts; None where none does.

    Parameters
    ----------
    connection
        Where the samples are relations.
    table
        The transactions.
    samples
        The beginning of the files with customers and dates.
    root
        The dataset's folder.
    scratch
        A folder for copies of the beginnings.
    timezone
        The dataset's time zone.
    """
    column = table.column("order_id")
    if column is None or not root.is_dir():
        return None
    own = {sample.path for sample in samples}
    others = [path for path in sorted(root.iterdir()) if path.is_file() and is_data_file(path) and path not in own]
    for number, path in enumerate(others[:_MOST_FILES]):
        try:
            taken = take_samples(connection, path, shown_name(path, root), f"lines_{number}", scratch)
        except (DataError, duckdb.Error, OSError, ValueError):
            continue  # what is wrong with the file itself is told by the check
        for one in taken:
            shared = [header for header in one.file.headers if all(header in s.file.headers for s in samples)]
            keys = [header for header in shared if likeness(header, column) >= LIKE]
            key = next((header for header in keys if _belong(connection, one, samples, header)), None)
            if key is None:
                continue
            found = propose_columns(connection, table, [one], TableSettings(), timezone)
            if found.amount_from is not None or "amount" in found.headers:
                return ProposedLines(Lines(source=path.name, on=key), found)
    return None


def _belong(connection: duckdb.DuckDBPyConnection, lines: Sample, orders: Sequence[Sample], key: str) -> bool:
    """Tell whether most orders that the lines name are among those sampled, each there once."""
    name = identifier(key)
    every = " UNION ALL ".join(f"SELECT CAST({name} AS VARCHAR) AS k FROM {one.file.relation}" for one in orders)
    row = connection.execute(
        f"SELECT (SELECT count(DISTINCT k) = count(k) FROM ({every})), avg(CAST(CAST({name} AS VARCHAR) IN "
        f"(SELECT k FROM ({every})) AS INTEGER)) FROM {lines.file.relation} WHERE {name} IS NOT NULL"
    ).fetchone()
    return row is not None and bool(row[0]) and (row[1] or 0) >= _MOSTLY
