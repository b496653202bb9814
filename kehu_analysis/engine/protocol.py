"""What the package asks of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import pandas as pd
import pyarrow as pa

#: A table is a Parquet file on disk, or a frame or Arrow table in memory.
Source: TypeAlias = Path | pd.DataFrame | pa.Table
Parameter: TypeAlias = str | int | float | bool | None


class Engine(Protocol):
    """Run one SQL text over named tables, with named bound parameters written ``:name``.

    The SQL keeps to what DuckDB and Spark share, plus ``unix_date(day)`` (days since 1970-01-01). Results hold
    integers, text and exact decimals, rows in the order that the text asks for.
    """

    def query(
        self, sql: str, *, tables: Mapping[str, Source], parameters: Mapping[str, Parameter] | None = None
    ) -> pa.Table:
        """Return the rows of a query."""
        ...
