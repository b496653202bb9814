"""When the models of purchases should not be taken at their word: what they suppose, held against the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from kehu_analysis.clv.maximise import FloatArray
from kehu_analysis.errors import UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.periods import days_per_unit

#: Beyond these a supposition counts as broken, if chance alone would hardly do it (:data:`_SIGNIFICANCE`).
SEASON_BOUND, ACQUISITION_BOUND, CORRELATION_BOUND, OLD_CUSTOMERS_BOUND = 0.25, 0.25, 0.3, 3.0
_SIGNIFICANCE = 0.01
_LEAST_HISTORY_DAYS = 182
_MONTHS_OF_SEASON, _MONTHS_OF_TREND, _MONTHS_OF_ARRIVAL = 24, 9, 2


def model_reservations(
    purchases: pd.DataFrame, summary: pd.DataFrame, *, as_of: date, horizon_days: int, time_unit: str = "week"
) -> Finding:
    """Answer: is there a reason not to trust a model of purchases and its values here?

    Parameters
    ----------
    purchases
        Purchases by customer and month: customer_id, month (monthly Period), n_purchase_days.
    summary
        One row a customer: frequency, T (age in ``time_unit``), monetary_value (currency).
    as_of
        Last day counted; months that it does not complete are left out.
    horizon_days
        Length of the forecast.
    time_unit
        Unit of T.

    Returns
    -------
    Finding
        ``model_reservations``. Table, a row a supposition: supposition, measure (how far from it: season, the largest
        over the smallest month less 1, after trend and length of month; acquisition, change of new customers a year;
        window, the horizon over the length of the log; old_customers, new customers a month in the log's first months
        over later ones; correlation, of frequency and spend), bound, p_value (NaN where none applies), verdict
        (``holds``, ``broken`` or ``cannot_be_judged``).

    Raises
    ------
    DataError, InsufficientDataError
        A column is missing, or there are no rows.
    UsageError
        The horizon is not positive.

    Notes
    -----
    BG/NBD, Pareto/NBD and their like suppose that a customer's rate does not change while alive, that the customers of
    different times are alike, that the first purchase in the log is the first of all, and Gamma-Gamma that spend does
    not depend on frequency. The season is judged by the F test of twelve months in a regression of log purchases on a
    straight trend, acquisition by a Poisson regression with its variance scaled to the residuals.

    Examples
    --------
    >>> months = pd.period_range("2024-01", "2026-06", freq="M")
    >>> purchases = pd.DataFrame({"customer_id": "a", "month": months, "n_purchase_days": 40})
    >>> purchases.loc[purchases["month"].dt.month == 12, "n_purchase_days"] = 90
    >>> summary = pd.DataFrame({"frequency": [29.0], "T": [130.0], "monetary_value": [5.0]})
    >>> finding = model_reservations(purchases, summary, as_of=date(2026, 6, 30), horizon_days=365)
    >>> finding.table.set_index("supposition")["verdict"]["season"]
    'broken'
    """
    if horizon_days <= 0:
        raise UsageError("bad_horizon", future_t=horizon_days)
    check_columns(purchases, ("customer_id", "month", "n_purchase_days"), analysis="model_reservations")
    check_columns(summary, ("frequency", "T", "monetary_value"), analysis="model_reservations")
    check_numbers(summary, ("frequency", "T"), analysis="model_reservations", at_least=0)
    by_month = _by_month(purchases, as_of)
    old_customers, acquisition = _arrivals(by_month["n_new"].to_numpy(dtype=float))
    history_days = float(summary["T"].max()) * days_per_unit(time_unit)
    rows = [
        _season(by_month),
        acquisition,
        _window(horizon_days, history_days),
        old_customers,
        _correlation(summary),
    ]
    table = pd.DataFrame(rows, columns=["supposition", "measure", "bound", "p_value", "verdict"])
    verdicts = table.set_index("supposition")["verdict"]
    facts = {
        "n_broken": Fact(int((verdicts == "broken").sum()), "count"),
        "n_not_judged": Fact(int((verdicts == "cannot_be_judged").sum()), "count"),
        "n_suppositions": Fact(len(table), "count"),
        "history_days": Fact(round(history_days), "days"),
        "horizon_days": Fact(horizon_days, "days"),
        "n_months": Fact(len(by_month), "months"),
    }
    units = {"season": "share", "acquisition": "share", "window": "number", "old_customers": "number"}
    measures = table.set_index("supposition")["measure"]
    facts |= {f"{name}_measure": Fact(measures[name], units.get(name, "number")) for name in measures.index}
    notes = [f"broken_{name}" for name, verdict in verdicts.items() if verdict == "broken"]
    parameters = {"as_of": as_of, "horizon_days": horizon_days, "time_unit": time_unit}
    return Finding("model_reservations", table, facts, parameters, tuple(notes))


def _by_month(purchases: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return purchases and new customers of each whole month."""
    last = (pd.Timestamp(as_of) + pd.Timedelta(days=1)).to_period("M") - 1
    inside = purchases[(purchases["n_purchase_days"] > 0) & (purchases["month"] <= last)]
    if inside.empty:
        return pd.DataFrame({"n_purchases": [], "n_new": []}, index=pd.PeriodIndex([], freq="M"))
    months = pd.period_range(inside["month"].min(), last, freq="M")
    first = inside.groupby("customer_id")["month"].min().value_counts()
    return pd.DataFrame(
        {
            "n_purchases": inside.groupby("month")["n_purchase_days"].sum().reindex(months, fill_value=0),
            "n_new": first.reindex(months, fill_value=0),
        }
    )


def _verdict(broken: bool) -> str:
    return "broken" if broken else "holds"


def _season(by_month: pd.DataFrame) -> tuple[object, ...]:
    counts = by_month["n_purchases"]
    if len(counts) < _MONTHS_OF_SEASON or (counts <= 0).any():
        return "season", np.nan, SEASON_BOUND, np.nan, "cannot_be_judged"
    months = pd.PeriodIndex(counts.index)
    level = np.log(counts.to_numpy(dtype=float) / months.days_in_month.to_numpy())
    dummies = (months.month.to_numpy()[:, None] == np.arange(2, 13)[None, :]).astype(float)
    design = np.column_stack([np.ones(len(level)), np.arange(len(level)), dummies])
    fitted = sm.OLS(level, design).fit()
    effects = np.append(0.0, fitted.params[2:])
    measure = float(np.exp(effects.max() - effects.min()) - 1)
    contrast = np.eye(design.shape[1])[2:]
    # Months that repeat to the last bit leave no residual to test against.
    p_value = float(fitted.f_test(contrast).pvalue) if fitted.ssr > 1e-20 else float(measure < SEASON_BOUND)
    return "season", measure, SEASON_BOUND, p_value, _verdict(measure > SEASON_BOUND and p_value < _SIGNIFICANCE)


def _arrivals(new: FloatArray) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Judge the first months of the log, and the trend of new customers after them."""
    old_customers: tuple[object, ...] = ("old_customers", np.nan, OLD_CUSTOMERS_BOUND, np.nan, "cannot_be_judged")
    acquisition: tuple[object, ...] = ("acquisition", np.nan, ACQUISITION_BOUND, np.nan, "cannot_be_judged")
    later = new[_MONTHS_OF_ARRIVAL:]
    # Where nobody came in the second half of the log it is that of one cohort, and there is nothing to compare.
    if len(later) < _MONTHS_OF_TREND or later.sum() < len(later) or new[len(new) // 2 :].sum() == 0:
        return old_customers, acquisition
    measure = float(new[:_MONTHS_OF_ARRIVAL].mean() / later.mean())
    old_customers = ("old_customers", measure, OLD_CUSTOMERS_BOUND, np.nan, _verdict(measure > OLD_CUSTOMERS_BOUND))
    if measure > OLD_CUSTOMERS_BOUND:  # those of long standing who order rarely go on appearing as new
        return old_customers, acquisition
    design = sm.add_constant(np.arange(len(later)) / 12)
    fitted = sm.GLM(later, design, family=sm.families.Poisson()).fit(scale="X2")
    change, p_value = float(np.expm1(fitted.params[1])), float(fitted.pvalues[1])
    broken = abs(change) > ACQUISITION_BOUND and p_value < _SIGNIFICANCE
    return old_customers, ("acquisition", change, ACQUISITION_BOUND, p_value, _verdict(broken))


def _window(horizon_days: int, history_days: float) -> tuple[object, ...]:
    measure = horizon_days / max(history_days, 1.0)
    return "window", measure, 1.0, np.nan, _verdict(measure > 1 or history_days < _LEAST_HISTORY_DAYS)


def _correlation(summary: pd.DataFrame) -> tuple[object, ...]:
    buyers = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    x, m = (_logs(buyers[name]) for name in ("frequency", "monetary_value"))
    if len(buyers) < 4 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return "correlation", np.nan, CORRELATION_BOUND, np.nan, "cannot_be_judged"
    found = float(np.corrcoef(x, m)[0, 1])
    z = np.arctanh(min(max(found, -0.999999), 0.999999)) * np.sqrt(max(len(x) - 3, 1))
    p_value = float(2 * stats.norm.sf(abs(z)))
    broken = abs(found) > CORRELATION_BOUND and p_value < _SIGNIFICANCE
    return "correlation", found, CORRELATION_BOUND, p_value, _verdict(broken)


def _logs(values: Sequence[float] | pd.Series) -> FloatArray:
    return np.log(np.asarray(values, dtype=np.float64))
