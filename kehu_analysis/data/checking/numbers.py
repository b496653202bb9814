"""The number that a text says, as SQL: as the machine writes it or as people do."""

from __future__ import annotations

from kehu_analysis.data.checking.texts import Style, in_plain_characters
from kehu_analysis.data.schema import Column, pattern_of, units_of_cells
from kehu_analysis.engine.duckdb import quoted

#: Of a sum in ten thousands, and of a factor, more decimals count.
EXACT = "DECIMAL(30, 10)"
_NUMERIC = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "HUGEINT")


def is_number(sql_type: str) -> bool:
    """Tell whether a type of a file's column is a number."""
    return sql_type in _NUMERIC or sql_type.startswith("DECIMAL")


def rescaled(value: str, scale: tuple[float, float], column: Column) -> str:
    """Return an answer on a column's own scale, from the one that it was given on; NULL for one beyond that.

    Examples
    --------
    >>> import duckdb
    >>> grade = rescaled("answer", (1, 10), Column("satisfaction", "integer", minimum=1, maximum=5))
    >>> duckdb.sql(f"SELECT list({grade}) FROM (VALUES (1), (7), (10), (11)) AS rows (answer)").fetchall()
    [([1, 4, 5, None],)]
    """
    first, last = scale
    low, high = column.minimum or 0.0, column.maximum or 0.0
    moved = f"({low!r} + (CAST({value} AS DOUBLE) - {first!r}) * {(high - low) / (last - first)!r})"
    whole = f"round({moved})" if column.kind == "integer" else moved
    inside = f"CAST({value} AS DOUBLE) BETWEEN {min(scale)!r} AND {max(scale)!r}"
    return f"CAST(CASE WHEN {inside} THEN {whole} END AS {column.sql_type})"


def number_of(text: str, sql_type: str, style: Style) -> str:
    """Return a number as the machine writes it, or else as people do: ``1,234.50``, ``￥12``, ``(3.00)``, ``4.00-``."""
    # Bound to a name, the text is worked out once, and the query is short to plan.
    plain = "p"
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
    units = " ".join(f"WHEN contains({plain}, {quoted(word)}) THEN {unit}" for word, unit in units_of_cells().items())
    scaled = f"TRY_CAST({number} * CASE {units} ELSE 1 END AS {sql_type})"
    as_people_do = f"CASE WHEN {positive} THEN {scaled} WHEN {negative} THEN -{scaled} END"
    return (
        f"CASE WHEN {is_machine} THEN {machine} WHEN {text} IS NOT NULL "
        f"THEN list_transform([{in_plain_characters(text)}], lambda p: {as_people_do})[1] END"
    )
