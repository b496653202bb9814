"""Charts of satisfaction: scores, who answered, waves, drivers, contacts and complaints."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

#: Scores that stand in points, and are drawn; the others are read in the table.
_SHARES = ("share_satisfied", "grade_5", "grade_4", "grade_3", "grade_2", "grade_1")
_GOING_ON = ("repurchase_likely", "repurchase_open", "repurchase_unlikely")
_LONGEST_NAME = 20


def survey_scores(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the net promoter score and the shares of the grades with their intervals, and the bounds behind them.

    Parameters
    ----------
    finding
        A ``survey_scores`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table[finding.table["score"].isin(["nps", *_SHARES, *_GOING_ON])].reset_index(drop=True)
    places = range(len(table))
    bounds = table.dropna(subset=["lowest", "highest"])
    ax.barh(
        bounds.index,
        bounds["highest"] - bounds["lowest"],
        left=bounds["lowest"],
        color=Colour.LIGHT_BLUE,
        alpha=0.35,
        height=0.6,
        label=labels.label("chart.bounds_of_silence", lang),
    )
    _with_limits(ax, table, places, "estimate", "estimate_low", "estimate_high", labels.label("chart.weighted", lang))
    ax.scatter(
        table["unweighted"],
        places,
        color=Colour.ORANGE,
        marker="|",
        s=140,
        zorder=3,
        label=labels.label("chart.unweighted", lang),
    )
    _names(ax, table["score"], lang)
    ax.axvline(0, color=Colour.GREY, linewidth=1)
    ax.set_xlabel(labels.label("chart.percent_or_points", lang))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    ax.set_title(finding.title(lang), pad=30)
    return ax


def survey_response(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the response rate of every group with its interval, and the line of all.

    Parameters
    ----------
    finding
        A ``survey_response`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table.reset_index(drop=True)
    _with_limits(ax, table, range(len(table)), "response_rate", "low", "high")
    _names(ax, table["group"], lang)
    ax.axvline(table["response_rate"].iloc[0], color=Colour.GREY, linewidth=1, linestyle="--")
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("response_rate", lang))
    ax.set_title(finding.title(lang))
    return ax


def survey_waves(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw weighted satisfaction wave by wave with its interval.

    Parameters
    ----------
    finding
        A ``survey_waves`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table.dropna(subset=["satisfaction"]).reset_index(drop=True)
    width = _width(table, "satisfaction", "satisfaction_low", "satisfaction_high")
    ax.errorbar(range(len(table)), table["satisfaction"], yerr=width, color=Colour.BLUE, marker="o", capsize=4)
    ax.set_xticks(range(len(table)), [str(wave)[:7] for wave in table["wave"]])
    ax.set_xlabel(labels.column_label("wave", lang))
    ax.set_ylabel(labels.column_label("satisfaction", lang))
    ax.set_title(finding.title(lang))
    return ax


def key_drivers(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw importance against performance: how much a driver tells, and how it is rated.

    Drivers that go along with satisfaction by themselves are filled, the others hollow. The lines are the means: what
    is important and rated below the mean stands at the upper left.

    Parameters
    ----------
    finding
        A ``key_drivers`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    for evidence, colour, filled in (
        ("own_effect_seen", Colour.BLUE, True),
        ("no_own_effect_seen", Colour.GREY, False),
    ):
        table = finding.table[finding.table["evidence"] == evidence]
        ax.errorbar(
            table["mean_score"],
            table["importance"],
            yerr=_width(table, "importance", "low", "high"),
            fmt="o",
            color=colour,
            markerfacecolor=colour if filled else Colour.PAPER,
            capsize=4,
            label=labels.label(f"value.{evidence}", lang),
        )
    for row in finding.table.to_dict("records"):
        name = labels.shortened(labels.format_value(row["driver"], "code", lang), _LONGEST_NAME)
        ax.annotate(name, (row["mean_score"], row["importance"]), xytext=(7, 5), textcoords="offset points")
    ax.axhline(_number(finding, "mean_importance"), color=Colour.GREY, linewidth=1, linestyle="--")
    ax.axvline(_number(finding, "mean_score"), color=Colour.GREY, linewidth=1, linestyle="--")
    ax.margins(x=0.15)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("mean_score", lang))
    ax.set_ylabel(labels.column_label("importance", lang))
    ax.legend(loc="best")
    ax.set_title(finding.title(lang))
    return ax


def contact_effect(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw for each kind of contact the figure within customers, the naive one, and the test after the order.

    Parameters
    ----------
    finding
        A ``contact_effect`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table.reset_index(drop=True)
    places = table.index.to_numpy(dtype=float)
    _with_limits(ax, table, places - 0.15, "within", "within_low", "within_high", labels.column_label("within", lang))
    tested = table.dropna(subset=["after"])
    _with_limits(
        ax,
        tested,
        tested.index.to_numpy(dtype=float) + 0.15,
        "after",
        "after_low",
        "after_high",
        labels.column_label("after", lang),
        colour=Colour.GREY,
    )
    ax.scatter(table["naive"], places, color=Colour.RED, marker="x", zorder=3, label=labels.column_label("naive", lang))
    _names(ax, table["contact"], lang)
    ax.axvline(0, color=Colour.GREY, linewidth=1)
    ax.xaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.label("chart.larger_order", lang))
    ax.legend(loc="best")
    ax.set_title(finding.title(lang))
    return ax


def complaints(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the reasons of complaints by their shares, with intervals.

    Parameters
    ----------
    finding
        A ``complaints`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table.reset_index(drop=True)
    ax.barh(
        range(len(table)),
        table["share"],
        xerr=_width(table, "share", "low", "high"),
        color=Colour.LIGHT_BLUE,
        ecolor=Colour.BLUE,
        capsize=4,
        height=0.55,
    )
    _names(ax, table["complaint_reason"], lang)
    ax.xaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("share", lang))
    ax.set_title(finding.title(lang))
    return ax


def survey_plan(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw how many customers to ask for each width.

    Parameters
    ----------
    finding
        A ``survey_plan`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    ax.plot(table["half_width"], table["n_to_ask"], color=Colour.BLUE, marker="o")
    ax.xaxis.set_major_formatter(unit_formatter("share", lang))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    ax.set_xlabel(labels.column_label("half_width", lang))
    ax.set_ylabel(labels.column_label("n_to_ask", lang))
    ax.set_title(finding.title(lang))
    return ax


def _with_limits(
    ax: Axes,
    table: pd.DataFrame,
    places: Any,
    value: str,
    low: str,
    high: str,
    label: str | None = None,
    colour: str = Colour.BLUE,
) -> None:
    width = _width(table, value, low, high)
    ax.errorbar(table[value], places, xerr=width, fmt="o", color=colour, capsize=4, zorder=4, label=label)


def _width(table: pd.DataFrame, value: str, low: str, high: str) -> list[pd.Series]:
    # Of a share near 0 or 1 the limits may both lie on one side of it.
    return [(table[value] - table[low]).clip(lower=0), (table[high] - table[value]).clip(lower=0)]


def _names(ax: Axes, codes: pd.Series, lang: str) -> None:
    words = [labels.shortened(labels.format_value(code, "code", lang), _LONGEST_NAME) for code in codes]
    ax.set_yticks(range(len(words)), words)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")


def _number(finding: Finding, fact: str) -> float:
    return float(finding.facts[fact].value)  # type: ignore[arg-type]
