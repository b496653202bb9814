import json
import math
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([4, record.DIGITS, 12]))
def test_a_rounded_number_is_the_nearest_with_so_many_digits(value, digits):
    (rounded,) = record.significant([value], digits).tolist()
    places = max(digits - 1 - Decimal(value).adjusted(), 2) if value else 2
    if abs(value) < 4e13:
        # A product with a power of ten may end on the other side of a tie; nothing else may differ.
        error = abs(Decimal(rounded) - Decimal(value))
        assert error <= Decimal(10) ** -places / 2 + abs(Decimal(value)) * Decimal(2) ** -51
        assert rounded == float(f"{rounded:.{max(digits, 2)}e}") or rounded == round(rounded, 2)
    else:
        assert rounded == value
    assert record.significant([rounded], digits).tolist() == [rounded]
    assert math.copysign(1, rounded) == 1 or rounded < 0


@pytest.mark.parametrize("value", [4593.90, 0.12345678901234567, 2 / 3, 1e-9 / 7, 123456.789, 98765432.1])
def test_a_difference_in_the_last_bits_does_not_show(value):
    near = [value, math.nextafter(value, 0), math.nextafter(value, math.inf), value * (1 + 4e-16)]
    assert len(set(record.significant(near).tolist())) == 1


def test_facts_and_tables_are_written_with_so_many_digits(tmp_path):
    table = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "amount": [1 / 3, -0.0, math.nan],
            "share_of_sales": pd.array([2 / 3, None, 1e-30 / 3], dtype="Float64"),
            "n_customers": pd.array([1, None, 3], dtype="Int64"),
            "single": np.array([1 / 3, 2, 3], dtype="float32"),
        }
    )
    facts = {
        "share": Fact(1 / 3, "share"),
        "amount": Fact(12_345_678_901.236, "currency"),
        "change": Fact(-0.0, "share"),
        "n": Fact(2**53 + 1, "count"),
        "tiny": Fact(2e-300 / 3, "number"),
    }
    record.save_finding(Finding("demo", table, facts), tmp_path)
    written = json.loads((tmp_path / "demo.json").read_text())["facts"]
    assert {name: str(fact["value"]) for name, fact in written.items()} == {
        "share": "0.33333333",
        "amount": "12345678901.24",
        "change": "0.0",
        "n": "9007199254740993",
        "tiny": "6.6666667e-301",
    }
    read = pd.read_parquet(tmp_path / "demo.parquet")
    assert read.dtypes.astype(str).tolist() == table.dtypes.astype(str).tolist()
    assert read["amount"].tolist()[:2] == [0.33333333, 0.0]
    assert math.copysign(1, read["amount"][1]) == 1
    assert read["amount"].isna().tolist() == [False, False, True]
    assert read["share_of_sales"].tolist() == [0.66666667, pd.NA, 3.3333333e-31]
    assert read["single"].tolist() == table["single"].tolist()
