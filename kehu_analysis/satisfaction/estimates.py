"""Weighted means of answers and their variance, where shops answer or not, and may be asked again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kehu_analysis.satisfaction.weighting import Weighting

__all__ = ["Answers", "Estimate", "estimate_mean", "repeated_answering"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_LEAST_CHANCE = 0.02


@dataclass(frozen=True)
class Answers:
    """Who answered, with which weights.

    Attributes
    ----------
    shop, wave
        Numbers of the customer and of the wave of each answer, shape (n answered,).
    weighting
        Weights that stand for all who were asked; None where nobody knows who was asked.
    correlation
        Between answering once and answering another time, of one customer; 0 where nothing shows it.
    asked_share
        Share of the customers that were asked, of those who could have been.
    """

    shop: Codes
    wave: Codes
    weighting: Weighting | None
    answered: npt.NDArray[np.bool_]
    correlation: float
    asked_share: float


class Estimate(NamedTuple):
    """A mean with its variance.

    Attributes
    ----------
    mean, variance
        Of the estimate, in the unit of the answers.
    size
        Of independent answers that would tell as much; infinite where everybody was asked and answered.
    degrees_of_freedom
        Of the variance.
    """

    mean: float
    variance: float
    size: float
    degrees_of_freedom: int


def repeated_answering(shop: Codes, answered: npt.NDArray[np.bool_], codes: Codes) -> float:
    """Estimate how answering one time goes along with answering another, over the attributes known.

    Parameters
    ----------
    shop
        Customer of every asking, shape (n asked,).
    answered
        Whether it answered.
    codes
        Levels of the attributes, shape (n asked, k).

    Returns
    -------
    float
        Mean product of standardised deviations over the pairs of askings of one customer, 0 to 1.

    Examples
    --------
    >>> shop = np.repeat(np.arange(100), 2)
    >>> answered = np.repeat(np.arange(100) % 2 == 0, 2)
    >>> round(repeated_answering(shop, answered, np.zeros((200, 1), dtype=np.int64)), 6)
    1.0
    """
    design = _design(codes)
    chance = design @ np.linalg.lstsq(design, answered.astype(np.float64), rcond=None)[0]
    chance = np.clip(chance, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    deviation = (answered - chance) / np.sqrt(chance * (1 - chance))
    times = np.bincount(shop)
    pairs = float((times * (times - 1)).sum())
    if not pairs:
        return 0.0
    sums, squares = np.bincount(shop, deviation), np.bincount(shop, deviation**2)
    return float(np.clip((sums**2 - squares).sum() / pairs, 0.0, 1.0))


def estimate_mean(values: npt.ArrayLike, given: Answers, rows: npt.NDArray[np.bool_] | None = None) -> Estimate:
    """Estimate the mean that all who were asked would have told.

    Each of the asked answers with a chance, which is what its weight is one over. The variance of the weighted mean
    over answering anew is, with residuals ``e`` of the answers on the attributes and chances ``p = 1 / w``, ``Σ (1 -
    p) (w e)² / (1 - h) + Σ (p_ij - p_i p_j) / p_ij · w_i e_i w_j e_j`` over the pairs of answers of one customer,
    with leverages ``h`` and ``p_ij = p_i p_j + r √(p_i (1 - p_i) p_j (1 - p_j))``, ``r`` the correlation of
    answering: the correction for a finite number of asked is in it. Where only a share ``f`` of the customers was
    asked, drawn at random, ``(1 - f)`` of what customers differ by comes on top. Where nobody knows who was asked,
    answers are a sample of endlessly many, and those of one customer one draw.

    Parameters
    ----------
    values
        Answers; missing where the question was left out.
    given
        Who answered, with which weights.
    rows
        The answers that count; all that are not missing by default.

    Notes
    -----
    Särndal, C.-E., Swensson, B. and Wretman, J. (1992), *Model assisted survey sampling*, sections 5.7 and 6.5
    (residuals of a calibrated estimator) and 9.8 (answering as a second phase).
    """
    answers = np.asarray(values, dtype=np.float64)
    kept = np.isfinite(answers) if rows is None else rows & np.isfinite(answers)
    y, shop = answers[kept], given.shop[kept]
    if given.weighting is None:
        weights, design = np.ones(len(y)), np.ones((len(y), 1))
        n_asked = float(len(y))
    else:
        # Whoever answered the questionnaire and left this question out is like those who did not answer.
        whole = given.weighting.weights
        weights = whole[kept] * (whole.sum() / whole[kept].sum())
        design, n_asked = _design(given.weighting.codes[given.answered][kept]), float(whole.sum())
    mean = float(np.sum(weights * y) / np.sum(weights))
    root = np.sqrt(weights)[:, None]
    left, values_of, _ = np.linalg.svd(design * root, full_matrices=False)
    basis = left[:, values_of > 1e-9 * values_of[0]]
    scaled = y * root[:, 0]
    residual = (scaled - basis @ (basis.T @ scaled)) / root[:, 0]
    freed = np.clip(1 - (basis**2).sum(axis=1), 1e-3, None)
    part = weights * residual
    _, owner = np.unique(shop, return_inverse=True)
    n_shops = int(owner.max()) + 1
    if given.weighting is None:
        between = float((np.bincount(owner, part) ** 2).sum()) * n_shops / max(n_shops - 1, 1)
        variance = between / n_asked**2
    else:
        between = float((np.bincount(owner, part / np.sqrt(freed)) ** 2).sum())
        chance = np.clip(1 / weights, None, 1.0)
        answering = float(((1 - chance) * part**2 / freed).sum()) + _of_pairs(
            part, chance, owner, given.wave[kept], given.correlation
        )
        variance = (answering + (1 - given.asked_share) * max(between - answering, 0.0)) / n_asked**2
    spread = float(np.sum(weights * (y - mean) ** 2) / np.sum(weights))
    if variance > 0 and spread > 0:
        size = spread / variance
    elif given.weighting is None:
        size = float(n_shops)
    else:
        size = len(y) / max(1 - given.asked_share * len(y) / n_asked, 0.0) if len(y) < n_asked else np.inf
    return Estimate(mean, variance, size, max(n_shops - basis.shape[1], 1))


def _design(codes: Codes) -> Array:
    """Return a column of ones, and one for every level but the first of each attribute."""
    columns = [np.ones(len(codes))]
    for place in range(codes.shape[1]):
        columns += [(codes[:, place] == level).astype(np.float64) for level in range(1, int(codes[:, place].max()) + 1)]
    return np.stack(columns, axis=1)


def _of_pairs(part: Array, chance: Array, owner: Codes, wave: Codes, correlation: float) -> float:
    """Sum over the pairs of answers of one customer, each twice."""
    if correlation == 0:
        return 0.0
    shape = (int(owner.max()) + 1, int(wave.max()) + 1)
    parts, chances, there = (np.zeros(shape) for _ in range(3))
    parts[owner, wave], chances[owner, wave], there[owner, wave] = part, chance, 1.0
    total = 0.0
    for first in range(shape[1]):
        for second in range(first + 1, shape[1]):
            p, q = chances[:, first], chances[:, second]
            joint = correlation * np.sqrt(p * (1 - p) * q * (1 - q))
            both = p * q + joint
            share = np.divide(joint, both, out=np.zeros_like(joint), where=both > 0)
            total += 2 * float((share * parts[:, first] * parts[:, second] * there[:, first] * there[:, second]).sum())
    return total
