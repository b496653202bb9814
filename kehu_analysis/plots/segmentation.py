"""Charts of grades, their moves and RFM segments."""

from __future__ import annotations

import seaborn as sns
from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_GRADE_COLOURS = (Colour.BLUE, Colour.LIGHT_BLUE, Colour.GREY, Colour.ORANGE, Colour.GREEN, Colour.RED)


def grade_customers(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the running share of sales over the customers with sales, largest first, with the grades' borders.

    Parameters
    ----------
    finding
        A ``grade_customers`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    active = finding.table[finding.table["is_active"]]
    for place, (grade, customers) in enumerate(active.groupby("grade", sort=True)):
        x, y = customers["running_share_of_customers"], customers["running_share"]
        colour = _GRADE_COLOURS[place % len(_GRADE_COLOURS)]
        name = str(grade).lower()
        words = labels.render(
            "chart.grade",
            lang,
            grade=grade,
            n_customers=finding.prose(lang)[f"n_customers_{name}"],
            share_of_sales=finding.prose(lang)[f"share_of_sales_{name}"],
        )
        ax.plot(x, y, color=colour, linewidth=2.5, label=words)
        ax.fill_between(x, y, color=colour, alpha=0.25, linewidth=0)
        if place:
            ax.axvline(x.iloc[0], color=Colour.GREY, linewidth=0.8, linestyle="--")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.04)
    for axis, column in ((ax.xaxis, "running_share_of_customers"), (ax.yaxis, "running_share")):
        axis.set_major_formatter(unit_formatter("share", lang))
        axis.set_label_text(labels.column_label(column, lang))
    ax.legend(loc="lower right")
    ax.set_title(finding.title(lang))
    return ax


def grade_moves(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the table of moves: rows the grade before, columns the grade now, shaded by share of the row.

    Parameters
    ----------
    finding
        A ``grade_moves`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    # In the order of the finding, grades first.
    before, now = list(dict.fromkeys(table["from_grade"])), list(dict.fromkeys(table["to_grade"]))
    cells = table.set_index(["from_grade", "to_grade"])
    counts = cells["n_customers"].unstack().loc[before, now]
    shares = cells["share_of_from"].unstack().loc[before, now].fillna(0.0)
    texts = counts.map(lambda count: labels.format_value(int(count), "customers", lang))
    sns.heatmap(
        shares,
        annot=texts,
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=1,
        linewidths=1,
        ax=ax,
        cbar_kws={"format": unit_formatter("share", lang), "label": labels.column_label("share_of_from", lang)},
    )
    ax.set_xticklabels([labels.format_value(name, "code", lang) for name in now], rotation=0)
    ax.set_yticklabels([labels.format_value(name, "code", lang) for name in before], rotation=0)
    ax.set_xlabel(labels.column_label("to_grade", lang))
    ax.set_ylabel(labels.column_label("from_grade", lang))
    ax.set_title(finding.title(lang))
    return ax


def rfm_profile(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw each segment's share of customers beside its share of sales (where amounts are known).

    Parameters
    ----------
    finding
        A ``rfm_profile`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    columns = [column for column in ("share_of_customers", "share_of_sales") if column in table]
    height = 0.8 / len(columns)
    for place, column in enumerate(columns):
        at = [row + (place - (len(columns) - 1) / 2) * height for row in range(len(table))]
        bars = ax.barh(
            at,
            table[column],
            height=height,
            color=(Colour.LIGHT_BLUE, Colour.BLUE)[place],
            label=labels.column_label(column, lang),
        )
        ax.bar_label(bars, [labels.format_value(x, "share", lang) for x in table[column]], padding=3, size="small")
    ax.set_yticks(range(len(table)), [labels.format_value(name, "code", lang) for name in table["segment"]])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("share", lang))
    ax.legend(loc="best")
    ax.set_title(finding.title(lang))
    return ax
