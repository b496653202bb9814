import json
import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.finding import Fact, Finding
from kehu_analysis.workbook import record

FACTS = {
    "n": Fact(3, "count"),
    "share": Fact(0.25, "share"),
    "missing": Fact(math.nan, "currency"),
    "endless": Fact(math.inf, "number"),
    "day": Fact(date(2026, 9, 30), "date"),
    "numpy": Fact(np.float64(1.5), "number"),
}


@pytest.fixture
def finding():
    table = pd.DataFrame({"customer_id": ["001", "=1+1"], "month": pd.PeriodIndex(["2026-08", "2026-09"], freq="M")})
    return Finding("demo", table, FACTS, {"months": 3}, ("sales_not_margin",), "CNY")


def test_round_trip(tmp_path, finding):
    record.begin(tmp_path)
    record.save_finding(finding, tmp_path)
    record.note_order(tmp_path, ["demo"])
    (loaded,) = record.load_findings(tmp_path)
    assert loaded.facts["day"].value == date(2026, 9, 30)
    assert loaded.facts["missing"].value is None
    assert loaded.facts["endless"].value is None
    assert (loaded.notes, loaded.currency, dict(loaded.parameters)) == (("sales_not_margin",), "CNY", {"months": 3})
    assert loaded.table["customer_id"].tolist() == ["001", "=1+1"]
    assert loaded.table["month"].tolist() == ["2026-08", "2026-09"]
    assert loaded.chapter == tmp_path.name


def test_json_is_strict(tmp_path, finding):
    record.save_finding(finding, tmp_path)
    text = (tmp_path / "demo.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_not_run_survives(tmp_path):
    missing = Finding("demo", pd.DataFrame(), {}, not_run=("no_rows", {"analysis": "demo"}))
    record.save_finding(missing, tmp_path)
    record.note_order(tmp_path, ["demo"])
    assert record.load_findings(tmp_path)[0].not_run == ("no_rows", {"analysis": "demo"})


def test_fresh_run_takes_away_what_an_earlier_one_left(tmp_path, finding):
    record.save_finding(finding, tmp_path)
    record.note_order(tmp_path, ["demo"])
    record.begin(tmp_path)
    assert record.load_findings(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
