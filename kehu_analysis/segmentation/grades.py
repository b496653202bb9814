"""A/B/C grades by the grade standard amount, and the moves between grades."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers

__all__ = ["DEFAULT_SHARES", "grade_customers"]

#: Running shares of sales at which A and B end.
DEFAULT_SHARES = (0.80, 0.95)
#: Fewer months are an accident of ordering dates, more hide who is falling.
FEWEST_MONTHS, MOST_MONTHS = 3, 6
#: A running share counts as reached when it is short by no more than this part of all sales.
SHARE_TOLERANCE = 1e-9
#: How far back a customer's usual differences between months are looked for.
_DEVIATION_MONTHS = 12
_LETTERS = "ABCDEFGH"


def grade_customers(
    sales: pd.DataFrame,
    *,
    months: int = 3,
    by: Literal["share", "amount", "rank"] = "share",
    standards: Sequence[float] | None = None,
    last_month: pd.Period | None = None,
) -> Finding:
    """Answer: which customers carry the sales, by grades A, B, C (and D)?

    The procedure of wholesale customer management: average each customer's monthly sales over the last
    ``months`` months (a month without sales counts 0), sort by the average, read the *grade standard amount*
    (等级标准额) of each grade off the averages, and give every customer at or above it that grade. So equal
    customers always share a grade.

    Money is compared as whole numbers of a fine unit (a ten-thousandth of the currency, or finer where all
    amounts are small), so neither the last bit of a float nor the order of rows moves a customer.

    Parameters
    ----------
    sales
        Monthly sales: ``customer_id``, ``month`` (monthly Period), ``amount`` (currency, net of returns).
        A customer without any row up to ``last_month`` does not exist yet and is not graded.
    months
        Length of the window in months, 3 to 6.
    by
        How ``standards`` fix the standard amounts: ``share``, the average of the customer at whom the running
        share of sales first reaches it; ``amount``, given as monthly amounts; ``rank``, the average of the
        customer at that rank (the last one with sales when there are fewer).
    standards
        One per grade but the last, from A on: rising shares in (0, 1], falling monthly amounts, or rising
        ranks. Shares default to (.80, .95), which gives A, B, C; the other two have no default.
    last_month
        Last month of the window; the latest month in ``sales`` when not given.

    Returns
    -------
    Finding
        ``grade_customers``: table with ``customer_id``, ``grade``, ``average_monthly_amount``,
        ``monthly_deviation`` (currency, standard deviation from month to month in the year up to
        ``last_month``; missing where the log has one month), ``share_of_sales``,
        ``running_share`` (of sales), ``running_share_of_customers`` (of those with sales), ``is_active``,
        ``rank``; largest average first, then by customer. Customers without net sales
        in the window have the last grade and ``is_active`` False. Facts: ``n_customers``, ``n_active``,
        ``n_inactive``, ``total_amount``, ``average_monthly_total``, and by grade (``a``, ``b``, …), of
        customers with sales: ``n_customers_a``, ``share_of_customers_a``, ``share_of_sales_a``,
        ``standard_amount_a``.

    Raises
    ------
    UsageError
        ``months``, ``by`` or ``standards`` are not as above.
    DataError
        Columns are missing or hold no months or numbers.
    InsufficientDataError
        Nothing was sold, net of returns, in the window.

    Examples
    --------
    >>> sales = pd.DataFrame({"customer_id": ["a", "b", "c"], "amount": [80.0, 15.0, 5.0],
    ...                       "month": pd.PeriodIndex(["2026-03"] * 3, freq="M")})
    >>> grade_customers(sales).table[["customer_id", "grade"]].to_numpy().tolist()
    [['a', 'A'], ['b', 'B'], ['c', 'C']]
    """
    chosen = _check_standards(months, by, standards)
    check_columns(sales, ("customer_id", "month", "amount"), analysis="grade_customers")
    check_numbers(sales, ("amount",), analysis="grade_customers")
    month = _months(sales["month"])
    last = month.max() if last_month is None else last_month.asfreq("M")
    first = last - (months - 1)
    known = month <= last

    in_window = known & (month >= first)
    money = _Money.fitting(sales.loc[in_window, "amount"])
    units = np.where(in_window, money.to_units(sales["amount"].where(in_window, 0.0)), 0)
    totals = (
        pd.DataFrame({"customer_id": sales["customer_id"], "units": units})[known]
        .groupby("customer_id", as_index=False)
        .agg({"units": "sum"})
        .sort_values(["units", "customer_id"], ascending=[False, True], ignore_index=True)
    )
    total = int(totals["units"].sum())
    if total <= 0:
        raise InsufficientDataError("no_sales_in_window", first=str(first), last=str(last))

    amounts = totals["units"].to_numpy(dtype="int64")
    running = np.cumsum(amounts)
    is_active = amounts > 0
    n_active = int(is_active.sum())
    standard_units = _standard_units(by, chosen, amounts[is_active], running[is_active], total, money, months)
    # Each month was rounded once: two averages within that rounding are the same average.
    reached = amounts[:, None] >= np.asarray(standard_units)[None, :] - months
    grade_index = np.where(is_active, (~reached).sum(axis=1), len(chosen))
    letters = np.array(list(_LETTERS[: len(chosen) + 1]), dtype=object)
    rank = np.arange(1, len(amounts) + 1)
    deviation, n_months = _monthly_deviation(sales["customer_id"], month, sales["amount"], last, totals["customer_id"])
    table = pd.DataFrame(
        {
            "customer_id": totals["customer_id"],
            "grade": letters[grade_index],
            "average_monthly_amount": money.to_currency(amounts) / months,
            "monthly_deviation": deviation,
            "share_of_sales": amounts / total,
            "running_share": running / total,
            "running_share_of_customers": np.where(is_active, rank / max(n_active, 1), np.nan),
            "is_active": is_active,
            "rank": rank,
        }
    )
    facts = {
        "n_customers": Fact(len(table), "customers"),
        "n_active": Fact(n_active, "customers"),
        "n_inactive": Fact(len(table) - n_active, "customers"),
        "n_months": Fact(months, "months"),
        "first_month": Fact(str(first), "text"),
        "last_month": Fact(str(last), "text"),
        "total_amount": Fact(float(money.to_currency(total)), "currency"),
        "average_monthly_total": Fact(float(money.to_currency(total)) / months, "currency"),
    }
    for place, letter in enumerate(letters):
        graded = is_active & (grade_index == place)
        name = str(letter).lower()
        facts[f"n_customers_{name}"] = Fact(int(graded.sum()), "customers")
        facts[f"share_of_customers_{name}"] = Fact(float(graded.sum() / n_active), "share")
        facts[f"share_of_sales_{name}"] = Fact(float(amounts[graded].sum() / total), "share")
        if place < len(chosen):
            standard = float(money.to_currency(standard_units[place])) / months
            facts[f"standard_amount_{name}"] = Fact(standard, "currency")
    parameters: dict[str, Any] = {"months": months, "by": by, "standards": list(chosen)}
    parameters |= {"first_month": str(first), "last_month": str(last), "grades": "".join(letters)}
    parameters["deviation_months"] = n_months
    return Finding("grade_customers", table, facts, parameters, _notes(amounts, first < month.min()))


class _Money(NamedTuple):
    """Money as whole numbers of 10 ** -decimals of the currency: sums are exact, in any order."""

    decimals: int

    @classmethod
    def fitting(cls, amounts: pd.Series) -> _Money:
        sizes = amounts.abs()
        largest, total = float(sizes.max() or 0.0), float(sizes.sum())
        if not total > 0:
            return cls(4)
        # Eleven digits below the largest amount, but never coarser than 4 decimals; and the sum of all must
        # stay within 18 digits, an int64.
        fine = max(4, 11 - math.floor(math.log10(largest)))
        return cls(min(fine, 17 - math.floor(math.log10(total))))

    def to_units(self, amounts: pd.Series) -> np.ndarray:
        return np.rint(amounts.to_numpy(dtype=float) * 10.0**self.decimals).astype("int64")

    def to_currency(self, units: int | np.ndarray) -> Any:
        return units / 10.0**self.decimals


def _monthly_deviation(
    customer_id: pd.Series, month: pd.PeriodIndex, amount: pd.Series, last: pd.Period, customers: pd.Series
) -> tuple[np.ndarray, int]:
    """Return each customer's standard deviation from month to month in the last year, and its number of months.

    By differences of successive months, so that a slow rise or fall is no deviation (von Neumann, J. and others
    (1941), *Annals of Mathematical Statistics* 12, 153-162).
    """
    n_months = int(min(_DEVIATION_MONTHS, (last - month.min()).n + 1))
    if n_months < 2:
        return np.full(len(customers), np.nan), n_months
    ago = last.ordinal - month.astype("int64")
    used = (ago >= 0) & (ago < n_months)
    place = pd.Index(customers).get_indexer(pd.Index(customer_id[used]))
    # Summed as whole numbers: the order of the lines leaves no trace.
    money = _Money.fitting(amount[used])
    units = np.zeros((len(customers), n_months), dtype="int64")
    np.add.at(units, (place, ago[used]), money.to_units(amount[used]))
    steps = np.diff(money.to_currency(units), axis=1)
    return np.sqrt((steps**2).sum(axis=1) / (2 * (n_months - 1))).round(4), n_months


def _check_standards(months: int, by: str, standards: Sequence[float] | None) -> tuple[float, ...]:
    if isinstance(months, bool) or not FEWEST_MONTHS <= months <= MOST_MONTHS or months != int(months):
        raise UsageError("grade_months", months=months, fewest=FEWEST_MONTHS, most=MOST_MONTHS)
    if by not in ("share", "amount", "rank"):
        raise UsageError("grade_by", by=by)
    if standards is None and by != "share":
        raise UsageError("grade_standards", by=by, standards="None", most=len(_LETTERS) - 1)
    chosen = DEFAULT_SHARES if standards is None else tuple(standards)
    values = np.asarray(chosen, dtype=float)
    steps = np.diff(values)
    sound = {
        "share": bool((values > 0).all() and (values <= 1).all() and (steps > 0).all()),
        "amount": bool((values > 0).all() and (steps < 0).all()),
        "rank": bool((values >= 1).all() and (values == np.rint(values)).all() and (steps > 0).all()),
    }
    if not (0 < len(values) < len(_LETTERS) and np.isfinite(values).all() and sound[by]):
        raise UsageError("grade_standards", by=by, standards=str(list(chosen)), most=len(_LETTERS) - 1)
    return chosen


def _months(month: pd.Series) -> pd.PeriodIndex:
    try:
        return pd.PeriodIndex(month, freq="M")
    except (ValueError, TypeError) as error:
        raise DataError("not_months", example=str(month.iloc[0])) from error


def _standard_units(
    by: str,
    standards: tuple[float, ...],
    amounts: np.ndarray,
    running: np.ndarray,
    total: int,
    money: _Money,
    months: int,
) -> list[int]:
    """Return each grade's standard amount over the whole window, from the customers with sales."""
    if by == "amount":
        return [int(money.to_units(pd.Series([standard * months]))[0]) for standard in standards]
    if by == "rank":
        places = [min(int(standard), len(amounts)) - 1 for standard in standards]
    else:
        wanted = np.asarray(standards) * total - SHARE_TOLERANCE * total
        # Returns can take the sum of the positive averages above the total, never below it.
        places = [int(place) for place in np.searchsorted(running, wanted, side="left")]
    return [int(amounts[min(place, len(amounts) - 1)]) for place in places]


def _notes(amounts: np.ndarray, starts_before_log: bool) -> tuple[str, ...]:
    notes = []
    if (amounts <= 0).any():
        notes.append("inactive_apart")
    if (amounts < 0).any():
        notes.append("net_returns_in_window")
    if starts_before_log:
        notes.append("window_before_log")
    return (*notes, "sales_not_margin")
