"""Worlds of 150 shops whose opinions are known, and what the room makes of their surveys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.satisfaction import contact_effect, feedback_links, key_drivers, survey_response, survey_scores
from kehu_analysis.simulate import simulate_company

SHOPS, LEVEL = 150, 0.90
#: The first of the seeds; fixed before the method was.
FIRST_SEED = 5000
#: Kilometres that part the bands by which distance is weighed.
_BANDS = (0, 15, 30, 45, 1000)
_DAYS = 28


@cache
def world(number: int, nonresponse: str = "attributes") -> dict[str, pd.DataFrame]:
    """Return the tables of one world, with the band of each shop's distance among the customers."""
    tables = simulate_company(customers=SHOPS, quarters=12, seed=FIRST_SEED + number, nonresponse=nonresponse)
    distance = tables["truth_customers"].set_index("customer_id")["distance_km"]
    band = pd.cut(distance, _BANDS, labels=False).astype(str)
    customers = tables["customers"]
    tables["customers"] = customers.assign(distance_band=customers["customer_id"].map(band))
    return tables


def orders_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the purchase days with the visits in the 28 days before and after each, counted by hand."""
    log = tables["transactions"]
    bought = log[log["quantity"] > 0]
    orders = bought.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    orders["date"] = pd.to_datetime(orders["date"])
    visits = tables["contacts"].query("kind == 'visit'")
    days = {name: np.sort(pd.to_datetime(rows).to_numpy()) for name, rows in visits.groupby("customer_id")["date"]}
    width, none = np.timedelta64(_DAYS, "D"), np.array([], dtype="datetime64[ns]")
    before, after = [], []
    for name, day in zip(orders["customer_id"], orders["date"].to_numpy(), strict=True):
        when = days.get(name, none)
        before.append(np.searchsorted(when, day) - np.searchsorted(when, day - width))
        after.append(np.searchsorted(when, day + width, side="right") - np.searchsorted(when, day, side="right"))
    return orders.assign(visit_before=before, visit_after=after)


def scores_of(number: int, nonresponse: str) -> dict[str, float]:
    """Return weighted satisfaction with limits and bounds, the naive mean with its own, and the truth of the asked."""
    tables = world(number, nonresponse)
    by = ["region", "business_type", "size_class", "distance_band"]
    finding = survey_scores(tables["surveys"], tables["customers"], by=by, interval=LEVEL)
    answers = tables["surveys"]["satisfaction"].dropna()
    width = stats.t.ppf(0.5 + LEVEL / 2, len(answers) - 1) * answers.std() / len(answers) ** 0.5
    truth = tables["truth_surveys"]["satisfaction"].mean()
    value = {name: finding.facts[f"satisfaction{name}"].value for name in ("", "_low", "_high", "_lowest", "_highest")}
    return {
        "truth": truth,
        "estimate": value[""],
        "covers": value["_low"] <= truth <= value["_high"],
        "bounds_cover": value["_lowest"] <= truth <= value["_highest"],
        "is_warned": "survey_not_at_random" in finding.notes,
        "naive": answers.mean(),
        "naive_covers": abs(answers.mean() - truth) <= width,
    }


def drivers_of(number: int) -> dict[str, float]:
    """Return how the drivers rank, their effects in points, and what is said of those that do nothing."""
    finding = key_drivers(world(number)["surveys"], interval=LEVEL, repetitions=100)
    table = finding.table.set_index("driver")
    idle = ["assortment", "price", "display", "ordering"]
    low, high = table.loc[idle, "own_effect_low"], table.loc[idle, "own_effect_high"]
    covered = (low <= 0) & (high >= 0)
    rank, plain = table["importance"], table["correlation"]
    return {
        "ranked": min(rank["delivery"], rank["service"]) > rank["assortment"],
        "ranked_by_correlation": min(plain["delivery"], plain["service"]) > plain["assortment"],
        "delivery": table.loc["delivery", "own_points"],
        "service": table.loc["service", "own_points"],
        "in_order": table.loc["delivery", "own_points"] > table.loc["service", "own_points"],
        "idle_covers": covered["assortment"],
        "idle_importance": rank["assortment"],
        "idle_named": table.loc["assortment", "evidence"] == "own_effect_seen",
        "idle_strongest": finding.facts["strongest"].value in idle,
        "others_cover": covered[idle[1:]].mean(),
    }


def contacts_of(number: int) -> dict[str, float]:
    """Return the effect of a visit with its limits, the naive figure and the test after the order."""
    facts = contact_effect(orders_of(world(number)), days=_DAYS, interval=LEVEL).facts
    return {
        "effect": facts["effect"].value,
        "covers": facts["effect_low"].value <= 0.06 <= facts["effect_high"].value,
        "naive": facts["naive_share"].value,
        "after_covers": facts["after_share_low"].value <= 0 <= facts["after_share_high"].value,
    }


def links_of(number: int) -> dict[str, float]:
    """Return what goes along with complaints."""
    tables = world(number)
    orders = tables["transactions"].query("quantity > 0")[["customer_id", "date"]].drop_duplicates()
    finding = feedback_links(
        tables["surveys"], tables["contacts"], orders, as_of=pd.Timestamp("2026-09-30").date(), interval=LEVEL
    )
    rows = finding.table[finding.table["outcome"] == "complaint"].set_index("factor")
    others = rows.drop(index="delivery")
    return {
        "log_ratio": float(np.log(rows.loc["delivery", "ratio"])),
        "below_one": rows.loc["delivery", "ratio_high"] < 1,
        "found": rows.loc["delivery", "evidence"] == "less",
        "covers": np.log(rows.loc["delivery", "ratio_low"]) <= -0.5 <= np.log(rows.loc["delivery", "ratio_high"]),
        "others_named": (others["evidence"] != "not_clear").any(),
    }


def response_of(number: int, nonresponse: str) -> dict[str, float]:
    """Return whether the trace of answering by satisfaction is said to be seen."""
    tables = world(number, nonresponse)
    by = ["region", "business_type", "size_class"]
    finding = survey_response(tables["surveys"], tables["customers"], by=by, interval=LEVEL)
    return {"warned": "response_by_satisfaction" in finding.notes}


def tried(one: Callable[..., dict[str, float]], count: int, *settings: str) -> pd.Series:
    """Return the means over so many worlds, and tell them (``pytest -s`` shows it)."""

    def rows() -> Iterator[dict[str, float]]:
        for number in range(count):
            yield one(number, *settings)

    means = pd.DataFrame(rows()).astype(float).mean()
    sys.stdout.write(f"\n{one.__name__}{settings}, {count} worlds:\n{means.round(4).to_string()}\n")
    return means
