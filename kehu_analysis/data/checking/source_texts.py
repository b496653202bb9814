"""What stood in the sources, for readers: confidential values masked, and lines that may hold such withheld."""

from __future__ import annotations

from collections.abc import Sequence

from kehu_analysis.data.checking.texts import clean_text, masked
from kehu_analysis.data.checking.validate import Part
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import Table, is_confidential
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import identifier, quoted

#: What is shown of a broken line that may hold a confidential value: where in it that stands nobody knows.
_WITHHELD = "****"


def given_texts(table: Table, parts: Sequence[Part], wanted: str, key: Sequence[str], settings: TableSettings) -> str:
    """Return the query for the texts that stood at some places: file, row, fault_column, fault_value.

    Parameters
    ----------
    table
        The table of the contract.
    parts
        The table's files.
    wanted
        A relation with file, row, fault_column.
    key
        The table's key: where it is repeated, all its columns are shown.
    settings
        What ``dataset.toml`` says of the table; a computed amount shows its two factors.

    Returns
    -------
    str
        A query; of a broken line it gives the line.
    """
    found = []
    for part in parts:
        cases = []
        for name, header in part.mapping.headers.items():
            cases.append(f"WHEN {quoted(name)} THEN {_shown(table, name, header)}")
        if settings.amount_from is not None:
            factors = settings.amount_from.headers.values()
            text = ", ".join(f"coalesce({clean_text(factor)}, '')" for factor in factors)
            cases.append(f"WHEN 'amount' THEN concat_ws(' × ', {text})")
        keys = [_shown(table, name, part.mapping.headers[name]) for name in key if part.has(name)]
        if keys:
            cases.append(f"WHEN {quoted(', '.join(key))} THEN concat_ws(', ', {', '.join(keys)})")
        if part.file.broken is not None:
            found.append(
                f"SELECT w.{FILE}, w.{ROW}, w.fault_column, {_line(table, part)} AS fault_value FROM {wanted} w "
                f"JOIN {part.file.broken} b USING ({FILE}, {ROW})"
            )
        value = f"CASE w.fault_column {' '.join(cases)} END" if cases else "NULL"
        found.append(
            f"SELECT w.{FILE}, w.{ROW}, w.fault_column, {value} AS fault_value FROM {wanted} w "
            f"JOIN {part.file.relation} r USING ({FILE}, {ROW})"
        )
    return " UNION ALL ".join(found)


def own_columns(table: Table, part: Part, rejected: str) -> str:
    """Return the query for rejected rows in a file's own columns, as texts; of a broken line the line, ``_line``."""
    # A mended row that is still wrong keeps its place in this file, not the one that it was first read from.
    file = part.file
    own = [header for header in file.headers if not (part.mapping.mends and header.startswith("_"))]
    confidential = _confidential(table, part)
    columns = ", ".join(f"{_own(header, header in confidential)} AS {identifier(header)}" for header in own)
    query = f"SELECT {columns}, w.* FROM {rejected} w JOIN {file.relation} r USING ({FILE}, {ROW})"
    if file.broken is not None:
        query += (
            f" UNION ALL BY NAME SELECT {_line(table, part)} AS _line, w.* FROM {rejected} w "
            f"JOIN {file.broken} b USING ({FILE}, {ROW})"
        )
    return query


def _confidential(table: Table, part: Part) -> set[str]:
    # Also where no column is mapped to it: what a header says of itself is to be believed.
    named = {header for name, header in part.mapping.headers.items() if _is_confidential(table, name)}
    return named | set(filter(is_confidential, part.file.headers))


def _is_confidential(table: Table, name: str) -> bool:
    column = table.column(name)
    return column is not None and column.confidential


def _shown(table: Table, name: str, header: str) -> str:
    return masked(clean_text(header)) if _is_confidential(table, name) else clean_text(header)


def _own(header: str, is_confidential: bool) -> str:
    text = f"CAST(r.{identifier(header)} AS VARCHAR)"
    return masked(text) if is_confidential else text


def _line(table: Table, part: Part) -> str:
    return quoted(_WITHHELD) if _confidential(table, part) else "b.line_text"
