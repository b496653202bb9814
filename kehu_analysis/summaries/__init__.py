"""Tables that the analyses ask for: each one readable SQL text, run by an engine."""

from kehu_analysis.summaries.run import (
    btyd_summary,
    cohorts,
    customer_days,
    customer_history,
    monthly_sales,
    product_margins,
    set_apart_sales,
    weekly_purchases,
)

__all__ = [
    "btyd_summary",
    "cohorts",
    "customer_days",
    "customer_history",
    "monthly_sales",
    "product_margins",
    "set_apart_sales",
    "weekly_purchases",
]
