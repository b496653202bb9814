"""Charts: each draws one Finding and computes nothing."""

from kehu_analysis.plots.theme import apply_theme

__all__ = ["apply_theme"]
