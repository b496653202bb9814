"""Codes of one company count as one customer in every table; nothing else about a row changes."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.data.companies import companies_of
from kehu_analysis.errors import DataError
from kehu_analysis.intake.understood import understood_lines

SETTINGS = 'customers_by = "company"\n'
CUSTOMERS = (
    "customer_id,parent_id,name,opened_on,floor_area,credit_limit,closed_on,closed_reason,referred_by,phone\n"
    "A,,Main,2025-03-01,10,100,2026-02-01,moved,,\n"
    "A2,A,Second,2024-01-01,5,50,,,A,0571\n"
    "A3,A2,Third,2025-05-01,,,2026-01-15,sold,B,0572\n"
    "B,,Other,2025-01-01,7,,2026-01-20,gone,A3,\n"
    "G1,GROUP,First of a group,2025-01-01,1,1,2026-01-20,gone,,\n"
    "G2,GROUP,Next of a group,2024-06-01,2,2,2026-01-25,sold,,\n"
)
LOG = (
    "customer_id,date,amount,customer_name\n"
    "A,2026-01-05,10,Main\n"
    "A2,2026-01-05,10,Second\n"
    "A3,2026-01-06,7,Third\n"
    "B,2026-01-06,5,Other\n"
    "G1,2026-01-07,3,One\n"
    "G2,2026-01-07,-1,Two\n"
    "X,2026-01-08,2,Unlisted\n"
)


def table(dataset, name):
    return pd.read_parquet(dataset.path(name))


@pytest.fixture
def dataset(check):
    return check(
        transactions=LOG,
        customers=CUSTOMERS,
        surveys="customer_id,date,satisfaction\nA2,2026-01-06,4\nA3,2026-01-06,5\n",
        campaigns="promotion_id,starts_on,ends_on\nP,2026-01-01,2026-01-31\n",
        campaign_members="promotion_id,customer_id,treated\nP,A,no\nP,A2,yes\nP,B,no\n",
        dataset__toml=SETTINGS,
    )


def test_the_log_is_that_of_companies(dataset):
    log = table(dataset, "transactions")
    assert log.groupby("customer_id")["amount"].sum().astype(float).to_dict() == {"A": 27, "B": 5, "GROUP": 2, "X": 2}
    keys = table(dataset, "customer_keys")
    assert keys["customer_id"].tolist() == ["A", "B", "GROUP", "X"]
    assert (
        log["customer_key"].tolist() == log["customer_id"].map(keys.set_index("customer_id")["customer_key"]).tolist()
    )
    days = table(dataset, "purchase_days")
    assert days[days["customer_key"] == 1][["amount", "n_lines"]].astype(float).values.tolist() == [[20, 2], [7, 1]]
    facts = dataset.log_facts()
    assert (facts["n_customers"], facts["amount"], facts["n_lines"]) == (4, 36.0, 7)
    assert facts["largest"][0] == ["A", "27.0000", 3]
    # Two shops of a company that buy the same on a day repeat nothing.
    assert dataset.log_days()[["n_customers", "n_repeated_lines"]].values.tolist() == [[1, 0], [2, 0], [1, 0], [1, 0]]


def test_a_company_has_one_row_made_of_those_of_its_codes(dataset):
    customers = dataset.table("customers").set_index("customer_id")
    assert customers.index.tolist() == ["A", "B", "GROUP"]
    a, group = customers.loc["A"], customers.loc["GROUP"]
    assert (a["name"], str(a["opened_on"]), a["floor_area"], float(a["credit_limit"])) == (
        "Main",
        "2024-01-01",
        15,
        150,
    )
    assert a["phone"] == "0571"  # the main code has none
    assert pd.isna(a["closed_on"])  # one of its shops goes on
    assert pd.isna(a["closed_reason"])
    assert a["referred_by"] == "B"  # not itself, by another code
    assert customers.loc["B", "referred_by"] == "A"
    assert (group["name"], str(group["closed_on"]), group["closed_reason"]) == (
        "First of a group",
        "2026-01-25",
        "sold",
    )
    assert customers["parent_id"].isna().all()
    assert dataset.customer_names()[["A", "GROUP", "X"]].tolist() == ["Main", "First of a group", "Unlisted"]


def test_every_other_table_speaks_of_companies_too(dataset):
    assert table(dataset, "surveys")["customer_id"].tolist() == ["A", "A"]
    members = table(dataset, "campaign_members")
    assert members.values.tolist() == [["P", "A", True], ["P", "B", False]]
    codes = table(dataset, "customer_codes").set_index("customer_id")["company_id"]
    assert codes.to_dict() == {"A": "A", "A2": "A", "A3": "A", "B": "B", "G1": "GROUP", "G2": "GROUP"}


def test_what_was_understood_says_so(dataset):
    assert any("2 companies have several numbers each (5 in all)" in line for line in understood_lines(dataset, "en"))


def test_what_does_not_fit_is_told_of_by_code(dataset):
    told = dataset.failures().set_index("reason")
    assert told.loc["unknown_reference", "example"].tolist() == ["X", "GROUP"]
    assert dataset.line_classes("customers")["n_lines"].tolist() == [6]


def test_by_default_every_code_is_a_customer(check):
    dataset = check(transactions=LOG, customers=CUSTOMERS)
    assert dataset.log_facts()["n_customers"] == 7
    assert not dataset.path("customer_codes").exists()


def test_parents_in_a_circle_are_one_company_and_told_of(check):
    customers = "customer_id,parent_id\nA,C\nB,A\nC,B\nD,A\nE,E\n"
    dataset = check(
        transactions="customer_id,date,amount\nB,2026-01-05,1\nD,2026-01-05,2\nE,2026-01-05,4\n",
        customers=customers,
        dataset__toml=SETTINGS,
    )
    assert table(dataset, "transactions")["customer_id"].tolist() == ["A", "A", "E"]
    told = dataset.failures().set_index("reason").loc["parents_in_circle"]
    assert told[["table", "n_lines", "example"]].tolist() == ["customers", 3, "A"]


@pytest.mark.parametrize("customers", [None, "customer_id,name\nA,Main\n"])
def test_without_parents_there_are_no_companies(check, customers):
    tables = {"customers": customers} if customers else {}
    with pytest.raises(DataError, match="parent_id"):
        check(transactions=LOG, dataset__toml=SETTINGS, **tables)


@given(st.lists(st.integers(-1, 40), max_size=40))
def test_companies_are_the_ends_of_the_ways_upwards(parents):
    """Held against walking up one step at a time."""
    codes = pd.DataFrame(
        {
            "customer_id": [f"{n:02}" for n in range(len(parents))],
            "parent_id": [None if parent < 0 else f"{parent:02}" for parent in parents],
        },
        dtype="str",
    )
    above = dict(zip(codes["customer_id"], parents, strict=True))
    found, in_circle = companies_of(codes)
    for code in codes["customer_id"]:
        way = [code]
        while (parent := above.get(way[-1], -1)) >= 0 and f"{parent:02}" not in way:
            way.append(f"{parent:02}")
        last = above.get(way[-1], -1)
        circle = way[way.index(f"{last:02}") :] if last >= 0 else way[-1:]
        assert found[code] == min(circle)
        assert (code in in_circle) == (len(circle) > 1 and code in circle)
