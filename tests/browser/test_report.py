"""The report as a reader opens it: from a file, without a network, on a screen and on a telephone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

pytestmark = pytest.mark.browser

_PROJECT = Path(__file__).parents[2]
_LONGEST_SECONDS = 400
_HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
Make = Callable[[Path, str, str], Path]


@pytest.fixture(scope="session")
def make_report(tmp_path_factory: pytest.TempPathFactory, home_environment: Callable[[Path], dict[str, str]]) -> Make:
    home = tmp_path_factory.mktemp("home")

    def make(data: Path, lang: str, only: str = "") -> Path:
        out = tmp_path_factory.mktemp("reports") / "report"
        kehu = [sys.executable, "-m", "kehu_analysis.cli", "report", str(data), "--lang", lang, "--out", str(out)]
        done = subprocess.run(
            [*kehu, *(["--only", only] if only else [])],
            env=home_environment(home),
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return out / "index.html"

    return make


@pytest.fixture(scope="session")
def chinese_report(make_report: Make) -> Path:
    return make_report(_PROJECT / "data" / "demo", "zh", "")


@pytest.fixture(scope="session")
def english_report(make_report: Make) -> Path:
    return make_report(_PROJECT / "data" / "demo", "en", "data_quality")


@pytest.fixture(scope="session")
def hostile_report(make_report: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose customers' names and numbers are scripts, also in a row that is rejected."""
    folder = tmp_path_factory.mktemp("hostile")
    customers = [*_HOSTILE, *(f"C{number:02}" for number in range(28))]
    # Each on a rhythm of their own; the hostile ones buy most, so that they head every roster, and then fall silent.
    rows = [
        (customer, date(2025, 1, 6) + timedelta(days=gap * purchase), 900.0 if customer in _HOSTILE else 50.0 + gap)
        for gap, customer in enumerate(customers, start=9)
        for purchase in range(540 // gap)
        if customer not in _HOSTILE or gap * purchase < 480
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    log.loc[len(log)] = [_HOSTILE[0], "<img src=x onerror=alert(2)>", 5.0]
    log.to_csv(folder / "transactions.csv", index=False)
    pd.DataFrame({"customer_id": customers, "name": [*reversed(_HOSTILE), *customers[2:]]}).to_csv(
        folder / "customers.csv", index=False
    )
    return make_report(folder, "zh", "data_quality,segmentation,loyalty")


@pytest.fixture(scope="session")
def browser(start_chromium: Callable[[Path], Browser], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return start_chromium(tmp_path_factory.mktemp("reader"))


@dataclass
class Opened:
    """A page and everything it did beside being shown."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def count(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)

    def dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def open_(path: Path, *, width: int = 1280, bypass_csp: bool = False) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=bypass_csp)
        contexts.append(context)
        context.set_default_timeout(60_000)
        context.set_offline(True)
        opened = Opened(context.new_page())
        opened.page.on("console", opened.hear)
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("request", opened.count)
        opened.page.on("dialog", opened.dismiss)
        opened.page.goto(path.as_uri(), wait_until="load")
        opened.page.evaluate("() => document.fonts.ready.then(() => null)")
        return opened

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("report", ["chinese_report", "english_report"])
def test_the_page_needs_nothing_and_complains_of_nothing(
    report: str, open_page: Callable[..., Opened], request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(report)
    opened = open_page(path)
    assert opened.complaints == []
    assert opened.requests == [path.as_uri()]
    widths = opened.page.eval_on_selector_all("img", "images => images.map(i => i.complete && i.naturalWidth)")
    assert widths
    assert min(widths) > 0
    assert all(opened.page.eval_on_selector_all("img", "images => images.map(i => i.alt.length > 5)"))


@pytest.mark.parametrize("report", ["chinese_report", "english_report"])
def test_the_contents_lead_to_places_on_the_page(
    report: str, open_page: Callable[..., Opened], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(report)).page
    targets = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
    assert len(targets) > 5
    ids = page.eval_on_selector_all("[id]", "elements => elements.map(element => element.id)")
    assert len(ids) == len(set(ids))
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    last = page.locator(".contents a").last
    last.click()
    assert page.url.endswith(last.get_attribute("href") or "-")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("report", ["chinese_report", "english_report"])
def test_the_page_fits_its_screen(
    report: str, width: int, open_page: Callable[..., Opened], request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(report), width=width).page
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


def test_chinese_is_drawn_with_the_font_that_the_page_brings(
    chinese_report: Path,
    open_page: Callable[..., Opened],
    assert_chinese_is_drawn: Callable[[Page, str], None],
    fonts_of: Callable[[Page, str], set[tuple[str, bool]]],
) -> None:
    page = open_page(chinese_report).page
    assert page.evaluate("() => [...document.fonts].map(font => [font.family, font.status])") == [
        ["Kehu Sans", "loaded"]
    ]
    for selector in ("h1", ".contents a", ".figure-label", "h2", ".chapter p", "th"):
        assert_chinese_is_drawn(page, selector)
        assert {brought for _, brought in fonts_of(page, selector)} == {True}, selector


@pytest.mark.parametrize("bypass_csp", [False, True])
def test_hostile_names_are_words(bypass_csp: bool, hostile_report: Path, open_page: Callable[..., Opened]) -> None:
    # Also without the page's own policy: nothing may hang on it alone.
    opened = open_page(hostile_report, bypass_csp=bypass_csp)
    page = opened.page
    cells = page.locator("td").all_text_contents()
    assert set(_HOSTILE) <= set(cells)
    assert any("onerror=alert(2)" in cell for cell in cells)
    for link in page.locator(".contents a").all():
        link.click()
    assert opened.dialogs == []
    assert opened.complaints == []
    assert [url for url in opened.requests if "#" not in url] == [hostile_report.as_uri()]
    assert page.locator("script, iframe, object, embed, [onerror], [onclick], [onload]").count() == 0
    assert page.locator("img:not([src^='data:image/'])").count() == 0


def test_the_dialogs_of_a_page_would_be_seen(tmp_path: Path, open_page: Callable[..., Opened]) -> None:
    path = tmp_path / "index.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><p>{''.join(_HOSTILE)}</p>")
    opened = open_page(path)
    opened.page.wait_for_timeout(500)
    assert opened.dialogs == ["1", "1"]
    assert len(opened.requests) > 1
