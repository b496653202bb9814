"""The state of a relationship: limits at the promised level, probabilities that come true, what takes precedence."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kehu_analysis.data import open_dataset
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import STATES, call_list_levels, customer_states
from kehu_analysis.loyalty.renewals import Purchases, fit_renewals
from kehu_analysis.simulate import simulate_company
from kehu_analysis.summaries import customer_history
from tests.loyalty.order_of_states import reversals
from tests.loyalty.relations import AS_OF, crowd, history
from tests.scale import at_scale, scaled

CROWD, _ = crowd()
#: Ten days on average, as irregular as the crowd.
TENS = [4, 18, 9, 12, 6, 15, 3, 13] * 2


def states(frame, **settings):
    return customer_states(frame, as_of=AS_OF, **settings)


def one(intervals, silence, **settings):
    """Judge one customer among a crowd of regular ones."""
    added = history([intervals], [silence]).assign(customer_id="one")
    table = states(pd.concat([CROWD, added], ignore_index=True), **settings).table
    return table.set_index("customer_id").loc["one"]


@pytest.mark.parametrize(
    ("intervals", "silence", "state"),
    [
        (TENS, 3, "on_time"),
        (TENS, 13, "due"),
        (TENS, 24, "late"),
        (TENS, 50, "probably_gone"),
        (TENS, 400, "gone"),
        ([], 5, "new"),
        ([10] * 4, 2, "new"),
        ([10] * 12, 2, "on_time"),
        ([10] * 12, 25, "late"),
    ],
)
def test_state_by_silence(intervals, silence, state):
    assert one(intervals, silence)["state"] == state


def test_who_came_back_from_a_silence_that_few_survive_is_back():
    added = history([[10] * 10 + [150]], [4], recent_gap=150).assign(customer_id="one")
    table = states(pd.concat([CROWD, added], ignore_index=True)).table.set_index("customer_id")
    assert table.loc["one", "state"] == "back"
    same = states(pd.concat([CROWD, added.assign(recent_gap_days=0)], ignore_index=True)).table.set_index("customer_id")
    assert same.loc["one", "state"] != "back"


def test_a_buyer_at_random_is_late_after_three_of_its_mean_waits():
    # -log .05 = 2.996 mean waits at the level .95: the log-normal limit lay at 4.6. A little more, as the rate is
    # known from 12 waits at most.
    rng = np.random.default_rng(4)
    waits = [np.maximum(np.rint(rng.exponential(20, 60)), 1) for _ in range(200)]
    found = states(history(waits, [5] * 200), interval=0.95).table
    mean = np.array([row.mean() for row in waits])
    ratio = found["limit_days"].to_numpy() / mean
    assert np.median(ratio) == pytest.approx(3.2, abs=0.25)


def test_a_regular_buyer_is_late_sooner():
    rng = np.random.default_rng(4)
    waits = [np.maximum(np.rint(rng.gamma(7, 20 / 7, 60)), 1) for _ in range(200)]
    found = states(history(waits, [5] * 200), interval=0.95).table
    exact = stats.gamma(7).ppf(0.95) / 7
    assert np.median(found["limit_days"]) / 20 == pytest.approx(exact, abs=0.2)


def test_an_unfinished_silence_counts():
    # Of two with the same finished waits the one that is silent for longer has the later limit, as long as it may live.
    short, long = one([10, 12, 9], 2), one([10, 12, 9], 30)
    assert long["limit_days"] > short["limit_days"]


def test_closed_days_are_no_silence():
    closed = [AS_OF - timedelta(days=days) for days in range(1, 16)]
    before, after = one(TENS, 24), one(TENS, 24, closed_days=closed)
    assert (before["state"], after["state"]) == ("late", "on_time")
    assert (after["silence_days"], after["open_silence_days"]) == (24, 9)
    # A closed day that no silence covers changes nothing of it.
    long_ago = [AS_OF - timedelta(days=2000)]
    pd.testing.assert_series_equal(one(TENS, 24, closed_days=long_ago), before)


def test_a_closed_season_within_the_waits_is_taken_out_of_them():
    closed = [AS_OF - timedelta(days=days) for days in range(30, 60)]
    row = one([10, 10, 40, 10, 10], 5, closed_days=closed)
    assert row["usual_interval_days"] == pytest.approx(10, abs=2.5)


def test_a_given_probability_counts_in_place_of_ours():
    alive = pd.DataFrame({"customer_id": ["00000", "00001"], "probability_alive": [0.02, 0.4]})
    table = states(CROWD, alive=alive).table.set_index("customer_id")
    assert table.loc[["00000", "00001"], "state"].tolist() == ["gone", "probably_gone"]
    assert table.loc["00000", "probability_gone"] == pytest.approx(0.98)
    own = states(CROWD).table.set_index("customer_id")
    assert table.loc["00002":, "state"].equals(own.loc["00002":, "state"])


def test_probabilities_come_true_in_a_crowd_whose_truth_is_known():
    worlds = [crowd(n=400, seed=seed, shape=shape) for seed, shape in ((1, 1.0), (2, 2.5), (3, 6.0))]
    gone = np.concatenate([states(frame).table["probability_gone"] for frame, _ in worlds])
    left = np.concatenate([truth for _, truth in worlds])
    assert gone.sum() == pytest.approx(left.sum(), abs=3.5 * np.sqrt((gone * (1 - gone)).sum()) + 0.02 * len(gone))
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.0)):
        within = (gone >= low) & (gone <= high)
        expected, spread = gone[within].sum(), np.sqrt((gone * (1 - gone))[within].sum())
        assert left[within].sum() == pytest.approx(expected, abs=3.5 * spread + 0.03 * within.sum())


def test_the_errors_of_every_level_come_true():
    frame, left = crowd(n=3000, seed=9, shape=1.6)
    found = states(frame)
    table = call_list_levels(found).table.set_index("level")
    judged = found.table.set_index("customer_id")
    gone = pd.Series(left, index=frame["customer_id"]).reindex(judged.index)
    for level, row in table.iterrows():
        listed = (judged["probability_late"] > level) & (judged["silence_days"] < 365) & (judged["state"] != "gone")
        assert row["n_listed"] == listed.sum()
        still_there = int((listed & ~gone).sum())
        assert row["expected_false_alarms"] == pytest.approx(still_there, abs=4 * np.sqrt(still_there) + 3)
    assert table["share_of_leavers_found"].is_monotonic_decreasing
    assert table["expected_false_alarms"].is_monotonic_decreasing


def test_facts_and_words():
    finding = states(CROWD)
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert sum(facts[f"n_{state}"] for state in STATES) == facts["n_customers"] == len(CROWD)
    assert facts["expected_gone"] == pytest.approx(finding.table["probability_gone"].sum())
    assert 1.4 < facts["mean_regularity"] < 2.8
    # Lives of 700 days on average: 1 - exp(-365.25 / 700).
    assert facts["yearly_loss"] == pytest.approx(0.406, abs=0.12)
    for lang in ("zh", "en"):
        assert "{" not in finding.reading(lang) + call_list_levels(finding).reading(lang)


def test_order_of_rows_and_ids_do_not_matter():
    shuffled = CROWD.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(states(shuffled).table, states(CROWD).table)


def test_clear_refusals():
    with pytest.raises(InsufficientDataError, match="2"):
        states(history([[], []], [3, 4]))
    with pytest.raises(UsageError):
        states(CROWD, interval=0.4)
    with pytest.raises(DataError):
        states(CROWD.drop(columns="recent_gap_days"))
    with pytest.raises(DataError):
        states(pd.concat([CROWD, CROWD.head(1)]))
    with pytest.raises(DataError):
        customer_states(CROWD, as_of=date(2020, 1, 1))
    with pytest.raises(DataError, match="probability_alive"):
        states(CROWD, alive=pd.DataFrame({"customer_id": ["00000"], "probability_alive": [1.5]}))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_customers_is_judged_without_a_fault(n):
    table = states(history([[7, 8, 9]] * n, [400] * n)).table
    assert set(table["state"]) <= {"gone", "probably_gone"}
    assert np.isfinite(table.drop(columns=["customer_id", "state"]).to_numpy(dtype=float)).all()


def test_what_all_share_is_learned_again():
    rng = np.random.default_rng(7)
    n, shape = 2000, np.where(np.arange(2000) % 2 == 0, 1.0, 4.0)
    rate = rng.gamma(2.0, 1 / 40, n)
    waits = rng.gamma(shape[:, None], 1 / (shape * rate)[:, None], (n, 40))
    known = Purchases(np.full(n, 40.0), waits.sum(axis=1), rng.uniform(0, 1, n), np.log(waits).sum(axis=1))
    model = fit_renewals(known)
    assert model.rate_shape == pytest.approx(2.0, abs=0.25)
    assert model.rate_shape / model.rate_days == pytest.approx(1 / 20, rel=0.08)
    judged = model.judged(known, 91)
    assert np.median(judged.shape[shape == 1]) == pytest.approx(1.0, abs=0.15)
    assert np.median(judged.shape[shape == 4]) == pytest.approx(4.0, abs=0.6)
    assert judged.gone.max() < 0.05  # nobody was silent


@scaled
def test_states_are_nearer_to_the_truth_than_rules_of_thumb():
    """Simulated companies at two dates: the same length of list, and the Brier score of rules that are recalibrated."""
    seeds = range(201, 201 + at_scale(2, 20))
    rows = [row for seed in seeds for row in _against_rules(seed)]
    found = pd.DataFrame(rows)
    by_seed = found.groupby("seed")[["ours_overdue", "rule_overdue", "ours_90", "rule_90"]].mean()
    assert (by_seed["ours_overdue"] - by_seed["rule_overdue"]).mean() > 0
    assert (by_seed["ours_90"] - by_seed["rule_90"]).mean() > 0
    # A rule read as 0 or 1 has the share of leavers among those it lists and does not list, of the other companies.
    for rule in ("overdue", "90"):
        for seed in by_seed.index:
            own, others = found[found["seed"] == seed], found[found["seed"] != seed]
            yes = others[f"left_listed_{rule}"].sum() / others[f"n_listed_{rule}"].sum()
            no = others[f"left_others_{rule}"].sum() / others[f"n_others_{rule}"].sum()
            wrong = (
                own[f"left_listed_{rule}"] * (1 - yes) ** 2
                + (own[f"n_listed_{rule}"] - own[f"left_listed_{rule}"]) * yes**2
                + own[f"left_others_{rule}"] * (1 - no) ** 2
                + (own[f"n_others_{rule}"] - own[f"left_others_{rule}"]) * no**2
            )
            assert (own["squared_error"].sum() / own["n"].sum()) < wrong.sum() / own["n"].sum()


def _against_rules(seed):
    tables = simulate_company(1500, 12, seed, "attributes")
    log = tables["transactions"][["customer_id", "date", "amount"]]
    left_on = tables["truth_customers"].set_index("customer_id")["left_on"]
    for as_of in (date(2026, 9, 30), date(2025, 12, 31)):
        past = customer_history(log, as_of)
        table = customer_states(past, as_of=as_of).table
        left = (pd.to_datetime(left_on.reindex(table["customer_id"])) <= pd.Timestamp(as_of)).to_numpy()
        gone, silence = table["probability_gone"].to_numpy(), table["silence_days"].to_numpy()
        row = {"seed": seed, "n": len(table), "squared_error": float(((gone - left) ** 2).sum())}
        for rule, listed in (("overdue", _log_normal_rule(past, silence)), ("90", silence > 90)):
            best = np.argsort(-gone, kind="stable")[: listed.sum()]
            row |= {
                f"ours_{rule}": left[best].mean(),
                f"rule_{rule}": left[listed].mean(),
                f"n_listed_{rule}": listed.sum(),
                f"left_listed_{rule}": left[listed].sum(),
                f"n_others_{rule}": (~listed).sum(),
                f"left_others_{rule}": left[~listed].sum(),
            }
        yield row


def _log_normal_rule(past, silence):
    """Beyond 95 % of log-normal waits: nearly the rule that was there before."""
    past = past.sort_values("customer_id")
    n = past["n_intervals"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = past["sum_log_interval_days"].to_numpy() / n
    # The spread of a Poisson buyer's log waits, pi / sqrt(6), stood for all but the most regular.
    limit = np.exp(mean + 1.645 * np.pi / np.sqrt(6))
    return (n >= 3) & (silence > np.nan_to_num(limit, nan=np.inf))


@pytest.mark.long
@pytest.mark.parametrize("as_of", [date(1997, 9, 30), date(1997, 12, 31)])
def test_on_cdnow_later_states_buy_less(as_of):
    dataset = open_dataset("data/cdnow")
    log = pd.read_parquet(dataset.path("transactions"), columns=["customer_id", "date", "amount"])
    log = log.assign(date=pd.to_datetime(log["date"]), amount=log["amount"].astype(float))
    assert reversals(log, as_of) == []
