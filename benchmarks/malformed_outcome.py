"""What the check makes of a malformed or a plausible dataset, and whether that is bearable.

Bearable is one of two: an error of ours with its message, or a dataset that accounts for every row; of a plausible one
(:mod:`benchmarks.plausible_outcome`) its total is the true one, too, or what is wrong was told. Nothing else may be
raised, sources stay as they were, and no half-built snapshot or scratch file is left.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import re
import resource
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.malformed_cases import case_of
from benchmarks.malformed_files import Case, write_case
from benchmarks.plausible_outcome import judge
from kehu_analysis import cli
from kehu_analysis.data import Dataset, check_dataset, open_dataset
from kehu_analysis.errors import KehuError
from kehu_analysis.report import layout

_PLAIN_AMOUNT = re.compile(r"-?\d{1,9}(\.\d{1,2})?")
#: Above this a count of rows would be as much work as the check.
_MOST_BYTES = 1 << 20
_ACCOUNTED = ("accepted", "set_apart", "filtered", "rejected")


@dataclass
class Outcome:
    """What became of a case.

    Attributes
    ----------
    seed, mutations
        Which case, and what was wrong with it.
    ended
        ``dataset``, or the code of the error.
    faults
        What must not be; empty where all is well.
    counted
        Whether rows, and amounts, were counted independently of the package and compared, or all with the truth.
    n_answers
        How often a user had to say something until a plausible dataset was read as it is.
    seconds
        How long it took.
    peak_bytes
        The most memory that the process has held so far, in which all cases before were examined too.
    """

    seed: int
    mutations: list[str]
    ended: str = ""
    faults: list[str] = field(default_factory=list)
    counted: tuple[str, ...] = ()
    n_answers: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0


def examine(seed: int, *, with_command: bool = False) -> Outcome:
    """Make the dataset of a seed, check it, and say what was not as it must be."""
    case = case_of(seed)
    outcome = Outcome(seed, list(case.mutations))
    with tempfile.TemporaryDirectory(prefix="kehu-malformed-") as made:
        place = Path(made)
        folder, cache, scratch = place / "shop", place / "cache", place / "scratch"
        folder.mkdir()
        scratch.mkdir()
        try:
            write_case(case, folder)
        except OSError:  # a file system that does not take such a name
            outcome.ended = "not_written"
            return outcome
        before = _contents(folder)
        start = time.perf_counter()
        with _temporary_files_in(scratch):
            found = _check(folder, cache, outcome)
            if isinstance(found, Dataset):
                _compare(case, found, outcome)
            if with_command:
                _run_command(folder, place, outcome)
            if _contents(folder) != before:
                outcome.faults.append("sources were changed")
            if case.truth is not None and found is not None:
                _follow(case, found, folder, cache, outcome)
        outcome.seconds = time.perf_counter() - start
        outcome.peak_bytes = peak_bytes()
        for left in [*scratch.iterdir(), *(one for one in _left_in(cache) if not _is_whole(one))]:
            outcome.faults.append(f"left behind: {left.name}")
    return outcome


def _check(folder: Path, cache: Path, outcome: Outcome) -> Dataset | KehuError | None:
    """Return what the check says; nothing where it fell over."""
    try:
        dataset = check_dataset(folder, cache=cache)
        outcome.ended = "dataset"
        open_dataset(folder, cache=cache)
        return dataset
    except KehuError as error:
        outcome.ended = error.code
        for lang in ("zh", "en"):
            if not error.message(lang).strip() or len(error.message(lang)) > 20_000:
                outcome.faults.append(f"message of {len(error.message(lang))} characters")
        return error
    except BaseException as error:  # a reader's panic is no Exception
        outcome.ended = "fault"
        outcome.faults.append("".join(traceback.format_exception(error)[-4:]))
    return None


def _follow(case: Case, found: Dataset | KehuError, folder: Path, cache: Path, outcome: Outcome) -> None:
    """Do what the check of a plausible dataset says, and hold what comes of it against the truth."""
    assert case.truth is not None
    outcome.counted += ("truth",)
    try:
        judgement = judge(case.truth, folder, cache, found)
    except BaseException as error:
        outcome.faults.append("".join(traceback.format_exception(error)[-4:]))
        return
    outcome.faults += judgement.faults
    outcome.n_answers = judgement.n_answers
    if judgement.accepted is not None and judgement.accepted is not found:
        _compare(case, judgement.accepted, outcome)


def _compare(case: Case, dataset: Dataset, outcome: Outcome) -> None:
    """Hold the account against the rows that were kept, and against a count that owes nothing to the package."""
    faults = outcome.faults
    failures, rejected = dataset.failures(), dataset.rejected()
    for table in dataset.account["tables"]:
        lines = dataset.line_classes(table)
        n = lines.groupby("line_class")["n_lines"].sum().reindex(_ACCOUNTED, fill_value=0)
        errors = failures[(failures["severity"] == "error") & (failures["table"] == table)]["n_lines"].sum()
        # Another table below is ended by a setting, not mended row by row.
        is_below = (failures["reason"] == "second_table") & (failures["table"] == table)
        n_below = failures[is_below]["n_lines"].sum()
        stored = {"accepted": _n_rows(dataset, table), "set_apart": _n_rows(dataset, f"{table}_set_apart")}
        for name, found in (
            *((f"{kind} rows stored", (n_stored, n[kind])) for kind, n_stored in stored.items()),
            ("failures", (errors, n["rejected"])),
            ("rejected rows listed", ((rejected["table"] == table).sum(), n["rejected"])),
            ("rejected rows kept", (len(dataset.rejected_rows(table)) + n_below, n["rejected"])),
        ):
            if found[0] != found[1]:
                faults.append(f"{table}: {name}: {found[0]} but {found[1]} in the account")
        # Of a plausible dataset the truth is known.
        rows = _independent_rows(case, dataset, table) if case.truth is None else None
        if rows is not None:
            outcome.counted += ("rows",)
            if len(rows) != n.sum():
                faults.append(f"{table}: {n.sum()} rows in the account, {len(rows)} in the files")
            amount = _independent_amount(rows, dataset, table)
            if amount is not None:
                outcome.counted += ("amounts",)
                found = sum(Decimal(line["amount"] or 0) for line in dataset.account["tables"][table]["lines"])
                if found != amount:
                    faults.append(f"{table}: amounts add to {found}, those of the files to {amount}")
    days = dataset.log_days()
    if days["n_lines"].sum() != dataset.account["log"]["n_lines"]:
        faults.append("days do not add to the log")


def _n_rows(dataset: Dataset, table: str) -> int:
    path = dataset.path(table)
    return pq.read_metadata(path).num_rows if path.is_file() else 0


# --- counted without the package ----------------


def _independent_rows(case: Case, dataset: Dataset, table: str) -> list[dict[str, str]] | None:
    """Return a table's rows as simple readers have them; None where what a row is could be argued about."""
    files = {file.name: file for file in case.files}
    rows: list[dict[str, str]] = []
    for name in dataset.account["tables"][table]["files"]:
        file = files.get(name)
        found = None
        if file is not None and file.is_delimited and name.endswith(("csv", "tsv", "csv.gz")):
            found = _rows_of_text(file.content, file.encoding, file.delimiter)
        elif file is not None and file.format == "parquet" and name.endswith("parquet"):
            found = _rows_of_parquet(file.content)
        if found is None:
            return None
        rows += found
    return rows


def _rows_of_text(content: bytes, encoding: str, delimiter: str) -> list[dict[str, str]] | None:
    try:
        is_packed = content.startswith(b"\x1f\x8b")
        data = gzip.GzipFile(fileobj=io.BytesIO(content)).read(_MOST_BYTES) if is_packed else content
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        # Two readers may differ on where a lone quote, a lone carriage return or a zero byte ends a row.
        lone = re.search("[\r\0\x85\u2028]", text) or '"' in re.sub(
            f'"{re.escape(delimiter)}|{re.escape(delimiter)}"', "", text
        )
        if len(data) >= _MOST_BYTES or lone:
            return None
        records = [record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record]
    except (OSError, EOFError, ValueError, zlib.error, csv.Error):
        return None
    if any("\n" in cell for record in records for cell in record):  # meant, or swallowed by a lone quote
        return None
    if not records or len(records[0]) < 2 or not _is_header(records[0]):
        return None
    header, *body = records
    # Many exports end each row with a delimiter.
    body = [row[:-1] if len(row) == len(header) + 1 and not row[-1] else row for row in body]
    return [dict(zip(header, row, strict=True)) if len(row) == len(header) else {} for row in body]


def _rows_of_parquet(content: bytes) -> list[dict[str, str]] | None:
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError):
        return None
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in table.to_pylist()]


def _is_header(record: list[str]) -> bool:
    return any(cell in ("amount", "金额", "Sales Amount", "customer_id", "product_id") for cell in record)


def _independent_amount(rows: list[dict[str, str]], dataset: Dataset, table: str) -> Decimal | None:
    header = dataset.account["tables"][table]["columns"].get("amount")
    settings = dataset.account["settings"]["tables"].get(table, {})
    if not header or settings.get("decimal_mark") or settings.get("amount_from"):
        return None
    if any(row and header not in row for row in rows):  # the header was read in another way
        return None
    amounts = [row[header] for row in rows if row.get(header)]
    plain = all(_PLAIN_AMOUNT.fullmatch(amount) for amount in amounts)
    return sum(map(Decimal, amounts), Decimal(0)) if plain else None


# --- the command ----------------


def _run_command(folder: Path, place: Path, outcome: Outcome) -> None:
    lang = ("zh", "en")[outcome.seed % 2]
    said, complained = io.StringIO(), io.StringIO()
    cache = place / "command"
    code: object = None
    # Cutting the font for a page takes most of its time and has nothing to do with what a source holds.
    with (
        mock.patch.dict(os.environ, {"KEHU_CACHE": str(cache)}),
        mock.patch.object(layout, "font_face", return_value=""),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
    ):
        try:
            cli.main(["check", str(folder), "--lang", lang, "--out", str(place / "out")])
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException as error:
            outcome.faults.append("".join(traceback.format_exception(error)[-4:]))
    trace = cache / "last-error.txt"
    if trace.exists():
        outcome.faults.append(trace.read_text(encoding="utf-8")[-2000:])
    if code != (0 if outcome.ended == "dataset" else 1):
        outcome.faults.append(f"exit code {code} where the check ended with {outcome.ended}")
    words = complained.getvalue()
    if "Traceback" in words or (code == 1 and len(words.strip().splitlines()) != 1):
        outcome.faults.append(f"complaint: {words[-2000:]}")
    if "\x1b" in said.getvalue() + words:
        outcome.faults.append("steering characters reach the terminal")
    if code == 0 and not (place / "out" / "check.html").is_file():
        outcome.faults.append("no page")
    for left in _left_in(cache):
        if not _is_whole(left):
            outcome.faults.append(f"left behind: {left.name}")


# --- what is left ----------------


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    with mock.patch.object(tempfile, "tempdir", str(folder)):
        yield


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    # Linux counts in kilobytes, macOS in bytes.
    return (1 if sys.platform == "darwin" else 1024) * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()}


def _left_in(cache: Path) -> list[Path]:
    return list(cache.iterdir()) if cache.is_dir() else []


def _is_whole(left: Path) -> bool:
    return left.suffix == ".lock" or (left / "account.json").is_file()
