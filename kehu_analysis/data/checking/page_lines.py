"""Lines that a page needs and a log does not: totals, headers said again, who made it, what stands below the table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import duckdb

from kehu_analysis.data.checking.parse import given, is_always_readable
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table, pattern_of, pieces_of
from kehu_analysis.engine.duckdb import identifier, quoted

#: Why such a line is left out.
TOTAL, FOOTER, HEADER, BELOW = "total_row", "page_footer", "repeated_header", "below_the_table"
#: Why the lines of another table at the end of a file are rejected.
SECOND = "second_table"
#: Of a wide file the first columns say what a line is.
_MOST_COLUMNS = 60
#: So many lines at the end of a file that are all wrong, below so many that are not, are another table.
_FEWEST_BELOW, _FEWEST_ABOVE = 2, 5
#: Sums differ by less than this where they are written to the cent.
_CENT = 0.011


def page_mark(file: OpenedFile, headers: Sequence[str], plain: Collection[str] = ()) -> str:
    """Return what a row looks like: ``total``, ``perhaps_total``, ``footer``, ``header``; NULL where like data.

    Parameters
    ----------
    file
        The file; typed columns hold no words.
    headers
        Headers of its required columns.
    plain
        Headers below which no words stand.

    Returns
    -------
    str
        An SQL expression over the file's row. What is decided by it, :func:`page_reason` says.
    """
    texts = [header for header, sql_type in file.types.items() if sql_type == "VARCHAR" and header not in plain]
    named = [header for header in headers if header in texts]
    # A program that writes typed columns writes no totals between them, but for the customer's.
    looked_at = texts[:_MOST_COLUMNS] if file.is_text else named
    if not looked_at:
        return "CAST(NULL AS VARCHAR)"
    first = [*dict.fromkeys([*looked_at[:1], *named])]
    cases = [_guarded(looked_at, "total", "total"), _guarded(first, "perhaps_total", "total")]
    if file.is_text:
        # Only where something that is needed is missing the rest is asked for.
        is_missing = " OR ".join(f"nullif({identifier(header)}, '') IS NULL" for header in named) or "false"
        rest = ", ".join(_guarded(looked_at, form, form) for form in ("perhaps_total", "footer"))
        cases.append(f"CASE WHEN {is_missing} THEN coalesce({rest}) END")
        if len(named) > 1:
            again = " AND ".join(f"trim({identifier(header)}) = {quoted(header)}" for header in named)
            cases.append(
                f"CASE WHEN {identifier(named[0])} = {quoted(named[0])} THEN CASE WHEN {again} THEN 'header' END END"
            )
    return f"coalesce({', '.join(cases)})"


def _guarded(headers: Sequence[str], form: str, mark: str) -> str:
    # Looking for a piece of the words is many times as fast as matching them.
    pieces = pieces_of(form)
    names = [identifier(header) for header in headers]
    pattern = quoted(pattern_of("page_lines", form))
    is_like = " OR ".join(f"regexp_matches({name}, {pattern})" for name in names)
    if not pieces:
        return f"CASE WHEN {is_like} THEN '{mark}' END"
    guard = " OR ".join(f"contains({name}, {quoted(piece)})" for name in names for piece in pieces)
    return f"CASE WHEN {guard} THEN CASE WHEN {is_like} THEN '{mark}' END END"


def page_reason(table: Table, columns: Sequence[Column], last_row: int | None) -> str:
    """Return why a row is no row of the table; NULL where it may be one.

    Parameters
    ----------
    table
        The table of the contract.
    columns
        Its columns, whose values the row has, and ``page_mark``.
    last_row
        The last row of the table, where the settings say that something else stands below.
    """
    has = {column.name: column for column in columns}
    required = [has[name] for name in table.required_columns if name in has]
    n_given = " + ".join(f"CAST({_is_given(column)} AS INTEGER)" for column in required) or "0"
    below = f"WHEN {ROW} > {last_row} THEN '{BELOW}' " if last_row is not None else ""
    return (
        f"CASE {below}WHEN page_mark = 'total' OR (page_mark = 'perhaps_total' AND {n_given} < {len(required)}) "
        f"THEN '{TOTAL}' WHEN page_mark = 'header' THEN '{HEADER}' "
        f"WHEN page_mark = 'footer' AND {n_given} < {max(len(required) - 1, 1)} THEN '{FOOTER}' END"
    )


def _is_given(column: Column) -> str:
    return f"({identifier(column.name)} IS NOT NULL)" if is_always_readable(column) else given(column)


def broken_reason(last_row: int | None) -> str:
    """Return the class and the reason of a line whose structure is broken: ``line_class``, ``class_reason``."""
    cases = [f"WHEN {ROW} > {last_row} THEN '{BELOW}'"] if last_row is not None else []
    for form, reason in (("total_line", TOTAL), ("footer", FOOTER)):
        cases.append(f"WHEN regexp_matches(line_text, {quoted(pattern_of('page_lines', form))}) THEN '{reason}'")
    reason = f"CASE {' '.join(cases)} END"
    return (
        f"CASE WHEN {reason} IS NULL THEN 'rejected' ELSE 'filtered' END AS line_class, "
        f"coalesce({reason}, 'broken_line') AS class_reason"
    )


def check_totals(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Any]:
    """Hold totals against the rows above them, all of them or those since the last total.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows``.
    table
        A table with amounts.

    Returns
    -------
    dict
        ``n`` totals with an amount, ``n_agree`` of them, and of the first that does not: ``file``, ``row``, ``total``
        and ``above`` (currency).
    """
    rows = f"{table.name}_rows"
    found = connection.execute(
        f"WITH totals AS (SELECT {FILE}, {ROW}, amount AS total FROM {rows} "
        f"WHERE line_class = 'filtered' AND class_reason = '{TOTAL}' AND amount IS NOT NULL), "
        f"parts AS (SELECT t.{FILE}, t.{ROW}, coalesce(sum(r.amount), 0) AS since FROM {rows} r "
        f"ASOF JOIN totals t ON r.{FILE} = t.{FILE} AND r.{ROW} < t.{ROW} "
        f"WHERE r.line_class IN ('accepted', 'set_apart') GROUP BY ALL), "
        f"judged AS (SELECT t.*, coalesce(p.since, 0) AS since, sum(coalesce(p.since, 0)) "
        f"OVER (PARTITION BY t.{FILE} ORDER BY t.{ROW}) AS above "
        f"FROM totals t LEFT JOIN parts p USING ({FILE}, {ROW})) "
        f"SELECT {FILE}, {ROW}, total, since, above, abs(total - since) < {_CENT} OR abs(total - above) < {_CENT} "
        f"FROM judged ORDER BY {FILE}, {ROW}"
    ).fetchall()
    result: dict[str, Any] = {"n": len(found), "n_agree": sum(bool(row[-1]) for row in found)}
    astray = next((row for row in found if not row[-1]), None)
    if astray is not None:
        file, row, total, _, above, _ = astray
        result |= {"file": file, "row": row, "total": str(total), "above": str(above)}
    return result


def with_second_tables(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> str | None:
    """Return the query for rows in which those at a file's end, where nothing but wrong ones stand, say so.

    Parameters
    ----------
    connection
        Where ``rows`` is a relation of classified rows.
    table
        The table of the contract.
    rows
        Its name.

    Returns
    -------
    str or None
        None where no file ends in such rows.
    """
    sound = "line_class IN ('accepted', 'set_apart')"
    # A row of another table has nothing of what this one needs, but perhaps an id, which any word may be.
    needed = [table.column(name) for name in table.required_columns]
    values = [identifier(column.name) for column in needed if column is not None and not is_always_readable(column)]
    is_foreign = " AND ".join(f"r.{value} IS NULL" for value in values) or "false"
    ends = (
        f"SELECT {FILE}, max({ROW}) FILTER ({sound}) AS last, count(*) FILTER ({sound}) AS n FROM {rows} GROUP BY ALL"
    )
    begins = (
        f"SELECT r.{FILE}, min(r.{ROW}) AS begins FROM {rows} r JOIN ({ends}) e USING ({FILE}) "
        f"WHERE r.line_class = 'rejected' AND r.{ROW} > e.last AND e.n >= {_FEWEST_ABOVE} GROUP BY r.{FILE} "
        f"HAVING count(*) >= {_FEWEST_BELOW} AND bool_and(r.class_reason = 'broken_line' OR ({is_foreign}))"
    )
    found = connection.execute(begins).fetchall()
    if not found:
        return None
    cases = " ".join(f"WHEN {FILE} = {quoted(file)} AND {ROW} >= {row} THEN '{SECOND}'" for file, row in found)
    reason = f"CASE WHEN line_class = 'rejected' THEN CASE {cases} ELSE class_reason END ELSE class_reason END"
    return f"SELECT * REPLACE ({reason} AS class_reason) FROM {rows}"
