"""Recognise which header of a file is which column of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kehu_analysis.data.period_headers import ANY_YEAR, are_repeated, is_cross_table, needs_year, period_headers
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.schema import Table
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.errors import DataError
from kehu_analysis.labels import Phrase, shortened

#: The headers of a workbook of rejected rows: where each row came from, and what was wrong with it.
PLACE_HEADERS = ("_file", "_row")
FAULT_HEADERS = ("_column", "_reason")
LINE_HEADER = "_line"
#: What the name of a file with mended rows holds.
MENDED = "-mended"
_MOST_HEADERS, _LONGEST_HEADER = 40, 60


@dataclass(frozen=True)
class ColumnMapping:
    """Which header of a file is which column of the contract, and which headers are none.

    Attributes
    ----------
    headers
        Header of each column of the contract that the file has.
    unused
        The headers that are no column.
    mends
        Whether the rows stand in for rejected rows of other files, which they name.
    """

    headers: dict[str, str]
    unused: tuple[str, ...]
    mends: bool = False


def map_columns(table: Table, opened: OpenedFile, settings: TableSettings) -> ColumnMapping:
    """Recognise a file's columns.

    Raises
    ------
    DataError
        A required column is missing, or two headers could be it, or the settings name a header that is not there.
    """
    present = listed(opened.headers)
    named = dict(settings.columns)
    if settings.amount_from is not None:
        named |= {f"amount_from.{name}": header for name, header in settings.amount_from.headers.items()}
    if settings.returns is not None:
        named["returns.column"] = settings.returns.column
    if settings.currencies is not None and settings.currencies.column is not None:
        named["currencies.column"] = settings.currencies.column
    for column, header in named.items():
        if header not in opened.headers:
            raise DataError(
                "mapped_header_missing",
                table=table.name,
                column=column,
                header=header,
                path=opened.shown,
                headers=present,
            )
    headers = _headers_of_columns(table, opened, settings)
    wanted = [name for name in table.required_columns if name not in settings.computed]
    missing = [name for name in wanted if name not in headers]
    if "date" in missing and is_cross_table(opened.headers) and are_repeated(opened.headers):
        raise DataError("periods_repeat", table=table.name, path=opened.shown, headers=present)
    if "date" in missing and is_cross_table(opened.headers):
        how = "ui.crosstab_year" if needs_year(opened.headers) else "ui.crosstab_plain"
        across = listed(period_headers(opened.headers, ANY_YEAR))
        raise DataError(
            "cross_table", table=table.name, path=opened.shown, periods=across, how=Phrase(how, {"table": table.name})
        )
    if missing:
        raise DataError(
            "missing_column", table=table.name, columns=", ".join(missing), path=opened.shown, headers=present
        )
    # A log may have columns of these names by itself.
    says_so = bool({*FAULT_HEADERS} & {*opened.headers}) or MENDED in opened.shown.lower()
    mends = says_so and {*PLACE_HEADERS} <= {*opened.headers}
    used = {*headers.values(), *named.values(), *((*PLACE_HEADERS, *FAULT_HEADERS, LINE_HEADER) if mends else ())}
    return ColumnMapping(headers, tuple(header for header in opened.headers if header not in used), mends)


def _headers_of_columns(table: Table, opened: OpenedFile, settings: TableSettings) -> dict[str, str]:
    """Return the one header of each column that the settings name, or that the contract knows."""
    candidates = table.candidates(opened.headers)
    if settings.amount_from is not None:
        candidates.pop("amount", None)
    candidates |= {column: [header] for column, header in settings.columns.items()}
    chosen = set(settings.columns.values())
    if settings.amount_from is not None:
        shares = (settings.amount_from.discount_rate, settings.amount_from.paid_rate)
        chosen |= {header for header in shares if header is not None}  # shares, not sums
    headers = {}
    for column, found in candidates.items():
        free = found if column in settings.columns else [header for header in found if header not in chosen]
        if len(free) > 1:
            raise DataError(
                "ambiguous_column", table=table.name, column=column, path=opened.shown, candidates=listed(free)
            )
        if free:
            headers[column] = free[0]
    return headers


def check_agreement(table: Table, opened: Sequence[tuple[OpenedFile, ColumnMapping]], settings: TableSettings) -> None:
    """See to it that all files of a table have the same columns of the contract.

    Raises
    ------
    DataError
        A file lacks a column that another has; read together, its rows would be without it and nobody would notice.
    """
    every = dict.fromkeys(name for _, mapping in opened for name in mapping.headers)
    lacking = {file.shown: [name for name in every if name not in mapping.headers] for file, mapping in opened}
    if not settings.files_may_differ and any(lacking.values()):
        faults = "; ".join(f"{shown}: {', '.join(names)}" for shown, names in lacking.items() if names)
        raise DataError("files_disagree", table=table.name, lacking=faults)


def listed(headers: Sequence[str]) -> str:
    """Return headers as one text of bearable length: the first line of a file that is no table may be anything.

    Examples
    --------
    >>> listed(["customer_id", "date"]), len(listed(["x" * 5000] * 100)) < 3000
    ('customer_id, date', True)
    """
    shown = [shortened(header, _LONGEST_HEADER) for header in headers]
    return ", ".join(shown[:_MOST_HEADERS] + ["…"] * (len(shown) > _MOST_HEADERS))
