"""What is perhaps counted twice though no word says so: a sum of all other rows, a file that holds what others do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import duckdb

from kehu_analysis.data.checking.failures import failure
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Table
from kehu_analysis.engine.duckdb import quoted

#: Of so few rows, or customers, one may be the sum of the others by chance.
_FEWEST_ROWS, _FEWEST_CUSTOMERS = 10, 3
#: Sums differ by less than this where they are written to the cent.
_CENT = 0.011
#: So many of the largest customers are looked at.
_LARGEST = 5
#: Of so few rows two files may be the same by chance.
_FEWEST_IN_FILE = 5
_KEPT = "line_class IN ('accepted', 'set_apart')"


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
    last = connection.execute(
        f"SELECT {FILE}, max({ROW}), CAST(arg_max(amount, {ROW}) AS VARCHAR), arg_max(customer_id, {ROW}) "
        f"FROM {rows} WHERE {_KEPT} GROUP BY {FILE} HAVING count(*) > {_FEWEST_ROWS} AND arg_max(amount, {ROW}) <> 0 "
        f"AND abs(sum(amount) - 2 * arg_max(amount, {ROW})) < {_CENT} ORDER BY {FILE}"
    ).fetchall()
    return [
        {"file": file, "first_row": row, "n_lines": 1, "amount": amount, "customer": customer or ""}
        for file, row, amount, customer in last
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
        f"SELECT {FILE}, min({ROW}), count(*), sum(CAST(hash(customer_id, date, amount) AS HUGEINT)) "
        f"FROM {table.name}_rows WHERE {_KEPT} GROUP BY {FILE} ORDER BY {FILE}"
    ).fetchall()
    every, n_every = sum(mark for *_, mark in files), sum(n for *_, n, _ in files)
    seen: Counter[tuple[int, int]] = Counter()
    first: dict[tuple[int, int], str] = {}
    found = []
    for file, row, n, mark in files:
        if n < _FEWEST_IN_FILE:
            continue
        seen[n, mark] += 1
        if seen[n, mark] > 1:
            found.append({"file": file, "first_row": row, "n_lines": n, "other": first[n, mark]})
        elif (2 * n, 2 * mark) == (n_every, every) and len(files) > 2:
            others = ", ".join(other for other, *_ in files if other != file)
            found.append({"file": file, "first_row": row, "n_lines": n, "other": others})
        first.setdefault((n, mark), file)
    return found


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
