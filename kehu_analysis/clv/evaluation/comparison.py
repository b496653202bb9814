"""Which model of purchases tells best what happened after a day that it has not seen beyond."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.evaluation.held_out import BASELINES, HeldOut
from kehu_analysis.clv.models.candidates import candidate_models
from kehu_analysis.clv.models.predictions import PurchasePredictions
from kehu_analysis.data import Dataset
from kehu_analysis.errors import ConvergenceError, DataError, InsufficientDataError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_unique

_LEAST_CHANCE = 1e-300
_COLUMNS = (
    *("model", "chosen", "n_parameters", "stages", "log_likelihood", "aic", "bic", "log_score", "score_behind"),
    *("score_standard_error", "mean_absolute_error", "root_mean_squared_error", "expected_purchases", "error_share"),
    *("tracking_error", "alive_expected", "brier_score", "failure"),
)


def compare_models(
    dataset: Dataset,
    calibration_end: date,
    models: Mapping[str, PurchasePredictions] | None = None,
    *,
    as_of: date | None = None,
    time_unit: str = "week",
    truth: pd.DataFrame | None = None,
) -> Finding:
    r"""Compare models fitted to the log up to a day by what they say of the days after it.

    Parameters
    ----------
    dataset
        An open dataset.
    calibration_end
        Last day that the models see. Customers won later are left out.
    models
        Unfitted models by name (a code under ``value.``); they are fitted here, the given objects too. By default
        those of :func:`~kehu_analysis.clv.models.candidates.candidate_models`.
    as_of
        Last day of the comparison, inclusive; by default the last day of the log.
    time_unit
        Unit of the fit.
    truth
        Where it is known, as of simulated data: customer_id and left_on (date, missing for who stayed).

    Returns
    -------
    Finding
        ``compare_models``. Table, a row a model in order of log_score, then naive forecasts: model, chosen,
        n_parameters (one more where the model chose its stages), stages (k), log_likelihood, aic, bic (of the
        calibration), log_score, score_behind (the best log_score less this one), score_standard_error (of that
        difference), mean_absolute_error and root_mean_squared_error (purchases a customer), expected_purchases (all
        customers), error_share, tracking_error (mean absolute error of the running total of purchases over the weeks,
        as a share of the actual total), failure (why not fitted), and with truth also alive_expected (customers) and
        brier_score (mean squared error of the probability of being alive at the end of ``calibration_end``). Columns
        that would be empty are left out.
        Naive forecasts: ``last_year`` (each customer buys as often as in the same weeks a year before), ``own_rate``
        (as often as so far), ``mean_rate`` (all alike).

        Chosen is the model with the highest log_score; where others lie within one standard error of the difference,
        the one of these with the fewest parameters, then the highest log_score.

    Raises
    ------
    UsageError
        The days are not in order within the log.
    DataError
        The truth lacks a column or a customer, or names one twice.
    InsufficientDataError
        Nobody had bought by ``calibration_end``, or no model could be fitted.

    Notes
    -----
    The log-score is :math:`\sum_i \ln P(X_i = x_i)`, the probability that a model gave to the number of purchases
    :math:`x_i` that customer i then made: no forecast but the true distribution has a higher expectation (Good 1952,
    Journal of the Royal Statistical Society B 14, 107-114). Over n customers whose log-scores lie :math:`d_i` below
    those of the best model, the standard error of the sum is :math:`\sqrt n` times the standard deviation of
    :math:`d_i`; the rule of one standard error is that of Breiman, Friedman, Olshen and Stone (1984), Classification
    and Regression Trees, section 3.4.3.

    Whether a model beats the naive forecasts is judged by the root mean squared error, which expectations make least.
    The mean absolute error is least at medians, and among customers who rarely buy at forecasts of nothing at all.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> models = {code: candidate_models()[code] for code in ("bg_nbd", "mbg_nbd")}
    >>> finding = compare_models(open_dataset("data/cdnow"), date(1997, 9, 30), models)
    >>> finding.facts["chosen_model"].value, finding.facts["chosen_beats_naive"].value
    ('mbg_nbd', True)
    """
    past = HeldOut(dataset, calibration_end, as_of, time_unit)
    alive = None if truth is None else was_alive(past.summary, truth, calibration_end)
    candidates = candidate_models() if models is None else models
    rows: list[dict[str, Any]] = []
    scores: dict[str, FloatArray] = {}
    for name, model in candidates.items():
        row, score = _judged(name, model, past, alive)
        rows.append(row)
        if score is not None:
            scores[name] = score
    if not scores:
        raise InsufficientDataError("no_model_fitted", models=", ".join(candidates))
    chosen = choose(scores, {row["model"]: row["n_parameters"] for row in rows})
    best = max(scores, key=lambda name: float(scores[name].sum()))
    for row in rows:
        if (own := scores.get(row["model"])) is not None:
            row["score_behind"], row["score_standard_error"] = _difference(scores[best], own)
    rows.sort(key=lambda row: -row.get("log_score", -np.inf))
    rows += [{"model": name} | _errors(forecast, past.actual) for name, forecast in past.naive().items()]
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).assign(chosen=lambda frame: frame["model"] == chosen)
    table = table.astype({"n_parameters": "Int64", "stages": "Int64"}).dropna(axis="columns", how="all")
    return _finding(table, past, chosen, alive)


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
        behind, standard_error = _difference(scores[best], scores[name])
        return behind <= standard_error

    return min(
        (name for name in scores if is_as_good(name)), key=lambda name: (n_parameters[name], -float(scores[name].sum()))
    )


def _difference(best: FloatArray, own: FloatArray) -> tuple[float, float]:
    # The sum over customers, and its standard error.
    difference = best - own
    return float(difference.sum()), float(difference.std() * np.sqrt(len(difference)))


def _judged(
    name: str, model: PurchasePredictions, past: HeldOut, alive: FloatArray | None
) -> tuple[dict[str, Any], FloatArray | None]:
    row: dict[str, Any] = {"model": name, "n_parameters": len(model.parameter_names)}
    # Stages that are not given are chosen by the likelihood, like a parameter.
    n_chosen = int("k" in model.get_params() and model.get_params()["k"] is None)
    try:
        model.fit(past.summary)
    except ConvergenceError:
        return row | {"failure": "not_converged"}, None
    except InsufficientDataError:
        return row | {"failure": "too_little_data"}, None
    k = len(model.params_) + n_chosen
    expected = np.asarray(model.expected_purchases(past.summary, past.length), dtype=np.float64)
    chance = model.expected_probability_of_purchases(past.summary, past.length, past.actual).to_numpy(dtype=float)
    score = np.log(np.maximum(chance, _LEAST_CHANCE))
    row |= {
        "n_parameters": k,
        "stages": getattr(model, "k_", 1),
        "log_likelihood": float(model.log_likelihood_),
        "aic": float(2 * k - 2 * model.log_likelihood_),
        "bic": float(k * np.log(len(past.summary)) - 2 * model.log_likelihood_),
        "log_score": float(score.sum()),
        **_errors(expected, past.actual),
        "tracking_error": past.tracking_error(past.tracked(model)),
    }
    if alive is not None:
        thought = model.expected_probability_alive(past.summary).to_numpy(dtype=float)
        row |= {"alive_expected": float(thought.sum()), "brier_score": float(np.mean((thought - alive) ** 2))}
    return row, score


def was_alive(summary: pd.DataFrame, truth: pd.DataFrame, day: date) -> FloatArray:
    """Return 1 for customers who had not left by the end of a day, else 0, by the truth of simulated data.

    Parameters
    ----------
    summary
        customer_id.
    truth
        customer_id and left_on (the day on which the customer left, missing for who stayed).
    day
        Last day counted: whoever left on it had left.

    Returns
    -------
    Array of shape (n,), in the order of ``summary``.

    Raises
    ------
    DataError
        The truth lacks a column or a customer, or names one twice.

    Examples
    --------
    >>> truth = pd.DataFrame({"customer_id": ["a", "b"], "left_on": [None, "2026-03-31"]})
    >>> was_alive(pd.DataFrame({"customer_id": ["b", "a"]}), truth, date(2026, 3, 31)).tolist()
    [0.0, 1.0]
    """
    check_columns(truth, ("customer_id", "left_on"), analysis="compare_models")
    check_unique(truth, "customer_id", analysis="compare_models")
    known = summary["customer_id"].isin(truth["customer_id"])
    if not known.all():
        examples = ", ".join(summary.loc[~known, "customer_id"].astype(str)[:3])
        raise DataError("truth_lacks_customers", n=int((~known).sum()), examples=examples)
    left = pd.to_datetime(truth.set_index("customer_id")["left_on"]).reindex(summary["customer_id"])
    return np.asarray(left.isna() | (left > pd.Timestamp(day)), dtype=np.float64)


def _errors(expected: FloatArray, actual: npt.NDArray[np.int64]) -> dict[str, float]:
    missed, total = expected - actual, int(actual.sum())
    return {
        "mean_absolute_error": float(np.abs(missed).mean()),
        "root_mean_squared_error": float(np.sqrt((missed**2).mean())),
        "expected_purchases": float(expected.sum()),
        "error_share": float(expected.sum() / total - 1) if total else np.nan,
    }


def _finding(table: pd.DataFrame, past: HeldOut, chosen: str, alive: FloatArray | None) -> Finding:
    best = table[table["chosen"]].iloc[0]
    naive = table[table["model"].isin(BASELINES)]
    beaten = naive.sort_values("root_mean_squared_error").iloc[0]
    facts = {
        "n_customers": Fact(len(past.summary), "customers"),
        "n_models": Fact(int(table["log_score"].notna().sum()), "count"),
        "calibration_end": Fact(past.calibration_end, "date"),
        "as_of": Fact(past.as_of, "date"),
        "holdout_days": Fact((past.as_of - past.calibration_end).days, "days"),
        "actual_purchases": Fact(int(past.actual.sum()), "count"),
        "chosen_model": Fact(chosen, "code"),
        "chosen_stages": Fact(best["stages"], "count"),
        "chosen_log_score": Fact(best["log_score"], "parameter"),
        "chosen_expected_purchases": Fact(best["expected_purchases"], "purchases"),
        "chosen_error_share": Fact(best.get("error_share"), "share"),
        "chosen_tracking_error": Fact(best.get("tracking_error"), "share"),
        "chosen_mean_absolute_error": Fact(best["mean_absolute_error"], "parameter"),
        "chosen_root_mean_squared_error": Fact(best["root_mean_squared_error"], "parameter"),
        "naive_model": Fact(beaten["model"], "code"),
        "naive_root_mean_squared_error": Fact(beaten["root_mean_squared_error"], "parameter"),
        "chosen_beats_naive": Fact(bool(best["root_mean_squared_error"] < beaten["root_mean_squared_error"]), "code"),
    }
    notes = ["models_chosen_by_score", "later_customers_left_out"]
    if not facts["chosen_beats_naive"].value:
        notes.append("naive_not_beaten")
    if best["stages"] > 1:
        notes.append("purchases_regular")
    if "failure" in table:
        notes.append("models_not_fitted")
    if alive is not None:
        facts["actual_alive"] = Fact(int(alive.sum()), "customers")
        facts["chosen_alive_expected"] = Fact(best["alive_expected"], "customers")
        facts["chosen_brier_score"] = Fact(best["brier_score"], "parameter")
        notes.append("alive_known_from_simulation")
    parameters = {"calibration_end": past.calibration_end, "as_of": past.as_of, "time_unit": past.time_unit}
    return Finding("compare_models", table, facts, parameters, tuple(notes))
