"""How every chart looks: one style, one palette, and a font that has Chinese characters wherever it runs."""

from __future__ import annotations

from functools import cache

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from kehu_analysis import labels
from kehu_analysis.font import font_file
from kehu_analysis.palette import SERIES

FONT_FAMILY = "Noto Sans SC"


@cache
def _register_font() -> None:
    font_manager.fontManager.addfont(str(font_file()))


def apply_theme() -> None:
    """Set style, palette and fonts for every chart drawn afterwards."""
    _register_font()
    sns.set_theme(style="whitegrid", palette=list(SERIES))
    # After set_theme, which resets the fonts.
    mpl.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.sans-serif": [FONT_FAMILY, "DejaVu Sans"],
            "axes.unicode_minus": False,
            "text.parse_math": False,  # a customer may be called "$5 $"
            "axes.titlelocation": "left",
            "axes.titlesize": "large",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.dpi": 110,
            "figure.figsize": (8.0, 4.2),
            "figure.constrained_layout.use": True,
        }
    )


def draw_on(ax: Axes | None) -> Axes:
    """Return ``ax``, or the axes of a new figure in the house style."""
    if ax is not None:
        return ax
    apply_theme()
    _, new = plt.subplots()
    return new


def unit_formatter(unit: str, lang: str) -> FuncFormatter:
    """Return a tick formatter: 万 and 亿 or thousand and million, per cent, whole numbers without decimals."""
    return FuncFormatter(lambda value, _: labels.format_tick(value, unit, lang))
