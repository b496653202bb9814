from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from kehu_analysis import plots
from kehu_analysis.loyalty import call_list_levels, cohort_retention, customer_states, overdue_customers
from tests.loyalty.relations import AS_OF as LAST_DAY
from tests.loyalty.relations import crowd, history
from tests.loyalty.test_retention import cohorts_of

AS_OF = date(2026, 6, 30)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def retention(n_first=40):
    rows = [("2025Q4", 0, n_first, n_first), ("2025Q4", 1, n_first, n_first // 2), ("2025Q4", 2, n_first, n_first // 4)]
    rows += [("2026Q1", 0, 60, 60), ("2026Q1", 1, 60, 12)]
    frame = pd.DataFrame(rows, columns=["cohort", "age", "n_customers", "n_active"])
    return cohort_retention(frame.assign(cohort=pd.PeriodIndex(frame["cohort"], freq="Q-DEC")), as_of=AS_OF)


def test_triangle_leaves_unseen_cells_empty():
    ax = plots.cohort_retention(retention(), lang="zh")
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["2025Q4（含老客户）", "2026Q1", "同批新客户合计"]
    cells = np.ma.filled(ax.collections[0].get_array().reshape(3, 2), np.nan)
    assert cells[0].tolist() == [0.5, 0.25]
    assert cells[1, 0] == 0.2
    assert np.isnan(cells[1, 1])
    # The first cohort is in no pooled rate.
    assert cells[2].tolist() == pytest.approx([12 / 60, np.nan], nan_ok=True)


def test_cohorts_without_a_rate_are_grey():
    ax = plots.cohort_retention(retention(n_first=4), lang="en")
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["2025Q4 (older ones too)", "2026Q1", "All cohorts"]
    assert sorted((patch.get_x(), patch.get_y()) for patch in ax.patches) == [(0, 0), (1, 0)]


def test_curve_is_the_pooled_retention():
    rng = np.random.default_rng(1)
    frame = cohorts_of([0.6, 0.5], np.full(9, 200), rng)
    finding = cohort_retention(frame, as_of=frame["cohort"].max().end_time.date())
    ax = plots.retention_curve(finding, lang="en")
    pooled = finding.table[(finding.table["cohort"] == "all_cohorts") & (finding.table["age"] > 0)]
    line, linked = (line for line in ax.lines if not line.get_label().startswith("_"))
    assert line.get_ydata().tolist() == pooled["retention"].tolist()
    assert linked.get_ydata().tolist() == pooled["linked_retention"].tolist()
    mean, following = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
    assert mean.min() == pytest.approx(pooled["retention_low"].min())
    assert following.max() == pytest.approx(pooled["next_high"].max())
    assert ax.get_ylim()[0] == 0
    # Of too few cohorts there is no band, and no second line of a single one.
    assert not plots.retention_curve(retention(), lang="zh").collections


def overdue(amounts, silence):
    """Return the finding of customers who come about every eight days, by their id."""
    frame = history([[7.0, 8.0, 9.0, 5.0, 12.0]] * len(amounts), silence, list(amounts.values()))
    frame["customer_id"] = list(amounts)
    states = customer_states(frame, as_of=LAST_DAY)
    return overdue_customers(frame, states, since=LAST_DAY - timedelta(days=91))


def test_overdue_customers_show_silence_against_rhythm():
    finding = overdue({"a": 10.0, "b": 30.0, "c": 20.0, "fine": 99.0}, [22, 21, 20, 1])
    ax = plots.overdue_customers(finding, lang="en", top=2)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "c"]
    assert [bar.get_width() for bar in ax.patches] == [21, 20]
    usual, limit = (points.get_offsets()[:, 0] for points in ax.collections)
    shown = finding.table.head(2)
    assert np.allclose(usual, shown["usual_interval_days"])
    assert np.allclose(limit, shown["limit_days"])


def test_customers_are_called_by_their_names_where_these_are_known():
    finding = overdue({"a": 30.0, "b": 20.0}, [20, 20])
    named = replace(finding, table=finding.table.assign(name=["荻桥商行", None]))
    assert [text.get_text() for text in plots.overdue_customers(named).get_yticklabels()] == ["荻桥商行", "b"]


def test_any_name_of_a_customer_can_be_drawn():
    names = ["x" * 5000, "$$\\frac{1}{2}$$", "two\nlines"]
    ax = plots.overdue_customers(overdue(dict(zip(names, [30.0, 20.0, 10.0], strict=True)), [20] * 3))
    shown = [text.get_text() for text in ax.get_yticklabels()]
    assert shown == ["x" * 24 + "…", names[1], "two lines"]
    ax.figure.savefig(BytesIO())  # what reads as mathematics would fail only here


def test_nobody_overdue_is_an_empty_chart_not_an_error():
    assert not plots.overdue_customers(overdue({"a": 10.0}, [0])).patches


def test_states_are_counted_by_bars():
    frame, _ = crowd(n=60)
    finding = customer_states(frame, as_of=LAST_DAY)
    ax = plots.customer_states(finding, lang="en")
    told = {text.get_text(): bar.get_width() for text, bar in zip(ax.get_yticklabels(), ax.patches, strict=True)}
    assert list(told) == ["New", "On time", "Due", "Late", "Probably gone", "Gone", "Back"]
    assert sum(told.values()) == 60
    assert told["Gone"] == (finding.table["state"] == "gone").sum()


def test_levels_show_both_errors():
    finding = call_list_levels(customer_states(crowd(n=60)[0], as_of=LAST_DAY))
    ax = plots.call_list_levels(finding, lang="en")
    left, still = (np.array([bar.get_width() for bar in part]) for part in ax.containers)
    assert np.allclose(left + still, finding.table["n_listed"])
    assert np.allclose(still, finding.table["expected_false_alarms"])
    found = [text.get_text() for text in ax.texts]
    assert found[0] == f"finds {finding.table['share_of_leavers_found'].iloc[0]:.1%}"
