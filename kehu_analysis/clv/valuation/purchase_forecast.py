"""What the customers will buy and spend in the coming quarters, each and in total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.clv.checks import check_draws, check_interval, customers_in_order, days_per_unit
from kehu_analysis.clv.fitting.maximum_likelihood import RandomSource
from kehu_analysis.clv.models.beta_geo import BetaGeoModel
from kehu_analysis.clv.models.candidates import model_code, refitted
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.valuation.forecast_bounds import DRAWS, ForecastBounds, Total, parameter_sets, plain_horizons
from kehu_analysis.clv.valuation.intervals import parameter_facts, parameter_interval, with_interval
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.errors import UsageError
from kehu_analysis.finding import Fact, Finding

#: Above this correlation of repeat purchases and spend, Gamma-Gamma's independence is in doubt.
CORRELATION_BOUND = 0.3
_TOP_SHARE = 0.2
_MOST_QUARTERS = 4


def purchase_forecast(
    summary: pd.DataFrame,
    *,
    as_of: date,
    quarter_days: Sequence[int],
    purchase_model: PurchaseModel | None = None,
    time_unit: str = "week",
    interval: float = 0.9,
    draws: int = DRAWS,
    rng: RandomSource = 0,
    names: Mapping[str, str] | None = None,
    check: Finding | None = None,
) -> Finding:
    """Expected purchases and sales of each customer and of all in each of the coming quarters.

    Fits a model of purchases, and Gamma-Gamma to the spend. Values are sales, not margin, and are not
    discounted.

    Parameters
    ----------
    summary
        One row a customer: customer_id, frequency (repeat purchase days), recency and T (ages in
        ``time_unit``), monetary_value (currency per repeat purchase day).
    as_of
        Last day of the log, inclusive; the first coming quarter begins on the day after.
    quarter_days
        Lengths in days of the coming quarters, one to four of them, e.g. (92, 92, 90, 91).
    purchase_model
        A model of purchases, fitted to ``summary``, or else fitted to it as a copy; BG/NBD by default.
    time_unit
        Unit of recency and T.
    interval
        Coverage of every interval.
    draws
        Sets of parameters, common to all customers.
    rng
        Seed or generator.
    names
        Customer names by customer_id, for a ``name`` column.
    check
        The ``holdout_check`` of the same customers: the forecast carries its error, and where the actual total
        lay outside the interval then, a note that the intervals are too narrow.

    Returns
    -------
    Finding
        ``purchase_forecast``. Table, a row a customer by expected_amount: customer_id, (name,) frequency,
        recency_days (days since the last purchase), probability_alive, expected_purchases, purchases_low,
        purchases_high, expected_amount, amount_low, amount_high, expected_amount_q1 …, running_share_of_customers and
        running_share_of_expected_amount. Low and high are *predictive*: chance and uncertainty of the
        parameters together, those of one customer from the distribution of what they may buy and spend.
        Facts give the totals by quarter and over the horizon with the predictive interval
        (``…_low``, ``…_high``) and, over the horizon, the one from the parameters alone
        (``…_parameter_low``, ``…_parameter_high``), both models' parameters, and ``holdout_error_share``.

    Raises
    ------
    DataError
        The summary breaks its rules.
    InsufficientDataError
        One customer, nobody bought twice, or mean spend that does not exist.
    ConvergenceError
        A model could not be fitted.
    UsageError
        Not one to four positive quarter lengths, or an interval outside 0 to 1.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> n = 500
    >>> T = rng.uniform(20, 60, n)
    >>> active = T * rng.beta(1, 1, n)
    >>> x = rng.poisson(rng.gamma(1, 0.1, n) * active)
    >>> summary = pd.DataFrame({"customer_id": [f"{i:03}" for i in range(n)], "frequency": x,
    ...     "recency": np.where(x > 0, active, 0), "T": T,
    ...     "monetary_value": np.where(x > 0, rng.gamma(6, 10, n), 0)})
    >>> finding = purchase_forecast(summary, as_of=date(2026, 9, 30), quarter_days=(92, 90, 91, 92), draws=50)
    >>> finding.facts["q1_end"].value, finding.facts["n_customers"].value
    (datetime.date(2026, 12, 31), 500)
    """
    if not (1 <= len(quarter_days) <= _MOST_QUARTERS and all(days > 0 for days in quarter_days)):
        raise UsageError("bad_quarter_days", quarter_days=list(quarter_days))
    check_interval(interval)
    check_draws(draws)
    if check is not None and check.name != "holdout_check":
        raise UsageError("wrong_finding", wanted="holdout_check", found=check.name)
    checked = None if check is None or check.not_run is not None else check
    unit_days = days_per_unit(time_unit)
    customers = customers_in_order(summary, ["frequency", "recency", "T", "monetary_value"])
    model = refitted(BetaGeoModel() if purchase_model is None else purchase_model, customers)
    spend_model = GammaGammaModel().fit(customers)
    history_days = round(float(customers["T"].max()) * unit_days)
    outlook = Outlook(customers, model, plain_horizons(quarter_days, unit_days), spend_model)
    bounds = ForecastBounds(outlook, interval)
    totals = bounds.totals(*parameter_sets(outlook, customers, draws, rng))
    table = _table(customers, outlook, bounds, unit_days, names)
    correlation = _correlation(customers, interval)
    facts = {
        "model": Fact(model_code(model), "code"),
        "n_customers": Fact(len(customers), "customers"),
        "horizon_days": Fact(sum(quarter_days), "days"),
        "interval": Fact(interval, "share"),
        "as_of": Fact(as_of, "date"),
        **_totals(totals),
        **_parameter_intervals(outlook, model, spend_model, interval),
        **_quarter_ends(as_of, quarter_days),
        "binning_error_ppm": Fact(1e6 * outlook.binning_error(), "number"),
        **_concentration(table),
        **parameter_facts("model", model, interval),
        **parameter_facts("gamma_gamma", spend_model, interval),
        "n_without_spend": Fact(spend_model.n_left_out_, "customers"),
        "n_repeat_buyers": Fact(int((customers["frequency"] > 0).sum()), "customers"),
        "correlation_bound": Fact(CORRELATION_BOUND, "number"),
        "history_days": Fact(history_days, "days"),
        "holdout_error_share": Fact(None, "share") if checked is None else checked.facts["error_share"],
        **correlation,
    }
    open_parameters = [*model.at_boundary_, *spend_model.at_boundary_]
    if open_parameters:
        facts["parameters_at_boundary"] = Fact(", ".join(open_parameters), "text")
    notes = ["sales_not_margin", "value_not_discounted", "value_intervals"]
    if model_code(model) in ("bg_nbd", "bg_cnbd_k"):
        notes.append("one_time_buyers_alive")
    if checked is not None and "holdout_outside_interval" in checked.notes:
        notes.append("intervals_failed_check")
    if outlook.is_binned:
        notes.append("customers_put_together")
    if sum(quarter_days) > history_days:
        notes.append("horizon_beyond_history")
    if spend_model.n_left_out_:
        notes.append("left_out_of_spend")
    found_correlation = correlation["correlation"].value
    if isinstance(found_correlation, float) and abs(found_correlation) > CORRELATION_BOUND:
        notes.append("spend_depends_on_frequency")
    if open_parameters:
        notes.append("parameters_at_boundary")
    parameters = {
        "model": model_code(model),
        "as_of": as_of,
        "quarter_days": tuple(quarter_days),
        "time_unit": time_unit,
        "interval": interval,
        "draws": draws,
    }
    return Finding("purchase_forecast", table, facts, parameters, tuple(notes))


def _table(
    customers: pd.DataFrame,
    outlook: Outlook,
    bounds: ForecastBounds,
    unit_days: float,
    names: Mapping[str, str] | None,
) -> pd.DataFrame:
    amounts = np.diff(outlook.purchases, axis=1, prepend=0.0) * outlook.spend[:, None]
    table = pd.DataFrame({"customer_id": customers["customer_id"]})
    if names is not None:
        table["name"] = [names.get(customer, "") for customer in customers["customer_id"]]
    table["frequency"] = customers["frequency"].astype("int64")
    table["recency_days"] = ((customers["T"] - customers["recency"]) * unit_days).round().astype("int64")
    table["probability_alive"] = outlook.probability_alive
    table["expected_purchases"] = outlook.purchases[:, -1]
    table["purchases_low"], table["purchases_high"] = bounds.purchases()
    table["expected_amount"] = outlook.purchases[:, -1] * outlook.spend
    table["amount_low"], table["amount_high"] = bounds.amounts()
    for quarter in range(amounts.shape[1]):
        table[f"expected_amount_q{quarter + 1}"] = amounts[:, quarter]
    table = table.sort_values(
        ["expected_amount", "customer_id"], ascending=[False, True], kind="stable", ignore_index=True
    )
    table["running_share_of_customers"] = np.arange(1, len(table) + 1) / len(table)
    table["running_share_of_expected_amount"] = table["expected_amount"].cumsum() / table["expected_amount"].sum()
    return table


def _totals(totals: Mapping[str, Sequence[Total]]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, unit in (("purchases", "purchases"), ("amount", "currency")):
        *quarters, whole = totals[name]
        facts |= with_interval(f"expected_{name}", *whole, unit)
        for number, quarter in enumerate(quarters, start=1):
            facts |= with_interval(f"expected_{name}_q{number}", *quarter, unit)
    return facts


def _parameter_intervals(
    outlook: Outlook, purchase_model: PurchaseModel, spend_model: GammaGammaModel, interval: float
) -> dict[str, Fact]:
    low, high = parameter_interval(outlook.totals_under, [purchase_model, spend_model], interval)
    return {
        "expected_purchases_parameter_low": Fact(float(low[0]), "purchases"),
        "expected_purchases_parameter_high": Fact(float(high[0]), "purchases"),
        "expected_amount_parameter_low": Fact(float(low[1]), "currency"),
        "expected_amount_parameter_high": Fact(float(high[1]), "currency"),
    }


def _quarter_ends(as_of: date, quarter_days: Sequence[int]) -> dict[str, Fact]:
    ends = [as_of + timedelta(days=sum(quarter_days[: k + 1])) for k in range(len(quarter_days))]
    return {f"q{k + 1}_end": Fact(end, "date") for k, end in enumerate(ends)} | {
        "horizon_end": Fact(ends[-1], "date"),
        "n_quarters": Fact(len(ends), "count"),
    }


def _concentration(table: pd.DataFrame) -> dict[str, Fact]:
    top = int(np.ceil(_TOP_SHARE * len(table)))
    share = float(table["running_share_of_expected_amount"].iloc[top - 1])
    return {"top_share_of_customers": Fact(_TOP_SHARE, "share"), "top_share_of_expected_amount": Fact(share, "share")}


def _correlation(customers: pd.DataFrame, interval: float) -> dict[str, Fact]:
    buyers = customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]
    x, m = buyers["frequency"].to_numpy(dtype=float), buyers["monetary_value"].to_numpy(dtype=float)
    if len(buyers) < 4 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return {f"correlation{end}": Fact(None, "number") for end in ("", "_low", "_high")}
    found = float(np.corrcoef(x, m)[0, 1])
    # Fisher's z: normal with variance 1 / (n - 3).
    z = np.arctanh(np.clip(found, -1 + 1e-12, 1 - 1e-12))
    width = stats.norm.ppf((1 + interval) / 2) / np.sqrt(len(buyers) - 3)
    return with_interval("correlation", found, float(np.tanh(z - width)), float(np.tanh(z + width)), "number")
