"""What the notebooks lean on, and what runs them."""

from kehu_analysis.workbook.lacking import stated_scales
from kehu_analysis.workbook.overview import gather, key_figures, not_run, pick
from kehu_analysis.workbook.session import Workbook, open_workbook

__all__ = ["Workbook", "gather", "key_figures", "not_run", "open_workbook", "pick", "stated_scales"]
