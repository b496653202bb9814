"""Run rows with as many worlds as wanted: python -m tests.recovery --row lifetime_value --worlds 5000."""

import importlib
import os
import sys
from pathlib import Path

import click

from tests.recovery.harness import Row, run


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
def main(names: tuple[str, ...], worlds: int | None, first: int, processes: int) -> None:
    """Draw worlds of known truth, estimate, and show z-scores and coverage by quantity."""
    known = rows()
    if unknown := sorted(set(names) - set(known)):
        raise click.UsageError(f"no row {', '.join(unknown)}; there are {', '.join(known)}")
    failed = False
    for name in names or known:
        outcome = run(known[name], worlds, first=first, processes=processes)
        faults = outcome.faults()
        failed |= bool(faults)
        click.echo(f"{name}: {outcome.worlds} worlds, {len(outcome.failures)} failed")
        click.echo(outcome.summary().round(3).to_string())
        click.echo("\n".join(faults) or "recovered")
    sys.exit(failed)


if __name__ == "__main__":
    main()
