"""Charts of what old customers bring, and of what keeping them is worth."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_MOST_NUMBERS = 12
_LONGEST_NAME = 24


def sales_retention(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw net and gross retention of sales by quarter with their intervals, and the share of customers kept.

    Parameters
    ----------
    finding
        A ``sales_retention`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    places = np.arange(len(table))
    lines = (("net_retention", Colour.BLUE, "net"), ("gross_retention", Colour.ORANGE, "gross"))
    for name, colour, words in lines:
        ax.plot(places, table[name], color=colour, marker="o", linewidth=2, label=labels.label(f"chart.{words}", lang))
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        ax.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    ax.plot(places, table["kept"], color=Colour.GREY, linestyle="--", label=labels.label("chart.kept_customers", lang))
    ax.axhline(1, color=Colour.INK, linewidth=1)
    ax.set_ylim(bottom=0)
    ax.set_xticks(places, table["quarter"].tolist())
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("quarter", lang))
    ax.legend(loc="lower left")
    ax.set_title(finding.title(lang))
    return ax


def cohort_sales(
    finding: Finding, *, lang: str = "zh", ax: Axes | None = None, value: str = "amount_against_1"
) -> Axes:
    """Draw the triangle of sales (or ``margin_against_1``) against age 1; small cohorts are grey.

    Parameters
    ----------
    finding
        A ``cohort_sales`` finding.
    lang, ax
        Language, and axes to draw on.
    value
        ``amount_against_1`` or ``margin_against_1``.
    """
    ax = draw_on(ax)
    later = finding.table[finding.table["age"] > 0]
    shares = later.pivot(index="cohort", columns="age", values=value).loc[list(dict.fromkeys(later["cohort"]))]
    small = later.pivot(index="cohort", columns="age", values="is_small").reindex(shares.index)
    texts = shares.map(lambda share: "" if share != share else labels.format_tick(round(share, 2), "share", lang))
    sns.heatmap(
        shares.astype(float),
        annot=texts if shares.shape[1] <= _MOST_NUMBERS else None,
        fmt="",
        cmap="RdBu",
        vmin=0,
        vmax=2,
        linewidths=1,
        ax=ax,
        cbar_kws={"format": unit_formatter("share", lang), "label": labels.column_label(value, lang)},
    )
    for row, column in zip(*(small == True).to_numpy().nonzero(), strict=True):  # noqa: E712 - missing cells are neither
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=Colour.LINE, edgecolor=Colour.PAPER))
    names = [labels.format_value(name, "code", lang) for name in shares.index]
    ax.set_yticks([row + 0.5 for row in range(len(shares))], names, rotation=0)
    ax.set_xlabel(labels.column_label("age", lang))
    ax.set_ylabel(labels.column_label("cohort", lang))
    ax.grid(visible=False)
    ax.set_title(finding.title(lang))
    return ax


def keeping_value(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw by segment the most to spend on a customer for one point of retention, with what keeping costs now.

    Parameters
    ----------
    finding
        A ``keeping_value`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    places = np.arange(len(table))
    most = table["most_for_a_point"].to_numpy()
    around = np.vstack([most - table["most_for_a_point_low"], table["most_for_a_point_high"] - most])
    ax.barh(places, most, color=Colour.LIGHT_BLUE, height=0.55, label=labels.column_label("most_for_a_point", lang))
    ax.errorbar(most, places, xerr=np.maximum(around, 0), fmt="none", ecolor=Colour.BLUE, elinewidth=2)
    if table["keeping_cost"].notna().any():
        words = labels.label("chart.break_even", lang)
        ax.scatter(table["keeping_cost"], places, color=Colour.RED, marker="|", s=200, linewidths=3, label=words)
    names = [labels.shortened(labels.format_value(name, "code", lang), _LONGEST_NAME) for name in table["segment"]]
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_xlabel(labels.column_label("most_for_a_point", lang, currency=finding.currency))
    ax.legend(loc="lower right")
    ax.set_title(finding.title(lang))
    return ax
