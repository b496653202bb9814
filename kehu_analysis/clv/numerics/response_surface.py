"""A smooth function at many places, from its values at a few of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from math import ceil, comb

import numpy as np

from kehu_analysis.clv.arrays import FloatArray

#: Places at which the function is known, for each term of the surface, and further ones by which the surface is judged.
_PER_TERM, _JUDGES = 1.5, 8
#: Beyond the values known a surface goes by this share of the range of their logarithms.
_BEYOND = 1.0


def at_places(
    function: Callable[[FloatArray], FloatArray], places: FloatArray, weight: FloatArray, within: float
) -> FloatArray:
    r"""Return positive values of a function at many places, as far as possible from a cubic surface.

    The logarithm of each value is fitted by least squares as a cubic of the place at the first of the places, half as
    many again as it has terms, and judged at the eight that follow. (Box and Wilson 1951, Journal of the Royal
    Statistical Society B 13, 1-45, called such a surface one of response.)

    Parameters
    ----------
    function
        Place, (k,), to values, (m,), none below 0.
    places
        Shape (n, k); the first of them spread like all.
    weight
        Of each value in the sum by which the surface is judged, (m,).
    within
        Share of the standard deviation of that sum over the places: where the surface misses the sum by more at one of
        the judges, the function itself is taken at all places.

    Returns
    -------
    Array of shape (n, m).

    Examples
    --------
    >>> places = np.random.default_rng(1).normal(size=(200, 2))
    >>> found = at_places(lambda place: np.exp(place @ [[0.1, 0.0], [0.2, 0.3]]), places, np.ones(2), 0.01)
    >>> bool(np.abs(found - np.exp(places @ [[0.1, 0.0], [0.2, 0.3]])).max() < 1e-9)
    True
    """
    moving = np.flatnonzero(np.ptp(places, axis=0) > 0)
    n_known = ceil(_PER_TERM * comb(len(moving) + 3, 3))
    n_needed = n_known + _JUDGES
    if n_needed >= len(places):
        return np.stack([function(place) for place in places])
    known = np.stack([function(place) for place in places[:n_needed]])
    logs = np.log(np.maximum(known[:n_known], np.finfo(float).tiny))
    terms = _terms(_even(places[:, moving]))
    surface = np.linalg.lstsq(terms[:n_known], logs, rcond=None)[0]
    low, high = logs.min(axis=0), logs.max(axis=0)
    reach = _BEYOND * (high - low)
    values = np.exp(np.clip(terms @ surface, low - reach, high + reach))
    sums = values @ weight
    missed = np.abs(sums[n_known:n_needed] - known[n_known:] @ weight).max()
    if missed > within * sums.std():
        return np.concatenate([known, np.stack([function(place) for place in places[n_needed:]])])
    return np.asarray(values)


def _even(places: FloatArray) -> FloatArray:
    # Standard and uncorrelated, whatever the units and however one moves with another.
    centred = places - places.mean(axis=0)
    scaled = centred / centred.std(axis=0)
    return np.asarray(np.linalg.solve(np.linalg.cholesky(scaled.T @ scaled / len(scaled)), scaled.T).T)


def _terms(places: FloatArray) -> FloatArray:
    # 1, the coordinates, and their products of two and of three.
    with_one = np.column_stack([np.ones(len(places)), places])
    products = combinations_with_replacement(with_one.T, 3)
    return np.column_stack([first * second * third for first, second, third in products])
