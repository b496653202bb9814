"""Every finding of the room, of a small company that asks its customers twice a year."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from kehu_analysis.finding import Finding
from kehu_analysis.satisfaction import (
    complaints,
    contact_effect,
    feedback_links,
    key_drivers,
    stated_share,
    survey_plan,
    survey_response,
    survey_scores,
    survey_waves,
)
from tests.company import Company

_DRIVERS = ("delivery", "service", "price")


def survey(company: Company) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the customers with their sizes, and what they said in four waves."""
    rng = np.random.default_rng(5)
    ids = [f"{number:03d}" for number in range(60)]
    customers = pd.DataFrame({"customer_id": ids, "size_class": ["小", "中", "大"] * 20, "region": ["东", "西"] * 30})
    rows = []
    for wave in (date(2023, 3, 1), date(2023, 9, 1), date(2024, 3, 1), date(2024, 9, 1)):
        for place, name in enumerate(ids):
            scores = rng.integers(2, 6, len(_DRIVERS))
            satisfaction = int(np.clip(np.rint(0.6 * scores[0] + 0.4 * scores[1] + 0.5 * rng.normal()), 1, 5))
            row = {"customer_id": name, "date": wave + timedelta(days=place % 20)}
            if rng.random() < 0.55 + 0.1 * (place % 3):
                row |= {"satisfaction": satisfaction, "recommendation": int(np.clip(2 * satisfaction, 0, 10))}
                row |= {"repurchase_probability": 0.2 * satisfaction - 0.05}
                row |= {f"driver_{driver}": int(score) for driver, score in zip(_DRIVERS, scores, strict=True)}
            rows.append(row)
    return company.rows(customers), company.rows(pd.DataFrame(rows))


def contacts(company: Company) -> pd.DataFrame:
    """Return complaints, with reasons and ends, and services."""
    rng = np.random.default_rng(6)
    rows = []
    for number in range(240):
        day = date(2022, 6, 1) + timedelta(days=int(rng.integers(0, 950)))
        about = number % 4
        row = {
            "customer_id": f"{int(rng.integers(0, 60)):03d}",
            "date": day,
            "kind": "service" if about == 3 else "complaint",
        }
        over = None if number % 11 == 0 else day + timedelta(days=int(rng.integers(0, 15)))
        rows.append(row | {"reason": ("送货迟", "缺货", None, "维修")[about], "resolved_on": over})
    return company.rows(pd.DataFrame(rows))


def orders(company: Company) -> pd.DataFrame:
    """Return the log's purchase days with visits before and after them."""
    days = company.dataset.table("transactions").groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    days["amount"] = days["amount"].astype(float)
    days["date"] = pd.to_datetime(days["date"]).dt.date
    days = days[pd.to_datetime(days["date"]) <= pd.Timestamp(company.as_of)]
    rng = np.random.default_rng(7)
    days["visit_before"], days["visit_after"] = rng.poisson(1, len(days)), rng.poisson(1, len(days))
    days["amount"] *= np.exp(0.1 * days["visit_before"])
    return company.rows(days.reset_index(drop=True))


def findings(company: Company) -> list[Finding]:
    customers, surveys = survey(company)
    told, bought = contacts(company), orders(company)
    return [
        survey_scores(surveys, customers),
        survey_response(surveys, customers),
        survey_waves(surveys, customers),
        survey_plan(customers),
        stated_share(0.9778, 1500),
        key_drivers(surveys, repetitions=60),
        contact_effect(bought),
        complaints(told, bought, as_of=company.as_of),
        feedback_links(surveys, told, bought, as_of=company.as_of),
    ]
