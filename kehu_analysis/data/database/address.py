"""The address of a database: read, opened for reading alone, and kept out of every message."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from kehu_analysis.errors import KehuError, RunError, UsageError
from kehu_analysis.labels import Phrase

Result = TypeVar("Result")

#: What may stand before "://", and the dialect and driver that come along with this package.
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pymssql",
    "sqlserver": "mssql+pymssql",
    "oracle": "oracle+oracledb",
    "sqlite": "sqlite+pysqlite",
}
_CONNECT_SECONDS = "10"
#: Rows that an Oracle server sends at once; its driver asks for 100.
_ORACLE_ROWS = 2_000
#: What drivers say, and which words of ours tell it: first what may happen at any time, then what ends a connecting.
_REASONS = {
    "login": r"password authentication failed|no password supplied|access denied for user '[^']*'@'[^']*' \(|"
    r"login failed|ORA-01017|ORA-28000|no pg_hba\.conf entry|peer authentication failed",
    "permission": r"permission denied|command denied|access denied|permission was denied|ORA-01031|not authorized",
    "lost": r"server closed the connection|lost connection|gone away|terminating connection|consuming input failed|"
    r"connection (is|was) (closed|lost|killed)|not connected|DPY-(1001|4011)|DBPROCESS is dead|ORA-03113|SSL SYSCALL",
}
_REASONS_TO_CONNECT = {
    "login": r"role .+ does not exist",
    "no_such_database": r"database .+ does not exist|unknown database|cannot open database|ORA-125(05|14)|DPY-600[13]|"
    r"unable to open database",
    "unreachable": r"refused|time[d-]* ?out|timeout|resolve|name or service|translate host|getaddrinfo|unreachable|"
    r"no route|can't connect|unable to connect|no such file|DPY-6005|ORA-12541|is unavailable|nodename",
}
_WHERE_A_SERVER_IS = r"connection to server (at|on) .*? failed:|\b\d{1,3}(\.\d{1,3}){3}\b"


class Address:
    """The address of a database, which shows itself to nobody.

    Parameters
    ----------
    text
        ``dialect://user:password@host:port/database``; a dialect without a driver takes ours.

    Raises
    ------
    UsageError
        The text is no address, or names a database or a driver that is not there.

    Examples
    --------
    >>> Address("mysql://reader:p%40ss@db.example/shop")
    <address of a mysql database>
    """

    def __init__(self, text: str) -> None:
        url = _parsed(text)
        if url is None:
            raise UsageError("database_address", forms=", ".join(DRIVERS))
        self._text = text.strip()
        self._url = url.set(drivername=DRIVERS.get(url.drivername.lower(), url.drivername))
        self.dialect = self._url.get_backend_name()
        code = ""
        try:
            self._url.get_dialect().import_dbapi()
        except NoSuchModuleError:
            code = "database_unknown"
        except ImportError:
            code = "database_driver"
        if code == "database_unknown":
            raise UsageError("database_unknown", name=self._url.drivername, known=", ".join(DRIVERS))
        if code:
            raise UsageError("database_driver", name=self._url.drivername, plain=self.dialect)

    def __repr__(self) -> str:
        return f"<address of a {self.dialect} database>"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a connection that changes nothing: one read-only snapshot where the database has such a thing.

        Whatever happens, nothing is committed, and what is under way when an error ends it is cut off.

        Raises
        ------
        RunError
            The database cannot be reached, or turns the user away.
        """
        engine, connection = self.told(self._connected, code="database_connection")
        try:
            yield connection
        except BaseException:
            if not connection.closed:
                connection.invalidate()
            raise
        finally:
            connection.close()
            engine.dispose()

    def told(self, act: Callable[[], Result], *, code: str, **details: object) -> Result:
        """Do something with the database; a fault becomes a ``RunError`` that does not tell where the database is."""
        try:
            return act()
        except KehuError:
            raise
        except Exception as error:
            fault = RunError(code, reason=self._reason(error, connecting=code == "database_connection"), **details)
        # Raised here and not above: an error keeps the one during which it was raised, and that one may tell more.
        raise fault

    def _connected(self) -> tuple[sa.Engine, sa.Connection]:
        url, settings = self._url, dict[str, Any]()
        if self.dialect == "postgresql":
            if "connect_timeout" not in url.query:
                url = url.update_query_dict({"connect_timeout": _CONNECT_SECONDS})
            settings = {"isolation_level": "REPEATABLE READ"}
        elif self.dialect == "oracle":
            settings = {"arraysize": _ORACLE_ROWS}
        elif self.dialect == "sqlite":
            # Opened in the usual way, a file that is not there would be made.
            file = Path(url.database or "").absolute().as_uri()
            url = sa.URL.create(url.drivername, database=file, query={"mode": "ro", "uri": "true"})
        engine = sa.create_engine(url, poolclass=sa.NullPool, **settings)
        if self.dialect == "postgresql" and url.drivername == DRIVERS["postgresql"]:
            sa.event.listen(engine, "connect", _keep_every_date)
        connection = engine.connect()
        if self.dialect == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        elif self.dialect in _READ_ONLY:
            connection.exec_driver_sql(_READ_ONLY[self.dialect])
        return engine, connection

    def _reason(self, error: Exception, *, connecting: bool) -> object:
        """Return why the database refused: in words of ours for what is frequent, else its own without the address."""
        original = getattr(error, "orig", None) or error
        said = (arg.decode(errors="replace") if isinstance(arg, bytes) else str(arg) for arg in original.args)
        text = " ".join(said).strip() or type(original).__name__
        for name, pattern in [*_REASONS.items(), *(_REASONS_TO_CONNECT.items() if connecting else ())]:
            if re.search(pattern, text, re.IGNORECASE):
                return Phrase(f"database.{name}")
        return self._without_address(text.splitlines()[0])

    def _without_address(self, text: str) -> str:
        url = self._url
        values = (
            str(value) for given in url.query.values() for value in ([given] if isinstance(given, str) else given)
        )
        rendered = url.render_as_string(hide_password=False)
        secrets = {self._text, rendered, str(url.password or ""), url.username or "", url.host or "", *values}
        if self.dialect == "sqlite":
            secrets.add(url.database or "")
        text = re.sub(_WHERE_A_SERVER_IS, "…", text)
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", text)
        return text


#: Said first on a connection, so that a query that is more than a query changes nothing.
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


@contextmanager
def cut_off(result: sa.CursorResult[Any]) -> Iterator[None]:
    """On an error, let go of a result without fetching the rows that nobody wants any more."""
    try:
        yield
    except BaseException:
        if (unread := getattr(result.cursor, "_result", None)) is not None:  # PyMySQL would fetch them all
            unread.unbuffered_active = False
        with suppress(Exception):  # the connection may be gone
            result.close()
        raise


def read_address(variable: str) -> Address:
    """Return the address that an environment variable holds.

    Raises
    ------
    UsageError
        ``variable`` is no name of a variable (somebody gave the address itself), is not set, or holds no address.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII):
        raise UsageError("database_variable_name")
    if not (text := os.environ.get(variable, "").strip()):
        raise UsageError("database_variable", variable=variable)
    return Address(text)


def _parsed(text: str) -> sa.URL | None:
    try:
        url = sa.make_url(text.strip())
    except (SQLAlchemyError, ValueError):
        return None
    # An "@" in a password that is not written as %40 would make the rest of the password a part of the host.
    return None if re.search(r"[@\s#]", url.host or "") else url


def _keep_every_date(connection: Any, _record: object) -> None:
    """Let dates of PostgreSQL that Python does not know (infinity, before Christ) arrive as the texts that they are."""
    from psycopg import DataError
    from psycopg.adapt import AdaptersMap, Loader
    from psycopg.pq import Format

    def kept(usual: type[Any]) -> type[Loader]:
        class Kept(Loader):
            def __init__(self, oid: int, context: Any = None) -> None:
                super().__init__(oid, context)
                self._load = usual(oid, context).load

            def load(self, data: Any) -> Any:
                try:
                    return self._load(data)
                except DataError:
                    return bytes(data).decode()

        return Kept

    known: AdaptersMap = connection.adapters
    for name in ("date", "timestamp", "timestamptz"):
        oid = known.types[name].oid
        if (usual := known.get_loader(oid, Format.TEXT)) is not None:
            known.register_loader(oid, kept(usual))
