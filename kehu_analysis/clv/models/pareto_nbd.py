"""The Pareto/NBD model of repeat purchases and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.covariates import Targets
from kehu_analysis.clv.fitting.sample import Sample
from kehu_analysis.clv.models.purchases import DrawnPurchases, History, PurchaseModel
from kehu_analysis.clv.numerics.exponential_dropout import (
    discounted_lifetime,
    left_before,
    lifetime_within,
    log_odds_left,
    probability_of_purchases,
)
from kehu_analysis.clv.numerics.future_counts import FutureCounts, counts_until_end
from kehu_analysis.clv.numerics.rising_factorials import rising

#: Nobody's end comes later than exp(500) times the scale.
_LATEST = 500.0
#: numpy's Poisson draws end a little above.
_MOST_PURCHASES = 1e18


class ParetoNBDModel(PurchaseModel):
    r"""Pareto/NBD: who is still a customer, and how many purchases are to come.

    While alive a customer purchases as a Poisson process with a rate of their own, Gamma(r, alpha) over customers;
    they leave for good at an unseen time, exponential with a rate of their own, Gamma(s, beta) over customers
    (Schmittlein, Morrison and Colombo 1987, Management Science 33, 1-24). Unlike in BG/NBD, silence makes
    anybody's end likelier, also of who bought once.

    Parameters
    ----------
    purchase_covariates, dropout_covariates, equal_effects, ridge
        See :class:`~kehu_analysis.clv.models.purchases.PurchaseModel`; covariates divide alpha and beta.
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
        ``params_`` holds r, alpha (in the time unit of the data), s, beta (in the same unit).

    Notes
    -----
    The summary has one row a customer: ``frequency`` x (repeat purchase days), ``recency`` t_x (age at the last
    purchase; 0 where x = 0) and ``T`` (age at the end), the last two in one time unit. The log-likelihood of a
    customer is, with all constants,

    .. math:: \ln\frac{\Gamma(r+x)\,\alpha^r \beta^s}{\Gamma(r)} +
              \ln\Big[(\alpha+T)^{-(r+x)} (\beta+T)^{-s} +
              s \int_{t_x}^T (\alpha+t)^{-(r+x)} (\beta+t)^{-(s+1)} dt\Big]

    Of a customer who is alive at T the purchase rate is Gamma(r + x, alpha + T) and the rate of leaving
    Gamma(s, beta + T), independent of each other; see :mod:`kehu_analysis.clv.numerics.exponential_dropout`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> T = np.full(400, 52.0)
    >>> active = np.minimum(T, rng.exponential(1 / rng.gamma(0.6, 1 / 12.0, 400)))
    >>> x = rng.poisson(rng.gamma(0.8, 1 / 9.0, 400) * active)
    >>> summary = pd.DataFrame({"frequency": x, "recency": np.where(x > 0, active * x / (x + 1), 0.0), "T": T})
    >>> model = ParetoNBDModel().fit(summary)
    >>> model.params_.index.tolist(), model.converged_
    (['r', 'alpha', 's', 'beta'], True)
    >>> bool(model.expected_purchases(summary, 13.0).between(0, 13 * x.max()).all())
    True
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    dimensions: ClassVar[tuple[int, ...]] = (0, 1, 0, 1)
    _targets: ClassVar[Targets] = {"purchase": ((1, -1.0),), "dropout": ((3, -1.0),)}

    def _start(self, sample: Sample) -> FloatArray:
        mean_purchases = float(np.average(sample.columns["x"], weights=sample.weight))
        return np.array([1.0, 1.0 / max(mean_purchases, 1e-3), 1.0, 1.0])

    def _other_starts(self, parameters: FloatArray) -> list[FloatArray]:
        # A second maximum may lie where many leave almost at once and the others hardly ever.
        return [np.array([*parameters[:2], 0.1, 1e-3]), np.array([*parameters[:2] * 10, 0.1, 1e-3])]

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        r, alpha, s, beta = parameters
        x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
        shape = r + x
        log_rate, by_r = rising(r, x)
        left = left_before(x, t_x, T, r, alpha, s, beta)
        log_a, log_b = np.log1p(T / alpha), np.log1p(T / beta)
        each = log_rate - x * np.log(alpha) - shape * log_a - s * log_b + np.logaddexp(0, left.log_odds)
        derivatives = special.expit(left.log_odds) * left.derivatives
        derivatives[0] += by_r - log_a
        derivatives[1] += (shape * (T / (alpha + T)) - x) / alpha
        derivatives[2] -= log_b
        derivatives[3] += s / beta * (T / (beta + T))
        return each, derivatives

    def probability_alive_of(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now."""
        return np.asarray(special.expit(-log_odds_left(*past, *parameters)))

    def purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` of customers who are alive now."""
        r, alpha, s, beta = parameters
        return (r + past.x) / (alpha + past.T) * lifetime_within(s, beta + past.T, t)

    def survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t``."""
        _, _, s, beta = parameters
        return np.asarray(np.exp(-s * np.log1p(t / (beta + past.T))))

    def counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` of customers who are alive now."""
        r, alpha, s, beta = parameters
        return probability_of_purchases(n, t, r + past.x, alpha + past.T, s, beta + past.T)

    def counts_by(
        self,
        past: History,
        t: FloatArray,
        most: int,
        parameters: Sequence[FloatArray],
        one_in: FloatArray | float = 1.0,
    ) -> FutureCounts:
        """Return the probabilities of 0 to ``most`` purchases in the next ``t`` of customers who are alive now."""
        r, alpha, s, beta = parameters
        shape, rate, s, end_rate = np.broadcast_arrays(r + past.x, (alpha + past.T) * one_in, s, beta + past.T)
        return counts_until_end(shape, rate, s, end_rate, t, most)

    def residual_while_alive(self, past: History, discount_rate: float, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected number of all coming purchases of customers alive now, discounted."""
        r, alpha, s, beta = parameters
        return (r + past.x) / (alpha + past.T) * discounted_lifetime(s, beta + past.T, discount_rate)

    def _draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: Sequence[FloatArray],
        chance: FloatArray,
        rng: np.random.Generator,
    ) -> DrawnPurchases:
        r, alpha, s, beta = parameters
        ends = np.cumsum(lengths)
        # One uniform number decides whether a customer is there and would buy, if they stayed, and when first: that
        # wait exceeds u with probability (rate / (rate + u))^shape.
        shape, rate = r + past.x, alpha + past.T
        uniform = rng.random(chance.shape)
        would = np.nonzero(uniform < -chance * np.expm1(-shape * np.log1p(ends[-1] / rate)))
        shape, rate = np.broadcast_to(shape, chance.shape), np.broadcast_to(rate, chance.shape)
        reached = np.log1p(-uniform[would] / chance[would])
        first = np.clip(rate[would] * np.expm1(-reached / shape[would]), 0, ends[-1])
        end_shape, end_rate = (np.broadcast_to(values, chance.shape)[would] for values in (s, beta + past.T))
        stays = end_rate * np.expm1(np.minimum(rng.standard_exponential(len(first)) / end_shape, _LATEST))
        does = first < stays
        draw, customer = would[0][does], would[1][does]
        first, last = first[does], np.minimum(stays[does], ends[-1])
        # After it the rate is Gamma(shape + 1, rate + first), the number of others negative binomial, and these fall
        # evenly over the time that is left.
        shape, rate = shape[draw, customer], rate[draw, customer]
        others = rng.negative_binomial(shape + 1, (rate + first) / (rate + last))
        bought = (ends >= first[:, None]).astype(np.int64)
        some = np.flatnonzero(others)
        left = np.clip(np.minimum(ends, last[some, None]) - first[some, None], 0, None)
        left = np.diff(left, axis=1, prepend=0)
        bought[some] += np.cumsum(rng.multinomial(others[some], left / left.sum(axis=1, keepdims=True)), axis=1)
        return DrawnPurchases(draw, customer, np.diff(bought, axis=1, prepend=0))

    def _draw_pasts(self, T: FloatArray, parameters: Sequence[FloatArray], rng: np.random.Generator) -> pd.DataFrame:
        r, alpha, s, beta = parameters
        rate = rng.gamma(r, 1 / alpha, len(T))
        ends = beta * np.expm1(np.minimum(rng.standard_exponential(len(T)) / s, _LATEST))
        active = np.minimum(ends, T)
        x = rng.poisson(np.minimum(rate * active, _MOST_PURCHASES))
        # The last of x times that are uniform.
        last = active * rng.random(len(T)) ** (1 / np.maximum(x, 1))
        return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, last, 0.0), "T": T})
