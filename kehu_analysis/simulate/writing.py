"""A simulated company as a dataset in a folder: tables, settings, truth and data dictionary."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from filelock import FileLock, Timeout

from kehu_analysis.errors import RunError, UsageError, reason_of
from kehu_analysis.simulate.clock import clock_of
from kehu_analysis.simulate.company import Progress, parts
from kehu_analysis.simulate.dictionary import dictionary_text
from kehu_analysis.simulate.outcomes import truth_document
from kehu_analysis.simulate.sums import Sums
from kehu_analysis.simulate.world import BLOCK, FORMATS, World, parameters

TABLES = (
    "transactions", "customers", "products", "surveys", "contacts", "invoices", "campaigns", "campaign_members",
    "opportunities", "targets", "calendar",
)  # fmt: skip
TRUTHS = ("truth_customers", "truth_surveys", "truth_campaign_members")
PARAMETERS, DICTIONARY, SETTINGS = "truth_parameters.toml", "README.md", "dataset.toml"
_BUILDING, _LOCK = ".writing", ".lock"
#: Byte order mark: by it Excel takes a CSV for UTF-8.
_MARK = b"\xef\xbb\xbf"


def write_company(
    folder: Path,
    world: World,
    *,
    file_format: str = "parquet",
    dirty: bool = False,
    chunk_customers: int = 8192,
    progress: Progress | None = None,
) -> None:
    """Write a company into a folder of its own, in memory that does not grow with it.

    Parameters
    ----------
    folder
        Where to; made where it does not exist. An earlier company in it is replaced.
    world
        Which company.
    file_format
        ``parquet`` or ``csv`` (UTF-8 as Excel reads it).
    dirty
        Whether one week of the log is in it twice, as after an export that was loaded twice.
    chunk_customers
        Customers held in memory at once; it changes nothing in the data.
    progress
        Told how many customers are done, of how many.

    Raises
    ------
    UsageError
        ``folder`` is a file or holds something else.
    RunError
        The place cannot be written, or another run is writing a company into it.
    """
    with _filling(folder) as building:
        sums = Sums(world, clock_of(world))
        week = loaded_twice(world) if dirty else None
        with _Files(building, file_format, max(1, chunk_customers // BLOCK)) as files:
            for part in parts(world, sums, progress):
                if week is not None and "transactions" in part:
                    part["transactions"] = _twice(part["transactions"], *week)
                files.add(part)
        made: dict[str, Any] = {
            "customers": world.customers,
            "quarters": world.quarters,
            "seed": world.seed,
            "nonresponse": world.nonresponse,
            "first_day": world.first_day.isoformat(),
            "last_day": world.last_day.isoformat(),
            "week_loaded_twice": "" if week is None else week[0].isoformat(),
        }
        (building / PARAMETERS).write_text(truth_document(sums, made), encoding="utf-8", newline="\n")
        (building / SETTINGS).write_text(_settings(file_format), encoding="utf-8", newline="\n")
        (building / DICTIONARY).write_text(dictionary_text(world, file_format), encoding="utf-8", newline="\n")


def loaded_twice(world: World) -> tuple[date, date]:
    """Return the first and last day of the week that the dirty copy has twice.

    Examples
    --------
    >>> [str(day) for day in loaded_twice(World())]
    ['2026-07-13', '2026-07-19']
    """
    day = world.last_day - timedelta(days=parameters()["dirty_copy"]["days_before_end"])
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def _twice(transactions: pa.Table, first: date, last: date) -> pa.Table:
    day = transactions["date"]
    within = pc.and_(pc.greater_equal(day, pa.scalar(first)), pc.less_equal(day, pa.scalar(last)))
    return pa.concat_tables([transactions, transactions.filter(within)])


def _settings(file_format: str) -> str:
    # Every table is named, so that the files of the truth are not taken for data that nobody reads.
    # It has no name: it is called like its folder, so that the reports of two companies do not meet in one place.
    lines = [
        'currency = "CNY"',
        'timezone = "Asia/Shanghai"',
        "amounts_include_tax = true",
        f"customer_acquisition_cost = {parameters()['company']['acquisition_cost']}",
    ]
    for name in TABLES:
        lines += ["", f"[tables.{name}]", f'source = "{name}.{file_format}"']
    return "\n".join([*lines, ""])


class _Files:
    """The files of all tables, written in chunks."""

    def __init__(self, folder: Path, file_format: str, blocks: int) -> None:
        self._folder, self._format, self._blocks = folder, file_format, blocks
        self._waiting: dict[str, list[pa.Table]] = {}
        self._writers: dict[str, Any] = {}
        self._streams: list[Any] = []

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in (*self._writers.values(), *self._streams):
            writer.close()

    def add(self, part: dict[str, pa.Table]) -> None:
        """Take one part; it is written when enough have come, and a table that comes once at once."""
        for name, table in part.items():
            waiting = self._waiting.setdefault(name, [])
            waiting.append(table)
        if "targets" in part or len(self._waiting["transactions"]) >= self._blocks:
            for name, tables in self._waiting.items():
                if tables:
                    self._writer(name, tables[0].schema).write_table(pa.concat_tables(tables).combine_chunks())
            self._waiting = {}

    def _writer(self, name: str, schema: pa.Schema) -> Any:
        if name not in self._writers:
            path = self._folder / f"{name}.{self._format}"
            if self._format == "parquet":
                self._writers[name] = pa.parquet.ParquetWriter(path, schema, compression="zstd", compression_level=9)
            else:
                stream = path.open("wb")
                self._streams.append(stream)
                stream.write(_MARK)
                options = pa.csv.WriteOptions(quoting_style="needed", quoting_header="none")
                self._writers[name] = pa.csv.CSVWriter(stream, schema, write_options=options)
        return self._writers[name]


@contextmanager
def _filling(folder: Path) -> Iterator[Path]:
    """Give a place to write to; what is in it at the end is the folder's content, in place of an earlier company."""
    ours = {f"{name}.{suffix}" for name in (*TABLES, *TRUTHS) for suffix in FORMATS} | {
        PARAMETERS,
        DICTIONARY,
        SETTINGS,
    }
    building = folder / _BUILDING
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError("demo_into_file", path=folder)
        is_new = not folder.exists()
        there = set() if is_new else {path.name for path in folder.iterdir()} - {_BUILDING}
        if (there and PARAMETERS not in there) or there - ours:
            raise UsageError("demo_folder_taken", path=folder, names=", ".join(sorted(there - ours or there)[:10]))
        building.mkdir(parents=True, exist_ok=True)
        lock = FileLock(building / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError("demo_under_way", path=folder) from error
        try:
            for left in set(building.iterdir()) - {building / _LOCK}:  # by a run that was killed
                left.unlink()
            yield building
            # However this ends: a folder in between is known as ours by its parameters and has no log until the end.
            (building / PARAMETERS).replace(folder / PARAMETERS)
            for name in sorted(there - {PARAMETERS}, key=_is_log, reverse=True):
                (folder / name).unlink()
            built = set(building.iterdir()) - {building / _LOCK}
            for path in sorted(built, key=lambda path: (_is_log(path.name), path.name)):
                path.rename(folder / path.name)
        finally:
            # While it is locked: afterwards it may be another run's.
            shutil.rmtree(building, ignore_errors=True)
            lock.release()
            with suppress(OSError):  # it is gone; or, where what is locked cannot be deleted, empty only now
                building.rmdir()
            if is_new:
                with suppress(OSError):  # it is full, as it should be
                    folder.rmdir()
    except OSError as error:
        raise RunError("demo_cannot_write", path=folder, reason=reason_of(error)) from error


def _is_log(name: str) -> bool:
    return name.startswith(TABLES[0])
