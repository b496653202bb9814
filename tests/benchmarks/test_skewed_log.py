from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.skewed_log import BLOCK_LINES, log_chunks, write_log

#: Told by make test-long.
pytestmark = pytest.mark.long

N_LINES = BLOCK_LINES + 20_000


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return pa.concat_tables(log_chunks(N_LINES)).to_pandas().astype({"amount": "float64"})


@pytest.mark.parametrize("chunk_lines", [7_000, BLOCK_LINES, BLOCK_LINES + 1])
def test_the_log_is_the_same_however_it_is_cut(chunk_lines: int) -> None:
    chunks = list(log_chunks(N_LINES, chunk_lines=chunk_lines))
    assert [chunk.num_rows for chunk in chunks[:-1]] == [chunk_lines] * (len(chunks) - 1)
    assert pa.concat_tables(chunks).equals(pa.concat_tables(log_chunks(N_LINES)))


def test_another_seed_gives_another_log() -> None:
    one, other = (next(log_chunks(1000, seed=seed)) for seed in (1, 2))
    assert not one.equals(other)


def test_the_log_is_skewed_and_has_returns_zeros_and_lines_without_customer(log: pd.DataFrame) -> None:
    n_lines = log["customer_id"].value_counts()
    assert n_lines.iloc[0] > 50 * n_lines.median()
    assert log["customer_id"].str.fullmatch(r"C\d{8}").loc[log["customer_id"].notna()].all()
    assert (log["amount"] < 0).mean() == pytest.approx(0.03, abs=0.005)
    assert (log["amount"] == 0).mean() == pytest.approx(0.01, abs=0.002)
    assert log["customer_id"].isna().mean() == pytest.approx(0.01, abs=0.003)


def test_dates_run_over_three_years_in_order_with_quiet_sundays(log: pd.DataFrame) -> None:
    dates = pd.to_datetime(log["date"])
    assert dates.is_monotonic_increasing
    assert (dates.min(), dates.max()) == (pd.Timestamp("2023-01-01"), pd.Timestamp("2025-12-31"))
    by_weekday = dates.dt.day_of_week.value_counts()
    assert by_weekday[6] < 0.5 * by_weekday[0]


def test_an_order_has_one_customer_and_one_date(log: pd.DataFrame) -> None:
    per_order = log.groupby("order_id")[["customer_id", "date"]].nunique()
    assert per_order["date"].eq(1).all()
    assert per_order["customer_id"].le(1).all()
    assert log["order_id"].nunique() == pytest.approx(N_LINES / 2.5, rel=0.02)


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    for name in ("log.parquet", "log.csv"):
        write_log(tmp_path / name, 5000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "log.parquet"]
    parquet = pd.read_parquet(tmp_path / "log.parquet").astype({"amount": "float64", "date": "datetime64[us]"})
    csv = pd.read_csv(tmp_path / "log.csv", parse_dates=["date"]).astype(
        {"date": "datetime64[us]", "quantity": "int32"}
    )
    pd.testing.assert_frame_equal(csv, parquet)


def test_amounts_can_be_floats(tmp_path: Path) -> None:
    write_log(tmp_path / "log.parquet", 100, double_amounts=True)
    assert pd.read_parquet(tmp_path / "log.parquet")["amount"].dtype == "float64"
