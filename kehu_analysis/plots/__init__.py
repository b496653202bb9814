"""Charts: each draws one Finding and computes nothing."""

from kehu_analysis.plots.alive import alive_history, alive_map, expected_purchases_map
from kehu_analysis.plots.clv import (
    cumulative_tracking,
    customer_lifetime_value,
    equity_by_segment,
    holdout_check,
    probability_check,
    purchase_forecast,
    value_concentration,
    weekly_tracking,
)
from kehu_analysis.plots.data_quality import data_quality, log_doubts
from kehu_analysis.plots.loyalty import cohort_retention, overdue_customers, retention_curve
from kehu_analysis.plots.loyalty_types import loyalty_index, loyalty_types
from kehu_analysis.plots.retention_of_sales import cohort_sales, keeping_value, sales_retention
from kehu_analysis.plots.sales import quarter_sales
from kehu_analysis.plots.satisfaction import (
    complaints,
    contact_effect,
    key_drivers,
    survey_plan,
    survey_response,
    survey_scores,
    survey_waves,
)
from kehu_analysis.plots.segmentation import grade_customers, grade_moves, rfm_profile
from kehu_analysis.plots.states import call_list_levels, customer_states
from kehu_analysis.plots.survival import competing_ends, leaving_hazards, survival_curve
from kehu_analysis.plots.theme import apply_theme

__all__ = [
    "alive_history",
    "alive_map",
    "apply_theme",
    "call_list_levels",
    "cohort_retention",
    "cohort_sales",
    "competing_ends",
    "complaints",
    "contact_effect",
    "cumulative_tracking",
    "customer_lifetime_value",
    "customer_states",
    "data_quality",
    "equity_by_segment",
    "expected_purchases_map",
    "grade_customers",
    "grade_moves",
    "holdout_check",
    "keeping_value",
    "key_drivers",
    "leaving_hazards",
    "log_doubts",
    "loyalty_index",
    "loyalty_types",
    "overdue_customers",
    "probability_check",
    "purchase_forecast",
    "quarter_sales",
    "retention_curve",
    "rfm_profile",
    "sales_retention",
    "survey_plan",
    "survey_response",
    "survey_scores",
    "survey_waves",
    "survival_curve",
    "value_concentration",
    "weekly_tracking",
]
