"""What real files hold that reads well and means something else: totals, units, currencies, states, ways of writing."""

from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset
from kehu_analysis.errors import DataError

ROWS = [(f"C{n % 6}", f"2026-01-{n + 1:02}", 10 + n) for n in range(20)]
TOTAL = sum(amount for *_, amount in ROWS)


def csv_of(rows, header="客户编号,日期,金额"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""])


def checked(folder, text, settings="", name="transactions.csv", encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode(encoding))
    if settings:
        (folder / "dataset.toml").write_text(settings, encoding="utf-8")
    return check_dataset(folder, cache=folder.parent / "cache")


def amount_of(dataset):
    return Decimal(dataset.account["log"]["amount"])


def failures_of(dataset):
    return {(one.reason, one.n_lines) for one in dataset.failures().itertuples()}


# --- totals, footers, other tables ----------------


TOTALS = {
    "dated": [("合计", "2026-01-31", TOTAL)],
    "undated": [("", "", TOTAL), ("合 计", "", TOTAL)],
    "by month": [("本月合计", "2026-01-31", TOTAL), ("累计", "", TOTAL)],
    "of a region": [("华东小计:", "", TOTAL)],
    "English": [("Grand Total", "", TOTAL)],
    "English, dated": [("Total", "2026-01-31", TOTAL), ("Sub-total:", "2026-01-31", TOTAL)],
}


@pytest.mark.parametrize("below", TOTALS.values(), ids=TOTALS)
def test_totals_are_left_out_and_held_against_the_rows_above(tmp_path, below):
    dataset = checked(tmp_path / "d", csv_of([*ROWS, *(row for row in below if row[0])]))
    assert amount_of(dataset) == TOTAL
    totals = dataset.account["tables"]["transactions"]["totals"]
    assert totals == {"n": sum(bool(row[0]) for row in below), "n_agree": totals["n"]}
    assert not len(dataset.failures())


def test_total_that_differs_is_told(tmp_path):
    dataset = checked(tmp_path / "d", csv_of([*ROWS, ("合计", "2026-01-31", TOTAL + 5)]))
    assert amount_of(dataset) == TOTAL
    assert ("total_differs", 1) in failures_of(dataset)


def test_subtotals_of_parts_agree(tmp_path):
    first, second = ROWS[:8], ROWS[8:]
    sums = [sum(amount for *_, amount in part) for part in (first, second)]
    rows = [*first, ("小计", "", sums[0]), *second, ("小计", "", sums[1]), ("总计", "", sum(sums))]
    totals = checked(tmp_path / "d", csv_of(rows)).account["tables"]["transactions"]["totals"]
    assert totals == {"n": 3, "n_agree": 3}


def test_brand_that_is_called_total_is_no_total(tmp_path):
    rows = [(*row, "Total" if n % 2 else "Shell") for n, row in enumerate(ROWS)]
    assert amount_of(checked(tmp_path / "d", csv_of(rows, "customer_id,date,amount,brand"))) == TOTAL


FOOTERS = {
    "maker": "制表人：张三,,",
    "one cell": "制表：李四  审核：王五",
    "page": "第 1 页 共 3 页,,",
    "English": "Printed on 2026-02-01,,",
    "header again": "客户编号,日期,金额",
}


@pytest.mark.parametrize("line", FOOTERS.values(), ids=FOOTERS)
def test_footers_are_no_errors(tmp_path, line):
    text = csv_of(ROWS[:10]) + line + "\n" + csv_of(ROWS[10:]).split("\n", 1)[1]
    dataset = checked(tmp_path / "d", text)
    assert amount_of(dataset) == TOTAL
    assert set(dataset.line_classes()["line_class"]) == {"accepted", "filtered"}


SECOND = {
    "other width": "地区,负责人\n华东,张\n华北,李\n",
    "same width": "地区,负责人,电话\n华东,张,无\n华北,李,无\n",
    "English": "Returned,Order\nYes,CA-1\nYes,CA-2\n",
}


@pytest.mark.parametrize("below", SECOND.values(), ids=SECOND)
def test_second_table_is_named_with_its_row_and_can_be_ended(tmp_path, below):
    dataset = checked(tmp_path / "d", csv_of(ROWS) + below)
    (found,) = (one for one in dataset.failures().itertuples() if one.reason == "second_table")
    assert (found.first_row, found.n_lines) == (len(ROWS) + 2, 3)
    ended = checked(tmp_path / "d", csv_of(ROWS) + below, f"[tables.transactions]\nlast_row = {len(ROWS) + 1}\n")
    assert not len(ended.failures())
    assert int(ended.line_classes()["n_lines"].sum()) == len(ROWS) + 3


def test_a_few_bad_rows_at_the_end_are_no_second_table(tmp_path):
    dataset = checked(tmp_path / "d", csv_of([*ROWS, ("C1", "soon", 5), ("C2", "later", 6)]))
    assert failures_of(dataset) == {("not_date", 2)}


# --- units and currencies ----------------


@pytest.mark.parametrize(
    ("header", "above", "unit"),
    [
        ("金额(万元)", "", 10_000),
        ("销售额（千元）", "", 1000),
        ("金额", "单位：万元\n", 10_000),
        ("Sales (k)", "", 1000),
        ("amount", "Amounts in USD thousands\n", 1000),
        ("金额（元）", "", 1),
    ],
)
def test_units_of_headers_and_of_lines_above(tmp_path, header, above, unit):
    rows = [(customer, day, f"{amount / 100:.2f}") for customer, day, amount in ROWS]
    dataset = checked(tmp_path / "d", above + csv_of(rows, f"customer_id,date,{header}"))
    assert amount_of(dataset) == Decimal(TOTAL) / 100 * unit


def test_units_in_cells(tmp_path):
    rows = [("a", "2026-01-05", "1.5万"), ("a", "2026-01-06", "-2千元"), ("b", "2026-01-07", "0.001亿")]
    assert amount_of(checked(tmp_path / "d", csv_of(rows))) == 15_000 - 2000 + 100_000


@pytest.mark.parametrize(
    ("header", "names"),
    [("货币", ("USD", "CNY")), ("Currency", ("EUR", "USD")), ("币种", ("人民币", "美元")), ("curr", ("GBP", "EUR"))],
)
def test_several_currencies_are_refused_until_rates_or_a_filter_are_given(tmp_path, header, names):
    rows = [(*row, names[n % 2]) for n, row in enumerate(ROWS)]
    text = csv_of(rows, f"客户编号,日期,金额,{header}")
    with pytest.raises(DataError) as refused:
        checked(tmp_path / "d", text)
    assert refused.value.code == "mixed_currencies"
    rates = (
        f'[tables.transactions.currencies]\ncolumn = "{header}"\nrates = {{ "{names[0]}" = 2.0, "{names[1]}" = 1.0 }}\n'
    )
    once = sum(amount for n, (*_, amount) in enumerate(ROWS) if n % 2 == 0)
    assert amount_of(checked(tmp_path / "d", text, rates)) == TOTAL + once
    kept = f'operator = "equals"\nvalue = "{names[0]}"\nreason = "another currency"\n'
    kept = f'[[tables.transactions.filters]]\ncolumn = "{header}"\n{kept}'
    assert amount_of(checked(tmp_path / "d", text, kept)) == TOTAL - once


def test_signs_of_two_currencies_are_refused(tmp_path):
    rows = [(customer, day, f"{'$' if n % 2 else '€'}{amount}") for n, (customer, day, amount) in enumerate(ROWS)]
    with pytest.raises(DataError) as refused:
        checked(tmp_path / "d", csv_of(rows))
    assert refused.value.code == "mixed_currencies"
    with pytest.raises(DataError) as lacking:
        checked(tmp_path / "d", csv_of(rows), '[tables.transactions.currencies]\nrates = { "$" = 7.0 }\n')
    assert lacking.value.code == "currency_without_rate"


# --- states ----------------


@pytest.mark.parametrize(
    ("header", "sold", "undone"),
    [("订单状态", "交易成功", "退款成功"), ("状态", "已完成", "待付款"), ("Order Status", "Shipped", "Cancelled")],
)
def test_states_that_are_no_sales_are_told_with_rows_and_amount(tmp_path, header, sold, undone):
    rows = [(*row, undone if n < 3 else sold) for n, row in enumerate(ROWS)]
    dataset = checked(tmp_path / "d", csv_of(rows, f"客户编号,日期,金额,{header}"))
    (state,) = dataset.account["tables"]["transactions"]["states"]
    assert (state["column"], state["value"], state["n_lines"]) == (header, undone, 3)
    assert Decimal(state["amount"]) == sum(amount for *_, amount in ROWS[:3])


def test_returns_told_by_a_column_only(tmp_path):
    rows = [(*row, "退货" if n < 3 else "销售") for n, row in enumerate(ROWS)]
    text = csv_of(rows, "客户编号,日期,金额,业务类型")
    assert ("goods_came_back", 3) in failures_of(checked(tmp_path / "d", text))
    said = '[tables.transactions.returns]\ncolumn = "业务类型"\nvalues = ["退货"]\n'
    dataset = checked(tmp_path / "d", text, said)
    assert amount_of(dataset) == TOTAL - 2 * sum(amount for *_, amount in ROWS[:3])
    assert not len(dataset.failures())


# --- cells ----------------


@pytest.mark.parametrize(
    "written",
    [
        ["2026-01-05 星期一", "周二 2026/1/6", "2026年1月7日（星期三）"],
        ["Mon, 5 Jan 2026", "2026-01-06 Tue", "Wednesday 2026-01-07"],
        ["1/5/2026 9:30:00 AM", "1/6/2026 12:05 p.m.", "1/17/2026 11 PM"],
        ["2026/1/5 上午9:30", "2026/1/6 下午 3:05", "2026年1月7日 9时30分"],
        ["5-Jan-26", "06-Jan-2026 10:15:00 PM", "January 7, 2026"],
        ["26年1月5日", "26年01月06日", "26年1月7日"],
    ],
)
def test_dates_with_weekdays_and_halves_of_the_day(tmp_path, written):
    dataset = checked(tmp_path / "d", csv_of([("a", f'"{day}"', 1) for day in written]))
    days = sorted(pd.read_parquet(dataset.path("transactions"))["date"])
    assert days[:2] == [date(2026, 1, 5), date(2026, 1, 6)]
    assert len(days) == 3


@pytest.mark.parametrize(
    ("form", "order"), [("{m}/{d}/{y}", "month_first"), ("{d}.{m}.{y}", "day_first"), ("{y}-{m}-{d}", "year_first")]
)
def test_years_in_two_digits(tmp_path, form, order):
    days = [date(2026, 1, 14 + n) if n < 10 else date(2026, 2, n) for n in range(20)]
    rows = [("a", form.format(d=f"{day.day:02}", m=f"{day.month:02}", y=f"{day.year % 100:02}"), 1) for day in days]
    dataset = checked(tmp_path / "d", csv_of(rows))
    assert (dataset.first_date, dataset.last_date) == (min(days), max(days))
    (style,) = dataset.account["tables"]["transactions"]["styles"].values()
    assert style["date_order"] == order


def test_order_of_a_few_short_dates_is_asked_for(tmp_path):
    rows = [("a", "03-04-05", 1), ("a", "04-05-06", 1)]
    with pytest.raises(DataError) as refused:
        checked(tmp_path / "d", csv_of(rows))
    assert refused.value.code == "date_order_unknown"
    dataset = checked(tmp_path / "d", csv_of(rows), '[tables.transactions]\ndate_order = "year_first"\n')
    assert (dataset.first_date, dataset.last_date) == (date(2003, 4, 5), date(2004, 5, 6))


@pytest.mark.parametrize(
    ("names", "encoding", "found"),
    [
        (["Börse AG", "Münster", "Société Générale"], "cp1252", "cp1252"),
        (["Peña", "Muñoz", "Señor"], "cp1252", "cp1252"),
        (["臺北門市", "歐陽商行", "國際貿易"], "big5", "big5"),
        (["杭州星光便利店", "上海老王超市", "广州批发"], "gb18030", "gb18030"),
        (["Ærø", "日本", "Ωmega"], "utf-8", "utf-8"),
    ],
)
def test_encodings_are_told_apart_and_shown(tmp_path, names, encoding, found):
    rows = [(name, day, amount) for name, (_, day, amount) in zip(names * 4, ROWS, strict=False)]
    dataset = checked(tmp_path / "d", csv_of(rows, "customer,date,amount"), encoding=encoding)
    assert set(pd.read_parquet(dataset.path("customer_keys"))["customer_id"]) == set(names)
    assert dataset.account["tables"]["transactions"]["encodings"] == {"transactions.csv": found}


def test_wrong_encoding_is_said(tmp_path):
    with pytest.raises(DataError) as wrong:
        checked(tmp_path / "d", csv_of([("Ünal", "2026-01-05", 1)]), '[tables.transactions]\nencoding = "ascii"\n')
    assert wrong.value.code == "wrong_encoding"


def test_words_for_nothing_are_no_customers_and_are_counted(tmp_path):
    words = ["NULL", "\\N", "nan", "#N/A", "None", "NULL"]
    dataset = checked(tmp_path / "d", csv_of([*ROWS, *((word, "2026-01-05", 1) for word in words)]))
    assert dataset.account["log"]["n_customers"] == 6
    told = dataset.failures().set_index("example")["n_lines"].to_dict()
    assert told == {"NULL": 2, "\\N": 1, "nan": 1, "#N/A": 1, "None": 1}


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u200e", "\u00ad"])
def test_ids_that_differ_by_what_nobody_sees_are_one(tmp_path, hidden):
    dataset = checked(tmp_path / "d", csv_of([("A1", "2026-01-05", 1), (f"A{hidden}1", "2026-01-06", 2)]))
    assert dataset.account["log"]["n_customers"] == 1
    assert ("invisible_characters", 1) in failures_of(dataset)


def test_ids_of_sixteen_digits_in_number_cells_are_ids_and_told(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "transactions-1.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["customer_id", "date", "amount"])
        sheet.write_row(1, 0, [6222020200012340, 46027, 10])
        sheet.write_row(2, 0, [17, 46027.9999999, 10])
    (folder / "transactions-2.csv").write_text("customer_id,date,amount\n6222020200012340,2026-01-06,5\n")
    dataset = check_dataset(folder, cache=tmp_path / "cache")
    assert sorted(pd.read_parquet(dataset.path("customer_keys"))["customer_id"]) == ["17", "6222020200012340"]
    assert ("rounded_id", 1) in failures_of(dataset)
    days = pd.read_parquet(dataset.path("transactions"))["date"]
    assert sorted(days) == [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 6)]  # a hair below midnight


# --- more than one file, periods across ----------------


def test_cross_table_is_said_to_be_one(tmp_path):
    for number, header in enumerate(("客户,1月,2月,合计", "customer,Jan,Feb,Total", "客户编号,2026-01,2026-02,合计")):
        with pytest.raises(DataError) as refused:
            checked(tmp_path / str(number), f"{header}\nA,1,2,3\nB,4,5,9\n")
        assert refused.value.code == "cross_table"


def test_name_in_the_log_is_used(tmp_path):
    rows = [(customer, f"店{customer}", day, amount) for customer, day, amount in ROWS]
    dataset = checked(tmp_path / "d", csv_of(rows, "会员卡号,会员姓名,消费日期,实收金额"))
    assert dataset.customer_names().to_dict() == {f"C{n}": f"店C{n}" for n in range(6)}


def test_lines_without_an_order_and_orders_without_a_line_are_told(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "orders.csv").write_text("no,customer,date\n1,A,2026-01-05\n2,B,2026-01-06\n3,C,2026-01-07\n")
    said = '[tables.transactions]\nsource = "orders.csv"\nlines = { source = "lines.csv", on = "no" }\n'
    dataset = checked(folder, "no,amount\n1,10\n1,5\n2,20\n9,7\n", said, name="lines.csv")
    assert amount_of(dataset) == 35
    assert failures_of(dataset) >= {("orders_without_lines", 1), ("missing", 1)}


def test_workbook_of_a_newcomer_is_read_without_a_false_word(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "门店会员消费.xlsx") as book:
        day = book.add_format({"num_format": "yyyy/m/d"})
        sheet = book.add_worksheet("2026消费明细")
        sheet.merge_range("A1:F1", "星光便利店会员消费明细表")
        sheet.write_row(2, 0, ["序号", "会员卡号", "会员姓名", "消费日期", "实收金额", "店员"])
        for place, (customer, written, amount) in enumerate(ROWS, start=3):
            paid = -amount if place == 7 else amount  # a refund
            sheet.write_row(place, 0, [place - 2, f"88{customer}", f"会员{customer}"])
            sheet.write_datetime(place, 3, datetime.fromisoformat(written), day)
            sheet.write_row(place, 4, [paid, "王芳"])
        end = len(ROWS) + 3
        refunded = 2 * ROWS[4][2]
        sheet.write_string(end, 0, "合计")
        sheet.write_number(end, 4, TOTAL - refunded)
        sheet.write_row(end + 1, 0, ["制表人：王芳", "", "", "审核："])
    dataset = check_dataset(folder, cache=tmp_path / "cache")
    assert amount_of(dataset) == TOTAL - refunded
    assert not len(dataset.failures())
    assert dataset.account["tables"]["transactions"]["totals"] == {"n": 1, "n_agree": 1}
    assert dataset.customer_names()["88C0"] == "会员C0"


def test_header_that_is_cut_off_is_refused_before_the_lines_are_read(tmp_path):
    names = ",".join(f"column_{n}" for n in range(400_000))
    with pytest.raises(DataError) as refused:
        checked(tmp_path / "d", f"客户编号,日期,金额,{names}\nA,2026-01-05,1\n")
    assert refused.value.code == "too_wide"


WIDE = [f"column_{n}" for n in range(20_000)]


@pytest.mark.parametrize("title", ["", "销售明细\n\n"])
def test_of_very_many_columns_those_that_are_needed_are_read(tmp_path, title):
    # One of them stands at the far end, in one row behind a value of two lines; one line is short, one is blank.
    header = ",".join(["客户编号", "日期", *WIDE, "金额"])
    line = ",".join(['"1\n,2"', *["1"] * 19_999])
    lines = [f"A,2026-01-05,{line},10.5", "", f"B,2026-01-06,{line},20", "C,2026-01-07,1", f"D,2026-01-08,{line},x"]
    dataset = checked(tmp_path / "d", "\n".join([f"{title}{header}", *lines, ""]))
    assert amount_of(dataset) == 30.5
    account = dataset.account["tables"]["transactions"]
    assert (len(account["unused_headers"]), account["n_columns_left_out"]) == (998, 19_002)
    rejected = dataset.rejected()
    top = title.count("\n") + 1
    assert rejected["row"].tolist() == [top + 4, top + 5]
    assert rejected["reason"].tolist() == ["broken_line", "not_money"]
    assert rejected["value"][0].startswith("C,2026-01-07,1")


def test_of_very_many_columns_of_a_sheet_those_that_are_needed_are_read(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "transactions.xlsx") as book:
        sheet = book.add_worksheet()
        for row, values in enumerate((["客户编号", "日期", "金额"], ["A", "2026-01-05", 10], ["B", "2026-01-06", 20])):
            sheet.write_row(row, 0, values[:2])
            sheet.write_row(row, 2, WIDE[:5000] if row == 0 else [1] * 5000)
            sheet.write(row, 5002, values[2])
    dataset = check_dataset(folder, cache=tmp_path / "cache")
    assert amount_of(dataset) == 30
    assert dataset.account["tables"]["transactions"]["n_columns_left_out"] == 4002
