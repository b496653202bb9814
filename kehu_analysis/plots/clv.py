"""Charts of expected value, its concentration, and how well purchases were predicted."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.plots.theme import PALETTE, draw_on, unit_formatter


def lifetime_value(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the expected sales of each coming quarter with the prediction interval.

    Parameters
    ----------
    finding
        A ``lifetime_value`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    quarters = range(1, _number(finding, "n_quarters") + 1)
    texts = finding.prose(lang)
    expected = [_number(finding, f"expected_amount_q{quarter}") for quarter in quarters]
    below = [value - _number(finding, f"expected_amount_q{q}_low") for q, value in zip(quarters, expected, strict=True)]
    above = [
        _number(finding, f"expected_amount_q{q}_high") - value for q, value in zip(quarters, expected, strict=True)
    ]
    ends = [labels.render("chart.coming_quarter", lang, end=texts[f"q{quarter}_end"]) for quarter in quarters]
    ax.bar(range(len(ends)), expected, width=0.6, color=PALETTE[0])
    ax.errorbar(
        range(len(ends)),
        expected,
        yerr=[below, above],
        fmt="none",
        ecolor=PALETTE[1],
        elinewidth=2.5,
        capsize=7,
        capthick=2.5,
        label=labels.render("chart.expected_with_interval", lang, **texts),
    )
    for place, quarter in enumerate(quarters):
        ax.annotate(
            texts[f"expected_amount_q{quarter}"],
            (place, expected[place] + above[place]),
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
    """Draw the running share of expected sales over the customers, most valuable first.

    Parameters
    ----------
    finding
        A ``lifetime_value`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    columns = ("running_share_of_customers", "running_share_of_expected_amount")
    x, y = (finding.table[column] for column in columns)
    top = [_number(finding, name) for name in ("top_share_of_customers", "top_share_of_expected_amount")]
    ax.plot(x, y, color=PALETTE[0], linewidth=2.5)
    ax.fill_between(x, y, color=PALETTE[0], alpha=0.15, linewidth=0)
    ax.plot(
        [0, 1], [0, 1], color=PALETTE[4], linestyle="--", linewidth=1, label=labels.label("chart.equal_value", lang)
    )
    ax.plot(
        [top[0], top[0], 0],
        [0, top[1], top[1]],
        color=PALETTE[1],
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
    ax.bar(places, table["expected_mean"], width=0.6, color=PALETTE[5], label=labels.label("chart.expected", lang))
    ax.errorbar(
        places,
        actual,
        yerr=[actual - table["actual_low"], table["actual_high"] - actual],
        fmt="o",
        color=PALETTE[1],
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


def _number(finding: Finding, name: str) -> Any:
    return finding.facts[name].value
