"""Run rows with as many worlds as wanted: python -m tests.recovery --row lifetime_value --worlds 5000."""

import importlib
import math
import os
import sys
from datetime import date
from pathlib import Path

import click

from benchmarks.measure import ROOT
from benchmarks.report import machine, table, write_between_markers
from tests.recovery.harness import Outcome, Row, run


def rows() -> dict[str, Row]:
    modules = (
        importlib.import_module(f"tests.recovery.{p.stem}") for p in sorted(Path(__file__).parent.glob("test_*.py"))
    )
    return {module.ROW.name: module.ROW for module in modules if hasattr(module, "ROW")}


@click.command()
@click.option("--row", "names", multiple=True, help="A row's name, several times for several; all when not given.")
@click.option("--worlds", type=click.IntRange(1), help="How many; as many as in the tests when not given.")
@click.option("--first", type=click.IntRange(0), default=0, help="Number of the first world.")
@click.option("--processes", type=click.IntRange(1), default=os.cpu_count(), help="All cores when not given.")
@click.option("--write", is_flag=True, help="Write the result, with its date, into benchmarks/README.md.")
def main(names: tuple[str, ...], worlds: int | None, first: int, processes: int, write: bool) -> None:
    """Draw worlds of known truth, estimate, and show z-scores and coverage by quantity."""
    known = rows()
    if unknown := sorted(set(names) - set(known)):
        raise click.UsageError(f"no row {', '.join(unknown)}; there are {', '.join(known)}")
    failed, told = False, []
    for name in names or known:
        outcome = run(known[name], worlds, first=first, processes=processes)
        faults = outcome.faults()
        failed |= bool(faults)
        click.echo(f"{name}: {outcome.worlds} worlds, {len(outcome.failures)} failed")
        click.echo(outcome.summary().round(3).to_string())
        click.echo("\n".join(faults) or "recovered")
        told += rows_of(outcome)
    if write:
        head = ("row", "quantity", "worlds", "failed", "covered", "mean z", "sd z", "")
        text = f"`make recovery` on {date.today()}, {machine()}.\n\n{table(head, told)}"
        write_between_markers(ROOT / "benchmarks" / "README.md", "recovery", text)
    sys.exit(failed)


def rows_of(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return an outcome as rows of words, a quantity a row."""
    return [
        (
            outcome.row.name,
            str(one.Index),
            f"{outcome.worlds:,}",
            f"{len(outcome.failures):,}",
            "" if math.isnan(one.coverage) else f"{one.coverage:.1%}",
            "" if math.isnan(one.mean_z) else f"{one.mean_z:+.2f}",
            "" if math.isnan(one.sd_z) else f"{one.sd_z:.2f}",
            one.wrong.strip() or "as it should be",
        )
        for one in outcome.summary().itertuples()
    ]


if __name__ == "__main__":
    main()
