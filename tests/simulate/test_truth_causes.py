"""What visits and campaigns do can be told from what it seems they do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kehu_analysis.simulate.company import parts
from kehu_analysis.simulate.outcomes import outcomes
from kehu_analysis.simulate.prices import price_level
from kehu_analysis.simulate.sums import Sums
from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import TYPES, Company, Found, assert_found, company, found_of

#: Told by make test-long.
pytestmark = pytest.mark.long

CAMPAIGNS = parameters()["campaigns"]
TYPE_CODES = list(TYPES.values())


def visited_orders(given: Company) -> pd.DataFrame:
    """Orders outside all campaigns, with the visits in the weeks before that act on them."""
    contacts = given.tables["contacts"].query("kind == 'visit'")
    orders = given.orders.merge(given.shops, on="customer_id")
    place = pd.Series(np.arange(len(given.shops)), index=given.shops.customer_id)
    width = given.clock.n_days + 100
    visits = np.sort(place[contacts.customer_id].to_numpy() * width + given.day(contacts.date))
    at = place[orders.customer_id].to_numpy() * width + orders.day.to_numpy()
    before = np.maximum(orders.day.to_numpy() - parameters()["visits"]["effect_days"], 0)
    orders["visits"] = np.searchsorted(visits, at) - np.searchsorted(visits, at - orders.day.to_numpy() + before)
    orders["log_amount"] = np.log(orders.list_amount)
    inside = np.zeros(len(orders), dtype=bool)
    for code in CAMPAIGNS:
        first, last = given.campaign_days(code)
        inside |= ((orders.day >= first) & (orders.day <= last)).to_numpy()
    full = orders.day - orders.begin >= parameters()["visits"]["effect_days"]
    return orders[~inside & full].copy()


def visits_found(given: Company, *, within: bool) -> list[Found]:
    """Least squares of the log amount on visits, errors by shop; within shops, or as it is naively done.

    Prices are in it too: as they rise shops buy as many cartons for more money.
    """
    orders = visited_orders(given)
    orders["price"] = np.log(price_level(given.clock)[orders.day])
    columns = orders[["log_amount", "visits", "price"]].astype(float)
    columns = columns - columns.groupby(orders.customer_id if within else np.zeros(len(orders))).transform("mean")
    fit = sm.OLS(columns.log_amount, columns[["visits", "price"]]).fit(
        cov_type="cluster", cov_kwds={"groups": orders.customer_id.astype("category").cat.codes}
    )
    return found_of(fit, {"visits": parameters()["visits"]["effect"], "price": 1.0})


def members(given: Company, code: str) -> pd.DataFrame:
    """Members of a campaign with what they ordered in its weeks, and in as many days of the half year before."""
    first, last = given.campaign_days(code)
    rows = given.tables["campaign_members"].query("promotion_id == @code").merge(given.shops, on="customer_id")
    orders = given.orders
    during = orders[(orders.day >= first) & (orders.day <= last)].groupby("customer_id")
    before = orders[(orders.day < first) & (orders.day >= first - 180)].groupby("customer_id")
    by_shop = {
        "amount": during.amount.sum(), "list_amount": during.list_amount.sum(), "orders": during.size(),
        "list_before": before.list_amount.sum(), "orders_before": before.size(),
    }  # fmt: skip
    for name, values in by_shop.items():
        rows[name] = values.reindex(rows.customer_id).fillna(0).to_numpy()
    return rows.assign(treated=rows.treated.astype(float))


def campaign_found(given: Company, code: str, outcome: str, groups: dict[str, list[str]]) -> list[Found]:
    """Poisson pseudo maximum likelihood of an outcome on treatment, by groups of types, errors by shop."""
    rows = members(given, code)
    found = []
    for truth, types in groups.items():
        some = rows[rows.type.isin(types)]
        design = sm.add_constant(
            some[["treated"]].assign(before=np.log(some.list_before), often=np.log(some.orders_before))
        )
        fit = sm.GLM(some[outcome], design, family=sm.families.Poisson()).fit(cov_type="HC1")
        found.append(Found(f"{code} {outcome} {types[0]}", fit.params["treated"], fit.bse["treated"], float(truth)))
    return found


def randomised_found(given: Company) -> list[Found]:
    effect = CAMPAIGNS["CX01"]
    responsive = effect["responsive_type"]
    others = [code for code in TYPE_CODES if code != responsive]
    return campaign_found(
        given, "CX01", "list_amount", {str(np.log(effect["units_factor"])): [responsive], "0": others}
    )


def without_effect_found(given: Company) -> list[Found]:
    return campaign_found(given, "CX02", "list_amount", {"0": TYPE_CODES})


def harmful_found(given: Company) -> list[Found]:
    effect = CAMPAIGNS["CX03"]
    harmed = effect["harmed_type"]
    others = [code for code in TYPE_CODES if code != harmed]
    return [
        *campaign_found(given, "CX03", "orders", {str(np.log(1 - effect["cancelled_share"])): [harmed], "0": others}),
        *campaign_found(
            given,
            "CX03",
            "list_amount",
            {str(np.log(1 - effect["cancelled_share"])): [harmed], str(np.log(effect["units_factor"])): others},
        ),
    ]


def balance_found(given: Company, code: str) -> list[Found]:
    """Nothing that was before differs between the treated and the others, and as many are treated as planted."""
    rows = members(given, code)
    treated, other = rows[rows.treated == 1], rows[rows.treated == 0]
    before = rows.assign(log_amount=np.log(rows.list_before), large=(rows.discount_rate > 0).astype(float))
    found = []
    for name in ("log_amount", "large", "distance_km", "share_of_wallet"):
        one, two = before.loc[treated.index, name], before.loc[other.index, name]
        error = np.sqrt(one.var() / len(one) + two.var() / len(two))
        found.append(Found(f"{code} {name}", one.mean() - two.mean(), error, 0.0))
    share = CAMPAIGNS[code]["share_treated"]
    error = np.sqrt(share * (1 - share) / len(rows))
    return [*found, Found(f"{code} share", len(treated) / len(rows), error, share)]


def outcomes_of(given: Company) -> dict:
    sums = Sums(given.world, given.clock)
    for _ in parts(given.world, sums):
        pass
    return outcomes(sums)


def naive_difference(given: Company) -> float:
    """The usual comparison of a campaign that all good customers got: with all other shops that were there."""
    first, last = given.campaign_days("CX04")
    sales = given.tables["transactions"]
    inside = pd.Series(given.day(sales.date), index=sales.index).between(first, last)
    shops = given.shops[given.shops.begin < first]
    amount = sales[inside].groupby("customer_id").amount.sum().reindex(shops.customer_id).fillna(0).to_numpy()
    chosen = shops.customer_id.isin(members(given, "CX04").customer_id).to_numpy()
    return float(amount[chosen].mean() - amount[~chosen].mean())


def true_effect_found(given: Company, code: str) -> Found:
    """The incremental amounts of the truth, against the gain that rates of discount and factors of units give."""
    rows = members(given, code).merge(
        given.tables["truth_campaign_members"].query("promotion_id == @code"), on=["promotion_id", "customer_id"]
    )
    effect = CAMPAIGNS[code]
    after = effect["units_factor"] * (1 - rows.discount_rate - effect["discount_rate"])
    gain = rows.amount * (1 - (1 - rows.discount_rate) / after)
    difference = rows.incremental_amount - gain
    return Found(code, difference.mean(), difference.std() / np.sqrt(len(rows)), 0.0)


def test_visits_work_within_shops_as_planted() -> None:
    assert_found(visits_found(company(), within=True))


def test_visits_seem_to_do_far_more_between_shops() -> None:
    assert visits_found(company(), within=False)[0].z > 10


def test_the_randomised_campaign_moves_one_type() -> None:
    assert_found(randomised_found(company(6000)))


def test_the_campaign_without_effect_has_none() -> None:
    assert_found(without_effect_found(company(6000)))


def test_the_harmful_campaign_harms_one_type_alone() -> None:
    assert_found(harmful_found(company(6000)))


@pytest.mark.parametrize("code", ["CX01", "CX02", "CX03"])
def test_treated_shops_differ_by_chance_alone(code: str) -> None:
    assert_found(balance_found(company(), code))


def test_the_naive_comparison_is_wrong_by_what_the_truth_says() -> None:
    given, truth = company(), outcomes_of(company())["campaigns"]["CX04"]
    naive, effect = truth["naive_effect_per_member"], truth["true_effect_per_member"]
    assert naive_difference(given) == pytest.approx(naive, abs=0.02)
    assert naive - effect == pytest.approx(truth["bias_per_member"], abs=0.02)
    assert truth["bias_per_member"] > 5 * abs(effect)
    incremental = given.tables["truth_campaign_members"].query("promotion_id == 'CX04'").incremental_amount
    assert incremental.mean() == pytest.approx(effect, abs=0.02)
    assert_found([true_effect_found(given, "CX04")])
