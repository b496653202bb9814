"""Two of six drivers act on satisfaction and one goes along; who answers depends on what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import statsmodels.api as sm

from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import SIZES, Company, Found, assert_found, company, found_of

GIVEN = parameters()["satisfaction"]
DRIVERS = GIVEN["drivers"]


def drivers_found(given: Company) -> list[Found]:
    """Least squares of satisfaction on the six drivers, errors by shop."""
    surveys = given.tables["surveys"]
    drivers = surveys[[f"driver_{name}" for name in DRIVERS]].set_axis(DRIVERS, axis=1).astype(float)
    shop = surveys.customer_id.astype("category").cat.codes
    fit = sm.OLS(surveys.satisfaction.astype(float), sm.add_constant(drivers)).fit(
        cov_type="cluster", cov_kwds={"groups": shop}
    )
    return found_of(fit, dict(zip(DRIVERS, GIVEN["effect"], strict=True)))


def asked_shops(given: Company) -> pd.DataFrame:
    rows = given.tables["truth_surveys"].merge(given.shops, on="customer_id")
    return rows.assign(
        const=1.0,
        size_large=(rows["size_class"] == SIZES[2]).astype(float),
        type_restaurant=(rows.type == "restaurant").astype(float),
        per_10_km=rows.distance_10_km,
        per_point_of_satisfaction=rows.satisfaction - GIVEN["mean"],
    )


def response_found(given: Company, *, on_satisfaction: bool) -> list[Found]:
    """Logit of answering on what is known of a shop, and on its satisfaction, errors by shop."""
    rows = asked_shops(given)
    names = ["const", "size_large", "type_restaurant", "per_10_km", "per_point_of_satisfaction"]
    fit = sm.GLM(rows.answered.astype(float), rows[names], family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": rows.customer_id.astype("category").cat.codes}
    )
    truth = dict(parameters()["survey_response"])
    truth["const"] = truth.pop("intercept")
    if not on_satisfaction:
        truth["per_point_of_satisfaction"] = 0.0
    return found_of(fit, {name: truth[name] for name in names})


def weighted_mean_found(given: Company) -> Found:
    """Mean satisfaction of who answered, weighted by what is known of shops, against that of all who were asked."""
    rows = asked_shops(given)
    known = rows[["const", "size_large", "type_restaurant", "per_10_km"]]
    chance = sm.GLM(rows.answered.astype(float), known, family=sm.families.Binomial()).fit().fittedvalues
    weight = rows.answered / chance
    truth = rows.satisfaction.mean()
    estimate = float((weight * rows.satisfaction).sum() / weight.sum())
    # What answering by chance leaves open, by shop.
    part = (weight - 1) * (rows.satisfaction - estimate)
    error = np.sqrt((part.groupby(rows.customer_id).sum() ** 2).sum()) / len(rows)
    return Found("weighted mean", estimate, error, truth)


def test_two_drivers_act_and_four_do_not() -> None:
    assert_found(drivers_found(company()))


def test_the_idle_driver_goes_along_with_satisfaction() -> None:
    surveys = company().tables["surveys"]
    with_satisfaction = surveys.filter(like="driver_").corrwith(surveys.satisfaction)
    assert with_satisfaction[f"driver_{GIVEN['correlated']}"] > 0.2
    idle = [name for name, effect in zip(DRIVERS, GIVEN["effect"], strict=True) if effect == 0]
    others = with_satisfaction[[f"driver_{name}" for name in idle if name != GIVEN["correlated"]]]
    assert (others.abs() < 0.1).all()


def test_answering_depends_on_attributes_alone() -> None:
    assert_found(response_found(company(), on_satisfaction=False))


def test_answering_depends_on_satisfaction_where_asked_for() -> None:
    assert_found(response_found(company(nonresponse="satisfaction"), on_satisfaction=True))


def test_weighting_mends_the_mean() -> None:
    assert_found([weighted_mean_found(company())])


def test_weighting_does_not_mend_the_mean_where_the_satisfied_answer() -> None:
    found = weighted_mean_found(company(nonresponse="satisfaction"))
    assert found.z > 8
    assert found.estimate - found.truth > 0.1
