"""Executed notebook cells as inert HTML.

Whatever a customer file holds ends up in outputs, so nothing of a notebook is trusted: every piece passes one
sanitiser that keeps table markup and classes and drops scripts, styles, handlers and addresses.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import mistune
import nh3
from markupsafe import Markup, escape

from kehu_analysis import labels

#: Code cells with one of these tags show their folded code only.
QUIET_TAGS = frozenset(("parameters", "injected-parameters", "setup", "hidden"))

_TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure"
        " h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre s small span strong sub summary sup"
        " table tbody td tfoot th thead tr u ul",
    )
)
_ATTRIBUTES = {
    "*": {"class"},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start"},
    "a": {"href"},
    "img": {"alt", "src"},
}
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
# The text of a dropped tag stays, but nobody wants to read a style sheet.
_UNREADABLE = {"script", "style", "title", "template", "noscript"}
_NOTEBOOK_LINK = re.compile(r"(?:\./)?([\w-]+)\.ipynb(?:#.*)?")
_LONGEST_TEXT = 20_000
_OUTPUT = Markup('<div class="output">{}</div>')
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What a plot call returns, printed by Jupyter beside the chart itself.
_CHART_OBJECT = re.compile(r"<[\w.]*Axes\b.*>", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading below a chapter's title: its anchor and its words."""

    id: str
    title: str


@dataclass(frozen=True)
class ChapterBody:
    """A chapter ready for the page; ``has_title`` tells whether the HTML begins with its title itself."""

    id: str
    title: str
    has_title: bool
    sections: tuple[Section, ...]
    body: Markup


def chapter_body(notebook: Mapping[str, Any], name: str, lang: str = "zh") -> ChapterBody:
    """Render an executed notebook.

    Parameters
    ----------
    notebook
        An nbformat 4 notebook. Markdown cells tagged ``lang-zh`` or ``lang-en`` stand for one language; one
        tagged ``answer`` gives its place to the Markdown output of the code cell tagged ``answer-source``;
        code cells with one of :data:`QUIET_TAGS` show folded code only.
    name
        The notebook's file name without its ending: the chapter's anchor, and its title if it has none.
    lang
        The language that stays.
    """
    return _Chapter(anchor(name), name, lang).read(notebook)


def anchor(name: str) -> str:
    """Return a name as an HTML id.

    Examples
    --------
    >>> anchor("30_segmentation"), anchor('"> x')
    ('c-30_segmentation', 'c----x')
    """
    return "c-" + re.sub(r"[^\w-]", "-", name)


def clean_html(text: str) -> Markup:
    """Return HTML without anything that runs, loads or leads elsewhere.

    Examples
    --------
    >>> str(clean_html('<p class="note" onclick="x()">1</p><script>alert(1)</script>'))
    '<p class="note">1</p>'
    """
    return Markup(
        nh3.clean(
            text,
            tags=set(_TAGS),
            clean_content_tags=_UNREADABLE,
            attributes=_ATTRIBUTES,
            attribute_filter=_keep_attribute,
            url_schemes={"data"},
            link_rel=None,
        )
    )


def markdown_html(text: str) -> Markup:
    r"""Return Markdown as clean HTML; HTML inside it is shown as text.

    Examples
    --------
    >>> str(markdown_html("**5** [x](javascript:alert(1)) <b>"))
    '<p><strong>5</strong> x &lt;b&gt;</p>\n'
    """
    # Alignment comes as a style, which is not kept; in running text a quotation mark is always an entity.
    aligned = str(_markdown()(text)).replace(' style="text-align:right"', ' class="number"')
    return clean_html(aligned)


@dataclass
class _Chapter:
    """One notebook on its way to HTML."""

    id: str
    name: str
    lang: str
    title: str = ""
    sections: list[Section] = field(default_factory=list)
    parts: list[Markup] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    def read(self, notebook: Mapping[str, Any]) -> ChapterBody:
        cells = [cell for cell in notebook["cells"] if not self._other_language(cell)]
        sources = [cell for cell in cells if cell["cell_type"] == "code" and "answer-source" in _tags(cell)]
        if not any(cell["cell_type"] == "markdown" and "answer" in _tags(cell) for cell in cells):
            sources = []  # nowhere to lift it to, so it stays at its place
        for cell in cells:
            if cell["cell_type"] == "markdown":
                self._flush_code()
                if "answer" in _tags(cell):
                    self._answer(sources)
                else:
                    self._markdown(_text(cell["source"]))
            elif cell["cell_type"] == "code" and not any(cell is source for source in sources):
                self._code(cell)
        self._flush_code()
        body = Markup("\n").join(self.parts)
        return ChapterBody(self.id, self.title or self.name, bool(self.title), tuple(self.sections), body)

    def _other_language(self, cell: Mapping[str, Any]) -> bool:
        languages = {tag.removeprefix("lang-") for tag in _tags(cell) if tag.startswith("lang-")}
        return cell["cell_type"] == "markdown" and bool(languages) and self.lang not in languages

    def _markdown(self, text: str) -> None:
        self.parts.append(Markup(_HEADING.sub(self._heading, markdown_html(text))))

    def _heading(self, match: re.Match[str]) -> str:
        # The page has the only h1, so headings go one level down.
        level, inner = int(match[1]), match[2]
        words = html.unescape(_TAG.sub("", inner)).strip()
        if level == 1 and not self.title:
            self.title = words
            return f'<h2 id="{self.id}">{inner}</h2>'
        section = Section(f"{self.id}-{len(self.sections) + 1}", words)
        if level == 2:
            self.sections.append(section)
            return f'<h3 id="{section.id}">{inner}</h3>'
        return f"<h{min(level + 1, 6)}>{inner}</h{min(level + 1, 6)}>"

    def _answer(self, sources: Sequence[Mapping[str, Any]]) -> None:
        shown = [part for cell in sources for part in self._outputs(cell)]
        if shown:
            self.parts.append(Markup('<div class="answer">{}</div>').format(Markup("\n").join(shown)))

    def _code(self, cell: Mapping[str, Any]) -> None:
        quiet = not QUIET_TAGS.isdisjoint(_tags(cell))
        shown = self._outputs(cell, only_errors=quiet)
        source = _text(cell["source"]).strip()
        if source:
            self.code.append(source)
        self.parts.extend(shown)

    def _flush_code(self) -> None:
        # The code of all cells up to the next prose folds into one place.
        if self.code:
            self.parts.append(
                Markup('<details class="code"><summary>{}</summary><pre><code>{}</code></pre></details>').format(
                    labels.label("ui.show_code", self.lang), "\n\n".join(self.code)
                )
            )
            self.code = []

    def _outputs(self, cell: Mapping[str, Any], *, only_errors: bool = False) -> list[Markup]:
        outputs: Iterable[Mapping[str, Any]] = cell.get("outputs", ())
        if only_errors:
            outputs = (output for output in outputs if output["output_type"] == "error")
        return [part for output in outputs if (part := self._output(output))]

    def _output(self, output: Mapping[str, Any]) -> Markup:
        kind = output["output_type"]
        if kind == "error":
            return self._failure(output)
        if kind == "stream":
            return _plain(_text(output["text"]), self.lang) if output["name"] == "stdout" else Markup()
        bundle: Mapping[str, Any] = output["data"]
        if "text/html" in bundle:
            return _OUTPUT.format(clean_html(_text(bundle["text/html"])))
        for mime in ("image/png", "image/jpeg"):
            if mime in bundle:
                about: Any = output.get("metadata", {}).get(mime, {})
                return self._image(mime, _text(bundle[mime]), about if isinstance(about, Mapping) else {})
        if "text/markdown" in bundle:
            return Markup('<div class="output">{}</div>').format(markdown_html(_text(bundle["text/markdown"])))
        text = _text(bundle.get("text/plain", ""))
        return Markup() if _CHART_OBJECT.fullmatch(text) else _plain(text, self.lang)

    def _image(self, mime: str, data: str, about: Mapping[str, Any]) -> Markup:
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error:
            return Markup()
        heading = self.sections[-1].title if self.sections else self.title or self.name
        alt = str(about.get("alt") or labels.render("ui.chart", self.lang, heading=heading))
        return Markup('<figure><img src="data:{};base64,{}" alt="{}"></figure>').format(
            mime, base64.b64encode(content).decode("ascii"), alt
        )

    def _failure(self, output: Mapping[str, Any]) -> Markup:
        message = _TERMINAL_COLOUR.sub("", str(output.get("evalue", ""))).strip().split("\n")[0]
        words = labels.render("ui.cell_failed", self.lang, name=output.get("ename", ""), message=message)
        return Markup('<p class="failure">{}</p>').format(words)


def _plain(text: str, lang: str) -> Markup:
    text = _TERMINAL_COLOUR.sub("", text).strip("\n")
    if len(text) > _LONGEST_TEXT:
        # One cell in a loop can print more than a page can hold.
        text = f"{text[:_LONGEST_TEXT]}…\n{labels.label('ui.text_cut', lang)}"
    return Markup("<pre>{}</pre>").format(text) if text.strip() else Markup()


def _tags(cell: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(cell.get("metadata", {}).get("tags", ()))


def _text(source: str | Sequence[str]) -> str:
    # The file format allows a text or a list of lines.
    return source if isinstance(source, str) else "".join(source)


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    allowed = {"href": re.compile(r"#[\w-]+"), "src": _IMAGE}.get(name)
    return value if allowed is None or allowed.fullmatch(value) else None


class _Renderer(mistune.HTMLRenderer):
    """Links stay inside the page; a link to another notebook leads to its chapter."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        notebook = _NOTEBOOK_LINK.fullmatch(url)
        target = f"#{anchor(notebook[1])}" if notebook else url
        return f'<a href="{escape(target)}">{text}</a>' if re.fullmatch(r"#[\w-]+", target) else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return str(escape(text))


@cache
def _markdown() -> mistune.Markdown:
    return mistune.create_markdown(escape=True, renderer=_Renderer(escape=True), plugins=["table", "strikethrough"])
