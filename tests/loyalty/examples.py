"""Every finding of the room, of a small company."""

from datetime import date

import pandas as pd

from kehu_analysis.finding import Finding
from kehu_analysis.loyalty import (
    call_list_levels,
    cohort_retention,
    cohort_sales,
    competing_ends,
    customer_states,
    keeping_value,
    leaving_hazards,
    lives_by_silence,
    loyalty_index,
    loyalty_type_moves,
    loyalty_types,
    overdue_customers,
    patronage,
    sales_retention,
    survival_curve,
    won_back_customers,
)
from kehu_analysis.summaries import cohorts, customer_history, customer_quarters
from tests.company import Company


def findings(company: Company) -> list[Finding]:
    history = company.summary(customer_history)
    states = customer_states(history, as_of=company.as_of)
    quarters = with_margins(company.summary(customer_quarters))
    lives = with_classes(lives_by_silence(history, as_of=company.as_of, limit_days=120))
    surveys = company.rows(answers(history, company.earlier, company.as_of))
    before, now = (types_at(surveys, history, day) for day in (company.earlier, company.as_of))
    return [
        cohort_retention(company.summary(cohorts), as_of=company.as_of),
        sales_retention(quarters),
        cohort_sales(quarters),
        won_back_customers(quarters, company.rows(visits(history, company.as_of))),
        states,
        call_list_levels(states),
        overdue_customers(history, states, since=company.as_of.replace(day=1)),
        survival_curve(company.rows(lives), by="region"),
        leaving_hazards(company.rows(lives), ["region", "number"]),
        competing_ends(company.rows(lives)),
        loyalty_index(surveys, as_of=company.as_of),
        now,
        loyalty_type_moves(before, now),
        keeping_value(quarters, halves(history), visits(history, company.as_of), acquisition_cost=300.0),
    ]


def with_margins(quarters: pd.DataFrame) -> pd.DataFrame:
    """Return the quarters with a margin of a fifth, as if the log had costs."""
    return quarters.assign(margin=(quarters["amount"] * 0.2).round(2))


def with_classes(lives: pd.DataFrame) -> pd.DataFrame:
    """Return the lives with what a customers' file would add: a place, and why who left did."""
    number = lives["customer_id"].astype(int)
    region = (number % 2).map({0: "北区", 1: "南区"})
    reason = (number % 3).map({0: "停业", 1: "转向别家"}).where(lives["has_left"])
    return lives.assign(region=region, number=number, reason=reason.astype(object))


def answers(history: pd.DataFrame, *days: date) -> pd.DataFrame:
    """Return surveys of all customers at each of the days, answered by a rule."""
    waves = []
    for place, day in enumerate(days):
        number = history["customer_id"].astype(int) + place
        columns = {"satisfaction": 1 + number * 7 % 5, "repurchase_probability": number * 3 % 11 / 10}
        columns |= {"recommendation": number * 5 % 11, "wallet_share": (number % 10 / 10).where(number % 3 == 0)}
        alternative = (number % 4 > 0).astype(object).where(number % 2 == 0)
        waves.append(history[["customer_id"]].assign(date=day, has_alternative=alternative, **columns))
    return pd.concat(waves, ignore_index=True)


def types_at(surveys: pd.DataFrame, history: pd.DataFrame, day: date) -> Finding:
    purchases = history[["customer_id"]].assign(purchase_days=history["frequency"])
    return loyalty_types(surveys, patronage(purchases), as_of=day)


def visits(history: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return a visit to each customer every second month of two years."""
    days = [(pd.Timestamp(as_of) - pd.DateOffset(months=2 * back)).date() for back in range(12)]
    rows = history[["customer_id"]].merge(pd.DataFrame({"date": days}), how="cross")
    return rows.assign(kind="visit", cost=20.0 + rows["customer_id"].astype(int) % 7)


def halves(history: pd.DataFrame) -> pd.DataFrame:
    number = history["customer_id"].astype(int)
    return history[["customer_id"]].assign(segment=(number < 30).map({True: "A", False: "B"}))
