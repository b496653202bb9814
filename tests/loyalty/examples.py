"""Every finding of the room, of a small company."""

import pandas as pd

from kehu_analysis.finding import Finding
from kehu_analysis.loyalty import (
    cohort_retention,
    competing_ends,
    leaving_hazards,
    lives_by_silence,
    overdue_customers,
    survival_curve,
)
from kehu_analysis.summaries import cohorts, customer_history
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    history = company.summary(customer_history)
    lives = with_classes(lives_by_silence(history, as_of=company.as_of, limit_days=120))
    return [
        cohort_retention(company.summary(cohorts), as_of=company.as_of),
        overdue_customers(history, as_of=company.as_of),
        survival_curve(company.rows(lives), by="region"),
        leaving_hazards(company.rows(lives), ["region", "number"]),
        competing_ends(company.rows(lives)),
    ]


def with_classes(lives: pd.DataFrame) -> pd.DataFrame:
    """Return the lives with what a customers' file would add: a place, and why who left did."""
    number = lives["customer_id"].astype(int)
    region = (number % 2).map({0: "北区", 1: "南区"})
    reason = (number % 3).map({0: "停业", 1: "转向别家"}).where(lives["has_left"])
    return lives.assign(region=region, number=number, reason=reason.astype(object))
