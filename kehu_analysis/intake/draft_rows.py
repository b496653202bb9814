"""What a draft of ``dataset.toml`` says of the rows: currencies, states, periods across, where the table ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kehu_analysis import labels
from kehu_analysis.data.proposals import RowKinds, StatesProposal
from kehu_analysis.data.schema import currencies_of
from kehu_analysis.intake.account import shown
from kehu_analysis.intake.toml_text import toml_key, toml_value

#: A row of the terminal: setting, mark, what is proposed, what it stands on.
Row = tuple[str, str, str, str]


def row_kind_lines(
    kinds: RowKinds, table: str, kept: Mapping[str, Any], currency: str, marks: tuple[str, str], lang: str
) -> Iterator[str]:
    """Yield the sections of a draft on what the rows are; what only a person can fill in stands behind ``#``.

    Parameters
    ----------
    kinds
        What is proposed.
    table
        Name of the table.
    kept
        What ``dataset.toml`` says of it now.
    currency
        The dataset's.
    marks
        What stands behind a line to check, and behind one to fill in.
    lang
        ``"zh"`` or ``"en"``.
    """
    check, fill = (f"  # {mark}" for mark in marks)
    if kinds.crosstab is not None:
        year = kinds.crosstab.year
        yield from ("", f"# {labels.label('ui.draft_crosstab', lang)}", f"[tables.{table}.crosstab]")
        if year is not None:
            yield f"year = {year}{check}"
        elif kinds.crosstab.needs_year:
            yield f"# year = 2026{fill}"
    if kinds.currencies is not None:
        yield from _currency_lines(kinds, table, currency, fill, lang)
    for states in kinds.states:
        yield from (
            _returns(states, table, kept, check, lang)
            if states.came_back
            else _filters(states, table, check, fill, lang)
        )


def _currency_lines(kinds: RowKinds, table: str, currency: str, fill: str, lang: str) -> Iterator[str]:
    several = kinds.currencies
    assert several is not None  # asked by the caller
    yield from ("", f"# {labels.render('ui.draft_currencies', lang, currency=currency)}")
    yield f"# [tables.{table}.currencies]"
    if several.is_column:
        yield f"# column = {toml_value(several.header)}"
    yield f"# [tables.{table}.currencies.rates]"
    for name, n in zip(several.names, several.counts, strict=True):
        if name:
            own = "1.0" if currency in currencies_of(name) else labels.label("ui.draft_rate", lang)
            rows = labels.render("ui.draft_rows", lang, n=labels.format_value(n, "lines", lang))
            yield f"# {toml_key(name)} = {own}{fill} · {rows}"
    yield f"# {labels.render('ui.draft_dated_rates', lang, name=toml_key(several.names[0]))}"
    yield f"# {labels.label('ui.draft_one_currency', lang)}"
    others = [name for name in several.names[1:] if name]
    if several.is_column:
        yield from (f"# {line}" for line in _filter(table, several.header, "is_one_of", others, "currency", lang))
    else:
        for name in others:
            yield from (f"# {line}" for line in _filter(table, several.header, "contains", name, "currency", lang))


def _filter(table: str, column: str, operator: str, value: object, reason: str, lang: str) -> Iterator[str]:
    yield f"[[tables.{table}.filters]]"
    yield f"column = {toml_value(column)}"
    yield f"operator = {toml_value(operator)}"
    yield f"value = {toml_value(value)}"
    yield f"reason = {toml_value(labels.label(f'ui.draft_reason_{reason}', lang))}"


def _filters(states: StatesProposal, table: str, check: str, fill: str, lang: str) -> Iterator[str]:
    """Yield the filter of rows that are no sales; what is undone in part only is left to a person."""
    code = "ui.draft_states_in_part" if states.in_part else "ui.draft_states"
    yield from ("", f"# {labels.render(code, lang, **_size(states, lang))}")
    lines = list(_filter(table, states.column, "is_one_of", list(states.values), "undone", lang))
    lines[-2] += fill if states.in_part else check
    yield from (f"# {line}" if states.in_part else line for line in lines)


def _returns(states: StatesProposal, table: str, kept: Mapping[str, Any], check: str, lang: str) -> Iterator[str]:
    yield from ("", f"# {labels.render('ui.draft_returns', lang, **_size(states, lang))}")
    off = "# " if "returns" in kept else ""
    yield f"{off}[tables.{table}.returns]"
    yield f"{off}column = {toml_value(states.column)}"
    yield f"{off}values = {toml_value(list(states.values))}{check}"


def _size(states: StatesProposal, lang: str) -> dict[str, str]:
    amount = "" if states.amount is None else labels.format_value(float(states.amount), "currency", lang)
    n = labels.format_value(states.n_lines, "lines", lang)
    words = labels.render("ui.draft_size" if amount else "ui.draft_rows", lang, n=n, amount=amount)
    return {"column": shown(states.column), "size": words}


def row_kind_rows(kinds: RowKinds, lang: str) -> list[Row]:
    """Return what the terminal says of the rows: each setting, its mark, what is proposed and what that stands on."""
    rows: list[Row] = []
    between = labels.label("ui.list_separator", lang)
    if kinds.crosstab is not None:
        year = kinds.crosstab.year
        words = f"year = {year}" if year is not None else "year = ?" if kinds.crosstab.needs_year else "[…crosstab]"
        rows.append(("crosstab", "?" if words.endswith("?") else "✓", words, ""))
    if kinds.currencies is not None:
        pairs = zip(kinds.currencies.names, kinds.currencies.counts, strict=True)
        words = between.join(f"{shown(name)} × {n}" for name, n in pairs if name)
        rows.append(("currencies", "?", words, shown(kinds.currencies.header)))
    if kinds.currency:
        rows.append(("currency", "✓", kinds.currency, ""))
    for states in kinds.states:
        setting = "returns" if states.came_back else "filters"
        words = f"{shown(states.column)} = {between.join(map(shown, states.values))}"
        rows.append((setting, "?" if states.in_part else "✓", words, _size(states, lang)["size"]))
    if kinds.last_row:
        rows.append(("last_row", "✓", kinds.last_row, ""))
    return rows


def kept_filters(rules: Sequence[Mapping[str, Any]], table: str) -> Iterator[str]:
    """Yield the filters that ``dataset.toml`` has already."""
    for rule in rules:
        yield from ("", f"[[tables.{table}.filters]]")
        yield from (f"{toml_key(key)} = {toml_value(value)}" for key, value in rule.items())
