from datetime import date

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.loyalty import loyalty_index, loyalty_type_moves, loyalty_types, patronage
from kehu_analysis.loyalty.index import cronbach_alpha, survey_gauges
from tests.loyalty.test_sales_retention import quarters_of

AS_OF = date(2026, 9, 30)
# R's datasets::attitude, 30 departments; Chatterjee and Price (1977), *Regression Analysis by Example*: rating,
# complaints, learning.
ATTITUDE = np.array(
    [
        (43, 51, 39), (63, 64, 54), (71, 70, 69), (61, 63, 47), (81, 78, 66), (43, 55, 44), (58, 67, 56), (71, 75, 55),
        (72, 82, 67), (67, 61, 47), (64, 53, 58), (67, 60, 39), (69, 62, 42), (68, 83, 45), (77, 77, 72), (81, 90, 72),
        (74, 85, 69), (65, 60, 75), (65, 70, 57), (50, 58, 54), (50, 40, 34), (64, 61, 62), (53, 66, 50), (40, 37, 58),
        (63, 54, 48), (66, 77, 63), (78, 75, 74), (48, 57, 45), (85, 85, 71), (82, 82, 59),
    ],
    dtype=float,
)  # fmt: skip


def survey(satisfaction, repurchase, recommendation, **columns):
    ids = [f"{number:03d}" for number in range(len(satisfaction))]
    frame = pd.DataFrame({"customer_id": ids, "date": date(2026, 4, 1), "satisfaction": satisfaction})
    return frame.assign(repurchase_probability=repurchase, recommendation=recommendation, **columns)


def test_published_alpha():
    # psych::alpha(attitude[, c("rating", "complaints", "learning")]): raw alpha and Feldt's limits
    assert cronbach_alpha(ATTITUDE) == pytest.approx((0.8657473, 0.753873, 0.931642), abs=1e-6)


def test_alpha_of_what_does_not_vary_is_missing():
    assert np.isnan(cronbach_alpha(np.ones((5, 3)))).all()


def test_gauges_at_their_borders():
    frame = survey([1, 2, 3, 4, 5, None], [0.71, 0.7, 0.3, 0.29, 1.0, None], [8, 7, 3, 2, 10, None])
    gauges = survey_gauges(frame)
    assert gauges["satisfaction"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert gauges["repurchase"].tolist() == [1, 0.5, 0.5, 0, 1]
    assert gauges["recommendation"].tolist() == [1, 0.5, 0.5, 0, 1]


def test_index_by_hand_with_own_weights_and_the_latest_answer():
    frame = survey([5] * 10, [0.9] * 10, [2] * 10)
    old = frame.head(1).assign(date=date(2025, 9, 30), satisfaction=1)
    later = frame.head(1).assign(date=date(2026, 10, 1), satisfaction=1)
    newer = frame.head(1).assign(date=date(2026, 5, 1), satisfaction=3)
    frame.loc[9, "recommendation"] = None
    every = pd.concat([frame, survey([5], [0.9], [2]).assign(customer_id="x"), old, later, newer])
    finding = loyalty_index(every, as_of=AS_OF, weights={"satisfaction": 0.5, "repurchase": 0.3, "recommendation": 0.2})
    index = finding.table.set_index("customer_id")["loyalty_index"]
    assert index["001"] == pytest.approx(80)
    assert index["000"] == pytest.approx(55)
    assert "009" not in index
    assert finding.facts["n_incomplete"].value == 1
    assert finding.facts["form"].value == "by_survey"


def test_of_behaviour_alone_and_said_to_be():
    amounts = {f"{n:02d}": [100.0] * 8 for n in range(9)}
    amounts |= {"fades": [100.0] * 5 + [50.0, None, None], "new": [None] * 6 + [5.0, 5.0]}
    finding = loyalty_index(None, quarters_of(amounts), as_of=AS_OF)
    table = finding.table.set_index("customer_id")
    assert table.loc["00", "loyalty_index"] == 100
    assert table.loc["fades", ["gauge_1", "gauge_2", "gauge_3"]].tolist() == [0.5, 150 / 400, 0]
    assert finding.facts["n_incomplete"].value == 1
    assert finding.facts["form"].value == "by_behaviour"
    assert "no survey" in finding.reading("en")
    assert "没有调查" in finding.reading("zh")


def test_index_refusals():
    frame = survey([5] * 10, [0.9] * 10, [2] * 10)
    with pytest.raises(DataError, match="another scale"):
        loyalty_index(frame.assign(satisfaction=7), as_of=AS_OF)
    with pytest.raises(DataError, match="another scale"):
        loyalty_index(frame.assign(repurchase_probability=70), as_of=AS_OF)
    with pytest.raises(InsufficientDataError, match="neither"):
        loyalty_index(as_of=AS_OF)
    with pytest.raises(InsufficientDataError, match="at least 10"):
        loyalty_index(frame.head(9), as_of=AS_OF)
    for weights in ({"satisfaction": 1.0}, {"satisfaction": 2.0, "repurchase": -0.5, "recommendation": -0.5}):
        with pytest.raises(UsageError, match="add up to 1"):
            loyalty_index(frame, as_of=AS_OF, weights=weights)


def test_patronage_against_peers():
    ids = [f"{n:02d}" for n in range(24)]
    purchases = pd.DataFrame({"customer_id": ids, "purchase_days": [*range(12), *[5] * 12]})
    customers = pd.DataFrame({"customer_id": ids, "kind": ["a"] * 12 + ["b"] * 11 + ["alone"]})
    found = patronage(purchases, customers, peers=("kind",)).set_index("customer_id")
    assert found.loc["00", "patronage"] == pytest.approx(0.5 / 12)
    assert found.loc["11", "patronage"] == pytest.approx(11.5 / 12)
    # All alike: in the middle. No peers: against everybody.
    assert found.loc["15", "patronage"] == 0.5
    assert found.loc["23", "n_peers"] == 24
    assert patronage(purchases.head(1))["patronage"].tolist() == [0.5]


def known(n, patronage_value):
    ids = [f"{number:03d}" for number in range(n)]
    return pd.DataFrame({"customer_id": ids, "patronage": patronage_value, "patronage_error": 0.05})


def test_types_by_hand():
    high, low = (5, 0.9, 9), (1, 0.1, 0)
    says = [high, high, low, low, low, low, high, low] + [high] * 4
    columns = {
        "has_alternative": [None, None, False, True, None, None, None, False] + [True] * 4,
        "wallet_share": [None] * 6 + [0.2, 0.95] + [None] * 4,
    }
    buys = [0.9, 0.1, 0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9, 0.52, 0.5]
    finding = loyalty_types(survey(*zip(*says, strict=True), **columns), known(13, [*buys, 0.9]), as_of=AS_OF)
    kind = finding.table.set_index("customer_id")["loyalty_type"].sort_index()
    assert kind.loc["000":"005"].tolist() == ["true_loyalty", "latent", "monopoly", "inertia", "spurious", "no_loyalty"]
    # What it says of its own share goes before its place among peers.
    assert kind.loc["006":"007"].tolist() == ["latent", "monopoly"]
    assert kind.loc["008":"011"].tolist() == ["true_loyalty", "true_loyalty", "undecided", "undecided"]
    assert "012" not in kind
    assert finding.facts["n_unknown"].value == 1
    assert finding.facts["n_by_wallet"].value == 2
    assert "types_alternatives" in finding.notes


def test_at_the_very_limit_it_is_high():
    frame = survey([3] * 12, [0.9] * 12, [5] * 12)  # 1/2, 1, 1/2: attachment 2/3
    found = loyalty_types(frame, known(12, 0.5).assign(patronage_error=0.0), as_of=AS_OF)
    assert set(found.table["loyalty_type"]) == {"true_loyalty"}
    assert "types_reason_not_asked" in found.notes


def test_moves_by_noise_alone_are_as_many_as_expected():
    """True scores stay; both are measured twice with the errors told."""
    rng = np.random.default_rng(12)
    n = 4000
    true, share = rng.normal(0.6, 0.25, n), rng.uniform(0, 1, n)
    findings = []
    for _ in range(2):
        # Three gauges with an error each, so that the mean has a third of its variance; on a fine scale.
        gauges = true[:, None] + rng.normal(0, 0.2, (n, 3))
        table = pd.DataFrame({"customer_id": np.arange(n).astype(str)})
        measured, repeat = gauges.mean(axis=1), share + rng.normal(0, 0.08, n)
        error = np.full(n, 0.2 / np.sqrt(3))
        near = (np.abs(measured - 0.6) < error) | (np.abs(repeat - 0.5) < 0.08)
        kinds = [near, (measured >= 0.6) & (repeat >= 0.5), measured >= 0.6, repeat < 0.5]
        table["loyalty_type"] = np.select(kinds, ["undecided", "true_loyalty", "latent", "no_loyalty"], "spurious")
        table = table.assign(attachment=measured, attachment_error=error, patronage=repeat, patronage_error=0.08)
        base = loyalty_types(survey([5] * 10, [0.9] * 10, [9] * 10), known(10, 0.9), as_of=AS_OF)
        findings.append(type(base)("loyalty_types", table, base.facts))
    facts = loyalty_type_moves(*findings).facts
    assert facts["n_customers"].value == n
    assert facts["expected_noise_moves"].value == pytest.approx(facts["n_moved"].value, rel=0.08)


def test_moves_of_other_findings_are_refused():
    types = loyalty_types(survey([5] * 10, [0.9] * 10, [9] * 10), known(10, 0.9), as_of=AS_OF)
    index = loyalty_index(survey([5] * 10, [0.9] * 10, [9] * 10), as_of=AS_OF)
    with pytest.raises(UsageError):
        loyalty_type_moves(index, types)
    assert loyalty_type_moves(types, types).facts["n_moved"].value == 0
