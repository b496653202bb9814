"""Blank templates: recognised as they are, explained in the words of the data dictionary, never over another file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from kehu_analysis import labels
from kehu_analysis.data import check_dataset, contract
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.intake.template import allowed, example, fields, sheet_name, write_templates

README = Path(__file__).parents[2] / "data" / "README.md"
_NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
both = pytest.mark.parametrize("lang", labels.LANGUAGES)


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@both
def test_every_header_is_recognised_as_its_column_and_no_other(tmp_path: Path, lang: str) -> None:
    written = write_templates(tmp_path / "new" / "folder", lang=lang)
    assert [path.stem for path in written] == list(contract())
    for path in written:
        table = contract()[path.stem]
        book = CalamineWorkbook.from_path(str(path))
        [headers] = book.get_sheet_by_index(0).to_python()
        found = table.candidates(headers)
        assert sorted(header for names in found.values() for header in names) == sorted(headers)
        assert all(len(names) == 1 for names in found.values())
        of_contract = {column.name for name in found if (column := table.column(name))}
        assert of_contract == set(found)
        assert {column.name for column in table.columns if "*" not in column.name} <= set(found)
        assert book.sheet_names == [sheet_name(table, lang), labels.label("ui.template_sheet", lang)]
        assert [other for other, one in contract().items() if one.is_called(book.sheet_names[0])] == [table.name]
        assert not any(one.is_called(book.sheet_names[1]) for one in contract().values())
        if lang == "zh":
            assert all(re.search(r"[\u4e00-\u9fff]", header) for header in headers)


@both
def test_every_column_is_explained(tmp_path: Path, lang: str) -> None:
    for path in write_templates(tmp_path, lang=lang):
        table = contract()[path.stem]
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(1).to_python()
        listed = fields(table, lang)
        explained = rows[-len(listed) :]
        assert [row[0] for row in explained] == [field.header for field in listed]
        for row, field in zip(explained, listed, strict=True):
            assert row[1] == labels.label(f"contract.{table.name}.{field.column.name}", lang)
            assert bool(row[2]) == field.column.required
            assert row[5] == example(table, field.column, lang) != ""
        assert path.name in " ".join(str(row[0]) for row in rows[:5])


def test_explanations_are_those_of_the_data_dictionary() -> None:
    told = {}
    for section in re.split(r"^### ", README.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| `(\S+)` \| \w+ \| (?:yes 是)? *\| (.+) \| (.+) \|$", section, re.MULTILINE)
        told[section.splitlines()[0]] = {name: {"en": english, "zh": chinese} for name, english, chinese in rows}
    assert told == labels.catalogue()["contract"]


@both
def test_examples_are_accepted(tmp_path: Path, lang: str) -> None:
    for table in contract().values():
        listed = fields(table, lang)
        header = ",".join(field.header for field in listed)
        row = ",".join(example(table, field.column, lang) for field in listed)
        (tmp_path / f"{table.name}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    dataset = check_dataset(tmp_path, cache=tmp_path / "cache")
    for table in contract():
        assert dataset.line_classes(table)["line_class"].tolist() == ["accepted"], table
    assert set(dataset.failures()["reason"]) <= {"unknown_reference"}


@pytest.mark.parametrize(
    ("table", "column", "zh", "en"),
    [
        ("surveys", "satisfaction", "1 至 5", "1 to 5"),
        ("contacts", "minutes", "不小于 0", "0 or more"),
        ("contacts", "date", "不晚于今天", "not after today"),
        ("contacts", "kind", "visit、call、service、complaint、delivery", "visit, call, service, complaint, delivery"),
        ("calendar", "is_workday", "是、否", "yes, no"),
        ("customers", "name", "", ""),
    ],
)
def test_allowed_values_in_words(table: str, column: str, zh: str, en: str) -> None:
    found = contract()[table].column(column)
    assert found is not None
    assert (allowed(found, "zh"), allowed(found, "en")) == (zh, en)


def sheet(path: Path) -> ET.Element:
    return ET.fromstring(parts(path)["xl/worksheets/sheet1.xml"])


def number_format(path: Path, place: int) -> str:
    """Return the number format of a whole column."""
    styles = ET.fromstring(parts(path)["xl/styles.xml"])
    custom = {form.attrib["numFmtId"]: form.attrib["formatCode"] for form in styles.iterfind(".//x:numFmt", _NS)}
    cells = [custom.get(cell.attrib["numFmtId"], "") for cell in styles.iterfind("x:cellXfs/x:xf", _NS)]
    [column] = [c for c in sheet(path).iterfind("x:cols/x:col", _NS) if c.attrib["min"] == str(place + 1)]
    return cells[int(column.attrib["style"])]


def test_cells_take_what_their_column_takes(tmp_path: Path) -> None:
    written = {path.stem: path for path in write_templates(tmp_path, lang="zh")}
    assert [number_format(written["transactions"], place) for place in (0, 1, 2)] == ["@", "yyyy-mm-dd", "0.00"]
    assert number_format(written["targets"], 1) == "yyyy-mm"
    rules = {
        rule.attrib["sqref"]: (rule.attrib["type"], *("".join(part.itertext()) for part in rule))
        for rule in sheet(written["surveys"]).iterfind(".//x:dataValidation", _NS)
    }
    assert rules["C2:C1048576"] == ("whole", "1", "5")
    assert rules["D2:D1048576"] == ("decimal", "0", "1")
    [flag] = sheet(written["campaign_members"]).iterfind(".//x:dataValidation", _NS)
    assert "".join(flag.itertext()) == '"是,否"'
    listed = [
        "".join(rule.itertext())
        for rule in sheet(written["contacts"]).iterfind(".//x:dataValidation", _NS)
        if rule.get("type") == "list"
    ]
    assert listed == ['"visit,call,service,complaint,delivery"', '"owner,staff,family"']


def test_required_columns_are_marked(tmp_path: Path) -> None:
    path = write_templates(tmp_path, lang="zh")[0]
    styles = [cell.attrib["s"] for cell in sheet(path).iterfind("x:sheetData/x:row/x:c", _NS)]
    required = [column.required for column in contract()["transactions"].columns]
    assert [style == styles[0] for style in styles] == required
    notes = parts(path)["xl/comments1.xml"].decode()
    assert notes.count("必填") == sum(required)
    assert "金额，扣除折扣之后；退货为负" in notes


def test_equal_bytes(tmp_path: Path) -> None:
    first, second = (write_templates(tmp_path / name, lang="zh") for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_what_is_there_stays(tmp_path: Path) -> None:
    mine = tmp_path / "surveys.xlsx"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"already holds surveys\.xlsx,"):
        write_templates(tmp_path, lang="zh")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"surveys.xlsx": b"mine"}
    mine.rename(tmp_path / "notes.xlsx")
    write_templates(tmp_path, lang="zh")
    assert len(list(tmp_path.iterdir())) == len(contract()) + 1


def test_no_place_for_templates(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_templates(tmp_path / "file", lang="zh")
    with pytest.raises(RunError, match="cannot be written"):
        write_templates(tmp_path / "file" / "below", lang="zh")
