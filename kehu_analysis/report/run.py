"""Make the quarterly report: check, run the notebooks two at a time, put everything together, put it in place."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop

from kehu_analysis import labels
from kehu_analysis.data import Dataset, default_cache, open_dataset
from kehu_analysis.data.dataset import project_folder
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.finding import Finding
from kehu_analysis.report.excel import write_workbook
from kehu_analysis.report.folder import MADE_BY, MANIFEST, check_target, list_files, staging, target_of
from kehu_analysis.report.html import Chapter, KeyFigure, NotRun, Page, render_page
from kehu_analysis.report.progress import Progress
from kehu_analysis.workbook import key_figures, record
from kehu_analysis.workbook.execute import Execution, execute_chapter, kernel_environment, notebook_path
from kehu_analysis.workbook.kernels import end_kernels, kernels
from kehu_analysis.workbook.parameters import CHAPTERS, OVERVIEW, Parameters, share_out
from kehu_analysis.workbook.session import (
    FINDINGS_VARIABLE,
    SNAPSHOT_VARIABLE,
    SOURCE_VARIABLE,
    Workbook,
    choose_quarter,
    describe_source,
)

_AT_A_TIME = 2
_LOOK_AGAIN_SECONDS = 0.2
_VERSIONS_OF = ("kehu_analysis", "pandas", "numpy", "scipy", "statsmodels", "scikit-learn", "duckdb", "matplotlib")
#: Two kernels share the cores; more threads in each would only make them wait, and sums would depend on their number.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass
class _Run:
    """What one run of the report is about."""

    source: Path
    dataset: Dataset
    quarter_text: str
    lang: str
    chapters: tuple[str, ...]
    told: dict[str, dict[str, Any]]
    deadline: float
    progress: Progress
    notebooks_folder: Path | None
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
        Chapters to run; all by default.
    parameters
        Values for the notebooks' declared parameters.
    preview
        Allow a quarter that is not over.
    timeout_seconds
        For all notebooks together.
    notebooks_folder
        Where the notebooks are; by default the project's.
    progress
        Told what is being done.

    Raises
    ------
    UsageError
        An unknown quarter, chapter or parameter, or a target that holds something else.
    DataError
        The data cannot be used.
    RunError
        A notebook failed, or the target cannot be written.
    """
    started = time.monotonic()
    if unknown := [name for name in only if name not in CHAPTERS]:
        raise UsageError("unknown_chapter", names=", ".join(unknown), known=", ".join(CHAPTERS))
    chapters = tuple(name for name in CHAPTERS if not only or name in only)
    if taken := [name for name in parameters or {} if name in Parameters.model_fields]:
        raise UsageError("parameter_is_option", names=", ".join(taken))
    told = share_out({**(parameters or {}), "lang": lang}, (*chapters, OVERVIEW))
    target = target_of(Path(out)) if out is not None else None
    if target is not None:
        check_target(target)
    progress = progress or Progress(lang, quiet=True)
    dataset = open_dataset(data, cache=default_cache(target), progress=progress.reading)
    chosen = choose_quarter(dataset, quarter, preview=preview)
    for values in told.values():
        values |= {"data": dataset.name, "quarter": str(chosen)}
    run = _Run(
        Path(data), dataset, str(chosen), lang, chapters, told, started + timeout_seconds, progress, notebooks_folder,
    )  # fmt: skip
    run.seconds["data"] = time.monotonic() - started
    target = target or project_folder() / "reports" / dataset.name / str(chosen)
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
    sources = {name: notebook_path(name, run.notebooks_folder) for name in (*run.chapters, OVERVIEW)}
    environment = {
        SNAPSHOT_VARIABLE: str(run.dataset.snapshot.absolute()),
        SOURCE_VARIABLE: str(run.source.absolute()),
        FINDINGS_VARIABLE: str(findings.absolute()),
        **_ONE_THREAD,
    }

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
        # The last chapter works longest, so it starts first.
        _await([pool.submit(execute, name) for name in reversed(run.chapters)])
        by_chapter = {name: _findings_of(findings, name, sources[name]) for name in run.chapters}
        # The overview is made last, from what the others found; its kernel leaves one core to the spreadsheet.
        _await([pool.submit(execute, OVERVIEW), pool.submit(_write_spreadsheet, run, building, by_chapter)])
    run.seconds["notebooks"] = time.monotonic() - started
    return by_chapter


def _findings_of(folder: Path, chapter: str, notebook: Path) -> list[Finding]:
    if not record.is_recorded(folder / chapter):
        raise RunError("chapter_is_empty", chapter=chapter, notebook=notebook.name)
    try:
        return record.load_findings(folder / chapter)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError("findings_unreadable", chapter=chapter) from error


def _await(futures: Sequence[Future[None]]) -> None:
    """Wait until all is done; when something fails, or somebody stops the run, stop the rest at once."""
    try:
        done = wait(futures, return_when=FIRST_EXCEPTION).done
        for future in futures:
            if future in done:
                future.result()
    except BaseException:
        for future in futures:
            future.cancel()
        while wait(futures, timeout=_LOOK_AGAIN_SECONDS).not_done:
            end_kernels()
        raise


def _put_together(run: _Run, building: Path, by_chapter: Mapping[str, Sequence[Finding]]) -> None:
    started = time.monotonic()
    run.progress.writing()
    findings = [finding for found in by_chapter.values() for finding in found]
    _write_metrics(run, building / "metrics.json", by_chapter)
    tables = building / "tables"
    tables.mkdir()
    for name in run.chapters:
        for path in sorted((building / "findings" / name).glob("*.parquet")):
            path.rename(tables / path.name)
    shutil.rmtree(building / "findings")
    page = _page(run, findings)
    chapters = [
        Chapter(notebook_path(name, run.notebooks_folder).stem, run.executions[name].notebook)
        for name in (OVERVIEW, *run.chapters)
    ]
    (building / "index.html").write_text(render_page(chapters, page=page), encoding="utf-8")
    run.seconds["page_and_tables"] = time.monotonic() - started


def _write_spreadsheet(run: _Run, building: Path, by_chapter: Mapping[str, Sequence[Finding]]) -> None:
    book = _book(run)
    write_workbook(
        [finding for found in by_chapter.values() for finding in found],
        building / "report.xlsx",
        lang=run.lang,
        title=f"{run.dataset.name} {labels.label('ui.report_title', run.lang)}",
        period=f"{book.quarter}: {book.quarter.start} – {book.as_of}",
        provenance=describe_source(book),
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
        provenance={**describe_source(book), **made},
        preview=book.is_preview,
        not_run=[NotRun(f.title(run.lang), f.reading(run.lang)) for f in findings if f.not_run is not None],
    )


def _book(run: _Run) -> Workbook:
    quarter = choose_quarter(run.dataset, run.quarter_text, preview=True)
    return Workbook(OVERVIEW, run.dataset, quarter, run.lang, Path())


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
    _write_json(path, metrics)


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
        "chapters": list(run.chapters),
        "parameters": dict(parameters),
        "content_hash": run.dataset.content_hash,
        "tables": run.dataset.account["tables"],
        "engine": "duckdb",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONS_OF},
        "commit": _commit(),
        "seconds": {name: round(seconds, 3) for name, seconds in run.seconds.items()},
        "notebooks": notebooks,
        "files": list_files(building),
    }
    _write_json(building / MANIFEST, manifest)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
