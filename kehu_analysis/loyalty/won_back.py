"""Won-back customers: who came back after quarters of silence, and what that was worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.loyalty.retention import cohort_name
from kehu_analysis.loyalty.sales_retention import now_period, numbered_quarters

__all__ = ["won_back_customers"]

#: Quarters after the return, its own among them, over which its worth is summed.
_FOLLOWED = 4
#: Kinds of contact that are made to bring somebody back.
_ASKING = ("visit", "call")


def won_back_customers(
    quarters: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    silent_quarters: int = 2,
    interval: float = 0.95,
) -> Finding:
    """Answer: how many of those who had gone silent came back, and what was it worth?

    A customer is *away* in a quarter after ``silent_quarters`` whole quarters without a purchase day; the first quarter
    with one is its return. Its worth is what it bought in that quarter and the three after it. Against it stands the
    cost of the visits and calls paid to *all* who were away, for those who did not come back cost as much.

    Who came back might have done so unasked: what is told is not the effect of asking.

    Parameters
    ----------
    quarters
        As for :func:`~kehu_analysis.loyalty.sales_retention.sales_retention`.
    contacts
        ``customer_id``, ``date``, ``kind`` and ``cost`` (missing: not booked); None where there are none.
    silent_quarters
        Whole quarters without a purchase day after which a customer is away.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``won_back_customers``: a row a quarter in which somebody was away: ``quarter``, ``n_away`` (at its beginning),
        ``n_won_back``, ``won_back_share`` with ``_low`` and ``_high`` (Wilson), ``n_followed`` (of whose four quarters
        all are known), ``amount_after`` and ``margin_after`` (of those, a customer). Facts: ``n_away`` (at the
        beginning of the last quarter), of the last four quarters ``n_won_back`` and ``won_back_share`` (of those away,
        a quarter) with ``_low`` and ``_high``, ``n_followed``, ``worth`` (a customer,
        of all followed; ``value_is`` margin or sales) with ``_low`` and ``_high``, ``kept_share`` (of them, with a
        purchase in the last of the four quarters), ``contact_cost`` (of all who were away, in the whole log),
        ``cost_per_return`` and ``share_contacted`` (of those who came back), missing where nothing is booked.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers, or a customer and quarter stand twice.
    InsufficientDataError
        Nobody was away.
    UsageError
        ``silent_quarters`` is below 1, or ``interval`` not between 0 and 1.

    Examples
    --------
    >>> quarters = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [60.0, 40.0, 80.0], "margin": np.nan,
    ...     "quarter": pd.PeriodIndex(["2025Q1", "2025Q4", "2025Q1"], freq="Q-DEC"), "n_purchase_days": 1})
    >>> won_back_customers(quarters).table[["quarter", "n_away", "n_won_back"]].values.tolist()
    [['2025Q4', 2, 1]]
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if silent_quarters < 1:
        raise UsageError("silent_quarters", silent_quarters=silent_quarters)
    cells = numbered_quarters(quarters, "won_back_customers")
    last = int(cells["number"].max())
    spells = _spells(cells, silent_quarters, last)
    if spells.empty:
        raise InsufficientDataError("nobody_away", silent_quarters=silent_quarters)
    returns = spells[spells["returned"] <= last].reset_index(drop=True)
    returns = pd.concat([returns, _after(cells, returns, last)], axis=1)
    has_margin = bool(cells["margin"].notna().any())
    table = _by_quarter(cells, spells, returns, last, interval)
    recent = table.tail(_FOLLOWED)
    away, back = int(recent["n_away"].sum()), int(recent["n_won_back"].sum())
    low, high = proportion_confint(back, away, alpha=1 - interval, method="wilson")
    followed = returns[returns["is_followed"]]
    worth = followed["margin_after" if has_margin else "amount_after"].dropna().to_numpy(dtype=float)
    mean, width = _mean(worth, interval)
    facts = {
        "n_away": Fact(int(recent["n_away"].iloc[-1]), "customers"),
        "n_won_back": Fact(back, "customers"),
        "won_back_share": Fact(back / away, "share"),
        "won_back_share_low": Fact(float(low), "share"),
        "won_back_share_high": Fact(float(high), "share"),
        "n_quarters": Fact(len(recent), "count"),
        "n_followed": Fact(len(worth), "customers"),
        "followed_quarters": Fact(_FOLLOWED, "count"),
        "value_is": Fact("margin" if has_margin else "sales", "code"),
        "worth": Fact(mean, "currency"),
        "worth_low": Fact(mean - width, "currency"),
        "worth_high": Fact(mean + width, "currency"),
        "kept_share": Fact(float(followed["is_kept"].mean()) if len(followed) else None, "share"),
        "silent_quarters": Fact(silent_quarters, "count"),
        "interval": Fact(interval, "share"),
    }
    facts |= _costs(cells, spells, returns, contacts, last)
    notes = ["won_back_unasked", "margin_of_lines" if has_margin else "sales_not_margin"]
    notes.append("won_back_costs" if facts["contact_cost"].value is not None else "won_back_no_costs")
    parameters = {"silent_quarters": silent_quarters, "interval": interval}
    return Finding("won_back_customers", table, facts, parameters, tuple(notes))


def _spells(cells: pd.DataFrame, silent: int, last: int) -> pd.DataFrame:
    """Return the silences long enough: first quarter away, and the quarter of the return (after the log: none)."""
    bought = cells[cells["n_purchase_days"] > 0]
    number = bought["number"].to_numpy()
    is_last = bought["customer_id"].ne(bought["customer_id"].shift(-1)).to_numpy()
    following = np.where(is_last, last + 1, np.roll(number, -1))
    away_from = number + silent + 1
    spells = pd.DataFrame(
        {"customer_id": bought["customer_id"].to_numpy(), "away_from": away_from, "returned": following}
    )
    spells = spells[(away_from <= last) & (following >= away_from)]
    return spells.reset_index(drop=True)


def _after(cells: pd.DataFrame, returns: pd.DataFrame, last: int) -> pd.DataFrame:
    rows = returns[["customer_id", "returned"]].assign(place=np.arange(len(returns)))
    later = rows.merge(cells, on="customer_id")
    later = later[(later["number"] >= later["returned"]) & (later["number"] < later["returned"] + _FOLLOWED)]
    by_return = later.groupby("place")
    sums = pd.DataFrame({"amount": by_return["amount"].sum(), "margin": by_return["margin"].sum(min_count=1)})
    ends = later[(later["number"] == later["returned"] + _FOLLOWED - 1) & (later["n_purchase_days"] > 0)]
    sums = sums.reindex(rows["place"])
    return pd.DataFrame(
        {
            "amount_after": sums["amount"].to_numpy(dtype=float),
            "margin_after": sums["margin"].to_numpy(dtype=float),
            "is_followed": (rows["returned"] + _FOLLOWED - 1 <= last).to_numpy(),
            "is_kept": rows["place"].isin(ends["place"]).to_numpy(),
        }
    )


def _by_quarter(
    cells: pd.DataFrame, spells: pd.DataFrame, returns: pd.DataFrame, last: int, interval: float
) -> pd.DataFrame:
    first = int(spells["away_from"].min())
    numbers = np.arange(first, last + 1)
    began = np.bincount(spells["away_from"] - first, minlength=len(numbers) + 1)
    ended = np.bincount(np.minimum(spells["returned"] + 1, last + 1) - first, minlength=len(numbers) + 1)
    away = np.cumsum(began - ended)[: len(numbers)]
    back = np.bincount(returns["returned"] - first, minlength=len(numbers))
    followed = returns[returns["is_followed"]].groupby("returned")
    low, high = proportion_confint(back, np.maximum(away, 1), alpha=1 - interval, method="wilson")
    table = pd.DataFrame(
        {
            "quarter": [cohort_name(now_period(cells, int(number))) for number in numbers],
            "n_away": away,
            "n_won_back": back,
            "won_back_share": back / np.maximum(away, 1),
            "won_back_share_low": low,
            "won_back_share_high": high,
            "n_followed": followed.size().reindex(numbers, fill_value=0).to_numpy(),
            "amount_after": followed["amount_after"].mean().reindex(numbers).to_numpy(),
            "margin_after": followed["margin_after"].mean().reindex(numbers).to_numpy(),
        }
    )
    return table[table["n_away"] > 0].reset_index(drop=True)


def _mean(values: np.ndarray, interval: float) -> tuple[float, float]:
    if len(values) < 2:
        return (float(values.mean()) if len(values) else float("nan")), float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(stats.t.ppf((1 + interval) / 2, len(values) - 1) * error)


def _costs(
    cells: pd.DataFrame, spells: pd.DataFrame, returns: pd.DataFrame, contacts: pd.DataFrame | None, last: int
) -> dict[str, Fact]:
    missing = {"contact_cost": Fact(None, "currency"), "cost_per_return": Fact(None, "currency")}
    missing["share_contacted"] = Fact(None, "share")
    if contacts is None or contacts.empty:
        return missing
    check_columns(contacts, ("customer_id", "date", "kind"), analysis="won_back_customers")
    asked = contacts[contacts["kind"].isin(_ASKING)]
    days = pd.to_datetime(asked["date"])
    number = pd.PeriodIndex(days.dt.to_period(pd.PeriodIndex(cells["quarter"]).freqstr)).asi8
    asked = asked.assign(number=number).merge(spells.assign(spell=spells.index), on="customer_id")
    # What is paid in the quarter of the return may have come before it or after: only what was surely before counts.
    asked = asked[(asked["number"] >= asked["away_from"] - 1) & (asked["number"] < asked["returned"])]
    asked = asked[asked["number"] <= last]
    keys = pd.MultiIndex.from_frame(asked[["customer_id", "returned"]])
    found = pd.MultiIndex.from_frame(returns[["customer_id", "returned"]]).isin(keys)
    missing["share_contacted"] = Fact(float(found.mean()) if len(returns) else None, "share")
    if "cost" not in asked or asked["cost"].isna().any() or asked.empty:
        return missing
    check_numbers(asked, ("cost",), analysis="won_back_customers", at_least=0)
    total = float(asked["cost"].astype(float).sum())
    each = total / len(returns) if len(returns) else None
    return missing | {"contact_cost": Fact(total, "currency"), "cost_per_return": Fact(each, "currency")}
