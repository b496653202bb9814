"""The quarterly report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kehu_analysis import labels
from kehu_analysis.report.cells import chapter_body
from kehu_analysis.report.layout import fill_template

_WORDS = ("contents", "key_figures", "not_run_analyses", "not_run_lead", "preview", "provenance", "to_top")


@dataclass(frozen=True)
class Chapter:
    """An executed notebook.

    Attributes
    ----------
    name
        File name without its ending, e.g. ``30_segmentation``; unique on the page.
    notebook
        The nbformat 4 node with its outputs (see :func:`kehu_analysis.report.cells.chapter_body` for the
        tags that steer what is shown).
    """

    name: str
    notebook: Mapping[str, Any]


@dataclass(frozen=True)
class KeyFigure:
    """One figure of the head of the page, in words, e.g. ``("Sales", "USD 2.50 million", "+3.1%")``."""

    label: str
    value: str
    change: str = ""
    interval: str = ""


@dataclass(frozen=True)
class NotRun:
    """An analysis that the data cannot carry: its title and the reason."""

    title: str
    reason: str


@dataclass(frozen=True)
class Page:
    """What frames the chapters; every text is shown as it stands and escaped.

    Attributes
    ----------
    lang
        ``"zh"`` or ``"en"``.
    title
        The report's title.
    dataset
        The dataset's name.
    quarter, first_day, last_day
        The period, e.g. ``"2026Q3", "2026-07-01", "2026-09-30"``.
    key_figures
        Shown as cards above the chapters.
    provenance
        Label to text: data hash, row counts, versions, time of making. Shown in the footer in this order.
    preview
        Whether the quarter has not ended.
    not_run
        The analyses that were not run.
    """

    lang: str
    title: str
    dataset: str
    quarter: str
    first_day: str
    last_day: str
    key_figures: Sequence[KeyFigure] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    preview: bool = False
    not_run: Sequence[NotRun] = ()


def render_page(chapters: Sequence[Chapter], *, page: Page) -> str:
    """Write the report.

    Parameters
    ----------
    chapters
        The notebooks in reading order.
    page
        Everything around them.

    Returns
    -------
    str
        A complete HTML document in UTF-8 without a network address: charts, icon and font are embedded, and a
        content security policy forbids scripts and every request. Equal inputs give equal bytes.

    Examples
    --------
    >>> page = Page("en", "Report", "<b>", "1998Q2", "1998-04-01", "1998-06-30", [KeyFigure("Sales", "1")])
    >>> text = render_page([], page=page)
    >>> text.startswith("<!doctype html>"), "<b>" in text, "://" in text
    (True, False, False)
    """
    values: dict[str, Any] = {
        "page": page,
        "chapters": [chapter_body(chapter.notebook, chapter.name, page.lang) for chapter in chapters],
        "period": labels.render(
            "ui.report_period",
            page.lang,
            quarter=page.quarter,
            first_day=page.first_day,
            last_day=page.last_day,
        ),
        "words": {code: labels.label(f"ui.{code}", page.lang) for code in _WORDS},
        "interval": lambda text: labels.render("ui.key_figure_interval", page.lang, interval=text),
    }
    return fill_template("page.html.j2", values, lang=page.lang)
