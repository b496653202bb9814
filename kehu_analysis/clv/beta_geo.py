"""The beta-geometric/NBD model of repeat purchases and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv.base import MaximumLikelihoodModel, RandomSource, Sample, compressed
from kehu_analysis.clv.checks import checked_summary
from kehu_analysis.clv.geometric_dropout import expected_purchases_while_alive
from kehu_analysis.clv.maximise import FloatArray
from kehu_analysis.errors import InsufficientDataError, UsageError

_COLUMNS = ["frequency", "recency", "T"]
#: numpy's geometric draws need a chance above 0; below this nobody leaves within any horizon.
_SMALLEST_CHANCE = 1e-15


class BetaGeoModel(MaximumLikelihoodModel):
    r"""BG/NBD: who is still a customer, and how many purchases are to come.

    While alive a customer purchases as a Poisson process with a rate of their own, Gamma(r, alpha) over
    customers; after each purchase they leave for good with a chance of their own, Beta(a, b) over customers
    (Fader, Hardie and Lee 2005, Marketing Science 24, 275-284).

    Parameters
    ----------
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.base.MaximumLikelihoodModel`, which also lists the fitted attributes.
        ``params_`` holds r, alpha (in the time unit of the data), a, b.

    Notes
    -----
    The summary has one row a customer: ``frequency`` x (repeat purchase days), ``recency`` t_x (age at the last
    purchase; 0 where x = 0) and ``T`` (age at the end), the last two in one time unit. The log-likelihood of a
    customer is, with all constants,

    .. math:: \ln\frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)} + \ln\frac{B(a,b+x)}{B(a,b)} +
              \ln\Big[(\alpha+T)^{-(r+x)} + 1_{x>0}\,\frac{a}{b+x-1}(\alpha+t_x)^{-(r+x)}\Big]

    A customer leaves only after a *repeat* purchase in this model, so that whoever bought once is alive with
    probability 1 by construction: their silence lowers the expected purchases, not ``probability_alive``.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> T = np.full(400, 52.0)
    >>> x = rng.poisson(rng.gamma(0.8, 1 / 9.0, 400) * rng.uniform(5, T))
    >>> summary = pd.DataFrame({"frequency": x, "recency": np.where(x > 0, T * x / (x + 1), 0.0), "T": T})
    >>> model = BetaGeoModel().fit(summary)
    >>> model.params_.index.tolist(), model.converged_
    (['r', 'alpha', 'a', 'b'], True)
    >>> bool(model.expected_purchases(summary, 13.0).between(0, 13 * x.max()).all())
    True
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    _dimensions: ClassVar[tuple[int, ...]] = (0, 1, 0, 0)

    def _sample(self, summary: pd.DataFrame) -> Sample:
        rows = checked_summary(summary, _COLUMNS)
        weight = rows["weight"] if "weight" in rows.columns else pd.Series(1.0, index=rows.index)
        n_customers = float(weight.sum())
        if n_customers < 2:
            raise InsufficientDataError("too_few_customers", model=type(self).__name__, n=round(n_customers))
        if not (rows["frequency"] > 0).any():
            raise InsufficientDataError("nobody_bought_twice", n=round(n_customers))
        unique = compressed(rows, _COLUMNS)
        number = unique["weight"].to_numpy()
        x = unique["frequency"].to_numpy()
        # The mean age as the measure of time makes the fit one and the same in days, weeks or months.
        measure = float(np.average(unique["T"], weights=number))
        columns = {
            "x": x,
            "t_x": unique["recency"].to_numpy() / measure,
            "T": unique["T"].to_numpy() / measure,
        }
        return Sample(columns, number, measure, -float(np.sum(x * number)) * np.log(measure))

    def _start(self, sample: Sample) -> FloatArray:
        mean_purchases = float(np.average(sample.columns["x"], weights=sample.weight))
        return np.array([1.0, 1.0 / max(mean_purchases, 1e-3), 1.0, 2.0])

    def _log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        r, alpha, a, b = parameters
        x, t_x, T = (sample.columns[name] for name in ("x", "t_x", "T"))
        # Ratios of Gamma functions at whole x are products; their running sums keep every digit, however
        # large the parameters. log1p does the same for r ln(alpha / (alpha + T)).
        k = np.arange(x.max())
        purchases = _running(np.log(r + k) - np.log1p(a / (b + k)))
        log_now, log_last = np.log1p(T / alpha), np.log1p(t_x / alpha)
        shape, place = r + x, x.astype(np.intp)
        # x - 1 first: where b is tiny, b + 1 - 1 would be 0.
        after_last = np.where(x > 0, b + (x - 1), np.inf)
        alive = -shape * log_now
        with np.errstate(divide="ignore"):
            gone = np.log(a / after_last) - shape * log_last
        either = np.logaddexp(alive, gone)
        share_gone = np.exp(gone - either)
        share_alive = 1 - share_gone
        derivatives = np.stack(
            [
                _running(1 / (r + k))[place] - share_alive * log_now - share_gone * log_last,
                (shape * (share_alive * T / (alpha + T) + share_gone * t_x / (alpha + t_x)) - x) / alpha,
                share_gone / a - _running(1 / (a + b + k))[place],
                _running(a / ((b + k) * (a + b + k)))[place] - share_gone / after_last,
            ]
        )
        return purchases[place] - x * np.log(alpha) + either, derivatives

    def expected_probability_alive(self, summary: pd.DataFrame) -> pd.Series[float]:
        """Probability that each customer has not left for good; 1 where frequency is 0 (see the class's notes).

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).

        Returns
        -------
        Series
            ``probability_alive``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        """
        parameters = self._parameters()
        x, t_x, T = _columns(checked_summary(summary, _COLUMNS))
        alive = _probability_alive(x, t_x, T, *parameters)
        return pd.Series(alive, index=summary.index, name="probability_alive")

    def expected_purchases(self, summary: pd.DataFrame, future_t: float | npt.ArrayLike) -> pd.Series[float]:
        """Expected number of purchases of each customer in the next ``future_t``.

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).
        future_t
            Length of the future, in the same unit: one number, or one a customer.

        Returns
        -------
        Series
            ``expected_purchases``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        UsageError
            ``future_t`` is negative or not finite.
        """
        parameters = self._parameters()
        x, t_x, T = _columns(checked_summary(summary, _COLUMNS))
        purchases = expected_purchases_of(x, t_x, T, _future(future_t, len(x)), parameters)
        return pd.Series(purchases, index=summary.index, name="expected_purchases")

    def expected_purchases_new_customer(self, t: float | npt.ArrayLike) -> npt.NDArray[np.float64] | float:
        """Expected repeat purchases of a customer in the time ``t`` after the first purchase.

        Parameters
        ----------
        t
            One length of time or an array of them, in the time unit of the fit.

        Raises
        ------
        sklearn.exceptions.NotFittedError, UsageError
        """
        r, alpha, a, b = self._parameters()
        lengths = np.atleast_1d(np.asarray(t, dtype=float))
        flat = _future(lengths.ravel(), lengths.size)
        same = np.ones(lengths.size)
        purchases = _while_alive(r * same, alpha * same, a, b * same, flat).reshape(lengths.shape)
        return float(purchases[0]) if np.ndim(t) == 0 else purchases

    def simulate_future(
        self,
        summary: pd.DataFrame,
        period_lengths: Sequence[float],
        *,
        rng: RandomSource,
        draws: int = 1,
        parameters: pd.DataFrame | None = None,
    ) -> npt.NDArray[np.int64]:
        """Draw what each customer purchases in coming periods, exactly from the model given their past.

        Whether a customer is alive is drawn with :meth:`expected_probability_alive`; of one who is, the rate
        is Gamma(r + x, alpha + T) and the chance to leave Beta(a, b + x) (each purchase so far was survived).
        Purchases are those of the Poisson process up to the one after which the customer leaves, whose
        number is geometric.

        Parameters
        ----------
        summary
            Columns frequency, recency, T (time unit of the fit).
        period_lengths
            Lengths of the periods that follow one another from now, in the same unit.
        rng
            Seed or generator.
        draws
            Number of futures of each customer.
        parameters
            One row a draw, to let the parameters vary as well (see :meth:`draw_parameters`); the fitted ones
            when not given.

        Returns
        -------
        Array of shape (draws, n_customers, n_periods).

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError, UsageError
        """
        fitted = self._parameters()
        x, t_x, T = _columns(checked_summary(summary, _COLUMNS))
        lengths = _future(np.asarray(period_lengths, dtype=float), len(period_lengths))
        values = np.tile(fitted, (draws, 1)) if parameters is None else parameters[list(self.parameter_names)]
        drawn = draw_purchases(x, t_x, T, lengths, np.asarray(values, dtype=float), np.random.default_rng(rng))
        purchases = np.zeros((len(values), len(x), len(lengths)), dtype=np.int64)
        purchases[drawn.draw, drawn.customer] = drawn.purchases
        return purchases


class DrawnPurchases(NamedTuple):
    """Futures with at least one purchase; all others have none.

    Attributes
    ----------
    draw, customer
        Which, shape (n_futures,).
    purchases
        By period, shape (n_futures, n_periods).
    """

    draw: npt.NDArray[np.int64]
    customer: npt.NDArray[np.int64]
    purchases: npt.NDArray[np.int64]


def draw_purchases(
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
    lengths: FloatArray,
    parameters: FloatArray,
    rng: np.random.Generator,
) -> DrawnPurchases:
    """Draw one future of each customer for each row (r, alpha, a, b) of ``parameters``, shape (draws, 4).

    The law is that of :meth:`BetaGeoModel.simulate_future`.
    """
    r, alpha, a, b = parameters.T
    ends = np.cumsum(lengths)
    chance = _probability_alive(x, t_x, T, *(values[:, None] for values in (r, alpha, a, b)))
    # One uniform number decides whether a purchase comes at all and, if so, when the first one does: the wait
    # of a customer who is alive exceeds s with probability (rate / (rate + s))^shape.
    waits = np.log1p(ends[-1] / (alpha[:, None] + T)) * (r[:, None] + x)
    uniform = rng.random(chance.shape)
    draw, customer = np.nonzero(uniform < -chance * np.expm1(-waits))
    shape, rate = r[draw] + x[customer], alpha[draw] + T[customer]
    reached = np.log1p(-uniform[draw, customer] / chance[draw, customer])
    first = np.clip(rate * np.expm1(-reached / shape), 0, ends[-1])
    # After it the rate is Gamma(shape + 1, rate + first), the number of others negative binomial, and these
    # fall evenly over the time that is left.
    others = rng.negative_binomial(shape + 1, (rate + first) / (rate + ends[-1]))
    left = np.maximum(np.minimum(lengths, ends - first[:, None]), 0)
    some = np.flatnonzero(others)
    bought = (ends >= first[:, None]).astype(np.int64)
    shares = left[some] / left[some].sum(axis=1, keepdims=True)
    bought[some] += np.cumsum(rng.multinomial(others[some], shares), axis=1)
    leaves = rng.beta(a[draw], b[draw] + x[customer])
    last = rng.geometric(np.maximum(leaves, _SMALLEST_CHANCE))
    return DrawnPurchases(draw, customer, np.diff(np.minimum(bought, last[:, None]), axis=1, prepend=0))


def expected_purchases_of(
    x: FloatArray, t_x: FloatArray, T: FloatArray, future_t: FloatArray, parameters: FloatArray
) -> FloatArray:
    """Expected purchases in ``future_t`` under given parameters (r, alpha, a, b); arrays of shape (n,)."""
    r, alpha, a, b = parameters
    # Recency matters to whether the customer is alive, not to what follows if so.
    rows = pd.DataFrame({"x": x, "T": T, "t": future_t})
    group = rows.groupby(["x", "T", "t"], sort=False).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    some_x, some_T, some_t = x[first], T[first], future_t[first]
    purchases = _while_alive(r + some_x, alpha + some_T, a, b + some_x, some_t)
    return np.asarray(purchases[group] * _probability_alive(x, t_x, T, r, alpha, a, b))


def _while_alive(shape: FloatArray, rate: FloatArray, a: float, stay: FloatArray, t: FloatArray) -> FloatArray:
    purchases = np.zeros(len(t))
    some = t > 0
    purchases[some] = expected_purchases_while_alive(shape[some], rate[some], a, stay[some], t[some])
    return purchases


def _probability_alive(
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
    r: float | FloatArray,
    alpha: float | FloatArray,
    a: float | FloatArray,
    b: float | FloatArray,
) -> FloatArray:
    repeats = x > 0
    chance = np.ones(np.broadcast(x, r).shape)
    x, t_x, T = x[repeats], t_x[repeats], T[repeats]
    log_odds_gone = np.log(a / (b + (x - 1))) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    chance[..., repeats] = special.expit(-log_odds_gone)
    return chance


def _running(terms: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(terms)])


def _columns(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    return rows["frequency"].to_numpy(), rows["recency"].to_numpy(), rows["T"].to_numpy()


def _future(future_t: float | npt.ArrayLike, size: int) -> FloatArray:
    lengths = np.broadcast_to(np.asarray(future_t, dtype=float), (size,))
    if not (np.isfinite(lengths).all() and (lengths >= 0).all()):
        raise UsageError("bad_horizon", future_t=future_t)
    return lengths
