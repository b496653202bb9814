"""Contacts around orders are counted as by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.data import Dataset
from kehu_analysis.summaries import orders_with_contacts

_ORDERS = (0, 10, 28, 29, 60)
_VISITS = (0, 1, 9, 10, 32, 57)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    first = date(2026, 1, 1)
    rows = [("a", first + timedelta(days=day), 10 + day) for day in _ORDERS] + [("b", first, 5)]
    pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).to_csv(tmp_path / "transactions.csv", index=False)
    told = [("a", first + timedelta(days=day), "visit") for day in _VISITS]
    told += [("a", first + timedelta(days=5), "call"), ("stranger", first, "visit")]
    pd.DataFrame(told, columns=["customer_id", "date", "kind"]).to_csv(tmp_path / "contacts.csv", index=False)
    return open_dataset(tmp_path, cache=tmp_path / "cache")


def test_contacts_before_and_after_each_order(dataset: Dataset) -> None:
    rows = orders_with_contacts(dataset, kinds=["visit", "call"])
    assert rows["customer_id"].tolist() == ["a"] * 5 + ["b"]
    before = [sum(0 < order - visit <= 28 for visit in _VISITS) for order in _ORDERS]
    after = [sum(0 < visit - order <= 28 for visit in _VISITS) for order in _ORDERS]
    assert rows["visit_before"].tolist() == [*before, 0]
    assert rows["visit_after"].tolist() == [*after, 0]
    assert rows["call_before"].tolist() == [0, 1, 1, 1, 0, 0]
    assert rows["amount"].tolist() == [10, 20, 38, 39, 70, 5]


def test_nothing_is_counted_that_happened_later(dataset: Dataset) -> None:
    rows = orders_with_contacts(dataset, date(2026, 1, 11), kinds=["visit"], days=7)
    assert rows["visit_before"].tolist() == [0, 1, 0]
    assert rows["visit_after"].tolist() == [1, 0, 0]
