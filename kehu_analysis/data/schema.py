"""The data contract: which tables there are, their columns, and the headers they are recognised by."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

#: SQL type of each kind of column in the snapshot.
SQL_TYPES = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "date": "DATE",
    "month": "DATE",
    "money": "DECIMAL(18,4)",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "flag": "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """One column of the contract (the fields are explained at the head of ``schema.toml``)."""

    name: str
    kind: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    references: str | None = None
    past: bool = False
    not_before: str | None = None
    within_log: bool = False

    @property
    def sql_type(self) -> str:
        """The column's type in the snapshot."""
        return SQL_TYPES[self.kind]


@dataclass(frozen=True)
class Table:
    """One table of the contract."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns without which there is no such table."""
        return tuple(column.name for column in self.columns if column.required)

    def is_called(self, name: str) -> bool:
        """Tell whether a file or sheet of this name is the table, or a part of it (``transactions-2026``).

        Examples
        --------
        >>> [contract()["transactions"].is_called(name) for name in ("销售明细", "Transactions-2026-01", "customers")]
        [True, True, False]
        """
        name = unicodedata.normalize("NFKC", name).strip().lower()
        return any(name == own or name.startswith((f"{own}-", f"{own}_2")) for own in (self.name, *self.names))

    def column(self, name: str) -> Column | None:
        """Return a column by its name, a wildcard column (``driver_*``) under the name asked for."""
        for column in self.columns:
            if column.name == name:
                return column
            if "*" in column.name and fnmatchcase(name, column.name):
                return replace(column, name=name)
        return None

    def candidates(self, headers: Sequence[str]) -> dict[str, list[str]]:
        """Return, for each column of the contract, the headers of a file that could be it.

        A header that is the column's own name comes before any synonym.

        Examples
        --------
        >>> contract()["transactions"].candidates(["客户编号", "Order Date", "金额", "备注"])
        {'customer_id': ['客户编号'], 'date': ['Order Date'], 'amount': ['金额']}
        """
        found: dict[str, list[str]] = {}
        for header in headers:
            if "*" not in header and (own := self.column(plain(without_addition(header), "_"))) is not None:
                found.setdefault(own.name, []).append(header)
        for name, matches in found.items():
            found[name] = [header for header in matches if without_addition(header) == name] or matches
        taken = {header for matches in found.values() for header in matches}
        for column in self.columns:
            if column.name in found:
                continue
            known = {plain(name) for name in (*column.headers, column.name)}
            free = (header for header in headers if header not in taken)
            if matches := [header for header in free if plain(without_addition(header)) in known]:
                found[column.name] = matches
        return found


def without_addition(header: str) -> str:
    """Return a header without the number that tells it from another, its unit, its currency.

    Examples
    --------
    >>> without_addition("Amount (2)"), without_addition("金额（万元）"), without_addition("Amount USD")
    ('Amount', '金额', 'Amount')
    """
    # A header that a file has twice was numbered when it was read; both could be the column. Neither a unit nor a
    # currency is part of it.
    bare = re.sub(r" \(\d+\)$", "", header)
    for group in ("units", "row_kinds"):
        found = re.match(pattern_of(group, "in_header"), unicodedata.normalize("NFKC", bare).strip())
        if found is not None and found[1]:
            return found[1]
    return bare


def plain(header: str, separator: str = "") -> str:
    """Return a header without case, width, spaces and punctuation, in the simplified script.

    Examples
    --------
    >>> plain(" Customer-ID（新）"), plain("Order Date", "_"), plain("客戶編號")
    ('customerid新', 'order_date', '客户编号')
    """
    text = unicodedata.normalize("NFKC", header).strip().lower().translate(_simplified())
    return re.sub(r"[\W_]+", separator, text).strip(separator or None)


@cache
def _simplified() -> dict[int, int]:
    characters = _file()["_characters"]
    return str.maketrans(characters["traditional"], characters["simplified"])


@cache
def _file() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("kehu_analysis.data").joinpath("schema.toml").read_text(encoding="utf-8"))


@cache
def contract() -> Mapping[str, Table]:
    """Return the tables of the contract by name."""
    return {name: _table(name, fields) for name, fields in _file().items() if not name.startswith("_")}


def _table(name: str, fields: Mapping[str, Any]) -> Table:
    columns = (Column(name=column, **_tuples(rules)) for column, rules in fields["columns"].items())
    return Table(name, tuple(columns), key=tuple(fields.get("key", ())), names=tuple(fields.get("names", ())))


def _tuples(rules: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) if isinstance(value, dict) else _tuple(value) for key, value in rules.items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def flag_words(value: bool) -> tuple[str, ...]:
    """Return the texts that mean yes (or no) in a yes-or-no column.

    Examples
    --------
    >>> "是" in flag_words(True), "no" in flag_words(False)
    (True, True)
    """
    return tuple(str(word) for word in _file()["_flags"]["true" if value else "false"])


def date_formats(kind: str) -> tuple[str, ...]:
    """Return the formats, besides ISO 8601, in which a ``date`` or a ``month`` may be written.

    Examples
    --------
    >>> "%Y%m" in date_formats("month")
    True
    """
    return tuple(_file()["_dates"][kind])


@cache
def pattern_of(group: str, form: str) -> str:
    """Return a pattern, or a list of characters, by which values are recognised that people wrote.

    A part of it in braces is another pattern of its group.

    Examples
    --------
    >>> bool(re.search(pattern_of("date", "year_last"), "31/12/2026"))
    True
    """
    parts = dict(_file()[f"_{group}"])
    if group == "row_kinds":
        parts["currencies"] = [*parts["same"], *parts["codes"]]
    pattern, before = str(parts[form]), ""
    while pattern != before:  # a part may hold others
        before = pattern
        for name, part in parts.items():
            words = part if isinstance(part, str) else "|".join(map(re.escape, sorted(part, key=len, reverse=True)))
            pattern = pattern.replace(f"{{{name}}}", words)
    return pattern


@cache
def pieces_of(form: str) -> Sequence[str]:
    """Return pieces of which every line of a form of ``[_page_lines]`` holds one; none where they are too many."""
    return tuple(_file()["_page_lines"]["pieces"].get(form, ()))


@cache
def unit_words() -> Mapping[str, int]:
    """Return the words for units in which sums are counted, and the number that each stands for."""
    return {word: int(number) for word, number in _file()["_units"]["words"].items()}


@cache
def period_words() -> Mapping[str, int]:
    """Return the words for months and quarters, and the month that each begins with."""
    return {word: int(month) for word, month in _file()["_periods"]["words"].items()}


@cache
def currency_signs() -> Mapping[str, str]:
    """Return the signs and words for currencies, and the ISO code that each is taken for."""
    return dict(_file()["_row_kinds"]["same"])


@cache
def currency_codes() -> frozenset[str]:
    """Return the ISO codes that letters beside an amount are taken for."""
    return frozenset(_file()["_row_kinds"]["codes"])


def currencies_of(name: str) -> Sequence[str]:
    """Return the ISO codes that a sign, a word or a code may stand for, the likeliest first.

    Examples
    --------
    >>> currencies_of("￥"), currencies_of("usd"), currencies_of("美元")
    (('CNY', 'JPY'), ('USD',), ('USD',))
    """
    known = name.strip().upper()
    return (currency_signs().get(known, known), *_file()["_row_kinds"]["also"].get(known, ()))


def currency_of_header(header: str) -> str | None:
    """Return the currency that a header names, as it is written there; None where it names none.

    Examples
    --------
    >>> currency_of_header("amount (USD)"), currency_of_header("金额（美元）"), currency_of_header("amount")
    ('USD', '美元', None)
    """
    text = unicodedata.normalize("NFKC", header).strip()
    found = re.match(pattern_of("row_kinds", "in_header"), text)
    return None if found is None or not found[1] else (found[2] or found[3])


@cache
def null_words() -> tuple[str, ...]:
    """Return what programs and people write where there is nothing, in small letters."""
    return tuple(_file()["_nothing"]["words"])


@cache
def month_words() -> Mapping[str, int]:
    """Return the words for months in dates, and the month that each is."""
    return {word: int(month) for word, month in _file()["_date"]["months"].items()}


@cache
def tenths_words() -> Mapping[str, str]:
    """Return the words for digits before 折, and the digit that each is."""
    return dict(_file()["_shares"]["in_words"])


@cache
def no_share_words() -> Sequence[str]:
    """Return what stands in a column of shares where nothing is taken off."""
    return tuple(_file()["_shares"]["none"])


@cache
def units_of_cells() -> Mapping[str, int]:
    """Return the words for units that may stand behind a number, the longest first, and what each stands for."""
    return {word: unit_words()[word] for word in _file()["_units"]["in_cells"]}


class Clues(NamedTuple):
    """Pieces of a header: what speaks for a column, what does a little, what against, and what rules it out."""

    hints: Sequence[str] = ()
    weak: Sequence[str] = ()
    against: Sequence[str] = ()
    never: Sequence[str] = ()


def clues(name: str) -> Clues:
    """Return the pieces of a header that speak for a column, and those that speak against it.

    Examples
    --------
    >>> clues("no_such_column").hints, "freight" in clues("amount").never
    ((), True)
    """
    found = _file()["_clues"].get(name, {})
    return Clues(**{part: tuple(words) for part, words in found.items()})
