"""Customers who are alike, taken together: what is expected of many is then worked out for a few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kehu_analysis.clv.arrays import FloatArray, IntArray
from kehu_analysis.clv.fitting.effects import Effect
from kehu_analysis.clv.models.histories import History

#: What covariates do to the logarithm of a parameter is told apart in steps of this.
_SHIFT = 0.02


class Fineness(NamedTuple):
    """Steps of bins: of the logarithm of purchases, of log(1 + age / mean age), and of silence like that of age."""

    purchases: float
    age: float
    silence: float
    #: Different pasts up to which nothing is binned, and purchases up to which each number is a bin.
    few: int
    exact: int


FINE = Fineness(0.06, 0.015, 0.03, few=2000, exact=16)
#: For what moves with parameters in much the same way among customers who are not quite alike.
COARSE = Fineness(0.4, 0.12, 0.15, few=200, exact=4)


class Kinds(NamedTuple):
    """Kinds of customers.

    Attributes
    ----------
    place
        Which kind each customer is of, (n,).
    first
        A customer of each kind, (n_kinds,).
    past
        Mean past of each kind, (n_kinds,).
    number
        Customers of each, (n_kinds,).
    effects
        What covariates do to the parameters of each.
    is_binned
        Whether pasts that differ were put together.
    """

    place: IntArray
    first: IntArray
    past: History
    number: FloatArray
    effects: tuple[Effect, ...]
    is_binned: bool


def kinds_of(
    past: History,
    fields: Sequence[str],
    *,
    fineness: Fineness = FINE,
    effects: Sequence[Effect] = (),
    coefficients: FloatArray | None = None,
) -> Kinds:
    """Put customers whose pasts are alike together.

    Parameters
    ----------
    past
        Customers, (n,).
    fields
        Those of ``past`` that matter.
    fineness
        Of the bins, where there are many different pasts.
    effects
        What covariates do to the parameters of these customers.
    coefficients
        Those of ``effects``, as their places count; customers whose parameters they move by much the same share the
        covariates of one of them.

    Returns
    -------
    Kinds
        In order of their pasts.

    Examples
    --------
    >>> three = History(np.array([1.0, 1.0, 2.0]), np.array([3.0, 3.0, 4.0]), np.array([9.0, 9.0, 9.0]))
    >>> kinds_of(three, ("x", "T")).number
    array([2., 1.])
    """
    keys = {name: getattr(past, name) for name in fields}
    shifts = _shifts(effects, coefficients)
    group, number = _grouped([*keys.values(), *shifts])
    is_binned = len(number) > fineness.few
    if is_binned:
        group, number = _grouped([*(_binned(name, past, fineness) for name in fields), *shifts])
    first = np.empty(len(number), dtype=np.intp)
    first[group[::-1]] = np.arange(len(group))[::-1]
    means = [np.bincount(group, column) / number for column in past]
    # A mean of equal numbers need not be that number.
    same = [column[first] for column in past]
    exact = [
        np.where(np.isclose(mean, one, rtol=1e-12, atol=0), one, mean) for mean, one in zip(means, same, strict=True)
    ]
    exact[1] = np.minimum(exact[1], exact[2])
    return Kinds(group, first, History(*exact), number, tuple(effect.part(first) for effect in effects), is_binned)


def _grouped(columns: Sequence[FloatArray]) -> tuple[IntArray, FloatArray]:
    group = pd.DataFrame(dict(enumerate(columns))).groupby(list(range(len(columns))), sort=True).ngroup()
    place = np.asarray(group, dtype=np.intp)
    return place, np.bincount(place).astype(float)


def _binned(name: str, past: History, fineness: Fineness) -> FloatArray:
    if name == "x":
        more = np.floor(np.log(np.maximum(past.x, fineness.exact) / fineness.exact) / fineness.purchases)
        return np.where(past.x <= fineness.exact, past.x, fineness.exact + 1 + more)
    length, step = (past.T, fineness.age) if name == "T" else (past.T - past.t_x, fineness.silence)
    mean = max(float(past.T.mean()), np.finfo(float).tiny)
    return np.asarray(np.floor(np.log1p(length / mean) / step))


def _shifts(effects: Sequence[Effect], coefficients: FloatArray | None) -> list[FloatArray]:
    if coefficients is None:
        return []
    return [np.rint(np.sum(one.covariates * coefficients[one.places], axis=1) / _SHIFT) for one in effects]
