"""Write a sales log as large as wanted: many small customers and a few huge ones, ids that are text.

    python -m benchmarks.skewed_log --lines 10000000 --format parquet log.parquet

The log runs over the years 2023 to 2025 in order of date, busier on some weekdays. It holds orders of one or more
lines; few customers place most of them. About 3 % of the lines are returns, 1 % are zero, 1 % name no customer. Lines
are drawn in blocks, each from a generator of its own: the same seed gives the same log, however it is cut for writing,
and memory does not grow with the length.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

BLOCK_LINES = 1 << 17
LINES_PER_CUSTOMER = 20
LINES_PER_ORDER = 2.5
N_PRODUCTS = 5000
#: The smaller, the more the largest customers stand out: with 30, the first buys 0.3 % of 10 million lines.
HEAD = 30
SHARE_OF_RETURNS = 0.03
SHARE_OF_ZEROS = 0.01
SHARE_WITHOUT_CUSTOMER = 0.01
FIRST_DAY, END = np.datetime64("2023-01-01"), np.datetime64("2026-01-01")
#: Sales of a weekday, Monday first, relative to Monday.
WEEKDAYS = np.array([1.0, 1.0, 1.0, 1.05, 1.2, 0.6, 0.3])


def log_chunks(n_lines: int, *, seed: int = 1, chunk_lines: int = 1 << 20) -> Iterator[pa.Table]:
    """Yield the log in tables of ``chunk_lines`` lines; the last may be shorter."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for start in range(0, n_lines, BLOCK_LINES):
        block = _block(start, min(BLOCK_LINES, n_lines - start), n_lines, seed)
        waiting.append(block)
        n_waiting += block.num_rows
        if n_waiting >= chunk_lines:
            whole = pa.concat_tables(waiting)
            for cut in range(0, n_waiting - n_waiting % chunk_lines, chunk_lines):
                yield whole.slice(cut, chunk_lines).combine_chunks()
            n_waiting %= chunk_lines
            waiting = [whole.slice(whole.num_rows - n_waiting)]
    if n_waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def write_log(path: Path, n_lines: int, *, seed: int = 1, double_amounts: bool = False) -> None:
    """Write a log to a Parquet or CSV file, whichever the name says, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    chunks = log_chunks(n_lines, seed=seed)
    schema = _block(0, 1, n_lines, seed).schema
    if double_amounts:
        schema = schema.set(schema.get_field_index("amount"), pa.field("amount", pa.float64()))
    if path.suffix == ".parquet":
        with pa.parquet.ParquetWriter(partial, schema, compression="zstd") as parquet:
            for chunk in chunks:
                parquet.write_table(chunk.cast(schema))
    else:
        options = pa.csv.WriteOptions(quoting_style="none")
        with pa.csv.CSVWriter(partial, schema, write_options=options) as csv:
            for chunk in chunks:
                csv.write_table(chunk.cast(schema))
    partial.replace(path)


def make(phases: object, *, path: str, n_lines: int) -> dict[str, object]:
    """Write a log in a process of its own (see :mod:`benchmarks.measure`)."""
    write_log(Path(path), n_lines)
    return {}


def _block(start: int, n_lines: int, n_lines_of_log: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([seed, start // BLOCK_LINES])
    order, is_first = _orders(rng, n_lines)
    n_orders = int(order[-1]) + 1

    n_customers = max(n_lines_of_log // LINES_PER_CUSTOMER, 1)
    # Inverse of the distribution in which the customer of rank r places a share proportional to 1 / (r + HEAD).
    rank = HEAD * ((n_customers / HEAD + 1) ** rng.random(n_orders) - 1)
    customer = _scattered(np.minimum(rank.astype("int64"), n_customers - 1), n_customers)
    has_no_customer = rng.random(n_orders) < SHARE_WITHOUT_CUSTOMER
    is_return = rng.random(n_orders) < SHARE_OF_RETURNS

    product = (N_PRODUCTS * rng.random(n_lines) ** 2).astype("int64")
    quantity = rng.integers(1, 13, n_lines)
    price_cents = 50 + (product * 7919) % 9973
    cents = np.where(rng.random(n_lines) < SHARE_OF_ZEROS, 0, quantity * price_cents)
    sign = np.where(is_return, -1, 1)[order]
    # An order has one date: that of its first line.
    first_line = start + np.flatnonzero(is_first)
    return pa.table(
        {
            "customer_id": pc.if_else(pa.array(has_no_customer[order]), None, _ids("C", customer[order], 8)),
            "date": pa.array(_dates(first_line / n_lines_of_log)[order]),
            "amount": _decimals(sign * cents),
            "order_id": _ids("SO", first_line[order], 10),
            "product_id": _ids("P", product, 5),
            "quantity": pa.array((sign * quantity).astype("int32")),
        }
    )


def _orders(rng: np.random.Generator, n_lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each line's order within the block, and whether the line begins it."""
    is_first = rng.random(n_lines) < 1 / LINES_PER_ORDER
    is_first[0] = True
    return np.cumsum(is_first) - 1, is_first


def _scattered(rank: np.ndarray, n_customers: int) -> np.ndarray:
    """Return customers' numbers from their ranks by size, one to one, so that the order of ids tells nothing."""
    step = 7_368_787  # a prime, so that it shares no factor with the number of customers
    return (rank * step + 12_345) % n_customers if n_customers % step else rank


def _dates(share: np.ndarray) -> np.ndarray:
    """Return the day on which a share of all lines has been written."""
    days = np.arange(FIRST_DAY, END)
    weights = WEEKDAYS[(days - np.datetime64("1970-01-05")).astype("int64") % 7]
    until = np.cumsum(weights) / weights.sum()
    return days[np.minimum(np.searchsorted(until, share, side="right"), len(days) - 1)]


def _ids(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _decimals(cents: np.ndarray) -> pa.Array:
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0], words[:, 1] = cents, cents >> 63
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the file, or the folder to write transactions.‹format› in")
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--format", choices=("parquet", "csv"), help="by default as the file's name says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--double", action="store_true", help="amounts as DOUBLE rather than DECIMAL (Parquet)")
    given = parser.parse_args()
    path = given.path / f"transactions.{given.format or 'parquet'}" if given.path.is_dir() else given.path
    if given.format:
        path = path.with_suffix(f".{given.format}")
    write_log(path, given.lines, seed=given.seed, double_amounts=given.double)


if __name__ == "__main__":
    main()
