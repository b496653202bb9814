"""Charts of lifetime value, by the numbers on their axes."""

from datetime import date

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from kehu_analysis import plots
from kehu_analysis.finding import Fact, Finding


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def value() -> Finding:
    table = pd.DataFrame(
        {
            "running_share_of_customers": [0.25, 0.5, 0.75, 1.0],
            "running_share_of_value": [0.6, 0.8, 0.95, 1.0],
        }
    )
    facts = {
        "n_quarters": Fact(2, "count"),
        "interval": Fact(0.9, "share"),
        "top_share_of_customers": Fact(0.25, "share"),
        "top_share_of_value": Fact(0.6, "share"),
    }
    for quarter, (amount, low, high) in enumerate(((30_000.0, 25_000.0, 36_000.0), (20_000.0, 15_000.0, 26_000.0)), 1):
        facts[f"expected_amount_q{quarter}"] = Fact(amount, "currency")
        facts[f"expected_amount_q{quarter}_low"] = Fact(low, "currency")
        facts[f"expected_amount_q{quarter}_high"] = Fact(high, "currency")
        facts[f"q{quarter}_end"] = Fact(date(2026, 3 * quarter, 30), "date")
    return Finding("lifetime_value", table, facts, currency="CNY")


@pytest.fixture
def check() -> Finding:
    table = pd.DataFrame(
        {
            "frequency_bin": ["0", "1", "7+"],
            "expected_mean": [0.2, 0.7, 5.0],
            "actual_mean": [0.3, 0.6, 6.0],
            "actual_low": [0.2, 0.5, 4.5],
            "actual_high": [0.45, 0.75, 8.0],
        }
    )
    return Finding("holdout_check", table, {"interval": Fact(0.9, "share")})


def error_ends(ax):
    (bars,) = [c for c in ax.containers if hasattr(c, "has_yerr")]
    segments = bars.lines[2][0].get_segments()
    return [(segment[0][1], segment[1][1]) for segment in segments]


def test_lifetime_value_draws_quarters_with_their_intervals(value):
    ax = plots.lifetime_value(value, lang="zh")
    assert [bar.get_height() for bar in ax.patches] == [30_000, 20_000]
    assert error_ends(ax) == [(25_000, 36_000), (15_000, 26_000)]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["至 2026-03-30", "至 2026-06-30"]
    assert ax.get_ylabel() == "预期销售额 (元)"
    assert ax.get_ylim()[0] == 0


def test_value_concentration_draws_the_running_shares(value):
    ax = plots.value_concentration(value, lang="en")
    x, y = ax.lines[0].get_data()
    assert list(x) == [0.25, 0.5, 0.75, 1.0]
    assert list(y) == [0.6, 0.8, 0.95, 1.0]
    assert (ax.lines[2].get_xdata()[1], ax.lines[2].get_ydata()[1]) == (0.25, 0.6)
    assert ax.get_legend().get_texts()[1].get_text() == "Top 25% of customers: 60%"


def test_holdout_check_draws_expected_and_actual(check):
    ax = plots.holdout_check(check, lang="en")
    assert [bar.get_height() for bar in ax.patches] == [0.2, 0.7, 5.0]
    assert np.array(error_ends(ax)) == pytest.approx(np.array([(0.2, 0.45), (0.5, 0.75), (4.5, 8.0)]))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "7+"]


@pytest.mark.parametrize("name", ["lifetime_value", "value_concentration"])
def test_axes_given_are_drawn_on(value, name):
    _, ax = plt.subplots()
    assert getattr(plots, name)(value, ax=ax) is ax
