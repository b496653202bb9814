"""Tables with periods across: their columns taken apart into rows of a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from kehu_analysis.data.period_headers import are_repeated, period_headers, period_of_header
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE
from kehu_analysis.data.schema import null_words
from kehu_analysis.data.settings import CrossTable
from kehu_analysis.engine.duckdb import identifier, quoted
from kehu_analysis.errors import DataError

#: What the columns of a table that was taken apart are called: the names of the contract.
_DATE, _AMOUNT = "date", "amount"


def take_apart(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OpenedFile], settings: CrossTable
) -> list[OpenedFile]:
    """Return files with periods across as one file a period, whose rows have a date and an amount.

    Cells with nothing in them, or a word that stands for that, are no rows. A period is dated by its first day.
    """
    found = []
    nothing = ", ".join(map(quoted, ("", *null_words())))
    for file in files:
        if are_repeated(file.headers):
            raise DataError(
                "periods_repeat", table="transactions", path=file.shown, headers=", ".join(file.headers[:40])
            )
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
                f"WHERE lower(trim(CAST({identifier(header)} AS VARCHAR))) NOT IN ({nothing})"
            )
            types = {other: file.types[other] for other in others} | {_DATE: "VARCHAR", _AMOUNT: file.types[header]}
            broken = file.broken if number == 0 else None
            found.append(replace(file, relation=relation, shown=shown, types=types, broken=broken))
    return found
