from datetime import date

import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.workbook.quarters import choose_quarter
from kehu_analysis.workbook.sentences import sentences
from kehu_analysis.workbook.session import SOURCE_VARIABLE, Workbook, open_workbook


@pytest.fixture
def book(tmp_path):
    def _open(last_day, quarter=""):
        days = pd.date_range("2025-11-03", last_day)
        log = pd.DataFrame({"customer_id": "a", "date": days.strftime("%Y-%m-%d"), "amount": 1.0})
        log.to_csv(tmp_path / "transactions.csv", index=False)
        dataset = open_dataset(tmp_path / "transactions.csv", cache=tmp_path / "cache")
        return Workbook("x", dataset, choose_quarter(dataset, quarter, preview=True), "en", tmp_path)

    return _open


def test_a_finished_quarter_ends_with_its_month_and_is_followed_by_whole_quarters(book):
    opened = book("2026-04-02")
    assert (str(opened.quarter), opened.as_of, opened.is_preview) == ("2026Q1", date(2026, 3, 31), False)
    assert str(opened.last_month) == "2026-03"
    assert opened.coming_quarters(2) == [91, 92]


def test_a_preview_takes_whole_months_and_forecasts_the_rest_of_its_quarter_first(book):
    opened = book("2026-05-20", "2026Q2")
    assert (opened.as_of, opened.is_preview) == (date(2026, 5, 20), True)
    # May is not over: beside whole months it would look like a fall.
    assert str(opened.last_month) == "2026-04"
    assert opened.coming_quarters(3) == [41, 92, 92]
    assert str(book("2026-05-31", "2026Q2").last_month) == "2026-05"


def test_a_log_of_less_than_a_month_still_has_a_month(book):
    assert str(book("2025-11-20").last_month) == "2025-11"


def test_the_truth_is_known_where_it_lies_beside_the_data(tmp_path, monkeypatch):
    days = pd.date_range("2025-11-03", "2026-04-02")
    log = pd.DataFrame({"customer_id": "a", "date": days.strftime("%Y-%m-%d"), "amount": 1.0})
    log.to_csv(tmp_path / "transactions.csv", index=False)
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "cache"))
    assert open_workbook("lifetime_value", tmp_path).truth() is None
    (tmp_path / "truth_customers.csv").write_text("customer_id,segment\n007,A\n")
    assert open_workbook("lifetime_value", tmp_path).truth() is None
    (tmp_path / "truth_customers.csv").write_text("customer_id,left_on\n007,2026-01-31\n008,\n")
    for source in (tmp_path, tmp_path / "transactions.csv"):
        found = open_workbook("lifetime_value", source).truth()
        assert found["customer_id"].tolist() == ["007", "008"]
        assert found["left_on"].isna().tolist() == [False, True]
    # A report and the overview hand a chapter the snapshot, where no truth lies, and say where the data came from.
    opened = open_workbook("lifetime_value", tmp_path)
    assert open_workbook("lifetime_value", opened.dataset.snapshot).truth() is None
    monkeypatch.setenv(SOURCE_VARIABLE, str(tmp_path))
    assert len(open_workbook("lifetime_value", opened.dataset.snapshot).truth()) == 2


def test_actions_are_ranked_by_sales_a_quarter_and_empty_ones_left_out():
    def finding(name, **amounts):
        entry = dict.fromkeys(FACTS[name], Fact(0, "customers"))
        return Finding(name, pd.DataFrame(), entry | {fact: Fact(value, "currency") for fact, value in amounts.items()})

    moves = finding("grade_moves", amount_stopped=50.0, amount_down=70.0)
    moves = Finding("grade_moves", moves.table, {**moves.facts, "n_stopped": Fact(4, "customers")})
    overdue = finding("overdue_customers", amount_newly_overdue=120.0)
    overdue = Finding("overdue_customers", overdue.table, {**overdue.facts, "n_overdue": Fact(2, "customers")})
    said = sentences("action", [overdue, moves, finding("data_quality")], "en")
    # 50 a month are 150 a quarter, more than orders of 120; nobody fell, and there are no lines to check.
    assert [sentence.split()[0] for sentence in said] == ["Ask", "Call"]


FACTS = {
    "grade_moves": ("n_stopped", "n_down"),
    "overdue_customers": ("n_overdue", "n_newly_overdue", "n_long_overdue", "recent_days"),
    "data_quality": ("n_duplicate_lines", "n_zero_amount"),
}
