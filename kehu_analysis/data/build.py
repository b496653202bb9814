"""Turn a dataset's files into its canonical tables, and account for every row on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kehu_analysis.data.checking.double_counts import doubts_of_counting
from kehu_analysis.data.checking.failures import (
    cross_failures,
    doubts_of_currencies,
    doubts_of_merged,
    doubts_of_rounding,
    doubts_of_states,
    doubts_of_totals,
    doubts_of_values,
    failure,
    write_rejected,
)
from kehu_analysis.data.checking.mapping import check_agreement, map_columns
from kehu_analysis.data.checking.page_lines import FOOTER, TOTAL, check_totals
from kehu_analysis.data.checking.row_kinds import (
    CurrencyFound,
    currencies_of_files,
    doubtful_states,
    foreign_currencies,
    refuse_mixed_currencies,
)
from kehu_analysis.data.checking.units_beside import doubts_of_units, units_beside
from kehu_analysis.data.checking.validate import Part, classify, plain_ids
from kehu_analysis.data.checking.writing_styles import find_styles
from kehu_analysis.data.companies import count_by_company
from kehu_analysis.data.log_facts import log_facts, write_log_days
from kehu_analysis.data.progress import Watch, let_be_watched
from kehu_analysis.data.proposing.likeness import is_ruled_out
from kehu_analysis.data.reading.cross_tables import take_apart
from kehu_analysis.data.reading.order_lines import with_orders
from kehu_analysis.data.reading.sources import OpenedFile, line_files, open_file, shown_name
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import DatasetSettings, TableSettings
from kehu_analysis.data.storing import store, store_purchase_days
from kehu_analysis.engine import DuckDBEngine
from kehu_analysis.errors import DataError


def build_tables(
    files: dict[str, list[Path]],
    root: Path,
    settings: DatasetSettings,
    folder: Path,
    scratch: Path,
    today: date,
    watch: Watch,
) -> dict[str, Any]:
    """Write the canonical tables into ``folder`` and return the account of every row read.

    Parameters
    ----------
    files
        Table of the contract -> its files; with ``transactions``.
    root
        The dataset's folder, or its one file: files are named to readers as seen from there.
    settings
        What ``dataset.toml`` says.
    folder
        An empty folder for the tables.
    scratch
        A folder for rewritten copies, which the caller takes away.
    today
        Day of the check in the dataset's time zone; a sale of a later day is rejected.
    watch
        Told how far each table is.

    Returns
    -------
    dict
        ``tables``: files, columns and the four classes of lines of each table; ``failures``: one dict a row of
        :meth:`kehu_analysis.data.Dataset.failures`; ``log``: what the accepted transactions hold as a whole;
        ``companies``: what became of codes, where customers are counted by company; ``depends_on_today``: whether the
        same files may be judged otherwise on another day.

    Raises
    ------
    DataError
        The sources break the contract as a whole: no such column, no rows, values that can be read in two ways.
    """
    account: dict[str, Any] = {"tables": {}, "failures": []}
    with DuckDBEngine().session() as connection:
        let_be_watched(connection)
        for name, paths in files.items():
            table = contract()[name]
            built, failures = _build_table(connection, table, root, paths, settings, folder, scratch, today, watch)
            account["failures"] += failures
            if built is not None:
                account["tables"][name] = built
        account["log"], account["depends_on_today"], doubts = log_facts(connection, folder, settings, today)
        account["failures"] += cross_failures(connection, folder, list(account["tables"]), account["log"])
        account["failures"] += doubts
        if settings.customers_by == "company":
            # What does not fit was looked for among the codes, as the sources have them.
            account["companies"], doubts = count_by_company(connection, folder, list(account["tables"]))
            account["failures"] += doubts
            account["log"], *_ = log_facts(connection, folder, settings, today)
    reasons = {line["reason"] for table in account["tables"].values() for line in table["lines"]}
    account["depends_on_today"] |= "in_the_future" in reasons
    account["failures"].sort(key=lambda found: (found["severity"], found["table"] != "transactions"))
    return account


def _build_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    root: Path,
    paths: Sequence[Path],
    settings: DatasetSettings,
    folder: Path,
    scratch: Path,
    today: date,
    watch: Watch,
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    wanted = settings.table(table.name)
    shown = [shown_name(path, root) for path in paths]
    with watch(connection, table.name, "open"):
        lines_of = line_files(root, settings) if table.name == "transactions" else []
        named = (lines_of, [shown_name(path, root) for path in lines_of]) if lines_of else None
        parts, passed_over, n_without, foreign = _open_parts(
            connection, table, paths, shown, wanted, scratch, named, currency=settings.currency
        )
    with watch(connection, table.name, "judge"):
        columns = classify(
            connection,
            table,
            parts,
            settings=wanted,
            timezone=settings.timezone,
            last_valid_day=today.isoformat(),
            scratch=scratch,
        )
        lines, n_doubts = _count_classes(connection, table)
    if not lines and table.name == "transactions":
        raise DataError("header_only", table=table.name, files=", ".join(shown))
    if not lines:
        # A blank template beside a filled one is no fault.
        return None, [failure(table.name, "empty_table", file=", ".join(shown))]
    with watch(connection, table.name, "store"):
        store(connection, table, columns, folder, len(parts))
    if table.name == "transactions":
        with watch(connection, table.name, "days"):
            store_purchase_days(connection, folder)
            write_log_days(connection, columns, folder)
    totals = _totals(connection, table, lines)
    n_rejected = sum(line["n_lines"] for line in lines if line["line_class"] == "rejected")
    failures = write_rejected(connection, table, parts, wanted, folder) if n_rejected else []
    failures += doubts_of_values(connection, table, parts, columns, wanted) if n_doubts else []
    failures += doubts_of_totals(table, totals) + doubts_of_rounding(table, parts) + doubts_of_merged(table, parts)
    states = doubtful_states(connection, parts, wanted) if table.name == "transactions" else []
    failures += doubts_of_states(states) + doubts_of_currencies(foreign, shown)
    if any(line["reason"] == FOOTER for line in lines) and table.column("amount") is not None:
        failures += doubts_of_units(table, units_beside(connection, table, parts, wanted))
    if table.name == "transactions":
        failures += _doubts_of_customer(table, parts)
        of_texts = any(part.file.is_text for part in parts)
        failures += doubts_of_counting(connection, table, columns, n_files=len(parts), of_texts=of_texts)
    if n_without:
        failures.append(failure(table.name, "orders_without_lines", file=", ".join(shown)) | {"n_lines": n_without})
    unused = dict.fromkeys(header for part in parts for header in part.mapping.unused)
    return {
        "files": list(dict.fromkeys(part.file.shown for part in parts)),
        "sheets_passed_over": passed_over,
        "mended": [part.file.shown for part in parts if part.mapping.mends],
        "columns": {
            column.name: next((p.mapping.headers[column.name] for p in parts if p.has(column.name)), "")
            for column in columns
        },
        "unused_headers": list(unused),
        "n_columns_left_out": max(part.file.n_left_out for part in parts),
        "scales": sorted(wanted.scales),
        "styles": {part.file.shown: vars(part.style) for part in parts},
        "encodings": {part.file.shown: part.file.encoding for part in parts if part.file.encoding},
        "merged": _merged(parts),
        "totals": totals,
        "states": states,
        "foreign_currencies": [{"column": one.column, "name": one.name} for one in foreign],
        "lines": lines,
    }, failures


def _merged(parts: Sequence[Part]) -> dict[str, int]:
    """Return by header how many cells got the value of the one that they are merged with."""
    found: dict[str, int] = {}
    for part in parts:
        for header, column in part.file.merged.items():
            found[header] = found.get(header, 0) + column.n_filled
    return {header: n for header, n in found.items() if n}


def _doubts_of_customer(table: Table, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return, where the settings take a column for the customer whose header says that it is something else."""
    column = table.column("customer_id")
    assert column is not None  # every log has customers
    headers = {part.mapping.headers.get("customer_id", ""): part.file.shown for part in reversed(parts)}
    return [
        failure(table.name, "doubtful_customer", file=shown) | {"column": header}
        for header, shown in headers.items()
        if is_ruled_out(header, column)
    ]


def _totals(connection: duckdb.DuckDBPyConnection, table: Table, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how the totals among the lines agree with what they are the totals of; empty where there are none."""
    has_totals = any(line["reason"] == TOTAL for line in lines)
    return check_totals(connection, table) if has_totals and table.column("amount") is not None else {}


def _open_parts(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    paths: Sequence[Path],
    shown: Sequence[str],
    settings: TableSettings,
    scratch: Path,
    lines: tuple[Sequence[Path], Sequence[str]] | None = None,
    *,
    currency: str,
) -> tuple[list[Part], list[str], int, list[CurrencyFound]]:
    """Return the files of a table with their columns and ways of writing; sheets passed over; orders without a line.

    And the currencies of amounts that are not the dataset's.
    """
    files, passed_over = _open_files(connection, table, paths, shown, settings, scratch)
    n_without = 0
    if lines:
        assert settings.lines is not None  # else there were no files of lines
        sheet, on = settings.lines.sheet, settings.lines.on
        theirs = settings.model_copy(update={"sheet": sheet, "columns": {"order_id": on}, "lines": None})
        of_lines, _ = _open_files(connection, table, *lines, theirs, scratch, name="lines")
        if not settings.sheets and sheet is not None:
            files = [file for file in files if not file.shown.endswith(f"[{sheet}]")]
            passed_over = [name for name in passed_over if not name.endswith(f"[{sheet}]")]
        files, n_without = with_orders(connection, of_lines, files, on, settings.lines.key)
    if settings.crosstab is not None:
        files = take_apart(connection, files, settings.crosstab)
    opened = [(file, map_columns(table, file, settings)) for file in files]
    check_agreement(table, opened, settings)
    foreign: list[CurrencyFound] = []
    if table.name == "transactions":
        found = currencies_of_files(connection, opened, settings)
        refuse_mixed_currencies(found, settings, currency)
        foreign = foreign_currencies(found, settings, currency)
    styles = find_styles(connection, table, opened, settings)
    parts = [Part(*one, style, plain_ids(connection, table, *one)) for one, style in zip(opened, styles, strict=True)]
    return parts, passed_over, n_without, foreign


def _open_files(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    paths: Sequence[Path],
    shown: Sequence[str],
    settings: TableSettings,
    scratch: Path,
    name: str = "",
) -> tuple[list[OpenedFile], list[str]]:
    opened, passed_over = [], []
    for number, (path, of_path) in enumerate(zip(paths, shown, strict=True)):
        relation = f"{table.name}_{name}{number}"
        files, sheets = open_file(connection, path, relation, scratch, shown=of_path, table=table, settings=settings)
        opened += files
        passed_over += sheets
    return opened, passed_over


def _count_classes(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[list[dict[str, Any]], int]:
    has_amount = table.column("amount") is not None
    total = "coalesce(sum(amount), 0)" if has_amount else "NULL"
    classes = connection.execute(
        f"SELECT line_class, coalesce(class_reason, ''), CAST(sum(n_lines) AS BIGINT), CAST({total} AS VARCHAR), "
        f"CAST(sum(n_doubts) AS BIGINT) FROM {table.name}_census GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    lines = [
        {"line_class": line_class, "reason": reason, "n_lines": n_lines, "amount": amount}
        for line_class, reason, n_lines, amount, _ in classes
    ]
    return lines, sum(n_doubts for *_, n_doubts in classes)
