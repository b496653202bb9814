"""Columns that say what kind of amount a row has: in which currency, and whether the sale came about at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import duckdb

from kehu_analysis.data.checking.amounts import sign_of
from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.parse import matches
from kehu_analysis.data.checking.texts import clean_text, is_null_word
from kehu_analysis.data.checking.validate import Part
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import currency_signs, flag_words, pattern_of
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import quoted
from kehu_analysis.errors import DataError

#: A state has few values; a column of more is something else.
_MOST_STATES = 60
_CODE = re.compile(r"[A-Z]{3}")


def refuse_mixed_currencies(
    connection: duckdb.DuckDBPyConnection,
    opened: Sequence[tuple[OpenedFile, ColumnMapping]],
    settings: TableSettings,
) -> None:
    """See to it that amounts of several currencies are not added up as if they were one.

    Parameters
    ----------
    connection
        Where the files are relations.
    opened
        The files of the transactions, each with its columns.
    settings
        What ``dataset.toml`` says of them: rates, or filters that leave one currency.

    Raises
    ------
    DataError
        A column of currencies, or the signs and codes in the amounts, name more than one, or one without a rate.
    """
    for code, found in (
        ("column", _counts(connection, opened, settings, of_column=True)),
        ("amount", _counts(connection, opened, settings, of_column=False)),
    ):
        if settings.currencies is not None:
            is_told = (settings.currencies.column is not None) == (code == "column")
            known = {name.upper() for name in settings.currencies.rates}
            if is_told and (missing := [name for _, name, _ in found if name not in known]):
                raise DataError("currency_without_rate", currencies=", ".join(missing))
            continue
        names = {currency_signs().get(name, name) for _, name, _ in found}
        if len(names) > 1:
            listed = ", ".join(f"{name} × {n}" for _, name, n in found)
            column = next(header for header, *_ in found)
            rates = ", ".join(f"{name} = …" for name in sorted(names))
            raise DataError("mixed_currencies", column=column, currencies=listed, rates=rates)


def _counts(
    connection: duckdb.DuckDBPyConnection,
    opened: Sequence[tuple[OpenedFile, ColumnMapping]],
    settings: TableSettings,
    *,
    of_column: bool,
) -> list[tuple[str, str, int]]:
    """Return header, currency and rows, over the rows that no filter leaves out."""
    pattern = pattern_of("row_kinds", "currency")
    counts: dict[tuple[str, str], int] = {}
    for file, mapping in opened:
        kept = (
            " AND ".join(
                f"NOT coalesce({matches(rule)}, false)" for rule in settings.filters if rule.column in file.headers
            )
            or "true"
        )
        if of_column:
            named = settings.currencies.column if settings.currencies is not None else None
            headers = [header for header in file.headers if header == named or re.match(pattern, header.strip())]
            values = {header: f"upper({clean_text(header)})" for header in headers}
        else:
            header = mapping.headers.get("amount", "")
            values = {header: sign_of(header)} if file.types.get(header) == "VARCHAR" else {}
        for header, value in values.items():
            rows = connection.execute(
                f"SELECT value, count(*) FROM (SELECT {value} AS value FROM {file.relation} WHERE {kept}) "
                f"WHERE value IS NOT NULL AND NOT {is_null_word('value')} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
            ).fetchall()
            for name, n in rows:
                is_currency = of_column or name in currency_signs() or _CODE.fullmatch(name) is not None
                if is_currency:
                    counts[header, name] = counts.get((header, name), 0) + n
    return [(header, name, n) for (header, name), n in counts.items()]


def doubtful_states(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], settings: TableSettings
) -> list[dict[str, Any]]:
    """Return what columns of states say of rows that were counted as sales and perhaps are none.

    Parameters
    ----------
    connection
        Where :func:`~kehu_analysis.data.checking.validate.classify` has made ``transactions_rows``.
    parts
        The files of the transactions.
    settings
        What ``dataset.toml`` says of them; a column that a filter or ``returns`` names is passed over.

    Returns
    -------
    list of dict
        ``column`` (header), ``value``, ``n_lines``, ``amount`` (currency), ``file``, ``first_row``, and ``came_back``:
        whether the row is a document of goods that came back, not a sale that was taken back.
    """
    said = {rule.column for rule in settings.filters} | ({settings.returns.column} if settings.returns else set())
    found: list[dict[str, Any]] = []
    for part in parts:
        file, used = part.file, set(part.mapping.headers.values())
        for header in file.headers:
            if header in said or header in used or file.types[header] not in ("VARCHAR", "BOOLEAN"):
                continue
            text = clean_text(header)
            undone = _undone(connection, file, header)
            if undone is None:
                continue
            # What came back, and says so by its sign, is right as it is.
            back = f"regexp_matches(s.value, {quoted(pattern_of('row_kinds', 'back'))})"
            rows = connection.execute(
                f"SELECT s.value, count(*), CAST(sum(r.amount) AS VARCHAR), min(r.{ROW}) "
                f"FROM transactions_rows r JOIN (SELECT {FILE}, {ROW}, {text} AS value FROM {file.relation}) s "
                f"USING ({FILE}, {ROW}) WHERE r.line_class IN ('accepted', 'set_apart') "
                f"AND {undone} AND (r.amount > 0 OR NOT {back}) GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            is_document = re.search(pattern_of("row_kinds", "document"), header) is not None
            came_back = pattern_of("row_kinds", "came_back")
            found += [
                {
                    "file": file.shown,
                    "column": header,
                    "value": value,
                    "n_lines": n_lines,
                    "amount": amount,
                    "first_row": row,
                    "came_back": is_document and re.search(came_back, value) is not None,
                }
                for value, n_lines, amount, row in rows
            ]
    return found


def _undone(connection: duckdb.DuckDBPyConnection, file: OpenedFile, header: str) -> str | None:
    """Return the condition that a ``value`` below a header says that no sale came about; None where none can."""
    is_state, is_flag = (re.search(pattern_of("row_kinds", form), header.strip()) for form in ("state", "flag"))
    if not is_state and not is_flag:
        return None
    values = connection.execute(
        f"SELECT DISTINCT lower({clean_text(header)}) FROM {file.relation} LIMIT {_MOST_STATES + 1}"
    ).fetchall()
    if len(values) > _MOST_STATES:
        return None
    yes, no = flag_words(True), flag_words(False)
    if is_flag and all(value is None or value in {*yes, *no} for (value,) in values):
        return f"lower(s.value) IN ({', '.join(map(quoted, yes))})"
    undone, stands = (quoted(pattern_of("row_kinds", form)) for form in ("undone", "stands"))
    return f"regexp_matches(s.value, {undone}) AND NOT regexp_matches(s.value, {stands})"
