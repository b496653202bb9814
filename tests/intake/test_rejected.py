"""The workbook of rejected rows: the source's own columns, inert, with the faults coloured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from kehu_analysis import labels
from kehu_analysis.data import Dataset
from kehu_analysis.intake import rejected
from kehu_analysis.intake.rejected import write_rejected

_NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
OWN = ["_file", "_row", "_column", "_reason"]


def rows_of(path: Path, sheet: str | int) -> list[list[Any]]:
    book = CalamineWorkbook.from_path(str(path))
    return (book.get_sheet_by_index(sheet) if isinstance(sheet, int) else book.get_sheet_by_name(sheet)).to_python()


def xml(path: Path, name: str) -> ET.Element:
    with zipfile.ZipFile(path) as archive:
        return ET.fromstring(archive.read(name))


def coloured(path: Path, number: int) -> list[str]:
    """Return the cells of a sheet whose style is that of a fault."""
    styles = xml(path, "xl/styles.xml")
    fills = [fill.find(".//x:fgColor", _NS) for fill in styles.iterfind("x:fills/x:fill", _NS)]
    colours = [fill.attrib.get("rgb", "") if fill is not None else "" for fill in fills]
    of_style = [colours[int(cell.attrib["fillId"])] for cell in styles.iterfind("x:cellXfs/x:xf", _NS)]
    cells = xml(path, f"xl/worksheets/sheet{number}.xml").iterfind(".//x:c", _NS)
    return [cell.attrib["r"] for cell in cells if of_style[int(cell.attrib.get("s", "0"))] == "FFF9D9D4"]


@pytest.fixture
def written(dirty: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "rejected.xlsx"
    write_rejected(dirty, path, lang="en")
    return path


def test_a_sheet_for_each_table_behind_one_that_explains(dirty: Dataset, written: Path) -> None:
    assert CalamineWorkbook.from_path(str(written)).sheet_names == ["How to mend", "transactions", "customers"]
    told = "\n".join(str(cell) for row in rows_of(written, 0) for cell in row)
    assert "transactions-mended.xlsx" in told
    assert "customers-mended.xlsx" in told
    assert "_file" in told


def test_rows_are_the_source_s_own(dirty: Dataset, written: Path) -> None:
    expected = dirty.rejected_rows("transactions")
    header, *rows = rows_of(written, "transactions")
    # No line of these is broken: the column for such stays away.
    assert header == [name for name in expected.columns if name != "_line"]
    assert header[-4:] == OWN
    for name in header[:-4]:
        place = header.index(name)
        assert [str(row[place]) for row in rows] == expected[name].fillna("").str.slice(0, 32_767).tolist()
    assert [row[-4:-2] for row in rows] == [
        [file, float(row)] for file, row in zip(expected["_file"], expected["_row"], strict=True)
    ]
    assert {row[-2] for row in rows} == {"日期", "金额"}
    assert {row[-1] for row in rows} == {"not a date", "a required value is missing"}


def test_nothing_in_it_is_alive(written: Path) -> None:
    with zipfile.ZipFile(written) as archive:
        names = archive.namelist()
    for number in (2, 3):
        sheet = xml(written, f"xl/worksheets/sheet{number}.xml")
        assert sheet.find(".//x:f", _NS) is None
        assert sheet.find(".//x:hyperlink", _NS) is None
        numbers = [cell for cell in sheet.iterfind(".//x:c", _NS) if cell.find("x:v", _NS) is not None]
        # Only the row's number is one: an id of digits stays text.
        kinds = {cell.attrib["r"].strip("0123456789"): cell.get("t", "n") for cell in numbers}
        [place] = [place for place, kind in kinds.items() if kind == "n"]
        assert rows_of(written, number - 1)[0][ord(place) - ord("A")] == "_row"
    assert not [name for name in names if "vba" in name.lower() or "external" in name.lower()]


def test_cells_at_fault_are_coloured(written: Path) -> None:
    # Column B is the date, and C the amount, which is empty in the last row.
    assert coloured(written, 2) == [*(f"B{row}" for row in range(2, 11)), "C11"]
    assert coloured(written, 3) == ["A2"]


def test_files_that_call_a_column_differently(check: Callable[..., Dataset], monkeypatch, tmp_path: Path) -> None:
    dataset = check(transactions__csv="customer_id,date,amount\n1,2026-01-05,1\n1,x,1\n")
    rows = pd.DataFrame(
        [["1", "x", None, "a.csv", 2, "date", "not_date"], ["1", None, "y", "b.csv", 3, "date", "not_date"]],
        columns=["customer_id", "date", "日期", *OWN],
    )
    monkeypatch.setattr(Dataset, "rejected_rows", lambda *_: rows)
    write_rejected(dataset, tmp_path / "r.xlsx", lang="zh")
    assert coloured(tmp_path / "r.xlsx", 2) == ["B2", "C3"]


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_what_a_sheet_cannot_hold_is_cut_and_said(dirty: Dataset, monkeypatch, tmp_path: Path, lang: str) -> None:
    monkeypatch.setattr(rejected, "MAX_ROWS", 3)
    monkeypatch.setattr(rejected, "_LONGEST_TEXT", 5_000)
    write_rejected(dirty, tmp_path / "r.xlsx", lang=lang)
    assert len(rows_of(tmp_path / "r.xlsx", "transactions")) == 4
    told = "\n".join(str(row[0]) for row in rows_of(tmp_path / "r.xlsx", 0))
    total = len(dirty.rejected_rows("transactions"))
    assert labels.render("ui.rejected_cut", lang, table="transactions", n=3, total=total) in told
    assert labels.render("ui.rejected_long", lang, table="transactions", n=3) in told


def test_more_columns_than_a_sheet_holds(dirty: Dataset, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rejected, "MAX_COLUMNS", 6)
    write_rejected(dirty, tmp_path / "r.xlsx", lang="en")
    assert rows_of(tmp_path / "r.xlsx", "transactions")[0] == ["客户编号", "日期", *OWN]
    assert "the first 6" in "\n".join(str(row[0]) for row in rows_of(tmp_path / "r.xlsx", 0))


def test_equal_bytes(dirty: Dataset, written: Path, tmp_path: Path) -> None:
    write_rejected(dirty, tmp_path / "again.xlsx", lang="en")
    assert (tmp_path / "again.xlsx").read_bytes() == written.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_told_by_the_system_s_error(dirty: Dataset) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_rejected(dirty, Path("/dev/full"), lang="zh")
