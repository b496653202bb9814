"""Which model of purchases tells best what happened after a day that it has not seen beyond."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.maximise import FloatArray
from kehu_analysis.clv.predictions import PurchasePredictions
from kehu_analysis.data import Dataset
from kehu_analysis.errors import ConvergenceError, DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns
from kehu_analysis.periods import days_per_unit
from kehu_analysis.summaries import btyd_summary, weekly_purchases

#: Naive forecasts, which any model has to beat.
BASELINES = ("last_year", "own_rate", "mean_rate")
_YEAR_DAYS = 364  # whole weeks, so that weekdays match
_LEAST_CHANCE = 1e-300


def compare_models(
    dataset: Dataset,
    calibration_end: date,
    models: Mapping[str, PurchasePredictions],
    *,
    as_of: date | None = None,
    time_unit: str = "week",
    truth: pd.DataFrame | None = None,
) -> Finding:
    """Compare models fitted to the log up to a day by what they say of the days after it.

    Parameters
    ----------
    dataset
        An open dataset.
    calibration_end
        Last day that the models see. Customers won later are left out.
    models
        Unfitted models by name (a code under ``model.``); they are fitted here, the given objects too.
    as_of
        Last day of the comparison, inclusive; by default the last day of the log.
    time_unit
        Unit of the fit.
    truth
        Where it is known, as of simulated data: customer_id and left_on (date, missing for who stayed).

    Returns
    -------
    Finding
        ``compare_models``. Table, a row a model in order of log_score, then naive forecasts: model, n_parameters,
        log_likelihood, aic, bic (of the calibration), log_score (sum of the logarithms of the probabilities that the
        model gave to the number of purchases that each customer then made), mean_absolute_error and
        root_mean_squared_error (purchases a customer), expected_purchases (all customers), error_share, tracking_error
        (mean absolute error of the cumulative weekly purchases, as a share of the actual ones at the end), with truth
        also alive_expected (customers) and brier_score; chosen, failure (why not fitted).
        Naive forecasts: ``last_year`` (each customer buys as often as in the same weeks a year before), ``own_rate``
        (as often as so far), ``mean_rate`` (all alike).

        Chosen is the model with the highest log_score; where others lie within one standard error of the difference,
        the one of these with the fewest parameters, then the highest log_score.

    Raises
    ------
    UsageError
        The days are not in order within the log.
    InsufficientDataError
        No model could be fitted.
    """
    end = as_of or dataset.last_date
    if not dataset.first_date <= calibration_end < end <= dataset.last_date:
        raise UsageError("bad_holdout_dates", calibration_end=calibration_end, as_of=end)
    past = _Past(dataset, calibration_end, end, time_unit)
    rows: list[dict[str, Any]] = []
    scores: dict[str, FloatArray] = {}
    for name, model in models.items():
        row, score = _judged(name, model, past, truth)
        rows.append(row)
        if score is not None:
            scores[name] = score
    if not scores:
        raise InsufficientDataError("no_model_fitted", models=", ".join(models))
    chosen = choose(scores, {row["model"]: row["n_parameters"] for row in rows})
    rows.sort(key=lambda row: -row.get("log_score", -np.inf))
    rows += [_naive(name, forecast, past) for name, forecast in past.naive().items()]
    table = pd.DataFrame(rows).assign(chosen=lambda frame: frame["model"] == chosen)
    return _finding(table, past, chosen, truth)


def choose(scores: Mapping[str, FloatArray], n_parameters: Mapping[str, int]) -> str:
    """Return the model that the rule of :func:`compare_models` picks.

    Parameters
    ----------
    scores
        Log-score of each customer by model, arrays of one shape.
    n_parameters
        By model.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> base = rng.normal(-1, 0.1, 100)
    >>> choose({"rich": base + rng.normal(0.001, 0.1, 100), "plain": base, "poor": base - 1},
    ...        {"rich": 5, "plain": 4, "poor": 3})
    'plain'
    """
    best = max(scores, key=lambda name: float(scores[name].sum()))

    def is_as_good(name: str) -> bool:
        difference = scores[best] - scores[name]
        return bool(difference.sum() <= difference.std() * np.sqrt(len(difference)))

    return min(
        (name for name in scores if is_as_good(name)), key=lambda name: (n_parameters[name], -float(scores[name].sum()))
    )


class _Past:
    """What is known on the last day of the calibration, and what came after."""

    def __init__(self, dataset: Dataset, calibration_end: date, as_of: date, time_unit: str) -> None:
        self.calibration_end, self.as_of, self.time_unit = calibration_end, as_of, time_unit
        self._dataset = dataset
        unit_days = days_per_unit(time_unit)
        self.unit_days, self.length = unit_days, (as_of - calibration_end).days / unit_days
        self.summary = btyd_summary(dataset, calibration_end, time_unit)
        later = btyd_summary(dataset, as_of, time_unit)
        counts = self.summary[["customer_id", "frequency"]].merge(later, on="customer_id", suffixes=("", "_later"))
        self.actual = (counts["frequency_later"] - counts["frequency"]).to_numpy(dtype=np.int64)
        self.weeks = weekly_purchases(dataset, calibration_end, as_of)

    def naive(self) -> dict[str, FloatArray]:
        """Return naive forecasts of each customer's purchases."""
        x, T = (self.summary[name].to_numpy(dtype=float) for name in ("frequency", "T"))
        found = {
            "own_rate": np.divide(x, T, out=np.zeros(len(x)), where=T > 0) * self.length,
            "mean_rate": np.full(len(x), x.sum() / max(T.sum(), 1e-300) * self.length),
        }
        ends = [day - timedelta(days=_YEAR_DAYS) for day in (self.calibration_end, self.as_of)]
        # A year ago the log must have run, and the weeks then must lie before the calibration's end.
        if ends[0] > self._dataset.first_date and ends[1] <= self.calibration_end:
            before, after = (self._purchase_days(day) for day in ends)
            found["last_year"] = (after - before).to_numpy(dtype=float)
        return {name: found[name] for name in BASELINES if name in found}

    def _purchase_days(self, day: date) -> pd.Series:
        then = btyd_summary(self._dataset, day, "day").set_index("customer_id")["frequency"] + 1
        return then.reindex(self.summary["customer_id"], fill_value=0)

    def tracking(self, model: PurchasePredictions) -> FloatArray:
        """Return the purchases that a fitted model expects from the first whole week to the end of each, of all."""
        ends = np.array([(day - self.calibration_end).days for day in self.weeks["week_end"]])
        ends = np.concatenate([ends[:1] - 7, ends]) / self.unit_days
        first = self.summary["T"].to_numpy(dtype=float)
        ages, number = np.unique(first, return_counts=True)
        # Expected from each first purchase on; the whole log has so many first days at most.
        reached = np.maximum(ages[:, None] + ends[None, :], 0.0)
        unique, place = np.unique(reached, return_inverse=True)
        expected = np.asarray(model.expected_purchases_new_customer(unique))
        by_then = (expected[place.reshape(reached.shape)] * number[:, None]).sum(axis=0)
        return np.asarray(by_then[1:] - by_then[:1])


def _judged(
    name: str, model: PurchasePredictions, past: _Past, truth: pd.DataFrame | None
) -> tuple[dict[str, Any], FloatArray | None]:
    row: dict[str, Any] = {"model": name, "n_parameters": len(model.parameter_names)}
    try:
        model.fit(past.summary)
    except (ConvergenceError, InsufficientDataError) as error:
        return row | {"failure": error.message("en")}, None
    k = len(model.params_)
    expected = np.asarray(model.expected_purchases(past.summary, past.length), dtype=np.float64)
    chance = model.expected_probability_of_purchases(past.summary, past.length, past.actual).to_numpy(dtype=float)
    score = np.log(np.maximum(chance, _LEAST_CHANCE))
    tracked, actual = past.tracking(model), np.cumsum(past.weeks["n_purchases"].to_numpy(dtype=float))
    row |= {
        "n_parameters": k,
        "log_likelihood": model.log_likelihood_,
        "aic": 2 * k - 2 * model.log_likelihood_,
        "bic": k * np.log(len(past.summary)) - 2 * model.log_likelihood_,
        "log_score": float(score.sum()),
        **_errors(expected, past.actual),
        "tracking_error": float(np.abs(tracked - actual).mean() / max(actual[-1], 1.0)) if len(actual) else np.nan,
    }
    if truth is not None:
        alive = model.expected_probability_alive(past.summary).to_numpy(dtype=float)
        row |= {
            "alive_expected": float(alive.sum()),
            "brier_score": float(np.mean((alive - was_alive(past.summary, truth, past.calibration_end)) ** 2)),
        }
    return row, score


def was_alive(summary: pd.DataFrame, truth: pd.DataFrame, day: date) -> FloatArray:
    """Return 1 for customers who had not left by the end of a day, else 0, by the truth of simulated data.

    Raises
    ------
    DataError
        The truth lacks a column or a customer.
    """
    check_columns(truth, ("customer_id", "left_on"), analysis="compare_models")
    left = pd.to_datetime(truth.set_index("customer_id")["left_on"]).reindex(summary["customer_id"])
    known = summary["customer_id"].isin(truth["customer_id"])
    if not known.all():
        examples = ", ".join(summary.loc[~known, "customer_id"].astype(str)[:3])
        raise DataError("truth_lacks_customers", n=int((~known).sum()), examples=examples)
    return np.asarray(left.isna() | (left > pd.Timestamp(day)), dtype=np.float64)


def _naive(name: str, forecast: FloatArray, past: _Past) -> dict[str, Any]:
    return {"model": name, "n_parameters": 0, **_errors(forecast, past.actual)}


def _errors(expected: FloatArray, actual: npt.NDArray[np.int64]) -> dict[str, float]:
    missed, total = expected - actual, int(actual.sum())
    return {
        "mean_absolute_error": float(np.abs(missed).mean()),
        "root_mean_squared_error": float(np.sqrt((missed**2).mean())),
        "expected_purchases": float(expected.sum()),
        "error_share": float(expected.sum() / total - 1) if total else np.nan,
    }


def _finding(table: pd.DataFrame, past: _Past, chosen: str, truth: pd.DataFrame | None) -> Finding:
    best = table[table["chosen"]].iloc[0]
    naive = table[table["model"].isin(BASELINES)]
    facts = {
        "n_customers": Fact(len(past.summary), "customers"),
        "n_models": Fact(int(table["log_score"].notna().sum()), "count"),
        "calibration_end": Fact(past.calibration_end, "date"),
        "as_of": Fact(past.as_of, "date"),
        "holdout_days": Fact((past.as_of - past.calibration_end).days, "days"),
        "actual_purchases": Fact(int(past.actual.sum()), "count"),
        "chosen_model": Fact(chosen, "code"),
        "chosen_error_share": Fact(best["error_share"], "share"),
        "chosen_mean_absolute_error": Fact(best["mean_absolute_error"], "parameter"),
        "naive_mean_absolute_error": Fact(naive["mean_absolute_error"].min(), "parameter"),
        "chosen_beats_naive": Fact(bool(best["mean_absolute_error"] < naive["mean_absolute_error"].min()), "code"),
    }
    notes = ["models_chosen_by_score", "later_customers_left_out"]
    if truth is not None:
        alive = was_alive(past.summary, truth, past.calibration_end)
        facts["actual_alive"] = Fact(int(alive.sum()), "customers")
        facts["chosen_alive_expected"] = Fact(best["alive_expected"], "customers")
        notes.append("alive_known_from_simulation")
    parameters = {"calibration_end": past.calibration_end, "as_of": past.as_of, "time_unit": past.time_unit}
    return Finding("compare_models", table, facts, parameters, tuple(notes))


def weekly_tracking(
    dataset: Dataset,
    model: PurchasePredictions,
    calibration_end: date,
    *,
    as_of: date | None = None,
    time_unit: str = "week",
) -> Finding:
    """Lay the purchases that a model expects week by week beside those made.

    Parameters
    ----------
    dataset, calibration_end, as_of, time_unit
        As for :func:`compare_models`.
    model
        Fitted to the log up to ``calibration_end``.

    Returns
    -------
    Finding
        ``weekly_tracking``. Table, a row a whole week: week_end, in_holdout, n_purchases, expected_purchases (of the
        week), cumulative_purchases, cumulative_expected; repeat purchases of customers there by ``calibration_end``.
    """
    end = as_of or dataset.last_date
    if not dataset.first_date <= calibration_end < end <= dataset.last_date:
        raise UsageError("bad_holdout_dates", calibration_end=calibration_end, as_of=end)
    past = _Past(dataset, calibration_end, end, time_unit)
    expected = past.tracking(model)
    weeks = past.weeks
    table = pd.DataFrame(
        {
            "week_end": weeks["week_end"],
            "in_holdout": weeks["week_end"] > calibration_end,
            "n_purchases": weeks["n_purchases"],
            "expected_purchases": np.diff(expected, prepend=0.0),
            "cumulative_purchases": weeks["n_purchases"].cumsum(),
            "cumulative_expected": expected,
        }
    )
    inside = table["in_holdout"]
    actual, predicted = (float(table.loc[inside, name].sum()) for name in ("n_purchases", "expected_purchases"))
    facts = {
        "calibration_end": Fact(calibration_end, "date"),
        "as_of": Fact(end, "date"),
        "n_weeks": Fact(len(table), "weeks"),
        "actual_purchases": Fact(int(actual), "count"),
        "expected_purchases": Fact(predicted, "purchases"),
        "error_share": Fact(predicted / actual - 1 if actual else None, "share"),
    }
    parameters = {"calibration_end": calibration_end, "as_of": end, "time_unit": time_unit}
    return Finding("weekly_tracking", table, facts, parameters, ("tracking_expects_new_customers",))
