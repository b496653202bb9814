"""The quarterly report's tables as one Excel workbook."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from pandas.api import types
from xlsxwriter.exceptions import FileCreateError

from kehu_analysis import labels
from kehu_analysis.finding import Finding
from kehu_analysis.palette import Colour
from kehu_analysis.plots.tables import NUMBER_UNITS, cell_text, display_unit

#: Rows of a table on one sheet: what a person reads, filters and passes on; the whole table is in ``tables``.
MAX_ROWS = 5_000
_MAX_TEXT = 32_767
_MAX_SHEET_NAME = 31
_SAMPLE_ROWS = 200
_DAY_ZERO = date(1899, 12, 30).toordinal()
_FIRST_DAY = 61  # Excel believes in a 29 February 1900, so dates before 1 March are written as text
_CREATED = datetime(2000, 1, 1)  # a true time would make every file a different one

_NUMBER_FORMATS = {
    "count": "#,##0",
    "customers": "#,##0",
    "lines": "#,##0",
    "purchases": "#,##0.0",
    "currency": "#,##0.00",
    "share": "0.0%",
    "days": "#,##0",
    "weeks": "#,##0.0",
    "months": "#,##0",
    "number": "#,##0.00",
    "parameter": "0.0000",
    "date": "yyyy-mm-dd",
}
_STYLES: dict[str, dict[str, object]] = {
    "title": {"font_size": 16, "font_color": Colour.DEEP_BLUE},
    "lead": {"text_wrap": True, "valign": "top", "bg_color": Colour.PALE_BLUE},
    "quiet": {"font_color": Colour.SOFT_INK},
    "label": {"font_color": Colour.SOFT_INK, "valign": "top"},
    "text": {"text_wrap": True, "valign": "top"},
    "link": {"font_color": Colour.BLUE, "underline": 1, "valign": "top"},
    "header": {
        "font_color": Colour.PAPER,
        "bg_color": Colour.BLUE,
        "text_wrap": True,
        "valign": "vcenter",
        "border": 1,
        "border_color": Colour.LINE,
    },
}


def write_workbook(
    findings: Sequence[Finding],
    path: Path,
    *,
    lang: str,
    title: str,
    period: str,
    provenance: Mapping[str, str],
) -> None:
    """Write a cover, a contents sheet and one sheet for each finding.

    Parameters
    ----------
    findings
        In reading order; one that was not run gets a sheet with its reason.
    path
        The ``.xlsx`` file to write; an existing one is replaced.
    lang
        ``"zh"`` or ``"en"``.
    title, period
        The report's title and its period in words.
    provenance
        Label to text, shown on the cover in this order.

    Raises
    ------
    OSError
        The file cannot be written.

    Notes
    -----
    Text stays text: nothing that a customer file holds becomes a formula, a link or a number. Equal inputs give
    equal bytes. Of a table longer than :data:`MAX_ROWS` the first rows are written, and its sheet says where the
    whole is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "report.xlsx"
    ...     write_workbook([], file, lang="en", title="Report", period="1998Q2", provenance={})
    ...     file.stat().st_size > 0
    True
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    path.open("wb").close()  # a place that cannot be written is noticed before the work, not after
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"title": title, "created": _CREATED})
    _Writer(book, lang).write(findings, title, period, provenance)
    try:
        book.close()
    except FileCreateError as error:
        raise OSError(f"cannot write {path}") from error


def sheet_names(titles: Sequence[str]) -> list[str]:
    """Return valid and different sheet names for titles.

    Examples
    --------
    >>> sheet_names(["A/B", "a:b", "", "'History'"])
    ['A B', 'a b (2)', 'Sheet', 'History_']
    """
    names: list[str] = []
    taken: set[str] = set()
    for title in titles:
        base = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in title)
        base = re.sub(r"[\[\]:*?/\\]", " ", base).strip().strip("'").strip() or "Sheet"
        base = base + "_" if base.casefold() == "history" else base  # Excel keeps that name for itself
        name = _cut(base, _MAX_SHEET_NAME)
        number = 1
        while name.casefold() in taken:
            number += 1
            ending = f" ({number})"
            name = _cut(base, _MAX_SHEET_NAME - len(ending)) + ending
        taken.add(name.casefold())
        names.append(name)
    return names


class _Writer:
    """One workbook: its formats and the language it is written in."""

    def __init__(self, book: Any, lang: str) -> None:
        self.book = book
        self.lang = lang
        self.styles = {name: book.add_format(style) for name, style in _STYLES.items()}
        self.numbers = {unit: book.add_format({"num_format": f}) for unit, f in _NUMBER_FORMATS.items()}
        self.words = book.add_format({"num_format": "@"})

    def write(self, findings: Sequence[Finding], title: str, period: str, provenance: Mapping[str, str]) -> None:
        titles = [finding.title(self.lang) for finding in findings]
        cover, contents, *names = sheet_names([self._ui("workbook_cover"), self._ui("contents"), *titles])
        self._cover(cover, title, period, provenance)
        self._contents(contents, findings, names)
        for finding, name in zip(findings, names, strict=True):
            self._finding(finding, name, contents)

    def _ui(self, code: str, **values: object) -> str:
        return labels.render(f"ui.{code}", self.lang, **values)

    def _count(self, number: int) -> str:
        return labels.format_value(number, "count", self.lang)

    def _text(self, sheet: Any, row: int, column: int, text: str, style: str) -> None:
        sheet.write_string(row, column, text[:_MAX_TEXT], self.styles[style])

    def _link(self, sheet: Any, row: int, target: str, text: str) -> None:
        quoted = target.replace("'", "''")
        sheet.write_url(row, 0, f"internal:'{quoted}'!A1", self.styles["link"], text)

    def _cover(self, name: str, title: str, period: str, provenance: Mapping[str, str]) -> None:
        sheet = self.book.add_worksheet(name)
        sheet.hide_gridlines(2)
        sheet.set_column(0, 0, 22)
        sheet.set_column(1, 1, 90)
        sheet.set_row(0, 30)
        self._text(sheet, 0, 0, title, "title")
        rows = [
            (self._ui("workbook_period"), period),
            (self._ui("workbook_scope"), self._ui("workbook_scope_text", n=self._count(MAX_ROWS))),
            (self._ui("workbook_notes"), self._ui("workbook_note_sales")),
            ("", self._ui("workbook_note_empty")),
            ("", ""),
            *provenance.items(),
        ]
        for row, (label, text) in enumerate(rows, start=2):
            self._text(sheet, row, 0, label, "label")
            self._text(sheet, row, 1, text, "text")

    def _contents(self, name: str, findings: Sequence[Finding], names: Sequence[str]) -> None:
        sheet = self.book.add_worksheet(name)
        sheet.hide_gridlines(2)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 100)
        sheet.set_column(2, 2, 12)
        for column, code in enumerate(("workbook_analysis", "workbook_reading", "workbook_rows")):
            self._text(sheet, 0, column, self._ui(code), "header")
        for row, (finding, target) in enumerate(zip(findings, names, strict=True), start=1):
            reading = finding.reading(self.lang)
            sheet.set_row(row, _height(reading, 100))
            self._link(sheet, row, target, finding.title(self.lang))
            self._text(sheet, row, 1, reading, "text")
            sheet.write_number(row, 2, len(finding.table), self.numbers["count"])
        sheet.freeze_panes(1, 0)

    def _finding(self, finding: Finding, name: str, contents: str) -> None:
        sheet = self.book.add_worksheet(name)
        table = finding.table
        units = [display_unit(table.iloc[:, i]) for i in range(table.shape[1])]
        widths = self._widths(finding, units)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)

        reading = finding.reading(self.lang)
        across = max(len(widths) - 1, 5)
        room = sum(widths) + 8.43 * max(across + 1 - len(widths), 0)
        sheet.set_row(0, 26)
        self._text(sheet, 0, 0, finding.title(self.lang), "title")
        sheet.set_row(1, _height(reading, room))
        sheet.merge_range(1, 0, 1, across, reading[:_MAX_TEXT], self.styles["lead"])
        row = 2
        for line in self._remarks(finding, units):
            self._text(sheet, row, 0, line, "quiet")
            row += 1
        self._link(sheet, row, contents, self._ui("workbook_back"))
        if table.shape[1] and finding.not_run is None:
            self._table(sheet, row + 2, finding, units)

    def _remarks(self, finding: Finding, units: Sequence[str]) -> list[str]:
        if finding.not_run is not None:
            return []
        lines = []
        if said := self._units(units, finding.currency):
            lines.append(said)
        lines += finding.note_texts(self.lang)
        total = len(finding.table)
        if total > MAX_ROWS:
            n, all_rows = self._count(MAX_ROWS), self._count(total)
            lines.append(self._ui("workbook_cut", n=n, total=all_rows, name=finding.name))
        return lines

    def _units(self, units: Sequence[str], currency: str) -> str:
        said = []
        for unit in ("currency", "share", "customers", "days", "weeks", "months"):
            if unit in units:
                code = "units_currency_unknown" if unit == "currency" and not currency else f"units_{unit}"
                said.append(self._ui(code, currency=labels.currency_name(currency, self.lang)))
        return self._ui("units", units=self._ui("units_separator").join(said)) if said else ""

    def _widths(self, finding: Finding, units: Sequence[str]) -> list[float]:
        # The first rows tell enough.
        sample = finding.table.head(_SAMPLE_ROWS)
        widths = []
        for i, unit in enumerate(units):
            heading = labels.column_label(str(sample.columns[i]), self.lang, currency=finding.currency)
            cells = [labels.text_width(cell_text(value, unit, self.lang)) for value in sample.iloc[:, i]]
            # A heading may wrap once; the filter's button takes some room.
            widths.append(min(max([labels.text_width(heading) / 2 + 4, 9.0, *(w + 2 for w in cells)]), 48.0))
        return widths

    def _table(self, sheet: Any, top: int, finding: Finding, units: Sequence[str]) -> None:
        table = finding.table
        sheet.set_row(top, 34)
        for column, name in enumerate(table.columns):
            heading = labels.column_label(str(name), self.lang, currency=finding.currency)
            self._text(sheet, top, column, heading, "header")
        formats = [self.numbers[unit if unit in NUMBER_UNITS else "date"] for unit in units]
        shown = table.head(MAX_ROWS)
        columns = [self._values(shown.iloc[:, i], unit) for i, unit in enumerate(units)]
        for row, values in enumerate(zip(*columns, strict=True), start=top + 1):
            for column, value in enumerate(values):
                if isinstance(value, str):
                    sheet.write_string(row, column, value, self.words)
                elif value is not None:
                    sheet.write_number(row, column, value, formats[column])
        sheet.autofilter(top, 0, top + len(shown), table.shape[1] - 1)
        sheet.freeze_panes(top + 1, 1)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(top)

    def _values(self, column: pd.Series[Any], unit: str) -> list[float | str | None]:
        """Return a column as Excel holds it: numbers (a date is the number of its day), text, nothing."""
        if unit in NUMBER_UNITS and types.is_numeric_dtype(column):
            found = column.to_numpy(float, na_value=math.nan)
            return [value if math.isfinite(value) else None for value in found.tolist()]
        return [self._value(value, unit) for value in column.array]

    def _value(self, value: Any, unit: str) -> float | str | None:
        if isinstance(value, str) and unit != "code":
            return value[:_MAX_TEXT]
        if types.is_scalar(value) and pd.isna(value):
            return None
        if unit in NUMBER_UNITS and isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, date):
            number = float(value.toordinal() - _DAY_ZERO)
            return number if number >= _FIRST_DAY else cell_text(value, "date", self.lang)
        return cell_text(value, unit, self.lang)[:_MAX_TEXT]


def _height(text: str, room: float) -> float:
    lines = sum(math.ceil(max(labels.text_width(line), 1) / max(room * 0.95, 1)) for line in text.split("\n"))
    return 18.0 * max(lines, 1) + 4


def _cut(text: str, length: int) -> str:
    # Excel counts UTF-16 units; a character outside the basic plane is two.
    while len(text.encode("utf-16-le")) // 2 > length:
        text = text[:-1]
    return text.rstrip(" '")
