"""Count a company that buys under several codes as one customer, in every table, before anything is summed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kehu_analysis.data.checking.failures import failure
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.storing import store_keys, store_purchase_days, write_parquet
from kehu_analysis.engine.duckdb import identifier, path_literal
from kehu_analysis.errors import DataError

CODES = "customer_codes"


def count_by_company(
    connection: duckdb.DuckDBPyConnection, folder: Path, names: Sequence[str]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Put the company in the place of each of its codes, in all tables of a folder.

    A company is all codes that lead to the same one over ``customers.parent_id``, and is called like that one. Rows
    stay as they are but for the customer; of ``customers`` a company has one row, and of a list on which a customer
    stands once, one entry. ``customer_codes.parquet`` says which codes are whose.

    Parameters
    ----------
    connection
        Any; ``companies`` is made in it.
    folder
        The accepted rows of each table as Parquet, as customers by code; they are replaced.
    names
        The tables that the dataset has; with ``customers``.

    Returns
    -------
    dict
        ``n_codes`` and ``n_companies``: codes of companies that have several, and how many such companies there are.
    list of dict
        The doubts, each a row of :meth:`kehu_analysis.data.Dataset.failures`: codes that lead round in a circle.

    Raises
    ------
    DataError
        There is no table of customers, or it has no ``parent_id``.
    """
    customers = folder / "customers.parquet"
    if "customers" not in names or "parent_id" not in _columns(connection, customers):
        raise DataError("no_parents")
    codes = connection.execute(
        f"SELECT customer_id, parent_id FROM read_parquet({path_literal(customers)}) ORDER BY customer_id"
    ).df()
    company, in_circle = companies_of(codes)
    found = pd.DataFrame({"customer_id": company.index, "company_id": company.to_numpy()}).astype("str")
    connection.register("companies_found", found)
    connection.execute("CREATE TEMP TABLE companies AS FROM companies_found ORDER BY customer_id")
    connection.unregister("companies_found")
    write_parquet(connection, "FROM companies ORDER BY company_id, customer_id", folder / f"{CODES}.parquet")
    for name in names:
        if name != "transactions":
            _replace(connection, contract()[name], folder)
    _replace_log(connection, folder)
    together = found.groupby("company_id").size()
    counts = {"n_codes": int(together[together > 1].sum()), "n_companies": int((together > 1).sum())}
    doubts = []
    if len(in_circle):
        doubt = failure("customers", "parents_in_circle", file="")
        doubts.append(doubt | {"column": "parent_id", "n_lines": len(in_circle), "example": str(in_circle[0])})
    return counts, doubts


def companies_of(codes: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Return the company of each code, and the codes that lead round in a circle.

    Parameters
    ----------
    codes
        ``customer_id``, each once, and ``parent_id``, missing where a code is not another's. A parent that is no code
        of its own is a company nevertheless.

    Returns
    -------
    Series
        The company by customer_id: the code at the end of the parents, of a circle the first of its codes.
    list of str
        The codes that stand in circles, sorted.

    Examples
    --------
    >>> codes = pd.DataFrame({"customer_id": list("ABCDE"), "parent_id": [None, "A", "B", "E", "D"]})
    >>> companies_of(codes)[0].to_dict(), companies_of(codes)[1]
    ({'A': 'A', 'B': 'A', 'C': 'A', 'D': 'D', 'E': 'D'}, ['D', 'E'])
    """
    parents = codes["parent_id"].dropna()
    every = pd.Index(codes["customer_id"]).union(pd.Index(parents.unique())).astype("str")
    place = np.arange(len(every))
    upwards = place.copy()
    own = every.get_indexer(codes.loc[parents.index, "customer_id"].astype("str"))
    upwards[own] = every.get_indexer(parents.astype("str"))
    end, least = _at_the_end(upwards)
    company = pd.Series(every[least[end]], index=every, name="company_id")
    # A way of parents ends at a code that is its own parent, or goes round; then every code of the round is an end.
    on_circle = np.unique(end[upwards[end] != end])
    listed = company.loc[pd.Index(codes["customer_id"]).astype("str")]
    return listed, sorted(every[on_circle])


def _at_the_end(upwards: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each way upwards ends, or is after going round; and the first place among those that follow."""
    # In steps of twice the length each time: a way of a million parents takes twenty.
    jump, least = upwards.copy(), np.minimum(np.arange(len(upwards)), upwards)
    for _ in range(max(1, len(upwards).bit_length())):
        least = np.minimum(least, least[jump])
        jump = jump[jump]
    return jump, least


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE FROM read_parquet({path_literal(path)})").fetchall()]


def _replace(connection: duckdb.DuckDBPyConnection, table: Table, folder: Path) -> None:
    """Put companies into a table; of a key that then repeats, keep one row."""
    path = folder / f"{table.name}.parquet"
    present = _columns(connection, path)
    mapped = [c.name for c in table.columns if c.references == "customers" and c.name in present]
    if table.name == "customers":
        mapped.append("customer_id")
    if not mapped:
        return
    lines = f"(SELECT *, file_row_number AS place FROM read_parquet({path_literal(path)}, file_row_number = true))"
    query = f"SELECT l.* REPLACE ({', '.join(_company_in(name) for name in mapped)}) FROM {lines} l {_joins(mapped)}"
    if table.name == "customers":
        query = f"SELECT q.*, c.customer_id AS code FROM ({query}) q JOIN {lines} c USING (place)"
    if table.key and set(mapped) & set(table.key):
        query = _one_row_a_key(table, present, query)
        order = ", ".join(map(identifier, table.key))
    else:
        names = dict.fromkeys([*table.required_columns, "place"])
        order = ", ".join(map(identifier, names))
    columns = ", ".join(map(identifier, present))
    write_parquet(connection, f"SELECT {columns} FROM ({query}) ORDER BY {order}", folder / f"new_{path.name}")
    (folder / f"new_{path.name}").replace(path)


def _company_in(name: str) -> str:
    column = identifier(name)
    return f"coalesce({identifier(f'of_{name}')}.company_id, l.{column}) AS {column}"


def _joins(names: Sequence[str]) -> str:
    aliases = {name: identifier(f"of_{name}") for name in names}
    return " ".join(
        f"LEFT JOIN companies {alias} ON {alias}.customer_id = l.{identifier(name)}" for name, alias in aliases.items()
    )


def _one_row_a_key(table: Table, present: Sequence[str], query: str) -> str:
    """Return the query for one row a key: of customers as each column says, else whether any code was on the list."""
    key = ", ".join(map(identifier, table.key))
    columns = ", ".join(_together(table, name, present) for name in present if name not in table.key)
    return f"SELECT {key}, {columns} FROM ({query}) GROUP BY {key}"


def _together(table: Table, name: str, present: Sequence[str]) -> str:
    column, own = table.column(name), identifier(name)
    if name == "parent_id":
        return f"CAST(NULL AS VARCHAR) AS {own}"
    ways = {"sum": f"sum({own})", "earliest": f"min({own})", "latest_of_all": _latest_of_all(own)}
    if column is not None and column.of_company in ways:
        return f"CAST({ways[column.of_company]} AS {column.sql_type}) AS {own}"
    if column is not None and column.kind == "flag":
        return f"bool_or({own}) AS {own}"
    if table.name != "customers":
        return f"arg_min({own}, place) AS {own}"
    if name == "closed_reason" and "closed_on" in present:
        return f"CASE WHEN count(closed_on) = count(*) THEN arg_max({own}, closed_on) END AS {own}"
    # The main code's comes first; then those of the others, in their order. Nobody recommends himself.
    counts = f"{own} <> customer_id" if name == "referred_by" else f"{own} IS NOT NULL"
    return f"arg_min({own}, (code <> customer_id, code)) FILTER ({counts}) AS {own}"


def _latest_of_all(own: str) -> str:
    return f"CASE WHEN count({own}) = count(*) THEN max({own}) END"


def _replace_log(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Put companies into the log, with what was made of it: keys, purchase days, days, names."""
    log, new = folder / "transactions.parquet", folder / "new_transactions.parquet"
    old = f"read_parquet({path_literal(log)}, file_row_number = true)"
    name = "coalesce(c.company_id, k.customer_id)"
    keys = f"read_parquet({path_literal(folder / 'customer_keys.parquet')})"
    connection.execute(
        f"CREATE TEMP TABLE company_of_key AS SELECT k.customer_key, {name} AS customer_id FROM {keys} k "
        "LEFT JOIN companies c USING (customer_id)"
    )
    store_keys(connection, "company_of_key", folder)
    write_parquet(
        connection,
        "SELECT n.customer_key, o.customer_id, l.* EXCLUDE (customer_key, customer_id, file_row_number) "
        f"FROM {old} l JOIN company_of_key o USING (customer_key) "
        "JOIN customer_keys n ON n.customer_id = o.customer_id "
        "ORDER BY n.customer_key, l.date, l.file_row_number",
        new,
    )
    new.replace(log)
    store_purchase_days(connection, folder)
    _replace_days(connection, folder)
    if (names := folder / "names_in_log.parquet").is_file():
        _replace_names(connection, names)


def _replace_days(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    # Whether a line repeats another was told by codes: two shops of a company may buy the same on a day.
    path, new = folder / "log_days.parquet", folder / "new_log_days.parquet"
    days = f"read_parquet({path_literal(folder / 'purchase_days.parquet')})"
    counts = f"SELECT DATE '1970-01-01' + CAST(day AS INTEGER) AS date, count(*) AS n FROM {days} GROUP BY day"
    write_parquet(
        connection,
        f"SELECT d.* REPLACE (n.n AS n_customers) FROM read_parquet({path_literal(path)}) d JOIN ({counts}) n "
        "USING (date) ORDER BY date",
        new,
    )
    new.replace(path)


def _replace_names(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    new = path.with_name(f"new_{path.name}")
    write_parquet(
        connection,
        "SELECT coalesce(c.company_id, n.customer_id) AS customer_id, "
        "arg_min(n.name, (n.customer_id <> coalesce(c.company_id, n.customer_id), n.customer_id)) AS name "
        f"FROM read_parquet({path_literal(path)}) n LEFT JOIN companies c USING (customer_id) GROUP BY ALL "
        "ORDER BY customer_id",
        new,
    )
    new.replace(path)
