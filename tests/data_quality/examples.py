"""Every finding of the room, of a small company."""

from kehu_analysis.data.doubts import doubtful_periods
from kehu_analysis.data_quality import data_failures, data_quality, log_doubts
from kehu_analysis.finding import Finding
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    dataset = company.dataset
    days = company.rows(dataset.log_days())
    return [
        data_quality(company.rows(dataset.line_classes()), dataset.log_facts()),
        data_failures(dataset.failures()),
        log_doubts(days, doubtful_periods(days, timezone=dataset.timezone)),
    ]
