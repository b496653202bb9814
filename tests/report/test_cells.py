"""Notebook cells as inert HTML."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kehu_analysis.report.cells import chapter_body, clean_html, markdown_html

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<iframe src='https://example.org'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<img src='https://example.org/x.png'>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<p style='background:url(//example.org/x)'>x</p>",
    "<scr<script></script>ipt>alert(1)</script>",
    "<link rel=stylesheet href=//example.org/x.css><style>@import '//example.org'</style>",
    "[x](javascript:alert(1))",
    "[x](https://example.org)",
    "![x](https://example.org/x.png)",
    "<https://example.org>",
    "[x](#a' onclick='alert(1))",
    "<math><mtext></p><style><img src onerror=alert(1)>",
]


def markdown(source: str, *tags: str) -> NotebookNode:
    return new_markdown_cell(source, metadata={"tags": list(tags)})


def code(source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def result(**data: str) -> NotebookNode:
    return new_output("execute_result", {name.replace("_", "/"): text for name, text in data.items()})


def body(*cells: NotebookNode, lang: str = "en") -> str:
    return str(chapter_body(new_notebook(cells=list(cells)), "30_demo", lang).body)


def test_only_the_chosen_language_stays() -> None:
    cells = (markdown("零", "lang-zh"), markdown("nought", "lang-en"), markdown("0"))
    assert body(*cells, lang="zh") == "<p>零</p>\n\n<p>0</p>\n"
    assert body(*cells, lang="en") == "<p>nought</p>\n\n<p>0</p>\n"


def test_the_answer_is_lifted_to_its_place() -> None:
    html = body(
        markdown("# T"),
        markdown("placeholder", "answer", "lang-en"),
        markdown("## Finding"),
        code("answer(book)", result(text_markdown="**5** are overdue"), tags=("answer-source",)),
    )
    assert html.count("<strong>5</strong> are overdue") == 1
    assert html.index("overdue") < html.index("Finding")
    assert "placeholder" not in html
    assert "answer(book)" not in html


def test_an_answer_without_a_place_stays_where_it_is() -> None:
    html = body(code("answer(book)", result(text_markdown="five"), tags=("answer-source",)))
    assert "<p>five</p>" in html
    assert "answer(book)" in html


@pytest.mark.parametrize("tag", ["parameters", "injected-parameters", "setup", "hidden"])
def test_quiet_cells_show_folded_code_alone(tag: str) -> None:
    html = body(code("quarter = 1", result(text_plain="OUT"), tags=(tag,)))
    assert "OUT" not in html
    assert "<details" in html
    assert "quarter = 1" in html.split("<details")[1]


def test_code_is_folded_up_to_the_next_prose() -> None:
    html = body(code("a"), code("b", result(text_plain="OUT")), markdown("prose"), code("c"))
    assert html.count("<details") == 2
    assert html.index("OUT") < html.index("a\n\nb") < html.index("prose") < html.index("<code>c</code>")


def test_headings_go_one_level_down_and_become_sections() -> None:
    chapter = chapter_body(
        new_notebook(cells=[markdown("# Who?\n\n## A *b* & c\n\n### Deep"), markdown("## Next")]), "30_demo"
    )
    assert (chapter.id, chapter.title, chapter.has_title) == ("c-30_demo", "Who?", True)
    assert [(s.id, s.title) for s in chapter.sections] == [
        ("c-30_demo-1", "A b & c"),
        ("c-30_demo-2", "Next"),
    ]
    assert '<h2 id="c-30_demo">Who?</h2>' in chapter.body
    assert '<h3 id="c-30_demo-1">A <em>b</em> &amp; c</h3>' in chapter.body
    assert "<h4>Deep</h4>" in chapter.body


def test_a_notebook_without_a_heading_is_called_by_its_name() -> None:
    chapter = chapter_body(new_notebook(), "30_demo")
    assert (chapter.title, chapter.has_title, chapter.sections) == ("30_demo", False, ())


def test_links_between_notebooks_lead_to_chapters(read: Callable[[str], Any]) -> None:
    html = markdown_html("[next](50_lifetime_value.ipynb) [here](#top) [out](https://example.org)")
    assert read(str(html)).attributes("a", "href") == ["#c-50_lifetime_value", "#top"]
    assert "out" in html


def test_charts_keep_their_alternative_text(read: Callable[[str], Any]) -> None:
    png = base64.b64encode(b"\x89PNG").decode()
    told = new_output("display_data", {"image/png": png + "\n"}, metadata={"image/png": {"alt": 'A "b" <c>'}})
    untold = new_output("display_data", {"image/png": png})
    page = read(body(markdown("# T\n\n## Retention"), code("x", told), code("y", untold)))
    assert page.attributes("img", "src") == [f"data:image/png;base64,{png}"] * 2
    assert page.attributes("img", "alt") == ['A "b" <c>', "Chart: Retention"]


def test_an_image_that_is_none_is_left_out() -> None:
    assert "img" not in body(code("x", new_output("display_data", {"image/png": '"><script>'})))


def test_the_richest_output_is_shown() -> None:
    everything = result(text_html="<b>html</b>", text_markdown="md", text_plain="plain")
    assert "<b>html</b>" in (html := body(code("x", everything)))
    assert "md" not in html
    assert "plain" not in html


def test_chart_objects_streams_and_colours() -> None:
    html = body(
        code(
            "x",
            result(text_plain="<Axes: title={'left': 'x'}>"),
            new_output("stream", name="stderr", text="warned"),
            new_output("stream", name="stdout", text="\x1b[31msaid <b>\x1b[0m\n"),
        )
    )
    assert "Axes" not in html
    assert "warned" not in html
    assert "<pre>said &lt;b&gt;</pre>" in html


@pytest.mark.parametrize("tags", [(), ("setup",)])
def test_an_error_is_a_short_box(tags: tuple[str, ...]) -> None:
    error = new_output("error", ename="ValueError", evalue="no <b>\nmore", traceback=["line 1", "line 2"])
    html = body(code("x", error, tags=tags))
    assert '<p class="failure">This step failed: ValueError. no &lt;b&gt;</p>' in html
    assert "line 1" not in html


def test_table_markup_and_classes_survive() -> None:
    html = '<div class="table-scroll"><table class="finding-table"><tbody><tr>'
    html += '<td class="number" colspan="2">1</td></tr></tbody></table></div>'
    assert clean_html(html) == html


def test_right_alignment_in_markdown_tables() -> None:
    assert '<td class="number">2</td>' in markdown_html("| a | b |\n|---|---:|\n| A | 2 |")


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_inert_wherever_they_stand(attack: str, read: Callable[[str], Any]) -> None:
    page = read(
        body(
            markdown(f"# {attack}\n\n## {attack}\n\n{attack}"),
            code(
                attack,
                result(text_html=attack),
                result(text_markdown=attack),
                result(text_plain=attack),
                new_output("stream", name="stdout", text=attack),
                new_output("error", ename=attack, evalue=attack, traceback=[attack]),
                new_output("display_data", {"image/png": "aaaa"}, metadata={"image/png": {"alt": attack}}),
            ),
        )
    )
    page.assert_inert()
    assert not page.attributes("p", "style")


@given(st.lists(st.sampled_from([*ATTACKS, "<", ">", "'", '"', "</", "table", "<td ", "=", "`", "\n", "x"])))
def test_no_mixture_breaks_out(read: Callable[[str], Any], pieces: list[str]) -> None:
    for html in (clean_html("".join(pieces)), markdown_html("".join(pieces))):
        read(str(html)).assert_inert()


def test_a_flood_of_text_is_cut() -> None:
    html = body(code("loop", new_output("stream", name="stdout", text="x" * 10**6)), lang="zh")
    assert len(html) < 30_000
    assert "从略" in html
