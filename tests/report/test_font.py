"""The font cut down to a page's characters."""

from __future__ import annotations

import io

from fontTools.ttLib import TTFont

from kehu_analysis.font import font_file
from kehu_analysis.report.font import font_face, subset_woff2


def test_the_cut_holds_what_was_asked_for() -> None:
    font = TTFont(io.BytesIO(subset_woff2("客户 A1😀", font_file())))
    assert font.flavor == "woff2"
    assert set(font.getBestCmap()) == {ord(c) for c in "客户 A1"}


def test_order_and_repetition_do_not_matter() -> None:
    assert font_face("户客A", font_file()) == font_face("A客客户", font_file())


def test_small() -> None:
    assert len(subset_woff2("".join(map(chr, range(0x4E00, 0x4E00 + 300))), font_file())) < 60_000
