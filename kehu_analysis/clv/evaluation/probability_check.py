"""Are the probabilities right? What a model gave them, laid beside how often it then was so."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import check_interval
from kehu_analysis.clv.evaluation.comparison import was_alive
from kehu_analysis.clv.evaluation.held_out import HeldOut
from kehu_analysis.clv.models.candidates import fitted_to, model_code
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.data import Dataset
from kehu_analysis.finding import Fact, Finding

#: Probabilities are put together by tenths.
_STEPS = 10


def probability_check(
    dataset: Dataset,
    model: PurchaseModel,
    calibration_end: date,
    *,
    as_of: date | None = None,
    time_unit: str = "week",
    interval: float = 0.9,
    truth: pd.DataFrame | None = None,
) -> Finding:
    r"""Lay the probabilities that a model gave customers beside how often it was so.

    Parameters
    ----------
    dataset
        An open dataset.
    model
        Fitted to the log up to ``calibration_end`` in ``time_unit``, or unfitted: it is then fitted to it as a copy.
    calibration_end
        Last day that the model saw; customers won later are left out.
    as_of
        Last day of the check, inclusive; by default the last day of the log.
    time_unit
        Unit of the fit.
    interval
        Coverage of the intervals.
    truth
        Where it is known, as of simulated data: customer_id and left_on (date, missing for who stayed).

    Returns
    -------
    Finding
        ``probability_check``. Table, a row a tenth of the probability that was given to anybody: probability_of
        (``buys_again``: buys at least once from ``calibration_end`` to ``as_of``; with truth also ``still_customer``:
        had not left by the end of ``calibration_end``), n_customers, expected_share (mean probability), share_so (of
        whom it was so), share_so_low, share_so_high (Wilson's interval). Facts: how many were expected and how many it
        was, the mean absolute gap between expected_share and share_so (over customers), and the Brier score.

    Raises
    ------
    UsageError
        The days are not in order within the log, or the interval is none.
    DataError
        The truth lacks a column or a customer, or names one twice.
    InsufficientDataError
        Nobody had bought by ``calibration_end``, or the customers do not carry the model.
    ConvergenceError
        The model could not be fitted.

    Notes
    -----
    The gap is the expected calibration error of Naeini, Cooper and Hauskrecht (2015), AAAI 29, with ten bins of equal
    width; the Brier score is the mean squared difference of probability and outcome (Brier 1950, Monthly Weather Review
    78, 1-3). Wilson, E. B. (1927), Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> from kehu_analysis.clv import ParetoNBDModel
    >>> found = probability_check(open_dataset("data/cdnow"), ParetoNBDModel(), date(1997, 9, 30))
    >>> found.facts["n_customers"].value, found.facts["n_bought_again"].value
    (23570, 7058)
    """
    check_interval(interval)
    past = HeldOut(dataset, calibration_end, as_of, time_unit)
    fitted = fitted_to(model, past.summary)
    none = fitted.expected_probability_no_purchase(past.summary, past.length)
    buys = np.asarray(1 - none, dtype=np.float64)
    bought = np.asarray(past.actual > 0, dtype=np.float64)
    tables = [_by_tenths("buys_again", buys, bought, interval)]
    facts = {
        "model": Fact(model_code(fitted), "code"),
        "calibration_end": Fact(calibration_end, "date"),
        "as_of": Fact(past.as_of, "date"),
        "interval": Fact(interval, "share"),
        "n_customers": Fact(len(past.summary), "customers"),
        "expected_bought_again": Fact(round(float(buys.sum())), "customers"),
        "n_bought_again": Fact(int(bought.sum()), "customers"),
        **_errors("bought_again", tables[0], buys, bought),
    }
    if truth is not None:
        thought = np.asarray(fitted.expected_probability_alive(past.summary), dtype=np.float64)
        alive = was_alive(past.summary, truth, calibration_end)
        tables.append(_by_tenths("still_customer", thought, alive, interval))
        facts |= {
            "expected_still_customers": Fact(round(float(thought.sum())), "customers"),
            "n_still_customers": Fact(int(alive.sum()), "customers"),
            **_errors("still_customers", tables[1], thought, alive),
        }
    notes = ["tenths_of_probability"] + (["alive_checked_in_simulation"] if truth is not None else [])
    parameters = {"calibration_end": calibration_end, "as_of": past.as_of, "time_unit": time_unit, "interval": interval}
    return Finding("probability_check", pd.concat(tables, ignore_index=True), facts, parameters, tuple(notes))


def _by_tenths(name: str, probability: FloatArray, outcome: FloatArray, interval: float) -> pd.DataFrame:
    tenth = np.minimum((probability * _STEPS).astype(np.intp), _STEPS - 1)
    by_tenth = pd.DataFrame({"tenth": tenth, "probability": probability, "outcome": outcome}).groupby("tenth")
    table = by_tenth.agg(
        n_customers=("outcome", "size"), expected_share=("probability", "mean"), share_so=("outcome", "mean")
    ).reset_index(drop=True)
    hits = by_tenth["outcome"].sum().to_numpy()
    low, high = proportion_confint(hits, table["n_customers"], alpha=1 - interval, method="wilson")
    # Rounding may leave the ends of 0 and 1 on the wrong side of them.
    table["share_so_low"] = np.minimum(low, table["share_so"])
    table["share_so_high"] = np.maximum(high, table["share_so"])
    table.insert(0, "probability_of", name)
    return table


def _errors(name: str, table: pd.DataFrame, probability: FloatArray, outcome: FloatArray) -> dict[str, Fact]:
    gap = np.average((table["expected_share"] - table["share_so"]).abs(), weights=table["n_customers"])
    return {
        f"{name}_gap": Fact(float(gap), "share"),
        f"{name}_brier_score": Fact(float(np.mean((probability - outcome) ** 2)), "parameter"),
    }
