import pandas as pd
import pytest

from kehu_analysis.errors import UsageError
from kehu_analysis.segmentation import fallen_customers, grade_customers, grade_moves

BEFORE, NOW = pd.Period("2026-06", "M"), pd.Period("2026-09", "M")

#: Net sales before and now; None: no row.
CUSTOMERS = {
    "keeps": (80.0, 80.0),
    "falls": (80.0, 10.0),
    "rises": (30.0, 80.0),
    "stops": (30.0, None),
    "small": (3.0, 3.0),
    "new": (None, 30.0),
}
STANDARDS = (20.0, 5.0)


def sales():
    rows = [
        (name, month, amount)
        for name, amounts in CUSTOMERS.items()
        for month, amount in zip((BEFORE, NOW), amounts, strict=True)
        if amount is not None
    ]
    rows.append(("returns", pd.Period("2026-01", "M"), 50.0))
    rows.append(("returns", NOW, 300.0))
    rows.append(("gone", pd.Period("2026-01", "M"), 50.0))
    frame = pd.DataFrame(rows, columns=["customer_id", "month", "amount"])
    return frame.assign(month=pd.PeriodIndex(frame["month"], freq="M"))


@pytest.fixture
def moves():
    log = sales()
    before = grade_customers(log, by="amount", standards=STANDARDS, last_month=BEFORE)
    return grade_moves(grade_customers(log, by="amount", standards=STANDARDS, last_month=NOW), before)


def test_by_hand(moves):
    # Monthly averages are a third: 80 -> 26.67 A, 30 -> 10 B, 10 -> 3.33 C, 3 -> 1 C.
    cells = moves.table.set_index(["from_grade", "to_grade"])["n_customers"]
    found = {key: int(count) for key, count in cells.items() if count}
    assert found == {
        ("A", "A"): 1,
        ("A", "C"): 1,
        ("B", "A"): 1,
        ("B", "inactive"): 1,
        ("C", "C"): 1,
        ("inactive", "A"): 1,
        ("inactive", "inactive"): 1,
        ("new", "B"): 1,
    }
    facts = {name: fact.value for name, fact in moves.facts.items()}
    counts = ("n_before", "n_up", "n_down", "n_kept", "n_stopped", "n_returned", "n_new")
    assert [facts[name] for name in counts] == [5, 1, 1, 2, 1, 1, 1]
    assert facts["share_down"] == 0.2
    assert facts["amount_down"] == pytest.approx(80 / 3, abs=0.01)
    assert facts["amount_stopped"] == pytest.approx(10.0)


def test_everybody_is_somewhere_and_money_is_kept(moves):
    log = sales()
    assert moves.table["n_customers"].sum() == log["customer_id"].nunique()
    now = grade_customers(log, by="amount", standards=STANDARDS).table["average_monthly_amount"].sum()
    assert moves.table["average_monthly_amount"].sum() == pytest.approx(now)
    rows = moves.table.groupby("from_grade")["share_of_from"].sum()
    assert rows.tolist() == pytest.approx([1.0] * len(rows))


def test_words_in_both_languages(moves):
    assert moves.in_currency("CNY").reading("zh") != moves.reading("en")
    assert moves.note_texts("en")


def test_only_two_gradings_by_one_rule_can_be_compared():
    log = sales()
    before, now = (grade_customers(log, last_month=month) for month in (BEFORE, NOW))
    with pytest.raises(UsageError):
        grade_moves(before, now)
    with pytest.raises(UsageError):
        grade_moves(now, grade_customers(log, standards=(0.5, 0.9), last_month=BEFORE))
    with pytest.raises(UsageError):
        grade_moves(grade_moves(now, before), before)


def test_who_fell_or_stopped_is_named_largest_decrease_first():
    before, now = (
        grade_customers(sales(), by="amount", standards=STANDARDS, last_month=month) for month in (BEFORE, NOW)
    )
    finding = fallen_customers(now, before)
    found = finding.table[["customer_id", "from_grade", "to_grade"]].to_numpy().tolist()
    assert found == [["falls", "A", "C"], ["stops", "B", "inactive"]]
    assert finding.table["change_in_monthly_amount"].tolist() == pytest.approx([-70 / 3, -10], abs=1e-4)
    moves = grade_moves(now, before).facts
    assert finding.facts["n_fallen"].value == moves["n_down"].value + moves["n_stopped"].value
    assert finding.facts["previous_monthly_amount"].value == pytest.approx(110 / 3, abs=0.01)
    with pytest.raises(UsageError):
        fallen_customers(before, now)
