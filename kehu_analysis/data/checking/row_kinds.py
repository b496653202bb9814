"""Columns that say what kind of amount a row has: in which currency, and whether the sale came about at all."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb

from kehu_analysis.data.checking.amounts import sign_of, spellings_in
from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.page_lines import page_mark
from kehu_analysis.data.checking.parse import matches
from kehu_analysis.data.checking.texts import clean_text, given_text, is_null_word
from kehu_analysis.data.checking.validate import Part
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.data.schema import (
    contract,
    currencies_of,
    currency_codes,
    currency_of_header,
    currency_signs,
    flag_words,
    pattern_of,
)
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.engine.duckdb import quoted
from kehu_analysis.errors import DataError
from kehu_analysis.labels import Phrase

#: A state has few values; a column of more is something else.
_MOST_STATES = 60


class CurrencyFound(NamedTuple):
    """A currency that a file names: in which column, how it is written there, on how many rows, and where it stands.

    ``place`` is ``"column"`` of a column of currencies, ``"amount"`` of signs in the amounts, ``"header"`` of theirs;
    an empty ``name`` is that of amounts without a sign beside others that have one.
    """

    column: str
    name: str
    n_lines: int
    place: str


def refuse_mixed_currencies(found: Sequence[CurrencyFound], settings: TableSettings, currency: str) -> None:
    """See to it that amounts of several currencies are not added up as if they were one.

    Parameters
    ----------
    found
        What :func:`currencies_of_files` found.
    settings
        What ``dataset.toml`` says of the transactions: rates, or filters that leave one currency.
    currency
        The dataset's own.

    Raises
    ------
    DataError
        A column of currencies, or the signs and codes in the amounts, name more than one, or one without a rate.
    """
    for place in ("column", "amount"):
        here = [one for one in found if one.place == place]
        if settings.currencies is not None:
            is_told = (settings.currencies.column is not None) == (place == "column")
            given = settings.currencies.rates
            missing = dict.fromkeys(one.name for one in here if one.name and not spellings_in(one.name, given))
            if is_told and missing:
                raise DataError("currency_without_rate", currencies=", ".join(missing))
            continue
        if is_mixed(here, currency):
            names = dict.fromkeys(one.name for one in here)
            counts = {name: sum(one.n_lines for one in here if one.name == name) for name in names}
            unsigned = Phrase("ui.no_currency_sign")
            listed = [Phrase("ui.currency_count", {"name": name or unsigned, "n": n}) for name, n in counts.items()]
            rates = ", ".join(f"{json.dumps(name, ensure_ascii=False)} = …" for name in names if name)
            column = here[0].column
            how = Phrase(f"ui.rates_by_{place}", {"column": json.dumps(column, ensure_ascii=False), "rates": rates})
            raise DataError(
                "mixed_currencies", table="transactions", column=column, currencies=listed, how=how, currency=currency
            )


def is_mixed(found: Sequence[CurrencyFound], currency: str) -> bool:
    """Tell whether several currencies are named; amounts without a sign are in the dataset's own.

    Examples
    --------
    >>> is_mixed([CurrencyFound("paid", "$", 5, "amount"), CurrencyFound("paid", "", 5, "amount")], "CNY")
    True
    """
    codes = {currencies_of(one.name)[0] if one.name else currency for one in found}
    own = [one for one in found if one.name and currency in currencies_of(one.name)]
    return len(codes - ({currencies_of(one.name)[0] for one in own} if own else set())) + bool(own) > 1


def foreign_currencies(found: Sequence[CurrencyFound], settings: TableSettings, currency: str) -> list[CurrencyFound]:
    """Return the currencies that are not the dataset's, where it says nothing of their rates."""
    if settings.currencies is not None:
        return []
    return [one for one in found if one.name and currency not in currencies_of(one.name)]


def currencies_of_files(
    connection: duckdb.DuckDBPyConnection,
    opened: Sequence[tuple[OpenedFile, ColumnMapping]],
    settings: TableSettings,
) -> list[CurrencyFound]:
    """Return the currencies that files name, over the rows that no filter leaves out, the commonest first.

    Parameters
    ----------
    connection
        Where the files are relations.
    opened
        The files of the transactions, each with its columns.
    settings
        What ``dataset.toml`` says of them.
    """
    pattern = pattern_of("row_kinds", "currency")
    counts: dict[tuple[str, str, str], int] = {}
    for file, mapping in opened:
        filters = [f"NOT coalesce({matches(rule)}, false)" for rule in settings.filters if rule.column in file.headers]
        kept = f"FROM {file.relation} WHERE {' AND '.join(filters) or 'true'}"
        named = settings.currencies.column if settings.currencies is not None else None
        for header in file.headers:
            if header == named or re.match(pattern, header.strip()):
                rows = f"{kept} AND {_is_no_page_line(file, mapping)}"
                for name, n in _values(connection, f"upper({clean_text(header)})", rows):
                    counts[header, name, "column"] = counts.get((header, name, "column"), 0) + n
        parts = settings.amount_from
        header = mapping.headers.get("amount", "") if parts is None else (parts.unit_price or parts.debit or "")
        if not any(place == "column" for *_, place in counts) and (of_header := currency_of_header(header)):
            row = connection.execute(f"SELECT count(*) {kept}").fetchone()
            counts[header, of_header, "header"] = counts.get((header, of_header, "header"), 0) + (row[0] if row else 0)
        if file.types.get(header) == "VARCHAR":
            known = ", ".join(map(quoted, (*currency_signs(), *currency_codes())))
            sign = f"CASE WHEN {sign_of(header)} IN ({known}) THEN {sign_of(header)} END"
            signed = _values(connection, sign, kept)
            for name, n in signed:
                counts[header, name, "amount"] = counts.get((header, name, "amount"), 0) + n
            if signed:
                row = connection.execute(
                    f"SELECT count(*) {kept} AND {given_text(header)} IS NOT NULL AND {sign} IS NULL "
                    # A sum below them may well be written without the sign.
                    f"AND regexp_matches({clean_text(header)}, '[0-9]') AND {_is_no_page_line(file, mapping)}"
                ).fetchone()
                if row is not None and row[0]:
                    counts[header, "", "amount"] = counts.get((header, "", "amount"), 0) + row[0]
    found = [CurrencyFound(header, name, n, place) for (header, name, place), n in counts.items()]
    return sorted(found, key=lambda one: (not one.name, -one.n_lines))


def _is_no_page_line(file: OpenedFile, mapping: ColumnMapping) -> str:
    table = contract()["transactions"]
    required = {name: mapping.headers[name] for name in table.required_columns if name in mapping.headers}
    return f"{page_mark(file, required, table.columns)} IS NULL"


def _values(connection: duckdb.DuckDBPyConnection, value: str, kept: str) -> list[tuple[str, int]]:
    return connection.execute(
        f"SELECT value, count(*) FROM (SELECT {value} AS value {kept}) "
        f"WHERE value IS NOT NULL AND NOT {is_null_word('value')} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
    ).fetchall()


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
        whether the row itself says that goods came back. Of a column of states it does not: it is the sale that was
        undone.
    """
    said = {rule.column for rule in settings.filters} | ({settings.returns.column} if settings.returns else set())
    found: list[dict[str, Any]] = []
    for part in parts:
        file, used = part.file, set(part.mapping.headers.values())
        for header in file.headers:
            condition = undone_condition(header, "s.value")
            if header in said or header in used or file.types[header] not in ("VARCHAR", "BOOLEAN") or not condition:
                continue
            text = clean_text(header)
            n_values = connection.execute(f"SELECT count(DISTINCT {text}) FROM {file.relation}").fetchone()
            if n_values is None or not 1 <= n_values[0] <= _MOST_STATES:
                continue
            # What came back, and says so by its sign, is right as it is.
            back = f"regexp_matches(s.value, {quoted(pattern_of('row_kinds', 'back'))})"
            rows = connection.execute(
                f"SELECT s.value, count(*), CAST(sum(r.amount) AS VARCHAR), min(r.{ROW}) "
                f"FROM transactions_rows r JOIN (SELECT {FILE}, {ROW}, {text} AS value FROM {file.relation}) s "
                f"USING ({FILE}, {ROW}) WHERE r.line_class IN ('accepted', 'set_apart') "
                f"AND {condition} AND (r.amount > 0 OR NOT {back}) GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            found += [
                {
                    "file": file.shown,
                    "column": header,
                    "value": value,
                    "n_lines": n_lines,
                    "amount": amount,
                    "first_row": row,
                    "came_back": is_of_goods(header, value),
                }
                for value, n_lines, amount, row in rows
            ]
    return found


def undone_condition(header: str, value: str) -> str:
    """Return the condition that a value below a header says that a sale came to nothing; empty where none can.

    Examples
    --------
    >>> undone_condition("city", "v"), undone_condition("is_cancelled", "v").startswith("lower(v) IN ('1'")
    ('', True)
    """
    if re.search(pattern_of("row_kinds", "undone_flag"), header):
        return f"lower({value}) IN ({', '.join(map(quoted, flag_words(True)))})"
    if re.search(pattern_of("row_kinds", "state"), header):
        undone, stands = (quoted(pattern_of("row_kinds", form)) for form in ("undone", "stands"))
        return f"(regexp_matches({value}, {undone}) AND NOT regexp_matches({value}, {stands}))"
    return ""


def is_of_goods(header: str, value: str) -> bool:
    """Tell whether a row of this kind is one of goods that came back, and no sale that was undone.

    Examples
    --------
    >>> is_of_goods("业务类型", "退货"), is_of_goods("订单状态", "已退货")
    (True, False)
    """
    is_state = re.search(pattern_of("row_kinds", "is_state"), header) is not None
    return not is_state and re.search(pattern_of("row_kinds", "came_back"), value) is not None


def is_in_part(value: str) -> bool:
    """Tell whether a state says that a part of a sale came to nothing, so that nobody knows by it how much.

    Examples
    --------
    >>> is_in_part("部分退款"), is_in_part("已退款")
    (True, False)
    """
    return re.search(pattern_of("row_kinds", "partly"), value) is not None
