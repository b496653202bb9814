"""Write a draft of ``dataset.toml`` where headers, dates or numbers are not recognised, for an analyst to edit."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from kehu_analysis import labels
from kehu_analysis.data import Dataset
from kehu_analysis.data.checking.failures import last_rows
from kehu_analysis.data.checking.mapping import listed
from kehu_analysis.data.proposals import (
    Proposals,
    TableProposal,
    propose_settings,
)
from kehu_analysis.data.schema import contract
from kehu_analysis.data.settings import FILE_NAME, DatasetSettings
from kehu_analysis.errors import DataError, RunError, reason_of
from kehu_analysis.intake.account import argument, printable, shown
from kehu_analysis.intake.draft_columns import column_lines, comment, listed_texts, off
from kehu_analysis.intake.draft_on_terminal import table_lines
from kehu_analysis.intake.draft_rows import kept_filters, row_kind_lines
from kehu_analysis.intake.results import results_folder
from kehu_analysis.intake.toml_text import toml_key, toml_value

#: Faults that a line of dataset.toml mends.
_MENDED_BY_SETTINGS = (
    "missing_column",
    "ambiguous_column",
    "mapped_header_missing",
    "date_era",
    "date_order",
    "decimal_mark",
    "no_transactions",
    "no_such_sheet",
    "source_missing",
    "no_header",
    "mixed_currencies",
    "cross_table",
)
#: Without such a column there is nothing to choose from, and no draft helps.
_NOTHING_LIKE = {"customer_id": "no_customer_column", "date": "no_date_column"}
#: Ends a draft, with a digest of what stands above: so one that was edited is known from one that was not.
_MARK = "# kehu:draft:"
_LONGEST_SAMPLE, _LONGEST_LINE = 24, 10_000
_EXAMPLES: Mapping[str, Any] = {"amounts_include_tax": True, "complete_until": date(2026, 9, 30)}
_EXAMPLE_COST = 350.0
#: What of a table's settings stands in sections of its own.
_PARTS = ("columns", "filters")


def restated(data: Path, fault: DataError) -> tuple[DataError, Proposals | None]:
    """Return a fault in the words of what is proposed, and the proposals; None where settings do not mend it.

    The check names the headers of the first row, where the proposals may have found those below a title.
    """
    if not fault.code.startswith(_MENDED_BY_SETTINGS):
        return fault, None
    proposals = propose_settings(data, fault)
    found = next((one for one in proposals.needed if one.table == fault.details.get("table")), None)
    if fault.code != "missing_column" or found is None or not found.has_header:
        return fault, proposals
    details = {**fault.details, "headers": listed(found.headers)}
    for column in ("customer_id", "date"):
        nothing = any(one.column == column and not one.candidates and one.fault == "missing" for one in found.columns)
        if nothing and found.table == "transactions":
            return DataError(_NOTHING_LIKE[column], **details), proposals
    missing = [one.column for one in found.columns if one.fault == "missing"]
    missing += ["amount"] if found.lines is not None else []
    if missing:
        fault = DataError(fault.code, **{**details, "columns": ", ".join(missing)})
    return fault, proposals


def confirmation_lines(data: Path, dataset: Dataset, out: Path | None, lang: str) -> list[str]:
    """Write a draft where a check came to its end and found what settings should say, and say where it is.

    Parameters
    ----------
    data
        The folder or file that was checked.
    dataset
        What the check made of it.
    out, lang
        As for :func:`draft_lines`.
    """
    log = dataset.account["tables"]["transactions"]
    is_asked = log.get("states") or log.get("foreign_currencies") or last_rows(dataset.account)
    if not is_asked:
        return []
    proposals = propose_settings(data, account=dataset.account)
    tables = tuple(
        replace(one, columns=(), styles=(), source=(), rivals=(), sheets=(), lines=None)
        for one in proposals.tables
        if one.table == "transactions" and one.kinds.is_needed
    )
    if not tables:
        return []
    narrow = replace(proposals, tables=tables)
    path = write_draft(narrow, out or results_folder(proposals), data, lang)
    lines = ["", labels.render("ui.draft_ready", lang, path=path), *_next_steps(narrow, data, lang)]
    return [printable(labels.shortened(line, _LONGEST_LINE)) for line in lines]


def draft_lines(
    data: Path, fault: DataError, out: Path | None, lang: str, proposals: Proposals | None = None
) -> list[str]:
    """Write a draft of ``dataset.toml`` where one helps, and say what it proposes, where it is and what to do next.

    Parameters
    ----------
    data
        The folder or file that was checked.
    fault
        Why the check ended.
    out
        Where results go; by default ``reports/<dataset>/check``.
    lang
        ``"zh"`` or ``"en"``.
    proposals
        Those of :func:`restated`; by default they are looked for.

    Returns
    -------
    list of str
        One text a line; none where settings do not mend the fault.

    Raises
    ------
    RunError
        The draft cannot be written.
    """
    if proposals is None:
        _, proposals = restated(data, fault)
    if proposals is None or not proposals.needed:
        return []
    lines = [line for table in proposals.needed for line in table_lines(table, lang)]
    if any(table.can_help for table in proposals.needed):
        path = write_draft(proposals, out or results_folder(proposals), data, lang)
        lines += ["", labels.render("ui.draft_at", lang, path=path), *_next_steps(proposals, data, lang)]
    return [printable(labels.shortened(line, _LONGEST_LINE)) for line in lines]


def write_draft(proposals: Proposals, folder: Path, data: Path, lang: str) -> Path:
    """Write the draft whole, and return where; an earlier one that was edited stays, and this gets a number.

    Parameters
    ----------
    proposals
        What is to be written.
    folder
        Where to; made where it does not exist.
    data
        The folder or file that was checked.
    lang
        ``"zh"`` or ``"en"``: language of the explanations.

    Raises
    ------
    RunError
        The place cannot be written.
    """
    text = draft_text(proposals, data, lang)
    text += f"{_MARK}{_digest(text)}\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, path = 1, folder / FILE_NAME
        while os.path.lexists(path) and not _is_untouched(path):
            number += 1
            path = folder / f"{Path(FILE_NAME).stem}-{number}.toml"
        handle, building = tempfile.mkstemp(prefix=".draft-", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(building).replace(path)
        finally:
            Path(building).unlink(missing_ok=True)
    except OSError as error:
        raise RunError("cannot_write", path=folder, reason=reason_of(error)) from error
    return path


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_untouched(path: Path) -> bool:
    """Tell whether a file is a draft as it was written."""
    if not path.is_file():
        return False
    text, mark, digest = path.read_bytes().decode("utf-8", errors="replace").rpartition(_MARK)
    return bool(mark) and digest.strip() == _digest(text)


def draft_text(proposals: Proposals, data: Path, lang: str) -> str:
    """Return the draft: valid TOML, each line explained in the reader's language."""
    steps = ("edit", "save", "check")
    values = {"path": proposals.settings_path, "data": argument(data), "name": proposals.name}
    lines = [comment(labels.render("ui.draft_title", lang, **values)), "#"]
    lines += [
        comment(f"{number}. {labels.render(f'ui.draft_step_{step}', lang, **values)}")
        for number, step in enumerate(steps, start=1)
    ]
    lines += ["", comment(labels.label("ui.draft_general", lang)), *_general_lines(proposals, lang)]
    proposed = {table.table: table for table in proposals.tables}
    for name in contract():
        if name in proposed:
            lines += ["", *_section(proposed[name], proposals.settings.currency, lang)]
        elif name in proposals.settings.tables:
            kept = proposals.settings.table(name).model_dump(exclude_unset=True, exclude_none=True)
            lines += ["", *_kept_section(name, kept)]
    return "\n".join(lines) + "\n"


def _general_lines(proposals: Proposals, lang: str) -> Iterator[str]:
    said = proposals.settings.model_dump(exclude_unset=True, exclude_none=True)
    for name, field in DatasetSettings.model_fields.items():
        if name == "tables":
            continue
        example = proposals.name if name == "name" else _EXAMPLES.get(name, field.default)
        value = said.get(name, _EXAMPLE_COST if example is None else example)
        line = f"{name} = {toml_value(value)}"
        meaning = comment(labels.label(f"ui.draft_setting.{name}", lang))
        found = next((one.kinds.currency for one in proposals.tables if one.kinds.currency), "")
        if name == "currency" and found:
            # What dataset.toml says by itself is not overruled.
            mark = labels.label(f"ui.draft_mark_{'fill' if name in said else 'check'}", lang)
            meaning = comment(f"{mark} · {labels.render('ui.draft_currency', lang, found=found, currency=value)}")
            if name in said:
                yield line
            line = f"{name} = {toml_value(found)}"
            yield f"{off(line) if name in said else line}  {meaning}"
        else:
            yield f"{line if name in said else off(line)}  {meaning}"


def _section(table: TableProposal, currency: str, lang: str) -> Iterator[str]:
    """Return the lines of one table: where it is, how its values are written, its columns, its filters."""
    check, fill = (labels.label(f"ui.draft_mark_{mark}", lang) for mark in ("check", "fill"))
    yield comment(f"—— {labels.label(f'table.{table.table}', lang)} ——")
    yield comment(labels.render("ui.draft_files", lang, files=listed_texts(table.files, lang)))
    if not table.has_header:
        yield comment(labels.label("ui.draft_no_header", lang))
    yield f"[tables.{table.table}]"
    replaced = (*_PARTS, "last_row") if table.kinds.last_row else _PARTS
    yield from (f"{name} = {toml_value(value)}" for name, value in table.kept.items() if name not in replaced)
    if table.kinds.last_row:
        yield comment(labels.label("ui.draft_last_row", lang))
        yield f"{table.kinds.last_row}  {comment(check)}"
    yield from _source_lines(table, check, fill, lang)
    yield from _style_lines(table, check, fill, lang)
    if table.lines is not None:
        yield comment(labels.label("ui.draft_lines", lang))
        yield f"lines = {toml_value(table.lines.model_dump(exclude_none=True))}  {comment(check)}"
    if table.amount_from is not None:
        yield comment(labels.label("ui.draft_amount_from", lang))
        yield f"amount_from = {toml_value(table.amount_from.headers)}  {comment(check)}"
        for header in table.unclear_discounts:
            yield comment(labels.render("ui.draft_unclear_discount", lang, header=shown(header)))
            parts = table.amount_from.headers
            others = ({**parts, part: header} for part in ("discount_rate", "paid_rate", "discount"))
            yield from (f"{off(f'amount_from = {toml_value(other)}')}  {comment(fill)}" for other in others)
    yield ""
    yield f"[tables.{table.table}.columns]"
    kept = table.kept.get("columns", {})
    yield from (f"{toml_key(name)} = {toml_value(header)}" for name, header in kept.items())
    recognised = {name: header for name, header in table.recognised.items() if name not in kept}
    if recognised:
        yield comment(labels.label("ui.draft_recognised", lang))
    yield from (off(f"{toml_key(name)} = {toml_value(header)}") for name, header in recognised.items())
    for column in table.columns:
        yield from column_lines(column, table, check, fill, lang)
    if table.unused:
        yield comment(labels.render("ui.draft_unused", lang, headers=listed_texts(table.unused, lang)))
    yield from kept_filters(table.kept.get("filters", []), table.table)
    yield from row_kind_lines(table.kinds, table.table, table.kept, currency, (check, fill), lang)


def _source_lines(table: TableProposal, check: str, fill: str, lang: str) -> Iterator[str]:
    for name, values in (("source", table.source), ("sheet", table.sheets)):
        if values:
            line = f"{name} = {toml_value(list(values) if len(values) > 1 else values[0])}"
            yield f"{line if table.source_is_sure else off(line)}  {comment(fill if table.rivals else check)}"
    if table.rivals:
        yield comment(labels.render("ui.draft_rivals", lang, files=listed_texts(table.rivals, lang)))
        yield from (f"{off(f'source = {toml_value(name)}')}  {comment(fill)}" for name in table.rivals)


def _style_lines(table: TableProposal, check: str, fill: str, lang: str) -> Iterator[str]:
    for style in table.styles:
        yield comment(labels.render(f"ui.draft_{style.setting}", lang, example=shown(style.example)))
        for choice in style.choices:
            line = f"{style.setting} = {toml_value(choice)}"
            mark = check if style.chosen == choice else fill
            yield f"{line if style.chosen == choice else off(line)}  {comment(mark)}"


def _kept_section(name: str, kept: Mapping[str, Any]) -> Iterator[str]:
    yield f"[tables.{name}]"
    yield from (f"{toml_key(key)} = {toml_value(value)}" for key, value in kept.items() if key != "filters")
    yield from kept_filters(kept.get("filters", []), name)


def _next_steps(proposals: Proposals, data: Path, lang: str) -> list[str]:
    left = [name for table in proposals.needed for name in table.undecided]
    names = labels.label("ui.list_separator", lang).join(left)
    step = labels.render("ui.draft_next_fill", lang, names=names) if left else labels.label("ui.draft_next_edit", lang)
    save = "ui.draft_next_save_over" if proposals.settings_path.exists() else "ui.draft_next_save"
    steps = [
        step,
        labels.render(save, lang, path=proposals.settings_path),
        labels.render("ui.draft_next_check", lang, data=argument(data)),
    ]
    return [f"→ {number}. {text}" for number, text in enumerate(steps, start=1)]
