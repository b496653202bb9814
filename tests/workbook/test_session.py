import json
from datetime import date

import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.workbook import display as display_module
from kehu_analysis.workbook.previous import PREVIOUS_VARIABLE
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


def overdue(as_of, status="newly_overdue"):
    row = {"customer_id": "a", "status": status, "silence_days": 9, "usual_interval_days": 2.0, "amount_at_stake": 5.0}
    return Finding("overdue_customers", pd.DataFrame([row]), {}, chapter="loyalty")


def shown_by(call, monkeypatch):
    """Return the plain texts that a call shows, and the tables."""
    shown = []
    monkeypatch.setattr(display_module, "display", lambda bundle, **_: shown.append(bundle))
    call()
    return [bundle.get("text/html") or bundle["text/plain"] for bundle in shown]


def test_what_to_do_is_shown_as_rows(book, monkeypatch):
    opened = book("2026-04-02")
    doubts = Finding("log_doubts", pd.DataFrame(), {"n_doubts": Fact(2, "count")}, chapter="data_quality")
    said, lead, table, notes = shown_by(lambda: opened.advise([overdue(opened.as_of), doubts]), monkeypatch)
    assert said.startswith(
        "2 actions for the coming quarter: 1 customer, and 1 decision of the company.\n\n1. Look into"
    )
    assert "first 1 of 1 row about" in lead
    assert all(word in table for word in ("Call", "usually orders every 2 days", "Salesperson", "2026-04-09"))
    assert "Listed before" not in table
    assert "expected gain is empty" in notes


def test_a_chapter_from_which_nothing_follows_says_so(book, monkeypatch):
    opened = book("2026-04-02")
    (said,) = shown_by(lambda: opened.advise([overdue(opened.as_of, "on_time")]), monkeypatch)
    assert said == "Nothing to do follows from this chapter for the next quarter."


def test_the_report_before_marks_what_stood_on_its_list(book, tmp_path, monkeypatch):
    opened = book("2026-04-02")
    assert opened.previous() is None
    opened.previous_folder = tmp_path / "2025Q4"
    assert opened.previous() is None  # nobody has made one
    listed = opened.actions([overdue(opened.as_of)])
    metrics = {
        "dataset": opened.dataset.name,
        "quarter": "2025Q4",
        "as_of": "2025-12-31",
        "preview": False,
        "facts": {},
    }
    opened.previous_folder.mkdir()
    (opened.previous_folder / "metrics.json").write_text(json.dumps(metrics))
    listed.table.to_parquet(opened.previous_folder / "actions.parquet")
    assert str(opened.previous().quarter) == "2025Q4"
    assert opened.actions([overdue(opened.as_of)]).table["listed_before"].tolist() == [True]
    assert opened.actions([overdue(opened.as_of, "long_overdue")]).table["listed_before"].tolist() == [False]
    _, _, table, _ = shown_by(lambda: opened.advise([overdue(opened.as_of)]), monkeypatch)
    assert "Listed before" in table


def test_a_notebook_is_told_where_the_report_before_is(tmp_path, monkeypatch):
    days = pd.date_range("2025-11-03", "2026-04-02")
    log = pd.DataFrame({"customer_id": "a", "date": days.strftime("%Y-%m-%d"), "amount": 1.0})
    log.to_csv(tmp_path / "transactions.csv", index=False)
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PREVIOUS_VARIABLE, "")
    assert open_workbook("loyalty", tmp_path).previous_folder is None
    monkeypatch.setenv(PREVIOUS_VARIABLE, str(tmp_path / "given"))
    assert open_workbook("loyalty", tmp_path).previous_folder == tmp_path / "given"
    monkeypatch.delenv(PREVIOUS_VARIABLE)
    looked_for = open_workbook("loyalty", tmp_path).previous_folder
    assert looked_for.parts[-3:] == ("reports", tmp_path.name, "2025Q4")


def test_the_answer_is_said_by_findings_that_were_run():
    moves = {name: Fact(3, "customers") for name in ("n_up", "n_down", "n_stopped")}
    run, not_run = (
        Finding("grade_moves", pd.DataFrame(), moves),
        Finding("rfm_profile", pd.DataFrame(), {}, not_run=("x", {})),
    )
    assert sentences("answer", [not_run, run], "en") == [
        "Against the quarter before, 3 rose, 3 fell and 3 stopped buying."
    ]


@pytest.mark.parametrize("n_doubts", [0, 2])
def test_what_needs_a_number_is_said_where_there_is_one(n_doubts):
    doubts = Finding("log_doubts", pd.DataFrame(), {"n_doubts": Fact(n_doubts, "count")})
    assert len(sentences("answer", [doubts], "en")) == bool(n_doubts)
