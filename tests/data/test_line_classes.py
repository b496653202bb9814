"""Every row is in exactly one of four classes, with its place and its reason."""

from decimal import Decimal

import pandas as pd
import pytest

HEADER = "customer_id,date,amount\n"


def counts(dataset, table="transactions"):
    lines = dataset.line_classes(table)
    return lines.groupby("line_class")["n_lines"].sum().to_dict()


def rejected(dataset):
    return [tuple(row) for row in dataset.rejected()[["row", "column", "value", "reason"]].itertuples(index=False)]


def accepted(dataset):
    return pd.read_parquet(dataset.path("transactions"))


def test_each_class_reason_and_place(check):
    dataset = check(
        transactions=HEADER
        + "001,2026-01-05,10.10\n"  # row 2
        + ",2026-01-05,20.20\n"  # 3: set apart
        + "001,2026-02-30,1\n"  # 4
        + "001,,1\n"  # 5
        + "001,2026-01-05,abc\n"  # 6
        + "001,1899-12-31,1\n"  # 7
        + "001,9998-01-01,1\n"  # 8
        + "001,2026-01-05,2000000000\n"  # 9
        + "001,2026-01-05,-2000000000\n"  # 10
        + "T1,2026-01-05,5\n"  # 11: filtered
        + "001,2026-01-05,\n"  # 12
        + "   ,2026-01-06,0.01\n"  # 13: set apart
        + "001,2026-01-07,-10.10\n",  # 14
        dataset__toml='[[tables.transactions.filters]]\ncolumn="customer_id"\noperator="starts_with"\nvalue="T"\n'
        'reason="test customer"\n',
    )
    assert counts(dataset) == {"accepted": 2, "set_apart": 2, "filtered": 1, "rejected": 8}
    assert rejected(dataset) == [
        (4, "date", "2026-02-30", "not_date"),
        (5, "date", "", "missing"),
        (6, "amount", "abc", "not_money"),
        (7, "date", "1899-12-31", "too_early"),
        (8, "date", "9998-01-01", "in_the_future"),
        (9, "amount", "2000000000", "above_range"),
        (10, "amount", "-2000000000", "below_range"),
        (12, "amount", "", "missing"),
    ]
    lines = dataset.line_classes().set_index(["line_class", "reason"])
    assert lines.loc[("set_apart", "no_customer"), "amount"] == 20.21
    assert lines.loc[("filtered", "test customer"), "amount"] == 5.0
    assert set(dataset.rejected()["file"]) == {"transactions.csv"}
    apart = pd.read_parquet(dataset.path("transactions_set_apart"))
    assert apart["amount"].tolist() == [Decimal("20.2000"), Decimal("0.0100")]


def test_a_filter_comes_before_a_fault_and_a_missing_customer(check):
    rule = '[[tables.transactions.filters]]\ncolumn="note"\noperator="equals"\nvalue="void"\nreason="void"\n'
    dataset = check(
        transactions="customer_id,date,amount,note\n,2026-01-05,1,void\n1,never,1,void\n1,2026-01-05,1,\n",
        dataset__toml=rule,
    )
    assert counts(dataset) == {"accepted": 1, "filtered": 2}


def test_amounts_add_up_to_the_cent_where_floats_would_not(check):
    dataset = check(transactions=HEADER + "1,2026-01-05,0.10\n" * 3)
    assert Decimal(dataset.account["log"]["amount"]) == Decimal("0.30")
    big = check(transactions=HEADER + "1,2026-01-05,999999999.99\n" * 1001 + "1,2026-01-06,0.01\n")
    assert Decimal(big.account["log"]["amount"]) == Decimal("999999999.99") * 1001 + Decimal("0.01")


BROKEN = {
    "too few": "001,2026-01-05",
    "too many": "001,2026-01-05,1,2,3",
    "text after a quote": '"001"x,2026-01-05,1',
    "never closed": '"001,2026-01-05,1',
    "blank but for spaces": "   ",
    "not UTF-8": b"\xff\xfe,2026-01-05,1",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_broken_line_is_rejected_and_those_after_it_keep_their_rows(check, broken, line_end):
    line = broken if isinstance(broken, bytes) else broken.encode()
    sound = [f"{n:03d},2026-01-05,{n}".encode() for n in range(5)]
    lines = [HEADER.strip().encode(), *sound[:2], line, *sound[2:4], b"9,nonsense,9", line, sound[4]]
    dataset = check(transactions=line_end.join(lines))
    assert counts(dataset) == {"accepted": 5, "rejected": 3}
    places = dataset.rejected().set_index("row")["reason"].to_dict()
    assert places == {4: "broken_line", 7: "not_date", 8: "broken_line"}
    if not isinstance(broken, bytes):
        assert dataset.rejected().set_index("row").loc[4, "value"] == broken


def test_a_quote_never_closed_swallows_nothing_in_a_long_file(check):
    sound = [f"{n},2026-01-05,1.00" for n in range(60_000)]
    sound[20_000] = '20000,"2026-01-05,1.00'
    sound[20_500] = '20500,2026-01-05,"1.00"'
    sound[40_000] = "40000,never,1.00"
    dataset = check(transactions=HEADER + "\n".join(sound) + "\n")
    assert counts(dataset) == {"accepted": 59_998, "rejected": 2}
    assert rejected(dataset) == [
        (20_002, "", '20000,"2026-01-05,1.00', "broken_line"),
        (40_002, "date", "never", "not_date"),
    ]
    assert dataset.account["log"]["n_customers"] == 59_998


def test_quoted_line_ends_delimiters_and_quotes_are_part_of_the_value(check):
    text = 'customer_id,date,amount\n"a\nb",2026-01-05,1\n"c,""d""",2026-01-05,2\n5" pipe,never,3\n'
    dataset = check(transactions=text)
    assert accepted(dataset)["customer_id"].tolist() == ["a\nb", 'c,"d"']
    assert rejected(dataset) == [(4, "date", "never", "not_date")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_no_rows_but_count_as_places(check, line_end):
    lines = ["customer_id,date,amount", "", "1,2026-01-05,1", "", "", "1,never,1", "2,2026-01-05", "", "1,x,1", "", ""]
    dataset = check(transactions=line_end.join(lines))
    assert counts(dataset) == {"accepted": 1, "rejected": 3}
    assert dataset.rejected()["row"].tolist() == [6, 7, 9]


def test_broken_lines_in_a_row(check):
    dataset = check(transactions=HEADER + "1\n2\n1,2026-01-05,1\n3\n4\n5\n1,never,1\n")
    assert rejected(dataset)[-1] == (8, "date", "never", "not_date")
    assert dataset.rejected()["row"].tolist() == [2, 3, 5, 6, 7, 8]


def test_mixed_line_ends(check):
    dataset = check(transactions=b"customer_id,date,amount\r\n1,2026-01-05,1\n2,2026-01-05,2\r3,never,3\r\n")
    assert counts(dataset) == {"accepted": 2, "rejected": 1}
    assert dataset.rejected()["row"].tolist() == [4]


def test_a_repeated_key_rejects_only_where_an_earlier_row_was_sound(check):
    dataset = check(
        transactions=HEADER + "1,2026-01-05,1\n",
        customers="customer_id,name,note\n1,filtered,x\n1,first,\n1,second,\n,nobody,\n2,only,\n",
        dataset__toml='[[tables.customers.filters]]\ncolumn="note"\noperator="equals"\nvalue="x"\nreason="r"\n',
    )
    assert counts(dataset, "customers") == {"accepted": 2, "filtered": 1, "rejected": 2}
    assert rejected(dataset) == [(4, "customer_id", "1", "repeated_key"), (5, "customer_id", "", "missing")]
    assert dataset.customer_names().to_dict() == {"1": "first", "2": "only"}


def test_an_unreadable_optional_value_costs_no_row_but_is_told(check):
    dataset = check(
        transactions="customer_id,date,amount,quantity,discount\n1,2026-01-05,1,two,\n1,2026-01-06,1,3,0.5\n",
        surveys="customer_id,date,satisfaction,recommendation\n1,2026-01-05,4.5,11\n1,2026-01-05,5.0,10\n",
        customers="customer_id,latitude,opened_on\n1,91,infinity\n7,30,2026-12-31\n",
    )
    told = dataset.failures().set_index(["table", "column"])[["reason", "n_lines", "example"]]
    assert told.loc[("transactions", "quantity")].tolist() == ["not_number", 1, "two"]
    assert told.loc[("surveys", "satisfaction")].tolist() == ["not_integer", 1, "4.5"]  # no silent rounding
    assert told.loc[("surveys", "recommendation")].tolist() == ["above_range", 1, "11"]
    assert told.loc[("customers", "latitude")].tolist() == ["above_range", 1, "91"]
    assert told.loc[("customers", "opened_on")].tolist() == ["not_date", 1, "infinity"]
    assert counts(dataset) == {"accepted": 2}
    assert dataset.table("surveys")["satisfaction"].tolist()[1] == 5
    assert dataset.table("surveys")["satisfaction"].isna().tolist() == [True, False]


def test_unknown_references_are_told(check):
    dataset = check(transactions=HEADER + "1,2026-01-05,1\n9,2026-01-05,1\n", customers="customer_id\n1\n")
    warning = dataset.failures().iloc[0]
    assert warning[["table", "column", "reason", "n_lines", "example"]].tolist() == [
        "transactions", "customer_id", "unknown_reference", 1, "9",
    ]  # fmt: skip


def test_a_company_above_that_is_no_customer_is_told_of(check):
    customers = "customer_id,parent_id\n1,\n2,1\n3,00\n"
    found = check(transactions=HEADER + "1,2026-01-05,1\n", customers=customers).failures()
    assert found[["table", "column", "reason", "n_lines", "first_row", "example"]].values.tolist() == [
        ["customers", "parent_id", "unknown_reference", 1, 4, "00"]
    ]


def test_a_calendar_may_lie_in_the_future(check):
    dataset = check(
        transactions=HEADER + "1,2026-01-05,1\n", calendar="date,is_workday\n2098-01-01,是\n2098-01-02,no\n"
    )
    assert counts(dataset, "calendar") == {"accepted": 2}
    assert dataset.table("calendar")["is_workday"].tolist() == [True, False]


def test_exact_duplicates_are_kept_and_counted(check):
    dataset = check(transactions=HEADER + "1,2026-01-05,1\n" * 3 + "1,2026-01-06,0\n")
    log = dataset.log_facts()
    assert (log["n_transactions"], log["n_duplicate_lines"], log["n_zero_amount"]) == (4, 2, 1)
    assert log["n_purchase_days"] == 2


def test_several_files_of_one_table(check, folder):
    (folder / "2025").mkdir()
    (folder / "2026").mkdir()
    (folder / "2025" / "sales.csv").write_text("客户编号,日期,金额\n1,2025-01-05,1\n1,never,1\n", encoding="utf-8")
    (folder / "2026" / "sales.csv").write_text("amount;order date;customer\nx;2026-01-05;2\n2;2026-01-05;2\n")
    dataset = check(dataset__toml='[tables.transactions]\nsource = "20*/sales.csv"\n')
    assert counts(dataset) == {"accepted": 2, "rejected": 2}
    assert dataset.rejected()[["file", "row"]].values.tolist() == [["2025/sales.csv", 3], ["2026/sales.csv", 2]]
    assert accepted(dataset)["customer_id"].tolist() == ["1", "2"]


def test_choices_may_be_called_in_chinese(check):
    dataset = check(
        transactions=HEADER + "1,2026-01-05,1\n",
        contacts="客户编号,日期,方式\n1,2026-01-05,拜访\n1,2026-01-05,Visit\n1,2026-01-05,送货\n1,2026-01-05,跳舞\n",
    )
    assert dataset.table("contacts")["kind"].tolist() == ["delivery", "visit", "visit"]
    assert dataset.failures()[["reason", "example"]].values.tolist() == [["not_a_choice", "跳舞"]]


def test_names_that_stand_in_the_log_are_used(check):
    dataset = check(
        transactions="customer_id,date,amount,customer_name,业务员,业务员姓名\n"
        "1,2026-01-05,1,old,S1,李四\n1,2026-01-06,1,new,S1,\n2,2026-01-06,1,log,S2,王五\n3,2026-01-06,1,,,\n",
        customers="customer_id,name\n1,list\n2,\n",
    )
    assert dataset.customer_names().to_dict() == {"1": "list", "2": "log"}
    assert dataset.salesperson_names().to_dict() == {"S1": "李四", "S2": "王五"}


def test_a_name_alone_tells_salespeople_apart(check):
    dataset = check(transactions="customer_id,date,amount,业务员姓名\n1,2026-01-05,1,李四\n1,2026-01-06,1,王五\n")
    assert accepted(dataset)["salesperson_id"].tolist() == ["李四", "王五"]
    assert dataset.salesperson_names().to_dict() == {"李四": "李四", "王五": "王五"}
