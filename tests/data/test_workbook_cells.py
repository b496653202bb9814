"""What cells of a workbook hold: days in both systems, formatted or bare, long ids, values of merged cells."""

import shutil
from datetime import date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset
from kehu_analysis.data.proposing.candidates import look_at
from kehu_analysis.data.reading.samples import take_samples
from kehu_analysis.intake import understood

FILES = Path(__file__).parent / "files"
HEADERS = ["订单号", "客户编号", "日期", "金额"]
#: Number of the day 2026-01-05 in each system.
FIFTH = {False: 46027, True: 44565}


def write(path, rows, *, merged=(), from_1904=False, headers=HEADERS, top=0):
    """Write rows below a header in row ``top``; ``merged`` has blocks as rows and columns, from 0."""
    with xlsxwriter.Workbook(path, {"date_1904": from_1904, "default_date_format": "yyyy/m/d hh:mm"}) as book:
        sheet = book.add_worksheet("明细")
        sheet.write_row(top, 0, headers)
        values = {}
        for number, row in enumerate(rows, start=top + 1):
            for column, value in enumerate(row):
                values[number, column] = value
        for first_row, first, last_row, last in merged:
            sheet.merge_range(first_row, first, last_row, last, "")
        for (row, column), value in values.items():
            if isinstance(value, tuple):
                sheet.write(row, column, value[0], book.add_format({"num_format": value[1]}))
            elif value is not None:
                sheet.write(row, column, value)


def accepted(dataset):
    return pd.read_parquet(dataset.path("transactions")).sort_values("order_id", ignore_index=True)


@pytest.mark.parametrize("from_1904", [False, True])
def test_bare_numbers_of_days_are_the_days_that_formatted_ones_are(folder, from_1904):
    day = FIFTH[from_1904]
    dates = [datetime(2026, 1, 5, 9, 30), day, day + 0.75, day - 0.00000001, (day + 0.4, "d-mmm"), "2026-01-05"]
    write(
        folder / "transactions.xlsx",
        [[f"S{n}", "C1", one, 10] for n, one in enumerate(dates)],
        from_1904=from_1904,
    )
    dataset = check_dataset(folder)
    assert set(accepted(dataset)["date"].astype(str)) == {"2026-01-05"}
    assert ("1904" in dict(understood.understood(dataset, "en"))["How it was read"]) is from_1904


def test_a_day_that_is_text_or_in_another_file_counts_from_1900_still(folder):
    write(folder / "transactions-1.xlsx", [["S1", "C1", FIFTH[True], 10]], from_1904=True)
    (folder / "transactions-2.csv").write_text(
        f"订单号,客户编号,日期,金额\nS2,C1,{FIFTH[False]},10\n", encoding="utf-8"
    )
    assert accepted(check_dataset(folder))["date"].astype(str).tolist() == ["2026-01-05", "2026-01-05"]


def test_a_day_of_an_order_that_lines_are_put_to_counts_from_1904(folder):
    write(folder / "orders.xlsx", [["S1", "C1", FIFTH[True]]], headers=HEADERS[:3], from_1904=True)
    (folder / "lines.csv").write_text("订单号,金额\nS1,10\nS1,5\n", encoding="utf-8")
    (folder / "dataset.toml").write_text(
        '[tables.transactions]\nsource = "orders.xlsx"\nlines = {source = "lines.csv", on = "订单号"}\n',
        encoding="utf-8",
    )
    assert accepted(check_dataset(folder))["date"].astype(str).tolist() == ["2026-01-05"] * 2


@pytest.mark.parametrize("from_1904", [False, True])
def test_days_are_looked_for_in_the_system_of_the_workbook(tmp_path, folder, from_1904):
    # 31,500 days after 1904 began lie in 1990, after 1900 began in 1986: too early for a log.
    rows = [[f"S{n:03d}", f"C{n % 7}", 31_500 + n, 10.5 + n] for n in range(40)]
    write(folder / "export.xlsx", rows, headers=list("甲乙丙丁"), from_1904=from_1904)
    connection = duckdb.connect()
    (sample,) = take_samples(connection, folder / "export.xlsx", "export.xlsx", "sample", tmp_path)
    assert look_at(connection, [sample.file], "丙", "Asia/Shanghai").n_recent == (40 if from_1904 else 0)


def test_long_ids_agree_bare_formatted_and_as_text(folder):
    long = 6222021234567890.0
    ids = [long, (long, "0"), "6222021234567890", (long, "#,##0"), "'6222021234567890"]
    write(folder / "transactions.xlsx", [[f"S{n}", one, "2026-01-05", 1] for n, one in enumerate(ids)])
    dataset = check_dataset(folder)
    assert set(accepted(dataset)["customer_id"]) == {"6222021234567890"}
    told = dataset.failures().set_index("reason").loc["rounded_id"]
    assert (told["n_lines"], told["first_row"]) == (3, 2)


MERGED_ROWS = [
    ["S1", "C1", datetime(2026, 1, 5), 10],
    [None, None, None, 20],
    [None, None, None, 30],
    ["S2", 1002, FIFTH[False] + 1, 40],
    [None, None, None, 50],
    ["合计", None, None, 150],
    ["备注：含税", None, None, None],
]
MERGED = [
    *((first, column, last, column) for first, last in ((3, 5), (6, 7)) for column in range(3)),
    (8, 0, 8, 2),
    (9, 0, 12, 3),
    (0, 0, 1, 3),
]


def test_values_of_merged_cells_hold_for_all_their_rows(folder):
    # The header is in the third row, below a title merged over two.
    write(folder / "transactions.xlsx", MERGED_ROWS, merged=MERGED, top=2)
    dataset = check_dataset(folder)
    rows = accepted(dataset)
    assert rows["order_id"].tolist() == ["S1"] * 3 + ["S2"] * 2
    assert rows["customer_id"].tolist() == ["C1"] * 3 + ["1002"] * 2
    assert rows["date"].astype(str).tolist() == ["2026-01-05"] * 3 + ["2026-01-06"] * 2
    assert float(rows["amount"].sum()) == 150
    account = dataset.account["tables"]["transactions"]
    assert account["totals"] == {"n": 1, "n_agree": 1}
    assert account["merged"] == {"订单号": 3, "客户编号": 3, "日期": 3}
    assert "3 cells" in dict(understood.understood(dataset, "en"))["Merged cells"]
    assert dataset.line_classes().set_index("reason")["n_lines"].to_dict() == {"": 5, "total_row": 1, "page_footer": 1}


def test_a_sum_in_merged_cells_is_counted_once_and_told(folder):
    rows = [["S1", "C1", "2026-01-05", 60], [None, None, None, None], ["S2", "C2", "2026-01-06", 40]]
    write(folder / "transactions.xlsx", rows, merged=[(1, column, 2, column) for column in range(4)])
    # A row of nothing but merged cells is none of its own.
    assert check_dataset(folder).line_classes()["n_lines"].tolist() == [2]
    for row, product in zip(rows, "abc", strict=True):
        row.append(product)
    write(
        folder / "transactions.xlsx",
        rows,
        merged=[(1, column, 2, column) for column in range(4)],
        headers=[*HEADERS, "备注"],
    )
    dataset = check_dataset(folder)
    lines = dataset.line_classes().set_index("line_class")
    assert lines["n_lines"].to_dict() == {"accepted": 2, "rejected": 1}
    assert lines.loc["accepted", "amount"] == 100
    told = dataset.failures().set_index("reason").loc["merged_sum"]
    assert (told["column"], told["n_lines"], told["first_row"], told["example"]) == ("amount", 1, 2, "60")
    # What the check proposes is possible.
    (folder / "dataset.toml").write_text(
        '[[tables.transactions.filters]]\ncolumn = "金额"\noperator = "equals"\nvalue = ""\nreason = "merged"\n',
        encoding="utf-8",
    )
    lines = check_dataset(folder).line_classes().set_index("line_class")
    assert lines["n_lines"].to_dict() == {"accepted": 2, "filtered": 1}


def test_a_price_in_merged_cells_is_that_of_each_row_and_a_quantity_is_not(folder):
    rows = [["S1", "C1", "2026-01-05", 2, 5.0], ["S2", "C1", "2026-01-05", 3, None], ["S3", "C1", "2026-01-06", 4, 1.0]]
    (folder / "dataset.toml").write_text(
        '[tables.transactions.amount_from]\nquantity = "数量"\nunit_price = "单价"\n', encoding="utf-8"
    )
    headers = [*HEADERS[:3], "数量", "单价"]
    write(folder / "transactions.xlsx", rows, merged=[(1, 4, 2, 4)], headers=headers)
    assert accepted(check_dataset(folder))["amount"].astype(float).tolist() == [10, 15, 4]
    rows[1][3] = None
    write(folder / "transactions.xlsx", rows, merged=[(1, 4, 2, 4), (1, 3, 2, 3)], headers=headers)
    dataset = check_dataset(folder)
    assert accepted(dataset)["amount"].astype(float).tolist() == [10, 4]
    assert "merged_sum" in set(dataset.failures()["reason"])


def test_merged_cells_and_days_from_1904_of_an_old_workbook(folder):
    shutil.copy(FILES / "merged_from_1904.xls", folder / "transactions.xls")
    dataset = check_dataset(folder)
    rows = accepted(dataset)
    assert rows["order_id"].tolist() == ["SO1"] * 3 + ["SO2", "SO3", "SO4"]
    assert rows["customer_id"].tolist() == ["1001"] * 3 + ["1002"] + ["1003"] * 2
    days = [date(2026, 1, 5)] * 2 + [date(2026, 1, 6)] * 2 + [date(2026, 2, 6)] * 2
    assert [day.date() if hasattr(day, "date") else day for day in rows["date"]] == days
    assert dataset.account["tables"]["transactions"]["totals"]["n_agree"] == 1
