"""The check against what came after."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kehu_analysis.clv import BetaGeoModel, ModifiedBetaGeoModel, holdout_check
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError

START, END = date(2026, 3, 31), date(2026, 6, 30)
WEEKS = 13.0


def two_summaries(n: int = 800, seed: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    T, rate = rng.uniform(20, 60, n), rng.gamma(0.8, 0.15, n)
    last_purchase = rng.geometric(rng.beta(0.9, 2.5, n))
    times = np.cumsum(rng.exponential(1 / rate[:, None], (n, 200)), axis=1)
    counts = np.arange(1, 201) <= last_purchase[:, None]
    now = counts & (times <= T[:, None])
    later = counts & (times <= T[:, None] + WEEKS)
    recency = np.where(now, times, 0).max(axis=1)
    ids = [f"{i:04}" for i in range(n)]
    before = pd.DataFrame({"customer_id": ids, "frequency": now.sum(axis=1), "recency": recency, "T": T})
    after_recency = np.where(later, times, 0).max(axis=1)
    after = pd.DataFrame({"customer_id": ids, "frequency": later.sum(axis=1), "recency": after_recency, "T": T + WEEKS})
    return before, after


@pytest.fixture(scope="module")
def summaries():
    return two_summaries()


@pytest.fixture(scope="module")
def finding(summaries):
    return holdout_check(*summaries, calibration_end=START, as_of=END)


def test_totals_and_errors(finding, summaries):
    before, after = summaries
    actual = (after["frequency"] - before["frequency"]).to_numpy()
    expected = BetaGeoModel().fit(before).expected_purchases(before, WEEKS).to_numpy()
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert facts["actual_purchases"] == actual.sum()
    assert facts["expected_purchases"] == pytest.approx(expected.sum())
    assert facts["error_share"] == pytest.approx(expected.sum() / actual.sum() - 1)
    assert facts["mean_absolute_error"] == pytest.approx(np.abs(expected - actual).mean())
    own = before["frequency"] / before["T"] * WEEKS
    assert facts["own_rate_root_mean_squared_error"] == pytest.approx(np.sqrt(((own - actual) ** 2).mean()))
    overall = before["frequency"].sum() / before["T"].sum() * WEEKS
    assert facts["mean_rate_mean_absolute_error"] == pytest.approx(np.abs(overall - actual).mean())


def test_another_model_is_fitted_as_a_copy(summaries):
    before, _ = summaries
    model = ModifiedBetaGeoModel()
    facts = holdout_check(*summaries, calibration_end=START, as_of=END, model=model, draws=20).facts
    fitted = ModifiedBetaGeoModel().fit(before)
    assert facts["model"].value == "mbg_nbd"
    assert facts["expected_purchases"].value == pytest.approx(fitted.expected_purchases(before, WEEKS).sum())
    assert facts["model_a"].value == pytest.approx(fitted.params_["a"])
    assert not hasattr(model, "params_")


def test_the_model_beats_both_naive_forecasts_in_its_own_world(finding):
    error = finding.facts["root_mean_squared_error"].value
    assert error < finding.facts["own_rate_root_mean_squared_error"].value
    assert error < finding.facts["mean_rate_root_mean_squared_error"].value


def test_a_total_outside_its_interval_is_noted(finding):
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert facts["expected_purchases_low"] < facts["expected_purchases"] < facts["expected_purchases_high"]
    inside = facts["expected_purchases_low"] <= facts["actual_purchases"] <= facts["expected_purchases_high"]
    assert ("holdout_outside_interval" in finding.notes) == (not inside)


def test_bins(finding, summaries):
    before, after = summaries
    table = finding.table.set_index("frequency_bin")
    assert table.index.tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["n_customers"].sum() == len(before)
    heavy = before["frequency"] >= 7
    actual = (after["frequency"] - before["frequency"])[heavy].mean()
    assert table.loc["7+", "actual_mean"] == pytest.approx(actual)
    assert (table["actual_low"] <= table["actual_mean"]).all()
    assert (table["actual_mean"] <= table["actual_high"]).all()


def test_interval_of_a_bin_is_garwoods_where_nobody_bought(summaries):
    before, _ = summaries
    after = before.assign(T=before["T"] + WEEKS)
    finding = holdout_check(before, after, calibration_end=START, as_of=END)
    row = finding.table.iloc[0]
    assert row["actual_low"] == 0
    # The rule of three at 90 %: -ln(0.05) / n.
    assert row["actual_high"] == pytest.approx(-np.log(0.05) / row["n_customers"])
    assert finding.facts["error_share"].value is None
    assert "holdout_error_large" in finding.notes


def test_interval_of_a_bin_is_poissons_for_poisson_counts():
    # Garwood (1936) for 10 events: 5.4254 to 16.9622 at 90 %; the counts vary no more than Poisson's.
    from kehu_analysis.clv.evaluation.validation import _mean_interval

    low, high = _mean_interval(np.array([2.0, 2.0, 2.0, 2.0, 2.0]), 0.9)
    assert (low * 5, high * 5) == pytest.approx((5.4254, 16.9622), abs=1e-4)
    # Counts with the same mean and a variance of 20 (ten times the mean): about the normal interval's width.
    counts = np.tile([0.0, 0.0, 0.0, 10.0, 0.0], 40)
    low, high = _mean_interval(counts, 0.9)
    width = 2 * stats.norm.ppf(0.95) * counts.std(ddof=1) / np.sqrt(len(counts))
    assert high - low == pytest.approx(width, rel=0.1)


def test_row_order_does_not_matter(finding, summaries):
    before, after = summaries
    shuffled = holdout_check(
        before.sample(frac=1, random_state=1), after.sample(frac=1, random_state=2), calibration_end=START, as_of=END
    )
    pd.testing.assert_frame_equal(shuffled.table, finding.table)
    assert shuffled.facts == finding.facts


def test_later_customers_are_left_out(finding, summaries):
    before, after = summaries
    newcomer = pd.DataFrame({"customer_id": ["new"], "frequency": [4], "recency": [5.0], "T": [9.0]})
    more = holdout_check(before, pd.concat([after, newcomer]), calibration_end=START, as_of=END)
    assert more.facts == finding.facts


def test_summaries_that_do_not_fit_are_refused(summaries):
    before, after = summaries
    for wrong in (
        after.iloc[3:],
        after.assign(T=after["T"] + 1),
        after.assign(frequency=before["frequency"].to_numpy() - (before["frequency"] > 0)),
    ):
        with pytest.raises(DataError) as raised:
            holdout_check(before, wrong.assign(recency=0.0 * wrong["T"]), calibration_end=START, as_of=END)
        assert raised.value.code == "holdout_mismatch"
    with pytest.raises(UsageError):
        holdout_check(before, after, calibration_end=END, as_of=START)
    with pytest.raises(DataError, match="customer_id"):
        holdout_check(before.drop(columns="customer_id"), after, calibration_end=START, as_of=END)
    with pytest.raises(InsufficientDataError):
        holdout_check(before.head(1), after, calibration_end=START, as_of=END)


def test_words_in_both_languages(finding):
    assert "2026-03-31" in finding.reading("zh")
    assert "2026-03-31" in finding.reading("en")
    for lang in ("zh", "en"):
        assert all(finding.note_texts(lang))
