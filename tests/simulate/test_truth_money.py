"""Order sizes, discounts, contribution, payments, Simpson's reversal, projects and targets are as planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import Company, Found, assert_found, company, found_of

#: Told by make test-long.
pytestmark = pytest.mark.long

SIZE = parameters()["order_size"]
PIPELINE = parameters()["pipeline"]


def spend_found(given: Company) -> list[Found]:
    """Slope of log order size on log order rate, between the shops of wholesale and of all others."""
    shops = given.shops[~given.shops.is_big]
    found = []
    for name, some, truth in (
        ("wholesale", shops[shops.type == "wholesale"], SIZE["wholesale_exponent"]),
        ("others", shops[shops.type != "wholesale"], 0.0),
    ):
        design = pd.get_dummies(some[["type", "size_class", "segment"]], drop_first=True, dtype=float)
        design = design.assign(log_rate=np.log(some.order_rate_per_week), distance=some.distance_10_km)
        fit = sm.OLS(np.log(some.order_size_list_amount), sm.add_constant(design)).fit(cov_type="HC1")
        found.append(found_of(fit, {"log_rate": truth})[0]._replace(name=name))
    return found


def observed_spend_found(given: Company) -> list[Found]:
    """The same from the log: orders in the shop's time, and their mean amount; visits at their planted effect."""
    shops = given.shops[~given.shops.is_big]
    weeks = given.weeks(shops.end.to_numpy()) - given.weeks(shops.begin.to_numpy())
    mean = given.orders.groupby("customer_id").list_amount.agg(["size", "mean"]).reindex(shops.customer_id)
    visits = given.tables["contacts"].query("kind == 'visit'").groupby("customer_id").size().reindex(shops.customer_id)
    per_weeks = parameters()["visits"]["effect_days"] / (shops.end - shops.begin).clip(lower=28).to_numpy()
    effect = parameters()["visits"]["effect"] * visits.fillna(0).to_numpy() * per_weeks
    shops = shops.assign(
        log_rate=np.log(mean["size"] / weeks).to_numpy(), log_amount=np.log(mean["mean"]).to_numpy() - effect
    )
    # Shops with few orders have no rate to speak of; the error in it would draw the slope towards nothing.
    shops = shops[mean["size"].to_numpy() >= 25]
    found = []
    for name, some, truth in (
        ("wholesale", shops[shops.type == "wholesale"], SIZE["wholesale_exponent"]),
        ("others", shops[shops.type != "wholesale"], 0.0),
    ):
        design = pd.get_dummies(some[["type", "size_class", "segment"]], drop_first=True, dtype=float)
        design = design.assign(log_rate=some.log_rate, distance=some.distance_10_km)
        fit = sm.OLS(some.log_amount, sm.add_constant(design)).fit(cov_type="HC1")
        found.append(found_of(fit, {"log_rate": truth})[0]._replace(name=name))
    return found


def accounts(given: Company) -> pd.DataFrame:
    """What each shop bought, its discount, and what it contributed after the cost to serve it."""
    sums = given.tables["transactions"].groupby("customer_id")[["amount", "discount", "cost"]].sum()
    serve = given.tables["contacts"].groupby("customer_id").cost.sum().reindex(sums.index).fillna(0)
    shops = given.shops.set_index("customer_id").loc[sums.index]
    list_amount = sums.amount + sums.discount
    return sums.assign(
        serve=serve,
        contribution=sums.amount - sums.cost - serve,
        discount_share=sums.discount / list_amount,
        yearly=list_amount / (shops.end - shops.begin) * 365.25,
        is_big=shops.is_big,
        discount_rate=shops.discount_rate,
    )


def payments_found(given: Company) -> list[Found]:
    """Share of late payers, how late they are, and shops that left without paying."""
    wanted = parameters()["receivables"]
    shops, n = given.shops, len(given.shops)
    share = wanted["late_payer_share"]
    bills = given.tables["invoices"].merge(shops[["customer_id", "is_late_payer", "is_bad_debt"]], on="customer_id")
    # Bills that had half a year to be paid; the last bills of those that left and did not pay are none of them.
    old = bills[(bills.amount > 0) & (bills.due_on < pd.Timestamp(given.world.last_day) - pd.Timedelta(days=180))]
    late = old[old.is_late_payer & ~old.is_bad_debt]
    delay = ((late.paid_on.fillna(late.due_on + pd.Timedelta(days=190)) - late.due_on).dt.days).to_numpy()
    # Whole days of an exponential delay, after the day on which it was due.
    mean = 1 / np.expm1(1 / wanted["late_mean_days"]) + 1
    left = shops[shops.left_on.notna()]
    bad = wanted["bad_debt_share"]
    return [
        Found("late payers", shops.is_late_payer.mean(), np.sqrt(share * (1 - share) / n), share),
        Found("delay", delay.mean(), delay.std() / np.sqrt(len(delay)), mean),
        Found("bad debts", left.is_bad_debt.mean(), np.sqrt(bad * (1 - bad) / len(left)), bad),
    ]


def margin_rates(given: Company) -> pd.DataFrame:
    """Margin rate by quarter (rows) and category, and of all."""
    sales = given.tables["transactions"].merge(given.tables["products"][["product_id", "category"]], on="product_id")
    sales["quarter"] = sales.date.dt.to_period("Q")
    sums = sales.pivot_table(values=["amount", "cost"], index="quarter", columns="category", aggfunc="sum")
    total = sales.groupby("quarter")[["amount", "cost"]].sum()
    return (1 - sums["cost"] / sums["amount"]).assign(all=1 - total.cost / total.amount)


def stages_found(given: Company) -> list[Found]:
    """Exits by time spent in each stage, and the share of them that are losses."""
    steps = given.tables["opportunities"].merge(given.shops[["customer_id", "end"]], on="customer_id")
    steps["day"] = given.day(steps.entered_on)
    following = steps.groupby("opportunity_id").shift(-1)
    until = following.day.fillna(steps.end + 0.5)
    weeks = (until - steps.day) / 7
    found = []
    for stage, hazard, lost in zip(
        PIPELINE["stages"], PIPELINE["hazard_per_week"], PIPELINE["lost_share"], strict=False
    ):
        inside = steps.stage == stage
        exits, losses = following.stage[inside].notna().sum(), (following.stage[inside] == "lost").sum()
        found += [
            Found(f"hazard of {stage}", np.log(exits / weeks[inside].sum()), exits**-0.5, np.log(hazard)),
            Found(f"lost from {stage}", losses / exits, np.sqrt(lost * (1 - lost) / exits), lost),
        ]
    return found


def attainment(given: Company) -> pd.Series:
    """Sales over targets by salesperson."""
    sales = given.tables["transactions"].groupby("salesperson_id").amount.sum()
    return sales / given.tables["targets"].groupby("salesperson_id").amount.sum()


def test_order_size_goes_with_frequency_in_wholesale_alone() -> None:
    assert_found(spend_found(company(6000)))
    assert_found(observed_spend_found(company(6000)))


def test_products_earn_different_margins() -> None:
    sales = company().tables["transactions"].groupby("product_id")[["amount", "discount", "cost"]].sum()
    margin = 1 - sales.cost / (sales.amount + sales.discount)
    assert margin.max() - margin.min() > 0.2
    assert margin.round(2).nunique() > 10


def test_discounts_follow_the_ladder_but_for_two_shops() -> None:
    found = accounts(company())
    campaigns = sum(one["discount_rate"] for one in parameters()["campaigns"].values())
    far_off = found.discount_share > max(parameters()["prices"]["ladder_rate"]) + campaigns
    assert (far_off == found.is_big).all()
    assert far_off.sum() == 2
    others = found[~found.is_big & (found.amount > 0)]
    steps = [0, *parameters()["prices"]["ladder_annual_amount"], np.inf]
    by_volume = others.discount_share.groupby(pd.cut(others.yearly, steps, labels=False)).mean()
    assert (np.diff(by_volume) > 0.005).all()
    assert stats.spearmanr(others.yearly, others.discount_share).statistic > 0.7
    # What was granted shows in the log, but for what campaigns add.
    assert (others.discount_share > others.discount_rate - 0.01).all()


def test_big_customers_lose_money_and_the_whale_curve_turns_down() -> None:
    found = accounts(company())
    curve = found.contribution.sort_values(ascending=False).cumsum() / found.contribution.sum()
    assert 1.01 < curve.max() < 1.5
    assert found.amount.rank(ascending=False)[found.is_big].max() <= 10
    assert (found.contribution[found.is_big] < 0).all()
    # Most of what is lost is lost with the two; small shops that cost more than they earn are many.
    lost = found.contribution[found.contribution < 0]
    assert lost[found.is_big].sum() < 0.5 * lost.sum()
    assert 0.05 < len(lost) / len(found) < 0.30


def test_some_pay_late_and_a_few_never() -> None:
    assert_found(payments_found(company()))
    bills = company().tables["invoices"]
    never = bills.paid_on.isna() & (bills.due_on < pd.Timestamp(company().world.last_day) - pd.Timedelta(days=365))
    assert 0.0005 < never.mean() < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_every_category_gains_while_the_company_loses(seed: int) -> None:
    rates = margin_rates(company(seed=seed))
    for before in (-2, -5):  # the quarter before, and the same a year ago
        change = rates.iloc[-1] - rates.iloc[before]
        assert (change.drop("all") > 0).all()
        assert change["all"] < -0.004


def test_projects_leave_their_stages_as_planted() -> None:
    assert_found(stages_found(company(6000)))


def test_projects_are_won_at_the_default_size_too() -> None:
    outcome = company().tables["opportunities"].groupby("opportunity_id").stage.last().value_counts()
    assert outcome["bought"] >= 5
    assert outcome["lost"] >= 20


def test_one_salesperson_has_an_unfair_target() -> None:
    found = attainment(company())
    growth = parameters()["targets"]["growth"]
    unfair, others = found.iloc[-1], found.iloc[:-1]
    assert unfair < others.min() - 0.1
    assert (others * growth).between(0.9, 1.1).all()
    # It is the mix: sales per shop there are as low as the target supposes them not to be.
    shops = company().shops
    small = (shops.size_class == "小").groupby(shops.salesperson_id).mean()
    assert small.iloc[-1] > small.iloc[:-2].max() + 0.05


def test_the_totals_look_like_a_business() -> None:
    given = company()
    sales = given.tables["transactions"]
    month = sales.groupby(sales.date.dt.to_period("M")).amount.sum()
    assert month.max() / month.min() < 3
    years = month.groupby(np.arange(len(month)) // 12).sum()
    assert (years / years.iloc[0]).between(0.8, 1.35).all()
    found = accounts(given)
    assert found.amount.max() / found.amount.sum() < 0.08
    assert 0.10 < 1 - sales.cost.sum() / sales.amount.sum() < 0.22
    assert 0.03 < found.serve.sum() / sales.amount.sum() < 0.08
    begin, end = given.shops[["begin", "end"]].to_numpy().T
    alive = [((begin <= day) & (day < end)).sum() for day in given.clock.month_end()]
    assert max(alive) / min(alive) < 1.25
