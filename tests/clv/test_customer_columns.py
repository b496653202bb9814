"""Margins and segments beside a summary."""

import numpy as np
import pandas as pd
import pytest

from kehu_analysis.clv import with_margins, with_segments
from kehu_analysis.errors import DataError

SUMMARY = pd.DataFrame({"customer_id": ["d", "c", "b", "a"], "frequency": [4, 3, 2, 1]}, index=[9, 8, 7, 6])


def margins(**shares):
    amount = {"a": 100.0, "b": 300.0, "c": -5.0, "d": 50.0}
    rows = [(customer, amount[customer], 4, int(customer == "b"), share) for customer, share in shares.items()]
    return pd.DataFrame(rows, columns=["customer_id", "amount", "n_lines", "n_lines_without_cost", "margin_share"])


def test_each_has_their_own_and_what_is_unsound_the_others():
    found = with_margins(SUMMARY, margins(a=-0.4, b=0.4, c=0.9, d=3.0))
    # c's sales are below 0 and d's share above 1; of a and b together it is (-40 + 120) / 400.
    assert found["margin_share"].tolist() == pytest.approx([0.2, 0.2, 0.4, -0.4])
    # Of b one line of four has no cost.
    assert found["cost_known_share"].tolist() == [0.0, 0.0, 0.75, 1.0]
    assert found["frequency"].tolist() == [4, 3, 2, 1]
    assert found.index.tolist() == [9, 8, 7, 6]
    assert with_margins(SUMMARY, margins(b=0.5, a=np.nan))["margin_share"].tolist() == [0.5] * 4


def test_without_a_known_cost_there_is_no_margin():
    for unknown in (margins(), margins(a=np.nan), margins(c=0.2)):
        assert with_margins(SUMMARY, unknown).equals(SUMMARY)
    with pytest.raises(DataError, match="margin_share"):
        with_margins(SUMMARY, margins(a=0.1).drop(columns="margin_share"))


def test_segments_stand_beside_their_customers():
    segments = pd.DataFrame({"customer_id": ["a", "c", "z"], "grade": ["A", "B", "C"]})
    found = with_segments(SUMMARY, segments, "grade")
    assert found["grade"].fillna("–").tolist() == ["–", "B", "–", "A"]
    assert found.index.tolist() == [9, 8, 7, 6]
    assert with_segments(SUMMARY, pd.DataFrame(), "grade")["grade"].isna().all()
    with pytest.raises(DataError, match="grade"):
        with_segments(SUMMARY, segments.drop(columns="grade"), "grade")
    with pytest.raises(DataError, match="customer_id"):
        with_segments(SUMMARY, pd.concat([segments, segments]), "grade")
