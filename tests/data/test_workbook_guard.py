"""Workbooks that would end the process that reads them, or fill its memory, are refused before they are read."""

import io
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
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
            data = change(data) if name == part else data
            target.writestr(called if name == SHEET else name, data, zipfile.ZIP_DEFLATED)
    return changed.getvalue()


def changed(content, part, change):
    """Return a workbook with one more part changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            copy.writestr(name, change(source.read(name)) if name == part else source.read(name))
    return target.getvalue()


#: The first text that is shared is as long as a cell may be: 98 kB.
LONG = workbook(TEXTS, lambda xml: xml.replace(b"<t>customer_id</t>", f"<t>{'长' * 32_767}</t>".encode()))
CELLS = 'r="{0}"><c r="A{0}"><v>1</v></c><c r="D{0}" t="s"><v>0</v></c></row>'


def with_cells(n, form=CELLS, times=1):
    return with_row("".join(f"<row {form.format(number)}" for number in range(3, n + 3)) * times)


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
    "cells without a place": (workbook(SHEET, with_row(f"<row>{'<c/>' * 17_000}</row>")), "no_workbook"),
    "a row without a place for many cells": (
        workbook(SHEET, with_row(f"{'<row/>' * 40_000}<row>{'<c/>' * 1001}</row>")),
        "sheet_too_large",
    ),
    "cells with other names of tags": (
        workbook(SHEET, with_row(f"<x:row>{'<x:c></x:c>' * 17_000}</x:row>")),
        "no_workbook",
    ),
    "a long text in very many cells": (changed(LONG, SHEET, with_cells(25_000)), "workbook_too_packed"),
    "a long text in cells written otherwise": (
        changed(LONG, SHEET, with_cells(25_000, CELLS.replace('t="s"><v>', "t = 's'\n><f>1</f><v>"))),
        "workbook_too_packed",
    ),
    "texts that are counted wrongly": (
        changed(
            changed(LONG, TEXTS, lambda xml: xml.replace(b"<si>", b"<!-- </si> --><si>", 1)), SHEET, with_cells(25_000)
        ),
        "workbook_too_packed",
    ),
    "texts of cells without end": (
        workbook(SHEET, with_row(f'<row r="3"><c r="A3" t="inlineStr"><is><t>{"x" * (9 << 20)}</t></is></c></row>')),
        "workbook_too_packed",
    ),
    "more texts than bytes": (
        workbook(TEXTS, lambda xml: re.sub(rb'uniqueCount="\d+"', b'uniqueCount="4294967295"', xml)),
        "no_workbook",
    ),
}


#: What is refused by limits that are too far away for a test.
FAR = {
    "a part that unfolds into far more": (TEXTS, lambda xml: xml + b"<!-- " + (b"<" + b" " * 999) * 3000 + b" -->"),
    "texts that are nothing": (TEXTS, lambda xml: xml.replace(b"</sst>", b"<si/>" * 2000 + b"</sst>")),
    "blocks of merged cells": (
        SHEET,
        lambda xml: xml.replace(b"</sheetData>", b"</sheetData>" + b'<mergeCell ref="A5:A6"/>' * 2000),
    ),
}


def lying():
    """Return a workbook whose archive says of a sheet that it ends after the first rows, and has the sum for that."""
    content = workbook(SHEET, with_cells(3000, CELLS.replace('t="s"', "")))
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            copy.writestr(name, source.read(name))
        said = copy.getinfo(SHEET)
        said.file_size = 2000
        said.CRC = zlib.crc32(source.read(SHEET)[: said.file_size])
    return target.getvalue()


@pytest.mark.parametrize("case", HARMFUL)
def test_a_workbook_that_asks_for_too_much_memory_is_refused(folder, case):
    content, code = HARMFUL[case]
    (folder / "transactions.xlsx").write_bytes(content)
    with pytest.raises(DataError) as error:
        check_dataset(folder)
    assert error.value.code == code


@pytest.mark.parametrize("case", FAR)
def test_a_workbook_of_which_a_part_is_too_large_is_refused(folder, monkeypatch, case):
    (folder / "transactions.xlsx").write_bytes(workbook(*FAR[case]))
    assert check_dataset(folder).line_classes()["n_lines"].tolist() == [1]
    low = replace(workbook_guard._LIMITS, much=1 << 20, most_texts=1000, most_blocks=1000)
    monkeypatch.setattr(workbook_guard, "_LIMITS", low)
    with pytest.raises(DataError) as error:
        workbook_guard.refuse_harmful(folder / "transactions.xlsx", "x")
    assert error.value.code == "workbook_too_packed"


def test_a_part_that_is_larger_than_the_archive_says_is_refused(folder):
    (folder / "transactions.xlsx").write_bytes(lying())
    with pytest.raises(DataError) as error:
        check_dataset(folder)
    assert error.value.code == "no_workbook"


def test_a_long_text_that_stands_once_harms_nobody(folder):
    rows = CELLS.replace("<v>0</v>", "<v>1</v>")
    (folder / "transactions.xlsx").write_bytes(changed(LONG, SHEET, with_cells(25_000, rows)))
    workbook_guard.refuse_harmful(folder / "transactions.xlsx", "x")


def test_texts_of_several_sheets_count_together(folder, monkeypatch):
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        for _ in range(3):
            book.add_worksheet().write_column(0, 0, ["x" * 1000 + str(number) for number in range(30)])
    (folder / "transactions.xlsx").write_bytes(content.getvalue())
    monkeypatch.setattr(workbook_guard, "_MOST_TEXT", 40_000)
    monkeypatch.setattr(workbook_guard, "_MOST_TEXT_IN_ALL", 100_000)
    workbook_guard.refuse_harmful(folder / "transactions.xlsx", "x")
    monkeypatch.setattr(workbook_guard, "_MOST_TEXT_IN_ALL", 80_000)
    with pytest.raises(DataError) as error:
        workbook_guard.refuse_harmful(folder / "transactions.xlsx", "x")
    assert error.value.code == "workbook_too_packed"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells its own memory on Linux alone")
def test_a_packed_workbook_is_refused_in_little_memory(folder):
    # 20 GB of text in a file of 2 MB.
    (folder / "transactions.xlsx").write_bytes(changed(LONG, SHEET, with_cells(200_000)))
    check = (
        "import sys; from pathlib import Path; from kehu_analysis.cli import main\n"
        "sys.argv = ['kehu', 'check', sys.argv[1]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        # Of this process alone: what getrusage tells includes the one that it was forked from.
        "finally: print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", check, str(folder)], capture_output=True, text=True, check=False)
    assert "GB" in done.stderr
    assert "sheet1.xml" in done.stderr
    assert int(done.stdout.split()[-1]) * 1024 < 500e6


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
    assert error.value.code == "old_workbook_too_packed"
    (folder / "transactions.xls").write_bytes(content)
    assert check_dataset(folder).line_classes()["n_lines"].sum() == 5
    monkeypatch.setattr(workbook_guard, "_TRIAL_SECONDS", 0.0001)
    with pytest.raises(DataError) as error:
        workbook_guard.refuse_harmful(folder / "transactions.xls", "x")
    assert error.value.code == "no_workbook"
