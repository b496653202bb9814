"""Files as they come: encodings, delimiters, headers, dates, ids, native types, names."""

from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kehu_analysis.data import check_dataset, open_dataset
from kehu_analysis.data.reading.text_files import Dialect, read_header
from kehu_analysis.errors import DataError

HEADER = "customer_id,date,amount\n"


def accepted(dataset):
    return pd.read_parquet(dataset.path("transactions"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", *(pytest.param(mark, marks=pytest.mark.long) for mark in ";\t|")])
def test_encodings_and_delimiters(check, encoding, delimiter):
    text = '客户编号,交易日期,"金额"\n甲店,2026-01-05,12.50\n乙店,2026年1月6日,"0.50"\n丙店,坏,1\n'
    content = text.replace(",", delimiter).encode(encoding)
    dataset = check(transactions=b"\xfe\xff" + content if encoding == "utf-16-be" else content)
    rows = accepted(dataset)
    assert dict(zip(rows["customer_id"], rows["amount"], strict=True)) == {
        "甲店": Decimal("12.5"),
        "乙店": Decimal("0.5"),
    }
    assert dataset.rejected()[["row", "column", "value"]].values.tolist() == [[4, "date", "坏"]]
    assert dataset.account["tables"]["transactions"]["columns"]["customer_id"] == "客户编号"


def test_ids_are_texts(check):
    ids = ["007", "7", "00012345678901234567890", "<script>alert(1)</script>", "=1+1", "客户甲", "1e5", "TRUE"]
    lines = "".join(f"{one},2026-01-05,1\n" for one in ids)
    quoted = '"O\'Brien ""x""",2026-01-05,1\n 7 ,2026-01-06,1\n\u30007\u00a0,2026-01-07,1\n1001.0,2026-01-05,1\n'
    dataset = check(transactions=HEADER + lines + quoted + '"",2026-01-05,1\n\u3000,2026-01-05,1\n')
    assert sorted(set(accepted(dataset)["customer_id"])) == sorted([*ids, 'O\'Brien "x"', "1001"])
    assert (accepted(dataset)["customer_id"] == "7").sum() == 3
    assert dataset.line_classes().set_index("line_class").loc["set_apart", "n_lines"] == 2


DATES = {
    "2026-01-05": date(2026, 1, 5),
    "2026-1-5": date(2026, 1, 5),
    "2026/01/05": date(2026, 1, 5),
    "2026.1.5": date(2026, 1, 5),
    "20260105": date(2026, 1, 5),
    "2026年1月5日": date(2026, 1, 5),
    "2026-01-05 23:30:00": date(2026, 1, 5),  # without an offset: local as it stands
    "2026-01-05T23:30": date(2026, 1, 5),
    "2026/1/5 8:05": date(2026, 1, 5),
    "2026-01-05 23:30:00.123456": date(2026, 1, 5),
    "2026-01-05T23:30:00Z": date(2026, 1, 6),  # with one: converted to Asia/Shanghai
    "2026-01-05 23:30:00 UTC": date(2026, 1, 6),
    "2026-01-05T15:59:59+00:00": date(2026, 1, 5),
    "2026-01-05T16:00:00+0000": date(2026, 1, 6),
    "2026-01-06 00:30:00 +0900": date(2026, 1, 5),
    "2026-01-05 11:30:00-05": date(2026, 1, 6),
    "2026-01-06 00:30:00.5+09:00": date(2026, 1, 5),
    "2026-13-01": None,
    "2026-02-29": None,
    "epoch": None,
    "-infinity": None,
    "46027": date(2026, 1, 5),  # as Excel keeps it
    "46027.75": date(2026, 1, 5),
    "２０２６年１月５日": date(2026, 1, 5),
    "2026年01月05日 下午3:05": date(2026, 1, 5),
    "2026/01/05 3:05 PM": date(2026, 1, 5),
    "20260105233000": date(2026, 1, 5),
    "15/01/2026": date(2026, 1, 15),  # one such date tells the order of all
    "05/01/2026 8:05": date(2026, 1, 5),
    "13/13/2026": None,
    "19999": None,
    "2026-01-05 10:00 sometime": None,
    "99999-01-01": None,
}


def test_dates(check):
    lines = [f"{text},{text},2" for text in DATES]
    dataset = check(transactions=HEADER + "\n".join(lines))
    rows = accepted(dataset)
    assert dict(zip(rows["customer_id"], rows["date"], strict=True)) == {
        text: day for text, day in DATES.items() if day is not None
    }
    rejected = dataset.rejected()
    assert rejected["value"].tolist() == [text for text, day in DATES.items() if day is None]
    assert set(rejected["reason"]) == {"not_date"}


def test_stamps_are_converted_to_the_zone_of_the_dataset(check):
    text = HEADER + "1,2026-01-05T04:30:00Z,1\n"
    dataset = check(transactions=text, dataset__toml='timezone = "America/New_York"\n')
    assert accepted(dataset)["date"].tolist() == [date(2026, 1, 4)]


def test_parquet_with_native_types(folder):
    table = pa.table(
        {
            "customer_id": pa.array([7, 7, None, 8], pa.int64()),
            "日期": pa.array([date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 6), None], pa.date32()),
            "amount": pa.array([0.1, 19.99, float("nan"), 1.0], pa.float64()),
            "discount": pa.array([Decimal("0.10"), None, None, None], pa.decimal128(12, 2)),
            "quantity": pa.array([float("nan"), 2.5, 1.0, 1.0], pa.float32()),
            "_row": pa.array([9, 9, 9, 9]),
            "file_row_number": pa.array([5, 5, 5, 5]),
        }
    )
    pq.write_table(table, folder / "transactions.parquet")
    dataset = check_dataset(folder)
    rows = accepted(dataset)
    assert rows["customer_id"].tolist() == ["7", "7"]
    assert rows["amount"].tolist() == [Decimal("0.1"), Decimal("19.99")]
    assert rows["quantity"].tolist()[1] == 2.5
    assert dataset.failures().query("severity == 'warning'").empty  # NaN is missing, not wrong
    # Parquet has no header row: its first row is row 1.
    assert dataset.rejected()[["row", "column", "reason"]].values.tolist() == [
        [3, "amount", "missing"],
        [4, "date", "missing"],
    ]


@pytest.mark.parametrize(
    ("kind", "values", "day"),
    [
        (pa.timestamp("us"), [datetime(2026, 1, 5, 23, 30)], date(2026, 1, 5)),
        (pa.timestamp("us", tz="UTC"), [datetime(2026, 1, 5, 23, 30)], date(2026, 1, 6)),
        (pa.timestamp("ns"), [datetime(2026, 1, 5, 23, 30)], date(2026, 1, 5)),
        (pa.int64(), [20260105], date(2026, 1, 5)),
    ],
    ids=str,
)
def test_parquet_stamps(folder, kind, values, day, monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    ids = pa.array(["01"]).dictionary_encode()
    table = pa.table({"customer_id": ids, "date": pa.array(values, kind), "amount": [Decimal("1.00")]})
    pq.write_table(table, folder / "transactions.parquet")
    rows = accepted(check_dataset(folder))
    assert rows["date"].tolist() == [day]
    assert rows["customer_id"].tolist() == ["01"]


HOSTILE_NAMES = ["sales [2026].csv", "a*.csv", "what?.csv", 'it\'s "x".csv', "客户 数据.csv", "region=n.csv"]


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_file_and_folder_names(tmp_path, name):
    folder = tmp_path / f"dir={name.removesuffix('.csv')}"
    folder.mkdir()
    (folder / name).write_text(f"{HEADER}1,2026-01-05,1\n1,never,1\n", encoding="utf-8")
    (tmp_path / "axx.csv").write_text(f"{HEADER}9,2026-01-05,9\n")
    for source in (folder, folder / name):
        dataset = check_dataset(source)
        assert accepted(dataset)["customer_id"].tolist() == ["1"]
        assert dataset.rejected()["file"].tolist() == [name]
        assert dataset.account["tables"]["transactions"]["unused_headers"] == []
    (folder / "dataset.toml").write_text(f"[tables.transactions]\nsource = '''{name}'''\n", encoding="utf-8")
    (folder / "other.csv").write_text("x,y\n1,2\n")
    assert accepted(check_dataset(folder))["customer_id"].tolist() == ["1"]


def test_hostile_headers_do_no_harm(check):
    injected = "x'); DROP TABLE transactions_0; --"
    headers = ["customer_id", "date", "amount", injected, 'a"b', "_row", "_file", "driver_x", "", "", "${}", "'"]
    row = ["1", "2026-01-05", "1", "boo", "2", "3", "4", "5", "6", "7", "8", "9"]
    quoted = ",".join('"' + header.replace('"', '""') + '"' for header in headers)
    dataset = check(transactions=f"{quoted}\n{','.join(row)}\n1,never,1{',' * 9}\n")
    assert accepted(dataset)["customer_id"].tolist() == ["1"]
    assert dataset.rejected()["row"].tolist() == [3]
    unused = dataset.account["tables"]["transactions"]["unused_headers"]
    assert unused == [injected, 'a"b', "_row", "_file", "driver_x", "column 9", "column 10", "${}", "'"]


def test_hostile_headers_can_be_mapped_and_filtered(check):
    toml = """
    [tables.transactions.columns]
    customer_id = "who\\"'s"
    "amount" = "x'); DROP TABLE y; --"
    [[tables.transactions.filters]]
    column = "x'); DROP TABLE y; --"
    operator = "equals"
    value = "' OR 1=1 --"
    reason = "it's \\"void\\"); --"
    [tables.surveys.columns]
    'driver_a"b' = "q'1"
    """
    text = '"who""\'s",date,"x\'); DROP TABLE y; --"\n1,2026-01-05,5\n2,2026-01-05,\' OR 1=1 --\n'
    dataset = check(
        transactions=text, surveys="customer_id,date,q'1\n1,2026-01-05,4\n1,2026-01-05,9\n", dataset__toml=toml
    )
    lines = dataset.line_classes()[["line_class", "reason", "n_lines"]].values.tolist()
    assert lines == [["accepted", "", 1], ["filtered", 'it\'s "void"); --', 1]]
    assert dataset.table("surveys")['driver_a"b'].tolist()[0] == 4
    assert dataset.failures()["reason"].tolist() == ["above_range"]


def test_a_header_with_a_line_end_and_a_long_one(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('"customer\nid",date,amount\n')
    assert read_header(path, "x") == (["customer\nid", "date", "amount"], Dialect(","), [])
    path.write_text("a" * 200_000)
    assert len(read_header(path, "x")[0]) == 1


@pytest.mark.parametrize(
    ("header", "candidates"),
    [
        ("customer_id,date,销售额,金额", "销售额, 金额"),
        ("customer_id,date,date,amount", "date, date (2)"),
        ("Customer-ID,customer id,date,amount", "Customer-ID, customer id"),
    ],
)
def test_two_headers_that_could_be_one_column(check, folder, header, candidates):
    with pytest.raises(DataError) as error:
        check(transactions=f"{header}\n1,2026-01-05,1,1\n")
    assert error.value.code == "ambiguous_column"
    assert error.value.details["candidates"] == candidates
    column, chosen = error.value.details["column"], candidates.split(", ")[1]
    (folder / "dataset.toml").write_text(f'[tables.transactions.columns]\n{column} = "{chosen}"\n', encoding="utf-8")
    assert check_dataset(folder).account["tables"]["transactions"]["columns"][column] == chosen


def test_the_own_name_of_a_column_comes_before_its_synonyms(check):
    dataset = check(transactions="customer,customer_id,date,value,amount\nx,1,2026-01-05,9,1\n")
    assert accepted(dataset)[["customer_id", "amount"]].values.tolist() == [["1", Decimal("1")]]


def test_the_same_table_twice_is_refused_not_added_up(check):
    text = HEADER + "1,2026-01-05,1\n"
    with pytest.raises(DataError, match=r"transactions\.csv, transactions\.txt"):
        check(transactions=text, transactions__txt=text)


def test_parts_of_a_table_and_hidden_companions(check):
    text = HEADER + "1,2026-01-05,1\n"
    files = {"transactions-1": text, "transactions_2026": text, "~$transactions-1__csv": "junk", "notes": "a,b\n"}
    dataset = check(**files)
    assert dataset.account["tables"]["transactions"]["files"] == ["transactions-1.csv", "transactions_2026.csv"]


def test_a_file_name_that_is_no_utf8(folder):
    name = b"\xbd\xbb\xd2\xd7.csv".decode(errors="surrogateescape")
    try:
        (folder / name).write_text(HEADER + "1,2026-01-05,1\n")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with pytest.raises(DataError) as error:
        open_dataset(folder)
    assert error.value.code == "file_name"


def test_sources_are_never_written_to(check, folder):
    check(transactions=HEADER + "1,2026-01-05,1\n", dataset__toml="")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    folder.chmod(0o555)
    try:
        open_dataset(folder)
        open_dataset(folder / "transactions.csv")
    finally:
        folder.chmod(0o755)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_values_in_single_quotes(check):
    text = "'customer_id','date','amount','name'\n'1','2026-01-05','1.5','O''Brien, Ltd'\n'2','2026-01-06','2',''\n"
    broken = "'3','2026-01-06','2','never closed\n'4','2026-01-07','4','x'\n"
    dataset = check(transactions=text + broken)
    assert accepted(dataset)["customer_id"].tolist() == ["1", "2", "4"]
    assert dataset.rejected()[["row", "reason"]].values.tolist() == [[4, "broken_line"]]


def test_ids_that_were_kept_from_a_spreadsheet(check):
    text = 'customer_id,date,amount\n"=""00017""",2026-01-05,1\n\'00018,2026-01-05,1\n=1+1,2026-01-05,1\n'
    assert accepted(check(transactions=text))["customer_id"].tolist() == ["00017", "00018", "=1+1"]
