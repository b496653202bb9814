from datetime import date

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from kehu_analysis import plots
from kehu_analysis.periods import Quarter
from kehu_analysis.profiling import data_quality, quarter_sales


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize(("lang", "accepted"), [("zh", "采用"), ("en", "Accepted")])
def test_data_quality(lang, accepted):
    lines = pd.DataFrame(
        {"line_class": ["accepted", "rejected"], "reason": ["", "odd"], "n_lines": [90, 10], "amount": [1.0, 2.0]}
    )
    counts = ("n_customers", "n_purchase_days", "n_zero_amount", "n_returns", "n_duplicate_lines")
    log = dict.fromkeys(counts, 0) | {"n_transactions": 90, "amount": 1.0, "return_amount": 0.0}
    log |= {"first_date": date(2026, 1, 1), "last_date": date(2026, 1, 2), "n_customers_without_purchase": 0}
    ax = plots.data_quality(data_quality(lines, log), lang=lang)
    assert [bar.get_width() for bar in ax.patches] == [90, 0, 0, 10]
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names[0] == accepted
    assert names[3].endswith("odd")
    assert ax.texts[3].get_text().startswith("10 ")


def test_quarter_sales():
    months = pd.period_range("2025-01", "2026-06", freq="M")
    sales = pd.DataFrame({"customer_id": "a", "month": months, "amount": range(1, 19), "n_purchase_days": 1}).astype(
        {"amount": float}
    )
    finding = quarter_sales(sales, quarter=Quarter.parse("2026Q2")).in_currency("CNY")
    ax = plots.quarter_sales(finding, lang="zh")
    assert [bar.get_height() for bar in ax.patches] == [6, 15, 24, 33, 42, 51]
    assert [text.get_text() for text in ax.get_xticklabels()] == finding.table["quarter"].tolist()
    line = ax.figure.axes[-1].lines[0]
    assert line.get_ydata().tolist() == [1] * 6
    assert "元" in ax.get_ylabel()
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2


def test_many_quarters_keep_the_name_of_the_last():
    months = pd.period_range("2018-01", "2026-06", freq="M")
    sales = pd.DataFrame({"customer_id": "a", "month": months, "amount": 1.0, "n_purchase_days": 1})
    ax = plots.quarter_sales(quarter_sales(sales, quarter=Quarter.parse("2026Q2")))
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert len(names) <= 12
    assert names[-1] == "2026Q2"
