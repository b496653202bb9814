"""Files as offices write them, from seeds: whatever stands around the rows, the truth is read or a doubt is told."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import xlsxwriter

from kehu_analysis.data import check_dataset
from kehu_analysis.errors import DataError
from tests.scale import at_scale, scaled

SEEDS = at_scale(20, 240)
HEADERS = (("客户编号", "日期", "金额"), ("会员卡号", "消费日期", "实收金额"), ("Customer", "Order Date", "Amount"))
DATES = ("{y}-{m:02}-{d:02}", "{y}/{m}/{d}", "{y}年{m}月{d}日", "{y}-{m:02}-{d:02} 星期{w}", "{m}/{d}/{y} 9:05:00 AM")
UNITS = {"": 1, "(万元)": 10_000, "（千元）": 1000, "(k)": 1000}
TOTALS = ("合计", "总计：", "小计", "Total", "Grand Total")
FOOTERS = ("制表人：张三", "第 1 页 共 1 页", "审核：李四", "Printed on 2026-03-01")
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")
CURRENCIES = ("CNY", "USD", "EUR")
STATES = ("交易成功", "退款成功", "待付款")


@dataclass
class World:
    """What a file holds, and what is true of it."""

    headers: list[str]
    rows: list[list[str]]
    above: list[list[str]] = field(default_factory=list)
    below: list[list[str]] = field(default_factory=list)
    amount: Decimal = Decimal(0)
    is_to_be_refused: bool = False
    is_to_be_doubted: bool = False
    as_workbook: bool = False
    encoding: str = "utf-8"


def drawn(seed: int) -> World:
    rng = random.Random(seed)
    names = list(rng.choice(HEADERS))
    form, (unit, factor) = rng.choice(DATES), rng.choice(list(UNITS.items()))
    names[2] += unit
    rows, first, total = [], date(2026, 1, 1), Decimal(0)
    for number in range(rng.randrange(25, 60)):
        day = first + timedelta(days=number)
        written = form.format(y=day.year, m=day.month, d=day.day, w="一二三四五六日"[day.weekday()])
        amount = Decimal(rng.randrange(100, 99_999)) / 100
        rows.append([f"C{rng.randrange(8):03}", written, str(amount)])
        total += amount
    world = World(names, rows, amount=total * factor)
    if rng.random() < 0.4:
        world.above = [["某某商贸有限公司销售明细表", "", ""], ["", "", ""]][: rng.randrange(1, 3)]
    if rng.random() < 0.5:
        word, has_day = rng.choice(TOTALS), rng.random() < 0.5
        world.below.append([word, rows[-1][1] if has_day else "", str(total)])
    if rng.random() < 0.4:
        world.below.append([rng.choice(FOOTERS), "", ""])
    if rng.random() < 0.2:
        n_currencies = rng.randrange(1, 3)
        add(world, "货币", [rng.choice(CURRENCIES[:n_currencies]) for _ in rows])
        world.is_to_be_refused = len({row[-1] for row in world.rows}) > 1
    if rng.random() < 0.2:
        states = [STATES[0] if rng.random() < 0.8 else rng.choice(STATES) for _ in rows]
        add(world, "订单状态", states)
        world.is_to_be_doubted = len(set(states)) > 1
    world.as_workbook = rng.random() < 0.3
    world.encoding = rng.choice(ENCODINGS)
    return world


def add(world: World, header: str, values: list[str]) -> None:
    world.headers.append(header)
    for row, value in zip(world.rows, values, strict=True):
        row.append(value)
    for row in (*world.above, *world.below):
        row.append("")


def write(world: World, folder) -> None:
    lines = [*world.above, world.headers, *world.rows, *world.below]
    if world.as_workbook:
        with xlsxwriter.Workbook(folder / "销售明细.xlsx") as book:
            sheet = book.add_worksheet("明细")
            for place, line in enumerate(lines):
                sheet.write_row(place, 0, [float(cell) if cell and _is_number(cell) else cell for cell in line])
        return
    text = "\n".join(",".join(line) for line in lines) + "\n"
    (folder / "销售明细.csv").write_bytes(text.encode(world.encoding))


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()


@scaled
def test_no_wrong_total_is_accepted_in_silence(tmp_path):
    faults = {}
    for seed in range(SEEDS):
        world = drawn(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(world, folder)
        try:
            dataset = check_dataset(folder, cache=tmp_path / "cache")
        except DataError as error:
            if not (world.is_to_be_refused and error.code == "mixed_currencies"):
                faults[seed] = error.code
            continue
        read = Decimal(dataset.account["log"]["amount"])
        n_lines = int(dataset.line_classes()["n_lines"].sum())
        is_doubted = (dataset.failures()["reason"] == "doubtful_state").any()
        if world.is_to_be_refused or read != world.amount or is_doubted != world.is_to_be_doubted:
            faults[seed] = (str(read), str(world.amount), bool(is_doubted))
        elif n_lines != len(world.rows) + len(world.below) or dataset.account["log"]["n_lines"] != len(world.rows):
            faults[seed] = n_lines
    assert faults == {}
