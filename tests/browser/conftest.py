"""A headless Chromium that shares nothing with the user's own: not the home folder, not the fonts in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_QUIETER = ("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")
# Drawn like this a missing character is an empty box or nothing: the same pixels as any other missing one.
_PIXELS = """([text, family]) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.font = `48px ${family}`;
  pen.textBaseline = "middle";
  pen.fillText(text, 8, 32);
  return Array.from(pen.getImageData(0, 0, 64, 64).data).filter((_, i) => i % 4 === 3).join();
}"""


@pytest.fixture(scope="session")
def home_environment() -> Callable[[Path], dict[str, str]]:
    return _home_environment


def _home_environment(home: Path) -> dict[str, str]:
    """Return the environment of a user with this home folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "XDG_", "KEHU_"))}
    folders = {"XDG_DATA_HOME": "share", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache"}
    return {
        **ours,
        "HOME": str(home),
        **{name: str(home / folder) for name, folder in folders.items()},
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "KEHU_CACHE": str(home / "kehu"),
    }


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def start_chromium(playwright_driver: Playwright) -> Iterator[Callable[[Path], Browser]]:
    """Start Chromium for a home folder; fontconfig reads its fonts at the start."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail(f"None of {', '.join(_NAMES)} is on the path: install Chromium to run the browser tests.")
    started: list[Browser] = []

    def start(home: Path) -> Browser:
        started.append(
            playwright_driver.chromium.launch(
                executable_path=path, args=[*_QUIET, *_QUIETER], env=_home_environment(home), timeout=120_000
            )
        )
        return started[-1]

    yield start
    for browser in started:
        browser.close()


@pytest.fixture(scope="session")
def assert_chinese_is_drawn() -> Callable[[Page, str], None]:
    """Compare pixels: two Chinese characters must differ from each other and from one that no font has."""

    def check(page: Page, selector: str) -> None:
        family = page.locator(selector).first.evaluate("element => getComputedStyle(element).fontFamily")
        first, second, missing, nothing = (
            page.evaluate(_PIXELS, [text, family]) for text in ("客", "户", "\U0010fffd", " ")
        )
        assert len({first, second, missing}) == 3, f"Chinese characters are boxes in {family}"
        assert nothing not in (first, second)

    return check


@pytest.fixture(scope="session")
def fonts_of() -> Callable[[Page, str], set[tuple[str, bool]]]:
    """Return which fonts really draw an element, each with whether the page brought it along."""

    def look(page: Page, selector: str) -> set[tuple[str, bool]]:
        tools = page.context.new_cdp_session(page)
        tools.send("DOM.enable")
        tools.send("CSS.enable")
        root = tools.send("DOM.getDocument")["root"]["nodeId"]
        node = tools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
        used = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        tools.detach()
        return {(font["familyName"], font["isCustomFont"]) for font in used}

    return look
