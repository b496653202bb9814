"""Tables with periods across: which headers are months, and their columns taken apart into rows of a log."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import duckdb

from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE
from kehu_analysis.data.schema import pattern_of, period_words
from kehu_analysis.data.settings import CrossTable
from kehu_analysis.engine.duckdb import identifier, quoted

#: From so many headers on that are periods a table is taken for one with periods across.
FEWEST_PERIODS = 2
#: What the columns of a table that was taken apart are called: the names of the contract.
_DATE, _AMOUNT = "date", "amount"


def period_of_header(header: str, year: int | None = None) -> date | None:
    """Return the first day of the month or quarter that a header names; None where it names none.

    Parameters
    ----------
    header
        Such as ``2026-01``, ``Jan 2026``, ``Q1``.
    year
        That of headers that name none; without it these are no periods.

    Examples
    --------
    >>> [str(period_of_header(header, 2026)) for header in ("2025-11", "Mar", "Q2", "Total")]
    ['2025-11-01', '2026-03-01', '2026-04-01', 'None']
    """
    text = unicodedata.normalize("NFKC", header).strip().lower()
    if (match := re.match(pattern_of("periods", "with_year"), text)) is not None:
        month, *quarters = match.groups()[1:]
        return _first_day(int(match[1]), int(month) if month else 3 * int(next(filter(None, quarters))) - 2)
    own = re.search(r"\b(\d{4})\b", text)
    word = re.sub(r"[\s\-/_.,']*\b\d{4}\b[\s\-/_.,']*", "", text) if own else text
    month_of_word = period_words().get(word)
    wanted = int(own[1]) if own else year
    return _first_day(wanted, month_of_word) if month_of_word and wanted else None


def _first_day(year: int, month: int) -> date | None:
    return date(year, month, 1) if 1 <= month <= 12 and year >= 1900 else None


def period_headers(headers: Sequence[str], year: int | None = None) -> list[str]:
    """Return the headers that are periods.

    Examples
    --------
    >>> period_headers(["customer", "Jan", "Feb", "total"], 2026)
    ['Jan', 'Feb']
    """
    return [header for header in headers if period_of_header(header, year) is not None]


def take_apart(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OpenedFile], settings: CrossTable
) -> list[OpenedFile]:
    """Return files with periods across as one file a period, whose rows have a date and an amount.

    Empty cells are no rows. A period is dated by its first day.
    """
    found = []
    for file in files:
        periods = period_headers(file.headers, settings.year)
        others = [header for header in file.headers if header not in periods and header not in (_DATE, _AMOUNT)]
        for number, header in enumerate(periods):
            day = period_of_header(header, settings.year)
            relation, shown = f"{file.relation}_{number}_apart", f"{file.shown} [{header}]"
            kept = ", ".join(identifier(other) for other in others)
            connection.execute(
                f"CREATE TEMP VIEW {relation} AS SELECT {kept}{', ' if kept else ''}'{day}' AS {_DATE}, "
                f"{identifier(header)} AS {_AMOUNT}, * EXCLUDE ({', '.join(map(identifier, file.headers))}) "
                f"REPLACE ({quoted(shown)} AS {FILE}) FROM {file.relation} "
                f"WHERE nullif(trim(CAST({identifier(header)} AS VARCHAR)), '') IS NOT NULL"
            )
            types = {other: file.types[other] for other in others} | {_DATE: "VARCHAR", _AMOUNT: file.types[header]}
            broken = file.broken if number == 0 else None
            found.append(replace(file, relation=relation, shown=shown, types=types, broken=broken))
    return found
