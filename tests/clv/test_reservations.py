"""What the models suppose, held against logs that keep to it and logs that do not."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kehu_analysis.clv import model_reservations
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from tests.scale import at_scale, scaled

N_LOGS = at_scale(20, 100)
#: Of so many clean logs a test of level 0.01 gives more alarms than this once in a thousand times.
MOST_FALSE_ALARMS = stats.binom.ppf(0.999, N_LOGS, 0.01)
FIRST_MONTH, MONTHS = pd.Period("2023-04", "M"), 30
AS_OF = (FIRST_MONTH + MONTHS - 1).end_time.date()
DAYS = (AS_OF - FIRST_MONTH.start_time.date()).days + 1


def world(seed, n=600, *, peak=0.0, growth=0.0, old=0, exponent=0.0, p=2.0):
    """Draw a company by Pareto/NBD's and Gamma-Gamma's own story, and the tables that the analysis reads.

    ``peak`` more purchases in December, arrivals growing by ``growth`` a year, ``old`` customers won before the log,
    spend in proportion to a power of frequency.
    """
    rng = np.random.default_rng(seed)
    start = rng.random(n)
    if growth:
        start = np.log1p(start * np.expm1(growth * DAYS / 365)) / (growth * DAYS / 365)
    start = start * DAYS
    start[:old] = rng.uniform(-1000, 0, old)
    rate, end = rng.gamma(1, 1 / 28, n), start + rng.exponential(1 / rng.gamma(0.5, 1 / 210, n))
    active = np.minimum(end, DAYS) - start
    number = rng.poisson(rate * active * (1 + peak))
    who = np.repeat(np.arange(n), number + 1)
    first = np.concatenate([[0], np.cumsum(number + 1)[:-1]])
    age = rng.random(len(who)) * active[who]
    age[first] = 0
    day = np.floor(start[who] + age).astype(int)
    calendar = FIRST_MONTH.start_time + pd.to_timedelta(np.arange(DAYS), unit="D")
    seen = day >= 0
    log = pd.DataFrame({"customer_id": who[seen], "day": day[seen], "first": np.isin(np.arange(len(who)), first)[seen]})
    kept = log["first"] | (rng.random(len(log)) < np.where(calendar.month[log["day"]] == 12, 1, 1 / (1 + peak)))
    log = log[kept].drop_duplicates(["customer_id", "day"])
    month = calendar[log["day"]].to_period("M")
    purchases = log.assign(month=month).groupby(["customer_id", "month"]).size().rename("n_purchase_days").reset_index()
    days = log.groupby("customer_id")["day"].agg(["min", "size"])
    x = days["size"].to_numpy() - 1
    mean = rng.gamma(p * np.maximum(x, 1), 1 / rng.gamma(4, 1 / 200, len(x))) / np.maximum(x, 1)
    spend = np.where(x > 0, mean * np.maximum(x, 1.0) ** exponent, 0)
    summary = pd.DataFrame({"frequency": x, "T": (DAYS - 1 - days["min"].to_numpy()) / 7, "monetary_value": spend})
    return purchases, summary


def judged(purchases, summary, *, as_of=AS_OF, horizon_days=365):
    return model_reservations(purchases, summary, as_of=as_of, horizon_days=horizon_days)


def verdicts(finding):
    return finding.table.set_index("supposition")["verdict"]


@pytest.fixture(scope="module")
def clean():
    return pd.concat([judged(*world(seed)).table.assign(seed=seed) for seed in range(N_LOGS)])


@scaled
def test_clean_logs_raise_no_more_alarms_than_chance(clean):
    assert "cannot_be_judged" not in set(clean["verdict"])
    alarms = (clean["verdict"] == "broken").groupby(clean["supposition"]).sum()
    assert alarms.max() <= MOST_FALSE_ALARMS, alarms
    assert alarms["window"] == 0


@scaled
def test_tests_hold_their_level_whatever_the_bound(clean):
    for name in ("season", "acquisition", "spend_and_frequency"):
        p_values = clean.loc[clean["supposition"] == name, "p_value"]
        assert stats.kstest(p_values, "uniform").pvalue > 0.001, name
        assert (p_values < 0.01).sum() <= MOST_FALSE_ALARMS


@pytest.mark.parametrize(
    ("planted", "supposition"),
    [
        ({"peak": 0.6}, "season"),
        ({"growth": 0.6}, "acquisition"),
        ({"growth": -0.6}, "acquisition"),
        ({"old": 500}, "old_customers"),
        ({"exponent": 0.4}, "spend_and_frequency"),
        ({"exponent": -0.4}, "spend_and_frequency"),
    ],
)
def test_what_is_planted_is_found_and_nothing_else(planted, supposition):
    for seed in (1, 2, 3):
        finding = judged(*world(seed, 900, **planted))
        found = verdicts(finding)
        assert found[supposition] == "broken", seed
        assert (found == "broken").sum() == finding.facts["n_broken"].value == 1
        assert finding.notes[0] == f"broken_{supposition}"
    if supposition == "old_customers":
        # Those of long standing go on appearing as new, and would look like a trend.
        assert found["acquisition"] == "cannot_be_judged"


def test_measures_are_what_was_planted():
    measures = judged(*world(4, 4000, peak=0.6)).table.set_index("supposition")["measure"]
    assert measures["season"] == pytest.approx(0.6, abs=0.12)
    measures = judged(*world(4, 4000, growth=0.5)).table.set_index("supposition")["measure"]
    assert measures["acquisition"] == pytest.approx(np.expm1(0.5), abs=0.15)
    measures = judged(*world(4, 4000, exponent=0.4)).table.set_index("supposition")["measure"]
    assert measures["spend_and_frequency"] == pytest.approx(2**0.4 - 1, abs=0.05)


def test_the_logarithm_of_spend_rises_with_frequency_in_a_clean_log_too():
    purchases, summary = world(9, 4000, p=0.5)
    buyers = summary[summary["frequency"] > 0]
    assert np.corrcoef(np.log(buyers["frequency"]), np.log(buyers["monetary_value"]))[0, 1] > 0.2
    assert verdicts(judged(purchases, summary))["spend_and_frequency"] == "holds"


def test_the_window():
    purchases, summary = world(1)
    for horizon_days, verdict in ((365, "holds"), (1000, "broken")):
        finding = judged(purchases, summary, horizon_days=horizon_days)
        assert verdicts(finding)["window"] == verdict
        assert finding.facts["window_measure"].value == pytest.approx(horizon_days / (summary["T"].max() * 7))
    young = summary.assign(T=summary["T"].clip(upper=20.0))
    assert verdicts(judged(purchases, young, horizon_days=30))["window"] == "broken"


def test_a_month_of_rest_each_year_is_a_season():
    purchases, summary = world(2)
    rested = purchases[purchases["month"].dt.month != 2]
    assert verdicts(judged(rested, summary))["season"] == "broken"


def test_months_by_hand():
    months = pd.period_range(FIRST_MONTH, periods=13, freq="M")
    # 24 new customers in each of the first two months, 4 in each later one: six times as many.
    new = np.repeat(np.arange(13), [24, 24, *[4] * 11])
    purchases = pd.DataFrame({"customer_id": np.arange(len(new)), "month": months[new], "n_purchase_days": 1})
    summary = pd.DataFrame({"frequency": [0], "T": [50.0], "monetary_value": [0.0]})
    as_of = months[-1].end_time.date()
    table = judged(purchases, summary, as_of=as_of, horizon_days=90).table.set_index("supposition")
    assert table.loc["old_customers", "measure"] == 6
    expected = stats.binom.sf(47, 48 + 44, 6 / (6 + 11))
    assert table.loc["old_customers", "p_value"] == pytest.approx(expected)
    # The last month is not over: its customers are left out, and ten later months are left.
    cut = judged(purchases, summary, as_of=date(2024, 4, 29), horizon_days=90)
    assert cut.facts["n_months"].value == 12
    assert cut.table.set_index("supposition").loc["old_customers", "p_value"] == pytest.approx(
        stats.binom.sf(47, 48 + 40, 6 / (6 + 10))
    )


def test_what_cannot_be_judged_is_said():
    purchases, summary = world(3)
    short = purchases[purchases["month"] < FIRST_MONTH + 8]
    finding = judged(short, summary, as_of=(FIRST_MONTH + 7).end_time.date())
    assert set(verdicts(finding)[["season", "acquisition", "old_customers"]]) == {"cannot_be_judged"}
    assert finding.facts["n_not_judged"].value == 3
    assert "suppositions_not_judged" in finding.notes
    # One cohort: nobody comes in the second half.
    cohort = purchases[purchases.groupby("customer_id")["month"].transform("min") < FIRST_MONTH + 3]
    assert verdicts(judged(cohort, summary))["acquisition"] == "cannot_be_judged"
    for few in (
        summary[summary["frequency"] > 0].head(20),
        summary.assign(monetary_value=5.0),
        summary.assign(frequency=1),
    ):
        assert verdicts(judged(purchases, few))["spend_and_frequency"] == "cannot_be_judged"
    assert judged(purchases, summary, as_of=date(2020, 1, 31)).facts["n_months"].value == 0


def test_even_counts_have_no_season_and_no_trend():
    months = pd.period_range(FIRST_MONTH, periods=MONTHS, freq="M")
    ids = [f"{month}{number}" for month in months for number in range(5)]
    first = np.repeat(months, 5)
    purchases = pd.DataFrame({"customer_id": ids, "month": first, "n_purchase_days": 2})
    summary = pd.DataFrame({"frequency": [1], "T": [100.0], "monetary_value": [1.0]})
    table = judged(purchases, summary).table.set_index("supposition")
    assert table.loc["acquisition", "measure"] == pytest.approx(0, abs=1e-6)
    assert table.loc["acquisition", "verdict"] == "holds"
    assert table.loc["old_customers", "measure"] == 1


def test_input_that_cannot_be_used():
    purchases, summary = world(1, 50)
    with pytest.raises(UsageError):
        judged(purchases, summary, horizon_days=0)
    with pytest.raises(DataError, match="month"):
        judged(purchases.drop(columns="month"), summary)
    with pytest.raises(DataError, match="monetary_value"):
        judged(purchases, summary.drop(columns="monetary_value"))
    with pytest.raises(DataError, match="T"):
        judged(purchases, summary.assign(T=-1.0))
    with pytest.raises(InsufficientDataError):
        judged(purchases.head(0), summary)
