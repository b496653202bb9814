"""Weights that make those who answered look like those who were asked, by what is known of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.errors import ConvergenceError

__all__ = ["LARGEST_RATIO", "Weighting", "kish_size", "rake", "weigh_answers"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

#: No answer counts for more than so many average ones: the mean would hang on single shops.
LARGEST_RATIO = 5.0
#: A level with fewer answers is put together with others of its attribute.
FEWEST_ANSWERS = 5
_TOLERANCE = 1e-10
_MOST_ROUNDS = 2000
_MOST_TRIMS = 20


class Weighting(NamedTuple):
    """Weights of the answers, shape (n answered,), which add up to the number asked.

    Attributes
    ----------
    weights
        1 and more where nobody answered twice.
    codes
        Levels of every attribute that was used, after those with few answers were put together; of all who were asked,
        shape (n asked, n attributes).
    n_capped
        Answers whose weight was cut.
    n_collapsed
        Levels that were put together with others.
    attributes
        Those used.
    """

    weights: Array
    codes: Codes
    n_capped: int
    n_collapsed: int
    attributes: tuple[str, ...]


def kish_size(weights: npt.ArrayLike) -> float:
    """Return ``(Σw)² / Σw²``: how many equal answers tell as much as these, where weights have to do with nothing.

    Notes
    -----
    Kish, L. (1965), *Survey sampling*, section 11.2.

    Examples
    --------
    >>> kish_size([1, 1, 1, 1]), round(kish_size([1, 1, 4]), 3)
    (4.0, 2.0)
    """
    values = np.asarray(weights, dtype=np.float64)
    return float(values.sum() ** 2 / (values**2).sum())


def rake(codes: npt.ArrayLike, margins: Sequence[npt.ArrayLike], start: npt.ArrayLike | None = None) -> Array:
    """Adjust weights until every attribute has its margins: iterative proportional fitting.

    Parameters
    ----------
    codes
        Level of every row in each attribute, from 0, shape (n, k).
    margins
        For each attribute the total of every level; every total has rows, and all attributes add up to the same.
    start
        Weights to begin with, shape (n,); 1 by default.

    Returns
    -------
    ndarray
        Weights, shape (n,).

    Raises
    ------
    ConvergenceError
        No weights have all the margins.

    Notes
    -----
    Deming, W. E. and Stephan, F. F. (1940), *Annals of Mathematical Statistics* 11, 427-444.

    Examples
    --------
    >>> rake([[0], [0], [1]], [[6, 4]]).tolist()
    [3.0, 3.0, 4.0]
    """
    levels = np.asarray(codes, dtype=np.int64)
    weights = np.ones(len(levels)) if start is None else np.array(start, dtype=np.float64)
    totals = [np.asarray(margin, dtype=np.float64) for margin in margins]
    for _ in range(_MOST_ROUNDS):
        off = 0.0
        for place, total in enumerate(totals):
            now = np.bincount(levels[:, place], weights, minlength=len(total))
            ratio = np.divide(total, now, out=np.ones_like(total), where=now > 0)
            off = max(off, float(np.abs(ratio - 1).max()))
            weights = weights * ratio[levels[:, place]]
        if off < _TOLERANCE:
            return weights
    raise ConvergenceError("no_weights", rounds=_MOST_ROUNDS)


def weigh_answers(
    asked: pd.DataFrame, answered: npt.NDArray[np.bool_], by: Sequence[str], *, largest: float = LARGEST_RATIO
) -> Weighting:
    """Weigh the answers so that in every attribute they stand for all who were asked.

    Levels with fewer than 5 answers are put together, with the next smallest one where they have too few even so.
    Weights above ``largest`` times the mean are cut, and the others adjusted again.

    Parameters
    ----------
    asked
        One row for each who was asked, with the attributes.
    answered
        Who answered, shape (n asked,); at least one.
    by
        Attributes, one level a customer; what is missing is a level of its own.
    largest
        Largest weight, in means.

    Examples
    --------
    >>> asked = pd.DataFrame({"size": ["small"] * 20 + ["large"] * 10})
    >>> answered = np.array([True] * 5 + [False] * 15 + [True] * 10)
    >>> weigh_answers(asked, answered, ["size"]).weights.tolist()[-11:] == [1.0] * 10
    False
    >>> weigh_answers(asked, answered, ["size"]).weights.round(6).tolist() == [4.0] * 5 + [1.0] * 10
    True
    """
    columns, used, n_collapsed = [], [], 0
    for name in by:
        levels = pd.factorize(asked[name].astype("object").where(asked[name].notna(), ""), sort=True)[0]
        merged, lost = _collapsed(levels.astype(np.int64), answered)
        n_collapsed += lost
        if merged.max() > 0:
            columns.append(merged)
            used.append(name)
    codes = np.stack(columns, axis=1) if columns else np.zeros((len(asked), 1), dtype=np.int64)
    margins = [np.bincount(codes[:, place]).astype(np.float64) for place in range(codes.shape[1])]
    inside = codes[answered]
    mean = len(asked) / len(inside)
    weights, capped = np.full(len(inside), mean), np.zeros(len(inside), dtype=bool)
    for _ in range(_MOST_TRIMS):
        weights = rake(inside, margins, weights)
        over = weights > largest * mean * (1 + _TOLERANCE)
        if not over.any():
            break
        capped |= over
        weights = np.minimum(weights, largest * mean)
    weights = weights * (len(asked) / weights.sum())
    return Weighting(weights, codes, int(capped.sum()), n_collapsed, tuple(used))


def _collapsed(levels: Codes, answered: npt.NDArray[np.bool_]) -> tuple[Codes, int]:
    """Put levels with few answers together; return the new levels, numbered from 0, and how many were put together."""
    counts = np.bincount(levels[answered], minlength=levels.max() + 1)
    order = np.lexsort((np.arange(len(counts)), counts))
    few = int((counts < FEWEST_ANSWERS).sum())
    # Together they may still be few: then the next smallest joins them.
    while 0 < few < len(counts) and counts[order[:few]].sum() < FEWEST_ANSWERS:
        few += 1
    group = np.arange(len(counts))
    group[order[:few]] = order[0]
    return np.unique(group, return_inverse=True)[1][levels].astype(np.int64), few
