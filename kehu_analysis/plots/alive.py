"""Charts of who is still a customer: maps over frequency and silence, and one customer day by day."""

from __future__ import annotations

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.clv import dates_below
from kehu_analysis.plots.theme import draw_on, unit_formatter

_MAP_COLOURS = "YlGnBu"


def alive_map(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the probability of being alive over the time since the last purchase and the number of repeat purchases.

    Parameters
    ----------
    finding
        An ``alive_map`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = _map(finding, "probability_alive", "share", lang, ax, top=1.0)
    ax.set_title(labels.label("chart.alive_map", lang))
    return ax


def expected_purchases_map(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the expected purchases over the time since the last purchase and the number of repeat purchases.

    Parameters
    ----------
    finding
        An ``alive_map`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = _map(finding, "expected_purchases", "number", lang, ax)
    ax.set_title(labels.render("chart.expected_purchases_map", lang, **finding.prose(lang)))
    return ax


def _map(finding: Finding, column: str, unit: str, lang: str, ax: Axes | None, top: float | None = None) -> Axes:
    ax = draw_on(ax)
    grid = finding.table.pivot(index="frequency", columns="silence_days", values=column)
    cells = ax.pcolormesh(
        grid.columns.to_numpy(dtype=float),
        grid.index.to_numpy(dtype=float),
        grid.to_numpy(dtype=float),
        cmap=_MAP_COLOURS,
        vmin=0,
        vmax=top,
        shading="nearest",
        rasterized=True,
    )
    bar = ax.figure.colorbar(cells, ax=ax, format=unit_formatter(unit, lang))
    bar.set_label(labels.column_label(column, lang))
    ax.grid(visible=False)
    for axis, name in ((ax.xaxis, "silence_days"), (ax.yaxis, "frequency")):
        axis.set_major_formatter(unit_formatter("count", lang))
        axis.set_label_text(labels.column_label(name, lang))
    return ax


def alive_history(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the probability of being alive of one customer day by day, and the purchase days.

    Parameters
    ----------
    finding
        An ``alive_history`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    days = table["date"].to_numpy(dtype="datetime64[D]")
    ax.plot(days, table["probability_alive"], color=Colour.BLUE, linewidth=1.8)
    ax.vlines(
        days[table["is_purchase"].to_numpy(dtype=bool)],
        -0.09,
        -0.03,
        color=Colour.ORANGE,
        linewidth=1,
        label=labels.label("chart.purchase_days", lang),
    )
    ax.set_ylim(-0.12, 1.03)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_ylabel(labels.column_label("probability_alive", lang))
    dates_below(ax)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.08))
    ax.set_title(labels.render("chart.alive_history", lang, **finding.prose(lang)))
    return ax
