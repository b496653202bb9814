"""Order times, rates, seasons, leaving, pauses and openings are in the log as they were planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.tools.numdiff import approx_hess

from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import Company, Found, assert_found, company, found_of, segment_value, type_value

#: Told by make test-long.
pytestmark = pytest.mark.long

SEGMENTS = parameters()["segments"]["codes"]
#: Orders of one day are one order; intervals as short (weeks) are left out of the likelihood, and it knows.
SHORTEST = 0.6
#: An effect that many standard errors from nothing is seen.
SEEN = 4.0


def regularity_found(given: Company, segment: str) -> list[Found]:
    """Maximum likelihood of gamma intervals in units of the shop's own mean: shape k, and mean 1."""
    shops = given.shops.query("segment == @segment and not pauses and not is_big and type != 'tobacco_liquor'")
    orders = given.orders.merge(shops[["customer_id", "order_rate_per_week", "end"]], on="customer_id")
    after = orders.groupby("customer_id").time.shift(-1)
    complete = after.notna().to_numpy()
    length = (after.fillna(pd.Series(given.weeks(orders.end.to_numpy()), orders.index)) - orders.time).to_numpy()
    kept = length > SHORTEST
    rate = orders.order_rate_per_week.to_numpy()[kept]
    length, complete, shortest = length[kept] * rate, complete[kept], SHORTEST * rate

    def loss(values: np.ndarray) -> float:
        k, mean = np.exp(values)
        intervals = stats.gamma(k, scale=mean / k)
        seen = np.where(complete, intervals.logpdf(length), intervals.logsf(length))
        return float(-(seen - intervals.logsf(shortest)).sum())

    best = optimize.minimize(loss, [0.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-3}).x
    error = np.sqrt(np.diag(np.linalg.inv(approx_hess(best, loss, epsilon=np.array([1e-3, 1e-3])))))
    return [
        Found("log k", best[0], error[0], np.log(segment_value("regularity", segment))),
        # Days are the finest there is; that costs half a percent.
        Found("log mean interval", best[1], np.hypot(error[1], 0.005), 0.0),
    ]


def rates_found(given: Company, segment: str) -> list[Found]:
    """Negative binomial regression of order counts on type and distance; its dispersion is 1 / shape."""
    shops = given.shops.query("segment == @segment and not is_big")
    until, _ = given.campaign_days("CX03")  # it cancels orders
    begin, end = shops.begin.to_numpy(), np.minimum(shops.end, until).to_numpy()
    paused = np.clip([given.day(shops.paused_from), given.day(shops.paused_until)], begin, np.maximum(end, begin))
    exposure = given.weeks(end) - given.weeks(begin) - np.diff(given.weeks(paused), axis=0)[0]
    counts = given.orders[given.orders.day < until].groupby("customer_id").size().reindex(shops.customer_id)
    # A shop opens with an order.
    counts = np.maximum(counts.fillna(0).to_numpy() - shops.is_new.to_numpy(), 0)
    design = pd.get_dummies(shops.type, dtype=float).drop(columns="convenience")
    design = sm.add_constant(design.assign(distance=shops.distance_10_km))
    if segment_value("regularity", segment) == 1:
        # Orders of one day are one order: the faster the shop, the shorter its time in effect.
        weight = np.diff(given.clock.operational)
        exposure = exposure * (1 - counts / np.maximum(exposure, 1) * (weight**2).sum() / weight.sum() / 2)
    there = exposure > 2
    fit = sm.NegativeBinomial(counts[there], design[there], exposure=exposure[there]).fit(disp=0, maxiter=200)
    truths = {name: type_value("log_order_rate", name) for name in design.columns[1:-1]}
    truths |= {
        "const": np.log(segment_value("order_rate", segment)),
        "distance": parameters()["distance"]["log_order_rate_per_10_km"],
    }
    if segment_value("regularity", segment) == 1:  # regular shops' counts vary less than Poisson's
        truths["alpha"] = 1 / segment_value("order_rate_shape", segment)
    return found_of(fit, truths)


def season_found(given: Company) -> list[Found]:
    """Poisson regression of a day's orders on weekday, month and the weeks before the festival."""
    calendar = parameters()["calendar"]
    clock = given.clock
    days = pd.DatetimeIndex(clock.days)
    shops = given.shops
    there = np.array(
        [((shops.begin < day) & (day < shops.end)) @ shops.order_rate_per_week for day in range(len(days))]
    )
    counts = np.bincount(given.orders.day, minlength=len(days))
    spring = np.flatnonzero(~clock.is_open & (np.asarray(days.month) < 3) & (days.day_of_week != 6))
    begins = spring[np.append(True, np.diff(spring) > 30)]
    run_up = np.zeros(len(days))
    for begin in begins:
        run_up[begin - calendar["run_up_days"] : begin] = 1
    open_days = clock.is_open & (days.day_of_week < 6)
    weekday = pd.get_dummies(days.day_of_week, prefix="weekday", dtype=float).drop(columns=["weekday_0", "weekday_6"])
    month = pd.get_dummies(days.month, prefix="month", dtype=float).drop(columns="month_10")
    design = sm.add_constant(pd.concat([weekday, month], axis=1).assign(run_up=run_up))
    model = sm.GLM(counts[open_days], design[open_days], family=sm.families.Poisson(), exposure=there[open_days])
    truths = {f"weekday_{day}": np.log(calendar["weekdays"][day] / calendar["weekdays"][0]) for day in range(1, 6)}
    truths |= {
        f"month_{month}": np.log(calendar["months"][month - 1] / calendar["months"][9])
        for month in range(1, 13)
        if month != 10
    }
    return found_of(model.fit(scale="X2"), truths | {"run_up": np.log(calendar["run_up_factor"])})


def half_years(given: Company, surveys: pd.DataFrame) -> pd.DataFrame:
    """One row a shop and half year in which it was asked: time at risk since then, and whether it left."""
    starts = [given.clock.quarter_start(quarter) for quarter in range(0, given.world.quarters, 2)]
    ends = np.array([*starts[1:], given.clock.n_days])
    rows = surveys.merge(given.shops, on="customer_id")
    asked = given.day(rows.asked_on)
    half_end = ends[np.searchsorted(starts, asked, side="right") - 1]
    return rows.assign(
        left=((rows.end < half_end) & (rows.end < given.clock.n_days)).astype(float),
        weeks=(np.minimum(rows.end + 0.5, half_end) - asked) / 7,
        points=rows.satisfaction - parameters()["satisfaction"]["reference"],
    )


def staying_found(given: Company) -> list[Found]:
    """Exponential regression of leaving on satisfaction, given each shop's own rate; and by segment and type."""
    rows = half_years(given, given.tables["truth_surveys"])
    rows = rows[rows.dropout_rate_per_week > 0]
    exposure = rows.weeks * rows.dropout_rate_per_week
    fit = sm.GLM(rows.left, sm.add_constant(rows[["points"]]), family=sm.families.Poisson(), exposure=exposure).fit()
    effect = parameters()["satisfaction"]["log_dropout_rate_per_point"]
    found = found_of(fit, {"const": 0.0, "points": effect})
    for kind in ("segment", "type"):
        expected = (exposure * np.exp(effect * rows.points)).groupby(rows[kind]).sum()
        left = rows.left.groupby(rows[kind]).sum()
        found += [Found(one, left[one], np.sqrt(expected[one]), expected[one]) for one in expected.index]
    return found


def observed_staying_found(given: Company) -> Found:
    """The same as an analyst has it: only who answered, and attributes in place of the shop's own rate."""
    surveys = given.tables["surveys"].dropna(subset="satisfaction").rename(columns={"date": "asked_on"})
    surveys = surveys[["customer_id", "asked_on", "satisfaction"]]
    rows = half_years(given, surveys)
    design = pd.get_dummies(rows[["segment", "type"]], dtype=float).drop(columns=["segment_steady", "type_convenience"])
    design = sm.add_constant(design.drop(columns="type_wholesale").assign(points=rows.points))
    fit = sm.GLM(rows.left, design, family=sm.families.Poisson(), exposure=rows.weeks).fit()
    return found_of(fit, {"points": parameters()["satisfaction"]["log_dropout_rate_per_point"]})[0]


def dropout_rates_found(given: Company) -> list[Found]:
    """Means and shapes of the gamma distributions of the shops' hazards."""
    found = []
    shops = given.shops.query("not is_big")
    level = shops.dropout_rate_per_week / np.exp(shops.type.map(lambda one: type_value("log_dropout_rate", one)))
    for segment in SEGMENTS:
        own = level[shops.segment == segment] / segment_value("dropout_rate", segment)
        found.append(
            Found(
                f"level of {segment}", own.mean(), np.sqrt(1 / segment_value("dropout_shape", segment) / len(own)), 1.0
            )
        )
    return found


def pauses_found(given: Company) -> list[Found]:
    """Share of shops that pause among those with room for any pause, and how long."""
    wanted = parameters()["dormancy"]
    room = given.shops.end - given.shops.begin - 2 * wanted["margin_days"] - wanted["longest_days"] - 1
    roomy = given.shops[(room > 0) & ~given.shops.is_big]
    pausing = roomy[roomy.pauses]
    length = (pausing.paused_until - pausing.paused_from).dt.days
    width = wanted["longest_days"] - wanted["shortest_days"]
    share, middle = wanted["share"], (wanted["longest_days"] + wanted["shortest_days"]) / 2
    return [
        Found("share", len(pausing) / len(roomy), np.sqrt(share * (1 - share) / len(roomy)), share),
        Found("length", length.mean(), width / np.sqrt(12 * len(length)), middle),
    ]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_intervals_are_as_regular_as_the_segment(segment: str) -> None:
    assert_found(regularity_found(company(), segment))


@pytest.mark.parametrize("segment", ["anchor", "steady", "occasional", "latent_high"])
def test_rates_depend_on_type_and_distance_and_differ_between_shops(segment: str) -> None:
    assert_found(rates_found(company(), segment))


def test_seasons_are_those_of_the_calendar() -> None:
    assert_found(season_found(company()))


def test_nobody_orders_on_a_closed_day() -> None:
    given = company()
    assert given.clock.is_open[given.orders.day].all()
    closed = given.clock.days[~given.clock.is_open]
    # The closed week of the Spring Festival moves with the lunar calendar.
    for new_year in ("2024-02-10", "2025-01-29", "2026-02-17"):
        around = np.arange(np.datetime64(new_year) - 2, np.datetime64(new_year) + 9)
        assert np.isin(around, closed).all()


def test_satisfaction_makes_shops_stay() -> None:
    assert_found(staying_found(company(6000)))
    assert_found(dropout_rates_found(company()))


def test_what_satisfaction_does_shows_in_answered_surveys() -> None:
    found = observed_staying_found(company(6000))
    assert found.estimate / found.error < -SEEN
    # Shops differ in ways nobody records; who would leave soon is gone first, which draws the estimate towards nothing.
    assert_found([found._replace(error=np.hypot(found.error, 0.05))])


def test_nothing_is_ordered_before_opening_after_leaving_or_while_pausing() -> None:
    given = company()
    orders = given.orders.merge(given.shops, on="customer_id")
    assert ((orders.date >= orders.opened_on) & ~(orders.date >= orders.left_on)).all()
    assert not ((orders.date >= orders.paused_from) & (orders.date < orders.paused_until)).any()
    # They come back: most order again, and all live on for a while.
    last = orders.groupby("customer_id").date.max()
    pausing = given.shops[given.shops.pauses]
    assert (last.reindex(pausing.customer_id).to_numpy() > pausing.paused_until.to_numpy()).mean() > 0.8


def test_some_shops_pause_for_as_long_as_planted() -> None:
    assert_found(pauses_found(company()))


def test_shops_open_evenly_over_the_log() -> None:
    given = company()
    new = given.shops[given.shops.is_new]
    share = 1 - parameters()["company"]["share_open_at_start"]
    n = len(given.shops)
    assert_found([Found("share new", len(new) / n, np.sqrt(share * (1 - share) / n), share)])
    passed = given.weeks(new.begin.to_numpy() + 0.5) / given.clock.operational[-1]
    assert stats.kstest(passed, "uniform").pvalue > 0.001
