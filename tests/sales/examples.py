"""Every finding of the room, of a small company."""

from kehu_analysis.finding import Finding
from kehu_analysis.sales import quarter_sales
from kehu_analysis.summaries import monthly_sales
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    return [quarter_sales(company.summary(monthly_sales), quarter=company.quarter)]
