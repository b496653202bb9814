import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.loyalty import best_keeping_spend, keeping_value
from kehu_analysis.loyalty.economics import margin_multiple, point_value
from tests.loyalty.test_sales_retention import START, quarters_of


# Gupta, S. and Lehmann, D. R. (2003), *Journal of Interactive Marketing* 17(1), table 1: margin multiples, printed to
# two decimals.
@pytest.mark.parametrize(
    ("discount_rate", "multiples"),
    [
        (0.10, (1.20, 1.75, 2.67, 4.50)),
        (0.12, (1.15, 1.67, 2.50, 4.09)),
        (0.14, (1.11, 1.59, 2.35, 3.75)),
        (0.16, (1.07, 1.52, 2.22, 3.46)),
    ],
)
def test_published_margin_multiples(discount_rate, multiples):
    found = [margin_multiple(kept, discount_rate) for kept in (0.6, 0.7, 0.8, 0.9)]
    assert found == pytest.approx(list(multiples), abs=0.0051)


def test_one_point_more_by_hand():
    # 100·(.81/.31 - .80/.32) = 261.290323 - 250
    assert point_value(0.8, 100.0, 0.12) == pytest.approx(11.290323, abs=1e-6)
    assert point_value(1.0, 100.0, 0.12) == 0


def test_best_spend_on_keeping():
    # The form of Blattberg and Deighton (1996): .7·(1 - exp(-k·10)) = .4 gives k = .08472979; best at 31.8394.
    found = best_keeping_spend(100, 0.12, ceiling=0.7, spend=10, kept_at_spend=0.4)
    assert found == pytest.approx((31.8394, 0.65285, 95.255575), abs=1e-4)
    with pytest.raises(UsageError, match="ceiling"):
        best_keeping_spend(100, 0.12, ceiling=0.4, spend=10, kept_at_spend=0.5)


def two_years():
    """Return 20 customers, all there in the first year; of 10 of them 8 are kept, of the others 5."""
    amounts = {f"a{n}": [100.0] * 4 + ([100.0] * 4 if n < 8 else []) for n in range(10)}
    amounts |= {f"b{n}": [10.0] * 4 + ([10.0] * 4 if n < 5 else []) for n in range(10)}
    segments = pd.DataFrame({"customer_id": list(amounts), "segment": [name[0] for name in amounts]})
    return quarters_of(amounts), segments


def contacts(cost=50.0):
    ids = [f"{kind}{n}" for kind in "ab" for n in range(10)]
    last = (START + 6).start_time.date()
    return pd.DataFrame({"customer_id": ids, "date": last, "kind": "visit", "cost": cost})


def test_worth_and_break_even_by_hand():
    quarters, segments = two_years()
    finding = keeping_value(quarters, segments, contacts(), acquisition_cost=300.0, discount_rate=0.12)
    table = finding.table.set_index("segment")
    assert table["kept"].to_dict() == {"a": 0.8, "b": 0.5}
    # A quarter of the sales is margin: 100 a year.
    assert table.loc["a", "value_per_year"] == 100
    assert table.loc["a", "customer_value"] == pytest.approx(250)
    assert table.loc["a", "most_for_a_point"] == pytest.approx(11.290323, abs=1e-6)
    assert table.loc["a", "break_even_points"] == pytest.approx(50 / 11.290323)
    assert table.loc["a", "point_worth"] == pytest.approx(8 * 11.290323, abs=1e-4)
    assert table.loc["a", "most_for_a_point_low"] < 11.29 < table.loc["a", "most_for_a_point_high"]
    facts = finding.facts
    assert facts["point_worth"].value == pytest.approx(table["point_worth"].sum(), abs=0.01)
    assert facts["point_worth_low"].value < facts["point_worth"].value < facts["point_worth_high"].value
    assert facts["cost_ratio"].value == 6
    assert facts["cost_ratio_low"].value == facts["cost_ratio_high"].value == 6
    assert {"own_cost_ratio", "ratio_answers_little"} <= set(finding.notes)


def test_what_is_not_booked_cannot_be_computed():
    quarters, segments = two_years()
    finding = keeping_value(quarters, segments)
    assert finding.facts["cost_ratio"].value is None
    assert finding.table["keeping_cost"].isna().all()
    assert sum("cannot be computed" in text for text in finding.note_texts("en")) == 2
    partly = contacts()
    partly.loc[3, "cost"] = np.nan
    assert keeping_value(quarters, segments, partly, acquisition_cost=3.0).facts["cost_ratio"].value is None
    sales = keeping_value(quarters.assign(margin=np.nan), segments)
    assert sales.facts["value_is"].value == "sales"
    assert "sales_not_margin" in sales.notes


def test_small_segments_are_put_together():
    quarters, segments = two_years()
    few = segments.assign(segment=segments["segment"].where(segments["segment"] == "a", segments["customer_id"]))
    assert set(keeping_value(quarters, few).table["segment"]) == {"a", "other_segments"}
    assert keeping_value(quarters).table["segment"].tolist() == ["all_customers"]


def test_the_interval_covers():
    inside = 0
    true = point_value(0.8, 100.0, 0.1)
    for seed in range(100):
        rng = np.random.default_rng([4, seed])
        kept, value = rng.random(300) < 0.8, rng.gamma(2, 200, 300)
        rows = {f"{n:03d}": [50.0, 0, 0, 0, value[n] if kept[n] else None, None, None, None] for n in range(300)}
        rows["always"] = [1.0] * 8
        table = keeping_value(quarters_of(rows)).table
        inside += table["most_for_a_point_low"][0] <= true <= table["most_for_a_point_high"][0]
    assert 83 <= inside <= 97


def test_refusals():
    quarters, _ = two_years()
    with pytest.raises(InsufficientDataError, match="eight complete quarters"):
        keeping_value(quarters[quarters["quarter"] > START])
    with pytest.raises(InsufficientDataError, match="at least 10"):
        keeping_value(quarters[quarters["customer_id"].isin(["a1", "a2"])])
    with pytest.raises(UsageError):
        keeping_value(quarters, discount_rate=0.0)
    with pytest.raises(UsageError):
        keeping_value(quarters, interval=90)
