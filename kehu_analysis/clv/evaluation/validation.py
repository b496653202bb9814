"""Would the forecast have been right? Fit on the past of a past day, and compare with what came after."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import check_draws, check_interval, customers_in_order, days_per_unit
from kehu_analysis.clv.fitting.maximum_likelihood import RandomSource
from kehu_analysis.clv.models.beta_geo import BetaGeoModel
from kehu_analysis.clv.models.candidates import model_code, refitted
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.valuation.forecast_bounds import DRAWS, ForecastBounds, parameter_sets, plain_horizons
from kehu_analysis.clv.valuation.intervals import parameter_facts, with_interval
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.errors import DataError, UsageError
from kehu_analysis.finding import Fact, Finding

#: A total that misses by more than this share is said aloud.
ERROR_BOUND = 0.1
_LAST_BIN = 7
_EXAMPLES = 3
_COLUMNS = ["frequency", "recency", "T"]


def holdout_check(
    calibration_summary: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    calibration_end: date,
    as_of: date,
    model: PurchaseModel | None = None,
    time_unit: str = "week",
    interval: float = 0.9,
    draws: int = DRAWS,
    rng: RandomSource = 0,
) -> Finding:
    """Compare purchases predicted from the data up to ``calibration_end`` with those made until ``as_of``.

    Fits a model to the calibration summary alone; nothing later reaches the prediction.

    Parameters
    ----------
    calibration_summary, summary
        customer_id, frequency (repeat purchase days), recency and T (ages in ``time_unit``) as of
        ``calibration_end`` and of ``as_of``, both inclusive. Customers won in between are left out.
    calibration_end, as_of
        Last days of the two summaries.
    model
        A model of purchases, fitted to ``calibration_summary``, or else fitted to it as a copy; BG/NBD by default. Its
        covariates and ``sum_log_interval``, where it reads any, are columns of ``calibration_summary``.
    time_unit
        Unit of recency and T.
    interval
        Coverage of every interval.
    draws, rng
        Sets of parameters for the predictive interval of the total, and their seed or generator.

    Returns
    -------
    Finding
        ``holdout_check``. Table by frequency bin (0 … 6, 7+): frequency_bin, n_customers, expected_mean,
        actual_mean, actual_low, actual_high (purchases per customer; the interval is Poisson's, widened where
        counts vary more). Facts: totals with the predictive interval, error_share, MAE and RMSE per customer
        beside two naive forecasts (each customer's own mean rate; the mean rate of all), parameters.

    Raises
    ------
    DataError
        A summary breaks its rules, or the two do not fit each other or the dates.
    InsufficientDataError, ConvergenceError
        The calibration period does not carry the model.
    UsageError
        ``as_of`` is not after ``calibration_end``, or an interval outside 0 to 1.

    Examples
    --------
    >>> rng = np.random.default_rng(5)
    >>> T, rate = rng.uniform(20, 40, 400), rng.gamma(1, 0.1, 400)
    >>> active = T * rng.beta(1, 0.5, 400)
    >>> x = rng.poisson(rate * active)
    >>> before = pd.DataFrame({"customer_id": [f"{i:03}" for i in range(400)], "frequency": x,
    ...     "recency": np.where(x > 0, active, 0), "T": T})
    >>> after = before.assign(frequency=x + (active > 0.9 * T), T=T + 13)
    >>> finding = holdout_check(before, after, calibration_end=date(2026, 7, 1), as_of=date(2026, 9, 30), draws=50)
    >>> finding.facts["actual_purchases"].value == int((active > 0.9 * T).sum())
    True
    """
    if as_of <= calibration_end:
        raise UsageError("bad_holdout_dates", calibration_end=calibration_end, as_of=as_of)
    check_interval(interval)
    check_draws(draws)
    length = (as_of - calibration_end).days / days_per_unit(time_unit)
    both = _joined(calibration_summary, summary, length)
    fitted = refitted(BetaGeoModel() if model is None else model, both)
    outlook = Outlook(both, fitted, plain_horizons([length], 1.0))
    expected = outlook.purchases[:, -1]
    actual = np.asarray(both["actual"], dtype=np.float64)
    sets = parameter_sets(outlook, both, draws, rng)
    (_, low, high), *_ = ForecastBounds(outlook, interval).totals(*sets)["purchases"]
    x, T = (np.asarray(both[name], dtype=np.float64) for name in ("frequency", "T"))
    own_rate = np.divide(x, T, out=np.zeros(len(x)), where=T > 0) * length
    mean_rate = np.full(len(x), x.sum() / T.sum() * length)
    total_expected, total_actual = float(expected.sum()), int(actual.sum())
    error_share = total_expected / total_actual - 1 if total_actual else float("nan")
    facts = {
        "model": Fact(model_code(fitted), "code"),
        "n_customers": Fact(len(both), "customers"),
        "calibration_end": Fact(calibration_end, "date"),
        "as_of": Fact(as_of, "date"),
        "holdout_days": Fact((as_of - calibration_end).days, "days"),
        "interval": Fact(interval, "share"),
        **with_interval("expected_purchases", total_expected, float(low), float(high), "purchases"),
        "actual_purchases": Fact(total_actual, "count"),
        "error_share": Fact(error_share, "share"),
        "error_bound": Fact(ERROR_BOUND, "share"),
        **_errors("", expected, actual),
        **_errors("own_rate_", own_rate, actual),
        **_errors("mean_rate_", mean_rate, actual),
        **parameter_facts("model", fitted, interval),
    }
    notes = ["later_customers_left_out"]
    if fitted.at_boundary_:
        facts["parameters_at_boundary"] = Fact(", ".join(fitted.at_boundary_), "text")
        notes.append("parameters_at_boundary")
    if not total_actual or abs(error_share) > ERROR_BOUND:
        notes.append("holdout_error_large")
    if not low <= total_actual <= high:
        notes.append("holdout_outside_interval")
    parameters = {
        "model": model_code(fitted),
        "calibration_end": calibration_end,
        "as_of": as_of,
        "time_unit": time_unit,
        "interval": interval,
        "draws": draws,
    }
    return Finding("holdout_check", _by_frequency(x, expected, actual, interval), facts, parameters, tuple(notes))


def _joined(calibration: pd.DataFrame, summary: pd.DataFrame, length: float) -> pd.DataFrame:
    earlier, later = (customers_in_order(frame, _COLUMNS) for frame in (calibration, summary))
    both = earlier.merge(
        later[["customer_id", "frequency", "T"]], on="customer_id", how="left", suffixes=("", "_later")
    )
    both["actual"] = both["frequency_later"] - both["frequency"]
    # Rounding of ages is far below a thousandth of the holdout period.
    fits = (both["actual"] >= 0) & ((both["T_later"] - both["T"] - length).abs() <= 1e-3 * length)
    if not fits.all():
        wrong = both.loc[~fits, "customer_id"]
        examples = ", ".join(str(customer) for customer in wrong[:_EXAMPLES])
        raise DataError("holdout_mismatch", n=len(wrong), examples=examples)
    return both


def _errors(name: str, predicted: FloatArray, actual: FloatArray) -> dict[str, Fact]:
    missed = predicted - actual
    return {
        f"{name}mean_absolute_error": Fact(float(np.abs(missed).mean()), "parameter"),
        f"{name}root_mean_squared_error": Fact(float(np.sqrt((missed**2).mean())), "parameter"),
    }


def _by_frequency(x: FloatArray, expected: FloatArray, actual: FloatArray, interval: float) -> pd.DataFrame:
    bins = np.minimum(x, _LAST_BIN).astype(int)
    rows = []
    for value in np.unique(bins):
        here = bins == value
        low, high = _mean_interval(actual[here], interval)
        rows.append(
            {
                "frequency_bin": f"{value}+" if value == _LAST_BIN else str(value),
                "n_customers": int(here.sum()),
                "expected_mean": float(expected[here].mean()),
                "actual_mean": float(actual[here].mean()),
                "actual_low": low,
                "actual_high": high,
            }
        )
    return pd.DataFrame(rows)


def _mean_interval(counts: FloatArray, interval: float) -> tuple[float, float]:
    # Garwood's exact Poisson interval of the sum, with the sum divided by the dispersion: right where nobody
    # bought, and wide enough where customers differ more than Poisson's law lets them.
    n, total = len(counts), float(counts.sum())
    dispersion = max(1.0, float(counts.var(ddof=1) / counts.mean())) if n > 1 and total > 0 else 1.0
    scaled = total / dispersion
    tail = (1 - interval) / 2
    low = stats.chi2.ppf(tail, 2 * scaled) / 2 if scaled > 0 else 0.0
    high = stats.chi2.ppf(1 - tail, 2 * (scaled + 1)) / 2
    return float(low * dispersion / n), float(high * dispersion / n)
