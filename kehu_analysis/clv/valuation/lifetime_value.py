"""What each customer is still worth, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import check_draws, check_interval, days_per_unit, generator_of
from kehu_analysis.clv.fitting.bootstrap import bootstrap_parameters
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.fitting.parameter_sets import draw_parameter_sets
from kehu_analysis.clv.models.beta_geo import BetaGeoModel
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.valuation.customer_columns import COST_KNOWN, MARGIN
from kehu_analysis.clv.valuation.discounting import Horizon
from kehu_analysis.clv.valuation.equity_bounds import CustomerEquity
from kehu_analysis.clv.valuation.intervals import with_interval
from kehu_analysis.clv.valuation.lifetime_value_inputs import (
    customers_to_value,
    margin_shares,
    segments_of,
)
from kehu_analysis.clv.valuation.outlook import Outlook
from kehu_analysis.clv.valuation.totals import FEW_CUSTOMERS
from kehu_analysis.errors import UsageError
from kehu_analysis.finding import Fact, Finding

Model = TypeVar("Model", bound=MaximumLikelihoodModel)

_TOP_SHARE = 0.2
#: Customers up to whose number one customer's bounds hold what is open about the parameters: those of more are known so
#: well that they hardly matter to any one.
MOST_IN_DOUBT = 40_000
#: Sets of parameters; of a bootstrap, whose sets are not evenly spread, more.
DRAWS, _BOOTSTRAP_DRAWS = 256, 999


@dataclass(frozen=True)
class CustomerValues(Finding):
    """A finding of :func:`customer_lifetime_value`.

    Attributes
    ----------
    segments
        What :func:`equity_by_segment` tells: one row a segment.
    """

    segments: pd.DataFrame = field(default_factory=pd.DataFrame)


def customer_lifetime_value(
    summary: pd.DataFrame,
    *,
    purchase_model: PurchaseModel | None = None,
    spend_model: GammaGammaModel | None = None,
    horizon: float | None = 3.0,
    horizon_unit: str = "year",
    discount_rate: float = 0.10,
    margin: float | str | None = None,
    time_unit: str = "week",
    segment: str | None = None,
    interval: float = 0.9,
    draws: int | None = None,
    parameter_draws: Literal["normal", "bootstrap"] = "normal",
    rng: RandomSource = 0,
) -> CustomerValues:
    r"""Tell what each customer's coming purchases are worth today, and those of all together (customer equity).

    Parameters
    ----------
    summary
        One row a customer: customer_id, frequency (repeat purchase days), recency and T (ages in ``time_unit``),
        monetary_value (currency per repeat purchase day), and the columns named by ``margin`` and ``segment``; with
        those of :func:`~kehu_analysis.clv.with_margins` the finding says of how many customers costs are known.
    purchase_model, spend_model
        Models, fitted to customers in ``time_unit``; those not fitted yet are, to ``summary``. By default BG/NBD and
        Gamma-Gamma.
    horizon, horizon_unit
        How far ahead, in day, week, month (365.25 / 12 days), quarter or year; None for the whole life.
    discount_rate
        Effective rate per year; 0.10 makes 1.10 in a year worth 1 today.
    margin
        Share of sales that is margin: one share above 0 and up to 1, or a column with each customer's own, which may
        be below 0. By default values are sales, and the finding says so.
    time_unit
        Unit of recency and T.
    segment
        Column with each customer's segment, for :func:`equity_by_segment`.
    interval
        Coverage of every interval.
    draws
        Sets of parameters, common to all customers; by default 256, or 999 of a bootstrap.
    parameter_draws
        ``normal`` takes the uncertainty of parameters from the normal approximation in their logarithms,
        ``bootstrap`` from fits to customers drawn anew, where the models were fitted to these customers.
    rng
        Seed or generator.

    Returns
    -------
    Finding
        ``customer_lifetime_value``. Table, a row a customer by value: customer_id, (segment,) probability_alive,
        expected_purchases (up to the horizon, not discounted; missing where it is endless), expected_spend (currency
        per purchase day), customer_lifetime_value (currency today), value_parameter_low and value_parameter_high (what
        is open because the parameters are estimated), value_low and value_high (what may come: chance and parameters
        together), running_share_of_customers, running_share_of_value. Facts: customer_equity with both intervals,
        ``value_is`` (``margin`` or ``sales``).

    Raises
    ------
    DataError
        The summary breaks its rules, or a margin share is missing or above 1.
    InsufficientDataError, ConvergenceError
        A model could not be fitted, or mean spend does not exist.
    UsageError
        Horizon, units, rate, margin, interval or draws cannot be used, nothing is discounted on an endless horizon, or
        a bootstrap is asked for of models fitted to other customers.

    Notes
    -----
    Value is margin share times expected spend times discounted expected purchases,
    :math:`D(H) = \int_0^H e^{-\delta t} dE(t)`, with :math:`\delta` the logarithm of 1 + ``discount_rate`` (Fader,
    Hardie and Lee 2005, "RFM and CLV"; Gupta, Lehmann and Stuart 2004 for customer equity). Parameter intervals are
    the delta method's, normal for the logarithm of the value. The bounds of one customer are quantiles of the
    distribution of what they may spend (see :class:`~kehu_analysis.clv.valuation.future_laws.AmountLaw`); up to 40,000
    customers with what is open about the parameters in it, which beyond is negligible for one customer. Those of totals
    are quantiles of a sum of independent futures, taken exactly of up to 250 customers and by its three moments of
    more, times what totals are expected under evenly drawn sets of parameters, common to all customers.

    Examples
    --------
    >>> truth = BetaGeoModel()
    >>> truth.params_ = pd.Series({"r": 1.0, "alpha": 8.0, "a": 0.8, "b": 2.5})
    >>> rng = np.random.default_rng(2)
    >>> customers = truth.simulate_customers(rng.uniform(20, 100, 400), rng=rng)
    >>> customers["customer_id"] = [f"{i:03}" for i in range(400)]
    >>> customers["monetary_value"] = np.where(customers["frequency"] > 0, rng.gamma(6, 10, 400), 0.0)
    >>> finding = customer_lifetime_value(customers, horizon=1, margin=0.3, draws=49)
    >>> low, value, high = (finding.facts[f"customer_equity{end}"].value for end in ("_low", "", "_high"))
    >>> low < value < high, finding.facts["value_is"].value
    (True, 'margin')
    """
    check_interval(interval)
    if parameter_draws not in ("normal", "bootstrap"):
        raise UsageError("bad_parameter_draws", parameter_draws=parameter_draws)
    n_draws = (DRAWS if parameter_draws == "normal" else _BOOTSTRAP_DRAWS) if draws is None else draws
    check_draws(n_draws)
    reach = Horizon.of(horizon, horizon_unit, discount_rate=discount_rate, time_unit=time_unit)
    customers = customers_to_value(summary, segment)
    share = margin_shares(customers, margin)
    if not isinstance(purchase_model, PurchaseModel | None):
        raise UsageError("not_in_continuous_time", model=type(purchase_model).__name__)
    purchases = _fitted(BetaGeoModel() if purchase_model is None else purchase_model, customers)
    spends = _fitted(GammaGammaModel() if spend_model is None else spend_model, customers)
    names, codes = segments_of(customers, segment)
    sets, covariances = _parameter_sets((purchases, spends), customers, n_draws, parameter_draws, generator_of(rng))
    plain = [replace(reach, rate=0.0)] if np.isfinite(reach.length) else []
    outlook = Outlook(customers, purchases, [*plain, reach], spends)
    equity = CustomerEquity(outlook, share, codes, covariances, interval)
    varies = len(customers) <= MOST_IN_DOUBT
    equity.look(*sets, with_doubt=varies)
    table = _table(customers, outlook, equity, segment)
    repeats = customers["frequency"] > 0
    facts = {
        "n_customers": Fact(len(customers), "customers"),
        "value_is": Fact("sales" if margin is None else "margin", "code"),
        "horizon_days": Fact(reach.days if np.isfinite(reach.days) else None, "days"),
        "history_days": Fact(round(float(customers["T"].max()) * days_per_unit(time_unit)), "days"),
        "discount_rate": Fact(discount_rate, "share"),
        "interval": Fact(interval, "share"),
        **_total(equity),
        "expected_purchases": Fact(float(table["expected_purchases"].sum(skipna=False)), "purchases"),
        "binning_error_ppm": Fact(1e6 * outlook.binning_error(), "number"),
        **_concentration(table),
        "n_without_spend": Fact(int((repeats & (customers["monetary_value"] <= 0)).sum()), "customers"),
        "n_negative_margin": Fact(int((share < 0).sum()), "customers"),
        **_known_costs(customers, margin),
    }
    # Totals of many have their variance, and that of spend exists where px + q > 2 only.
    p, q, _ = spends.params_
    bought = customers["frequency"].where(repeats & (customers["monetary_value"] > 0), 0)
    if len(customers) > FEW_CUSTOMERS and bool((p * bought + q <= 2).any()):
        facts["spend_tail"] = Fact(float(q), "parameter")
    open_parameters = [*purchases.at_boundary_, *spends.at_boundary_]
    if open_parameters:
        facts["parameters_at_boundary"] = Fact(", ".join(open_parameters), "text")
    parameters: dict[str, Any] = {
        "purchase_model": type(purchases).__name__,
        "horizon": horizon,
        "horizon_unit": horizon_unit,
        "discount_rate": discount_rate,
        "margin": margin,
        "time_unit": time_unit,
        "segment": segment,
        "interval": interval,
        "draws": n_draws,
        "parameter_draws": parameter_draws,
        "parameters_vary": varies,
    }
    return CustomerValues(
        "customer_lifetime_value",
        table,
        facts,
        parameters,
        _notes(facts, varies=varies, binned=outlook.is_binned),
        segments=equity.by_segment(names),
    )


def _fitted(model: Model, customers: pd.DataFrame) -> Model:
    if hasattr(model, "params_"):
        # Parameters that were set, as from a publication, have no uncertainty that is known.
        check_is_fitted(model, "log_covariance_")
        return model
    fitted: Model = clone(model)
    return fitted.fit(customers)


def _parameter_sets(
    models: Sequence[MaximumLikelihoodModel],
    customers: pd.DataFrame,
    draws: int,
    kind: str,
    rng: np.random.Generator,
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return sets of parameters of each model, and the covariances of their logarithms."""
    if kind == "bootstrap":
        for model in models:
            if not model.was_fitted_to(customers):
                raise UsageError("bootstrap_of_others", model=type(model).__name__)
        drawn = [bootstrap_parameters(model, customers, draws, rng) for model in models]
        covariances = [_log_covariance(model, of).to_numpy() for model, of in zip(models, drawn, strict=True)]
        return [of.to_numpy(dtype=float) for of in drawn], covariances
    samples = [model.sample_to_judge_by(customers) for model in models]
    return draw_parameter_sets(models, draws, rng, samples), [model.log_covariance_.to_numpy() for model in models]


def _log_covariance(model: MaximumLikelihoodModel, drawn: pd.DataFrame) -> pd.DataFrame:
    n_positive = len(model.parameter_names)
    location = drawn.copy()
    location.iloc[:, :n_positive] = np.log(location.iloc[:, :n_positive])
    return location.cov()


def _table(customers: pd.DataFrame, outlook: Outlook, equity: CustomerEquity, segment: str | None) -> pd.DataFrame:
    order = np.argsort(-equity.value, kind="stable")
    is_endless = len(outlook.horizons) == 1
    expected_purchases = np.full(len(order), np.nan) if is_endless else outlook.purchases[:, 0]
    columns: dict[str, Any] = {"customer_id": customers["customer_id"].take(order).array}
    if segment is not None:
        columns["segment"] = customers[segment].take(order).array
    columns |= {
        name: values[order]
        for name, values in (
            ("probability_alive", outlook.probability_alive),
            ("expected_purchases", expected_purchases),
            ("expected_spend", outlook.spend),
            ("customer_lifetime_value", equity.value),
            ("value_parameter_low", equity.parameter_bounds[0]),
            ("value_parameter_high", equity.parameter_bounds[1]),
            ("value_low", equity.bounds[0]),
            ("value_high", equity.bounds[1]),
        )
    }
    columns["running_share_of_customers"] = np.arange(1, len(order) + 1) / len(order)
    total = equity.totals[-1]
    columns["running_share_of_value"] = np.cumsum(equity.value[order]) / (total if total > 0 else np.nan)
    return pd.DataFrame(columns)


def _total(equity: CustomerEquity) -> dict[str, Fact]:
    (low, high), (parameter_low, parameter_high) = equity.total_bounds, equity.total_parameter_bounds
    return with_interval("customer_equity", float(equity.totals[-1]), float(low[-1]), float(high[-1]), "currency") | {
        "customer_equity_parameter_low": Fact(float(parameter_low[-1]), "currency"),
        "customer_equity_parameter_high": Fact(float(parameter_high[-1]), "currency"),
    }


def _concentration(table: pd.DataFrame) -> dict[str, Fact]:
    top = int(np.ceil(_TOP_SHARE * len(table)))
    share = float(table["running_share_of_value"].iloc[top - 1])
    return {"top_share_of_customers": Fact(_TOP_SHARE, "share"), "top_share_of_value": Fact(share, "share")}


def _known_costs(customers: pd.DataFrame, margin: float | str | None) -> dict[str, Fact]:
    known = customers[COST_KNOWN] if margin == MARGIN and COST_KNOWN in customers.columns else pd.Series(dtype=float)
    return {
        "n_margin_of_others": Fact(int((known == 0).sum()), "customers"),
        "n_margin_of_some_lines": Fact(int(((known > 0) & (known < 1)).sum()), "customers"),
    }


def _notes(facts: Mapping[str, Fact], *, varies: bool, binned: bool) -> tuple[str, ...]:
    days, known = facts["horizon_days"].value, facts["history_days"].value
    top = facts["top_share_of_value"].value
    conditions = {
        "value_endless": days is None,
        "value_until_horizon": days is not None,
        f"value_is_{facts['value_is'].value}": True,
        "value_interval_kinds": varies,
        "value_interval_kinds_fixed": not varies,
        "customers_put_together": binned,
        "horizon_beyond_history": isinstance(days, float) and isinstance(known, int) and days > known,
        "left_out_of_spend": bool(facts["n_without_spend"].value),
        "margin_below_zero": bool(facts["n_negative_margin"].value),
        "margins_partly_known": any(facts[name].value for name in ("n_margin_of_others", "n_margin_of_some_lines")),
        "share_above_all": isinstance(top, float) and top > 1,
        "totals_without_variance": "spend_tail" in facts,
        "parameters_at_boundary": "parameters_at_boundary" in facts,
    }
    return tuple(note for note, holds in conditions.items() if holds)
