"""Charts of sales by quarter."""

from __future__ import annotations

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

#: More bars than this show every second (third, …) name only.
_MOST_TICKS = 9


def quarter_sales(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw sales by quarter as bars, this quarter's dark, and active customers as a line on the right.

    Parameters
    ----------
    finding
        A ``quarter_sales`` finding.
    lang, ax
        Language, and axes to draw on. The line's axes are the figure's last.
    """
    ax = draw_on(ax)
    table = finding.table
    places = range(len(table))
    colours = [Colour.LIGHT_BLUE] * (len(table) - 1) + [Colour.BLUE]
    ax.bar(places, table["amount"], color=colours, width=0.6)
    ax.yaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_ylabel(labels.column_label("amount", lang, currency=finding.currency), color=Colour.BLUE)
    step = -(-len(table) // _MOST_TICKS)
    # Counted back from this quarter, so that its own name is always there.
    ticks = sorted(range(len(table) - 1, -1, -step))
    ax.set_xticks(ticks, [str(table["quarter"].iloc[place]) for place in ticks])
    ax.grid(visible=False, axis="x")

    customers = ax.twinx()
    customers.plot(places, table["n_active"], color=Colour.ORANGE, marker="o", linewidth=2)
    customers.set_ylim(0, 1.15 * max(table["n_active"].max(), 1))
    customers.grid(visible=False)
    customers.yaxis.set_major_formatter(unit_formatter("customers", lang))
    customers.set_ylabel(labels.column_label("n_active", lang), color=Colour.ORANGE)
    ax.set_title(finding.title(lang))
    return ax
