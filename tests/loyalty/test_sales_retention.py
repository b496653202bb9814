import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import cohort_sales, sales_retention, won_back_customers

START = pd.Period("2024Q1", freq="Q-DEC")


def quarters_of(amounts, margin=0.25):
    """Return a row for each customer and quarter with sales, from amounts by customer; None: nothing bought."""
    rows = [
        (customer, START + number, amount, amount * margin, int(amount > 0))
        for customer, line in amounts.items()
        for number, amount in enumerate(line)
        if amount is not None
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "quarter", "amount", "margin", "n_purchase_days"])
    return frame.assign(quarter=pd.PeriodIndex(frame["quarter"], freq="Q-DEC"))


def test_retention_of_sales_by_hand():
    found = sales_retention(
        quarters_of(
            {
                "grows": [100.0, 0, 0, 0, 150.0],
                "falls": [100.0, None, None, None, 40.0],
                "gone": [50.0, None, None, None, None],
                "returns only": [50.0, None, None, None, -10.0],
                "new": [None, None, None, None, 70.0],
            }
        )
    )
    facts = {name: fact.value for name, fact in found.facts.items()}
    assert facts["quarters_between"] == 4
    assert facts["net_retention"] == pytest.approx((150 + 40 - 10) / 300)
    assert facts["gross_retention"] == pytest.approx((100 + 40 - 10) / 300)
    assert facts["kept"] == 0.5
    assert (facts["n_new"], facts["new_amount"]) == (1, 70)
    assert (facts["lost_amount"], facts["grown_amount"], facts["fallen_amount"]) == (100, 50, 60)
    assert facts["largest_share"] == pytest.approx(1 / 3)
    assert facts["net_margin_retention"] == pytest.approx(facts["net_retention"])
    assert "season_cancels" in found.notes


def test_without_a_year_it_is_the_quarter_before_and_says_so():
    found = sales_retention(quarters_of({"a": [100.0, 80.0], "b": [100.0, 90.0]}))
    assert found.facts["net_retention"].value == pytest.approx(0.85)
    assert "season_stays" in found.notes
    assert "sales_not_margin" in sales_retention(quarters_of({"a": [9.0, 8.0]}, margin=np.nan)).notes


def test_the_intervals_of_the_ratios_cover():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(200):
        base = rng.lognormal(5, 1, 300)
        now = base * rng.choice([0.0, 0.8, 1.4], p=[0.3, 0.4, 0.3], size=300)
        rows = {f"{n:03d}": [base[n], None, None, None, now[n]] for n in range(300)}
        facts = sales_retention(quarters_of(rows)).facts
        inside += facts["net_retention_low"].value <= 0.74 <= facts["net_retention_high"].value
    assert 180 <= inside <= 198


def test_sales_of_cohorts_by_hand():
    amounts = {f"o{n:02d}": [20.0, 20.0, 20.0, 20.0] for n in range(10)}
    amounts |= {f"n{n:02d}": [None, 5.0, 10.0, 6.0] for n in range(12)}
    amounts["few"] = [None, None, 7.0, 7.0]
    finding = cohort_sales(quarters_of(amounts))
    table = finding.table.set_index(["cohort", "age"])
    assert table.loc[("2024Q2", 2), "amount_each"] == 6
    assert table.loc[("2024Q2", 2), "amount_against_1"] == pytest.approx(0.6)
    assert table.loc[("2024Q2", 2), "margin_each"] == 1.5
    assert table.loc[("2024Q3", 1), "is_small"]
    assert np.isnan(table.loc[("2024Q3", 1), "amount_each"])
    # Pooled: without the first cohort; the small one counts at age 1, and is not there at age 2.
    assert table.loc[("all_cohorts", 1), "amount_each"] == pytest.approx((120 + 7) / 13)
    assert table.loc[("all_cohorts", 2), "amount_against_1"] == pytest.approx(0.6)


def test_won_back_by_hand():
    finding = won_back_customers(
        quarters_of(
            {
                "back": [10.0, None, None, 40.0, 4.0, None, 8.0, None],
                "gone": [10.0, None, None, None, None, None, None, None],
                "late": [10.0, 10.0, 10.0, 10.0, None, None, None, 20.0],
                "short": [10.0, None, 10.0, None, 10.0, None, 10.0, 10.0],
            }
        )
    )
    table = finding.table.set_index("quarter")
    assert table["n_away"].to_dict() == {"2024Q4": 2, "2025Q1": 1, "2025Q2": 1, "2025Q3": 2, "2025Q4": 2}
    assert table["n_won_back"].to_dict() == {"2024Q4": 1, "2025Q1": 0, "2025Q2": 0, "2025Q3": 0, "2025Q4": 1}
    # 2024Q4 to 2025Q3: 40, 4, nothing, 8, a quarter of it margin.
    assert table.loc["2024Q4", "amount_after"] == 52
    assert finding.facts["worth"].value == 13
    assert finding.facts["kept_share"].value == 1
    assert finding.facts["n_followed"].value == 1
    assert "won_back_no_costs" in finding.notes


def test_what_was_spent_on_all_who_were_away_counts():
    quarters = quarters_of({"back": [10.0, None, None, 40.0, 4.0], "gone": [10.0, None, None, None, None]})
    contacts = pd.DataFrame(
        [
            ("back", "2024-08-01", "visit", 30.0),  # in the quarter before it counts as away
            ("back", "2024-11-01", "visit", 99.0),  # in the quarter of the return: before or after, nobody knows
            ("back", "2024-02-01", "visit", 99.0),  # while it bought
            ("gone", "2025-01-15", "call", 20.0),
            ("gone", "2025-01-15", "delivery", 99.0),
        ],
        columns=["customer_id", "date", "kind", "cost"],
    )
    facts = won_back_customers(quarters, contacts).facts
    assert facts["contact_cost"].value == 50
    assert facts["cost_per_return"].value == 50
    assert facts["share_contacted"].value == 1
    unbooked = won_back_customers(quarters, contacts.drop(columns="cost"))
    assert unbooked.facts["cost_per_return"].value is None
    assert "cannot be computed" in " ".join(unbooked.note_texts("en"))


def test_refusals():
    with pytest.raises(InsufficientDataError, match="no two quarters"):
        sales_retention(quarters_of({"a": [1.0]}))
    with pytest.raises(InsufficientDataError):
        cohort_sales(quarters_of({"a": [1.0]}))
    with pytest.raises(InsufficientDataError, match="Nobody was away"):
        won_back_customers(quarters_of({"a": [1.0, 1.0]}))
    with pytest.raises(DataError, match="twice"):
        sales_retention(pd.concat([quarters_of({"a": [1.0]})] * 2))
    with pytest.raises(DataError, match="pandas Periods"):
        sales_retention(quarters_of({"a": [1.0]}).assign(quarter="2024Q1"))
    with pytest.raises(UsageError):
        won_back_customers(quarters_of({"a": [1.0]}), silent_quarters=0)
    for level in (0, 95):
        with pytest.raises(UsageError):
            sales_retention(quarters_of({"a": [1.0]}), interval=level)
        with pytest.raises(UsageError):
            won_back_customers(quarters_of({"a": [1.0]}), interval=level)
