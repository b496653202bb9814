"""The whole company, one block after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kehu_analysis.simulate.block import draw_block
from kehu_analysis.simulate.clock import clock_of
from kehu_analysis.simulate.sums import Sums
from kehu_analysis.simulate.tables import block_tables, company_tables
from kehu_analysis.simulate.targets import targets_table
from kehu_analysis.simulate.truth import truth_tables
from kehu_analysis.simulate.world import BLOCK, World

#: Called with the number of customers that are done, and of all.
Progress = Callable[[int, int], None]


def parts(world: World, sums: Sums, progress: Progress | None = None) -> Iterator[dict[str, pa.Table]]:
    """Yield the tables of one block of customers after the other, and last those of the company as a whole.

    Parameters
    ----------
    world
        Which company.
    sums
        Empty sums of it; they are complete after the last.
    progress
        Told after each block.
    """
    clock = sums.clock
    for number in range(world.blocks):
        block = draw_block(world, clock, number)
        sums.add(block)
        yield {**block_tables(block), **truth_tables(block)}
        if progress is not None:
            progress(min((number + 1) * BLOCK, world.customers), world.customers)
    yield {**company_tables(clock, block.orders.campaigns), "targets": targets_table(sums)}


def simulate_company(
    customers: int = 1500, quarters: int = 12, seed: int = 1, nonresponse: str = "attributes"
) -> dict[str, pd.DataFrame]:
    """Answer: what would the tables of a company look like whose truth is known?

    Parameters
    ----------
    customers
        Number of shops; 50 to 10 million.
    quarters
        Length of the log, which ends with 2026Q3; 4 to 40.
    seed
        The same seed gives the same company.
    nonresponse
        ``attributes``: who answers surveys depends on what is known of a shop; ``satisfaction``: on the answer itself.

    Returns
    -------
    dict of DataFrame
        Every table of the data contract by name, and ``truth_customers``, ``truth_surveys`` and
        ``truth_campaign_members``. Dates are datetime64, money is currency (float). What each column is and how it was
        made stands in ``data/demo/README.md``; the parameters are those of ``parameters.toml``.

    Raises
    ------
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> tables = simulate_company(customers=60, quarters=4, seed=3)
    >>> len(tables["customers"]), tables["transactions"]["date"].max().date() <= pd.Timestamp("2026-09-30").date()
    (60, True)
    """
    world = World(customers=customers, quarters=quarters, seed=seed, nonresponse=nonresponse)
    gathered: dict[str, list[pa.Table]] = {}
    for part in parts(world, Sums(world, clock_of(world))):
        for name, table in part.items():
            gathered.setdefault(name, []).append(table)
    return {name: _frame(pa.concat_tables(tables)) for name, tables in gathered.items()}


def _frame(table: pa.Table) -> pd.DataFrame:
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, pc.cast(table[place], pa.float64()))
        elif pa.types.is_date(field.type):
            table = table.set_column(place, field.name, pc.cast(table[place], pa.timestamp("s")))
    frame: pd.DataFrame = table.to_pandas()
    return frame
