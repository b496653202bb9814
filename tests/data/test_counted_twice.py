"""What adds up wrongly though no word says so: sums among the rows, files that hold others, units below, signs."""

from decimal import Decimal

import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset

ROWS = [(f"C{n % 6}", f"2026-01-{n + 1:02}", f"{10 + n * 1.37:.2f}") for n in range(20)]
TOTAL = sum(Decimal(amount) for *_, amount in ROWS)
BY_CUSTOMER = {who: sum(Decimal(a) for one, _, a in ROWS if one == who) for who in sorted({who for who, *_ in ROWS})}


def told(folder, header="客户编号,日期,金额", settings="", **files):
    folder.mkdir()
    for name, rows in files.items():
        text = "\n".join([header, *(",".join(map(str, row)) for row in rows), ""])
        (folder / f"transactions{name.removeprefix('_')}.csv").write_text(text, encoding="utf-8")
    if settings:
        (folder / "dataset.toml").write_text(f"[tables.transactions]\n{settings}\n", encoding="utf-8")
    dataset = check_dataset(folder, cache=folder.parent / "cache")
    failures = dataset.failures()
    found = {(one.reason, one.n_lines, one.first_row) for one in failures.itertuples() if one.file}
    return Decimal(dataset.account["log"]["amount"]), found


@pytest.mark.parametrize("who", ["全部", "ALL", ""])
def test_sum_of_all_others_is_told_whatever_it_is_called(tmp_path, who):
    _, found = told(tmp_path / "d", _=[*ROWS, (who, "2026-01-31", TOTAL)])
    assert found == {("sum_of_the_others", 1, 22)}


def test_sum_of_all_others_is_told_also_where_some_of_them_are_left_out(tmp_path):
    rule = 'filters = [{ column = "客户编号", operator = "equals", value = "C1", reason = "own shop" }]'
    _, found = told(tmp_path / "d", settings=rule, _=[*ROWS, ("", "2026-01-31", TOTAL)])
    assert found == {("sum_of_the_others", 1, 22)}


def test_sums_of_months_under_one_name_are_told(tmp_path):
    sums = [sum(Decimal(amount) for *_, amount in part) for part in (ROWS[:8], ROWS[8:])]
    rows = [*ROWS[:8], ("本期", "2026-01-08", sums[0]), *ROWS[8:], ("本期", "2026-01-20", sums[1])]
    assert told(tmp_path / "d", _=rows)[1] == {("sum_of_the_others", 2, 10)}


def test_customer_of_half_of_all_sales_to_the_yuan_is_none(tmp_path):
    assert told(tmp_path / "d", _=[*ROWS, ("大客户", "2026-01-31", TOTAL + 1)])[1] == set()


def test_same_rows_in_two_files_are_told(tmp_path):
    amount, found = told(tmp_path / "d", **{"_-1": ROWS, "_-2": ROWS[::-1]})
    assert (amount, found) == (2 * TOTAL, {("counted_twice", 20, 2)})
    assert told(tmp_path / "e", settings='source = "*-1.csv"', **{"_-1": ROWS, "_-2": ROWS})[0] == TOTAL


def test_sums_by_customer_in_another_file_are_told(tmp_path):
    sums = [(who, "2026-01-31", amount) for who, amount in BY_CUSTOMER.items()]
    assert told(tmp_path / "d", **{"_-1": ROWS, "_-2": sums})[1] == {("counted_twice", 6, 2)}
    assert told(tmp_path / "e", **{"_-1": ROWS, "_-2": sums[:-1]})[1] == set()


def test_sheet_of_all_months_is_told(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    with xlsxwriter.Workbook(folder / "sales.xlsx") as book:
        for name, rows in (("Jan", ROWS[:9]), ("Feb", ROWS[9:]), ("All", ROWS)):
            sheet = book.add_worksheet(name)
            for place, row in enumerate([("customer", "date", "amount"), *rows]):
                sheet.write_row(place, 0, row)
    failures = check_dataset(folder, cache=tmp_path / "cache").failures()
    (one,) = (one for one in failures.itertuples() if one.reason == "counted_twice")
    assert (one.file, one.n_lines) == ("sales.xlsx [All]", 20)


@pytest.mark.parametrize("line", ["单位：万元", "注：以上金额单位为万元", "（金额单位：人民币万元）"])
def test_unit_below_the_table_is_told(tmp_path, line):
    assert told(tmp_path / "d", _=[*ROWS, (line, "", "")])[1] == {("unit_beside", 1, 22)}
    amount, found = told(tmp_path / "e", settings="amount_unit = 10000", _=[*ROWS, (line, "", "")])
    assert (amount, found) == (10_000 * TOTAL, set())


@pytest.mark.parametrize("line", ["编制单位：万达商贸有限公司", "单位：千禧贸易", "单位：元"])
def test_company_whose_name_begins_like_a_unit_is_none(tmp_path, line):
    assert told(tmp_path / "d", _=[*ROWS, (line, "", "")]) == (TOTAL, set())


def test_amount_of_the_order_on_each_line_is_told(tmp_path):
    rows = [(f"D{n // 2}", *row[:2], f"P{n % 2}", ROWS[n // 2][2]) for n, row in enumerate(ROWS)]
    header = "订单编号,客户编号,日期,产品编号,金额"
    assert told(tmp_path / "d", header, _=rows)[1] == {("amount_of_order", 20, 2)}
    own = [(*row[:4], ROWS[n][2]) for n, row in enumerate(rows)]
    assert told(tmp_path / "e", header, _=own)[1] == set()


def test_number_below_zero_with_an_amount_above_is_told(tmp_path):
    rows = [(*row[:2], -1 if n % 5 == 0 else 2, row[2]) for n, row in enumerate(ROWS)]
    assert told(tmp_path / "d", "客户编号,日期,数量,金额", _=rows)[1] == {("quantity_below_zero", 4, 2)}


STATES = {
    "the only one": (["已取消"] * 20, {("doubtful_state", 20, 2)}),
    "not asked for": (["没有申请退款", "退款关闭"] * 10, set()),
    "yes or no": (["是", "否"] * 10, set()),
}


@pytest.mark.parametrize(("values", "found"), STATES.values(), ids=STATES)
def test_states_are_told_by_what_they_mean(tmp_path, values, found):
    rows = [(*row, value) for row, value in zip(ROWS, values, strict=True)]
    assert told(tmp_path / "d", "客户编号,日期,金额,退款状态", _=rows)[1] == found


def test_returns_of_which_some_have_a_sign_are_told(tmp_path):
    rows = [(*row[:2], f"-{row[2]}" if n < 3 else row[2], "退货" if n < 5 else "销售") for n, row in enumerate(ROWS)]
    assert told(tmp_path / "d", "客户编号,日期,金额,单据类型", _=rows)[1] == {("goods_came_back", 2, 5)}


@pytest.mark.parametrize("line", ["December Total", "C1 汇总", "Total C1", "合计：123.45元"])
def test_totals_of_a_name_and_with_their_sum_beside_are_left_out(tmp_path, line):
    assert told(tmp_path / "d", _=[*ROWS, (line, "", "")]) == (TOTAL, set())
