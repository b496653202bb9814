from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest

from kehu_analysis import labels
from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.data_quality import data_failures, log_doubts
from kehu_analysis.data_quality.log_doubts import DOUBTS, WHOLE_LOG
from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.plots.tables import table_html

DAYS = pd.DataFrame(
    {"date": [date(2026, 3, 4) + timedelta(days=place) for place in range(0, 70, 2)], "n_lines": 10, "amount": 5.0}
)


def doubts(*found):
    return pd.DataFrame(found, columns=["reason", "first_date", "last_date"])


def test_every_week_stands_in_the_table_and_nothing_is_lost():
    days = pd.concat([DAYS[:5], DAYS[-5:]])
    table = log_doubts(days, doubts()).table
    assert {week.weekday() for week in table["week"]} == {0}
    assert {later - week for week, later in pairwise(table["week"])} == {timedelta(days=7)}
    assert table["week"].iloc[0] <= days["date"].min()
    assert table["n_lines"].sum() == 100
    assert table["amount"].sum() == 50
    assert (table["n_lines"] == 0).sum() > 3


def test_doubtful_weeks_are_marked_and_counted_by_kind():
    found = doubts(
        ("loaded_twice", date(2026, 3, 9), date(2026, 3, 15)),
        ("missing_weeks", date(2026, 3, 12), date(2026, 3, 24)),
        ("level_shift", date(2026, 4, 8), date(2026, 5, 11)),
        ("many_repeated_lines", date(2026, 3, 4), date(2026, 5, 11)),
    )
    finding = log_doubts(DAYS, found)
    marks = finding.table.set_index("week")["doubt"].dropna()
    assert marks.to_dict() == {
        date(2026, 3, 9): "loaded_twice",
        date(2026, 3, 16): "missing_weeks",
        date(2026, 3, 23): "missing_weeks",
        date(2026, 4, 6): "level_shift",
    }
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert (facts["n_doubts"], facts["n_doubtful_weeks"], facts["n_weeks"]) == (4, 4, 11)
    assert [facts[f"n_{kind}"] for kind in (*DOUBTS, WHOLE_LOG)] == [1, 1, 0, 1, 1]
    assert finding.notes == ("doubts_not_corrected", "level_shift_is_a_question")


def test_a_log_that_goes_on_after_the_quarter_is_said_to():
    finding = log_doubts(DAYS, doubts(), as_of=date(2026, 3, 31))
    assert finding.notes == ("log_goes_on", "no_doubts")
    assert "2026-03-31" in finding.note_texts("en")[0]
    assert log_doubts(DAYS, doubts(), as_of=date(2026, 6, 30)).notes == ("no_doubts",)


def test_it_takes_what_the_data_room_found():
    twice = DAYS.assign(n_repeated_lines=0, median_amount=0.5)
    twice.loc[10:13, ["n_lines", "n_repeated_lines"]] = [20, 10]
    finding = log_doubts(twice, doubtful_periods(twice, timezone="Asia/Shanghai"))
    assert finding.facts["n_loaded_twice"].value == 1
    for lang in labels.LANGUAGES:
        assert "1" in finding.reading(lang)


def test_no_days_and_missing_columns():
    with pytest.raises(InsufficientDataError):
        log_doubts(DAYS[:0], doubts())
    with pytest.raises(DataError, match="n_lines"):
        log_doubts(DAYS.drop(columns="n_lines"), doubts())
    with pytest.raises(DataError, match="first_date"):
        log_doubts(DAYS, doubts().drop(columns="first_date"))


FAILURES = pd.DataFrame(
    {
        "severity": ["warning", "error", "error"],
        "table": "transactions",
        "file": ["", "<b>.csv", "a.csv"],
        "column": ["", "amount", "date"],
        "reason": ["loaded_twice", "not_money", "not_date"],
        "n_lines": [900, 2, 7],
        "first_row": pd.array([pd.NA, 5, 9], dtype="Int64"),
        "example": ["", "<script>alert(1)</script>", "=1+1"],
        "period": ["2026-03-02 – 2026-03-08", "", ""],
    }
)


def test_errors_come_first_and_most_lines_first():
    finding = data_failures(FAILURES)
    assert finding.table["reason"].tolist() == ["not_date", "not_money", "loaded_twice"]
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert facts == {"n_failures": 3, "n_errors": 2, "n_warnings": 1}
    assert finding.notes == ("mend_errors",)
    pd.testing.assert_frame_equal(finding.table, data_failures(FAILURES[::-1]).table)


def test_text_of_the_data_is_escaped_and_codes_are_words():
    for lang, error in (("zh", "错误"), ("en", "Error")):
        html = table_html(data_failures(FAILURES).table, lang=lang)
        assert error in html
        assert "not_money" not in html
        assert "loaded_twice" not in html
        assert "<script>" not in html
        assert "<b>" not in html
        assert "&lt;script&gt;" in html


def test_nothing_found():
    finding = data_failures(FAILURES[:0])
    assert finding.notes == ()
    assert finding.facts["n_failures"].value == 0
    with pytest.raises(DataError, match="severity"):
        data_failures(FAILURES.drop(columns="severity"))
