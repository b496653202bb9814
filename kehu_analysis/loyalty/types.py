"""Types of loyalty: attachment against repeat purchase, and who has only no alternative."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_unique
from kehu_analysis.loyalty.index import SURVEY_GAUGES, cronbach_alpha, survey_gauges

__all__ = ["TYPES", "loyalty_type_moves", "loyalty_types"]


#: In the order of the table.
TYPES = ("true_loyalty", "latent", "monopoly", "inertia", "spurious", "no_loyalty", "undecided")
#: Fixed once: with this quarter's medians half of all would always be low.
ATTACHMENT_CUT, PATRONAGE_CUT = 0.60, 0.50
#: What a customer says of its own share of purchases is good to about a tenth.
_WALLET_ERROR = 0.10
_FEWEST = 10


def loyalty_types(
    surveys: pd.DataFrame, bought: pd.DataFrame, *, as_of: date, months: int = 12, interval: float = 0.95
) -> Finding:
    """Answer: who is loyal because it wants to be, who only because it buys anyway, and who would be if it could?

    Attachment is the mean of the three gauges of the latest survey
    (:func:`~kehu_analysis.loyalty.index.survey_gauges`), high from .60 on. Repeat purchase is the share of its
    purchases that the customer says it makes here where it was asked (``wallet_share``), else its percentile among
    peers; high from .50 on. Both limits are fixed. Within one standard error of a limit a customer is *undecided*.

    High in both is true loyalty, high attachment with low repeat purchase latent, low in both none. Low attachment with
    high repeat purchase is a monopoly where the customer has no alternative (``has_alternative``), inertia where it has
    one, and spurious where nobody asked. Whether price, convenience or incentives keep it needs a question of its own.

    Parameters
    ----------
    surveys
        ``customer_id``, ``date``, ``satisfaction``, ``repurchase_probability``, ``recommendation`` and, where asked,
        ``wallet_share`` (0 to 1) and ``has_alternative``.
    bought
        Of :func:`patronage`.
    as_of
        Last day of the observation.
    months
        How far back an answer counts.
    interval
        Level of the interval of the share of each type.

    Returns
    -------
    Finding
        ``loyalty_types``: a row a customer: ``customer_id``, ``loyalty_type`` (one of :data:`TYPES`), ``attachment``,
        ``attachment_error``, ``patronage``, ``patronage_error``, ``patronage_by`` (``by_wallet`` or ``by_peers``), by
        type and customer. Facts: ``n_customers``, ``n_unknown`` (bought, attachment not known), for each type
        ``n_‹type›``, ``share_‹type›`` with ``_low`` and ``_high`` (Wilson), ``n_by_wallet``, ``n_alternative_asked``,
        ``alpha``, ``attachment_cut``, ``patronage_cut``.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers, answers stand on another scale, or a customer stands twice.
    InsufficientDataError
        Fewer than ten customers have both.

    Notes
    -----
    Dick, A. S. and Basu, K. (1994), *Journal of the Academy of Marketing Science* 22, 99-113. The four fields are a way
    to speak, not a finding: attachment or behaviour alone foretold as much wherever it was tried.
    """
    check_columns(bought, ("customer_id", "patronage", "patronage_error"), analysis="loyalty_types")
    check_unique(bought, "customer_id", analysis="loyalty_types")
    latest = _latest(surveys, as_of, months)
    rows = bought.merge(latest, how="left", on="customer_id").sort_values("customer_id")
    known = rows[rows["attachment"].notna()].reset_index(drop=True)
    if len(known) < _FEWEST:
        raise InsufficientDataError("few_gauges", n_customers=len(known), fewest=_FEWEST)
    gauges = known[list(SURVEY_GAUGES)].to_numpy(dtype=float)
    complete = gauges[np.isfinite(gauges).all(axis=1)]
    alpha = cronbach_alpha(complete)[0] if len(complete) > 2 else float("nan")
    # Error of measurement: what of the spread the gauges do not share. Unknown or below 0: all of it.
    shared = min(max(alpha, 0.0), 1.0) if np.isfinite(alpha) else 0.0
    error = float(known["attachment"].std(ddof=1)) * np.sqrt(1 - shared)
    by_wallet = known["wallet_share"].notna()
    repeat = known["wallet_share"].where(by_wallet, known["patronage"]).to_numpy(dtype=float)
    repeat_error = known["patronage_error"].where(~by_wallet, _WALLET_ERROR).to_numpy(dtype=float)
    attachment = known["attachment"].to_numpy(dtype=float)
    kind = _types(attachment, np.full(len(known), error), repeat, repeat_error, known["has_alternative"])
    table = pd.DataFrame(
        {
            "customer_id": known["customer_id"],
            "loyalty_type": kind,
            "attachment": attachment,
            "attachment_error": error,
            "patronage": repeat,
            "patronage_error": repeat_error,
            "patronage_by": np.where(by_wallet, "by_wallet", "by_peers"),
        }
    )
    place = table["loyalty_type"].map({name: number for number, name in enumerate(TYPES)})
    table = table.assign(place=place).sort_values(["place", "customer_id"]).drop(columns="place").reset_index(drop=True)
    facts = {
        "n_customers": Fact(len(table), "customers"),
        "n_unknown": Fact(len(rows) - len(known), "customers"),
        "n_by_wallet": Fact(int(by_wallet.sum()), "customers"),
        "n_alternative_asked": Fact(int(known["has_alternative"].notna().sum()), "customers"),
        "alpha": Fact(alpha, "number"),
        "attachment_cut": Fact(ATTACHMENT_CUT, "number"),
        "patronage_cut": Fact(PATRONAGE_CUT, "number"),
        "interval": Fact(interval, "share"),
    }
    for name in TYPES:
        count = int((table["loyalty_type"] == name).sum())
        low, high = wilson(count, len(table), interval)
        facts |= {f"n_{name}": Fact(count, "customers"), f"share_{name}": Fact(count / len(table), "share")}
        facts |= {f"share_{name}_low": Fact(low, "share"), f"share_{name}_high": Fact(high, "share")}
    asked = facts["n_alternative_asked"].value
    notes = ("types_fixed_limits", "types_alternatives" if asked else "types_reason_not_asked", "types_no_cause")
    return Finding("loyalty_types", table, facts, {"as_of": str(as_of), "months": months}, notes)


def wilson(count: int, n: int, interval: float) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    found = stats.binomtest(count, n).proportion_ci(interval, method="wilson")
    return float(found.low), float(found.high)


def _latest(surveys: pd.DataFrame, as_of: date, months: int) -> pd.DataFrame:
    gauges = survey_gauges(surveys)
    gauges["attachment"] = gauges[list(SURVEY_GAUGES)].mean(axis=1)
    extra = surveys.assign(date=pd.to_datetime(surveys["date"]).dt.date)
    for name in ("wallet_share", "has_alternative"):
        extra[name] = extra.get(name)
    extra["wallet_share"] = pd.to_numeric(extra["wallet_share"]).astype(float)
    names = ["customer_id", "date", "wallet_share", "has_alternative"]
    extra = extra[names].sort_values(names[:3]).drop_duplicates(names[:2])
    gauges = gauges.merge(extra, on=["customer_id", "date"])
    first = (pd.Timestamp(as_of) - pd.DateOffset(months=months)).date()
    recent = gauges[(gauges["date"] > first) & (gauges["date"] <= as_of)]
    ordered = recent.sort_values(["customer_id", "date", *SURVEY_GAUGES])
    return ordered.groupby("customer_id").tail(1).drop(columns="date")


def _types(
    attachment: np.ndarray,
    attachment_error: np.ndarray,
    repeat: np.ndarray,
    repeat_error: np.ndarray,
    has_alternative: pd.Series,
) -> np.ndarray:
    # A value at the limit itself is high, whatever its last bit says.
    wants, buys = attachment >= ATTACHMENT_CUT - 1e-9, repeat >= PATRONAGE_CUT - 1e-9
    near = (np.abs(attachment - ATTACHMENT_CUT) < attachment_error - 1e-9) | (
        np.abs(repeat - PATRONAGE_CUT) < repeat_error - 1e-9
    )
    asked = has_alternative.notna().to_numpy()
    other = has_alternative.astype(object).where(has_alternative.notna(), True).astype(bool).to_numpy()
    choices = [near, wants & buys, wants, ~wants & ~buys, asked & ~other, asked]
    return np.select(
        choices, ["undecided", "true_loyalty", "latent", "no_loyalty", "monopoly", "inertia"], default="spurious"
    )


def loyalty_type_moves(before: Finding, now: Finding) -> Finding:
    """Answer: who changed type since last time, and how many would have seemed to although nothing changed?

    Expected noise moves: each customer's two scores are measured anew around the values that are likely given the first
    measurement (regressed to the mean by their reliability), its alternatives staying as they are.

    Parameters
    ----------
    before, now
        ``loyalty_types`` of two dates.

    Returns
    -------
    Finding
        ``loyalty_type_moves``: a row a pair of types that occurs or is expected: ``from_type``, ``to_type``,
        ``n_customers``, ``expected_by_noise``. Facts: ``n_customers`` (known both times), ``n_moved``,
        ``expected_noise_moves``, ``share_moved``, ``share_expected``, ``n_to_true_loyalty``, ``n_from_true_loyalty``.

    Raises
    ------
    InsufficientDataError
        Nobody is known both times.
    UsageError
        A finding is another one.
    """
    for finding in (before, now):
        if finding.name != "loyalty_types":
            raise UsageError("wrong_finding", wanted="loyalty_types", found=finding.name)
    both = before.table.merge(now.table[["customer_id", "loyalty_type"]], on="customer_id", suffixes=("", "_now"))
    if both.empty:
        raise InsufficientDataError("nobody_twice")
    both = both.sort_values("customer_id").reset_index(drop=True)
    moved = both.groupby(["loyalty_type", "loyalty_type_now"]).size()
    expected = _noise(both)
    pairs = pd.MultiIndex.from_product([TYPES, TYPES], names=["from_type", "to_type"])
    table = pd.DataFrame(index=pairs)
    table["n_customers"] = moved.reindex(pairs, fill_value=0).to_numpy()
    table["expected_by_noise"] = expected.reindex(pairs, fill_value=0.0).to_numpy()
    table = table[(table["n_customers"] > 0) | (table["expected_by_noise"] >= 0.05)].reset_index()
    other = table["from_type"] != table["to_type"]
    n_moved, noise = int(table.loc[other, "n_customers"].sum()), float(table.loc[other, "expected_by_noise"].sum())
    to_true = other & (table["to_type"] == "true_loyalty")
    from_true = other & (table["from_type"] == "true_loyalty")
    facts = {
        "n_customers": Fact(len(both), "customers"),
        "n_moved": Fact(n_moved, "customers"),
        "expected_noise_moves": Fact(round(noise), "customers"),
        "share_moved": Fact(n_moved / len(both), "share"),
        "share_expected": Fact(noise / len(both), "share"),
        "n_to_true_loyalty": Fact(int(table.loc[to_true, "n_customers"].sum()), "customers"),
        "n_from_true_loyalty": Fact(int(table.loc[from_true, "n_customers"].sum()), "customers"),
    }
    return Finding("loyalty_type_moves", table, facts, {}, ("moves_by_noise",))


def _noise(both: pd.DataFrame) -> pd.Series:
    chances = []
    for name, cut in (("attachment", ATTACHMENT_CUT), ("patronage", PATRONAGE_CUT)):
        value, error = both[name].to_numpy(dtype=float), np.maximum(both[f"{name}_error"].to_numpy(dtype=float), 1e-6)
        spread = max(float(value.var(ddof=1)) if len(value) > 1 else 0.0, 1e-12)
        reliability = np.maximum(1 - error**2 / spread, 0.0)
        mean = value.mean() + reliability * (value - value.mean())
        deviation = np.sqrt(error**2 * (1 + reliability))
        low, high = (stats.norm.cdf((limit - mean) / deviation) for limit in (cut - error, cut + error))
        chances.append((1 - high, low))
    (wants, not_wants), (buys, not_buys) = chances
    # What a customer without attachment is if it buys: known of those who were such, of others as of all of them.
    kinds = ("monopoly", "inertia", "spurious")
    counts = both["loyalty_type"].value_counts().reindex(kinds, fill_value=0).to_numpy(dtype=float)
    common = counts / counts.sum() if counts.sum() else np.array([0.0, 0.0, 1.0])
    own = np.column_stack([(both["loyalty_type"] == kind).to_numpy(dtype=float) for kind in kinds])
    own = np.where(own.sum(axis=1, keepdims=True) > 0, own, common)
    found = {"true_loyalty": wants * buys, "latent": wants * not_buys, "no_loyalty": not_wants * not_buys}
    found |= {kind: not_wants * buys * own[:, place] for place, kind in enumerate(kinds)}
    found["undecided"] = 1 - sum(found.values())
    by_type = pd.DataFrame(found).groupby(both["loyalty_type"].to_numpy()).sum()
    pairs = [(before, now) for before in by_type.index for now in by_type.columns]
    return pd.Series(by_type.to_numpy().ravel(), index=pd.MultiIndex.from_tuples(pairs))
