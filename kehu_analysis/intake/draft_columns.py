"""What a draft of ``dataset.toml`` says of a column whose header is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kehu_analysis import labels
from kehu_analysis.data.proposals import Candidate, ColumnProposal, TableProposal
from kehu_analysis.intake.account import printable, shown
from kehu_analysis.intake.toml_text import toml_key, toml_value

_LONGEST_SAMPLE, _LONGEST_LINE = 24, 10_000
#: What is said where no header could be a column without which little is known.
NO_CANDIDATE = {"customer_id": "ui.draft_no_customer", "date": "ui.draft_no_date"}


def column_lines(column: ColumnProposal, table: TableProposal, check: str, fill: str, lang: str) -> Iterator[str]:
    """Yield the lines of a column: what it is, and the headers that could be it, with values from the files.

    Parameters
    ----------
    column, table
        What is proposed of it, and of its table.
    check, fill
        What stands behind a line to check, and behind one to fill in.
    lang
        ``"zh"`` or ``"en"``.
    """
    meaning = labels.label(f"contract.{table.table}.{column.column}", lang)
    yield "#"
    yield comment(labels.render("ui.draft_column", lang, column=column.column, meaning=meaning))
    if column.named:
        yield comment(labels.render("ui.draft_named", lang, header=shown(column.named)))
    is_left = column.is_left(table.amount_from)
    if is_left and not column.candidates:
        code = NO_CANDIDATE.get(column.column, "ui.draft_no_candidate")
        yield comment(labels.label(code, lang))
    for one in column.candidates:
        is_chosen = one.header == column.chosen
        mark = f"{check if is_chosen else fill} · " if is_chosen or is_left else ""
        line = f"{toml_key(column.column)} = {toml_value(one.header)}"
        yield f"{line if is_chosen else off(line)}  {comment(mark + _evidence(one, lang))}"
    if is_left and not column.candidates:
        yield f"{off(toml_key(column.column) + ' = ' + toml_value(''))}  {comment(fill)}"


def _evidence(one: Candidate, lang: str) -> str:
    samples = listed_texts([shown(sample, _LONGEST_SAMPLE) for sample in one.samples], lang)
    words = labels.render("ui.draft_samples", lang, samples=samples)
    if one.readable < 1:
        words += labels.render("ui.draft_readable", lang, share=labels.format_value(one.readable, "share"))
    return words


def comment(text: str) -> str:
    """Return a text as a comment that ends with its line."""
    return f"# {printable(labels.shortened(text, _LONGEST_LINE))}"


def off(line: str) -> str:
    """Return a line that says nothing until its mark is taken away."""
    return f"# {line}"


def listed_texts(texts: Sequence[str], lang: str) -> str:
    """Return texts from files as a list in words."""
    return labels.label("ui.list_separator", lang).join(map(shown, texts))
