"""Of a text file with thousands of columns, copy those that are read: the others would only fill memory."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from kehu_analysis.errors import DataError

#: A value longer than this is none: a quote before it was never closed.
_LONGEST_VALUE = 1 << 24
#: So much of a line that has more or fewer values than the header is kept.
_KEPT_OF_BROKEN = 500


def narrowed(
    path: Path, shown: str, copy: Path, n_columns: int, kept: Sequence[int], delimiter: str, quote: str
) -> Path:
    """Write the columns that are read into a copy; return it.

    A line that has more or fewer values than the header gets too many, so that it is found broken; what it says stands
    behind. Rows keep their numbers.

    Parameters
    ----------
    path
        A text file in UTF-8.
    shown
        Its name for readers.
    copy
        Where the copy goes.
    n_columns
        How many columns the header has.
    kept
        Which of them are read.
    delimiter, quote
        What stands between values, and around them.

    Raises
    ------
    DataError
        A quote is never closed: where values end is not known.
    """
    limit = csv.field_size_limit(_LONGEST_VALUE)
    try:
        with (
            path.open(encoding="utf-8-sig", errors="replace", newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
            reader = csv.reader(source, delimiter=delimiter, quotechar=quote)
            writer = csv.writer(target, delimiter=delimiter, quotechar=quote, lineterminator="\n")
            for record in reader:
                if len(record) == n_columns or not record:
                    writer.writerow([record[place] for place in kept] if record else [])
                else:
                    said = delimiter.join(record)[:_KEPT_OF_BROKEN].replace(quote, "").replace("\n", " ")
                    target.write(f"{delimiter * len(kept)}{said}\n")
    except csv.Error as error:
        raise DataError("wide_and_broken", path=shown, n_columns=n_columns, row=reader.line_num) from error
    finally:
        csv.field_size_limit(limit)
    return copy
