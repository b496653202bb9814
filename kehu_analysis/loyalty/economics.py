"""What keeping customers is worth, and what it costs against winning them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import optimize, stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers, check_unique
from kehu_analysis.loyalty.sales_retention import numbered_quarters

__all__ = ["best_keeping_spend", "keeping_value", "margin_multiple", "point_value"]

#: Kinds of contact that are made to keep a customer; delivering what was bought is none.
KEEPING = ("visit", "call", "service")
#: The proverb: winning costs so many times as much as keeping.
PROVERB = (5, 8)
OTHER_SEGMENTS = "other_segments"
_FEWEST = 10
_YEAR = 4
_N_DRAWS = 4000


def margin_multiple(kept: float | np.ndarray, discount_rate: float) -> float | np.ndarray:
    """Return what a customer is worth from the next period on, in margins of a period: ``r/(1 + i - r)``.

    Gupta, S. and Lehmann, D. R. (2003), *Journal of Interactive Marketing* 17(1), 9-24; the margin of the period that
    has just begun is not in it.

    Examples
    --------
    >>> round(margin_multiple(0.8, 0.12), 4)
    2.5
    """
    return kept / (1 + discount_rate - kept)


def point_value(kept: float | np.ndarray, margin: float | np.ndarray, discount_rate: float) -> float | np.ndarray:
    """Return what one point more of retention is worth for a customer: the most to spend once for it.

    Examples
    --------
    >>> round(point_value(0.8, 100.0, 0.12), 6)
    11.290323
    """
    more = np.minimum(np.asarray(kept) + 0.01, 1.0)
    worth = margin * (margin_multiple(more, discount_rate) - margin_multiple(kept, discount_rate))
    return worth if isinstance(kept, np.ndarray) else float(worth)


def best_keeping_spend(
    margin: float, discount_rate: float, *, ceiling: float, spend: float, kept_at_spend: float
) -> tuple[float, float, float]:
    """Return the spend on keeping a customer that pays best, the share kept at it, and what a customer is then worth.

    The manager judges two points: how many could be kept at best whatever is spent (``ceiling``), and how many are kept
    at a ``spend``. Between them ``r(R) = ceiling·(1 - exp(-k·R))``; the worth is ``(m - R)·r'/(1 - r')`` with
    ``r' = r/(1 + i)``. The answer is as good as that judgement.

    Raises
    ------
    UsageError
        The points are none of such a curve, or the margin is not above 0.

    Notes
    -----
    Blattberg, R. C. and Deighton, J. (1996), *Harvard Business Review* 74(4), 136-144.

    Examples
    --------
    >>> found = best_keeping_spend(100, 0.12, ceiling=0.7, spend=10, kept_at_spend=0.4)
    >>> [round(value, 3) for value in found]
    [31.839, 0.653, 95.256]
    """
    if not (0 < kept_at_spend < ceiling <= 1 and spend > 0 and margin > 0 and discount_rate > 0):
        raise UsageError("keeping_points", ceiling=ceiling, spend=spend, kept=kept_at_spend, margin=margin)
    rate = -np.log(1 - kept_at_spend / ceiling) / spend

    def worth(amount: float) -> float:
        lasting = ceiling * (1 - np.exp(-rate * amount)) / (1 + discount_rate)
        return float((margin - amount) * lasting / (1 - lasting))

    found = optimize.minimize_scalar(
        lambda amount: -worth(amount), bounds=(0, margin), method="bounded", options={"xatol": 1e-8}
    )
    best = float(found.x)
    return best, float(ceiling * (1 - np.exp(-rate * best))), worth(best)


def keeping_value(
    quarters: pd.DataFrame,
    segments: pd.DataFrame | None = None,
    contacts: pd.DataFrame | None = None,
    *,
    acquisition_cost: float | None = None,
    discount_rate: float = 0.10,
    interval: float = 0.90,
    rng: np.random.Generator | int = 0,
) -> Finding:
    """Answer: what is one point of retention worth, and what may keeping cost against winning?

    By segment, of the customers who bought in the year before last ``r`` bought in the last year, too, with a mean
    margin ``m`` of those kept. A customer is then worth ``m·r/(1 + i - r)``, and one point more of ``r`` the difference
    that it makes: the most to spend on a customer for it, once. Times the customers of the last year it is the worth in
    customer equity. Against it stands what is spent: visits, calls and service of the last year a customer.

    The proverb says that winning costs 5 to 8 times keeping. The company's own ratio sets its cost of winning against
    the mean cost of keeping a customer for a year. It answers less than it seems to: those kept include all who would
    have stayed anyway; what an additional customer costs is known from a trial only.

    Parameters
    ----------
    quarters
        As of :func:`~kehu_analysis.summaries.customer_quarters`.
    segments
        ``customer_id`` and ``segment``; all customers together where None. Segments of fewer than ten customers are put
        together.
    contacts
        ``customer_id``, ``date``, ``kind``, ``cost``; None where there are none.
    acquisition_cost
        What winning a customer costs, by the company's own account.
    discount_rate
        A year.
    interval
        Level of the intervals.
    rng
        Seed or source of the draws.

    Returns
    -------
    Finding
        ``keeping_value``: a row a segment by worth: ``segment``, ``n_customers`` (bought in the last year), ``n_base``,
        ``kept``, ``kept_low``, ``kept_high``, ``value_per_year`` (of one kept), ``customer_value``,
        ``most_for_a_point`` with ``_low`` and ``_high``, ``point_worth`` with ``_low`` and ``_high``, ``keeping_cost``
        (a customer and year), ``break_even_points`` (of retention that this spend must hold to pay). Facts:
        ``n_customers``, ``value_is`` (margin or sales), ``kept``, ``point_worth`` with ``_low`` and ``_high``,
        ``customer_equity``, ``point_share`` (of it), ``winning_cost``, ``keeping_cost`` with ``_low`` and ``_high``,
        ``cost_ratio`` with ``_low`` and ``_high``, ``proverb_low``, ``proverb_high``; costs that are not booked, and
        what hangs on them, are missing.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers, or a customer stands twice.
    InsufficientDataError
        The log is shorter than two years, or fewer than ten customers bought in the first of them.
    UsageError
        ``discount_rate`` is below .02, or ``interval`` not between 0 and 1.

    Examples
    --------
    >>> periods = pd.PeriodIndex(["2025Q1", "2026Q4"] * 10, freq="Q-DEC")
    >>> quarters = pd.DataFrame({"customer_id": [f"{n // 2}" for n in range(20)], "quarter": periods,
    ...     "amount": 100.0, "margin": 20.0, "n_purchase_days": [1, 1] * 8 + [1, 0] * 2})
    >>> keeping_value(quarters, discount_rate=0.12).facts["kept"].value
    0.8
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if not 0.02 <= discount_rate <= 1:
        raise UsageError("keeping_discount", discount_rate=discount_rate)
    years = _years(quarters)
    has_margin = bool(years["margin"].notna().any())
    value = years["margin" if has_margin else "amount"].where(years["is_kept"]).fillna(0.0)
    years = years.assign(value=value, segment=_segments(years, segments))
    spent = _spent(years, contacts, quarters)
    draws, rows = [], []
    generator = np.random.default_rng(rng)
    for name, part in years.groupby("segment", sort=True):
        row, drawn = _of_segment(str(name), part, spent, discount_rate, interval, generator)
        rows.append(row)
        draws.append(drawn)
    table = pd.DataFrame(rows)
    table = table.sort_values(["point_worth", "segment"], ascending=[False, True]).reset_index(drop=True)
    worth = float(table["point_worth"].sum())
    low, high = np.quantile(np.sum(draws, axis=0), [(1 - interval) / 2, (1 + interval) / 2])
    equity = float((table["customer_value"] * table["n_customers"]).sum())
    n_base = int(years["in_base"].sum())
    facts = {
        "n_customers": Fact(int(years["in_last"].sum()), "customers"),
        "n_base": Fact(n_base, "customers"),
        "kept": Fact(float((years["in_base"] & years["is_kept"]).sum() / n_base), "share"),
        "value_is": Fact("margin" if has_margin else "sales", "code"),
        "discount_rate": Fact(discount_rate, "share"),
        "point_worth": Fact(worth, "currency"),
        "point_worth_low": Fact(float(low), "currency"),
        "point_worth_high": Fact(float(high), "currency"),
        "customer_equity": Fact(equity, "currency"),
        "point_share": Fact(worth / equity if equity > 0 else None, "share"),
        "proverb_low": Fact(PROVERB[0], "count"),
        "proverb_high": Fact(PROVERB[1], "count"),
        "interval": Fact(interval, "share"),
    }
    facts |= _ratio(years, spent, acquisition_cost, interval)
    notes = ["keeping_by_segment", "margin_of_lines" if has_margin else "sales_not_margin"]
    if facts["keeping_cost"].value is None:
        notes.append("keeping_costs_not_booked")
    if acquisition_cost is None:
        notes.append("winning_costs_not_booked")
    notes += ["own_cost_ratio", "ratio_answers_little"] if facts["cost_ratio"].value is not None else []
    return Finding("keeping_value", table, facts, {"discount_rate": discount_rate, "interval": interval}, tuple(notes))


def _years(quarters: pd.DataFrame) -> pd.DataFrame:
    """Return a row a customer of the last two years: whether it bought in each, and what it brought in the last."""
    cells = numbered_quarters(quarters, "keeping_value")
    last = int(cells["number"].max())
    if last - int(cells["number"].min()) + 1 < 2 * _YEAR:
        raise InsufficientDataError("two_years")
    age = last - cells["number"]
    bought = cells["n_purchase_days"] > 0
    base, now = (age >= _YEAR) & (age < 2 * _YEAR), age < _YEAR
    sums = cells[now].groupby("customer_id")
    ids = pd.Index(cells.loc[(base | now) & bought, "customer_id"].unique()).sort_values()
    years = pd.DataFrame({"customer_id": ids})
    years["in_base"] = ids.isin(cells.loc[base & bought, "customer_id"])
    years["in_last"] = ids.isin(cells.loc[now & bought, "customer_id"])
    years["is_kept"] = years["in_base"] & years["in_last"]
    for name, found in (("amount", sums["amount"].sum()), ("margin", sums["margin"].sum(min_count=1))):
        years[name] = found.reindex(ids).to_numpy(dtype=float)
    if int(years["in_base"].sum()) < _FEWEST:
        raise InsufficientDataError("few_in_base", n_customers=int(years["in_base"].sum()), fewest=_FEWEST)
    return years


def _segments(years: pd.DataFrame, segments: pd.DataFrame | None) -> pd.Series:
    if segments is None:
        return pd.Series("all_customers", index=years.index)
    check_columns(segments, ("customer_id", "segment"), analysis="keeping_value")
    check_unique(segments, "customer_id", analysis="keeping_value")
    named = years["customer_id"].map(segments.set_index("customer_id")["segment"]).astype(object)
    large = years[years["in_base"]].groupby(named).size()
    return named.where(named.map(large).fillna(0) >= _FEWEST, OTHER_SEGMENTS)


def _spent(years: pd.DataFrame, contacts: pd.DataFrame | None, quarters: pd.DataFrame) -> pd.Series | None:
    """Return what was spent in the last year on each customer of the base; None where it is not booked."""
    if contacts is None or contacts.empty or "cost" not in contacts:
        return None
    check_columns(contacts, ("customer_id", "date", "kind", "cost"), analysis="keeping_value")
    period = quarters["quarter"].max()
    first = (period - (_YEAR - 1)).start_time
    days = pd.to_datetime(contacts["date"])
    counted = contacts[(days >= first) & (days <= period.end_time) & contacts["kind"].isin(KEEPING)]
    if counted.empty or counted["cost"].isna().any():
        return None
    check_numbers(counted, ("cost",), analysis="keeping_value", at_least=0)
    spent = counted["cost"].astype(float).groupby(counted["customer_id"]).sum()
    base = years.loc[years["in_base"], "customer_id"]
    return pd.Series(spent.reindex(base).fillna(0.0).to_numpy(), index=base)


def _of_segment(
    name: str,
    part: pd.DataFrame,
    spent: pd.Series | None,
    discount_rate: float,
    interval: float,
    rng: np.random.Generator,
) -> tuple[dict[str, object], np.ndarray]:
    n_base, n_kept, n_now = (int(part[column].sum()) for column in ("in_base", "is_kept", "in_last"))
    values = part.loc[part["is_kept"], "value"].to_numpy(dtype=float)
    mean = float(values.mean()) if n_kept else 0.0
    error = float(values.std(ddof=1) / np.sqrt(n_kept)) if n_kept > 1 else abs(mean)
    rate = n_kept / n_base if n_base else 0.0
    rates = rng.beta(n_kept + 0.5, n_base - n_kept + 0.5, _N_DRAWS)
    drawn = np.asarray(point_value(rates, rng.normal(mean, error, _N_DRAWS), discount_rate))
    tails = [(1 - interval) / 2, (1 + interval) / 2]
    low, high = np.quantile(drawn, tails)
    kept_low, kept_high = (stats.beta.ppf(tail, n_kept + 0.5, n_base - n_kept + 0.5) for tail in tails)
    most = float(point_value(rate, mean, discount_rate))
    own = None if spent is None else spent.reindex(part.loc[part["in_base"], "customer_id"])
    cost = float("nan") if own is None or own.empty else float(own.mean())
    row: dict[str, object] = {
        "segment": name,
        "n_customers": n_now,
        "n_base": n_base,
        "kept": rate,
        "kept_low": float(kept_low),
        "kept_high": float(kept_high),
        "value_per_year": mean,
        "customer_value": mean * float(margin_multiple(rate, discount_rate)),
        "most_for_a_point": most,
        "most_for_a_point_low": float(low),
        "most_for_a_point_high": float(high),
        "point_worth": n_now * most,
        "point_worth_low": n_now * float(low),
        "point_worth_high": n_now * float(high),
        "keeping_cost": cost,
        "break_even_points": cost / most if most > 0 else float("nan"),
    }
    return row, n_now * drawn


def _ratio(
    years: pd.DataFrame, spent: pd.Series | None, acquisition_cost: float | None, interval: float
) -> dict[str, Fact]:
    names = ("keeping_cost", "keeping_cost_low", "keeping_cost_high", "cost_ratio", "cost_ratio_low", "cost_ratio_high")
    found = {name: Fact(None, "currency" if name.startswith("keeping") else "number") for name in names}
    found["winning_cost"] = Fact(acquisition_cost, "currency")
    if spent is None or not spent.mean() > 0:
        return found
    mean, n = float(spent.mean()), len(spent)
    width = float(stats.t.ppf((1 + interval) / 2, n - 1) * spent.std(ddof=1) / np.sqrt(n))
    ends = {"": mean, "_low": max(mean - width, 0.0), "_high": mean + width}
    found |= {f"keeping_cost{end}": Fact(value, "currency") for end, value in ends.items()}
    if acquisition_cost is not None:
        found["cost_ratio"] = Fact(acquisition_cost / mean, "number")
        found["cost_ratio_low"] = Fact(acquisition_cost / ends["_high"], "number")
        found["cost_ratio_high"] = Fact(acquisition_cost / ends["_low"] if ends["_low"] > 0 else None, "number")
    return found
