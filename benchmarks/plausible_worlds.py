"""Files as offices write them, from seeds: plausible, and wrong where only who reads them as a person does sees it.

What a file is worth is known here, line by line, whatever stands around the lines and however they are written.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from benchmarks.malformed_files import Case, SourceFile, Truth, packed, parquet, workbook, write_text

Row = Mapping[str, str]

CUSTOMERS = {
    "codes": [f"C{n:03}" for n in range(12)],
    "cards": [f"00{n}8{n:03}" for n in range(10, 22)],
    "numbers": [str(1001 + 7 * n) for n in range(12)],
    "names": [
        "杭州星光便利店",
        "老王超市",
        "万家福超市",
        "千禧商行",
        "北京朝阳分店",
        "李记小卖部",
        "亿家便利",
        "三元批发部",
    ],
    "western": ["Börse AG", "Münster GmbH", "Société Générale", "Peña y Cía", "Café Zürich", "Ångström", "Señor Muñoz"],
    "taiwanese": ["臺北門市", "歐陽商行", "國際貿易", "高雄總店", "華興實業", "龍門餐廳", "灣仔茶樓"],
    "companies": [
        "Total Foods Ltd",
        "Sumner & Co",
        "Page One Books",
        "O'Brien's",
        "Grand Hotel",
        "Unit 4 Ltd",
        "K-Mart",
    ],
}
_OF_LANGUAGE = {
    "zh": ("codes", "cards", "numbers", "names", "names"),
    "en": ("codes", "numbers", "western", "companies", "taiwanese"),
}
_ENCODINGS: dict[str, tuple[str, ...]] = {
    "taiwanese": ("big5", "utf-8-sig", "utf-16"),
    "western": ("cp1252", "utf-8", "utf-8-sig"),
    "": ("utf-8", "utf-8-sig", "gb18030", "gb18030", "utf-16"),
}
_FORMATS = ("csv", "csv", "csv", "tsv", "csv.gz", "xlsx", "xlsx", "parquet")
KNOWN = {
    "zh": (
        ["客户编号", "客户代码", "会员卡号", "客户"],
        ["日期", "消费日期", "交易日期", "单据日期"],
        ["金额", "实收金额", "销售额"],
    ),
    "en": (["Customer ID", "customer"], ["Order Date", "date", "Invoice Date"], ["Amount", "Sales", "Net Amount"]),
}
#: Below these no draft may tick what is not the column.
CLUES = {"zh": ("买家昵称", "购货单位", "会员名", "微信openid"), "en": ("Buyer Name", "Sold-to party", "Nickname")}


@dataclass
class World:
    """What a company sold, and the file that says so.

    Attributes
    ----------
    lang, rng
        The language of its words, and where chance comes from.
    customers, days, amounts
        What is true of each line: who (None where nobody is named), when, and how much in the dataset's currency.
    columns
        Header -> the texts below it.
    headers
        Column of the contract -> its header.
    above
        Lines above the header, each of one text.
    between
        Lines that stand before a row (the number of rows: at the end), by header.
    """

    lang: str
    rng: random.Random
    customers: list[str | None] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    amounts: list[Decimal] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    above: list[str] = field(default_factory=list)
    between: dict[int, list[Row]] = field(default_factory=dict)
    features: list[str] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    kind_of_ids: str = ""
    #: What was added below: rows of cells that belong to no column.
    below: list[list[str]] = field(default_factory=list)
    #: The file that stands beside, if the lines of the orders do.
    lines_file: list[list[str]] | None = None
    #: Several files or sheets, by name and the rows of each.
    copies: dict[str, range] = field(default_factory=dict)
    in_sheets: bool = False
    more_files: dict[str, list[list[str]]] = field(default_factory=dict)
    only_formats: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    #: Lines that say themselves that they are no sales.
    no_sales: set[int] = field(default_factory=set)

    @property
    def n(self) -> int:
        """How many lines the company sold."""
        return len(self.days)

    def texts(self, column: str) -> list[str]:
        """Return what stands below the header of a column of the contract."""
        return self.columns[self.headers[column]]

    def put(self, place: int, row: Row) -> None:
        """Put a line that is no sale before the row of that number."""
        self.between.setdefault(place, []).append(row)

    def tell(self, code: str, remedy: dict[str, Any] | None = None, **counted: object) -> None:
        """Say that the check may tell of this, what the user then says of the table, and what must be counted."""
        self.truth.told[code] = ({"tables": {"transactions": remedy}} if remedy else {}, counted)


Feature = Callable[[World], None]


def sold(rng: random.Random) -> World:
    """Return a company's sales of a few weeks, written plainly."""
    world = World(rng.choice(("zh", "zh", "en")), rng)
    world.kind_of_ids = rng.choice(_OF_LANGUAGE[world.lang])
    ids = CUSTOMERS[world.kind_of_ids]
    first, n = date(2025, 11, 3) + timedelta(days=rng.randrange(40)), rng.randrange(24, 60)
    world.days = sorted(first + timedelta(days=rng.randrange(75)) for _ in range(n))
    world.customers = [rng.choice(ids) for _ in range(n)]
    world.amounts = [Decimal(rng.randrange(100, 90_000)) / 100 for _ in range(n)]
    # Somebody brings something back.
    for place in range(n):
        if rng.random() < 0.04:
            world.amounts[place] = -world.amounts[place]
    headers = [rng.choice(names) for names in KNOWN[world.lang]]
    world.headers = dict(zip(("customer_id", "date", "amount"), headers, strict=True))
    world.columns = {
        headers[0]: [str(one) for one in world.customers],
        headers[1]: [day.isoformat() for day in world.days],
        headers[2]: [str(amount) for amount in world.amounts],
    }
    return world


# --- written ----------------


def rows_of(world: World, places: range) -> list[list[str]]:
    """Return rows of a file: what stands above, the header, the lines, and what stands between and below them."""
    headers = list(world.columns)
    rows = [[text, *[""] * (len(headers) - 1)] for text in world.above]
    rows.append(headers)
    for place in [*places, *([world.n] if places.stop == world.n else [])]:
        rows += [[other.get(header, "") for header in headers] for other in world.between.get(place, [])]
        if place < world.n:
            rows.append([world.columns[header][place] for header in headers])
    return rows


def written(world: World, case: Case) -> None:
    """Write the world's files into a case, in a format, an encoding and with a delimiter of chance."""
    rng, truth = world.rng, world.truth
    form = rng.choice(world.only_formats or _FORMATS)
    if form == "parquet" and (world.between or world.above or world.below):
        form = "csv"  # no program writes those
    stem = "销售明细" if world.lang == "zh" else "transactions"
    copies = world.copies or {"": range(world.n)}
    tables = {name: rows_of(world, places) for name, places in copies.items()}
    n_before = len(tables[next(iter(tables))])
    for rows in tables.values():
        rows += world.below
    tables |= world.more_files
    encoding = rng.choice(world.encodings or _ENCODINGS.get(world.kind_of_ids, _ENCODINGS[""]))
    if not _can_be_written(tables, encoding):
        encoding = "utf-8"
    delimiter = "\t" if form == "tsv" else rng.choice((",", ",", ";", "|"))
    if world.in_sheets:
        book = SourceFile("transactions", f"{stem}.xlsx", [], "xlsx")
        book.content = workbook(tables, as_numbers=True)
        case.files.append(book)
    else:
        case.files += [SourceFile("transactions", f"{stem}{name}.{form}", rows, form) for name, rows in tables.items()]
    if world.lines_file is not None:
        case.files.append(SourceFile("lines", f"order_details.{form}", world.lines_file, form))
    merged = (
        [n for n, row in enumerate(next(iter(tables.values()))) if sum(map(bool, row)) < 3]
        if rng.random() < 0.5
        else []
    )
    as_numbers, typed = rng.random() < 0.7, rng.random() < 0.6
    for file in case.files:
        file.encoding, file.delimiter = encoding, delimiter
        if file.is_delimited:
            file.text = write_text(file.rows, delimiter)
            file.content = file.text.encode(encoding)
            file.content = packed(file)
        elif file.format == "parquet":
            file.content = parquet(file.rows, typed=typed)
        elif not file.content:
            file.content = workbook({"Sheet1": file.rows}, as_numbers=as_numbers, merged=merged)
    truth.headers = {**world.headers, **truth.headers}
    if world.lines_file is None:
        sales = zip(world.customers, world.days, world.amounts, strict=True)
        truth.lines.update(line for place, line in enumerate(sales) if place not in world.no_sales)
        truth.n_left_out = sum(map(len, world.between.values()))
        truth.n_rows = (
            sum(map(len, copies.values()))
            + sum(len(rows) - 1 for rows in world.more_files.values())
            + truth.n_left_out
            + len(world.below)
        )
    if "second_table" in truth.told:
        world.tell("second_table", {"last_row": n_before}, n_lines=len(world.below))
    case.truth = truth


def _can_be_written(tables: Mapping[str, list[list[str]]], encoding: str) -> bool:
    try:
        "".join(cell for rows in tables.values() for row in rows for cell in row).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
