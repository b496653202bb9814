from datetime import date

import pandas as pd
import pytest

from kehu_analysis.data_quality import LINE_CLASSES, data_quality
from kehu_analysis.errors import DataError, InsufficientDataError

LINES = pd.DataFrame(
    {
        "line_class": ["rejected", "accepted", "rejected", "set_apart"],
        "reason": ["no_date", None, "no_amount", "no_customer"],
        "n_lines": [3, 90, 5, 2],
        "amount": [30.0, 900.0, 0.0, 20.0],
    }
)
LOG = {
    "n_customers": 9,
    "n_transactions": 90,
    "amount": 900.0,
    "first_date": date(2026, 1, 1),
    "last_date": date(2026, 6, 30),
    "n_purchase_days": 80,
    "n_zero_amount": 1,
    "n_returns": 2,
    "return_amount": -15.0,
    "n_duplicate_lines": 4,
    "n_customers_without_purchase": 0,
}


def test_every_class_is_shown_and_all_add_up():
    finding = data_quality(LINES, LOG)
    table = finding.table
    assert list(dict.fromkeys(table["line_class"])) == list(LINE_CLASSES)
    assert table["n_lines"].tolist() == [90, 2, 0, 5, 3]
    assert table["reason"].tolist() == ["", "no_customer", "", "no_amount", "no_date"]
    assert table["share_of_lines"].sum() == pytest.approx(1)
    facts = finding.facts
    told = [facts[name].value for name in ("n_transactions", "n_set_apart", "n_filtered", "n_rejected", "n_lines")]
    assert told == [90, 2, 0, 8, 100]
    assert facts["share_rejected"].value == 0.08
    assert facts["set_apart_amount"].value == 20.0


def test_only_what_happened_is_noted():
    notes = data_quality(LINES, LOG).notes
    assert "returns_netted" in notes
    assert "rejected_lines" in notes
    assert "filtered_lines" not in notes
    assert "customers_without_purchase" not in notes


def test_words_in_both_languages():
    finding = data_quality(LINES, LOG | {"n_customers_without_purchase": 1}).in_currency("CNY")
    for lang in ("zh", "en"):
        assert "100" in finding.reading(lang)
        assert len(finding.note_texts(lang)) == len(finding.notes)


def test_order_of_rows_is_irrelevant():
    pd.testing.assert_frame_equal(data_quality(LINES[::-1], LOG).table, data_quality(LINES, LOG).table)


def test_lines_of_another_log_are_refused():
    with pytest.raises(DataError, match="do not add up"):
        data_quality(LINES, LOG | {"n_transactions": 91})


def test_unknown_class_missing_fact_and_nothing_read():
    with pytest.raises(DataError, match="mislaid"):
        data_quality(LINES.replace("rejected", "mislaid"), LOG)
    with pytest.raises(DataError, match="n_returns"):
        data_quality(LINES, {name: value for name, value in LOG.items() if name != "n_returns"})
    with pytest.raises(InsufficientDataError):
        data_quality(LINES.assign(n_lines=0), LOG | {"n_transactions": 0})


def test_a_log_that_goes_on_after_the_quarter_is_said_to():
    assert "log_goes_on" not in data_quality(LINES, LOG, as_of=date(2026, 6, 30)).notes
    finding = data_quality(LINES, LOG, as_of=date(2026, 3, 31))
    assert "2026-03-31" in finding.note_texts("zh")[finding.notes.index("log_goes_on")]
