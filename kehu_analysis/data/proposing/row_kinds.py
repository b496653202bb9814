"""Propose what the rows are: in which currencies, which of them are no sales, periods across, where the table ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import duckdb

from kehu_analysis.data.checking.failures import last_rows
from kehu_analysis.data.checking.mapping import ColumnMapping
from kehu_analysis.data.checking.parse import column_value
from kehu_analysis.data.checking.row_kinds import (
    CurrencyFound,
    currencies_of_files,
    foreign_currencies,
    is_in_part,
    is_mixed,
    is_of_goods,
    undone_condition,
)
from kehu_analysis.data.checking.texts import Style, clean_text
from kehu_analysis.data.period_headers import is_cross_table, needs_year, year_in
from kehu_analysis.data.reading.samples import Sample
from kehu_analysis.data.schema import Column, Table, currencies_of
from kehu_analysis.data.settings import TableSettings

_MOST_STATES = 60
_AMOUNT = Column("amount", "money")


@dataclass(frozen=True)
class CurrenciesProposal:
    """The currencies of amounts that cannot be added up as they stand.

    Attributes
    ----------
    header
        The column of currencies, or that of the amounts whose signs name them.
    is_column
        Whether it is a column of its own.
    names
        How the currencies are written, the commonest first; empty for amounts without a sign.
    counts
        On how many of the rows looked at each stands.
    """

    header: str
    is_column: bool
    names: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class StatesProposal:
    """The values of a column that say that a sale came to nothing, or that goods came back.

    Attributes
    ----------
    column, values
        The header, and what it says of such rows.
    n_lines, amount
        How many rows that are, and what they add up to (currency); None where no amount is known yet.
    came_back
        Whether the rows are goods that came back, and so count below 0.
    in_part
        Whether only a part of each sale came to nothing.
    """

    column: str
    values: tuple[str, ...]
    n_lines: int
    amount: Decimal | None
    came_back: bool
    in_part: bool = False


@dataclass(frozen=True)
class CrossTableProposal:
    """A table with periods across: whether its headers name no year, and the one that a title or a name tells."""

    needs_year: bool
    year: int | None


@dataclass(frozen=True)
class RowKinds:
    """What is proposed of a table's rows.

    Attributes
    ----------
    currencies
        Several currencies, of which rates are asked for.
    currency
        The one currency of all amounts, where it is not the dataset's; else empty.
    states
        Rows that are no sales.
    crosstab
        Periods across.
    last_row
        The setting that ends the table, as ``dataset.toml`` has it; empty where nothing stands below.
    """

    currencies: CurrenciesProposal | None = None
    currency: str = ""
    states: tuple[StatesProposal, ...] = ()
    crosstab: CrossTableProposal | None = None
    last_row: str = ""

    @property
    def is_needed(self) -> bool:
        """Whether anything is proposed."""
        return self != RowKinds()

    @property
    def undecided(self) -> tuple[str, ...]:
        """What only a person can fill in."""
        is_open = self.crosstab is not None and self.crosstab.needs_year and self.crosstab.year is None
        return (*(["currencies"] if self.currencies else []), *(["year"] if is_open else []))


def is_across(table: Table, samples: Sequence[Sample], settings: TableSettings, recognised: Mapping[str, str]) -> bool:
    """Tell whether a table has periods across and no date, so that it is to be taken apart."""
    is_log = table.name == "transactions" and "date" not in recognised and settings.lines is None
    return is_log and all(is_cross_table(sample.file.headers) for sample in samples)


def propose_row_kinds(
    connection: duckdb.DuckDBPyConnection,
    samples: Sequence[Sample],
    settings: TableSettings,
    headers: Mapping[str, str],
    currency: str,
    timezone: str,
    account: Mapping[str, Any] | None,
    *,
    across: bool,
) -> RowKinds:
    """Propose what the rows of the transactions are.

    Parameters
    ----------
    connection
        Where the samples are relations.
    samples
        The beginning of the files.
    settings
        What ``dataset.toml`` says of the table.
    headers
        Header of each column, recognised or proposed.
    currency, timezone
        The dataset's.
    account
        What the check counted, where it came to its end.
    across
        Whether the table has periods across.
    """
    opened = [
        (one.file, ColumnMapping({column: h for column, h in headers.items() if h in one.file.headers}, ()))
        for one in samples
    ]
    crosstab = None
    if across and settings.crosstab is None:
        texts = [text for one in samples for text in (*one.file.above, one.sheet, one.path.stem)]
        is_open = any(needs_year(one.file.headers) for one in samples)
        crosstab = CrossTableProposal(is_open, year_in(texts) if is_open else None)
    found = currencies_of_files(connection, opened, settings)
    several = _several(found, settings, currency)
    foreign = [] if several else foreign_currencies(found, settings, currency)
    states = _counted_states(account) if account else _states(connection, samples, settings, headers, timezone)
    return RowKinds(
        several,
        currencies_of(foreign[0].name)[0] if foreign else "",
        states,
        crosstab,
        last_rows(account) if account else "",
    )


def _several(found: Sequence[CurrencyFound], settings: TableSettings, currency: str) -> CurrenciesProposal | None:
    if settings.currencies is not None:
        return None
    for place in ("column", "amount"):
        here = [one for one in found if one.place == place]
        if is_mixed(here, currency):
            here = [one for one in here if one.column == here[0].column]
            names, counts = tuple(one.name for one in here), tuple(one.n_lines for one in here)
            return CurrenciesProposal(here[0].column, place == "column", names, counts)
    return None


def _counted_states(account: Mapping[str, Any]) -> tuple[StatesProposal, ...]:
    found: dict[tuple[str, bool, bool], list[dict[str, Any]]] = {}
    for one in account["tables"]["transactions"]["states"]:
        found.setdefault((one["column"], one["came_back"], is_in_part(one["value"])), []).append(one)
    return tuple(
        StatesProposal(
            column,
            tuple(dict.fromkeys(one["value"] for one in states)),
            sum(one["n_lines"] for one in states),
            sum((Decimal(one["amount"]) for one in states), Decimal(0)),
            came_back,
            in_part,
        )
        for (column, came_back, in_part), states in found.items()
    )


def _states(
    connection: duckdb.DuckDBPyConnection,
    samples: Sequence[Sample],
    settings: TableSettings,
    headers: Mapping[str, str],
    timezone: str,
) -> tuple[StatesProposal, ...]:
    """Return the states among the rows sampled, where the check has not counted them yet."""
    said = {rule.column for rule in settings.filters} | ({settings.returns.column} if settings.returns else set())
    shared = [header for header in samples[0].file.headers if all(header in one.file.headers for one in samples)]
    found = []
    for header in shared:
        condition = undone_condition(header, "value")
        if header in said or header in headers.values() or not condition:
            continue
        amount = headers.get("amount", "")
        sums = [
            column_value(_AMOUNT, amount, one.file.types[amount], timezone, Style()) if amount else "NULL"
            for one in samples
        ]
        rows = " UNION ALL ".join(
            f"SELECT CAST({clean_text(header)} AS VARCHAR) AS value, {money} AS amount FROM {one.file.relation}"
            for one, money in zip(samples, sums, strict=True)
        )
        n_values = connection.execute(f"SELECT count(DISTINCT value) FROM ({rows})").fetchone()
        if n_values is None or not 1 < n_values[0] <= _MOST_STATES:
            continue
        values = connection.execute(
            f"SELECT value, count(*), sum(amount) FROM ({rows}) WHERE {condition} GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        for came_back, in_part in product((False, True), repeat=2):
            of_kind = [
                row for row in values if (is_of_goods(header, row[0]), is_in_part(row[0])) == (came_back, in_part)
            ]
            known = [Decimal(row[2]) for row in of_kind if row[2] is not None]
            # Goods that came back, and say so by their sign, are right as they are.
            if of_kind and not (came_back and known and sum(known) < 0):
                total = sum(known, Decimal(0)) if amount else None
                n_lines = sum(row[1] for row in of_kind)
                names = tuple(row[0] for row in of_kind)
                found.append(StatesProposal(header, names, n_lines, total, came_back, in_part))
    return tuple(found)
