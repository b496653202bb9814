"""What complaints, services and satisfaction go along with: the scores of drivers, and whether orders go on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns
from kehu_analysis.satisfaction.questionnaires import DRIVER, driver_columns, read_questionnaires

__all__ = ["feedback_links"]

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

#: Satisfaction is held against the orders after the half year that follows the answer.
HORIZON_DAYS, CHECK_DAYS = 182, 91
_KINDS = ("complaint", "service")
_FEWEST_CUSTOMERS, _FEWEST_EVENTS = 30, 10
#: Chance that of pairs that have nothing to do with each other one is said to.
_ERROR_OF_ALL = 0.05


def feedback_links(
    surveys: pd.DataFrame,
    contacts: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    as_of: date,
    interval: float = 0.90,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Finding:
    """Answer: who complains, and who stops ordering: what do satisfaction, complaints and services go along with?

    - *Complaints and services* of a customer between its first and last order, by Poisson regression on its mean
      score of every driver, the time as exposure: the ratio of complaints for one more point. Errors are clustered by
      customer, and so allow for some who complain more than chance. A mean of few answers draws the ratio towards 1.
    - *Stopped*: of customers that ordered in the half year before an answer, those without an order from day 183 to day
      273 after it; logistic regression on satisfaction and on the complaints and services of the half year before the
      answer, with the log of orders in it held fixed. Answers too late to be followed are left out. The odds ratio is
      of one more point, or one more complaint or service.

    Parameters
    ----------
    surveys, scales, failures
        As for :func:`~kehu_analysis.satisfaction.survey_scores`.
    contacts
        ``customer_id``, ``date``, ``kind``.
    orders
        ``customer_id``, ``date`` of purchase days.
    as_of
        Last day of the observation.
    interval
        Level of the limits.

    Returns
    -------
    Finding
        ``feedback_links``: one row a pair: ``outcome`` (complaint, service, stopped), ``factor``, ``ratio``,
        ``ratio_low``, ``ratio_high``, ``n_events``, ``n_rows``, ``evidence`` (less, more, not_clear, by Holm's test
        of all pairs). Facts: ``satisfaction_ratio`` with ``_low``, ``_high``; ``complaint_ratio`` (stopped) with its
        limits; ``strongest`` driver of complaints with ``strongest_ratio`` and its limits; ``share_stopped``,
        ``n_followed``.

    Raises
    ------
    DataError
        Columns are missing.
    InsufficientDataError
        Too few customers, or too few who complained or stopped, or a reason of ``read_questionnaires``.
    UsageError
        ``interval`` is not between 0 and 1.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> names, score = [f"c{n:03d}" for n in range(120)], rng.integers(1, 6, 120)
    >>> surveys = pd.DataFrame({"customer_id": names, "satisfaction": score, "driver_price": score})
    >>> surveys["date"] = "2025-03-01"
    >>> days = pd.date_range("2025-01-01", "2026-03-01", freq="14D")
    >>> orders = pd.DataFrame({"customer_id": np.repeat(names, len(days)), "date": np.tile(days, 120)})
    >>> contacts = pd.DataFrame({"customer_id": np.repeat(names, 6 - score), "date": "2025-06-01", "kind": "complaint"})
    >>> round(feedback_links(surveys, contacts, orders, as_of=date(2026, 3, 1)).facts["strongest_ratio"].value, 1)
    0.7
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    read = read_questionnaires(surveys, analysis="feedback_links", scales=scales, failures=failures)
    check_columns(contacts, ("customer_id", "date", "kind"), analysis="feedback_links")
    check_columns(orders, ("customer_id", "date"), analysis="feedback_links")
    answers = read.rows[read.rows["answered"]]
    history = _History(orders, contacts)
    rows = [*_complaining(answers, history, interval), *_stopping(answers, history, as_of, interval)]
    if not rows:
        raise InsufficientDataError("no_links", fewest=_FEWEST_EVENTS, fewest_customers=_FEWEST_CUSTOMERS)
    table = pd.DataFrame(rows)
    # All pairs are judged at once.
    clear = multipletests(table.pop("p_value"), alpha=_ERROR_OF_ALL, method="holm")[0]
    table["evidence"] = np.where(clear, np.where(table["ratio"] > 1, "more", "less"), "not_clear")
    stopped = table[table["outcome"] == "stopped"]
    facts = _facts(table) | {
        "n_followed": Fact(int(stopped["n_rows"].iloc[0]) if len(stopped) else None, "count"),
        "share_stopped": Fact(
            float(stopped["n_events"].iloc[0] / stopped["n_rows"].iloc[0]) if len(stopped) else None, "share"
        ),
        "horizon_days": Fact(HORIZON_DAYS, "days"),
        "check_days": Fact(CHECK_DAYS, "days"),
        "interval": Fact(interval, "share"),
    }
    notes = ("links_no_cause", "links_drawn_to_one")
    return Finding("feedback_links", table, facts, {"interval": interval}, notes)


class _History:
    """Days of orders and contacts of each customer, to count within stretches of time."""

    def __init__(self, orders: pd.DataFrame, contacts: pd.DataFrame) -> None:
        self.customers = pd.Index(np.unique(orders["customer_id"].to_numpy().astype(str)))
        self._of = {"order": self._keys(orders)}
        for kind in _KINDS:
            self._of[kind] = self._keys(contacts[contacts["kind"] == kind])
        place, day = self._split(orders)
        self.first = np.full(len(self.customers), np.iinfo(np.int64).max)
        self.last = np.zeros(len(self.customers), dtype=np.int64)
        np.minimum.at(self.first, place, day)
        np.maximum.at(self.last, place, day)

    def _split(self, rows: pd.DataFrame) -> tuple[Days, Days]:
        place = self.customers.get_indexer(rows["customer_id"].astype(str))
        day = pd.to_datetime(rows["date"]).to_numpy().astype("datetime64[D]").astype(np.int64)
        return place[place >= 0].astype(np.int64), day[place >= 0]

    def _keys(self, rows: pd.DataFrame) -> Days:
        place, day = self._split(rows)
        return np.sort(place * 1_000_000 + day)

    def count(self, what: str, place: Days, first: Days, last: Days) -> Days:
        """Count from the first to the last day, both among them."""
        keys, base = self._of[what], place * 1_000_000
        return np.searchsorted(keys, base + last, side="right") - np.searchsorted(keys, base + first, side="left")


def _complaining(answers: pd.DataFrame, history: _History, level: float) -> Iterator[dict[str, object]]:
    names = driver_columns(answers)
    scores = answers.groupby("customer_id")[names].mean().dropna() if names else pd.DataFrame()
    if scores.empty:
        return
    place = history.customers.get_indexer(scores.index.astype(str))
    scores, place = scores[place >= 0], place[place >= 0].astype(np.int64)
    first, last = history.first[place], history.last[place]
    seen = last - first >= CHECK_DAYS
    scores, place, first, last = scores[seen], place[seen], first[seen], last[seen]
    varying = [name for name in names if len(scores) and scores[name].min() < scores[name].max()]
    if len(scores) < _FEWEST_CUSTOMERS or not varying:
        return
    design = sm.add_constant(scores[varying].to_numpy(dtype=np.float64))
    for kind in _KINDS:
        counts = history.count(kind, place, first, last)
        if counts.sum() < _FEWEST_EVENTS:
            continue
        exposure = (last - first + 1).astype(np.float64)
        model = sm.GLM(counts, design, family=sm.families.Poisson(), exposure=exposure)
        fit = model.fit(cov_type="HC1")
        for number, name in enumerate(varying, start=1):
            yield _pair(kind, name.removeprefix(DRIVER), fit, number, int(counts.sum()), len(scores), level)


def _stopping(answers: pd.DataFrame, history: _History, as_of: date, level: float) -> Iterator[dict[str, object]]:
    if "satisfaction" not in answers:
        return
    told = answers.dropna(subset="satisfaction")
    place = history.customers.get_indexer(told["customer_id"].astype(str)).astype(np.int64)
    day = told["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    end = int(np.datetime64(as_of, "D").astype(np.int64))
    known = (place >= 0) & (day + HORIZON_DAYS + CHECK_DAYS <= end)
    told, place, day = told[known], place[known], day[known]
    before = history.count("order", place, day - HORIZON_DAYS, day - 1)
    told, place, day, before = told[before > 0], place[before > 0], day[before > 0], before[before > 0]
    after = history.count("order", place, day + HORIZON_DAYS + 1, day + HORIZON_DAYS + CHECK_DAYS)
    stopped = after == 0
    if min(int(stopped.sum()), int((~stopped).sum())) < _FEWEST_EVENTS:
        return
    factors = {"satisfaction": told["satisfaction"].to_numpy(dtype=np.float64)}
    for kind in _KINDS:
        factors[kind] = history.count(kind, place, day - HORIZON_DAYS, day - 1).astype(np.float64)
    names = [name for name, values in factors.items() if len(np.unique(values)) > 1]
    design = sm.add_constant(np.column_stack([*(factors[name] for name in names), np.log(before)]))
    with warnings.catch_warnings():
        # Whoever of few complained all stopped, or none did: limits without end say so.
        warnings.simplefilter("ignore")
        model = sm.GLM(stopped.astype(float), design, family=sm.families.Binomial())
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": place})
    for number, name in enumerate(names, start=1):
        yield _pair("stopped", name, fit, number, int(stopped.sum()), len(stopped), level)


def _pair(
    outcome: str, factor: str, fit: object, number: int, n_events: int, n_rows: int, level: float
) -> dict[str, object]:
    slope, error = float(fit.params[number]), float(fit.bse[number])  # type: ignore[attr-defined]
    width = float(stats.norm.ppf(0.5 + level / 2)) * error
    with np.errstate(over="ignore"):
        ratio, low, high = (float(np.exp(value)) for value in (slope, slope - width, slope + width))
    return {
        "outcome": outcome,
        "factor": factor,
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "n_events": n_events,
        "n_rows": n_rows,
        "p_value": float(2 * stats.norm.sf(abs(slope / error))) if error > 0 else 1.0,
    }


def _facts(table: pd.DataFrame) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, pair in (
        ("satisfaction_ratio", ("stopped", "satisfaction")),
        ("complaint_ratio", ("stopped", "complaint")),
    ):
        found = table[(table["outcome"] == pair[0]) & (table["factor"] == pair[1])]
        row = found.iloc[0] if len(found) else None
        for end, column in (("", "ratio"), ("_low", "ratio_low"), ("_high", "ratio_high")):
            facts[f"{name}{end}"] = Fact(None if row is None else float(row[column]), "number")
    by_driver = table[(table["outcome"] == "complaint") & (table["evidence"] == "less")]
    first = by_driver.sort_values(["ratio_high", "factor"]).iloc[0] if len(by_driver) else None
    facts["strongest"] = Fact(None if first is None else str(first["factor"]), "code")
    for end, column in (("", "ratio"), ("_low", "ratio_low"), ("_high", "ratio_high")):
        facts[f"strongest_ratio{end}"] = Fact(None if first is None else float(first[column]), "number")
    return facts
