"""Blank Excel templates of the contract's tables: headers that are recognised, and a sheet that explains them."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from kehu_analysis import labels
from kehu_analysis.data import Column, Table, contract
from kehu_analysis.errors import RunError, UsageError, reason_of
from kehu_analysis.palette import Colour

SUFFIX = ".xlsx"
_CREATED = datetime(2000, 1, 1)  # a true time would make every file a different one
_LAST_ROW = 1_048_575
_CJK = range(0x3400, 0xA000)
_LONGEST_RULE_MESSAGE = 255  # Excel's limit
_NUMBER_FORMATS = {"id": "@", "text": "@", "date": "yyyy-mm-dd", "month": "yyyy-mm", "money": "0.00", "integer": "0"}
_EXAMPLES = {"id": "000123", "date": "2026-09-30", "month": "2026-09", "money": "1234.50"}
_EXAMPLE_NUMBER = 30
_HEADER = {"font_color": Colour.PAPER, "bold": True, "valign": "vcenter", "border": 1, "border_color": Colour.LINE}
_STYLES: dict[str, dict[str, object]] = {
    "required": {**_HEADER, "bg_color": Colour.ORANGE},
    "optional": {**_HEADER, "bg_color": Colour.BLUE},
    "title": {"font_size": 16, "font_color": Colour.DEEP_BLUE},
    "text": {"text_wrap": True, "valign": "top"},
}
_WORDS = ("column", "meaning", "required", "kind", "allowed", "example")
_WIDTHS = (24, 46, 10, 34, 30, 18)


@dataclass(frozen=True)
class Field:
    """One column of a template: the header to print, and the column of the contract that it is."""

    header: str
    column: Column


def write_templates(folder: Path, *, lang: str) -> list[Path]:
    """Write one blank workbook for each table of the contract.

    Parameters
    ----------
    folder
        Where to; made where it does not exist. What lies there stays.
    lang
        ``"zh"`` or ``"en"``: language of headers, sheet names and explanations.

    Returns
    -------
    list of Path
        The files written, named after their tables, in the order of the contract. Equal bytes each time.

    Raises
    ------
    UsageError
        ``folder`` is a file, or holds a file by the name of a template; nothing is written then.
    RunError
        The place cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     written = write_templates(Path(place), lang="en")
    >>> written[0].name, len(written) == len(contract())
    ('transactions.xlsx', True)
    """
    targets = [folder / f"{name}{SUFFIX}" for name in contract()]
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError("template_is_file", path=folder)
        if present := [path.name for path in targets if os.path.lexists(path)]:
            raise UsageError("template_exists", path=folder, names=", ".join(present))
        folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".templates-", dir=folder))
        try:
            for table, target in zip(contract().values(), targets, strict=True):
                _write_template(table, building / target.name, lang)
            for target in targets:
                (building / target.name).rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise RunError("template_cannot_write", path=folder, reason=reason_of(error)) from error
    return targets


def sheet_name(table: Table, lang: str) -> str:
    """Return what the sheet to fill is called; a sheet is recognised as its table by this name, too.

    Examples
    --------
    >>> sheet_name(contract()["customers"], "en"), sheet_name(contract()["customers"], "zh")
    ('customers', '客户')
    """
    return labels.label(f"table.{table.name}", lang) if lang == "zh" else table.name


def fields(table: Table, lang: str) -> list[Field]:
    """Return a template's columns: in Chinese under the first Chinese header of each, in English under our names.

    A column that stands for several (``driver_*``) comes with some of them as examples.

    Examples
    --------
    >>> [field.header for field in fields(contract()["campaigns"], "en")]
    ['promotion_id', 'starts_on', 'ends_on', 'contact_cost']
    """
    found = []
    for column in table.columns:
        if "*" in column.name:
            code = f"template.{column.name.split('_')[0]}"
            found += [Field(column.name.replace("*", words[lang]), column) for words in labels.entries(code)]
        else:
            chinese = (header for header in column.headers if _is_chinese(header))
            found.append(Field(next(chinese, column.name) if lang == "zh" else column.name, column))
    return found


def allowed(column: Column, lang: str) -> str:
    """Return in words which values a column takes; nothing where its kind says all.

    Examples
    --------
    >>> allowed(contract()["surveys"].column("satisfaction"), "en")
    '1 to 5'
    """
    if choices := _choices(column, lang):
        return labels.label("ui.list_separator", lang).join(choices)
    if column.past:
        return labels.label("ui.template_past", lang)
    bounds = {
        name: f"{bound:,g}" if abs(bound) < 1e6 else f"{bound:,.0f}"
        for name, bound in (("minimum", column.minimum), ("maximum", column.maximum))
        if bound is not None
    }
    codes = {("minimum", "maximum"): "between", ("minimum",): "at_least", ("maximum",): "at_most"}
    return labels.render(f"ui.template_{codes[tuple(bounds)]}", lang, **bounds) if bounds else ""


def example(table: Table, column: Column, lang: str) -> str:
    """Return a value that a column would take, as it would be typed.

    Examples
    --------
    >>> example(contract()["transactions"], contract()["transactions"].column("date"), "en")
    '2026-09-30'
    """
    code = f"example.{table.name}.{column.name}"
    if labels.has(code):
        return labels.label(code, lang)
    if choices := _choices(column, lang):
        return choices[0]
    if column.kind in _EXAMPLES:
        return _EXAMPLES[column.kind]
    if column.minimum is None or column.maximum is None:
        return str(_EXAMPLE_NUMBER)
    inside = column.minimum + 0.75 * (column.maximum - column.minimum)
    return f"{int(inside) if column.kind == 'integer' else inside:g}"


def _is_chinese(text: str) -> bool:
    return any(ord(letter) in _CJK for letter in text)


def _choices(column: Column, lang: str) -> list[str]:
    """Return the values of which a column takes one; in a yes-or-no column the words of the language."""
    if column.kind != "flag":
        return list(column.choices)
    return [labels.label(f"value.{answer}", lang).lower() for answer in ("yes", "no")]


def _write_template(table: Table, path: Path, lang: str) -> None:
    packed = io.BytesIO()  # a full disk is told by an OSError, not by the packer in its own way
    book = xlsxwriter.Workbook(packed, {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": labels.label(f"table.{table.name}", lang), "created": _CREATED})
    styles = {name: book.add_format(style) for name, style in _STYLES.items()}
    listed = fields(table, lang)
    _write_sheet(book, styles, table, listed, lang)
    _write_explanations(book, styles, table, listed, lang)
    book.close()
    path.write_bytes(packed.getbuffer())


def _write_sheet(book: Any, styles: Mapping[str, Any], table: Table, listed: Sequence[Field], lang: str) -> None:
    sheet = book.add_worksheet(sheet_name(table, lang))
    sheet.set_row(0, 24)
    sheet.freeze_panes(1, 0)
    sheet.set_comments_author("")
    formats = {kind: book.add_format({"num_format": form}) for kind, form in _NUMBER_FORMATS.items()}
    for place, field in enumerate(listed):
        column = field.column
        sheet.set_column(place, place, max(14, 2 * len(field.header) + 4), formats.get(column.kind))
        sheet.write_string(0, place, field.header, styles["required" if column.required else "optional"])
        sheet.write_comment(0, place, _note(table, column, lang), {"width": 260, "height": 90})
        if rule := _rule(column, lang):
            sheet.data_validation(1, place, _LAST_ROW, place, rule)


def _note(table: Table, column: Column, lang: str) -> str:
    lines = [
        labels.label("ui.template_required" if column.required else "ui.template_optional", lang),
        labels.label(f"contract.{table.name}.{column.name}", lang),
        labels.label(f"kind.{column.kind}", lang),
        allowed(column, lang),
    ]
    return "\n".join(line for line in lines if line)


def _rule(column: Column, lang: str) -> dict[str, Any] | None:
    """Return what Excel should hold typed values against: a list, or a range of numbers."""
    message = labels.render("ui.template_wrong", lang, allowed=allowed(column, lang))[:_LONGEST_RULE_MESSAGE]
    if choices := _choices(column, lang):
        return {"validate": "list", "source": choices, "error_message": message}
    kind = "integer" if column.kind == "integer" else "decimal"
    bounds = [bound if bound is None else f"{bound:.15g}" for bound in (column.minimum, column.maximum)]
    rule = {"validate": kind, "error_message": message}
    match bounds:
        case [None, None]:
            return None
        case [minimum, None]:
            return {**rule, "criteria": ">=", "value": minimum}
        case [None, maximum]:
            return {**rule, "criteria": "<=", "value": maximum}
        case [minimum, maximum]:
            return {**rule, "criteria": "between", "minimum": minimum, "maximum": maximum}
    return None


def _write_explanations(book: Any, styles: Mapping[str, Any], table: Table, listed: Sequence[Field], lang: str) -> None:
    sheet = book.add_worksheet(labels.label("ui.template_sheet", lang))
    sheet.hide_gridlines(2)
    for place, width in enumerate(_WIDTHS):
        sheet.set_column(place, place, width)
    name = labels.label(f"table.{table.name}", lang)
    sheet.write_string(0, 0, name, styles["title"])
    row = labels.label(f"contract_row.{table.name}", lang)
    lines = [
        labels.render("ui.template_table", lang, sheet=sheet_name(table, lang), row=row),
        labels.label("ui.template_colours", lang),
        labels.render("ui.template_file", lang, file=f"{table.name}{SUFFIX}", part=f"{table.name}-2026-09{SUFFIX}"),
        labels.label("ui.template_check", lang),
    ]
    for place, line in enumerate(lines, start=1):
        sheet.write_string(place, 0, line)
    top = len(lines) + 2
    for place, word in enumerate(_WORDS):
        sheet.write_string(top, place, labels.label(f"ui.template_{word}", lang), styles["optional"])
    for place, field in enumerate(listed, start=top + 1):
        column = field.column
        cells = (
            field.header,
            labels.label(f"contract.{table.name}.{column.name}", lang),
            labels.label("value.yes", lang) if column.required else "",
            labels.label(f"kind.{column.kind}", lang),
            allowed(column, lang),
            example(table, column, lang),
        )
        for at, text in enumerate(cells):
            sheet.write_string(place, at, text, styles["text"])
