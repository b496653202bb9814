"""Effects within customers: what moves with what, once all that stays the same of a customer is held fixed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kehu_analysis.errors import ConvergenceError, InsufficientDataError

__all__ = ["Slopes", "demean", "pooled_slopes", "within_slopes"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_TOLERANCE = 1e-10
_MOST_ROUNDS = 500


class Slopes(NamedTuple):
    """Slopes of a linear regression with errors clustered by customer.

    Attributes
    ----------
    slopes, errors
        Shape (k,).
    degrees_of_freedom
        Customers less one: of the limits.
    """

    slopes: Array
    errors: Array
    degrees_of_freedom: int


def demean(values: Array, *groups: Codes) -> Array:
    """Take the means of every grouping off, one after the other until all of them are 0.

    Parameters
    ----------
    values
        Shape (n, k).
    groups
        Codes from 0, shape (n,) each.

    Raises
    ------
    ConvergenceError
        The means do not settle.

    Notes
    -----
    Guimarães, P. and Portugal, P. (2010), *Stata Journal* 10, 628-649.

    Examples
    --------
    >>> demean(np.array([[1.0], [2.0], [5.0]]), np.array([0, 0, 1])).ravel().tolist()
    [-0.5, 0.5, 0.0]
    """
    left = np.array(values, dtype=np.float64)
    scale = np.abs(left).max(axis=0, initial=0.0) + 1e-300
    sizes = [np.maximum(np.bincount(group), 1) for group in groups]
    for _ in range(_MOST_ROUNDS):
        off = 0.0
        for group, size in zip(groups, sizes, strict=True):
            for place in range(left.shape[1]):
                mean = np.bincount(group, left[:, place]) / size
                left[:, place] -= mean[group]
                off = max(off, float(np.abs(mean).max() / scale[place]))
        if off < _TOLERANCE or len(groups) == 1:
            return left
    raise ConvergenceError("means_do_not_settle", rounds=_MOST_ROUNDS)


def within_slopes(y: Array, x: Array, customer: Codes, period: Codes | None = None) -> Slopes:
    """Regress within customers, and with ``period`` within periods besides.

    Parameters
    ----------
    y
        Shape (n,).
    x
        Shape (n, k).
    customer, period
        Codes from 0, shape (n,).

    Returns
    -------
    Slopes
        Errors are clustered by customer with the factor ``G / (G - 1) · (N - 1) / (N - K)``, where ``K`` counts the
        slopes and the periods, but not the customers' own levels, which lie within the clusters (Cameron, A. C. and
        Miller, D. L. (2015), *Journal of Human Resources* 50, 317-372).

    Raises
    ------
    InsufficientDataError
        A column of ``x`` varies within no customer.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [0.0], [2.0], [1.0], [3.0]])
    >>> fit = within_slopes(np.array([1.0, 2.0, 5.0, 7.0, 3.0, 5.2]), x, np.array([0, 0, 1, 1, 2, 2]))
    >>> fit.slopes.round(4).tolist()
    [1.0444]
    """
    groups = (customer,) if period is None else (customer, period)
    left = demean(np.column_stack([y, x]), *groups)
    spread, before = (left[:, 1:] ** 2).sum(axis=0), (np.asarray(x) ** 2).sum(axis=0)
    if (spread <= 1e-12 * np.maximum(before, 1.0)).any():
        raise InsufficientDataError("contacts_do_not_vary", n_customers=int(customer.max()) + 1)
    n_fixed = 0 if period is None else len(np.unique(period)) - 1
    return _clustered(left[:, 0], left[:, 1:], customer, n_fixed)


def pooled_slopes(y: Array, x: Array, customer: Codes) -> Slopes:
    """Regress over all rows, customers of every size together: what a plain comparison finds.

    Examples
    --------
    >>> fit = pooled_slopes(np.array([1.0, 2.0, 4.0]), np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 2]))
    >>> fit.slopes.round(4).tolist()
    [1.5]
    """
    together = np.column_stack([y, x])
    left = together - together.mean(axis=0)
    return _clustered(left[:, 0], left[:, 1:], customer, 1)


def _clustered(y: Array, x: Array, customer: Codes, n_fixed: int) -> Slopes:
    bread = np.linalg.pinv(x.T @ x)
    slopes = bread @ (x.T @ y)
    scores = x * (y - x @ slopes)[:, None]
    n, n_customers = len(y), len(np.unique(customer))
    sums = np.stack([np.bincount(customer, scores[:, place]) for place in range(x.shape[1])], axis=1)
    factor = n_customers / max(n_customers - 1, 1) * (n - 1) / max(n - x.shape[1] - n_fixed, 1)
    covariance = bread @ (sums.T @ sums) @ bread * factor
    return Slopes(slopes, np.sqrt(np.diag(covariance)), max(n_customers - 1, 1))
