import numpy as np
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


def chancy_sales(seed, n_customers=400):
    """Two years of Poisson orders whose rates change before the last window, and what each customer then buys."""
    rng = np.random.default_rng(seed)
    rate, size = rng.gamma(3.0, 1.0, n_customers) + 0.5, rng.gamma(2.0, 50.0, n_customers)
    rate_now = rate * np.exp(rng.normal(0.0, 0.3, n_customers))
    month = pd.period_range("2024-10", periods=24, freq="M")
    lasting = (rate_now - rate) * size
    orders = rng.poisson(np.where(np.arange(24) < 21, rate[:, None], rate_now[:, None]))
    frame = pd.DataFrame(
        {
            "customer_id": np.repeat([f"{i:03d}" for i in range(n_customers)], 24),
            "month": pd.PeriodIndex(np.tile(month, n_customers), freq="M"),
            "amount": (orders * size[:, None]).ravel(),
        }
    )
    return frame, pd.Series(lasting, index=[f"{i:03d}" for i in range(n_customers)])


@pytest.mark.long
def test_what_is_told_to_last_of_the_largest_falls_does_last():
    raw, shrunken, true = 0.0, 0.0, 0.0
    for seed in range(30):
        log, lasting = chancy_sales(seed)
        before, now = (grade_customers(log, last_month=pd.Period(month, "M")) for month in ("2026-06", "2026-09"))
        worst = fallen_customers(now, before).table.head(15)
        raw += worst["change_in_monthly_amount"].sum()
        shrunken += worst["shrunken_change_in_monthly_amount"].sum()
        true += lasting[worst["customer_id"]].sum()
    # The raw falls are far more than what is left of them; rates that fall by shares are not quite normal.
    assert raw / true > 1.5
    assert shrunken / true == pytest.approx(1.0, abs=0.2)


def test_the_shrunken_change_lies_within_its_interval_and_comes_again():
    log, _ = chancy_sales(1)
    before, now = (grade_customers(log, last_month=pd.Period(month, "M")) for month in ("2026-06", "2026-09"))
    finding = fallen_customers(now, before)
    table = finding.table
    assert (table["shrunken_change_low"] < table["shrunken_change_in_monthly_amount"]).all()
    assert (table["shrunken_change_in_monthly_amount"] < table["shrunken_change_high"]).all()
    shuffled = log.sample(frac=1, random_state=2)
    before, now = (grade_customers(shuffled, last_month=pd.Period(month, "M")) for month in ("2026-06", "2026-09"))
    pd.testing.assert_frame_equal(fallen_customers(now, before).table, table)


def test_a_log_of_two_windows_is_enough():
    log, _ = chancy_sales(1)
    short = log[log["month"] >= pd.Period("2026-04", "M")]
    before, now = (grade_customers(short, last_month=pd.Period(month, "M")) for month in ("2026-04", "2026-09"))
    assert before.table["monthly_deviation"].isna().all()
    assert fallen_customers(now, before).table.notna().all().all()
