"""The four models of customers who may leave after a purchase: BG/NBD, MBG/NBD, and both for regular buyers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import pandas as pd
from sklearn.base import clone

from kehu_analysis.clv.checks import is_whole
from kehu_analysis.clv.fitting.maximum_likelihood import unchanged_on_failure
from kehu_analysis.clv.models.geometric import GeometricDropoutModel
from kehu_analysis.errors import ConvergenceError, UsageError

#: Most stages to a purchase that are tried when their number is not given.
MOST_STAGES_TRIED = 12
_FALLS = 2


class BetaGeoModel(GeometricDropoutModel):
    r"""BG/NBD: who is still a customer, and how many purchases are to come.

    While alive a customer purchases as a Poisson process with a rate of their own, Gamma(r, alpha) over
    customers; after each repeat purchase they leave for good with a chance of their own, Beta(a, b) over customers
    (Fader, Hardie and Lee 2005, Marketing Science 24, 275-284).

    Parameters
    ----------
    purchase_covariates, dropout_covariates, concentration_covariates, equal_effects, ridge
        See :class:`~kehu_analysis.clv.models.geometric.GeometricDropoutModel`.
    max_iterations, tolerance
        See :class:`~kehu_analysis.clv.fitting.maximum_likelihood.MaximumLikelihoodModel`, which also lists the fitted
        attributes.
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
    >>> import numpy as np
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

    _leaves_at_once: ClassVar[int] = 0

    def stages(self) -> int:
        """Return the number of stages to a purchase: each is one."""
        return 1


class ModifiedBetaGeoModel(GeometricDropoutModel):
    r"""MBG/NBD: BG/NBD with a chance to leave right after the first purchase too.

    Parameters, attributes, summary: see :class:`BetaGeoModel`.

    Notes
    -----
    Somebody who bought once and has been silent is alive with a probability below 1, which falls with the silence;
    even on the day of the first purchase it is b / (a + b). The log-likelihood of a customer is, with all constants,

    .. math:: \ln\frac{\Gamma(r+x)\,\alpha^r}{\Gamma(r)} + \ln\frac{B(a,b+x+1)}{B(a,b)} +
              \ln\Big[(\alpha+T)^{-(r+x)} + \frac{a}{b+x}(\alpha+t_x)^{-(r+x)}\Big]

    Source: Batislam, Denizel and Filiztekin (2007), International Journal of Research in Marketing 24, 201-209.

    Examples
    --------
    >>> import numpy as np
    >>> model = ModifiedBetaGeoModel()
    >>> model.params_ = pd.Series({"r": 0.52, "alpha": 6.2, "a": 0.9, "b": 1.6})
    >>> once = pd.DataFrame({"frequency": [0, 0], "recency": [0.0, 0.0], "T": [1.0, 40.0]})
    >>> model.expected_probability_alive(once).round(3).tolist()
    [0.622, 0.385]
    """

    _leaves_at_once: ClassVar[int] = 1

    def stages(self) -> int:
        """Return the number of stages to a purchase: each is one."""
        return 1


class _RegularModel(GeometricDropoutModel):
    """A model of regular buyers: k is given, or chosen by the log-likelihood."""

    def __init__(
        self,
        *,
        k: int | None = None,
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
            concentration_covariates=concentration_covariates,
            equal_effects=equal_effects,
            ridge=ridge,
            max_iterations=max_iterations,
            tolerance=tolerance,
        )
        self.k = k

    def stages(self) -> int:
        return int(self.k_ if hasattr(self, "k_") else self.k or 1)

    def fit(self, summary: pd.DataFrame, y: None = None) -> Self:
        """Fit to a summary of purchases, which holds ``sum_log_interval`` too unless k is 1.

        Parameters, errors: see :meth:`PurchaseModel.fit`; UsageError where k is no whole number of stages.
        """
        if self.k is not None:
            if not is_whole(self.k) or self.k < 1:
                raise UsageError("bad_stages", k=self.k)
            with unchanged_on_failure(self):
                self.k_ = int(self.k)
                return super().fit(summary)
        best, falls, failed = None, 0, None
        for k in range(1, MOST_STAGES_TRIED + 1):
            try:
                fitted = clone(self).set_params(k=k).fit(summary)
            except ConvergenceError as error:
                failed, falls = error, falls + 1
            else:
                is_better = best is None or fitted.log_likelihood_ > best.log_likelihood_
                best, falls = (fitted, 0) if is_better else (best, falls + 1)
            if falls == _FALLS:
                break
        if best is None:
            assert failed is not None
            raise failed
        self.__dict__.update({name: value for name, value in vars(best).items() if name not in self.get_params()})
        return self


class BetaGeoCNBDModel(_RegularModel):
    r"""BG/CNBD-k: BG/NBD for customers who buy more regularly than by chance.

    Times between purchases are Erlang-k: every k-th event of a Poisson process is a purchase. With k = 1 the model is
    BG/NBD.

    Parameters
    ----------
    k
        Stages to a purchase, 1 or more. By default 1, 2, … up to 12 are tried, until the log-likelihood has fallen
        twice in a row, and the best is kept. :func:`~kehu_analysis.clv.regularity` tells what to expect.
    purchase_covariates, dropout_covariates, concentration_covariates, equal_effects, ridge, max_iterations, tolerance
        See :class:`BetaGeoModel`.

    Attributes
    ----------
    k_
        Stages to a purchase. The others: see :class:`BetaGeoModel`; r / alpha is the mean rate of *stages*.

    Notes
    -----
    Besides the columns of :class:`BetaGeoModel` the summary holds ``sum_log_interval``, the sum of the logs of the
    times between purchases in its time unit (0 where frequency is 0), unless k is 1. Predictions do not read it. The
    likelihood is that of :class:`~kehu_analysis.clv.models.geometric.GeometricDropoutModel`. Source: Platzer and
    Reutterer (2016), Marketing Science 35, 779-799, who let customers leave after the first purchase too.

    Examples
    --------
    >>> import numpy as np
    >>> truth = BetaGeoCNBDModel(k=3)
    >>> truth.params_ = pd.Series({"r": 2.0, "alpha": 3.0, "a": 1.0, "b": 4.0})
    >>> customers = truth.simulate_customers(np.full(500, 52.0), rng=1)
    >>> BetaGeoCNBDModel().fit(customers).k_
    3
    """

    _leaves_at_once: ClassVar[int] = 0


class ModifiedBetaGeoCNBDModel(_RegularModel):
    """MBG/CNBD-k: MBG/NBD for customers who buy more regularly than by chance.

    Parameters, attributes, summary: see :class:`BetaGeoCNBDModel`; of whoever bought once the probability to be alive
    is below 1, as in :class:`ModifiedBetaGeoModel`, which this model is with k = 1.

    Source: Platzer and Reutterer (2016), Marketing Science 35, 779-799.

    Examples
    --------
    >>> import numpy as np
    >>> model = ModifiedBetaGeoCNBDModel(k=2)
    >>> model.params_ = pd.Series({"r": 1.0, "alpha": 3.0, "a": 1.0, "b": 4.0})
    >>> round(model.expected_purchases_new_customer(52.0), 3)
    3.459
    """

    _leaves_at_once: ClassVar[int] = 1
