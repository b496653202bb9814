"""What is written in one format is read back the same from every other, and what people write is read exactly."""

import gzip
import shutil
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.data import check_dataset
from kehu_analysis.data.checking.parse import column_value
from kehu_analysis.data.checking.texts import Style
from kehu_analysis.data.schema import contract

FILES = Path(__file__).parent / "files"
HEADER = ["客户编号", "日期", "金额", "客户名称", "产品编号"]
ROWS = [
    ["00017", "2026-01-05", "1234.5", "甲店", "0001"],
    ["9007199254740993", "2026-01-06", "-12", "北京朝阳分店", "00012345678901234567890"],
    ["1001", "2026-02-28", "0.01", "Müller & Co", "P 3"],
    ["客户乙", "2026-03-31", "0", 'O\'Brien "x", Ltd', "=1+1"],
]
ACCEPTED = [(row[0], date.fromisoformat(row[1]), Decimal(row[2]), row[4]) for row in ROWS]


def accepted(dataset):
    rows = pd.read_parquet(dataset.path("transactions"))
    return list(zip(rows["customer_id"], rows["date"], rows["amount"], strict=True))


def as_text(delimiter=","):
    lines = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [HEADER, *ROWS])
    return "\n".join(line.replace('","', f'"{delimiter}"') for line in lines) + "\n"


def write_workbook(path, rows, *, native=False, sheet="Sheet1"):
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        day = book.add_format({"num_format": "yyyy/m/d"})
        made = book.add_worksheet(sheet)
        for place, row in enumerate(rows):
            for column, cell in enumerate(row):
                if native and place and column == 1:
                    made.write_datetime(place, column, datetime.fromisoformat(cell), day)
                elif native and place and column == 2:
                    made.write_number(place, column, float(cell))
                else:
                    made.write_string(place, column, cell)


WRITERS = {
    "UTF-8": lambda folder: (folder / "transactions.csv").write_bytes(as_text().encode()),
    "UTF-8 with a mark": lambda folder: (folder / "transactions.csv").write_bytes(as_text(";").encode("utf-8-sig")),
    "GBK": lambda folder: (folder / "transactions.csv").write_bytes(as_text().replace("ü", "u").encode("gbk")),
    "GB18030": lambda folder: (folder / "transactions.tsv").write_bytes(as_text("\t").encode("gb18030")),
    "UTF-16": lambda folder: (folder / "transactions.txt").write_bytes(as_text("\t").encode("utf-16")),
    "packed": lambda folder: (folder / "transactions.csv.gz").write_bytes(gzip.compress(as_text().encode("gb18030"))),
    "Excel, texts": lambda folder: write_workbook(folder / "transactions.xlsx", [HEADER, *ROWS]),
    "Excel, days and numbers": lambda folder: write_workbook(
        folder / "transactions.xlsx", [HEADER, *ROWS], native=True
    ),
    "Parquet, texts": lambda folder: pd.DataFrame(ROWS, columns=HEADER).to_parquet(folder / "transactions.parquet"),
    "Parquet, days and numbers": lambda folder: (
        pd.DataFrame(ROWS, columns=HEADER)
        .assign(日期=[row[1] for row in ACCEPTED], 金额=[row[2] for row in ACCEPTED])
        .to_parquet(folder / "transactions.parquet")
    ),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_rows(folder, form):
    WRITERS[form](folder)
    dataset = check_dataset(folder)
    rows = pd.read_parquet(dataset.path("transactions"))
    found = zip(rows["customer_id"], rows["date"], rows["amount"], rows["product_id"], strict=True)
    assert sorted(found) == sorted(ACCEPTED)
    assert dataset.failures()["reason"].tolist() == []


def test_the_old_format_of_excel(folder):
    shutil.copy(FILES / "transactions.xls", folder)
    assert sorted(accepted(check_dataset(folder))) == [
        ("00017", date(2026, 1, 5), Decimal("1234.5")),
        ("1001", date(2026, 2, 1), Decimal("1234.5")),
        ("9007199254740993", date(2026, 1, 6), Decimal("1234.5")),
        ("北京朝阳分店", date(2026, 3, 31), Decimal("-12")),
        ("甲店", date(2026, 1, 5), Decimal("-3.25")),
    ]


def test_an_id_that_excel_has_rounded_is_doubted(folder):
    with xlsxwriter.Workbook(folder / "transactions.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER[:3])
        sheet.write_row(1, 0, [6222021234567890123, "2026-01-05", 1])
        sheet.write_row(2, 0, [123456789012345, "2026-01-05", 1])
        sheet.write_row(3, 0, ["6222021234567890123", "2026-01-05", 1])
    dataset = check_dataset(folder)
    ids = [row[0] for row in accepted(dataset)]
    assert {"123456789012345", "6222021234567890123"} < set(ids)
    assert dataset.failures()[["reason", "column", "n_lines", "first_row"]].values.tolist() == [
        ["rounded_id", "customer_id", 1, 2]
    ]


def test_a_workbook_as_people_keep_it(folder):
    """Title rows, a sheet a month, notes, a hidden and an empty sheet, formulas, merged cells, a row of totals."""
    with xlsxwriter.Workbook(folder / "2026年.xlsx") as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        book.add_worksheet("封面")
        for month, amount in (("1月", 10), ("2月", 20.5)):
            sheet = book.add_worksheet(month)
            sheet.merge_range("A1:C1", f"{month}销售明细")
            sheet.write_row(2, 0, ["客户编号", "日期", "金额"])
            sheet.write_string(3, 0, "007")
            sheet.write_datetime(3, 1, datetime(2026, int(month[0]), 5), day)
            sheet.write_formula(3, 2, f"={amount}*1", None, amount)
            sheet.write_row(5, 0, ["0008", 46027, amount])
            sheet.write_blank(9, 0, None, day)
            sheet.write_string(10, 0, "合计")
            sheet.write_number(10, 2, 2 * amount)
        book.add_worksheet("说明").write_string(0, 0, "金额含税")
        hidden = book.add_worksheet("旧数据")
        hidden.write_row(0, 0, ["客户编号", "日期", "金额"])
        hidden.write_row(1, 0, ["9", "2026-01-05", 99])
        hidden.hide()
    dataset = check_dataset(folder)
    assert sorted(accepted(dataset)) == [
        ("0008", date(2026, 1, 5), Decimal("10")),
        ("0008", date(2026, 1, 5), Decimal("20.5")),
        ("007", date(2026, 1, 5), Decimal("10")),
        ("007", date(2026, 2, 5), Decimal("20.5")),
    ]
    # A total is not counted once more, and held against the rows above.
    assert dataset.rejected().empty
    lines = dataset.line_classes().set_index("reason")
    assert lines.loc["total_row", ["line_class", "n_lines", "amount"]].tolist() == ["filtered", 2, 61.0]
    assert dataset.account["tables"]["transactions"]["totals"] == {"n": 2, "n_agree": 2}
    passed_over = dataset.account["tables"]["transactions"]["sheets_passed_over"]
    assert passed_over == ["2026年.xlsx [封面]", "2026年.xlsx [说明]"]


# --- values ----------------


@pytest.fixture(scope="module")
def values():
    """Return a function that reads texts as a column of the contract."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def read(name, texts, style):
        column = contract()["transactions"].column(name)
        value = column_value(column, "t", "VARCHAR", "Asia/Shanghai", style)
        found = connection.execute(f"SELECT {value} FROM (SELECT unnest($texts) AS t)", {"texts": texts})
        return [row[0] for row in found.fetchall()]

    yield read
    connection.close()


AMOUNTS = st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False)
WIDE = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


@given(amount=AMOUNTS)
def test_amounts_are_read_exactly_in_every_form(values, amount):
    size, sign = abs(amount), "-" if amount < 0 else ""
    plain, grouped = f"{amount:.2f}", f"{sign}{size:,.2f}"
    forms = [plain, grouped, grouped.translate(WIDE), f"{sign}¥{size:,.2f}", f"￥{plain}" if not sign else plain]
    forms += [
        f"{plain}元",
        f"  {plain}\u3000",
        f"\u2212{size:.2f}" if sign else plain,
        f"{sign}{size:,.2f}".replace(",", " "),
    ]
    if sign:
        forms += [f"({size:,.2f})", f"({size:.2f})", f"{size:,.2f}-", f"（{size:.2f}）", f"-¥{size:.2f}"]
    assert values("amount", forms, Style()) == [amount] * len(forms)
    swapped = f"{sign}{size:,.2f}".translate(str.maketrans(",.", ".,"))
    assert values("amount", [swapped, swapped.replace(".", "")], Style(decimal_mark=",")) == [amount] * 2


@given(text=st.text(st.sampled_from("0123456789.,-+()￥¥元eEx %/:年月日一"), max_size=12))
def test_no_text_that_is_no_number_becomes_one(values, text):
    (found,) = values("amount", [text], Style())
    if found is None:
        return
    plain = text.strip(" ")
    digits = "".join(one for one in plain if one.isdigit())
    assert digits
    assert not set(plain) & set("x%/:年月日一")
    assert sum(plain.count(sign) for sign in "-(") <= 1 or "e" in plain.lower()
    assert plain.count(".") <= 1
    if "e" not in plain.lower():
        kept = plain.translate(str.maketrans("", "", ",-+()￥¥元 "))
        assert abs(found) == abs(Decimal(kept).quantize(Decimal("0.0001"), "ROUND_HALF_UP"))


@given(day=st.dates(date(1954, 10, 4), date(2119, 1, 10)))
def test_days_are_read_exactly_in_every_form(values, day):
    serial = (day - date(1899, 12, 30)).days
    y, m, d = day.year, day.month, day.day
    forms = [f"{day}", f"{y}/{m}/{d}", f"{y}.{m}.{d}", f"{y}{m:02}{d:02}", f"{y}年{m}月{d}日", f"{y}年{m:02}月{d:02}日"]
    forms += [f"{y}-{m}-{d}", f"{y}/{m:02}/{d:02} 8:05", f"{day} 23:59:59", f"{day}T00:00", f"{serial}", f"{serial}.75"]
    forms += [f"{day}T12:00:00+08:00", f"{y}/{m}/{d} 下午3:05", f"{day}".translate(WIDE), f" {day}\u3000"]
    assert values("date", forms, Style()) == [day] * len(forms)
    for order, last in (("day_first", f"{d}/{m}/{y}"), ("month_first", f"{m}/{d}/{y}")):
        written = [last, last.replace("/", "-"), last.replace("/", "."), f"{last} 10:30"]
        assert values("date", written, Style(date_order=order)) == [day] * 4


@given(day=st.dates(date(1954, 10, 4), date(2119, 1, 10)), n_days=st.integers(1, 40))
def test_a_day_that_no_month_has_is_none(values, day, n_days):
    last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    y, m, d = last.year, last.month, last.day + n_days
    forms = [
        f"{y}-{m:02}-{d:02}",
        f"{y}/{m}/{d}",
        f"{y}年{m}月{d}日",
        f"{d}/{m}/{y}",
        f"{y}-13-{day.day:02}",
        f"{y}/0/1",
    ]
    assert values("date", forms, Style()) == [None] * len(forms)
