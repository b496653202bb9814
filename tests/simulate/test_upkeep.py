"""What is written down beside contacts and answers came later: it moves nothing that was there before."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from kehu_analysis.simulate import simulate_company
from kehu_analysis.simulate.world import parameters
from tests.rooms import ROOT

#: The columns of before, and the hash of the shipped company's values in them as they were then.
BEFORE = {
    "surveys": (
        [
            "customer_id", "date", "satisfaction", "repurchase_probability", "recommendation", "driver_delivery",
            "driver_service", "driver_assortment", "driver_price", "driver_display", "driver_ordering",
        ],
        "2aff2915283302daa3147a853d74074ad633e2c900761d8ce38b9584f4e8d7cd",
    ),
    "contacts": (
        ["customer_id", "date", "kind", "salesperson_id", "minutes", "cost"],
        "803215d441f46a49520cb62ac4dee3a02f2e3c77d108773d4b2c56dd74137ae8",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return simulate_company(customers=150, quarters=8, seed=4)


@pytest.mark.parametrize("name", BEFORE)
def test_what_was_there_keeps_its_values(name: str) -> None:
    columns, digest = BEFORE[name]
    rows = pd.read_parquet(ROOT / "data" / "demo" / f"{name}.parquet")
    if name == "surveys":
        rows = rows.dropna(subset="satisfaction")
        whole = [column for column in columns if column.startswith(("driver_", "satisfaction", "recommendation"))]
        rows = rows.astype(dict.fromkeys(whole, "int32"))
    text = rows[columns].to_csv(index=False, lineterminator="\n", float_format="%.4f")
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_complaints_and_services_have_a_reason_and_an_end_after_them(tables: dict[str, pd.DataFrame]) -> None:
    contacts, given = tables["contacts"], parameters()["upkeep"]
    about = contacts["kind"].isin(["complaint", "service"])
    assert contacts.loc[about, "reason"].notna().all()
    assert contacts.loc[~about, ["reason", "resolved_on"]].isna().all(axis=None)
    for kind in ("complaint", "service"):
        found = contacts.loc[contacts["kind"] == kind, "reason"].value_counts(normalize=True)
        assert set(found.index) <= set(given[f"{kind}_reasons"])
        assert found.iloc[0] == pytest.approx(max(given[f"{kind}_reason_share"]), abs=0.1)
    ended = contacts.dropna(subset="resolved_on")
    days = (ended["resolved_on"] - ended["date"]).dt.days
    assert days.min() >= 0
    assert days.mean() == pytest.approx(given["resolution_mean_days"], rel=0.2)
    assert ended["resolved_on"].max() <= pd.Timestamp("2026-09-30")


def test_levels_are_those_of_the_shop_and_deliveries_tell_nothing(tables: dict[str, pd.DataFrame]) -> None:
    contacts = tables["contacts"]
    told = contacts.dropna(subset="upkeep_level")
    assert set(told["kind"]) == {"visit", "call"}
    assert set(told["upkeep_level"]) <= {1, 2, 3, 4}
    by_shop = told.groupby("customer_id")["upkeep_level"]
    assert (by_shop.max() == by_shop.min()).all()
    assert contacts.loc[contacts["kind"] == "delivery", ["person_role", "upkeep_level"]].isna().all(axis=None)
    assert set(contacts["person_role"].dropna()) == set(parameters()["upkeep"]["person_roles"])


def test_the_share_of_the_wallet_is_told_near_the_truth(tables: dict[str, pd.DataFrame]) -> None:
    answers = tables["surveys"].dropna(subset="wallet_share").merge(tables["truth_customers"], on="customer_id")
    assert (answers["wallet_share"] - answers["share_of_wallet"]).std() == pytest.approx(0.08, abs=0.02)
    alone = ~answers.groupby("customer_id")["has_alternative"].first().astype(bool)
    assert alone.mean() == pytest.approx(parameters()["wallet"]["share_without_alternative"], abs=0.1)
