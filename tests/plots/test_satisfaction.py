"""The charts show the numbers of the findings."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from kehu_analysis import plots
from kehu_analysis.finding import Fact, Finding


def drivers() -> Finding:
    table = pd.DataFrame(
        {
            "driver": ["delivery", "price"],
            "importance": [0.8, 0.2],
            "low": [0.7, 0.1],
            "high": [0.9, 0.3],
            "evidence": ["own_effect_seen", "no_own_effect_seen"],
            "mean_score": [3.2, 4.1],
        }
    )
    return Finding("key_drivers", table, {"mean_importance": Fact(0.5, "share"), "mean_score": Fact(3.65, "number")})


def test_importance_stands_against_performance() -> None:
    plots.apply_theme()
    axes = plots.key_drivers(drivers(), lang="en", ax=Figure().add_subplot())
    points = {tuple(line.get_xydata()[0]) for container in axes.containers for line in [container.lines[0]]}
    assert points == {(3.2, 0.8), (4.1, 0.2)}
    assert {text.get_text() for text in axes.texts} == {"Delivery", "Price"}
    assert [label.get_text() for label in axes.get_legend().get_texts()] == ["Goes along by itself", "Not by itself"]
    lines = {tuple(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"}
    assert (0.5, 0.5) in lines


def test_contacts_show_the_naive_figure_beside() -> None:
    row = {"contact": "visit", "naive": 0.21, "within": 0.06, "within_low": 0.05, "within_high": 0.07}
    table = pd.DataFrame([row | {"after": 0.001, "after_low": -0.01, "after_high": 0.012}])
    axes = plots.contact_effect(Finding("contact_effect", table, {}), lang="en", ax=Figure().add_subplot())
    within, after = (container.lines[0].get_xdata()[0] for container in axes.containers)
    assert (within, after) == (0.06, 0.001)
    shown = [points.get_offsets()[0][0] for points in axes.collections if len(points.get_offsets()) == 1]
    assert pytest.approx(0.21) in shown


def test_response_has_a_line_for_all() -> None:
    table = pd.DataFrame(
        {
            "group": ["all_asked", "East"],
            "response_rate": [0.5, 0.6],
            "low": [0.4, 0.5],
            "high": [0.6, 0.7],
        }
    )
    axes = plots.survey_response(Finding("survey_response", table, {}), lang="en", ax=Figure().add_subplot())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["All", "East"]
    assert 0.5 in {line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"}


def test_waves_are_drawn_in_order() -> None:
    table = pd.DataFrame(
        {
            "wave": ["2025-10-01", "2026-04-01"],
            "satisfaction": [3.5, 3.7],
            "satisfaction_low": [3.4, 3.6],
            "satisfaction_high": [3.6, 3.8],
        }
    )
    axes = plots.survey_waves(Finding("survey_waves", table, {}), lang="en", ax=Figure().add_subplot())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2025-10", "2026-04"]
    assert axes.containers[0].lines[0].get_ydata().tolist() == [3.5, 3.7]
