"""Small sound datasets in every format, from a seed: what malformed files are made of.

A dataset begins as rows of texts and is written in three steps, so that damage can be done at each: rows, the text of a
delimited file, and the bytes of a file.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Rows = list[list[str]]

ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "gb18030", "gb18030", "utf-16", "utf-16-le", "utf-16-be")
DELIMITERS = (",", ",", ",", ";", "\t", "|")
#: What a file may be, rather more often what analysts have.
FORMATS = ("csv", "csv", "csv", "csv", "csv", "csv.gz", "tsv", "xlsx", "xlsx", "parquet", "parquet", "xls")
HEADERS = (
    ["customer_id", "date", "amount", "quantity", "product_id"],
    ["客户编号", "交易日期", "金额", "数量", "产品编号"],
    ["Customer ID", "Order Date", "Sales Amount", "Qty", "SKU"],
)
_NAMES = ("甲店", "乙店", "北京朝阳分店", "0017", "00017", "9007199254740993", "A-1", "O'Brien", "Müller & Co")
_FIRST_DAY = date(2025, 1, 1)
XLS = Path(__file__).resolve().parents[1] / "tests" / "data" / "files" / "transactions.xls"


@dataclass
class SourceFile:
    """One file on its way from rows to bytes.

    Attributes
    ----------
    table, name
        The table that it holds, and what it is called, with the suffix of its format.
    rows
        Header and rows.
    format, encoding, delimiter
        How it is written; encoding and delimiter are those of a delimited text.
    text, content
        What the rows became: the text of a delimited file, and the bytes of the file.
    """

    table: str
    name: str
    rows: Rows
    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    text: str = ""
    content: bytes = b""

    @property
    def is_delimited(self) -> bool:
        """Whether the file is a text."""
        return self.format in ("csv", "csv.gz", "tsv")


#: Who bought on which day for how much; who is None where nobody is named.
Line = tuple[str | None, date, Decimal]


@dataclass
class Truth:
    """What is true of a plausible dataset.

    Attributes
    ----------
    lines
        Its sales, each counted.
    n_rows, n_left_out
        How many rows there are to account for, and how many of them are totals, footers and the like.
    headers
        Column of the contract, or setting, -> the header that it is; None where there is none.
    settings
        What a user who is asked can say: setting of the table -> value.
    told
        By code what the check may refuse or doubt: what the user says then, and what must be counted.
    totals
        How many totals there are, and how many of them are the sum that they say; None where that is not asked.
    is_for_the_user
        Whether no setting mends what is told of.
    """

    lines: Counter[Line] = field(default_factory=Counter)
    n_rows: int = 0
    n_left_out: int = 0
    headers: dict[str, str | None] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    told: dict[str, tuple[dict[str, Any], dict[str, object]]] = field(default_factory=dict)
    totals: tuple[int, int] | None = None
    is_for_the_user: bool = False


@dataclass
class Case:
    """A dataset on its way to being malformed: its files, its settings, and what was done to it."""

    seed: int
    files: list[SourceFile]
    settings: bytes | None = None
    #: Of a plausible one.
    truth: Truth | None = None
    mutations: list[str] = field(default_factory=list)
    #: Acts that need the folder itself: a folder in a file's place, a link that leads nowhere.
    in_folder: list[Callable[[Path], None]] = field(default_factory=list)


def sound_case(seed: int, rng: random.Random) -> Case:
    """Return a sound dataset of one to three tables and up to forty rows in the log."""
    form = rng.choice(FORMATS)
    if form == "xls" and not XLS.is_file():
        form = "xlsx"
    header = list(rng.choice(HEADERS))[: rng.randint(3, 5)]
    rows = _log_rows(rng, len(header), rng.choice((1, 3, 12, 40)))
    files = [_source("transactions", form, [header, *rows], rng)]
    if rng.random() < 0.15 and form != "xls":
        files[0].name = f"transactions-2025.{form}"
        more = _log_rows(rng, len(header), rng.randint(1, 10))
        second = _source("transactions", form if rng.random() < 0.7 else "csv", [header, *more], rng)
        second.name = second.name.replace("transactions", "transactions-2026")
        files.append(second)
    if rng.random() < 0.2:
        ids = dict.fromkeys(row[0] for row in rows)
        customers = [[one, f"客户{n}", "2024-06-01"] for n, one in enumerate(ids)]
        files.append(
            _source("customers", rng.choice(FORMATS[:-1]), [["customer_id", "name", "opened_on"], *customers], rng)
        )
    if rng.random() < 0.1:
        products = [[f"P{n}", f"产品{n}", str(n)] for n in range(5)]
        files.append(
            _source("products", rng.choice(FORMATS[:-1]), [["product_id", "name", "unit_cost"], *products], rng)
        )
    return Case(seed, files)


def _source(table: str, form: str, rows: Rows, rng: random.Random) -> SourceFile:
    delimiter = "\t" if form == "tsv" else rng.choice(DELIMITERS)
    return SourceFile(table, f"{table}.{form}", rows, form, rng.choice(ENCODINGS), delimiter)


def _log_rows(rng: random.Random, n_columns: int, n_rows: int) -> Rows:
    days = (_FIRST_DAY + timedelta(days=rng.randrange(400)) for _ in range(n_rows))
    return [
        [
            rng.choice(_NAMES) if rng.random() < 0.9 else f"C{rng.randrange(99):05d}",
            day.isoformat(),
            f"{rng.randrange(-500, 20_000) / 100:.2f}",
            str(rng.randint(1, 9)),
            f"P{rng.randrange(6)}",
        ][:n_columns]
        for day in days
    ]


def write_text(rows: Rows, delimiter: str) -> str:
    """Return rows as the text of a delimited file."""
    lines = io.StringIO()
    csv.writer(lines, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return lines.getvalue()


def write_bytes(file: SourceFile, rng: random.Random) -> bytes:
    """Return the bytes of a file: its text in its encoding, else its rows in its format."""
    if file.is_delimited:
        mark = b"\xff\xfe" if file.encoding == "utf-16" else b""
        encoding = "utf-16-le" if file.encoding == "utf-16" else file.encoding
        return mark + file.text.encode(encoding, errors="replace")
    if file.format == "xlsx":
        return workbook({"Sheet1": file.rows}, as_numbers=rng.random() < 0.5)
    if file.format == "parquet":
        return parquet(file.rows, typed=rng.random() < 0.5)
    return XLS.read_bytes()


def packed(file: SourceFile) -> bytes:
    """Return a file's bytes as they are stored: packed where its name says so."""
    return gzip.compress(file.content, mtime=0) if file.format == "csv.gz" else file.content


def workbook(sheets: Mapping[str, Rows], *, as_numbers: bool = False, merged: Collection[int] = ()) -> bytes:
    """Return rows as an Excel workbook; cells that look like numbers or days become such where ``as_numbers``.

    Of the rows ``merged`` the first cell goes on over the empty ones beside it.
    """
    buffer = io.BytesIO()
    options = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(buffer, {**options, "nan_inf_to_errors": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for place, row in enumerate(rows):
                n_blank = next((n for n, cell in enumerate(row[1:]) if cell), len(row) - 1)
                if place in merged and n_blank:
                    sheet.merge_range(place, 0, place, n_blank, "")
                for column, cell in enumerate(row):
                    text = cell[:32_767]
                    value = _as_cell(text) if as_numbers and place else text
                    if isinstance(value, date):
                        sheet.write_datetime(place, column, value, day)
                    elif isinstance(value, float):
                        sheet.write_number(place, column, value)
                    elif cell or place not in merged:
                        sheet.write_string(place, column, text)
    return buffer.getvalue()


def _as_cell(text: str) -> str | float | date:
    try:
        day = date.fromisoformat(text)
        return day if day.year >= 1900 else text  # Excel's calendar begins then
    except ValueError:
        pass
    try:
        return float(text) if text[:1] not in "0 " else text
    except ValueError:
        return text


def parquet(rows: Rows, *, typed: bool = False) -> bytes:
    """Return rows as a Parquet file: texts, or in columns of which all values fit days and decimals where ``typed``."""
    header, *body = rows or [["x"]]
    names = [f"{name}_{place}" if name in header[:place] else name for place, name in enumerate(header)]
    columns = [[row[place] if place < len(row) else None for row in body] for place in range(len(names))]
    arrays = [(_typed(column) if typed else None) or pa.array(column, pa.string()) for column in columns]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), buffer)
    return buffer.getvalue()


def _whole(text: str) -> int:
    if str(int(text)) != text:
        raise ValueError(text)  # zeros in front are part of a code
    return int(text)


def _decimal(text: str) -> Decimal:
    if text[:1] == "0" and text[1:2].isdigit():
        raise ValueError(text)
    return Decimal(text).quantize(Decimal("0.0001"))


def _typed(column: list[str | None]) -> pa.Array | None:
    for kind, read in (
        (pa.date32(), date.fromisoformat),
        (pa.int64(), _whole),
        (pa.decimal128(18, 4), _decimal),
    ):
        try:
            return pa.array([None if text is None else read(text) for text in column], kind)
        except (ValueError, ArithmeticError, OverflowError, pa.ArrowInvalid):
            continue
    return None


def write_case(case: Case, folder: Path) -> None:
    """Write a case's files into an empty folder."""
    for file in case.files:
        (folder / file.name).write_bytes(file.content)
    if case.settings is not None:
        (folder / "dataset.toml").write_bytes(case.settings)
    for act in case.in_folder:
        act(folder)
