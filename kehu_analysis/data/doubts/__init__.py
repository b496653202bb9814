"""Doubts about the log as a whole: what no single line shows."""

from kehu_analysis.data.doubts.log import COLUMNS, REASONS, log_doubts

__all__ = ["COLUMNS", "REASONS", "log_doubts"]
