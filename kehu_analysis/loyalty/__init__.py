"""Do customers stay: retention by cohort, and who is overdue against its own rhythm."""

from kehu_analysis.loyalty.overdue import overdue_customers
from kehu_analysis.loyalty.retention import cohort_retention

__all__ = ["cohort_retention", "overdue_customers"]
