"""The Chinese font of the page, cut down to the characters that the page uses."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

#: The family's name in the page's style sheet.
FAMILY = "Kehu Sans"


def font_face(characters: str, font: Path) -> str:
    """Return an ``@font-face`` rule with the font for these characters embedded.

    Parameters
    ----------
    characters
        Every character that has to be visible, in any order; those that the font lacks are left to the
        reader's own fonts.
    font
        A TrueType file.

    Returns
    -------
    str
        CSS with the font as a ``data:`` address; the same bytes for the same characters.

    Examples
    --------
    >>> from kehu_analysis.font import font_file
    >>> font_face("客户", font_file()).startswith("@font-face{font-family:'Kehu Sans'")
    True
    """
    data = base64.b64encode(subset_woff2(characters, font)).decode("ascii")
    return (
        f"@font-face{{font-family:'{FAMILY}';font-display:block;"
        f"src:url(data:font/woff2;base64,{data}) format('woff2')}}"
    )


def subset_woff2(characters: str, font: Path) -> bytes:
    """Return the font as WOFF2 with the glyphs of these characters only."""
    options = subset.Options()
    options.flavor = "woff2"
    options.hinting = False
    options.layout_features = ["kern"]
    options.name_IDs = []
    options.notdef_outline = True
    # Vertical metrics and the catalogue of styles serve no horizontal page.
    options.drop_tables += ["BASE", "STAT", "vhea", "vmtx"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=sorted({ord(character) for character in characters}))
    # The time of the cut would make every page a different one.
    with TTFont(font, lazy=True, recalcTimestamp=False) as whole:
        cutter.subset(whole)
        whole.flavor = "woff2"
        out = io.BytesIO()
        whole.save(out)
    return out.getvalue()
