"""The jobs whose speed is compared: from a raw log to a snapshot, from either to all summaries.

Each is a measurement for :mod:`benchmarks.measure`; a job's frames hold the same columns and values whoever made them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from benchmarks.measure import Phases
    from kehu_analysis.data import Dataset

Frames = dict[str, pd.DataFrame]


def ours_from_log(phases: Phases, *, log: str, folder: str) -> Frames:
    """Check a log and make its snapshot, then all summaries."""
    from kehu_analysis.data import check_dataset

    with phases("snapshot"):
        dataset = check_dataset(log, cache=folder)
    with phases("summaries"):
        frames = _our_summaries(dataset)
    return _comparable(frames)


def ours_from_snapshot(phases: Phases, *, snapshot: str) -> Frames:
    """Make all summaries of a snapshot."""
    from kehu_analysis.data import check_dataset

    dataset = check_dataset(snapshot)
    with phases("summaries"):
        frames = _our_summaries(dataset)
    return _comparable(frames)


def plain_from_log(phases: Phases, *, log: str, folder: str) -> Frames:
    """Make a snapshot and all summaries of it by plain SQL."""
    from benchmarks import plain_sql

    Path(folder).mkdir()
    with plain_sql.session() as connection:
        with phases("snapshot"):
            plain_sql.write_snapshot(connection, Path(log), Path(folder))
        with phases("summaries"):
            return plain_sql.summaries_of_snapshot(connection, Path(folder), use_stored_days=False)


def plain_from_log_directly(phases: Phases, *, log: str) -> Frames:
    """Make all summaries by plain SQL, without a snapshot."""
    from benchmarks import plain_sql

    with plain_sql.session() as connection, phases("summaries"):
        return plain_sql.summaries_of_log(connection, Path(log))


def plain_from_snapshot(phases: Phases, *, snapshot: str) -> Frames:
    """Make all summaries of our snapshot by plain SQL, from the purchase days that ours begin with too."""
    from benchmarks import plain_sql

    with plain_sql.session() as connection, phases("summaries"):
        return plain_sql.summaries_of_snapshot(connection, Path(snapshot), use_stored_days=True)


def plain_from_snapshot_lines(phases: Phases, *, snapshot: str) -> Frames:
    """Make all summaries of our snapshot by plain SQL, from its lines."""
    from benchmarks import plain_sql

    with plain_sql.session() as connection, phases("summaries"):
        return plain_sql.summaries_of_snapshot(connection, Path(snapshot), use_stored_days=False)


def pandas_from_log(phases: Phases, *, log: str) -> Frames:
    """Make all summaries by pandas, without a snapshot."""
    from benchmarks import pandas_summaries

    with phases("summaries"):
        return pandas_summaries.summaries(pandas_summaries.read_log(Path(log)))


def pandas_from_snapshot_lines(phases: Phases, *, snapshot: str) -> Frames:
    """Make all summaries of our snapshot by pandas, from its lines."""
    from benchmarks import pandas_summaries

    parts = [Path(snapshot) / name for name in ("transactions.parquet", "transactions_set_apart.parquet")]
    with phases("summaries"):
        log = pd.concat([pandas_summaries.read_log(part) for part in parts], ignore_index=True)
        return pandas_summaries.summaries(log)


def _our_summaries(dataset: Dataset) -> Frames:
    from kehu_analysis import summaries

    makers: list[Callable[[Dataset], pd.DataFrame]] = [
        summaries.customer_history, summaries.monthly_sales, summaries.cohorts, summaries.set_apart_sales
    ]  # fmt: skip
    return {maker.__name__: maker(dataset) for maker in makers}


def _comparable(frames: Frames) -> Frames:
    """Return our summaries in the types that the others use: periods as time stamps or numbers of quarters."""
    history = frames["customer_history"]
    dates = {name: pd.to_datetime(history[name]) for name in ("first_purchase", "last_purchase")}
    cohorts = frames["cohorts"].query("n_active > 0").drop(columns="n_customers")
    quarters = cohorts["cohort"].dt.year * 4 + cohorts["cohort"].dt.quarter - 1
    by_month = {name: frames[name] for name in ("monthly_sales", "set_apart_sales")}
    return {
        "customer_history": history.assign(**dates),
        "cohorts": cohorts.assign(cohort=quarters),
        **{name: frame.assign(month=frame["month"].dt.to_timestamp()) for name, frame in by_month.items()},
    }
