"""Charts of the loyalty index and of the types of loyalty."""

from __future__ import annotations

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import SERIES, Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_BINS = [float(edge) for edge in range(0, 101, 10)]


def loyalty_index(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw how many customers have which index, and the mean.

    Parameters
    ----------
    finding
        A ``loyalty_index`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    ax.hist(finding.table["loyalty_index"], bins=_BINS, color=Colour.LIGHT_BLUE, edgecolor=Colour.PAPER)
    ax.axvline(float(finding.facts["index"].value or 0.0), color=Colour.BLUE, linewidth=2)  # type: ignore[arg-type]
    ax.set_xlim(0, 100)
    ax.yaxis.set_major_formatter(unit_formatter("customers", lang))
    ax.set_xlabel(labels.column_label("loyalty_index", lang))
    ax.set_ylabel(labels.column_label("n_customers", lang))
    form = labels.format_value(finding.facts["form"].value, "code", lang)
    ax.set_title(f"{finding.title(lang)} · {form}")
    return ax


def loyalty_types(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw attachment against repeat purchase, a dot a customer in the colour of its type, with the limits.

    Parameters
    ----------
    finding
        A ``loyalty_types`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    kinds = list(dict.fromkeys(finding.table["loyalty_type"]))
    for place, kind in enumerate(kinds):
        part = finding.table[finding.table["loyalty_type"] == kind]
        colour = Colour.LINE if kind == "undecided" else SERIES[place % len(SERIES)]
        words = labels.format_value(kind, "code", lang)
        ax.scatter(part["patronage"], part["attachment"], s=18, alpha=0.7, color=colour, label=words)
    ax.axhline(float(finding.facts["attachment_cut"].value or 0.0), color=Colour.INK, linewidth=1)  # type: ignore[arg-type]
    ax.axvline(float(finding.facts["patronage_cut"].value or 0.0), color=Colour.INK, linewidth=1)  # type: ignore[arg-type]
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.05, 1.05)
    ax.set_xlabel(labels.column_label("patronage", lang))
    ax.set_ylabel(labels.column_label("attachment", lang))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    ax.set_title(finding.title(lang))
    return ax
