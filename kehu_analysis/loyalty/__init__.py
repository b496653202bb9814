"""Do customers stay: retention by cohort, how long they stay, and who is overdue against its own rhythm."""

from kehu_analysis.loyalty.leaving import competing_ends, leaving_hazards
from kehu_analysis.loyalty.lives import lives_by_file, lives_by_silence
from kehu_analysis.loyalty.overdue import overdue_customers
from kehu_analysis.loyalty.retention import cohort_retention
from kehu_analysis.loyalty.survival import survival_curve

__all__ = [
    "cohort_retention",
    "competing_ends",
    "leaving_hazards",
    "lives_by_file",
    "lives_by_silence",
    "overdue_customers",
    "survival_curve",
]
