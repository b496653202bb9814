"""The workbook, read back from its own XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import labels
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.report import excel
from kehu_analysis.report.excel import sheet_names, write_workbook

_NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


class Book:
    """What Excel finds in a file: sheets by name, cells as (kind, text, number format)."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.parts = {name: archive.read(name).decode() for name in archive.namelist()}
        book = ET.fromstring(self.parts["xl/workbook.xml"])
        self.names = [sheet.attrib["name"] for sheet in book.iterfind("x:sheets/x:sheet", _NS)]
        styles = ET.fromstring(self.parts["xl/styles.xml"])
        formats = {f.attrib["numFmtId"]: f.attrib["formatCode"] for f in styles.iterfind(".//x:numFmt", _NS)}
        self.formats = [
            formats.get(xf.attrib["numFmtId"], xf.attrib["numFmtId"]) for xf in styles.iterfind("x:cellXfs/x:xf", _NS)
        ]

    def sheet(self, name: str) -> ET.Element:
        number = self.names.index(name) + 1
        return ET.fromstring(self.parts[f"xl/worksheets/sheet{number}.xml"])

    def cells(self, name: str) -> dict[str, tuple[str, str, str]]:
        found = {}
        for cell in self.sheet(name).iterfind(".//x:c", _NS):
            assert cell.find("x:f", _NS) is None, "a formula"
            kind = cell.attrib.get("t", "n")
            text = "".join(cell.itertext())
            if text:
                found[cell.attrib["r"]] = (kind, text, self.formats[int(cell.attrib.get("s", "0"))])
        return found


def column(cells: Mapping[str, tuple[str, str, str]], heading: str) -> list[tuple[str, str, str] | None]:
    """Return the cells below a heading, down to the last row of the sheet."""
    [at] = [place for place, (_, text, _) in cells.items() if text == heading]
    letters, top = re.fullmatch(r"([A-Z]+)(\d+)", at).groups()  # type: ignore[union-attr]
    last = max(int(re.sub(r"\D", "", place)) for place in cells)
    return [cells.get(f"{letters}{row}") for row in range(int(top) + 1, last + 1)]


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = {
        "title": {"zh": "客户/等级", "en": "Customer grades"},
        "reading": {"zh": "{n_customers} 位客户。", "en": "{n_customers} customers."},
    }
    mine = {**labels.catalogue(), "finding": {"demo": demo}, "note": {"demo": {"zh": "注意", "en": "Mind this."}}}
    monkeypatch.setattr(labels, "catalogue", lambda: mine)


def demo(table: pd.DataFrame, **more: Any) -> Finding:
    return Finding("demo", table, {"n_customers": Fact(len(table), "customers")}, notes=("demo",), **more)


def written(path: Path, *findings: Finding, lang: str = "en") -> Book:
    write_workbook(
        findings, path, lang=lang, title="=Report", period="1998Q2", provenance={"Data": "=sha", "Rows": "7"}
    )
    return Book(path)


TABLE = pd.DataFrame(
    {
        "customer_id": ["007", "=1+1", "<script>alert(1)</script>", "https://example.org"],
        "amount": [1234.5, float("nan"), float("inf"), -2.0],
        "share_of_sales": [0.8, 0.1, None, 0.1],
        "n_customers": pd.array([1, 2, None, 4], dtype="Int64"),
        "odd_day": [date(1998, 4, 1), pd.NaT, date(1899, 5, 6), pd.Timestamp("1998-06-30 23:59")],
        "odd_quarter": pd.period_range("1998Q1", periods=4, freq="Q-DEC"),
        "odd_flag": [True, False, True, False],
        "odd_money": [Decimal("0.10"), None, Decimal("2.5"), Decimal("3")],
    }
)


def test_every_value_arrives_as_what_it_is(tmp_path: Path) -> None:
    cells = written(tmp_path / "r.xlsx", demo(TABLE, currency="USD")).cells("Customer grades")
    assert [cell and cell[:2] for cell in column(cells, "Customer")] == [
        ("inlineStr", "007"),
        ("inlineStr", "=1+1"),
        ("inlineStr", "<script>alert(1)</script>"),
        ("inlineStr", "https://example.org"),
    ]
    assert column(cells, "Sales (USD)") == [("n", "1234.5", "#,##0.00"), None, None, ("n", "-2", "#,##0.00")]
    assert column(cells, "Share of sales")[:3] == [("n", "0.8", "0.0%"), ("n", "0.1", "0.0%"), None]
    assert column(cells, "Customers") == [*(("n", "1", "#,##0"), ("n", "2", "#,##0"), None, ("n", "4", "#,##0"))]
    # 35886 is 1998-04-01 in Excel's count of days, 35976 is 1998-06-30.
    assert column(cells, "odd_day") == [
        ("n", "35886", "yyyy-mm-dd"),
        None,
        ("inlineStr", "1899-05-06", "@"),
        ("n", "35976", "yyyy-mm-dd"),
    ]
    assert [cell and cell[1] for cell in column(cells, "odd_quarter")] == ["1998Q1", "1998Q2", "1998Q3", "1998Q4"]
    assert [cell and cell[1] for cell in column(cells, "odd_flag")] == ["Yes", "No", "Yes", "No"]


def test_a_sheet_says_what_it_is(tmp_path: Path) -> None:
    book = written(tmp_path / "r.xlsx", demo(TABLE, currency="USD"))
    cells = book.cells("Customer grades")
    texts = [text for _, text, _ in cells.values()]
    assert texts[:4] == [
        "Customer grades",
        "4 customers.",
        "Units: amounts in USD; shares in per cent; customers counted singly.",
        "Mind this.",
    ]
    sheet = book.sheet("Customer grades")
    [table_filter] = sheet.iterfind("x:autoFilter", _NS)
    [pane] = sheet.iterfind(".//x:pane", _NS)
    first, last = table_filter.attrib["ref"].split(":")
    assert cells[first][1] == "Customer"
    assert last == f"H{int(first[1:]) + 4}"
    assert (pane.attrib["state"], pane.attrib["topLeftCell"]) == ("frozen", f"B{int(first[1:]) + 1}")


def test_cover_and_contents(tmp_path: Path) -> None:
    book = written(tmp_path / "r.xlsx", demo(TABLE), demo(TABLE))
    assert book.names == ["Cover", "Contents", "Customer grades", "Customer grades (2)"]
    cover = [text for _, text, _ in book.cells("Cover").values()]
    assert cover[0] == "=Report"
    assert {"1998Q2", "=sha", "Amounts are sales net of discounts and returns, not margin."} <= set(cover)
    links = [link.attrib["location"] for link in book.sheet("Contents").iterfind(".//x:hyperlink", _NS)]
    assert links == ["'Customer grades'!A1", "'Customer grades (2)'!A1"]
    assert not [part for name, part in book.parts.items() if "TargetMode" in part]


def test_chinese_names_are_made_valid(tmp_path: Path) -> None:
    assert written(tmp_path / "r.xlsx", demo(TABLE), lang="zh").names == ["封面", "目录", "客户 等级"]


def test_an_analysis_not_run_gives_its_reason(tmp_path: Path) -> None:
    missing = Finding("demo", pd.DataFrame(), {}, not_run=("unknown_quarter", {"quarter": "<b>", "quarters": "1998Q1"}))
    cells = written(tmp_path / "r.xlsx", missing).cells("Customer grades")
    assert cells["A2"][1] == ("Not run: <b> is not a quarter of this data. Choose one of: 1998Q1.")


def test_an_empty_table_has_its_headings(tmp_path: Path) -> None:
    cells = written(tmp_path / "r.xlsx", demo(TABLE.iloc[:0])).cells("Customer grades")
    assert column(cells, "Customer") == []


def test_a_table_too_long_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MAX_ROWS", 3)
    cells = written(tmp_path / "r.xlsx", demo(TABLE)).cells("Customer grades")
    assert len(column(cells, "Customer")) == 3
    assert "These are the first 3 of 4 rows. The whole table is in tables/demo.parquet of the report folder." in [
        text for _, text, _ in cells.values()
    ]


def test_a_sheet_holds_what_a_person_reads_and_the_cover_says_so(tmp_path: Path) -> None:
    assert excel.MAX_ROWS == 5_000
    table = pd.DataFrame({"customer_id": [f"{number:05d}" for number in range(5_001)]})
    for lang, told in (
        ("en", "These are the first 5,000 of 5,001 rows."),
        ("zh", "共 5,001 行，这里是前 5,000 行；"),
    ):
        book = written(tmp_path / "r.xlsx", demo(table), lang=lang)
        cells = book.cells(book.names[2])
        rows = column(cells, labels.column_label("customer_id", lang))
        assert [rows[0][1], rows[-1][1], len(rows)] == ["00000", "04999", 5_000]  # type: ignore[index]
        assert any(text.startswith(told) for _, text, _ in cells.values())
        assert any("5,000" in text for _, text, _ in book.cells(book.names[0]).values())


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / f"{name}.xlsx", demo(TABLE))
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_text_that_excel_cannot_hold_is_cut(tmp_path: Path) -> None:
    table = pd.DataFrame({"customer_id": ["x" * 40_000, "bell \x07"]})
    cells = written(tmp_path / "r.xlsx", demo(table)).cells("Customer grades")
    long, bell = column(cells, "Customer")
    assert long is not None
    assert len(long[1]) == 32_767
    assert bell is not None
    assert bell[1] == "bell _x0007_"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        written(tmp_path / "missing" / "r.xlsx", demo(TABLE))


@given(st.lists(st.text(min_size=0, max_size=45), max_size=12))
def test_sheet_names_are_valid_and_different(titles: list[str]) -> None:
    names = sheet_names(titles)
    assert len({name.casefold() for name in names}) == len(titles)
    for name in names:
        assert 1 <= len(name.encode("utf-16-le", "surrogatepass")) // 2 <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name[0] != "'"
        assert name[-1] != "'"
        assert name.casefold() != "history"
