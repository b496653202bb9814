"""The loyalty index: three gauges of what customers say, or where nobody asked, of what they do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_unique
from kehu_analysis.loyalty.sales_retention import numbered_quarters

__all__ = ["BEHAVIOUR_GAUGES", "SURVEY_GAUGES", "WEIGHTS", "cronbach_alpha", "loyalty_index", "survey_gauges"]

SURVEY_GAUGES = ("satisfaction", "repurchase", "recommendation")
BEHAVIOUR_GAUGES = ("regularity", "sales_kept", "presence")
#: Alike, unless the manager knows better.
WEIGHTS: Mapping[str, float] = {"satisfaction": 1 / 3, "repurchase": 1 / 3, "recommendation": 1 / 3}
#: The handbook's limits of a chance: above .70 likely, from .30 possible, below it not.
_LIKELY, _UNLIKELY = 0.70, 0.30
_RANGES = {"satisfaction": (1, 5), "repurchase_probability": (0, 1), "recommendation": (0, 10)}
_QUARTERS = 4
_FEWEST = 10


def loyalty_index(
    surveys: pd.DataFrame | None = None,
    quarters: pd.DataFrame | None = None,
    *,
    as_of: date,
    weights: Mapping[str, float] | None = None,
    months: int = 12,
    interval: float = 0.95,
) -> Finding:
    """Answer: how loyal are our customers, by what they say, or at least by what they do?

    The handbook's index: three gauges on 0 to 1, weighted, times 100. Satisfaction in its five grades (0, ¼, ½, ¾, 1);
    the chance of buying again and that of recommending, a tenth of the answer, in three classes: above .70 (1), from
    .30 (½), below it (0). Each customer's latest answer of the last ``months`` counts, where all three were given.

    Where no survey was made the index is of behaviour alone, and says so: regularity (share of the last four quarters
    with a purchase, since the first one), sales kept (sales of the last four quarters over those of the four before, at
    most 1; of newer customers missing), presence (bought in the last quarter 1, the one before ½, neither 0). It knows
    nothing of attachment: who has no alternative looks as loyal as who wants none.

    Parameters
    ----------
    surveys
        ``customer_id``, ``date``, ``satisfaction``, ``repurchase_probability``, ``recommendation``; None where there
        are none.
    quarters
        As of :func:`~kehu_analysis.summaries.customer_quarters`; read where there are no surveys.
    as_of
        Last day of the observation.
    weights
        By gauge, adding up to 1; alike by default.
    months
        How far back an answer counts.
    interval
        Level of the intervals.

    Returns
    -------
    Finding
        ``loyalty_index``: a row a customer by index, the lowest first: ``customer_id``, ``loyalty_index`` (0 to 100),
        ``gauge_1``, ``gauge_2``, ``gauge_3`` (0 to 1), ``answered_on`` (missing where behaviour alone). Facts: ``form``
        (``by_survey`` or ``by_behaviour``), ``n_customers``, ``index`` (mean) with ``_low`` and ``_high``,
        ``mean_gauge_1`` to ``mean_gauge_3``, ``weight_1`` to ``weight_3``, ``alpha`` (Cronbach's, of the gauges) with
        ``_low`` and ``_high`` (Feldt), ``n_incomplete`` (with an answer, not to all three), ``months``.

    Raises
    ------
    DataError
        Columns are missing, or answers stand on another scale.
    InsufficientDataError
        Fewer than ten customers have all three gauges, or there are neither surveys nor quarters.
    UsageError
        Weights do not name the gauges, are negative or do not add up to 1.

    Notes
    -----
    Cronbach, L. J. (1951), *Psychometrika* 16, 297-334; Feldt, L. S. (1965), *Psychometrika* 30, 357-370. Alpha says
    whether the gauges move together, not whether they measure loyalty.

    Examples
    --------
    >>> surveys = pd.DataFrame({"customer_id": list("abcdefghij"), "date": date(2026, 3, 1), "satisfaction": 5,
    ...     "repurchase_probability": [0.9] * 5 + [0.5] * 5, "recommendation": [9] * 5 + [2] * 5})
    >>> round(loyalty_index(surveys, as_of=date(2026, 3, 31)).facts["index"].value, 6)
    75.0
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    by_survey = surveys is not None
    names = SURVEY_GAUGES if by_survey else BEHAVIOUR_GAUGES
    weight = _weights(weights, names)
    if surveys is not None:
        gauges, n_incomplete = _latest(survey_gauges(surveys), as_of, months)
    elif quarters is not None:
        gauges, n_incomplete = _of_behaviour(quarters)
    else:
        raise InsufficientDataError("no_gauges")
    if len(gauges) < _FEWEST:
        raise InsufficientDataError("few_gauges", n_customers=len(gauges), fewest=_FEWEST)
    matrix = gauges[list(names)].to_numpy(dtype=float)
    index = 100 * matrix @ weight
    table = pd.DataFrame({"customer_id": gauges["customer_id"].to_numpy(), "loyalty_index": index.round(6)})
    table[["gauge_1", "gauge_2", "gauge_3"]] = matrix
    table["answered_on"] = gauges["date"].to_numpy() if by_survey else None
    table = table.sort_values(["loyalty_index", "customer_id"]).reset_index(drop=True)
    width = stats.t.ppf((1 + interval) / 2, len(index) - 1) * index.std(ddof=1) / np.sqrt(len(index))
    alpha, low, high = cronbach_alpha(matrix, interval=interval)
    facts = {
        "form": Fact("by_survey" if by_survey else "by_behaviour", "code"),
        "n_customers": Fact(len(table), "customers"),
        "n_incomplete": Fact(n_incomplete, "customers"),
        "months": Fact(months, "months"),
        "index": Fact(float(index.mean()), "number"),
        "index_low": Fact(float(index.mean() - width), "number"),
        "index_high": Fact(float(index.mean() + width), "number"),
        "alpha": Fact(alpha, "number"),
        "alpha_low": Fact(low, "number"),
        "alpha_high": Fact(high, "number"),
        "interval": Fact(interval, "share"),
    }
    for place, name in enumerate(names, start=1):
        facts[f"gauge_{place}"] = Fact(f"gauge_{name}", "code")
        facts[f"mean_gauge_{place}"] = Fact(float(matrix[:, place - 1].mean()), "number")
        facts[f"weight_{place}"] = Fact(float(weight[place - 1]), "share")
    notes = ("index_of_answers", "index_reliability") if by_survey else ("index_of_behaviour", "index_reliability")
    parameters = {"as_of": str(as_of), "months": months, "weights": dict(zip(names, weight.tolist(), strict=True))}
    return Finding("loyalty_index", table, facts, parameters, notes)


def survey_gauges(surveys: pd.DataFrame) -> pd.DataFrame:
    """Return the answers as gauges on 0 to 1, a row an answer to at least one: customer_id, date and the gauges.

    Raises
    ------
    DataError
        Columns are missing, or answers stand on another scale.

    Examples
    --------
    >>> answers = pd.DataFrame({"customer_id": ["a"], "date": [date(2026, 1, 1)], "satisfaction": [4],
    ...                         "repurchase_probability": [0.70], "recommendation": [8]})
    >>> survey_gauges(answers)[["satisfaction", "repurchase", "recommendation"]].values.tolist()
    [[0.75, 0.5, 1.0]]
    """
    check_columns(surveys, ("customer_id", "date", *_RANGES), analysis="loyalty_index")
    answers = {name: pd.to_numeric(surveys[name], errors="coerce").astype(float) for name in _RANGES}
    for name, (low, high) in _RANGES.items():
        given = surveys[name].notna()
        wrong = given & ~answers[name].between(low, high)
        if wrong.any():
            raise DataError("other_scale", column=name, n_rows=int(wrong.sum()), low=low, high=high)
    gauges = pd.DataFrame(
        {
            "customer_id": surveys["customer_id"],
            "date": pd.to_datetime(surveys["date"]).dt.date,
            "satisfaction": (answers["satisfaction"] - 1) / 4,
            "repurchase": _in_three(answers["repurchase_probability"]),
            "recommendation": _in_three(answers["recommendation"] / 10),
        }
    )
    return gauges[gauges[list(SURVEY_GAUGES)].notna().any(axis=1)].reset_index(drop=True)


def _in_three(chance: pd.Series) -> pd.Series:
    # Sevenths of ten and the like are not exact: a chance at the limit is "possible" whatever its last bit.
    classes = np.select([chance > _LIKELY + 1e-9, chance >= _UNLIKELY - 1e-9], [1.0, 0.5], default=0.0)
    return pd.Series(classes, index=chance.index).where(chance.notna())


def _weights(weights: Mapping[str, float] | None, names: tuple[str, ...]) -> np.ndarray:
    given = dict(weights) if weights is not None else dict.fromkeys(names, 1 / len(names))
    values = np.array([given.get(name, np.nan) for name in names], dtype=float)
    if set(given) != set(names) or not (values >= 0).all() or abs(values.sum() - 1) > 1e-6:
        told = ", ".join(f"{name}={value:g}" for name, value in given.items())
        raise UsageError("index_weights", weights=told, names=", ".join(names))
    return values


def _latest(gauges: pd.DataFrame, as_of: date, months: int) -> tuple[pd.DataFrame, int]:
    first = (pd.Timestamp(as_of) - pd.DateOffset(months=months)).date()
    recent = gauges[(gauges["date"] > first) & (gauges["date"] <= as_of)]
    # Of two answers of one day the more satisfied: an order is needed, and the file has none.
    latest = recent.sort_values(["customer_id", "date", *SURVEY_GAUGES]).groupby("customer_id").tail(1)
    complete = latest.dropna(subset=list(SURVEY_GAUGES))
    return complete.reset_index(drop=True), len(latest) - len(complete)


def _of_behaviour(quarters: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    cells = numbered_quarters(quarters, "loyalty_index")
    last = int(cells["number"].max())
    bought = cells[cells["n_purchase_days"] > 0]
    first = bought.groupby("customer_id")["number"].min()
    age = last - cells["number"]
    recent, before = ((age >= start) & (age < start + _QUARTERS) for start in (0, _QUARTERS))

    def of_each(values: pd.Series) -> pd.Series:
        return values.reindex(first.index, fill_value=0).astype(float)

    active = of_each(bought[recent[bought.index]].groupby("customer_id").size())
    now, then = (of_each(cells[part].groupby("customer_id")["amount"].sum()) for part in (recent, before))
    latest = bought.groupby("customer_id")["number"].max()
    gauges = pd.DataFrame(
        {
            "regularity": active / np.minimum(last - first + 1, _QUARTERS),
            "sales_kept": (now / then.where(then > 0)).clip(0, 1),
            "presence": np.select([latest == last, latest == last - 1], [1.0, 0.5], default=0.0),
        }
    )
    complete = gauges.dropna().rename_axis("customer_id").reset_index()
    check_unique(complete, "customer_id", analysis="loyalty_index")
    return complete, len(gauges) - len(complete)


def cronbach_alpha(items: np.ndarray, *, interval: float = 0.95) -> tuple[float, float, float]:
    """Return how well items hang together, with Feldt's interval.

    ``α = p/(p - 1)·(1 - Σ var(item)/var(sum))``; ``(1 - α)`` over its estimate is F with ``n - 1`` and
    ``(n - 1)(p - 1)`` degrees of freedom. Missing where the sum does not vary.

    Parameters
    ----------
    items
        Shape (n, p).
    interval
        Level.

    Examples
    --------
    >>> cronbach_alpha(np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3.0]]))[0]
    1.0
    """
    n, p = items.shape
    total = items.sum(axis=1).var(ddof=1) if n > 1 else 0.0
    if not total > 0:
        return float("nan"), float("nan"), float("nan")
    alpha = p / (p - 1) * (1 - items.var(axis=0, ddof=1).sum() / total)
    tails = stats.f.ppf([(1 + interval) / 2, (1 - interval) / 2], n - 1, (n - 1) * (p - 1))
    low, high = 1 - (1 - alpha) * tails
    return float(alpha), float(low), float(high)
