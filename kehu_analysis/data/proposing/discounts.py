"""Tell what a column of discounts says: a share that is taken off, one that remains, or a sum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

import duckdb

from kehu_analysis.data.checking.numbers import number_of
from kehu_analysis.data.checking.texts import Style, given_text
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.schema import no_share_words, pattern_of
from kehu_analysis.engine.duckdb import quoted

DiscountKind: TypeAlias = Literal["discount", "discount_rate", "paid_rate"]
#: A share of which most are above this remains; one that is taken off is rarely so large.
_HALF = 0.5
_WHOLE = 100


def kind_of_discount(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OpenedFile], header: str
) -> DiscountKind | None:
    """Return the part of an amount that a column of discounts is.

    Parameters
    ----------
    connection, files
        Files with this header, and where they are relations.
    header
        The header.

    Returns
    -------
    str or None
        ``"discount_rate"`` of shares taken off (``0.1``, ``10%``, or in tenths that remain), ``"paid_rate"`` of plain
        numbers up to 1 that are mostly large, ``"discount"`` of sums; None where the values could be either.
    """
    texts = " UNION ALL ".join(f"SELECT {given_text(header)} AS text FROM {file.relation}" for file in files)
    marked = f"regexp_matches(text, {quoted(pattern_of('shares', 'percent'))}) OR regexp_matches(text, "
    marked += f"{quoted(pattern_of('shares', 'tenths'))})"
    none = ", ".join(map(quoted, no_share_words()))
    points = {mark: number_of("text", "DECIMAL(18, 6)", Style(decimal_mark=mark)) for mark in (".", ",")}
    row = connection.execute(
        f"SELECT count(*), count(*) FILTER ({marked}), count(*) FILTER (lower(text) IN ({none})), count(n), "
        "count(n) FILTER (n BETWEEN 0 AND 1), count(n) FILTER (n <> trunc(n)), "
        "CAST(median(n) FILTER (n <> 0) AS DOUBLE), CAST(max(abs(n)) AS DOUBLE) FROM "
        f"(SELECT text, coalesce({points['.']}, {points[',']}) AS n FROM ({texts}) "
        # A page may say its header again.
        f"WHERE text IS NOT NULL AND text <> {quoted(header.strip())})"
    ).fetchone()
    assert row is not None  # aggregates always return a row
    n, n_marked, n_none, n_numbers, n_shares, n_fractions, median, largest = row
    if n == 0:
        return None
    if n_marked and n_marked + n_none + n_numbers >= n:
        return "discount_rate"
    if n_numbers + n_none < n:
        return None
    if re.search(pattern_of("shares", "in_hundredths"), header):
        return "discount_rate" if largest <= _WHOLE else None
    if n_shares == n_numbers:
        # All of them 0 or 1 say nothing.
        return None if not n_fractions else "paid_rate" if median > _HALF else "discount_rate"
    is_rate = re.search(pattern_of("shares", "in_header"), header) is not None
    return None if is_rate else "discount"
