"""Charts: each draws one Finding and computes nothing."""

from kehu_analysis.plots.clv import holdout_check, lifetime_value, value_concentration
from kehu_analysis.plots.loyalty import cohort_retention, overdue_customers, retention_curve
from kehu_analysis.plots.profiling import data_quality, log_doubts, quarter_sales
from kehu_analysis.plots.segmentation import grade_customers, grade_moves, rfm_profile
from kehu_analysis.plots.theme import apply_theme

__all__ = [
    "apply_theme",
    "cohort_retention",
    "data_quality",
    "grade_customers",
    "grade_moves",
    "holdout_check",
    "lifetime_value",
    "log_doubts",
    "overdue_customers",
    "quarter_sales",
    "retention_curve",
    "rfm_profile",
    "value_concentration",
]
