"""How satisfied are the customers: the scores of a survey, with what a sample and silence leave open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_unique
from kehu_analysis.satisfaction.estimates import Answers, estimate_mean, repeated_answering
from kehu_analysis.satisfaction.intervals import Interval, mean_interval, nps_interval, wilson_interval
from kehu_analysis.satisfaction.questionnaires import SCALES, Questionnaires, read_questionnaires
from kehu_analysis.satisfaction.weighting import kish_size, weigh_answers

__all__ = ["answers_of", "attributes_of", "measure", "survey_scores"]

Array = npt.NDArray[np.float64]

#: Grades that count as satisfied; the handbook's three grades of buying again; who promotes and who detracts.
_SATISFIED, _LIKELY, _UNLIKELY, _PROMOTER, _DETRACTOR = 4.0, 0.7, 0.3, 9.0, 6.0
_FEWEST_ANSWERS = 10
_WAVE = "asked_in_wave"
_NUMBERS = ("estimate", "estimate_low", "estimate_high", "unweighted", "lowest", "highest")


class _Measure(NamedTuple):
    """What is made of a question: ``kind`` is mean, share or score."""

    name: str
    column: str
    kind: str


_MEASURES = (
    _Measure("satisfaction", "satisfaction", "mean"),
    _Measure("share_satisfied", "satisfaction", "share"),
    *(_Measure(f"grade_{grade}", "satisfaction", "share") for grade in (5, 4, 3, 2, 1)),
    _Measure("nps", "recommendation", "score"),
    _Measure("recommendation", "recommendation", "mean"),
    _Measure("repurchase_probability", "repurchase_probability", "mean"),
    _Measure("repurchase_likely", "repurchase_probability", "share"),
    _Measure("repurchase_open", "repurchase_probability", "share"),
    _Measure("repurchase_unlikely", "repurchase_probability", "share"),
)


def survey_scores(
    surveys: pd.DataFrame,
    customers: pd.DataFrame | None = None,
    *,
    by: Sequence[str] = ("region", "business_type", "size_class"),
    n_customers: int | None = None,
    interval: float = 0.90,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Finding:
    """Answer: how satisfied are the customers, would they recommend us and buy again, and how sure is that?

    Means and shares are of all who were asked, waves pooled: the answers are weighted so that in every attribute and
    wave they stand for the asked (:func:`~kehu_analysis.satisfaction.weighting.weigh_answers`); the limits are those
    of :func:`~kehu_analysis.satisfaction.estimates.estimate_mean`, shares with Wilson's and net promoter scores with
    the adjusted Wald form at the effective number of answers. Weights mend what is known of customers alone. Where
    the satisfied answer rather than the others, no weight helps: between ``lowest`` and ``highest`` lies what the
    asked could have said at all, if those who kept silent had all given the worst, or the best, answer.

    Where there is no row of somebody who was asked and did not answer, nobody knows how many were asked: then there
    are no response rate, no weights, no bounds and no correction for a finite number, and a note says why.

    Parameters
    ----------
    surveys
        ``customer_id``, ``date`` and any of ``satisfaction`` (1 to 5), ``recommendation`` (0 to 10) and
        ``repurchase_probability`` (0 to 1); a row without any answer is of a customer who did not answer.
    customers
        ``customer_id`` and the attributes; None weighs by wave alone.
    by
        Attributes to weigh by; those that ``customers`` lacks are left out.
    n_customers
        How many customers could have been asked. Where it is more than were asked, these are taken as drawn at random,
        and the figures are of all customers; None: of those who were asked.
    interval
        Level of the limits.
    scales, failures
        As for :func:`~kehu_analysis.satisfaction.questionnaires.read_questionnaires`.

    Returns
    -------
    Finding
        ``survey_scores``: one row a measure: ``score``, ``n_answers``, ``estimate``, ``estimate_low``,
        ``estimate_high``, ``unweighted``, ``lowest``, ``highest``; shares in per cent. Facts: ``satisfaction`` (mean
        of five grades), ``share_satisfied`` (grades 4 and 5), ``nps`` (points), ``recommendation``,
        ``repurchase_probability`` and ``repurchase_likely`` (above .7), each with ``_low``, ``_high``, ``_lowest``,
        ``_highest`` and ``_unweighted``; ``n_asked``, ``n_answered``, ``n_customers_asked``, ``response_rate``,
        ``n_waves``, ``n_effective`` (Kish), ``largest_weight`` (in means), ``n_capped``, ``n_collapsed``.

    Raises
    ------
    DataError
        Columns are missing, or a customer stands twice in ``customers``.
    InsufficientDataError
        Fewer than 10 answers, all answers equal, or one of the reasons of ``read_questionnaires``.
    UsageError
        ``interval`` is not between 0 and 1, or fewer customers could have been asked than were.

    Examples
    --------
    >>> surveys = pd.DataFrame({"customer_id": [f"c{n:02d}" for n in range(40)], "date": "2026-04-01",
    ...                         "satisfaction": [5, 4, 3, None] * 10})
    >>> finding = survey_scores(surveys)
    >>> [round(finding.facts[f"satisfaction{end}"].value, 2) for end in ("", "_low", "_high", "_lowest", "_highest")]
    [4.0, 3.87, 4.13, 3.25, 4.25]
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    read = read_questionnaires(surveys, analysis="survey_scores", scales=scales, failures=failures)
    _check(read)
    given, notes = answers_of(read, attributes_of(customers, by), n_customers)
    rows = read.rows[read.rows["answered"]]
    found = [one for one in _MEASURES if one.column in rows and rows[one.column].notna().any()]
    table = pd.DataFrame([_row(one, rows, read, given, interval) for one in found])
    facts = _facts(table, read, given, interval, n_customers)
    # Side by side in one column: shares in per cent beside means and points.
    table.loc[table["kind"] == "share", list(_NUMBERS)] *= 100
    table = table.drop(columns="kind")
    if read.n_repeated:
        notes.append("survey_repeated")
    if read.n_unreadable:
        notes.append("survey_unreadable")
    parameters = {"by": list(by), "interval": interval, "n_customers": n_customers}
    return Finding("survey_scores", table, facts, parameters, tuple(notes))


def _check(read: Questionnaires) -> None:
    if read.n_answered < _FEWEST_ANSWERS:
        raise InsufficientDataError("few_answers", n_answers=read.n_answered, fewest=_FEWEST_ANSWERS)
    first = next((name for name in SCALES if name in read.rows and read.rows[name].notna().any()), None)
    if first is None:
        raise InsufficientDataError("survey_without_answers", n_rows=read.n_asked)
    values = read.rows[first].dropna()
    if values.min() == values.max():
        raise InsufficientDataError("answers_equal", column=first, n_answers=len(values), value=f"{values.iloc[0]:g}")


def attributes_of(customers: pd.DataFrame | None, by: Sequence[str]) -> pd.DataFrame:
    """Return the attributes that there are of ``by``, one row a customer, under the customer's number."""
    if customers is None:
        return pd.DataFrame()
    check_columns(customers, ("customer_id",), analysis="survey_scores")
    check_unique(customers, "customer_id", analysis="survey_scores")
    return customers.set_index("customer_id")[[name for name in by if name in customers]]


def answers_of(
    read: Questionnaires, attributes: pd.DataFrame, n_customers: int | None = None
) -> tuple[Answers, list[str]]:
    """Return who answered, with weights where it is known who was asked, and the notes that this calls for."""
    rows = read.rows
    shop = pd.factorize(rows["customer_id"])[0].astype(np.int64)
    answered = rows["answered"].to_numpy(dtype=bool)
    wave = rows["wave"].to_numpy(dtype=np.int64)
    n_asked = int(shop.max()) + 1
    if n_customers is not None and n_customers < n_asked:
        raise UsageError("fewer_customers_than_asked", n_customers=n_customers, n_asked=n_asked)
    if not read.knows_silence:
        return Answers(shop[answered], wave[answered], None, answered, 0.0, 0.0), ["survey_silence_unknown"]
    asked = attributes.reindex(rows["customer_id"]).reset_index(drop=True).assign(**{_WAVE: wave.astype(str)})
    weighting = weigh_answers(asked, answered, list(asked.columns))
    correlation = repeated_answering(shop, answered, weighting.codes)
    share = n_asked / (n_customers or n_asked)
    notes = ["survey_not_at_random", "survey_all_asked" if share == 1 else "survey_drawn_at_random"]
    if not set(weighting.attributes) - {_WAVE}:
        notes.append("survey_weights_without_attributes")
    if weighting.n_capped:
        notes.append("survey_weights_capped")
    return Answers(shop[answered], wave[answered], weighting, answered, correlation, share), notes


def _row(one: _Measure, rows: pd.DataFrame, read: Questionnaires, given: Answers, level: float) -> dict[str, object]:
    values = rows[one.column].to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    found = measure(one.name, values, given, level)
    scored = _scored(one, values)
    row = {
        "score": one.name,
        "kind": one.kind,
        "n_answers": int(there.sum()),
        **dict(zip(("estimate", "estimate_low", "estimate_high"), found, strict=True)),
        "unweighted": float(np.mean(scored[there])),
    }
    worst, best = _ends(one)
    silent = read.n_asked - int(there.sum())
    known = float(scored[there].sum())
    bounds = [(known + silent * end) / read.n_asked for end in (worst, best)]
    row |= dict(zip(("lowest", "highest"), bounds if read.knows_silence else (None, None), strict=True))
    return row


def measure(
    name: str, values: Array, given: Answers, level: float, rows: npt.NDArray[np.bool_] | None = None
) -> Interval:
    """Return one measure of the answers with its limits; all of them, or those of ``rows``."""
    one = next(known for known in _MEASURES if known.name == name)
    scored = _scored(one, values)
    found = estimate_mean(scored, given, rows)
    if one.kind == "mean":
        limits = SCALES[one.column]
        return mean_interval(
            found.mean, found.variance, level=level, degrees_of_freedom=found.degrees_of_freedom, limits=limits
        )
    if one.kind == "share":
        return wilson_interval(min(max(found.mean, 0.0), 1.0), found.size, level=level)
    promoters = estimate_mean(_flag(values, values >= _PROMOTER), given, rows).mean
    return nps_interval(promoters, promoters - found.mean / 100, found.size, level=level)


def _flag(values: Array, is_so: npt.NDArray[np.bool_]) -> Array:
    return np.where(np.isfinite(values), is_so.astype(np.float64), np.nan)


def _scored(one: _Measure, values: Array) -> Array:
    """Return the answers as numbers whose mean is the measure."""
    if one.kind == "mean":
        return values
    if one.kind == "score":
        return 100 * (_flag(values, values >= _PROMOTER) - _flag(values, values <= _DETRACTOR))
    if one.name.startswith("grade_"):
        return _flag(values, np.rint(values) == float(one.name[-1]))
    conditions = {
        "share_satisfied": values >= _SATISFIED,
        "repurchase_likely": values > _LIKELY,
        "repurchase_open": (values >= _UNLIKELY) & (values <= _LIKELY),
        "repurchase_unlikely": values < _UNLIKELY,
    }
    return _flag(values, conditions[one.name])


def _ends(one: _Measure) -> tuple[float, float]:
    return {"mean": SCALES[one.column], "share": (0.0, 1.0), "score": (-100.0, 100.0)}[one.kind]


def _facts(
    table: pd.DataFrame, read: Questionnaires, given: Answers, interval: float, n_customers: int | None
) -> dict[str, Fact]:
    facts = dict(_of_measures(table))
    weighting = given.weighting
    n_shops = read.rows["customer_id"].nunique()
    return facts | {
        "n_asked": Fact(read.n_asked if read.knows_silence else None, "count"),
        "n_answered": Fact(read.n_answered, "count"),
        "n_customers_asked": Fact(n_shops if read.knows_silence else None, "customers"),
        "n_customers_answered": Fact(read.rows.loc[read.rows["answered"], "customer_id"].nunique(), "customers"),
        "n_customers": Fact(n_customers, "customers"),
        "response_rate": Fact(read.n_answered / read.n_asked if read.knows_silence else None, "share"),
        "n_waves": Fact(len(read.wave_names), "count"),
        "first_wave": Fact(read.wave_names[0], "text"),
        "last_wave": Fact(read.wave_names[-1], "text"),
        "n_effective": Fact(None if weighting is None else kish_size(weighting.weights), "number"),
        "largest_weight": Fact(
            None if weighting is None else float(weighting.weights.max() / weighting.weights.mean()), "number"
        ),
        "n_capped": Fact(None if weighting is None else weighting.n_capped, "count"),
        "n_collapsed": Fact(None if weighting is None else weighting.n_collapsed, "count"),
        "answering_correlation": Fact(None if weighting is None else given.correlation, "number"),
        "n_repeated": Fact(read.n_repeated, "count"),
        "n_unreadable": Fact(read.n_unreadable, "count"),
        "interval": Fact(interval, "share"),
    }


def _of_measures(table: pd.DataFrame) -> Iterator[tuple[str, Fact]]:
    rows = {str(row["score"]): row for row in table.to_dict("records")}
    for one in _MEASURES:
        if one.name.startswith("grade_"):
            continue
        unit = "share" if one.kind == "share" or one.name == "repurchase_probability" else "number"
        for column in _NUMBERS:
            end = column.removeprefix("estimate").lstrip("_")
            name = f"{one.name}_{end}" if end else one.name
            yield name, Fact(rows[one.name][column] if one.name in rows else None, unit)
