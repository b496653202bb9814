"""What is perhaps counted twice though no word says so: a sum of all other rows, a file that holds what others do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from kehu_analysis.data.checking.failures import failure
from kehu_analysis.data.checking.page_lines import TOTAL
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table
from kehu_analysis.engine.duckdb import identifier, quoted

#: Of so few rows, or customers, one may be the sum of the others by chance.
_FEWEST_ROWS, _FEWEST_CUSTOMERS = 10, 3
#: Sums written to the cent differ by less than this; more would be met by chance.
_CENT = 0.006
#: So many of the largest customers are looked at.
_LARGEST = 3
#: Of so few rows two files may be the same by chance.
_FEWEST_IN_FILE = 5
#: So many rows tell whether an amount is that of an order; of so few orders, and less than this share, none is told.
_ROWS_OF_ORDERS, _FEWEST_ORDERS, _SAME = 200_000, 5, 0.98
_KEPT = "line_class IN ('accepted', 'set_apart')"
_LEFT_OUT = f"(line_class = 'filtered' AND class_reason <> '{TOTAL}')"


def sums_of_others(connection: duckdb.DuckDBPyConnection, table: Table, *, with_rows: bool) -> list[dict[str, Any]]:
    """Return who or what was counted as a sale and is, to the cent, the sum of all the others.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows`` and ``<table>_census``.
    table
        The transactions.
    with_rows
        Whether the last row of each file is looked at, too; a program that writes typed columns adds none.

    Returns
    -------
    list of dict
        ``file``, ``first_row``, ``n_lines``, ``customer`` (empty where none is named) and ``amount`` (currency).
    """
    rows = f"{table.name}_rows"
    found: list[dict[str, Any]] = []
    for customer in _customers(connection, table):
        place = connection.execute(
            f"SELECT {FILE}, {ROW}, count(*) OVER (), CAST(sum(amount) OVER () AS VARCHAR) FROM {rows} "
            f"WHERE customer_id = {quoted(customer)} AND {_KEPT} ORDER BY {FILE}, {ROW} LIMIT 1"
        ).fetchone()
        assert place is not None  # the census has counted it
        found.append(dict(zip(("file", "first_row", "n_lines", "amount"), place, strict=True)) | {"customer": customer})
    if not with_rows or found:
        return found
    # A sum of all that the file holds is one also where some of that is left out since.
    last = f"arg_max(amount, {ROW}) FILTER ({_KEPT})"
    sums = [f"sum(amount) FILTER ({rows_in})" for rows_in in (_KEPT, f"{_KEPT} OR {_LEFT_OUT}")]
    is_sum = " OR ".join(f"abs({one} - 2 * {last}) < {_CENT}" for one in sums)
    found_last = connection.execute(
        f"SELECT {FILE}, max({ROW}) FILTER ({_KEPT}), CAST({last} AS VARCHAR), arg_max(customer_id, {ROW}) "
        f"FILTER ({_KEPT}) FROM {rows} GROUP BY {FILE} HAVING count(*) FILTER ({_KEPT}) > {_FEWEST_ROWS} "
        f"AND {last} <> 0 AND ({is_sum}) ORDER BY {FILE}"
    ).fetchall()
    return [
        {"file": file, "first_row": row, "n_lines": 1, "amount": amount, "customer": customer or ""}
        for file, row, amount, customer in found_last
    ]


def _customers(connection: duckdb.DuckDBPyConnection, table: Table) -> list[str]:
    """Return the customers of whom each bought for as much as all that bought for less than it, together."""
    found = connection.execute(
        f"SELECT customer_id, sum(amount), sum(n_lines), sum(sum(amount)) OVER (), sum(sum(n_lines)) OVER (), "
        f"count(*) OVER () FROM {table.name}_census WHERE {_KEPT} AND customer_id IS NOT NULL GROUP BY customer_id "
        f"ORDER BY sum(amount) DESC, customer_id LIMIT {_LARGEST}"
    ).fetchall()
    sums = []
    n_others, amount_left, lines_left = 0, 0, 0
    for place, (customer, amount, n_lines, total, n_total, n_customers) in enumerate(found):
        if place == 0:
            amount_left, lines_left, n_others = total or 0, n_total, n_customers
        amount_left, lines_left, n_others = amount_left - (amount or 0), lines_left - n_lines, n_others - 1
        if n_others < _FEWEST_CUSTOMERS or lines_left < max(_FEWEST_ROWS, n_lines + 1):
            break
        if amount and abs(amount - amount_left) < _CENT:
            sums.append(str(customer))
    return sums


def same_files(connection: duckdb.DuckDBPyConnection, table: Table) -> list[dict[str, Any]]:
    """Return the files, or sheets, whose every row stands in another one or in all the others together.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows`` of several files.
    table
        The transactions.

    Returns
    -------
    list of dict
        ``file``, ``first_row``, ``n_lines`` and ``other``: the files that hold the same.
    """
    # Sums of hashes are the same whatever the order of the rows, and those of parts add up to that of the whole.
    files = connection.execute(
        f"SELECT {FILE}, min({ROW}), count(*), sum(amount), sum(CAST(hash(customer_id, date, amount) AS HUGEINT)) "
        f"FROM {table.name}_rows WHERE {_KEPT} GROUP BY {FILE} HAVING count(*) >= {_FEWEST_IN_FILE} ORDER BY {FILE}"
    ).fetchall()
    n_every, sum_of_all, every = (sum(one[place] for one in files) for place in (2, 3, 4))
    first: dict[tuple[int, int], str] = {}
    found = []
    for file, row, n, amount, mark in files:
        others = ", ".join(other for other, *_ in files if other != file)
        holds_all = len(files) > 2 and (2 * n, 2 * mark) == (n_every, every)
        # Fewer rows that come to the same are sums, by month or customer.
        sums_up = 2 * n < n_every and amount and abs(2 * amount - sum_of_all) < _CENT
        if (n, mark) in first or holds_all or sums_up:
            found.append({"file": file, "first_row": row, "n_lines": n, "other": first.get((n, mark), others)})
        first.setdefault((n, mark), file)
    return found


def amounts_of_orders(connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column]) -> dict[str, Any]:
    """Return how many lines have an amount that is, on all lines of each order, the same: perhaps that of the order.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows``.
    table, columns
        The transactions, and the columns that they have; an order number among them.

    Returns
    -------
    dict
        ``file``, ``first_row``, ``n_lines`` and ``order`` of the first; empty where lines of an order differ.
    """
    # Lines of one product and number may well cost the same.
    differs = [one.name for one in columns if one.name in ("product_id", "quantity", "discount", "cost")]
    if not differs:
        return {}
    parts = ", ".join(map(identifier, differs))
    orders = (
        f"SELECT order_id, count(*) AS n, min(amount) = max(amount) AS is_same, count(DISTINCT ({parts})) AS n_parts, "
        f"min({FILE}) AS file, min({ROW}) AS row, any_value(amount) AS amount FROM (SELECT * FROM {table.name}_rows "
        f"WHERE {_KEPT} AND order_id IS NOT NULL LIMIT {_ROWS_OF_ORDERS}) GROUP BY order_id"
    )
    row = connection.execute(
        f"SELECT count(*), count(*) FILTER (is_same), CAST(sum(n) FILTER (is_same) AS BIGINT), "
        f"arg_min(file, row) FILTER (is_same), min(row) FILTER (is_same), arg_min(order_id, row) FILTER (is_same), "
        f"count(DISTINCT amount) FROM ({orders}) WHERE n > 1 AND n_parts > 1"
    ).fetchone()
    assert row is not None  # aggregates always return a row
    n_orders, n_same, n_lines, file, first_row, order, n_amounts = row
    if n_orders < _FEWEST_ORDERS or n_amounts < _FEWEST_ORDERS or n_same < _SAME * n_orders:
        return {}
    return {"file": file, "first_row": first_row, "n_lines": n_lines, "order": order}


def quantities_below_zero(connection: duckdb.DuckDBPyConnection, table: Table) -> list[dict[str, Any]]:
    """Return by file how many lines have a quantity below 0 and an amount above it, and the first of them."""
    rows = connection.execute(
        f"SELECT {FILE}, min({ROW}), count(*), arg_min(quantity, {ROW}), CAST(arg_min(amount, {ROW}) AS VARCHAR) "
        f"FROM {table.name}_rows WHERE {_KEPT} AND quantity < 0 AND amount > 0 GROUP BY {FILE} ORDER BY {FILE}"
    ).fetchall()
    return [
        {"file": file, "first_row": row, "n_lines": n, "text": f"{quantity:g} · {amount}"}
        for file, row, n, quantity, amount in rows
    ]


def doubts_of_counting(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], *, n_files: int, of_texts: bool
) -> list[dict[str, Any]]:
    """Return, as failures, all that this module finds in the transactions.

    Parameters
    ----------
    connection, table, columns
        As above.
    n_files
        Of how many files, or sheets.
    of_texts
        Whether any of them holds texts only.
    """
    names = {column.name for column in columns}
    files = same_files(connection, table) if n_files > 1 else []
    failures = doubts_of_double_counts(table, sums_of_others(connection, table, with_rows=of_texts), files)
    if "order_id" in names and (one := amounts_of_orders(connection, table, columns)):
        words = {"column": "amount", "n_lines": one["n_lines"], "first_row": one["first_row"], "example": one["order"]}
        failures.append(failure(table.name, "amount_of_order", file=one["file"]) | words)
    for one in quantities_below_zero(connection, table) if "quantity" in names else []:
        words = {"column": "amount", "n_lines": one["n_lines"], "first_row": one["first_row"], "example": one["text"]}
        failures.append(failure(table.name, "quantity_below_zero", file=one["file"]) | words)
    return failures


def doubts_of_double_counts(
    table: Table, sums: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return, as failures, what :func:`sums_of_others` and :func:`same_files` found."""
    return [
        failure(table.name, "sum_of_the_others", file=one["file"])
        | {
            "column": "customer_id",
            "n_lines": one["n_lines"],
            "first_row": one["first_row"],
            "example": f"{one['customer']} ({one['amount']})".strip(),
        }
        for one in sums
    ] + [
        failure(table.name, "counted_twice", file=one["file"])
        | {"n_lines": one["n_lines"], "first_row": one["first_row"], "example": one["other"]}
        for one in files
    ]
