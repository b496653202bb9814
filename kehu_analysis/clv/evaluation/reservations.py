"""When the models of purchases should not be taken at their word: what they suppose, held against the log."""

from __future__ import annotations

import warnings
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.genmod.generalized_linear_model import GLMResults
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import days_per_unit
from kehu_analysis.clv.fitting.sample import compressed
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel
from kehu_analysis.errors import ConvergenceError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers

#: Beyond these a supposition counts as broken, if chance alone would hardly do it (:data:`SIGNIFICANCE`).
SEASON_BOUND, ACQUISITION_BOUND, SPEND_BOUND, OLD_CUSTOMERS_BOUND, WINDOW_BOUND = 0.25, 0.25, 0.15, 3.0, 1.0
SIGNIFICANCE = 0.01
_LEAST_HISTORY_DAYS = 182
_MONTHS_OF_SEASON, _MONTHS_OF_TREND, _MONTHS_OF_ARRIVAL = 24, 9, 2
_LEAST_BUYERS, _LEAST_SPREAD = 30, 1e-6
#: Powers of frequency in proportion to which spend is looked for, the number of parameters beside the power,
#: and decimals of it.
_STEEPEST, _OTHERS, _DECIMALS = 3.0, 3, 5
#: Of more buyers those whose spend differs by less than this share are taken together.
_MANY_BUYERS, _ALIKE = 20_000, 0.02
_BOUNDS = {
    "season": SEASON_BOUND,
    "acquisition": ACQUISITION_BOUND,
    "window": WINDOW_BOUND,
    "old_customers": OLD_CUSTOMERS_BOUND,
    "spend_and_frequency": SPEND_BOUND,
}


class _Measured(NamedTuple):
    # How far the log is from a supposition, and how often chance alone would do that; missing where it cannot be told.
    measure: float = np.nan
    p_value: float = np.nan


def model_reservations(
    purchases: pd.DataFrame, summary: pd.DataFrame, *, as_of: date, horizon_days: int, time_unit: str = "week"
) -> Finding:
    r"""Answer: is there a reason not to trust a model of purchases and its values here?

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
        ``model_reservations``. Table, a row a supposition: supposition, verdict (``holds``, ``broken`` or
        ``cannot_be_judged``), measure (how far the log is from it), bound, p_value (missing where none applies).
        Measures are: season, repeat purchases of the best calendar month over those of the worst, less 1, after trend,
        length of month and number of customers; acquisition, change of new customers a year, as a share; window, the
        horizon over the length of the log; old_customers, new customers a month in the log's first two months over
        those later; spend_and_frequency, by what share spend a purchase day differs at twice the frequency.

    Raises
    ------
    DataError, InsufficientDataError
        A column is missing or holds no sound numbers, or there are no rows.
    UsageError
        The horizon is not positive.

    Notes
    -----
    BG/NBD, Pareto/NBD and their like suppose that a customer's rate does not change while alive, that the customers of
    different times are alike, and that the first purchase in the log is the first of all; Gamma-Gamma, that spend does
    not depend on frequency. A supposition is broken where the measure is beyond its bound and chance would do that in
    less than 1 of 100 logs (the window: without a test, and in a log of less than half a year always).

    - Season: the F test of the calendar month in a regression of repeat purchases a month, with an offset of days and
      customers by then, and a trend in t and ln t; errors are Poisson's times a factor.
    - Acquisition: the t test of the slope of ln(new customers a month), with errors of the same kind.
    - Old customers: the binomial test of the first two months' share in all first purchases, against the bound's.
    - Spend: the likelihood-ratio test of Gamma-Gamma against itself with spend in proportion to :math:`x^\beta`, among
      n repeat buyers, by the F distribution with 1 and n - 4 degrees of freedom, which for many is chi-squared.
      Correlation of logarithms is no such test: the spread of mean spend shrinks with x, so that under Gamma-Gamma
      itself :math:`\mathrm{E}(\ln m)` rises with it; and t tests of means are too ready where spend is heavy-tailed
      and buyers are few.

    Examples
    --------
    >>> months = pd.period_range("2024-01", "2026-06", freq="M")
    >>> rng = np.random.default_rng(1)
    >>> purchases = pd.DataFrame({"customer_id": "a", "month": months, "n_purchase_days": rng.poisson(400, 30)})
    >>> purchases.loc[purchases["month"].dt.month == 12, "n_purchase_days"] += 500
    >>> summary = pd.DataFrame({"frequency": [29.0], "T": [130.0], "monetary_value": [5.0]})
    >>> finding = model_reservations(purchases, summary, as_of=date(2026, 6, 30), horizon_days=365)
    >>> finding.table.set_index("supposition")["verdict"]["season"]
    'broken'
    """
    if horizon_days <= 0:
        raise UsageError("bad_horizon", future_t=horizon_days)
    check_columns(purchases, ("customer_id", "month", "n_purchase_days"), analysis="model_reservations")
    check_numbers(purchases, ("n_purchase_days",), analysis="model_reservations", at_least=0)
    check_columns(summary, ("frequency", "T", "monetary_value"), analysis="model_reservations")
    check_numbers(summary, ("frequency", "T"), analysis="model_reservations", at_least=0)
    by_month = _by_month(purchases, as_of)
    old_customers, acquisition = _arrivals(by_month["n_new"].to_numpy(dtype=float))
    history_days = float(summary["T"].max()) * days_per_unit(time_unit)
    measured = {
        "season": _season(by_month),
        "acquisition": acquisition,
        "window": _Measured(horizon_days / max(history_days, 1.0)),
        "old_customers": old_customers,
        "spend_and_frequency": _spend(summary),
    }
    verdicts = {name: _verdict(name, found) for name, found in measured.items()}
    if history_days < _LEAST_HISTORY_DAYS:
        verdicts["window"] = "broken"
    table = pd.DataFrame(
        {
            "supposition": list(measured),
            "verdict": list(verdicts.values()),
            "measure": [found.measure for found in measured.values()],
            "bound": [_BOUNDS[name] for name in measured],
            "p_value": [found.p_value for found in measured.values()],
        }
    )
    facts = {
        "n_broken": Fact(list(verdicts.values()).count("broken"), "count"),
        "n_not_judged": Fact(list(verdicts.values()).count("cannot_be_judged"), "count"),
        "n_suppositions": Fact(len(table), "count"),
        "history_days": Fact(round(history_days), "days"),
        "horizon_days": Fact(horizon_days, "days"),
        "n_months": Fact(len(by_month), "months"),
    }
    for name, found in measured.items():
        facts[f"{name}_measure"] = Fact(found.measure, "number" if name in ("window", "old_customers") else "share")
        facts[f"{name}_verdict"] = Fact(verdicts[name], "code")
    notes = [f"broken_{name}" for name, verdict in verdicts.items() if verdict == "broken"]
    if facts["n_not_judged"].value:
        notes.append("suppositions_not_judged")
    parameters = {"as_of": as_of, "horizon_days": horizon_days, "time_unit": time_unit}
    return Finding("model_reservations", table, facts, parameters, tuple(notes))


def _verdict(name: str, found: _Measured) -> str:
    if np.isnan(found.measure):
        return "cannot_be_judged"
    # Acquisition and spend may change either way; of the others no measure is below 0.
    beyond = abs(found.measure) > _BOUNDS[name]
    return "broken" if beyond and not found.p_value >= SIGNIFICANCE else "holds"


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


def _season(by_month: pd.DataFrame) -> _Measured:
    if len(by_month) < _MONTHS_OF_SEASON:
        return _Measured()
    months = pd.PeriodIndex(by_month.index)
    new = by_month["n_new"].to_numpy(dtype=float)
    repeated = by_month["n_purchases"].to_numpy(dtype=float) - new
    if repeated.sum() < len(months):
        return _Measured()
    is_month = (months.month.to_numpy()[:, None] == np.arange(1, 13)[None, :]).astype(float)
    if (repeated @ is_month == 0).any():  # a month of rest each year: half a purchase keeps its logarithm finite
        repeated = repeated + 0.5
    # New customers are there for half of their first month.
    exposure = (new.cumsum() - new / 2) * months.days_in_month.to_numpy()
    years = np.arange(len(months)) / 12
    # Of customers won evenly, each buys ever less on average, as the dead are counted too: straight neither in t nor
    # in ln t, and near to a sum of both.
    design = np.column_stack([np.ones(len(months)), years, np.log(years + 1 / 12), is_month[:, 1:]])
    fitted = _fitted(repeated, design, np.log(exposure))
    effects = np.append(0.0, fitted.params[3:])
    test = fitted.wald_test(np.eye(design.shape[1])[3:], use_f=True, scalar=True)
    return _Measured(float(np.exp(effects.max() - effects.min()) - 1), float(test.pvalue))


def _arrivals(new: FloatArray) -> tuple[_Measured, _Measured]:
    """Judge the first months of the log, and the trend of new customers after them."""
    later = new[_MONTHS_OF_ARRIVAL:]
    # Where nobody came in the second half of the log it is that of one cohort, and there is nothing to compare.
    if len(later) < _MONTHS_OF_TREND or later.sum() < len(later) or new[len(new) // 2 :].sum() == 0:
        return _Measured(), _Measured()
    at_first = new[:_MONTHS_OF_ARRIVAL]
    # Months weigh as much in the first ones as the bound says, under the hypothesis that is to be refused.
    expected = OLD_CUSTOMERS_BOUND * len(at_first) / (OLD_CUSTOMERS_BOUND * len(at_first) + len(later))
    p_value = stats.binomtest(int(at_first.sum()), int(new.sum()), expected, alternative="greater").pvalue
    old_customers = _Measured(float(at_first.mean() / later.mean()), float(p_value))
    if _verdict("old_customers", old_customers) == "broken":
        return old_customers, _Measured()  # those of long standing who order rarely go on appearing as new
    design = sm.add_constant(np.arange(len(later)) / 12)
    fitted = _fitted(later, design, np.zeros(len(later)))
    return old_customers, _Measured(float(np.expm1(fitted.params[1])), float(fitted.pvalues[1]))


def _fitted(counts: FloatArray, design: FloatArray, offset: FloatArray) -> GLMResults:
    # Counts that are even to the last one would leave nothing to divide by, and raise a warning for outcomes 0 and 1.
    model = sm.GLM(counts, design, family=sm.families.Poisson(), offset=offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        found = model.fit(scale=1.0)
        spread = max(float(found.pearson_chi2) / found.df_resid, _LEAST_SPREAD)
        return model.fit(scale=spread, use_t=True, start_params=found.params)


def _spend(summary: pd.DataFrame) -> _Measured:
    buyers = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    x, m = (buyers[name].to_numpy(dtype=float) for name in ("frequency", "monetary_value"))
    if len(buyers) < _LEAST_BUYERS or np.ptp(x) == 0 or np.ptp(m) == 0:
        return _Measured()
    if len(buyers) > _MANY_BUYERS:
        m = np.exp(np.rint(np.log(m) / _ALIKE) * _ALIKE)
    alike = compressed(pd.DataFrame({"frequency": x, "monetary_value": m}), ["frequency", "monetary_value"])
    m, weight = (alike[name].to_numpy(dtype=float) for name in ("monetary_value", "weight"))
    log_x = np.log2(alike["frequency"].to_numpy(dtype=float))

    def lost(slope: float) -> float:
        # Log-likelihood of Gamma-Gamma with spend in proportion to a power of x.
        in_proportion = alike.assign(monetary_value=m * 2.0 ** (-slope * log_x))
        fitted = GammaGammaModel().fit(in_proportion)
        return float(slope * np.log(2) * np.sum(weight * log_x) - fitted.log_likelihood_)

    try:
        found = optimize.minimize_scalar(
            lost, bounds=(-_STEEPEST, _STEEPEST), method="bounded", options={"xatol": 1e-4}
        )
        # As fine as it was searched for: beyond lie the last bits of sums.
        slope = round(float(found.x), _DECIMALS)
        statistic = max(2 * (lost(0.0) - lost(slope)), 0.0)
    except (ConvergenceError, InsufficientDataError):
        return _Measured()
    return _Measured(2.0**slope - 1, float(stats.f.sf(statistic, 1, len(buyers) - _OTHERS - 1)))
