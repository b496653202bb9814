"""What every page has in common: one frame, one style, the font embedded, no network address."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from kehu_analysis.font import font_file
from kehu_analysis.palette import Colour
from kehu_analysis.report.font import FAMILY, font_face

_LANGUAGE_CODES = {"zh": "zh-CN", "en": "en"}


def fill_template(name: str, values: Mapping[str, Any], *, lang: str, package: str = "kehu_analysis.report") -> str:
    """Fill a template that stands on ``layout.html.j2``, and embed the font that its characters need.

    Parameters
    ----------
    name
        A template among those of ``package``.
    values
        What the template names; every text is escaped.
    lang
        ``"zh"`` or ``"en"``.
    package
        The package in whose folder ``templates`` the template lies; the layout is always the report's.

    Returns
    -------
    str
        A complete HTML document in UTF-8 without a network address; equal inputs give equal bytes.
    """
    values = {**values, "language_code": _LANGUAGE_CODES[lang], "font_family": FAMILY, "colours": Colour}
    template = _environment(package).get_template(name)
    # The font can only be cut once all the page's characters are known.
    characters = "".join(sorted(set(html.unescape(template.render(font_face="", **values)))))
    text = template.render(font_face=font_face(characters, font_file()), **values)
    # A customer's name may read like a network address; mail programs and viewers would make a link of it.
    return text.replace("://", "&#58;//")


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("kehu_analysis.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
