"""Relative importance: how a fit is shared out among drivers that go along with each other."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_DRIVERS", "correlations", "johnson_weights", "shapley_shares", "variance_inflation"]

Array = npt.NDArray[np.float64]

#: So many drivers have 4,096 fits.
MOST_DRIVERS = 12
#: Below this a driver goes along with others so closely that nothing can be told of it alone.
_LEAST_EIGENVALUE = 1e-9


def correlations(moments: npt.ArrayLike) -> Array:
    """Return correlation matrices from sums of products of ``(1, x_1, …, x_p, y)``.

    Parameters
    ----------
    moments
        Shape (..., p + 2, p + 2).

    Returns
    -------
    ndarray
        Shape (..., p + 1, p + 1), the outcome last; 0 with what does not vary.

    Examples
    --------
    >>> rows = np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 4.0], [1.0, 3.0, 6.5]])
    >>> correlations(rows.T @ rows).round(4).tolist()
    [[1.0, 0.9979], [0.9979, 1.0]]
    """
    sums = np.asarray(moments, dtype=np.float64)
    n = sums[..., :1, :1]
    mean = sums[..., :1, 1:] / n
    covariance = sums[..., 1:, 1:] / n - np.swapaxes(mean, -1, -2) * mean
    spread = np.sqrt(np.clip(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0, None))
    product = spread[..., :, None] * spread[..., None, :]
    found = np.divide(covariance, product, out=np.zeros_like(covariance), where=product > _LEAST_EIGENVALUE)
    place = np.arange(found.shape[-1])
    found[..., place, place] = 1.0
    return np.asarray(found)


def shapley_shares(correlation: npt.ArrayLike) -> Array:
    """Share out R² among drivers: the mean of what each adds, over all orders in which they can be taken up.

    Parameters
    ----------
    correlation
        Shape (..., p + 1, p + 1), the outcome last.

    Returns
    -------
    ndarray
        Shape (..., p); adds up to R².

    Notes
    -----
    Lindeman, R. H., Merenda, P. F. and Gold, R. Z. (1980); Grömping, U. (2006), *Journal of Statistical Software*
    17(1).

    Examples
    --------
    >>> together = np.array([[1.0, 0.5, 0.6], [0.5, 1.0, 0.3], [0.6, 0.3, 1.0]])
    >>> shapley_shares(together).round(4).tolist()
    [0.315, 0.045]
    """
    matrix = np.asarray(correlation, dtype=np.float64)
    n_drivers = matrix.shape[-1] - 1
    explained: dict[tuple[int, ...], Array] = {(): np.zeros(matrix.shape[:-2])}
    for size in range(1, n_drivers + 1):
        for chosen in combinations(range(n_drivers), size):
            explained[chosen] = _explained(matrix, chosen)
    shares = np.zeros((*matrix.shape[:-2], n_drivers))
    for driver in range(n_drivers):
        others = [other for other in range(n_drivers) if other != driver]
        for size in range(n_drivers):
            weight = 1 / (n_drivers * comb(n_drivers - 1, size))
            for chosen in combinations(others, size):
                more = explained[tuple(sorted((*chosen, driver)))] - explained[chosen]
                shares[..., driver] += weight * more
    return shares


def _explained(matrix: Array, chosen: tuple[int, ...]) -> Array:
    place = list(chosen)
    inside = matrix[..., place, :][..., :, place]
    with_outcome = matrix[..., place, -1]
    solved = (np.linalg.pinv(inside, hermitian=True) @ with_outcome[..., None])[..., 0]
    return np.asarray((with_outcome * solved).sum(axis=-1))


def johnson_weights(correlation: npt.ArrayLike) -> Array:
    """Share out R² by way of the orthogonal variables closest to the drivers; quick, and an approximation.

    Parameters
    ----------
    correlation
        Shape (..., p + 1, p + 1), the outcome last.

    Returns
    -------
    ndarray
        Shape (..., p); adds up to R².

    Notes
    -----
    Johnson, J. W. (2000), *Multivariate Behavioral Research* 35, 1-19. Its flaws: Thomas, D. R., Zumbo, B. D., Kwan, E.
    and Schweitzer, L. (2014), the same, 49, 329-338.

    Examples
    --------
    >>> johnson_weights(np.array([[1.0, 0.5, 0.6], [0.5, 1.0, 0.3], [0.6, 0.3, 1.0]])).round(4).tolist()
    [0.315, 0.045]
    """
    matrix = np.asarray(correlation, dtype=np.float64)
    values, vectors = np.linalg.eigh(matrix[..., :-1, :-1])
    root = np.sqrt(np.clip(values, 0.0, None))
    loadings = (vectors * root[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    solved = np.linalg.pinv(loadings, hermitian=True) @ matrix[..., :-1, -1:]
    return np.asarray((loadings**2 @ solved**2)[..., 0])


def variance_inflation(correlation: npt.ArrayLike) -> Array:
    """Return by how much each driver's error grows because the others go along with it; infinite for a repetition.

    Examples
    --------
    >>> variance_inflation(np.array([[1.0, 0.6, 0.1], [0.6, 1.0, 0.1], [0.1, 0.1, 1.0]])).tolist()
    [1.5625, 1.5625]
    """
    inside = np.asarray(correlation, dtype=np.float64)[:-1, :-1]
    if np.linalg.eigvalsh(inside)[0] < _LEAST_EIGENVALUE:
        values, vectors = np.linalg.eigh(inside)
        is_empty = values < _LEAST_EIGENVALUE
        repeats = (vectors[:, is_empty] ** 2).sum(axis=1) > _LEAST_EIGENVALUE
        return np.where(repeats, np.inf, np.diag(np.linalg.pinv(inside, hermitian=True)))
    return np.asarray(np.diag(np.linalg.inv(inside)).round(10))
