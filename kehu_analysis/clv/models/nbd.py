"""The NBD model of repeat purchases: nobody ever leaves."""

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
from kehu_analysis.clv.models.histories import DrawnPurchases, History
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.clv.numerics.future_counts import FutureCounts, counts_for_ever
from kehu_analysis.clv.numerics.rising_factorials import rising

#: numpy's Poisson draws end a little above.
_MOST_PURCHASES = 1e18


class NBDModel(PurchaseModel):
    r"""NBD: how many purchases are to come if customers never leave.

    A customer purchases as a Poisson process with a rate of their own, Gamma(r, alpha) over customers, for ever
    (Ehrenberg 1959, Applied Statistics 8, 26-41). It is what the models with dropout are held against: the
    log-likelihood that they gain over it tells how much silence means.

    Parameters
    ----------
    purchase_covariates, ridge
        See :class:`~kehu_analysis.clv.models.purchases.PurchaseModel`; covariates divide alpha.
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
        ``params_`` holds r and alpha (in the time unit of the data).

    Notes
    -----
    The summary is that of :class:`~kehu_analysis.clv.BetaGeoModel`; ``recency`` is not used. The log-likelihood of a
    customer is, on one footing with the models that know dropout (all constants of the times of purchases in),

    .. math:: \ln\frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)} - (r+x) \ln(\alpha+T)

    Given the past the rate is Gamma(r + x, alpha + T), so that :math:`t (r + x) / (\alpha + T)` purchases are expected
    in the next t.

    Examples
    --------
    >>> truth = NBDModel()
    >>> truth.params_ = pd.Series({"r": 0.5, "alpha": 10.0})
    >>> customers = truth.simulate_customers(np.full(500, 52.0), rng=1)
    >>> model = NBDModel().fit(customers)
    >>> bool(abs(model.params_["r"] - 0.5) < 3 * model.standard_errors_["r"])
    True
    >>> model.expected_probability_alive(customers).unique().tolist()
    [1.0]
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha")
    dimensions: ClassVar[tuple[int, ...]] = (0, 1)
    _targets: ClassVar[Targets] = {"purchase": ((1, -1.0),)}

    def __init__(
        self,
        *,
        purchase_covariates: str | Sequence[str] | None = None,
        ridge: float = 0.0,
        max_iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(
            purchase_covariates=purchase_covariates, ridge=ridge, max_iterations=max_iterations, tolerance=tolerance
        )

    def _start(self, sample: Sample) -> FloatArray:
        mean_purchases = float(np.average(sample.columns["x"], weights=sample.weight))
        return np.array([1.0, 1.0 / max(mean_purchases, 1e-3)])

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        r, alpha = parameters
        x, T = sample.columns["x"], sample.columns["T"]
        log_rate, by_r = rising(r, x)
        log_now = np.log1p(T / alpha)
        each = log_rate - x * np.log(alpha) - (r + x) * log_now
        return each, np.stack([by_r - log_now, ((r + x) * (T / (alpha + T)) - x) / alpha])

    def probability_alive_of(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now."""
        return np.ones(np.broadcast(past.x, *parameters).shape)

    def purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` of customers who are alive now."""
        r, alpha = parameters
        return np.asarray((r + past.x) / (alpha + past.T) * t)

    def survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t``."""
        return np.ones(len(past.x))

    def counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` of customers who are alive now."""
        r, alpha = parameters
        shape, rate = r + past.x, alpha + past.T
        # Gamma(shape + n) / (Gamma(shape) n!), from a beta function: no large numbers to take from one another.
        log_ways = -np.log(shape + n) - special.betaln(shape, n + 1.0)
        return np.asarray(np.exp(np.minimum(log_ways - n * np.log1p(rate / t) - shape * np.log1p(t / rate), 0.0)))

    def counts_by(
        self,
        past: History,
        t: FloatArray,
        most: int,
        parameters: Sequence[FloatArray],
        one_in: FloatArray | float = 1.0,
    ) -> FutureCounts:
        """Return the probabilities of 0 to ``most`` purchases in the next ``t``."""
        r, alpha = parameters
        shape, rate = np.broadcast_arrays(r + past.x, (alpha + past.T) * one_in)
        return counts_for_ever(shape, rate, t, most)

    def residual_while_alive(self, past: History, discount_rate: float, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected number of all coming purchases of customers alive now, discounted."""
        r, alpha = parameters
        return np.asarray((r + past.x) / (alpha + past.T) / discount_rate)

    def _draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: Sequence[FloatArray],
        chance: FloatArray,
        rng: np.random.Generator,
    ) -> DrawnPurchases:
        r, alpha = parameters
        rate = rng.standard_gamma(np.broadcast_to(r + past.x, chance.shape)) / (alpha + past.T)
        bought = rng.poisson(np.minimum(rate[..., None] * lengths, _MOST_PURCHASES))
        draw, customer = np.nonzero(bought.any(axis=2))
        return DrawnPurchases(draw, customer, bought[draw, customer])

    def _draw_pasts(self, T: FloatArray, parameters: Sequence[FloatArray], rng: np.random.Generator) -> pd.DataFrame:
        r, alpha = parameters
        x = rng.poisson(np.minimum(rng.gamma(r, 1 / alpha, len(T)) * T, _MOST_PURCHASES))
        # The last of x times that are uniform.
        last = T * rng.random(len(T)) ** (1 / np.maximum(x, 1))
        return pd.DataFrame({"frequency": x, "recency": np.where(x > 0, last, 0.0), "T": T})
