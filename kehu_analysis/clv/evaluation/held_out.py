"""A log cut in two: what is known on a day, what came after, and what was bought week by week."""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import days_per_unit
from kehu_analysis.clv.models.candidates import fitted_to, model_code
from kehu_analysis.clv.models.predictions import PurchasePredictions
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.data import Dataset
from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.summaries import btyd_summaries, weekly_purchases

#: Naive forecasts, which any model has to beat.
BASELINES = ("last_year", "own_rate", "mean_rate")
_YEAR_WEEKS = 52  # whole weeks, so that weekdays match
_MOST_WEEKS = 53


class HeldOut:
    """What is known on the last day of the calibration, and what came after.

    Parameters
    ----------
    dataset
        An open dataset.
    calibration_end, as_of
        Last days of the calibration and of the log, inclusive; the latter is by default the last day of the log.
    time_unit
        Unit of ages.

    Attributes
    ----------
    summary
        As of ``calibration_end``, with a row a customer.
    actual
        Repeat purchases of each of them afterwards, shape (n,).
    length
        Of the time afterwards, in ``time_unit``.
    weeks
        Their repeat purchases of each whole week.

    Raises
    ------
    UsageError
        The days are not in order, or the last is not in the log.
    InsufficientDataError
        Nobody had bought by ``calibration_end``.
    """

    def __init__(self, dataset: Dataset, calibration_end: date, as_of: date | None, time_unit: str) -> None:
        end = as_of or dataset.last_date
        # A quarter may be over though nobody bought on its last days.
        known_until = max(dataset.last_date, dataset.complete_until)
        if end > known_until:
            raise UsageError("day_beyond_log", as_of=end, last=dataset.last_date)
        if calibration_end >= end:
            raise UsageError("bad_holdout_dates", calibration_end=calibration_end, as_of=end)
        self.calibration_end, self.as_of, self.time_unit = calibration_end, end, time_unit
        self._dataset = dataset
        self.unit_days = days_per_unit(time_unit)
        self.length = (end - calibration_end).days / self.unit_days
        summaries = btyd_summaries(dataset, (calibration_end, end), time_unit)
        self.summary, later = summaries[calibration_end], summaries[end]
        if self.summary.empty:
            raise InsufficientDataError("no_rows", analysis="compare_models")
        counts = self.summary[["customer_id", "frequency"]].merge(later, on="customer_id", suffixes=("", "_later"))
        self.actual: npt.NDArray[np.int64] = (counts["frequency_later"] - counts["frequency"]).to_numpy(dtype=np.int64)
        self.weeks = weekly_purchases(dataset, calibration_end, end)

    def naive(self) -> dict[str, FloatArray]:
        """Return naive forecasts of each customer's purchases, those of :data:`BASELINES` that the log allows."""
        x, T = (self.summary[name].to_numpy(dtype=float) for name in ("frequency", "T"))
        found = {
            "own_rate": np.divide(x, T, out=np.zeros(len(x)), where=T > 0) * self.length,
            "mean_rate": np.full(len(x), x.sum() / T.sum() * self.length if T.any() else 0.0),
        }
        # So many whole weeks earlier that all of them were known then: a year has a day more than 52 weeks.
        weeks = max(_YEAR_WEEKS, ceil((self.as_of - self.calibration_end).days / 7))
        ends = [day - timedelta(weeks=weeks) for day in (self.calibration_end, self.as_of)]
        if weeks <= _MOST_WEEKS and ends[0] >= self._dataset.first_date:
            summaries = btyd_summaries(self._dataset, ends, "day")
            before, after = (self._purchase_days(summaries[day]) for day in ends)
            found["last_year"] = (after - before).to_numpy(dtype=float)
        return {name: found[name] for name in BASELINES if name in found}

    def _purchase_days(self, then: pd.DataFrame) -> pd.Series:
        number = then.set_index("customer_id")["frequency"] + 1
        return number.reindex(self.summary["customer_id"], fill_value=0)

    def tracked(self, model: PurchasePredictions) -> FloatArray:
        """Return the purchases of each whole week that a fitted model expects of all, from their first ones on."""
        ends = np.array([(day - self.calibration_end).days for day in self.weeks["week_end"]], dtype=np.int64)
        if not len(ends):
            return np.zeros(0)
        ends = np.concatenate([ends[:1] - 7, ends])
        days = (self.summary["T"].to_numpy(dtype=float) * self.unit_days).round().astype(np.int64)
        ages, number = np.unique(days, return_counts=True)
        # The expectation is needed once for each age in whole days, however many customers there are.
        reached = np.maximum(ages[:, None] + ends[None, :], 0)
        unique, place = np.unique(reached, return_inverse=True)
        expected = np.asarray(model.expected_purchases_new_customer(unique / self.unit_days))
        by_then = (expected[place.reshape(reached.shape)] * number[:, None]).sum(axis=0)
        return np.asarray(np.diff(by_then), dtype=np.float64)

    def tracking_error(self, tracked: FloatArray) -> float:
        """Return the mean absolute error of the running total of the weeks afterwards, over the actual one at the end.

        Parameters
        ----------
        tracked
            What :meth:`tracked` returns.
        """
        later = (self.weeks["week_end"] > self.calibration_end).to_numpy(dtype=bool)
        actual = np.cumsum(self.weeks["n_purchases"].to_numpy(dtype=float)[later])
        if not len(actual) or actual[-1] == 0:
            return float("nan")
        return float(np.abs(np.cumsum(tracked[later]) - actual).mean() / actual[-1])


def weekly_tracking(
    dataset: Dataset,
    model: PurchaseModel,
    calibration_end: date,
    *,
    as_of: date | None = None,
    time_unit: str = "week",
) -> Finding:
    r"""Lay the purchases that a model expects week by week beside those made.

    Parameters
    ----------
    dataset
        An open dataset.
    model
        Fitted to the log up to ``calibration_end`` in ``time_unit``, or unfitted: it is then fitted to it as a copy.
    calibration_end
        Last day that the model saw; customers won later are left out.
    as_of
        Last day of the comparison, inclusive; by default the last day of the log.
    time_unit
        Unit of the fit.

    Returns
    -------
    Finding
        ``weekly_tracking``. Table, a row a whole week: week_end (a week ends with ``calibration_end``), in_holdout,
        n_purchases (repeat purchases of customers there by ``calibration_end``), expected_purchases (of the week),
        cumulative_purchases, cumulative_expected. What is expected of a week follows from the days of first purchases
        alone, not from what each customer bought since. Facts are those of the weeks after ``calibration_end``.

    Raises
    ------
    UsageError
        The days are not in order within the log.
    InsufficientDataError
        Nobody had bought by ``calibration_end``, or the customers do not carry the model.
    ConvergenceError
        The model could not be fitted.

    Notes
    -----
    The tracking plot of Fader, Hardie and Lee (2005), Marketing Science 24, 275-284. With :math:`n_d` customers whose
    first purchase was d days before ``calibration_end``, the purchases expected up to day u after it are
    :math:`\sum_d n_d\, E[X(\max(d + u, 0))]`.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> from kehu_analysis.clv import BetaGeoModel
    >>> dataset = open_dataset("data/cdnow")
    >>> weekly_tracking(dataset, BetaGeoModel(), date(1997, 9, 30)).facts["n_weeks"].value
    39
    """
    past = HeldOut(dataset, calibration_end, as_of, time_unit)
    fitted = fitted_to(model, past.summary)
    expected = past.tracked(fitted)
    inside = past.weeks["week_end"] > calibration_end
    table = pd.DataFrame(
        {
            "week_end": past.weeks["week_end"],
            "in_holdout": inside,
            "n_purchases": past.weeks["n_purchases"],
            "expected_purchases": expected,
            "cumulative_purchases": past.weeks["n_purchases"].cumsum(),
            "cumulative_expected": expected.cumsum(),
        }
    )
    actual, predicted = (float(table.loc[inside, name].sum()) for name in ("n_purchases", "expected_purchases"))
    facts = {
        "model": Fact(model_code(fitted), "code"),
        "calibration_end": Fact(calibration_end, "date"),
        "as_of": Fact(past.as_of, "date"),
        "n_weeks": Fact(int(inside.sum()), "count"),
        "n_customers": Fact(len(past.summary), "customers"),
        "actual_purchases": Fact(int(actual), "count"),
        "expected_purchases": Fact(predicted, "purchases"),
        "error_share": Fact(predicted / actual - 1 if actual else None, "share"),
        "tracking_error": Fact(past.tracking_error(expected), "share"),
    }
    parameters = {"calibration_end": calibration_end, "as_of": past.as_of, "time_unit": time_unit}
    return Finding("weekly_tracking", table, facts, parameters, ("tracking_expects_new_customers",))
