"""The report of the quarter before, as an input of this one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kehu_analysis.errors import DataError, UsageError
from kehu_analysis.finding import Fact
from kehu_analysis.periods import Quarter

#: Set by the report while it runs the notebooks: the folder of the report before, or nothing where there is none.
PREVIOUS_VARIABLE = "KEHU_PREVIOUS"
_METRICS, _ACTIONS, _TABLES, _MODELS = "metrics.json", "actions.parquet", "tables", "models"
#: By these an action is known again.
_NAMED_BY = ("customer_id", "kind", "reason_1")


@dataclass(frozen=True)
class PreviousReport:
    """What an earlier report of the same dataset found.

    Attributes
    ----------
    folder
        Where it is.
    quarter
        The quarter it tells of, before that of the report being made.
    as_of
        Its last day counted.
    facts
        By finding, then by name: ``facts["quarter_sales"]["amount"].value``.
    actions
        Its list of actions; None in reports made before there was one.
    """

    folder: Path
    quarter: Quarter
    as_of: date
    facts: Mapping[str, Mapping[str, Fact]]
    actions: pd.DataFrame | None

    @property
    def tables(self) -> list[str]:
        """Names of the findings whose tables it holds, in order."""
        return sorted(path.stem for path in (self.folder / _TABLES).glob("*.parquet"))

    def table(self, name: str) -> pd.DataFrame | None:
        """Return the table of one finding; None where it has none of this name.

        Raises
        ------
        DataError
            The table cannot be read.
        """
        return _parquet(self.folder / _TABLES / f"{name}.parquet") if name in self.tables else None

    @property
    def models(self) -> Path | None:
        """The folder of its frozen models; None where it has none."""
        folder = self.folder / _MODELS
        return folder if folder.is_dir() else None

    def as_input(self) -> dict[str, str]:
        """Return what a manifest says of it: its quarter and the hash of its content."""
        return {"quarter": str(self.quarter), "content_hash": self.content_hash()}

    def content_hash(self) -> str:
        """Return the SHA-256 of all that a report may take from it: figures, tables, actions, models."""
        digest = hashlib.sha256()
        given = [self.folder / _METRICS, self.folder / _ACTIONS, *(self.folder / _TABLES).glob("*.parquet")]
        given += (self.folder / _MODELS).rglob("*")
        for path in sorted(path for path in given if path.is_file()):
            with path.open("rb") as content:
                told = hashlib.file_digest(content, "sha256").hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {told}\n".encode())
        return digest.hexdigest()


def read_previous(folder: Path, *, dataset: str, quarter: Quarter) -> PreviousReport:
    """Read an earlier report of a dataset.

    Parameters
    ----------
    folder
        Its folder.
    dataset, quarter
        Name and quarter of the report being made: only what was known before it may be taken from another.

    Raises
    ------
    UsageError
        The folder is no report, or one of another dataset, of the same or a later quarter, or of an unfinished one.
    DataError
        The report cannot be read: parts of it are missing or damaged.
    """
    path = folder / _METRICS
    if not path.is_file():
        raise UsageError("previous_is_no_report", path=folder)
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        its_dataset, is_preview = str(metrics["dataset"]), bool(metrics["preview"])
        its_quarter = Quarter.parse(metrics["quarter"], fiscal_year_start=quarter.fiscal_year_start)
        as_of = date.fromisoformat(metrics["as_of"])
        facts = {name: _facts(told) for of_chapter in metrics["facts"].values() for name, told in of_chapter.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError("previous_unreadable", path=path) from error
    if its_dataset != dataset:
        raise UsageError("previous_of_other_dataset", path=folder, found=its_dataset, dataset=dataset)
    if its_quarter >= quarter:
        raise UsageError("previous_not_earlier", path=folder, found=its_quarter, quarter=quarter)
    if is_preview:
        raise UsageError("previous_is_preview", path=folder, found=its_quarter)
    for table in sorted((folder / _TABLES).glob("*.parquet")):
        _check_parquet(table)
    actions = _parquet(folder / _ACTIONS) if (folder / _ACTIONS).is_file() else None
    if actions is not None and not set(_NAMED_BY) <= set(actions.columns):
        raise DataError("previous_unreadable", path=folder / _ACTIONS)
    return PreviousReport(folder, its_quarter, as_of, facts, actions)


def find_previous(places: Iterable[Path], *, dataset: str, quarter: Quarter) -> PreviousReport | None:
    """Return the first of some folders that is an earlier report of the dataset; None where none is.

    Raises
    ------
    DataError
        A report is there and cannot be read: a list of actions without what it lacks would be another one.
    """
    for place in places:
        try:
            return read_previous(place, dataset=dataset, quarter=quarter)
        except UsageError:
            continue  # nobody asked for this folder: another report, or none, is no fault
    return None


def choose_previous(
    given: str | os.PathLike[str] | None, target: Path, reports: Path, *, dataset: str, quarter: Quarter
) -> PreviousReport | None:
    """Return the report before one that is to be made.

    Parameters
    ----------
    given
        The folder that the user names; it has to be an earlier report.
    target
        The folder that the new report becomes: that of the quarter before is looked for beside it.
    reports
        And in ``‹dataset›/‹quarter before›`` of this folder.
    dataset, quarter
        Of the new report.

    Raises
    ------
    UsageError, DataError
        As :func:`read_previous`; of a folder that nobody named only what cannot be read is an error.
    """
    if given is not None:
        return read_previous(Path(given), dataset=dataset, quarter=quarter)
    before = str(quarter.previous())
    places = (target.parent / before, reports / dataset / before)
    return find_previous(places, dataset=dataset, quarter=quarter)


def _facts(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Fact]:
    found = {name: Fact(fact["value"], str(fact["unit"])) for name, fact in told.items()}
    dated = {name: fact for name, fact in found.items() if fact.unit == "date" and fact.value is not None}
    return found | {name: Fact(date.fromisoformat(str(fact.value)), "date") for name, fact in dated.items()}


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError("previous_unreadable", path=path) from error


def _check_parquet(path: Path) -> None:
    try:
        pq.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError("previous_unreadable", path=path) from error
