"""Headers that are months, quarters or days, as in a table with periods across."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date

from kehu_analysis.data.schema import pattern_of, period_words

#: From so many headers on that are periods a table is taken for one with periods across.
FEWEST_PERIODS = 2
#: To tell whether a header is a period, any year will do.
ANY_YEAR = 2000


def period_of_header(header: str, year: int | None = None) -> date | None:
    """Return the first day of the month or quarter that a header names; None where it names none.

    Parameters
    ----------
    header
        Such as ``2026-01``, ``Jan 2026``, ``Q1``.
    year
        That of headers that name none; without it these are no periods.

    Examples
    --------
    >>> [str(period_of_header(header, 2026)) for header in ("2025-11", "Mar", "Q2", "Total")]
    ['2025-11-01', '2026-03-01', '2026-04-01', 'None']
    """
    text = unicodedata.normalize("NFKC", header).strip().lower()
    if (match := re.match(pattern_of("periods", "with_day"), text)) is not None:
        try:
            return date(*map(int, match.groups()))
        except ValueError:
            return None
    if (match := re.match(pattern_of("periods", "with_year"), text)) is not None:
        month, *quarters = match.groups()[1:]
        return _first_day(int(match[1]), int(month) if month else 3 * int(next(filter(None, quarters))) - 2)
    if (match := re.match(pattern_of("periods", "quarter_first"), text)) is not None:
        return _first_day(_whole_year(match[2]), 3 * int(match[1]) - 2)
    if (match := re.match(pattern_of("periods", "word_year"), text)) is not None and match[1] in period_words():
        return _first_day(_whole_year(match[2]), period_words()[match[1]])
    own = re.search(r"\b(\d{4})\b", text)
    word = re.sub(r"[\s\-/_.,']*\b\d{4}\b[\s\-/_.,']*", "", text) if own else text
    month_of_word = period_words().get(word)
    wanted = int(own[1]) if own else year
    return _first_day(wanted, month_of_word) if month_of_word and wanted else None


def _whole_year(text: str) -> int:
    return int(text) if len(text) > 2 else 2000 + int(text)


def needs_year(headers: Sequence[str]) -> bool:
    """Tell whether headers that are periods do not all name their year.

    Examples
    --------
    >>> needs_year(["1月", "2月"]), needs_year(["Jan-24", "2024Q2"])
    (True, False)
    """
    return any(period_of_header(header) is None for header in period_headers(headers, ANY_YEAR))


def are_repeated(headers: Sequence[str]) -> bool:
    """Tell whether periods stand there more than once, as where the year stands in a row of its own above the months.

    Examples
    --------
    >>> are_repeated(["客户", "1月", "2月", "1月 (2)"]), are_repeated(["客户", "1月", "2月"])
    (True, False)
    """
    bare = (re.match(r"^(.*) \(\d+\)$", header) for header in headers)
    return any(match is not None and period_of_header(match[1], ANY_YEAR) is not None for match in bare)


def is_cross_table(headers: Sequence[str]) -> bool:
    """Tell whether a table with these headers has periods across.

    Examples
    --------
    >>> is_cross_table(["客户", "1月", "2月", "合计"]), is_cross_table(["客户", "2026", "金额"])
    (True, False)
    """
    return len(period_headers(headers, ANY_YEAR)) >= FEWEST_PERIODS


def year_in(texts: Sequence[str]) -> int | None:
    """Return the one year that texts name, such as a title or the name of a sheet; None where none or several do.

    Examples
    --------
    >>> year_in(["2024年各客户销售额"]), year_in(["2023-2024"]), year_in(["销售"])
    (2024, None, None)
    """
    years = {int(year) for text in texts for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)}
    return years.pop() if len(years) == 1 else None


def _first_day(year: int, month: int) -> date | None:
    return date(year, month, 1) if 1 <= month <= 12 and year >= 1900 else None


def period_headers(headers: Sequence[str], year: int | None = None) -> list[str]:
    """Return the headers that are periods.

    Examples
    --------
    >>> period_headers(["customer", "Jan", "Feb", "total"], 2026)
    ['Jan', 'Feb']
    """
    return [header for header in headers if period_of_header(header, year) is not None]
