"""Which row of a file is the header of a table, and which columns of a very wide one are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from kehu_analysis.data.period_headers import is_cross_table
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import TableSettings

#: So many columns of a file are read whatever they are called; of those beyond, the ones that are needed.
MOST_COLUMNS = 1000


def header_test(table: Table, settings: TableSettings) -> Callable[[Sequence[str]], bool]:
    """Return the test whether a row's cells are the header of a table: what the settings name, else what is known.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> is_header = header_test(contract()["transactions"], TableSettings())
    >>> is_header(["客户编号", "日期", "金额"]), is_header(["2026 年销售", "", ""])
    (True, False)
    """
    mapped = set(settings.columns.values())
    if settings.lines is not None:
        # What is mapped may stand in either file; the column of both stands in each.
        mapped = {settings.lines.key}

    def is_header(cells: Sequence[str]) -> bool:
        if mapped:
            return mapped <= set(cells)
        found = table.candidates(cells)
        if table.name == "transactions" and "customer_id" in found and is_cross_table(cells):
            return True
        return all(name in found for name in table.required_columns if name not in settings.computed)

    return is_header


def needed_test(table: Table, settings: TableSettings) -> Callable[[Sequence[str]], AbstractSet[str]]:
    """Return the test which headers of a file are needed: those that the settings name, or the contract knows.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> needed = needed_test(contract()["transactions"], TableSettings(columns={"amount": "net"}))
    >>> sorted(needed(["date", "net", "weight"]))
    ['date', 'net']
    """
    said = {*settings.columns.values(), *(rule.column for rule in settings.filters)}
    said |= set(settings.amount_from.headers.values()) if settings.amount_from is not None else set()
    said |= {one.column for one in (settings.returns, settings.currencies) if one is not None and one.column}
    said |= {settings.lines.on, settings.lines.key} if settings.lines is not None else set()

    def needed(headers: Sequence[str]) -> AbstractSet[str]:
        if settings.crosstab is not None:
            return set(headers)
        return said | {header for found in table.candidates(headers).values() for header in found}

    return needed


def kept_places(headers: Sequence[str], needed: AbstractSet[str]) -> list[int]:
    """Return which columns of a file are read: all, or of a very wide one the first and those that are needed.

    Examples
    --------
    >>> kept_places(["date", "amount"], set())
    [0, 1]
    >>> len(kept_places(["x"] * 20_000 + ["date"], {"date"}))
    1001
    """
    return [place for place, header in enumerate(headers) if place < MOST_COLUMNS or header in needed]
