"""Two of six drivers act on satisfaction and one goes along; who answers depends on what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import SIZES, Company, Found, assert_found, company, found_of

#: Told by make test-long.
pytestmark = pytest.mark.long

GIVEN = parameters()["satisfaction"]
DRIVERS = GIVEN["drivers"]


def answers_of(given: Company) -> pd.DataFrame:
    """The questionnaires that were answered."""
    return given.tables["surveys"].dropna(subset="satisfaction")


def drivers_found(given: Company) -> list[Found]:
    """Least squares of satisfaction on the six drivers, errors by shop."""
    surveys = answers_of(given)
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


def mean_found(given: Company, *, weighted: bool = True) -> Found:
    """Mean satisfaction of who answered, weighted by what is known of shops, against that of all who were asked."""
    rows = asked_shops(given)
    known = rows[["const", "size_large", "type_restaurant", "per_10_km"] if weighted else ["const"]]
    chance = sm.GLM(rows.answered.astype(float), known, family=sm.families.Binomial()).fit().fittedvalues
    weight = rows.answered / chance
    truth = rows.satisfaction.mean()
    estimate = float((weight * rows.satisfaction).sum() / weight.sum())
    # What answering by chance leaves open, by shop.
    part = (weight - 1) * (rows.satisfaction - estimate)
    error = np.sqrt((part.groupby(rows.customer_id).sum() ** 2).sum()) / len(rows)
    return Found("weighted mean" if weighted else "mean", estimate, error, truth)


def complaints_found(given: Company) -> Found:
    """Poisson regression of complaints on the mean score of delivery, of shops that answered three times or more."""
    scores = answers_of(given).groupby("customer_id").driver_delivery.agg(["size", "mean"])
    shops = given.shops.merge(scores[scores["size"] >= 3], left_on="customer_id", right_index=True)
    complaints = given.tables["contacts"].query("kind == 'complaint'").groupby("customer_id").size()
    counts = complaints.reindex(shops.customer_id).fillna(0).to_numpy()
    design = sm.add_constant(shops[["mean"]])
    model = sm.GLM(counts, design, family=sm.families.Poisson(), exposure=shops.end - shops.begin)
    return found_of(model.fit(scale="X2"), {"mean": parameters()["visits"]["log_complaints_per_point"]})[0]


def test_complaints_follow_delivery() -> None:
    found = complaints_found(company(6000))
    # A mean of a few answers is not that of all half years: chance in it draws the estimate towards nothing.
    assert_found([found._replace(error=np.hypot(found.error, 0.05))])
    assert found.estimate < -4 * found.error


def test_two_drivers_act_and_four_do_not() -> None:
    assert_found(drivers_found(company()))


def test_the_idle_driver_goes_along_with_satisfaction() -> None:
    surveys = answers_of(company())
    with_satisfaction = surveys.filter(like="driver_").corrwith(surveys.satisfaction)
    assert with_satisfaction[f"driver_{GIVEN['correlated']}"] > 0.2
    idle = [name for name, effect in zip(DRIVERS, GIVEN["effect"], strict=True) if effect == 0]
    others = with_satisfaction[[f"driver_{name}" for name in idle if name != GIVEN["correlated"]]]
    assert (others.abs() < 0.1).all()


def test_answering_depends_on_attributes_alone() -> None:
    assert_found(response_found(company(), on_satisfaction=False))


def test_answering_depends_on_satisfaction_where_asked_for() -> None:
    assert_found(response_found(company(nonresponse="satisfaction"), on_satisfaction=True))


def driver_means_found(given: Company) -> list[Found]:
    """Least squares of the two acting drivers on what is known of a shop, errors by shop."""
    surveys = answers_of(given).merge(given.shops, on="customer_id")
    known = pd.DataFrame(
        {
            "const": 1.0,
            "delivery_per_10_km": surveys.distance_10_km - GIVEN["delivery_reference_km"] / 10,
            "service_size_large": (surveys["size_class"] == SIZES[2]).astype(float),
            "service_type_restaurant": (surveys.type == "restaurant").astype(float),
        }
    )
    found = []
    for driver in ("delivery", "service"):
        fit = sm.OLS(surveys[f"driver_{driver}"].astype(float), known).fit(
            cov_type="cluster", cov_kwds={"groups": surveys.customer_id.astype("category").cat.codes}
        )
        truths = {name: GIVEN[name] if name.startswith(driver) else 0.0 for name in known.columns[1:]}
        found += [one._replace(name=f"{driver}: {one.name}") for one in found_of(fit, truths)]
    return found


def test_what_is_known_of_a_shop_moves_two_drivers() -> None:
    assert_found(driver_means_found(company()))


def test_weighting_mends_the_mean() -> None:
    given = company(6000)
    assert mean_found(given, weighted=False).z > 4
    assert_found([mean_found(given)])


def test_weighting_does_not_mend_the_mean_where_the_satisfied_answer() -> None:
    found = mean_found(company(nonresponse="satisfaction"))
    assert found.z > 8
    assert found.estimate - found.truth > 0.1
