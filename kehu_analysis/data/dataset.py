"""A dataset: validated canonical tables, and what was set apart, filtered or rejected and why."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from kehu_analysis import labels
from kehu_analysis.data.checking.failures import FAILURE_COLUMNS, last_rows, second_tables
from kehu_analysis.data.checking.validate import LINE_CLASSES
from kehu_analysis.data.folders import default_cache
from kehu_analysis.data.progress import Progress
from kehu_analysis.data.settings import DatasetSettings, read_settings
from kehu_analysis.data.snapshot import ACCOUNT, ensure_snapshot
from kehu_analysis.errors import DataError, UsageError
from kehu_analysis.labels import Phrase
from kehu_analysis.periods import Quarter, quarters_between

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Dataset:
    """Validated tables of one company, opened by :func:`open_dataset`.

    Attributes
    ----------
    name, currency, timezone, fiscal_year_start, amounts_include_tax
        As ``dataset.toml`` says, or the defaults.
    snapshot
        The folder with the canonical Parquet files.
    content_hash
        Hash of the sources and settings it was made from.
    account
        The account of every row read (see :meth:`line_classes`, :meth:`failures`).
    """

    name: str
    currency: str
    timezone: str
    fiscal_year_start: int
    amounts_include_tax: bool | None
    snapshot: Path
    content_hash: str
    account: Mapping[str, Any]

    @property
    def first_date(self) -> date:
        """First day with a transaction."""
        return date.fromisoformat(self.account["log"]["first_date"])

    @property
    def last_date(self) -> date:
        """Last day with a transaction."""
        return date.fromisoformat(self.account["log"]["last_date"])

    @property
    def complete_until(self) -> date:
        """The day up to which the log is taken to be complete."""
        return date.fromisoformat(self.account["log"]["complete_until"])

    @property
    def customer_acquisition_cost(self) -> float | None:
        """What winning a customer costs, where ``dataset.toml`` says so."""
        return self.account["settings"]["customer_acquisition_cost"]  # type: ignore[no-any-return]

    def has(self, source: str) -> bool:
        """Tell whether the dataset has a table of the contract, or a column of one with a value in it.

        Examples
        --------
        >>> cdnow = open_dataset("data/cdnow")
        >>> cdnow.has("transactions"), cdnow.has("transactions.cost"), cdnow.has("contacts.cost")
        (True, False, False)
        """
        table, _, column = source.partition(".")
        path = self.path(table)
        return path.is_file() and (not column or _has_values(path, column))

    def path(self, table: str) -> Path:
        """Return where a table's accepted rows are, as Parquet."""
        return self.snapshot / f"{table}.parquet"

    def table(self, name: str) -> pd.DataFrame:
        """Return a table other than the log as a frame.

        Raises
        ------
        DataError
            The dataset has no such table.
        """
        if not self.has(name):
            raise DataError("no_table", table=name, dataset=self.name)
        return pd.read_parquet(self.path(name))

    def customer_names(self) -> pd.Series:
        """Return the customers' names by customer_id: those of the customers table, else the last ones of the log."""
        in_log = self._names_in_log("names_in_log", "customer_id")
        if not (self.has("customers") and "name" in (customers := self.table("customers"))):
            return in_log
        return customers.set_index("customer_id")["name"].dropna().combine_first(in_log)

    def salesperson_names(self) -> pd.Series:
        """Return the names by salesperson_id that stand in the log, the last of each; none where there are none."""
        return self._names_in_log("salespeople_in_log", "salesperson_id")

    def _names_in_log(self, file: str, whose: str) -> pd.Series:
        path = self.path(file)
        if not path.is_file():
            return pd.Series(dtype="str", name="name", index=pd.Index([], dtype="str", name=whose))
        return pd.read_parquet(path).set_index(whose)["name"]

    def own_calendar(self) -> pd.DataFrame | None:
        """Return the company's own calendar: ``date``, ``is_workday``; None where the dataset has none."""
        return self.table("calendar") if self.has("calendar") else None

    def quarters(self) -> list[Quarter]:
        """Return the quarters that the log covers to their end."""
        return quarters_between(self.first_date, self.complete_until, fiscal_year_start=self.fiscal_year_start)

    def last_quarter(self) -> Quarter:
        """Return the last quarter with data, finished or not."""
        return Quarter.containing(self.last_date, fiscal_year_start=self.fiscal_year_start)

    def line_classes(self, table: str = "transactions") -> pd.DataFrame:
        """Return how many rows of a table, and what amount, fell in each of the four classes and why.

        Columns: line_class, reason, n_lines, amount.
        """
        lines = pd.DataFrame(self.account["tables"][table]["lines"])
        lines["amount"] = [float("nan") if a is None else float(Decimal(a)) for a in lines["amount"]]
        order = pd.Categorical(lines["line_class"], categories=LINE_CLASSES, ordered=True)
        return lines.assign(order=order).sort_values(["order", "reason"]).drop(columns="order").reset_index(drop=True)

    def log_facts(self) -> dict[str, Any]:
        """Return what the accepted transactions hold as a whole: counts, the exact total, first and last day."""
        log = self.account["log"]
        dates = {name: date.fromisoformat(log[name]) for name in ("first_date", "last_date")}
        amounts = {name: float(Decimal(log[name])) for name in ("amount", "return_amount")}
        return {**log, **dates, **amounts, "n_transactions": log["n_lines"]}

    def failures(self) -> pd.DataFrame:
        """Return all that is wrong (severity ``error``) or doubtful (``warning``), errors first.

        Columns: severity, table, file, column, reason, n_lines, first_row (missing where no row stands for it),
        example, period. One row for each table, file, column and reason; a doubt about the log as a whole has a period
        and no file.
        """
        found = pd.DataFrame(self.account["failures"], columns=list(FAILURE_COLUMNS))
        return found.astype({"first_row": "Int64", "n_lines": "int64"})

    def rejected(self) -> pd.DataFrame:
        """Return every rejected row: table, file, row, column, value, reason."""
        paths = (self.snapshot / f"rejected_{table}.parquet" for table in self.account["tables"])
        parts = [pd.read_parquet(path) for path in paths if path.is_file()]
        empty = pd.DataFrame(columns=["table", "file", "row", "column", "value", "reason"])
        return pd.concat(parts, ignore_index=True) if parts else empty

    def rejected_rows(self, table: str = "transactions") -> pd.DataFrame:
        """Return a table's rejected rows in the source's own columns, as texts.

        Last come ``_file``, ``_row``, ``_column`` (the one at fault) and ``_reason``; a line whose structure is broken
        stands whole in ``_line``. Mended and put beside the sources, the rows stand in for those they came from.
        """
        path = self.snapshot / f"rejected_rows_{table}.parquet"
        return pd.read_parquet(path) if path.is_file() else pd.DataFrame()

    def log_days(self) -> pd.DataFrame:
        """Return the accepted transactions by day.

        Columns: date, n_lines, n_repeated_lines (that repeat another exactly), n_customers, amount (net),
        median_amount (of the amounts above 0; of a log of many millions, of a sample of the lines).
        """
        days = pd.read_parquet(self.path("log_days"))
        return days.assign(date=pd.to_datetime(days["date"]).dt.date)


def _has_values(path: Path, column: str) -> bool:
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    # Without statistics nobody knows without reading: then it counts as filled in.
    counts = [
        (group.num_rows, group.column(place).statistics)
        for place, name in enumerate(file.schema_arrow.names)
        if fnmatchcase(name, column)
        for group in groups
    ]
    return any(
        n_rows and (known is None or not known.has_null_count or known.null_count < n_rows) for n_rows, known in counts
    )


def open_dataset(
    source: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Open a company's data: read, check, and keep a canonical snapshot.

    Parameters
    ----------
    source
        A folder with CSV, Excel or Parquet files (and a ``dataset.toml`` where names differ from ours), or one such
        file with transactions. Sources are only read.
    cache
        Where the snapshot is kept; by default ``reports/.cache``. Unchanged sources are not read again.
    progress
        Called with each step (``hash``, then the name of each table) and the share of it that is done.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        ``source`` is neither a folder nor a file.
    DataError
        No transactions, an empty file, a missing column, nothing accepted, or more rows rejected than the settings
        allow.
    RunError
        The cache cannot be written.

    Examples
    --------
    >>> cdnow = open_dataset("data/cdnow")
    >>> cdnow.name, cdnow.first_date, cdnow.account["log"]["n_customers"]
    ('cdnow', datetime.date(1997, 1, 1), 23570)
    """
    dataset = check_dataset(source, cache=cache, progress=progress)
    lines = dataset.line_classes()
    counts = lines.groupby("line_class")["n_lines"].sum()
    n_rejected, n_lines = int(counts.get("rejected", 0)), int(counts.sum())
    if counts.get("accepted", 0) == 0:
        raise DataError("nothing_accepted", dataset=dataset.name, n_lines=n_lines, reasons=_reasons(lines))
    allowed = dataset.account["settings"]["maximum_rejected"]
    below = second_tables(dataset.account, "transactions")
    if n_rejected > allowed * n_lines and n_rejected - sum(one["n_lines"] for one in below) <= allowed * n_lines:
        row = int(below[0]["first_row"])
        raise DataError("second_table", file=below[0]["file"], row=row, setting=last_rows(dataset.account))
    if n_rejected > allowed * n_lines:
        raise DataError(
            "too_many_rejected",
            dataset=dataset.name,
            share=f"{n_rejected / n_lines:.1%}",
            allowed=f"{allowed:.1%}",
            reasons=_reasons(lines[lines["line_class"] == "rejected"]),
        )
    return dataset


def check_dataset(
    source: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read and check a company's data like :func:`open_dataset`, however many rows are rejected.

    Parameters are those of :func:`open_dataset`, and so are the errors but for two: that nothing is accepted, or that
    too many rows are rejected, is left to be seen in the result.

    Examples
    --------
    >>> check_dataset("data/cdnow").line_classes()[["line_class", "n_lines"]].to_dict("records")
    [{'line_class': 'accepted', 'n_lines': 69659}]
    """
    root = Path(source)
    # os.path answers no for what is no path at all, and for what is neither a folder nor a file.
    if not (os.path.isdir(root) or os.path.isfile(root)):
        raise UsageError("no_such_path", path=root)
    if (root / ACCOUNT).is_file() and (root / "customer_keys.parquet").is_file():
        return _load(root)
    settings = read_settings(root if root.is_dir() else root.parent)
    name = dataset_name(root, settings)
    folder = Path(cache) if cache is not None else default_cache()
    return _load(ensure_snapshot(root, name, settings, folder, progress or _silent))


def _reasons(lines: pd.DataFrame) -> list[Phrase]:
    counts = zip(lines["reason"].astype("str"), lines["n_lines"], strict=True)
    # A reason is one of ours, or the dataset's own for a filter.
    words = ((Phrase(f"value.{code}") if code in labels.entry("value") else code, int(n)) for code, n in counts)
    return [Phrase("ui.reason", {"reason": reason, "n_lines": n}) for reason, n in words]


def dataset_name(root: Path, settings: DatasetSettings) -> str:
    """Return what a dataset is called: as its settings say, else like the folder or file it lies in."""
    if settings.name:
        return settings.name
    path = root.resolve()
    name = path.name if path.is_dir() else path.stem
    # The name becomes part of the names of files, which hold 255 bytes.
    plain = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", name).strip(". ")[:_LONGEST_NAME]
    return plain or "data"


def _silent(step: str, share: float) -> None:
    """Report no progress."""


def _load(folder: Path) -> Dataset:
    account = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    settings = account["settings"]
    return Dataset(
        name=account["name"],
        currency=settings["currency"],
        timezone=settings["timezone"],
        fiscal_year_start=settings["fiscal_year_start"],
        amounts_include_tax=settings["amounts_include_tax"],
        snapshot=folder,
        content_hash=account["content_hash"],
        account=account,
    )
