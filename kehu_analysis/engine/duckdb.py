"""DuckDB, in process, with a memory limit and a folder to spill to."""

from __future__ import annotations

import glob
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from kehu_analysis.engine.protocol import Parameter, Source

#: What may hold a colon but is no parameter (literals, quoted names, comments, casts), or a parameter.
_NAMED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::|(?<!\w):([a-z_]\w*)", re.DOTALL)
_INTERRUPTED = "Query interrupted"
_UNIX_DATE = "CREATE TEMP MACRO unix_date(day) AS (day - DATE '1970-01-01')"


@dataclass(frozen=True)
class DuckDBEngine:
    """Run SQL with DuckDB.

    Parameters
    ----------
    memory_limit
        Above this DuckDB spills to disk.
    threads
        Number of threads; all cores by default.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1, 2, 3]})
    >>> DuckDBEngine().query("SELECT max(x) AS m FROM t WHERE x < :top", tables={"t": frame},
    ...                      parameters={"top": 3}).to_pylist()
    [{'m': 2}]
    """

    memory_limit: str = "2GB"
    threads: int | None = None

    def query(
        self, sql: str, *, tables: Mapping[str, Source], parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Table:
        """Return the rows of a query."""
        with self.session(tables) as connection:
            text, bound = _bind(sql, parameters)
            return connection.sql(text, params=bound).to_arrow_table()

    @contextmanager
    def session(self, tables: Mapping[str, Source] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection with the limits set and the tables in view; its spill folder goes with it."""
        with tempfile.TemporaryDirectory(prefix="kehu-spill-") as spill:
            settings: dict[str, str | bool | int | float | list[str]] = {
                "memory_limit": self.memory_limit,
                "temp_directory": spill,
            }
            if self.threads is not None:
                settings["threads"] = self.threads
            connection = duckdb.connect(config=settings)
            try:
                # What a stamp with an offset looks like as text must not depend on the machine.
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(_UNIX_DATE)
                for name, source in (tables or {}).items():
                    if isinstance(source, pd.DataFrame):
                        connection.register(name, pa.Table.from_pandas(source, preserve_index=False))
                    elif isinstance(source, pa.Table):
                        connection.register(name, source)
                    else:
                        connection.execute(
                            f"CREATE TEMP VIEW {name} AS FROM "
                            f"read_parquet({path_literal(source)}, hive_partitioning = false)"
                        )
                yield connection
            except RuntimeError as error:
                # Ctrl-C while a statement runs comes out of DuckDB as an error without a type of its own.
                if str(error) != _INTERRUPTED:
                    raise
                raise KeyboardInterrupt from error
            finally:
                connection.close()


def quoted(value: object) -> str:
    """Return a text as an SQL literal, for the few places that take no bound parameter."""
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def path_literal(path: Path) -> str:
    """Return the path of a file to read as an SQL literal that names this file alone, whatever its characters."""
    return quoted(glob.escape(str(path.absolute())))


def _bind(sql: str, parameters: Mapping[str, Parameter] | None) -> tuple[str, dict[str, Parameter] | None]:
    given = dict(parameters or {})
    names = {match[1] for match in _NAMED.finditer(sql) if match[1]}
    if missing := names - set(given):
        raise KeyError(f"the SQL names parameters that were not given: {', '.join(sorted(missing))}")
    text = _NAMED.sub(lambda match: f"${match[1]}" if match[1] else match[0], sql)
    return text, {name: given[name] for name in names} or None
