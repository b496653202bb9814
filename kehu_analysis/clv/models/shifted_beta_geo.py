"""The shifted beta-geometric model: how long contracts are renewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import as_number, generator_of
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.fitting.sample import Sample
from kehu_analysis.clv.models.contracts import contract_counts
from kehu_analysis.clv.numerics import discrete_dropout
from kehu_analysis.clv.numerics.rising_factorials import running_sum
from kehu_analysis.errors import InsufficientDataError, UsageError

#: numpy's geometric draws need a chance above 0; below this nobody leaves within any horizon.
_SMALLEST_CHANCE = 1e-15


class ShiftedBetaGeoModel(MaximumLikelihoodModel):
    r"""Shifted beta-geometric: how many customers on contract renew, and how often they still will.

    At the end of each period a customer does not renew with a chance of their own, Beta(alpha, beta) over customers.
    Retention then rises with age, though no customer changes: those who leave easily have left (Fader and Hardie
    2007, Journal of Interactive Marketing 21(1), 76-90).

    Parameters
    ----------
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
        ``params_`` holds alpha, beta, which have no unit.

    Notes
    -----
    ``fit`` takes a row a customer with ``period`` and ``ended``, or a row a cohort and period with ``period``,
    ``n_left`` and ``n_customers``: see :func:`~kehu_analysis.clv.models.contracts.contract_counts`. Cohorts of any age
    go together, and who was still there at the end counts as such. The share still there after t renewals and that of
    those who leave in period t are

    .. math:: S(t) = \frac{B(\alpha, \beta+t)}{B(\alpha, \beta)}, \qquad
              P(t) = \frac{B(\alpha+1, \beta+t-1)}{B(\alpha, \beta)}

    and their logarithms, summed over customers, are the log-likelihood. Where nobody left, or all in the first period,
    the parameters are named in ``at_boundary_``.

    Examples
    --------
    Fader and Hardie's regular customers, 1,000 at the start, over seven renewals:

    >>> left = [369, 163, 86, 56, 37, 27, 21]
    >>> cohort = pd.DataFrame({"period": range(1, 8), "n_left": left, "n_customers": 1000})
    >>> model = ShiftedBetaGeoModel().fit(cohort)
    >>> model.survival([0, 1, 4, 7]).round(2).tolist()
    [1.0, 0.63, 0.33, 0.24]

    A table of tenures, three customers still there:

    >>> tenures = pd.DataFrame({"period": [1, 1, 2, 4, 3, 3, 5], "ended": [True] * 4 + [False] * 3})
    >>> ShiftedBetaGeoModel().fit(tenures).n_customers_
    7
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    dimensions: ClassVar[tuple[int, ...]] = (0, 0)

    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""
        rows = contract_counts(summary)
        n_customers = float(rows["weight"].sum())
        if n_customers < 2:
            raise InsufficientDataError("too_few_customers", model=type(self).__name__, n=round(n_customers))
        period, ended, weight = (rows[name].to_numpy() for name in ("period", "ended", "weight"))
        left = float(weight[ended == 1].sum())
        at_renewal = float(weight[period > 0].sum())
        if period.max() == 0:
            raise InsufficientDataError("no_contract_renewed", n=round(n_customers))
        if period.max() == 1 and 0 < left < at_renewal:
            raise InsufficientDataError("one_renewal", n=round(at_renewal), n_left=round(left))
        return Sample({"period": period, "ended": ended}, weight, 1.0, 0.0)

    def _start(self, sample: Sample) -> FloatArray:
        period, ended = sample.columns["period"], sample.columns["ended"]
        leaves = (np.sum(ended * sample.weight) + 0.5) / (np.sum(period * sample.weight) + 1)
        return np.array([2 * leaves, 2 * (1 - leaves)])

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        alpha, beta = parameters
        ended = sample.columns["ended"]
        renewed = (sample.columns["period"] - ended).astype(np.intp)
        # Ratios of Gamma functions at whole numbers are products; their running sums keep every digit.
        k = np.arange(renewed.max(initial=0))
        each = alpha + beta + k
        last = alpha + beta + renewed
        value = _log_survival(alpha, beta, renewed) + ended * -np.log1p((beta + renewed) / alpha)
        by_alpha = -running_sum(1 / each)[renewed] + ended * (beta + renewed) / (alpha * last)
        by_beta = running_sum(alpha / ((beta + k) * each))[renewed] - ended / last
        return value, np.stack([by_alpha, by_beta])

    def survival(self, t: int | npt.ArrayLike, n_renewals: int | npt.ArrayLike = 0) -> FloatArray | float:
        """Share still there after ``t`` more renewals, of customers who have renewed ``n_renewals`` times.

        Parameters
        ----------
        t, n_renewals
            0, 1, 2, …: numbers or arrays that broadcast.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        alpha, beta = self._parameters()
        ahead, behind = np.broadcast_arrays(_whole(t), _whole(n_renewals))
        return _plain(np.exp(_log_survival(alpha, beta, ahead + behind) - _log_survival(alpha, beta, behind)))

    def retention_rate(self, t: int | npt.ArrayLike) -> FloatArray | float:
        r"""Share that renews at renewal ``t`` of those who are still there before it.

        Parameters
        ----------
        t
            1, 2, …: a number or an array.

        Returns
        -------
        :math:`(\beta+t-1) / (\alpha+\beta+t-1)`, between 0 and 1.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        alpha, beta = self._parameters()
        before = _whole(t, smallest=1) - 1
        return _plain((beta + before) / (alpha + beta + before))

    def expected_renewals(self, n_renewals: int | npt.ArrayLike, future_t: int | npt.ArrayLike) -> FloatArray | float:
        """Expected renewals among the next ``future_t`` of customers who have renewed ``n_renewals`` times.

        Parameters
        ----------
        n_renewals, future_t
            0, 1, 2, …: numbers or arrays that broadcast.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        alpha, beta = self._parameters()
        behind, ahead = np.broadcast_arrays(_whole(n_renewals), _whole(future_t))
        stay = beta + behind.ravel()
        lived = discrete_dropout.survival(np.full(len(stay), alpha), stay, ahead.ravel())[1]
        return _plain(lived.reshape(behind.shape))

    def discounted_expected_residual_lifetime(
        self, n_renewals: int | npt.ArrayLike, discount_rate: float
    ) -> FloatArray | float:
        r"""Expected number of periods still to be paid for by customers who stand just before their next renewal.

        The next period counts in full if it is renewed, the one after it 1 / (1 + discount_rate), and so on; times the
        margin of a period this is the residual value (Fader and Hardie 2010, Marketing Science 29, 85-93, eq. 6):

        .. math:: \frac{\beta+n}{\alpha+\beta+n}\,{}_2F_1\big(1, \beta+n+1; \alpha+\beta+n+1; 1/(1+d)\big)

        Parameters
        ----------
        n_renewals
            How often they have renewed so far, n: 0, 1, 2, …, a number or an array.
        discount_rate
            For each period, d, above 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError
        UsageError
            The rate is not above 0 (without discount the sum need not be finite), or a number is not whole.
        """
        _check_rate(discount_rate)
        alpha, beta = self._parameters()
        behind = _whole(n_renewals)
        stay = beta + behind.ravel()
        lived = discrete_dropout.discounted_survival(np.full(len(stay), alpha), stay, discount_rate)
        return _plain((1 + discount_rate) * lived.reshape(behind.shape))

    def discounted_expected_lifetime(self, discount_rate: float) -> float:
        r"""Expected number of periods that a new customer pays for, the first in full, the others discounted.

        .. math:: \sum_{t=0}^\infty S(t) / (1+d)^t = {}_2F_1\big(1, \beta; \alpha+\beta; 1/(1+d)\big)

        Parameters
        ----------
        discount_rate
            For each period, d, above 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        _check_rate(discount_rate)
        alpha, beta = self._parameters()
        return 1 + float(discrete_dropout.discounted_survival(np.array([alpha]), np.array([beta]), discount_rate)[0])

    def simulate_future(
        self,
        n_renewals: npt.ArrayLike,
        future_t: int,
        *,
        rng: RandomSource,
        draws: int = 1,
        parameters: pd.DataFrame | None = None,
    ) -> npt.NDArray[np.int64]:
        """Draw how many of the next ``future_t`` renewals each customer makes.

        Parameters
        ----------
        n_renewals
            How often each customer has renewed so far, shape (n,).
        future_t
            Number of coming renewals.
        rng
            Seed or generator.
        draws
            Number of futures of each customer.
        parameters
            One row a draw, to let the parameters vary as well (see :meth:`draw_parameters`); the fitted ones
            when not given.

        Returns
        -------
        Array of shape (draws, n).

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        fitted = self._parameters()
        values = np.tile(fitted, (draws, 1)) if parameters is None else parameters[["alpha", "beta"]].to_numpy()
        behind, ahead = np.atleast_1d(_whole(n_renewals)), int(_whole(future_t))
        return _renewals(values[:, [0]], values[:, [1]] + behind, ahead, generator_of(rng))

    def simulate_customers(self, n_periods: npt.ArrayLike, *, rng: RandomSource) -> pd.DataFrame:
        """Draw new customers, each seen for ``n_periods``: columns period and ended, as the model is fitted to.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        alpha, beta = self._parameters()
        seen = np.atleast_1d(_whole(n_periods))
        renewed = _renewals(alpha, np.full(len(seen), beta), seen, generator_of(rng))
        ended = renewed < seen
        return pd.DataFrame({"period": renewed + ended, "ended": ended})


def _renewals(
    leave: float | FloatArray, stay: FloatArray, most: int | npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    leaves = rng.beta(leave, stay)
    return np.asarray(np.minimum(rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE)) - 1, most), dtype=np.int64)


def _log_survival(alpha: FloatArray | float, beta: FloatArray | float, t: npt.NDArray[np.int64]) -> FloatArray:
    return running_sum(-np.log1p(alpha / (beta + np.arange(t.max(initial=0)))))[t]


def _whole(numbers: int | npt.ArrayLike, smallest: int = 0) -> npt.NDArray[np.int64]:
    given = np.asarray(numbers, dtype=float)
    if not (np.isfinite(given).all() and (given >= smallest).all() and (given % 1 == 0).all()):
        raise UsageError("bad_number_of_renewals", n_renewals=numbers, smallest=smallest)
    return np.asarray(given, dtype=np.int64)


def _plain(values: FloatArray) -> FloatArray | float:
    return float(values) if values.ndim == 0 else values


def _check_rate(discount_rate: float) -> None:
    if not 0 < as_number(discount_rate) < np.inf:
        raise UsageError("bad_discount_rate", discount_rate=discount_rate)
