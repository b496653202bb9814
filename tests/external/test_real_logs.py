"""Logs of real trade that are too large to ship; `make test-external DATA=folder` says where they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.data import Dataset
from kehu_analysis.summaries import btyd_summary

pytestmark = pytest.mark.external

PAGE = Path(__file__).parents[2] / "docs" / "ONLINE_RETAIL.md"
ONLINE_RETAIL = "online_retail.csv.gz"
LINES, AMOUNT = 541_909, Decimal("9747747.934")


@pytest.fixture(scope="module")
def logs() -> Path:
    folder = Path(os.environ.get("KEHU_EXTERNAL_DATA", ""))
    if not (folder / ONLINE_RETAIL).is_file():
        pytest.fail(f"{folder} holds no {ONLINE_RETAIL}; say where it is: make test-external DATA=folder")
    return folder.resolve()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def folder(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "online_retail"
    folder.mkdir()
    (folder / ONLINE_RETAIL).symlink_to(logs / ONLINE_RETAIL)
    (settings,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "dataset.toml").write_text(settings, "utf-8")
    return folder


@pytest.fixture(scope="module")
def dataset(folder: Path, cache: Path) -> Dataset:
    return open_dataset(folder, cache=cache)


@pytest.fixture(scope="module")
def raw(logs: Path) -> pd.DataFrame:
    """Return the file as pandas reads it, each line with its amount in tenths of a penny and its class."""
    raw = pd.read_csv(logs / ONLINE_RETAIL, dtype=str, keep_default_na=False)
    price = raw["UnitPrice"].astype(float)
    raw["amount"] = (raw["Quantity"].astype(int) * price * 1000).round().astype(int)
    raw["day"] = pd.to_datetime(raw["InvoiceDate"], utc=True).dt.tz_convert("Europe/London").dt.date
    codes = ("POST", "DOT", "C2", "AMAZONFEE", "BANK CHARGES", "CRUK", "B", "S")
    is_filtered = raw["StockCode"].isin(codes) | (price == 0)
    raw["line_class"] = "accepted"
    raw.loc[raw["CustomerID"] == "", "line_class"] = "set_apart"
    raw.loc[is_filtered, "line_class"] = "filtered"
    return raw


def run_kehu(cache: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kehu_analysis.cli", *map(str, arguments)],
        env={**os.environ, "KEHU_CACHE": str(cache)},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert not (cache / "last-error.txt").exists()
    return done


def test_classes_are_those_of_the_page(dataset: Dataset) -> None:
    printed = re.findall(r"^\| (.+?) [^ ]+ \| (.*?) ?\| ([\d,]+) \| (-?[\d,.]+) \|$", PAGE.read_text("utf-8"), re.M)
    *classes, (_, _, n_lines, amount) = [(*row[:2], int(row[2].replace(",", "")), row[3]) for row in printed]
    shown = {
        (row.line_class.replace("_", " "), "" if row.line_class == "set_apart" else row.reason): (
            row.n_lines,
            row.amount,
        )
        for row in dataset.line_classes().itertuples()
    }
    told = {row[:2]: (row[2], float(row[3].replace(",", ""))) for row in classes if row[0] != "rejected"}
    assert told.keys() == shown.keys()
    for key, values in told.items():
        assert values == pytest.approx(shown[key], abs=0.005), key
    assert (n_lines, Decimal(amount.replace(",", ""))) == (LINES, round(AMOUNT, 2))


def test_classes_add_up_to_the_file(dataset: Dataset, raw: pd.DataFrame) -> None:
    lines = dataset.account["tables"]["transactions"]["lines"]
    assert sum(row["n_lines"] for row in lines) == LINES == len(raw)
    assert sum(Decimal(row["amount"]) for row in lines) == AMOUNT == Decimal(int(raw["amount"].sum())) / 1000
    counted = dataset.line_classes().groupby("line_class")[["n_lines", "amount"]].sum()
    for line_class, part in raw.groupby("line_class"):
        assert counted.loc[line_class].tolist() == pytest.approx([len(part), part["amount"].sum() / 1000])


def test_days_are_those_of_london(dataset: Dataset, raw: pd.DataFrame) -> None:
    expected = raw[raw["line_class"] == "accepted"].groupby("day").size()
    counted = dataset.log_days().set_index("date")["n_lines"]
    pd.testing.assert_series_equal(counted, expected, check_names=False, check_dtype=False, check_index_type=False)


def test_every_customer_has_the_net_of_all_lines(dataset: Dataset, raw: pd.DataFrame) -> None:
    expected = raw[raw["line_class"] == "accepted"].groupby("CustomerID")["amount"].sum() / 1000
    log = pd.read_parquet(dataset.path("transactions"), columns=["customer_id", "amount"])
    counted = log.astype({"amount": float}).groupby("customer_id")["amount"].sum()
    pd.testing.assert_series_equal(counted, expected, check_names=False, atol=1e-6, check_index_type=False)
    # What was charged by mistake, and credited by hand.
    assert counted["15098"] == pytest.approx(649.5)


def test_cancelled_lines_are_netted_on_their_purchase(dataset: Dataset) -> None:
    summary = btyd_summary(dataset).set_index("customer_id")
    days = pd.read_parquet(dataset.path("purchase_days"))
    keys = pd.read_parquet(dataset.path("customer_keys")).set_index("customer_id")["customer_key"]
    # 74,215 pieces on the only day, 80,995 on the second of two: both taken back on that day.
    assert summary.loc[["12346", "16446"], "frequency"].tolist() == [0, 1]
    assert summary.loc["16446", "monetary_value"] == pytest.approx(0)
    spent = days.astype({"amount": float}).groupby("customer_key")["amount"].sum()
    assert spent[keys[["12346", "16446"]]].tolist() == pytest.approx([0, 2.9])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_check_and_report_on_the_command_line(folder: Path, cache: Path, raw: pd.DataFrame, tmp_path: Path, lang: str):
    checked = run_kehu(cache, "check", folder, "--lang", lang, "--out", tmp_path / "check")
    assert checked.returncode == 0, checked.stderr
    assert "405,415" in checked.stdout
    assert "131,724" in checked.stdout
    made = run_kehu(cache, "report", folder, "--lang", lang, "--out", tmp_path / "report")
    assert made.returncode == 0, made.stderr
    assert "Traceback" not in (tmp_path / "report" / "index.html").read_text("utf-8")
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text("utf-8"))
    quarter = raw[(raw["line_class"] == "accepted") & raw["day"].astype(str).between("2011-07-01", "2011-09-30")]
    told = figures["facts"]["data_quality"]["quarter_sales"]
    assert told["amount"]["value"] == pytest.approx(quarter["amount"].sum() / 1000, abs=0.01)
    is_sale = quarter["amount"] >= 0
    assert told["n_active"]["value"] == quarter.loc[is_sale, "CustomerID"].nunique()


LOGS = {
    "cdnow_master.csv": ('currency = "USD"\ntimezone = "America/New_York"\n', "customer_id", "date", "spend"),
    "apparelTrans.csv": (
        '[tables.transactions.columns]\ncustomer_id = "Id"\namount = "Price"\n',
        "Id",
        "Date",
        "Price",
    ),
    "cj_transactions_sample.csv": (
        'currency = "USD"\ntimezone = "America/New_York"\n[tables.transactions.columns]\n'
        'customer_id = "household_id"\ndate = "transaction_timestamp"\namount = "sales_value"\n'
        'order_id = "basket_id"\ndiscount = "retail_disc"\n',
        "household_id",
        "transaction_timestamp",
        "sales_value",
    ),
}


@pytest.mark.parametrize("name", LOGS)
def test_other_logs_open(logs: Path, cache: Path, tmp_path: Path, name: str) -> None:
    settings, customer, day, amount = LOGS[name]
    (tmp_path / name).symlink_to(logs / name)
    (tmp_path / "dataset.toml").write_text(settings, "utf-8")
    checked = run_kehu(cache, "check", tmp_path, "--lang", "en", "--out", tmp_path.with_name(f"{tmp_path.name}-check"))
    assert checked.returncode == 0, checked.stderr
    dataset = open_dataset(tmp_path, cache=cache)
    raw = pd.read_csv(logs / name, dtype={customer: str})
    facts = dataset.log_facts()
    assert facts["n_lines"] == len(raw)
    assert facts["n_customers"] == raw[customer].nunique()
    assert facts["amount"] == pytest.approx(raw[amount].sum(), abs=0.01)
    days = pd.to_datetime(raw[day]).dt.date
    assert (facts["first_date"], facts["last_date"]) == (days.min(), days.max())
    assert dataset.failures()["severity"].ne("error").all()
