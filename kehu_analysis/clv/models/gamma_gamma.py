"""The Gamma-Gamma model of what a customer spends at a purchase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import checked_summary, generator_of
from kehu_analysis.clv.fitting.maximum_likelihood import MaximumLikelihoodModel, RandomSource
from kehu_analysis.clv.fitting.sample import Sample, compressed
from kehu_analysis.clv.numerics.rising_factorials import log_rising, log_rising_slope
from kehu_analysis.errors import InsufficientDataError

_COLUMNS = ["frequency", "monetary_value"]


class GammaGammaModel(MaximumLikelihoodModel):
    r"""Gamma-Gamma: mean spend per purchase day of each customer, pulled towards the mean of all.

    Spend on a purchase day is Gamma(p, nu) with a nu of each customer's own, Gamma(q, v) over customers, and
    unrelated to how often the customer buys (Fader, Hardie and Lee 2005, Journal of Marketing Research 42,
    415-430; Fader and Hardie 2013, "The Gamma-Gamma model of monetary value").

    Parameters
    ----------
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
        ``params_`` holds p, q, v (v in the currency of the data).

    Attributes
    ----------
    n_left_out_
        Repeat buyers whose mean spend is not above 0 and who could not be fitted on.

    Notes
    -----
    Fitted on customers with ``frequency`` x > 0 and ``monetary_value`` m > 0 (currency per repeat purchase day).
    The log-likelihood of a customer is, with all constants,

    .. math:: \ln\frac{\Gamma(px+q)}{\Gamma(px)\Gamma(q)} + q\ln v + (px-1)\ln m + px\ln x - (px+q)\ln(v+mx)

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [1, 2, 4, 3, 0], "monetary_value": [20.0, 55.0, 31.0, 12.0, 0.0]})
    >>> model = GammaGammaModel().fit(summary)
    >>> model.n_customers_
    4
    >>> spend = model.expected_customer_spend(summary)
    >>> bool(spend[1] < 55.0 and spend[3] > 12.0)
    True
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "v")
    dimensions: ClassVar[tuple[int, ...]] = (0, 0, 1)

    def sample_of(self, summary: pd.DataFrame) -> Sample:
        """Check the summary and compress it."""
        rows = checked_summary(summary, _COLUMNS)
        weights = rows["weight"] if "weight" in rows.columns else pd.Series(1.0, index=rows.index)
        usable = (rows["frequency"] > 0) & (rows["monetary_value"] > 0)
        n_usable = float(weights[usable].sum())
        if n_usable < 2:
            raise InsufficientDataError("too_few_customers", model=type(self).__name__, n=round(n_usable))
        unique = compressed(rows[usable], _COLUMNS)
        weight = unique["weight"].to_numpy()
        spend = unique["monetary_value"].to_numpy()
        # The geometric mean as the measure of money makes the fit one and the same in any currency.
        log_measure = float(np.average(np.log(spend), weights=weight))
        measure = float(np.exp(log_measure))
        columns = {"x": unique["frequency"].to_numpy(), "m": spend / measure}
        return Sample(columns, weight, measure, -n_usable * log_measure)

    def fit(self, summary: pd.DataFrame, y: None = None) -> Self:
        """Fit to customers who bought again; see :meth:`MaximumLikelihoodModel.fit`."""
        super().fit(summary)
        rows = checked_summary(summary, _COLUMNS)
        unusable = (rows["frequency"] > 0) & (rows["monetary_value"] <= 0)
        weight = rows["weight"] if "weight" in rows.columns else pd.Series(1.0, index=rows.index)
        self.n_left_out_ = round(float(weight[unusable].sum()))
        return self

    def _start(self, sample: Sample) -> FloatArray:
        return np.array([2.0, 3.0, 1.0])

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""
        p, q, v = parameters
        x, m = sample.columns["x"], sample.columns["m"]
        values, place = _numbers_of(x)
        px = p * values
        # Spend that hardly varies within customers makes p large, between them q: what large numbers have in common is
        # left out.
        counts = np.where(px < q, log_rising(q, px) - special.gammaln(px), log_rising(px, q) - special.gammaln(q))
        spent = x * m
        excess, share = np.log1p(v / spent), np.log1p(spent / v)
        each = counts[place] - np.log(m) - p * x * excess - q * share
        derivatives = np.stack(
            [
                x * (log_rising_slope(px, q)[place] - excess),
                log_rising_slope(q, px)[place] - share,
                (q * spent - p * x * v) / (v * (v + spent)),
            ]
        )
        return each, derivatives

    def expected_customer_spend(self, summary: pd.DataFrame) -> pd.Series[float]:
        """Expected spend of each customer per purchase day, in the currency of the data.

        A weighted mean of the customer's own mean spend and the mean of all customers; the latter alone for
        customers without a repeat purchase of positive spend.

        Parameters
        ----------
        summary
            Columns frequency and monetary_value.

        Returns
        -------
        Series
            ``expected_spend``, with the index of ``summary``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        InsufficientDataError
            The fitted distribution of spend has so heavy a tail that its mean does not exist (q <= 1).
        """
        parameters = self._parameters()
        rows = checked_summary(summary, _COLUMNS)
        spend = expected_spend_of(rows["frequency"].to_numpy(), rows["monetary_value"].to_numpy(), parameters)
        return pd.Series(spend, index=summary.index, name="expected_spend")

    def simulate_spend(
        self,
        summary: pd.DataFrame,
        purchases: npt.NDArray[np.int64],
        *,
        rng: RandomSource,
        parameters: pd.DataFrame | None = None,
    ) -> FloatArray:
        """Draw the spend on coming purchases, exactly from the model given each customer's past spend.

        Parameters
        ----------
        summary
            Columns frequency and monetary_value.
        purchases
            Shape (draws, n_customers, n_periods), as :meth:`BetaGeoModel.simulate_future` returns.
        rng
            Seed or generator.
        parameters
            One row a draw, to let the parameters vary as well; the fitted ones when not given.

        Returns
        -------
        Array of the shape of ``purchases``, in the currency of the data.

        Raises
        ------
        sklearn.exceptions.NotFittedError, DataError
        """
        fitted = self._parameters()
        rows = checked_summary(summary, _COLUMNS)
        if parameters is None:
            values = np.tile(fitted, (len(purchases), 1))
        else:
            values = parameters[list(self.parameter_names)].to_numpy(dtype=float)
        draw, customer = np.nonzero(purchases.any(axis=2))
        amounts = np.zeros(purchases.shape)
        amounts[draw, customer] = draw_spend(
            rows["frequency"].to_numpy()[customer],
            rows["monetary_value"].to_numpy()[customer],
            purchases[draw, customer],
            values[draw],
            generator_of(rng),
        )
        return amounts


def _numbers_of(x: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return numbers of purchases among which all of ``x`` are, and which one each is."""
    most = float(x.max())
    if most > len(x):
        values, place = np.unique(x, return_inverse=True)
        return values, place
    return np.arange(1, most + 1), x.astype(np.intp) - 1


def draw_spend(
    frequency: FloatArray,
    monetary_value: FloatArray,
    purchases: npt.NDArray[np.int64],
    parameters: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the spend on ``purchases``, (n, n_periods), under parameters (p, q, v) of each row, (n, 3)."""
    x, spent = _own(frequency, monetary_value)
    p, q, v = parameters.T
    # Given the past, nu is Gamma(px + q, v + total spent); n purchases together are Gamma(pn, nu).
    nu = rng.standard_gamma(p * x + q) / (v + spent)
    return np.asarray(rng.standard_gamma(p[:, None] * purchases) / nu[:, None])


def expected_spend_of(frequency: FloatArray, monetary_value: FloatArray, parameters: FloatArray) -> FloatArray:
    """Expected spend per purchase day under given parameters (p, q, v); arrays of shape (n,)."""
    p, q, v = parameters
    x, spent = _own(frequency, monetary_value)
    if q <= 1 and bool((p * x + q <= 1).any()):
        raise InsufficientDataError("spend_has_no_mean", q=f"{q:.3f}")
    return np.asarray(p * (v + spent) / (p * x + q - 1))


def spend_slopes(frequency: FloatArray, monetary_value: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return how the logarithm of the expected spend moves with those of p, q and v, shape (n, 3)."""
    p, q, v = parameters
    x, spent = _own(frequency, monetary_value)
    degrees = p * x + q - 1
    return np.column_stack([(q - 1) / degrees, -q / degrees, v / (v + spent)])


def _own(frequency: FloatArray, monetary_value: FloatArray) -> tuple[FloatArray, FloatArray]:
    usable = (frequency > 0) & (monetary_value > 0)
    x = np.where(usable, frequency, 0.0)
    return x, x * np.where(usable, monetary_value, 0.0)
