"""Who is still a customer: the map and one customer's days."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from kehu_analysis import open_dataset
from kehu_analysis.clv import (
    BetaGeoModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
    alive_history,
    alive_map,
)
from kehu_analysis.clv.valuation.alive import largest_fall
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.summaries import btyd_summary


def with_parameters(kind, **settings):
    model = kind(**settings)
    model.params_ = pd.Series({"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 2.5})
    if settings:
        model.k_ = settings["k"]
    return model


SUMMARY = pd.DataFrame({"frequency": [0, 1, 2, 4, 30], "recency": [0.0, 5, 20, 30, 51], "T": [40.0, 30, 52, 40, 52]})


@pytest.mark.parametrize("model", [with_parameters(BetaGeoModel), with_parameters(ModifiedBetaGeoCNBDModel, k=2)])
def test_every_cell_is_the_models_own(model):
    finding = alive_map(model, SUMMARY, horizon_days=91)
    table = finding.table
    assert table["frequency"].min() == 1
    assert table["frequency"].max() == round(np.quantile([1, 2, 4, 30], 0.95))
    assert (table["silence_days"].min(), table["silence_days"].max()) == (0, 52 * 7)
    rows = table.iloc[::97]
    alike = pd.DataFrame(
        {"frequency": rows["frequency"], "recency": np.maximum(52 - rows["silence_days"] / 7, 5.2e-5), "T": 52.0}
    )
    assert rows["probability_alive"].to_numpy() == pytest.approx(model.expected_probability_alive(alike).to_numpy())
    assert rows["expected_purchases"].to_numpy() == pytest.approx(model.expected_purchases(alike, 13.0).to_numpy())
    # The longer the silence the less alive; the oftener, the sooner given up at the end.
    grid = table.pivot_table(index="frequency", columns="silence_days", values="probability_alive")
    assert (np.diff(grid.to_numpy(), axis=1) <= 1e-12).all()
    assert grid.iloc[-1, 20] < grid.iloc[0, 20]
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert (facts["typical_frequency"], facts["high_frequency"]) == (3, round(np.quantile([1, 2, 4, 30], 0.9)))
    two = pd.DataFrame({"frequency": [3.0, facts["high_frequency"]], "recency": 52 - 13.0, "T": 52.0})
    assert [facts["typical_probability_alive"], facts["high_probability_alive"]] == pytest.approx(
        model.expected_probability_alive(two).tolist()
    )


def test_the_map_is_the_same_in_days():
    days = SUMMARY.assign(recency=SUMMARY["recency"] * 7, T=SUMMARY["T"] * 7)
    model = ModifiedBetaGeoModel()
    model.params_ = pd.Series({"r": 0.8, "alpha": 42.0, "a": 0.7, "b": 2.5})
    in_days = alive_map(model, days, time_unit="day").table
    in_weeks = alive_map(with_parameters(ModifiedBetaGeoModel), SUMMARY).table
    assert in_days.to_numpy() == pytest.approx(in_weeks.to_numpy())


def test_a_map_that_cannot_be_drawn():
    with pytest.raises(InsufficientDataError):
        alive_map(BetaGeoModel(), SUMMARY.assign(frequency=0, recency=0.0))
    with pytest.raises(UsageError):
        alive_map(BetaGeoModel(), SUMMARY, horizon_days=0)
    with pytest.raises(DataError):
        alive_map(BetaGeoModel(), SUMMARY.assign(recency=60.0))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two buyers of old: one who stays, and one who stops; and one who has bought once."""
    start, folder = date(2025, 1, 6), tmp_path_factory.mktemp("shop")
    days = {"stays": range(0, 365, 14), "stops": range(0, 260, 7), "small": range(0, 260, 7), "once": [300]}
    lines = [
        (customer, start + timedelta(days=day), 1.0 if customer == "small" else 50.0)
        for customer, those in days.items()
        for day in those
    ]
    pd.DataFrame(lines, columns=["customer_id", "date", "amount"]).to_csv(folder / "transactions.csv", index=False)
    return open_dataset(folder, cache=folder / "cache")


def test_a_history_day_by_day(dataset):
    model = with_parameters(ModifiedBetaGeoModel)
    finding = alive_history(dataset, model, customer_id="stops")
    table = finding.table
    assert len(table) == 365
    assert table["date"].iloc[[0, -1]].tolist() == [date(2025, 1, 6), date(2026, 1, 5)]
    assert table["is_purchase"].sum() == 38
    assert table["date"][table["is_purchase"]].tolist()[1] == date(2025, 1, 13)
    # What was known at the end of each day, as a summary of that day tells.
    for number in (0, 6, 7, 8, 100, 259, 364):
        day = table["date"].iloc[number]
        then = btyd_summary(dataset, day).set_index("customer_id").loc[["stops"]]
        assert table["frequency"].iloc[number] == then["frequency"].item()
        assert table["probability_alive"].iloc[number] == pytest.approx(model.expected_probability_alive(then).item())
    facts = {name: fact.value for name, fact in finding.facts.items()}
    assert (facts["n_purchase_days"], facts["silence_days"]) == (38, 364 - 259)
    assert facts["probability_at_last_purchase"] == table["probability_alive"].iloc[259]
    assert facts["probability_alive"] == table["probability_alive"].iloc[-1] < 0.05
    once = alive_history(dataset, model, customer_id="once", as_of=date(2025, 11, 2)).table
    assert once["is_purchase"].tolist() == [True]


def test_the_customer_of_whom_most_is_lost(dataset):
    model = with_parameters(ModifiedBetaGeoModel)
    # "small" falls as far as "stops", but spends a fiftieth.
    found = alive_history(dataset, model, since=date(2025, 9, 22))
    assert found.facts["customer_id"].value == "stops"
    assert found.table.equals(alive_history(dataset, model, customer_id="stops").table)
    now, earlier = (btyd_summary(dataset, day) for day in (dataset.last_date, date(2025, 9, 22)))
    assert largest_fall(now.iloc[::-1], earlier, model) == "stops"
    only_small = earlier[earlier["customer_id"] != "stops"]
    assert largest_fall(now, only_small, model) == "small"
    with pytest.raises(InsufficientDataError):
        largest_fall(now, earlier.head(0), model)


def test_an_unknown_customer_is_refused(dataset):
    model = with_parameters(ModifiedBetaGeoModel)
    with pytest.raises(DataError, match="nobody"):
        alive_history(dataset, model, customer_id="nobody")
    with pytest.raises(DataError, match="once"):
        alive_history(dataset, model, customer_id="once", as_of=date(2025, 3, 1))
