"""Tables that the analyses ask for: each one readable SQL text, run by an engine."""

from kehu_analysis.summaries.by_customer import (
    btyd_summaries,
    btyd_summary,
    customer_days,
    customer_history,
    product_margins,
)
from kehu_analysis.summaries.by_customer_and_quarter import customer_quarters
from kehu_analysis.summaries.by_period import cohorts, monthly_sales, set_apart_sales, weekly_purchases
from kehu_analysis.summaries.closed_days import closed_days
from kehu_analysis.summaries.with_contacts import orders_with_contacts

__all__ = [
    "btyd_summaries",
    "btyd_summary",
    "closed_days",
    "cohorts",
    "customer_days",
    "customer_history",
    "customer_quarters",
    "monthly_sales",
    "orders_with_contacts",
    "product_margins",
    "set_apart_sales",
    "weekly_purchases",
]
