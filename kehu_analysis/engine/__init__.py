"""Engines run the summaries' SQL over tables that need not fit in memory."""

from kehu_analysis.engine.duckdb import DuckDBEngine
from kehu_analysis.engine.protocol import Engine

__all__ = ["DuckDBEngine", "Engine"]
