from datetime import date

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from kehu_analysis import plots
from kehu_analysis.data_quality import data_quality, log_doubts
from kehu_analysis.periods import Quarter
from kehu_analysis.sales import quarter_sales


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize(("lang", "accepted"), [("zh", "计入"), ("en", "Accepted")])
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


def test_long_reasons_leave_room_for_the_bars():
    reasons = ["no goods but a fee for something else " * 9, "不是商品而是运费手续费和别的费用" * 9]
    lines = pd.DataFrame({"line_class": "filtered", "reason": reasons, "n_lines": [90_000, 10], "amount": [1.0, 2.0]})
    names = ("n_customers", "n_purchase_days", "n_zero_amount", "n_returns", "n_duplicate_lines", "n_transactions")
    log = dict.fromkeys((*names, "n_customers_without_purchase"), 0) | {"amount": 1.0, "return_amount": 0.0}
    log |= {"first_date": date(2026, 1, 1), "last_date": date(2026, 1, 2)}
    ax = plots.data_quality(data_quality(lines, log))
    ax.figure.draw_without_rendering()
    assert max(text.get_text().count("\n") for text in ax.get_yticklabels()) == 2
    right = max(text.get_window_extent().x1 for text in ax.texts)
    assert right <= ax.figure.bbox.x1


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


@pytest.mark.parametrize(("lang", "missing", "shift"), [("zh", "缺漏", "水平突变"), ("en", "missing", "level shift")])
def test_log_doubts(lang, missing, shift):
    dates = pd.date_range("2025-01-06", "2025-12-28").date
    days = pd.DataFrame({"date": dates, "n_lines": 1, "amount": 10.0})
    found = pd.DataFrame(
        [
            ("missing_weeks", date(2025, 3, 3), date(2025, 3, 16)),
            ("level_shift", date(2025, 12, 3), date(2025, 12, 28)),
        ],
        columns=["reason", "first_date", "last_date"],
    )
    ax = plots.log_doubts(log_doubts(days, found).in_currency("CNY"), lang=lang)
    assert ax.lines[0].get_ydata().tolist() == [70] * 51
    spans = [(patch.get_x(), patch.get_width()) for patch in ax.patches]
    day = (date(2025, 3, 3) - date(1970, 1, 1)).days
    assert spans == [(day - 3.5, 14), ((date(2025, 12, 1) - date(1970, 1, 1)).days - 3.5, 7)]
    names = [(text.get_text(), text.get_ha()) for text in ax.texts]
    # The last one has no room on its right.
    assert names == [(missing, "left"), (shift, "right")]
    assert ax.get_ylim()[1] > 90
    ax.figure.canvas.draw()


def test_a_log_without_doubts_is_a_line_alone():
    days = pd.DataFrame({"date": [date(2026, 1, 5)], "n_lines": 1, "amount": 10.0})
    ax = plots.log_doubts(log_doubts(days, pd.DataFrame(columns=["reason", "first_date", "last_date"])))
    assert not ax.patches
    assert not ax.texts
    ax.figure.canvas.draw()
