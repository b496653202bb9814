"""The table of a finding as HTML."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.plots.tables import cell_text, display_unit, table_html


class _Grid(HTMLParser):
    """The cells of a table as a browser reads them, and every tag seen."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.kinds: list[str | None] = []
        self.caption = ""
        self.tags: set[str] = set()
        self._at = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._at = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.kinds.append(dict(attrs)["class"])

    def handle_endtag(self, tag: str) -> None:
        self._at = ""

    def handle_data(self, data: str) -> None:
        if self._at in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._at == "caption":
            self.caption += data


def test_headings_units_and_alignment() -> None:
    table = pd.DataFrame(
        {
            "customer_id": ["007"],
            "amount": [1234567.5],
            "share_of_sales": [0.8126],
            "n_customers": np.array([1234], dtype="int32"),
        }
    )
    grid = _Grid(table_html(table, lang="zh", currency="CNY"))
    assert grid.rows == [
        ["客户", "销售额 (元)", "占销售额", "客户数"],
        ["007", "1,234,567.50", "81.3%", "1,234"],
    ]
    assert grid.kinds == ["words", "number", "number", "number"] * 2
    assert grid.caption == ""


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (pd.Period("1998Q2", "Q-DEC"), "text", "1998Q2"),
        (pd.Period("1998-04", "M"), "date", "1998-04"),
        (date(1998, 4, 1), "text", "1998-04-01"),
        (pd.Timestamp("1998-04-01 12:00"), "date", "1998-04-01"),
        (True, "count", "Yes"),
        (np.bool_(False), "text", "No"),
        (Decimal("1234.5"), "currency", "1,234.50"),
        (None, "count", "–"),
        (pd.NaT, "date", "–"),
        (pd.NA, "share", "–"),
        (float("nan"), "currency", "–"),
        ("of no label", "code", "of no label"),
    ],
)
def test_every_kind_of_value(value: object, unit: str, text: str) -> None:
    assert cell_text(value, unit, "en") == text


def test_columns_without_an_entry_are_written_by_their_kind() -> None:
    assert display_unit(pd.Series([1], name="odd")) == "count"
    assert display_unit(pd.Series([1.5], name="odd")) == "number"
    assert display_unit(pd.Series([True], name="odd")) == "text"
    assert display_unit(pd.Series(pd.to_datetime(["1998-04-01"]), name="odd")) == "date"


def test_long_tables_say_how_much_is_shown() -> None:
    grid = _Grid(table_html(pd.DataFrame({"n_customers": range(2000)}), lang="en", rows=3))
    assert [row[0] for row in grid.rows] == ["Customers", "0", "1", "2"]
    assert grid.caption == "First 3 of 2,000 rows"
    grid = _Grid(table_html(pd.DataFrame({"n_customers": range(2000)}), lang="en", rows=-2))
    assert [row[0] for row in grid.rows] == ["Customers", "1,998", "1,999"]
    assert grid.caption == "Last 2 of 2,000 rows"
    assert _Grid(table_html(pd.DataFrame({"n_customers": [7]}), lang="en", rows=-2)).caption == ""


def test_an_empty_table_says_so() -> None:
    grid = _Grid(table_html(pd.DataFrame({"amount": pd.Series(dtype=float)}), lang="en"))
    assert grid.rows == [["Sales"]]
    assert grid.caption == "No rows"


def test_input_is_left_alone() -> None:
    table = pd.DataFrame({"amount": [2.0, 1.0]}, index=[7, 7])
    before = table.copy()
    table_html(table)
    pd.testing.assert_frame_equal(table, before)


@given(
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=60)
    | st.sampled_from(["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "</td>"])
)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    grid = _Grid(table_html(pd.DataFrame({"name": [text], text: ["x"]}), lang="en"))
    assert grid.rows[1][0] == text
    assert grid.tags == {"div", "table", "thead", "tbody", "tr", "th", "td"}


def test_sentence_has_a_column_of_its_own_kind():
    table = pd.DataFrame({"customer_id": ["a"], "reason": ["平时约 6 天一单，已 48 天没下单；一单约 2.07万元"]})
    html = table_html(table, lang="zh")
    assert re.findall(r'<td class="([^"]*)"', html) == ["words", "words sentence"]
