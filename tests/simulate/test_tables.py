"""What the tables of a company hold agrees from one to the other, and with the truth behind them."""

import tomllib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from kehu_analysis.data import contract
from kehu_analysis.simulate.clock import clock_of
from kehu_analysis.simulate.sales import unit_prices
from kehu_analysis.simulate.world import World, catalogue, parameters
from kehu_analysis.simulate.writing import PARAMETERS, TABLES, TRUTHS, write_company

COMPANY = World(customers=700, quarters=8, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("company") / "demo"
    write_company(place, COMPANY)
    return place


@pytest.fixture(scope="module")
def tables(folder):
    """Its tables as frames: money in exact cents, dates as such."""
    written = {name: pa.parquet.read_table(folder / f"{name}.parquet") for name in (*TABLES, *TRUTHS)}
    frames = {}
    for name, table in written.items():
        frame = table.to_pandas()
        for field in table.schema:
            if pa.types.is_decimal(field.type):
                frame[field.name] = (frame[field.name] * 100).astype("int64")
            elif pa.types.is_date(field.type):
                frame[field.name] = pd.to_datetime(frame[field.name])
        frames[name] = frame
    return frames


@pytest.fixture(scope="module")
def lines(tables):
    """The log with what is true of each line's shop beside it."""
    return tables["transactions"].merge(
        tables["truth_customers"].merge(tables["customers"][["customer_id", "opened_on"]]), on="customer_id"
    )


def test_every_id_is_found_in_the_table_that_it_refers_to(tables):
    checked = 0
    for name, table in contract().items():
        for column in table.columns:
            if column.references:
                known = tables[column.references][contract()[column.references].key[0]]
                used = tables[name][column.name].dropna()
                assert len(used) > 0, (name, column.name)
                assert used.isin(known).all(), (name, column.name)
                checked += 1
    assert checked >= 9
    customers = tables["customers"]
    assert customers["parent_id"].dropna().isin(customers["customer_id"]).all()
    for name in ("transactions", "contacts", "opportunities", "targets"):
        assert tables[name]["salesperson_id"].dropna().isin(customers["salesperson_id"].unique()).all(), name
    assert set(tables["targets"]["salesperson_id"]) == set(customers["salesperson_id"])
    for name in TRUTHS:
        assert tables[name]["customer_id"].isin(customers["customer_id"]).all()


def test_keys_do_not_repeat_and_the_truth_has_a_row_for_every_shop(tables):
    for name, table in contract().items():
        assert not table.key or not tables[name].duplicated(list(table.key)).any(), name
    assert tables["truth_customers"]["customer_id"].tolist() == tables["customers"]["customer_id"].tolist()
    assert not tables["truth_surveys"].duplicated(["customer_id", "asked_on"]).any()


def test_an_owner_s_codes_lie_together_and_none_is_its_own_parent(tables):
    customers = tables["customers"]
    pairs = customers.dropna(subset="parent_id").merge(
        customers, left_on="parent_id", right_on="customer_id", suffixes=("", "_parent")
    )
    assert len(pairs) > 3
    assert (pairs["city"] == pairs["city_parent"]).all()
    assert (pairs["business_type"] == pairs["business_type_parent"]).all()
    assert (pairs["customer_id"] != pairs["customer_id_parent"]).all()
    assert pairs["parent_id_parent"].isna().all()


def test_an_order_is_one_customer_s_on_one_day(lines):
    sold = lines[lines["quantity"] > 0]
    per_day = sold.groupby(["customer_id", "date"])["order_id"].nunique()
    assert per_day.eq(1).all()
    assert sold.groupby("order_id")[["customer_id", "date"]].nunique().eq(1).all(axis=None)
    assert not sold.duplicated(["order_id", "product_id"]).any()


def test_a_return_gives_back_from_an_order_at_its_price(lines):
    back = lines[lines["quantity"] < 0]
    given_back = back.assign(order_id="D" + back["order_id"].str[1:])
    both = given_back.merge(
        lines[lines["quantity"] > 0][["order_id", "product_id", "quantity", "date"]],
        on=["order_id", "product_id"], suffixes=("", "_sold"), how="left",
    )  # fmt: skip
    assert len(both) == len(back) > 50
    assert (both["quantity_sold"] >= -both["quantity"]).all()
    passed = (both["date"] - both["date_sold"]).dt.days
    assert passed.min() >= parameters()["order_size"]["return_days"][0]
    assert (back["amount"] < 0).all()
    assert (back["cost"] < 0).all()


def test_amounts_and_costs_are_prices_of_the_time_to_the_cent(lines):
    clock = clock_of(COMPANY)
    prices = unit_prices(clock)
    sold = lines[lines["quantity"] > 0]
    place = [product["product_id"] for product in catalogue()["products"]]
    year, product = sold["date"].dt.year - clock.year[0], sold["product_id"].map(place.index)
    assert (sold["amount"] + sold["discount"] == prices["list"][year, product] * sold["quantity"]).all()
    unit_cost = prices["cost"][year, product]
    pushed = sold["date"] >= str(COMPANY.last_quarter.start)
    unit_cost = np.where(pushed, np.rint(unit_cost * parameters()["simpson"]["cost_factor"]), unit_cost)
    assert (sold["cost"] == unit_cost * sold["quantity"]).all()
    assert sold["discount"].min() >= 0
    assert pushed.any()


def test_the_latest_prices_are_those_of_the_products(tables):
    latest = unit_prices(clock_of(COMPANY))
    assert (tables["products"]["list_price"] == latest["list"][-1]).all()
    assert (tables["products"]["unit_cost"] == latest["cost"][-1]).all()


def test_discounts_are_those_of_the_shop_and_of_its_campaigns(lines):
    sold = lines[lines["quantity"] > 0]
    extra = {code: one["discount_rate"] for code, one in parameters()["campaigns"].items()}
    rate = sold["discount_rate"] + sold["promotion_id"].map(extra).fillna(0.0)
    off = (sold["amount"] + sold["discount"]) * rate - sold["discount"]
    assert off.abs().max() <= 0.5 + 1e-6
    assert set(sold["promotion_id"].dropna()) == {code for code, discount in extra.items() if discount > 0}


def test_invoices_come_to_the_sales_of_each_shop_and_month(tables):
    log, invoices = tables["transactions"], tables["invoices"]
    sales = log.groupby(["customer_id", log["date"].dt.to_period("M")])["amount"].sum()
    billed = invoices.groupby(["customer_id", invoices["issued_on"].dt.to_period("M")])["amount"].sum()
    sales = sales[sales != 0]
    assert len(sales) == len(invoices)
    pd.testing.assert_series_equal(billed, sales, check_names=False)


def test_invoices_are_paid_after_they_are_issued_or_stay_open(tables):
    invoices = tables["invoices"]
    paid = invoices["paid_on"].notna()
    charge = invoices["amount"] > 0
    assert (invoices["paid_on"] >= invoices["issued_on"])[paid].all()
    assert (invoices["due_on"] >= invoices["issued_on"]).all()
    assert (invoices["paid_amount"] == invoices["amount"].where(paid, 0)).all()
    assert (invoices["due_on"] == invoices["issued_on"])[~charge].all()
    terms = invoices["customer_id"].map(tables["customers"].set_index("customer_id")["terms_days"])
    assert ((invoices["due_on"] - invoices["issued_on"]).dt.days == terms)[charge].all()
    assert (~paid).sum() > 0
    assert invoices["paid_on"].max() <= pd.Timestamp(COMPANY.last_day)


def test_orders_lie_within_the_life_of_their_shop(lines):
    assert (lines["date"] >= lines["opened_on"]).all()
    ordered = lines[lines["quantity"] > 0]
    assert ordered["left_on"].notna().any()
    assert not (ordered["date"] >= ordered["left_on"]).any()
    assert ordered["paused_from"].notna().any()
    assert not ((ordered["date"] >= ordered["paused_from"]) & (ordered["date"] < ordered["paused_until"])).any()


def test_nothing_is_sold_or_visited_on_closed_days(tables):
    closed = tables["calendar"].loc[~tables["calendar"]["is_workday"], "date"]
    assert len(closed) > 100
    for name in ("transactions", "contacts"):
        assert not tables[name]["date"].isin(closed).any(), name


def test_dates_lie_within_the_log(tables):
    first, last = pd.Timestamp(COMPANY.first_day), pd.Timestamp(COMPANY.last_day)
    dated = {"transactions": "date", "surveys": "date", "contacts": "date", "opportunities": "entered_on"}
    dated |= {"calendar": "date", "invoices": "issued_on", "truth_surveys": "asked_on"}
    for name, column in dated.items():
        assert tables[name][column].between(first, last).all(), name
    assert (tables["customers"]["opened_on"] <= last).all()
    opened = tables["truth_customers"]["customer_id"].map(tables["customers"].set_index("customer_id")["opened_on"])
    assert not (tables["truth_customers"]["left_on"] <= opened).any()
    assert (tables["truth_customers"]["left_on"].isna() == tables["truth_customers"]["is_alive"]).all()


def test_every_order_is_delivered_on_its_day(tables):
    log, contacts = tables["transactions"], tables["contacts"]
    orders = log[log["quantity"] > 0][["customer_id", "date"]].drop_duplicates()
    drops = contacts[contacts["kind"] == "delivery"]
    assert drops["salesperson_id"].isna().all()
    columns = ["customer_id", "date"]
    expected = orders.sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(drops[columns].sort_values(columns, ignore_index=True), expected)


def test_who_was_asked_is_in_the_surveys_and_who_did_not_answer_has_no_answer(tables):
    truth = tables["truth_surveys"].rename(columns={"asked_on": "date"})
    columns = ["customer_id", "date", "satisfaction"]
    truth = truth.sort_values(columns[:2], ignore_index=True)
    asked = tables["surveys"].sort_values(columns[:2], ignore_index=True)
    assert 0 < truth["answered"].sum() < len(truth)
    told = truth[columns].assign(satisfaction=truth["satisfaction"].where(truth["answered"]))
    pd.testing.assert_frame_equal(asked[columns], told, check_dtype=False)
    answers = asked.drop(columns=columns[:2])
    assert answers[truth["answered"]].notna().all(axis=None)
    assert answers[~truth["answered"]].isna().all(axis=None)


def test_the_truth_of_campaigns_has_a_row_for_every_member(tables):
    columns = ["promotion_id", "customer_id"]
    both = tables["campaign_members"].merge(tables["truth_campaign_members"], on=columns, how="outer", indicator=True)
    assert (both["_merge"] == "both").all()
    assert (both.loc[~both["treated"].astype(bool), "incremental_amount"] == 0).all()


def test_projects_go_on_from_stage_to_stage_and_end_once(tables):
    rows = tables["opportunities"]
    stages = [*parameters()["pipeline"]["stages"], "lost"]
    place = rows["stage"].map(stages.index)
    same = rows["opportunity_id"] == rows["opportunity_id"].shift()
    assert (place > place.shift())[same].all()
    assert (rows["entered_on"] >= rows["entered_on"].shift())[same].all()
    assert (rows.loc[rows["outcome"] == "won", "stage"] == stages[-2]).all()
    assert (rows.loc[rows["outcome"] == "lost", "stage"] == "lost").all()
    assert rows["outcome"].dropna().index.isin(rows.groupby("opportunity_id").tail(1).index).all()
    assert set(rows["outcome"].dropna()) == {"won", "lost"}


def test_the_outcomes_are_sums_of_the_tables(folder, tables):
    truth = tomllib.loads((folder / PARAMETERS).read_text(encoding="utf-8"))
    company, log = truth["outcomes"]["company"], tables["transactions"]
    assert company["customers"] == len(tables["customers"]) == truth["made"]["customers"]
    assert company["lines"] == len(log)
    assert company["alive"] == tables["truth_customers"]["is_alive"].sum()
    assert company["orders"] == log.loc[log["quantity"] > 0, "order_id"].nunique()
    assert round(100 * company["net_amount"]) == log["amount"].sum()
    gained = tables["truth_campaign_members"].groupby("promotion_id")["incremental_amount"].sum()
    members = tables["campaign_members"].groupby("promotion_id")["treated"].agg(["size", "sum"])
    for code, found in truth["outcomes"]["campaigns"].items():
        assert (found["members"], found["treated"]) == tuple(members.loc[code]), code
        # Each row of the table is rounded to the cent.
        assert found["incremental_amount"] == pytest.approx(gained[code] / 100, abs=0.005 * (found["members"] + 1))
    assert {key: truth[key] for key in parameters()} == parameters()
