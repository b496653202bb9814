"""Hold a table's raw rows against the contract: each row falls in exactly one of four classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kehu_analysis.data.checking.amounts import adjusted_amount, computed_amount, is_computable
from kehu_analysis.data.checking.mapping import ColumnMapping, listed
from kehu_analysis.data.checking.mended_rows import with_mended
from kehu_analysis.data.checking.numbers import rescaled
from kehu_analysis.data.checking.page_lines import SECOND, broken_reason, page_mark, page_reason, with_second_tables
from kehu_analysis.data.checking.parse import (
    are_plain,
    column_value,
    doubt,
    fault,
    given,
    is_always_readable,
    matches,
    odd,
    oddity,
    within_calendar,
)
from kehu_analysis.data.checking.texts import Style, given_text
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Column, Table
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted
from kehu_analysis.errors import DataError

LINE_CLASSES = ("accepted", "set_apart", "filtered", "rejected")


@dataclass(frozen=True)
class Part:
    """One file of a table: where its rows are, which header is which column, how its values are written.

    Attributes
    ----------
    file, mapping, style
        These three.
    plain
        Headers of ids that are known to be letters and a number, all of them: nothing need be done to such.
    """

    file: OpenedFile
    mapping: ColumnMapping
    style: Style
    plain: frozenset[str] = frozenset()

    def has(self, column: str) -> bool:
        """Tell whether the file itself has a column of the contract; one that is computed it has not."""
        return column in self.mapping.headers


def classify(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    parts: Sequence[Part],
    *,
    settings: TableSettings,
    timezone: str,
    last_valid_day: str,
    scratch: Path,
) -> list[Column]:
    """Make ``<table>_rows``: every row with its values, ``line_class``, ``class_reason``, ``fault_column``.

    An optional column whose value cannot be read becomes missing, and ``warning_<column>`` says why; the row itself
    stays. Raw texts are not carried along: :func:`given_texts` looks up the few that are needed. ``<table>_census``
    has lines, amount and doubtful values by customer, class and reason.

    Parameters
    ----------
    connection
        Where the files are relations, and where these two are made.
    table
        The table of the contract.
    parts
        Its files.
    settings
        What ``dataset.toml`` says of the table.
    timezone
        The dataset's time zone: a stamp with an offset is converted to it before its day is taken.
    last_valid_day
        ISO date; in columns that look back, a later day is a fault.
    scratch
        A folder for the rows, where they are kept.

    Returns
    -------
    list of Column
        The columns that are required, then the others that at least one file has.

    Raises
    ------
    DataError
        A filter names a column that a file lacks.
    """
    columns = _columns_of(table, parts)
    values = " UNION ALL ".join(_values(part, table, columns, settings, timezone) for part in parts)
    judged = _judged(table, columns, f"({values})", last_valid_day)
    if table.key:
        judged = _with_repeated_keys(judged, table.key)
    query = _classified(table, judged)
    for part in parts:
        if part.file.broken is not None:
            query += (
                f" UNION ALL BY NAME SELECT {FILE}, {ROW}, {broken_reason(settings.last_row)} FROM {part.file.broken}"
            )
    mending = [part for part in parts if part.mapping.mends]
    if mending:
        query = with_mended(
            query, [part.file for part in mending], [part.file.shown for part in parts if not part.mapping.mends]
        )
    if table.key or len(parts) > 1 or _is_slow_to_judge(parts[0]):
        # Judged once and kept.
        path = scratch / f"{table.name}_rows.parquet"
        connection.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet)")
        query = f"FROM read_parquet({path_literal(path)})"
    rows = f"{table.name}_judged"
    connection.execute(f"CREATE TEMP VIEW {rows} AS {query}")
    _take_census(connection, table, columns, rows)
    if (apart := _second_tables(connection, table, rows)) is not None:
        connection.execute(f"DROP TABLE {table.name}_census")
        connection.execute(f"CREATE TEMP VIEW {table.name}_rows AS {apart}")
        _take_census(connection, table, columns, f"{table.name}_rows")
    else:
        connection.execute(f"CREATE TEMP VIEW {table.name}_rows AS FROM {rows}")
    return columns


def plain_ids(
    connection: duckdb.DuckDBPyConnection, table: Table, file: OpenedFile, mapping: ColumnMapping
) -> frozenset[str]:
    """Return the headers of ids that are letters and a number, all of them; looked for where columns have types only.

    One look at them saves several at each row later.
    """
    headers = [
        header
        for name, header in mapping.headers.items()
        if (column := table.column(name)) is not None
        and column.kind == "id"
        and not column.confidential
        and file.types[header] == "VARCHAR"
    ]
    if file.is_text or not headers:
        return frozenset()
    row = connection.execute(f"SELECT {', '.join(map(are_plain, headers))} FROM {file.relation}").fetchone()
    return frozenset(header for header, is_plain in zip(headers, row or (), strict=True) if is_plain)


def _second_tables(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> str | None:
    rejected = f"SELECT count(*) FROM {table.name}_census WHERE line_class = 'rejected' OR class_reason = '{SECOND}'"
    return None if connection.execute(rejected).fetchone() == (0,) else with_second_tables(connection, table, rows)


def _columns_of(table: Table, parts: Sequence[Part]) -> list[Column]:
    names = [*table.required_columns, *(name for part in parts for name in part.mapping.headers)]
    return [column for name in dict.fromkeys(names) if (column := table.column(name)) is not None]


def _is_slow_to_judge(part: Part) -> bool:
    """Tell whether judging a file's rows again takes longer than reading them back, as it does not of typed ones."""
    return part.file.is_text or part.file.broken is not None or part.mapping.mends


def _take_census(connection: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], rows: str) -> None:
    """Make ``<table>_census``: lines, amount and doubtful values by customer, class and reason, in one reading."""
    has = {column.name for column in columns}
    customer = "customer_id" if table.name == "transactions" else "NULL"
    amount = "amount" if "amount" in has else "NULL"
    warned = [warning(column) for column in columns if has_warning(column)]
    n_doubts = f"count({') + count('.join(warned)})" if warned else "0"
    connection.execute(
        f"CREATE TEMP TABLE {table.name}_census AS SELECT {customer} AS customer_id, line_class, class_reason, "
        f"count(*) AS n_lines, sum({amount}) AS amount, {n_doubts} AS n_doubts FROM {rows} GROUP BY ALL"
    )


def _values(part: Part, table: Table, columns: Sequence[Column], settings: TableSettings, timezone: str) -> str:
    """Return the rows of one file: each column's value, and whether there was one to read."""
    file = part.file
    listed_values = [FILE, ROW]
    for column in columns:
        header = part.mapping.headers.get(column.name)
        if header is not None:
            is_text = file.types[header] == "VARCHAR"
            value = column_value(column, header, file.types[header], timezone, part.style)
            value = identifier(header) if header in part.plain else value
            is_given = f"{given_text(header) if is_text else identifier(header)} IS NOT NULL"
        elif column.name == "amount" and settings.amount_from is not None:
            value = computed_amount(settings.amount_from, file.types, part.style)
            is_given = is_computable(settings.amount_from)
        else:
            value, is_given = f"CAST(NULL AS {column.sql_type})", "false"
        if column.name == "amount" and table.name == "transactions":
            value = adjusted_amount(value, _day(part, table, timezone), header, settings)
        if column.name in settings.scales and column.minimum is not None and column.maximum is not None:
            value = rescaled(value, settings.scales[column.name], column)
        listed_values.append(f"{value} AS {identifier(column.name)}")
        if not is_always_readable(column):
            listed_values.append(f"{is_given} AS {given(column)}")
        if column.kind == "id":
            is_odd = oddity(header) if header is not None and header not in part.plain else "CAST(NULL AS VARCHAR)"
            listed_values.append(f"{is_odd} AS {odd(column)}")
    required = {name: part.mapping.headers[name] for name in table.required_columns if part.has(name)}
    listed_values += [
        f"{_filter(file, settings)} AS filter_reason",
        f"{page_mark(file, required, columns, part.plain)} AS page_mark",
    ]
    values = f"SELECT {', '.join(listed_values)} FROM {file.relation}"
    replaced = [within_calendar(column) for column in columns if column.sql_type == "DATE"]
    reason = page_reason(table, columns, settings.last_row)
    replaced.append(f"coalesce(filter_reason, {reason}) AS filter_reason")
    return f"SELECT * EXCLUDE (page_mark) REPLACE ({', '.join(replaced)}) FROM ({values})"


def _day(part: Part, table: Table, timezone: str) -> str:
    column, header = table.column("date"), part.mapping.headers.get("date")
    if column is None or header is None:
        return "CAST(NULL AS DATE)"
    return column_value(column, header, part.file.types[header], timezone, part.style)


def _filter(file: OpenedFile, settings: TableSettings) -> str:
    cases = []
    for rule in settings.filters:
        if rule.column not in file.headers:
            raise DataError("filter_column_missing", column=rule.column, headers=listed(file.headers))
        cases.append(f"WHEN {matches(rule)} THEN {quoted(rule.reason)}")
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"


def _judged(table: Table, columns: Sequence[Column], rows: str, last_valid_day: str) -> str:
    """Return the query that says of each row what is wrong with it, and clears optional values that cannot be read."""
    values, broken, fault_columns = [FILE, ROW, "filter_reason"], [], []
    for column in columns:
        name = identifier(column.name)
        may_be_missing = not column.required or (table.name == "transactions" and column.kind == "id")
        found = fault(column, last_valid_day, may_be_missing=may_be_missing)
        doubtful = doubt(column)
        if column.required:
            values.append(name)
            broken.append(found)
            fault_columns.append(f"WHEN {found} IS NOT NULL THEN {quoted(column.name)}")
            if doubtful:
                values.append(f"{doubtful} AS {warning(column)}")
        else:
            warned = f"coalesce({found}, {doubtful})" if doubtful else found
            values += [f"CASE WHEN {found} IS NULL THEN {name} END AS {name}", f"{warned} AS {warning(column)}"]
    return (
        f"SELECT {', '.join(values)}, coalesce({', '.join(broken)}) AS broken, CASE {' '.join(fault_columns)} END "
        f"AS fault_column FROM {rows}"
    )


def _with_repeated_keys(judged: str, key: Sequence[str]) -> str:
    # Only rows that are sound otherwise take a key: a row that was filtered or rejected does not stand in the way.
    columns = ", ".join(map(identifier, key))
    numbered = (
        f"SELECT *, broken IS NULL AND filter_reason IS NULL AS is_sound, row_number() OVER (PARTITION BY {columns}, "
        f"broken IS NULL AND filter_reason IS NULL ORDER BY {FILE}, {ROW}) > 1 AND is_sound AS is_repeated "
        f"FROM ({judged})"
    )
    return (
        "SELECT * EXCLUDE (is_sound, is_repeated) REPLACE ("
        "CASE WHEN is_repeated THEN 'repeated_key' ELSE broken END AS broken, "
        f"CASE WHEN is_repeated THEN {quoted(', '.join(key))} ELSE fault_column END AS fault_column) FROM ({numbered})"
    )


def _classified(table: Table, judged: str) -> str:
    # A sale without a customer is sound: it is set apart, not rejected.
    without_customer = "customer_id IS NULL" if table.name == "transactions" else "false"
    return (
        "SELECT * EXCLUDE (broken, filter_reason), CASE WHEN filter_reason IS NOT NULL THEN 'filtered' "
        f"WHEN broken IS NOT NULL THEN 'rejected' WHEN {without_customer} THEN 'set_apart' ELSE 'accepted' END "
        f"AS line_class, coalesce(filter_reason, broken, CASE WHEN {without_customer} THEN 'no_customer' END) "
        f"AS class_reason FROM ({judged})"
    )


def has_warning(column: Column) -> bool:
    """Tell whether a doubtful value of the column is kept with a warning.

    Examples
    --------
    >>> has_warning(Column("city", "text")), has_warning(Column("amount", "money", required=True))
    (True, False)
    """
    return not column.required or doubt(column) is not None


def warning(column: Column) -> str:
    """Return the name of the column that says what is doubtful about a value.

    Examples
    --------
    >>> warning(Column("city", "text"))
    '"warning_city"'
    """
    return identifier(f"warning_{column.name}")
