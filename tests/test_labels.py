"""Words stand in the catalogue alone, in both languages; numbers are written as readers write them."""

import ast
import math
import re
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import labels

PACKAGE = Path(str(resources.files("kehu_analysis")))
CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3001-\u303f]")
UNITS = [*labels._DECIMALS, "share", "date", "code", "text"]


def leaves(table, path=()):
    """Yield every entry of the catalogue that holds words, with its dotted code."""
    for name, value in table.items():
        if isinstance(value, list):
            yield from ((".".join((*path, name, str(place))), entry) for place, entry in enumerate(value))
        elif "zh" in value or "en" in value:
            # The scales are grouped by language: scale.zh holds the words themselves.
            if not isinstance(value.get("zh"), dict):
                yield ".".join((*path, name)), value
        else:
            yield from leaves(value, (*path, name))


ENTRIES = dict(leaves(labels.catalogue()))


def fields(template):
    return set(re.findall(r"(?<!\{)\{(\w+)", template))


# --- the catalogue ----------------


def test_every_entry_has_both_languages_and_names_the_same_values():
    assert len(ENTRIES) > 300
    faulty = [
        code
        for code, entry in ENTRIES.items()
        if not (entry.get("zh", "").strip() and entry.get("en", "").strip())
        or fields(entry["zh"]) != fields(entry["en"])
    ]
    assert faulty == []


def test_english_holds_no_chinese():
    assert [code for code, entry in ENTRIES.items() if CHINESE.search(entry["en"])] == []


def test_units_are_known():
    assert {entry["unit"] for entry in ENTRIES.values() if "unit" in entry} <= set(UNITS)


def test_no_display_words_outside_the_catalogue():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
        }
        found += [
            f"{path.relative_to(PACKAGE)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            if CHINESE.search(node.value.replace("\u3000", ""))
        ]
    found += [path.name for path in PACKAGE.rglob("*.sql") if CHINESE.search(path.read_text(encoding="utf-8"))]
    assert found == []


# --- looking up and writing ----------------


def test_looking_up():
    assert labels.has("column.amount")
    assert not labels.has("column.amount.zh.x")
    assert labels.entries("nothing") == []
    with pytest.raises(KeyError, match=r"no\.such"):
        labels.label("no.such")
    assert labels.column_label("unheard_of", "en") == "unheard_of"
    assert labels.column_label("amount", "en", currency="USD") == "Sales (USD)"
    assert labels.column_label("recency_days", "zh") == "距上次购买 (天)"
    assert labels.currency_name("CHF", "zh") == "瑞士法郎"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234567.5, "currency", "1,234,567.50"),
        (-0.001, "currency", "0.00"),
        (2.675, "currency", "2.68"),
        (Decimal("0.10"), "currency", "0.10"),
        (0.8126, "share", "81.3%"),
        (-0.05, "share", "-5.0%"),
        (0, "share", "0.0%"),
        (np.int64(1500), "customers", "1,500"),
        (np.float32(1.1), "number", "1.10"),
        (10**30, "count", f"{10**30:,}"),
        (1e300, "share", f"{10**302:,}.0%"),
        (math.inf, "currency", "inf"),
        (True, "count", "True"),
        (pd.NA, "currency", "–"),
        (pd.NaT, "date", "–"),
        (float("nan"), "share", "–"),
        (pd.Timestamp("2026-01-05 10:00"), "date", "2026-01-05"),
        (date(2026, 1, 5), "text", "2026-01-05"),
        (pd.Period("2026Q1"), "code", "2026Q1"),
        ("accepted", "code", "计入"),
        ("accepted.zh", "code", "accepted.zh"),
        ("", "code", ""),
        ("007", "count", "007"),
        ([1, 2], "number", "[1, 2]"),
    ],
)
def test_values_in_a_cell(value, unit, text):
    assert labels.format_value(value, unit, "zh") == text


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0.00元", "CNY 0.00"),
        (999.994, "999.99元", "CNY 999.99"),
        (999.996, "1,000.00元", "CNY 1.00 thousand"),
        (9999.99, "9,999.99元", "CNY 10.00 thousand"),
        (99_999_999, "1.00亿元", "CNY 100.00 million"),
        (-2500315.63, "-250.03万元", "CNY -2.50 million"),
        (None, "–", "–"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_money_in_prose(value, zh, en):
    assert labels.format_prose(value, "currency", "zh", currency="CNY") == zh
    assert labels.format_prose(value, "currency", "en", currency="CNY") == en


def test_shares_in_prose_and_on_an_axis():
    assert labels.format_prose(0.9, "share") == "90%"
    assert labels.format_prose(0.8126, "share") == "81.3%"
    assert labels.format_prose(None, "share") == "–"
    assert [labels.format_tick(value, "count") for value in (0, 100, 1500.0, 0.25)] == ["0", "100", "1,500", "0.25"]
    assert [labels.format_tick(value, "currency", "en") for value in (0.0, 2.5e6)] == ["0", "2.5 million"]


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.dates(), st.decimals(allow_nan=False),
    st.sampled_from([pd.NA, pd.NaT, np.float32(3), np.int8(-4), np.nan, Decimal("NaN")]),
)  # fmt: skip


@given(ANYTHING, st.sampled_from(UNITS), st.sampled_from(labels.LANGUAGES), st.sampled_from(["", "CNY", "USD"]))
def test_writing_never_fails(value, unit, lang, currency):
    for text in (
        labels.format_value(value, unit, lang),
        labels.format_prose(value, unit, lang, currency=currency),
    ):
        assert isinstance(text, str)
        assert "-0.00" not in text or any(digit in text for digit in "123456789")


@given(st.integers(-(10**15), 10**15).map(lambda cents: Decimal(cents) / 100))
def test_separators_can_be_taken_out_again(amount):
    assert Decimal(labels.format_value(float(amount), "currency").replace(",", "")) == Decimal(f"{float(amount):.2f}")
    assert Decimal(labels.format_value(amount, "currency").replace(",", "")) == amount
