"""What the accepted transactions hold as a whole: counts, totals, days, and doubts about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.data.schema import Column
from kehu_analysis.data.settings import DatasetSettings
from kehu_analysis.engine.duckdb import identifier, path_literal, quoted

_LONGEST_GAP = 31
#: So many of the largest customers are told apart, by which an analyst sees whether the right column was taken.
_LARGEST = 5
#: The median amount of a day is that of at most about so many lines of the log, evenly spread.
_LINES_FOR_MEDIANS = 1_000_000


def write_log_days(connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], folder: Path) -> None:
    """Write ``log_days.parquet``: lines, repeated lines, customers and amounts of each day of the log."""
    lines = f"read_parquet({path_literal(folder / 'transactions.parquet')}, file_row_number = true)"
    days = f"read_parquet({path_literal(folder / 'purchase_days.parquet')})"
    values = ", ".join(identifier("customer_key" if c.name == "customer_id" else c.name) for c in columns)
    row = connection.execute(f"SELECT count(*) FROM {lines}").fetchone()
    assert row is not None  # aggregates always return a row
    step = row[0] // _LINES_FOR_MEDIANS + 1
    query = (
        f"WITH repeats AS (SELECT date, CAST(sum(n - 1) AS BIGINT) AS n FROM (SELECT date, count(*) AS n FROM {lines} "
        f"GROUP BY date, hash({values})) GROUP BY date), "
        f"medians AS (SELECT date, median(amount) FILTER (amount > 0) AS amount FROM {lines} "
        f"WHERE file_row_number % {step} = 0 GROUP BY date), "
        "days AS (SELECT DATE '1970-01-01' + CAST(day AS INTEGER) AS date, sum(n_lines) AS n_lines, "
        f"count(*) AS n_customers, sum(amount) AS amount FROM {days} GROUP BY day) "
        "SELECT d.date, CAST(d.n_lines AS BIGINT) AS n_lines, r.n AS n_repeated_lines, d.n_customers, "
        "CAST(d.amount AS DOUBLE) AS amount, CAST(m.amount AS DOUBLE) AS median_amount "
        "FROM days d LEFT JOIN repeats r USING (date) LEFT JOIN medians m USING (date) ORDER BY date"
    )
    connection.execute(f"COPY ({query}) TO {quoted(folder / 'log_days.parquet')} (FORMAT parquet)")


def log_facts(
    connection: duckdb.DuckDBPyConnection, folder: Path, settings: DatasetSettings, today: date
) -> tuple[dict[str, Any], bool, list[dict[str, Any]]]:
    """Return what the log holds as a whole, whether that depends on the day of the check, and doubts about it.

    Parameters
    ----------
    connection
        Any; nothing is made in it.
    folder
        Holds ``transactions.parquet``, ``purchase_days.parquet`` and ``log_days.parquet``, and ``calendar.parquet``
        where the company has a calendar of its own.
    settings
        What ``dataset.toml`` says: the time zone, and the day until which the log is complete, if it says so.
    today
        Day of the check in the dataset's time zone.

    Returns
    -------
    dict
        Counts of lines, customers and purchase days, amounts (currency, as texts, exact), dates as ISO texts; and
        ``largest``: customer_id, amount and lines of the largest customers.
    bool
        Whether the log would be taken for complete beyond ``today``.
    list of dict
        The doubts, each a row of :meth:`kehu_analysis.data.Dataset.failures`.
    """
    lines, purchase_days, days = (
        f"read_parquet({path_literal(folder / f'{name}.parquet')})"
        for name in ("transactions", "purchase_days", "log_days")
    )
    facts: dict[str, Any] = {}
    for query in (
        "SELECT count(*) AS n_lines, CAST(coalesce(sum(amount), 0) AS VARCHAR) AS amount, min(date) AS first_date, "
        "max(date) AS last_date, count(*) FILTER (amount = 0) AS n_zero_amount, "
        "count(*) FILTER (amount < 0) AS n_returns, "
        f"CAST(coalesce(sum(amount) FILTER (amount < 0), 0) AS VARCHAR) AS return_amount FROM {lines}",
        "SELECT count(*) AS n_customers, CAST(coalesce(sum(n), 0) AS BIGINT) AS n_purchase_days, "
        "count(*) FILTER (n = 0) AS n_customers_without_purchase "
        f"FROM (SELECT sum(is_purchase) AS n FROM {purchase_days} GROUP BY customer_key)",
        f"SELECT CAST(coalesce(sum(n_repeated_lines), 0) AS BIGINT) AS n_duplicate_lines FROM {days}",
        "SELECT quantile_disc(gap, 0.99) AS usual_gap FROM (SELECT date - lag(date) OVER (ORDER BY date) AS gap "
        f"FROM {days}) WHERE gap IS NOT NULL",
    ):
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        facts |= dict(zip(names, found.fetchone() or (), strict=True))
    facts["largest"] = [
        list(row)
        for row in connection.execute(
            "SELECT k.customer_id, CAST(p.amount AS VARCHAR), CAST(p.n_lines AS BIGINT) FROM (SELECT customer_key, "
            f"sum(amount) AS amount, sum(n_lines) AS n_lines FROM {purchase_days} GROUP BY customer_key "
            f"ORDER BY amount DESC, customer_key LIMIT {_LARGEST}) p "
            f"JOIN read_parquet({path_literal(folder / 'customer_keys.parquet')}) k USING (customer_key) "
            "ORDER BY p.amount DESC, p.customer_key"
        ).fetchall()
    ]
    complete_until = _complete_until(facts["last_date"], facts.pop("usual_gap"), settings)
    facts["complete_until"] = complete_until and min(complete_until, today)
    log = {name: value.isoformat() if isinstance(value, date) else value for name, value in facts.items()}
    frame = connection.execute(f"FROM {days}").df()
    frame["date"] = frame["date"].dt.date
    own = folder / "calendar.parquet"
    doubts = doubtful_periods(
        frame, timezone=settings.timezone, own_calendar=pd.read_parquet(own) if own.is_file() else None
    )
    failures = [_as_failure(doubt) for doubt in doubts.to_dict("records")]
    return log, complete_until is not None and complete_until > today, failures


def _as_failure(doubt: dict[Any, Any]) -> dict[str, Any]:
    first, last = doubt["first_date"], doubt["last_date"]
    return {
        "severity": "warning",
        "table": "transactions",
        "file": "",
        "column": "",
        "reason": doubt["reason"],
        "n_lines": int(doubt["n_lines"]),
        "first_row": None,
        "example": "",
        "period": f"{first} – {last}" if first != last else f"{first}",
    }


def _complete_until(last_date: date | None, usual_gap: int | None, settings: DatasetSettings) -> date | None:
    # The log is taken as complete up to the day before an unusually long silence would begin: a log that sells
    # Monday to Friday and ends on a Friday is complete to Sunday. A silence of more than a month is never assumed.
    if settings.complete_until is not None or last_date is None:
        return settings.complete_until
    return last_date + timedelta(days=min(usual_gap or 1, _LONGEST_GAP) - 1)
