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

from kehu_analysis import labels, open_dataset
from kehu_analysis.actions import list_actions
from kehu_analysis.clv import (
    BetaGeoModel,
    alive_history,
    alive_map,
    compare_models,
    customer_lifetime_value,
    equity_by_segment,
    holdout_check,
    model_reservations,
    probability_check,
    purchase_forecast,
    weekly_tracking,
)
from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.data_quality import data_failures, data_quality, log_doubts
from kehu_analysis.loyalty import cohort_retention, overdue_customers
from kehu_analysis.periods import Quarter
from kehu_analysis.sales import quarter_sales
from kehu_analysis.segmentation import fallen_customers, grade_customers, grade_moves, rfm_profile, rfm_segments
from kehu_analysis.summaries import btyd_summary, cohorts, customer_history, monthly_sales

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


def test_every_finding_has_title_question_and_reading():
    for name, words in labels.entry("finding").items():
        assert {"title", "question", "reading"} <= set(words), name


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


# --- every table that a reader sees ----------------


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Every finding there is, of a small company of four regular years."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(11)
    lines = []
    for customer in range(60):
        day = int(rng.integers(0, 500))
        while day < 1200:
            lines.append((f"{customer:03d}", date(2022, 1, 3).toordinal() + day, round(float(rng.gamma(2, 40)), 2)))
            day += int(rng.gamma(2, 20)) + 1 if rng.random() > 0.07 else 2000
    frame = pd.DataFrame(lines, columns=["customer_id", "date", "amount"])
    frame["date"] = frame["date"].map(date.fromordinal)
    frame.to_csv(folder / "transactions.csv", index=False)
    dataset = open_dataset(folder, cache=folder / "cache")
    as_of, before = date(2025, 3, 31), date(2024, 3, 31)
    summary, sales, history = (
        btyd_summary(dataset, as_of),
        monthly_sales(dataset, as_of),
        customer_history(dataset, as_of),
    )
    month = pd.Period(as_of, "M")
    grades = [grade_customers(sales, last_month=last) for last in (month, month - 3)]
    segments = rfm_segments(history, as_of=as_of)
    quarter = Quarter.containing(as_of)
    regions = np.where(np.arange(len(summary)) < 4, "B", "A")
    values = customer_lifetime_value(summary.assign(region=regions), segment="region", draws=20)
    made = [
        data_quality(dataset.line_classes(), dataset.log_facts()),
        data_failures(dataset.failures()),
        log_doubts(dataset.log_days(), doubtful_periods(dataset.log_days(), timezone=dataset.timezone)),
        quarter_sales(sales, quarter=quarter),
        *grades[:1],
        grade_moves(*grades),
        fallen_customers(*grades),
        segments,
        rfm_profile(segments),
        cohort_retention(cohorts(dataset, as_of), as_of=as_of),
        overdue_customers(history, as_of=as_of),
        purchase_forecast(summary, as_of=as_of, quarter_days=[91, 92], draws=20),
        *(values, equity_by_segment(values)),
        holdout_check(btyd_summary(dataset, before), summary, calibration_end=before, as_of=as_of, draws=20),
        compare_models(dataset, before, as_of=as_of, truth=summary[["customer_id"]].assign(left_on=None)),
        weekly_tracking(dataset, BetaGeoModel(), before, as_of=as_of),
        probability_check(dataset, BetaGeoModel(), before, as_of=as_of),
        model_reservations(sales, summary, as_of=as_of, horizon_days=365),
        alive_map(BetaGeoModel(), summary),
        alive_history(dataset, BetaGeoModel(), as_of=as_of),
    ]
    made.append(list_actions(made, dataset="shop", quarter=str(quarter), as_of=as_of))
    return {finding.name: finding.in_currency("CNY") for finding in made}


def test_every_finding_was_made(findings):
    assert set(findings) == set(labels.entry("finding"))


def test_every_column_fact_and_note_has_its_words(findings):
    for finding in findings.values():
        for column in finding.table.columns:
            assert labels.has(f"column.{column}"), (finding.name, column)
        for fact in finding.facts.values():
            assert fact.unit in UNITS
        for lang in labels.LANGUAGES:
            texts = [finding.title(lang), finding.reading(lang), *finding.note_texts(lang)]
            assert not any("nan" in text or "None" in text or "{" in text for text in texts), texts


def test_every_code_in_a_table_has_its_words(findings):
    for finding in findings.values():
        for column in finding.table.columns:
            if labels.column_unit(column) == "code" and column not in ("cohort", "reason"):
                codes = {str(value) for value in finding.table[column].dropna()} - {"True", "False"}
                known = {code for code in codes if labels.has(f"value.{code}") or len(code) == 1}
                assert codes == known, (finding.name, column)


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
        ("accepted", "code", "采用"),
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
        labels.format_value(value, unit, lang, currency=currency),
        labels.format_prose(value, unit, lang, currency=currency),
    ):
        assert isinstance(text, str)
        assert "-0.00" not in text or any(digit in text for digit in "123456789")


@given(st.integers(-(10**15), 10**15).map(lambda cents: Decimal(cents) / 100))
def test_separators_can_be_taken_out_again(amount):
    assert Decimal(labels.format_value(float(amount), "currency").replace(",", "")) == Decimal(f"{float(amount):.2f}")
    assert Decimal(labels.format_value(amount, "currency").replace(",", "")) == amount
