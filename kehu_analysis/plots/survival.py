"""Charts of how long customers stay, and of what goes with leaving."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import SERIES, Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_LONGEST_NAME = 24


def survival_curve(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the share that is still there by age, each group with its interval; all customers alone in grey.

    Parameters
    ----------
    finding
        A ``survival_curve`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    groups = list(dict.fromkeys(table["group"]))
    others = [colour for colour in SERIES if colour != Colour.GREY]
    colours = [Colour.GREY if len(groups) > 1 else Colour.BLUE, *others * len(groups)]
    for group, colour in zip(groups, colours, strict=False):
        part = table[table["group"] == group]
        words = labels.shortened(labels.format_value(group, "code", lang), _LONGEST_NAME)
        ax.plot(part["age_months"], part["survival"], color=colour, linewidth=2, label=words)
        low, high = part["survival_low"], part["survival_high"]
        ax.fill_between(part["age_months"], low, high, color=colour, alpha=0.15, linewidth=0)
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("age_months", lang))
    ax.set_ylabel(labels.column_label("survival", lang))
    if len(groups) > 1:
        ax.legend(loc="lower left")
    ax.set_title(finding.title(lang))
    return ax


def leaving_hazards(finding: Finding, *, lang: str = "zh", ax: Axes | None = None, top: int = 12) -> Axes:
    """Draw the hazard ratios with their intervals on a scale of ratios; at 1 nothing differs.

    Parameters
    ----------
    finding
        A ``leaving_hazards`` finding.
    lang, ax
        Language, and axes to draw on.
    top
        Terms shown.
    """
    ax = draw_on(ax)
    shown = finding.table.head(top)
    places = np.arange(len(shown))
    ratios = shown["hazard_ratio"].to_numpy()
    around = np.vstack([ratios - shown["hazard_low"], shown["hazard_high"] - ratios])
    ax.errorbar(ratios, places, xerr=around, fmt="o", color=Colour.BLUE, ecolor=Colour.LIGHT_BLUE, elinewidth=3)
    ax.axvline(1, color=Colour.INK, linewidth=1)
    ax.set_xscale("log")
    ax.set_yticks(places, [labels.shortened(_in_words(str(term), lang), _LONGEST_NAME) for term in shown["term"]])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(unit_formatter("number", lang))
    ax.xaxis.set_minor_formatter(unit_formatter("number", lang))
    ax.tick_params(axis="x", which="both", labelrotation=45)
    ax.set_xlabel(labels.column_label("hazard_ratio", lang))
    ax.set_title(finding.title(lang))
    return ax


def competing_ends(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the shares that have left for each reason by age, one on top of the other.

    Parameters
    ----------
    finding
        A ``competing_ends`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    reasons = list(dict.fromkeys(table["reason"]))
    ages = table.loc[table["reason"] == reasons[0], "age_months"]
    layers = [table.loc[table["reason"] == reason, "incidence"].to_numpy() for reason in reasons]
    words = [labels.shortened(labels.format_value(reason, "code", lang), _LONGEST_NAME) for reason in reasons]
    colours = [str(SERIES[place % len(SERIES)]) for place in range(len(reasons))]
    ax.stackplot(ages, layers, labels=words, colors=colours, alpha=0.8)
    ax.set_ylim(0, 1)
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("age_months", lang))
    ax.set_ylabel(labels.column_label("incidence", lang))
    ax.legend(loc="upper left")
    ax.set_title(finding.title(lang))
    return ax


def _in_words(term: str, lang: str) -> str:
    """Return a term of a model, ``business_type: x``, with the column of the customers' file in the reader's words."""
    column, mark, level = term.partition(": ")
    code = f"contract.customers.{column}"
    return f"{labels.label(code, lang) if labels.has(code) else column}{mark}{level}"
