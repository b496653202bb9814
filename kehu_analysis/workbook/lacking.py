"""Tables and columns that the data lack, told in one way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from kehu_analysis.data import Dataset, contract
from kehu_analysis.finding import Finding
from kehu_analysis.labels import Phrase

#: Why an analysis was not run, under ``error.`` in ``labels.toml``.
NEEDS = "needs_data"
#: Their dates lie in the future as they should.
_PLANNED = frozenset(("calendar", "campaigns"))


def lacking(dataset: Dataset, sources: Sequence[str]) -> Finding | None:
    """Return what stands for data that are not there; None where nothing is lacking.

    Parameters
    ----------
    dataset
        An open dataset.
    sources
        Tables (``contacts``) and columns (``transactions.cost``).

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> cdnow = open_dataset("data/cdnow")
    >>> lacking(cdnow, ["transactions.amount"]) is None
    True
    >>> lacking(cdnow, ["contacts.cost", "transactions.amount"]).reading("en").partition(".")[0]
    'Not run: the data lack the table Contacts (contacts)'
    """
    missing = [source for source in sources if not dataset.has(source)]
    if not missing:
        return None
    # A table that is not there is named once, whatever columns of it are wanted.
    tables = {source.partition(".")[0] for source in missing}
    absent = sorted(table for table in tables if not dataset.has(table))
    columns = [source for source in missing if source.partition(".")[0] not in absent]
    phrases = [*(_table(name) for name in absent), *(_column(name) for name in columns)]
    return Finding(missing[0], pd.DataFrame(), {}, not_run=(NEEDS, {"missing": phrases}))


def _table(name: str) -> Phrase:
    return Phrase("ui.needed_table", {"table": Phrase(f"table.{name}"), "name": name})


def _column(source: str) -> Phrase:
    table, _, column = source.partition(".")
    return Phrase("ui.needed_column", {"table": Phrase(f"table.{table}"), "name": table, "column": column})


def happened_by(rows: pd.DataFrame, table: str, as_of: date) -> pd.DataFrame:
    """Leave out the rows of a table that happened after the last day counted, by its first date that is required.

    A table of what is planned, or of what has no date, stays whole.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b"], "date": [date(2026, 9, 30), date(2026, 10, 1)]})
    >>> happened_by(rows, "contacts", date(2026, 9, 30))["customer_id"].tolist()
    ['a']
    """
    days = [column.name for column in contract()[table].columns if column.kind == "date" and column.required]
    if not days or table in _PLANNED:
        return rows
    return rows[pd.to_datetime(rows[days[0]]) <= pd.Timestamp(as_of)].reset_index(drop=True)
