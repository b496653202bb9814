"""Hold a table's raw rows against the contract: each row falls in exactly one of four classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from kehu_analysis.data.delimited import FILE, ROW
from kehu_analysis.data.parse import clean_text, column_value, fault, matches, raw
from kehu_analysis.data.schema import Column, Table
from kehu_analysis.data.settings import Filter, TableSettings
from kehu_analysis.data.sources import OpenedFile
from kehu_analysis.engine.duckdb import identifier, quoted
from kehu_analysis.errors import DataError

LINE_CLASSES = ("accepted", "set_apart", "filtered", "rejected")
_MOST_HEADERS, _LONGEST_HEADER = 40, 60


@dataclass(frozen=True)
class Mapping:
    """Which header of a file is which column of the contract, and which headers are none."""

    headers: dict[str, str]
    unused: tuple[str, ...]


def map_columns(table: Table, opened: OpenedFile, settings: TableSettings, shown: str) -> Mapping:
    """Recognise a file's columns.

    Raises
    ------
    DataError
        A required column is missing, or two headers could be it, or the settings name a header that is not there.
    """
    candidates = table.candidates(opened.headers)
    present = _listed(opened.headers)
    for column, header in settings.columns.items():
        if header not in opened.headers:
            raise DataError(
                "mapped_header_missing",
                table=table.name,
                column=column,
                header=header,
                path=shown,
                headers=present,
            )
        candidates[column] = [header]
    chosen = set(settings.columns.values())
    headers = {}
    for column, found in candidates.items():
        free = found if column in settings.columns else [header for header in found if header not in chosen]
        if len(free) > 1:
            raise DataError("ambiguous_column", table=table.name, column=column, path=shown, candidates=", ".join(free))
        if free:
            headers[column] = free[0]
    if missing := [name for name in table.required_columns if name not in headers]:
        raise DataError("missing_column", table=table.name, columns=", ".join(missing), path=shown, headers=present)
    used = set(headers.values())
    return Mapping(headers, tuple(header for header in opened.headers if header not in used))


def _listed(headers: Sequence[str]) -> str:
    # The first line of a file that is no table may be anything.
    shown = [header if len(header) <= _LONGEST_HEADER else f"{header[:_LONGEST_HEADER]}…" for header in headers]
    return ", ".join(shown[:_MOST_HEADERS] + ["…"] * (len(shown) > _MOST_HEADERS))


def classify(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    opened: Sequence[tuple[OpenedFile, Mapping]],
    *,
    filters: Sequence[Filter],
    timezone: str,
    last_valid_day: str,
) -> list[Column]:
    """Make ``<table>_rows``: every row with its values, ``line_class``, ``reason``, ``fault_column``, ``fault_value``.

    Returns the columns that at least one file has. Optional columns whose value cannot be read become missing and
    are listed in ``<table>_warnings`` (column, reason, n_lines, example); the row itself stays.
    """
    names = dict.fromkeys(name for _, mapping in opened for name in mapping.headers)
    columns = [column for name in names if (column := table.column(name)) is not None]
    parts = [_raw_rows(file, mapping, columns, filters, timezone) for file, mapping in opened]
    connection.execute(f"CREATE TEMP VIEW {table.name}_raw AS {' UNION ALL '.join(parts)}")
    connection.execute(f"CREATE TEMP TABLE {table.name}_rows AS {_classified(table, columns, last_valid_day)}")
    for file, _ in opened:
        if not file.typed:
            connection.execute(
                f"INSERT INTO {table.name}_rows BY NAME SELECT {FILE}, {ROW}, 'rejected' AS line_class, "
                f"'broken_line' AS reason, line_text AS fault_value FROM {file.relation}_broken"
            )
    _make_warnings(connection, table, columns)
    return columns


def _raw_rows(
    file: OpenedFile, mapping: Mapping, columns: Sequence[Column], filters: Sequence[Filter], timezone: str
) -> str:
    """Return the rows of one file: each column's value, and its text as ``raw_<column>``."""
    parts = [FILE, ROW]
    for column in columns:
        header = mapping.headers.get(column.name)
        text = "CAST(NULL AS VARCHAR)" if header is None else clean_text(header)
        value = f"CAST(NULL AS {column.sql_type})" if header is None else column_value(column, text, timezone)
        parts += [f"{value} AS {identifier(column.name)}", f"{text} AS {raw(column)}"]
    return f"SELECT {', '.join(parts)}, {_filter(file, filters)} AS filter_reason FROM {file.relation}"


def _filter(file: OpenedFile, filters: Sequence[Filter]) -> str:
    cases = []
    for rule in filters:
        if rule.column not in file.headers:
            raise DataError("filter_column_missing", column=rule.column, headers=_listed(file.headers))
        cases.append(f"WHEN {matches(rule)} THEN {quoted(rule.reason)}")
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"


def _classified(table: Table, columns: Sequence[Column], last_valid_day: str) -> str:
    """Return the query that puts each row of ``<table>_raw`` in its class."""
    # A sale without a customer is sound: it is set apart, not rejected.
    without_customer = "customer_id IS NULL" if table.name == "transactions" else "false"
    values, broken, fault_columns, fault_values = [FILE, ROW, "filter_reason"], [], [], []
    for column in columns:
        name = identifier(column.name)
        may_be_missing = not column.required or (table.name == "transactions" and column.kind == "id")
        found = fault(column, last_valid_day, may_be_missing=may_be_missing)
        if column.required:
            values.append(name)
            broken.append(found)
            fault_columns.append(f"WHEN {found} IS NOT NULL THEN {quoted(column.name)}")
            fault_values.append(f"WHEN {found} IS NOT NULL THEN {raw(column)}")
        else:
            values += [f"CASE WHEN {found} IS NULL THEN {name} END AS {name}", f"{found} AS {_warning(column)}"]
            values.append(raw(column))
    judged = (
        f"SELECT {', '.join(values)}, coalesce({', '.join(broken)}) AS broken, "
        f"CASE {' '.join(fault_columns)} END AS fault_column, CASE {' '.join(fault_values)} END AS fault_value "
        f"FROM {table.name}_raw"
    )
    if table.key:
        judged = _with_repeated_keys(judged, table.key)
    return (
        "SELECT * EXCLUDE (broken, filter_reason), CASE WHEN filter_reason IS NOT NULL THEN 'filtered' "
        f"WHEN broken IS NOT NULL THEN 'rejected' WHEN {without_customer} THEN 'set_apart' ELSE 'accepted' END "
        f"AS line_class, coalesce(filter_reason, broken, CASE WHEN {without_customer} THEN 'no_customer' END) "
        f"AS reason FROM ({judged})"
    )


def _with_repeated_keys(judged: str, key: Sequence[str]) -> str:
    # Only rows that are sound otherwise take a key: a row that was filtered or rejected does not stand in the way.
    columns = ", ".join(map(identifier, key))
    values = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in key)
    numbered = (
        f"SELECT *, broken IS NULL AND filter_reason IS NULL AS is_sound, row_number() OVER (PARTITION BY {columns}, "
        f"broken IS NULL AND filter_reason IS NULL ORDER BY {FILE}, {ROW}) > 1 AND is_sound AS is_repeated "
        f"FROM ({judged})"
    )
    return (
        "SELECT * EXCLUDE (is_sound, is_repeated) REPLACE ("
        "CASE WHEN is_repeated THEN 'repeated_key' ELSE broken END AS broken, "
        f"CASE WHEN is_repeated THEN {quoted(', '.join(key))} ELSE fault_column END AS fault_column, "
        f"CASE WHEN is_repeated THEN concat_ws(', ', {values}) ELSE fault_value END AS fault_value) FROM ({numbered})"
    )


def _make_warnings(connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column]) -> None:
    found = [
        f'SELECT {quoted(column.name)} AS "column", {_warning(column)} AS reason, count(*) AS n_lines, '
        f"min({raw(column)}) AS example FROM {table.name}_rows WHERE line_class <> 'filtered' "
        f"AND {_warning(column)} IS NOT NULL GROUP BY ALL"
        for column in columns
        if not column.required
    ]
    none = "SELECT '' AS \"column\", '' AS reason, 0 AS n_lines, '' AS example WHERE false"
    connection.execute(f"CREATE TEMP TABLE {table.name}_warnings AS {' UNION ALL '.join([*found, none])}")


def _warning(column: Column) -> str:
    return identifier(f"warning_{column.name}")
