"""Charts of the log itself and of sales by quarter."""

from __future__ import annotations

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.plots.theme import PALETTE, draw_on, unit_formatter

#: More bars than this show every second (third, …) name only.
_MOST_TICKS = 12


def data_quality(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw how many lines fell into each class, and for which reason.

    Parameters
    ----------
    finding
        A ``data_quality`` finding.
    lang, ax
        Language, and axes to draw on (a new figure when not given).
    """
    ax = draw_on(ax)
    table = finding.table
    names = [
        labels.format_value(row.line_class, "code", lang)
        + (f" · {labels.format_value(row.reason, 'code', lang)}" if row.reason else "")
        for row in table.itertuples()
    ]
    colours = [PALETTE[0] if name == "accepted" else PALETTE[1] for name in table["line_class"]]
    bars = ax.barh(range(len(table)), table["n_lines"], color=colours, height=0.6)
    texts = [
        f"{labels.format_value(row.n_lines, 'lines', lang)}  ({labels.format_value(row.share_of_lines, 'share', lang)})"
        for row in table.itertuples()
    ]
    ax.bar_label(bars, texts, padding=4)
    ax.set_yticks(range(len(table)), names)
    ax.invert_yaxis()
    # Room for the words beside the longest bar.
    ax.margins(x=0.35)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("lines", lang))
    ax.set_xlabel(labels.column_label("n_lines", lang))
    ax.set_title(finding.title(lang))
    return ax


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
    colours = [PALETTE[5]] * (len(table) - 1) + [PALETTE[0]]
    ax.bar(places, table["amount"], color=colours, width=0.6)
    ax.yaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_ylabel(labels.column_label("amount", lang, currency=finding.currency), color=PALETTE[0])
    step = -(-len(table) // _MOST_TICKS)
    # Counted back from this quarter, so that its own name is always there.
    ticks = sorted(range(len(table) - 1, -1, -step))
    ax.set_xticks(ticks, [str(table["quarter"].iloc[place]) for place in ticks])
    ax.grid(visible=False, axis="x")

    customers = ax.twinx()
    customers.plot(places, table["n_active"], color=PALETTE[1], marker="o", linewidth=2)
    customers.set_ylim(0, 1.15 * max(table["n_active"].max(), 1))
    customers.grid(visible=False)
    customers.yaxis.set_major_formatter(unit_formatter("customers", lang))
    customers.set_ylabel(labels.column_label("n_active", lang), color=PALETTE[1])
    ax.set_title(finding.title(lang))
    return ax
