from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from kehu_analysis import cli
from tests.scale import at_scale, scaled

settings.register_profile("kehu", max_examples=at_scale(12, 100), deadline=None)
settings.load_profile("kehu")

#: What takes long in one piece is begun first: what is left at the end is then small enough for two processes to share.
_BEGUN_FIRST = ("recovery", "report", "docs", "correctness", "workbook", "clv")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first; tests of properties take more examples in full."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(scaled)
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(_BEGUN_FIRST)}
    items.sort(key=lambda item: place.get(item.path.parent, len(place)))


class Reading(HTMLParser):
    """A page as a browser takes it in: tags with their attributes, and the text that is seen."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._hidden = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for found, attrs in self.elements if found == tag and name in attrs]

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.elements)

    def assert_inert(self) -> None:
        """Nothing runs, nothing loads, no link leaves the page."""
        for tag, attrs in self.elements:
            assert tag not in ("script", "iframe", "object", "embed", "form", "base", "svg", "math")
            assert not [name for name in attrs if name.startswith("on") or name in ("srcset", "srcdoc")]
            for name in ("src", "href", "action", "poster", "data", "background", "formaction", "xlink:href"):
                if name in attrs:
                    assert attrs[name].startswith(("data:image/", "#")), (tag, name, attrs[name][:80])


@pytest.fixture(scope="session")
def read() -> Callable[[str], Reading]:
    return Reading


@pytest.fixture
def kehu(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command; return its exit code and what it said on standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
