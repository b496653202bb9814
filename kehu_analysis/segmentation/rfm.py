"""RFM segments: customers by recency, frequency and monetary value, by a rule that can be read."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers, check_unique
from kehu_analysis.periods import days_per_unit

__all__ = ["SEGMENTS", "rfm_profile", "rfm_segments"]

#: Scores run from 1 to this; fewer customers than the second number have no fifths worth the name.
N_SCORES = 5
FEWEST_CUSTOMERS = 10


class SegmentRule(NamedTuple):
    """Lowest and highest score of each dimension that a segment takes."""

    segment: str
    recency: tuple[int, int]
    frequency: tuple[int, int]
    monetary: tuple[int, int] = (1, N_SCORES)


#: The first rule that fits names the segment; together they cover every combination of scores.
RULES = (
    SegmentRule("champions", (4, 5), (4, 5), (3, 5)),
    SegmentRule("loyal", (3, 5), (4, 5)),
    SegmentRule("promising", (4, 5), (2, 3)),
    SegmentRule("newcomers", (4, 5), (1, 1)),
    SegmentRule("needs_attention", (3, 3), (1, 3)),
    SegmentRule("must_win_back", (1, 2), (4, 5), (4, 5)),
    SegmentRule("at_risk", (1, 2), (3, 5)),
    SegmentRule("lost", (1, 2), (1, 2)),
)
#: From those to keep to those who are gone.
SEGMENTS = tuple(rule.segment for rule in RULES)


def rfm_segments(
    summary: pd.DataFrame,
    *,
    as_of: date,
    time_unit: str = "week",
    n_resamples: int = 1000,
    interval: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> Finding:
    """Answer: in which state is the relationship with each customer, and what is due now?

    Each dimension is scored 1 to 5 by the share of customers that a customer is better than: 5 beats at
    least 80 % of all, 4 at least 60 %, and so on (``score = 1 + floor(5 · share)``). Equal values always have
    equal scores, so where half of all customers bought once, all of them score 1 for frequency and the scores
    are not fifths of the customers. In recency a customer is better than half of its equals: where most bought
    on the last day (a log dated by the month), they must not be the ones who look lost. The scores then fall
    into segments by :data:`RULES`.

    How far the borders between segments depend on who happens to be in the data is measured by the bootstrap:
    the cut-points are drawn anew from customers resampled with replacement, and the customers who keep their
    segment are counted.

    Parameters
    ----------
    summary
        BTYD summary: ``customer_id``, ``frequency`` (repeat purchase days), ``recency`` (age at last
        purchase) and ``T`` (age), both in ``time_unit``, ``monetary_value`` (mean spend per repeat purchase
        day). Optional: ``total_amount`` (all sales, currency), ``mean_amount`` (mean spend per purchase day).
        Money is scored by ``mean_amount``, else by ``total_amount`` per purchase day, else by
        ``monetary_value``, which is 0 for whoever bought once.
    as_of
        Last day of the observation.
    time_unit
        ``day``, ``week``, ``month``, ``quarter`` or ``year``.
    n_resamples, interval, rng
        Bootstrap samples, level of the interval, and random generator or seed.

    Returns
    -------
    Finding
        ``rfm_segments``: table with ``customer_id``, ``segment``, ``recency_days`` (days since the last
        purchase), ``purchase_days``, ``mean_amount`` (currency), ``recency_score``, ``frequency_score``,
        ``monetary_score`` and, when given, ``total_amount``; by segment, then largest amount first. Facts:
        ``n_customers``, ``n_champions`` … for each segment, ``share_kept_segment`` with ``_low`` and
        ``_high``.

    Raises
    ------
    DataError
        Columns are missing, hold no sound numbers, or a customer stands twice.
    InsufficientDataError
        Fewer than 10 customers.
    UsageError
        ``n_resamples`` or ``interval`` is out of range.

    Notes
    -----
    Source of the scoring by fifths: Hughes, A. M. (1994), *Strategic Database Marketing*. Ties are kept
    together here, where fifths of a sorted list part them by chance.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": list("abcdefghij"), "frequency": range(10),
    ...     "recency": range(10, 20), "T": 20.0, "monetary_value": 5.0, "mean_amount": range(1, 11)})
    >>> rfm_segments(summary, as_of=date(2026, 9, 30)).table.loc[0, ["customer_id", "segment"]].tolist()
    ['j', 'champions']
    """
    if n_resamples < 2 or not 0 < interval < 1:
        raise UsageError("resampling", n_resamples=n_resamples, interval=interval)
    table = _dimensions(summary, time_unit)
    # Recency is the better the fewer days: its sign is turned.
    dimensions = {
        "recency": -table["recency_days"].to_numpy(),
        "frequency": table["purchase_days"].to_numpy(),
        "monetary": table["mean_amount"].to_numpy(),
    }
    coded = [np.unique(values, return_inverse=True) for values in dimensions.values()]
    sizes = [len(values) for values, _ in coded]
    codes = [code for _, code in coded]
    scores = [
        _scores(np.bincount(code, minlength=size), split_ties=place == 0)[code]
        for place, (code, size) in enumerate(zip(codes, sizes, strict=True))
    ]
    segment = _segment_index(scores)
    for name, score in zip(dimensions, scores, strict=True):
        table[f"{name}_score"] = score
    table.insert(1, "segment", np.array(SEGMENTS, dtype=object)[segment])

    kept = _share_kept(codes, sizes, segment, n_resamples, np.random.default_rng(rng))
    tail = (1 - interval) / 2
    facts = {"n_customers": Fact(len(table), "customers")}
    facts |= {f"n_{name}": Fact(int((segment == place).sum()), "customers") for place, name in enumerate(SEGMENTS)}
    facts |= {
        "share_kept_segment": Fact(float(kept.mean()), "share"),
        "share_kept_segment_low": Fact(float(np.quantile(kept, tail)), "share"),
        "share_kept_segment_high": Fact(float(np.quantile(kept, 1 - tail)), "share"),
        "as_of": Fact(as_of, "date"),
    }
    amount = "total_amount" if "total_amount" in table else "mean_amount"
    order = pd.DataFrame({"segment": segment, "amount": -table[amount], "customer_id": table["customer_id"]})
    table = table.loc[order.sort_values(["segment", "amount", "customer_id"]).index].reset_index(drop=True)
    parameters = {"as_of": str(as_of), "n_resamples": n_resamples, "interval": interval}
    return Finding("rfm_segments", table, facts, parameters, ("rfm_relative", "sales_not_margin"))


def rfm_profile(finding: Finding) -> Finding:
    """Answer: how large is each RFM segment, and what does it bring?

    Parameters
    ----------
    finding
        A finding of :func:`rfm_segments`.

    Returns
    -------
    Finding
        ``rfm_profile``: one row per ``segment`` that has customers, in the order of :data:`SEGMENTS`, with
        ``n_customers``, ``share_of_customers``, ``median_recency_days``, ``mean_purchase_days``,
        ``mean_amount`` (currency, mean over customers) and, where ``total_amount`` was given, ``amount`` and
        ``share_of_sales``. Facts: ``share_of_customers_champions`` … for each segment, likewise
        ``share_of_sales_…`` (missing without amounts), ``n_win_back`` and ``amount_win_back``
        (``must_win_back`` and ``at_risk`` together), and the stability of the segments.

    Raises
    ------
    UsageError
        Another finding was given.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": list("abcdefghij"), "frequency": range(10),
    ...     "recency": range(10, 20), "T": 20.0, "monetary_value": 5.0, "total_amount": range(10, 110, 10)})
    >>> profile = rfm_profile(rfm_segments(summary, as_of=date(2026, 9, 30)))
    >>> float(profile.table["share_of_sales"].sum())
    1.0
    """
    if finding.name != "rfm_segments":
        raise UsageError("wrong_finding", wanted="rfm_segments", found=finding.name)
    customers = finding.table
    by_segment = customers.groupby("segment", sort=False)
    table = pd.DataFrame(
        {
            "n_customers": by_segment.size(),
            "share_of_customers": by_segment.size() / len(customers),
            "median_recency_days": by_segment["recency_days"].median(),
            "mean_purchase_days": by_segment["purchase_days"].mean(),
            "mean_amount": by_segment["mean_amount"].mean(),
        }
    )
    if "total_amount" in customers:
        table["amount"] = by_segment["total_amount"].sum().round(4)
        total = float(table["amount"].sum())
        table["share_of_sales"] = table["amount"] / total if total > 0 else np.nan
    in_order = [name for name in SEGMENTS if name in table.index]
    table = table.loc[in_order].rename_axis("segment").reset_index()

    carried = {name: fact for name, fact in finding.facts.items() if name.startswith(("share_kept", "n_customers"))}
    facts = carried | _segment_facts(table.set_index("segment"))
    return Finding("rfm_profile", table, facts, finding.parameters, finding.notes, finding.currency)


def _segment_facts(table: pd.DataFrame) -> dict[str, Fact]:
    facts = {}
    for column in ("share_of_customers", "share_of_sales"):
        for name in SEGMENTS:
            # A segment without customers has a share of 0; without amounts no share is known.
            share = float(table[column].get(name, 0.0)) if column in table else None
            facts[f"{column}_{name}"] = Fact(share, "share")
    win_back = [name for name in ("must_win_back", "at_risk") if name in table.index]
    facts["n_win_back"] = Fact(int(table.loc[win_back, "n_customers"].sum()), "customers")
    amount = float(table.loc[win_back, "amount"].sum()) if "amount" in table else None
    facts["amount_win_back"] = Fact(amount, "currency")
    return facts


def _dimensions(summary: pd.DataFrame, time_unit: str) -> pd.DataFrame:
    given = ("customer_id", "frequency", "recency", "T", "monetary_value")
    check_columns(summary, given, analysis="rfm_segments")
    check_unique(summary, "customer_id", analysis="rfm_segments")
    check_numbers(summary, ("frequency", "recency", "T"), analysis="rfm_segments", at_least=0)
    if len(summary) < FEWEST_CUSTOMERS:
        raise InsufficientDataError(
            "few_customers", analysis="rfm_segments", n_customers=len(summary), fewest=FEWEST_CUSTOMERS
        )
    purchase_days = summary["frequency"].to_numpy(dtype="int64") + 1
    silence = (summary["T"] - summary["recency"]).to_numpy(dtype=float) * days_per_unit(time_unit)
    money = _mean_amount(summary, purchase_days)
    table = pd.DataFrame(
        {
            "customer_id": summary["customer_id"].to_numpy(),
            "recency_days": np.rint(silence).astype("int64"),
            "purchase_days": purchase_days,
            # Rounded, so that equal means are equal however they were summed.
            "mean_amount": np.round(money, 4),
        }
    )
    check_numbers(table, ("recency_days",), analysis="rfm_segments", at_least=0)
    check_numbers(table, ("mean_amount",), analysis="rfm_segments")
    if "total_amount" in summary:
        table["total_amount"] = summary["total_amount"].to_numpy(dtype=float)
    return table.sort_values("customer_id", ignore_index=True)


def _mean_amount(summary: pd.DataFrame, purchase_days: np.ndarray) -> np.ndarray:
    if "mean_amount" in summary:
        return np.asarray(summary["mean_amount"], dtype=float)
    if "total_amount" in summary:
        return np.asarray(summary["total_amount"].to_numpy(dtype=float) / purchase_days)
    return np.asarray(summary["monetary_value"], dtype=float)


def _scores(counts: np.ndarray, *, split_ties: bool) -> np.ndarray:
    """Return the score of each distinct value, ascending, from how many customers have it."""
    twice_below = 2 * (np.cumsum(counts) - counts) + (counts if split_ties else 0)
    # Whole numbers throughout: a customer better than exactly 4 of 5 scores 5, not 4.999.
    return np.asarray(np.minimum(1 + N_SCORES * twice_below // (2 * counts.sum()), N_SCORES))


def _segment_lookup() -> np.ndarray:
    lookup = np.full((N_SCORES + 1,) * 3, -1)
    for place, rule in reversed(list(enumerate(RULES))):
        cells = tuple(slice(low, high + 1) for low, high in (rule.recency, rule.frequency, rule.monetary))
        lookup[cells] = place
    return lookup


def _segment_index(scores: list[np.ndarray]) -> np.ndarray:
    recency, frequency, monetary = scores
    index: np.ndarray = _segment_lookup()[recency, frequency, monetary]
    return index


def _share_kept(
    codes: list[np.ndarray],
    sizes: list[int],
    segment: np.ndarray,
    n_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    n_customers = len(segment)
    # Small numbers: those of many customers then stay near the processor.
    lookup, of_each = _segment_lookup().astype(np.int8), segment.astype(np.int8)
    small = [code.astype(np.int32) for code in codes]
    kept = np.empty(n_resamples)
    for resample in range(n_resamples):
        drawn = np.bincount(rng.integers(n_customers, size=n_customers, dtype=np.int32), minlength=n_customers)
        cell = np.zeros(n_customers, dtype=np.int16)
        for place, (code, size) in enumerate(zip(small, sizes, strict=True)):
            counts = np.bincount(code, weights=drawn, minlength=size).astype(np.int64)
            score = _scores(counts, split_ties=place == 0)
            cell += (score * lookup.strides[place]).astype(np.int16)[code]
        kept[resample] = np.mean(lookup.ravel()[cell] == of_each)
    return kept
