"""Propose which header is which column of a table, where the contract and the settings leave that open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import duckdb

from kehu_analysis.data.checking.mapping import FAULT_HEADERS, LINE_HEADER, PLACE_HEADERS
from kehu_analysis.data.proposing.amount_parts import propose_amount_parts
from kehu_analysis.data.proposing.candidates import Candidate, chosen_of
from kehu_analysis.data.proposing.judge import Judge
from kehu_analysis.data.proposing.likeness import LIKE
from kehu_analysis.data.reading.samples import Sample
from kehu_analysis.data.schema import Column, Table, currency_of_header, plain, without_addition
from kehu_analysis.data.settings import AmountFrom, TableSettings

_MOST_LISTED = 6
_LISTED = 0.15
#: Ambiguous columns first: what they leave over is free.
_FAULTS = ("ambiguous", "named", "missing")
_Fault = Literal["missing", "ambiguous", "named"]
_RESERVED = frozenset([*PLACE_HEADERS, *FAULT_HEADERS, LINE_HEADER])


@dataclass(frozen=True)
class ColumnProposal:
    """A column of the contract whose header is not known, and the headers that could be it.

    Attributes
    ----------
    column
        Name of the column.
    fault
        ``"missing"``: no header is recognised; ``"ambiguous"``: several are; ``"named"``: the settings name one that is
        not there.
    candidates
        The headers that could be it, best first.
    chosen
        The header that can be taken without asking; None where that is left to the analyst.
    named
        The header that the settings name and the file lacks; else empty.
    is_optional
        Whether a table can do without the column.
    """

    column: str
    fault: _Fault
    candidates: tuple[Candidate, ...]
    chosen: str | None
    named: str = ""
    is_optional: bool = False

    def is_left(self, amount_from: AmountFrom | None) -> bool:
        """Tell whether an analyst has to choose: what is not needed can stay away, an amount can be computed."""
        can_do_without = self.is_optional and self.fault == "named"
        return self.chosen is None and not can_do_without and not (self.column == "amount" and amount_from is not None)


@dataclass(frozen=True)
class ProposedColumns:
    """What is known and what is proposed of a table's columns.

    Attributes
    ----------
    recognised
        Header of each column that needs no proposal.
    open
        The columns that do.
    amount_from
        The headers whose product could be the amount, where there is no amount.
    lost
        The columns for which the settings name a header that is not there.
    unused
        Headers that are no column.
    """

    recognised: Mapping[str, str] = field(default_factory=dict)
    open: tuple[ColumnProposal, ...] = ()
    amount_from: AmountFrom | None = None
    lost: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """Header of each column, recognised or proposed."""
        return {**self.recognised, **{one.column: one.chosen for one in self.open if one.chosen is not None}}


def propose_columns(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    samples: Sequence[Sample],
    settings: TableSettings,
    timezone: str,
) -> ProposedColumns:
    """Find the columns of a table that are open, and rank the headers that could be each.

    A header is only proposed where every file has it, since a mapping holds for all files of a table.

    Parameters
    ----------
    connection
        Where the samples are relations.
    table
        The table of the contract.
    samples
        The beginning of each of its files; at least one.
    settings
        What ``dataset.toml`` says of the table.
    timezone
        The dataset's time zone.

    Returns
    -------
    ProposedColumns
        What is recognised, what is open, and which headers are left over.
    """
    known = _known(table, samples, settings)
    judge = Judge(connection, samples, timezone)
    has_header = all(sample.has_header for sample in samples)
    faults = {column.name: fault for column in table.columns if (fault := _fault(column, known)) is not None}
    # Dates before ids, which are told by their days.
    open_ = sorted(
        (column for column in table.columns if column.name in faults),
        key=lambda one: (_FAULTS.index(faults[one.name]), one.kind == "id"),
    )
    proposals = [_proposal(column, faults[column.name], known, judge, has_header=has_header) for column in open_]
    product = propose_amount_parts(table, proposals, judge, known.free, known.clear)
    if product is not None:
        proposals = [replace(one, chosen=None) if one.column == "amount" else one for one in proposals]
    recognised = {name: header for name, header in known.clear.items() if name not in faults}
    used = {
        *recognised.values(),
        *(one.chosen for one in proposals),
        *(product.headers.values() if product else ()),
    }
    by_place = {column.name: place for place, column in enumerate(table.columns)}
    return ProposedColumns(
        recognised,
        tuple(sorted(proposals, key=lambda one: by_place[one.column])),
        product,
        frozenset(known.lost),
        tuple(header for header in known.shared if header not in used),
    )


@dataclass
class _Known:
    """What contract and settings say of the headers that every file has; what is chosen is added to it.

    Attributes
    ----------
    shared
        The headers.
    found
        Those by which each column is recognised.
    lost
        The header that the settings name for a column, and that is not there.
    product
        The headers whose product the settings say is the amount.
    clear
        The one header of each column that has one.
    taken
        The headers that are spoken for.
    """

    shared: list[str]
    found: dict[str, list[str]]
    lost: dict[str, str]
    product: AmountFrom | None
    clear: dict[str, str]
    taken: set[str]

    @property
    def free(self) -> list[str]:
        """The headers that are left."""
        return [header for header in self.shared if header not in self.taken]

    def choose(self, column: str, header: str) -> None:
        self.clear[column] = header
        self.taken.add(header)


def _known(table: Table, samples: Sequence[Sample], settings: TableSettings) -> _Known:
    files = [sample.file for sample in samples]
    shared = [header for header in files[0].headers if all(header in file.headers for file in files)]
    shared = [header for header in shared if header not in _RESERVED]
    mapped = {column: header for column, header in settings.columns.items() if header in shared}
    lost = {column: header for column, header in settings.columns.items() if header not in shared}
    product = settings.amount_from
    factors = list(product.headers.values()) if product is not None else []
    if absent := [header for header in factors if header not in shared]:
        lost["amount"] = absent[0]
        product, factors = None, []
    found = _recognised(table, samples, mapped, computed=product is not None)
    clear = {name: headers[0] for name, headers in found.items() if len(headers) == 1 and name not in lost}
    if "customer_id" not in found:
        # Where nothing else says who bought, the name does.
        clear.pop("customer_name", None)
    return _Known(shared, found, lost, product, clear, {*clear.values(), *factors})


def _fault(column: Column, known: _Known) -> _Fault | None:
    """Return why a column's header is open; None where it is not."""
    if column.name in known.lost:
        return "named"
    if len(known.found.get(column.name, ())) > 1:
        return "ambiguous"
    is_computed = column.name == "amount" and known.product is not None
    return "missing" if column.required and column.name not in known.clear and not is_computed else None


def _proposal(column: Column, fault: _Fault, known: _Known, judge: Judge, *, has_header: bool) -> ColumnProposal:
    """Rank the headers that could be a column, and take the one that is plain."""
    named = known.lost.get(column.name, "")
    options = [header for header in known.found.get(column.name, known.shared) if header in known.free]
    ranked = judge.ranked(column, options, named)
    if column.name == "customer_id" and "date" in known.clear:
        ranked = judge.by_days(ranked, known.clear["date"])
    best = chosen_of(ranked) if has_header else None
    if best is not None and column.kind == "money" and _in_another_currency(best.header, ranked):
        best = None
    if fault == "named" and not column.required and best is not None and best.likeness < LIKE:
        best = None
    if best is not None:
        known.choose(column.name, best.header)
    return ColumnProposal(
        column.name,
        fault,
        _worth_listing(ranked, best),
        best.header if best is not None else None,
        named,
        is_optional=not column.required,
    )


def _in_another_currency(header: str, ranked: Sequence[Candidate]) -> bool:
    # The same sum in two currencies: only a person knows which one counts.
    bare = plain(without_addition(header))
    return currency_of_header(header) is not None and any(
        one.header != header and plain(without_addition(one.header)) == bare for one in ranked
    )


def _worth_listing(ranked: Sequence[Candidate], best: Candidate | None) -> tuple[Candidate, ...]:
    # Beside a choice that is plain, a column that is most likely another one only distracts.
    plain = [one for one in ranked if not one.is_ruled_out]
    return tuple(one for one in plain[:_MOST_LISTED] if best is None or one is best or one.score >= _LISTED)


def _recognised(
    table: Table, samples: Sequence[Sample], mapped: Mapping[str, str], *, computed: bool
) -> dict[str, list[str]]:
    """Return the headers that each column is recognised by, as the check does; only those that every file has."""
    chosen = set(mapped.values())
    found: dict[str, list[str]] = {}
    by_file = [_free_candidates(table, sample, chosen) | {c: [h] for c, h in mapped.items()} for sample in samples]
    for name in dict.fromkeys(name for one in by_file for name in one):
        each = [one.get(name, []) for one in by_file]
        if any(len(headers) > 1 for headers in each):
            found[name] = list(dict.fromkeys(header for headers in each for header in headers))
        elif all(each) or name not in table.required_columns:
            found[name] = next(headers for headers in each if headers)
    if computed:
        found.pop("amount", None)
    return found


def _free_candidates(table: Table, sample: Sample, chosen: set[str]) -> dict[str, list[str]]:
    candidates = table.candidates(sample.file.headers)
    free = {name: [header for header in headers if header not in chosen] for name, headers in candidates.items()}
    return {name: headers for name, headers in free.items() if headers}
