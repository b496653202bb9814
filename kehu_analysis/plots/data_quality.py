"""Charts of the log itself."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import SERIES, Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

#: Colours of doubts, by code.
_DOUBT_COLOURS = dict(zip(("loaded_twice", "missing_weeks", "power_of_ten", "level_shift"), SERIES[1:5], strict=True))
#: A name takes about so much of the width, and names of near doubts stand below each other.
_NAME_WIDTH, _NAME_ROWS = 0.16, 4
_HALF_WEEK = 3.5
#: A class and its reason take so many columns of print in a line; a Chinese character takes two.
_REASON_WIDTH, _REASON_LINES = 34, 3


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
    # What is set apart has one reason, and says it in its name.
    reasons = table["reason"].where(table["line_class"] != "set_apart", "")
    names = [
        _folded(" · ".join(labels.format_value(code, "code", lang) for code in (line_class, reason) if code))
        for line_class, reason in zip(table["line_class"], reasons, strict=True)
    ]
    colours = [Colour.BLUE if name == "accepted" else Colour.ORANGE for name in table["line_class"]]
    bars = ax.barh(range(len(table)), table["n_lines"], color=colours, height=0.6)
    texts = [
        f"{labels.format_value(row.n_lines, 'lines', lang)}  ({labels.format_value(row.share_of_lines, 'share', lang)})"
        for row in table.itertuples()
    ]
    ax.bar_label(bars, texts, padding=4)
    ax.set_yticks(range(len(table)), names)
    ax.invert_yaxis()
    # Room for the words beside the longest bar, also where long reasons leave little for the bars.
    ax.margins(x=0.6)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("lines", lang))
    ax.set_xlabel(labels.column_label("n_lines", lang))
    ax.set_title(finding.title(lang))
    return ax


def _folded(text: str) -> str:
    """Return a text in lines of bearable width: the reason of a filter is as long as its author made it."""
    width = max(1, _REASON_WIDTH * len(text) // max(1, labels.text_width(text)))
    return textwrap.fill(text, width, max_lines=_REASON_LINES, placeholder="…")


def log_doubts(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw weekly sales as a line, with the doubtful weeks shaded and named.

    Parameters
    ----------
    finding
        A ``log_doubts`` finding.
    lang, ax
        Language, and axes to draw on. The shades are the axes' patches, in order of time.
    """
    ax = draw_on(ax)
    table = finding.table
    ax.plot(table["week"], table["amount"], color=Colour.BLUE, linewidth=1.4)
    # Days since 1970, as matplotlib counts dates.
    weeks = (pd.to_datetime(table["week"]) - pd.Timestamp("1970-01-01")).dt.days.astype("float64")
    width = weeks.iloc[-1] - weeks.iloc[0]
    # Where the last name of each row ends; a name goes to the first row with room.
    ends = [weeks.iloc[0] - _HALF_WEEK] * _NAME_ROWS
    runs = _doubtful_runs(table["doubt"])
    for first, last, doubt in runs:
        begin, end = float(weeks[first]) - _HALF_WEEK, float(weeks[last]) + _HALF_WEEK
        ax.axvspan(begin, end, color=_DOUBT_COLOURS[doubt], alpha=0.3, linewidth=0)
        row = next((row for row in range(_NAME_ROWS) if ends[row] <= begin), _NAME_ROWS - 1)
        ends[row] = begin + _NAME_WIDTH * width
        # At the right edge there is room on the left of the week only.
        turned = ends[row] > weeks.iloc[-1]
        ax.annotate(
            labels.label(f"doubt.{doubt}", lang),
            (end if turned else begin, 0.97 - 0.08 * row),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if turned else 3, 0),
            textcoords="offset points",
            ha="right" if turned else "left",
            va="top",
            color=_DOUBT_COLOURS[doubt],
        )
    if runs:  # room for the names above the line
        ax.set_ylim(top=1.4 * max(table["amount"].max(), 1.0))
    ax.yaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_ylabel(labels.column_label("amount", lang, currency=finding.currency))
    ax.set_title(finding.title(lang))
    return ax


def _doubtful_runs(marks: pd.Series) -> list[tuple[int, int, str]]:
    """Return first and last place of every run of weeks with one doubt."""
    names = marks.fillna("").astype(str)
    runs = names.groupby((names != names.shift()).cumsum())
    return [(int(run.index[0]), int(run.index[-1]), str(run.iloc[0])) for _, run in runs if run.iloc[0]]
