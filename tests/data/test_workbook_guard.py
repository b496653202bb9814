"""Workbooks that would end the process that reads them, or fill its memory, are refused before they are read."""

import io
import re
import struct
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from kehu_analysis.data import check_dataset
from kehu_analysis.data.reading import workbook_guard
from kehu_analysis.errors import DataError

FILES = Path(__file__).parent / "files"
SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def workbook(part=SHEET, change=lambda xml: xml, *, called=SHEET):
    sound, changed = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(sound) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["customer_id", "date", "amount"])
        sheet.write_row(1, 0, ["1", "2026-01-05", "1"])
    with zipfile.ZipFile(sound) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name).replace(b"worksheets/sheet1.xml", called.removeprefix("xl/").encode())
            target.writestr(called if name == SHEET else name, change(data) if name == part else data)
    return changed.getvalue()


def with_row(row):
    return lambda xml: xml.replace(b"</sheetData>", row.encode() + b"</sheetData>")


CELL = "<row><c {}><v>1</v></c></row>"
HARMFUL = {
    "far away": (workbook(SHEET, with_row(CELL.format('r="XFD1048576"'))), "sheet_too_large"),
    "below every row": (workbook(SHEET, with_row(CELL.format('r="A99999999"'))), "no_workbook"),
    "right of every column": (workbook(SHEET, with_row(CELL.format('r="AAAAAAA3"'))), "no_workbook"),
    "a number of any length": (workbook(SHEET, with_row(CELL.format(f'r="A{"9" * 100}"'))), "no_workbook"),
    "written otherwise": (workbook(SHEET, with_row(CELL.format("s='1'\n r = 'A99999999'"))), "no_workbook"),
    "a row without a place for its cell": (
        workbook(SHEET, with_row('<row r="99999999"><c><v>1</v></c></row>')),
        "no_workbook",
    ),
    "a sheet that is called otherwise": (
        workbook(SHEET, with_row(CELL.format('r="A99999999"')), called="xl/other/one.bin"),
        "no_workbook",
    ),
    "more texts than bytes": (
        workbook(TEXTS, lambda xml: re.sub(rb'uniqueCount="\d+"', b'uniqueCount="4294967295"', xml)),
        "no_workbook",
    ),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_workbook_that_asks_for_too_much_memory_is_refused(folder, case):
    content, code = HARMFUL[case]
    (folder / "transactions.xlsx").write_bytes(content)
    with pytest.raises(DataError) as error:
        check_dataset(folder)
    assert error.value.code == code


def test_the_same_workbook_without_harm_is_read(folder):
    (folder / "transactions.xlsx").write_bytes(workbook(called="xl/other/one.bin"))
    assert check_dataset(folder).line_classes()["n_lines"].tolist() == [1]


def test_a_workbook_of_the_old_format_is_read_on_trial_first(folder, monkeypatch):
    # A cell record of the first sheet that says to stand in the last row and column that its fields can name.
    content = (FILES / "transactions.xls").read_bytes()
    label = struct.pack("<HHHH", 0x00FD, 10, 1, 0)
    assert content.count(label) == 1
    (folder / "transactions.xls").write_bytes(content.replace(label, struct.pack("<HHHH", 0x00FD, 10, 65535, 65535)))
    with pytest.raises(DataError) as error:
        check_dataset(folder)
    assert error.value.code == "no_workbook"
    (folder / "transactions.xls").write_bytes(content)
    assert check_dataset(folder).line_classes()["n_lines"].sum() == 5
    monkeypatch.setattr(workbook_guard, "_TRIAL_SECONDS", 0.0001)
    with pytest.raises(DataError) as error:
        workbook_guard.refuse_harmful(folder / "transactions.xls", "x")
    assert error.value.code == "no_workbook"
