"""The list whatever is proposed: one row to do one thing with one customer, named and ranked by what is in it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.actions import ACTION_COLUMNS, KINDS, OWNERS, action_id
from kehu_analysis.actions.deadlines import DAYS_AFTER, due_on
from kehu_analysis.actions.rows import listed_before, merge_proposals, propose
from tests.scale import examples

AS_OF = date(2026, 9, 30)
few = examples(40)
IDS = st.sampled_from(["", "a", "b", "007", "=1+1", "<b>"])
AMOUNTS = st.none() | st.floats(0, 1e9)
PROPOSED = st.lists(
    st.tuples(IDS, st.sampled_from(KINDS), st.sampled_from(["long", "short", "late"]), AMOUNTS, st.none() | AMOUNTS),
    max_size=25,
)


def proposed(given_rows):
    """Return the rows as one table of proposals; what is expected to be gained lies within its bounds."""
    customers, kinds, reasons, amounts, gains = zip(*given_rows, strict=True) if given_rows else ((),) * 5
    made = propose(
        pd.DataFrame({"customer_id": list(customers), "days": 3}),
        kind=kinds,
        reason=reasons,
        numbers={"days": "days"},
        amount=pd.Series(amounts, dtype=float),
        chapter="loyalty",
        as_of=AS_OF,
    )
    gain = pd.Series(gains, dtype=float)
    return made.assign(expected_gain_low=gain - 1, expected_gain=gain, expected_gain_high=gain + 1)


def merged(given_rows):
    return merge_proposals([proposed(given_rows)], dataset="demo", quarter="2026Q3")


@few
@given(PROPOSED, st.randoms(use_true_random=False))
def test_the_list_does_not_depend_on_the_order_of_what_is_proposed(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(merged(shuffled), merged(rows))


@few
@given(PROPOSED)
def test_rows_are_whole_known_and_named_once(rows):
    table = merged(rows)
    assert tuple(table.columns) == ACTION_COLUMNS
    assert table["action_id"].is_unique
    of_customers = table[table["customer_id"] != ""]
    assert not of_customers.duplicated(["customer_id", "kind"]).any()
    assert set(of_customers.groupby(["customer_id", "kind"]).groups) == {row[:2] for row in rows if row[0]}
    assert set(table["kind"]) <= set(KINDS)
    assert set(table["owner"]) <= set(OWNERS)
    assert (table["reason_1"] != "").all()
    assert (table["reason_1"] != table["reason_2"]).all()
    known = table.dropna(subset=["expected_gain"])
    assert (known["expected_gain_low"] <= known["expected_gain"]).all()
    assert (known["expected_gain"] <= known["expected_gain_high"]).all()
    assert (table["due_on"] > AS_OF).all()


@few
@given(PROPOSED)
def test_gain_goes_before_amount_and_amount_before_the_name(rows):
    table = merged(rows)
    gain, amount = (-table[name].fillna(-np.inf) for name in ("expected_gain", "amount_involved"))
    keys = list(zip(gain, amount, table["action_id"], strict=True))
    assert keys == sorted(keys)


def test_several_reasons_to_do_one_thing_become_two_reasons_of_one_row():
    table = merged(
        [
            ("a", "call", "short", 5.0, None),
            ("a", "call", "long", 90.0, None),
            ("a", "call", "late", 20.0, None),
            ("a", "visit", "short", 1.0, None),
            ("b", "call", "late", None, None),
        ]
    )
    told = table[["customer_id", "kind", "reason_1", "reason_2", "amount_involved"]].fillna(-1.0).to_numpy().tolist()
    assert told == [
        ["a", "call", "long", "late", 90.0],
        ["a", "visit", "short", "", 1.0],
        ["b", "call", "late", "", -1.0],
    ]


def test_every_decision_of_the_company_stands_by_itself():
    table = merged([("", "company_decision", reason, 1.0, None) for reason in ("long", "late", "late")])
    assert sorted(table["reason_1"]) == ["late", "long"]
    assert (table["reason_2"] == "").all()


def test_a_name_tells_apart_what_differs_and_nothing_else():
    first = action_id("demo", "2026Q3", "a", "call", "late")
    assert first == action_id("demo", "2026Q3", "a", "call", "long")
    decisions = {action_id("demo", "2026Q3", "", "company_decision", reason) for reason in ("late", "long")}
    others = {
        action_id("demo2", "026Q3", "a", "call"),
        action_id("demo", "2026Q2", "a", "call"),
        action_id("demo", "2026Q3", "b", "call"),
        action_id("demo", "2026Q3", "a", "visit"),
    }
    assert len({first, *decisions, *others}) == 7


def test_every_kind_has_a_deadline_and_an_earlier_one_for_who_just_went_silent():
    assert set(DAYS_AFTER) == set(KINDS)
    assert due_on("call", AS_OF) < due_on("visit", AS_OF) < due_on("check_if_closed", AS_OF)


@pytest.mark.parametrize("before", [[], [("a", "call", "long", 1.0, None)]])
def test_what_stood_on_an_earlier_list_is_known_again(before):
    now = merged([("a", "call", "late", 2.0, None), ("a", "visit", "late", 1.0, None)])
    assert listed_before(now, merged(before)).tolist() == [bool(before), False]
