"""How sure: what chance and the uncertainty of the parameters leave open about coming purchases and value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import generator_of
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel, draw_spend
from kehu_analysis.clv.models.purchases import History, PurchaseModel
from kehu_analysis.finding import Fact

#: Draws times customers held at once.
_CELLS = 250_000
_DIFFERENCE = 1e-3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PredictiveDraws:
    """Futures drawn with parameters that vary from draw to draw.

    Attributes
    ----------
    customers
        purchases_low, purchases_high (purchases), amount_low, amount_high (currency) over all periods, with
        the index of the summary; amounts only when spend was modelled.
    purchases, amount
        Totals of all customers, shape (draws, n_periods); ``amount`` is 0 without a model of spend.
    """

    customers: pd.DataFrame
    purchases: FloatArray
    amount: FloatArray


def predictive_draws(
    summary: pd.DataFrame,
    period_lengths: Sequence[float],
    purchase_model: PurchaseModel,
    spend_model: GammaGammaModel | None = None,
    *,
    interval: float,
    draws: int,
    rng: RandomSource,
) -> PredictiveDraws:
    """Draw futures of all customers, a block of customers at a time, keeping quantiles and totals only.

    Parameters
    ----------
    summary
        What the models were fitted on; its row order decides which random numbers a customer gets.
    period_lengths
        Lengths of the coming periods, in the time unit of the fit.
    purchase_model, spend_model
        Fitted models.
    interval
        Share of futures between low and high, e.g. 0.9.
    draws
        Number of futures.
    rng
        Seed or generator.
    """
    generator = generator_of(rng)
    rates = purchase_model.draw_parameters(draws, generator, summary).to_numpy()
    spends = None if spend_model is None else spend_model.draw_parameters(draws, generator, summary).to_numpy()
    lengths, effects = np.asarray(period_lengths, dtype=float), purchase_model.covariate_effects(summary)
    columns = ["frequency", "recency", "T", *(["monetary_value"] if spend_model is not None else [])]
    x, t_x, T, *spend = (summary[column].to_numpy(dtype=float) for column in columns)
    totals = {name: np.zeros((draws, len(lengths))) for name in ("purchases", "amount")}
    bounds = []
    step = max(1, _CELLS // draws)
    for first in range(0, len(summary), step):
        block = slice(first, first + step)
        own_effects = [effect.part(block) for effect in effects]
        past = History(x, t_x, T).part(block)
        drawn = purchase_model.draw_futures(past, lengths, rates, generator, effects=own_effects)
        values: dict[str, FloatArray] = {"purchases": drawn.purchases.astype(float)}
        if spends is not None:
            own = x[block][drawn.customer], spend[0][block][drawn.customer]
            values["amount"] = draw_spend(*own, drawn.purchases, spends[drawn.draw], generator)
        found: dict[str, FloatArray] = {}
        for name, by_period in values.items():
            for period in range(len(lengths)):
                totals[name][:, period] += np.bincount(drawn.draw, by_period[:, period], minlength=draws)
            futures = np.zeros((len(x[block]), draws))
            futures[drawn.customer, drawn.draw] = by_period.sum(axis=1)
            low, high = order_statistics(futures, interval)
            found |= {f"{name}_low": low, f"{name}_high": high}
        bounds.append(pd.DataFrame(found))
    customers = pd.concat(bounds, ignore_index=True).set_axis(summary.index)
    whole = dict.fromkeys(("purchases_low", "purchases_high"), "int64")
    return PredictiveDraws(customers.astype(whole), totals["purchases"], totals["amount"])


def order_statistics(futures: FloatArray, interval: float) -> tuple[FloatArray, FloatArray]:
    """Return low and high over draws (last axis), so that bounds of counts are counts; ``futures`` are rearranged.

    Of 99 draws the 5th and the 95th hold a new one with probability 0.9: 90 of the 100 gaps lie between them. Where
    no two draws hold it exactly, the next ones outside are taken.
    """
    draws = futures.shape[-1]
    ranks = (draws + 1) * (1 - interval) / 2, (draws + 1) * (1 + interval) / 2
    low = max(int(np.floor(ranks[0] + _ROUNDING)) - 1, 0)
    high = min(int(np.ceil(ranks[1] - _ROUNDING)) - 1, draws - 1)
    futures.partition((low, high), axis=-1)
    return futures[..., low], futures[..., high]


def quantiles(totals: FloatArray, interval: float) -> tuple[FloatArray, FloatArray]:
    """Return low and high over draws (first axis), between which a new one lies with probability ``interval``."""
    # numpy's usual quantiles are those of the draws at hand: of 99 they would hold a new one with probability 0.882.
    low, high = np.quantile(totals, [(1 - interval) / 2, (1 + interval) / 2], axis=0, method="weibull")
    return low, high


def parameter_interval(
    total: Callable[[Sequence[FloatArray]], FloatArray],
    models: Sequence[MaximumLikelihoodModel],
    interval: float,
) -> tuple[FloatArray, FloatArray]:
    """Interval of expectations that comes from not knowing the parameters alone (delta method).

    Parameters
    ----------
    total
        Parameters of each model to positive expectations, shape (k,).
    models
        Fitted models, independent of one another.
    interval
        Confidence, e.g. 0.9.

    Returns
    -------
    Low and high, each of shape (k,); normal for the logarithm of the expectation.
    """
    fitted: list[FloatArray] = [np.asarray(model.params_, dtype=np.float64) for model in models]
    centre = np.log(total(fitted))
    variance = np.zeros_like(centre)
    for place, model in enumerate(models):
        gradient = []
        for k in range(len(fitted[place])):
            ends = []
            for sign in (-1, 1):
                moved = [values.copy() for values in fitted]
                if k < len(model.parameter_names):
                    moved[place][k] *= np.exp(sign * _DIFFERENCE)
                else:  # a coefficient is no logarithm
                    moved[place][k] += sign * _DIFFERENCE
                ends.append(np.log(total(moved)))
            gradient.append((ends[1] - ends[0]) / (2 * _DIFFERENCE))
        slopes = np.stack(gradient)
        variance += np.einsum("ik,ij,jk->k", slopes, model.log_covariance_.to_numpy(), slopes)
    width = stats.norm.ppf((1 + interval) / 2) * np.sqrt(variance)
    return np.exp(centre - width), np.exp(centre + width)


def with_interval(name: str, value: float, low: float, high: float, unit: str) -> dict[str, Fact]:
    """Return the facts ``name``, ``name_low`` and ``name_high``."""
    return {name: Fact(value, unit), f"{name}_low": Fact(low, unit), f"{name}_high": Fact(high, unit)}


def parameter_facts(name: str, model: MaximumLikelihoodModel, interval: float) -> dict[str, Fact]:
    """Return a fitted model's log-likelihood and its parameters with intervals, as facts named after it."""
    facts = {f"{name}_log_likelihood": Fact(model.log_likelihood_, "parameter")}
    z = stats.norm.ppf((1 + interval) / 2)
    # Coefficients of covariates are no parameters of this kind. One at the boundary has no standard error, hence no
    # interval.
    names = list(model.parameter_names)
    values = model.params_[names]
    widths = np.exp(z * model.standard_errors_[names] / values)
    for parameter, value, width in zip(names, values.tolist(), widths.tolist(), strict=True):
        facts |= with_interval(f"{name}_{parameter}", value, value / width, value * width, "parameter")
    return facts
