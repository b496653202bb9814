"""One palette: a colour stands there and nowhere else, and a page knows every colour that it names."""

import re
from pathlib import Path

import pytest

import kehu_analysis
from kehu_analysis.palette import SERIES, Colour
from kehu_analysis.report.layout import fill_template

PACKAGE = Path(kehu_analysis.__file__).parent
TEXTS = sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".css", ".j2", ".toml", ".sql"))
#: A colour in hexadecimal digits, or given by its parts; an entity such as &#58; is none.
COLOUR = re.compile(r"(?<!&)#(?:[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})\b(?!;//)|\b(?:rgb|hsl)a?\(", re.IGNORECASE)


def test_no_colour_stands_outside_the_palette():
    assert len(TEXTS) > 100
    found = {
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in TEXTS
        if path.name != "palette.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if COLOUR.search(line)
    }
    assert found == set()


def test_colours_are_told_apart():
    assert len({colour.value for colour in Colour}) == len(Colour.__members__)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in Colour)
    assert len(set(SERIES)) == len(SERIES)


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2: ratio of relative luminances, 1 to 21."""

    def luminance(colour: Colour) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("words", "ground"),
    [
        *((words, ground) for words in (Colour.INK, Colour.SOFT_INK) for ground in (Colour.PAPER, Colour.STRIPE)),
        *((Colour.INK, ground) for ground in (Colour.GROUND, Colour.PALE_BLUE, Colour.PALE_ORANGE, Colour.ROSE)),
        *((words, Colour.BLUE) for words in (Colour.PAPER, Colour.MIST)),
        (Colour.RED, Colour.PALE_RED),
    ],
)
def test_words_can_be_read(words, ground):
    assert contrast(words, ground) >= 4.5


def test_a_page_knows_every_colour_that_it_names():
    styles = [path.read_text(encoding="utf-8") for path in TEXTS if path.suffix in (".css", ".j2")]
    named = {name for text in styles for name in re.findall(r"var\((--[\w-]+)\)", text)}
    known = {colour.css_name for colour in Colour} | {"--font"}
    assert named <= known
    page = fill_template("check.html.j2", CHECK, lang="en", package="kehu_analysis.intake")
    assert all(f"{colour.css_name}: {colour};" in page for colour in Colour)


class Anything(dict):
    """Stands for all words of a page."""

    def __missing__(self, name):
        return name


CHECK = {
    **dict.fromkeys(("title", "dataset", "mark", "period", "refusal", "verdict", "rejected_all"), "x"),
    "words": Anything(),
    "figures": [],
    "steps": [],
    "lines": [],
    "doubts": [],
    "tables": [],
    "provenance": {},
    **{name: {"caption": "", "headings": [], "rows": []} for name in ("understood", "failures", "rejected")},
}
