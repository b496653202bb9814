from datetime import date

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from kehu_analysis import plots
from kehu_analysis.segmentation import grade_customers, grade_moves, rfm_profile, rfm_segments


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def monthly(rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "month", "amount"])
    return frame.assign(month=pd.PeriodIndex(frame["month"], freq="M"))


SALES = monthly(
    [
        ("a", "2026-03", 14.0),
        ("b", "2026-03", 85.0),
        ("idle", "2026-03", 1.0),
        ("a", "2026-06", 80.0),
        ("b", "2026-06", 15.0),
        ("c", "2026-06", 5.0),
    ]
)


def test_grade_customers():
    ax = plots.grade_customers(grade_customers(SALES), lang="en")
    curves = [line for line in ax.lines if not line.get_label().startswith("_")]
    points = [tuple(np.column_stack(line.get_data())[0]) for line in curves]
    # Only customers with sales stand on the axis.
    assert np.allclose(points, [(1 / 3, 0.80), (2 / 3, 0.95), (1.0, 1.0)])
    assert curves[0].get_label() == "A: 1 customer, 80%"


def test_grade_moves():
    before = grade_customers(SALES, last_month=pd.Period("2026-03", "M"))
    ax = plots.grade_moves(grade_moves(grade_customers(SALES), before), lang="zh")
    now = [text.get_text() for text in ax.get_xticklabels()]
    assert now == ["A", "B", "C", "无销售"]
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == [*now, "新客户"]
    numbers = np.array([int(text.get_text()) for text in ax.texts]).reshape(5, 4)
    # a: B to A, b: A to B, idle: C to nothing, c: new as C.
    expected = np.zeros((5, 4), dtype=int)
    expected[[1, 0, 2, 4], [0, 1, 3, 2]] = 1
    assert (numbers == expected).all()


@pytest.mark.parametrize("amounts", [True, False])
def test_rfm_profile(amounts):
    rng = np.random.default_rng(0)
    summary = pd.DataFrame(
        {
            "customer_id": [str(number) for number in range(50)],
            "frequency": rng.integers(0, 6, 50),
            "recency": rng.integers(0, 20, 50),
            "T": 20.0,
            "monetary_value": 3.0,
            "total_amount": rng.integers(1, 100, 50),
        }
    )
    summary = summary if amounts else summary.drop(columns="total_amount")
    profile = rfm_profile(rfm_segments(summary, as_of=date(2026, 6, 30)))
    ax = plots.rfm_profile(profile, lang="en")
    columns = ["share_of_customers", "share_of_sales"][: 1 + amounts]
    drawn = [bar.get_width() for bar in ax.patches]
    assert drawn == pytest.approx(profile.table[columns].to_numpy().T.ravel().tolist())
    assert len(ax.get_legend().get_texts()) == len(columns)
    assert ax.yaxis_inverted()
