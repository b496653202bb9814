"""Judge which header of a file could be a column of the contract: by its name and by what stands below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from kehu_analysis.data.checking.parse import column_value
from kehu_analysis.data.checking.texts import Style, clean_text, hidden
from kehu_analysis.data.proposing.likeness import LIKE, is_ruled_out, likeness
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import ROW
from kehu_analysis.data.schema import Column, is_confidential
from kehu_analysis.engine.duckdb import identifier, quoted

#: The column that stands in for an amount together with the quantity; the contract itself has none of that name.
UNIT_PRICE = Column("unit_price", "money")
DISCOUNT_RATE = Column("discount_rate", "number")
N_SAMPLES = 5
#: A column of which more cannot be read is not proposed: by default, so much may be rejected.
READABLE = 0.95
_PLAUSIBLE = 0.8
#: From so many values on fewer different ones than these are no customers.
_TELLING, _FEWEST_CUSTOMERS = 20, 5
#: An id of more letters is a remark.
_LONGEST_ID = 60
_DATE, _MONEY = Column("date", "date"), Column("amount", "money")


@dataclass(frozen=True)
class Candidate:
    """A header that could be a column.

    Attributes
    ----------
    header
        The header in the file.
    samples
        Up to five of its values, in order of appearance.
    readable
        Share (0 to 1) of the values sampled that can be read as the column's kind.
    likeness
        How much the header is like those the column is known by (0 to 1).
    plausibility
        How much the values look like the column's (0 to 1).
    is_ruled_out
        Whether the header, or how few different values there are, says that it is something else: only a person may
        take it.
    """

    header: str
    samples: tuple[str, ...]
    readable: float
    likeness: float
    plausibility: float
    is_ruled_out: bool = False

    @property
    def score(self) -> float:
        """What candidates are ranked by."""
        return self.readable * (0.6 * self.likeness + 0.4 * self.plausibility) * (0.2 if self.is_ruled_out else 1.0)


def chosen_of(ranked: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate that can be taken without asking: the best one, if it can be read and is told apart.

    A header that says nothing is taken for its values alone only where no other column has such values.
    """
    readable = [one for one in ranked if one.readable >= READABLE and not one.is_ruled_out]
    if not readable or readable[0] is not ranked[0]:
        return None
    best, others = readable[0], readable[1:]
    if any(other.score >= best.score for other in others):
        return None
    if best.likeness >= LIKE:
        return best
    rivals = [other for other in others if other.plausibility >= LIKE]
    return best if best.plausibility >= _PLAUSIBLE and not rivals else None


@dataclass(frozen=True)
class Values:
    """What stands below a header, counted; dates and numbers under the better of both styles."""

    n_rows: int = 0
    n_given: int = 0
    n_distinct: int = 0
    n_dates: int = 0
    n_recent: int = 0
    n_serials: int = 0
    n_numbers: int = 0
    n_fractions: int = 0
    n_negative: int = 0
    n_led_by_zero: int = 0
    span: float = 0.0
    mean_length: float = 0.0
    samples: tuple[str, ...] = ()


def look_at(connection: duckdb.DuckDBPyConnection, files: Sequence[OpenedFile], header: str, timezone: str) -> Values:
    """Count what stands below a header, each value read as the check itself would read it.

    Parameters
    ----------
    connection, files
        Files with this header, and where they are relations.
    header
        The header.
    timezone
        The dataset's time zone: a stamp with an offset is converted to it before its day is taken.
    """
    texts = " UNION ALL ".join(
        f"SELECT {clean_text(header)} AS text, {number} AS file, {ROW} AS row FROM {file.relation}"
        for number, file in enumerate(files)
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE texts_given AS {texts}")
    # To read in a way that no value asks for takes time and finds nothing.
    asked = connection.execute(
        r"SELECT count(*) FILTER (regexp_matches(text, '^\d{1,2}[-/.]')), count(*) FILTER (contains(text, ',')) "
        "FROM texts_given"
    ).fetchone()
    has_year_last, has_comma = asked if asked is not None else (0, 0)
    from_1904 = ("text",) if all(header in file.from_1904 for file in files) else ()
    readings = {
        "date_1": (_DATE, Style(from_1904=from_1904)),
        "date_2": (_DATE, Style("month_first" if has_year_last else "day_first", from_1904=from_1904)),
        "money_1": (_MONEY, Style()),
        "money_2": (_MONEY, Style(decimal_mark="," if has_comma else ".")),
    }
    values = {
        name: column_value(column, "text", "VARCHAR", timezone, style) for name, (column, style) in readings.items()
    }
    of_date, of_money = values["date_2"] != values["date_1"], values["money_2"] != values["money_1"]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE looked_at AS SELECT *, {values['date_1']} AS date_1, "
        f"{values['date_2'] if of_date else 'date_1'} AS date_2, {values['money_1']} AS money_1, "
        f"{values['money_2'] if of_money else 'money_1'} AS money_2 FROM texts_given"
    )
    recent = "BETWEEN DATE '1990-01-01' AND current_date + 1"
    money, date = _better(connection, "money_1", "money_2"), _better(connection, "date_1", "date_2")
    row = connection.execute(
        f"SELECT count(*), count(text), count(DISTINCT text), count({date}), count(*) FILTER ({date} {recent}), "
        rf"count(*) FILTER ({date} IS NOT NULL AND regexp_matches(text, '^\d+(\.\d+)?$')), count({money}), "
        f"count(*) FILTER ({money} <> trunc({money})), count(*) FILTER ({money} < 0), "
        rf"count(*) FILTER (regexp_matches(text, '^0\d')), coalesce(CAST(max({money}) - min({money}) AS DOUBLE), 0), "
        "coalesce(avg(length(text)), 0) FROM looked_at"
    ).fetchone()
    assert row is not None  # aggregates always return a row
    samples = connection.execute(
        f"SELECT text FROM looked_at WHERE text IS NOT NULL GROUP BY text ORDER BY min((file, row)) LIMIT {N_SAMPLES}"
    ).fetchall()
    return replace(Values(*row), samples=tuple(text for (text,) in samples))


def _better(connection: duckdb.DuckDBPyConnection, first: str, second: str) -> str:
    counts = connection.execute(f"SELECT count({first}), count({second}) FROM looked_at").fetchone()
    return first if counts is None or counts[0] >= counts[1] else second


def count_readable(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[OpenedFile],
    header: str,
    column: Column,
    values: Values,
    timezone: str,
) -> int:
    """Return how many of the values below a header can be read as a column's.

    Parameters
    ----------
    connection, files
        Files with this header, and where they are relations.
    header, column
        The header, and the column of the contract that it could be.
    values
        What :func:`look_at` counted below the header.
    timezone
        The dataset's time zone.
    """
    if column.kind == "date":
        return values.n_dates
    if column.kind in ("money", "number"):
        return values.n_numbers
    if column.kind == "integer":
        return values.n_numbers - values.n_fractions
    if column.kind in ("id", "text") and not column.choices:
        return values.n_given
    choices = f" AND value IN ({', '.join(map(quoted, column.choices))})" if column.choices else ""
    read = " UNION ALL ".join(
        f"SELECT {column_value(column, header, file.types[header], timezone, Style())} AS value FROM {file.relation}"
        for file in files
    )
    row = connection.execute(f"SELECT count(*) FILTER (value IS NOT NULL{choices}) FROM ({read})").fetchone()
    return int(row[0]) if row is not None else 0


def judged(header: str, column: Column, values: Values, n_readable: int, named: str = "") -> Candidate:
    """Return what speaks for a header being a column.

    Parameters
    ----------
    header, column
        The header, and the column of the contract that it could be.
    values, n_readable
        What :func:`look_at` and :func:`count_readable` counted below the header.
    named
        A header that the settings name for the column and that the file lacks; else empty.
    """
    given = values.n_given
    # Of a required column a missing value costs the row; without a customer it is only set apart.
    asked = max(1.0, given, 0.9 * values.n_rows if column.required and column.kind != "id" else 0)
    return Candidate(
        header,
        tuple(map(hidden, values.samples)) if is_confidential(header) else values.samples,
        readable=min(1.0, n_readable / asked),
        likeness=likeness(header, column, named),
        plausibility=_plausibility(column, values) if given else 0.0,
        is_ruled_out=is_ruled_out(header, column) or _are_too_few(column, values),
    )


def _are_too_few(column: Column, values: Values) -> bool:
    # Many lines of a handful of customers may be, but look like a region or a class.
    is_customer = column.name == "customer_id" and column.required
    return is_customer and values.n_given >= _TELLING and values.n_distinct < _FEWEST_CUSTOMERS


def _plausibility(column: Column, values: Values) -> float:
    given = values.n_given
    if column.kind == "date":
        return values.n_recent / given * (0.6 if values.n_serials > given / 2 else 1.0)
    are_dates = values.n_dates - values.n_serials > given / 2
    if are_dates:
        return 0.05
    if column.kind == "id":
        return _plausibility_of_ids(values)
    if column.kind in ("money", "number", "integer"):
        return _plausibility_of_numbers(column, values)
    return LIKE


def _plausibility_of_ids(values: Values) -> float:
    # Customers are many, and they come again; a remark or a line number does not, a region comes all the time.
    if values.n_fractions > values.n_given / 20 or values.mean_length > _LONGEST_ID:
        return 0.1
    if values.n_distinct == 1:
        return 0.2
    share = values.n_distinct / values.n_given
    return 0.4 if share > 0.98 or values.n_distinct * 100 < values.n_given else 0.7


def _plausibility_of_numbers(column: Column, values: Values) -> float:
    is_whole = values.n_fractions == 0
    counts_up = is_whole and values.n_distinct == values.n_given > 2 and values.span <= 1.5 * values.n_given
    is_code = is_whole and values.mean_length > 8
    if values.n_led_by_zero or counts_up or is_code or (column.kind == "integer" and not is_whole):
        return 0.1
    if values.n_distinct == 1:
        return 0.3
    varied = values.n_distinct > max(2, values.n_given / 50)
    return 0.4 + 0.3 * (not is_whole) + 0.15 * (values.n_negative > 0) + 0.15 * varied


def repeats_over_days(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OpenedFile], header: str, date_header: str
) -> float | None:
    """Return the share of the values that stand on several lines which stand on several days; None without such.

    A customer comes back another day; all lines of an order have the same day.

    Parameters
    ----------
    connection, files
        Files with both headers, and where they are relations.
    header, date_header
        Header of the values, and that of their days.
    """
    rows = " UNION ALL ".join(
        f"SELECT {clean_text(header)} AS text, CAST({identifier(date_header)} AS VARCHAR) AS day FROM {file.relation}"
        for file in files
    )
    found = connection.execute(
        "SELECT avg(CAST(n_days > 1 AS INTEGER)), count(*) FROM (SELECT text, count(DISTINCT left(day, 10)) AS n_days "
        f"FROM ({rows}) WHERE text IS NOT NULL GROUP BY text HAVING count(*) > 1)"
    ).fetchone()
    return None if found is None or not found[1] else float(found[0])


def with_repeats(candidate: Candidate, share: float | None) -> Candidate:
    """Return a candidate for a customer, judged by whether its values come again on other days."""
    if share is None:
        return candidate
    return replace(candidate, plausibility=candidate.plausibility * (1.2 if share > 0.2 else 0.3))
