import math
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.finding import Fact, Finding


def finding_of(**facts):
    return Finding("grade_customers", pd.DataFrame(), facts)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int64(5), 5),
        (np.float64(0.25), 0.25),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (float("nan"), None),
        (np.float64("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (Decimal("NaN"), None),
        (None, None),
        (date(2026, 1, 5), date(2026, 1, 5)),
        (math.inf, math.inf),
    ],
)
def test_facts_are_plain_python(given, kept):
    value = finding_of(x=Fact(given, "number")).facts["x"].value
    assert value == kept
    assert type(value) is type(kept)


def test_money_is_to_the_cent_and_nothing_else_is_rounded():
    facts = finding_of(a=Fact(0.1 + 0.2, "currency"), b=Fact(0.1 + 0.2, "number")).facts
    assert facts["a"].value == 0.3
    assert facts["b"].value == 0.1 + 0.2


def test_a_finding_cannot_be_changed_and_keeps_no_hold_of_what_it_was_given():
    facts, parameters = {"n": Fact(1, "count")}, {"months": 3}
    finding = Finding("demo", pd.DataFrame(), facts, parameters)
    facts["n"], parameters["months"] = Fact(2, "count"), 6
    assert (finding.facts["n"].value, finding.parameters["months"]) == (1, 3)
    with pytest.raises(TypeError):
        finding.facts["n"] = Fact(3, "count")
    with pytest.raises(TypeError):
        finding.parameters["months"] = 4
    with pytest.raises(AttributeError):
        finding.name = "other"


def test_currency_is_stated_in_a_copy():
    finding = finding_of(x=Fact(12345.678, "currency"))
    named = finding.in_currency("CNY")
    assert (finding.currency, named.currency) == ("", "CNY")
    assert named.prose("zh")["x"] == "1.23万元"
    assert named.prose("en")["x"] == "CNY 12.35 thousand"


def test_a_finding_not_run_says_why():
    finding = Finding("purchase_forecast", pd.DataFrame(), {}, not_run=("nobody_bought_twice", {"n": 3}))
    assert "not run" in finding.reading("en").lower()
    assert "3" in finding.reading("zh")


def test_a_reading_that_lacks_a_fact_is_a_fault_of_the_program():
    with pytest.raises(KeyError):
        finding_of(n_active=Fact(1, "customers")).reading("zh")
