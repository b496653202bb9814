"""A million rows come out of a real PostgreSQL, in bounded memory; what its users may not do, an import does not."""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kehu_analysis import cli
from kehu_analysis.data import check_dataset
from kehu_analysis.data.database import import_tables
from kehu_analysis.errors import RunError, UsageError
from tests.scale import scaled

#: Told by make test-long.
pytestmark = pytest.mark.long

#: Set where the server must be there: its absence then fails and does not skip.
NEEDED = "CI_NEEDS_POSTGRESQL"
PASSWORD, IN_ADDRESS = "s3cret/p@ss:字", "s3cret%2Fp%40ss%3A%E5%AD%97"
N_ROWS = 1_000_000
SHOP = """
CREATE ROLE reader LOGIN PASSWORD '{password}';
CREATE UNLOGGED TABLE transactions AS
  SELECT lpad((n % 20011)::text, 8, '0') AS customer_id,
         timestamptz '2024-01-01 00:30+08' + n * interval '1 minute' AS date,
         ((n % 100003 - 3) / 100.0)::numeric(12, 2) AS amount,
         '业务员' || n % 50 AS salesperson_id, 'O' || n AS order_id, n % 7 AS quantity
  FROM generate_series(1, {n_rows}) n;
CREATE SCHEMA sales;
CREATE TYPE sales.size AS ENUM ('大', '小');
CREATE TABLE sales."Orders" (
  customer_id text, date timestamp, amount numeric, "毛利率%" float8, price money, size sales.size, tags text[],
  details jsonb, key uuid, valid_to date, photo bytea, ranged int4range);
INSERT INTO sales."Orders" VALUES
  ('007', '2026-01-05 10:00', 0.000000000001, 0.5, 12.5, '大', '{{a,b}}', '{{"甲": 1}}',
   '00000000-0000-0000-0000-000000000001', 'infinity', '\\x00', '[1,5)'),
  ('008', '2026-01-05 10:00', 'NaN', 'Infinity', NULL, NULL, NULL, NULL, NULL, '2026-01-05', NULL, NULL),
  ('009', '0044-03-15 BC', 99999999999999999999999999, 1, -1, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE sales.hidden AS SELECT * FROM sales."Orders";
CREATE MATERIALIZED VIEW customers AS SELECT DISTINCT customer_id, '客户' || customer_id AS name FROM transactions;
GRANT USAGE ON SCHEMA sales TO reader;
GRANT SELECT, DELETE ON transactions, customers, sales."Orders" TO reader;
"""


def program(name: str) -> str:
    """Return where a program of the server is, which Debian keeps off the path."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parent.parent.name)
    found = str(places[-1]) if places else shutil.which(name)
    if found is None:
        # A check that is not run must not look like one that holds.
        (pytest.fail if os.environ.get(NEEDED) else pytest.skip)("no PostgreSQL on this machine")
    return str(found)


class Server:
    """A PostgreSQL of the test's own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def address(self, user: str = f"reader:{IN_ADDRESS}", database: str = "postgres") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def say(self, text: str) -> list[tuple[object, ...]]:
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=owner dbname=postgres", autocommit=True) as owner:
            cursor = owner.execute(text)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    initdb, control = program("initdb"), program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="kehu-pg-"))
    # It refuses to be run by root.
    ours: dict[str, object] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        ours = {"user": "postgres", "group": "postgres", "extra_groups": []}

    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120, **ours)  # type: ignore[call-overload]

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = f"{folder}/data"
    settings = (
        "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 "
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    )
    try:
        run(initdb, "-D", data, "-U", "owner", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        rules = "host all owner 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (folder / "data" / "pg_hba.conf").write_text(rules)
        run(control, "-D", data, "-w", "-o", settings, "-l", f"{folder}/log", "start")
        try:
            made = Server(port)
            made.say(SHOP.format(password=PASSWORD, n_rows=N_ROWS))
            yield made
        finally:
            run(control, "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


IMPORT_AND_MEASURE = """
import re, sys
from pathlib import Path
from kehu_analysis import cli
from kehu_analysis.data.database import tables as database

def peak_megabytes():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

before = peak_megabytes()
try:
    cli.main(["import", "KEHU_DATABASE", sys.argv[1], "--lang", "en"])
finally:
    print("megabytes:", peak_megabytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")
@scaled
def test_a_million_rows_in_bounded_memory(server, tmp_path):
    environment = {**os.environ, "KEHU_DATABASE": server.address()}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_MEASURE, str(tmp_path / "data")],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = done.stdout.splitlines()
    assert out[:2] == [f"transactions (transactions): {N_ROWS:,} rows", "customers (customers): 20,011 rows"]
    # Of a million about 65 in chunks; 270 where the driver is given all rows at once, 1,090 where they all become
    # Python's at once.
    assert float(out[-1].split()[-1]) < 130
    path = tmp_path / "data" / "transactions.parquet"
    assert pq.read_metadata(path).num_row_groups == math.ceil(N_ROWS / 100_000)
    assert pq.read_schema(path).field("date").type == pa.timestamp("us", tz="UTC")
    told = (
        "SELECT count(*), sum(amount), count(DISTINCT order_id), sum(quantity), min(customer_id), max(salesperson_id), "
    )
    checked = "md5(order_id || customer_id || CAST(amount AS VARCHAR) || CAST(CAST({seconds} AS BIGINT) AS VARCHAR))"
    here = f"bit_xor(CAST('0x' || left({checked.format(seconds='epoch(date)')}, 15) AS BIGINT)) FROM read_parquet(?)"
    there = f"bit_xor(('x' || {checked.format(seconds='extract(epoch FROM date)')})::bit(60)::bigint) FROM transactions"
    with duckdb.connect() as engine:
        found = engine.execute(told + here, [str(path)]).fetchall()
    assert found == server.say(told + there)
    amount = Decimal(sum(n % 100_003 - 3 for n in range(1, N_ROWS + 1))) / 100
    assert found[0][:2] == (N_ROWS, amount)

    dataset = check_dataset(tmp_path / "data")
    counts = dataset.line_classes().groupby("line_class", observed=True)["n_lines"].sum()
    assert counts[counts > 0].to_dict() == {"accepted": N_ROWS}
    assert Decimal(dataset.account["log"]["amount"]) == amount
    assert dataset.first_date.isoformat() == "2024-01-01"  # in Shanghai; in UTC it is still the year before
    assert dataset.customer_names()["00000001"] == "客户00000001"
    written = b"".join(each.read_bytes() for each in (tmp_path / "data").iterdir())
    for secret in (PASSWORD, IN_ADDRESS, "127.0.0.1", "reader"):
        assert secret.encode() not in written
        assert secret not in done.stdout + done.stderr


def test_types_that_parquet_has_not(server, tmp_path):
    import_tables(server.address(), tmp_path / "data", tables={"transactions": "sales.Orders"})
    first, second, third = pq.read_table(tmp_path / "data" / "transactions.parquet").to_pylist()
    assert first == {
        "customer_id": "007", "date": "2026-01-05 10:00:00", "amount": "0.000000000001", "毛利率%": 0.5,
        "price": Decimal("12.50"), "size": "大", "tags": '["a", "b"]', "details": '{"甲": 1}',
        "key": "00000000-0000-0000-0000-000000000001", "valid_to": "infinity", "ranged": "[1, 5)",
    }  # fmt: skip
    assert (second["amount"], second["毛利率%"], second["valid_to"]) == ("NaN", float("inf"), "2026-01-05")
    assert (third["date"], third["amount"]) == ("0044-03-15 00:00:00 BC", "9" * 26)


def test_a_query_reads_and_changes_nothing(server, tmp_path):
    query = tmp_path / "q.sql"
    query.write_text(
        "SELECT customer_id, date::date AS date, sum(amount) AS amount, '%s 100%' AS note FROM transactions "
        "WHERE order_id LIKE 'O1%' AND date > '2024-01-01 00:00:30'::timestamptz GROUP BY 1, 2",
        encoding="utf-8",
    )
    done = import_tables(server.address(), tmp_path / "data", queries={"transactions": query})
    assert done["transactions"].n_rows > 100_000
    assert pq.read_table(tmp_path / "data" / "transactions.parquet")["note"][0].as_py() == "%s 100%"
    for text in ("WITH gone AS (DELETE FROM transactions RETURNING *) SELECT * FROM gone", "SELECT pg_sleep('x')"):
        query.write_text(text)
        with pytest.raises(RunError, match=r"q\.sql failed"):
            import_tables(server.address(), tmp_path / "data", queries={"transactions": query})
    assert server.say("SELECT count(*) FROM transactions") == [(N_ROWS,)]


def test_a_connection_that_breaks_off(server, tmp_path):
    query = tmp_path / "q.sql"
    query.write_text("SELECT customer_id, date, amount FROM transactions")
    done = import_tables(server.address(), tmp_path / "data", tables={"transactions": "sales.Orders"})
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}

    def end(_table: str, _total: int | None, n_rows: int) -> None:
        if n_rows == 20_000:
            server.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")

    with pytest.raises(RunError, match="the connection was lost") as caught:
        import_tables(server.address(), tmp_path / "data", queries={"transactions": query}, progress=end)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before
    assert done["transactions"].n_rows == 3


BAD = {
    "wrong password": (f"reader:no{IN_ADDRESS}", "postgres", (), "password was not accepted"),
    "no password": ("reader", "postgres", (), "password was not accepted"),
    "no such user": (f"nobody:{IN_ADDRESS}", "postgres", (), "password was not accepted"),
    "no such database": (f"reader:{IN_ADDRESS}", "nix", (), "no such database"),
    "no permission": (f"reader:{IN_ADDRESS}", "postgres", ("--table", "transactions=sales.hidden"), "no permission"),
}


@pytest.mark.parametrize("case", BAD)
def test_who_is_turned_away_learns_why_and_no_secret(server, tmp_path, cache, capfd, monkeypatch, case):
    user, database, options, words = BAD[case]
    monkeypatch.setenv("KEHU_DATABASE", server.address(user, database))
    for lang in ("en", "zh"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["import", "KEHU_DATABASE", str(tmp_path / "data"), *options, "--lang", lang])
        out, error = capfd.readouterr()
        assert (ended.value.code, out, len(error.strip().splitlines())) == (1, "", 1)
        assert not any(secret in error for secret in (PASSWORD, IN_ADDRESS, "127.0.0.1", "reader", str(server.port)))
        assert lang == "zh" or words in error
    assert not (cache / "last-error.txt").exists()
    assert not (tmp_path / "data").exists()


def test_tables_of_other_schemas_are_listed(server, tmp_path):
    with pytest.raises(UsageError, match=r"There are: customers, transactions, sales\.Orders, sales\.hidden"):
        import_tables(server.address(), tmp_path / "data", tables={"transactions": "orders"})
