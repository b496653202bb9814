"""Write a table's accepted rows, and what is made of the log at once: keys of customers, purchase days, names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import duckdb

from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table
from kehu_analysis.engine.duckdb import identifier, quoted

#: What holds the names that stand in the log itself, and whose.
NAMES_IN_LOG = {
    "names_in_log": ("customer_id", "customer_name"),
    "salespeople_in_log": ("salesperson_id", "salesperson_name"),
}


def store(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], folder: Path, n_files: int
) -> None:
    """Write the accepted rows of a table; of the log also the rows without customer, keys and names.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows`` and its census.
    table
        The table of the contract.
    columns
        What ``classify`` returned.
    folder
        Where ``<table>.parquet`` goes.
    n_files
        How many files the rows come from.
    """
    names = ", ".join(identifier(column.name) for column in columns)
    rows = f"{table.name}_rows"
    if table.name != "transactions":
        order = ", ".join([*(identifier(name) for name in table.required_columns), FILE, ROW])
        query = f"SELECT {names} FROM {rows} WHERE line_class = 'accepted' ORDER BY {order}"
        write_parquet(connection, query, folder / f"{table.name}.parquet")
        return
    store_keys(connection, f"(SELECT customer_id FROM {table.name}_census WHERE line_class = 'accepted')", folder)
    # Of one file the row alone tells the order; a text less to sort by, and to carry, is felt.
    place = ROW if n_files == 1 else f"{FILE}, {ROW}"
    write_parquet(
        connection,
        f"SELECT customer_key, {names} FROM {rows} JOIN customer_keys USING (customer_id) "
        f"WHERE line_class = 'accepted' ORDER BY customer_key, date, {place}",
        folder / "transactions.parquet",
    )
    present = {column.name for column in columns}
    for file, (whose, name) in NAMES_IN_LOG.items():
        if {whose, name} <= present:
            write_parquet(
                connection,
                f"SELECT {whose}, arg_max({name}, (date, {ROW})) AS name FROM {rows} WHERE line_class = 'accepted' "
                f"AND {whose} IS NOT NULL AND {name} IS NOT NULL GROUP BY {whose} ORDER BY {whose}",
                folder / f"{file}.parquet",
            )
    any_set_apart = connection.execute(
        f"SELECT count(*) FROM {table.name}_census WHERE line_class = 'set_apart'"
    ).fetchone() != (0,)
    write_parquet(
        connection,
        f"SELECT {names} FROM {rows} WHERE line_class = 'set_apart' ORDER BY date, {place}"
        if any_set_apart
        else f"SELECT {names} FROM {rows} LIMIT 0",
        folder / "transactions_set_apart.parquet",
    )


def store_keys(connection: duckdb.DuckDBPyConnection, customers: str, folder: Path) -> None:
    """Number the customers of a relation in the order of their ids: ``customer_keys``, as a table and as Parquet."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE customer_keys AS SELECT customer_id, "
        "CAST(row_number() OVER (ORDER BY customer_id) AS INTEGER) AS customer_key "
        f"FROM (SELECT DISTINCT customer_id FROM {customers})"
    )
    write_parquet(
        connection,
        "SELECT customer_key, customer_id FROM customer_keys ORDER BY customer_key",
        folder / "customer_keys.parquet",
    )


def store_purchase_days(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write ``purchase_days.parquet``, the sums by customer and day of ``transactions.parquet``."""
    log = quoted(folder / "transactions.parquet")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW transactions AS FROM read_parquet({log})")
    text = resources.files("kehu_analysis.data").joinpath("purchase_days.sql").read_text(encoding="utf-8")
    write_parquet(connection, text, folder / "purchase_days.parquet")


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write the rows of a query to a Parquet file; one that is there already is replaced."""
    connection.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
