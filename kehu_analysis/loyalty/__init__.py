"""Do customers stay: retention, their states, how long they stay, how loyal they are, what keeping them is worth."""

from kehu_analysis.loyalty.economics import best_keeping_spend, keeping_value
from kehu_analysis.loyalty.index import loyalty_index
from kehu_analysis.loyalty.leaving import competing_ends, leaving_hazards
from kehu_analysis.loyalty.lives import lives_by_file, lives_by_silence, lives_of
from kehu_analysis.loyalty.overdue import overdue_customers
from kehu_analysis.loyalty.patronage import patronage, patronage_of_year
from kehu_analysis.loyalty.retention import cohort_retention
from kehu_analysis.loyalty.sales_retention import cohort_sales, sales_retention
from kehu_analysis.loyalty.states import STATES, call_list_levels, customer_states
from kehu_analysis.loyalty.survival import survival_curve
from kehu_analysis.loyalty.types import loyalty_type_moves, loyalty_types
from kehu_analysis.loyalty.won_back import won_back_customers

__all__ = [
    "STATES",
    "best_keeping_spend",
    "call_list_levels",
    "cohort_retention",
    "cohort_sales",
    "competing_ends",
    "customer_states",
    "keeping_value",
    "leaving_hazards",
    "lives_by_file",
    "lives_by_silence",
    "lives_of",
    "loyalty_index",
    "loyalty_type_moves",
    "loyalty_types",
    "overdue_customers",
    "patronage",
    "patronage_of_year",
    "sales_retention",
    "survival_curve",
    "won_back_customers",
]
