"""The draft of dataset.toml: put into place as it is, the check passes, or it says what is left to choose."""

from __future__ import annotations

import random
import string
import tomllib
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.data import check_dataset
from kehu_analysis.data.proposals import Candidate, ColumnProposal, Proposals, TableProposal
from kehu_analysis.data.settings import AmountFrom, DatasetSettings, read_settings
from kehu_analysis.errors import DataError, RunError
from kehu_analysis.intake.draft import draft_lines, draft_text, toml_value, write_draft

pytestmark = pytest.mark.usefixtures("quick")
_RANDOM = random.Random(5)
ROWS = [
    (f"{_RANDOM.randint(1, 40):05d}", f"2026-{month:02d}-{day:02d}", f"{_RANDOM.gammavariate(2, 50):.2f}", f"P{order}")
    for month in (1, 2, 3)
    for day in range(1, 28)
    for order in range(3)
]


def table(header: str, *columns: int, delimiter: str = ",") -> str:
    lines = (delimiter.join(row[place] for place in columns) for row in ROWS)
    return "\n".join([header.replace(",", delimiter), *lines, ""])


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        cover, ledger = book.add_worksheet("封面"), book.add_worksheet("台账 '2026")
        cover.write_row(0, 0, ["说明", "请勿外传"])
        ledger.write(0, 0, "2026年一季度销售台账")
        ledger.write_row(2, 0, ["购货单位", "过账日", "净额"])
        for place, row in enumerate(ROWS, start=3):
            ledger.write_row(place, 0, row[:3])


def priced() -> str:
    return "".join(f"{row[0]},{row[1]},{number % 4 + 1},{row[2]}\n" for number, row in enumerate(ROWS))


def american() -> str:
    rows = ((row, *row[1].split("-")) for row in ROWS if int(row[1][8:]) <= 12)
    return "".join(f"{row[0]},{month}/{day}/2025,{row[2]}\n" for row, _, month, day in rows)


def foreign(folder: Path) -> None:
    log = table("购货单位,过账日,净额", 0, 1, 2)
    (folder / "导出 [1].csv").write_text(log, encoding="gb18030")
    (folder / "导出 [2].csv").write_text(log, encoding="utf-8")
    customers = "".join(f"{number:05d},甲{number},杭州\n" for number in range(41))
    (folder / "kehu.csv").write_text(f"客户编码,客户名称,城市\n{customers}", encoding="utf-8")


#: What lies in the folder, and the columns of the snapshot's log with the headers that they come from.
MENDED = {
    "unknown Chinese headers in GBK": (
        lambda folder: (folder / "sales.csv").write_text(
            table("购货单位,过账日,净额,货", 0, 1, 2, 3), encoding="gb18030"
        ),
        {"customer_id": "购货单位", "date": "过账日", "amount": "净额"},
    ),
    "an English system": (
        lambda folder: (folder / "VBRP.txt").write_text(
            table("Sold-to Pt,PstngDate,Net Val.", 0, 1, 2, delimiter="\t")
        ),
        {"customer_id": "Sold-to Pt", "date": "PstngDate", "amount": "Net Val."},
    ),
    "a workbook with a title": (
        lambda folder: workbook(folder / "ledger.xlsx"),
        {"customer_id": "购货单位", "date": "过账日", "amount": "净额"},
    ),
    "two dates": (
        lambda folder: (folder / "a.csv").write_text(table("客户编号,发货日期,订单日期,金额", 0, 1, 1, 2)),
        {"date": "订单日期"},
    ),
    "two amounts": (
        lambda folder: (folder / "a.csv").write_text(table("customer,date,sales,revenue", 0, 1, 2, 2)),
        {"amount": "sales"},
    ),
    "no amount": (
        lambda folder: (folder / "a.csv").write_text(f"客户编号,日期,数量,单价\n{priced()}"),
        {"amount": "", "quantity": "数量"},
    ),
    "day or month": (
        lambda folder: (folder / "a.csv").write_text(f"客户编号,日期,金额\n{american()}"),
        {"date": "日期"},
    ),
    "files of foreign names": (foreign, {"customer_id": "购货单位", "date": "过账日"}),
    "hostile headers": (
        lambda folder: (folder / "a.csv").write_text(
            table('"客户 "" \']] \n[x] # \\""""""","日期 🙈\u202e\x07",净额\u2028', 0, 1, 2),
            encoding="utf-8",
            newline="",
        ),
        {},
    ),
    "a header of 10,000 characters": (
        lambda folder: (folder / "a.csv").write_text(table("客户编号,日期," + "净额" * 5000, 0, 1, 2)),
        {"amount": "净额" * 5000},
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_a_draft_put_into_place_makes_the_check_pass(folder: Path, tmp_path: Path, kehu, case: str) -> None:
    put, expected = MENDED[case]
    put(folder)
    sources = {path: path.read_bytes() for path in folder.iterdir()}
    code, said, error = kehu("check", folder, "--out", tmp_path / "out", "--lang", "en")
    assert (code, len(error.splitlines())) == (1, 1)
    draft = tmp_path / "out" / "dataset.toml"
    assert f"Draft of dataset.toml: {draft}" in said
    assert f"Save it as {folder / 'dataset.toml'}" in said
    assert f"Run kehu check {folder} again" in said
    assert [line for line in said.splitlines() if not line.isprintable()] == []
    assert max(map(len, said.splitlines())) < 400
    assert {path: path.read_bytes() for path in folder.iterdir()} == sources
    (folder / "dataset.toml").write_bytes(draft.read_bytes())
    dataset = check_dataset(folder)
    account = dataset.account["tables"]["transactions"]
    assert {name: header for name, header in account["columns"].items() if name in expected} == expected
    counts = dataset.line_classes().groupby("line_class")["n_lines"].sum().to_dict()
    assert set(counts) == {"accepted"}
    assert dataset.has("customers") == (case == "files of foreign names")
    assert kehu("check", folder, "--out", tmp_path / "out")[0] == 0


def test_days_are_read_as_the_draft_says(folder: Path, tmp_path: Path, kehu) -> None:
    MENDED["day or month"][0](folder)
    kehu("check", folder, "--out", tmp_path / "out")
    assert tomllib.loads((tmp_path / "out" / "dataset.toml").read_text("utf-8"))["tables"]["transactions"] == {
        "date_order": "month_first",
        "columns": {},
    }


def test_what_cannot_be_read_is_left_to_the_analyst(folder: Path, tmp_path: Path, kehu) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,金额说明", 0, 1, 3), encoding="utf-8")
    said = {}
    for lang in ("zh", "en"):
        code, said[lang], _ = kehu("check", folder, "--out", tmp_path / lang, "--lang", lang)
        assert code == 1
    assert "choose or fill in amount at the lines marked <<<" in said["en"]
    assert "选定或填写 amount" in said["zh"]
    assert "  amount  ?  金额说明  P0, P1, P2" in said["en"].splitlines()
    text = (tmp_path / "en" / "dataset.toml").read_text("utf-8")
    assert '# amount = "金额说明"  # <<< choose or fill in · e.g. P0, P1, P2 (0.0% can be read)' in text.splitlines()
    assert '# customer_id = "客户编号"' in text.splitlines()
    assert "<<< 请选择或填写" in (tmp_path / "zh" / "dataset.toml").read_text("utf-8")
    # Put into place as it is, it changes nothing: the check says the same again.
    (folder / "dataset.toml").write_text(text, encoding="utf-8")
    assert kehu("check", folder, "--lang", "en")[0] == 1


def test_without_anything_to_choose_from_there_is_no_draft(folder: Path, tmp_path: Path, kehu) -> None:
    (folder / "a.csv").write_text("customer_id,amount\n1,2\n")
    code, said, error = kehu("check", folder, "--out", tmp_path / "out", "--lang", "en")
    assert (code, "says on which day" in error) == (1, True)
    assert [line[:35] for line in said.splitlines()[1:]] == ["  date  ✗  no column says on which "]
    assert not (tmp_path / "out").exists()


def test_by_default_the_draft_goes_to_reports(folder: Path, tmp_path: Path, kehu) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    kehu("check", folder)
    assert (tmp_path / "project" / "reports" / "shop" / "check" / "dataset.toml").is_file()


def test_one_file_is_drafted_for_the_folder_that_it_lies_in(folder: Path, tmp_path: Path, kehu) -> None:
    path = folder / "my sales.csv"
    path.write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    code, said, _ = kehu("check", path, "--out", tmp_path / "out", "--lang", "en")
    assert (code, f'Run kehu check "{path}" again.' in said) == (1, True)
    (folder / "dataset.toml").write_bytes((tmp_path / "out" / "dataset.toml").read_bytes())
    assert kehu("check", path, "--out", tmp_path / "out")[0] == 0


def test_settings_that_hold_are_kept(folder: Path, tmp_path: Path, kehu) -> None:
    settings = (
        'name = "My shop"\ncurrency = "USD"\ncomplete_until = 2026-03-31\nmaximum_rejected = 0.1\n'
        '[tables.transactions]\nsource = "a*.csv"\nfiles_may_differ = true\n'
        '[tables.transactions.columns]\ncustomer_id = "who"\namount = "Amout"\n'
        '[[tables.transactions.filters]]\ncolumn = "who"\noperator = "is_one_of"\nvalue = ["x\\ty", "00001"]\n'
        'reason = "own \\"use\\""\n[tables.products]\nfiles_may_differ = true\n'
    )
    (folder / "dataset.toml").write_text(settings, encoding="utf-8")
    (folder / "a1.csv").write_text(table("who,date,Amount (net)", 0, 1, 2))
    before = read_settings(folder).model_dump(exclude_unset=True)
    code, said, _ = kehu("check", folder, "--out", tmp_path / "out", "--lang", "en")
    assert (code, "over the one that is there" in said) == (1, True)
    (folder / "dataset.toml").write_bytes((tmp_path / "out" / "dataset.toml").read_bytes())
    before["tables"]["transactions"]["columns"]["amount"] = "Amount (net)"
    assert read_settings(folder).model_dump(exclude_unset=True) == before
    assert kehu("check", folder, "--out", tmp_path / "out")[0] == 0


def test_a_draft_that_was_edited_stays(folder: Path, tmp_path: Path, kehu) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    out = tmp_path / "out"
    for _ in range(2):
        kehu("check", folder, "--out", out)
    assert [path.name for path in out.iterdir()] == ["dataset.toml"]
    edited = (out / "dataset.toml").read_text("utf-8").replace('"净额"', '"毛额"')
    (out / "dataset.toml").write_text(edited, encoding="utf-8")
    for _ in range(2):
        said = kehu("check", folder, "--out", out)[1]
        assert str(out / "dataset-2.toml") in said
    assert (out / "dataset.toml").read_text("utf-8") == edited
    assert sorted(path.name for path in out.iterdir()) == ["dataset-2.toml", "dataset.toml"]
    (out / "dataset-2.toml").write_text("mine", encoding="utf-8")
    assert str(out / "dataset-3.toml") in kehu("check", folder, "--out", out)[1]


def test_a_place_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    (tmp_path / "file").write_text("")
    fault = DataError("missing_column", table="transactions", columns="amount", path="a.csv", headers="")
    with pytest.raises(RunError, match="cannot be written"):
        draft_lines(folder, fault, tmp_path / "file" / "out", "en")


def test_other_faults_have_no_draft(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    assert draft_lines(folder, DataError("empty_file", path="a.csv"), tmp_path / "out", "en") == []


def test_the_report_points_to_the_check(folder: Path, kehu) -> None:
    (folder / "a.csv").write_text(table("客户编号,日期,净额", 0, 1, 2), encoding="utf-8")
    code, _, error = kehu("report", folder, "--lang", "en")
    assert (code, "kehu check lists what it could be and writes a draft" in error) == (1, True)


# --- valid by construction ----------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(string.printable, max_size=9)


@given(
    st.recursive(TEXT | st.integers() | st.booleans() | st.dates(), lambda one: st.lists(one, max_size=3), max_leaves=4)
)
def test_values_come_back_as_they_were(value) -> None:
    text = toml_value(value)
    assert "\n" not in text
    assert tomllib.loads(f"x = {text}") == {"x": value}


@given(st.lists(TEXT, min_size=4, max_size=4, unique=True), TEXT, st.sampled_from(["zh", "en"]))
def test_no_header_or_value_breaks_a_draft(headers: list[str], value: str, lang: str) -> None:
    candidates = tuple(Candidate(header, (value, value), 0.5, 1.0, 1.0) for header in headers)
    proposal = TableProposal(
        table="transactions",
        files=(value,),
        source=(headers[0], headers[1]),
        sheets=(value,),
        source_is_sure=True,
        rivals=(value,),
        has_header=False,
        recognised={"date": headers[0]},
        columns=(
            ColumnProposal("customer_id", "named", candidates, headers[1], named=value),
            ColumnProposal("order_id", "ambiguous", candidates, None),
        ),
        amount_from=AmountFrom(quantity=headers[2], unit_price=headers[3]),
        styles=(),
        unused=tuple(headers),
        kept={"filters": [{"column": value, "operator": "equals", "value": value, "reason": "r"}]},
    )
    proposals = Proposals(value, Path(value.replace("\0", "") or "x"), DatasetSettings(), (proposal,))
    text = draft_text(proposals, Path("a b"), lang)
    assert tomllib.loads(text) == {
        "tables": {
            "transactions": {
                "source": headers[:2],
                "sheet": value,
                "amount_from": {"quantity": headers[2], "unit_price": headers[3]},
                "columns": {"customer_id": headers[1]},
                "filters": [{"column": value, "operator": "equals", "value": value, "reason": "r"}],
            }
        }
    }
    # Each line that is only proposed says, with its # taken away, what it should.
    lines = [line for line in text.split("\n") if line.startswith("# order_id = ")]
    assert [tomllib.loads(line[2:])["order_id"] for line in lines] == headers


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposals = Proposals("shop", tmp_path / "dataset.toml", DatasetSettings(), ())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RunError, match="disk is full"):
        write_draft(proposals, tmp_path / "out", tmp_path, "en")
    assert list((tmp_path / "out").iterdir()) == []
