"""Charts of lifetime value, by the numbers on their axes."""

from datetime import date

import matplotlib.dates as mdates
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
    return Finding("purchase_forecast", table, facts, currency="CNY")


def test_probability_check_draws_shares_over_probabilities():
    table = pd.DataFrame(
        {
            "probability_of": ["buys_again", "buys_again", "still_customer"],
            "expected_share": [0.05, 0.95, 0.4],
            "share_so": [0.1, 0.9, 0.5],
            "share_so_low": [0.06, 0.85, 0.3],
            "share_so_high": [0.16, 0.93, 0.7],
        }
    )
    for lang, words in (("zh", ["说得准时", "再次购买"]), ("en", ["If right", "Buys again"])):
        ax = plots.probability_check(Finding("probability_check", table, {}), lang=lang)
        bought, still = (container for container in ax.containers if hasattr(container, "has_yerr"))
        np.testing.assert_allclose(bought.lines[0].get_xydata(), [[0.05, 0.1], [0.95, 0.9]])
        np.testing.assert_allclose(still.lines[0].get_xydata(), [[0.4, 0.5]])
        ends = [segment[:, 1].tolist() for segment in bought.lines[2][0].get_segments()]
        np.testing.assert_allclose(ends, [[0.06, 0.16], [0.85, 0.93]])
        np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 0], [1, 1]])
        assert [text.get_text() for text in ax.get_legend().get_texts()][:2] == words


def test_equity_by_segment_draws_values_with_their_intervals():
    table = pd.DataFrame(
        {
            "segment": ["loyal", "East <b>", "other_segments"],
            # Of the last one the expectation lies above what comes in nineteen of twenty cases.
            "customer_equity": [80_000.0, 15_000.0, 5_000.0],
            "equity_low": [70_000.0, 9_000.0, 0.0],
            "equity_high": [95_000.0, 22_000.0, 3_000.0],
            "share_of_equity": [0.8, 0.15, 0.05],
        }
    )
    ax = plots.equity_by_segment(Finding("equity_by_segment", table, {"interval": Fact(0.9, "share")}, currency="CNY"))
    assert [bar.get_width() for bar in ax.patches] == [80_000.0, 15_000.0, 5_000.0]
    (bars,) = [container for container in ax.containers if hasattr(container, "has_yerr")]
    ends = [segment[:, 0].tolist() for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[70_000, 95_000], [9_000, 22_000], [0, 3_000]])
    assert [label.get_text() for label in ax.get_yticklabels()][1:] == ["East <b>", "其他"]
    assert [text.get_text() for text in ax.texts] == ["80.0%", "15.0%", "5.0%"]
    assert ax.yaxis_inverted()


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
    ax = plots.purchase_forecast(value, lang="zh")
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


@pytest.mark.parametrize("name", ["purchase_forecast", "value_concentration"])
def test_axes_given_are_drawn_on(value, name):
    _, ax = plt.subplots()
    assert getattr(plots, name)(value, ax=ax) is ax


@pytest.fixture
def tracking() -> Finding:
    table = pd.DataFrame(
        {
            "week_end": [date(2026, 3, 24), date(2026, 3, 31), date(2026, 4, 7)],
            "n_purchases": [3, 5, 2],
            "expected_purchases": [3.5, 4.0, 3.0],
            "cumulative_purchases": [3, 8, 10],
            "cumulative_expected": [3.5, 7.5, 10.5],
        }
    )
    facts = {"calibration_end": Fact(date(2026, 3, 31), "date"), "model": Fact("pareto_nbd", "code")}
    return Finding("weekly_tracking", table, facts)


@pytest.mark.parametrize(
    ("name", "made", "expected"),
    [("weekly_tracking", [3, 5, 2], [3.5, 4, 3]), ("cumulative_tracking", [3, 8, 10], [3.5, 7.5, 10.5])],
)
def test_tracking_draws_made_and_expected_and_where_the_fit_ends(tracking, name, made, expected):
    ax = getattr(plots, name)(tracking, lang="en")
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [made, expected]
    assert list(ax.lines[0].get_xdata()) == list(np.array(["2026-03-24", "2026-03-31", "2026-04-07"], "datetime64[D]"))
    assert mdates.num2date(ax.lines[2].get_xdata()[0]).date() == date(2026, 3, 31)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "Made",
        "Expected (Pareto/NBD)",
        "Fit ends 2026-03-31",
    ]
    assert ax.get_ylim()[0] == 0


def test_customer_lifetime_value_counts_all_customers_above_0():
    values = [100_000.0, 900.0, 1000.0, 1100.0, 2.0, 0.0, -50.0]
    finding = Finding("customer_lifetime_value", pd.DataFrame({"customer_lifetime_value": values}), {}, currency="CNY")
    ax = plots.customer_lifetime_value(finding, lang="en")
    assert ax.get_xscale() == "log"
    assert sum(bar.get_height() for bar in ax.patches) == 5
    # Below a ten-thousandth of the largest: in the first bar.
    assert ax.patches[0].get_x() == pytest.approx(10)
    assert ax.patches[0].get_height() == 1
    assert ax.lines[0].get_xdata()[0] == 900
    assert "counted in it: 1" in ax.get_xlabel()
    assert "not drawn: 2" in ax.get_xlabel()
    nothing = Finding("customer_lifetime_value", pd.DataFrame({"customer_lifetime_value": [0.0]}), {})
    assert len(plots.customer_lifetime_value(nothing).patches) == 0


@pytest.fixture
def chances() -> Finding:
    table = pd.DataFrame(
        {
            "frequency": [1, 1, 1, 3, 3, 3],
            "silence_days": [0.0, 7.0, 14.0] * 2,
            "probability_alive": [1.0, 0.8, 0.6, 1.0, 0.5, 0.1],
            "expected_purchases": [2.0, 1.0, 0.5, 9.0, 4.0, 1.0],
        }
    )
    return Finding("alive_map", table, {"horizon_days": Fact(365, "days")})


@pytest.mark.parametrize(("name", "top"), [("alive_map", 1), ("expected_purchases_map", 9)])
def test_maps_draw_each_cell_in_its_place(chances, name, top):
    ax = getattr(plots, name)(chances, lang="en")
    (cells,) = ax.collections
    column = "probability_alive" if name == "alive_map" else "expected_purchases"
    assert cells.get_array().ravel().tolist() == chances.table[column].tolist()
    assert cells.get_clim() == (0, top)
    middles = cells.get_coordinates()
    # Cells lie around their silence and frequency.
    assert middles[0, :, 0].tolist() == [-3.5, 3.5, 10.5, 17.5]
    assert middles[:, 0, 1].tolist() == [0, 2, 4]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Silence (days)", "Repeat purchases")


def test_alive_history_draws_the_curve_and_marks_purchases():
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]
    table = pd.DataFrame({"date": days, "is_purchase": [True, False, True], "probability_alive": [1.0, 0.9, 0.99]})
    ax = plots.alive_history(Finding("alive_history", table, {"customer_id": Fact("007", "text")}), lang="en")
    assert list(ax.lines[0].get_ydata()) == [1.0, 0.9, 0.99]
    (marks,) = ax.collections
    marked = [mdates.num2date(segment[0][0]).date() for segment in marks.get_segments()]
    assert marked == [days[0], days[2]]
    assert ax.get_title(loc="left") == "Customer 007: probability of still being a customer"
