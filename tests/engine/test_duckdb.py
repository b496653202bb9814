import os
import signal
import threading
import uuid

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kehu_analysis.engine import DuckDBEngine
from kehu_analysis.engine import duckdb as engine_module
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted

FRAME = pd.DataFrame({"x": [1, 2, 3], "day": pd.to_datetime(["2026-01-01", "1970-01-01", "1969-12-31"])})


def rows(sql, parameters=None, **settings):
    return DuckDBEngine(**settings).query(sql, tables={"t": FRAME}, parameters=parameters).to_pylist()


def test_named_parameters_are_bound_not_pasted():
    found = rows("SELECT x, :label AS label FROM t WHERE x >= :low AND x < :high", {
        "low": 2, "high": 3, "label": "'; DROP TABLE t; --",
    })  # fmt: skip
    assert found == [{"x": 2, "label": "'; DROP TABLE t; --"}]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT 'at :low :b, ''quoted'' :c' AS v", "at :low :b, 'quoted' :c"),
        ('SELECT 1 AS "v", 2 AS "a :low"', 1),
        ("SELECT '7'::integer AS v -- not :low\n", 7),
        ("SELECT /* :low\n :b */ 7 AS v", 7),
        ("SELECT '10:30'::time::varchar AS v", "10:30:00"),
        ("SELECT [1, 2, 3][1:2][1] AS v", 1),
    ],
)
def test_what_is_no_parameter_is_left_alone(sql, value):
    assert rows(sql)[0]["v"] == value


def test_a_parameter_used_twice_beside_literals():
    assert rows("SELECT :a || ':a' || :a::varchar AS v", {"a": "x"}) == [{"v": "x:ax"}]


def test_a_missing_parameter_is_named():
    with pytest.raises(KeyError, match="as_of, months"):
        rows("SELECT :months, :as_of, :x", {"x": 1})


def test_unix_date():
    assert [row["n"] for row in rows("SELECT unix_date(CAST(day AS DATE)) AS n FROM t ORDER BY x")] == [20454, 0, -1]


def test_tables_may_be_frames_arrow_tables_and_files_of_any_name(tmp_path):
    path = tmp_path / "year=2026" / "it's [a] *.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"x": [4]}), path)
    tables = {"frame": FRAME, "arrow": pa.table({"x": [9]}), "file": path}
    union = "SELECT x FROM frame UNION ALL SELECT x FROM arrow UNION ALL SELECT * FROM file ORDER BY x"
    assert DuckDBEngine().query(union, tables=tables)["x"].to_pylist() == [1, 2, 3, 4, 9]


def test_the_clock_of_the_machine_leaves_no_trace(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    text = "SELECT CAST(TIMESTAMPTZ '2026-01-01 00:00:00+08' AS VARCHAR) AS v"
    assert rows(text) == [{"v": "2025-12-31 16:00:00+00"}]


@pytest.fixture
def spills(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_more_than_fits_in_memory_is_spilled_and_the_folder_removed(spills):
    # 700,000 texts of 64 characters: more than the limit.
    hashes = "SELECT md5(CAST(range AS VARCHAR)) || md5(CAST(range + 1 AS VARCHAR)) AS h FROM range(700000)"
    with DuckDBEngine(memory_limit="40MB", threads=1).session() as connection:
        connection.execute(f"CREATE TEMP TABLE sorted AS SELECT * FROM ({hashes}) ORDER BY h")
        assert [path for path in spills.rglob("*") if path.is_file()]
        assert connection.execute("SELECT count(*), min(h) < max(h) FROM sorted").fetchone() == (700_000, True)
    assert list(spills.iterdir()) == []


def test_the_spill_folder_goes_with_an_error_too(spills):
    with pytest.raises(duckdb.Error):
        rows("SELECT no_such_column FROM t")
    assert list(spills.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="there a signal cannot be sent to oneself without ending")
def test_ctrl_c_while_a_statement_runs_is_told_as_such(spills):
    # What runs these tests in the background may have had it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    stop.start()
    with pytest.raises(KeyboardInterrupt):
        rows("SELECT sum(sqrt(range)) AS s FROM range(1_000_000_000)")
    signal.signal(signal.SIGINT, before)
    assert list(spills.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", 'a"b', "a'b", "客户", "select", f"x{uuid.UUID(int=1)}"])
def test_names_and_literals_are_quoted(name):
    found = rows(f"SELECT {quoted(name)} AS {identifier(name)}")
    assert found == [{name: name}]


def test_path_literals_hold_no_pattern(tmp_path):
    assert path_literal(tmp_path / "a*?[b]'c") == quoted(f"{tmp_path}/a[*][?][[]b]'c")
