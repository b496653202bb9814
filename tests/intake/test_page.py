"""The page of a check: one inert file that tells everything that the check found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from kehu_analysis import labels
from kehu_analysis.data import Dataset
from kehu_analysis.intake import page
from kehu_analysis.intake.page import check_page


@pytest.mark.parametrize("lang", labels.LANGUAGES)
def test_hostile_texts_are_shown_and_do_nothing(dirty: Dataset, lang: str, read: Callable[[str], Any]) -> None:
    text = check_page(dirty, lang=lang, workbook="rejected.xlsx")
    found = read(text)
    found.assert_inert()
    assert not re.search(r"https?://|url\((?!data:)|@import", text)
    for words in ("<i>邮费</i>", "<b onclick=x>&", "=1+1", "many", "never"):
        assert words in found.text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "字" * 300 not in text
    assert found.count("i") == found.count("img") == 0
    assert f'content="{page.MARK}"' in text[:4000]


@pytest.mark.usefixtures("quick")
def test_lines_failures_tables_and_rejected_rows_are_told(dirty: Dataset, read: Callable[[str], Any]) -> None:
    text = read(check_page(dirty, lang="en", workbook="rejected.xlsx")).text
    assert "A report can be made" in text
    assert "All 11 rejected rows with their own columns are in rejected.xlsx." in re.sub(r"\s+", " ", text)
    for words in ("Transactions · transactions", "Customers · customers", "a repeated key", "Amount (CNY)"):
        assert words in text
    for words in ("currency, net of discount; a return is negative", "金额", "transactions.csv", "First row"):
        assert words in text


@pytest.mark.usefixtures("quick")
def test_bars_have_the_shares_of_the_classes(dirty: Dataset, read: Callable[[str], Any]) -> None:
    found = read(check_page(dirty, lang="zh"))
    counts = dirty.line_classes().groupby("line_class")["n_lines"].sum()
    bars = [
        (attrs["class"], float(attrs["style"].split()[1]))
        for tag, attrs in found.elements
        if "flex" in attrs.get("style", "")
    ]
    of_log = dict(bars[: len(counts)])
    assert list(of_log) == ["accepted", "set_apart", "filtered", "rejected"]
    for name, share in of_log.items():
        assert share == pytest.approx(100 * counts[name] / counts.sum(), abs=1e-3)


@pytest.mark.usefixtures("quick")
def test_links_of_the_contents_arrive(dirty: Dataset, read: Callable[[str], Any]) -> None:
    found = read(check_page(dirty, lang="zh"))
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {target.removeprefix("#") for target in found.attributes("a", "href")}
    assert {"verdict", "lines", "failures", "rejected", "tables", "table-2", "provenance"} <= targets <= set(ids)


@pytest.mark.usefixtures("quick")
def test_a_refusal_is_the_verdict(dirty: Dataset, read: Callable[[str], Any]) -> None:
    text = read(check_page(dirty, lang="en", refusal="Too many <rows>.")).text
    assert "Too many <rows>." in text
    assert "A report can be made" not in text
    assert "kehu report" not in text


@pytest.mark.usefixtures("quick")
def test_sound_data_have_a_short_page(check: Callable[..., Dataset], read: Callable[[str], Any]) -> None:
    dataset = check(transactions__csv="customer_id,date,amount\n1,2026-01-05,1\n2,2026-03-31,2\n3,2026-03-31,1\n")
    text = read(check_page(dataset, lang="en")).text
    assert "Nothing was found." in text
    assert "Every column is used." in text
    assert "The first rejected rows" not in text


@pytest.mark.usefixtures("quick")
def test_nothing_accepted(check: Callable[..., Dataset], read: Callable[[str], Any]) -> None:
    text = read(check_page(check(transactions__csv="customer_id,date,amount\n1,x,1\n"), lang="zh", refusal="-")).text
    assert "没有可用的交易" in text


@pytest.mark.usefixtures("quick")
def test_long_lists_are_cut_and_say_so(dirty: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_REJECTED", 2)
    monkeypatch.setattr(page, "MAX_FAILURES", 1)
    text = check_page(dirty, lang="en")
    assert "First 2 of 11 rows" in text
    assert f"First 1 of {len(dirty.failures())} rows" in text


def test_equal_bytes(dirty: Dataset) -> None:
    assert check_page(dirty, lang="zh") == check_page(dirty, lang="zh")
