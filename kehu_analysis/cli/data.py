"""Commands about raw data: check, template, demo, import."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kehu_analysis import labels
from kehu_analysis.cli.manners import INTERRUPTED, ending_in_order, help_of, lang_option, say_error, tell
from kehu_analysis.data import check_dataset, open_dataset
from kehu_analysis.errors import DataError
from kehu_analysis.intake.account import account_lines, argument, next_steps, quarters_words
from kehu_analysis.report.reading import ReadingBar
from kehu_analysis.simulate import FORMATS, NONRESPONSES


@click.command(help=help_of("check"))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help=help_of("check_out"))
@lang_option
def check(data: Path, out: Path | None, lang: str) -> None:
    """Say what of the data is accepted and what is not, and why; write a page and the rejected rows."""
    # Here and not above: what writes pages and workbooks takes a while to import.
    from kehu_analysis.intake.draft import confirmation_lines
    from kehu_analysis.intake.results import refuse_place, results_folder, write_results
    from kehu_analysis.intake.understood import understood_lines

    if out is not None:
        refuse_place(out, data)
    bar = ReadingBar(lang, lines=False)
    try:
        dataset = check_dataset(data, progress=bar)
    except DataError as error:  # a fault of the data as a whole: where settings mend it, a draft of them helps
        from kehu_analysis.intake.draft import draft_lines, restated

        bar.close()
        told, proposals = restated(data, error)
        say_error(told, lang)
        for line in draft_lines(data, error, out, lang, proposals):
            tell(line)
        sys.exit(error.exit_code)
    finally:
        bar.close()
    for line in (*understood_lines(dataset, lang), *account_lines(dataset, lang)):
        tell(line)
    refusal = None
    try:
        open_dataset(dataset.snapshot)
    except DataError as error:  # no report can be made of what was accepted
        refusal = error
    results = write_results(dataset, out or results_folder(dataset), lang=lang, refusal=refusal)
    tell(labels.render("ui.check_page_at", lang, path=results.page))
    if results.workbook is not None:
        tell(labels.render("ui.check_rejected_at", lang, path=results.workbook))
    for step in next_steps(dataset, lang, workbook=str(results.workbook)):
        tell(f"→ {step}")
    for line in confirmation_lines(data, dataset, out, lang):
        tell(line)
    if refusal is not None:
        raise refusal
    click.echo(quarters_words(dataset, lang))


@click.command(help=help_of("template"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@lang_option
def template(folder: Path, lang: str) -> None:
    """Write blank Excel templates of all tables."""
    from kehu_analysis.intake.template import write_templates

    written = write_templates(folder, lang=lang)
    tell(labels.render("ui.template_done", lang, n=len(written), path=argument(folder)))


@click.command(help=help_of("demo"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--customers", type=int, default=1500, show_default=True, help=help_of("demo_customers"))
@click.option("--quarters", type=int, default=12, show_default=True, help=help_of("demo_quarters"))
@click.option("--seed", type=int, default=1, show_default=True, help=help_of("demo_seed"))
@click.option("--dirty", is_flag=True, help=help_of("demo_dirty"))
@click.option(
    "--nonresponse",
    type=click.Choice(NONRESPONSES),
    default="attributes",
    show_default=True,
    help=help_of("nonresponse"),
)
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), default="parquet", show_default=True, help=help_of("format")
)
@lang_option
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
        with ending_in_order():
            write_company(
                folder,
                world,
                file_format=file_format,
                dirty=dirty,
                progress=lambda done, of: bar("demo", done / of),
            )
    except KeyboardInterrupt:
        click.echo(labels.label("ui.demo_stopped", lang), err=True)
        sys.exit(INTERRUPTED)
    finally:
        bar.close()
    n = labels.format_value(customers, "customers", lang)
    tell(labels.render("ui.demo_done", lang, path=argument(folder), n=n, first=world.first_day, last=world.last_day))


@click.command("import", help=help_of("import"))
@click.argument("variable", metavar="VARIABLE")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--table", "tables", multiple=True, metavar="TABLE=NAME", help=help_of("table"))
@click.option("--query", "queries", multiple=True, metavar="TABLE=FILE", help=help_of("query"))
@lang_option
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
        with ending_in_order():
            imported = import_tables(
                address, folder, tables=named, queries=asked, progress=progress, count_first=progress.has_bar
            )
    except KeyboardInterrupt:
        click.echo(labels.label("ui.import_stopped", lang), err=True)
        sys.exit(INTERRUPTED)
    finally:
        progress.close()
    for line in import_lines(imported, folder, lang):
        tell(line)
