"""SQL expressions that turn a raw value into a column's value, and say what is wrong with it."""

from __future__ import annotations

import re

from kehu_analysis.data.checking.days import FROM_1900, FROM_1904, day_of
from kehu_analysis.data.checking.numbers import EXACT, is_number, number_of
from kehu_analysis.data.checking.texts import (
    INVISIBLE,
    NEEDS_TRIMMING,
    NULL_WORDS,
    Style,
    clean_text,
    given_text,
    in_plain_characters,
    is_null_word,
    masked,
    without_blanks,
)
from kehu_analysis.data.schema import Column, date_formats, flag_words
from kehu_analysis.data.settings import Filter
from kehu_analysis.engine.duckdb import identifier, quoted

#: Most ids are letters and a number: nothing need be done to them.
_PLAIN_ID = r"[A-Za-z_-]{0,12}[0-9]{1,40}"
_ID_NEEDS_WORK = rf"{NEEDS_TRIMMING}|\.0$|\.0\s|^=\"|^'|{INVISIBLE}|^(?i:{'|'.join(map(re.escape, NULL_WORDS))})$"
#: A number of so many digits that a spreadsheet has rounded it.
_ROUNDED_ID = r"^\d(\.\d+)?[eE]\+?\d{2}$"


def given(column: Column) -> str:
    """Return the name of the flag that says whether a column's value was given, be it readable or not.

    Examples
    --------
    >>> given(Column("amount", "money"))
    '"given_amount"'
    """
    return identifier(f"given_{column.name}")


def is_always_readable(column: Column) -> bool:
    """Tell whether every text is a value of the column: one that is missing was not given.

    Examples
    --------
    >>> is_always_readable(Column("name", "text")), is_always_readable(Column("amount", "money"))
    (True, False)
    """
    return column.kind in ("id", "text")


def column_value(column: Column, header: str, sql_type: str, timezone: str, style: Style) -> str:
    """Return the value of a file's column as the column's type; NULL where it cannot be read.

    Parameters
    ----------
    column
        The column of the contract.
    header
        Its header in the file.
    sql_type
        Type of the file's column: ``"VARCHAR"``, or what a Parquet file declares.
    timezone
        The dataset's time zone: a stamp with an offset is converted to it before its day is taken.
    style
        How the file writes dates and numbers.

    Returns
    -------
    str
        An SQL expression over the file's row, of the type ``column.sql_type``.

    Examples
    --------
    >>> import duckdb
    >>> amount = column_value(Column("amount", "money"), "total", "VARCHAR", "Asia/Shanghai", Style())
    >>> rows = "(VALUES ('￥1,234.50'), ('(3.00)'), ('none')) AS rows (total)"
    >>> [str(value) for (value,) in duckdb.sql(f"SELECT {amount} FROM {rows}").fetchall()]
    ['1234.5000', '-3.0000', 'None']
    """
    name = identifier(header)
    if column.confidential:
        return masked(_value_of_text(column, header, timezone, style))
    if column.kind == "date" and sql_type in ("DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        return f"CAST({name} AS DATE)"
    if column.kind == "date" and sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"CAST(timezone({quoted(timezone)}, {name}) AS DATE)"
    if unit := style.units.get(column.name, 0):
        exact = f"TRY_CAST({name} AS {EXACT})" if is_number(sql_type) else number_of(clean_text(header), EXACT, style)
        return f"TRY_CAST({exact} * {unit} AS {column.sql_type})"
    if column.kind in ("money", "number") and is_number(sql_type):
        value = f"TRY_CAST({name} AS {column.sql_type})"
        return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value
    return _value_of_text(column, header, timezone, style)


def _value_of_text(column: Column, header: str, timezone: str, style: Style) -> str:
    text = clean_text(header)
    if column.kind == "date":
        return day_of(text, timezone, style, _begin(header, style))
    if column.kind == "month":
        months = ", ".join(map(quoted, date_formats("month")))
        month = f"CAST(try_strptime({in_plain_characters(text)}, [{months}]) AS DATE)"
        day = day_of(text, timezone, style, _begin(header, style))
        return f"coalesce({month}, CAST(date_trunc('month', {day}) AS DATE))"
    if column.kind == "flag":
        yes, no = (", ".join(map(quoted, flag_words(value))) for value in (True, False))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    if column.kind == "id":
        return _id(f"CAST({identifier(header)} AS VARCHAR)", text)
    if column.kind == "text":
        return _choice(column, given_text(header)) if column.choices else given_text(header)
    if column.kind == "integer":
        # A cast to a whole number would round 4.5 without a word.
        value = number_of(text, "DECIMAL(18, 4)", style)
        return f"CASE WHEN {value} = trunc({value}) THEN CAST({value} AS BIGINT) END"
    value = number_of(text, column.sql_type, style)
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value


def _begin(header: str, style: Style) -> str:
    return FROM_1904 if header in style.from_1904 else FROM_1900


def _id(raw: str, text: str) -> str:
    # Nearly all ids need nothing done to them. Ids read from a spreadsheet as decimals: 1001.0 is 1001. Exports write
    # ="00017" or '00017 to keep a spreadsheet from dropping zeros. What nobody sees tells no two customers apart.
    seen = f"regexp_replace({text}, {quoted(INVISIBLE)}, '', 'g')"
    bare = f"regexp_replace({seen}, '^(?:=\"(.*)\"|''(.*))$', '\\1\\2')"
    whole = f"nullif(trim(regexp_replace({bare}, '^(\\d{{1,18}})\\.0$', '\\1')), '')"
    return (
        f"CASE WHEN regexp_full_match({raw}, {quoted(_PLAIN_ID)}) THEN {raw} "
        f"WHEN regexp_matches({raw}, {quoted(_ID_NEEDS_WORK)}) "
        f"THEN CASE WHEN {is_null_word(text)} THEN NULL ELSE {whole} END ELSE {raw} END"
    )


def oddity(header: str) -> str:
    r"""Return the code of what is odd about the text of an id; NULL where nothing is.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('C1'), ('NULL'), ('C' || chr(8203) || '1')) AS rows (code)"
    >>> duckdb.sql(f"SELECT {oddity('code')} FROM {rows}").fetchall()
    [(None,), ('null_text:NULL',), ('invisible_characters',)]
    """
    raw = f"CAST({identifier(header)} AS VARCHAR)"
    text = without_blanks(raw)
    return (
        f"CASE WHEN regexp_full_match({raw}, {quoted(_PLAIN_ID)}) THEN NULL "
        f"WHEN {is_null_word(text)} THEN 'null_text:' || {text} "
        f"WHEN regexp_matches({text}, {quoted(INVISIBLE)}) THEN 'invisible_characters' END"
    )


def are_plain(header: str) -> str:
    """Return an SQL aggregate that tells whether all ids below a header are letters and a number, and so as they are.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('C1', 'Li'), ('C2', 'C2'), (NULL, NULL)) AS rows (code, name)"
    >>> duckdb.sql(f"SELECT {are_plain('code')}, {are_plain('name')} FROM {rows}").fetchall()
    [(True, False)]
    """
    return f"coalesce(bool_and(regexp_full_match({identifier(header)}, {quoted(_PLAIN_ID)})), true)"


def odd(column: Column) -> str:
    """Return the name of the column that holds :func:`oddity` of an id.

    Examples
    --------
    >>> odd(Column("customer_id", "id"))
    '"odd_customer_id"'
    """
    return identifier(f"odd_{column.name}")


def _choice(column: Column, text: str) -> str:
    """Return a choice by its own name, however it was called; what is none of them stays as it is."""
    names = {choice: ", ".join(map(quoted, (choice, *column.words.get(choice, ())))) for choice in column.choices}
    cases = " ".join(f"WHEN lower({text}) IN ({called}) THEN {quoted(choice)}" for choice, called in names.items())
    return f"CASE {cases} ELSE {text} END"


def within_calendar(column: Column) -> str:
    """Return a date as it stands; NULL for a day that a calendar of four-digit years lacks.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES (DATE '2026-01-05'), (DATE '12026-01-05')) AS rows (date)"
    >>> [str(day) for (day,) in duckdb.sql(f"SELECT {within_calendar(Column('date', 'date'))} FROM {rows}").fetchall()]
    ['2026-01-05', 'None']
    """
    day = identifier(column.name)
    return f"CASE WHEN {day} BETWEEN DATE '0001-01-02' AND DATE '9999-12-31' THEN {day} END AS {day}"


def fault(column: Column, last_valid_day: str, *, may_be_missing: bool) -> str:
    """Return the code of what is wrong with a column's value; NULL where nothing is.

    Examples
    --------
    >>> print(fault(Column("amount", "money"), "2026-09-30", may_be_missing=True))
    CASE WHEN "amount" IS NULL AND "given_amount" THEN 'not_money' END
    """
    value, is_given = identifier(column.name), given(column)
    checks = [] if may_be_missing else [f"WHEN NOT {is_given} THEN 'missing'"]
    if is_always_readable(column):
        checks = [] if may_be_missing else [f"WHEN {value} IS NULL THEN 'missing'"]
    else:
        checks.append(f"WHEN {value} IS NULL AND {is_given} THEN 'not_{column.kind}'")
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
    return f"CASE {' '.join(checks)} END" if checks else "CAST(NULL AS VARCHAR)"


def doubt(column: Column) -> str | None:
    """Return the code of what is doubtful in a value that can be read; None where nothing can be.

    Examples
    --------
    >>> import duckdb
    >>> code = doubt(Column("customer_id", "id"))
    >>> ids = "(VALUES ('6.22848E+17', NULL), ('C+1', NULL)) AS rows (customer_id, odd_customer_id)"
    >>> duckdb.sql(f"SELECT {code} FROM {ids}").fetchall()
    [('rounded_id',), (None,)]
    >>> doubt(Column("amount", "money")) is None
    True
    """
    if column.kind != "id":
        return None
    value = identifier(column.name)
    is_rounded = f"contains({value}, '+') AND regexp_matches({value}, {quoted(_ROUNDED_ID)})"
    return f"coalesce({odd(column)}, CASE WHEN {is_rounded} THEN 'rounded_id' END)"


def matches(rule: Filter) -> str:
    """Return the condition of a filter: texts are compared with texts, numbers with numbers.

    Examples
    --------
    >>> import duckdb
    >>> postage = Filter(column="code", operator="is_one_of", value=["POST", 7], reason="postage")
    >>> rows = "(VALUES ('POST '), ('7.0'), ('POSTER'), (NULL)) AS rows (code)"
    >>> duckdb.sql(f"SELECT code FROM {rows} WHERE {matches(postage)}").fetchall()
    [('POST ',), ('7.0',)]
    """
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
