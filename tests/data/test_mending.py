"""Rejected rows are handed out in the source's own columns; mended, they stand in for the rows they came from."""

import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset

HEADER = "单号,客户编号,日期,金额\n"


@pytest.fixture
def broken(check):
    return check(
        transactions=HEADER
        + 'a1,甲,2026-01-05,1\na2,乙,坏,2\na3,丙,2026-01-07,x\na4,丁,2026-01-08,4,9\n"a5",戊,2026-01-09,5\n'
    )


def lines(dataset):
    return {(row.line_class, row.reason): row.n_lines for row in dataset.line_classes().itertuples()}


def test_rejected_rows_in_their_own_columns(broken):
    rows = broken.rejected_rows()
    assert rows.columns.tolist() == ["单号", "客户编号", "日期", "金额", "_line", "_file", "_row", "_column", "_reason"]
    assert rows[["单号", "_row", "_column", "_reason"]].astype(object).where(rows.notna(), None).values.tolist() == [
        ["a2", 3, "date", "not_date"],
        ["a3", 4, "amount", "not_money"],
        [None, 5, "", "broken_line"],
    ]
    assert rows["_line"].iloc[2] == "a4,丁,2026-01-08,4,9"
    assert broken.failures()[["severity", "column", "reason", "n_lines", "first_row", "example"]].values.tolist() == [
        ["error", "date", "not_date", 1, 3, "坏"],
        ["error", "amount", "not_money", 1, 4, "x"],
        ["error", "", "broken_line", 1, 5, "a4,丁,2026-01-08,4,9"],
    ]


def mend(folder, broken, **cells):
    rows = broken.rejected_rows().astype(object)
    for name, values in cells.items():
        rows[name] = values
    rows.to_csv(folder / "transactions-mended.csv", index=False)
    return check_dataset(folder)


def test_mended_rows_replace_those_they_came_from(folder, broken):
    dates = ["2026-01-06", "2026-01-07", "2026-01-08"]
    cells = {"单号": ["a2", "a3", "a4"], "客户编号": ["乙", "丙", "丁"], "日期": dates, "金额": ["2", "3", "4"]}
    mended = mend(folder, broken, **cells)
    assert lines(mended) == {("accepted", ""): 5, ("filtered", "mended"): 3}
    assert mended.log_facts()["amount"] == 15
    assert mended.account["tables"]["transactions"]["unused_headers"] == []


def test_what_was_wrong_need_not_be_kept(folder, broken):
    rows = broken.rejected_rows().iloc[:2].assign(日期="2026-01-06", 金额="2")
    rows.drop(columns=["_column", "_reason", "_line"]).to_csv(folder / "transactions-mended.csv", index=False)
    assert lines(check_dataset(folder)) == {
        ("accepted", ""): 4,
        ("filtered", "mended"): 2,
        ("rejected", "broken_line"): 1,
    }


def test_a_row_that_is_still_wrong_counts_once(folder, broken):
    mended = mend(folder, broken, 日期=["nie", "2026-01-07", "2026-01-08"], 金额=["2", "3", "x"])
    assert lines(mended) == {
        ("accepted", ""): 3,
        ("filtered", "mended"): 3,
        ("rejected", "not_date"): 1,
        ("rejected", "not_money"): 1,
    }
    assert set(mended.rejected()["file"]) == {"transactions-mended.csv"}


def test_nothing_is_counted_twice(folder, broken):
    rows = broken.rejected_rows()
    sound = rows.iloc[[0, 0, 1]].assign(日期="2026-01-06", 金额="2")
    sound["_row"] = [2, 3, 3]  # one that was never rejected, and one that is mended twice
    sound.to_csv(folder / "transactions-mended.csv", index=False)
    mended = check_dataset(folder)
    assert lines(mended)[("rejected", "mends_nothing")] == 2
    assert lines(mended)[("filtered", "mended")] == 1
    assert sum(lines(mended).values()) == 5 + 3


def test_rows_of_a_file_that_is_gone_are_rejected_lest_they_count_twice(folder, broken):
    # The export has come under a new name; its rows are all there again.
    (folder / "transactions.csv").rename(folder / "transactions-2.csv")
    rows = broken.rejected_rows().assign(日期="2026-01-06", 金额="2")
    rows.to_csv(folder / "transactions-mended.csv", index=False)
    found = lines(check_dataset(folder))
    assert found[("accepted", "")] == 2
    assert found[("rejected", "mends_missing_file")] == 3


def test_mended_rows_are_found_beside_a_source_of_any_name(folder, check):
    text = HEADER + "a1,甲,2026-01-05,1\na2,乙,坏,2\n"
    rows = check(export=text).rejected_rows().assign(日期="2026-01-06")
    rows.to_csv(folder / "transactions-mended.csv", index=False)
    wanted = {("accepted", ""): 2, ("filtered", "mended"): 1}
    assert lines(check_dataset(folder)) == wanted
    (folder / "dataset.toml").write_text('[tables.transactions]\nsource = "exp*.csv"\n')
    assert lines(check_dataset(folder)) == wanted


def test_rejected_rows_put_beside_the_log_unmended_are_not_taken_for_it(folder, check):
    text = HEADER + "a1,甲,2026-01-05,1\na2,乙,坏,2\n"
    check(export=text)
    book = xlsxwriter.Workbook(folder / "rejected.xlsx")
    book.add_worksheet("transactions").write_row(0, 0, ["单号", "客户编号", "日期", "金额", "_file", "_row"])
    book.close()
    dataset = check_dataset(folder)
    assert lines(dataset)[("accepted", "")] == 1
    assert dataset.failures()[["file", "reason"]].values.tolist()[-1] == ["rejected.xlsx", "file_not_read"]


def test_files_that_are_read_as_no_table_are_told(folder, check):
    text = HEADER + "a1,甲,2026-01-05,1\n"
    (folder / "2025").mkdir()
    (folder / "2025" / "一月.csv").write_text(text)
    dataset = check(transactions=text, 二月=text)
    assert dataset.failures()[["severity", "file", "reason"]].values.tolist() == [
        ["warning", "2025/一月.csv", "file_not_read"],
        ["warning", "二月.csv", "file_not_read"],
    ]
    (folder / "二月.csv").unlink()
    assert len(check_dataset(folder).failures()) == 1
    (folder / "dataset.toml").write_text('[tables.transactions]\nsource = "transactions.csv"\n')
    assert check_dataset(folder).failures().empty
