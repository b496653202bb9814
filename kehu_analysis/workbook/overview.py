"""What the chapters found, brought together."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from itertools import chain

import pandas as pd
from tqdm import tqdm

from kehu_analysis import labels
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.workbook import record
from kehu_analysis.workbook.parameters import CHAPTERS
from kehu_analysis.workbook.session import FINDINGS_VARIABLE, SOURCE_VARIABLE, Workbook

#: What a manager sees first: finding, fact, and the fact that tells its change since the quarter before.
KEY_FIGURES = (
    ("quarter_sales", "amount", "change_on_quarter"),
    ("quarter_sales", "n_active", None),
    ("quarter_sales", "n_new", None),
    ("grade_customers", "share_of_sales_a", None),
    ("cohort_retention", "retention_1", None),
    ("overdue_customers", "n_overdue", None),
    ("purchase_forecast", "expected_amount", None),
    ("data_quality", "n_customers", None),
)
_LONGEST_SECONDS = 600


def gather(book: Workbook) -> list[Finding]:
    """Return the findings of all chapters for the book's data and quarter, in the order of the chapters.

    Within a report they are those of the chapters it runs. In JupyterLab, chapters that have not been run yet for
    this data and quarter are run now, with a progress bar.
    """
    if FINDINGS_VARIABLE not in os.environ:
        missing = [name for name in CHAPTERS if not record.is_recorded(book.folder / name)]
        # On stdout: JupyterLab shows what comes on stderr like an error.
        for name in tqdm(missing, disable=not missing, file=sys.stdout):
            _run_here(book, name)
    return list(chain.from_iterable(record.load_findings(book.folder / name) for name in CHAPTERS))


def _run_here(book: Workbook, chapter: str) -> None:
    # Only here: papermill takes seconds to import, and a kernel that runs inside a report never needs it.
    from kehu_analysis.workbook.execute import execute_chapter, kernel_environment, notebook_path
    from kehu_analysis.workbook.kernels import kernels

    source = notebook_path(chapter)
    output = book.folder / f"{source.stem}.executed.ipynb"
    told = {"data": str(book.dataset.snapshot), "quarter": str(book.quarter), "lang": book.lang}
    # A path of this machine stands in no notebook.
    known = {} if book.source is None else {SOURCE_VARIABLE: str(book.source.absolute())}
    deadline = time.monotonic() + _LONGEST_SECONDS
    with kernel_environment(known), kernels(preload=False) as settings:
        try:
            execute_chapter(source, output, told, deadline=deadline, kernel_settings=settings)
        except BaseException:
            record.begin(book.folder / chapter)  # half of a chapter would be taken for the whole next time
            raise


def key_figures(findings: Sequence[Finding], lang: str = "zh") -> pd.DataFrame:
    """Write the key figures as text: figure, value, range (of its interval, if it has one), change.

    Figures of findings that were not run are left out.
    """
    by_name = {finding.name: finding for finding in findings if finding.not_run is None}
    rows = []
    for name, fact_name, change_name in KEY_FIGURES:
        finding = by_name.get(name)
        if finding is None or fact_name not in finding.facts:
            continue
        text = finding.prose(lang)
        ends = [text.get(f"{fact_name}_{end}") for end in ("low", "high")]
        rows.append(
            {
                "figure": labels.label(f"key_figure.{name}.{fact_name}", lang),
                "value": _with_unit(text[fact_name], finding.facts[fact_name], lang),
                "range": " – ".join(end for end in ends if end is not None),
                "change": _change(finding.facts.get(change_name or ""), lang),
            }
        )
    return pd.DataFrame(rows, columns=["figure", "value", "range", "change"])


def _with_unit(text: str, fact: Fact, lang: str) -> str:
    return labels.render("ui.customers_counted", lang, n=text) if fact.unit == "customers" else text


def _change(fact: Fact | None, lang: str) -> str:
    if fact is None or labels.is_missing(fact.value):
        return ""
    sign = "+" if isinstance(fact.value, (int, float)) and fact.value > 0 else ""
    return labels.render("ui.change_on_quarter", lang, change=sign + labels.format_value(fact.value, fact.unit, lang))


def pick(findings: Sequence[Finding], name: str) -> Finding:
    """Return one finding by its name; one that no chapter made stands as not run."""
    made = (finding for finding in findings if finding.name == name)
    return next(made, Finding(name, pd.DataFrame(), {}, not_run=("chapter_not_run", {})))


def not_run(findings: Sequence[Finding], lang: str = "zh") -> pd.DataFrame:
    """List which analyses the data could not carry, and why: analysis, reason."""
    missing = [finding for finding in findings if finding.not_run is not None]
    rows = [{"analysis": finding.title(lang), "reason": finding.reading(lang)} for finding in missing]
    return pd.DataFrame(rows, columns=["analysis", "reason"])
