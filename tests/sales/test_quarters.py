from datetime import date

import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.periods import Quarter
from kehu_analysis.sales import quarter_sales


def monthly(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "month", "amount", "n_purchase_days"])
    return frame.assign(month=pd.PeriodIndex(frame["month"], freq="M"))


SALES = monthly(
    ("a", "2025-01", 40.0, 1),
    ("b", "2025-03", 60.0, 2),
    ("a", "2025-05", 50.0, 1),
    ("c", "2025-06", 25.0, 1),
    # Nothing at all in the third quarter; a return only in the fourth.
    ("b", "2025-10", -10.0, 0),
    ("d", "2025-11", 90.0, 1),
    ("a", "2026-01", 30.0, 1),
    ("e", "2026-02", 120.0, 3),
    ("a", "2026-04", 999.0, 1),
)


def test_by_hand():
    finding = quarter_sales(SALES, quarter=Quarter.parse("2026Q1"))
    table = finding.table
    assert table["quarter"].tolist() == ["2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1"]
    assert table["amount"].tolist() == [100.0, 75.0, 0.0, 80.0, 150.0]
    assert table["n_active"].tolist() == [2, 2, 0, 1, 2]
    # Who is new in the log's first quarter cannot be known.
    assert table["n_new"].isna().tolist() == [True, False, False, False, False]
    assert table["n_new"].tolist()[1:] == [1, 0, 1, 1]
    facts = finding.facts
    assert facts["amount_per_customer"].value == 75.0
    assert facts["change_on_quarter"].value == pytest.approx(150 / 80 - 1)
    assert facts["change_on_year"].value == pytest.approx(0.5)


def test_no_change_is_told_against_nothing():
    table = quarter_sales(SALES, quarter=Quarter.parse("2026Q1")).table
    assert table["change_on_quarter"].isna().tolist() == [True, False, False, True, False]
    assert pd.isna(table["amount_per_customer"][2])


def test_later_months_are_not_read():
    early = SALES[SALES["month"] <= pd.Period("2026-03")]
    quarter = Quarter.parse("2026Q1")
    assert quarter_sales(early, quarter=quarter).facts == quarter_sales(SALES, quarter=quarter).facts


def test_a_first_quarter_without_its_first_month_is_compared_with_nothing():
    late = SALES[SALES["month"] >= pd.Period("2025-05")]
    finding = quarter_sales(late, quarter=Quarter.parse("2025Q3"))
    assert "first_quarter_partial" in finding.notes
    assert finding.table["quarter"].tolist() == ["2025Q2", "2025Q3"]
    assert finding.facts["change_on_quarter"].value is None


@pytest.mark.parametrize(
    ("start", "name", "previous", "amounts"),
    [
        (2, "2025Q1", "2024Q4", [40.0, 60.0]),  # November to January, February to April
        (4, "2025Q1", "2024Q4", [100.0, 75.0]),  # January to March, April to June
        (12, "2024Q2", "2024Q1", [40.0, 110.0]),  # December to February, March to May
    ],
)
def test_fiscal_quarters_begin_where_the_fiscal_year_does(start, name, previous, amounts):
    table = quarter_sales(SALES, quarter=Quarter.parse(name, fiscal_year_start=start)).table
    assert table["quarter"].tolist() == [previous, name]
    assert table["amount"].tolist() == amounts


def test_order_of_rows_is_irrelevant_and_the_input_stays_as_it_was():
    before = SALES.copy()
    quarter = Quarter.parse("2026Q1")
    shuffled = SALES.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        quarter_sales(shuffled, quarter=quarter).table, quarter_sales(SALES, quarter=quarter).table
    )
    pd.testing.assert_frame_equal(SALES, before)


def test_words_in_both_languages():
    for quarter in ("2025Q1", "2026Q1"):
        finding = quarter_sales(SALES, quarter=Quarter.parse(quarter)).in_currency("CNY")
        assert quarter in finding.reading("zh")
        assert quarter in finding.reading("en")
        assert finding.note_texts("zh") != finding.note_texts("en")


def test_faulty_input():
    with pytest.raises(InsufficientDataError, match="2024Q4"):
        quarter_sales(SALES, quarter=Quarter.parse("2024Q4"))
    with pytest.raises(InsufficientDataError):
        quarter_sales(SALES.iloc[:0], quarter=Quarter.parse("2026Q1"))
    with pytest.raises(DataError, match="n_purchase_days"):
        quarter_sales(SALES.drop(columns="n_purchase_days"), quarter=Quarter.parse("2026Q1"))


def test_an_unfinished_quarter_is_not_compared_with_whole_ones():
    finding = quarter_sales(SALES, quarter=Quarter.parse("2026Q1"), as_of=date(2026, 2, 28))
    assert finding.facts["change_on_quarter"].value is None
    assert finding.facts["change_on_year"].value is None
    assert finding.table["change_on_quarter"].isna().tolist() == [True, False, False, True, True]
    assert "quarter_unfinished" in finding.notes
    assert "2026-02-28" in " ".join(finding.note_texts("en"))
    whole = quarter_sales(SALES, quarter=Quarter.parse("2026Q1"), as_of=date(2026, 3, 31))
    assert whole.facts["change_on_year"].value == pytest.approx(0.5)


def test_sales_without_a_customer_stand_beside_and_add_up():
    apart = pd.DataFrame({"month": pd.PeriodIndex(["2025-12", "2026-01", "2026-03"], freq="M"), "amount": [7, 20, -5]})
    finding = quarter_sales(SALES, quarter=Quarter.parse("2026Q1"), set_apart=apart)
    assert finding.facts["amount"].value == 150.0
    assert finding.facts["set_apart_amount"].value == 15.0
    assert finding.facts["company_amount"].value == 165.0
    assert "165" in " ".join(finding.note_texts("zh"))
    without = quarter_sales(SALES, quarter=Quarter.parse("2026Q1"), set_apart=apart.iloc[:0])
    assert without.facts["company_amount"].value == 150.0
    assert "set_apart_in_quarter" not in without.notes
