"""Probabilities beside what came true, counted by hand."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.clv import ParetoNBDModel, probability_check
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.summaries import btyd_summary

FIRST, CALIBRATION_END, LAST = date(2024, 1, 1), date(2025, 6, 30), date(2026, 6, 30)
DAYS = (LAST - FIRST).days


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """Customers of Pareto/NBD's own story, and when they left."""
    rng = np.random.default_rng(7)
    lines, left = [("last", LAST, 1.0)], {"last": None}
    for customer in range(700):
        name, start = f"{customer:04}", rng.uniform(0, 450)
        rate, life = rng.gamma(1.2, 1 / 40), rng.exponential(1 / rng.gamma(0.8, 1 / 200))
        ages = np.cumsum(rng.exponential(1 / rate, 300))
        ages = ages[(ages < life) & (start + ages < DAYS)]
        lines += [(name, FIRST + timedelta(days=int(start + age)), 1.0) for age in {0.0, *ages.tolist()}]
        left[name] = FIRST + timedelta(days=int(start + life)) if start + life < DAYS else None
    folder = tmp_path_factory.mktemp("company")
    pd.DataFrame(lines, columns=["customer_id", "date", "amount"]).to_csv(folder / "transactions.csv", index=False)
    dataset = open_dataset(folder, cache=folder / "cache")
    return dataset, pd.DataFrame({"customer_id": list(left), "left_on": list(left.values())})


@pytest.fixture(scope="module")
def finding(company):
    dataset, truth = company
    return probability_check(dataset, ParetoNBDModel(), CALIBRATION_END, truth=truth)


def test_every_tenth_by_hand(company, finding):
    dataset, truth = company
    summary, later = (btyd_summary(dataset, day).set_index("customer_id") for day in (CALIBRATION_END, LAST))
    model = ParetoNBDModel().fit(summary.reset_index())
    buys = 1 - model.expected_probability_no_purchase(summary, (LAST - CALIBRATION_END).days / 7)
    bought = later["frequency"].reindex(summary.index) > summary["frequency"]
    alive = model.expected_probability_alive(summary)
    left = pd.to_datetime(truth.set_index("customer_id")["left_on"]).reindex(summary.index)
    stayed = left.isna() | (left > pd.Timestamp(CALIBRATION_END))
    expected = []
    for given, so in ((buys, bought), (alive, stayed)):
        for tenth in range(10):
            here = (given >= tenth / 10) & ((given < (tenth + 1) / 10) | (tenth == 9))
            if here.any():
                expected.append((int(here.sum()), given[here].mean(), so[here].mean()))
    table = finding.table
    assert table["n_customers"].tolist() == [row[0] for row in expected]
    np.testing.assert_allclose(table[["expected_share", "share_so"]], [row[1:] for row in expected])
    assert table["share_so"].between(table["share_so_low"] - 1e-12, table["share_so_high"] + 1e-12).all()
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert facts["n_bought_again"] == bought.sum()
    assert facts["n_still_customers"] == stayed.sum()
    assert facts["bought_again_brier_score"] == pytest.approx(((buys - bought) ** 2).mean())
    of_bought = table[table["probability_of"] == "buys_again"]
    gap = np.average((of_bought["expected_share"] - of_bought["share_so"]).abs(), weights=of_bought["n_customers"])
    assert facts["bought_again_gap"] == pytest.approx(gap)


def test_in_its_own_world_the_model_is_right(finding):
    # Fifty customers a tenth leave chance a gap of about 0.05.
    assert finding.facts["bought_again_gap"].value < 0.06
    assert finding.facts["still_customers_gap"].value < 0.06
    inside = finding.table["expected_share"].between(finding.table["share_so_low"], finding.table["share_so_high"])
    # 84 % of such tenths over many worlds: the parameters are estimated, and days are whole.
    assert inside.mean() >= 0.6


def test_words_in_both_languages(company, finding):
    without = probability_check(company[0], ParetoNBDModel(), CALIBRATION_END)
    assert set(without.table["probability_of"]) == {"buys_again"}
    assert (len(finding.note_texts("zh")), len(without.note_texts("en"))) == (2, 1)
    for lang in ("zh", "en"):
        assert "Pareto/NBD" in without.reading(lang)
        assert str(CALIBRATION_END) in finding.reading(lang)


def test_what_it_refuses(company):
    dataset, truth = company
    with pytest.raises(UsageError):
        probability_check(dataset, ParetoNBDModel(), LAST)
    with pytest.raises(UsageError):
        probability_check(dataset, ParetoNBDModel(), CALIBRATION_END, interval=1.0)
    with pytest.raises(DataError):
        probability_check(dataset, ParetoNBDModel(), CALIBRATION_END, truth=truth.head(5))
    with pytest.raises(InsufficientDataError):
        probability_check(dataset, ParetoNBDModel(), FIRST - timedelta(days=1))
