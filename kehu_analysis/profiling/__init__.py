"""Who the customers are: what the log holds, and what they bought quarter by quarter."""

from kehu_analysis.profiling.data_quality import LINE_CLASSES, data_quality
from kehu_analysis.profiling.log_doubts import data_failures, log_doubts
from kehu_analysis.profiling.sales import quarter_sales

__all__ = ["LINE_CLASSES", "data_failures", "data_quality", "log_doubts", "quarter_sales"]
