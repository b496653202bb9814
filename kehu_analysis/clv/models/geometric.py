"""Purchases, regular or not, of customers who may leave for good after each: one likelihood with two switches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.covariates import Targets
from kehu_analysis.clv.fitting.sample import Sample
from kehu_analysis.clv.models.geometric_draws import draw_futures, draw_pasts
from kehu_analysis.clv.models.purchases import DrawnPurchases, History, PurchaseModel
from kehu_analysis.clv.numerics.discounted_purchases import discounted_regular_purchases
from kehu_analysis.clv.numerics.future_counts import FutureCounts, counts_until_purchase
from kehu_analysis.clv.numerics.geometric_dropout import expected_purchases_while_alive
from kehu_analysis.clv.numerics.regular_purchases import (
    Stages,
    expected_regular_purchases,
    phases,
    probability_of_regular_purchases,
)
from kehu_analysis.clv.numerics.rising_factorials import MOST_SUMMED, log_rising, log_rising_slope, rising, running_sum

#: Telling fewer rows apart takes longer than it saves.
_FEW_ROWS, _FEW_REGULAR_ROWS = 5000, 300


class GeometricDropoutModel(PurchaseModel):
    r"""Repeat purchases of customers who, with a chance of their own, leave for good after a purchase.

    BG/NBD, MBG/NBD and their regular forms are this model with two switches: the number k of stages to a purchase, and
    whether a customer may leave right after the first purchase.

    Parameters
    ----------
    concentration_covariates
        Static covariates of how alike the chances to leave of customers are: a coefficient c multiplies both a and b
        by exp(c) for each unit of its covariate, which leaves the odds a / b as they are.
    purchase_covariates, dropout_covariates, equal_effects, ridge
        See :class:`~kehu_analysis.clv.models.purchases.PurchaseModel`. Covariates of dropout multiply a, and with it
        the odds of leaving.
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`.

    Notes
    -----
    While alive a customer passes stages at a rate of their own, Gamma(r, alpha) over customers, and buys at every k-th:
    times between purchases are Erlang-k. The chance to leave is Beta(a, b) over customers. With x repeat purchases,
    the last at age :math:`t_x` of T, S the sum of the logs of the times between purchases and d = 1 where the customer
    may leave after the first purchase too, the likelihood is, with all constants,

    .. math:: \frac{e^{(k-1)S}}{\Gamma(k)^x} \Big\{
        \frac{B(a,b+x+d)}{B(a,b)} \sum_{j=0}^{k-1} \frac{(T-t_x)^j}{j!}
            \frac{\Gamma(r+kx+j)\,\alpha^r}{\Gamma(r)(\alpha+T)^{r+kx+j}}
        + 1_{x+d>0} \frac{B(a+1,b+x+d-1)}{B(a,b)} \frac{\Gamma(r+kx)\,\alpha^r}{\Gamma(r)(\alpha+t_x)^{r+kx}} \Big\}

    (Fader, Hardie and Lee 2005; Batislam, Denizel and Filiztekin 2007; Platzer and Reutterer 2016). Of a customer who
    is alive, j stages have passed since the last purchase in proportion to the terms of the sum; the rate is then
    Gamma(r + kx + j, alpha + T) and the chance to leave Beta(a, b + x + d).
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    dimensions: ClassVar[tuple[int, ...]] = (0, 1, 0, 0)
    #: Where a and b are multiplied alike the odds of leaving stay, and customers differ less in them.
    _targets: ClassVar[Targets] = {
        "purchase": ((1, -1.0),),
        "dropout": ((2, 1.0),),
        "concentration": ((2, 1.0), (3, 1.0)),
    }
    #: 1 where the customer may leave right after the first purchase, 0 where only after a repeat purchase.
    _leaves_at_once: ClassVar[int]

    def __init__(
        self,
        *,
        purchase_covariates: str | Sequence[str] | None = None,
        dropout_covariates: str | Sequence[str] | None = None,
        concentration_covariates: str | Sequence[str] | None = None,
        equal_effects: Sequence[str] = (),
        ridge: float = 0.0,
        max_iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(
            purchase_covariates=purchase_covariates,
            dropout_covariates=dropout_covariates,
            equal_effects=equal_effects,
            ridge=ridge,
            max_iterations=max_iterations,
            tolerance=tolerance,
        )
        self.concentration_covariates = concentration_covariates

    @abstractmethod
    def stages(self) -> int:
        """Return the number of stages to a purchase."""

    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""
        k = self.stages()
        if k == 1:
            return super().sample_of(summary)
        # The times between purchases move no parameter. They stay out of the rows, which so are fewer.
        rows = self._checked(summary, [*self._columns, "sum_log_interval"])
        sample = super().sample_of(summary)
        weight = rows["weight"] if "weight" in rows.columns else 1.0
        purchases = float((rows["frequency"] * weight).sum())
        logs = float((rows["sum_log_interval"] * weight).sum()) - purchases * np.log(sample.measure)
        constant = (k - 1) * logs - purchases * float(special.gammaln(k))
        return replace(sample, log_jacobian=sample.log_jacobian + constant)

    def _start(self, sample: Sample) -> FloatArray:
        mean_purchases = float(np.average(sample.columns["x"], weights=sample.weight))
        # What customers of a shop are often like: a few steps fewer than from even odds.
        return np.array([0.5, 0.25 / max(self.stages() * mean_purchases, 1e-3), 0.7, 2.5])

    def _other_starts(self, parameters: FloatArray) -> list[FloatArray]:
        # The likelihood may have a second maximum where some leave at the first occasion and the others never: there a
        # and b go to 0 together. A search that ends where nobody leaves is too far from it to find it.
        return [np.array([*parameters[:2], 1e-3, 4e-3])]

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        # All but the factor of S, which the sample adds as a constant.
        r, alpha, a, b = parameters
        x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
        k, d = self.stages(), self._leaves_at_once
        log_now, log_last = np.log1p(T / alpha), np.log1p(t_x / alpha)
        rate, rate_by_r = rising(r, k * x)
        stayed, stayed_by_a, stayed_by_b = _log_chance_stayed(a, b, x + d)
        shape = r + k * x
        log_leaves, after_last = _log_odds_of_leaving(a, b, x, d)
        alive = -shape * log_now
        alive_by_r, alive_by_alpha = -log_now, shape * T / (alpha + T)
        if k > 1:
            log_sum, share = phases(shape, (T - t_x) / (alpha + T), k)
            mean = np.tensordot(np.arange(k), share, 1)
            # The logarithm of (shape)_j grows by 1/shape + ... + 1/(shape + j - 1).
            slopes = np.cumsum(1 / (shape + np.arange(k - 1)[:, None]), axis=0)
            alive = alive + log_sum
            alive_by_r = alive_by_r + np.sum(share[1:] * slopes, axis=0)
            alive_by_alpha = alive_by_alpha - mean * alpha / (alpha + T)
        gone = log_leaves - shape * log_last
        # What np.logaddexp does, in a tenth of its time.
        smaller = np.exp(-np.abs(gone - alive))
        either = np.maximum(alive, gone) + np.log1p(smaller)
        share_gone = np.where(gone > alive, 1.0, smaller) / (1 + smaller)
        share_alive = np.where(gone > alive, smaller, 1.0) / (1 + smaller)
        derivatives = np.stack(
            [
                rate_by_r + share_alive * alive_by_r - share_gone * log_last,
                (share_alive * alive_by_alpha + share_gone * shape * t_x / (alpha + t_x) - k * x) / alpha,
                share_gone / a + stayed_by_a,
                stayed_by_b - share_gone / after_last,
            ]
        )
        return rate + stayed - k * x * np.log(alpha) + either, derivatives

    def probability_alive_of(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now."""
        k, d = self.stages(), self._leaves_at_once
        rows = past.x + d > 0
        r, alpha, a, b = (_of_rows(values, rows) for values in parameters)
        chance = np.ones(np.broadcast(past.x, *parameters).shape)
        x, t_x, T = past.part(rows)
        log_odds_gone = np.log(a / (b + (x + (d - 1)))) + (r + k * x) * np.log1p((T - t_x) / (alpha + t_x))
        if k > 1:
            log_odds_gone = log_odds_gone - phases(r + k * x, (T - t_x) / (alpha + T), k)[0]
        chance[..., rows] = special.expit(-log_odds_gone)
        return chance

    def purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` of customers who are alive now."""
        return _by_unique_rows(self._expected, self._known(past, parameters), t)

    def survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t``."""
        # Of those who leave, each does so after a purchase: the chance is that of the purchase times p, and p times
        # Beta(a, b) is a / (a + b) times Beta(a + 1, b).
        known = self._known(past, parameters)
        further = known._replace(leave=known.leave + 1)
        leaves = known.leave / (known.leave + known.stay) * _by_unique_rows(self._expected, further, t)
        return np.clip(1 - leaves, 0.0, 1.0)

    def counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` of customers who are alive now."""
        return np.clip(probability_of_regular_purchases(self._known(past, parameters), t, n), 0.0, 1.0)

    def counts_by(
        self,
        past: History,
        t: FloatArray,
        most: int,
        parameters: Sequence[FloatArray],
        one_in: FloatArray | float = 1.0,
    ) -> FutureCounts:
        """Return the probabilities of 0 to ``most`` purchases in the next ``t`` of customers who are alive now.

        Where one in so many is counted, so many chances to leave are one, larger by as much.
        """
        known = self._known(past, parameters)
        return counts_until_purchase(known._replace(rate=known.rate * one_in, stay=known.stay / one_in), t, most)

    def residual_while_alive(self, past: History, discount_rate: float, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected number of all coming purchases of customers alive now, discounted."""

        def discounted(known: Stages, rate: FloatArray) -> FloatArray:
            return discounted_regular_purchases(known, float(rate[0]))

        return _by_unique_rows(discounted, self._known(past, parameters), np.full(len(past.x), discount_rate))

    def remembered(self) -> tuple[str, ...]:
        """Return the fields of a history on which all depends that is expected of customers alive now."""
        return ("x", "T") if self.stages() == 1 else ("x", "t_x", "T")

    def _draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: Sequence[FloatArray],
        chance: FloatArray,
        rng: np.random.Generator,
    ) -> DrawnPurchases:
        return draw_futures(past, lengths, parameters, chance, self.stages(), self._leaves_at_once, rng)

    def _draw_pasts(self, T: FloatArray, parameters: Sequence[FloatArray], rng: np.random.Generator) -> pd.DataFrame:
        return draw_pasts(T, parameters, self.stages(), self._leaves_at_once, rng)

    def _known(self, past: History, parameters: Sequence[FloatArray]) -> Stages:
        k, d = self.stages(), self._leaves_at_once
        r, alpha, a, b = parameters
        x, t_x, T = past
        shape, rate, leave, stay = np.broadcast_arrays(r + k * x, alpha + T, a, b + (x + d))
        return Stages(shape, rate, leave, stay, phases(shape, (T - t_x) / rate, k)[1])

    def _expected(self, known: Stages, t: FloatArray) -> FloatArray:
        if self.stages() == 1:
            return expected_purchases_while_alive(known.shape, known.rate, known.leave, known.stay, t)
        return expected_regular_purchases(known, t)


def _log_odds_of_leaving(a: FloatArray, b: FloatArray, x: FloatArray, d: int) -> tuple[FloatArray, FloatArray]:
    """Return the log odds of having left at the last purchase given b's term of it, and that term."""
    # Where all share a and b, there are as many values as numbers of purchases.
    shared = np.ndim(a) == 0 and np.ndim(b) == 0 and len(x) > 0 and x.max() < len(x)
    numbers = np.arange(x.max() + 1) if shared else x
    after_last = np.where(numbers + d > 0, b + (numbers + (d - 1)), np.inf)  # b + 1 - 1 would be 0 where b is tiny
    with np.errstate(divide="ignore"):
        log_leaves = np.log(a / after_last)
    place = x.astype(np.intp) if shared else slice(None)
    return log_leaves[place], after_last[place]


def _log_chance_stayed(a: FloatArray, b: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the logarithm of B(a, b + n) / B(a, b), and its derivatives."""
    if np.ndim(a) or np.ndim(b) or n.max() > MOST_SUMMED:
        by_a = -log_rising_slope(a + b, n)
        return log_rising(b, n) - log_rising(a + b, n), by_a, log_rising_slope(b, n) + by_a
    place = n.astype(np.intp)
    stay = b + np.arange(place.max())
    return (
        -running_sum(np.log1p(a / stay))[place],
        -running_sum(1 / (a + stay))[place],
        running_sum(a / (stay * (a + stay)))[place],
    )


def _of_rows(values: FloatArray, rows: npt.NDArray[np.bool_]) -> FloatArray:
    by_customer = np.ndim(values) > 0 and np.shape(values)[-1] == len(rows)
    return values[..., rows] if by_customer else values


def _by_unique_rows(function: Callable[[Stages, FloatArray], FloatArray], known: Stages, t: FloatArray) -> FloatArray:
    if len(t) < (_FEW_ROWS if len(known.phase) == 1 else _FEW_REGULAR_ROWS):
        return function(known, t)
    # Many customers are alike once it is known that they are alive.
    columns = [known.shape, known.rate, known.leave, known.stay, t]
    if len(known.phase) > 1:
        columns += [known.phase[0], known.phase[-1]]
    rows = pd.DataFrame(dict(enumerate(columns)))
    group = rows.groupby(list(rows.columns), sort=False).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    return np.asarray(function(known.part(first), t[first])[group])
