"""Show words, tables and charts in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO

import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kehu_analysis.finding import Finding
from kehu_analysis.plots.tables import table_html

_CHART_DPI = 130
#: Shown in JupyterLab; the report fits charts to its page.
_CHART_WIDTH = 800


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
