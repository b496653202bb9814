"""What is known for certain of a simulated company."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def truth_beside(source: Path) -> pd.DataFrame | None:
    """Return who of the customers of simulated data had left and when; None of any others.

    It is read from ``truth_customers.parquet`` or ``.csv`` beside the data, which ``kehu demo`` writes.
    """
    folder = source if source.is_dir() else source.parent
    parquet, text = (folder / f"truth_customers.{suffix}" for suffix in ("parquet", "csv"))
    if parquet.is_file():
        found = pd.read_parquet(parquet)
    elif text.is_file():
        found = pd.read_csv(text, dtype="str")
    else:
        return None
    return found if {"customer_id", "left_on"} <= set(found.columns) else None
