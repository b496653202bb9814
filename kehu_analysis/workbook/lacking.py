"""Tables and columns that the data lack, told in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def reason_of_all(reasons: Sequence[tuple[str, Mapping[str, object]]]) -> tuple[str, Mapping[str, object]]:
    """Return why an analysis cannot be run that waits for several things: all that the data lack, else the first other
    reason.

    Examples
    --------
    >>> code, details = reason_of_all([("needs_data", {"missing": ["x"]}), ("needs_data", {"missing": ["y", "x"]})])
    >>> details["missing"]
    ['x', 'y']
    """
    lacks = [details["missing"] for code, details in reasons if code == NEEDS]
    if len(lacks) < len(reasons):
        return next(reason for reason in reasons if reason[0] != NEEDS)
    phrases: list[object] = []
    for missing in lacks:
        phrases += [phrase for phrase in missing if phrase not in phrases]  # type: ignore[attr-defined]
    return NEEDS, {"missing": phrases}


def _table(name: str) -> Phrase:
    return Phrase("ui.needed_table", {"table": Phrase(f"table.{name}"), "name": name})


def _column(source: str) -> Phrase:
    table, _, column = source.partition(".")
    return Phrase("ui.needed_column", {"table": Phrase(f"table.{table}"), "name": table, "column": column})


def stated_scales(dataset: Dataset, table: str) -> dict[str, tuple[float, float]]:
    """Return the scales of the contract of those columns whose own scale the settings state: it is not to be doubted.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> stated_scales(open_dataset("data/demo"), "surveys")
    {}
    """
    columns = (contract()[table].column(name) for name in dataset.account["tables"].get(table, {}).get("scales", ()))
    return {one.name: (one.minimum or 0.0, one.maximum or 0.0) for one in columns if one is not None}


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
