"""Charts of retention and of overdue customers."""

from __future__ import annotations

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.theme import draw_on, unit_formatter

#: More cells across than this are too small to hold a number.
_MOST_NUMBERS = 12
#: Longer names would leave no room for the chart.
_LONGEST_NAME = 24
_ALL = "all_cohorts"


def cohort_retention(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the retention triangle: a row for each cohort, a column for each age; unseen cells stay empty.

    Cohorts too small to show a rate are grey; the first one, which holds older customers, is said to be that.

    Parameters
    ----------
    finding
        A ``cohort_retention`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    # At age 0 everybody is active: it would only darken the scale.
    later = finding.table[finding.table["age"] > 0]
    rates = later.pivot(index="cohort", columns="age", values="retention")
    rates = rates.loc[list(dict.fromkeys(later["cohort"]))]
    # Of a single cohort the pooled row is a repetition.
    rates = rates if len(rates) > 2 else rates.iloc[:1]
    seen = later.pivot(index="cohort", columns="age", values="n_customers").reindex(rates.index).notna()
    texts = rates.map(lambda rate: "" if rate != rate else labels.format_tick(round(rate, 2), "share", lang))
    sns.heatmap(
        rates,
        annot=texts if rates.shape[1] <= _MOST_NUMBERS else None,
        fmt="",
        cmap="Blues",
        vmin=0,
        linewidths=1,
        ax=ax,
        cbar_kws={"format": unit_formatter("share", lang), "label": labels.column_label("retention", lang)},
    )
    for row, column in zip(*(seen & rates.isna()).to_numpy().nonzero(), strict=True):
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=Colour.LINE, edgecolor=Colour.PAPER))
    first = str(finding.facts["first_cohort"].value)
    names = {first: labels.render("chart.first_cohort", lang, cohort=first)} if len(rates) > 1 else {}
    ax.set_yticks(
        [row + 0.5 for row in range(len(rates))],
        [names.get(name, labels.format_value(name, "code", lang)) for name in rates.index],
        rotation=0,
    )
    ax.set_xlabel(labels.column_label("age", lang))
    ax.set_ylabel(labels.column_label("cohort", lang))
    ax.grid(visible=False)
    ax.set_title(finding.title(lang))
    return ax


def retention_curve(finding: Finding, *, lang: str = "zh", ax: Axes | None = None) -> Axes:
    """Draw the pooled retention by age, with the interval of the mean and that of the next cohort.

    The cohorts are thin lines behind it; the linked curve, which compares the same cohorts from age to age, is dashed.

    Parameters
    ----------
    finding
        A ``cohort_retention`` finding.
    lang, ax
        Language, and axes to draw on.
    """
    ax = draw_on(ax)
    later = finding.table[finding.table["age"] > 0]
    for _, cohort in later[later["cohort"] != _ALL].groupby("cohort", sort=True):
        ax.plot(cohort["age"], cohort["retention"], color=Colour.GREY, alpha=0.5, linewidth=1)
    pooled = later[later["cohort"] == _ALL]
    bands = (("retention", Colour.LIGHT_BLUE, "mean_interval"), ("next", Colour.MIST, "next_interval"))
    for front, (name, colour, label) in enumerate(bands):
        if pooled[f"{name}_low"].notna().any():
            words = labels.label(f"chart.{label}", lang)
            low, high = pooled[f"{name}_low"], pooled[f"{name}_high"]
            ax.fill_between(
                pooled["age"], low, high, color=colour, alpha=0.6, linewidth=0, zorder=1 - front / 2, label=words
            )
    ax.plot(
        pooled["age"],
        pooled["retention"],
        color=Colour.BLUE,
        marker="o",
        linewidth=2,
        label=labels.label("chart.pooled_retention", lang),
    )
    if pooled["n_cohorts"].max() > 1:
        words = labels.label("chart.linked_retention", lang)
        ax.plot(
            pooled["age"], pooled["linked_retention"], color=Colour.BLUE, linestyle="--", linewidth=1.5, label=words
        )
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(unit_formatter("share", lang))
    ax.set_xlabel(labels.column_label("age", lang))
    ax.set_ylabel(labels.column_label("retention", lang))
    ax.legend(loc="best")
    ax.set_title(finding.title(lang))
    return ax


def overdue_customers(finding: Finding, *, lang: str = "zh", ax: Axes | None = None, top: int = 12) -> Axes:
    """Draw, for the newly overdue customers with the largest orders, the silence against their own rhythm.

    A bar is the silence so far, a dot the usual interval, a mark the longest wait to expect. Customers are called by
    their names where these are known.

    Parameters
    ----------
    finding
        An ``overdue_customers`` finding.
    lang, ax
        Language, and axes to draw on.
    top
        Customers shown.
    """
    ax = draw_on(ax)
    table = finding.table
    shown = table[table["status"] == "newly_overdue"].head(top)
    places = range(len(shown))
    ax.barh(
        places, shown["silence_days"], color=Colour.LIGHT_BLUE, height=0.55, label=labels.label("chart.silence", lang)
    )
    ax.scatter(
        shown["usual_interval_days"],
        places,
        color=Colour.GREEN,
        zorder=3,
        label=labels.label("chart.usual_interval", lang),
    )
    ax.scatter(
        shown["limit_days"],
        places,
        color=Colour.RED,
        marker="|",
        s=160,
        linewidths=2.5,
        zorder=3,
        label=labels.label("chart.limit", lang),
    )
    names = shown["name"].fillna(shown["customer_id"]) if "name" in shown else shown["customer_id"]
    ax.set_yticks(places, [labels.shortened(str(name), _LONGEST_NAME) for name in names])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(unit_formatter("days", lang))
    ax.set_xlabel(labels.column_label("silence_days", lang))
    ax.set_ylabel(labels.column_label("customer_id", lang))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    ax.set_title(labels.label("chart.overdue_top", lang), pad=30)
    return ax
