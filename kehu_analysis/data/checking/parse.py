"""SQL expressions that turn a raw value into a column's value, and say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from kehu_analysis.data.schema import Column, date_formats, flag_words, pattern_of
from kehu_analysis.data.settings import Filter
from kehu_analysis.engine.duckdb import identifier, quoted

#: What stands around a value without being part of it: ordinary, no-break and ideographic spaces, tabs, line ends.
_BLANKS = " \t\r\n\u00a0\u3000\ufeff"
_NEEDS_TRIMMING = r"^[\s\x{a0}\x{3000}\x{feff}]|[\s\x{a0}\x{3000}\x{feff}]$|^$"
_ID_NEEDS_WORK = rf"{_NEEDS_TRIMMING}|\.0$|\.0\s|^=\"|^'"
#: A clock time and after it an offset or the name of a zone.
_OFFSET = r":\d{2}(\.\d+)? ?([+-]\d{1,2}(:?\d{2}){0,2}|[A-BD-OQ-Za-bd-oq-z].*)$"
#: Year, month and day from the groups of a pattern.
_AS_IT_STANDS, _DAY_FIRST, _MONTH_FIRST = r"\1-\2-\3", r"\3-\2-\1", r"\3-\1-\2"
#: A number of so many digits that a spreadsheet has rounded it.
_ROUNDED_ID = r"^\d(\.\d+)?[eE]\+?\d{2}$"


@dataclass(frozen=True)
class Style:
    """How a file writes dates whose year stands last, and the fraction of a number."""

    date_order: str = "day_first"
    decimal_mark: str = "."


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


def clean_text(header: str) -> str:
    """Return the text of a file's column without the blanks around it; NULL where nothing is left.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('  A 1'), ('B'), (chr(9))) AS rows (code)"
    >>> duckdb.sql(f"SELECT {clean_text('code')} FROM {rows}").fetchall()
    [('A 1',), ('B',), (None,)]
    """
    return _without_blanks(f"CAST({identifier(header)} AS VARCHAR)")


def _without_blanks(text: str) -> str:
    # Looking for a blank is four times as fast as taking away what is not there.
    trimmed = f"nullif(trim({text}, {quoted(_BLANKS)}), '')"
    return f"CASE WHEN regexp_matches({text}, {quoted(_NEEDS_TRIMMING)}) THEN {trimmed} ELSE {text} END"


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
    if column.kind == "date" and sql_type in ("DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        return f"CAST({name} AS DATE)"
    if column.kind == "date" and sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"CAST(timezone({quoted(timezone)}, {name}) AS DATE)"
    if column.kind in ("money", "number") and _is_number(sql_type):
        value = f"TRY_CAST({name} AS {column.sql_type})"
        return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value
    return _value_of_text(column, header, timezone, style)


_NUMERIC = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "HUGEINT")


def _is_number(sql_type: str) -> bool:
    return sql_type in _NUMERIC or sql_type.startswith("DECIMAL")


def _value_of_text(column: Column, header: str, timezone: str, style: Style) -> str:
    text = clean_text(header)
    if column.kind == "date":
        return _day(text, timezone, style)
    if column.kind == "month":
        months = ", ".join(map(quoted, date_formats("month")))
        month = f"CAST(try_strptime({_plain(text)}, [{months}]) AS DATE)"
        return f"coalesce({month}, CAST(date_trunc('month', {_day(text, timezone, style)}) AS DATE))"
    if column.kind == "flag":
        yes, no = (", ".join(map(quoted, flag_words(value))) for value in (True, False))
        return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
    if column.kind == "id":
        # Ids read from a spreadsheet as decimals: 1001.0 is 1001. Nearly all ids need nothing done to them.
        # Exports write ="00017" or '00017 to keep a spreadsheet from dropping zeros.
        bare = f"regexp_replace({text}, '^(?:=\"(.*)\"|''(.*))$', '\\1\\2')"
        whole = f"nullif(regexp_replace({bare}, '^(\\d{{1,15}})\\.0$', '\\1'), '')"
        given_text = f"CAST({identifier(header)} AS VARCHAR)"
        return f"CASE WHEN regexp_matches({given_text}, {quoted(_ID_NEEDS_WORK)}) THEN {whole} ELSE {given_text} END"
    if column.kind == "text":
        return _choice(column, text) if column.choices else text
    if column.kind == "integer":
        # A cast to a whole number would round 4.5 without a word.
        value = _number(text, "DECIMAL(18, 4)", style)
        return f"CASE WHEN {value} = trunc({value}) THEN CAST({value} AS BIGINT) END"
    value = _number(text, column.sql_type, style)
    return f"CASE WHEN isfinite({value}) THEN {value} END" if column.kind == "number" else value


def _choice(column: Column, text: str) -> str:
    """Return a choice by its own name, however it was called; what is none of them stays as it is."""
    names = {choice: ", ".join(map(quoted, (choice, *column.words.get(choice, ())))) for choice in column.choices}
    cases = " ".join(f"WHEN lower({text}) IN ({called}) THEN {quoted(choice)}" for choice, called in names.items())
    return f"CASE {cases} ELSE {text} END"


def _plain(text: str) -> str:
    wide, plain = (quoted(pattern_of("characters", form)) for form in ("wide", "plain"))
    return f"translate({text}, {wide}, {plain})"


def _number(text: str, sql_type: str, style: Style) -> str:
    """Return a number as the machine writes it, or else as people do: ``1,234.50``, ``￥12``, ``(3.00)``, ``4.00-``."""
    plain = _plain(text)
    form = "point" if style.decimal_mark == "." else "comma"
    pattern = pattern_of("number", form)
    positive, negative = (
        f"regexp_matches({plain}, {quoted(pattern_of('number', sign).replace('{digits}', pattern))})"
        for sign in ("positive", "negative")
    )
    digits = f"translate(regexp_extract({plain}, {quoted(pattern)}), {quoted(pattern_of('grouping', form))}, '')"
    if style.decimal_mark == ",":
        digits = f"replace({digits}, ',', '.')"
    number = f"TRY_CAST({digits} AS {sql_type})"
    # As the machine writes it, a point would be taken for the decimal mark.
    machine = f"TRY_CAST({text} AS {sql_type})"
    is_machine = f"{machine} IS NOT NULL" + ("" if style.decimal_mark == "." else f" AND NOT contains({text}, '.')")
    # CASE and not coalesce: DuckDB computes what several parts share before it asks whether they are needed at all,
    # but not within CASE.
    return f"CASE WHEN {is_machine} THEN {machine} WHEN {positive} THEN {number} WHEN {negative} THEN -{number} END"


def _day(text: str, timezone: str, style: Style) -> str:
    plain = _plain(text)
    # Nearly all dates are written like 2026-01-05, and DuckDB reads them at once.
    usual = f"length({text}) <= 10 AND substr({text}, 5, 1) = '-' AND TRY_CAST({text} AS DATE) IS NOT NULL"
    # A stamp without an offset is local as it stands; one with an offset is converted.
    has_offset = f"length({text}) > 10 AND regexp_matches({text}, {quoted(_OFFSET)})"
    offset = f"regexp_replace(regexp_replace({text}, ' ([+-])', '\\1'), '([+-]\\d{{2}})(\\d{{2}})$', '\\1:\\2')"
    converted = f"CAST(timezone({quoted(timezone)}, TRY_CAST({offset} AS TIMESTAMPTZ)) AS DATE)"
    year_first, year_last, serial = (pattern_of("date", form) for form in ("year_first", "year_last", "serial"))
    order = _DAY_FIRST if style.date_order == "day_first" else _MONTH_FIRST
    formats = ", ".join(map(quoted, date_formats("date")))
    # Words such as "epoch" and "infinity" are no dates.
    is_word = f"NOT (left({plain}, 1) BETWEEN '0' AND '9' OR regexp_matches({text}, '^[A-Z][a-z]{{2}} '))"
    by_format = f"CAST(try_strptime({text}, [{formats}]) AS DATE)"
    return (
        f"CASE WHEN {usual} THEN TRY_CAST({text} AS DATE) WHEN {has_offset} THEN {converted} "
        f"WHEN {_matches(plain, year_first)} THEN {_rearranged(plain, year_first, _AS_IT_STANDS)} "
        f"WHEN {_matches(plain, year_last)} THEN {_rearranged(plain, year_last, order)} "
        f"WHEN {_matches(plain, serial)} "
        f"THEN DATE '1899-12-30' + TRY_CAST(regexp_extract({plain}, {quoted(serial)}, 1) AS INTEGER) "
        f"WHEN {is_word} THEN NULL WHEN {by_format} IS NOT NULL THEN {by_format} "
        f"ELSE CAST(TRY_CAST({text} AS TIMESTAMP) AS DATE) END"
    )


def _matches(text: str, pattern: str) -> str:
    return f"regexp_matches({text}, {quoted(pattern)})"


def _rearranged(text: str, pattern: str, order: str) -> str:
    return f"TRY_CAST(regexp_replace({text}, {quoted(pattern)}, {quoted(order)}) AS DATE)"


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


def product(quantity: str, unit_price: str, sql_types: tuple[str, str], style: Style) -> str:
    """Return the amount as the product of two columns of a file, exact to four decimals.

    Parameters
    ----------
    quantity, unit_price
        Their headers in the file.
    sql_types
        The types of the two in the file.
    style
        How the file writes numbers.

    Returns
    -------
    str
        An SQL expression over the file's row, in the dataset's currency; NULL where a factor cannot be read.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('3', '1,000.25'), ('-2', '5'), ('x', '5')) AS rows (n, price)"
    >>> amount = product("n", "price", ("VARCHAR", "VARCHAR"), Style())
    >>> [str(value) for (value,) in duckdb.sql(f"SELECT {amount} FROM {rows}").fetchall()]
    ['3000.7500', '-10.0000', 'None']
    """
    factors = []
    for header, sql_type in zip((quantity, unit_price), sql_types, strict=True):
        as_decimal = f"TRY_CAST({identifier(header)} AS DECIMAL(18, 6))"
        factors.append(as_decimal if _is_number(sql_type) else _number(clean_text(header), "DECIMAL(18, 6)", style))
    return f"TRY_CAST({' * '.join(factors)} AS DECIMAL(18, 4))"


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
    >>> duckdb.sql(f"SELECT {code} FROM (VALUES ('6.22848E+17'), ('C+1')) AS rows (customer_id)").fetchall()
    [('rounded_id',), (None,)]
    >>> doubt(Column("amount", "money")) is None
    True
    """
    if column.kind != "id":
        return None
    value = identifier(column.name)
    return f"CASE WHEN contains({value}, '+') AND regexp_matches({value}, {quoted(_ROUNDED_ID)}) THEN 'rounded_id' END"


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
