"""The day that a text names, as SQL: however people, spreadsheets and programs write it."""

from __future__ import annotations

from collections.abc import Sequence

from kehu_analysis.data.checking.texts import Style, in_plain_characters
from kehu_analysis.data.schema import date_formats, month_words, pattern_of
from kehu_analysis.engine.duckdb import quoted

#: A clock time and after it an offset or the name of a zone.
_OFFSET = r":\d{2}(\.\d+)? ?([+-]\d{1,2}(:?\d{2}){0,2}|[A-BD-OQ-Za-bd-oq-z].*)$"
#: What looks like a zone after a clock time, and is the half of the day.
_HALF_OF_DAY = r"(?i)([ap]\.?m\.?|uhr)$"
#: The year first in four digits, and no clock: the next most frequent of all.
_PLAIN = r"^(\d{4})[-/.\x{5e74}](\d{1,2})[-/.\x{6708}](\d{1,2})\x{65e5}?$"
#: Year, month and day from the groups of a pattern.
_ORDERS = {"as_it_stands": r"\1-\2-\3", "day_first": r"\3-\2-\1", "month_first": r"\3-\1-\2"}
#: The last year in two digits that is of this century, as POSIX has it.
_LAST_OF_CENTURY = "68"
#: The day 0 of a spreadsheet's numbers, in each of its two systems.
FROM_1900, FROM_1904 = "1899-12-30", "1904-01-01"
#: A clock that a spreadsheet's serial number rounded to a hair below midnight.
_HAIR = 0.5 / 86_400
#: The year before the first of the Republic of China.
_BEFORE_ROC = 1911
#: Which group of a pattern with the month in words is year, month and day.
_IN_WORDS = {"day_month_year": (3, 2, 1), "month_day_year": (3, 1, 2), "year_month_day": (1, 2, 3)}


def day_of(text: str, timezone: str, style: Style, begin: str = FROM_1900) -> str:
    """Return the day that a text names; NULL where it names none.

    Parameters
    ----------
    text
        An SQL text without blanks around it.
    timezone
        A stamp with an offset is converted to it before its day is taken.
    style
        How the file writes dates.
    begin
        The day that a number of days counts from, as a spreadsheet writes it.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('2026-01-05 星期一'), ('5/1/26'), ('5/1/2026 9:30:00 AM'), ('someday')) AS rows (t)"
    >>> [str(day) for (day,) in duckdb.sql(f"SELECT {day_of('t', 'Asia/Shanghai', Style())} FROM {rows}").fetchall()]
    ['2026-01-05', '2026-01-05', '2026-01-05', 'None']
    """
    # Nearly all dates are written like 2026-01-05, and DuckDB reads them at once.
    usual = f"length({text}) <= 10 AND substr({text}, 5, 1) = '-' AND TRY_CAST({text} AS DATE) IS NOT NULL"
    weekday = pattern_of("date", "weekday")
    without = f"trim(regexp_replace({text}, {quoted(weekday)}, ' '))"
    own = ""
    if style.date_format:
        own = f"WHEN try_strptime({text}, {quoted(style.date_format)}) IS NOT NULL THEN " + _by(text, style.date_format)
    # Bound to a name, the text is worked out once, and the query is a tenth as long to plan.
    bare = f"CASE WHEN {_matches(text, weekday)} THEN {without} ELSE {text} END"
    written = _written("t", "p", timezone, style, begin)
    plain = f"list_transform([{in_plain_characters('t')}], lambda p: {written})[1]"
    return (
        f"CASE WHEN {usual} THEN TRY_CAST({text} AS DATE) {own} "
        f"WHEN {_matches(text, _PLAIN)} THEN {_rearranged(text, _PLAIN, 'as_it_stands')} WHEN {text} IS NOT NULL "
        f"THEN list_transform([{bare}], lambda t: {plain})[1] END"
    )


def _by(text: str, *formats: str) -> str:
    return f"CAST(try_strptime({text}, [{', '.join(map(quoted, formats))}]) AS DATE)"


def _written(text: str, plain: str, timezone: str, style: Style, begin: str) -> str:
    # A stamp without an offset is local as it stands; one with an offset is converted.
    has_offset = (
        f"length({text}) > 10 AND regexp_matches({text}, {quoted(_OFFSET)}) "
        f"AND NOT regexp_matches({text}, {quoted(_HALF_OF_DAY)})"
    )
    offset = f"regexp_replace(regexp_replace({text}, ' ([+-])', '\\1'), '([+-]\\d{{2}})(\\d{{2}})$', '\\1:\\2')"
    converted = f"CAST(timezone({quoted(timezone)}, TRY_CAST({offset} AS TIMESTAMPTZ)) AS DATE)"
    order = style.date_order if style.date_order in _ORDERS else "day_first"
    short = "short_year_first" if style.date_order == "year_first" else "short_year_last"
    short_order = "as_it_stands" if style.date_order == "year_first" else order
    serial = pattern_of("date", "serial")
    number = f"TRY_CAST(regexp_extract({plain}, {quoted(serial)}, 1) AS DOUBLE)"
    # Words such as "epoch" and "infinity" are no dates.
    is_word = f"NOT (left({plain}, 1) BETWEEN '0' AND '9' OR regexp_matches({text}, '^[A-Za-z]{{3,9}}\\.? \\d'))"
    by_format = _by(text, *date_formats("date"))
    cases = [f"WHEN {has_offset} THEN {converted}"]
    for form, of in (("year_first", "as_it_stands"), ("year_last", order)):
        wanted = pattern_of("date", form)
        cases.append(f"WHEN {_matches(plain, wanted)} THEN {_rearranged(plain, wanted, of)}")
    for form, of in ((short, short_order), ("short_year_in_words", "as_it_stands"), ("short_dense", short_order)):
        wanted = pattern_of("date", form)
        cases.append(f"WHEN {_matches(plain, wanted)} THEN {_in_its_century(plain, wanted, of)}")
    # Before the others, which would take such a year for one of two digits.
    eras = ("roc_in_words", *(("roc", "roc_dense") if style.date_era == "roc" else ()))
    cases[1:1] = [f"WHEN {_matches(plain, one)} THEN {_of_roc(plain, one)}" for one in _patterns(eras)]
    cases += [
        f"WHEN {_matches(plain, pattern_of('date', form))} THEN {_with_month_in_words(plain, form)}"
        for form in _IN_WORDS
    ]
    return (
        f"CASE {' '.join(cases)} "
        f"WHEN {_matches(plain, serial)} THEN DATE '{begin}' + CAST(floor({number} + {_HAIR!r}) AS INTEGER) "
        f"WHEN {is_word} THEN NULL WHEN {by_format} IS NOT NULL THEN {by_format} "
        f"ELSE CAST(TRY_CAST({text} AS TIMESTAMP) AS DATE) END"
    )


def _patterns(forms: Sequence[str]) -> list[str]:
    return [pattern_of("date", form) for form in forms]


def _of_roc(text: str, wanted: str) -> str:
    year, month, day = (f"TRY_CAST(regexp_extract({text}, {quoted(wanted)}, {n}) AS INTEGER)" for n in (1, 2, 3))
    return f"TRY_CAST(concat_ws('-', {year} + {_BEFORE_ROC}, {month}, {day}) AS DATE)"


def _with_month_in_words(text: str, form: str) -> str:
    # The three parts are taken at once: a pattern with all months takes long to prepare.
    parts = f"regexp_extract({text}, {quoted(pattern_of('date', form))}, ['a', 'b', 'c'])"
    year, word, day = (f"m.{'abc'[place - 1]}" for place in _IN_WORDS[form])
    words = ", ".join(map(quoted, month_words()))
    month = f"[{', '.join(map(str, month_words().values()))}][list_position([{words}], lower({word}))]"
    century = f"CASE WHEN length({year}) = 4 THEN '' WHEN {year} <= '{_LAST_OF_CENTURY}' THEN '20' ELSE '19' END"
    day = f"TRY_CAST({century} || {year} || '-' || {month} || '-' || {day} AS DATE)"
    return f"list_transform([{parts}], lambda m: {day})[1]"


def _matches(text: str, wanted: str) -> str:
    return f"regexp_matches({text}, {quoted(wanted)})"


def _rearranged(text: str, wanted: str, order: str) -> str:
    return f"TRY_CAST(regexp_replace({text}, {quoted(wanted)}, {quoted(_ORDERS[order])}) AS DATE)"


def _in_its_century(text: str, wanted: str, order: str) -> str:
    year = 1 if order == "as_it_stands" else 3
    century = (
        f"CASE WHEN regexp_extract({text}, {quoted(wanted)}, {year}) <= '{_LAST_OF_CENTURY}' THEN '20' ELSE '19' END"
    )
    return f"TRY_CAST({century} || regexp_replace({text}, {quoted(wanted)}, {quoted(_ORDERS[order])}) AS DATE)"
