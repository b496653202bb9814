"""What the terminal says of a draft: for each open setting what it could be, with values from the files."""

from __future__ import annotations

from kehu_analysis import labels
from kehu_analysis.data.proposals import ColumnProposal, TableProposal
from kehu_analysis.data.settings import AmountFrom
from kehu_analysis.intake.account import shown
from kehu_analysis.intake.draft_columns import NO_CANDIDATE, listed_texts
from kehu_analysis.intake.draft_rows import row_kind_rows

_LONGEST_SAMPLE, _LONGEST_HEADER = 24, 30
_SAMPLES_ON_TERMINAL, _CANDIDATES_ON_TERMINAL = 3, 4


def table_lines(table: TableProposal, lang: str) -> list[str]:
    """Return what the terminal says of a table: for each open column the best candidates with values.

    Parameters
    ----------
    table
        What is proposed of it.
    lang
        ``"zh"`` or ``"en"``.
    """
    files = listed_texts(table.files, lang)
    lines = [labels.render("ui.draft_table", lang, table=labels.label(f"table.{table.table}", lang), files=files)]
    if not table.has_header:
        lines.append("  " + labels.label("ui.draft_no_header", lang))
    rows = [row for column in table.columns for row in _rows(column, table, lang)]
    if table.source:
        rows.insert(0, ("source", "✓" if table.source_is_sure else "?", listed_texts(table.source, lang), ""))
        rows[1:1] = [("", "?", shown(name), "") for name in table.rivals]
    if table.lines is not None:
        of = table.lines
        place = " ".join(shown(part) for part in (of.source, of.sheet and f"[{of.sheet}]") if part)
        key = f"on = {shown(of.on)}" + (f" = {shown(of.orders_on)}" if of.orders_on else "")
        rows.append(("lines", "✓", place, key))
        if table.amount_from is not None:
            rows.append(("amount", "✓", _parts_words(table.amount_from), ""))
    for style in table.styles:
        words = style.chosen or " / ".join(style.choices)
        rows.append((style.setting, "✓" if style.chosen else "?", words, shown(style.example)))
    rows += row_kind_rows(table.kinds, lang)
    # What is said where there is nothing to show needs no column.
    widths = [
        max((labels.text_width(row[place]) for row in rows if row[3] or place < 2), default=0) for place in range(3)
    ]
    for row in rows:
        cells = [cell + " " * (width - labels.text_width(cell)) for cell, width in zip(row, widths, strict=False)]
        lines.append(f"  {'  '.join([*cells, row[3]])}".rstrip())
    return lines


def _rows(column: ColumnProposal, table: TableProposal, lang: str) -> list[tuple[str, str, str, str]]:
    rows = []
    if column.column == "amount" and table.amount_from is not None:
        rows.append(("", "✓", _parts_words(table.amount_from), ""))
    for one in column.candidates[:_CANDIDATES_ON_TERMINAL]:
        samples = listed_texts([shown(sample, _LONGEST_SAMPLE) for sample in one.samples[:_SAMPLES_ON_TERMINAL]], lang)
        rows.append(("", "✓" if one.header == column.chosen else "?", shown(one.header, _LONGEST_HEADER), samples))
    if not rows:
        code = NO_CANDIDATE.get(column.column, "ui.draft_no_candidate")
        rows.append(("", "✗", labels.label(code, lang), ""))
    return [(column.column, *rows[0][1:]), *rows[1:]]


def _parts_words(parts: AmountFrom) -> str:
    return " · ".join(f"{name} = {shown(header, _LONGEST_HEADER)}" for name, header in parts.headers.items())
