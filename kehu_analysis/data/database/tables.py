"""Import tables from a database: read in chunks through SQLAlchemy, written as Parquet, whole or not at all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from kehu_analysis.data.database.address import Address, cut_off
from kehu_analysis.data.database.columns import GrowingTable, declared_type, readable
from kehu_analysis.data.database.folder import filling, put_in_place
from kehu_analysis.data.schema import contract
from kehu_analysis.errors import DataError, UsageError, reason_of

#: Rows that are fetched at once.
FETCHED_ROWS = 5_000
_IN_CHUNKS: dict[str, Any] = {"stream_results": True, "yield_per": FETCHED_ROWS}
_LOG = "transactions"
_RATHER_MANY = 40
_SYSTEM_SCHEMAS = frozenset(("information_schema", "pg_catalog", "sys", "mysql", "performance_schema", "guest"))
#: What may hold a semicolon that ends nothing, or a semicolon.
_STATEMENT_PARTS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|(;)", re.DOTALL
)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
#: Called with a table, the rows that it has in all (None where they were not counted), and the rows so far.
ImportProgress = Callable[[str, int | None, int], None]


@dataclass(frozen=True)
class ImportedTable:
    """What became of one table.

    Attributes
    ----------
    source
        Its name in the database, or that of the file with the query.
    n_rows
        Rows written; a table without rows is not written.
    left_out
        Columns that were left out because they hold pictures or documents.
    """

    source: str
    n_rows: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    statement: sa.Select[Any] | str
    names: tuple[str, ...]
    declared: tuple[pa.DataType | None, ...]
    shown: str
    left_out: tuple[str, ...] = ()
    counting: sa.Select[Any] | None = None


def import_tables(
    address: Address | str,
    folder: str | Path,
    *,
    tables: Mapping[str, str] | None = None,
    queries: Mapping[str, str | Path] | None = None,
    progress: ImportProgress | None = None,
    count_first: bool = False,
) -> dict[str, ImportedTable]:
    """Copy tables of a database into a folder that can be opened as a dataset.

    Parameters
    ----------
    address
        ``dialect://user:password@host:port/database``, or what ``read_address`` made of a variable.
    folder
        A new folder, one that an earlier import filled (its tables are replaced), or one with a ``dataset.toml``.
    tables
        Table of the contract -> table or view in the database, ``orders`` or ``sales.orders``. Without ``tables``
        and ``queries``: every table of the contract that the database's default schema has under its own name.
    queries
        Table of the contract -> a file with one SELECT.
    progress
        Called while rows arrive.
    count_first
        Have a table's rows counted before they are read, so that ``progress`` learns how many there are.

    Returns
    -------
    dict
        What became of each table, in the order of the contract.

    Raises
    ------
    UsageError
        A wrong address, a table that is not there, a query that is none, a folder that holds something else.
    DataError
        There is no table with transactions, or it has no rows.
    RunError
        The database cannot be reached or breaks off, or the folder cannot be written; ``folder`` is as it was.

    Notes
    -----
    All tables are read in one read-only transaction, with the same state of the data where the database has
    snapshots (PostgreSQL, MySQL with InnoDB, Oracle), :data:`FETCHED_ROWS` rows at a time. Decimals stay exact,
    stamps with an offset keep it (as UTC), everything that Parquet has no type for becomes text.

    Examples
    --------
    >>> import sqlite3, tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> shop = sqlite3.connect(place / "shop.db")
    >>> _ = shop.executescript("CREATE TABLE sales (customer TEXT, day DATE, amount NUMERIC(12, 2));"
    ...                        "INSERT INTO sales VALUES ('007', '2026-01-05', 12.5);")
    >>> import_tables(f"sqlite:///{place}/shop.db", place / "data", tables={"transactions": "sales"})
    {'transactions': ImportedTable(source='sales', n_rows=1, left_out=())}
    >>> shop.close()
    """
    where = address if isinstance(address, Address) else Address(address)
    wanted, texts = dict(tables or {}), {name: _query(Path(path)) for name, path in (queries or {}).items()}
    _check_names([*wanted, *texts])
    started = datetime.now(UTC)
    with filling(Path(folder)) as building, where.reading() as connection:
        asked = where.told(partial(_tables, connection, wanted, by_name=not (wanted or texts)), code="database_list")
        done: dict[str, ImportedTable] = {}
        for name in contract():
            if name in texts:
                path = Path((queries or {})[name])
                act = partial(_ask, connection, texts[name], path.name)
                source, result = where.told(act, code="database_query", path=path.name)
            elif name in asked:
                source = asked[name]
                result = None
            else:
                continue
            total = None
            if count_first and source.counting is not None:
                count = partial(connection.scalar, source.counting)
                total = where.told(count, code="database_table", table=source.shown)
            report = partial(progress or _silent, name, total)
            done[name] = _copy(where, connection, source, result, building / f"{name}.parquet", report)
        if not done[_LOG].n_rows:
            raise DataError("import_no_rows", table=done[_LOG].source)
        put_in_place(building, Path(folder), _manifest(where, done, started))
    return done


def _check_names(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in contract()]:
        raise UsageError("import_unknown_table", table=", ".join(unknown), known=", ".join(contract()))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError("import_table_twice", table=", ".join(twice))
    if names and _LOG not in names:
        raise UsageError("import_without_log", table=", ".join(names))


def _manifest(where: Address, done: Mapping[str, ImportedTable], started: datetime) -> dict[str, Any]:
    return {
        "version": version("kehu_analysis"),
        "dialect": where.dialect,
        "started_at": started.isoformat(timespec="seconds"),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": {
            name: {
                "file": f"{name}.parquet",
                "source": table.source,
                "n_rows": table.n_rows,
                "left_out": list(table.left_out),
            }
            for name, table in done.items()
            if table.n_rows
        },
    }


# --- tables ----------------


def _tables(connection: sa.Connection, wanted: Mapping[str, str], *, by_name: bool) -> dict[str, _Source]:
    """Return the tables that are to be read, by their names in the contract."""
    inspector = sa.inspect(connection)
    if not by_name:
        return {name: _table(connection, inspector, text) for name, text in wanted.items()}
    present = _names(inspector, None)
    found: dict[str, str] = {}
    for name in contract():
        same = [own for own in present if own.lower() == name]
        if len(same) > 1 and name not in same:
            raise UsageError("import_which_table", table=name, names=", ".join(same))
        if same:
            found[name] = name if name in same else same[0]
    if _LOG not in found:
        raise DataError("import_no_log", tables=_listed(inspector))
    return {name: _source(connection, inspector, own, None) for name, own in found.items()}


def _table(connection: sa.Connection, inspector: sa.Inspector, text: str) -> _Source:
    schema, _, name = text.rpartition(".")
    for own, its_schema in ((text, None), (name, schema or None)):
        if own and (_has(inspector, own, its_schema)):
            return _source(connection, inspector, own, its_schema)
    raise UsageError("import_table_missing", table=text, tables=_listed(inspector))


def _has(inspector: sa.Inspector, name: str, schema: str | None) -> bool:
    try:
        return inspector.has_table(name, schema=schema) or name in inspector.get_view_names(schema=schema)
    except sa.exc.DBAPIError:  # no such schema, or none that this user may look into
        return False


def _names(inspector: sa.Inspector, schema: str | None) -> list[str]:
    kinds = [inspector.get_table_names, inspector.get_view_names]
    if inspector.dialect.name in ("postgresql", "oracle"):
        kinds.append(inspector.get_materialized_view_names)
    return sorted({name for kind in kinds for name in kind(schema=schema)})


def _listed(inspector: sa.Inspector) -> str:
    """Return the names of the tables that there are, those of the default schema first."""

    def every() -> Iterator[str]:
        yield from _names(inspector, None)
        usual = inspector.default_schema_name
        for schema in inspector.get_schema_names():
            if schema != usual and schema.lower() not in _SYSTEM_SCHEMAS and not schema.startswith(("pg_", "db_")):
                yield from (f"{schema}.{name}" for name in _names(inspector, schema))

    first = list(islice(every(), _RATHER_MANY + 1))
    return ", ".join([*first[:_RATHER_MANY], *(["…"] if len(first) > _RATHER_MANY else [])]) or "–"


def _source(connection: sa.Connection, inspector: sa.Inspector, name: str, schema: str | None) -> _Source:
    with warnings.catch_warnings():
        # Of types that it does not know: their values are read all the same.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        described = inspector.get_columns(name, schema=schema)
    # What is not worth a chunk's memory: a picture or a document.
    left_out = [column["name"] for column in described if isinstance(column["type"], sa.LargeBinary)]
    kept = [column for column in described if column["name"] not in left_out]
    table = sa.table(name, *(sa.column(column["name"], column["type"]) for column in kept), schema=schema)
    shown = name if schema is None else f"{schema}.{name}"
    return _Source(
        statement=sa.select(*(readable(table.c[column["name"]], connection.dialect.name) for column in kept)),
        names=tuple(str(column["name"]) for column in kept),
        declared=tuple(declared_type(column["type"]) for column in kept),
        shown=shown,
        left_out=tuple(str(name) for name in left_out),
        counting=sa.select(sa.func.count()).select_from(table),
    )


# --- queries ----------------


def _query(path: Path) -> str:
    """Return the SELECT that a file holds."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError("query_unreadable", path=path, reason=reason_of(error)) from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding).strip().rstrip(";").rstrip()
            break
        except UnicodeDecodeError:
            text = ""
    first = re.match(r"[\s(]*(\w+)", _COMMENTS.sub(" ", text))
    is_select = first is not None and first[1].upper() in ("SELECT", "WITH", "VALUES")
    if not is_select or any(part[1] for part in _STATEMENT_PARTS.finditer(text)):
        raise UsageError("query_no_select", path=path)
    return text


def _ask(connection: sa.Connection, text: str, shown: str) -> tuple[_Source, sa.CursorResult[Any]]:
    # Without parameters the text goes to the driver as it is, per cents and colons included.
    result = connection.exec_driver_sql(text, execution_options={**_IN_CHUNKS, "no_parameters": True})
    if not result.returns_rows:
        raise UsageError("query_no_select", path=shown)
    names = tuple(map(str, result.keys()))
    folded = [name.lower() for name in names]
    with cut_off(result):
        for name in names:
            if not name.strip() or name == "?column?" or folded.count(name.lower()) > 1:
                raise UsageError("query_names", path=shown, column=name)
    return _Source(text, names, (None,) * len(names), shown), result


# --- rows ----------------


def _copy(
    where: Address,
    connection: sa.Connection,
    source: _Source,
    result: sa.CursorResult[Any] | None,
    path: Path,
    report: Callable[[int], None],
) -> ImportedTable:
    if result is None:
        ask = partial(connection.execute, source.statement, execution_options=_IN_CHUNKS)
        result = where.told(ask, code="database_table", table=source.shown)
    fetch = partial(result.fetchmany, FETCHED_ROWS)
    table = GrowingTable(path, source.names, source.declared)
    try:
        with cut_off(result):
            while rows := where.told(fetch, code="database_table", table=source.shown):
                table.add(rows)
                report(table.n_rows)
        table.finish()
    finally:
        table.close()
    if not table.n_rows:
        path.unlink()
    return ImportedTable(source.shown, table.n_rows, source.left_out)


def _silent(table: str, total: int | None, n_rows: int) -> None:
    """Report no progress."""
