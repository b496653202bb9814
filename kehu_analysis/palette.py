"""The colours of charts, pages and workbooks: each has one name, and stands nowhere else."""

from enum import StrEnum


class Colour(StrEnum):
    """A colour by its name; a page knows it as ``var(--light-blue)``.

    Examples
    --------
    >>> Colour.LIGHT_BLUE.css_name, str(Colour.LIGHT_BLUE)
    ('--light-blue', '#7fb2d9')
    """

    # Of charts: readable in print and by colour-blind readers.
    BLUE = "#2f5d8a"
    ORANGE = "#d98032"
    GREEN = "#4f8f5b"
    RED = "#b5483f"
    GREY = "#8a8f98"
    LIGHT_BLUE = "#7fb2d9"
    # Of words, lines and grounds.
    DEEP_BLUE = "#1e3f61"
    INK = "#1f2a37"
    SOFT_INK = "#5c6b7c"
    LINE = "#dfe5ec"
    PAPER = "#ffffff"
    GROUND = "#f3f5f8"
    CODE_GROUND = "#f0f3f7"
    STRIPE = "#f7f9fb"
    MIST = "#d5e3f0"
    PALE_BLUE = "#eaf1f8"
    PALE_ORANGE = "#fdf1e4"
    PALE_RED = "#fbeeec"
    ROSE = "#f9d9d4"

    @property
    def css_name(self) -> str:
        """Name of the colour in a style sheet."""
        return f"--{self.name.lower().replace('_', '-')}"


#: What several things of one chart are told apart by, in this order.
SERIES = (Colour.BLUE, Colour.ORANGE, Colour.GREEN, Colour.RED, Colour.GREY, Colour.LIGHT_BLUE)
