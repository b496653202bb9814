"""Show words, tables and charts in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kehu_analysis import labels
from kehu_analysis.actions import decisions, readable
from kehu_analysis.finding import Finding
from kehu_analysis.plots.tables import table_html

_CHART_DPI = 130
#: Shown in JupyterLab; the report fits charts to its page.
_CHART_WIDTH = 800
#: Customers of the list of actions that a page shows; the workbook has all.
_CUSTOMERS_SHOWN = 10
#: Columns of that list that only a spreadsheet has room for.
_NOT_ON_PAGE = ("chapter", "action_id")


def say(text: str) -> None:
    """Show a text in Markdown."""
    display({"text/markdown": text, "text/plain": text}, raw=True)


def tabulate(table: pd.DataFrame, *, lang: str, currency: str, rows: int) -> None:
    """Show a table in the readers' words."""
    html = table_html(table, lang=lang, currency=currency, rows=rows)
    display({"text/html": html, "text/plain": " × ".join(map(str, table.shape))}, raw=True)


def draw(finding: Finding, plot: Callable[..., Axes], *, lang: str) -> None:
    """Show a chart of a finding; what it tells stands beside it for those who do not see it."""
    figure = Figure()
    plot(finding, lang=lang, ax=figure.add_subplot())
    image = BytesIO()
    figure.savefig(image, format="png", dpi=_CHART_DPI)
    alt = f"{finding.title(lang)}: {finding.reading(lang)}"
    encoded = base64.b64encode(image.getvalue()).decode("ascii")
    display(
        {"image/png": encoded, "text/plain": alt},
        raw=True,
        metadata={"image/png": {"alt": alt, "width": _CHART_WIDTH}},
    )


def advise(actions: Finding, *, lang: str, currency: str) -> None:
    """Show what to do next quarter: what the company has to decide, then the first customers of the list."""
    if actions.table.empty:
        say(labels.label("ui.no_action", lang))
        return
    listed = [f"{rank}. {decision}" for rank, decision in enumerate(decisions(actions, lang), start=1)]
    say("\n".join([actions.reading(lang), "", *listed]).rstrip())
    customers = replace(actions, table=actions.table[actions.table["customer_id"] != ""])
    if len(customers.table):
        n, total = (
            labels.format_value(number, "count", lang)
            for number in (min(_CUSTOMERS_SHOWN, len(customers.table)), len(customers.table))
        )
        say(labels.render("ui.customers_to_contact", lang, n=n, total=total))
        shown = readable(customers, lang, rows=_CUSTOMERS_SHOWN)
        tabulate(shown.drop(columns=list(_NOT_ON_PAGE)), lang=lang, currency=currency, rows=_CUSTOMERS_SHOWN)
    say("\n".join(f"- {note}" for note in actions.note_texts(lang)))
