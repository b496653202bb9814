"""Can the log be trusted: what was read, what of it is used, and what is wrong or doubtful."""

from kehu_analysis.data_quality.line_classes import LINE_CLASSES, data_quality
from kehu_analysis.data_quality.log_doubts import data_failures, log_doubts

__all__ = ["LINE_CLASSES", "data_failures", "data_quality", "log_doubts"]
