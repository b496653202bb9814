"""What a survey cannot carry is refused with the reason; what is not known is not told, and a scale not guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Finding
from kehu_analysis.satisfaction import (
    complaints,
    contact_effect,
    key_drivers,
    survey_plan,
    survey_response,
    survey_scores,
    survey_waves,
)


def survey(**columns: object) -> pd.DataFrame:
    """Return a survey of 60 customers, of whom 20 did not answer."""
    told = {"customer_id": [f"c{n:02d}" for n in range(60)], "date": "2026-04-01", "satisfaction": [5, 3, None] * 20}
    return pd.DataFrame(told | columns)


BY_SURVEY = (survey_scores, survey_response, survey_waves, key_drivers)


@pytest.mark.parametrize("analysis", BY_SURVEY)
def test_a_survey_without_dates_is_refused(analysis: Callable[..., Finding]) -> None:
    for surveys in (survey().drop(columns="date"), survey(date=["2026-04-01"] * 59 + [None])):
        with pytest.raises(InsufficientDataError) as refused:
            analysis(surveys)
        assert refused.value.code == "survey_without_dates"


def test_one_wave_shows_no_change() -> None:
    with pytest.raises(InsufficientDataError, match="one wave only") as refused:
        survey_waves(survey())
    assert refused.value.code == "one_wave"
    with pytest.raises(InsufficientDataError) as refused:
        survey_waves(pd.concat([survey(), survey(customer_id=[f"d{n}" for n in range(60)], date="2026-10-01")]))
    assert refused.value.code == "no_pairs_of_waves"


def test_equal_answers_are_refused() -> None:
    drivers = {"driver_a": np.arange(60) % 5 + 1, "driver_b": np.arange(60) % 4 + 2}
    for analysis in (survey_scores, key_drivers):
        with pytest.raises(InsufficientDataError, match="is 4") as refused:
            analysis(survey(satisfaction=4, **drivers))
        assert refused.value.code == "answers_equal"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("satisfaction", [10, 7, 4]),
        ("satisfaction", [1, 2, 2]),
        ("recommendation", [5, 4, 3]),
        ("satisfaction", [0, 1, 2]),
    ],
)
def test_another_scale_is_asked_about_and_not_guessed(column: str, values: list[int]) -> None:
    with pytest.raises(InsufficientDataError, match="State the lowest and the highest answer") as refused:
        survey_scores(survey(**{column: values * 20}))
    assert refused.value.code == "answers_off_scale"
    assert refused.value.details["column"] == column


def test_a_scale_that_is_stated_is_taken() -> None:
    ten = survey_scores(survey(satisfaction=[10, 1, None] * 20), scales={"satisfaction": (1, 10)})
    five = survey_scores(survey(satisfaction=[5, 1, None] * 20))
    pd.testing.assert_frame_equal(ten.table, five.table)
    turned = survey_scores(survey(satisfaction=[1, 5, None] * 20), scales={"satisfaction": (5, 1)})
    pd.testing.assert_frame_equal(turned.table, five.table)
    # Stated as it is expected, a scale of which the lower half is used is believed.
    low = survey_scores(survey(satisfaction=[2, 1, None] * 20), scales={"satisfaction": (1, 5)})
    assert low.facts["satisfaction"].value == pytest.approx(1.5)
    with pytest.raises(UsageError):
        survey_scores(survey(), scales={"satisfaction": (5, 5)})


def test_answers_that_could_not_be_read_do_not_pass_as_silence() -> None:
    failures = pd.DataFrame(
        {"table": ["surveys"], "column": ["satisfaction"], "reason": ["above_range"], "n_lines": [20], "example": ["9"]}
    )
    with pytest.raises(InsufficientDataError, match="off the scale of 1 to 5") as refused:
        survey_scores(survey(), failures=failures)
    assert refused.value.code == "answers_unreadable"
    few = survey_scores(survey(), failures=failures.assign(n_lines=0))
    assert "survey_unreadable" not in few.notes


def test_without_rows_of_silence_nothing_is_told_that_needs_them() -> None:
    found = survey_scores(survey().dropna())
    assert "survey_silence_unknown" in found.notes
    for name in ("n_asked", "response_rate", "satisfaction_lowest", "satisfaction_highest", "n_effective"):
        assert found.facts[name].value is None, name
    known = survey_scores(survey())
    assert known.facts["response_rate"].value == pytest.approx(2 / 3)
    widths = [one.facts["satisfaction_high"].value - one.facts["satisfaction_low"].value for one in (found, known)]
    assert widths[0] > widths[1]
    with pytest.raises(InsufficientDataError) as refused:
        survey_response(survey().dropna())
    assert refused.value.code == "silence_unknown"


def test_where_not_all_were_asked_the_figures_are_of_all_customers() -> None:
    asked, drawn = survey_scores(survey()), survey_scores(survey(), n_customers=6000)
    assert "survey_all_asked" in asked.notes
    assert "survey_drawn_at_random" in drawn.notes
    assert drawn.facts["satisfaction_low"].value < asked.facts["satisfaction_low"].value
    with pytest.raises(UsageError):
        survey_scores(survey(), n_customers=59)


def test_whoever_answers_twice_in_a_wave_counts_once() -> None:
    again = pd.concat([survey(), survey(satisfaction=1).head(5)])
    found = survey_scores(again)
    assert found.facts["n_asked"].value == 60
    assert found.facts["n_repeated"].value == 5
    assert "survey_repeated" in found.notes


def test_bounds_are_what_silence_leaves_open() -> None:
    found = survey_scores(survey()).facts
    # 20 of 5, 20 of 3, 20 who kept silent.
    assert found["satisfaction_lowest"].value == pytest.approx((100 + 60 + 20) / 60)
    assert found["satisfaction_highest"].value == pytest.approx((100 + 60 + 100) / 60)


def test_a_plan_tells_how_many_to_ask() -> None:
    customers = pd.DataFrame({"customer_id": [f"c{n}" for n in range(100_000)]})
    plan = survey_plan(customers, half_width=0.05, response_rate=0.4, interval=0.95).facts
    assert plan["n_answers_needed"].value == 383
    assert plan["n_to_ask"].value == 958
    few = survey_plan(customers.head(40), half_width=0.03, interval=0.95).facts
    assert few["n_to_ask"].value == 40
    assert few["half_width_reached"].value > 0.03
    with pytest.raises(UsageError):
        survey_plan(customers, half_width=0.6)


def test_contacts_that_never_differ_tell_nothing() -> None:
    orders = pd.DataFrame(
        {
            "customer_id": np.repeat([f"c{n}" for n in range(30)], 10),
            "date": np.tile(pd.date_range("2026-01-01", periods=10, freq="20D"), 30),
            "amount": np.random.default_rng(1).gamma(2, 50, 300),
            "visit_before": np.repeat(np.arange(30) % 4, 10),
            "visit_after": 0,
        }
    )
    with pytest.raises(InsufficientDataError) as refused:
        contact_effect(orders)
    assert refused.value.code == "contacts_do_not_vary"
    with pytest.raises(InsufficientDataError) as refused:
        contact_effect(orders.head(100))
    assert refused.value.code == "few_customers_with_orders"


def test_contacts_that_follow_orders_are_told() -> None:
    rng = np.random.default_rng(4)
    amount = rng.gamma(2, 50, 1200)
    orders = pd.DataFrame(
        {
            "customer_id": np.repeat([f"c{n}" for n in range(60)], 20),
            "date": np.tile(pd.date_range("2026-01-01", periods=20, freq="14D"), 60),
            "amount": amount,
            "visit_before": rng.poisson(1, 1200),
            "visit_after": (amount > 120).astype(int) + rng.poisson(0.3, 1200),
        }
    )
    assert contact_effect(orders).notes[0] == "contacts_follow_orders"


def test_complaints_without_reasons_and_ends_say_so() -> None:
    days = pd.date_range("2026-01-01", periods=20, freq="7D")
    orders = pd.DataFrame({"customer_id": np.repeat(["a", "b"], 20), "date": [*days, *days]})
    contacts = pd.DataFrame({"customer_id": "a", "kind": "complaint", "date": days[:8]})
    found = complaints(contacts, orders, as_of=date(2026, 6, 30))
    assert {"complaints_end_unknown", "complaints_reason_unknown"} <= set(found.notes)
    assert found.facts["share_in_time"].value is None
    with pytest.raises(InsufficientDataError) as refused:
        complaints(contacts.head(2), orders, as_of=date(2026, 6, 30))
    assert refused.value.code == "few_complaints"
