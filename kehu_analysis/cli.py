"""The ``kehu`` command: thin, all work is done elsewhere."""

from __future__ import annotations

import io
import itertools
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Never

import click

from kehu_analysis import labels
from kehu_analysis.data import check_dataset, default_cache, open_dataset
from kehu_analysis.errors import DataError, KehuError, RunError, UsageError
from kehu_analysis.intake.account import account_lines, argument, next_steps, printable, quarters_words
from kehu_analysis.report.reading import ReadingBar
from kehu_analysis.simulate import FORMATS, NONRESPONSES

_INTERRUPTED = 128 + signal.SIGINT


def _help(code: str) -> str:
    return f"{labels.label(f'help.{code}', 'zh')}\n\n{labels.label(f'help.{code}', 'en')}"


def _lang_option(command: Callable[..., Any]) -> Callable[..., Any]:
    choice = click.Choice(labels.LANGUAGES)
    return click.option("--lang", type=choice, default="zh", show_default=True, help=_help("lang"))(command)


@click.group(help=_help("kehu"), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("kehu_analysis"), prog_name="kehu")
def commands() -> None:
    """Customer analysis on the command line."""


@commands.command(help=_help("check"))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help=_help("check_out"))
@_lang_option
def check(data: Path, out: Path | None, lang: str) -> None:
    """Say what of the data is accepted and what is not, and why; write a page and the rejected rows."""
    # Here and not above: what writes pages and workbooks takes a while to import.
    from kehu_analysis.intake.results import refuse_place, results_folder, write_results

    if out is not None:
        refuse_place(out, data)
    bar = ReadingBar(lang, lines=False)
    try:
        dataset = check_dataset(data, progress=bar)
    except DataError as error:  # a fault of the data as a whole: where settings mend it, a draft of them helps
        from kehu_analysis.intake.draft import draft_lines

        bar.close()
        _say(error, lang)
        for line in draft_lines(data, error, out, lang):
            _tell(line)
        sys.exit(error.exit_code)
    finally:
        bar.close()
    for line in account_lines(dataset, lang):
        _tell(line)
    refusal = None
    try:
        open_dataset(dataset.snapshot)
    except DataError as error:  # no report can be made of what was accepted
        refusal = error
    results = write_results(dataset, out or results_folder(dataset), lang=lang, refusal=refusal)
    _tell(labels.render("ui.check_page_at", lang, path=results.page))
    if results.workbook is not None:
        _tell(labels.render("ui.check_rejected_at", lang, path=results.workbook))
    for step in next_steps(dataset, lang, workbook=str(results.workbook)):
        _tell(f"→ {step}")
    if refusal is not None:
        raise refusal
    click.echo(quarters_words(dataset, lang))


@commands.command(help=_help("template"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_lang_option
def template(folder: Path, lang: str) -> None:
    """Write blank Excel templates of all tables."""
    from kehu_analysis.intake.template import write_templates

    written = write_templates(folder, lang=lang)
    _tell(labels.render("ui.template_done", lang, n=len(written), path=argument(folder)))


@commands.command(help=_help("demo"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--customers", type=int, default=1500, show_default=True, help=_help("demo_customers"))
@click.option("--quarters", type=int, default=12, show_default=True, help=_help("demo_quarters"))
@click.option("--seed", type=int, default=1, show_default=True, help=_help("demo_seed"))
@click.option("--dirty", is_flag=True, help=_help("demo_dirty"))
@click.option(
    "--nonresponse", type=click.Choice(NONRESPONSES), default="attributes", show_default=True, help=_help("nonresponse")
)
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), default="parquet", show_default=True, help=_help("format")
)
@_lang_option
def demo(
    folder: Path,
    customers: int,
    quarters: int,
    seed: int,
    dirty: bool,
    nonresponse: str,
    file_format: str,
    lang: str,
) -> None:
    """Write the data of a simulated company whose truth is known."""
    # Here and not above: what draws a company takes a while to import.
    from kehu_analysis.simulate.world import World
    from kehu_analysis.simulate.writing import write_company

    world = World(customers=customers, quarters=quarters, seed=seed, nonresponse=nonresponse)
    bar = ReadingBar(lang, lines=True)
    try:
        with _ending_in_order():
            write_company(
                folder,
                world,
                file_format=file_format,
                dirty=dirty,
                progress=lambda done, of: bar("demo", done / of),
            )
    except KeyboardInterrupt:
        click.echo(labels.label("ui.demo_stopped", lang), err=True)
        sys.exit(_INTERRUPTED)
    finally:
        bar.close()
    n = labels.format_value(customers, "customers", lang)
    _tell(labels.render("ui.demo_done", lang, path=argument(folder), n=n, first=world.first_day, last=world.last_day))


@commands.command("import", help=_help("import"))
@click.argument("variable", metavar="VARIABLE")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--table", "tables", multiple=True, metavar="TABLE=NAME", help=_help("table"))
@click.option("--query", "queries", multiple=True, metavar="TABLE=FILE", help=_help("query"))
@_lang_option
def import_(variable: str, folder: Path, tables: tuple[str, ...], queries: tuple[str, ...], lang: str) -> None:
    """Import tables from a database."""
    # Here and not above: SQLAlchemy and its drivers take a while to import.
    from kehu_analysis.data.database import import_tables
    from kehu_analysis.data.database.address import read_address
    from kehu_analysis.intake.importing import RowsProgress, import_lines, read_pairs

    address = read_address(variable)
    named, asked = read_pairs("--table", tables), read_pairs("--query", queries)
    progress = RowsProgress(lang)
    try:
        with _ending_in_order():
            imported = import_tables(
                address, folder, tables=named, queries=asked, progress=progress, count_first=progress.has_bar
            )
    except KeyboardInterrupt:
        click.echo(labels.label("ui.import_stopped", lang), err=True)
        sys.exit(_INTERRUPTED)
    finally:
        progress.close()
    for line in import_lines(imported, folder, lang):
        _tell(line)


@commands.command(help=_help("report"))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--quarter", default="", metavar="2026Q3", help=_help("quarter"))
@_lang_option
@click.option("--out", type=click.Path(path_type=Path), help=_help("out"))
@click.option("--only", default="", metavar="NAME,…", help=_help("only"))
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help=_help("parameter"))
@click.option("--preview", is_flag=True, help=_help("preview"))
@click.option("--timeout", type=click.FloatRange(min=1), default=1800.0, show_default=True, help=_help("timeout"))
@click.option("--engine", type=click.Choice(["duckdb"]), default="duckdb", show_default=True, help=_help("engine"))
@click.option("--notebooks", type=click.Path(path_type=Path), help=_help("notebooks"))
@click.option("--previous", type=click.Path(path_type=Path), help=_help("previous"))
def report(
    data: Path,
    quarter: str,
    lang: str,
    out: Path | None,
    only: str,
    assignments: tuple[str, ...],
    preview: bool,
    timeout: float,
    engine: str,
    notebooks: Path | None,
    previous: Path | None,
) -> None:
    """Make the quarterly report."""
    # Here and not above: what draws and runs notebooks takes a second to import, `kehu check` needs none of it.
    from kehu_analysis.report.progress import Progress
    from kehu_analysis.report.run import make_report
    from kehu_analysis.workbook.parameters import read_assignments

    with _ending_in_order():
        folder = make_report(
            data,
            quarter=quarter,
            lang=lang,
            out=out,
            only=[name.strip() for name in only.split(",") if name.strip()],
            parameters=read_assignments(assignments),
            preview=preview,
            timeout_seconds=timeout,
            notebooks_folder=notebooks,
            previous=previous,
            progress=Progress(lang),
        )
    click.echo(labels.render("ui.report_done", lang, path=folder / "index.html"))


@commands.command(help=_help("lab"), context_settings={"ignore_unknown_options": True})
@_lang_option
@click.option("--root", type=click.Path(path_type=Path), help=_help("root"))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(lang: str, root: Path | None, arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the notebooks."""
    from kehu_analysis.lab import start_lab

    start_lab(lang, arguments, root=root)


@commands.command(help=_help("doctor"))
@_lang_option
def doctor(lang: str) -> None:
    """Say whether everything that a report needs is in place."""
    from kehu_analysis.doctor import examine

    findings = examine()
    for finding in findings:
        mark = "✓" if finding.is_well else "✗"
        click.echo(f"{mark} {labels.label(f'doctor.{finding.code}', lang)}: {finding.detail}")
    if not all(finding.is_well for finding in findings):
        raise RunError("doctor_found_faults")


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a scheduler that ends the run be obeyed like Ctrl-C: kernels are ended and what was begun is taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored, as under nohup, stays so.
    before = {one: signal.signal(one, _end) for one in signals if signal.getsignal(one) != signal.SIG_IGN}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


def _tell(text: str) -> None:
    # Names of files and columns and the reasons of filters are the reader's own, and may hold anything.
    click.echo(printable(text))


def _language(arguments: list[str]) -> str:
    """Return the language asked for, also where the command line as a whole could not be read."""
    pairs = itertools.pairwise(arguments)
    return "en" if "--lang=en" in arguments or ("--lang", "en") in pairs else "zh"


def _write_trace() -> Path:
    for folder in (default_cache(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "last-error.txt").write_text(traceback.format_exc(), encoding="utf-8", errors="replace")
        except OSError:
            continue
        return folder / "last-error.txt"
    return Path(os.devnull)


def _complain(error: KehuError, lang: str) -> Never:
    _say(error, lang)
    sys.exit(error.exit_code)


def _say(error: KehuError, lang: str) -> None:
    click.echo(f"{labels.label('ui.error', lang)}{printable(error.message(lang))}", err=True)


def _usage_error(error: click.UsageError) -> UsageError:
    """Return what click says of a command line in the reader's language."""
    command = error.ctx.command_path if error.ctx else "kehu"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return UsageError("no_such_command", name=error.command_name, known=", ".join(commands.commands))
    if isinstance(error, click.NoSuchOption):
        return UsageError("no_such_option", name=error.option_name, command=command)
    if isinstance(error, click.BadOptionUsage):
        return UsageError("option_without_value", name=error.option_name)
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if parameter is None:
        return UsageError("too_many_arguments", command=command)
    if isinstance(error, click.MissingParameter):
        return UsageError("missing_argument", name=parameter.human_readable_name, command=command)
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return UsageError("option_choice", name=parameter.opts[0], known=", ".join(map(str, kind.choices)))
    if isinstance(kind, click.types.IntParamType):
        return UsageError("option_whole_number", name=parameter.opts[0])
    return UsageError("option_number", name=parameter.opts[0], fewest=getattr(kind, "min", None))


def main(arguments: list[str] | None = None) -> None:
    """Run the command; every fault becomes one clear message and an exit code (1 data or run, 2 usage)."""
    given = sys.argv[1:] if arguments is None else arguments
    lang = _language(given)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a stand-in; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Libraries tell of what goes wrong in a log of their own; the reader gets one message, which is ours.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        sys.exit(commands.main(args=given, prog_name="kehu", standalone_mode=False))
    except click.Abort:
        click.echo(labels.label("ui.stopped", lang), err=True)
        sys.exit(_INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _complain(_usage_error(error), lang)
    except KehuError as error:
        _complain(error, lang)
    except Exception:
        # A fault of the program, not of the data: a reader gets one sentence, its author the whole trace in a file.
        trace = _write_trace()
        click.echo(f"{labels.label('ui.error', lang)}{labels.render('error.unexpected', lang, path=trace)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
