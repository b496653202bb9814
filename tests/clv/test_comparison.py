"""Models compared by what they say of days not seen."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.clv import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    ModifiedBetaGeoModel,
    ParetoNBDModel,
    candidate_models,
    chosen_model,
    compare_models,
    weekly_tracking,
)
from kehu_analysis.clv.evaluation.comparison import choose, was_alive
from kehu_analysis.clv.evaluation.held_out import HeldOut
from kehu_analysis.errors import ConvergenceError, DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.summaries import btyd_summary

FIRST, CALIBRATION_END, LAST = date(2024, 1, 1), date(2025, 6, 30), date(2026, 6, 30)


def stored(tmp_path, lines):
    pd.DataFrame(lines, columns=["customer_id", "date", "amount"]).to_csv(tmp_path / "transactions.csv", index=False)
    return open_dataset(tmp_path, cache=tmp_path / "cache")


def drawn(tmp_path, seed, n=600, *, leaves="by time", k=1):
    """Draw a log with plain numpy: customers who leave as time goes by or at purchases, and buy by chance or evenly."""
    rng = np.random.default_rng(seed)
    lines = []
    for customer in range(n):
        start = rng.uniform(0, 500)
        rate = rng.gamma(1.5, 1 / 30)
        end = rng.exponential(1 / rng.gamma(0.8, 0.004)) if leaves == "by time" else np.inf
        gone = rng.beta(0.8, 4)
        # Erlang times of k stages, of the same mean whatever k.
        times = np.cumsum(rng.gamma(k, 1 / (k * rate), 400))
        kept = times[: rng.geometric(gone)] if leaves == "at purchases" else times[times < end]
        days = {FIRST + timedelta(days=int(start + age)) for age in [0.0, *kept] if start + age < (LAST - FIRST).days}
        lines += [(f"{customer:04}", day, 1.0) for day in days]
    # Somebody on the last day, so that the log ends with it.
    return stored(tmp_path, [*lines, ("last", LAST, 1.0)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Three customers, whose purchases are counted by hand."""
    days = {
        "a": ["2025-01-06", "2025-01-20", "2025-06-30", "2025-07-01", "2026-06-30"],
        "b": ["2025-06-23", "2025-06-30", "2025-12-31"],
        "c": ["2024-07-01", "2024-08-05", "2024-08-06", "2025-08-01", "2025-08-02", "2025-08-03"],
        "later": ["2025-07-01", "2026-01-01"],
    }
    folder = tmp_path_factory.mktemp("small")
    return stored(folder, [(customer, day, 1.0) for customer, those in days.items() for day in those])


def test_the_log_is_cut_in_two(small):
    past = HeldOut(small, CALIBRATION_END, None, "week")
    assert past.summary["customer_id"].tolist() == ["a", "b", "c"]
    assert past.summary["frequency"].tolist() == [2, 1, 2]
    assert past.actual.tolist() == [2, 1, 3]
    assert past.length == 365 / 7
    assert past.weeks["n_purchases"].sum() == 5 + 6 - 1  # the last day completes no week
    assert HeldOut(small, CALIBRATION_END, date(2025, 7, 31), "day").actual.tolist() == [1, 0, 0]


def test_naive_forecasts_by_hand(small):
    past = HeldOut(small, CALIBRATION_END, None, "day")
    naive = past.naive()
    a, b, c = 175, 7, 364
    assert naive["own_rate"] == pytest.approx([2 / a * 365, 1 / b * 365, 2 / c * 365])
    assert naive["mean_rate"] == pytest.approx([5 / (a + b + c) * 365] * 3)
    # 365 days are repeated from 53 weeks before, up to 2025-06-24: c's first purchase counts among three days.
    assert list(naive) == ["own_rate", "mean_rate"]  # but the log begins later than that
    short = HeldOut(small, date(2025, 7, 31), date(2025, 8, 31), "day").naive()
    assert list(short) == ["last_year", "own_rate", "mean_rate"]
    # 52 weeks before: 2024-08-02 to 2024-09-01.
    assert short["last_year"].tolist() == [0, 0, 2, 0]


def test_a_whole_year_is_repeated_too(tmp_path):
    days = [("a", FIRST, 1.0), ("a", date(2025, 1, 10), 1.0), ("a", LAST, 1.0), ("b", date(2024, 2, 1), 1.0)]
    past = HeldOut(stored(tmp_path, days), CALIBRATION_END, None, "day")
    # 365 days are more than 52 weeks; those of 53 weeks before are 2024-06-25 to 2025-06-24.
    assert past.naive()["last_year"].tolist() == [1, 0]


def test_expected_weeks_are_sums_over_first_days(small):
    model = ModifiedBetaGeoModel()
    model.params_ = pd.Series({"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 2.5})
    past = HeldOut(small, CALIBRATION_END, None, "week")
    weekly = past.tracked(model)
    first = [date(2025, 1, 6), date(2025, 6, 23), date(2024, 7, 1)]
    for week in (0, 30, 51, 52, 80, 103):
        end = past.weeks["week_end"][week]
        then, before = (
            sum(model.expected_purchases_new_customer(max((day - start).days, 0) / 7) for start in first)
            for day in (end, end - timedelta(days=7))
        )
        assert weekly[week] == pytest.approx(then - before, rel=1e-9, abs=1e-12)
    actual = np.array([2.0, 2.0, 4.0, 3.0])
    past.weeks = pd.DataFrame(
        {"week_end": [CALIBRATION_END + timedelta(days=7 * week) for week in range(4)], "n_purchases": actual}
    )
    # Running totals of the three weeks after: 2, 6, 9 made; 1, 6, 12 expected.
    assert past.tracking_error(np.array([50.0, 1, 5, 6])) == pytest.approx((1 + 0 + 3) / 3 / 9)


def test_tracking_fits_a_copy_and_agrees_with_the_model(small, tmp_path):
    dataset = drawn(tmp_path, 3, 200)
    model = ParetoNBDModel()
    finding = weekly_tracking(dataset, model, CALIBRATION_END)
    assert not hasattr(model, "params_")
    table, facts = finding.table, {name: fact.value for name, fact in finding.facts.items()}
    inside = table["in_holdout"]
    assert facts["n_weeks"] == inside.sum() == 52
    assert table["week_end"][~inside].max() == CALIBRATION_END
    assert facts["actual_purchases"] == table["n_purchases"][inside].sum()
    assert facts["expected_purchases"] == pytest.approx(table["expected_purchases"][inside].sum())
    assert table["cumulative_expected"].to_numpy() == pytest.approx(table["expected_purchases"].cumsum().to_numpy())
    fitted = ParetoNBDModel().fit(btyd_summary(dataset, CALIBRATION_END))
    assert weekly_tracking(dataset, fitted, CALIBRATION_END).table.equals(table)
    # From the cohorts alone no worse than a quarter off, in a world of the model's own.
    assert abs(facts["error_share"]) < 0.25


def test_choose_takes_the_plainest_of_equals():
    n = 400
    wave = np.where(np.arange(n) % 2, 1.0, -1.0)
    base = np.full(n, -2.0)
    # Behind by 10, where the standard error is 20 times the size of the wave.
    scores = {"rich": base, "plain": base - 10 / n + 0.6 * wave, "poor": base - 10 / n + 0.4 * wave}
    parameters = {"rich": 5, "plain": 4, "poor": 3}
    assert choose(scores, parameters) == "plain"
    assert choose({name: scores[name] for name in ("rich", "poor")}, parameters) == "rich"
    # Of equals with as many parameters, the better one.
    assert choose(scores, {"rich": 4, "plain": 4, "poor": 3}) == "rich"
    assert choose({"a": base, "b": base.copy()}, {"a": 5, "b": 4}) == "b"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    dataset = drawn(tmp_path_factory.mktemp("left"), 5)
    return dataset, compare_models(dataset, CALIBRATION_END)


def test_a_row_by_hand(compared):
    dataset, finding = compared
    row = finding.table.set_index("model").loc["mbg_nbd"]
    summary = btyd_summary(dataset, CALIBRATION_END)
    later = btyd_summary(dataset, LAST).set_index("customer_id")["frequency"]
    actual = later.loc[summary["customer_id"]].to_numpy() - summary["frequency"].to_numpy()
    model = ModifiedBetaGeoModel().fit(summary)
    expected = model.expected_purchases(summary, 365 / 7)
    chances = [model.expected_probability_of_purchases(summary[actual == n], 365 / 7, int(n)) for n in set(actual)]
    assert row["log_score"] == pytest.approx(sum(np.log(chance).sum() for chance in chances))
    assert row["aic"] == pytest.approx(8 - 2 * model.log_likelihood_)
    assert row["bic"] == pytest.approx(4 * np.log(len(summary)) - 2 * model.log_likelihood_)
    assert row["mean_absolute_error"] == pytest.approx(np.abs(expected - actual).mean())
    assert row["root_mean_squared_error"] == pytest.approx(np.sqrt(((expected - actual) ** 2).mean()))
    assert row["error_share"] == pytest.approx(expected.sum() / actual.sum() - 1)
    facts = finding.facts
    assert facts["actual_purchases"].value == actual.sum()
    assert facts["n_customers"].value == len(summary)


def test_the_table_is_in_order_and_keeps_to_its_rule(compared):
    table = compared[1].table.set_index("model")
    assert set(table.index[:5]) == set(candidate_models())
    assert table.index[5:].tolist() == ["last_year", "own_rate", "mean_rate"]
    scored = table["log_score"].dropna()
    assert scored.is_monotonic_decreasing
    assert scored.index.tolist() == list(table.index[: len(scored)])
    assert table["score_behind"].iloc[0] == 0
    assert table["chosen"].sum() == 1
    near = table[table["score_behind"] <= table["score_standard_error"]]
    chosen = near[near["n_parameters"] == near["n_parameters"].min()]["log_score"].idxmax()
    assert table["chosen"][chosen]
    # Stages that the model chose count as a parameter; no truth is known, and every model was fitted.
    assert table["n_parameters"].dropna().to_dict() == {
        **dict.fromkeys(("bg_nbd", "mbg_nbd", "pareto_nbd"), 4),
        **dict.fromkeys(("bg_cnbd_k", "mbg_cnbd_k"), 5),
    }
    assert not {"brier_score", "alive_expected", "failure"} & set(table.columns)


def test_who_leaves_as_time_goes_by_is_told_best_by_pareto_nbd(compared):
    facts = compared[1].facts
    assert facts["chosen_model"].value == "pareto_nbd"
    assert facts["chosen_beats_naive"].value is True
    assert "naive_not_beaten" not in compared[1].notes


def test_who_buys_evenly_and_leaves_at_purchases_is_told_best_by_stages(tmp_path):
    finding = compare_models(drawn(tmp_path, 7, leaves="at purchases", k=3), CALIBRATION_END)
    assert finding.facts["chosen_model"].value in ("bg_cnbd_k", "mbg_cnbd_k")
    assert finding.facts["chosen_stages"].value == 3
    assert "purchases_regular" in finding.notes
    model = chosen_model(finding)
    assert model.k == 3
    assert not hasattr(model, "params_")


def test_truth(compared):
    dataset, _ = compared
    summary = btyd_summary(dataset, CALIBRATION_END)
    gone = summary["customer_id"].isin(summary["customer_id"][::3])
    # On the last day counted itself: had left.
    left = np.where(gone, str(CALIBRATION_END), str(CALIBRATION_END + timedelta(days=1)))
    truth = pd.DataFrame({"customer_id": summary["customer_id"], "left_on": left}).iloc[::-1]
    finding = compare_models(dataset, CALIBRATION_END, {"mbg_nbd": ModifiedBetaGeoModel()}, truth=truth)
    alive = ModifiedBetaGeoModel().fit(summary).expected_probability_alive(summary)
    row = finding.table.iloc[0]
    assert row["brier_score"] == pytest.approx(np.mean((alive - ~gone) ** 2))
    assert row["alive_expected"] == pytest.approx(alive.sum())
    assert finding.facts["actual_alive"].value == (~gone).sum()
    assert "alive_known_from_simulation" in finding.notes
    with pytest.raises(DataError, match="lacks 1 customer "):
        was_alive(summary, truth.iloc[1:], CALIBRATION_END)
    with pytest.raises(DataError):
        was_alive(summary, pd.concat([truth, truth.iloc[:1]]), CALIBRATION_END)
    with pytest.raises(DataError, match="left_on"):
        was_alive(summary, truth[["customer_id"]], CALIBRATION_END)


class Failing(BetaGeoModel):
    """A model that is never fitted."""

    def fit(self, summary, y=None):
        raise self.error


def test_models_that_fail_are_told_and_left_out(compared):
    failing, poor = Failing(), Failing()
    failing.error = ConvergenceError("not_converged")
    poor.error = InsufficientDataError("no_rows", analysis="clv")
    models = {"pareto_nbd": failing, "bg_cnbd_k": poor, "bg_nbd": BetaGeoModel()}
    finding = compare_models(compared[0], CALIBRATION_END, models)
    failures = finding.table.set_index("model")["failure"]
    assert failures["pareto_nbd"] == "not_converged"
    assert failures["bg_cnbd_k"] == "too_little_data"
    assert finding.facts["n_models"].value == 1
    assert finding.facts["chosen_model"].value == "bg_nbd"
    assert "models_not_fitted" in finding.notes
    with pytest.raises(InsufficientDataError, match="pareto_nbd"):
        compare_models(compared[0], CALIBRATION_END, {"pareto_nbd": failing})


def test_days_out_of_order_are_refused(small):
    for end, as_of in (
        (date(2026, 6, 30), None),
        (CALIBRATION_END, CALIBRATION_END),
        (CALIBRATION_END, date(2030, 1, 1)),
    ):
        with pytest.raises(UsageError):
            compare_models(small, end, as_of=as_of)
        with pytest.raises(UsageError):
            weekly_tracking(small, BetaGeoModel(), end, as_of=as_of)


def test_a_log_that_begins_after_the_calibration_carries_no_comparison(small):
    with pytest.raises(InsufficientDataError):
        compare_models(small, date(2020, 1, 1))
    with pytest.raises(InsufficientDataError):
        weekly_tracking(small, BetaGeoModel(), date(2020, 1, 1))


def test_the_chosen_model_is_made_anew():
    facts = {"chosen_model": Fact("bg_cnbd_k", "code"), "chosen_stages": Fact(2, "count")}
    model = chosen_model(Finding("compare_models", pd.DataFrame(), facts))
    assert isinstance(model, BetaGeoCNBDModel)
    assert model.k == 2
    with pytest.raises(UsageError, match="compare_models"):
        chosen_model(Finding("holdout_check", pd.DataFrame(), facts))
    with pytest.raises(UsageError, match="my_model"):
        chosen_model(Finding("compare_models", pd.DataFrame(), facts | {"chosen_model": Fact("my_model", "code")}))
