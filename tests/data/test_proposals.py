"""Settings proposed for data whose headers, files, dates or numbers are not recognised."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset, contract
from kehu_analysis.data.proposals import propose_settings
from kehu_analysis.data.proposing.likeness import LIKE, likeness
from kehu_analysis.data.reading import samples, sources
from kehu_analysis.data.reading.sources import find_files
from kehu_analysis.data.reading.spreadsheet import sheets_of
from kehu_analysis.data.reading.text_files import distinct
from kehu_analysis.data.settings import TableSettings
from kehu_analysis.errors import DataError

_RANDOM = random.Random(7)
#: A quarter of a log: customer, ISO date, amount with returns, product, order.
ROWS = [
    (
        f"{_RANDOM.randint(1, 60):05d}",
        f"2026-{month:02d}-{day:02d}",
        f"{_RANDOM.gammavariate(2, 50) * _RANDOM.choice([1, 1, 1, 1, -1]):.2f}",
        f"P{_RANDOM.randint(1, 8)}",
        f"D{month:02d}{day:02d}-{order // 2}",
    )
    for month in (1, 2, 3)
    for day in range(1, 28)
    for order in range(4)
]


def table(header: str, *columns: int, delimiter: str = ",", above: str = "") -> str:
    lines = [delimiter.join(row[place] for place in columns) for row in ROWS]
    return "\n".join([*above.splitlines(), header.replace(",", delimiter), *lines, ""])


def proposed(folder: Path, name: str = "transactions"):
    return next(one for one in propose_settings(folder).tables if one.table == name)


def chosen(folder: Path) -> dict[str, str | None]:
    return {one.column: one.chosen for one in proposed(folder).columns}


@pytest.fixture
def put(folder):
    def _put(**files: str | bytes) -> Path:
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return _put


# --- columns ----------------

UNKNOWN = {
    "购货单位,过账日,净额,品类,单据": ("购货单位", "过账日", "净额"),
    "Sold-to Pt,PstngDate,Net Val.,Matl Group,Doc": ("Sold-to Pt", "PstngDate", "Net Val."),
    "Buyer Code,Posting Dt,Amt (LC),Item,Document": ("Buyer Code", "Posting Dt", "Amt (LC)"),
    "往来户,记账日,货款合计,料号,凭证": ("往来户", "记账日", "货款合计"),
    "Custmer_id,dat,amuont,Item,Doc": ("Custmer_id", "dat", "amuont"),
    # Names that say nothing: the only column of days, of money, of codes that come back on other days.
    "f1,f2,f3": ("f1", "f2", "f3"),
}


@pytest.mark.parametrize("header", UNKNOWN)
def test_unknown_headers_are_proposed_by_name_and_values(put, header):
    folder = put(sales__csv=table(header, *range(header.count(",") + 1)))
    assert chosen(folder) == dict(zip(("customer_id", "date", "amount"), UNKNOWN[header], strict=True))
    assert proposed(folder).undecided == ()


def test_a_candidate_comes_with_values_and_what_speaks_for_it(put):
    date = proposed(put(sales__csv=table("购货单位,过账日,净额", 0, 1, 2))).columns[1]
    assert (date.column, date.fault, date.named) == ("date", "missing", "")
    best = date.candidates[0]
    assert best.samples == ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05")
    assert (best.readable, best.likeness >= LIKE, best.plausibility) == (1, True, 1)


def test_what_cannot_be_read_is_left_to_the_analyst(put):
    folder = put(sales__csv=table("客户编号,日期,金额说明", 0, 1, 3))
    amount = proposed(folder).columns[0]
    assert (amount.column, amount.chosen) == ("amount", None)
    assert [one.readable for one in amount.candidates] == [0.0]
    assert proposed(folder).undecided == ("amount",)


def test_a_column_read_in_part_is_shown_but_not_chosen(put):
    text = table("客户编号,日期,净额", 0, 1, 2) + "1,2026-03-28,待定\n" * 40
    amount = proposed(put(sales__csv=text)).columns[0]
    assert amount.chosen is None
    assert 0.85 < amount.candidates[0].readable < 0.95


def test_a_remark_is_no_customer_and_an_order_is_none_either(put):
    lines = "".join(f"{row[4]},{row[1]},{row[2]},note {number}\n" for number, row in enumerate(ROWS))
    folder = put(sales__csv="belegnr,日期,金额,remark\n" + lines)
    customer = proposed(folder).columns[0]
    assert (customer.column, customer.chosen) == ("customer_id", None)
    assert "belegnr" in [one.header for one in customer.candidates]


def test_two_codes_that_come_back_cannot_be_told_apart(put):
    text = "".join(f"{row[0]},{row[1]},{row[2]},A{row[0][::-1]}\n" for row in ROWS)
    assert chosen(put(sales__csv="f1,日期,金额,f4\n" + text)) == {"customer_id": None}


def test_of_two_that_are_recognised_the_plainer_name_is_taken(put):
    folder = put(sales__csv=table("客户编号,发货日期,订单日期,含税金额,金额", 0, 1, 1, 2, 2))
    assert chosen(folder) == {"date": "订单日期", "amount": "金额"}
    assert [one.fault for one in proposed(folder).columns] == ["ambiguous", "ambiguous"]
    assert proposed(folder).unused == ("发货日期", "含税金额")


def test_of_two_unknown_dates_the_one_of_the_sale_is_taken_or_none(put):
    assert chosen(put(sales__csv=table("客户编号,制单日,过账日,金额", 0, 1, 1, 2))) == {"date": "过账日"}
    assert chosen(put(sales__csv=table("客户编号,制单日,登记日,金额", 0, 1, 1, 2))) == {"date": None}


def test_a_header_that_the_file_has_twice(put):
    assert chosen(put(sales__csv=table("客户编号,日期,金额,金额", 0, 1, 2, 2))) == {"amount": "金额"}


@pytest.mark.parametrize(
    "header", ["客户编号,日期,数量,单价", "客户编号,日期,发货数,成交价", "customer,date,qty,Unit Price"]
)
def test_without_an_amount_quantity_times_price(put, header):
    lines = "".join(f"{row[0]},{row[1]},{number % 5 + 1},{abs(float(row[2]))}\n" for number, row in enumerate(ROWS))
    found = proposed(put(sales__csv=f"{header}\n{lines}"))
    assert found.amount_from is not None
    assert [found.amount_from.quantity, found.amount_from.unit_price] == header.split(",")[2:]
    assert (found.columns[0].chosen, found.undecided) == (None, ())


def test_an_amount_goes_before_the_product(put):
    lines = "".join(f"{row[0]},{row[1]},2,9.5,{row[2]}\n" for row in ROWS)
    found = proposed(put(sales__csv=f"客户编号,日期,数量,单价,净额\n{lines}"))
    assert (found.amount_from, found.columns[0].chosen) == (None, "净额")


def test_settings_that_name_what_is_not_there(put):
    settings = 'currency = "USD"\n[tables.transactions.columns]\ndate = "Dat of Sale"\ncustomer_id = "who"\n'
    folder = put(transactions__csv=table("who,Date of Sale,sales", 0, 1, 2), dataset__toml=settings)
    found = proposed(folder)
    assert [(one.column, one.fault, one.named, one.chosen) for one in found.columns] == [
        ("date", "named", "Dat of Sale", "Date of Sale")
    ]
    assert found.kept == {"columns": {"customer_id": "who"}}
    assert propose_settings(folder).settings.currency == "USD"


def test_an_optional_column_that_is_not_there_is_no_obstacle(put):
    settings = '[tables.transactions.columns]\nchannel = "route"\n'
    found = proposed(put(transactions__csv=table("customer_id,date,amount", 0, 1, 2), dataset__toml=settings))
    assert [(one.column, one.chosen) for one in found.columns] == [("channel", None)]
    assert found.undecided == ()


def test_a_product_that_is_not_there(put):
    settings = '[tables.transactions.amount_from]\nquantity = "n"\nunit_price = "price"\n'
    found = proposed(put(transactions__csv=table("customer_id,date,净额", 0, 1, 2), dataset__toml=settings))
    assert (found.columns[0].column, found.columns[0].chosen, found.kept) == ("amount", "净额", {})


def test_only_headers_that_every_file_has_are_proposed(put):
    first, second = table("购货单位,日期,金额", 0, 1, 2), table("买方,日期,金额", 0, 1, 2)
    found = proposed(put(**{"transactions-1__csv": first, "transactions-2__csv": second}))
    assert [(one.column, one.candidates) for one in found.columns] == [("customer_id", ())]
    assert not found.can_help


def test_files_may_be_recognised_by_different_names(put):
    first, second = table("客户编号,日期,净额", 0, 1, 2), table("客户代码,日期,净额", 0, 1, 2)
    folder = put(**{"transactions-1__csv": first, "transactions-2__csv": second})
    assert chosen(folder) == {"amount": "净额"}


def test_likeness_holds_words_apart():
    log = contract()["transactions"]
    for column, header, rival in [
        ("customer_id", "Bill-to Customer", "Product No"),
        ("customer_id", "门店编码", "产品编码"),
        ("date", "记账日", "到期日"),
        ("amount", "不含税净额", "税额"),
        ("amount", "Net", "Netherlands"),
        ("amount", "Extended Amt", "Unit Price"),
    ]:
        assert likeness(header, log.column(column)) > LIKE > likeness(rival, log.column(column)), header


# --- dates and numbers ----------------


def days(order: str, *, shuffled: bool = False) -> str:
    rows = [row for row in ROWS if int(row[1][8:]) <= 12]
    if shuffled:
        rows = random.Random(3).sample(rows, len(rows))
    texts = [(row[1][8:], row[1][5:7]) if order == "day_first" else (row[1][5:7], row[1][8:]) for row in rows]
    lines = (f"{row[0]},{one}/{two}/2025,{row[2]}" for row, (one, two) in zip(rows, texts, strict=True))
    return "\n".join(["客户编号,日期,金额", *lines, ""])


@pytest.mark.parametrize("order", ["day_first", "month_first"])
def test_a_log_that_runs_on_tells_day_from_month(put, order):
    styles = proposed(put(sales__csv=days(order))).styles
    assert [(one.setting, one.chosen) for one in styles] == [("date_order", order)]
    assert styles[0].example.endswith("/2025")


def test_a_log_in_no_order_does_not(put):
    found = proposed(put(sales__csv=days("day_first", shuffled=True)))
    assert ([one.chosen for one in found.styles], found.undecided) == ([None], ("date_order",))


def test_days_that_have_not_come_yet_tell_it_too(put):
    today = pd.Timestamp.today()
    text = f"客户编号,日期,金额\n1,03/01/{today.year},1\n2,12/01/{today.year},2\n3,02/01/{today.year},2\n"
    # In the first days of January both readings lie in the future, in December neither does.
    expected = "day_first" if pd.Timestamp(today.year, 1, 11) <= today < pd.Timestamp(today.year, 11, 30) else None
    assert [one.chosen for one in proposed(put(sales__csv=text)).styles] == [expected]


def test_the_decimal_mark_is_always_asked(put):
    text = "客户编号;日期;金额\n1;2026-01-05;1.234\n2;2026-01-06;5.678\n"
    styles = proposed(put(sales__csv=text)).styles
    assert [(one.setting, one.example, one.chosen) for one in styles] == [("decimal_mark", "1.234", None)]


def test_the_check_saw_more_than_the_beginning(put):
    folder = put(sales__csv=table("客户编号,日期,金额", 0, 1, 2))
    fault = DataError("date_order_mixed", table="transactions", path="sales.csv", example="13/01/2026")
    found = next(one for one in propose_settings(folder, fault).tables if one.table == "transactions")
    assert [(one.setting, one.example, one.chosen) for one in found.styles] == [("date_order", "13/01/2026", None)]


# --- files and sheets ----------------


def test_files_of_foreign_names(put):
    log = table("购货单位,过账日,净额,品类,单据", 0, 1, 2, 3, 4)
    customers = "客户编码,客户名称,城市\n" + "".join(f"{n:05d},甲{n},杭州\n" for n in range(60))
    folder = put(export_1__csv=log, export_2__csv=log, kehu__csv=customers, notes__csv="a,b\nx,y\n")
    found = {one.table: one for one in propose_settings(folder).tables}
    assert list(found) == ["transactions", "customers"]
    assert (found["transactions"].source, found["transactions"].source_is_sure) == (
        ("export_1.csv", "export_2.csv"),
        True,
    )
    assert (found["customers"].source, found["customers"].source_is_sure) == (("kehu.csv",), True)


def test_a_second_log_under_other_headers_is_never_passed_over(put):
    """To name one of two logs would lose the sales of the other without a word."""
    folder = put(y2025__csv=table("购货单位,过账日,净额", 0, 1, 2), y2026__csv=table("客户,日期,金额", 0, 1, 2))
    found = proposed(folder)
    assert (found.source, found.rivals, found.source_is_sure) == (("y2026.csv",), ("y2025.csv",), False)
    assert found.undecided == ("source",)


def test_foreign_files_beside_a_log_are_only_mentioned(put):
    customers = "客户编码,客户名称,城市\n" + "".join(f"{n:05d},甲{n},杭州\n" for n in range(60))
    folder = put(transactions__csv=table("购货单位,日期,金额", 0, 1, 2), kehu__csv=customers)
    found = proposed(folder, "customers")
    assert (found.source, found.source_is_sure) == (("kehu.csv",), False)


def test_a_source_that_is_not_there(put):
    folder = put(
        a__csv=table("购货单位,日期,金额", 0, 1, 2),
        b__csv="x,y\n1,2\n",
        dataset__toml='[tables.transactions]\nsource = "c.csv"\nfiles_may_differ = true\n',
    )
    found = proposed(folder)
    assert (found.source, found.kept) == (("a.csv",), {"files_may_differ": True})


def workbook(path: Path, **sheets: list[list[str]]) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)


def test_the_sheet_and_the_header_below_a_title_are_found(folder):
    rows = [
        ["2026年一季度销售台账"],
        ["单位：元", "制表：财务"],
        [],
        ["购货单位", "过账日", "净额"],
        *(r[:3] for r in ROWS),
    ]
    workbook(
        folder / "book.xlsx", 封面=[["说明"], ["本工作簿由财务部整理", "请勿外传"]], 台账=[list(row) for row in rows]
    )
    found = proposed(folder)
    assert (found.sheets, found.files) == (("台账",), ("book.xlsx [台账]",))
    assert chosen(folder) == {"customer_id": "购货单位", "date": "过账日", "amount": "净额"}


def test_months_on_sheets_of_their_own(folder):
    header = [["购货单位", "过账日", "净额"]]
    workbook(
        folder / "book.xlsx", a=header + [list(r[:3]) for r in ROWS[:99]], b=header + [list(r[:3]) for r in ROWS[99:]]
    )
    assert proposed(folder).sheets == ("a", "b")


def test_a_sheet_that_the_settings_name_wrongly(folder):
    workbook(
        folder / "book.xlsx", a=[["客户", "日期", "金额"], *(list(r[:3]) for r in ROWS)], b=[["x", "y"], ["1", "2"]]
    )
    (folder / "dataset.toml").write_text('[tables.transactions]\nsheet = "c"\n')
    found = proposed(folder)
    assert (found.sheets, found.kept) == (("a",), {})


# --- reading the beginning ----------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_a_long_file_is_read_in_part_in_any_encoding(put, encoding, monkeypatch):
    monkeypatch.setattr(samples, "_N_BYTES", 4099)
    text = "购货单位,过账日,净额,备注\n" + "".join(f"{','.join(row[:3])},甲乙丙丁\n" for row in ROWS)
    folder = put(sales__csv=text.encode(encoding))
    assert chosen(folder) == {"customer_id": "购货单位", "date": "过账日", "amount": "净额"}
    (folder / "sales.csv").unlink()
    (folder / "sales.csv.gz").write_bytes(gzip.compress(text.encode(encoding)))
    assert chosen(folder) == {"customer_id": "购货单位", "date": "过账日", "amount": "净额"}


def test_of_a_long_file_no_more_is_read(put, monkeypatch):
    monkeypatch.setattr(samples, "N_ROWS", 50)
    text = table("购货单位,日期,净额", 0, 1, 2) + "1,2026-01-01,nothing like an amount\n" * 500
    assert chosen(put(sales__csv=text)) == {"customer_id": "购货单位", "amount": "净额"}


def test_parquet_with_its_own_types(folder):
    frame = pd.DataFrame(
        {
            "购货单位": [int(row[0]) for row in ROWS],
            "过账日": pd.to_datetime([row[1] for row in ROWS]),
            "净额": [float(row[2]) for row in ROWS],
        }
    )
    frame.to_parquet(folder / "sales.parquet")
    assert chosen(folder) == {"customer_id": "购货单位", "date": "过账日", "amount": "净额"}


def test_without_a_header_nothing_is_chosen(put):
    found = proposed(put(sales__csv=table("", 0, 1, 2).removeprefix("\n")))
    assert (found.has_header, found.undecided) == (False, ("customer_id", "date", "amount"))


STRANGE = {
    "nothing": {},
    "empty": {"transactions__csv": ""},
    "blank": {"transactions__csv": "\n\n\n"},
    "bytes": {"transactions__csv": bytes(range(256)) * 20},
    "one cell": {"transactions__csv": "x"},
    "header only": {"transactions__csv": "a,b,c\n"},
    "an open quote": {"transactions__csv": 'a,b,c\n"' + "x" * 300_000},
    "NUL bytes": {"transactions__csv": "a,b,c\n1,\0,2\n"},
    "a zip": {"transactions__xlsx": b"PK\x03\x04\x14\x00\x08"},
    "no Parquet": {"transactions__parquet": "PAR1"},
    "half a gzip": {"transactions__csv.gz": gzip.compress(b"a,b\n1,2\n")[:12]},
    "no settings": {"transactions__csv": "a,b\n1,2\n", "dataset__toml": "="},
    "wrong settings": {"transactions__csv": "a,b\n1,2\n", "dataset__toml": "x = 1"},
    "one column of many": {"transactions__csv": ",".join(f"c{n}" for n in range(1000)) + "\n" + ",".join("1" * 1000)},
    "quotes and marks": {"transactions__csv": '"a\'""b",]],\\,\'\n1,2026-01-05,2,3\n'},
    "reserved names": {"transactions__csv": "_source_file,_source_row,text\n1,2,3\n"},
    "all missing": {"transactions__csv": "a,b,c\n,,\n,,\n"},
}


@pytest.mark.parametrize("case", STRANGE)
def test_nothing_is_raised_for_what_the_data_are(put, case):
    folder = put(**STRANGE[case])
    found = propose_settings(folder)
    assert all(one.chosen is None or one.candidates for table in found.tables for one in table.columns)
    assert not list(Path(folder).glob(".*"))
    assert propose_settings(folder / "transactions.csv").name


def test_what_is_no_place_proposes_nothing(folder):
    assert propose_settings("/no/such").tables == ()
    assert propose_settings(folder / ("x" * 3000)).tables == ()


def test_sound_data_need_nothing(put):
    folder = put(transactions__csv=table("customer_id,date,amount", 0, 1, 2))
    assert propose_settings(folder).needed == ()
    assert proposed(folder).recognised == {"customer_id": "customer_id", "date": "date", "amount": "amount"}
    assert propose_settings(check_dataset(folder).snapshot).needed == ()


def test_a_row_that_says_the_same_thousands_of_times_is_named_at_once():
    names = distinct(["x", "X", "x (2)", *["x"] * 50_000])
    assert names[:5] == ["x", "X (2)", "x (2) (2)", "x (3)", "x (4)"]
    assert len({name.lower() for name in names}) == len(names)


def test_a_workbook_is_opened_once_to_learn_its_sheets(folder, monkeypatch):
    workbook(folder / "book.xlsx", a=[["x", "y"], ["1", "2"]], 客户=[["客户编号"], ["1"]])
    asked = []
    monkeypatch.setattr(sources, "sheets_of", lambda path, shown: asked.append(path) or sheets_of(path, shown))
    found = [name for name, one in contract().items() if find_files(folder, one, TableSettings())]
    assert (found, len(asked)) == (["transactions", "customers"], 1)
