"""Hold results that were made in different ways against each other; a ratio between unequal results says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from benchmarks.measure import Phases

#: Sums of floats depend on their order; money in cents does not come near this.
RELATIVE, ABSOLUTE = 1e-9, 1e-6
KEYS = ("customer_id", "month", "cohort", "age")
SNAPSHOT = (
    "customer_key, customer_id, date, CAST(amount AS DECIMAL(18, 4)), order_id, product_id, CAST(quantity AS DOUBLE)"
)


def check_frames(phases: Phases, *, folders: list[str]) -> dict[str, pd.DataFrame]:
    """Compare each folder's frames with those of the first, value by value.

    Raises
    ------
    SystemExit
        They differ; the message says where.
    """
    first, *others = map(Path, folders)
    for path in sorted(first.glob("*.parquet")):
        expected = _in_order(path)
        for other in others:
            stored = next(other.glob(f"{path.stem}.*"))
            if fault := difference(_in_order(stored), expected):
                raise SystemExit(f"{path.stem} of {other.name} differs from that of {first.name}: {fault}")
    return {}


def check_snapshots(phases: Phases, *, snapshots: list[str]) -> dict[str, pd.DataFrame]:
    """Compare the lines of snapshots as multisets: by count, sum of amounts and sum of the lines' hashes.

    Raises
    ------
    SystemExit
        They differ.
    """
    seen = {
        duckdb.sql(
            f"SELECT count(*), sum(amount), sum(CAST(hash({SNAPSHOT}) AS HUGEINT)) FROM '{folder}/transactions.parquet'"
        ).fetchall()[0]
        for folder in snapshots
    }
    if len(seen) > 1:
        raise SystemExit(f"the snapshots differ (lines, amount, hash): {seen}")
    return {}


def difference(found: pd.DataFrame, expected: pd.DataFrame) -> str:
    """Return the first difference between two frames in words, empty if there is none."""
    if set(found) != set(expected):
        return f"columns {sorted(set(found) ^ set(expected))} are in one only"
    if len(found) != len(expected):
        return f"{len(found)} rows, not {len(expected)}"
    for name in expected:
        left, right = found[name].to_numpy(), expected[name].to_numpy()
        if pd.api.types.is_numeric_dtype(expected[name]):
            is_same = np.isclose(left.astype("float64"), right.astype("float64"), rtol=RELATIVE, atol=ABSOLUTE)
        else:
            is_same = left == right
        if not is_same.all():
            row = int(np.flatnonzero(~is_same)[0])
            return f"{name} in {(~is_same).sum()} rows, the first {row}: {left[row]!r}, not {right[row]!r}"
    return ""


def _in_order(path: Path) -> pd.DataFrame:
    frame = pd.read_pickle(path) if path.suffix == ".pickle" else pd.read_parquet(path)
    return frame.sort_values([name for name in KEYS if name in frame], ignore_index=True)
