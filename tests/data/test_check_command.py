"""`kehu check` on good and bad data: what is said, how it ends, and that nothing half is left behind."""

import gzip
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from kehu_analysis.intake import results
from kehu_analysis.report import layout

FILES = Path(__file__).parent / "files"
HEADER = "customer_id,date,amount\n"
SOUND = HEADER + "1,2026-01-05,1234.5\n2,2026-03-31,2\n"


@pytest.fixture(autouse=True)
def reports(tmp_path, monkeypatch):
    """Keep what a check writes to itself, and leave the font out of pages: cutting it takes most of a page's time."""
    monkeypatch.setattr(results, "reports_folder", lambda: tmp_path / "project" / "reports")
    monkeypatch.setattr(layout, "font_face", lambda *_: "")
    return tmp_path / "project" / "reports"


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def parquet_cut_short(folder):
    path = folder / "transactions.parquet"
    pd.DataFrame({"customer_id": ["1"] * 999, "date": ["2026-01-05"] * 999, "amount": [1.0] * 999}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-500])


def workbook(folder, sheets, name="transactions.xlsx"):
    with xlsxwriter.Workbook(folder / name) as book:
        for sheet, rows in sheets.items():
            made = book.add_worksheet(sheet)
            for place, row in enumerate(rows):
                made.write_row(place, 0, row)


def workbook_cut_short(folder):
    workbook(folder, {"Sheet1": [["customer_id", "date", "amount"], ["1", "2026-01-05", 1]] * 50})
    path = folder / "transactions.xlsx"
    path.write_bytes(path.read_bytes()[:-300])


#: What lies in the folder, and a word of each message.
BAD = {
    "0-byte Excel": (lambda folder: write(folder, transactions__xlsx=b""), "empty file"),
    "0-byte old Excel": (lambda folder: write(folder, transactions__xls=b""), "empty file"),
    "password-protected Excel": (
        lambda folder: shutil.copy(FILES / "protected.xlsx", folder / "transactions.xlsx"),
        "password",
    ),
    "damaged Excel": (workbook_cut_short, "no valid Excel workbook"),
    "an old Excel by the name of a new one": (
        lambda folder: shutil.copy(FILES / "transactions.xls", folder / "transactions.xlsx"),
        "no valid Excel workbook",
    ),
    "damaged old Excel": (
        lambda folder: write(folder, transactions__xls=(FILES / "transactions.xls").read_bytes()[:3000]),
        "no valid Excel workbook",
    ),
    "damaged gzip": (
        lambda folder: write(folder, transactions__csv__gz=gzip.compress(SOUND.encode())[:-12]),
        "damaged",
    ),
    "files that disagree": (
        lambda folder: write(
            folder,
            **{
                "transactions-1__csv": SOUND,
                "transactions-2__csv": "customer_id,date,amount,quantity\n1,2026-01-05,1,1\n",
            },
        ),
        "transactions-1.csv: quantity",
    ),
    "two date candidates": (
        lambda folder: write(
            folder, transactions__csv="customer_id,orderdate,saledate,amount\n1,2026-01-05,2026-01-05,1\n"
        ),
        "Several columns",
    ),
    "ambiguous date order": (
        lambda folder: write(folder, transactions__csv=HEADER + "1,01/02/2026,1\n2,03/04/2026,2\n"),
        "day_first",
    ),
    "contradicting date orders": (
        lambda folder: write(folder, transactions__csv=HEADER + "1,13/02/2026,1\n2,03/14/2026,2\n"),
        "date_order",
    ),
    "ambiguous decimal mark": (
        lambda folder: write(folder, transactions__csv=HEADER + '1,2026-01-05,"1.234"\n2,2026-01-06,"2.345"\n'),
        "decimal_mark",
    ),
    "more broken lines than sound ones": (
        lambda folder: write(folder, transactions__csv=SOUND + "1,2\n" * 5),
        "broken",
    ),
    "nothing": (lambda folder: None, "no transactions file"),
    "other files": (lambda folder: write(folder, readme__md="x"), r"readme.md"),
    "empty file": (lambda folder: write(folder, transactions__csv=""), "empty file"),
    "header only": (lambda folder: write(folder, transactions__csv=HEADER), "header but no rows"),
    "no date column": (lambda folder: write(folder, transactions__csv="customer_id,amount\n1,2\n"), "date"),
    "random bytes": (lambda folder: write(folder, transactions__csv=bytes(range(256)) * 20), "no text file"),
    "a zip by name csv": (lambda folder: write(folder, transactions__csv=b"PK\x03\x04\x14\x00\x08"), "no text file"),
    "control characters": (lambda folder: write(folder, transactions__csv="\x1b[2J,\x07\n1,2\n"), "lacks columns"),
    "two candidates": (
        lambda folder: write(folder, transactions__csv="customer_id,date,sales,revenue\n1,2026-01-05,1,1\n"),
        "Several columns",
    ),
    "too many rejected": (lambda folder: write(folder, transactions__csv=SOUND + "1,x,1\n"), "not a date: 1"),
    "nothing accepted": (lambda folder: write(folder, transactions__csv=HEADER + "1,x,1\n"), "The only row of"),
    "Parquet cut short": (parquet_cut_short, "cannot be read"),
    "no Parquet at all": (lambda folder: write(folder, transactions__parquet="PAR1"), "cannot be read"),
    "a folder of that name": (lambda folder: (folder / "transactions.csv").mkdir(), "no transactions file"),
    "settings that are none": (
        lambda folder: write(folder, transactions__csv=SOUND, dataset__toml=b"\xff\xfe="),
        "not in UTF-8",
    ),
    "wrong settings": (
        lambda folder: write(folder, transactions__csv=SOUND, dataset__toml='timezone = "Mars"\nx = 1'),
        "no such setting",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_one_clear_message_and_exit_code_1(folder, cache, kehu, case):
    put, words = BAD[case]
    put(folder)
    said = {}
    for lang in ("en", "zh"):
        code, _, said[lang] = kehu("check", folder, "--lang", lang)
        assert code == 1
        assert "Traceback" not in said[lang]
        assert len(said[lang].strip().splitlines()) == 1
    assert words in said["en"]
    assert said["en"].startswith("Error: ")
    assert said["zh"].startswith("错误：")
    assert "\x1b" not in said["en"]
    assert not (cache / "last-error.txt").exists()
    # A snapshot is whole or not there; no building site is left.
    for left in cache.iterdir() if cache.exists() else ():
        assert left.suffix == ".lock" or (left / "account.json").is_file()


MANY = HEADER + "".join(f"{n % 7},2026-01-{n % 28 + 1:02},{n}\n" for n in range(1, 100))
NAMES = (
    "<script>alert(1)</script>",
    "=1+1",
    "'; DROP TABLE x; --",
    "\x1b[31mred",
    "../../etc",
    "{amount}",
    "\u202eevil",
)


def hostile(folder):
    names = "".join(f'"{name}",2026-01-05,1\n' for name in NAMES)
    write(folder, **{"sales [2026] {x}__csv": MANY + names})


#: What lies in the folder, the amount of what is accepted, and what is said of the rest.
DOUBTFUL = {
    "text in amounts": (
        lambda folder: write(folder, transactions__csv=MANY + "1,2026-01-05,soon\n"),
        4950,
        "not an amount",
    ),
    "a date to come": (
        lambda folder: write(folder, transactions__csv=MANY + "1,2099-01-01,5\n"),
        4950,
        "in the future",
    ),
    "UTF-16": (lambda folder: write(folder, transactions__csv=MANY.encode("utf-16")), 4950, "Accepted: 99 lines"),
    "UTF-16 without a mark": (
        lambda folder: write(folder, transactions__csv=(MANY + "一\u3000店,2026-01-05,5\n").encode("utf-16-le")),
        4955,
        "Accepted: 100 lines",
    ),
    "a foreign key that fits nothing": (
        lambda folder: write(folder, transactions__csv=MANY, customers__csv="customer_id,name\nX,甲\n"),
        4950,
        "Warning: transactions.csv, customer_id: ",
    ),
    "30 % duplicate lines": (
        lambda folder: write(folder, transactions__csv=MANY + "".join(MANY.splitlines(keepends=True)[1:43])),
        4950 + sum(range(1, 43)),
        "repeat",
    ),
    "hostile names": (hostile, 4950 + len(NAMES), "Accepted: 106 lines"),
    "several sheets": (
        lambda folder: workbook(
            folder,
            {
                "2026年1月": [["客户编号", "日期", "金额"], ["1", "2026-01-05", 10]],
                "2026年2月": [["客户编号", "日期", "金额"], ["2", "2026-02-05", 20]],
                "说明": [["这是说明"]],
            },
        ),
        30,
        "transactions.xlsx [说明]",
    ),
    "old Excel": (
        lambda folder: shutil.copy(FILES / "transactions.xls", folder / "transactions.xls"),
        3688.25,
        "Accepted: 5",
    ),
    "one workbook with all tables": (
        lambda folder: workbook(
            folder,
            {
                "transactions": [["customer_id", "date", "amount"], ["1", date(2026, 1, 5).isoformat(), 7]],
                "customers": [["customer_id", "name"], ["1", "甲"]],
            },
            name="company.xlsx",
        ),
        7,
        "Table customers",
    ),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_data_is_told_of_and_exit_code_0(folder, cache, kehu, case):
    put, amount, words = DOUBTFUL[case]
    put(folder)
    for lang in ("zh", "en"):
        code, said, complaint = kehu("check", folder, "--lang", lang)
        assert (code, complaint) == (0, "")
        assert "\x1b" not in said
    assert words in said
    assert f"{amount:,.2f}" in said
    assert not (cache / "last-error.txt").exists()


@pytest.mark.parametrize("path", ["/no/such", "/dev/null", "x" * 5000])
def test_a_wrong_path_is_exit_code_2(kehu, path):
    code, _, error = kehu("check", path, "--lang=en")
    assert (code, "does not exist" in error) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", ".", "--lang", "fr"], ["chekc"], ["check", ".", "--nonsense"]]
)
def test_wrong_usage_is_exit_code_2(kehu, arguments):
    assert kehu(*arguments)[0] == 2


def test_sound_data(folder, kehu, reports):
    write(folder, transactions__csv=SOUND, dataset__toml='currency = "USD"')
    code, out, error = kehu("check", folder, "--lang", "en")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    begin = lines.index("Table transactions (transactions.csv)")
    assert lines[0].startswith("What was understood")
    assert "  Sales by quarter: 2026Q1 1,236.50" in lines[:begin]
    assert lines[begin:] == [
        "Table transactions (transactions.csv)",
        "  Accepted: 2 lines, 1,236.50 USD",
        f"Page of the check: {reports / 'shop' / 'check' / 'check.html'}",
        "A report can be made. Quarters to choose from: 2026Q1 – 2026Q1.",
    ]
    assert "可以生成报告" in kehu("check", folder)[1]


def test_what_is_not_accepted_is_shown_with_its_place(folder, kehu):
    rows = "".join(f"1,2026-01-05,{n}\n" for n in range(1, 600))
    long = "x" * 300
    write(folder, transactions__csv=f"{HEADER}{rows},2026-01-05,5\n1,\x1b[31mred,1\n1,{long},1\n" + "1,never,1\n" * 20)
    code, out, _ = kehu("check", folder, "--lang", "en")
    assert code == 0
    assert "  Set apart (no customer): 1 line, 5.00 CNY" in out
    assert "  Error: transactions.csv, date: not a date, 22 lines; first in row 602; e.g. “\ufffd[31mred”" in out
    assert "\x1b" not in out
    assert "transactions-mended.xlsx" in out


def test_long_values_are_cut_and_long_lists_too(folder, kehu):
    files = {f"transactions-{n:02}__csv": f"{HEADER}1,{'x' * 300},1\n1,2026-01-05,1\n" for n in range(25)}
    write(folder, dataset__toml="maximum_rejected = 1", **files)
    out = kehu("check", folder, "--lang", "en")[1]
    assert f"e.g. “{'x' * 80}…”" in out
    assert "more are on the page of the check" in out


def test_warnings_are_shown(folder, kehu):
    write(folder, transactions__csv="customer_id,date,amount,quantity,remark\n1,2026-01-05,1,many,x\n")
    out = kehu("check", folder, "--lang", "en")[1]
    assert "  Warning: transactions.csv, quantity: not a number, 1 line; first in row 2; e.g. “many”" in out
    assert "Columns not used: remark" in out


def test_the_language_is_that_asked_for(folder, kehu):
    # A folder called "en" is no language.
    (folder / "en").mkdir()
    assert kehu("check", folder / "en", "--lang", "zh")[2].startswith("错误")
    assert kehu("check", "--lang", "en", folder / "en")[2].startswith("Error")


def test_a_fault_of_the_program_is_one_sentence_and_a_trace_in_a_file(folder, cache, kehu, monkeypatch):
    def fail(*_args, **_settings):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("kehu_analysis.cli.data.check_dataset", fail)
    code, _, error = kehu("check", folder, "--lang", "en")
    assert code == 1
    assert "Traceback" not in error
    assert "secret detail" in (cache / "last-error.txt").read_text(encoding="utf-8")
    cache_file = folder / "a file"
    cache_file.write_text("")
    monkeypatch.setenv("KEHU_CACHE", str(cache_file))
    assert "last-error.txt" in kehu("check", folder, "--lang", "en")[2]


@pytest.mark.long
def test_as_a_command_of_its_own_on_a_terminal_without_chinese(folder, cache):
    write(
        folder,
        transactions__csv="客户编号,日期,金额\n客户甲,2026-01-05,1\n客户乙,坏,1\n",
        dataset__toml="maximum_rejected = 1",
    )
    environment = {**os.environ, "KEHU_CACHE": str(cache), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "kehu_analysis.cli", "check", str(folder), "--out", str(folder.parent / "out")],
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"transactions.csv" in done.stdout


def test_what_files_are_called_and_hold_does_not_steer_the_terminal(kehu, tmp_path):
    header = "customer_id,date,amount,\x1b]0;title\x07," + "h" * 5000
    write(tmp_path, transactions__csv=f"{header}\n1,2026-01-05,1,a,b\n2,2026-03-31,2,a,b\n3,2026-03-31,2,a,b\n")
    settings = "[[tables.transactions.filters]]\ncolumn = 'customer_id'\noperator = 'equals'\n"
    settings += "value = '3'\nreason = \"\\u001b[31mred\"\n"
    write(tmp_path, dataset__toml=settings)
    code, said, _ = kehu("check", tmp_path, "--lang", "en")
    assert code == 0
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[31mred" in said
    assert "h" * 100 not in said


def test_a_reason_may_read_like_a_code_of_ours(kehu, tmp_path):
    settings = "[[tables.transactions.filters]]\ncolumn = 'amount'\noperator = 'greater_than'\n"
    settings += "value = 0\nreason = 'accepted.zh'\n"
    write(tmp_path, transactions__csv=SOUND, dataset__toml=settings)
    code, said, complaint = kehu("check", tmp_path, "--lang", "en")
    assert code == 1
    assert "accepted.zh" in said
    assert "accepted.zh: 2" in complaint
