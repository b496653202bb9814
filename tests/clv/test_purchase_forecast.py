"""Expected value: sums, order, intervals, what it refuses."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv import BetaGeoModel, GammaGammaModel, purchase_forecast
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding

QUARTERS = (92, 92, 90, 91)
AS_OF = date(2026, 6, 30)


def customers(n: int = 500, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    T = rng.integers(40, 80, n).astype(float)
    active = np.minimum(T, rng.integers(1, 86, n))
    x = rng.poisson(rng.gamma(0.8, 0.2, n) * active)
    spend = rng.gamma(6, 1 / rng.gamma(4, 0.02, n)).round(2)
    return pd.DataFrame(
        {
            "customer_id": [f"{i:04}" for i in range(n)],
            "frequency": x,
            "recency": np.where(x > 0, active, 0.0),
            "T": T,
            "monetary_value": np.where(x > 0, spend, 0.0),
        }
    )


@pytest.fixture(scope="module")
def summary():
    return customers()


@pytest.fixture(scope="module")
def finding(summary):
    return purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS)


def test_table_adds_up_to_the_facts(finding):
    table, facts = finding.table, finding.facts
    by_quarter = [f"expected_amount_q{k}" for k in (1, 2, 3, 4)]
    assert table[by_quarter].sum(axis=1).to_numpy() == pytest.approx(table["expected_amount"].to_numpy())
    assert table["expected_amount"].sum() == pytest.approx(facts["expected_amount"].value, abs=0.01)
    assert table["expected_purchases"].sum() == pytest.approx(facts["expected_purchases"].value)
    for column in by_quarter:
        assert table[column].sum() == pytest.approx(facts[column].value, abs=0.01)


def test_expectations_are_the_models(finding, summary):
    purchases, spend = BetaGeoModel().fit(summary), GammaGammaModel().fit(summary)
    expected = purchases.expected_purchases(summary, 365 / 7) * spend.expected_customer_spend(summary)
    found = finding.table.set_index("customer_id")["expected_amount"].loc[summary["customer_id"]]
    assert found.to_numpy() == pytest.approx(expected.to_numpy())


def test_customers_come_most_valuable_first(finding):
    table = finding.table
    assert table["expected_amount"].is_monotonic_decreasing
    assert table["running_share_of_expected_amount"].iloc[-1] == pytest.approx(1)
    top = table["expected_amount"].head(100).sum() / table["expected_amount"].sum()
    assert finding.facts["top_share_of_expected_amount"].value == pytest.approx(top)


def test_recency_is_days_since_the_last_purchase(finding, summary):
    row = finding.table.set_index("customer_id").loc["0007"]
    given = summary.set_index("customer_id").loc["0007"]
    assert row["recency_days"] == round((given["T"] - given["recency"]) * 7)


def test_intervals_lie_around_the_expectations(finding):
    facts = finding.facts
    for name in ("expected_purchases", "expected_amount", "expected_amount_q1", "expected_purchases_q4"):
        assert facts[f"{name}_low"].value < facts[name].value < facts[f"{name}_high"].value
    # Chance comes on top of the parameters' uncertainty.
    predictive = facts["expected_amount_high"].value - facts["expected_amount_low"].value
    parameters = facts["expected_amount_parameter_high"].value - facts["expected_amount_parameter_low"].value
    assert 0 < parameters < predictive
    table = finding.table
    assert (table["purchases_low"] <= table["expected_purchases"]).all()
    assert (table["amount_low"] <= table["amount_high"]).all()


@pytest.mark.long
def test_parameter_interval_agrees_with_drawn_parameters():
    # Many customers, so that the logarithm of the total is near enough linear in the parameters' logarithms.
    summary = customers(4000)
    finding = purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, draws=19)
    purchases, spend = BetaGeoModel().fit(summary), GammaGammaModel().fit(summary)
    totals = []
    rates, spends = purchases.draw_parameters(150, 1), spend.draw_parameters(150, 2)
    for (_, rate), (_, one) in zip(rates.iterrows(), spends.iterrows(), strict=True):
        purchases.params_, spend.params_ = rate, one
        expected = purchases.expected_purchases(summary, 365 / 7) * spend.expected_customer_spend(summary)
        totals.append(np.log(expected.sum()))
    high, low = (finding.facts[f"expected_amount_parameter_{end}"].value for end in ("high", "low"))
    # 150 draws give a standard deviation within 6 %, one standard error.
    assert np.log(high / low) / (2 * 1.6449) == pytest.approx(np.std(totals), rel=0.2)


def test_customer_intervals_hold_the_stated_share_of_futures(finding, summary):
    model = BetaGeoModel().fit(summary)
    futures = model.simulate_future(summary, [365 / 7], rng=99, draws=400)[:, :, 0]
    bounds = finding.table.set_index("customer_id").loc[summary["customer_id"]]
    inside = (futures >= bounds["purchases_low"].to_numpy()) & (futures <= bounds["purchases_high"].to_numpy())
    # Counts: a bound cannot split one number of purchases, hence 0.9 or more; over 500 customers some samples of 400
    # lie 3.6 deviations below.
    assert inside.mean(axis=0).min() > 0.9 - 3.6 * np.sqrt(0.9 * 0.1 / 400)
    assert inside.mean() >= 0.9


def test_row_order_and_time_unit_do_not_matter(finding, summary):
    shuffled = purchase_forecast(summary.sample(frac=1, random_state=3), as_of=AS_OF, quarter_days=QUARTERS)
    pd.testing.assert_frame_equal(shuffled.table, finding.table)
    assert shuffled.facts == finding.facts
    in_days = summary.assign(recency=summary["recency"] * 7, T=summary["T"] * 7)
    days = purchase_forecast(in_days, as_of=AS_OF, quarter_days=QUARTERS, draws=20, time_unit="day")
    assert days.facts["expected_amount"].value == pytest.approx(finding.facts["expected_amount"].value, rel=1e-6)
    assert days.facts["q4_end"].value == date(2027, 6, 30)


def test_seed_decides(summary):
    first, second, other = (
        purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, draws=20, rng=seed) for seed in (5, 5, 6)
    )
    assert first.facts == second.facts
    assert first.facts["expected_amount_low"] != other.facts["expected_amount_low"]


def test_words_in_both_languages(finding):
    named = finding.in_currency("CNY")
    assert "500 家客户" in named.reading("zh")
    assert "2027-06-30" in named.reading("en")
    for lang in ("zh", "en"):
        assert all(named.note_texts(lang))


def test_names_come_along(summary):
    finding = purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, draws=20, names={"0007": "七号店"})
    assert finding.table.set_index("customer_id").loc["0007", "name"] == "七号店"


def test_frequent_buyers_who_spend_more_are_noted():
    summary = customers()
    by_frequency = summary["monetary_value"] * (1 + summary["frequency"] / 3)
    finding = purchase_forecast(
        summary.assign(monetary_value=by_frequency), as_of=AS_OF, quarter_days=QUARTERS, draws=20
    )
    assert finding.facts["correlation"].value > 0.3
    assert "spend_depends_on_frequency" in finding.notes


@pytest.mark.parametrize("spend", [0.0, -12.5])
def test_customers_without_spend_are_counted(spend):
    # Below 0: what the customer returned outweighs its repeat purchases.
    summary = customers()
    buyer = summary.index[summary["frequency"] > 0][0]
    summary.loc[buyer, "monetary_value"] = spend
    finding = purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, draws=20)
    assert finding.facts["n_without_spend"].value == 1
    assert "left_out_of_spend" in finding.notes


def test_the_forecast_carries_what_its_test_found(summary):
    failed = Finding(
        "holdout_check", pd.DataFrame(), {"error_share": Fact(-0.2, "share")}, notes=("holdout_outside_interval",)
    )
    passed = replace(failed, notes=())
    not_run = Finding("holdout_check", pd.DataFrame(), {}, not_run=("no_rows", {"analysis": "x"}))
    found = [
        purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, draws=20, check=c)
        for c in (failed, passed, not_run)
    ]
    assert [finding.facts["holdout_error_share"].value for finding in found] == [-0.2, -0.2, None]
    assert ["intervals_failed_check" in finding.notes for finding in found] == [True, False, False]
    assert "-20%" in " ".join(found[0].note_texts("zh"))
    with pytest.raises(UsageError):
        purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, check=replace(failed, name="rfm_profile"))


def test_a_forecast_beyond_the_length_of_the_log_says_so(summary):
    short = purchase_forecast(summary.assign(T=summary["T"].clip(upper=79)), as_of=AS_OF, quarter_days=(92,), draws=20)
    assert "horizon_beyond_history" not in short.notes
    assert (
        "horizon_beyond_history"
        in purchase_forecast(
            summary.assign(T=summary["T"] / 2, recency=summary["recency"] / 2),
            as_of=AS_OF,
            quarter_days=QUARTERS,
            draws=20,
        ).notes
    )


def test_what_it_refuses(summary):
    with pytest.raises(InsufficientDataError):
        purchase_forecast(summary.head(1), as_of=AS_OF, quarter_days=QUARTERS)
    once = summary.assign(frequency=0, recency=0.0, monetary_value=0.0)
    with pytest.raises(InsufficientDataError):
        purchase_forecast(once, as_of=AS_OF, quarter_days=QUARTERS)
    with pytest.raises(DataError, match="customer_id"):
        purchase_forecast(summary.drop(columns="customer_id"), as_of=AS_OF, quarter_days=QUARTERS)
    with pytest.raises(UsageError):
        purchase_forecast(summary, as_of=AS_OF, quarter_days=(92, 0))
    with pytest.raises(UsageError):
        purchase_forecast(summary, as_of=AS_OF, quarter_days=QUARTERS, interval=1.0)


def test_covariates_move_the_forecast(summary):
    given = summary.assign(far=np.arange(len(summary)) % 2.0)
    model = BetaGeoModel(purchase_covariates=["far"])
    found = purchase_forecast(given, as_of=AS_OF, quarter_days=(91, 92), purchase_model=model, draws=20)
    expected = model.fit(given).expected_purchases(given, 183 / 7)
    table = found.table.set_index("customer_id").loc[given["customer_id"]]
    np.testing.assert_allclose(table["expected_purchases"], expected)
    low, high = (found.facts[f"expected_purchases_parameter_{end}"].value for end in ("low", "high"))
    assert low < expected.sum() < high


@pytest.mark.parametrize(
    ("given", "word"), [({"interval": "90%"}, "90%"), ({"draws": 50.5}, "50.5"), ({"draws": "50"}, "draws=50")]
)
def test_settings_that_are_no_numbers_are_refused(summary, given, word):
    with pytest.raises(UsageError, match=word):
        purchase_forecast(summary, as_of=AS_OF, quarter_days=(91,), **given)
