"""Do customers stay: retention by cohort, the state of each relationship, and who is overdue against its own rhythm."""

from kehu_analysis.loyalty.overdue import overdue_customers
from kehu_analysis.loyalty.retention import cohort_retention
from kehu_analysis.loyalty.states import STATES, call_list_levels, customer_states

__all__ = ["STATES", "call_list_levels", "cohort_retention", "customer_states", "overdue_customers"]
