"""The workbook of rejected rows, in the source's own columns, to be mended and loaded again."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from kehu_analysis import labels
from kehu_analysis.data import Dataset, Table, contract
from kehu_analysis.data.checking.mapping import FAULT_HEADERS, LINE_HEADER, PLACE_HEADERS
from kehu_analysis.intake.account import is_mended, mended_name, reason_words, shown, still_rejected, tables_to_mend
from kehu_analysis.intake.understood import understood
from kehu_analysis.palette import Colour

#: Rows and columns of a sheet; Excel holds a header more.
MAX_ROWS = 1_048_575
MAX_COLUMNS = 16_384
#: What marks a workbook as ours, so that nobody else's is overwritten.
MARK = "kehu_analysis rejected rows"
#: What stands behind the source's own columns.
_OWN = (*PLACE_HEADERS, *FAULT_HEADERS)
_LONGEST_TEXT = 32_767
_CREATED = datetime(2000, 1, 1)  # a true time would make every file a different one
_SAMPLE_ROWS = 200
_WIDTHS = (9.0, 48.0)
_STEPS = ("correct", "delete", "save", "check", "again")
_HEADER = {"font_color": Colour.PAPER, "bold": True, "border": 1, "border_color": Colour.LINE, "num_format": "@"}
_STYLES: dict[str, dict[str, object]] = {
    "header": {**_HEADER, "bg_color": Colour.BLUE},
    "own_header": {**_HEADER, "bg_color": Colour.GREY},
    "words": {"num_format": "@"},
    "fault": {"num_format": "@", "bg_color": Colour.ROSE, "border": 1, "border_color": Colour.RED},
    "own": {"num_format": "@", "font_color": Colour.SOFT_INK},
    "number": {"font_color": Colour.SOFT_INK},
    "title": {"font_size": 16, "font_color": Colour.DEEP_BLUE},
    "text": {"text_wrap": True, "valign": "top"},
}


def write_rejected(dataset: Dataset, path: Path, *, lang: str) -> None:
    """Write one sheet for each table with rejected rows, behind a sheet that says how to mend them.

    Parameters
    ----------
    dataset
        A checked dataset with at least one rejected row.
    path
        The ``.xlsx`` file to write; an existing one is replaced.
    lang
        ``"zh"`` or ``"en"``: language of the explanations and reasons. Sheets are named after their tables and the
        columns ``_file`` and ``_row`` are the same in both, since the workbook is read again.

    Raises
    ------
    OSError
        The file cannot be written.

    Notes
    -----
    Text stays text: nothing that a file holds becomes a formula, a link or a number. The cells at fault are coloured.
    Equal inputs give equal bytes. What Excel cannot hold is cut, and the first sheet says so.
    """
    path.open("wb").close()  # a place that cannot be written is noticed before the work, not after
    packed = io.BytesIO()  # a full disk is told by an OSError, not by the packer in its own way
    book = xlsxwriter.Workbook(
        packed,
        {
            "constant_memory": True,  # half a million rows must not live in memory
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    title = labels.label("ui.rejected_title", lang)
    book.set_properties({"title": title, "keywords": MARK, "created": _CREATED})
    styles = {name: book.add_format(style) for name, style in _STYLES.items()}
    # Sheets are told and not kept: tables are read one after the other.
    introduction = book.add_worksheet(labels.label("ui.rejected_sheet", lang))
    remarks: list[str] = []
    names = {table: mended_name(dataset, table) for table in tables_to_mend(dataset)}
    for table in names:
        rows = dataset.rejected_rows(table)
        rows = rows[~is_mended(dataset, rows[PLACE_HEADERS[0]])]
        if LINE_HEADER in rows:
            if rows[LINE_HEADER].isna().all():
                rows = rows.drop(columns=LINE_HEADER)
            else:
                remarks.append(labels.label("ui.rejected_line", lang))
        remarks += _limits(table, rows, lang)
        headers = dataset.account["tables"][table]["columns"]
        _write_rows(book.add_worksheet(table), styles, rows, contract()[table], headers, lang)
    said = list(dict.fromkeys([*remarks, *_again(dataset, lang)]))
    _write_introduction(introduction, styles, names, said, understood(dataset, lang), lang)
    book.close()
    path.write_bytes(packed.getbuffer())


def _write_introduction(
    sheet: Any,
    styles: Mapping[str, Any],
    names: Mapping[str, str],
    remarks: Sequence[str],
    told: Sequence[tuple[str, str]],
    lang: str,
) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 90)
    sheet.write_string(0, 0, labels.label("ui.rejected_title", lang), styles["title"])
    row = 2
    for text in (*(labels.label(f"ui.rejected_step_{step}", lang) for step in _STEPS), *remarks):
        sheet.set_row(row, 34)
        sheet.merge_range(row, 0, row, 1, text, styles["text"])
        row += 1
    row += 1
    sheet.write_string(row, 0, labels.column_label("table", lang), styles["header"])
    sheet.write_string(row, 1, labels.label("ui.rejected_save_as", lang), styles["header"])
    for table, name in names.items():
        row += 1
        sheet.write_string(row, 0, table, styles["words"])
        sheet.write_string(row, 1, name, styles["words"])
    row += 2
    sheet.merge_range(row, 0, row, 1, labels.label("ui.understood", lang), styles["header"])
    for name, words in told:
        row += 1
        sheet.write_string(row, 0, name, styles["words"])
        sheet.write_string(row, 1, words, styles["words"])


def _again(dataset: Dataset, lang: str) -> list[str]:
    again = still_rejected(dataset)
    if not again:
        return []
    files = labels.label("ui.list_separator", lang).join(map(shown, again))
    n = labels.format_value(sum(again.values()), "lines", lang)
    return [labels.render("ui.rejected_again", lang, files=files, n=n)]


def _limits(table: str, rows: pd.DataFrame, lang: str) -> list[str]:
    """Say what a sheet cannot hold."""
    remarks = []
    for code, most, total in (("cut", MAX_ROWS, len(rows)), ("wide", MAX_COLUMNS, rows.shape[1])):
        if total > most:
            n, all_of_them = (labels.format_value(number, "count", lang) for number in (most, total))
            remarks.append(labels.render(f"ui.rejected_{code}", lang, table=table, n=n, total=all_of_them))
    sources = (rows.iloc[:, place].astype("str") for place in range(rows.shape[1] - len(_OWN)))
    if n_long := sum(int((column.str.len() > _LONGEST_TEXT).sum()) for column in sources):
        n = labels.format_value(n_long, "count", lang)
        remarks.append(labels.render("ui.rejected_long", lang, table=table, n=n))
    return remarks


def _write_rows(
    sheet: Any, styles: Mapping[str, Any], rows: pd.DataFrame, table: Table, headers: Mapping[str, str], lang: str
) -> None:
    sheet.freeze_panes(1, 0)
    # The columns by which a row is found again are written also where the sheet has no room for all others.
    n_sources = min(rows.shape[1] - len(_OWN), MAX_COLUMNS - len(_OWN))
    kept = pd.concat([rows.iloc[:MAX_ROWS, :n_sources], rows.iloc[:MAX_ROWS, -len(_OWN) :]], axis=1)
    names = [str(name) for name in kept.columns]
    for place, name in enumerate(names):
        is_own = place >= n_sources
        sheet.set_column(place, place, _width(name, kept.iloc[:, place]), styles["own" if is_own else "words"])
        sheet.write_string(0, place, name[:_LONGEST_TEXT], styles["own_header" if is_own else "header"])
    places = _places(names[:n_sources], table, headers)
    words = {str(code): reason_words(str(code), lang) for code in kept.iloc[:, -1].unique()}
    columns = [kept.iloc[:, place] for place in range(kept.shape[1])]
    for number, (*values, file, row, column, reason) in enumerate(zip(*columns, strict=True), start=1):
        at_fault = _at_fault(str(column or ""), places, values)
        for place, value in enumerate(values):
            style = styles["fault" if place in at_fault else "words"]
            if isinstance(value, str) and value:
                sheet.write_string(number, place, value[:_LONGEST_TEXT], style)
            elif place in at_fault:
                sheet.write_blank(number, place, None, style)
        sheet.write_string(number, n_sources, str(file), styles["own"])
        sheet.write_number(number, n_sources + 1, int(row), styles["number"])
        sheet.write_string(number, n_sources + 2, headers.get(column) or str(column or ""), styles["own"])
        sheet.write_string(number, n_sources + 3, words[str(reason)], styles["own"])
    sheet.autofilter(0, 0, len(kept), len(names) - 1)


def _places(names: Sequence[str], table: Table, headers: Mapping[str, str]) -> dict[str, set[int]]:
    """Return where each column of the contract, and each of the source's own, stands on the sheet."""
    found = {name: {place} for place, name in enumerate(names)}
    by_column: dict[str, set[int]] = {}
    for place, name in enumerate(names):
        # One by one: files may call one column differently.
        for column in table.candidates([name]):
            by_column.setdefault(column, set()).add(place)
    for column, header in headers.items():
        by_column.setdefault(column, set()).update(found.get(header, ()))
    return found | by_column


def _at_fault(column: str, places: Mapping[str, set[int]], values: Sequence[Any]) -> set[int]:
    """Return the cells to colour: in files that call a column differently, the one that the row has filled."""
    # A repeated key names all its columns.
    parts = [column] if column in places else column.split(", ")
    # A line whose structure is broken has no column at fault; it stands whole in one of its own.
    found = set().union(*(places.get(part or LINE_HEADER, set()) for part in parts))
    filled = {place for place in found if isinstance(values[place], str) and values[place]}
    return filled or found


def _width(name: str, column: pd.Series[Any]) -> float:
    # Automatic widths would need the whole table in memory; the first rows tell enough.
    texts = [name, *column.head(_SAMPLE_ROWS).dropna().astype("str")]
    widest = max(labels.text_width(text[:100]) for text in texts)
    return min(max(widest + 3.0, _WIDTHS[0]), _WIDTHS[1])
