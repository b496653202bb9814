"""States of customers on a public log of two years that is not shipped; `make test-external DATA=folder`."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.loyalty.order_of_states import reversals

pytestmark = pytest.mark.external


@pytest.mark.parametrize("as_of", [date(2010, 12, 9), date(2011, 3, 9), date(2011, 6, 9)])
def test_later_states_buy_less(as_of: date) -> None:
    path = Path(os.environ.get("KEHU_EXTERNAL_DATA", "")) / "online_retail_two_years.csv.gz"
    log = pd.read_csv(path, dtype={"customer_id": str}).dropna()
    log["date"] = pd.to_datetime(log["date"]).dt.normalize()
    assert reversals(log, as_of) == []
