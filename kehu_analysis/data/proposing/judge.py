"""Rank the headers that could be a column, looking at the values below each once."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from kehu_analysis.data.proposing.candidates import (
    Candidate,
    Values,
    count_readable,
    judged,
    look_at,
    repeats_over_days,
    with_repeats,
)
from kehu_analysis.data.proposing.discounts import DiscountKind, kind_of_discount
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.reading.samples import Sample
from kehu_analysis.data.schema import Column

#: A table of more columns is judged by the headers that say most.
_MOST_JUDGED = 24
_MOST_COMPARED = 500


class Judge:
    """Looks at each header's values once, and ranks headers by them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, samples: Sequence[Sample], timezone: str) -> None:
        self._connection = connection
        self._files = [sample.file for sample in samples]
        self._timezone = timezone
        self._seen: dict[str, Values] = {}

    def ranked(self, column: Column, headers: Sequence[str], named: str = "") -> list[Candidate]:
        """Return the headers whose values could be the column's, best first."""
        likes = {header: likeness(header, column, named) for header in headers[:_MOST_COMPARED]}
        likely = sorted(likes, key=lambda header: -likes[header])[:_MOST_JUDGED]
        candidates = []
        for header in likely:
            if header not in self._seen:
                self._seen[header] = look_at(self._connection, self._files, header, self._timezone)
            values = self._seen[header]
            n_readable = count_readable(self._connection, self._files, header, column, values, self._timezone)
            candidates.append(judged(header, column, values, n_readable, named))
        worth = [one for one in candidates if one.readable >= LIKE or one.likeness >= LIKE]
        return sorted(worth, key=lambda one: (-one.score, headers.index(one.header)))

    def kind_of_discount(self, header: str) -> DiscountKind | None:
        """Return what the values below a header take off: a share, a sum, or what they leave; None where unclear."""
        return kind_of_discount(self._connection, self._files, header)

    def by_days(self, ranked: Sequence[Candidate], date_header: str) -> list[Candidate]:
        """Return candidates for a customer, ranked again by whether they come back on other days."""
        if not all(date_header in file.headers for file in self._files):
            return list(ranked)
        again = [
            with_repeats(one, repeats_over_days(self._connection, self._files, one.header, date_header))
            for one in ranked
        ]
        return sorted(again, key=lambda one: -one.score)
