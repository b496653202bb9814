"""Doubts about the log as a whole: what no single line shows."""

from kehu_analysis.data.doubts.doubtful_periods import COLUMNS, REASONS, doubtful_periods

__all__ = ["COLUMNS", "REASONS", "doubtful_periods"]
