"""What an office keeps beside its sales: states, returns, totals, titles, footers, copies; and what stays true."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from benchmarks.plausible_worlds import World

# --- whether ----------------

STATES = {
    "zh": (("订单状态", "状态", "交易状态", "支付状态"), ("交易成功", "已完成", "已付款", "已发货"),
           ("退款成功", "交易关闭", "已取消", "待付款", "已退款", "作废", "交易失败", "拒收")),
    "en": (("Order Status", "Status", "state", "Payment status"), ("Shipped", "Completed", "Paid", "Fulfilled"),
           ("Cancelled", "Canceled", "Refunded", "Pending payment", "Returned", "Voided", "Failed")),
}  # fmt: skip
UNTOUCHED = {
    "zh": ("退款状态", ("没有申请退款", "无退款", "未退款", "退款关闭")),
    "en": ("Refund status", ("No refund", "Not refunded", "None")),
}
TYPES = {
    "zh": (
        ("业务类型", "单据类型", "交易类型", "类型"),
        ("销售", "销售出库", "正常销售"),
        ("退货", "销售退货", "红冲", "销退", "退货入库"),
    ),
    "en": (("Transaction type", "Type", "Doc Type"), ("Sale", "Invoice"), ("Return", "Credit Note", "Sales return")),
}
FLAGS = {
    "zh": (("是否退款", "是否取消", "已退款"), ("是", "否")),
    "en": (("Returned", "is_cancelled", "Refunded"), ("Yes", "No")),
}


def _made_positive(world: World, places: Sequence[int]) -> None:
    texts = world.texts("amount")
    for place in places:
        world.amounts[place] = abs(world.amounts[place])
        texts[place] = texts[place].lstrip("-")


def states(world: World) -> None:
    headers, good, bad = STATES[world.lang]
    header, undone = world.rng.choice(headers), world.rng.choice(bad)
    places = [place for place in range(world.n) if place % world.rng.choice((5, 8)) == 2]
    _made_positive(world, places)
    world.columns[header] = [undone if place in places else world.rng.choice(good) for place in range(world.n)]
    rule = {"column": header, "operator": "equals", "value": undone, "reason": "no sale"}
    world.tell("doubtful_state", {"filters": [rule]}, n_lines=len(places))
    world.no_sales |= {*places}


def refunds_not_asked_for(world: World) -> None:
    header, values = UNTOUCHED[world.lang]
    world.columns[header] = [world.rng.choice(values) for _ in range(world.n)]


def all_is_well(world: World) -> None:
    headers, good, _ = STATES[world.lang]
    world.columns[world.rng.choice(headers)] = [world.rng.choice(good) for _ in range(world.n)]


def returns_by_type(world: World) -> None:
    headers, good, bad = TYPES[world.lang]
    header, back = world.rng.choice(headers), world.rng.choice(bad)
    places = [place for place in range(world.n) if place % 7 == 3]
    some_are_signed = world.rng.random() < 0.3
    _made_positive(world, range(world.n))
    texts = world.texts("amount")
    signed = [place for place in places if some_are_signed and place % 2]
    for place in places:
        world.amounts[place] = -world.amounts[place]
        texts[place] = f"-{texts[place]}" if place in signed else texts[place]
    world.columns[header] = [back if place in places else world.rng.choice(good) for place in range(world.n)]
    world.tell("goods_came_back", {"returns": {"column": header, "values": [back]}}, n_lines=len(places) - len(signed))


def returns_signed(world: World) -> None:
    headers, good, bad = TYPES[world.lang]
    back = world.rng.choice(bad)
    world.columns[world.rng.choice(headers)] = [back if a < 0 else world.rng.choice(good) for a in world.amounts]


def flags(world: World) -> None:
    headers, (yes, no) = FLAGS[world.lang]
    header, places = world.rng.choice(headers), [place for place in range(world.n) if place % 6 == 1]
    _made_positive(world, places)
    world.columns[header] = [yes if place in places else no for place in range(world.n)]
    rule = {"column": header, "operator": "equals", "value": yes, "reason": "no sale"}
    world.tell("doubtful_state", {"filters": [rule]}, n_lines=len(places))
    world.no_sales |= {*places}


# --- totals ----------------

TOTALS = {
    "zh": ("合计", "总计", "合 计", "总计：", "共计", "（合计）", "销售合计", "合计金额", "累计", "总 计:"),
    "en": ("Total", "TOTAL", "Grand Total", "Total:", "Totals", "Sum"),
}
OF_MONTH = {
    "zh": ("本月合计", "小计", "{m}月合计", "{y}年{m}月小计", "月计", "本月累计"),
    "en": ("Subtotal", "Sub-total:", "{month} Total", "Total {month}", "Monthly total", "Total for {month}"),
}
OF_CUSTOMER = {
    "zh": ("{who} 汇总", "{who}小计", "小计", "{who} 合计"),
    "en": ("{who} Total", "Subtotal", "Total {who}", "{who} total:"),
}


def _shown_sum(world: World, places: Sequence[int]) -> str:
    return str(sum((Decimal(world.texts("amount")[place]) for place in places), Decimal(0)))


def _total(
    world: World, place: int, label: str, places: Sequence[int], label_in: str, dated: bool, off: Decimal = Decimal(0)
) -> None:
    row = {label_in: label, world.headers["amount"]: str(Decimal(_shown_sum(world, places)) + off)}
    if dated and label_in != world.headers["date"]:
        row[world.headers["date"]] = world.texts("date")[max(places)]
    world.put(place, row)


def _place_of_label(world: World) -> str:
    words = [name for name in world.columns if name not in (world.headers["amount"],)]
    usual = [words[0], world.headers.get("customer_id", words[0])]
    return world.rng.choice((*usual, *usual, world.headers["date"], world.rng.choice(words)))


def grand_total(world: World) -> None:
    label, off = world.rng.choice(TOTALS[world.lang]), Decimal(world.rng.choice((0, 0, 0, 0, 37)))
    where, dated = _place_of_label(world), world.rng.random() < 0.5
    if world.rng.random() < 0.2 and not off and label.strip("（）:： ").endswith("计"):
        # The word and the sum in one cell, as of a merged line.
        world.put(world.n, {next(iter(world.columns)): f"{label.strip('：: ')}：{_shown_sum(world, range(world.n))}元"})
        world.truth.totals = None
        return
    _total(world, world.n, label, range(world.n), where, dated, off)
    world.truth.totals = (1, int(not off))
    if off:
        world.tell("total_differs", n_lines=1)


def totals_by_month(world: World) -> None:
    months = [
        list(places) for _, places in groupby(range(world.n), lambda n: (world.days[n].year, world.days[n].month))
    ]
    label, where, dated = world.rng.choice(OF_MONTH[world.lang]), _place_of_label(world), world.rng.random() < 0.5
    for places in months:
        day = world.days[places[-1]]
        said = label.format(m=day.month, y=day.year, month=f"{day:%B}")
        covered = range(places[-1] + 1) if "累计" in label else places
        _total(world, places[-1] + 1, said, covered, where, dated)
    n = len(months)
    if world.rng.random() < 0.5:
        _total(world, world.n, world.rng.choice(TOTALS[world.lang]), range(world.n), where, dated)
        n += 1
    world.truth.totals = (n, n)


def totals_by_customer(world: World) -> None:
    order = sorted(range(world.n), key=lambda n: (str(world.customers[n]), n))
    for values in (world.customers, world.days, world.amounts, *world.columns.values()):
        values[:] = [values[n] for n in order]
    world.no_sales = {place for place, n in enumerate(order) if n in world.no_sales}
    label, where = world.rng.choice(OF_CUSTOMER[world.lang]), world.headers["customer_id"]
    groups = [list(places) for _, places in groupby(range(world.n), lambda n: world.customers[n])]
    for places in groups:
        _total(world, places[-1] + 1, label.format(who=world.customers[places[0]]), places, where, dated=False)
    _total(world, world.n, {"zh": "总计", "en": "Grand Total"}[world.lang], range(world.n), where, dated=False)
    world.truth.totals = (len(groups) + 1, len(groups) + 1)


def total_without_a_word(world: World) -> None:
    """Leave a sum below, with a date but no word."""
    world.put(
        world.n,
        {world.headers["date"]: world.texts("date")[-1], world.headers["amount"]: _shown_sum(world, range(world.n))},
    )
    world.tell("sum_of_the_others", n_lines=1)
    world.truth.is_for_the_user = True


def total_in_other_words(world: World) -> None:
    """Call the sum what no list of words holds."""
    word = world.rng.choice(
        {"zh": ("全部客户", "ALL", "本期", "一季度"), "en": ("ALL", "All customers", "Everything")}[world.lang]
    )
    row = {world.headers["customer_id"]: word, world.headers["date"]: world.texts("date")[-1]}
    world.put(world.n, row | {world.headers["amount"]: _shown_sum(world, range(world.n))})
    rule = {"column": world.headers["customer_id"], "operator": "equals", "value": word, "reason": "a sum"}
    world.tell("sum_of_the_others", {"filters": [rule]}, n_lines=1)


# --- around ----------------

TITLES = {
    "zh": ("某某商贸有限公司销售明细表", "2026年销售流水（内部资料）", "打印日期：2026-03-01"),
    "en": ("Sales Report", "ACME Ltd - Sales by customer"),
}
FOOTERS = {
    "zh": (
        "制表人：张三",
        "第 1 页 共 1 页",
        "审核：李四    复核：王五",
        "打印时间：2026-03-01 10:00",
        "备注：数据来自系统导出",
    ),
    "en": ("Printed on 2026-03-01", "Page 1 of 1", "Prepared by: Li", "Notes: preliminary", "End of report"),
}


def titles(world: World) -> None:
    world.above[:0] = world.rng.sample(TITLES[world.lang], world.rng.choice((1, 2)))


def footers(world: World) -> None:
    for text in world.rng.sample(FOOTERS[world.lang], world.rng.choice((1, 1, 2))):
        world.put(world.n, {next(iter(world.columns)): text})


def header_on_each_page(world: World) -> None:
    for place in range(15, world.n, 15):
        world.put(place, {name: name for name in world.columns})


def second_table(world: World) -> None:
    width = len(world.columns)
    table = world.rng.choice(
        ((("地区", "经理", "电话"), ("华东", "张", "无"), ("华北", "李", "无"), ("华南", "赵", "无")),
         (("Region", "Manager"), ("West", "Ann"), ("East", "Ben"))) )  # fmt: skip
    world.below = [[*row, *[""] * (width - len(row))][:width] for row in table]
    world.tell("second_table", {"last_row": 0}, n_lines=len(table))
    world.truth.n_below = len(table)


# --- stored ----------------


def in_parts(world: World) -> None:
    cut = world.n // 2
    world.copies = {"-1": range(cut), "-2": range(cut, world.n)}


def sheets_by_month(world: World) -> None:
    cut = world.n // 2
    names = ("1月", "2月") if world.lang == "zh" else ("Jan", "Feb")
    world.copies, world.in_sheets = {names[0]: range(cut), names[1]: range(cut, world.n)}, True


def sheet_of_all(world: World) -> None:
    """Keep a sheet for each month, and one with all of them."""
    sheets_by_month(world)
    months = list(world.copies)
    world.copies[{"zh": "全部", "en": "All"}[world.lang]] = range(world.n)
    world.tell("counted_twice", {"sheet": months}, n_lines=world.n)


def second_copy(world: World) -> None:
    world.copies = {"-1": range(world.n), {"zh": "-1 - 副本", "en": "-1 - Copy"}[world.lang]: range(world.n)}
    world.tell("counted_twice", {"source": "*-1.*"}, n_lines=world.n)


def orders_and_lines(world: World) -> None:
    """Keep who and when in one file, and what was bought in another."""
    number = {"zh": "订单编号", "en": "Order ID"}[world.lang]
    names = {"zh": ("产品名称", "数量", "单价", "折扣率"), "en": ("Product", "Quantity", "UnitPrice", "Discount")}[
        world.lang
    ]
    rng, amount = world.rng, world.headers.pop("amount")
    del world.columns[amount]
    ids = [str(10248 + place) for place in range(world.n)]
    world.columns = {number: ids, **world.columns}
    world.columns[{"zh": "运费", "en": "Freight"}[world.lang]] = [f"{rng.randrange(100, 3000) / 100}" for _ in ids]
    rows, lines = [[number, *names]], []
    for place, one in enumerate(ids):
        for _ in range(rng.choice((1, 2, 3))):
            n, price = rng.choice((1, 2, 5)), Decimal(rng.randrange(100, 9999)) / 100
            rate = rng.choice((Decimal("0"), Decimal("0.1"), Decimal("0.25")))
            rows.append([one, rng.choice("甲乙丙丁"), str(n), str(price), str(rate)])
            lines.append((world.customers[place], world.days[place], n * price * (1 - rate)))
    world.lines_file = rows
    world.truth.lines.update(lines)
    world.truth.n_rows = len(lines)
    world.truth.settings["amount_from"] = {"quantity": names[1], "unit_price": names[2], "discount_rate": names[3]}
    world.truth.settings["lines"] = number
    world.tell("missing_column")
    world.tell("no_table")
    world.only_formats = ("csv", "xlsx", "tsv")


def sums_in_another_file(world: World) -> None:
    """Keep what each customer bought in all in a file of its own."""
    world.copies = {"-1": range(world.n)}
    sums = {who: Decimal(0) for who in sorted({str(one) for one in world.customers})}
    for who, text in zip(world.customers, world.texts("amount"), strict=True):
        sums[str(who)] += Decimal(text)
    names = {world.headers["customer_id"], world.headers["date"], world.headers["amount"]}
    values = {world.headers["date"]: world.texts("date")[-1]}
    world.more_files["-2"] = [
        [name for name in world.columns if name in names],
        *([{**values, world.headers["customer_id"]: who, world.headers["amount"]: str(amount)}[name]
           for name in world.columns if name in names] for who, amount in sums.items()),
    ]  # fmt: skip
    world.tell("counted_twice", {"source": "*-1.*"}, n_lines=len(sums))


def amount_of_order(world: World) -> None:
    """Write what an order comes to on each of its lines."""
    rng, names = world.rng, {"zh": ("订单编号", "数量"), "en": ("Order ID", "Quantity")}[world.lang]
    orders: list[int] = []
    while len(orders) < world.n:
        orders += [len(orders)] * rng.choice((1, 2, 3))
    orders = orders[: world.n]
    for values in (world.customers, world.days, world.amounts, *world.columns.values()):
        values[:] = [values[one] for one in orders]
    counts = [str(1 + place % 4) for place in range(world.n)]
    world.columns = {names[0]: [f"D{one:05}" for one in orders], **world.columns, names[1]: counts}
    world.tell("amount_of_order", n_lines=sum(n for one in set(orders) if (n := orders.count(one)) > 1))
    world.no_sales = {place for place in range(1, world.n) if orders[place] == orders[place - 1]}
    world.truth.is_for_the_user = True


def quantity_below_zero(world: World) -> None:
    """Tell by the number of pieces alone what came back."""
    places = [place for place in range(world.n) if place % 6 == 4]
    _made_positive(world, range(world.n))
    for place in places:
        world.amounts[place] = -world.amounts[place]
    name = {"zh": "数量", "en": "Quantity"}[world.lang]
    world.columns[name] = [str(-2 if place in places else 1 + place % 5) for place in range(world.n)]
    world.tell("quantity_below_zero", n_lines=len(places))
    world.truth.is_for_the_user = True
