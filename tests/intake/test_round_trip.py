"""What goes out to an analyst comes back: filled templates, and rejected rows that were mended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from kehu_analysis import labels
from kehu_analysis.data import Dataset, check_dataset, contract
from kehu_analysis.errors import DataError
from kehu_analysis.intake.account import mended_name, next_steps, still_rejected, tables_to_mend
from kehu_analysis.intake.rejected import write_rejected
from kehu_analysis.intake.template import example, fields, sheet_name, write_templates

Mend = Callable[[list[str], list[Any]], list[Any]]


def mend(source: Path, target: Path, change: Mend) -> None:
    """Save a workbook under another name after changing the rows of its sheets, as an analyst would in Excel."""
    book = CalamineWorkbook.from_path(str(source))
    with xlsxwriter.Workbook(str(target), {"strings_to_formulas": False, "strings_to_urls": False}) as saved:
        for name in book.sheet_names:
            sheet = saved.add_worksheet(name)
            header, *rows = book.get_sheet_by_name(name).to_python()
            for number, row in enumerate([header, *(change(header, row) for row in rows)]):
                for place, value in enumerate(row):
                    if value != "":
                        sheet.write(number, place, value)


def classes(dataset: Dataset, table: str = "transactions") -> dict[tuple[str, str], int]:
    lines = dataset.line_classes(table)
    return {
        (str(a), str(b)): int(n) for a, b, n in zip(lines["line_class"], lines["reason"], lines["n_lines"], strict=True)
    }


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_mended_rows_take_the_place_of_the_rejected(
    folder: Path, tmp_path: Path, check: Callable[..., Dataset], lang: str
) -> None:
    rows = "".join(f"00{n},2026-01-{n:02d},{n}\n" for n in range(1, 21))
    before = check(
        transactions__csv=f"客户编号,日期,金额\n{rows}007,never,5\n00008,2026-02-30,=1+1\n009,,7\n1,2,3,4,5\n",
    )
    assert classes(before)[("accepted", "")] == 20
    write_rejected(before, tmp_path / "rejected.xlsx", lang=lang)
    told = CalamineWorkbook.from_path(str(tmp_path / "rejected.xlsx")).get_sheet_by_index(0).to_python()
    assert labels.label("ui.rejected_line", lang) in [row[0] for row in told]

    def change(header: list[str], row: list[Any]) -> list[Any]:
        cells = dict(zip(header, row, strict=True))
        if "日期" in cells:
            cells |= {"日期": date(2026, 3, 1).isoformat(), "金额": cells["金额"] if cells["金额"] == "5" else "2.5"}
            if cells["_reason"] == labels.label("value.broken_line", lang):
                assert cells["_line"] == "1,2,3,4,5"
                cells["客户编号"] = "00001"
        return [cells.get(name, "") for name in header]

    mend(tmp_path / "rejected.xlsx", folder / mended_name(before, "transactions"), change)
    after = check_dataset(folder)
    assert classes(after) == {("accepted", ""): 24, ("filtered", "mended"): 4}
    log = after.table("transactions")
    mended = log.loc[log["date"].astype("str") == "2026-03-01", "customer_id"]
    assert sorted(mended) == ["00001", "00008", "007", "009"]
    assert tables_to_mend(after) == []
    assert set(after.account["tables"]["transactions"]["unused_headers"]) <= {"_line"}
    assert mended_name(after, "transactions") == "transactions-mended-2.xlsx"


def test_rows_still_wrong_are_mended_where_they_are(
    folder: Path, tmp_path: Path, check: Callable[..., Dataset]
) -> None:
    rows = "".join(f"00{n},2026-01-{n:02d},{n}\n" for n in range(1, 21))
    before = check(transactions__csv=f"客户编号,日期,金额\n{rows}007,never,5\n008,x,1\n")
    write_rejected(before, tmp_path / "rejected.xlsx", lang="zh")
    mend(tmp_path / "rejected.xlsx", folder / "transactions-mended.xlsx", lambda _, row: row)
    (folder / "transactions-2.csv").write_text("客户编号,日期,金额\n009,y,1\n", encoding="utf-8")
    again = check_dataset(folder)
    assert classes(again) == {("accepted", ""): 20, ("filtered", "mended"): 2, ("rejected", "not_date"): 3}
    [file] = still_rejected(again)
    assert file.startswith("transactions-mended.xlsx")
    assert still_rejected(again) == {file: 2}
    steps = next_steps(again, "en", workbook="r.xlsx")
    assert "transactions-mended-2.xlsx" in steps[0]
    assert steps[1].startswith("Open transactions-mended.xlsx")
    write_rejected(again, tmp_path / "again.xlsx", lang="en")
    book = CalamineWorkbook.from_path(str(tmp_path / "again.xlsx"))
    assert [row[-4] for row in book.get_sheet_by_name("transactions").to_python()] == ["_file", "transactions-2.csv"]
    assert "2 rows of the workbooks already mended" in str(book.get_sheet_by_index(0).to_python())


def test_a_row_still_wrong_is_never_handed_out_twice_whatever_file_it_was_mended_in(
    folder: Path, check: Callable[..., Dataset]
) -> None:
    before = check(transactions__csv="客户编号,日期,金额\n1,2026-01-05,1\n2,never,2\n")
    before.rejected_rows().to_csv(folder / "transactions-mended by hand.csv", index=False)
    again = check_dataset(folder)
    assert tables_to_mend(again) == []
    assert still_rejected(again) == {"transactions-mended by hand.csv": 1}


def fill(path: Path, lang: str, ids: list[str]) -> None:
    """Write a template as Excel saves it once filled: dates as serial numbers, ids as text."""
    table = contract()[path.stem]
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet(sheet_name(table, lang))
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for place, field in enumerate(fields(table, lang)):
            sheet.write_string(0, place, field.header)
            for number, customer in enumerate(ids, start=1):
                kind, text = field.column.kind, example(table, field.column, lang)
                if field.column.name == "customer_id":
                    sheet.write_string(number, place, customer)
                elif kind in ("date", "month"):
                    sheet.write_datetime(number, place, date(2026, 9, 1), day)
                elif kind in ("money", "number", "integer"):
                    sheet.write_number(number, place, float(text))
                else:
                    sheet.write_string(number, place, text)
        # The sheet of explanations stays.
        explained = book.add_worksheet(labels.label("ui.template_sheet", lang))
        rows = [(field.header, example(table, field.column, lang)) for field in fields(table, lang)]
        for number, cells in enumerate(rows):
            explained.write_row(number, 0, cells)


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_filled_templates_are_read_without_a_mapping(tmp_path: Path, lang: str) -> None:
    ids = ["000123", "12345678901234567890"]
    for path in write_templates(tmp_path / "shop", lang=lang):
        fill(path, lang, ids if path.stem in ("transactions", "customers") else ids[:1])
    dataset = check_dataset(tmp_path / "shop")
    for table in contract():
        assert classes(dataset, table) == {("accepted", ""): len(ids) if table in ("transactions", "customers") else 1}
        assert dataset.account["tables"][table]["unused_headers"] == []
    log = dataset.table("transactions")
    assert log["customer_id"].tolist() == ids
    assert log["date"].astype("str").unique().tolist() == ["2026-09-01"]
    assert set(dataset.failures()["reason"]) <= {"unknown_reference", "before_opening", "after_log_end"}


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_blank_templates_are_headers_only(tmp_path: Path, lang: str) -> None:
    folder = tmp_path / "shop"
    write_templates(folder, lang=lang)
    with pytest.raises(DataError, match=r"header but no rows \(transactions\.xlsx\)"):
        check_dataset(folder)
    fill(folder / "transactions.xlsx", lang, ["1", "2"])
    dataset = check_dataset(folder)
    assert list(dataset.account["tables"]) == ["transactions"]
    empty = dataset.failures().query("reason == 'empty_table'")
    assert set(empty["table"]) == set(contract()) - {"transactions"}
    assert set(dataset.failures()["severity"]) == {"warning"}
