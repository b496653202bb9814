"""SQL expressions that turn a raw text into a column's value, and say what is wrong with it."""

from __future__ import annotations

from kehu_analysis.data.schema import Column, date_formats, flag_words
from kehu_analysis.data.settings import Filter
from kehu_analysis.engine.duckdb import identifier, quoted

#: What stands around a value without being part of it: ordinary, no-break and ideographic spaces, tabs, line ends.
_BLANKS = " \t\r\n\u00a0\u3000\ufeff"
_BLANK_AT_AN_END = r"^[\s\x{a0}\x{3000}\x{feff}]|[\s\x{a0}\x{3000}\x{feff}]$"
#: A clock time and after it an offset or the name of a zone.
_OFFSET = r":\d{2}(\.\d+)? ?([+-]\d{1,2}(:?\d{2}){0,2}|[A-Za-z].*)$"


def raw(column: Column) -> str:
    """Return the name under which a column's text is kept beside its value."""
    return identifier(f"raw_{column.name}")


def clean_text(header: str) -> str:
    """Return the text of a file's column without the blanks around it; NULL where nothing is left."""
    text = f"CAST({identifier(header)} AS VARCHAR)"
    # Looking for a blank is four times as fast as taking away what is not there.
    return (
        f"nullif(CASE WHEN regexp_matches({text}, {quoted(_BLANK_AT_AN_END)}) THEN trim({text}, {quoted(_BLANKS)}) "
        f"ELSE {text} END, '')"
    )


def column_value(column: Column, text: str, timezone: str) -> str:
    """Return the value of a text as the column's type; NULL where it cannot be read."""
    if column.kind == "date":
        return _day(text, timezone)
    if column.kind == "month":
        months = ", ".join(map(quoted, date_formats("month")))
        month = f"CAST(try_strptime({text}, [{months}]) AS DATE)"
        return f"coalesce({month}, CAST(date_trunc('month', {_day(text, timezone)}) AS DATE))"
    if column.kind == "flag":
        yes, no = (", ".join(map(quoted, flag_words(value))) for value in (True, False))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    if column.kind == "id":
        # Ids read from a spreadsheet as decimals: 1001.0 is 1001.
        whole = f"regexp_replace({text}, '^(\\d{{1,15}})\\.0$', '\\1')"
        return f"CASE WHEN ends_with({text}, '.0') THEN {whole} ELSE {text} END"
    if column.kind == "text":
        return text
    if column.kind == "integer":
        # A cast to a whole number would round 4.5 without a word.
        value = f"TRY_CAST({text} AS DECIMAL(18, 4))"
        return f"CASE WHEN {value} = trunc({value}) THEN CAST({value} AS BIGINT) END"
    value = f"TRY_CAST({text} AS {column.sql_type})"
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value


def _day(text: str, timezone: str) -> str:
    # A stamp without an offset is local as it stands; one with an offset is converted.
    formats = ", ".join(map(quoted, date_formats("date")))
    local = f"coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, [{formats}]))"
    usual = f"regexp_replace(regexp_replace({text}, ' ([+-])', '\\1'), '([+-]\\d{{2}})(\\d{{2}})$', '\\1:\\2')"
    converted = f"timezone({quoted(timezone)}, TRY_CAST({usual} AS TIMESTAMPTZ))"
    # A text of ten characters has no room for an offset.
    has_offset = f"length({text}) > 10 AND regexp_matches({text}, {quoted(_OFFSET)})"
    day = f"CAST(CASE WHEN {has_offset} THEN {converted} ELSE {local} END AS DATE)"
    # Words such as "epoch" and "infinity" are no dates, nor is a day that a calendar of four-digit years lacks.
    return f"CASE WHEN left({text}, 1) BETWEEN '0' AND '9' AND {day} < DATE '10000-01-01' THEN {day} END"


def fault(column: Column, last_valid_day: str, *, may_be_missing: bool) -> str:
    """Return the code of what is wrong with a column's value; NULL where nothing is."""
    value, text = identifier(column.name), raw(column)
    checks = [] if may_be_missing else [f"WHEN {text} IS NULL THEN 'missing'"]
    checks.append(f"WHEN {text} IS NOT NULL AND {value} IS NULL THEN 'not_{column.kind}'")
    if column.kind == "date":
        checks.append(f"WHEN {value} < DATE '1900-01-01' THEN 'too_early'")
    if column.past:
        checks.append(f"WHEN {value} > DATE {quoted(last_valid_day)} THEN 'in_the_future'")
    if column.minimum is not None:
        checks.append(f"WHEN {value} < {column.minimum} THEN 'below_range'")
    if column.maximum is not None:
        checks.append(f"WHEN {value} > {column.maximum} THEN 'above_range'")
    if column.choices:
        checks.append(f"WHEN {value} NOT IN ({', '.join(map(quoted, column.choices))}) THEN 'not_a_choice'")
    return f"CASE {' '.join(checks)} END"


def matches(rule: Filter) -> str:
    """Return the condition of a filter: texts are compared with texts, numbers with numbers."""
    text = f"coalesce({clean_text(rule.column)}, '')"
    number = f"TRY_CAST({text} AS DOUBLE)"
    if rule.operator in ("less_than", "greater_than"):
        sign = "<" if rule.operator == "less_than" else ">"
        return f"{number} {sign} {float(rule.values[0])!r}"
    if rule.operator in ("starts_with", "contains"):
        return f"{rule.operator}({text}, {quoted(rule.values[0])})"
    conditions = (
        f"{text} = {quoted(value)}" if isinstance(value, str) else f"{number} = {float(value)!r}"
        for value in rule.values
    )
    return f"({' OR '.join(conditions)})"
