"""What the findings of a quarter propose, by hand, and how it is told."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest

from kehu_analysis import labels
from kehu_analysis.actions import KINDS, OWNERS, decisions, list_actions, readable
from kehu_analysis.finding import Fact, Finding

AS_OF = date(2026, 9, 30)


def fallen():
    table = pd.DataFrame(
        {
            "customer_id": ["big", "small", "lucky"],
            "from_grade": ["A", "B", "A"],
            "to_grade": ["inactive", "C", "B"],
            "previous_average_monthly_amount": [9000.0, 800.0, 5000.0],
            "average_monthly_amount": [0.0, 300.0, 4000.0],
            "change_in_monthly_amount": [-9000.0, -500.0, -1000.0],
            "shrunken_change_in_monthly_amount": [-4000.0, -100.0, 50.0],
        }
    )
    return Finding("fallen_customers", table, {}, currency="CNY", chapter="segmentation")


def overdue():
    table = pd.DataFrame(
        {
            "customer_id": ["small", "gone", "fine"],
            "status": ["newly_overdue", "long_overdue", "on_time"],
            "silence_days": [40, 900, 3],
            "usual_interval_days": [7.305, 6.0, 6.0],
            "amount_at_stake": [100.0, 8000.0, 0.0],
        }
    )
    return Finding("overdue_customers", table, {}, currency="CNY", chapter="loyalty")


def segments():
    table = pd.DataFrame(
        {
            "customer_id": ["gone", "fine", "small"],
            "segment": ["must_win_back", "champions", "at_risk"],
            "purchase_days": [60, 90, 12],
            "recency_days": [900, 3, 40],
            "mean_amount": [8000.0, 50.0, 100.0],
        }
    )
    return Finding("rfm_segments", table, {}, currency="CNY", chapter="segmentation")


def states(**by_customer):
    table = pd.DataFrame({"customer_id": list(by_customer), "state": list(by_customer.values())})
    return Finding("customer_states", table, {}, chapter="loyalty")


def counted(name, chapter, **numbers):
    return Finding(name, pd.DataFrame(), {k: Fact(v, "count") for k, v in numbers.items()}, chapter=chapter)


def listed(*findings, previous=None):
    return list_actions(findings, dataset="demo", quarter="2026Q3", as_of=AS_OF, previous=previous)


def test_by_hand():
    table = listed(fallen(), overdue(), segments()).table
    told = {
        (row["customer_id"], row["kind"]): (row["reason_1"], row["reason_2"], row["amount_involved"])
        for row in table.to_dict("records")
    }
    assert told == {
        # A year of what is expected to last of the change.
        ("big", "visit"): ("stopped_buying", "", 48000.0),
        # Who has been silent for years stands for one order.
        ("gone", "check_if_closed"): ("long_overdue", "", 8000.0),
        ("gone", "offer"): ("win_back", "", 8000.0),
        # 365.25 / 7.305 orders of 100.
        ("small", "call"): ("newly_overdue", "fell_a_grade", 5000.0),
        ("small", "offer"): ("win_back", "", 100.0),
        # Its fall is expected to be undone: nothing hangs on the visit.
        ("lucky", "visit"): ("fell_a_grade", "", 0.0),
    }
    assert table["amount_involved"].is_monotonic_decreasing
    assert table["expected_gain"].isna().all()
    assert (table["amount_is"] == "sales").all()
    assert json.loads(table.loc[0, "reason_1_numbers"])["before"] == 9000.0


def test_doubts_about_the_data_are_decisions_of_the_company_where_there_are_any():
    none = listed(
        counted("data_quality", "data_quality", n_duplicate_lines=0, n_zero_amount=0),
        counted("log_doubts", "data_quality", n_doubts=0),
    )
    assert none.table.empty
    some = listed(
        counted("data_quality", "data_quality", n_duplicate_lines=0, n_zero_amount=3),
        counted("log_doubts", "data_quality", n_doubts=2),
    )
    assert some.table["owner"].tolist() == ["manager", "manager"]
    assert sorted(some.table["reason_1"]) == ["doubtful_lines", "log_doubts"]
    said = decisions(some, "en")
    assert any("the 2 doubts about the log" in sentence and "chapter Data quality" in sentence for sentence in said)
    assert all(sentence.endswith("(by: Manager; due 2026-10-31).") for sentence in said)


def test_expected_sales_that_rest_on_few_are_a_decision():
    facts = {
        "top_share_of_customers": Fact(0.2, "share"),
        "top_share_of_expected_amount": Fact(0.8, "share"),
        "expected_amount": Fact(1000.0, "currency"),
        "horizon_days": Fact(730, "days"),
    }
    row = listed(Finding("purchase_forecast", pd.DataFrame(), facts, chapter="lifetime_value")).table.loc[0]
    assert (row["kind"], row["customer_id"], row["owner"]) == ("company_decision", "", "director")
    assert row["amount_involved"] == pytest.approx(400.0, rel=0.01)


def test_what_was_not_run_or_says_nothing_proposes_nothing():
    silent = Finding("fallen_customers", pd.DataFrame(), {}, not_run=("no_rows", {"analysis": "x"}))
    found = listed(silent, counted("quarter_sales", "data_quality", n_active=4))
    assert found.table.empty
    assert found.reading("zh").startswith("下个季度共 0 项行动")


def test_the_earlier_list_is_marked_where_there_is_one():
    first = listed(fallen(), overdue())
    assert first.table["listed_before"].isna().all()
    assert "listed_before" not in readable(first, "en")
    again = listed(fallen(), segments(), previous=first.table)
    known = again.table.set_index(["customer_id", "kind"])["listed_before"]
    assert known[("big", "visit")]
    assert not known[("gone", "offer")]
    assert again.facts["n_listed_before"].value == int(known.sum()) == 3
    assert readable(again, "en")["listed_before"].tolist() == again.table["listed_before"].tolist()
    doubt = counted("log_doubts", "data_quality", n_doubts=2)
    assert decisions(listed(doubt, previous=listed(doubt).table), "en")[0].endswith("listed before).")


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_the_list_is_told_in_words(lang):
    actions = listed(fallen(), overdue(), segments())
    shown = readable(actions, lang)
    assert len(shown) == len(actions.table)
    assert list(shown.columns) == [
        *("customer_id", "kind", "reasons", "amount_involved", "amount_is", "deadline", "owner", "chapter"),
        "action_id",
    ]
    told = shown.set_index(["customer_id", "kind"])["reasons"].to_dict()
    visit = labels.label("action_kind.visit", lang)
    assert {"zh": "9,000.00元", "en": "CNY 9.00 thousand"}[lang] in told[("big", visit)]
    assert not any("{" in words or "nan" in words or "inactive" in words for words in told.values())
    assert shown["chapter"].iloc[0] == {"zh": "客户细分", "en": "Customer segments"}[lang]
    assert len(readable(actions, lang, rows=2)) == 2


def test_every_kind_owner_and_reason_has_its_words():
    for kind in KINDS:
        assert labels.has(f"action_kind.{kind}")
    for owner in OWNERS:
        assert labels.has(f"owner.{owner}")


def test_a_chapter_of_ones_own_goes_by_its_name():
    own = Finding(**{**vars(fallen()), "chapter": "my_own"})
    assert readable(listed(own), "en")["chapter"].unique().tolist() == ["my_own"]


def test_nobody_is_sent_back_to_who_has_almost_surely_left():
    actions = listed(fallen(), overdue(), segments(), states(gone="gone", small="late", big="on_time"))
    kinds = actions.table.groupby("customer_id")["kind"].agg(set)
    assert kinds["gone"] == {"check_if_closed"}
    without = listed(fallen(), overdue(), segments()).table
    assert kinds.drop("gone").equals(without.groupby("customer_id")["kind"].agg(set).drop("gone"))
    n_spared = actions.facts["n_spared"].value
    assert n_spared == 1
    assert "1 proposal concerned a customer" in " ".join(actions.note_texts("en"))
    assert listed(fallen()).facts["n_spared"].value == 0
