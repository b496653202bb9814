"""How covariates move the parameters of a model from customer to customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from kehu_analysis.clv.arrays import FloatArray

#: Logarithm beyond which a parameter is no longer followed: of customers so far out nothing is known.
_MOST = 23.0


@dataclass(frozen=True)
class Effect:
    """What covariates do to one parameter: it is multiplied by exp(sign * sum of coefficients times covariates).

    Attributes
    ----------
    parameter
        Position of the parameter.
    sign
        1 or -1.
    covariates
        Values, shape (n, m).
    places
        Which of the coefficients each covariate has, shape (m,); effects that share one are equal.
    """

    parameter: int
    sign: float
    covariates: FloatArray
    places: npt.NDArray[np.intp]

    def part(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """Return it for some of the rows."""
        return replace(self, covariates=self.covariates[rows])


def spread(
    values: FloatArray, effects: Sequence[Effect], n_parameters: int, *, endless: bool = False
) -> list[FloatArray]:
    """Return each parameter as one number, or one a row where an effect moves it.

    Parameters
    ----------
    values
        Parameters, then coefficients: shape (k,), or (draws, k) for several sets at once.
    effects
        Of rows that stand in one order, (n,).
    n_parameters
        How many of the values are parameters.
    endless
        Whether a parameter may leave the range of numbers, as a search has to see; else it stays at its end.

    Returns
    -------
    list
        Arrays of shape () or (n,); for several sets (draws, 1) or (draws, n).

    Examples
    --------
    >>> male = Effect(parameter=0, sign=-1.0, covariates=np.array([[0.0], [1.0]]), places=np.array([0]))
    >>> spread(np.array([8.0, np.log(2.0)]), [male], 1)[0].round(6).tolist()
    [8.0, 4.0]
    """
    several = values.ndim == 2
    moved: list[FloatArray] = [values[..., [place]] if several else values[place] for place in range(n_parameters)]
    for effect in effects:
        shift = np.zeros(())
        for place, covariate in zip(effect.places, effect.covariates.T, strict=True):
            coefficient = values[..., [n_parameters + place]] if several else values[n_parameters + place]
            shift = shift + coefficient * covariate
        if endless:
            moved[effect.parameter] = moved[effect.parameter] * np.exp(effect.sign * shift)
        else:
            way = np.log(moved[effect.parameter]) + effect.sign * shift
            moved[effect.parameter] = np.exp(np.clip(way, -_MOST, _MOST))
    return moved


def standardising(effects: Sequence[Effect], weight: FloatArray, n_parameters: int, size: int) -> FloatArray:
    """Return what turns a place at which covariates have mean 0 and deviation 1 into one at which they are as given.

    Parameters
    ----------
    effects
        Of rows, (n,).
    weight
        Number of customers of each row, (n,).
    n_parameters, size
        How many logarithms of parameters there are in a place, and how many numbers in all: coefficients follow.

    Returns
    -------
    Array of shape (size, size), to be multiplied by the place.

    Examples
    --------
    >>> year = Effect(parameter=0, sign=-1.0, covariates=np.array([[2020.0], [2024.0]]), places=np.array([0]))
    >>> standardising([year], np.ones(2), 1, 2).tolist()
    [[1.0, 1011.0], [0.0, 0.5]]
    """
    turn = np.eye(size)
    for effect in effects:
        mean = np.average(effect.covariates, weights=weight, axis=0)
        deviation = np.sqrt(np.average((effect.covariates - mean) ** 2, weights=weight, axis=0))
        for place, centre, scale in zip(effect.places, mean, np.where(deviation > 0, deviation, 1.0), strict=True):
            turn[n_parameters + place, n_parameters + place] = 1 / scale
            turn[effect.parameter, n_parameters + place] -= effect.sign * centre / scale
    return turn
