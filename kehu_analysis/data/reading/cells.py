"""What a cell of a workbook says, as text, and a row of cells as headers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from kehu_analysis.data.reading.text_files import distinct

#: Excel keeps 15 digits of a number; of one that has more the last are not known.
_MOST_DIGITS = 10**15
_LARGEST_WHOLE = 10**21


def cell_text(cell: Any) -> str | None:
    """Return what a cell says as text: whole numbers without a point, dates in ISO form; None where it is empty.

    Examples
    --------
    >>> cell_text(17.0), cell_text(0.1), cell_text(datetime(2026, 1, 5)), cell_text("00017"), cell_text("")
    ('17', '0.1', '2026-01-05', '00017', None)
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_WHOLE:
        return str(int(cell))
    if isinstance(cell, datetime):
        # A serial number a hair below a second is that second.
        cell = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
        has_time = (cell.hour, cell.minute, cell.second, cell.microsecond) != (0, 0, 0, 0)
        return str(cell.isoformat(sep=" ") if has_time else cell.date().isoformat())
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell) or None


def is_rounded(cell: Any) -> bool:
    """Tell whether a cell is a number of which Excel did not keep the last digits.

    Examples
    --------
    >>> is_rounded(6222021234567890.0), is_rounded("6222021234567890"), is_rounded(17.0)
    (True, False, False)
    """
    return isinstance(cell, (int, float)) and _MOST_DIGITS <= abs(cell) < _LARGEST_WHOLE


def headers_of(row: Sequence[str | None]) -> list[str]:
    """Return the cells of a row as headers of which no two are the same.

    Examples
    --------
    >>> headers_of([" date ", None, "date"])
    ['date', 'column 2', 'date (2)']
    """
    return distinct([(cell or "").strip() for cell in row])
