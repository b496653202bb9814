"""What one stands for in each column of sums: as the settings, a header, a line above, a row below or a column say."""

from __future__ import annotations

import re

import duckdb

from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.texts import clean_text, given_text
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.schema import Table, pattern_of
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.data.units import unit_alone, unit_of_header, unit_of_lines
from kehu_analysis.errors import DataError

#: So far down a row may name nothing but the unit.
_ROWS_OF_UNITS = 5


def units_of(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    file: OpenedFile,
    mapping: ColumnMapping,
    settings: TableSettings,
) -> dict[str, int]:
    """Return by column of money what one stands for, where that is not 1.

    Parameters
    ----------
    connection
        Where the file is a relation.
    table, file, mapping
        The table of the contract, one of its files, and which header of that is which column.
    settings
        What ``dataset.toml`` says of the table.

    Raises
    ------
    DataError
        A column names several units, so that the sums cannot be added up.
    """
    of_lines = unit_of_lines(file.above) or _unit_of_column(connection, table, file)
    headers = dict(mapping.headers)
    if settings.amount_from is not None:
        headers["amount"] = settings.amount_from.unit_price or settings.amount_from.debit or ""
    found = {}
    for name, header in headers.items():
        column = table.column(name)
        if column is not None and column.kind == "money":
            said = unit_of_header(header) or _unit_below(connection, file, header) or of_lines or ("", 1)
            found[name] = settings.amount_unit or said[1]
    return {name: unit for name, unit in found.items() if unit != 1}


def _unit_below(connection: duckdb.DuckDBPyConnection, file: OpenedFile, header: str) -> tuple[str, int] | None:
    """Return the unit that stands in a row of its own right below the header."""
    if file.types.get(header) != "VARCHAR":
        return None
    rows = connection.execute(f"SELECT {clean_text(header)} FROM {file.relation} LIMIT {_ROWS_OF_UNITS}").fetchall()
    return next((found for (text,) in rows if text and (found := unit_alone(text))), None)


def _unit_of_column(connection: duckdb.DuckDBPyConnection, table: Table, file: OpenedFile) -> tuple[str, int] | None:
    """Return the unit of sums that a column of units names in every row; a piece or a box is none."""
    for header in file.headers:
        if file.types[header] != "VARCHAR" or not re.match(pattern_of("units", "in_column"), header.strip()):
            continue
        texts = connection.execute(
            f"SELECT DISTINCT {clean_text(header)} FROM {file.relation} WHERE {given_text(header)} IS NOT NULL LIMIT 60"
        ).fetchall()
        found = {text: unit_alone(text) for (text,) in texts}
        numbers = {unit[1] for unit in found.values() if unit is not None}
        if len(numbers) > 1:
            raise DataError("mixed_units", table=table.name, path=file.shown, column=header, units=", ".join(found))
        if numbers and all(found.values()):
            return next(unit for unit in found.values() if unit is not None)
    return None
