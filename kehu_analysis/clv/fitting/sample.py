"""Customers as a likelihood takes them: different rows, and how often each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.effects import Effect

_MOST_KEYS = 2**62


@dataclass(frozen=True)
class Sample:
    """What a log-likelihood is computed from: unique rows, how often each occurs, and the measure used.

    Attributes
    ----------
    columns
        Arrays of shape (n_unique,), those with a dimension already divided by ``measure``.
    weight
        Number of customers of each row, shape (n_unique,).
    measure
        Length of time or amount of money, in the caller's unit, that counts as 1 inside the fit. It makes the
        fit the same whatever the unit.
    log_jacobian
        What to add to the log-likelihood to bring it back to the caller's unit.
    effects
        What covariates do to parameters, with their values in these rows.
    """

    columns: dict[str, FloatArray]
    weight: FloatArray
    measure: float
    log_jacobian: float
    effects: tuple[Effect, ...] = ()

    def totals(self) -> FloatArray:
        """Return a few sums over the customers, by which to know them again: (2 + number of columns,)."""
        sums = [np.sum(values * self.weight) for values in self.columns.values()]
        return np.array([self.measure, self.weight.sum(), *sums])


def compressed(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the unique rows with their number (or the sum of their weights) as ``weight``, sorted.

    Examples
    --------
    >>> compressed(pd.DataFrame({"frequency": [0, 2, 0]}), ["frequency"]).to_dict("list")
    {'frequency': [0, 2], 'weight': [2.0, 1.0]}
    """
    # A whole number a row, in the order of the rows' values: pandas groups by one column in half the time of several.
    key, n_keys = np.zeros(len(rows), dtype=np.int64), 1
    for column in columns:
        place, levels = pd.factorize(rows[column].to_numpy(), sort=True)
        if n_keys * len(levels) > _MOST_KEYS:
            key, found = pd.factorize(key, sort=True)
            n_keys = len(found)
        key, n_keys = key * len(levels) + place, n_keys * len(levels)
    place, keys = pd.factorize(key)
    order = np.argsort(keys)
    member = np.empty(len(keys), dtype=np.intp)
    member[place] = np.arange(len(rows))
    unique = pd.DataFrame({column: rows[column].to_numpy()[member[order]] for column in columns})
    weight = rows["weight"].to_numpy(dtype=float) if "weight" in rows.columns else None
    return unique.assign(weight=np.bincount(place, weight, len(keys))[order].astype(float))
