"""Sales and active customers, quarter by quarter."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.periods import Quarter


def quarter_sales(
    sales: pd.DataFrame, *, quarter: Quarter, as_of: date | None = None, set_apart: pd.DataFrame | None = None
) -> Finding:
    """Answer: how much was sold this quarter, to how many customers, and how does that compare?

    A customer is active in a quarter with a purchase day in it, and new in the first such quarter of the log.
    Who is new in the log's first quarter cannot be known (the log does not say who bought before it), and a
    first quarter of which the log has only the later months is compared with nothing. An unfinished quarter is
    not compared with whole ones.

    Parameters
    ----------
    sales
        Monthly sales: ``customer_id``, ``month`` (monthly Period), ``amount`` (currency, net of returns),
        ``n_purchase_days`` (days); one row per customer-month with lines.
    quarter
        The quarter to report; later months are not read. Its fiscal-year start holds for the table.
    as_of
        Last day of ``sales``, where the quarter may be unfinished.
    set_apart
        Sales without a customer: ``month``, ``amount`` (currency). They stand on their own line.

    Returns
    -------
    Finding
        ``quarter_sales``: table with ``quarter``, ``amount``, ``n_active``, ``n_new``,
        ``amount_per_customer`` (currency per active customer), ``change_on_quarter``, ``change_on_year``
        (shares of the earlier amount); facts of the same names for this quarter, ``n_quarters``, and
        ``set_apart_amount`` and ``company_amount`` (with and without a customer) for this quarter.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers.
    InsufficientDataError
        No sales up to the quarter's end.

    Examples
    --------
    >>> sales = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...     "month": pd.PeriodIndex(["2026-01", "2026-04", "2026-05"], freq="M"), "n_purchase_days": 1})
    >>> finding = quarter_sales(sales, quarter=Quarter.parse("2026Q2"))
    >>> finding.facts["change_on_quarter"].value, finding.facts["n_new"].value
    (2.5, 1)
    """
    columns = ("customer_id", "month", "amount", "n_purchase_days")
    check_columns(sales, columns, analysis="quarter_sales")
    check_numbers(sales, ("amount", "n_purchase_days"), analysis="quarter_sales")
    month_number = _month_numbers(sales)
    offset = (quarter.fiscal_year_start - 1) % 3
    quarter_number = (month_number - offset) // 3
    this = (_month_number(quarter) - offset) // 3
    known = quarter_number <= this
    if not known.any():
        raise InsufficientDataError("no_sales_until", quarter=str(quarter))
    first = int(quarter_number[known].min())
    starts_late = int(month_number[known].min()) > first * 3 + offset

    log = sales.loc[known, list(columns)].assign(number=quarter_number[known])
    bought = log[log["n_purchase_days"] > 0]
    numbers = range(first, this + 1)
    table = pd.DataFrame(
        {
            "quarter": [str(quarter.shifted(number - this)) for number in numbers],
            # Rounded, so that the order of the rows cannot show in the last bit of a sum.
            "amount": log.groupby("number")["amount"].sum().reindex(numbers, fill_value=0.0).round(4).to_numpy(),
            "n_active": _customers(bought, numbers),
            "n_new": _customers(bought.sort_values("number").drop_duplicates("customer_id"), numbers),
        }
    )
    table["n_new"] = table["n_new"].astype("Int64")
    table.loc[0, "n_new"] = pd.NA
    table["amount_per_customer"] = _ratio(table["amount"], table["n_active"].astype(float))
    comparable = table["amount"].copy()
    if starts_late:
        comparable.iloc[0] = np.nan
    table["change_on_quarter"] = _ratio(table["amount"], comparable.shift(1)) - 1
    table["change_on_year"] = _ratio(table["amount"], comparable.shift(4)) - 1
    unfinished = as_of is not None and as_of < quarter.last_day
    if unfinished:
        table.loc[table.index[-1], ["change_on_quarter", "change_on_year"]] = np.nan
    company = {"as_of": Fact(as_of, "date")} | _with_set_apart(float(table["amount"].iloc[-1]), set_apart, this, offset)
    return _finding(table, quarter, company, starts_late=starts_late, unfinished=unfinished)


def _with_set_apart(amount: float, set_apart: pd.DataFrame | None, this: int, offset: int) -> dict[str, Fact]:
    apart = None
    if set_apart is not None:
        check_numbers(set_apart, ("amount",), analysis="quarter_sales")
        apart = float(set_apart.loc[(_month_numbers(set_apart) - offset) // 3 == this, "amount"].sum())
    return {
        "set_apart_amount": Fact(apart, "currency"),
        "company_amount": Fact(None if apart is None else amount + apart, "currency"),
    }


def _month_numbers(frame: pd.DataFrame) -> np.ndarray:
    # Months since year 0: quarters of any fiscal year are whole steps on this axis.
    months = pd.PeriodIndex(frame["month"], freq="M")
    return np.asarray(months.year * 12 + months.month - 1, dtype="int64")


def _month_number(quarter: Quarter) -> int:
    return quarter.start.year * 12 + quarter.start.month - 1


def _customers(log: pd.DataFrame, numbers: range) -> np.ndarray:
    counts = log.groupby("number")["customer_id"].nunique().reindex(numbers, fill_value=0)
    return counts.to_numpy(dtype="int64")


def _ratio(amount: pd.Series, base: pd.Series) -> pd.Series:
    # A change against nothing, or against net returns, is no share.
    return amount / base.where(base > 0)


def _finding(
    table: pd.DataFrame, quarter: Quarter, company: dict[str, Fact], *, starts_late: bool, unfinished: bool
) -> Finding:
    now = table.iloc[-1]
    n_new = None if pd.isna(now["n_new"]) else int(now["n_new"])
    facts = {
        "quarter": Fact(str(quarter), "text"),
        "amount": Fact(float(now["amount"]), "currency"),
        "n_active": Fact(int(now["n_active"]), "customers"),
        "n_new": Fact(n_new, "customers"),
        "amount_per_customer": Fact(float(now["amount_per_customer"]), "currency"),
        "change_on_quarter": Fact(float(now["change_on_quarter"]), "share"),
        "change_on_year": Fact(float(now["change_on_year"]), "share"),
        "n_quarters": Fact(len(table), "count"),
        "first_quarter": Fact(str(table["quarter"].iloc[0]), "text"),
        **company,
    }
    notes = ["new_customers_left_censored"]
    if facts["set_apart_amount"].value:
        notes.append("set_apart_in_quarter")
    if starts_late:
        notes.append("first_quarter_partial")
    if unfinished:
        notes.append("quarter_unfinished")
    elif now[["change_on_quarter", "change_on_year"]].isna().any():
        notes.append("no_comparison")
    notes.append("sales_not_margin")
    parameters = {"quarter": str(quarter), "fiscal_year_start": quarter.fiscal_year_start}
    return Finding("quarter_sales", table, facts, parameters, tuple(notes))
