"""Of registration, tax and account numbers no output shows more than the end."""

import pandas as pd
import xlsxwriter

SECRETS = ("92310000MA1FL000X1", "6222020200012345678", "91310000MA1FL111Y2")
LOG = "customer_id,date,amount\n1,2026-01-05,1\n2,2026-01-05,1\n"
HEADER = "客户编号,名称,营业执照号,银行账号,税号,开户日期"


def everything_written(*folders):
    """Return all that stands in files: Parquet as the texts of its cells, workbooks unpacked, others as they are."""
    texts = []
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            texts.append(pd.read_parquet(path).astype("str").to_csv())
        elif path.suffix == ".xlsx":
            sheets = pd.read_excel(path, sheet_name=None, header=None, dtype="str", engine="calamine").values()
            texts += [sheet.to_csv() for sheet in sheets]
        else:
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(texts)


def test_confidential_numbers_leave_no_trace_but_their_end(kehu, cache, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "transactions.csv").write_text(LOG, encoding="utf-8")
    rows = [
        f"1,甲店,{SECRETS[0]},{SECRETS[1]},{SECRETS[2]},2025-01-01",
        f"1,甲店又一次,{SECRETS[0]},{SECRETS[1]},{SECRETS[2]},2025-01-01",  # a repeated key
        f"2,乙店,{SECRETS[0]},{SECRETS[1]},{SECRETS[2]},2025-01-01,多一格",  # a broken line
        f"3,丙店,{SECRETS[0]}, NULL ,1234,不是日期",
    ]
    (tmp_path / "data" / "customers.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    for lang in ("zh", "en"):
        _, said, complaints = kehu("check", tmp_path / "data", "--lang", lang, "--out", tmp_path / f"out-{lang}")
        everything = said + complaints + everything_written(cache, tmp_path / f"out-{lang}")
        assert "repeated" in everything or "重复" in everything
        assert all(secret[:-4] not in everything for secret in SECRETS)
    (path,) = cache.glob("*/customers.parquet")
    kept = pd.read_parquet(path)[["registration_no", "account_no", "tax_no"]]
    assert kept.iloc[0].tolist() == ["****00X1", "****5678", "****11Y2"]
    assert kept.iloc[1].isna().tolist() == [False, True, False]
    assert kept.iloc[1, 2] == "****"


def test_a_draft_shows_no_more_either(kehu, tmp_path):
    rows = [f"{SECRETS[1][:-2]}{n % 7:02},2026-01-{n:02},{n}.5" for n in range(1, 25)]
    (tmp_path / "log.csv").write_text("\n".join(["银行账号,日期,金额", *rows]) + "\n", encoding="utf-8")
    _, said, complaints = kehu("check", tmp_path / "log.csv", "--out", tmp_path / "out")
    everything = said + complaints + everything_written(tmp_path / "out")
    assert "银行账号" in everything
    assert SECRETS[1][:-4] not in everything


def test_a_rounded_account_in_a_workbook_is_masked(check, folder):
    with xlsxwriter.Workbook(folder / "customers.xlsx") as book:
        sheet = book.add_worksheet("customers")
        for place, row in enumerate([["customer_id", "account_no"], ["1", 6222020200012345678]]):
            sheet.write_row(place, 0, row)
    told = check(transactions=LOG).failures().set_index("reason")
    assert told.loc["rounded_id", "example"].startswith("****")
    assert "62220202" not in str(told.to_dict())
