"""Pairs, substitutes and the ladder are in the baskets; potential and segments in what shops are and buy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kehu_analysis.simulate.world import parameters
from tests.simulate.evidence import (
    SIZES,
    TYPES,
    Company,
    Found,
    assert_found,
    company,
    found_of,
    segment_value,
    type_value,
)

#: Told by make test-long.
pytestmark = pytest.mark.long

ASSORTMENT = parameters()["assortment"]


def baskets(given: Company) -> pd.DataFrame:
    """One row an order, one column a product: whether it is in it; index is customer and date."""
    sold = given.tables["transactions"].query("quantity > 0")
    return pd.crosstab([sold.customer_id, sold.date], sold.product_id).astype(bool)


def pairs_found(given: Company) -> list[Found]:
    """Share of orders with the first that have the second, beyond what the shop takes of it anyway; errors by shop."""
    orders = baskets(given)
    found = []
    for first, second in ASSORTMENT["pairs"]:
        has_first, has_second = orders[first], orders[second]
        shop = orders.index.get_level_values("customer_id")
        # What shops of its kind take of the second in orders without the first.
        kind = given.shops.set_index("customer_id").type.reindex(shop).to_numpy()
        base = has_second[~has_first].groupby(kind[~has_first.to_numpy()]).mean()
        expected = pd.Series(kind, index=orders.index).map(base)[has_first]
        planted = (has_second[has_first] - expected) / (1 - expected)
        by_shop = (planted - planted.mean()).groupby(level="customer_id").sum()
        error = np.sqrt((by_shop**2).sum()) / len(planted)
        found.append(Found(f"{first} {second}", planted.mean(), error, ASSORTMENT["pair_probability"]))
    return found


def lift(orders: pd.DataFrame, first: str, second: str) -> float:
    return float((orders[first] & orders[second]).mean() / orders[first].mean() / orders[second].mean())


def ladder_share(given: Company) -> tuple[float, int]:
    """Share of shops that took up the ladder in its order, of those that took all on different days; and how many."""
    sold = given.tables["transactions"].query("quantity > 0 and product_id in @ASSORTMENT['ladder']")
    first = sold.pivot_table(values="date", index="customer_id", columns="product_id", aggfunc="min").dropna()
    one, two, three = (first[name] for name in ASSORTMENT["ladder"])
    differ = (one != two) & (two != three) & (one != three)
    return float(((one < two) & (two < three))[differ].mean()), int(differ.sum())


def potential_found(given: Company) -> list[Found]:
    """Least squares of log potential on what shops are."""
    shops = given.shops[~given.shops.is_big & (given.shops.type != "wholesale")]
    dummies = pd.get_dummies(shops[["type", "size_class", "segment"]], dtype=float)
    dropped = ["type_convenience", f"size_class_{SIZES[1]}", "segment_steady"]
    design = sm.add_constant(dummies.drop(columns=dropped).assign(distance=shops.distance_10_km))
    fit = sm.OLS(np.log(shops.potential_per_month), design).fit(cov_type="HC1")
    truths = {
        f"type_{one}": type_value("log_order_rate", one) + type_value("log_order_size", one)
        for one in ("supermarket", "restaurant", "tobacco_liquor")
    }
    sizes = dict(zip(SIZES, parameters()["size_classes"]["log_order_size"], strict=True))
    truths |= {f"size_class_{one}": sizes[one] for one in (SIZES[0], SIZES[2])}
    return found_of(fit, truths | {"distance": parameters()["distance"]["log_order_rate_per_10_km"]})


def features(given: Company) -> pd.DataFrame:
    """What an analyst knows of shops with five orders or more: attributes, and what they bought."""
    orders = given.orders.merge(given.shops[["customer_id"]], on="customer_id")
    gap = orders.groupby("customer_id").time.diff()
    by_shop = orders.groupby("customer_id").agg(
        n=("day", "size"), mean=("list_amount", "mean"), first=("time", "min"), last=("time", "max")
    )
    by_shop["variation"] = gap.groupby(orders.customer_id).std() / gap.groupby(orders.customer_id).mean()
    shops = given.shops.set_index("customer_id").join(by_shop[by_shop.n >= 5], how="inner")
    rate = (shops.n - 1) / (shops["last"] - shops["first"]).clip(lower=2)
    dummies = pd.get_dummies(shops[["type", "size_class"]], drop_first=True, dtype=float)
    return dummies.assign(
        log_rate=np.log(rate), log_amount=np.log(shops["mean"]), variation=shops.variation.fillna(1.0),
        distance=shops.distance_10_km, segment=shops.segment, is_wholesale=shops.type == "wholesale",
    )  # fmt: skip


def latent_high_area(given: Company) -> float:
    """Area under the curve of telling latent high from attributes and sales, by cross-validated logistic regression."""
    known = features(given).query("not is_wholesale")
    truth = (known.segment == "latent_high").to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    chance = cross_val_predict(
        model, known.drop(columns=["segment", "is_wholesale"]), truth, cv=5, method="predict_proba"
    )
    return float(roc_auc_score(truth, chance[:, 1]))


def segment_agreement(given: Company) -> float:
    """Adjusted Rand index of the best linear rule for true segments (cross-validated), wholesale included."""
    known = features(given)
    chosen = cross_val_predict(
        LinearDiscriminantAnalysis(), known.drop(columns="segment").astype(float), known.segment, cv=5
    )
    return float(adjusted_rand_score(known.segment, chosen))


def test_planted_pairs_are_bought_together() -> None:
    for one in pairs_found(company()):
        # Orders without the first have a line more for other goods: the base is not known to the last point.
        assert_found([one._replace(error=np.hypot(one.error, 0.01))])
    orders = baskets(company())
    assert all(lift(orders, first, second) > 1.8 for first, second in ASSORTMENT["pairs"])


def test_pairs_stand_out_from_all_others() -> None:
    orders = baskets(company())
    share = orders.mean()
    together = orders.astype(np.float32).T @ orders.astype(np.float32) / len(orders)
    lifts = together / np.outer(share, share)
    planted = [lifts.loc[first, second] for first, second in ASSORTMENT["pairs"]]
    others = lifts.where(~np.eye(len(lifts), dtype=bool))
    for first, second in ASSORTMENT["pairs"]:
        others.loc[first, second] = others.loc[second, first] = np.nan
    assert min(planted) > others.max().max()


def test_substitutes_are_hardly_ever_bought_together() -> None:
    assert lift(baskets(company()), *ASSORTMENT["substitutes"]) < 0.25


def test_products_are_taken_up_in_the_order_of_the_ladder() -> None:
    share, shops = ladder_share(company())
    assert shops > 100
    assert share > 0.5  # one sixth by chance


def test_potential_is_driven_by_what_shops_are() -> None:
    assert_found(potential_found(company()))


def test_latent_high_shops_buy_little_of_what_they_need() -> None:
    shops = company().shops.query("type != 'wholesale' and not is_big")
    latent = shops.segment == "latent_high"
    share = segment_value("share_of_wallet_a", "latent_high")
    share /= share + segment_value("share_of_wallet_b", "latent_high")
    own = shops.share_of_wallet[latent]
    assert_found([Found("share of wallet", own.mean(), own.std() / np.sqrt(len(own)), share)])
    assert shops.potential_per_month[latent].median() > shops.potential_per_month[~latent].median()
    assert shops.share_of_wallet[~latent].mean() > 2 * own.mean()


def test_latent_high_shops_can_be_told_by_attributes_and_sales() -> None:
    assert latent_high_area(company()) > 0.8


def test_true_segments_can_be_told_apart() -> None:
    assert segment_agreement(company()) > 0.4


def test_shops_are_of_all_types() -> None:
    assert set(company().shops.type) == set(TYPES.values())
