"""Every finding of the room, of a small company."""

from kehu_analysis.finding import Finding
from kehu_analysis.loyalty import cohort_retention, overdue_customers
from kehu_analysis.summaries import cohorts, customer_history
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    return [
        cohort_retention(company.summary(cohorts), as_of=company.as_of),
        overdue_customers(company.summary(customer_history), as_of=company.as_of),
    ]
