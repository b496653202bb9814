"""What all customers together, or a segment of them, may buy and spend: sums of independent futures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray

#: Up to so many customers a sum is taken exactly, by Fourier transforms; that of more has three moments' law.
FEW_CUSTOMERS = 250
_CELLS = 4096
_MOST_COUNTS = 2**16
#: Below this skewness a sum is normal.
_STRAIGHT = 1e-4
_STEPS = 80
_REACH = 40.0

#: Amounts to the probability of no more.
Law = Callable[[FloatArray], FloatArray]


class Moments(NamedTuple):
    """Of sums of independent futures: mean, variance and third central moment, arrays of one shape."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray

    @classmethod
    def of_raw(cls, first: FloatArray, second: FloatArray, third: FloatArray) -> Moments:
        """Return them from raw moments of each future.

        Examples
        --------
        >>> Moments.of_raw(np.array([2.0]), np.array([5.0]), np.array([14.0]))
        Moments(mean=array([2.]), variance=array([1.]), third=array([0.]))
        """
        return cls(first, np.maximum(second - first**2, 0.0), third - 3 * first * second + 2 * first**3)

    def summed(self, group: np.ndarray, n_groups: int) -> Moments:
        """Return those of the sum of each group, (n_groups,), and last of all together."""
        sums = [np.bincount(group, column, n_groups) for column in self]
        return Moments(*(np.append(column, column.sum()) for column in sums))


def law_of_moments(mean: float, variance: float, third: float) -> Law:
    r"""Return the Pearson type III law (a shifted gamma) with these moments; normal where it is not skewed.

    A sum of many has nearly no other moments of its own: with skewness :math:`\gamma`, shape is
    :math:`4 / \gamma^2` (Johnson, Kotz and Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 17).

    Examples
    --------
    A sum of three exponentials is Gamma(3):

    >>> law_of_moments(3.0, 3.0, 6.0)(np.array([3.0])).round(6)
    array([0.57681])
    """
    deviation = float(np.sqrt(variance))
    if deviation == 0:
        return lambda amount: (amount >= mean).astype(float)
    skewness = third / deviation**3
    if abs(skewness) < _STRAIGHT:
        return lambda amount: np.asarray(special.ndtr((amount - mean) / deviation))
    shape = 4 / skewness**2

    def law(amount: FloatArray) -> FloatArray:
        place = shape + np.sign(skewness) * np.sqrt(shape) * (amount - mean) / deviation
        below = special.gammainc(shape, np.maximum(place, 0.0))
        return np.asarray(below if skewness > 0 else 1 - below)

    return law


def law_of_counts(chances: Sequence[FloatArray], alive: FloatArray) -> Law | None:
    """Return the law of the sum of a few customers' numbers of purchases, exactly; None where it reaches too far.

    Parameters
    ----------
    chances
        Probabilities of 0, 1, … purchases of each customer who is alive.
    alive
        Probability of each to be alive.

    Examples
    --------
    >>> law = law_of_counts([np.array([0.5, 0.5]), np.array([0.0, 1.0])], np.ones(2))
    >>> law(np.array([0.0, 1.0, 2.0])).round(6)
    array([0. , 0.5, 1. ])
    """
    reach = sum(len(row) - 1 for row in chances) + 1
    size = 2 ** int(np.ceil(np.log2(reach + 1)))
    if size > _MOST_COUNTS:
        return None
    rows = np.zeros((len(chances), size))
    for row, chance, there in zip(rows, chances, alive.tolist(), strict=True):
        row[: len(chance)] = there * chance
        row[0] += 1 - there
    below = np.cumsum(_convolved(rows))

    def law(amount: FloatArray) -> FloatArray:
        place = np.clip(np.floor(amount), -1, size - 1).astype(np.intp)
        return np.where(place < 0, 0.0, below[place])

    return law


def law_of_amounts(laws: Sequence[Law], scale: FloatArray, highest: FloatArray, moments: Moments) -> Law:
    """Return the law of the sum of a few customers' amounts, on a fine lattice.

    Parameters
    ----------
    laws
        Of each customer's amount, 0 or above, in units of ``scale``.
    scale
        What to multiply it by, (n,); below 0 where a customer costs more than they bring.
    highest
        What each, in its unit, hardly ever exceeds, (n,).
    moments
        Of each customer's amount in currency.

    Examples
    --------
    >>> even = lambda amount: np.clip(amount, 0.0, 1.0)
    >>> three = Moments(np.full(3, 0.5), np.full(3, 1 / 12), np.zeros(3))
    >>> law_of_amounts([even] * 3, np.ones(3), np.ones(3), three)(np.array([1.0, 1.5])).round(4)
    array([0.1667, 0.5   ])
    """
    ends = []
    for side in (scale > 0, scale < 0):
        reach = float(np.abs(moments.mean[side]).sum() + 9 * np.sqrt(moments.variance[side].sum()))
        ends.append(reach + float((np.abs(scale[side]) * highest[side]).max(initial=0.0)))
    cell = max(sum(ends), np.finfo(float).tiny) / (_CELLS - 2)
    n_above = int(np.ceil(ends[0] / cell)) + 1
    borders = (np.arange(_CELLS) + 0.5) * cell
    rows = np.zeros((len(laws), _CELLS))
    for row, law, unit in zip(rows, laws, scale.tolist(), strict=True):
        if unit == 0:
            row[0] = 1.0
            continue
        mass = np.diff(law(borders / abs(unit)), prepend=0.0)
        mass[-1] += 1 - mass.sum()
        row[:] = mass if unit > 0 else np.roll(mass[::-1], 1)
    # Places from n_above on stand for amounts below 0.
    mass = np.roll(_convolved(rows), _CELLS - n_above)
    places = (np.arange(_CELLS) - (_CELLS - n_above) + 0.5) * cell
    below = np.cumsum(mass)
    at_nothing = float(below[_CELLS - n_above]) if not (scale < 0).any() else 0.0

    def sum_law(amount: FloatArray) -> FloatArray:
        # That nobody buys is no matter of cells.
        found = np.interp(amount, places, below, left=0.0, right=1.0)
        return np.where(amount >= 0, np.maximum(found, at_nothing), found if not at_nothing else 0.0)

    return sum_law


def bounds_of(
    law: Law, centre: float, deviation: float, moved: FloatArray, interval: float, *, by_factor: bool
) -> tuple[float, float]:
    """Return low and high of a sum whose expectation is itself uncertain.

    Parameters
    ----------
    law
        Given the fitted parameters.
    centre, deviation
        Its mean and standard deviation.
    moved
        What is expected under other sets of parameters, as factors of the fitted expectation or, where it may be below
        0, as differences from it; (draws,).
    interval
        Probability of what lies between; the same is left out at either end.
    by_factor
        Which of the two.

    Examples
    --------
    >>> low, high = bounds_of(law_of_moments(10.0, 1.0, 0.0), 10.0, 1.0, np.ones(1), 0.9, by_factor=True)
    >>> round(low, 3), round(high, 3)
    (8.355, 11.645)
    """

    def below(amount: float) -> float:
        places = amount / moved if by_factor else amount - moved
        return float(law(places).mean())

    reach = _REACH * deviation + 1e-9 * abs(centre)
    furthest = np.array([moved.min(), moved.max()])
    corners = [end * furthest if by_factor else end + furthest for end in (centre - reach, centre + reach)]
    ends = float(np.min(corners)), float(np.max(corners))
    found = []
    below_nothing, at_nothing = below(-float(np.finfo(float).tiny)), below(0.0)
    for share in ((1 - interval) / 2, (1 + interval) / 2):
        if below_nothing < share <= at_nothing:  # where halves of halves would end a little above
            found.append(0.0)
            continue
        left, right = ends
        for _ in range(_STEPS):
            middle = (left + right) / 2
            left, right = (middle, right) if below(middle) < share else (left, middle)
        found.append(right)
    return found[0], found[1]


def _convolved(rows: FloatArray) -> FloatArray:
    # The product of many transforms: below 1 all, so that nothing overflows.
    product = np.prod(np.fft.rfft(rows, axis=1), axis=0)
    return np.asarray(np.maximum(np.fft.irfft(product, rows.shape[1]), 0.0))
