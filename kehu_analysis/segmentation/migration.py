"""Grade moves (升降级): who rose, who fell, who stopped buying since the quarter before."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.errors import UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.shrinkage import moderate_variances, shrink

__all__ = ["fallen_customers", "grade_moves"]

INACTIVE = "inactive"
NEW = "new"
#: Coverage of the interval of a change without chance.
_INTERVAL = 0.9
#: A few months do not show that a customer's sales are steadier than 3 % a month.
_STEADIEST = 0.03


def grade_moves(current: Finding, previous: Finding) -> Finding:
    """Answer: which customers moved between grades since the last grading, and what do the moves weigh?

    A customer without sales in a window stands as ``inactive`` whatever its grade; one that the previous
    grading did not know stands as ``new``. Rises, falls and stops are shares of the customers who had sales
    in the previous window.

    Parameters
    ----------
    current, previous
        Two findings of :func:`~kehu_analysis.segmentation.grades.grade_customers`, made by the same rule for
        a later and an earlier window.

    Returns
    -------
    Finding
        ``grade_moves``: one row per ``from_grade`` and ``to_grade`` (grades, ``inactive``; from also
        ``new``), with ``n_customers``, ``share_of_from`` (of the customers of that ``from_grade``),
        ``average_monthly_amount`` (now) and ``previous_average_monthly_amount`` (currency). Facts:
        ``n_before`` (with sales before), ``n_up``, ``n_down``, ``n_kept``, ``n_stopped`` (no sales now) and
        their ``share_up`` …; ``n_returned`` (no sales before, some now), ``n_new``; ``amount_down`` and
        ``amount_stopped``, what those customers bought a month before.

    Raises
    ------
    UsageError
        The findings are not two gradings by the same rule.

    Examples
    --------
    >>> from kehu_analysis.segmentation.grades import grade_customers
    >>> months = pd.PeriodIndex(["2026-03", "2026-03", "2026-06", "2026-06"], freq="M")
    >>> sales = pd.DataFrame({"customer_id": ["a", "b", "a", "b"], "amount": [90.0, 10.0, 4.0, 96.0],
    ...                       "month": months})
    >>> before = grade_customers(sales, last_month=pd.Period("2026-03", "M"))
    >>> facts = grade_moves(grade_customers(sales), before).facts
    >>> facts["n_up"].value, facts["n_down"].value
    (1, 1)
    """
    moves, grades = _moves(current, previous)
    cells = pd.MultiIndex.from_product(
        [[*grades, INACTIVE, NEW], [*grades, INACTIVE]], names=["from_grade", "to_grade"]
    )
    grouped = moves.groupby(["standing_before", "standing"])
    table = pd.DataFrame(
        {
            "n_customers": grouped.size().reindex(cells, fill_value=0),
            "average_monthly_amount": grouped["amount"].sum().reindex(cells, fill_value=0.0).round(4),
            "previous_average_monthly_amount": grouped["amount_before"].sum().reindex(cells, fill_value=0.0).round(4),
        }
    ).reset_index()
    of_from = table.groupby("from_grade")["n_customers"].transform("sum")
    table.insert(3, "share_of_from", table["n_customers"] / of_from.where(of_from > 0))
    return Finding("grade_moves", table, _facts(table, grades), _parameters(current, previous), _NOTES)


def fallen_customers(current: Finding, previous: Finding) -> Finding:
    """Answer: which customers fell a grade or stopped buying, the largest loss of sales first?

    Who heads such a list is there partly by chance: an order that fell into the earlier window, a pause in this
    one. Beside the change stands the *shrunken* change, what of it is expected to last. The change of each customer
    who had sales before, as a share of its mean of both windows, is drawn towards that of all of them by
    :func:`~kehu_analysis.shrinkage.shrink`; the variance of its error is ``2 s² / k`` for windows of ``k`` months,
    with ``s²`` the customer's own variance from month to month in the year up to each window, as a share likewise and
    moderated by that of all (:func:`~kehu_analysis.shrinkage.moderate_variances`). Season and trend, which all
    customers share, stay in.

    Parameters
    ----------
    current, previous
        As for :func:`grade_moves`.

    Returns
    -------
    Finding
        ``fallen_customers``: one row per customer who had sales before and has a lower grade or no sales now:
        ``customer_id``, ``from_grade``, ``to_grade`` (or ``inactive``), ``previous_average_monthly_amount``,
        ``average_monthly_amount``, ``change_in_monthly_amount``, ``shrunken_change_in_monthly_amount`` with
        ``shrunken_change_low`` and ``shrunken_change_high`` (currency; 90 % interval, the prior taken as known);
        largest loss first, then by customer. Facts: ``n_fallen``, ``previous_monthly_amount``, ``monthly_amount``,
        ``change_in_monthly_amount`` and ``shrunken_change_in_monthly_amount`` of all of them together,
        ``common_change`` (share; of all customers with sales before, towards which changes are drawn).

    Raises
    ------
    UsageError
        The findings are not two gradings by the same rule.

    Examples
    --------
    >>> from kehu_analysis.segmentation.grades import grade_customers
    >>> months = pd.PeriodIndex(["2026-03", "2026-03", "2026-06", "2026-06"], freq="M")
    >>> sales = pd.DataFrame({"customer_id": ["a", "b", "a", "b"], "amount": [90.0, 10.0, 3.0, 96.0],
    ...                       "month": months})
    >>> before = grade_customers(sales, last_month=pd.Period("2026-03", "M"))
    >>> fallen_customers(grade_customers(sales), before).table.loc[0, ["customer_id", "to_grade"]].tolist()
    ['a', 'C']
    """
    moves, grades = _moves(current, previous)
    place = {grade: position for position, grade in enumerate(grades)}
    before, now = moves["standing_before"].map(place), moves["standing"].map(place | {INACTIVE: len(grades)})
    changes, common = _shrunken_changes(moves[before.notna()], current)
    fallen = moves[(now > before).to_numpy()]
    table = pd.DataFrame(
        {
            "customer_id": fallen["customer_id"],
            "from_grade": fallen["standing_before"],
            "to_grade": fallen["standing"],
            "previous_average_monthly_amount": fallen["amount_before"],
            "average_monthly_amount": fallen["amount"],
            "change_in_monthly_amount": (fallen["amount"] - fallen["amount_before"]).round(4),
        }
    ).join(changes.round(4))
    table = table.sort_values(["change_in_monthly_amount", "customer_id"], ignore_index=True)
    summed = ("change_in_monthly_amount", "shrunken_change_in_monthly_amount")
    facts = {
        "n_fallen": Fact(len(table), "customers"),
        "previous_monthly_amount": Fact(float(fallen["amount_before"].sum()), "currency"),
        "monthly_amount": Fact(float(fallen["amount"].sum()), "currency"),
        **{name: Fact(float(table[name].sum()), "currency") for name in summed},
        "common_change": Fact(common, "share"),
        "interval": Fact(_INTERVAL, "share"),
    }
    return Finding("fallen_customers", table, facts, _parameters(current, previous), _NOTES_OF_CHANGES)


def _shrunken_changes(moves: pd.DataFrame, current: Finding) -> tuple[pd.DataFrame, float]:
    """Return each customer's change without chance, with its interval, and the common change as a share."""
    months = int(current.parameters["months"])
    # Successive differences overlap: n - 1 of them are worth about two thirds as many.
    degrees_of_freedom = 2 / 3 * (int(current.parameters["deviation_months"]) - 1)
    before, now = moves["amount_before"].to_numpy(dtype=float), moves["amount"].to_numpy(dtype=float)
    size = (np.abs(before) + np.abs(now)) / 2
    variance = np.nanmean(moves[["deviation_before", "deviation"]].to_numpy(dtype=float) ** 2, axis=1)
    relative = np.maximum(variance / size**2, _STEADIEST**2)
    moderated = moderate_variances(relative, np.full(len(relative), degrees_of_freedom)).values
    shrunken = shrink((now - before) / size, 2 * moderated / months)
    reach = stats.norm.ppf((1 + _INTERVAL) / 2) * shrunken.deviations
    columns = {
        "shrunken_change_in_monthly_amount": shrunken.values * size,
        "shrunken_change_low": (shrunken.values - reach) * size,
        "shrunken_change_high": (shrunken.values + reach) * size,
    }
    return pd.DataFrame(columns, index=moves.index), shrunken.prior_mean


def _moves(current: Finding, previous: Finding) -> tuple[pd.DataFrame, list[str]]:
    rule = ("months", "by", "standards")
    if (
        current.name != "grade_customers"
        or previous.name != "grade_customers"
        or any(current.parameters[key] != previous.parameters[key] for key in rule)
        or pd.Period(current.parameters["last_month"]) <= pd.Period(previous.parameters["last_month"])
    ):
        raise UsageError("gradings_differ")
    grades = list(str(current.parameters["grades"]))
    moves = _standing(current).merge(
        _standing(previous), on="customer_id", how="left", suffixes=("", "_before"), validate="1:1"
    )
    moves["standing_before"] = moves["standing_before"].fillna(NEW)
    moves["amount_before"] = moves["amount_before"].fillna(0.0)
    return moves, grades


_NOTES = ("moves_partly_chance", "sales_not_margin")
_NOTES_OF_CHANGES = ("moves_partly_chance", "shrunken_change", "sales_not_margin")


def _standing(grading: Finding) -> pd.DataFrame:
    table = grading.table
    return pd.DataFrame(
        {
            "customer_id": table["customer_id"],
            "standing": table["grade"].where(table["is_active"], INACTIVE),
            "amount": table["average_monthly_amount"],
            "deviation": table["monthly_deviation"],
        }
    )


def _facts(table: pd.DataFrame, grades: list[str]) -> dict[str, Fact]:
    place = {grade: position for position, grade in enumerate(grades)}
    before, now = table["from_grade"].map(place), table["to_grade"].map(place)
    stopped = before.notna() & (table["to_grade"] == INACTIVE)
    kinds = {"up": now < before, "down": now > before, "kept": now == before, "stopped": stopped}
    counts = {kind: int(table.loc[rows, "n_customers"].sum()) for kind, rows in kinds.items()}
    n_before = sum(counts.values())
    returned = (table["from_grade"] == INACTIVE) & now.notna()
    facts = {"n_before": Fact(n_before, "customers")}
    facts |= {f"n_{kind}": Fact(count, "customers") for kind, count in counts.items()}
    facts |= {f"share_{kind}": Fact(count / n_before, "share") for kind, count in counts.items()}
    facts["n_returned"] = Fact(int(table.loc[returned, "n_customers"].sum()), "customers")
    facts["n_new"] = Fact(int(table.loc[table["from_grade"] == NEW, "n_customers"].sum()), "customers")
    for kind in ("down", "stopped"):
        amount = table.loc[kinds[kind], "previous_average_monthly_amount"].sum()
        facts[f"amount_{kind}"] = Fact(float(amount), "currency")
    return facts


def _parameters(current: Finding, previous: Finding) -> dict[str, object]:
    windows = {
        "first_month": current.parameters["first_month"],
        "last_month": current.parameters["last_month"],
        "previous_first_month": previous.parameters["first_month"],
        "previous_last_month": previous.parameters["last_month"],
    }
    return {key: current.parameters[key] for key in ("months", "by", "standards", "grades")} | windows
