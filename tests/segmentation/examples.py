"""Every finding of the room, of a small company."""

import pandas as pd

from kehu_analysis.finding import Finding
from kehu_analysis.segmentation import fallen_customers, grade_customers, grade_moves, rfm_profile, rfm_segments
from kehu_analysis.summaries import customer_history, monthly_sales
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    sales, month = company.summary(monthly_sales), pd.Period(company.as_of, "M")
    grades = [grade_customers(sales, last_month=last) for last in (month, month - 3)]
    segments = rfm_segments(company.summary(customer_history), as_of=company.as_of)
    return [grades[0], grade_moves(*grades), fallen_customers(*grades), segments, rfm_profile(segments)]
