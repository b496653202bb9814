"""What stands in a cell, as SQL: cleaned of what is not part of it, and empty where a word stands for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kehu_analysis.data.schema import null_words, pattern_of
from kehu_analysis.engine.duckdb import identifier, quoted

#: What stands around a value without being part of it: ordinary, no-break and ideographic spaces, tabs, line ends.
_BLANKS = " \t\r\n\u00a0\u3000\ufeff"
NEEDS_TRIMMING = r"^[\s\x{a0}\x{3000}\x{feff}]|[\s\x{a0}\x{3000}\x{feff}]$|^$"
#: Characters that nobody sees: joiners, marks of direction, soft hyphens, what a copied text brings along.
INVISIBLE = r"[\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{feff}\x{0}-\x{8}\x{e}-\x{1f}]"
#: What programs write where there is nothing.
NULL_WORDS = null_words()
_LONGEST_NULL = max(map(len, NULL_WORDS))


@dataclass(frozen=True)
class Style:
    """How a file writes dates of which it is not plain what stands where, and the fraction of a number.

    Attributes
    ----------
    date_order
        ``"day_first"``, ``"month_first"``, or ``"year_first"`` of a year in two digits; empty where no date asks.
    decimal_mark
        ``"."`` or ``","``.
    date_format
        How all dates are written, as ``strptime`` has it; empty where they are read as they come.
    units
        By column of money what one stands for, where that is not 1.
    date_era
        ``"roc"`` where years are those of the Republic of China; else empty.
    """

    date_order: str = "day_first"
    decimal_mark: str = "."
    date_format: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    date_era: str = ""


def clean_text(header: str) -> str:
    """Return the text of a file's column without the blanks around it; NULL where nothing is left.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('  A 1'), ('B'), (chr(9))) AS rows (code)"
    >>> duckdb.sql(f"SELECT {clean_text('code')} FROM {rows}").fetchall()
    [('A 1',), ('B',), (None,)]
    """
    return without_blanks(f"CAST({identifier(header)} AS VARCHAR)")


def without_blanks(text: str) -> str:
    """Return an SQL text without the blanks around it; NULL where nothing is left."""
    # Looking for a blank is four times as fast as taking away what is not there.
    trimmed = f"nullif(trim({text}, {quoted(_BLANKS)}), '')"
    return f"CASE WHEN regexp_matches({text}, {quoted(NEEDS_TRIMMING)}) THEN {trimmed} ELSE {text} END"


def is_null_word(text: str) -> str:
    r"""Return the condition that a text is what programs write where there is nothing.

    Examples
    --------
    >>> import duckdb
    >>> rows = r"(VALUES ('NULL'), ('\N'), ('nan'), ('Nancy')) AS rows (code)"
    >>> duckdb.sql(f"SELECT code FROM {rows} WHERE NOT {is_null_word('code')}").fetchall()
    [('Nancy',)]
    """
    words = ", ".join(map(quoted, NULL_WORDS))
    return f"(length({text}) <= {_LONGEST_NULL} AND lower({text}) IN ({words}))"


def given_text(header: str) -> str:
    r"""Return :func:`clean_text`, NULL also where a word stands for nothing.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('#N/A'), ('B')) AS rows (code)"
    >>> duckdb.sql(f"SELECT {given_text('code')} FROM {rows}").fetchall()
    [(None,), ('B',)]
    """
    text = clean_text(header)
    return f"CASE WHEN {is_null_word(text)} THEN NULL ELSE {text} END"


def in_plain_characters(text: str) -> str:
    """Return an SQL text with the wide forms of digits and signs as the plain ones."""
    wide, plain = (quoted(pattern_of("characters", form)) for form in ("wide", "plain"))
    return f"translate({text}, {wide}, {plain})"
