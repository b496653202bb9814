"""List what is wrong or doubtful, as one table: where, how often, and one example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from kehu_analysis.data.checking.page_lines import SECOND
from kehu_analysis.data.checking.row_kinds import CurrencyFound
from kehu_analysis.data.checking.source_texts import given_texts, own_columns
from kehu_analysis.data.checking.texts import hidden
from kehu_analysis.data.checking.validate import Part, has_warning, warning
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table, contract
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted

FAILURE_COLUMNS = ("severity", "table", "file", "column", "reason", "n_lines", "first_row", "example", "period")


def failure(table: str, reason: str, *, file: str, severity: str = "warning") -> dict[str, Any]:
    """Return one row of :meth:`kehu_analysis.data.Dataset.failures` for which no single line stands.

    Examples
    --------
    >>> failure("customers", "empty_table", file="customers.xlsx")["severity"]
    'warning'
    """
    empty = {"column": "", "n_lines": 0, "first_row": None, "example": "", "period": ""}
    return {"severity": severity, "table": table, "file": file, "reason": reason, **empty}


def write_rejected(
    connection: duckdb.DuckDBPyConnection, table: Table, parts: Sequence[Part], settings: TableSettings, folder: Path
) -> list[dict[str, Any]]:
    """Write a table's rejected rows, as a list of faults and in the source's own columns; return the failures.

    ``rejected_<table>.parquet`` has table, file, row, column, value, reason; ``rejected_rows_<table>.parquet`` has
    the source's columns as texts, then ``_file``, ``_row``, ``_column``, ``_reason``.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows``.
    table
        The table of the contract.
    parts
        Its files, as they were classified.
    settings
        What ``dataset.toml`` says of the table.
    folder
        Where the two files go.

    Returns
    -------
    list of dict
        One for each file, column and reason, under the names of :data:`FAILURE_COLUMNS`; all of severity ``error``.
    """
    name = table.name
    connection.execute(
        f"CREATE TEMP TABLE {name}_rejected AS SELECT {FILE}, {ROW}, fault_column, class_reason FROM {name}_rows "
        "WHERE line_class = 'rejected'"
    )
    texts = given_texts(table, parts, f"{name}_rejected", table.key, settings)
    listed = folder / f"rejected_{name}.parquet"
    connection.execute(
        f'COPY (SELECT {quoted(name)} AS "table", f.{FILE} AS file, f.{ROW} AS "row", coalesce(f.fault_column, \'\') '
        f'AS "column", coalesce(t.fault_value, \'\') AS "value", f.class_reason AS reason FROM {name}_rejected f '
        f'LEFT JOIN ({texts}) t USING ({FILE}, {ROW}) ORDER BY file, "row") TO {quoted(listed)} (FORMAT parquet)'
    )
    # Another table is ended by a setting; its lines are not to be mended one by one.
    connection.execute(
        f"CREATE TEMP VIEW {name}_to_mend AS SELECT * FROM {name}_rejected WHERE class_reason <> '{SECOND}'"
    )
    in_own_columns = " UNION ALL BY NAME ".join(own_columns(table, part, f"{name}_to_mend") for part in parts)
    connection.execute(
        f"COPY (SELECT * EXCLUDE ({FILE}, {ROW}, fault_column, class_reason), {FILE} AS _file, {ROW} AS _row, "
        f"coalesce(fault_column, '') AS _column, class_reason AS _reason FROM ({in_own_columns}) "
        f"ORDER BY {FILE}, {ROW}) TO {quoted(folder / f'rejected_rows_{name}.parquet')} (FORMAT parquet)"
    )
    return _rows(
        connection,
        f'SELECT \'error\' AS severity, "table", file, "column", reason, count(*) AS n_lines, '
        'min("row") AS first_row, arg_min("value", "row") AS example '
        f'FROM read_parquet({path_literal(listed)}) GROUP BY ALL ORDER BY file, first_row, "column", reason',
    )


def doubts_of_values(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    parts: Sequence[Part],
    columns: Sequence[Column],
    settings: TableSettings,
) -> list[dict[str, Any]]:
    """Return what was doubtful in the values of rows that were kept.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows``.
    table
        The table of the contract.
    parts
        Its files, as they were classified.
    columns
        What ``classify`` returned; at least one of them can have a warning.
    settings
        What ``dataset.toml`` says of the table.

    Returns
    -------
    list of dict
        One for each file, column and reason, under the names of :data:`FAILURE_COLUMNS`; all of severity ``warning``.
    """
    warned = [column for column in columns if has_warning(column)]
    # All columns in one reading of the rows.
    cases = ", ".join(f"{{'c': {quoted(c.name)}, 'reason': {warning(c)}}}" for c in warned)
    is_warned = " OR ".join(f"{warning(column)} IS NOT NULL" for column in warned)
    found = f"{table.name}_doubts"
    connection.execute(
        f"CREATE TEMP TABLE {found} AS SELECT {FILE}, doubt.c AS fault_column, doubt.reason AS reason, "
        f"count(*) AS n_lines, min({ROW}) AS {ROW} FROM (SELECT {FILE}, {ROW}, unnest([{cases}]) AS doubt "
        f"FROM {table.name}_rows WHERE line_class IN ('accepted', 'set_apart') AND ({is_warned})) "
        "WHERE doubt.reason IS NOT NULL GROUP BY ALL"
    )
    texts = given_texts(table, parts, f"(SELECT DISTINCT {FILE}, {ROW}, fault_column FROM {found})", (), settings)
    failures = _rows(
        connection,
        f'SELECT \'warning\' AS severity, {quoted(table.name)} AS "table", {FILE} AS file, fault_column AS "column", '
        f"reason, n_lines, {ROW} AS first_row, coalesce(t.fault_value, '') AS example FROM {found} "
        f'LEFT JOIN ({texts}) t USING ({FILE}, {ROW}, fault_column) ORDER BY file, first_row, "column"',
    )
    for one in failures:
        # What stood where there is nothing is counted word by word.
        one["reason"], mark, word = one["reason"].partition(":")
        one["example"] = word if mark else one["example"]
    return failures


def doubts_of_rounding(table: Table, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return the ids that stand in number cells of a workbook with more digits than those keep."""
    found = []
    for part in parts:
        for name, header in part.mapping.headers.items():
            column = table.column(name)
            if column is not None and column.kind == "id" and header in part.file.rounded:
                n_lines, row, example = part.file.rounded[header]
                example = hidden(example) if column.confidential else example
                one = failure(table.name, "rounded_id", file=part.file.shown)
                found.append(one | {"column": name, "n_lines": n_lines, "first_row": row, "example": example})
    return found


def doubts_of_merged(table: Table, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return the columns of sums whose merged cells were counted once, as rows are that now have none."""
    found = []
    for part in parts:
        names = {header: name for name, header in part.mapping.headers.items()}
        for header, merged in part.file.merged.items():
            if merged.n_left:
                one = failure(table.name, "merged_sum", file=part.file.shown)
                one |= {"n_lines": merged.n_left, "first_row": merged.first_row, "example": merged.example}
                found.append(one | {"column": names.get(header, header)})
    return found


def doubts_of_states(states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, as failures, what :func:`~kehu_analysis.data.checking.row_kinds.doubtful_states` found."""
    return [
        failure("transactions", "goods_came_back" if one["came_back"] else "doubtful_state", file=one["file"])
        | {
            "column": one["column"],
            "n_lines": one["n_lines"],
            "first_row": one["first_row"],
            "example": f"{one['value']} ({Decimal(one['amount']):,.2f})",
        }
        for one in states
    ]


def doubts_of_currencies(foreign: Sequence[CurrencyFound], files: Sequence[str]) -> list[dict[str, Any]]:
    """Return, as failures, the currencies of amounts that are not the dataset's own."""
    return [
        failure("transactions", "foreign_currency", file=", ".join(files))
        | {"column": one.column, "n_lines": one.n_lines, "example": one.name}
        for one in foreign
    ]


def doubts_of_totals(table: Table, totals: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is doubtful about totals: that one is not the sum above it.

    Parameters
    ----------
    table
        The table of the contract.
    totals
        What :func:`~kehu_analysis.data.checking.page_lines.check_totals` found; empty without totals.

    Returns
    -------
    list of dict
        Under the names of :data:`FAILURE_COLUMNS`; all of severity ``warning``.
    """
    found = []
    if "total" in totals:
        one = failure(table.name, "total_differs", file=totals["file"])
        n_astray = totals["n"] - totals["n_agree"]
        example = " ≠ ".join(f"{Decimal(totals[name]):,.2f}" for name in ("total", "above"))
        found.append(one | {"n_lines": n_astray, "first_row": totals["row"], "example": example, "column": "amount"})
    return found


def second_tables(account: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """Return the failures that say where another table stands below one."""
    return [one for one in account["failures"] if one["reason"] == SECOND and one["table"] == table]


def last_rows(account: Mapping[str, Any], table: str = "transactions") -> str:
    """Return what ``dataset.toml`` says where other tables stand below this one; empty where none do."""
    last = {str(one["file"]): int(one["first_row"]) - 1 for one in reversed(second_tables(account, table))}
    if not last:
        return ""
    if len(account["tables"][table]["files"]) == 1:
        return f"last_row = {next(iter(last.values()))}"
    said = account["settings"]["tables"].get(table, {}).get("last_row")
    every = {**(said if isinstance(said, dict) else {}), **last}
    listed = ", ".join(f"{json.dumps(file, ensure_ascii=False)} = {row}" for file, row in every.items())
    return f"last_row = {{ {listed} }}"


def cross_failures(
    connection: duckdb.DuckDBPyConnection, folder: Path, names: Sequence[str], log: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return what does not fit between tables: ids that are nowhere, days before the opening or after the end.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``<table>_rows`` of each table.
    folder
        Holds the accepted rows of each table as ``<table>.parquet``.
    names
        The tables that the dataset has.
    log
        What :func:`~kehu_analysis.data.log_facts.log_facts` says of the log; of it ``complete_until`` is needed.

    Returns
    -------
    list of dict
        One for each table, file, column and reason, under the names of :data:`FAILURE_COLUMNS`; all of severity
        ``warning``: the rows stay.
    """
    found = []
    for name in names:
        present = {row[0] for row in connection.execute(f"DESCRIBE {name}_rows").fetchall()}
        for column in contract()[name].columns:
            if column.name not in present:
                continue
            checks = [
                _unknown_reference(column, names, folder),
                _too_early(connection, name, column, names, folder),
                _after_log_end(name, column, log),
            ]
            for reason, condition in filter(None, checks):
                found += _count(connection, name, column, reason, condition, folder)
    return found


def _accepted(name: str, folder: Path) -> str:
    return f"read_parquet({path_literal(folder / f'{name}.parquet')})"


def _unknown_reference(column: Column, names: Sequence[str], folder: Path) -> tuple[str, str] | None:
    target = column.references
    if target is None or target not in names:
        return None
    key, value = contract()[target].key[0], identifier(column.name)
    return (
        "unknown_reference",
        f"{value} IS NOT NULL AND {value} NOT IN (SELECT {key} FROM {_accepted(target, folder)})",
    )


def _too_early(
    connection: duckdb.DuckDBPyConnection, name: str, column: Column, names: Sequence[str], folder: Path
) -> tuple[str, str] | None:
    if column.not_before is None:
        return None
    target, _, other = column.not_before.rpartition(".")
    if not target:
        present = {row[0] for row in connection.execute(f"DESCRIBE {name}_rows").fetchall()}
        return ("before_its_start", f"{column.name} < {other}") if other in present else None
    if target not in names:
        return None
    in_target = {row[0] for row in connection.execute(f"DESCRIBE FROM {_accepted(target, folder)}").fetchall()}
    if other not in in_target:
        return None
    key = contract()[target].key[0]
    return "before_opening", (
        f"{column.name} < (SELECT o.{other} FROM {_accepted(target, folder)} o WHERE o.{key} = lines.{key})"
    )


def _after_log_end(name: str, column: Column, log: dict[str, Any]) -> tuple[str, str] | None:
    if not column.within_log or log["complete_until"] is None or name == "transactions":
        return None
    return "after_log_end", f"{column.name} > DATE {quoted(log['complete_until'])}"


def _count(
    connection: duckdb.DuckDBPyConnection, name: str, column: Column, reason: str, condition: str, folder: Path
) -> list[dict[str, Any]]:
    # Most tables fit: looking at the stored one is quick, and only what does not fit is looked up in the sources.
    query = f"SELECT count(*) FROM {_accepted(name, folder)} AS lines WHERE {condition}"
    if connection.execute(query).fetchone() == (0,):
        return []
    return _rows(
        connection,
        f"SELECT 'warning' AS severity, {quoted(name)} AS \"table\", {FILE} AS file, "
        f'{quoted(column.name)} AS "column", '
        f"{quoted(reason)} AS reason, count(*) AS n_lines, min({ROW}) AS first_row, "
        f"CAST(arg_min({identifier(column.name)}, {ROW}) AS VARCHAR) AS example FROM {name}_rows AS lines "
        f"WHERE line_class = 'accepted' AND {condition} GROUP BY ALL ORDER BY file",
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [{"period": "", **dict(zip(names, row, strict=True))} for row in found.fetchall()]
