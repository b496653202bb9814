"""The list of overdue customers is a view of the states."""

from datetime import date, timedelta

import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import customer_states, overdue_customers
from tests.loyalty.relations import AS_OF, crowd, history

SINCE = date(2026, 7, 1)
#: Ten days on average, as irregular as the crowd.
TENS = [4, 18, 9, 12, 6, 15, 3, 13] * 2
CROWD = crowd()[0]


def overdue(rows, amounts=None, **settings):
    """Judge some customers, given as intervals and silence, among a crowd; return the finding and theirs alone."""
    added = history([row[0] for row in rows], [row[1] for row in rows], amounts)
    added["customer_id"] = [f"own {number}" for number in range(len(rows))]
    both = pd.concat([CROWD, added], ignore_index=True)
    finding = overdue_customers(both, customer_states(both, as_of=AS_OF), since=SINCE, **settings)
    return finding, finding.table[finding.table["customer_id"].isin(added["customer_id"])]


def test_status_limit_and_days_beyond_it():
    rows = [(TENS, 3), (TENS, 13), (TENS, 30), (TENS, 45), (TENS, 400), ([150, 260, 90], 400)]
    _, own = overdue(rows)
    own = own.set_index("customer_id")
    assert own["status"].to_dict() == {
        "own 0": "on_time",
        "own 1": "due",
        "own 2": "newly_overdue",
        "own 3": "newly_overdue",
        "own 4": "gone",
        "own 5": "long_overdue",  # silent for more than a year
    }
    late = own.loc["own 2"]
    assert 0 < late["days_overdue"] < 30.5 - late["limit_days"] + 1
    assert (own.loc[["own 0", "own 1"], "days_overdue"] == 0).all()
    assert own.loc["own 1", "due_on"] == AS_OF - timedelta(days=13) + timedelta(days=round(late["usual_interval_days"]))


def test_passed_before_the_quarter_is_no_news():
    finding, own = overdue([(TENS, 30)])
    assert own["status"].tolist() == ["newly_overdue"]
    both = pd.concat([CROWD, history([TENS], [30]).assign(customer_id="own 0")], ignore_index=True)
    later = overdue_customers(both, customer_states(both, as_of=AS_OF), since=AS_OF).table.set_index("customer_id")
    assert later.loc["own 0", "status"] == "long_overdue"
    assert finding.facts["since"].value == SINCE


def test_amounts_at_stake_and_the_order_of_the_list():
    _, own = overdue([(TENS, 30)] * 3 + [(TENS, 3)], [20.0, -50.0, 90.0, 70.0])
    assert own["customer_id"].tolist() == ["own 2", "own 0", "own 1", "own 3"]
    assert own["amount_at_stake"].tolist() == [90.0, 20.0, 0.0, 0.0]  # net returns are no order to wait for


def test_false_alarms_are_the_probabilities_of_those_listed():
    finding, _ = overdue([(TENS, 30)])
    listed = finding.table[finding.table["status"].isin(("newly_overdue", "long_overdue"))]
    assert finding.facts["n_overdue"].value == len(listed)
    assert finding.facts["expected_false_alarms"].value == pytest.approx((1 - listed["probability_gone"]).sum())
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert facts["n_overdue"] + facts["n_gone"] + facts["n_due"] + facts["n_on_time"] == facts["n_judged"]
    assert facts["n_judged"] + facts["n_too_few"] == facts["n_customers"] == len(CROWD) + 1


def test_no_list_contradicts_the_states():
    finding, _ = overdue([(TENS, 30)])
    by_status = finding.table.groupby("status")["state"].agg(set)
    assert by_status["gone"] == {"gone"}
    assert by_status["newly_overdue"] <= {"late", "probably_gone"}
    assert not by_status["on_time"] & {"late", "gone"}


def test_who_has_no_rhythm_is_counted_not_listed():
    finding, own = overdue([([9, 9], 400), ([9], 400), ([], 400)])
    assert own.empty
    assert finding.facts["n_too_few"].value >= 3


def test_refusals():
    states = customer_states(CROWD, as_of=AS_OF)
    with pytest.raises(UsageError):
        overdue_customers(CROWD, states, since=SINCE, minimum_intervals=1)
    with pytest.raises(InsufficientDataError, match="500"):
        overdue_customers(CROWD, states, since=SINCE, minimum_intervals=500)
    with pytest.raises(DataError):
        overdue_customers(CROWD.drop(columns="mean_amount"), states, since=SINCE)


def test_words_in_both_languages():
    finding, _ = overdue([([5, 10, 20], 300)])
    for lang in ("zh", "en"):
        assert "{" not in finding.reading(lang)
        assert len(finding.note_texts(lang)) == len(finding.notes)
