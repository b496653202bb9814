"""Charts of customers' states and of the choice where a silence counts as too long."""

from __future__ import annotations

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_COLOURS = {
    "new": Colour.GREEN,
    "on_time": Colour.BLUE,
    "due": Colour.LIGHT_BLUE,
    "late": Colour.ORANGE,
    "probably_gone": Colour.ROSE,
    "gone": Colour.GREY,
    "back": Colour.GREEN,
}


def customer_states(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw how many customers are in each state, in the order of a relationship.

    Parameters
    ----------
    finding
        A ``customer_states`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    counts = [int((finding.table["state"] == state).sum()) for state in _COLOURS]
    bars = ax.barh(range(len(counts)), counts, color=list(_COLOURS.values()), height=0.62)
    ax.bar_label(bars, [labels.format_value(count, "count", lang) for count in counts], padding=4)
    ax.set_yticks(range(len(counts)), [labels.label(f"value.{state}", lang) for state in _COLOURS])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("count", lang))
    ax.set_xlabel(labels.column_label("n_customers", lang))
    ax.set_title(labels.label("chart.states_of_customers", lang))
    return ax


def call_list_levels(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw, for each level, how many of those listed have left and how many are still there, and what share is found.

    Parameters
    ----------
    finding
        A ``call_list_levels`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    places = range(len(table))
    left = table["n_listed"] - table["expected_false_alarms"]
    ax.barh(places, left, color=Colour.BLUE, height=0.6, label=labels.label("chart.listed_and_left", lang))
    still = ax.barh(
        places,
        table["expected_false_alarms"],
        left=left,
        color=Colour.LIGHT_BLUE,
        height=0.6,
        label=labels.column_label("expected_false_alarms", lang),
    )
    found = [
        labels.render("chart.share_found", lang, share=labels.format_value(share, "share", lang))
        for share in table["share_of_leavers_found"]
    ]
    ax.bar_label(still, found, padding=4)
    ax.set_yticks(places, [labels.format_value(level, "share", lang) for level in table["level"]])
    ax.invert_yaxis()
    ax.margins(x=0.3)
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("count", lang))
    ax.set_xlabel(labels.column_label("n_listed", lang))
    ax.set_ylabel(labels.column_label("level", lang))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    ax.set_title(finding.title(lang), pad=30)
    return ax
