"""Charts of expected value, its spread and concentration, and how well purchases were predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import SERIES, Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

_BARS = 30
_LEAST_SHARE_DRAWN = 1e-4


def purchase_forecast(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the expected sales of each coming quarter with the prediction interval.

    Parameters
    ----------
    finding
        A ``purchase_forecast`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    quarters = range(1, _number(finding, "n_quarters") + 1)
    texts = finding.prose(lang)
    expected = [_number(finding, f"expected_amount_q{quarter}") for quarter in quarters]
    lows, highs = (
        [_number(finding, f"expected_amount_q{quarter}_{end}") for quarter in quarters] for end in ("low", "high")
    )
    ends = [labels.render("chart.coming_quarter", lang, end=texts[f"q{quarter}_end"]) for quarter in quarters]
    ax.bar(range(len(ends)), expected, width=0.6, color=Colour.BLUE)
    ax.errorbar(
        range(len(ends)),
        [(low + high) / 2 for low, high in zip(lows, highs, strict=True)],
        # The expectation itself may lie above: mostly nothing comes, and now and then a lot.
        yerr=[(high - low) / 2 for low, high in zip(lows, highs, strict=True)],
        fmt="none",
        ecolor=Colour.ORANGE,
        elinewidth=2.5,
        capsize=7,
        capthick=2.5,
        label=labels.render("chart.expected_with_interval", lang, **texts),
    )
    for place, quarter in enumerate(quarters):
        ax.annotate(
            texts[f"expected_amount_q{quarter}"],
            (place, max(expected[place], highs[place])),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            size="small",
        )
    ax.set_xticks(range(len(ends)), ends)
    ax.grid(visible=False, axis="x")
    ax.margins(y=0.25)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_ylabel(labels.column_label("expected_amount", lang, currency=finding.currency))
    ax.legend(loc="upper right")
    ax.set_title(finding.title(lang))
    return ax


def value_concentration(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the running share of value over the customers, most valuable first.

    Parameters
    ----------
    finding
        A ``customer_lifetime_value`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    columns = ("running_share_of_customers", "running_share_of_value")
    x, y = (finding.table[column] for column in columns)
    top = [_number(finding, name) for name in ("top_share_of_customers", "top_share_of_value")]
    ax.plot(x, y, color=Colour.BLUE, linewidth=2.5)
    ax.fill_between(x, y, color=Colour.BLUE, alpha=0.15, linewidth=0)
    ax.plot(
        [0, 1], [0, 1], color=Colour.GREY, linestyle="--", linewidth=1, label=labels.label("chart.equal_value", lang)
    )
    ax.plot(
        [top[0], top[0], 0],
        [0, top[1], top[1]],
        color=Colour.ORANGE,
        linewidth=1.5,
        marker="o",
        markevery=[1],
        label=labels.render("chart.top_share", lang, **finding.prose(lang)),
    )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.04)
    for axis, column in zip((ax.xaxis, ax.yaxis), columns, strict=True):
        axis.set_major_formatter(unit_formatter("share", lang))
        axis.set_label_text(labels.column_label(column, lang))
    ax.legend(loc="lower right")
    ax.set_title(labels.label("chart.value_concentration", lang))
    return ax


def holdout_check(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw expected and actual purchases per customer, by repeat purchases before the check.

    Parameters
    ----------
    finding
        A ``holdout_check`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    places = range(len(table))
    actual = table["actual_mean"]
    ax.bar(
        places, table["expected_mean"], width=0.6, color=Colour.LIGHT_BLUE, label=labels.label("chart.expected", lang)
    )
    ax.errorbar(
        places,
        actual,
        yerr=[actual - table["actual_low"], table["actual_high"] - actual],
        fmt="o",
        color=Colour.ORANGE,
        elinewidth=2,
        capsize=6,
        label=labels.render("chart.actual_with_interval", lang, **finding.prose(lang)),
    )
    ax.set_xticks(places, list(table["frequency_bin"]))
    ax.grid(visible=False, axis="x")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(unit_formatter("number", lang))
    ax.set_xlabel(labels.column_label("frequency_bin", lang))
    ax.set_ylabel(labels.label("chart.purchases_per_customer", lang))
    ax.legend(loc="upper left")
    ax.set_title(finding.title(lang))
    return ax


def probability_check(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the shares of customers of whom it was so over the probabilities that they were given.

    Parameters
    ----------
    finding
        A ``probability_check`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    right = labels.label("chart.right_on_average", lang)
    ax.plot([0, 1], [0, 1], color=Colour.GREY, linestyle="--", linewidth=1, label=right)
    for place, (name, rows) in enumerate(finding.table.groupby("probability_of", sort=False)):
        share = rows["share_so"]
        ax.errorbar(
            rows["expected_share"],
            share,
            yerr=[share - rows["share_so_low"], rows["share_so_high"] - share],
            fmt="os"[place],
            color=SERIES[place],
            elinewidth=2,
            capsize=5,
            label=labels.label(f"value.{name}", lang),
        )
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    for axis, column in zip((ax.xaxis, ax.yaxis), ("expected_share", "share_so"), strict=True):
        axis.set_major_formatter(unit_formatter("share", lang))
        axis.set_label_text(labels.column_label(column, lang))
    ax.legend(loc="upper left")
    ax.set_title(finding.title(lang))
    return ax


def weekly_tracking(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw expected and actual repeat purchases of each week, and where the data of the fit end.

    Parameters
    ----------
    finding
        A ``weekly_tracking`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = _track(finding, "n_purchases", "expected_purchases", lang, ax)
    ax.set_ylabel(labels.label("chart.weekly_purchases", lang))
    ax.set_title(finding.title(lang))
    return ax


def cumulative_tracking(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the running totals of expected and actual repeat purchases, and where the data of the fit end.

    Parameters
    ----------
    finding
        A ``weekly_tracking`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = _track(finding, "cumulative_purchases", "cumulative_expected", lang, ax)
    ax.set_ylabel(labels.label("chart.running_purchases", lang))
    ax.set_title(labels.label("chart.running_total", lang))
    return ax


def _track(finding: Finding, actual: str, expected: str, lang: str, ax: Axes | None) -> Axes:
    ax = draw_on(ax)
    weeks = finding.table["week_end"].to_numpy(dtype="datetime64[D]")
    ax.plot(weeks, finding.table[actual], color=Colour.GREY, linewidth=1.5, label=labels.label("chart.made", lang))
    ax.plot(
        weeks,
        finding.table[expected],
        color=Colour.BLUE,
        linewidth=2.5,
        label=labels.render("chart.expected_by", lang, **finding.prose(lang)),
    )
    ax.axvline(
        float(date2num(_number(finding, "calibration_end"))),  # type: ignore[no-untyped-call]
        color=Colour.ORANGE,
        linestyle="--",
        linewidth=1.5,
        label=labels.render("chart.fit_ends", lang, **finding.prose(lang)),
    )
    ax.set_ylim(bottom=0)
    dates_below(ax)
    ax.yaxis.set_major_formatter(unit_formatter("count", lang))
    ax.legend(loc="best")
    return ax


def customer_lifetime_value(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw how many customers have which value, on an axis of powers of ten.

    Parameters
    ----------
    finding
        A ``customer_lifetime_value`` finding. Values of 0 or less have no place on the axis; their number is told.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    values = finding.table["customer_lifetime_value"].to_numpy(dtype=float)
    above, n_below = values[values > 0], 0
    ax.set_xscale("log")
    if len(above):
        # Less than a ten-thousandth of the largest is drawn in the first bar.
        lowest = max(float(above.min()), float(above.max()) * _LEAST_SHARE_DRAWN)
        n_below = int((above < lowest).sum())
        edges = np.geomspace(lowest, float(above.max()) * 1.0001, _BARS + 1)
        ax.hist(np.maximum(above, lowest), bins=list(edges), color=Colour.BLUE, edgecolor=Colour.PAPER, linewidth=0.5)
        ax.axvline(
            float(np.median(values)) if np.median(values) > lowest else lowest,
            color=Colour.ORANGE,
            linestyle="--",
            linewidth=1.5,
            label=labels.label("chart.median_customer", lang),
        )
        ax.legend(loc="upper right")
    remarks = [("chart.value_below_the_axis", n_below), ("chart.value_not_above_0", len(values) - len(above))]
    ax.xaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.yaxis.set_major_formatter(unit_formatter("count", lang))
    value = labels.column_label("customer_lifetime_value", lang, currency=finding.currency)
    # Each remark on a line of its own: side by side they would run off the page.
    ax.set_xlabel("\n".join([value, *(labels.render(code, lang, n=n) for code, n in remarks if n)]), linespacing=1.7)
    ax.set_ylabel(labels.column_label("n_customers", lang))
    ax.grid(visible=False, axis="x")
    ax.set_title(finding.title(lang))
    return ax


def equity_by_segment(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw what the customers of each segment are worth, with the prediction interval.

    Parameters
    ----------
    finding
        An ``equity_by_segment`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    table = finding.table
    low, high, places = table["equity_low"], table["equity_high"], range(len(table))
    ax.barh(places, table["customer_equity"], height=0.6, color=Colour.BLUE)
    # Of few customers the expectation may lie above the interval: mostly nothing comes, and now and then a lot.
    ax.errorbar(
        (low + high) / 2,
        places,
        xerr=(high - low) / 2,
        fmt="none",
        ecolor=Colour.ORANGE,
        elinewidth=2.5,
        capsize=6,
        label=labels.render("chart.prediction_interval", lang, **finding.prose(lang)),
    )
    ends = table[["customer_equity", "equity_high"]].max(axis=1)
    for place, (share, end) in enumerate(zip(table["share_of_equity"], ends, strict=True)):
        text = labels.format_value(share, "share", lang)
        ax.annotate(text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", size="small")
    ax.set_yticks(places, [labels.format_value(name, "code", lang) for name in table["segment"]])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("currency", lang))
    ax.set_xlabel(labels.column_label("customer_equity", lang, currency=finding.currency))
    ax.legend(loc="lower right")
    ax.set_title(finding.title(lang))
    return ax


def dates_below(ax: Axes) -> None:
    """Write dates on the horizontal axis, as few as fit."""
    locator = AutoDateLocator(minticks=4, maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formats = ["%Y", "%Y-%m", "%m-%d", "%m-%d", "%m-%d", "%m-%d"]
    formatter = ConciseDateFormatter(locator, formats=formats, show_offset=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)


def _number(finding: Finding, name: str) -> Any:
    return finding.facts[name].value
