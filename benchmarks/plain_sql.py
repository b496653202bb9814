"""The same snapshot and summaries by plain DuckDB SQL, as somebody at home in it would write them for one log.

No checks, no account of rows, no other formats: what remains is the work that nobody can save.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

MEMORY_LIMIT = "2GB"

#: Columns of the CSV log and their types; Parquet carries its own.
CSV_TYPES = {
    "customer_id": "VARCHAR", "date": "DATE", "amount": "DECIMAL(18,4)", "order_id": "VARCHAR",
    "product_id": "VARCHAR", "quantity": "DOUBLE",
}  # fmt: skip

#: A raw log as customer-days and, for the lines without customer, sales by month.
DAYS_OF_LOG = """
CREATE TEMP TABLE days AS
SELECT customer_id, date, CAST(sum(amount) AS DECIMAL(20, 4)) AS amount, bool_or(amount >= 0) AS is_purchase
FROM log WHERE customer_id IS NOT NULL
GROUP BY customer_id, date;
CREATE TEMP TABLE set_apart AS
SELECT date_trunc('month', date) AS month, CAST(sum(amount) AS DOUBLE) AS amount
FROM log WHERE customer_id IS NULL
GROUP BY 1 ORDER BY 1;
"""

#: The same from the lines of a snapshot, where customers have integer keys.
DAYS_OF_SNAPSHOT = """
CREATE TEMP TABLE days AS
SELECT customer_key AS customer_id, date, CAST(sum(amount) AS DECIMAL(20, 4)) AS amount,
    bool_or(amount >= 0) AS is_purchase
FROM transactions
GROUP BY customer_key, date;
CREATE TEMP TABLE set_apart AS
SELECT date_trunc('month', date) AS month, CAST(sum(amount) AS DOUBLE) AS amount
FROM transactions_set_apart
GROUP BY 1 ORDER BY 1;
"""

#: The same from a snapshot that keeps customer-days.
DAYS_AS_STORED = """
CREATE TEMP VIEW days AS
SELECT customer_key AS customer_id, DATE '1970-01-01' + CAST(day AS INTEGER) AS date, amount,
    is_purchase = 1 AS is_purchase
FROM purchase_days;
CREATE TEMP TABLE set_apart AS
SELECT date_trunc('month', date) AS month, CAST(sum(amount) AS DOUBLE) AS amount
FROM transactions_set_apart
GROUP BY 1 ORDER BY 1;
"""

#: A return nets against the latest earlier purchase day; what comes back before the first belongs to none.
CUSTOMER_HISTORY = """
WITH numbered AS (
    SELECT *,
        count(*) FILTER (WHERE is_purchase) OVER by_date AS n_purchases,
        date - lag(CASE WHEN is_purchase THEN date END IGNORE NULLS) OVER by_date AS interval_days
    FROM days
    WINDOW by_date AS (PARTITION BY customer_id ORDER BY date)
),
customers AS (
    SELECT customer_id,
        max(n_purchases) - 1 AS frequency,
        min(date) FILTER (WHERE is_purchase) AS first_purchase,
        max(date) FILTER (WHERE is_purchase) AS last_purchase,
        CAST(sum(amount) AS DOUBLE) AS total_amount,
        CAST(coalesce(sum(amount) FILTER (WHERE n_purchases > 1), 0) AS DOUBLE) AS repeat_amount,
        coalesce(sum(ln(interval_days)) FILTER (WHERE is_purchase), 0) AS sum_log_interval_days,
        coalesce(max(interval_days) FILTER (WHERE is_purchase AND date > (SELECT max(date) FROM days) - 91), 0)
            AS recent_gap_days
    FROM numbered
    WHERE n_purchases > 0
    GROUP BY customer_id
)
SELECT {name} AS customer_id, frequency, (last_purchase - first_purchase) / 7 AS recency,
    ((SELECT max(date) FROM days) - first_purchase) / 7 AS T,
    repeat_amount / greatest(frequency, 1) AS monetary_value,
    sum_log_interval_days - frequency * ln(7) AS sum_log_interval,
    first_purchase, last_purchase, total_amount, total_amount / (frequency + 1) AS mean_amount,
    frequency AS n_intervals, sum_log_interval_days, recent_gap_days
FROM customers {names}
ORDER BY customers.customer_id
"""

MONTHLY_SALES = """
SELECT {name} AS customer_id, month, amount, n_purchase_days
FROM (
    SELECT customer_id, date_trunc('month', date) AS month, CAST(sum(amount) AS DOUBLE) AS amount,
        count(*) FILTER (WHERE is_purchase) AS n_purchase_days
    FROM days
    GROUP BY 1, 2
) monthly {names}
ORDER BY monthly.customer_id, month
"""

COHORTS = """
WITH active AS (
    SELECT customer_id, year(date) * 4 + quarter(date) - 1 AS quarter, sum(amount) AS amount
    FROM days WHERE is_purchase
    GROUP BY 1, 2
),
first AS (SELECT customer_id, min(quarter) AS cohort FROM active GROUP BY 1)
SELECT cohort, quarter - cohort AS age, count(*) AS n_active, CAST(sum(amount) AS DOUBLE) AS amount
FROM active JOIN first USING (customer_id)
GROUP BY 1, 2
ORDER BY 1, 2
"""

SNAPSHOT = """
CREATE TEMP TABLE customer_keys AS
SELECT customer_id, CAST(row_number() OVER (ORDER BY customer_id) AS INTEGER) AS customer_key
FROM (SELECT DISTINCT customer_id FROM log WHERE customer_id IS NOT NULL);
COPY (SELECT customer_key, customer_id FROM customer_keys ORDER BY customer_key)
TO '{folder}/customer_keys.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT customer_key, log.* FROM log JOIN customer_keys USING (customer_id) ORDER BY customer_key, date)
TO '{folder}/transactions.parquet' (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT * FROM log WHERE customer_id IS NULL ORDER BY date)
TO '{folder}/transactions_set_apart.parquet' (FORMAT parquet, COMPRESSION zstd);
"""


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the limits that the package works under."""
    with tempfile.TemporaryDirectory() as spill:
        connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill})
        try:
            yield connection
        finally:
            connection.close()


def write_snapshot(connection: duckdb.DuckDBPyConnection, log: Path, folder: Path) -> None:
    """Write a raw log as a snapshot: integer customer keys, lines in order of customer and date."""
    _view_log(connection, log)
    connection.execute(SNAPSHOT.format(folder=folder))


def summaries_of_log(connection: duckdb.DuckDBPyConnection, log: Path) -> dict[str, pd.DataFrame]:
    """Return all summaries of a raw log, without a snapshot."""
    _view_log(connection, log)
    connection.execute(DAYS_OF_LOG)
    return _summaries(connection, name="customer_id", names="")


def summaries_of_snapshot(
    connection: duckdb.DuckDBPyConnection, folder: Path, *, use_stored_days: bool
) -> dict[str, pd.DataFrame]:
    """Return all summaries of a snapshot: of its lines, or of the customer-days where it keeps them."""
    days = "purchase_days" if use_stored_days else "transactions"
    files = {days: days, "transactions_set_apart": "transactions_set_apart", "names": "customer_keys"}
    for view, file in files.items():
        connection.execute(f"CREATE TEMP VIEW {view} AS FROM '{folder}/{file}.parquet'")
    connection.execute(DAYS_AS_STORED if use_stored_days else DAYS_OF_SNAPSHOT)
    return _summaries(connection, name="names.customer_id", names="JOIN names ON names.customer_key = {}.customer_id")


def _view_log(connection: duckdb.DuckDBPyConnection, log: Path) -> None:
    source = f"'{log}'" if log.suffix == ".parquet" else f"read_csv('{log}', header = true, columns = {CSV_TYPES})"
    connection.execute(f"CREATE TEMP VIEW log AS FROM {source}")


def _summaries(connection: duckdb.DuckDBPyConnection, *, name: str, names: str) -> dict[str, pd.DataFrame]:
    texts = {
        "customer_history": CUSTOMER_HISTORY.format(name=name, names=names.format("customers")),
        "monthly_sales": MONTHLY_SALES.format(name=name, names=names.format("monthly")),
        "cohorts": COHORTS,
        "set_apart_sales": "FROM set_apart",
    }
    return {summary: connection.sql(text).df() for summary, text in texts.items()}
