"""Build the canonical snapshot of a dataset: accepted rows as Parquet, and an account of every row read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from filelock import FileLock

from kehu_analysis.data.delimited import FILE, ROW
from kehu_analysis.data.schema import Table, contract
from kehu_analysis.data.settings import FILE_NAME, DatasetSettings
from kehu_analysis.data.sources import find_files, open_file
from kehu_analysis.data.validate import classify, map_columns
from kehu_analysis.engine import DuckDBEngine
from kehu_analysis.engine.duckdb import identifier, quoted
from kehu_analysis.errors import DataError, RunError, reason_of

#: Raised when the snapshot's form changes, so that old ones are not read.
FORMAT = 2
ACCOUNT = "account.json"
_LONGEST_GAP = 31
_NO_SPACE = os.strerror(errno.ENOSPC)
Progress = Callable[[str], None]


def content_hash(files: Sequence[Path], settings: DatasetSettings) -> str:
    """Return a hash of everything that a snapshot depends on."""
    digest = hashlib.sha256(f"{FORMAT}\n{settings.model_dump_json()}\n".encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def source_files(root: Path, settings: DatasetSettings) -> dict[str, list[Path]]:
    """Return the files of every table that the dataset has.

    Raises
    ------
    DataError
        There is no file with transactions.
    """
    found = {name: find_files(root, table, settings.table(name)) for name, table in contract().items()}
    if not found["transactions"]:
        present = ", ".join(sorted(path.name for path in root.iterdir())[:20]) if root.is_dir() else root.name
        raise DataError("no_transactions", folder=root, present=present or "–", settings=FILE_NAME)
    for path in (path for files in found.values() for path in files):
        try:
            str(path).encode()
        except UnicodeEncodeError:  # bytes that are no UTF-8, from an archive made elsewhere
            raise DataError("file_name", path=ascii(path.name)) from None
    return {name: files for name, files in found.items() if files}


def ensure_snapshot(root: Path, name: str, settings: DatasetSettings, cache: Path, progress: Progress) -> Path:
    """Return the folder of the dataset's snapshot, building it where the sources are new or have changed.

    Raises
    ------
    DataError
        The sources break the contract as a whole (no file, no such column), or cannot be read.
    RunError
        The cache folder cannot be written.
    """
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    try:
        files = source_files(root, settings)
        progress("hash")
        digest = content_hash([path for paths in files.values() for path in paths], settings)
    except OSError as error:
        raise DataError("unreadable_file", path=error.filename or root, reason=reason_of(error)) from error
    folder = cache / f"{name}-{digest[:16]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{folder.name}.lock"):
            if not _is_current(folder, today):
                with _building_folder(cache / f".building-{folder.name}") as building:
                    finished = _build(building, root, files, name, settings, digest, today, progress)
                    shutil.rmtree(folder, ignore_errors=True)
                    finished.replace(folder)
    except OSError as error:
        raise RunError("cannot_write", path=cache, reason=reason_of(error)) from error
    except duckdb.Error as error:
        if _NO_SPACE in str(error):
            raise RunError("cannot_write", path=cache, reason=reason_of(OSError(errno.ENOSPC, _NO_SPACE))) from error
        raise DataError("snapshot_failed", name=name, reason=str(error).splitlines()[0]) from error
    return folder


def _is_current(folder: Path, today: date) -> bool:
    if not (folder / ACCOUNT).is_file():
        return False
    account = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    # Rows dated after the day of the check were rejected; on another day the same rows may be sound.
    return bool(account["checked_on"] == today.isoformat() or not account["depends_on_today"])


@contextmanager
def _building_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder to build in, over whatever a run that was killed left there; take it away at the end."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _build(
    building: Path,
    root: Path,
    files: dict[str, list[Path]],
    name: str,
    settings: DatasetSettings,
    digest: str,
    today: date,
    progress: Progress,
) -> Path:
    folder = building / "snapshot"
    folder.mkdir()
    tables: dict[str, Any] = {}
    with DuckDBEngine().session() as connection:
        for table_name, paths in files.items():
            progress(table_name)
            tables[table_name] = _build_table(
                connection, contract()[table_name], root, paths, settings, folder, building, today
            )
        _write_rejected(connection, list(files), folder)
        warnings = _warnings(connection, list(files))
        log, is_cut = _log_facts(connection, settings, today)
    reasons = {line["reason"] for table in tables.values() for line in table["lines"]}
    account = {
        "name": name,
        "content_hash": digest,
        "checked_on": today.isoformat(),
        "depends_on_today": is_cut or "in_the_future" in reasons,
        "settings": settings.model_dump(mode="json"),
        "tables": tables,
        "warnings": warnings,
        "log": log,
    }
    text = json.dumps(account, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / ACCOUNT).write_text(text, encoding="utf-8")
    return folder


def _build_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    root: Path,
    paths: list[Path],
    settings: DatasetSettings,
    folder: Path,
    scratch: Path,
    today: date,
) -> dict[str, Any]:
    wanted = settings.table(table.name)
    names_shown = [_shown(path, root) for path in paths]
    opened = []
    for number, (path, shown) in enumerate(zip(paths, names_shown, strict=True)):
        file = open_file(connection, path, f"{table.name}_{number}", scratch, shown=shown)
        opened.append((file, map_columns(table, file, wanted, shown)))
    columns = classify(
        connection,
        table,
        opened,
        filters=wanted.filters,
        timezone=settings.timezone,
        last_valid_day=today.isoformat(),
    )
    has_amount = any(column.name == "amount" for column in columns)
    total = "coalesce(sum(amount), 0)" if has_amount else "NULL"
    classes = connection.execute(
        f"SELECT line_class, coalesce(reason, ''), count(*), CAST({total} AS VARCHAR) FROM {table.name}_rows "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    if not classes:
        raise DataError("header_only", table=table.name, files=", ".join(names_shown))
    names = [identifier(column.name) for column in columns]
    if table.name == "transactions":
        _store_transactions(connection, names, folder)
    else:
        ordered = ", ".join([*(identifier(name) for name in table.required_columns), FILE, ROW])
        _copy(
            connection,
            f"SELECT {', '.join(names)} FROM {table.name}_rows WHERE line_class = 'accepted' ORDER BY {ordered}",
            folder / f"{table.name}.parquet",
        )
    unused = dict.fromkeys(header for _, mapping in opened for header in mapping.unused)
    return {
        "files": names_shown,
        "columns": {
            column.name: next((m.headers[column.name] for _, m in opened if column.name in m.headers), "")
            for column in columns
        },
        "unused_headers": list(unused),
        "lines": [
            {"line_class": line_class, "reason": reason, "n_lines": n_lines, "amount": amount}
            for line_class, reason, n_lines, amount in classes
        ],
    }


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) and path != root else path.name


def _store_transactions(connection: duckdb.DuckDBPyConnection, names: list[str], folder: Path) -> None:
    connection.execute(
        "CREATE TEMP TABLE customer_keys AS "
        "SELECT customer_id, CAST(row_number() OVER (ORDER BY customer_id) AS INTEGER) AS customer_key "
        "FROM (SELECT DISTINCT customer_id FROM transactions_rows WHERE line_class = 'accepted')"
    )
    _copy(
        connection,
        "SELECT customer_key, customer_id FROM customer_keys ORDER BY customer_key",
        folder / "customer_keys.parquet",
    )
    listed = ", ".join(names)
    _copy(
        connection,
        f"SELECT customer_key, {listed} FROM transactions_rows JOIN customer_keys USING (customer_id) "
        f"WHERE line_class = 'accepted' ORDER BY customer_key, date, {FILE}, {ROW}",
        folder / "transactions.parquet",
    )
    _copy(
        connection,
        f"SELECT {listed} FROM transactions_rows WHERE line_class = 'set_apart' ORDER BY date, {FILE}, {ROW}",
        folder / "transactions_set_apart.parquet",
    )


def _write_rejected(connection: duckdb.DuckDBPyConnection, names: list[str], folder: Path) -> None:
    parts = [
        f'SELECT {quoted(name)} AS "table", {FILE} AS file, {ROW} AS "row", coalesce(fault_column, \'\') AS "column", '
        f"coalesce(fault_value, '') AS \"value\", reason FROM {name}_rows WHERE line_class = 'rejected'"
        for name in names
    ]
    _copy(connection, f'{" UNION ALL ".join(parts)} ORDER BY "table", file, "row"', folder / "rejected.parquet")


def _warnings(connection: duckdb.DuckDBPyConnection, names: list[str]) -> list[dict[str, Any]]:
    found = []
    for name in names:
        rows = connection.execute(f"SELECT * FROM {name}_warnings ORDER BY ALL").fetchall()
        found += [
            {"table": name, "column": column, "reason": reason, "n_lines": n_lines, "example": example}
            for column, reason, n_lines, example in rows
        ]
        for column in contract()[name].columns:
            found += _unknown_references(connection, name, column.name, column.references, names)
    return found


def _unknown_references(
    connection: duckdb.DuckDBPyConnection, name: str, column: str, target: str | None, names: list[str]
) -> list[dict[str, Any]]:
    if target is None or target not in names or target == name:
        return []
    present = {row[0] for row in connection.execute(f"DESCRIBE {name}_rows").fetchall()}
    key = contract()[target].key[0]
    if column not in present:
        return []
    row = connection.execute(
        f"SELECT count(*), min({column}) FROM {name}_rows WHERE line_class = 'accepted' AND {column} IS NOT NULL AND "
        f"{column} NOT IN (SELECT {key} FROM {target}_rows WHERE line_class = 'accepted')"
    ).fetchone()
    if row is None or row[0] == 0:
        return []
    return [{"table": name, "column": column, "reason": "unknown_reference", "n_lines": row[0], "example": row[1]}]


def _log_facts(
    connection: duckdb.DuckDBPyConnection, settings: DatasetSettings, today: date
) -> tuple[dict[str, Any], bool]:
    """Return what the log holds as a whole, and whether that depends on the day of the check."""
    listed = [row[0] for row in connection.execute("DESCRIBE transactions_rows").fetchall()]
    values = ", ".join(
        identifier(name) for name in listed if name.startswith("raw_") or name in ("customer_id", "date", "amount")
    )
    row = connection.execute(
        "SELECT count(*), count(DISTINCT customer_id), CAST(coalesce(sum(amount), 0) AS VARCHAR), "
        "min(date), max(date), "
        "count(*) FILTER (WHERE amount = 0), count(*) FILTER (WHERE amount < 0), "
        "CAST(coalesce(sum(amount) FILTER (WHERE amount < 0), 0) AS VARCHAR), "
        f"count(*) - count(DISTINCT hash({values})), "
        "count(DISTINCT customer_id) - count(DISTINCT customer_id) FILTER (WHERE amount >= 0), "
        "count(DISTINCT (customer_id, date)) FILTER (WHERE amount >= 0) "
        "FROM transactions_rows WHERE line_class = 'accepted'"
    ).fetchone()
    gap = connection.execute(
        "SELECT quantile_disc(gap, 0.99) FROM (SELECT date - lag(date) OVER (ORDER BY date) AS gap FROM "
        "(SELECT DISTINCT date FROM transactions_rows WHERE line_class = 'accepted')) WHERE gap IS NOT NULL"
    ).fetchone()
    assert row is not None  # aggregates always return a row
    assert gap is not None
    names = (
        "n_lines", "n_customers", "amount", "first_date", "last_date", "n_zero_amount", "n_returns", "return_amount",
        "n_duplicate_lines", "n_customers_without_purchase", "n_purchase_days",
    )  # fmt: skip
    facts = {
        name: value.isoformat() if isinstance(value, date) else value for name, value in zip(names, row, strict=True)
    }
    complete_until = _complete_until(row[4], gap[0], settings)
    facts["complete_until"] = complete_until and min(complete_until, today).isoformat()
    return facts, complete_until is not None and complete_until > today


def _complete_until(last_date: date | None, usual_gap: int | None, settings: DatasetSettings) -> date | None:
    # The log is taken as complete up to the day before an unusually long silence would begin: a log that sells
    # Monday to Friday and ends on a Friday is complete to Sunday. A silence of more than a month is never assumed.
    if settings.complete_until is not None or last_date is None:
        return settings.complete_until
    return last_date + timedelta(days=min(usual_gap or 1, _LONGEST_GAP) - 1)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
