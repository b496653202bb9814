"""Merged cells of a sheet: what stands in one holds for all its rows, but a sum is counted once.

Excel keeps the value of merged cells in the first of them. A customer or an order number that spans the lines of an
order is that of each line; an amount or a quantity that does so, taken for that of each line, would be sold again with
every line. So such stays where it stands, and how many rows are without is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kehu_analysis.data.reading.cells import cell_text
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import TableSettings

#: What python-calamine says of merged cells: the first and the last of each block, row and column, from 0.
Blocks: TypeAlias = Sequence[tuple[tuple[int, int], tuple[int, int]]]
#: Columns of these kinds hold sums.
_SUMS = ("money", "number", "integer")


@dataclass(frozen=True)
class MergedColumn:
    """What became of the merged cells of a column.

    Attributes
    ----------
    n_filled
        Cells that got the value of the one that they are merged with.
    n_left
        Cells that did not, since the value is a sum.
    first_row, example
        The row of the first block, and what it says.
    """

    n_filled: int
    n_left: int
    first_row: int
    example: str


@dataclass(frozen=True)
class Roles:
    """Of which headers a value holds once, of which for each row; of others it depends on the value."""

    once: frozenset[str] = frozenset()
    each: frozenset[str] = frozenset()

    def holds_for_each(self, header: str, cell: Any) -> bool:
        """Tell whether the value of a merged cell is that of each of its rows: a number may be a sum."""
        if header in self.once or header in self.each:
            return header not in self.once
        return isinstance(cell, bool) or not isinstance(cell, (int, float))


def roles_of_headers(table: Table, settings: TableSettings) -> Callable[[Sequence[str]], Roles]:
    """Return the test which headers of a file hold sums, as the settings and the contract say.

    Examples
    --------
    >>> from kehu_analysis.data.schema import contract
    >>> roles = roles_of_headers(contract()["transactions"], TableSettings())(["客户编号", "金额", "毛重"])
    >>> [roles.holds_for_each(header, 12.5) for header in ("客户编号", "金额", "毛重")]
    [True, False, False]
    """

    def roles(headers: Sequence[str]) -> Roles:
        names = {header: name for name, found in table.candidates(headers).items() for header in found}
        names |= {header: name for name, header in settings.columns.items()}
        kinds = {header: column.kind for header, name in names.items() if (column := table.column(name)) is not None}
        once = {header for header, kind in kinds.items() if kind in _SUMS}
        factors = settings.amount_from.headers if settings.amount_from is not None else {}
        # A price and a rate are those of each row, whose own quantity they are multiplied by.
        shares = {factors[name] for name in ("unit_price", "discount_rate") if name in factors}
        once = (once | set(factors.values())) - shares
        said = [settings.lines.on] if settings.lines is not None else []
        said += [rule.column for rule in settings.filters]
        said += [one.column for one in (settings.returns, settings.currencies) if one is not None and one.column]
        return Roles(frozenset(once), frozenset({*kinds, *shares, *said} - once))

    return roles


class MergedCells:
    """The merged cells below the header of one sheet, read row by row.

    Parameters
    ----------
    blocks
        First and last cell of each block, from 0.
    first_column
        The column of the sheet that rows begin with, from 0.
    header_row
        The row of the header, from 1: blocks that begin there or above hold no values.
    headers
        What the columns are called.
    roles
        Which of them hold sums.
    """

    def __init__(
        self, blocks: Blocks, first_column: int, header_row: int, headers: Sequence[str], roles: Roles
    ) -> None:
        self._headers, self._roles = headers, roles
        self._begins: dict[int, list[tuple[int, int]]] = {}
        self._open: dict[int, tuple[int, int, Any]] = {}
        self._found: dict[str, MergedColumn] = {}
        for (top, left), (bottom, _) in blocks:
            column = left - first_column
            # One that is merged across alone, as a title or the word before a total is, says nothing of other rows.
            if bottom > top and top >= header_row and 0 <= column < len(headers):
                self._begins.setdefault(top + 1, []).append((column, bottom + 1))

    @property
    def found(self) -> dict[str, MergedColumn]:
        """What became of them so far, by header."""
        return self._found

    def filled(self, rows: Iterator[tuple[int, list[Any]]]) -> Iterator[tuple[int, list[Any]]]:
        """Yield numbered rows of cells, each with the values that hold for it."""
        if not self._begins:
            yield from rows
            return
        for number, row in rows:
            # A row without a cell of its own is none: a remark that spans the page below is no customer.
            if self._open and any(cell != "" for cell in row):
                self._fill(number, row)
            for column, last in self._begins.get(number, ()):
                if row[column] != "":
                    self._open[column] = (last, number, row[column])
            yield number, row

    def _fill(self, number: int, row: list[Any]) -> None:
        for column, (last, first, value) in list(self._open.items()):
            if number > last:
                del self._open[column]
            elif row[column] == "":
                header = self._headers[column]
                holds = self._roles.holds_for_each(header, value)
                if holds:
                    row[column] = value
                if holds or header in self._roles.once:
                    self._count(header, holds, first, value)

    def _count(self, header: str, is_filled: bool, first: int, value: Any) -> None:
        so_far = self._found.get(header) or MergedColumn(0, 0, first, cell_text(value) or "")
        self._found[header] = MergedColumn(
            so_far.n_filled + is_filled, so_far.n_left + (not is_filled), so_far.first_row, so_far.example
        )
