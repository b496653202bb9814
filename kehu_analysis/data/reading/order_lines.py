"""Orders in one file and their lines in another: put together, a row a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.engine.duckdb import identifier
from kehu_analysis.errors import DataError


def with_orders(
    connection: duckdb.DuckDBPyConnection, lines: Sequence[OpenedFile], orders: Sequence[OpenedFile], on: str, key: str
) -> tuple[list[OpenedFile], int]:
    """Return files of lines that have, besides their own columns, those of the order that each belongs to.

    Parameters
    ----------
    connection
        Where the files are relations.
    lines, orders
        The files; an order that stands twice counts as it stands first.
    on, key
        The column that names the order, as the lines call it and as the orders do.

    Returns
    -------
    list of OpenedFile, int
        The lines; one whose order is nowhere has no customer and no date. And how many orders have no line.

    Raises
    ------
    DataError
        A file lacks the column.
    """
    for wanted, files in ((on, lines), (key, orders)):
        for file in files:
            if wanted not in file.headers:
                raise DataError(
                    "no_common_column", path=file.shown, column=wanted, headers=", ".join(file.headers[:40])
                )
    of_order, of_line = (f"trim(CAST({identifier(header)} AS VARCHAR))" for header in (key, on))
    shared = [header for header in orders[0].headers if all(header in file.headers for file in orders)]
    columns = ", ".join(identifier(header) for header in shared)
    every = " UNION ALL ".join(f"SELECT {columns}, {FILE}, {ROW} FROM {file.relation}" for file in orders)
    name = f"{orders[0].relation}_orders"
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT * EXCLUDE ({FILE}, {ROW}), {of_order} AS _order FROM ({every}) "
        f"WHERE {of_order} IS NOT NULL QUALIFY row_number() OVER (PARTITION BY {of_order} ORDER BY {FILE}, {ROW}) = 1"
    )
    found = []
    for file in lines:
        added = [header for header in shared if header not in file.headers and header != key]
        taken = "".join(f", o.{identifier(header)}" for header in added)
        relation = f"{file.relation}_with_orders"
        connection.execute(
            f"CREATE TEMP VIEW {relation} AS SELECT l.*{taken} FROM {file.relation} l "
            f"LEFT JOIN {name} o ON trim(CAST(l.{identifier(on)} AS VARCHAR)) = o._order"
        )
        types = file.types | {header: orders[0].types[header] for header in added}
        found.append(replace(file, relation=relation, types=types))
    named = " UNION ALL ".join(f"SELECT {of_line} AS _order FROM {file.relation}" for file in lines)
    row = connection.execute(
        f"SELECT count(*) FROM {name} WHERE _order NOT IN (SELECT _order FROM ({named}) WHERE _order IS NOT NULL)"
    ).fetchone()
    return found, int(row[0]) if row is not None else 0
