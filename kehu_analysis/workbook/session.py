"""What a notebook works with: its data, its quarter, its language, and a place for what it finds."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kehu_analysis import labels
from kehu_analysis.actions import decisions, list_actions, readable
from kehu_analysis.data import Dataset, open_dataset
from kehu_analysis.data.dataset import project_folder
from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.errors import InsufficientDataError, ModelError, UsageError
from kehu_analysis.finding import Finding
from kehu_analysis.periods import Quarter
from kehu_analysis.plots import apply_theme
from kehu_analysis.plots.tables import table_html
from kehu_analysis.workbook import record
from kehu_analysis.workbook.previous import PREVIOUS_VARIABLE, PreviousReport, find_previous
from kehu_analysis.workbook.sentences import sentences

#: Set by the report while it runs the notebooks: where the snapshot is, and where findings go.
SNAPSHOT_VARIABLE = "KEHU_SNAPSHOT"
FINDINGS_VARIABLE = "KEHU_FINDINGS"
#: Set where notebooks are given a snapshot: where the data came from.
SOURCE_VARIABLE = "KEHU_SOURCE"
_CHART_DPI = 130
#: Shown in JupyterLab; the report fits charts to its page.
_CHART_WIDTH = 800
#: Customers of the list of actions that a page shows; the workbook has all.
_CUSTOMERS_SHOWN = 10
#: Columns of that list that only a spreadsheet has room for.
_NOT_ON_PAGE = ("chapter", "action_id")


@dataclass
class Workbook:
    """One notebook's session, opened by :func:`open_workbook`.

    Attributes
    ----------
    chapter
        The notebook's name without its number.
    dataset
        The company's data.
    quarter
        The quarter reported on.
    lang
        ``zh`` or ``en``.
    folder
        Where the chapters' findings are kept, each in a folder of its own.
    source
        Where the data came from, file or folder; None where that is not known.
    previous_folder
        Where the report of the quarter before would be; None where there is none to look at.
    """

    chapter: str
    dataset: Dataset
    quarter: Quarter
    lang: str
    folder: Path
    source: Path | None = None
    previous_folder: Path | None = None
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def as_of(self) -> date:
        """Last day counted: that of the quarter, or of the log where the quarter is unfinished."""
        return min(self.quarter.last_day, max(self.dataset.complete_until, self.dataset.last_date))

    @property
    def is_preview(self) -> bool:
        """Tell whether the quarter is unfinished."""
        return self.as_of < self.quarter.last_day

    @property
    def last_month(self) -> pd.Period:
        """Last month that is complete by the last day counted: averages take whole months."""
        # Where no month is complete yet there is only the first one.
        following = pd.Period(self.as_of + timedelta(days=1), freq="M")
        return max(following - 1, pd.Period(self.dataset.first_date, freq="M"))

    @property
    def calibration_end(self) -> date:
        """Last day before a holdout of up to four quarters, at most half of the quarters there are."""
        n_quarters = sum(quarter <= self.quarter for quarter in self.dataset.quarters())
        return self.quarter.shifted(-min(4, max(1, n_quarters // 2))).last_day

    def doubts(self) -> pd.DataFrame:
        """Return the doubts about the log as a whole, with first and last day."""
        return doubtful_periods(self.dataset.log_days(), timezone=self.dataset.timezone)

    def truth(self) -> pd.DataFrame | None:
        """Return what is known for certain of simulated customers, with who had left and when; None of any others.

        It is read from ``truth_customers.parquet`` or ``.csv`` beside the data, which ``kehu demo`` writes.
        """
        if self.source is None:
            return None
        folder = self.source if self.source.is_dir() else self.source.parent
        parquet, text = (folder / f"truth_customers.{suffix}" for suffix in ("parquet", "csv"))
        if parquet.is_file():
            found = pd.read_parquet(parquet)
        elif text.is_file():
            found = pd.read_csv(text, dtype="str")
        else:
            return None
        return found if {"customer_id", "left_on"} <= set(found.columns) else None

    def previous(self) -> PreviousReport | None:
        """Return the report of the quarter before: facts, tables, models and actions; None where there is none.

        Within a report it is the one that the report was given or found; in JupyterLab that in
        ``reports/‹dataset›/‹quarter before›``. It never tells of this quarter or a later one.

        Raises
        ------
        DataError
            It is there and cannot be read.
        """
        if self.previous_folder is None:
            return None
        return find_previous([self.previous_folder], dataset=self.dataset.name, quarter=self.quarter)

    def actions(self, findings: Sequence[Finding] = ()) -> Finding:
        """List what is to be done next quarter, from these findings or the chapter's own."""
        before = self.previous()
        listed = list_actions(
            findings or list(self.findings.values()),
            dataset=self.dataset.name,
            quarter=str(self.quarter),
            as_of=self.as_of,
            previous=None if before is None else before.actions,
        )
        return listed.in_currency(self.dataset.currency)

    def coming_quarters(self, n_quarters: int) -> list[int]:
        """Return the lengths in days of the quarters after the last day counted; of an unfinished one, the rest."""
        ahead = range(n_quarters) if self.is_preview else range(1, n_quarters + 1)
        following = self.as_of + timedelta(days=1)
        quarters = [self.quarter.shifted(number) for number in ahead]
        return [(quarter.end - max(quarter.start, following)).days for quarter in quarters]

    def run(self, analysis: Callable[..., Finding], *args: Any, **settings: Any) -> Finding:
        """Run one analysis and keep its finding; where the data cannot carry it, say so and go on."""
        finding = self.attempt(analysis, *args, **settings)
        self.findings[finding.name] = finding
        record.save_finding(finding, self.folder / self.chapter)
        record.note_order(self.folder / self.chapter, list(self.findings))
        return finding

    def attempt(self, analysis: Callable[..., Finding], *args: Any, **settings: Any) -> Finding:
        """Run one analysis like :meth:`run`, but keep nothing: for what another analysis is compared with."""
        name = analysis.__name__
        waited_for = next((arg for arg in args if isinstance(arg, Finding) and arg.not_run is not None), None)
        if waited_for is not None:
            finding = _not_run(name, *(waited_for.not_run or ("", {})))
        else:
            try:
                finding = analysis(*args, **settings)
            except (InsufficientDataError, ModelError) as error:
                finding = _not_run(name, error.code, error.details)
        named = replace(self.with_names(finding), chapter=self.chapter)
        return named.in_currency(self.dataset.currency)

    def show(
        self,
        finding: Finding,
        plot: Callable[..., Axes] | None = None,
        *,
        rows: int = 10,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Show a finding: the sentence, the chart if one is named, the first rows of the table, the notes.

        ``columns`` leaves out those that only a spreadsheet has room for; ``rows=0`` leaves out the table,
        ``rows=-12`` shows its last twelve.
        """
        self._say(finding.reading(self.lang))
        if finding.not_run is not None:
            return
        if plot is not None:
            self.draw(finding, plot)
        if rows:
            shown = [name for name in finding.table.columns if columns is None or name in ("name", *columns)]
            self.tabulate(finding.table[shown], currency=finding.currency, rows=rows)
        if notes := finding.note_texts(self.lang):
            self._say("\n".join(f"- {note}" for note in notes))

    def answer(self, findings: Sequence[Finding] = (), *, code: str = "answer") -> None:
        """Say the answer in at most three sentences, rendered from the chapter's findings (or those given)."""
        said = sentences(code, findings or list(self.findings.values()), self.lang)[:3]
        self._say(("" if self.lang == "zh" else " ").join(said) or labels.label("ui.no_answer", self.lang))

    def advise(self, findings: Sequence[Finding] = ()) -> None:
        """Show what to do next quarter: what the company has to decide, then the first customers of the list."""
        actions = self.with_names(self.actions(findings))
        if actions.table.empty:
            self._say(labels.label("ui.no_action", self.lang))
            return
        listed = [f"{rank}. {decision}" for rank, decision in enumerate(decisions(actions, self.lang), start=1)]
        self._say("\n".join([actions.reading(self.lang), "", *listed]).rstrip())
        customers = replace(actions, table=actions.table[actions.table["customer_id"] != ""])
        if len(customers.table):
            n, total = (
                labels.format_value(number, "count", self.lang)
                for number in (min(_CUSTOMERS_SHOWN, len(customers.table)), len(customers.table))
            )
            self._say(labels.render("ui.customers_to_contact", self.lang, n=n, total=total))
            shown = readable(customers, self.lang, rows=_CUSTOMERS_SHOWN)
            self.tabulate(shown.drop(columns=list(_NOT_ON_PAGE)), currency=self.dataset.currency)
        self._say("\n".join(f"- {note}" for note in actions.note_texts(self.lang)))

    def provenance(self) -> None:
        """Say what the chapter was made from: data, period, rows, version."""
        self._say("\n".join(f"- {name}: {value}" for name, value in describe_source(self).items()))

    def tabulate(self, table: pd.DataFrame, *, currency: str = "", rows: int = 20) -> None:
        """Show a table in the readers' words."""
        html = table_html(table, lang=self.lang, currency=currency, rows=rows)
        display({"text/html": html, "text/plain": " × ".join(map(str, table.shape))}, raw=True)

    def with_names(self, finding: Finding) -> Finding:
        """Return a finding with names beside the numbers of customers, where names are known."""
        names = self.dataset.customer_names()
        if names.empty or "customer_id" not in finding.table or "name" in finding.table:
            return finding
        table = finding.table.copy()
        table.insert(list(table.columns).index("customer_id") + 1, "name", table["customer_id"].map(names))
        return replace(finding, table=table)

    def _say(self, text: str) -> None:
        display({"text/markdown": text, "text/plain": text}, raw=True)

    def draw(self, finding: Finding, plot: Callable[..., Axes]) -> None:
        """Draw one chart of a finding, without words; nothing where it was not run."""
        if finding.not_run is not None:
            return
        figure = Figure()
        plot(finding, lang=self.lang, ax=figure.add_subplot())
        image = BytesIO()
        figure.savefig(image, format="png", dpi=_CHART_DPI)
        alt = f"{finding.title(self.lang)}: {finding.reading(self.lang)}"
        encoded = base64.b64encode(image.getvalue()).decode("ascii")
        display(
            {"image/png": encoded, "text/plain": alt},
            raw=True,
            metadata={"image/png": {"alt": alt, "width": _CHART_WIDTH}},
        )


def open_workbook(chapter: str, data: str | os.PathLike[str], quarter: str = "", lang: str = "zh") -> Workbook:
    """Open the data of a notebook and choose its quarter.

    Parameters
    ----------
    chapter
        The notebook's name without its number, e.g. ``segmentation``.
    data
        A folder or file for :func:`kehu_analysis.open_dataset`.
    quarter
        Like ``2026Q3``; empty for the last complete one.
    lang
        ``zh`` or ``en``.

    Raises
    ------
    DataError
        The data cannot be used.
    UsageError
        The quarter is none, or the data do not cover it.
    """
    snapshot = os.environ.get(SNAPSHOT_VARIABLE)
    dataset = open_dataset(snapshot or data)
    # A run of the report may be a preview; a person in JupyterLab sees an unfinished quarter by asking for it.
    chosen = choose_quarter(dataset, quarter, preview=True)
    findings = os.environ.get(FINDINGS_VARIABLE)
    folder = Path(findings) if findings else dataset.snapshot / "findings" / str(chosen)
    record.begin(folder / chapter)
    apply_theme()
    source = Path(os.environ.get(SOURCE_VARIABLE) or data)
    before = os.environ.get(PREVIOUS_VARIABLE)
    if before is None:
        before = str(project_folder() / "reports" / dataset.name / str(chosen.previous()))
    return Workbook(chapter, dataset, chosen, lang, folder, source, Path(before) if before else None)


def choose_quarter(dataset: Dataset, text: str, *, preview: bool = False) -> Quarter:
    """Return the quarter asked for, or the last complete one; where none is complete yet, the last one begun.

    Raises
    ------
    UsageError
        The text is no quarter; the data do not cover it; it is unfinished and no preview was asked for.
    """
    complete, last = dataset.quarters(), dataset.last_quarter()
    if not text:
        return complete[-1] if complete else last
    try:
        quarter = Quarter.parse(text, fiscal_year_start=dataset.fiscal_year_start)
    except ValueError:
        raise UsageError("not_a_quarter", text=text) from None
    if quarter in complete or (preview and quarter == last):
        return quarter
    listed = ", ".join(map(str, complete)) or "–"
    if quarter == last:
        raise UsageError("unfinished_quarter", quarter=quarter, until=dataset.complete_until, quarters=listed)
    raise UsageError("unknown_quarter", quarter=quarter, quarters=listed)


def describe_source(book: Workbook) -> dict[str, str]:
    """Return what a reader must know of a report's origin, label and text."""
    dataset, lang = book.dataset, book.lang
    values = {
        "dataset": dataset.name,
        "period": f"{book.quarter}, {book.quarter.start} – {book.as_of}",
        "log": f"{dataset.first_date} – {dataset.last_date}",
        "n_lines": labels.format_value(dataset.account["log"]["n_lines"], "lines", lang),
        "content_hash": dataset.content_hash[:16],
        "version": version("kehu_analysis"),
    }
    return {labels.label(f"source.{name}", lang): text for name, text in values.items()}


def _not_run(name: str, code: str, details: Mapping[str, object]) -> Finding:
    return Finding(name, pd.DataFrame(), {}, not_run=(code, details))
