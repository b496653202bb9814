from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import ConvergenceError, DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import (
    competing_ends,
    leaving_hazards,
    lives_by_file,
    lives_by_silence,
    lives_of,
    survival_curve,
)
from kehu_analysis.periods import DAYS_PER_UNIT
from kehu_analysis.simulate.clock import clock_of
from kehu_analysis.simulate.lifetimes import draw_lifetimes
from kehu_analysis.simulate.satisfaction import draw_satisfaction
from kehu_analysis.simulate.shops import draw_shops
from kehu_analysis.simulate.world import World, parameters
from tests.scale import at_scale, scaled

LOG_START, AS_OF = date(2024, 1, 1), date(2026, 12, 31)
MONTH = DAYS_PER_UNIT["month"]


def file_of(rows):
    return pd.DataFrame(rows, columns=["customer_id", "opened_on", "closed_on", "closed_reason"])


def made_of(seen, left, entered=0.0, **columns):
    ids = [f"{number:04d}" for number in range(len(seen))]
    return pd.DataFrame(
        {"customer_id": ids, "entered_days": entered, "seen_days": seen, "has_left": left, "reason": None, **columns}
    )


def exponential_lives(seed, n=400, mean=500.0):
    rng = np.random.default_rng(seed)
    life, watched = 1 + rng.exponential(mean, n), rng.uniform(100, 1000, n)
    return made_of(np.minimum(life, watched), life <= watched), rng


def test_lives_of_the_file_by_hand():
    rows = [
        ("before", date(2023, 12, 2), None, None),
        ("closed", date(2024, 1, 31), date(2024, 3, 1), "停业"),
        ("gone before", date(2023, 1, 1), date(2023, 6, 1), "停业"),
        ("later", date(2027, 1, 5), None, None),
        ("noted late", date(2024, 5, 5), date(2024, 5, 1), "停业"),
        ("one day", date(2024, 6, 1), date(2024, 6, 1), None),
        ("still open", date(2024, 1, 31), date(2027, 2, 1), "停业"),
        ("unknown", None, date(2024, 3, 1), "停业"),
    ]
    lives = lives_by_file(file_of(rows), log_start=LOG_START, as_of=AS_OF).set_index("customer_id")
    assert lives.index.tolist() == ["before", "closed", "one day", "still open", "unknown"]
    assert lives["entered_days"].tolist() == pytest.approx([30, 0, 0, 0, np.nan], nan_ok=True)
    assert lives["seen_days"].tolist() == pytest.approx([1126, 30, 0.5, 1066, np.nan], nan_ok=True)
    assert lives["has_left"].tolist() == [False, True, True, False, False]
    assert lives["reason"].tolist()[1] == "停业"
    # What is not over by then is not known: neither the end nor why.
    assert lives["reason"].isna().tolist() == [True, False, True, True, False]


def test_lives_by_silence_by_hand():
    history = pd.DataFrame(
        {
            "customer_id": ["gone", "here", "new", "old"],
            "first_purchase": [date(2026, 1, 1), date(2026, 1, 1), date(2026, 12, 1), date(2026, 1, 1)],
            "last_purchase": [date(2026, 10, 2), date(2026, 10, 3), date(2026, 12, 1), date(2026, 1, 1)],
        }
    )
    opened = pd.Series({"old": date(2025, 1, 1), "gone": date(2026, 3, 1)})
    lives = lives_by_silence(history, as_of=AS_OF, limit_days=90, opened_on=opened).set_index("customer_id")
    # 90 days before the end is 2 October: who bought on it may be judged, who bought later was there then.
    assert lives["has_left"].tolist() == [True, False, False, True]
    assert lives["seen_days"].tolist() == pytest.approx([274, 274, np.nan, 365.5], nan_ok=True)
    assert lives["entered_days"].tolist() == pytest.approx([0, 0, np.nan, 365], nan_ok=True)
    own = pd.Series({"gone": 90.0, "here": 89.0})
    lives = lives_by_silence(history, as_of=AS_OF, limit_days=own)
    assert lives["has_left"].tolist() == [True, True, False, False]
    assert lives["seen_days"].isna().tolist() == [False, False, True, True]


def test_a_file_with_some_closings_only_is_not_taken_for_the_whole():
    ids = [f"{number:03d}" for number in range(60)]
    history = pd.DataFrame({"customer_id": ids, "first_purchase": date(2025, 1, 1), "last_purchase": AS_OF})
    history.loc[:29, "last_purchase"] = date(2025, 12, 31)
    closed = [date(2026, 1, 31)] * 30 + [None] * 30
    file = pd.DataFrame({"customer_id": ids, "opened_on": date(2025, 1, 1), "closed_on": closed, "region": "x"})
    told = {"log_start": LOG_START, "as_of": AS_OF, "limit_days": 180}
    whole = lives_of(history, file.assign(closed_reason="停业"), **told)
    assert set(whole["ends"]) == {"ends_by_file"}
    assert whole["seen_days"].tolist()[:30] == [395] * 30
    partly = file.assign(closed_on=closed[:20] + [None] * 40, closed_reason="停业")
    lives = lives_of(history, partly, **told)
    assert set(lives["ends"]) == {"ends_by_silence"}
    # The day of closing where it is known, else the last purchase; the reason too.
    assert lives["seen_days"].tolist()[:30] == [395] * 20 + [364] * 10
    assert lives["reason"].notna().sum() == 30
    assert "ends_by_silence" in survival_curve(lives).notes
    assert set(lives_of(history, **told)["ends"]) == {"ends_by_silence"}


def test_closings_that_were_not_known_yet_or_are_wrong():
    history = pd.DataFrame({"customer_id": ["a", "b", "c"], "first_purchase": date(2026, 1, 1)})
    history["last_purchase"] = [date(2026, 6, 1), date(2026, 9, 1), date(2026, 6, 1)]
    history["closed_on"] = [date(2026, 12, 20), date(2026, 7, 1), date(2026, 6, 11)]
    lives = lives_by_silence(history, as_of=AS_OF, limit_days=60)
    # On 1 November a was there; b bought after it had closed, and has been silent since; c closed.
    assert lives["has_left"].tolist() == [False, True, True]
    assert lives["seen_days"].tolist() == [304, 243, 161]


def test_the_curve_of_the_finding_is_that_of_the_table():
    lives, _ = exponential_lives(5)
    finding = survival_curve(lives)
    table = finding.table.set_index("age_months")
    row = table.loc[12]
    # Nobody of low age is missing here, so that the share may be counted where all were watched for so long.
    assert row["survival"] == pytest.approx(np.exp(-12 * MONTH / 500), abs=0.06)
    assert finding.facts["survival_12"].value == row["survival"]
    assert table["n_left"].sum() <= lives["has_left"].sum()
    assert table.loc[0, "survival"] == 1
    assert table.loc[0, "at_risk"] == 400
    assert (table["at_risk"] >= 10).all()
    assert finding.facts["start_months"].value == 0
    median = finding.facts["median_months"].value
    assert finding.facts["median_months_low"].value < median < finding.facts["median_months_high"].value


def test_who_leaves_early_unseen_does_not_make_customers_stay():
    """Customers came for ten years, the log is of the last three: with late entry S is right, without far too high."""
    covered = {"late": 0, "naive": 0}
    n_worlds = 40
    true = np.exp(-12 * MONTH / 600)
    for seed in range(n_worlds):
        rng = np.random.default_rng([8, seed])
        opened = rng.uniform(-2500, 1095, 1500)
        ends = opened + 1 + rng.exponential(600, 1500)
        there = ends > 0
        lives = made_of(
            np.maximum(np.minimum(ends, 1096) - opened, np.maximum(-opened, 0) + 0.5)[there],
            (ends <= 1096)[there],
            np.maximum(-opened, 0)[there],
        )
        for name, entered in (("late", lives["entered_days"]), ("naive", 0.0)):
            facts = survival_curve(lives.assign(entered_days=entered)).facts
            covered[name] += facts["survival_12_low"].value <= true <= facts["survival_12_high"].value
    assert covered["late"] >= 35
    assert covered["naive"] == 0


def test_a_curve_begins_where_enough_are_present():
    rng = np.random.default_rng(2)
    entered = rng.uniform(300, 900, 200)
    # Two young ones, one of whom left at once: alone they would take half of all away for ever.
    lives = made_of(np.r_[20.0, 40.0, entered + rng.exponential(300, 200) + 1], True, np.r_[0.0, 0.0, entered])
    finding = survival_curve(lives)
    start = finding.facts["start_months"].value
    assert 300 / MONTH < start < 400 / MONTH
    assert finding.table["age_months"].min() == np.ceil(start)
    assert "survival_conditional" in finding.notes
    assert finding.facts["survival_12"].value == pytest.approx(1, abs=0.25)


@scaled
def test_survival_by_segment_covers_the_simulated_truth():
    """Of the simulated company's shops that opened in the log, by true segment; 0.95 limits at 12 and 24 months."""
    n_worlds = at_scale(25, 150)
    shops = [drawn_shops(seed) for seed in range(n_worlds)]
    pooled = pd.concat(shops)
    inside = []
    for world in shops:
        table = survival_curve(world, by="segment").table.set_index(["group", "age_months"])
        for month in (12, 24):
            for segment in set(world["segment"]) & set(table.index.get_level_values("group")):
                if (segment, month) not in table.index:
                    continue
                every = pooled[(pooled["segment"] == segment) & (pooled["watched"] >= month * MONTH)]
                true = (every["life"] > month * MONTH).mean()
                row = table.loc[(segment, month)]
                # Where nobody left there are no limits; that is no interval that fails.
                if row["survival"] < 1:
                    inside.append(row["survival_low"] <= true <= row["survival_high"])
    assert len(inside) > 5 * n_worlds
    assert 0.92 <= np.mean(inside) <= at_scale(100, 98) / 100


def drawn_shops(seed):
    world = World(customers=512, quarters=12, seed=1000 + seed)
    clock = clock_of(world)
    shops = draw_shops(world, clock, 0)
    ends = draw_lifetimes(world, clock, 0, shops, draw_satisfaction(world, clock, 0, shops)).left_day
    new = shops.open_day > 0
    watched = (clock.n_days - shops.open_day)[new]
    life = np.where(ends < clock.n_days, ends - shops.open_day, np.inf)[new]
    first = world.first_day
    file = pd.DataFrame(
        {
            "customer_id": [f"{number:06d}" for number in shops.number[new]],
            "opened_on": [first + timedelta(days=int(day)) for day in shops.open_day[new]],
            "closed_on": [first + timedelta(days=int(day)) if day < clock.n_days else None for day in ends[new]],
            "segment": np.array(parameters()["segments"]["codes"])[shops.segment[new]],
            "life": life,
            "watched": watched,
        }
    )
    return lives_by_file(file, log_start=first, as_of=world.last_day)


def test_groups_that_do_not_differ_and_those_that_do():
    lives, rng = exponential_lives(11, n=600)
    group = rng.permutation(np.repeat(["a", "b", "c"], 200))
    assert survival_curve(lives.assign(group=group), by="group").facts["log_rank_p"].value > 0.05
    shorter = lives.assign(group=group, seen_days=lives["seen_days"] / np.where(group == "b", 2, 1))
    facts = survival_curve(shorter, by="group").facts
    assert facts["log_rank_p"].value < 0.001
    assert facts["shortest_group"].value == "b"
    assert facts["difference_months_low"].value > 0


def test_small_groups_show_no_curve():
    lives, _ = exponential_lives(11)
    group = np.where(np.arange(400) < 4, "few", np.where(np.arange(400) % 2, "a", "b"))
    finding = survival_curve(lives.assign(group=group), by="group")
    assert set(finding.table["group"]) == {"all_customers", "a", "b"}
    assert finding.facts["n_small_groups"].value == 1
    with pytest.raises(InsufficientDataError, match="no two groups"):
        survival_curve(lives.assign(group="one"), by="group")


def test_hazard_ratios_are_found_again_and_cover():
    inside = 0
    for seed in range(30):
        rng = np.random.default_rng([3, seed])
        small = rng.random(300) < 0.5
        area = rng.normal(50, 10, 300)
        rate = np.exp(np.log(2) * small - 0.03 * (area - 50)) / 500
        entered = rng.uniform(0, 300, 300) * (rng.random(300) < 0.5)
        life = rng.exponential(1 / rate) + entered  # without memory: who is there at entry lives on as long
        lives = made_of(np.minimum(life, entered + 600) + 1, life < entered + 600, entered, small=small, area=area)
        table = leaving_hazards(lives, ["small", "area"]).table.set_index("term")
        row = table.loc[next(name for name in table.index if name.startswith("small"))]
        true = 2.0 if row["against"] == "False" else 0.5
        inside += row["hazard_low"] <= true <= row["hazard_high"]
        assert 0.93 < table.loc["area", "hazard_ratio"] < 1.01
    assert inside >= 26


def test_ratios_that_change_with_age_are_told():
    rng = np.random.default_rng(6)
    early = np.repeat([True, False], 200)
    life = np.where(early, rng.exponential(100, 400), 300 + rng.exponential(100, 400)) + 1
    finding = leaving_hazards(made_of(life, True, early=np.where(early, "x", "y")), ["early"])
    steady, _ = exponential_lives(21)
    steady = leaving_hazards(steady.assign(half=np.arange(400) % 2), ["half"])
    assert finding.facts["n_not_proportional"].value == 1
    assert "hazards_not_proportional" in finding.notes
    assert steady.facts["n_not_proportional"].value == 0


def test_reasons_of_leaving():
    lives, rng = exponential_lives(31)
    reason = np.array(["停业", "转向别家", "搬迁", None], dtype=object)[rng.choice(4, 400, p=[0.6, 0.3, 0.01, 0.09])]
    finding = competing_ends(lives.assign(reason=reason))
    table = finding.table.set_index(["reason", "age_months"])["incidence"]
    assert set(finding.table["reason"]) == {"停业", "转向别家", "other_ends", "reason_unknown"}
    assert finding.facts["first_reason"].value == "停业"
    assert finding.facts["n_reasons"].value == 2
    curve = survival_curve(lives).table.set_index("age_months")["survival"]
    total = table.groupby("age_months").sum()
    assert total[24] + curve[24] == pytest.approx(1)
    assert finding.facts["any_incidence"].value == pytest.approx(total[finding.facts["told_months"].value])


def test_refusals():
    lives, _ = exponential_lives(1)
    with pytest.raises(InsufficientDataError, match="day of closing"):
        lives_by_file(file_of([("a", LOG_START, None, None)]), log_start=LOG_START, as_of=AS_OF)
    with pytest.raises(InsufficientDataError, match="Nobody of"):
        survival_curve(lives.assign(has_left=False))
    with pytest.raises(InsufficientDataError, match="age is known"):
        survival_curve(lives.assign(entered_days=np.nan))
    with pytest.raises(InsufficientDataError, match="only 5"):
        survival_curve(lives.head(5).assign(has_left=True))
    with pytest.raises(InsufficientDataError, match="written down"):
        competing_ends(lives)
    with pytest.raises(InsufficientDataError, match="in the same words"):
        competing_ends(lives.assign(reason=lives["customer_id"]))
    with pytest.raises(InsufficientDataError, match="Compare fewer"):
        leaving_hazards(
            lives.assign(has_left=np.arange(400) < 9, kind=np.arange(400) % 3 == 0, x=1.0 * np.arange(400)),
            ["kind", "x"],
        )
    never = np.arange(400) < 50
    with pytest.raises(ConvergenceError, match="cannot be estimated"):
        leaving_hazards(lives.assign(has_left=lives["has_left"] & ~never, never=np.where(never, "x", "y")), ["never"])
    with pytest.raises(InsufficientDataError, match="same for all"):
        leaving_hazards(lives.assign(kind="one"), ["kind"])
    with pytest.raises(InsufficientDataError, match="No covariates"):
        leaving_hazards(lives, [])
    history = pd.DataFrame({"customer_id": ["a"], "first_purchase": [AS_OF], "last_purchase": [AS_OF]})
    with pytest.raises(UsageError, match="above 0 days"):
        lives_by_silence(history, as_of=AS_OF, limit_days=0)
    with pytest.raises(DataError, match="sound number"):
        survival_curve(lives.assign(seen_days=lives["entered_days"]))
    with pytest.raises(UsageError):
        survival_curve(lives, interval=95)
    with pytest.raises(UsageError):
        leaving_hazards(lives, ["x"], interval=95)
    with pytest.raises(UsageError):
        competing_ends(lives, interval=95)
