"""The beta-geometric/beta-Bernoulli model: purchases at opportunities that come one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import checked_summary
from kehu_analysis.clv.fitting.effects import Effect
from kehu_analysis.clv.fitting.sample import Sample, compressed
from kehu_analysis.clv.models.histories import DrawnPurchases, History, lengths_of
from kehu_analysis.clv.models.predictions import PurchasePredictions
from kehu_analysis.clv.numerics import discrete_dropout
from kehu_analysis.clv.numerics.rising_factorials import running_sum
from kehu_analysis.errors import InsufficientDataError, UsageError

_COLUMNS = ["frequency", "recency", "T"]
#: Pasts of two opportunities are of four kinds: three shares cannot tell four parameters.
_FEWEST_OPPORTUNITIES = 3
#: numpy's geometric draws need a chance above 0; below this nobody leaves within any horizon.
_SMALLEST_CHANCE = 1e-15


class BetaGeoBetaBinomModel(PurchasePredictions):
    r"""BG/BB: purchases at opportunities that come one by one (a yearly fair, a weekly tour), until an unseen end.

    At each opportunity a customer who is still there purchases with a chance p of their own, Beta(alpha, beta) over
    customers; just before each one they leave for good with a chance of their own, Beta(gamma, delta) over customers
    (Fader, Hardie and Shang 2010, Marketing Science 29, 1086-1108).

    Parameters
    ----------
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
        ``params_`` holds alpha, beta, gamma, delta, none of which has a unit.

    Notes
    -----
    The summary has one row a customer (or, with ``weight``, a group of identical ones), counted in opportunities
    after the one of the first purchase: ``T`` that there were, ``frequency`` x of them taken, and ``recency`` t_x, the
    number of the last one taken (0 where x = 0). Wherever another model speaks of time, this one counts opportunities.
    The log-likelihood is that of one customer's whole past, without the number of ways to have taken x opportunities
    up to t_x, as in the paper:

    .. math:: \ln\Big[\frac{B(\alpha+x,\beta+T-x)\,B(\gamma,\delta+T)}{B(\alpha,\beta)\,B(\gamma,\delta)} +
        \sum_{i=t_x}^{T-1} \frac{B(\alpha+x,\beta+i-x)\,B(\gamma+1,\delta+i)}{B(\alpha,\beta)\,B(\gamma,\delta)}\Big]

    It is computed as the chance of the past up to t_x times that of the silence since (see
    :func:`~kehu_analysis.clv.numerics.discrete_dropout.silence`), and no sum in it cancels.

    ``expected_probability_alive(summary)`` is the chance that the customer was there at opportunity T; with
    ``future_t=1``, at the next one, which the paper and the R package BTYD call P(alive).

    Examples
    --------
    Five opportunities; most of those who took the last one will take others.

    >>> summary = pd.DataFrame({"frequency": [0, 1, 1, 2, 3, 5, 4], "recency": [0, 1, 4, 2, 5, 5, 5], "T": 5,
    ...     "weight": [70, 24, 7, 12, 9, 11, 8]})
    >>> model = BetaGeoBetaBinomModel().fit(summary)
    >>> model.params_.index.tolist(), model.n_customers_
    (['alpha', 'beta', 'gamma', 'delta'], 141)
    >>> purchases = model.expected_purchases(summary, 3)
    >>> bool(purchases.between(0, 3).all() and purchases[5] > purchases[3])
    True
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "delta")
    dimensions: ClassVar[tuple[int, ...]] = (0, 0, 0, 0)
    _has_several_maxima: ClassVar[bool] = True

    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""
        rows = self._checked(summary, _COLUMNS)
        n_customers = float(rows["weight"].sum()) if "weight" in rows.columns else len(rows)
        if n_customers < 2:
            raise InsufficientDataError("too_few_customers", model=type(self).__name__, n=round(n_customers))
        if not (rows["frequency"] > 0).any():
            raise InsufficientDataError("nobody_bought_twice", n=round(n_customers))
        if rows["T"].max() < _FEWEST_OPPORTUNITIES:
            raise InsufficientDataError("too_few_opportunities", model=type(self).__name__, most=int(rows["T"].max()))
        unique = compressed(rows, _COLUMNS)
        values = {name: unique[column].to_numpy() for name, column in zip(("x", "t_x", "T"), _COLUMNS, strict=True)}
        return Sample(values, unique["weight"].to_numpy(), 1.0, 0.0)

    def _start(self, sample: Sample) -> FloatArray:
        x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
        taken = (np.sum(x * sample.weight) + 0.5) / (np.sum((t_x + T) / 2 * sample.weight) + 1)
        mean_T = float(np.average(T, weights=sample.weight))
        return np.array([2 * taken, 2 * (1 - taken), 1.0, max(mean_T, 1.0)])

    def _other_starts(self, parameters: FloatArray) -> list[FloatArray]:
        # Few purchases come of few who are willing, or of willing ones who leave at once.
        return [np.array([8.0, 1.5, 2.0, 0.5]), np.array([1.0, 1.0, 1.0, 1.0])]

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        # One value of each parameter for all customers: ratios of Gamma functions at whole numbers are then running
        # sums, which keep every digit however large the parameters.
        alpha, beta, gamma, delta = parameters
        x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
        taken, last = x.astype(np.intp), t_x.astype(np.intp)
        k = np.arange(last.max())
        buys, skips, either = alpha + k, beta + k, alpha + beta + k
        stays, lives = delta + k, gamma + delta + k
        missed = last - taken
        past = (
            running_sum(np.log(buys / (alpha + beta)))[taken]
            + running_sum(np.log(skips / (alpha + beta)))[missed]
            - running_sum(np.log1p(k / (alpha + beta)) + np.log1p(gamma / stays))[last]
        )
        derivatives = np.stack(
            [
                running_sum(1 / buys)[taken] - running_sum(1 / either)[last],
                running_sum(1 / skips)[missed] - running_sum(1 / either)[last],
                -running_sum(1 / lives)[last],
                running_sum(gamma / (stays * lives))[last],
            ]
        )
        same = np.zeros(len(x))
        silent, slopes = discrete_dropout.log_silence(
            alpha + x, beta + t_x - x, gamma + same, delta + t_x, (T - t_x).astype(np.int64)
        )
        return past + silent, derivatives + slopes

    def discounted_expected_residual_transactions(
        self, summary: pd.DataFrame, discount_rate: float
    ) -> pd.Series[float]:
        """Expected number of all coming purchases, each discounted to now: what is left of a customer.

        Parameters
        ----------
        summary
            See :meth:`expected_purchases`.
        discount_rate
            For each opportunity, above 0: a purchase at the i-th one from now counts 1 / (1 + discount_rate)^i. With
            one opportunity a year it is the yearly rate.

        Returns
        -------
        Series
            ``discounted_residual_transactions``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            The rate is not above 0: without discount the sum need not be finite.
        """
        return super().discounted_expected_residual_transactions(summary, discount_rate)

    def probability_alive_of(self, past: History, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that each customer is alive now."""
        alpha, beta, gamma, delta = (np.atleast_1d(values) for values in parameters)
        x, t_x, T = past
        silent, there = discrete_dropout.silence(
            alpha + x, beta + t_x - x, gamma, delta + t_x, (T - t_x).astype(np.int64)
        )
        return there / silent

    def purchases_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected purchases in the next ``t`` of customers who are alive now."""
        buy, skip, leave, stay = _now(past, parameters)
        return np.asarray(buy / (buy + skip) * discrete_dropout.survival(leave, stay, t)[1])

    def survival_while_alive(self, past: History, t: FloatArray, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the probability that customers who are alive now still are in ``t``."""
        _, _, leave, stay = _now(past, parameters)
        return discrete_dropout.survival(leave, stay, t)[0]

    def counts_while_alive(
        self, past: History, t: FloatArray, n: npt.NDArray[np.int64], parameters: Sequence[FloatArray]
    ) -> FloatArray:
        """Return the probability of exactly ``n`` purchases in the next ``t`` of customers who are alive now."""
        return discrete_dropout.counts(*_now(past, parameters), t, n)

    def residual_while_alive(self, past: History, discount_rate: float, parameters: Sequence[FloatArray]) -> FloatArray:
        """Return the expected number of all coming purchases of customers alive now, discounted."""
        buy, skip, leave, stay = _now(past, parameters)
        return np.asarray(buy / (buy + skip) * discrete_dropout.discounted_survival(leave, stay, discount_rate))

    def _draw_futures(
        self,
        past: History,
        lengths: FloatArray,
        parameters: Sequence[FloatArray],
        chance: FloatArray,
        rng: np.random.Generator,
    ) -> DrawnPurchases:
        # Whether a customer is there now is drawn first; of one who is, the chance to purchase is Beta(alpha + x,
        # beta + T - x) and that to leave Beta(gamma, delta + T).
        draw, customer = np.nonzero(rng.random(chance.shape) < chance)
        of = [np.broadcast_to(values, chance.shape)[draw, customer] for values in parameters]
        buy, skip, leave, stay = _now(past.part(customer), of)
        buys, leaves = rng.beta(buy, skip), rng.beta(leave, stay)
        lived = rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE)) - 1
        reached = np.minimum(lived[:, None], np.cumsum(lengths).astype(np.int64))
        purchases = rng.binomial(np.diff(reached, axis=1, prepend=0), buys[:, None])
        some = purchases.any(axis=1)
        return DrawnPurchases(draw[some], customer[some], purchases[some])

    def _draw_pasts(self, T: FloatArray, parameters: Sequence[FloatArray], rng: np.random.Generator) -> pd.DataFrame:
        alpha, beta, gamma, delta = parameters
        buys, leaves = rng.beta(alpha, beta, len(T)), rng.beta(gamma, delta, len(T))
        lived = np.minimum(rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE)) - 1, T.astype(np.int64))
        x = rng.binomial(lived, buys)
        # Any x of the opportunities lived are equally likely to be those taken: going back from the last one, it is
        # among them with chance x / (opportunities left).
        last = np.where(x > 0, lived, 0)
        open_rows = np.flatnonzero(last)
        while len(open_rows):
            open_rows = open_rows[rng.random(len(open_rows)) * last[open_rows] >= x[open_rows]]
            last[open_rows] -= 1
        return pd.DataFrame({"frequency": x, "recency": last, "T": T.astype(np.int64)})

    def covariate_effects(self, summary: pd.DataFrame) -> tuple[Effect, ...]:
        """Return what covariates do to the parameters of these customers."""
        return ()

    def _checked(self, summary: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        return checked_summary(summary, columns, in_opportunities=True)

    def _lengths(self, future_t: float | npt.ArrayLike, size: int) -> FloatArray:
        lengths = lengths_of(future_t, size)
        if (lengths % 1 != 0).any():
            raise UsageError("bad_opportunities", future_t=future_t)
        return lengths


def _now(past: History, parameters: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the Beta distributions of purchasing and of leaving of customers who are there now, (n,) each."""
    alpha, beta, gamma, delta = parameters
    x, _, T = past
    return alpha + x, beta + T - x, gamma + np.zeros(len(x)), delta + T
