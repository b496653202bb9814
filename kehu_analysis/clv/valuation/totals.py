"""What all customers together, or a segment of them, may buy and spend: sums of independent futures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray

#: Up to so many customers a sum is taken exactly, by Fourier transforms; that of more has three moments' law.
FEW_CUSTOMERS = 250
#: Of more, those are whose amounts make the sum more skewed than this, as three moments do not tell it; not those who
#: move it by less than such a share, and no more than so many.
_SKEWED, _SLIGHT, _MOST_APART = 0.5, 0.05, 5000
_CELLS = 2**14
_MOST_COUNTS = 2**16
#: Standard deviations of a sum that neither it nor one amount in it is followed beyond.
_FAR = 9.0
#: Within the first cell, denser towards 0.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_FIRST_NODES, _FIRST_WEIGHTS = ((1 + _NODES) / 2) ** 4, 2 * _WEIGHTS * ((1 + _NODES) / 2) ** 3
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
    of_each = (
        there * chance + (1 - there) * (np.arange(len(chance)) == 0)
        for chance, there in zip(chances, alive.tolist(), strict=True)
    )
    below = np.cumsum(_convolved(of_each, size))

    def law(amount: FloatArray) -> FloatArray:
        place = np.clip(np.floor(amount), -1, size - 1).astype(np.intp)
        return np.where(place < 0, 0.0, below[place])

    return law


def law_of_many_amounts(law_of: Callable[[int], Law], scale: FloatArray, highest: FloatArray, moments: Moments) -> Law:
    """Return the law of the sum of any number of customers' amounts.

    Parameters
    ----------
    law_of
        From a customer's number, 0 to n - 1, to the law of their amount, as for :func:`law_of_amounts`.
    scale, highest, moments
        As there.

    Examples
    --------
    >>> moments = Moments(np.ones(400), np.ones(400), np.full(400, 2.0))
    >>> exponential = lambda number: lambda amount: -np.expm1(-np.maximum(amount, 0.0))
    >>> law_of_many_amounts(exponential, np.ones(400), np.full(400, 20.0), moments)(np.array([400.0])).round(3)
    array([0.507])
    """
    few = _apart(moments)
    rest = np.ones(len(scale), dtype=bool)
    rest[few] = False
    laws = [law_of(int(number)) for number in few]
    if not rest.any():
        return law_of_amounts(laws, scale[few], highest[few], Moments(*(column[few] for column in moments)))
    mean, variance, third = (float(column[rest].sum()) for column in moments)
    others = law_of_moments(mean, variance, third)
    if not len(few):
        return others
    # The others together are one more, counted from where they hardly ever end.
    base, reach = mean - _FAR * np.sqrt(variance), 2 * _FAR * np.sqrt(variance)
    of_others = (mean - base, variance, third)
    together = law_of_amounts(
        [*laws, lambda amount: others(amount + base)],
        np.append(scale[few], 1.0),
        np.append(highest[few], reach),
        Moments(*(np.append(column[few], of_rest) for column, of_rest in zip(moments, of_others, strict=True))),
    )
    return lambda amount: together(amount - base)


def _apart(moments: Moments) -> np.ndarray:
    # Those to be taken one by one.
    size = len(moments.mean)
    if size <= FEW_CUSTOMERS:
        return np.arange(size)
    order = np.argsort(-np.abs(moments.third), kind="stable")
    third, variance = (np.cumsum(column[order[::-1]])[::-1] for column in (np.abs(moments.third), moments.variance))
    is_left = (third > _SKEWED * variance**1.5) & (variance > _SLIGHT**2 * variance[0])
    return order[: min(int(np.count_nonzero(is_left)), _MOST_APART)]


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
    deviations = [float(np.sqrt(moments.variance[side].sum())) for side in (scale > 0, scale < 0)]
    # Cells are to tell the sum, not the rarest amount: what exceeds its mean by more than a sum ever does is put there.
    spread = _FAR * float(np.sqrt(moments.variance.sum()))
    furthest = np.minimum(np.abs(scale) * highest, np.abs(moments.mean) + spread)
    ends = [
        float(np.abs(moments.mean[side]).sum() + _FAR * deviation + furthest[side].max(initial=0.0))
        for side, deviation in zip((scale > 0, scale < 0), deviations, strict=True)
    ]
    cell = max(sum(ends), np.finfo(float).tiny) / (_CELLS - 2)
    n_above = int(np.ceil(ends[0] / cell)) + 1

    def of_each() -> Iterator[FloatArray]:
        for law, unit, most in zip(laws, scale.tolist(), (furthest / cell).tolist(), strict=True):
            mass = _on_cells(law, cell / abs(unit), int(np.ceil(most))) if unit else np.ones(1)
            yield mass if unit >= 0 else np.roll(np.pad(mass, (0, _CELLS - len(mass)))[::-1], 1)

    # Places from n_above on stand for amounts below 0.
    below = np.cumsum(np.roll(_convolved(of_each(), _CELLS), _CELLS - n_above))
    places = (np.arange(_CELLS) - (_CELLS - n_above) + 0.5) * cell
    if not (scale < 0).any():
        # That nobody buys is no matter of cells.
        nothing = float(np.prod([law(np.zeros(1))[0] for law in laws]))
        places, below = np.append(0.0, places[places > 0]), np.append(nothing, below[places > 0])
    return lambda amount: np.asarray(np.interp(amount, places, below, left=0.0, right=1.0))


def _on_cells(law: Law, cell: float, last: int) -> FloatArray:
    # Probabilities of 0, 1, …, last cells: what lies between two is shared among them so that its mean stays, for small
    # amounts rounded would add up. What lies beyond the last is put there. The chance to exceed an amount is integrated
    # over each cell, in the first of which it may fall at any scale.
    last = max(last, 1)
    exceeded = 1 - law(np.arange(2 * last + 1, dtype=float) * (cell / 2))
    held = (exceeded[:-2:2] + 4 * exceeded[1::2] + exceeded[2::2]) / 6
    held[0] = np.sum(_FIRST_WEIGHTS * (1 - law(_FIRST_NODES * cell)))
    return np.asarray(np.append(1.0, held) - np.append(held, 0.0))


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


def _convolved(rows: Iterable[FloatArray], size: int) -> FloatArray:
    # The product of many transforms: below 1 all, so that nothing overflows.
    product = np.ones(size // 2 + 1, dtype=complex)
    for row in rows:
        product *= np.fft.rfft(row, size)
    return np.asarray(np.maximum(np.fft.irfft(product, size), 0.0))
