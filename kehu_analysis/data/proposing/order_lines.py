"""Propose to put orders and their lines together, where the sums stand in another file than customer and date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import duckdb

from kehu_analysis.data.proposing.candidates import READABLE, UNIT_PRICE
from kehu_analysis.data.proposing.columns import ProposedColumns, propose_columns
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.reading.samples import Sample, take_samples
from kehu_analysis.data.reading.sources import is_data_file, shown_name
from kehu_analysis.data.reading.spreadsheet import is_workbook
from kehu_analysis.data.schema import Column, Table
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
    if len(own) == 1 and is_workbook(samples[0].path):
        others.insert(0, samples[0].path)
    for number, path in enumerate(others[:_MOST_FILES]):
        try:
            taken = take_samples(connection, path, shown_name(path, root), f"lines_{number}", scratch)
        except (DataError, duckdb.Error, OSError, ValueError):
            continue  # what is wrong with the file itself is told by the check
        for one in taken:
            if path in own and any(one.sheet == sample.sheet for sample in samples):
                continue
            keys = _common(connection, one, samples, column)
            if keys is None:
                continue
            found = _with_amount(propose_columns(connection, table, [one], TableSettings(), timezone), one)
            if found is not None:
                on, of_orders = keys
                lines = Lines(
                    source=None if path in own else path.name,
                    sheet=one.sheet if path in own or len(taken) > 1 else None,
                    on=on,
                    orders_on=of_orders if of_orders != on else None,
                )
                return ProposedLines(lines, found)
    return None


def _common(
    connection: duckdb.DuckDBPyConnection, lines: Sample, orders: Sequence[Sample], column: Column
) -> tuple[str, str] | None:
    """Return the column that names the order, as the lines call it and as the orders do; None where there is none."""
    ours = [header for header in lines.file.headers if likeness(header, column) >= LIKE]
    shared = [header for header in orders[0].file.headers if all(header in one.file.headers for one in orders)]
    theirs = [header for header in shared if likeness(header, column) >= LIKE]
    pairs = sorted(product(ours, theirs), key=lambda pair: pair[0] != pair[1])
    return next((pair for pair in pairs if _belong(connection, lines, orders, *pair)), None)


def _with_amount(found: ProposedColumns, sample: Sample) -> ProposedColumns | None:
    """Return what was found in a file of lines, if that says what they amount to.

    A price without a quantity is that of one piece a line.
    """
    if found.amount_from is not None or "amount" in found.headers:
        return found
    if "quantity" in found.headers:
        return None
    amount = next((one for one in found.open if one.column == "amount"), None)
    prices = [header for header in sample.file.headers if likeness(header, UNIT_PRICE) >= LIKE]
    listed = [one for one in (amount.candidates if amount is not None else ()) if one.header in prices]
    if amount is None or len(listed) != 1 or listed[0].readable < READABLE:
        return None
    chosen = replace(amount, chosen=listed[0].header, candidates=(listed[0],))
    return replace(found, open=tuple(chosen if one is amount else one for one in found.open))


def _belong(
    connection: duckdb.DuckDBPyConnection, lines: Sample, orders: Sequence[Sample], on: str, of_orders: str
) -> bool:
    """Tell whether most orders that the lines name are among those sampled, each there once."""
    name, key = identifier(on), identifier(of_orders)
    every = " UNION ALL ".join(f"SELECT CAST({key} AS VARCHAR) AS k FROM {one.file.relation}" for one in orders)
    row = connection.execute(
        f"SELECT (SELECT count(DISTINCT k) = count(k) FROM ({every})), avg(CAST(CAST({name} AS VARCHAR) IN "
        f"(SELECT k FROM ({every})) AS INTEGER)) FROM {lines.file.relation} WHERE {name} IS NOT NULL"
    ).fetchone()
    return row is not None and bool(row[0]) and (row[1] or 0) >= _MOSTLY
