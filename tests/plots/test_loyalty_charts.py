"""What the charts of survival, retention of sales and loyalty draw is what their findings hold."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kehu_analysis import plots
from kehu_analysis.loyalty import (
    cohort_sales,
    competing_ends,
    keeping_value,
    leaving_hazards,
    loyalty_index,
    loyalty_types,
    sales_retention,
    survival_curve,
)
from tests.loyalty.test_economics import contacts, two_years
from tests.loyalty.test_index_and_types import AS_OF, known, survey
from tests.loyalty.test_sales_retention import quarters_of
from tests.loyalty.test_survival import exponential_lives


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def named(ax):
    return [line for line in ax.lines if not line.get_label().startswith("_")]


def test_survival_curves():
    lives, _ = exponential_lives(3)
    group = np.where(np.arange(400) % 2, "a", "b")
    finding = survival_curve(lives.assign(group=group), by="group")
    ax = plots.survival_curve(finding, lang="en")
    assert [line.get_label() for line in named(ax)] == ["All customers", "a", "b"]
    for line, name in zip(named(ax), ("all_customers", "a", "b"), strict=True):
        part = finding.table[finding.table["group"] == name]
        assert line.get_ydata().tolist() == part["survival"].tolist()


def test_hazards():
    lives, rng = exponential_lives(3)
    finding = leaving_hazards(lives.assign(x=rng.normal(size=400), kind=np.arange(400) % 2 == 0), ["kind", "x"])
    ax = plots.leaving_hazards(finding, lang="en")
    assert [text.get_text() for text in ax.get_yticklabels()] == finding.table["term"].tolist()
    assert ax.get_xscale() == "log"
    assert ax.lines[0].get_xdata().tolist() == finding.table["hazard_ratio"].tolist()


def test_reasons_stand_on_each_other():
    lives, rng = exponential_lives(3)
    finding = competing_ends(lives.assign(reason=rng.choice(np.array(["x", "y"], dtype=object), 400)))
    ax = plots.competing_ends(finding, lang="zh")
    highest = max(area.get_paths()[0].vertices[:, 1].max() for area in ax.collections)
    last = finding.table["age_months"].max()
    assert highest == pytest.approx(finding.table[finding.table["age_months"] == last]["incidence"].sum())


def test_retention_of_sales():
    finding = sales_retention(quarters_of({"a": [100.0] * 5 + [50.0], "b": [100.0, 100.0, 0, 0, 20.0, 300.0]}))
    ax = plots.sales_retention(finding, lang="en")
    net, gross, kept = named(ax)
    assert net.get_ydata().tolist() == finding.table["net_retention"].tolist() == [0.6, 1.75]
    assert gross.get_ydata().tolist() == [0.6, 0.75]
    assert kept.get_ydata().tolist() == [1, 1]


def test_small_cohorts_are_grey():
    amounts = {f"o{n:02d}": [20.0] * 4 for n in range(10)} | {"few": [None, 7.0, 7.0, 7.0]}
    ax = plots.cohort_sales(cohort_sales(quarters_of(amounts)), lang="en")
    assert len(ax.patches) == 2
    assert {patch.get_y() for patch in ax.patches} == {1}


def test_worth_of_a_point():
    quarters, segments = two_years()
    finding = keeping_value(quarters, segments, contacts(), acquisition_cost=300.0)
    ax = plots.keeping_value(finding, lang="en")
    assert [bar.get_width() for bar in ax.patches] == finding.table["most_for_a_point"].tolist()
    assert len(plots.keeping_value(keeping_value(quarters), lang="zh").patches) == 1


def test_index_and_types():
    frame = survey([5, 1] * 6, [0.9, 0.1] * 6, [9, 0] * 6)
    ax = plots.loyalty_index(loyalty_index(frame, as_of=AS_OF), lang="en")
    assert sum(bar.get_height() for bar in ax.patches) == 12
    assert "By survey" in ax.get_title(loc="left")
    finding = loyalty_types(frame, known(12, 0.9), as_of=AS_OF)
    ax = plots.loyalty_types(finding, lang="zh")
    assert sum(len(dots.get_offsets()) for dots in ax.collections) == 12
