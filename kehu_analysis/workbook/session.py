"""What a notebook works with: its data, its quarter, its language, and a place for what it finds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from kehu_analysis import labels
from kehu_analysis.actions import list_actions
from kehu_analysis.data import Dataset, open_dataset
from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.data.folders import reports_folder
from kehu_analysis.errors import InsufficientDataError, ModelError
from kehu_analysis.finding import Finding
from kehu_analysis.periods import Quarter
from kehu_analysis.plots import apply_theme
from kehu_analysis.workbook import display
from kehu_analysis.workbook import record as findings_on_disk
from kehu_analysis.workbook.chapters import ChapterRecord
from kehu_analysis.workbook.lacking import happened_by, lacking, reason_of_all
from kehu_analysis.workbook.own_chapters import chapters_in, notebooks_folder, record_named
from kehu_analysis.workbook.previous import PREVIOUS_VARIABLE, PreviousReport, find_previous
from kehu_analysis.workbook.provenance import describe_source
from kehu_analysis.workbook.quarters import choose_quarter
from kehu_analysis.workbook.sentences import sentences
from kehu_analysis.workbook.truth import truth_beside

#: Set by the report while it runs the notebooks: where the snapshot is, and where findings go.
SNAPSHOT_VARIABLE = "KEHU_SNAPSHOT"
FINDINGS_VARIABLE = "KEHU_FINDINGS"
#: Set where notebooks are given a snapshot: where the data came from.
SOURCE_VARIABLE = "KEHU_SOURCE"
#: A chapter that another one waits for in JupyterLab.
_LONGEST_SECONDS = 600


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
        data = self.dataset
        return doubtful_periods(data.log_days(), timezone=data.timezone, own_calendar=data.own_calendar())

    def truth(self) -> pd.DataFrame | None:
        """Return what is known for certain of simulated customers, with who had left and when; None of any others."""
        return None if self.source is None else truth_beside(self.source)

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

    @property
    def record(self) -> ChapterRecord:
        """What is known of the chapter without running it."""
        return record_named(self.chapter)

    def table(self, name: str) -> pd.DataFrame | Finding:
        """Return a table other than the log, with what happened by the last day counted.

        Where the data lack it, or a column of it that the chapter ``needs``, what is returned stands for that: an
        analysis given it is not run and says why.

        Raises
        ------
        LookupError
            The chapter's record does not name the table.
        """
        needs = [source for source in self.record.needs if source.partition(".")[0] == name]
        if not self.record.declares(name):
            raise LookupError(f"chapter {self.chapter!r} names {name!r} neither in needs nor in uses")
        return lacking(self.dataset, needs or [name]) or happened_by(self.dataset.table(name), name, self.as_of)

    def summary(self, summarise: Callable[..., pd.DataFrame], *needs: str, **settings: Any) -> pd.DataFrame | Finding:
        """Return a summary as of the last day counted, ``summarise(dataset, as_of, **settings)``.

        Where the data lack a table or column that it ``needs`` (``transactions.cost``), what is returned stands for
        that: an analysis given it is not run and says why.

        Raises
        ------
        LookupError
            The chapter's record does not name what is needed.
        """
        if undeclared := [source for source in needs if not self.record.declares(source)]:
            raise LookupError(f"chapter {self.chapter!r} names {undeclared} neither in needs nor in uses")
        return lacking(self.dataset, needs) or summarise(self.dataset, self.as_of, **settings)

    def finding(self, name: str) -> Finding:
        """Return a finding of this chapter, or of one that its record names in ``after``.

        Within a report such a chapter has been run before this one; in JupyterLab it is run now, if it has not been for
        this data and quarter.

        Raises
        ------
        LookupError
            None of these chapters makes the finding.
        """
        if name in self.findings:
            return self.findings[name]
        before = [record for record in chapters_in(notebooks_folder()) if record.name in self.record.after]
        for chapter in before:
            if self.waits_for(chapter):
                self.run_chapter(chapter)
            for finding in findings_on_disk.load_findings(self.folder / chapter.name):
                if finding.name == name:
                    return finding
        raise LookupError(
            f"no finding {name!r} of chapter {self.chapter!r} or of those it comes after ({self.record.after}): "
            "name the chapter that makes it under `after` in its record (workbook/chapters.py)"
        )

    def waits_for(self, chapter: ChapterRecord) -> bool:
        """Tell whether another chapter has to be run here first: in a report that has been seen to."""
        return FINDINGS_VARIABLE not in os.environ and not findings_on_disk.is_recorded(self.folder / chapter.name)

    def run_chapter(self, chapter: ChapterRecord) -> None:
        """Run another chapter for the same data, quarter and language, and keep its findings."""
        # Only here: papermill takes seconds to import, and a kernel that runs inside a report never needs it.
        from kehu_analysis.workbook.execute import execute_chapter, kernel_environment
        from kehu_analysis.workbook.kernels import kernels

        source = chapter.notebook
        assert source is not None
        output = self.folder / f"{source.stem}.executed.ipynb"
        told = {"data": str(self.dataset.snapshot), "quarter": str(self.quarter), "lang": self.lang}
        # A path of this machine stands in no notebook.
        known = {} if self.source is None else {SOURCE_VARIABLE: str(self.source.absolute())}
        deadline = time.monotonic() + _LONGEST_SECONDS
        with kernel_environment(known), kernels(preload=False) as settings:
            try:
                execute_chapter(source, output, told, deadline=deadline, kernel_settings=settings)
            except BaseException:
                findings_on_disk.begin(self.folder / chapter.name)  # half of it would be taken for the whole next time
                raise

    def run(self, analysis: Callable[..., Finding], *args: Any, **settings: Any) -> Finding:
        """Run one analysis and keep its finding; where the data cannot carry it, say so and go on."""
        finding = self.attempt(analysis, *args, **settings)
        self.findings[finding.name] = finding
        findings_on_disk.save_finding(finding, self.folder / self.chapter)
        findings_on_disk.note_order(self.folder / self.chapter, list(self.findings))
        return finding

    def attempt(self, analysis: Callable[..., Finding], *args: Any, **settings: Any) -> Finding:
        """Run one analysis like :meth:`run`, but keep nothing: for what another analysis is compared with."""
        name = analysis.__name__
        waited_for = [arg.not_run for arg in args if isinstance(arg, Finding) and arg.not_run is not None]
        if waited_for:
            finding = _not_run(name, *reason_of_all(waited_for))
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
        display.say(finding.reading(self.lang))
        if finding.not_run is not None:
            return
        if plot is not None:
            self.draw(finding, plot)
        if rows:
            shown = [name for name in finding.table.columns if columns is None or name in ("name", *columns)]
            self.tabulate(finding.table[shown], currency=finding.currency, rows=rows)
        if notes := finding.note_texts(self.lang):
            display.say("\n".join(f"- {note}" for note in notes))

    def answer(self, findings: Sequence[Finding] = (), *, code: str = "answer") -> None:
        """Say the answer in at most three sentences, rendered from the chapter's findings (or those given)."""
        said = sentences(code, findings or list(self.findings.values()), self.lang)[:3]
        display.say(("" if self.lang == "zh" else " ").join(said) or labels.label("ui.no_answer", self.lang))

    def advise(self, findings: Sequence[Finding] = ()) -> None:
        """Show what to do next quarter: what the company has to decide, then the first customers of the list."""
        actions = self.with_names(self.actions(findings))
        display.advise(actions, lang=self.lang, currency=self.dataset.currency)

    def origin(self) -> dict[str, str]:
        """Return where the chapter comes from, label and text."""
        period = f"{self.quarter}, {self.quarter.start} – {self.as_of}"
        return describe_source(self.dataset, period=period, lang=self.lang)

    def provenance(self) -> None:
        """Say what the chapter was made from: data, period, rows, version."""
        display.say("\n".join(f"- {name}: {value}" for name, value in self.origin().items()))

    def tabulate(self, table: pd.DataFrame, *, currency: str = "", rows: int = 20) -> None:
        """Show a table in the readers' words."""
        display.tabulate(table, lang=self.lang, currency=currency, rows=rows)

    def draw(self, finding: Finding, plot: Callable[..., Axes]) -> None:
        """Draw one chart of a finding, without words; nothing where it was not run."""
        if finding.not_run is None:
            display.draw(finding, plot, lang=self.lang)

    def with_names(self, finding: Finding) -> Finding:
        """Return a finding with names beside the numbers of customers, where names are known."""
        names = self.dataset.customer_names()
        if names.empty or "customer_id" not in finding.table or "name" in finding.table:
            return finding
        table = finding.table.copy()
        table.insert(list(table.columns).index("customer_id") + 1, "name", table["customer_id"].map(names))
        return replace(finding, table=table)


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
    findings_on_disk.begin(folder / chapter)
    apply_theme()
    source = Path(os.environ.get(SOURCE_VARIABLE) or data)
    before = os.environ.get(PREVIOUS_VARIABLE)
    if before is None:
        before = str(reports_folder() / dataset.name / str(chosen.previous()))
    return Workbook(chapter, dataset, chosen, lang, folder, source, Path(before) if before else None)


def _not_run(name: str, code: str, details: Mapping[str, object]) -> Finding:
    return Finding(name, pd.DataFrame(), {}, not_run=(code, details))
