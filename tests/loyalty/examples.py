"""Every finding of the room, of a small company."""

from kehu_analysis.finding import Finding
from kehu_analysis.loyalty import call_list_levels, cohort_retention, customer_states, overdue_customers
from kehu_analysis.summaries import cohorts, customer_history
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    history = company.summary(customer_history)
    states = customer_states(history, as_of=company.as_of)
    return [
        cohort_retention(company.summary(cohorts), as_of=company.as_of),
        states,
        call_list_levels(states),
        overdue_customers(history, states, since=company.as_of.replace(day=1)),
    ]
