"""The kinds of test_plausible_but_wrong in other scripts, languages and layouts, and what a draft says of them."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset, contract, open_dataset
from kehu_analysis.data.checking.failures import last_rows
from kehu_analysis.data.checking.row_kinds import is_of_goods, undone_condition
from kehu_analysis.data.proposals import propose_settings
from kehu_analysis.data.units import unit_of_header
from kehu_analysis.errors import DataError
from kehu_analysis.intake.account import next_steps
from kehu_analysis.intake.draft import confirmation_lines, draft_text, restated

DAYS = [date(2024, 1, 3 + n) for n in range(24)]
ROWS = [(f"C{n % 6}", day, 10 + n) for n, day in enumerate(DAYS)]
TOTAL = sum(amount for *_, amount in ROWS)


def text_of(header, rows, mark=","):
    return "\n".join([header.replace("|", mark), *(mark.join(map(str, row)) for row in rows), ""])


def put(folder: Path, settings: str = "", **files: object) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, dict):
            with xlsxwriter.Workbook(path) as book:
                for sheet, rows in content.items():
                    page = book.add_worksheet(sheet)
                    for place, row in enumerate(rows):
                        cells = (cell.isoformat() if isinstance(cell, date) else cell for cell in row)
                        page.write_row(place, 0, list(cells))
        else:
            path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    if settings:
        (folder / "dataset.toml").write_text(settings, encoding="utf-8")
    return folder


def checked(folder):
    return check_dataset(folder, cache=folder.parent / "cache")


def amount_of(dataset):
    return Decimal(dataset.account["log"]["amount"])


def reasons(dataset):
    return set(dataset.failures()["reason"])


def refused(folder):
    with pytest.raises(DataError) as fault:
        checked(folder)
    return fault.value


def by_the_draft(folder, fault=None, account=None, **filled):
    """Save the draft beside the data, with what only a person knows filled in, and check again."""
    text = draft_text(propose_settings(folder, fault, account), folder, "en")
    for before, after in filled.get("instead", {}).items():
        assert before in text, text
        text = text.replace(before, after)
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    return checked(folder)


def drafted(folder, **filled):
    return by_the_draft(folder, refused(folder), **filled)


# --- headers and totals in other scripts and languages ----------------


HEADERS = [
    *("客戶編號,日期,金額", "會員卡號,消費日期,實收金額", "買家暱稱,訂單日期,銷售額", "openid,交易时间,消费金额"),
    *("户号,日期,缴费金额", "Buyer,Order Date,Amount (USD)", "Kunde,Datum,Betrag", "Client,Date,Montant"),
    *("household_key,date,amount", "顧客,日期,金额（万元）"),
]
ORDER_HEADERS = ["小票号", "单据号", "流水號", "單據編號", "Invoice No.", "Receipt No", "Rechnungsnummer", "订单 ID"]


def test_headers_of_other_scripts_and_languages_are_recognised(tmp_path):
    table = contract()["transactions"]
    for header in HEADERS:
        assert set(table.candidates(header.split(","))) == {"customer_id", "date", "amount"}, header
    for header in ORDER_HEADERS:
        assert table.candidates(["客户", header])["order_id"] == [header]
    assert amount_of(checked(put(tmp_path / "d", a__csv=text_of(HEADERS[0], ROWS)))) == TOTAL


TOTALS = [
    *("合計", "小計：", "總計", "本月合計", "1月 小計", "合計金額", "Grand Total:", "Sub-total", "TOTAL GENERAL"),
    *("Total for January", "Total général", "Summe", "Gesamtsumme"),
]


def test_totals_in_other_words(tmp_path):
    totals = [(word, day, TOTAL) for word in TOTALS for day in ("", "2024-01-31")]
    dataset = checked(put(tmp_path / "d", a__csv=text_of("客户,日期,金额", [*ROWS, *totals])))
    assert amount_of(dataset) == TOTAL
    assert dataset.account["tables"]["transactions"]["totals"] == {"n": len(totals), "n_agree": len(totals)}
    assert not len(dataset.failures())


def test_totals_of_customers_on_top_and_all_over_a_workbook(tmp_path):
    rows = [("合计", "", TOTAL)]
    for customer in sorted({row[0] for row in ROWS}):
        own = [row for row in ROWS if row[0] == customer]
        rows += [*own, (f"{customer} Total", "", sum(row[2] for row in own))]
    dataset = checked(put(tmp_path / "d", a__xlsx={"明細": [("客戶", "日期", "金額"), *rows]}))
    assert amount_of(dataset) == TOTAL
    assert dataset.account["tables"]["transactions"]["totals"] == {"n": 7, "n_agree": 7}


def test_blank_rows_are_no_errors(tmp_path):
    dataset = checked(put(tmp_path / "d", a__csv=text_of("客户,日期,金额", [*ROWS[:9], ("", " ", ""), *ROWS[9:]])))
    assert amount_of(dataset) == TOTAL
    assert not len(dataset.failures())


# --- other tables below ----------------


@pytest.mark.parametrize(
    "below",
    [
        [("供应商", "日期", "金额"), ("S1", "2024-01-05", 500), ("S2", "2024-01-06", 600)],
        [("地区", "月份", "金额"), ("华东", "2024-01", 5000), ("华南", "2024-02", 3000)],
        [("业务员", "目标", "完成率"), ("张", 100, "90%"), ("李", 200, "80%")],
    ],
)
def test_other_tables_below_are_ended_by_the_setting_that_is_named(tmp_path, below):
    folder = put(tmp_path / "d", a__xlsx={"S": [("客户", "日期", "金额"), *ROWS, (), *below]})
    dataset = checked(folder)
    assert amount_of(dataset) == TOTAL
    assert last_rows(dataset.account) == f"last_row = {len(ROWS) + 2}"
    with pytest.raises(DataError) as fault:
        open_dataset(dataset.snapshot)
    assert fault.value.code == "second_table"
    again = by_the_draft(folder, account=dataset.account)
    assert amount_of(again) == TOTAL
    assert not len(again.failures())


def test_last_row_of_each_file(tmp_path):
    below = [("地区", "负责人", "电话"), ("华东", "张", "无"), ("华北", "李", "无")]
    header = "客户,日期,金额"
    files = {
        "sales-1__csv": text_of(header, [*ROWS[:8], *below]),
        "sales-2__csv": text_of(header, [*ROWS[8:], *below]),
    }
    dataset = checked(put(tmp_path / "d", **files))
    assert last_rows(dataset.account) == 'last_row = { "sales-2.csv" = 17, "sales-1.csv" = 9 }'
    again = by_the_draft(tmp_path / "d", account=dataset.account)
    assert (amount_of(again), len(again.failures())) == (TOTAL, 0)


# --- units and currencies ----------------


UNITS = {
    "金額(仟元)": 1000,
    "金额（万）": 10_000,
    "Sales k USD": 1000,
    "Umsatz in TEUR": 1000,
    "Sales ($M)": 10**6,
    "Revenue (in thousands)": 1000,
}


def test_units_of_headers_in_other_words():
    assert {header: unit_of_header(header)[1] for header in UNITS} == UNITS
    assert all("amount" in contract()["transactions"].candidates([header]) for header in UNITS)


def test_units_below_a_header_and_in_a_column(tmp_path):
    rows = [(customer, day, amount / 100) for customer, day, amount in ROWS]
    below = {"S": [("客户", "日期", "金额"), ("", "", "（万元）"), *rows]}
    assert amount_of(checked(put(tmp_path / "a", a__xlsx=below))) == TOTAL * 100
    column = text_of("客户,日期,金额,单位", [(*row, "千元") for row in rows])
    assert amount_of(checked(put(tmp_path / "b", a__csv=column))) == TOTAL * 10
    pieces = text_of("客户,日期,金额,单位", [(*row, "箱") for row in ROWS])
    assert amount_of(checked(put(tmp_path / "c", a__csv=pieces))) == TOTAL
    mixed = text_of("客户,日期,金额,单位", [(*row, "千元" if n % 2 else "万元") for n, row in enumerate(rows)])
    assert refused(put(tmp_path / "e", a__csv=mixed)).code == "mixed_units"


SINGLE = {
    "column": ("customer,date,amount,currency", [(*row, "美元") for row in ROWS], "USD"),
    "signs": ("customer,date,amount", [(c, d, f"€{a}") for c, d, a in ROWS], "EUR"),
    "header": ("customer,date,Amount (GBP)", ROWS, "GBP"),
}


@pytest.mark.parametrize(("header", "rows", "code"), SINGLE.values(), ids=SINGLE)
def test_single_foreign_currency_is_told_and_drafted(tmp_path, header, rows, code):
    folder = put(tmp_path / "d", a__csv=text_of(header, rows))
    dataset = checked(folder)
    assert reasons(dataset) == {"foreign_currency"}
    assert any(f'currency = "{code}"' in step for step in next_steps(dataset, "en", workbook=""))
    again = by_the_draft(folder, account=dataset.account)
    assert (again.currency, amount_of(again), len(again.failures())) == (code, TOTAL, 0)


@pytest.mark.parametrize(("sign", "currency"), [("$", "HKD"), ("￥", "JPY")])
def test_signs_that_may_be_the_currency_of_the_dataset_are_none_of_another(tmp_path, sign, currency):
    rows = [(customer, day, f"{sign}{amount}") for customer, day, amount in ROWS]
    dataset = checked(put(tmp_path / "d", f'currency = "{currency}"\n', a__csv=text_of("客户,日期,金额", rows)))
    assert (amount_of(dataset), len(dataset.failures())) == (TOTAL, 0)


MIXED = {
    "signs": ("客户,日期,金额", [(c, d, f"US${a}" if n % 2 else f"¥{a}") for n, (c, d, a) in enumerate(ROWS)], '"US$"'),
    "none": ("客户,日期,金额", [(c, d, f"${a}" if n % 2 else a) for n, (c, d, a) in enumerate(ROWS)], '"$"'),
    "column": ("客户,日期,金额,幣別", [(*row, "USD" if n % 2 else "CNY") for n, row in enumerate(ROWS)], "USD"),
}


@pytest.mark.parametrize(("header", "rows", "name"), MIXED.values(), ids=MIXED)
def test_several_currencies_need_no_more_than_their_rates(tmp_path, header, rows, name):
    folder = put(tmp_path / "d", a__csv=text_of(header, rows))
    fault = refused(folder)
    assert fault.code == "mixed_currencies"
    text = draft_text(propose_settings(folder, fault), folder, "en")
    assert f"# {name} = RATE" in text
    begin, end = text.index("# [tables.transactions.currencies]"), text.index("# Rates that change")
    filled = "\n".join(line.removeprefix("# ").replace("RATE", "2.0") for line in text[begin:end].splitlines())
    (folder / "dataset.toml").write_text(text[:begin] + filled + "\n" + text[end:], encoding="utf-8")
    foreign = sum(amount for n, (*_, amount) in enumerate(ROWS) if n % 2)
    assert amount_of(checked(folder)) == TOTAL + foreign


def test_the_same_sum_in_two_currencies_is_not_chosen_from(tmp_path):
    rows = [(*row, row[2] * 0.9) for row in ROWS]
    folder = put(tmp_path / "d", a__csv=text_of("customer,date,Amount USD,Amount EUR", rows))
    (column,) = propose_settings(folder, refused(folder)).tables[0].columns
    assert column.chosen is None
    assert {one.header for one in column.candidates} == {"Amount USD", "Amount EUR"}


# --- states ----------------


@pytest.mark.parametrize(
    ("header", "sold", "undone"),
    [
        ("訂單狀態", "已完成", "作廢"),
        ("Status", "bezahlt", "storniert"),
        ("is_cancelled", "N", "Y"),
    ],
)
def test_sales_that_were_undone_are_left_out_by_the_draft(tmp_path, header, sold, undone):
    rows = [(*row, undone if n < 3 else sold) for n, row in enumerate(ROWS)]
    folder = put(tmp_path / "d", a__csv=text_of(f"客户,日期,金额,{header}", rows))
    dataset = checked(folder)
    assert reasons(dataset) == {"doubtful_state"}
    lines = confirmation_lines(folder, dataset, tmp_path / "out", "en")
    assert str(tmp_path / "out" / "dataset.toml") in lines[1]
    assert "3 rows, 33.00 in all" in (tmp_path / "out" / "dataset.toml").read_text(encoding="utf-8")
    again = by_the_draft(folder, account=dataset.account)
    assert amount_of(again) == TOTAL - sum(amount for *_, amount in ROWS[:3])


def test_states_that_say_so_in_other_words():
    words = ["已退货", "退貨", "作废", "Refunded", "Voided", "refund pending", "交易关闭", "Retoure", "部分退款"]
    for word in words:
        rows = duckdb.sql(f"SELECT {undone_condition('订单状态', 'v')} FROM (VALUES ('{word}')) AS rows (v)").fetchall()
        assert rows == [(True,)], word
    assert not any(is_of_goods("订单状态", word) for word in words)


def test_what_was_undone_in_part_is_left_to_a_person(tmp_path):
    rows = [(*row, "部分退款" if n < 3 else "已完成") for n, row in enumerate(ROWS)]
    folder = put(tmp_path / "d", a__csv=text_of("客户,日期,金额,订单状态", rows))
    dataset = checked(folder)
    assert amount_of(by_the_draft(folder, account=dataset.account)) == TOTAL


# --- dates, encodings, nothing ----------------


FORMS = [
    *("2024年1月{d}日 周三", "{d:02}.01.24", "{d}-Jan-24", "{d}. Januar 2024", "{d} janv. 2024", "Jan {d}, 2024"),
    *("{d:02}-Jan-2024 09:05AM", "2024/1/{d} 上午 9:05", "{d:02}/01/2024 9:05 a.m.", "民國113年1月{d}日"),
    *("2024/01/{d:02} (週三)", "Mi, {d:02}.01.2024", "{d:02}.01.2024 9h05", "2024-Jan-{d:02}", "{d:02} Jan 2024 Wed"),
]


def test_ways_of_writing_a_day(tmp_path):
    rows = [("A", f'"{form.format(d=day)}"', day) for form in FORMS for day in (13, 25)]
    dataset = checked(put(tmp_path / "a", a__csv=text_of("客户,日期,金额", rows)))
    read = pd.read_parquet(dataset.path("transactions"))
    assert (len(read), set(dataset.line_classes()["line_class"])) == (len(rows), {"accepted"})
    assert {(day.isoformat(), int(amount)) for day, amount in zip(read["date"], read["amount"], strict=True)} == {
        ("2024-01-13", 13),
        ("2024-01-25", 25),
    }
    dense = [(customer, f"{day:%y%m%d}", amount) for customer, day, amount in ROWS]
    dataset = checked(put(tmp_path / "b", a__csv=text_of("客户,日期,金额", dense)))
    assert (dataset.first_date, dataset.last_date) == (DAYS[0], DAYS[-1])


@pytest.mark.parametrize("form", ["113/01/{d:02}", "11301{d:02}"])
def test_years_of_the_republic_of_china_are_asked_for(tmp_path, form):
    rows = [(customer, form.format(d=day.day), amount) for customer, day, amount in ROWS]
    folder = put(tmp_path / "d", a__csv=text_of("客戶,日期,金額", rows))
    assert refused(folder).code == "date_era_unknown"
    dataset = drafted(folder)
    assert (dataset.first_date, dataset.last_date) == (DAYS[0], DAYS[-1])


WORDS = ["(null)", "#VALUE!", "无", "-", "N.A.", "n/a", "未知", "--", "不詳", "#REF!"]


def test_words_for_nothing_in_text_and_in_a_workbook(tmp_path):
    rows = [*ROWS, *((word, DAYS[0], 1) for word in WORDS)]
    for folder in (
        put(tmp_path / "a", a__csv=text_of("客户,日期,金额", rows)),
        put(tmp_path / "b", a__xlsx={"S": [("客户", "日期", "金额"), *rows]}),
    ):
        dataset = checked(folder)
        assert dataset.account["log"]["n_customers"] == 6
        assert set(dataset.failures()["example"]) == set(WORDS)


def test_letters_of_an_unknown_encoding_are_asked_for(tmp_path):
    rows = [(["Иванов", "Петров", "Сидоров"][n % 3], day, amount) for n, (_, day, amount) in enumerate(ROWS)]
    folder = put(tmp_path / "d", a__csv=text_of("customer,date,amount", rows).encode("cp1251"))
    fault = refused(folder)
    assert (fault.code, fault.details["guess"]) == ("encoding_unknown", "cp1251")
    (folder / "dataset.toml").write_text('[tables.transactions]\nencoding = "cp1251"\n')
    assert set(pd.read_parquet(checked(folder).path("customer_keys"))["customer_id"]) == {"Иванов", "Петров", "Сидоров"}


def test_rounded_ids_come_with_what_to_do(tmp_path):
    rows = [("6.22202E+15" if n % 2 else customer, day, amount) for n, (customer, day, amount) in enumerate(ROWS)]
    dataset = checked(put(tmp_path / "d", a__csv=text_of("customer,date,amount", rows)))
    assert any("as text" in step for step in next_steps(dataset, "en", workbook=""))


# --- amounts from parts ----------------


PARTS = {
    "tenths": ("折扣", ["八折", "9.5折", "85折", "八五折", "无折扣", ""], {"discount_rate": "折扣"}, 4.8),
    "hundredths": ("Discount", ["15%", "0%", "15% off"], {"discount_rate": "Discount"}, None),
    "remains": ("折扣", ["0.85", "1", "0.85"], {"paid_rate": "折扣"}, None),
    "below 0": ("让利金额", ["-15", "0", "-15"], {"discount": "让利金额"}, None),
    "header": ("Disc %", ["15", "0", "15"], {"discount_rate": "Disc %"}, None),
}


@pytest.mark.parametrize(("header", "values", "parts", "share"), PARTS.values(), ids=PARTS)
def test_discounts_are_proposed_and_taken_off(tmp_path, header, values, parts, share):
    rows = [(customer, day, 1, 100, values[n % len(values)]) for n, (customer, day, _) in enumerate(ROWS)]
    folder = put(tmp_path / "d", a__csv=text_of(f"客户,日期,数量,单价,{header}", rows))
    proposed = propose_settings(folder, refused(folder)).tables[0].amount_from
    assert proposed is not None
    assert proposed.headers == {"quantity": "数量", "unit_price": "单价", **parts}
    shares = [0.8, 0.95, 0.85, 0.85, 1, 1] if share else [0.85, 1, 0.85]
    assert amount_of(drafted(folder)) == sum(Decimal(str(shares[n % len(shares)])) * 100 for n in range(len(ROWS)))


def test_discount_that_may_be_a_share_or_a_sum_is_asked_for(tmp_path):
    rows = [(customer, day, 1, 100, 10 + n % 3) for n, (customer, day, _) in enumerate(ROWS)]
    folder = put(tmp_path / "d", a__csv=text_of("客户,日期,数量,单价,折扣率", rows))
    (table,) = propose_settings(folder, refused(folder)).tables
    assert table.unclear_discounts == ("折扣率",)


# --- orders and lines ----------------


ORDERS = [(f"O{n}", *row[:2], 5.5) for n, row in enumerate(ROWS)]
LINES = [(f"O{n // 2}", "P", 2, 10) for n in range(2 * len(ROWS))]


@pytest.mark.parametrize(
    ("orders", "lines"),
    [
        (("Order No", "Customer", "Order Date", "Freight"), ("Order No", "SKU", "Qty", "Unit Price")),
        (("订单编号", "会员号", "下单时间", "运费"), ("订单号", "商品", "数量", "单价")),
    ],
)
def test_orders_and_lines_in_two_sheets(tmp_path, orders, lines):
    sheets = {"Orders": [orders, *ORDERS], "Lines": [lines, *LINES]}
    folder = put(tmp_path / "d", export__xlsx=sheets)
    assert amount_of(drafted(folder)) == 20 * len(LINES)


def test_three_files_with_a_price_a_line_and_states(tmp_path):
    orders = [(*row[:3], "canceled" if n < 2 else "delivered") for n, row in enumerate(ORDERS)]
    folder = put(
        tmp_path / "d",
        orders__csv=text_of("order_id,customer_id,order_purchase_timestamp,order_status", orders),
        order_items__csv=text_of("order_id,product_id,price,freight_value", [(row[0], "P", 10, 3) for row in LINES]),
        products__csv="product_id,category\nP,tea\n",
    )
    assert amount_of(drafted(folder)) == 10 * (len(LINES) - 4)


def test_files_that_call_the_order_differently(tmp_path):
    folder = put(
        tmp_path / "d",
        订单表__csv=text_of("订单编号,会员号,下单时间", [row[:3] for row in ORDERS]),
        订单明细表__csv=text_of("订单号,品名,金额", [(row[0], "P", 7) for row in LINES]),
    )
    assert amount_of(drafted(folder)) == 7 * len(LINES)


# --- periods across ----------------


ACROSS = {
    "title": {"S": [("2024年各客户销售额",), ("客户", "1月", "2月", "12月", "合计")]},
    "quarters": {"S": [("客戶", "2024Q1", "Jul-24", "2024Q4", "總計")]},
    "days": {"S": [("客户", date(2024, 1, 1), date(2024, 1, 2), date(2024, 12, 1), "合计")]},
    "German": {"2024": [("Kunde", "Januar", "März", "Dezember", "Summe")]},
}


@pytest.mark.parametrize("sheet", ACROSS.values(), ids=ACROSS)
def test_tables_across_are_taken_apart_by_the_draft(tmp_path, sheet):
    ((name, rows),) = sheet.items()
    body = [(f"甲{n}", n + 1, "-", 3, n + 4) for n in range(8)]
    folder = put(tmp_path / "d", 销售__xlsx={name: [*rows, *body, ("合计", 36, "", 24, 60)]})
    assert refused(folder).code == "cross_table"
    dataset = drafted(folder)
    assert amount_of(dataset) == 60
    assert (dataset.first_date.year, dataset.account["log"]["n_lines"]) == (2024, 16)


def test_year_that_nothing_names_is_the_one_thing_to_fill_in(tmp_path):
    folder = put(tmp_path / "d", a__csv=text_of("客户,一月,二月,合计", [(f"甲{n}", 1, 2, 3) for n in range(6)]))
    (table,) = propose_settings(folder, refused(folder)).tables
    assert table.undecided == ("year",)
    assert amount_of(drafted(folder, instead={"# year = 2026": "year = 2024"})) == 18


def test_months_that_repeat_are_refused(tmp_path):
    rows = [
        ("客户", "2024年", "", "2025年", ""),
        ("", "1月", "2月", "1月", "2月"),
        *[(f"甲{n}", 1, 2, 3, 4) for n in range(6)],
    ]
    folder = put(
        tmp_path / "d", "[tables.transactions.crosstab]\nyear = 2024\n", a__csv=text_of(*[",".join(rows[1]), rows[2:]])
    )
    assert refused(folder).code == "periods_repeat"


# --- what a fault says beside the draft ----------------


def test_fault_names_the_headers_that_the_draft_knows(tmp_path):
    rows = [
        ("编制单位：某公司", "", "单位：人民币万元"),
        ("客户", "日期", "销售收入"),
        *((c, d, a / 100) for c, d, a in ROWS),
    ]
    folder = put(tmp_path / "d", a__xlsx={"S": rows})
    fault, _ = restated(folder, refused(folder))
    assert (fault.details["columns"], fault.details["headers"]) == ("amount", "客户, 日期, 销售收入")
    assert amount_of(drafted(folder)) == TOTAL * 100


@pytest.mark.parametrize(
    ("header", "code"),
    [("订单日期,客户细分,销售额,渠道", "no_customer_column"), ("客户名称,可乐,雪碧,销售额", "no_date_column")],
)
def test_what_is_not_there_is_said_and_not_asked_for(tmp_path, header, code):
    first = "日期" in header
    rows = [(day if first else f"店{n % 6}", "ABC"[n % 3] if first else 1, 5, "店面") for n, day in enumerate(DAYS)]
    rows = rows if first else [(*row[:3], 7) for row in rows]
    folder = put(tmp_path / "d", a__csv=text_of(header, rows))
    fault, proposals = restated(folder, refused(folder))
    assert fault.code == code
    assert proposals is not None
    assert not any(table.can_help for table in proposals.needed)
