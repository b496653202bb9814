"""The report page as a whole."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kehu_analysis.report.html import Chapter, KeyFigure, NotRun, Page, render_page

PAGE = Page(
    lang="zh",
    title="客户季报",
    dataset="CDNOW",
    quarter="1998Q2",
    first_day="1998-04-01",
    last_day="1998-06-30",
    key_figures=[KeyFigure("销售额", "31.62万美元", "较上季度 −4.2%"), KeyFigure("留存率", "18.4%", "", "17–19%")],
    provenance={"数据指纹": "sha256:00ff", "版本": "0.1.0"},
)


def notebook(title: str = "客户细分", charts: int = 0, chart_bytes: int = 60_000) -> NotebookNode:
    noise = np.random.default_rng(0).bytes(chart_bytes)
    chart = new_output("display_data", {"image/png": base64.b64encode(noise).decode()})
    return new_notebook(
        cells=[
            new_markdown_cell(f"# {title}\n\n## 谁买得最多？"),
            new_code_cell("plots.draw()", outputs=[chart] * charts),
        ]
    )


def test_one_file_that_asks_for_nothing(read: Callable[[str], Any]) -> None:
    text = render_page([Chapter("30_segmentation", notebook("看 https://example.org", charts=1))], page=PAGE)
    assert not re.search(r"https?://|(?:src|href)\s*=\s*[\"']?//|url\((?!data:)|@import", text)
    page = read(text)
    page.assert_inert()
    assert "看 https://example.org" in page.text
    [policy] = [a["content"] for t, a in page.elements if a.get("http-equiv", "") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy
    [icon] = [a["href"] for t, a in page.elements if a.get("rel") == "icon"]
    assert base64.b64decode(icon.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


@pytest.mark.parametrize(("lang", "code"), [("zh", "zh-CN"), ("en", "en")])
def test_frame_of_the_page(lang: str, code: str, read: Callable[[str], Any]) -> None:
    chapters = [Chapter("30_segmentation", notebook()), Chapter("40_loyalty", new_notebook())]
    text = render_page(chapters, page=replace(PAGE, lang=lang))
    page = read(text)
    assert text.startswith("<!doctype html>")
    assert page.attributes("html", "lang") == [code]
    assert page.attributes("meta", "charset") == ["utf-8"]
    assert "<title>客户季报 · CDNOW · 1998Q2</title>" in text
    assert page.count("h1") == 1
    for words in ("1998-04-01", "1998-06-30", "31.62万美元", "较上季度 −4.2%", "17–19%", "sha256:00ff"):
        assert words in page.text


def test_every_link_of_the_contents_arrives(read: Callable[[str], Any]) -> None:
    chapters = [Chapter("30_segmentation", notebook()), Chapter("40_loyalty", new_notebook())]
    page = read(render_page(chapters, page=replace(PAGE, not_run=[NotRun("满意度", "需要表 surveys。")])))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = page.attributes("a", "href")
    assert {"#c-30_segmentation", "#c-30_segmentation-1", "#c-40_loyalty", "#not-run"} <= set(targets)
    assert {target.removeprefix("#") for target in targets} <= set(ids)


def test_preview_and_analyses_not_run_are_said_only_when_so(read: Callable[[str], Any]) -> None:
    plain = read(render_page([], page=PAGE)).text
    assert "预览" not in plain
    assert "未运行的分析" not in plain
    page = replace(PAGE, preview=True, not_run=[NotRun("满意度", "需要表 surveys。")])
    told = read(render_page([], page=page)).text
    assert "预览" in told
    assert "满意度" in told
    assert "需要表 surveys。" in told


@pytest.mark.parametrize("attack", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
def test_no_text_of_the_frame_can_act(attack: str, read: Callable[[str], Any]) -> None:
    page = Page(
        lang="en",
        title=attack,
        dataset=attack,
        quarter=attack,
        first_day=attack,
        last_day=attack,
        key_figures=[KeyFigure(attack, attack, attack, attack)],
        provenance={attack: attack},
        not_run=[NotRun(attack, attack)],
    )
    reading = read(render_page([Chapter(attack, new_notebook())], page=page))
    reading.assert_inert()
    # Window title 3, masthead 5, key figure 4, contents and chapter 2, not run 2, provenance 2.
    assert reading.text.count(attack) == 3 + 5 + 4 + 2 + 2 + 2


def test_the_font_has_every_chinese_character_of_the_page() -> None:
    text = render_page([Chapter("x", notebook("鑫淼商贸"))], page=PAGE)
    data = re.search(r"url\(data:font/woff2;base64,([^)]+)\)", text)
    assert data is not None
    covered = set(TTFont(io.BytesIO(base64.b64decode(data[1]))).getBestCmap())
    seen = {ord(c) for c in html.unescape(text) if "\u4e00" <= c <= "\u9fff"}
    assert {ord(c) for c in "鑫淼商贸客户季报销售额"} <= seen <= covered


def test_equal_inputs_give_equal_bytes() -> None:
    chapters = [Chapter("30_segmentation", notebook(charts=1))]
    assert render_page(chapters, page=PAGE) == render_page(chapters, page=PAGE)


def test_fourteen_charts_stay_below_three_megabytes() -> None:
    chapters = [Chapter(f"{i}0_x", notebook(charts=2)) for i in range(7)]
    assert len(render_page(chapters, page=PAGE).encode()) < 3_000_000
