"""Run one summary: its SQL text over a table of a dataset, by an engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import pandas as pd

from kehu_analysis.data import Dataset
from kehu_analysis.engine import DuckDBEngine, Engine
from kehu_analysis.summaries.results import frame_of


def rows_of(
    name: str, dataset: Dataset, table: str, parameters: Mapping[str, int], engine: Engine | None
) -> pd.DataFrame:
    """Return the rows of a summary of one table, in key order; DuckDB runs it where no engine is given."""
    runner = engine or DuckDBEngine()
    return frame_of(runner.query(sql(name), tables={table: dataset.path(table)}, parameters=parameters))


def customer_ids(dataset: Dataset) -> pd.Series:
    """Return the ids by ``customer_key``."""
    # Keys run from 1 in the snapshot, in the order of the ids.
    ids = pd.read_parquet(dataset.path("customer_keys"))["customer_id"]
    return pd.concat([pd.Series([""], dtype="str"), ids], ignore_index=True)


@cache
def sql(name: str) -> str:
    """Return the text of a summary."""
    return resources.files("kehu_analysis.summaries").joinpath(f"{name}.sql").read_text(encoding="utf-8")
