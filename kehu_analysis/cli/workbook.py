"""Commands about the workbook: report, lab, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from kehu_analysis import labels
from kehu_analysis.cli.manners import ending_in_order, help_of, lang_option, tell
from kehu_analysis.errors import RunError
from kehu_analysis.intake.account import argument


@click.command(help=help_of("report"))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--quarter", default="", metavar="2026Q3", help=help_of("quarter"))
@lang_option
@click.option("--out", type=click.Path(path_type=Path), help=help_of("out"))
@click.option("--only", default="", metavar="NAME,…", help=help_of("only"))
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help=help_of("parameter"))
@click.option("--preview", is_flag=True, help=help_of("preview"))
@click.option("--timeout", type=click.FloatRange(min=1), default=1800.0, show_default=True, help=help_of("timeout"))
@click.option("--engine", type=click.Choice(["duckdb"]), default="duckdb", show_default=True, help=help_of("engine"))
@click.option("--notebooks", type=click.Path(path_type=Path), help=help_of("notebooks"))
@click.option("--previous", type=click.Path(path_type=Path), help=help_of("previous"))
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

    with ending_in_order():
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


@click.command("new-chapter", help=help_of("new_chapter"))
@click.argument("name", metavar="NAME")
@click.option("--notebooks", type=click.Path(path_type=Path), help=help_of("new_chapter_notebooks"))
@click.option("--finding", default="", metavar="NAME", help=help_of("new_chapter_finding"))
@lang_option
def new_chapter(name: str, notebooks: Path | None, finding: str, lang: str) -> None:
    """Write what a new chapter begins with."""
    # Here and not above: what reads and writes notebooks takes a while to import.
    from kehu_analysis.workbook.new_chapter import write_chapter, write_own_chapter

    if notebooks is not None:
        (path,) = write_own_chapter(name, notebooks, lang=lang)
        tell(labels.render("ui.own_chapter_done", lang, path=argument(path), folder=argument(notebooks)))
        return
    for path in write_chapter(name, finding=finding):
        tell(str(path))
    tell(labels.render("ui.new_chapter_done", lang))


@click.command(help=help_of("lab"), context_settings={"ignore_unknown_options": True})
@lang_option
@click.option("--root", type=click.Path(path_type=Path), help=help_of("root"))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(lang: str, root: Path | None, arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the notebooks."""
    from kehu_analysis.lab import start_lab

    start_lab(lang, arguments, root=root)


@click.command(help=help_of("doctor"))
@lang_option
def doctor(lang: str) -> None:
    """Say whether everything that a report needs is in place."""
    from kehu_analysis.doctor import examine

    findings = examine()
    for finding in findings:
        mark = "✓" if finding.is_well else "✗"
        click.echo(f"{mark} {labels.label(f'doctor.{finding.code}', lang)}: {finding.detail}")
    if not all(finding.is_well for finding in findings):
        raise RunError("doctor_found_faults")
