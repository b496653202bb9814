"""Make the quarterly report: check, run the notebooks two at a time, put everything together, put it in place."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop

from kehu_analysis import labels
from kehu_analysis.actions import readable
from kehu_analysis.data import Dataset, default_cache, open_dataset
from kehu_analysis.data.folders import reports_folder
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.finding import Finding
from kehu_analysis.report.excel import write_workbook
from kehu_analysis.report.folder import MADE_BY, MANIFEST, check_target, list_files, staging, target_of
from kehu_analysis.report.html import Chapter, KeyFigure, NotRun, Page, render_page
from kehu_analysis.report.json_files import commit, write_json
from kehu_analysis.report.progress import Progress
from kehu_analysis.report.schedule import run_all, run_in_order
from kehu_analysis.workbook import key_figures, record
from kehu_analysis.workbook.chapters import CHAPTERS, OVERVIEW, ChapterRecord, chosen, with_prerequisites
from kehu_analysis.workbook.execute import Execution, execute_chapter, kernel_environment
from kehu_analysis.workbook.kernels import kernels
from kehu_analysis.workbook.own_chapters import NOTEBOOKS_VARIABLE, chapters_in
from kehu_analysis.workbook.parameters import Parameters, share_out
from kehu_analysis.workbook.previous import PREVIOUS_VARIABLE, PreviousReport, choose_previous
from kehu_analysis.workbook.quarters import choose_quarter
from kehu_analysis.workbook.session import (
    FINDINGS_VARIABLE,
    SNAPSHOT_VARIABLE,
    SOURCE_VARIABLE,
    Workbook,
)

_AT_A_TIME = 2
#: Of the list of actions the workbook holds what people work through; all of it is in ``actions.parquet``.
_ACTIONS_ON_SHEET = 10_000
_VERSIONS_OF = ("kehu_analysis", "pandas", "numpy", "scipy", "statsmodels", "scikit-learn", "duckdb", "matplotlib")
#: Two kernels share the cores; more threads in each would only make them wait, and sums would depend on their number.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass
class _Run:
    """What one run of the report is about: ``chapters`` are shown, ``executed`` are those and what they come after."""

    source: Path
    dataset: Dataset
    quarter_text: str
    lang: str
    overview: ChapterRecord
    chapters: tuple[ChapterRecord, ...]
    executed: tuple[ChapterRecord, ...]
    told: dict[str, dict[str, Any]]
    deadline: float
    progress: Progress
    notebooks_folder: Path | None
    previous: PreviousReport | None
    seconds: dict[str, float] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)


def make_report(
    data: str | os.PathLike[str],
    *,
    quarter: str = "",
    lang: str = "zh",
    out: str | os.PathLike[str] | None = None,
    only: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    preview: bool = False,
    timeout_seconds: float = 1800.0,
    notebooks_folder: Path | None = None,
    previous: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make the report of one quarter and return its folder.

    Parameters
    ----------
    data
        A folder or file with transactions (see :func:`kehu_analysis.open_dataset`).
    quarter
        Like ``2026Q3``; by default the last complete one.
    lang
        ``zh`` or ``en``.
    out
        The folder that becomes the report; by default ``reports/<dataset>/<quarter>``.
    only
        Chapters to show; all by default. Those whose findings they take are run with them.
    parameters
        Values for the notebooks' declared parameters.
    preview
        Allow a quarter that is not over.
    timeout_seconds
        For all notebooks together.
    notebooks_folder
        Notebooks that stand in for the project's, and chapters of one's own
        (see :func:`kehu_analysis.workbook.own_chapters.chapters_in`).
    previous
        An earlier report; by default that of the quarter before, beside the new one or in ``reports/<dataset>``.
    progress
        Told what is being done.

    Raises
    ------
    UsageError
        An unknown quarter, chapter or parameter, a target that holds something else, or a ``previous`` that is none.
    DataError
        The data, or the earlier report, cannot be used.
    RunError
        A notebook failed, or the target cannot be written.
    """
    started = time.monotonic()
    overview, *known = chapters_in(notebooks_folder)
    chapters = chosen(only, known)
    executed = with_prerequisites(chapters, known)
    if taken := [name for name in parameters or {} if name in Parameters.model_fields]:
        raise UsageError("parameter_is_option", names=", ".join(taken))
    schemas = {chapter.name: chapter.parameters for chapter in (*executed, overview)}
    told = share_out({**(parameters or {}), "lang": lang}, schemas)
    target = target_of(Path(out)) if out is not None else None
    if target is not None:
        check_target(target)
    progress = progress or Progress(lang, quiet=True)
    dataset = open_dataset(data, cache=default_cache(target), progress=progress.reading)
    reported = choose_quarter(dataset, quarter, preview=preview)
    for values in told.values():
        values |= {"data": dataset.name, "quarter": str(reported)}
    reports = reports_folder()
    target = target or reports / dataset.name / str(reported)
    run = _Run(
        Path(data), dataset, str(reported), lang, overview, chapters, executed, told, started + timeout_seconds,
        progress, notebooks_folder,
        choose_previous(previous, target, reports, dataset=dataset.name, quarter=reported),
    )  # fmt: skip
    run.seconds["data"] = time.monotonic() - started
    try:
        with staging(target) as building:
            _put_together(run, building, _run_notebooks(run, building))
            run.seconds["total"] = time.monotonic() - started
            _write_manifest(run, building, parameters or {})
    finally:
        progress.close()
    return target


def _run_notebooks(run: _Run, building: Path) -> dict[str, list[Finding]]:
    notebooks, findings = building / "notebooks", building / "findings"
    notebooks.mkdir()
    findings.mkdir()
    sources = {chapter.name: _notebook(chapter) for chapter in (*run.executed, run.overview)}
    environment = {
        SNAPSHOT_VARIABLE: str(run.dataset.snapshot.absolute()),
        SOURCE_VARIABLE: str(run.source.absolute()),
        FINDINGS_VARIABLE: str(findings.absolute()),
        PREVIOUS_VARIABLE: str(run.previous.folder.absolute()) if run.previous else "",
        **_ONE_THREAD,
    }
    if run.notebooks_folder is not None:
        environment[NOTEBOOKS_VARIABLE] = str(run.notebooks_folder.absolute())

    def execute(name: str) -> None:
        source = sources[name]
        try:
            with run.progress.notebook(source.stem):
                run.executions[name] = execute_chapter(
                    source,
                    notebooks / source.name,
                    run.told[name],
                    deadline=run.deadline,
                    on_cell=run.progress.step,
                    kernel_settings=settings,
                )
        finally:
            ensure_event_loop().close()  # nbclient made one for this thread and leaves it open

    started = time.monotonic()
    run.progress.begin(list(sources.values()))
    with kernel_environment(environment), kernels() as settings, ThreadPoolExecutor(_AT_A_TIME) as pool:
        run_in_order(pool, run.executed, execute, at_a_time=_AT_A_TIME)
        # What was run for the sake of another chapter alone is not told.
        for chapter in set(run.executed) - set(run.chapters):
            shutil.rmtree(findings / chapter.name, ignore_errors=True)
        by_chapter = {
            chapter.name: _findings_of(findings, chapter.name, sources[chapter.name]) for chapter in run.chapters
        }
        # The overview is made last, from what the others found; its kernel leaves one core to the spreadsheet.
        write = partial(_write_spreadsheet, run, building, by_chapter)
        run_all(pool, [partial(execute, OVERVIEW.name), write])
    run.seconds["notebooks"] = time.monotonic() - started
    return by_chapter


def _findings_of(folder: Path, chapter: str, notebook: Path) -> list[Finding]:
    # A chapter of one's own may have none.
    if not record.is_recorded(folder / chapter) and chapter in {ours.name for ours in CHAPTERS}:
        raise RunError("chapter_is_empty", chapter=chapter, notebook=notebook.name)
    try:
        return record.load_findings(folder / chapter)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError("findings_unreadable", chapter=chapter) from error


def _notebook(chapter: ChapterRecord) -> Path:
    assert chapter.notebook is not None
    return chapter.notebook


def _put_together(run: _Run, building: Path, by_chapter: Mapping[str, Sequence[Finding]]) -> None:
    started = time.monotonic()
    run.progress.writing()
    findings = [finding for found in by_chapter.values() for finding in found]
    _write_metrics(run, building / "metrics.json", by_chapter)
    tables = building / "tables"
    tables.mkdir()
    for chapter in run.chapters:
        for path in sorted((building / "findings" / chapter.name).glob("*.parquet")):
            # A chapter of one's own may make a finding that another one makes, too.
            taken = (tables / path.name).exists()
            path.rename(tables / (f"{chapter.name}.{path.name}" if taken else path.name))
    shutil.rmtree(building / "findings")
    page = _page(run, findings)
    chapters = [
        Chapter(_notebook(chapter).stem, run.executions[chapter.name].notebook)
        for chapter in (run.overview, *run.chapters)
    ]
    (building / "index.html").write_text(render_page(chapters, page=page), encoding="utf-8")
    run.seconds["page_and_tables"] = time.monotonic() - started


def _write_spreadsheet(run: _Run, building: Path, by_chapter: Mapping[str, Sequence[Finding]]) -> None:
    book = _book(run)
    findings = [finding for found in by_chapter.values() for finding in found]
    actions = book.actions(findings)
    actions.table.to_parquet(building / "actions.parquet", index=False)
    sheet = replace(actions, table=readable(book.with_names(actions), run.lang, rows=_ACTIONS_ON_SHEET))
    write_workbook(
        [sheet, *findings],
        building / "report.xlsx",
        lang=run.lang,
        title=f"{run.dataset.name} {labels.label('ui.report_title', run.lang)}",
        period=f"{book.quarter}: {book.quarter.start} – {book.as_of}",
        provenance=book.origin(),
    )


def _page(run: _Run, findings: list[Finding]) -> Page:
    book = _book(run)
    figures = [
        KeyFigure(row["figure"], row["value"], row["change"], row["range"])
        for row in key_figures(findings, run.lang).to_dict("records")
    ]
    made = {labels.label("source.made_on", run.lang): date.today().isoformat()}
    return Page(
        lang=run.lang,
        title=labels.label("ui.report_title", run.lang),
        dataset=run.dataset.name,
        quarter=run.quarter_text,
        first_day=str(book.quarter.start),
        last_day=str(book.as_of),
        key_figures=figures,
        provenance={**book.origin(), **made},
        preview=book.is_preview,
        not_run=[NotRun(f.title(run.lang), f.reading(run.lang)) for f in findings if f.not_run is not None],
    )


def _book(run: _Run) -> Workbook:
    quarter = choose_quarter(run.dataset, run.quarter_text, preview=True)
    before = run.previous.folder if run.previous else None
    return Workbook(OVERVIEW.name, run.dataset, quarter, run.lang, Path(), previous_folder=before)


def _write_metrics(run: _Run, path: Path, by_chapter: Mapping[str, Sequence[Finding]]) -> None:
    book = _book(run)
    metrics = {
        "dataset": run.dataset.name,
        "quarter": run.quarter_text,
        "as_of": book.as_of.isoformat(),
        "currency": run.dataset.currency,
        "preview": book.is_preview,
        "facts": {
            chapter: {finding.name: record.facts_as_json(finding) for finding in findings if finding.not_run is None}
            for chapter, findings in by_chapter.items()
        },
        "not_run": {
            finding.name: finding.not_run[0]
            for findings in by_chapter.values()
            for finding in findings
            if finding.not_run is not None
        },
    }
    write_json(path, metrics)


def _write_manifest(run: _Run, building: Path, parameters: Mapping[str, Any]) -> None:
    notebooks = {
        name: {
            "seconds": round(done.seconds, 3),
            "kernel_seconds": round(done.kernel_seconds, 3),
            "import_seconds": round(done.import_seconds, 3),
            "work_seconds": round(done.work_seconds, 3),
        }
        for name, done in run.executions.items()
    }
    manifest = {
        "made_by": MADE_BY,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": run.dataset.name,
        "quarter": run.quarter_text,
        "lang": run.lang,
        "chapters": [chapter.name for chapter in run.chapters],
        "parameters": dict(parameters),
        "content_hash": run.dataset.content_hash,
        "previous": run.previous and run.previous.as_input(),
        "tables": run.dataset.account["tables"],
        "engine": "duckdb",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONS_OF},
        "commit": commit(),
        "seconds": {name: round(seconds, 3) for name, seconds in run.seconds.items()},
        "notebooks": notebooks,
        "files": list_files(building),
    }
    write_json(building / MANIFEST, manifest)
