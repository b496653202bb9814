"""Propose the columns that make the amount where no column holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from kehu_analysis.data.proposing.candidates import DISCOUNT_RATE, READABLE, UNIT_PRICE, Candidate
from kehu_analysis.data.proposing.judge import Judge
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import AmountFrom


class _Open(Protocol):
    """What is asked of a column that is open."""

    @property
    def column(self) -> str: ...
    @property
    def fault(self) -> str: ...
    @property
    def chosen(self) -> str | None: ...
    @property
    def candidates(self) -> tuple[Candidate, ...]: ...


def propose_amount_parts(
    table: Table, proposals: Sequence[_Open], judge: Judge, free: Sequence[str], clear: Mapping[str, str]
) -> AmountFrom | None:
    """Return the headers whose product is the amount, less what is taken off, where no header says that it is one.

    Parameters
    ----------
    table
        The table of the contract.
    proposals
        Its columns that are open.
    judge
        Looks at the values below a header.
    free, clear
        The headers that are left, and the one of each column that is known.
    """
    amount = next((one for one in proposals if one.column == "amount" and one.fault != "ambiguous"), None)
    quantity = table.column("quantity")
    if amount is None or quantity is None:
        return None
    sure = next((one for one in amount.candidates if one.header == amount.chosen), None)
    if sure is not None and sure.likeness >= LIKE:
        return None
    prices = [one for one in judge.ranked(UNIT_PRICE, [*free, *filter(None, [amount.chosen])]) if _fits(one)]
    counts = [clear["quantity"]] if "quantity" in clear else []
    counts += [one.header for one in judge.ranked(quantity, free) if _fits(one)] if not counts else []
    pairs = [(count, one.header) for count in counts for one in prices if one.header != count]
    if not pairs:
        return None
    left = [header for header in (clear.get("discount", ""), *free) if header and header not in pairs[0]]
    discounts: dict[str, str] = {}
    for header in left:
        if is_like_discount(table, header) and (kind := judge.kind_of_discount(header)) is not None:
            discounts.setdefault(kind, header)
    if "discount_rate" in discounts:
        discounts.pop("paid_rate", None)
    return AmountFrom(quantity=pairs[0][0], unit_price=pairs[0][1], **discounts)


def is_like_discount(table: Table, header: str) -> bool:
    """Tell whether a header says that its column is taken off."""
    known = [DISCOUNT_RATE, *filter(None, [table.column("discount")])]
    return any(likeness(header, column) >= LIKE for column in known)


def _fits(one: Candidate) -> bool:
    return one.likeness >= LIKE and one.readable >= READABLE
