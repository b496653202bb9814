"""How an office writes who bought, when and for how much: each feature changes the file, and says what stays true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from benchmarks.plausible_worlds import CLUES, World

#: Where a character or two is not ASCII nothing tells another encoding.
_UNICODE = ("utf-8", "utf-8-sig", "utf-16")

# --- who ----------------

DECOYS = {
    "zh": {
        "购买数量": ("1", "2", "3", "6", "10", "12", "24"), "客户细分": ("公司", "消费者", "小型企业"),
        "会员等级": ("金卡", "银卡", "普通"), "客户类型": ("终端", "批发"), "运费": ("0", "8", "12.5", "6"),
        "省份": ("浙江", "江苏", "广东", "四川", "北京"),
        "产品名称": ("洗发水", "牙膏", "香皂", "毛巾", "纸巾", "电池"),
        "下单渠道": ("微信", "门店", "电话"), "税额": ("1.3", "2.6", "0.65", "9.1"), "备注": ("", "", "加急", "放前台"),
    },
    "en": {
        "Item count": ("1", "2", "3", "6", "12"), "Segment": ("Consumer", "Corporate", "Home Office"),
        "Customer Class": ("A", "B", "C"), "Ship Mode": ("Standard", "Express"), "Freight": ("0", "4.5", "8", "12.25"),
        "Region": ("North", "South", "East", "West"), "Product Name": ("Pen", "Desk", "Lamp", "Chair", "Total Care"),
        "Tax": ("1.3", "2.6", "0.65"), "Remark": ("", "", "urgent"),
    },
}  # fmt: skip


def _add_decoys(world: World, n: int) -> None:
    names = world.rng.sample(tuple(DECOYS[world.lang]), n)
    for name in names:
        world.columns[name] = [world.rng.choice(DECOYS[world.lang][name]) for _ in range(world.n)]


def _shuffle_columns(world: World) -> None:
    names = list(world.columns)
    world.rng.shuffle(names)
    world.columns = {name: world.columns[name] for name in names}


def _rename(world: World, column: str, header: str) -> None:
    old = world.headers[column]
    world.columns = {header if name == old else name: texts for name, texts in world.columns.items()}
    world.headers[column] = header
    world.between = {
        place: [{header if name == old else name: text for name, text in row.items()} for row in rows]
        for place, rows in world.between.items()
    }


def customer_by_clue(world: World) -> None:
    _rename(world, "customer_id", world.rng.choice(CLUES[world.lang]))
    _add_decoys(world, world.rng.randrange(1, 5))
    _shuffle_columns(world)
    world.tell("missing_column")


def no_customer(world: World) -> None:
    del world.columns[world.headers["customer_id"]]
    del world.headers["customer_id"]
    _add_decoys(world, world.rng.randrange(2, 6))
    _shuffle_columns(world)
    world.truth.headers["customer_id"] = None
    world.tell("missing_column")


def invisible_in_ids(world: World) -> None:
    texts, n = world.texts("customer_id"), 0
    for place in range(1, world.n, 5):
        mark = world.rng.choice("\u200b\u200e\u00ad\ufeff\u2060")
        texts[place] = texts[place][:1] + mark + texts[place][1:]
        n += 1
    world.only_formats = ("csv", "xlsx", "tsv")
    world.encodings = _UNICODE
    world.tell("invisible_characters", n_lines=n)


def nothing_in_words(world: World) -> None:
    texts, n = world.texts("customer_id"), 0
    for place in range(2, world.n, 7):
        texts[place] = world.rng.choice(("NULL", "\\N", "#N/A", "None", "(null)", "<NA>"))
        world.customers[place] = None
        n += 1
    world.tell("null_text", n_lines=n)


def other_columns(world: World) -> None:
    _add_decoys(world, world.rng.randrange(1, 5))
    if world.rng.random() < 0.5:
        _shuffle_columns(world)


# --- how much ----------------

UNITS = {"(万元)": 10_000, "（千元）": 1000, "/万元": 10_000, "(k)": 1000, " in thousands": 1000, "(万)": 10_000,
         "（单位：万元）": 10_000, "（百万元）": 1_000_000, "[RMB'000]": 1000,
         "_万元": 10_000, "（元）": 1, "(RMB)": 1}  # fmt: skip
UNIT_LINES = {
    "zh": {"单位：万元": 10_000, "金额单位：人民币千元": 1000, "（单位:万元）": 10_000, "单位：元": 1,
           "编制单位：万达商贸有限公司": 1, "填报单位：千禧贸易": 1, "单位：亿利批发部": 1,
           "2026年一季度销售明细（单位：千元）": 1000},
    "en": {"Amounts in thousands": 1000, "(in RMB millions)": 1_000_000, "Unit: thousand": 1000,
           "All stores in M&S group": 1},
}  # fmt: skip


def _scale(world: World, factor: int) -> None:
    world.amounts = [amount * factor for amount in world.amounts]


def unit_in_header(world: World) -> None:
    world.encodings = world.encodings or (_UNICODE if world.lang == "en" else ())
    unit, factor = world.rng.choice(tuple(UNITS.items()))
    _rename(world, "amount", world.headers["amount"] + unit)
    _scale(world, factor)


def unit_above(world: World) -> None:
    unit, factor = world.rng.choice(tuple(UNIT_LINES[world.lang].items()))
    world.above.append(unit)
    _scale(world, factor)


def unit_below(world: World) -> None:
    unit, factor = world.rng.choice(
        (("注：金额单位为万元", 10_000), ("单位：千元", 1000), ("备注：以上金额单位：万元", 10_000))
    )
    world.put(world.n, {next(iter(world.columns)): unit})
    _scale(world, factor)
    world.tell("unit_beside", {"amount_unit": factor}, n_lines=1)


def unit_in_row(world: World) -> None:
    """Put the units of the columns on a line of their own, below the headers."""
    world.encodings = world.encodings or (_UNICODE if world.lang == "en" else ())
    unit, factor = world.rng.choice((("万元", 10_000), ("元", 1), ("(千元)", 1000)))
    world.put(0, {world.headers["amount"]: unit})
    _scale(world, factor)
    world.only_formats = ("csv", "xlsx")


def unit_in_cells(world: World) -> None:
    texts = world.texts("amount")
    for place, amount in enumerate(world.amounts):
        if world.rng.random() < 0.5:
            unit, factor = world.rng.choice((("万", 10_000), ("千元", 1000), ("万元", 10_000), ("元", 1)))
            texts[place] += unit
            world.amounts[place] = amount * factor


def written_with_marks(world: World) -> None:
    form = world.rng.choice(
        ("￥{0:,.2f}", "¥{0:.2f}", "{0:,.2f}元", "{0:,.2f} CNY", "RMB {0:.2f}", "{0:,.2f}", "brackets")
    )
    texts = world.texts("amount")
    for place, amount in enumerate(map(Decimal, texts)):
        sign = "-" if amount < 0 else ""
        texts[place] = sign + form.format(abs(amount)) if form != "brackets" else f"{amount:,.2f}"
        if form == "brackets" and sign:
            texts[place] = f"({-amount:,.2f})"


def _factors(world: World, with_rate: bool) -> None:
    rng, names = (
        world.rng,
        {"zh": ("数量", "单价", "折扣率"), "en": ("Quantity", "Unit Price", "Discount rate")}[world.lang],
    )
    del world.columns[world.headers.pop("amount")]
    counts = [rng.choice((1, 2, 3, 5, 12)) for _ in range(world.n)]
    prices = [Decimal(rng.randrange(100, 9999)) / 100 for _ in range(world.n)]
    rates = [rng.choice((Decimal("0"), Decimal("0.1"), Decimal("0.25"))) if with_rate else Decimal(0) for _ in counts]
    world.amounts = [n * price * (1 - rate) for n, price, rate in zip(counts, prices, rates, strict=True)]
    world.columns |= {names[0]: list(map(str, counts)), names[1]: list(map(str, prices))}
    parts = {"quantity": names[0], "unit_price": names[1]}
    if with_rate:
        form = rng.choice(("{}", "percent"))
        world.columns[names[2]] = [f"{rate * 100:.0f}%" if form == "percent" else str(rate) for rate in rates]
        parts["discount_rate"] = names[2]
    world.truth.settings["amount_from"] = parts
    world.tell("missing_column")


def factors(world: World) -> None:
    _factors(world, with_rate=False)


def discount_rate(world: World) -> None:
    _factors(world, with_rate=True)


RATES = {"CNY": Decimal(1), "USD": Decimal(7), "EUR": Decimal(8), "HKD": Decimal("0.5"), "GBP": Decimal(9)}
_IN_WORDS = {"CNY": "人民币", "USD": "美元", "EUR": "欧元", "HKD": "港币", "GBP": "英镑"}
_SIGNS = {"CNY": "￥", "USD": "$", "EUR": "€", "GBP": "£"}


def _convert(world: World, of_row: Sequence[str]) -> None:
    world.amounts = [amount * RATES[one] for amount, one in zip(world.amounts, of_row, strict=True)]


def currencies(world: World) -> None:
    names = world.rng.sample(tuple(RATES), world.rng.choice((2, 2, 3)))
    of_row = [world.rng.choice(names) if place > 2 else names[place % 2] for place in range(world.n)]
    said = _IN_WORDS if world.lang == "zh" and world.rng.random() < 0.4 else {name: name for name in RATES}
    header = world.rng.choice(
        {"zh": ("货币", "币种", "结算币种"), "en": ("Currency", "Curr", "currency code")}[world.lang]
    )
    world.columns[header] = [said[one] for one in of_row]
    rates = {said[name]: float(RATES[name]) for name in names}
    _convert(world, of_row)
    world.tell("mixed_currencies", {"currencies": {"column": header, "rates": rates}})


def one_currency_in_words(world: World) -> None:
    header = {"zh": "币种", "en": "Currency"}[world.lang]
    world.columns[header] = [world.rng.choice(("CNY", "RMB", "人民币", "cny")) for _ in range(world.n)]


def signs(world: World) -> None:
    world.encodings = _UNICODE
    names = world.rng.sample(tuple(_SIGNS), 2)
    of_row = [world.rng.choice(names) if place > 2 else names[place % 2] for place in range(world.n)]
    form = world.rng.choice(("sign", "code", "behind"))
    written = {name: _SIGNS[name] if form == "sign" else name for name in names}
    for place, one in enumerate(of_row):
        text = world.texts("amount")[place]
        amount, minus = text.lstrip("-"), "-" if text.startswith("-") else ""
        world.texts("amount")[place] = minus + (f"{amount} {one}" if form == "behind" else f"{written[one]}{amount}")
    _convert(world, of_row)
    world.tell("mixed_currencies", {"currencies": {"rates": {written[name]: float(RATES[name]) for name in names}}})


def sign_on_some(world: World) -> None:
    """Write a sign only where a sale was in another currency."""
    world.encodings = _UNICODE
    name = world.rng.choice(("USD", "EUR"))
    of_row = [name if place % 6 == 1 else "CNY" for place in range(world.n)]
    sign = world.rng.choice((_SIGNS[name], name))
    for place, one in enumerate(of_row):
        if one == name and not world.texts("amount")[place].startswith("-"):
            world.texts("amount")[place] = sign + world.texts("amount")[place]
        else:
            of_row[place] = "CNY"
    _convert(world, of_row)
    world.tell("mixed_currencies", {"currencies": {"rates": {sign: float(RATES[name]), "CNY": 1.0}}})


def another_currency(world: World) -> None:
    """Keep the books in another currency than the dataset's, and say so."""
    world.encodings = _UNICODE
    name = world.rng.choice(("USD", "EUR"))
    if world.rng.random() < 0.5:
        world.columns[{"zh": "币种", "en": "Currency"}[world.lang]] = [name] * world.n
    else:
        texts = world.texts("amount")
        texts[:] = ["-" * text.startswith("-") + _SIGNS[name] + text.lstrip("-") for text in texts]
    world.tell("foreign_currency")
    world.truth.told["foreign_currency"] = ({"currency": name}, {})


# --- when ----------------


def _weekday(day: date, lang: str) -> str:
    return ("星期" if day.day % 2 else "周") + "一二三四五六日"[day.weekday()] if lang == "zh" else f"{day:%a}"


DATE_FORMS = {
    "slashes": lambda day, _: f"{day.year}/{day.month}/{day.day}",
    "words": lambda day, _: f"{day.year}年{day.month}月{day.day}日",
    "weekday behind": lambda day, lang: f"{day} {_weekday(day, lang)}",
    "weekday before": lambda day, lang: f"{_weekday(day, lang)} {day:%Y/%m/%d}",
    "morning": lambda day, _: f"{day:%m/%d/%Y} {1 + day.day % 12}:05:00 {'AM' if day.day % 3 else 'PM'}",
    "morning in words": lambda day, _: f"{day:%Y/%m/%d} {'上午' if day.day % 2 else '下午'}9:30",
    "day first": lambda day, _: f"{day:%d.%m.%Y}",
    "month first, short": lambda day, _: f"{day:%m/%d/%y}",
    "day first, short": lambda day, _: f"{day:%d-%m-%y}",
    "year first, short": lambda day, _: f"{day:%y-%m-%d}",
    "short in words": lambda day, _: f"{day.year % 100}年{day.month}月{day.day}日",
    "month named": lambda day, _: f"{day:%d-%b-%y}",
    "month in English": lambda day, _: f"{day:%B} {day.day}, {day.year}",
    "digits": lambda day, _: f"{day:%Y%m%d}",
    "stamp": lambda day, _: f"{day}T23:{day.day % 60:02}:59+08:00",
    "stamp in UTC": lambda day, _: f"{day - timedelta(days=1)}T{16 + day.day % 8}:30:00Z",
    "serial": lambda day, _: str((day - date(1899, 12, 30)).days),
    "wide": lambda day, _: f"{day:%Y-%m-%d}".translate({ord(one): ord(one) + 0xFEE0 for one in "0123456789"}),
}  # fmt: skip


def dates_otherwise(world: World) -> None:
    name = world.rng.choice(tuple(DATE_FORMS))
    world.columns[world.headers["date"]] = [DATE_FORMS[name](day, world.lang) for day in world.days]
    world.features.append(f"dates: {name}")
    orders = {
        "day first": "day_first",
        "month first": "month_first",
        "year first": "year_first",
        "morning": "month_first",
    }
    order = next((order for start, order in orders.items() if name.startswith(start) and "words" not in name), None)
    if order:
        world.truth.settings["date_order"] = order
        world.tell("date_order_unknown", {"date_order": order})
