"""Tables come from a database whole and exact or not at all, and nobody learns where the database is."""

from __future__ import annotations

import errno
import json
import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql

from kehu_analysis import cli
from kehu_analysis.data import check_dataset
from kehu_analysis.data.database import columns as database_columns
from kehu_analysis.data.database import folder as import_folder
from kehu_analysis.data.database import import_tables
from kehu_analysis.data.database.address import Address
from kehu_analysis.data.database.columns import GrowingTable, column_array, readable
from kehu_analysis.errors import DataError, RunError, UsageError
from kehu_analysis.intake.importing import RowsProgress

SHOP = """
CREATE TABLE transactions (customer_id TEXT, date DATE, amount NUMERIC(12, 2), "毛利率%" REAL, paid BOOLEAN,
  at DATETIME);
INSERT INTO transactions VALUES ('007', '2026-01-05', 1234.1, 0.5, 1, '2026-01-05 10:00:00'),
  ('客户甲', '2026-03-31', 2, NULL, 0, NULL);
CREATE TABLE "Customers" (customer_id TEXT, name TEXT, photo BLOB);
INSERT INTO "Customers" VALUES ('007', '甲', x'00');
CREATE VIEW products AS SELECT 'p1' AS product_id, 12 AS list_price;
CREATE TABLE campaigns (promotion_id TEXT);
CREATE TABLE other (x INTEGER);
CREATE TABLE "shop.floor" (customer_id TEXT, date TEXT, amount TEXT);
INSERT INTO "shop.floor" VALUES ('1', '2026-01-05', '1');
"""
SECRETS = ("s3cret", "p@ss", "127.0.0.7", "reader")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop #1.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(SHOP)
    connection.close()
    return path


@pytest.fixture
def address(shop: Path) -> str:
    return f"sqlite:///{shop}"


@pytest.fixture
def kehu(capfd, monkeypatch):
    def run(address, *arguments):
        if address is None:
            monkeypatch.delenv("KEHU_DATABASE", raising=False)
        else:
            monkeypatch.setenv("KEHU_DATABASE", address)
        with pytest.raises(SystemExit) as ended:
            cli.main(["import", *map(str, arguments)])
        captured = capfd.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".import.lock"}


def rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


# --- what arrives ----------------


def test_every_table_of_the_contract_that_has_our_name(address, tmp_path):
    done = import_tables(address, tmp_path / "data")
    assert {name: (table.source, table.n_rows, table.left_out) for name, table in done.items()} == {
        "transactions": ("transactions", 2, ()),
        "customers": ("Customers", 1, ("photo",)),
        "products": ("products", 1, ()),
        "campaigns": ("campaigns", 0, ()),
    }
    assert rows(tmp_path / "data" / "transactions.parquet") == [
        {
            "customer_id": "007", "date": "2026-01-05", "amount": Decimal("1234.10"), "毛利率%": 0.5, "paid": 1,
            "at": "2026-01-05 10:00:00",
        },
        {
            "customer_id": "客户甲", "date": "2026-03-31", "amount": Decimal("2.00"), "毛利率%": None, "paid": 0,
            "at": None,
        },
    ]  # fmt: skip
    assert pq.read_schema(tmp_path / "data" / "transactions.parquet").field("amount").type == pa.decimal128(12, 2)
    assert sorted(content(tmp_path / "data")) == [
        "customers.parquet", "import.json", "products.parquet", "transactions.parquet",
    ]  # fmt: skip
    manifest = json.loads((tmp_path / "data" / "import.json").read_text(encoding="utf-8"))
    assert manifest["dialect"] == "sqlite"
    assert manifest["tables"]["customers"] == {
        "file": "customers.parquet", "source": "Customers", "n_rows": 1, "left_out": ["photo"],
    }  # fmt: skip


def test_what_was_imported_is_a_dataset(address, tmp_path):
    import_tables(address, tmp_path / "data", tables={"transactions": "transactions"})
    dataset = check_dataset(tmp_path / "data")
    assert dataset.log_facts()["n_lines"] == 2
    assert dataset.log_facts()["amount"] == 1236.1


def test_a_value_that_is_none_of_its_column_costs_no_row(shop, address, tmp_path):
    with sqlite3.connect(shop) as connection:
        connection.execute("INSERT INTO transactions (customer_id, amount, date) VALUES ('8', 'n/a', '2026-01-07')")
        connection.execute("INSERT INTO transactions (customer_id, amount, date) VALUES ('9', 9e999, x'ff')")
    connection.close()
    import_tables(address, tmp_path / "data")
    table = pq.read_table(tmp_path / "data" / "transactions.parquet")
    assert table["amount"].to_pylist() == ["1234.1", "2", "n/a", "inf"]
    assert table["date"].to_pylist()[2:] == ["2026-01-07", "ff"]


def test_tables_and_queries_by_name(address, tmp_path):
    query = tmp_path / "orders.sql"
    query.write_text(
        "-- a note; with a semicolon\nSELECT customer_id, date, amount, '50% :x;' AS \"备注\" FROM transactions "
        "WHERE customer_id LIKE '0%' ;\n",
        encoding="utf-8",
    )
    tables = {"customers": "other", "products": "main.products"}
    done = import_tables(address, tmp_path / "data", tables=tables, queries={"transactions": query})
    assert [(name, table.source, table.n_rows) for name, table in done.items()] == [
        ("transactions", "orders.sql", 1), ("customers", "other", 0), ("products", "main.products", 1),
    ]  # fmt: skip
    assert rows(tmp_path / "data" / "transactions.parquet")[0]["备注"] == "50% :x;"
    done = import_tables(address, tmp_path / "data", tables={"transactions": "shop.floor"})
    assert done["transactions"].source == "shop.floor"


def test_a_query_may_be_in_gb18030(address, tmp_path):
    query = tmp_path / "q.sql"
    query.write_bytes("select '甲' as 客户, date as 日期, amount as 金额 from transactions".encode("gb18030"))
    import_tables(address, tmp_path / "data", queries={"transactions": query})
    assert set(rows(tmp_path / "data" / "transactions.parquet")[0]) == {"客户", "日期", "金额"}


# --- values ----------------

CHINA = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([None, None], pa.null(), [None, None]),
        ([True, None], pa.bool_(), [True, None]),
        ([1, -(2**63)], pa.int64(), [1, -(2**63)]),
        ([1, 2**63], pa.string(), ["1", "9223372036854775808"]),
        ([Decimal("1E+3"), Decimal("0.125")], pa.decimal128(21, 3), [Decimal(1000), Decimal("0.125")]),
        ([Decimal("1.5"), 10**20], pa.decimal128(22, 1), [Decimal("1.5"), Decimal(10**20)]),
        ([Decimal("NaN"), Decimal("1E-9")], pa.string(), ["NaN", "0.000000001"]),
        ([Decimal("Infinity")], pa.string(), ["Infinity"]),
        ([Decimal("1E-30"), Decimal(1)], pa.decimal128(38, 30), [Decimal("1E-30"), Decimal(1)]),
        ([Decimal("1E-30"), Decimal(10**9)], pa.string(), ["0." + "0" * 29 + "1", "1000000000"]),
        ([0.1, None], pa.float64(), [0.1, None]),
        ([0.1, 1], pa.string(), ["0.1", "1"]),
        (["007", ""], pa.string(), ["007", ""]),
        ([date(2026, 1, 5)], pa.date32(), [date(2026, 1, 5)]),
        ([datetime(2026, 1, 5, 1, 2, 3, 4)], pa.timestamp("us"), [datetime(2026, 1, 5, 1, 2, 3, 4)]),
        (
            [datetime(2026, 1, 5, tzinfo=CHINA), datetime(2026, 1, 5, tzinfo=UTC)],
            pa.timestamp("us", tz="UTC"),
            [datetime(2026, 1, 4, 16, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)],
        ),
        (
            [datetime(2026, 1, 5, tzinfo=CHINA), datetime(2026, 1, 5)],
            pa.string(),
            ["2026-01-05 00:00:00+08:00", "2026-01-05 00:00:00"],
        ),
        ([date(2026, 1, 5), "0000-00-00"], pa.string(), ["2026-01-05", "0000-00-00"]),
        ([b"\x00\xff", memoryview(b"\x01")], pa.string(), ["00ff", "01"]),
        ([{"甲": [1, date(2026, 1, 5)]}, [None]], pa.string(), ['{"甲": [1, "2026-01-05"]}', "[null]"]),
        ([timedelta(hours=1)], pa.string(), ["1:00:00"]),
    ],
)
def test_values_of_every_kind(values, kind, expected):
    array = column_array(values)
    assert array.type == kind
    assert array.to_pylist() == expected


def test_numbers_of_a_column_that_is_declared_decimal():
    declared = pa.decimal128(12, 2)
    assert column_array([1, 2.1, Decimal(3), None], declared).type == declared
    assert column_array([0.1, 0.125], declared).to_pylist() == [Decimal("0.100"), Decimal("0.125")]
    assert column_array([10**11], declared).type == pa.decimal128(14, 2)
    assert column_array([float("nan"), "x"], declared).to_pylist() == ["nan", "x"]


NUMBERS = st.one_of(
    st.none(), st.integers(-(10**12), 10**12), st.decimals(-(10**12), 10**12, allow_nan=False, places=None).map(
        lambda value: Decimal(f"{value:.9f}")
    ),
)  # fmt: skip
ANYTHING = st.one_of(
    NUMBERS, st.text(st.characters(codec="utf-8"), max_size=3), st.booleans(), st.dates(), st.datetimes(),
    st.binary(max_size=2),
    st.datetimes(timezones=st.just(CHINA), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),
    st.floats(),
)  # fmt: skip


def grown(folder: Path, chunks: list[list[object]]) -> pa.ChunkedArray:
    table = GrowingTable(folder / "t.parquet", ["x"], [None])
    for chunk in chunks:
        table.add([(value,) for value in chunk])
    table.finish()
    assert table.n_rows == sum(map(len, chunks))
    assert [path.name for path in folder.iterdir()] == ["t.parquet"]
    return pq.read_table(folder / "t.parquet")["x"]


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(database_columns, "ROW_GROUP", 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=3), max_size=6))
def test_numbers_are_exact_however_they_arrive(small_groups, tmp_path, chunks):
    column = grown(tmp_path, chunks)
    values = [value for chunk in chunks for value in chunk]
    assert [None if value is None else Decimal(value) for value in column.to_pylist()] == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.lists(ANYTHING, min_size=1, max_size=3), max_size=6))
def test_no_value_is_lost_however_kinds_are_mixed(small_groups, tmp_path, chunks):
    column = grown(tmp_path, chunks)
    values = [value for chunk in chunks for value in chunk]
    assert [value is None for value in column.to_pylist()] == [value is None for value in values]
    for value, kept in zip(values, column.to_pylist(), strict=True):
        if isinstance(value, str):
            assert kept == value
        elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            assert Decimal(kept) == value


def test_a_chunk_without_values_fixes_no_type(small_groups, tmp_path):
    assert grown(tmp_path, [[None] * 3, [None] * 2]).type == pa.string()
    late = grown(tmp_path, [[None] * 3, [Decimal("1.25")], [None] * 4, [Decimal("1.125"), 7]])
    assert late.type == pa.decimal128(21, 3)
    assert late.drop_null().to_pylist() == [Decimal("1.25"), Decimal("1.125"), Decimal(7)]


@pytest.mark.parametrize(
    ("dialect", "kind", "expected"),
    [
        (oracle.dialect(), oracle.TIMESTAMP(timezone=True), "to_char(t.\"date\", 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')"),
        (oracle.dialect(), oracle.DATE(), 'SELECT t."date"'),
        (mssql.dialect(), mssql.DATETIMEOFFSET(), "convert(varchar(34), t.date, 121)"),
        (mssql.dialect(), mssql.MONEY(), "SELECT t.date"),
        (mysql.dialect(), mysql.BIT(), "CAST(t.date AS SIGNED INTEGER)"),
        (postgresql.dialect(), postgresql.MONEY(), "CAST(t.date AS NUMERIC)"),
    ],
)
def test_columns_whose_drivers_would_lose_something(dialect, kind, expected):
    statement = sa.select(readable(sa.table("t", sa.column("date", kind)).c.date, dialect.name))
    assert expected in str(statement.compile(dialect=dialect)).replace("[", "").replace("]", "")


def test_names_are_quoted_by_the_dialect():
    table = sa.table('Order"s]; drop', sa.column("毛利率%", sa.Integer()), schema="sales")
    statement = sa.select(readable(table.c["毛利率%"], "mssql"))
    assert str(statement.compile(dialect=mssql.dialect())).endswith('FROM sales.[Order"s]]; drop]')
    assert 'FROM sales."Order""s]; drop"' in str(statement.compile(dialect=oracle.dialect()))


# --- the folder ----------------


def test_importing_again_replaces_the_tables_and_leaves_the_settings(shop, address, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "dataset.toml").write_text('currency = "USD"')
    import_tables(address, folder)
    with sqlite3.connect(shop) as connection:
        connection.executescript("DROP TABLE Customers; DELETE FROM transactions WHERE amount < 3;")
    connection.close()
    import_tables(address, folder)
    assert sorted(content(folder)) == ["dataset.toml", "import.json", "products.parquet", "transactions.parquet"]
    assert len(rows(folder / "transactions.parquet")) == 1
    assert (folder / "dataset.toml").read_text() == 'currency = "USD"'


@pytest.mark.parametrize("name", ["transactions.csv", "transactions.parquet", "import.json", "notes"])
def test_a_folder_with_something_else_is_refused(address, tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text('{"tables": {"transactions": {"file": "import.json"}}, "made_by": "x"}')
    before = content(tmp_path / "data")
    with pytest.raises(UsageError, match=name):
        import_tables(address, tmp_path / "data")
    assert content(tmp_path / "data") == before


def test_a_manifest_cannot_name_other_files_than_tables(address, tmp_path):
    import_tables(address, tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "import.json").read_text(encoding="utf-8"))
    manifest["tables"]["customers"]["file"] = "../precious.parquet"
    (tmp_path / "precious.parquet").write_text("mine")
    (tmp_path / "data" / "import.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match=r"customers\.parquet"):
        import_tables(address, tmp_path / "data")
    assert (tmp_path / "precious.parquet").read_text() == "mine"


FAULTS = {
    "interrupted": KeyboardInterrupt(),
    "stopped": SystemExit(143),
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "a fault of ours": ZeroDivisionError(),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["writing", "putting in place"])
def test_what_was_there_stays_when_an_import_fails(address, tmp_path, monkeypatch, fault, where):
    import_tables(address, tmp_path / "data")
    before = content(tmp_path / "data")

    def fail(*_args, **_settings):
        raise FAULTS[fault]

    if where == "writing":
        monkeypatch.setattr(pq.ParquetWriter, "write_table", fail)
    else:
        # Two of the new tables are in their place by then.
        monkeypatch.setattr(Path, "rename", _failing_once(FAULTS[fault], after=6))
    with pytest.raises(RunError if fault == "disk full" else type(FAULTS[fault])) as caught:
        import_tables(address, tmp_path / "data")
    assert content(tmp_path / "data") == before
    assert fault != "disk full" or "the disk is full" in str(caught.value)
    monkeypatch.undo()
    with pytest.raises(DataError):
        import_tables(address, tmp_path / "new" / "data", tables={"transactions": "campaigns"})
    assert not (tmp_path / "new").exists()


def _failing_once(fault: BaseException, after: int):
    rename, calls = Path.rename, iter(range(10**6))

    def renamed(path, target):
        if next(calls) == after:
            raise fault
        return rename(path, target)

    return renamed


@pytest.mark.parametrize("killed_at", range(1, 10))
def test_the_next_import_clears_up_after_one_that_was_killed(shop, address, tmp_path, monkeypatch, killed_at):
    folder = tmp_path / "data"
    import_tables(address, folder)
    with sqlite3.connect(shop) as connection:
        connection.executescript("DROP TABLE Customers; DELETE FROM transactions WHERE amount < 3;")
    connection.close()
    calls, rename = iter(range(1, 10**6)), Path.rename

    class Killed(BaseException):
        """Nothing runs any more."""

    def renamed(path, target):
        if next(calls) >= killed_at:
            raise Killed
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", renamed)
        patch.setattr(import_folder.shutil, "rmtree", lambda *_args, **_settings: None)
        if killed_at < 8:
            with pytest.raises(Killed):
                import_tables(address, folder)
        else:
            import_tables(address, folder)
    broken = folder / ".importing"
    assert broken.is_dir()
    # What a reader finds after the next run has looked at it, even one that fails.
    with pytest.raises(DataError):
        import_tables(address, folder, tables={"transactions": "campaigns"})
    whole = json.loads((folder / "import.json").read_text(encoding="utf-8"))["tables"]
    assert {f"{name}.parquet": table["n_rows"] for name, table in whole.items()} == {
        path.name: pq.read_metadata(path).num_rows for path in folder.glob("*.parquet")
    }
    assert not broken.exists()
    import_tables(address, folder)
    assert sorted(content(folder)) == ["import.json", "products.parquet", "transactions.parquet"]


def test_two_imports_at_once(address, tmp_path):
    (tmp_path / "data").mkdir()
    with FileLock(tmp_path / "data" / ".import.lock"), pytest.raises(RunError, match="Another run"):
        import_tables(address, tmp_path / "data")


# --- messages ----------------

SERVER = "reader:p%40ss-s3cret@127.0.0.7:1"
BAD = {
    "variable not set": (None, (), 2, "is not set"),
    "no address": ("s3cret", (), 2, "not in the right form"),
    "an @ in the password": ("mysql://reader:p@ss-s3cret@127.0.0.7/shop", (), 2, "as %40"),
    "a port that is none": ("mysql://reader:s3cret@127.0.0.7:s3cret/shop", (), 2, "not in the right form"),
    "unknown database": (f"ledger://{SERVER}/shop", (), 2, "ledger is not a known kind"),
    "unknown driver": (f"postgresql+nosuch://{SERVER}/shop", (), 2, "known kind"),
    "driver not installed": (f"mysql+mysqldb://{SERVER}/shop", (), 2, "Begin the address with mysql://"),
    "no PostgreSQL": (f"postgres://{SERVER}/shop", (), 1, "cannot be reached"),
    "no MariaDB": (f"mariadb://{SERVER}/shop", (), 1, "cannot be reached"),
    "no Oracle": (f"oracle://{SERVER}/?service_name=shop", (), 1, "cannot be reached"),
    "no SQL Server": (f"mssql://{SERVER}/shop", (), 1, "cannot be reached"),
    "no such file": ("sqlite:////no/s3cret.db", (), 1, "no such database"),
    "no log": ("sqlite:///{folder}/empty.db", (), 1, "There are: orders."),
    "a table that is not there": ("", ("--table", "transactions=nix"), 2, "Customers, campaigns, other"),
    "a schema that is not there": ("", ("--table", "transactions=nix.transactions"), 2, "nix.transactions"),
    "a table without a name": ("", ("--table", "transactions="), 2, "takes table=name"),
    "not our table": ("", ("--table", "transactions=other", "--table", "sales=other"), 2, "no table sales"),
    "no log named": ("", ("--table", "customers=Customers"), 2, "no transactions"),
    "a table twice": ("", ("--table", "transactions=a", "--table", "transactions=b"), 2, "given twice"),
    "table and query": ("", ("--table", "transactions=a", "--query", "transactions={folder}/good.sql"), 2, "twice"),
    "no rows": ("", ("--table", "transactions=campaigns"), 1, "campaigns holds no transactions"),
    "no query": ("", ("--query", "transactions={folder}/none.sql"), 2, "cannot be read"),
    "no SELECT": ("", ("--query", "transactions={folder}/delete.sql"), 2, "begins with SELECT"),
    "two statements": ("", ("--query", "transactions={folder}/two.sql"), 2, "one statement"),
    "an empty query": ("", ("--query", "transactions={folder}/empty.sql"), 2, "one statement"),
    "a query that changes something": ("", ("--query", "transactions={folder}/with.sql"), 1, "with.sql failed"),
    "a query that fails": ("", ("--query", "transactions={folder}/wrong.sql"), 1, "no such column: nix"),
    "columns of one name": ("", ("--query", "transactions={folder}/twice.sql"), 2, "the column a has no name"),
    "a folder that is a file": ("", ("{folder}/good.sql",), 2, "is a file"),
    "a foreign folder": ("", ("{folder}",), 2, "holds files that no import wrote"),
    "a folder that cannot be": ("", ("/dev/null/x",), 1, "cannot be written"),
    "a name too long": ("", ("x" * 5000,), 1, "cannot be written"),
}
QUERIES = {
    "good": "SELECT * FROM transactions",
    "delete": "/* SELECT */ DELETE FROM transactions",
    "two": "SELECT 1; DROP TABLE transactions",
    "empty": "-- SELECT",
    "with": "WITH x AS (SELECT 1) DELETE FROM transactions",
    "wrong": "SELECT nix FROM transactions",
    "twice": "SELECT 1 AS a, 2 AS A",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message_that_keeps_the_secret(address, shop, tmp_path, cache, kehu, case):
    text, options, expected, words = BAD[case]
    for name, query in QUERIES.items():
        (tmp_path / f"{name}.sql").write_text(query)
    sqlite3.connect(tmp_path / "empty.db").executescript("CREATE TABLE orders (x)").connection.close()
    options = [option.format(folder=tmp_path) for option in options]
    folder = [] if options and not options[0].startswith("-") else [tmp_path / "data"]
    used = address if text == "" else text and text.format(folder=tmp_path)
    before = shop.read_bytes()
    said = {}
    for lang in ("en", "zh"):
        code, out, said[lang] = kehu(used, "KEHU_DATABASE", *folder, *options, "--lang", lang)
        assert (code, out) == (expected, "")
        assert "Traceback" not in said[lang]
        assert len(said[lang].strip().splitlines()) == 1
        assert str(shop) not in said[lang]
        assert not any(secret in said[lang] for secret in SECRETS)
    assert words in said["en"]
    assert not (cache / "last-error.txt").exists()
    assert not (tmp_path / "data").exists()
    assert shop.read_bytes() == before


@pytest.mark.parametrize("given", ["mysql://reader:s3cret@127.0.0.7/shop", "s3cret!", ""])
def test_an_address_in_place_of_a_variable_is_not_repeated(kehu, tmp_path, given):
    code, _, error = kehu(None, given, tmp_path / "data", "--lang", "en")
    assert (code, "name of an environment variable" in error) == (2, True)
    assert "s3cret" not in error


def test_an_error_keeps_no_other_that_could_tell_more(tmp_path):
    with pytest.raises(RunError) as caught:
        import_tables(f"postgres://{SERVER}/shop", tmp_path / "data")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    with pytest.raises(UsageError) as refused:
        Address("mysql://reader:s3cret@127.0.0.7:s3cret/shop")
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)
    assert repr(Address(f"postgres://{SERVER}/shop")) == "<address of a postgresql database>"


def test_what_a_driver_says_is_told_without_the_address():
    address = Address("mssql://reader:p%40ss@db.example:1433/shop?sslkey=s3cret")
    text = "reader: cannot use 'p@ss' or s3cret at db.example (10.1.2.3), but readers may; s3crets too"

    def fail():
        raise ValueError(f"{text}\nmore")

    with pytest.raises(RunError) as caught:
        address.told(fail, code="database_query", path="q.sql")
    assert caught.value.details["reason"] == "…: cannot use '…' or … at … (…), but readers may; s3crets too"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("1045", "Access denied for user 'a'@'b' (using password: YES)"), "password was not accepted"),
        (("18456", b"Login failed for user 'sa'."), "password was not accepted"),
        (("ORA-01017: invalid username/password",), "password was not accepted"),
        (('FATAL: database "x" does not exist',), "no such database"),
        (("DPY-6001: Service is not registered with the listener",), "no such database"),
        (("4060", b"Cannot open database"), "no such database"),
        (("2013", "Lost connection to server during query"), "connection was lost"),
        (("The SELECT permission was denied on the object",), "no permission"),
        (("connection timeout expired",), "cannot be reached"),
    ],
)
def test_frequent_reasons_have_words_of_ours(said, told):
    def fail():
        raise OSError(*said) if len(said) > 2 else ValueError(*said)

    with pytest.raises(RunError, match=told):
        Address("oracle://u:p@h/x").told(fail, code="database_connection")


# --- the command ----------------


def test_the_command_says_what_was_imported_and_what_comes_next(address, kehu, tmp_path):
    code, out, error = kehu(address, "KEHU_DATABASE", tmp_path / "my data", "--lang", "en")
    assert code == 0
    assert error.splitlines() == [f"Importing table {name} …" for name in ("transactions", "customers", "products")]
    assert out.splitlines() == [
        "transactions (transactions): 2 rows",
        "customers (Customers): 1 row",
        "  Columns left out, as they hold pictures or documents: photo",
        "products (products): 1 row",
        "campaigns (campaigns): no rows, not imported",
        f'4 rows imported. Next: kehu check "{tmp_path}/my data"',
    ]
    assert "共导入 4 行" in kehu(address, "KEHU_DATABASE", tmp_path / "my data")[1]


def test_a_terminal_has_a_bar(address, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = RowsProgress("en")
    import_tables(address, tmp_path / "data", progress=progress, count_first=progress.has_bar)
    progress.close()
    shown = capsys.readouterr().err
    assert "transactions:" in shown
    assert "/2.00 [" in shown


def test_ctrl_c_says_that_nothing_was_imported(address, kehu, tmp_path, monkeypatch):
    def stop(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(RowsProgress, "__call__", stop)
    code, out, error = kehu(address, "KEHU_DATABASE", tmp_path / "data", "--lang", "en")
    assert (code, out, error) == (130, "", "Stopped. Nothing was imported; earlier files are as they were.\n")
    assert not (tmp_path / "data").exists()
