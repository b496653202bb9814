"""Lines that a page needs and a log does not: totals, headers said again, who made it, what stands below the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

from kehu_analysis.data.checking.parse import given, is_always_readable
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table, pattern_of, pieces_of
from kehu_analysis.engine.duckdb import identifier, quoted

#: Why such a line is left out.
TOTAL, FOOTER, HEADER, BELOW = "total_row", "page_footer", "repeated_header", "below_the_table"
BLANK, UNIT = "blank_row", "unit_row"
#: Why the lines of another table at the end of a file are rejected.
SECOND = "second_table"
#: Of a wide file the first columns say what a line is.
_MOST_COLUMNS = 60
#: So many lines at the end of a file that are all wrong, below so many that are not, are another table.
_NOTHING = r"[\s\x{a0}\x{3000}]*"
_FEWEST_BELOW, _FEWEST_ABOVE = 2, 5
#: Sums differ by less than this where they are written to the cent.
_CENT = Decimal("0.01")


def page_mark(
    file: OpenedFile, headers: Mapping[str, str], columns: Sequence[Column], plain_headers: Collection[str] = ()
) -> str:
    """Return what a row looks like: ``total``, ``footer``, ``header``, ``blank`` and so on; NULL where like data.

    Parameters
    ----------
    file
        The file; typed columns hold no words.
    headers
        Headers of its required columns, by the columns' names.
    columns
        The columns of the table.
    plain_headers
        Headers below which no words stand.

    Returns
    -------
    str
        An SQL expression over the file's row. What is decided by it, :func:`page_reason` says.
    """
    texts = [header for header, sql_type in file.types.items() if sql_type == "VARCHAR" and header not in plain_headers]
    named = [header for header in headers.values() if header in texts]
    # A program that writes typed columns writes no totals between them, but for the customer's.
    looked_at = texts[:_MOST_COLUMNS] if file.is_text else named
    if not looked_at:
        return "CAST(NULL AS VARCHAR)"
    first = [*dict.fromkeys([*looked_at[:1], *named])]
    cases = [_guarded(looked_at, form, "total") for form in ("total", "total_besides")]
    cases.append(_guarded(first, "perhaps_total", "total"))
    if file.is_text:
        # Only where something that is needed is missing the rest is asked for.
        is_missing = " OR ".join(f"nullif({identifier(header)}, '') IS NULL" for header in named) or "false"
        rest = [_guarded(looked_at, form, form) for form in ("perhaps_total", "footer")]
        rest += [_guarded(looked_at, "total_with_sum", "total"), _guarded(looked_at, "unit_line", "footer")]
        rest += [_guarded(first, form, "perhaps_total") for form in ("total_of", "total_before")]
        rest += [_unit_mark(headers, texts), _blank_mark(file)]
        cases.append(f"CASE WHEN {is_missing} THEN coalesce({', '.join(rest)}) END")
        cases.append(_header_mark({name: header for name, header in headers.items() if header in texts}, columns))
    return f"coalesce({', '.join(cases)})"


def _unit_mark(headers: Mapping[str, str], texts: Sequence[str]) -> str:
    if (header := headers.get("amount")) is None or header not in texts:
        return "NULL"
    return f"CASE WHEN regexp_matches({identifier(header)}, {quoted(pattern_of('units', 'alone'))}) THEN '{UNIT}' END"


def _blank_mark(file: OpenedFile) -> str:
    cells = ", ".join(map(identifier, file.headers))
    return f"CASE WHEN regexp_full_match(concat({cells}), {quoted(_NOTHING)}) THEN '{BLANK}' END"


def _header_mark(headers: Mapping[str, str], columns: Sequence[Column]) -> str:
    """Return what says that the header is said again, or that another table's begins, which shares a part of it."""
    by_name = {column.name: column for column in columns}
    telling = [name for name in headers if not is_always_readable(by_name[name])]
    if len(headers) < 2 or not telling:
        return "NULL"
    says = {name: _is_said(header, by_name[name]) for name, header in headers.items()}
    any_said = " OR ".join(f"{identifier(headers[name])} IN ({says[name]})" for name in telling)
    all_said = " AND ".join(f"trim({identifier(header)}) IN ({says[name]})" for name, header in headers.items())
    return f"CASE WHEN {any_said} THEN CASE WHEN {all_said} THEN 'header' ELSE '{SECOND}' END END"


def _is_said(header: str, column: Column) -> str:
    # As it stands here, or as others call the column.
    return ", ".join(map(quoted, dict.fromkeys([header, *column.headers, column.name])))


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


def page_reason(table: Table, columns: Sequence[Column], last_row: int | Mapping[str, int] | None) -> str:
    """Return why a row is no row of the table; NULL where it may be one.

    Parameters
    ----------
    table
        The table of the contract.
    columns
        Its columns, whose values the row has, and ``page_mark``.
    last_row
        The last row of the table, of every file or of each, where the settings say that something else stands below.
    """
    has = {column.name: column for column in columns}
    required = [has[name] for name in table.required_columns if name in has]
    n_given = " + ".join(f"CAST({_is_given(column)} AS INTEGER)" for column in required) or "0"
    below = f"WHEN {_is_below(last_row)} THEN '{BELOW}' " if last_row is not None else ""
    others = " ".join(f"WHEN page_mark = '{mark}' THEN '{mark}'" for mark in (UNIT, BLANK, SECOND))
    return (
        f"CASE {below}WHEN page_mark = 'total' OR (page_mark = 'perhaps_total' AND {n_given} < {len(required)}) "
        f"THEN '{TOTAL}' WHEN page_mark = 'header' THEN '{HEADER}' "
        f"WHEN page_mark = 'footer' AND {n_given} < {max(len(required) - 1, 1)} THEN '{FOOTER}' {others} END"
    )


def _is_below(last_row: int | Mapping[str, int]) -> str:
    if isinstance(last_row, int):
        return f"{ROW} > {last_row}"
    return " OR ".join(f"({FILE} = {quoted(file)} AND {ROW} > {row})" for file, row in last_row.items()) or "false"


def _is_given(column: Column) -> str:
    return f"({identifier(column.name)} IS NOT NULL)" if is_always_readable(column) else given(column)


def broken_reason(last_row: int | Mapping[str, int] | None) -> str:
    """Return the class and the reason of a line whose structure is broken: ``line_class``, ``class_reason``."""
    cases = [f"WHEN {_is_below(last_row)} THEN '{BELOW}'"] if last_row is not None else []
    for form, reason in (("total_line", TOTAL), ("footer", FOOTER)):
        cases.append(f"WHEN regexp_matches(line_text, {quoted(pattern_of('page_lines', form))}) THEN '{reason}'")
    reason = f"CASE {' '.join(cases)} END"
    return (
        f"CASE WHEN {reason} IS NULL THEN 'rejected' ELSE 'filtered' END AS line_class, "
        f"coalesce({reason}, 'broken_line') AS class_reason"
    )


def check_totals(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Any]:
    """Hold totals against the rows above them, all of them or those since an earlier total, or against those below.

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
        and ``above`` (currency), the sum that comes nearest.
    """
    rows = f"{table.name}_rows"
    found = connection.execute(
        f"WITH totals AS (SELECT {FILE}, {ROW}, amount AS total FROM {rows} "
        f"WHERE line_class = 'filtered' AND class_reason = '{TOTAL}' AND amount IS NOT NULL), "
        f"parts AS (SELECT t.{FILE}, t.{ROW}, coalesce(sum(r.amount), 0) AS since FROM {rows} r "
        f"ASOF JOIN totals t ON r.{FILE} = t.{FILE} AND r.{ROW} < t.{ROW} "
        f"WHERE r.line_class IN ('accepted', 'set_apart') GROUP BY ALL), "
        f"wholes AS (SELECT {FILE}, sum(amount) AS whole FROM {rows} WHERE line_class IN ('accepted', 'set_apart') "
        "GROUP BY ALL) "
        f"SELECT t.{FILE}, t.{ROW}, t.total, sum(coalesce(p.since, 0)) OVER (PARTITION BY t.{FILE} ORDER BY t.{ROW}), "
        f"coalesce(w.whole, 0) FROM totals t LEFT JOIN parts p USING ({FILE}, {ROW}) LEFT JOIN wholes w USING ({FILE}) "
        f"ORDER BY t.{FILE}, t.{ROW}"
    ).fetchall()
    by_file: dict[str, list[tuple[int, Decimal, Decimal, Decimal]]] = {}
    for file, row, total, above, whole in found:
        by_file.setdefault(file, []).append((row, total, above, whole))
    astray: list[tuple[str, int, Decimal, Decimal]] = []
    for file, totals in by_file.items():
        # The sum above each total, and all of the file: what lies between any two of them may be what it sums up.
        sums = [Decimal(0), *(above for _, _, above, _ in totals), totals[-1][3]]
        near = {round(one, 2) for one in sums}
        for row, total, above, _ in totals:
            wanted = {round(above - total, 2), round(above + total, 2)}
            if not any(one + slip in near for one in wanted for slip in (0, _CENT, -_CENT)):
                between = [abs(above - one) for one in sums if one != above] or [above]
                astray.append((file, row, total, min(between, key=lambda one, of=total: abs(of - one))))  # type: ignore[misc]
    result: dict[str, Any] = {"n": len(found), "n_agree": len(found) - len(astray)}
    if astray:
        file, row, total, nearest = astray[0]
        result |= {"file": file, "row": row, "total": str(total), "above": str(nearest)}
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
    # Another table with a header of its own that shares columns with this one says so, whatever its rows hold.
    headed = (
        f"SELECT r.{FILE}, min(r.{ROW}) AS begins FROM {rows} r JOIN ({ends}) e USING ({FILE}) "
        f"WHERE r.class_reason = '{SECOND}' AND e.n > 0 GROUP BY r.{FILE}"
    )
    days = [identifier(column.name) for column in needed if column is not None and column.kind == "date"]
    no_day = " AND ".join(f"r.{day} IS NULL" for day in days) or "false"
    begins = (
        f"SELECT r.{FILE}, min(r.{ROW}) AS begins FROM {rows} r JOIN ({ends}) e USING ({FILE}) "
        f"WHERE r.line_class = 'rejected' AND r.{ROW} > e.last AND e.n >= {_FEWEST_ABOVE} GROUP BY r.{FILE} "
        f"HAVING count(*) >= {_FEWEST_BELOW} AND (bool_and(r.class_reason = 'broken_line' OR ({is_foreign})) "
        # The first of them is a header, and sums of their own may stand below.
        f"OR (arg_min({is_foreign}, r.{ROW}) AND bool_and({no_day})))"
    )
    found = connection.execute(
        f"SELECT {FILE}, min(begins) FROM ({begins} UNION ALL {headed}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    if not found:
        return None
    condition = " OR ".join(f"({FILE} = {quoted(file)} AND {ROW} >= {row})" for file, row in found)
    is_ours = f"(({condition}) AND (line_class <> 'filtered' OR class_reason = '{SECOND}'))"
    return (
        f"SELECT * REPLACE (CASE WHEN {is_ours} THEN 'rejected' ELSE line_class END AS line_class, "
        f"CASE WHEN {is_ours} THEN '{SECOND}' ELSE class_reason END AS class_reason, "
        f"CASE WHEN {is_ours} THEN NULL ELSE fault_column END AS fault_column) FROM {rows}"
    )
