"""Hold a table's raw rows against the contract: each row falls in exactly one of four classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from kehu_analysis.data.schema import Column, Table, date_formats, flag_words
from kehu_analysis.data.settings import Filter, TableSettings
from kehu_analysis.data.sources import FILE, ROW, OpenedFile
from kehu_analysis.engine.duckdb import identifier, quoted
from kehu_analysis.errors import DataError

LINE_CLASSES = ("accepted", "set_apart", "filtered", "rejected")

_OFFSET = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)? ?(Z|[+-]\d{2}(:?\d{2})?)$"
_OPERATORS = {
    "equals": "{text} = {value}",
    "is_one_of": "{text} IN {value}",
    "starts_with": "starts_with({text}, {value})",
    "contains": "contains({text}, {value})",
    "less_than": "TRY_CAST({text} AS DOUBLE) < {value}",
    "greater_than": "TRY_CAST({text} AS DOUBLE) > {value}",
}


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
    present = ", ".join(opened.headers)
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
    parts = [_select(file, mapping, columns, filters, timezone) for file, mapping in opened]
    connection.execute(f"CREATE TEMP VIEW {table.name}_raw AS {' UNION ALL '.join(parts)}")
    may_lack_customer = table.name == "transactions"
    required = [column for column in columns if column.required]
    faults = [
        _fault(column, last_valid_day, may_be_missing=may_lack_customer and column.kind == "id") for column in required
    ]
    soft = [(column, _fault(column, last_valid_day, may_be_missing=True)) for column in columns if not column.required]
    kept = ", ".join(
        identifier(column.name)
        if column.required
        else f"CASE WHEN {fault} IS NULL THEN {identifier(column.name)} END AS {identifier(column.name)}"
        for column, fault in [*((column, "") for column in required), *soft]
    )
    first = ", ".join(faults)
    found = list(zip(required, faults, strict=True))
    fault_column = " ".join(f"WHEN {fault} IS NOT NULL THEN {quoted(column.name)}" for column, fault in found)
    fault_value = " ".join(f"WHEN {fault} IS NOT NULL THEN {_raw(column)}" for column, fault in found)
    apart = "customer_id IS NULL" if may_lack_customer else "false"
    repeated = (
        f"row_number() OVER (PARTITION BY {', '.join(map(identifier, table.key))} ORDER BY {FILE}, {ROW}) > 1"
        if table.key
        else "false"
    )
    warned = "".join(f", {fault} AS {identifier('warning_' + column.name)}, {_raw(column)}" for column, fault in soft)
    repeated_or_apart = f"CASE WHEN is_repeated THEN 'repeated_key' WHEN {apart} THEN 'no_customer' END"
    fault = f"CASE {fault_column} END AS fault_column, CASE {fault_value} END AS fault_value"
    connection.execute(
        f"CREATE TEMP TABLE {table.name}_rows AS "
        f"SELECT * EXCLUDE (broken, is_repeated), "
        f"CASE WHEN filter_reason IS NOT NULL THEN 'filtered' WHEN broken IS NOT NULL OR is_repeated THEN 'rejected' "
        f"WHEN {apart} THEN 'set_apart' ELSE 'accepted' END AS line_class, "
        f"coalesce(filter_reason, broken, {repeated_or_apart}) AS reason "
        f"FROM (SELECT {FILE}, {ROW}, {kept}, filter_reason, coalesce({first}) AS broken, "
        f"{fault}, {repeated} AS is_repeated{warned} "
        f"FROM {table.name}_raw)"
    )
    for file, _ in opened:
        if not file.typed:
            connection.execute(
                f"INSERT INTO {table.name}_rows BY NAME SELECT {FILE}, {ROW}, 'rejected' AS line_class, "
                f"'broken_line' AS reason, left(line_text, 500) AS fault_value FROM {file.relation}_broken"
            )
    warnings = [
        f'SELECT {quoted(column.name)} AS "column", {identifier("warning_" + column.name)} AS reason, '
        f"count(*) AS n_lines, min({_raw(column)}) AS example FROM {table.name}_rows WHERE line_class <> 'filtered' "
        f"AND {identifier('warning_' + column.name)} IS NOT NULL GROUP BY ALL"
        for column, _ in soft
    ]
    empty = "SELECT '' AS \"column\", '' AS reason, 0 AS n_lines, '' AS example WHERE false"
    connection.execute(f"CREATE TEMP TABLE {table.name}_warnings AS {' UNION ALL '.join([*warnings, empty])}")
    return columns


def _raw(column: Column) -> str:
    return identifier(f"raw_{column.name}")


def _select(
    file: OpenedFile, mapping: Mapping, columns: Sequence[Column], filters: Sequence[Filter], timezone: str
) -> str:
    parts = [FILE, ROW]
    for column in columns:
        header = mapping.headers.get(column.name)
        if header is None:
            parts += [
                f"CAST(NULL AS {column.sql_type}) AS {identifier(column.name)}",
                f"CAST(NULL AS VARCHAR) AS {_raw(column)}",
            ]
            continue
        text = f"nullif(trim(CAST({identifier(header)} AS VARCHAR)), '')"
        parts += [
            f"{_parse(column, header, text, timezone)} AS {identifier(column.name)}",
            f"{text} AS {_raw(column)}",
        ]
    return f"SELECT {', '.join(parts)}, {_filter(file, filters)} AS filter_reason FROM {file.relation}"


def _parse(column: Column, header: str, text: str, timezone: str) -> str:
    if column.kind in ("date", "month"):
        formats, months = (", ".join(map(quoted, date_formats(kind))) for kind in ("date", "month"))
        local = f"coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, [{formats}]))"
        converted = f"timezone({quoted(timezone)}, TRY_CAST({text} AS TIMESTAMPTZ))"
        day = f"CAST(CASE WHEN regexp_matches({text}, {quoted(_OFFSET)}) THEN {converted} ELSE {local} END AS DATE)"
        if column.kind == "date":
            return day
        month = f"CAST(try_strptime({text}, [{months}]) AS DATE)"
        return f"coalesce({month}, CAST(date_trunc('month', {day}) AS DATE))"
    if column.kind == "flag":
        yes, no = (", ".join(map(quoted, flag_words(value))) for value in (True, False))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    if column.kind == "id":
        # Ids read from a spreadsheet as decimals: 1001.0 is 1001.
        return f"regexp_replace({text}, '^(\\d{{1,15}})\\.0$', '\\1')"
    if column.kind == "text":
        return text
    value = f"TRY_CAST({text} AS {column.sql_type})"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value


def _fault(column: Column, last_valid_day: str, *, may_be_missing: bool) -> str:
    value, raw = identifier(column.name), _raw(column)
    checks = [] if may_be_missing else [f"WHEN {raw} IS NULL THEN 'missing'"]
    checks.append(f"WHEN {raw} IS NOT NULL AND {value} IS NULL THEN 'not_{column.kind}'")
    if column.kind == "date":
        checks.append(f"WHEN {value} < DATE '1900-01-01' THEN 'too_early'")
        if column.name == "date":
            checks.append(f"WHEN {value} > DATE {quoted(last_valid_day)} THEN 'in_the_future'")
    if column.minimum is not None:
        checks.append(f"WHEN {value} < {column.minimum} THEN 'below_range'")
    if column.maximum is not None:
        checks.append(f"WHEN {value} > {column.maximum} THEN 'above_range'")
    if column.choices:
        checks.append(f"WHEN {value} NOT IN ({', '.join(map(quoted, column.choices))}) THEN 'not_a_choice'")
    return f"CASE {' '.join(checks)} END"


def _filter(file: OpenedFile, filters: Sequence[Filter]) -> str:
    cases = []
    for rule in filters:
        if rule.column not in file.headers:
            raise DataError("filter_column_missing", column=rule.column, headers=", ".join(file.headers))
        if isinstance(rule.value, list):
            value = f"({', '.join(map(quoted, rule.value))})"
        else:
            value = str(rule.value) if rule.operator in ("less_than", "greater_than") else quoted(rule.value)
        text = f"trim(CAST({identifier(rule.column)} AS VARCHAR))"
        cases.append(f"WHEN {_OPERATORS[rule.operator].format(text=text, value=value)} THEN {quoted(rule.reason)}")
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"
