"""Every finding of the room, of a small company."""

from kehu_analysis.actions import list_actions
from kehu_analysis.finding import Finding
from tests.company import Company
from tests.loyalty import examples as loyalty
from tests.segmentation import examples as segmentation


def findings(company: Company) -> list[Finding]:
    found = [*segmentation.findings(company), *loyalty.findings(company)]
    return [list_actions(found, dataset="shop", quarter=str(company.quarter), as_of=company.as_of)]
