"""Every finding of the room, of a small company."""

import numpy as np

from kehu_analysis.clv import (
    BetaGeoModel,
    alive_history,
    alive_map,
    compare_models,
    customer_lifetime_value,
    equity_by_segment,
    holdout_check,
    model_reservations,
    probability_check,
    purchase_forecast,
    weekly_tracking,
)
from kehu_analysis.finding import Finding
from kehu_analysis.summaries import btyd_summary, monthly_sales
from tests.company import Company

#: Fits take too long to be made twice, with rows in another order.
ONCE = True


def findings(company: Company) -> list[Finding]:
    dataset, as_of, earlier = company.dataset, company.as_of, company.earlier
    summary = company.summary(btyd_summary)
    regions = np.where(np.arange(len(summary)) < 4, "B", "A")
    values = customer_lifetime_value(summary.assign(region=regions), segment="region", draws=20)
    before = company.summary(btyd_summary, earlier)
    return [
        purchase_forecast(summary, as_of=as_of, quarter_days=[91, 92], draws=20),
        values,
        equity_by_segment(values),
        holdout_check(before, summary, calibration_end=earlier, as_of=as_of, draws=20),
        compare_models(dataset, earlier, as_of=as_of, truth=summary[["customer_id"]].assign(left_on=None)),
        weekly_tracking(dataset, BetaGeoModel(), earlier, as_of=as_of),
        probability_check(dataset, BetaGeoModel(), earlier, as_of=as_of),
        model_reservations(company.summary(monthly_sales), summary, as_of=as_of, horizon_days=365),
        alive_map(BetaGeoModel(), summary),
        alive_history(dataset, BetaGeoModel(), as_of=as_of),
    ]
