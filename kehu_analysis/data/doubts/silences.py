"""Silences that a log's own rhythm, holidays and yearly closures do not explain."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: A log without fault has a false alarm of its own with this chance at most (each kind of doubt).
ALPHA = 0.01
_WEEK, _YEAR = 7, 365.25
#: The rhythm around a silence is that of half a year before and after it.
_RHYTHM_WEEKS = 26
#: A doubt is about this many days with sales at least: a Monday-to-Friday week with a holiday in it still counts.
_FEWEST_DAYS = 3.5
#: No day of the week is surer than this to have sales: shops close for reasons that no calendar knows.
_SUREST = 0.97
#: A day with a twentieth of its weekday's usual lines is as good as silent, where the usual number is not small.
_NEAR_SILENCE, _ENOUGH_LINES = 0.05, 40
#: A closure that returns every year may move by so many days.
_MOVES = 14


def missing_weeks(days: pd.DataFrame, rest: NDArray[np.bool_]) -> list[tuple[int, int, float]]:
    r"""Answer: are there silences that the log's own rhythm does not explain?

    Every silence (days without lines, or with a twentieth of the usual) has a surprise: with :math:`s` the sum of
    :math:`-\ln(1 - e)` over its days, :math:`e` the share of weeks in which that day of the week has sales in the half
    year before and after, and :math:`n` the days with sales there, it is :math:`n \ln(1 + s / n)`. In a log whose days
    are silent by chance alone the surprise is exponential with mean 1; where the log's own silences are more surprising
    than that, their 90 % quantile is the scale.

    Parameters
    ----------
    days
        One row a day with lines: ``day`` (ordinal, ascending), ``n_lines``.
    rest
        One value for every calendar day from the first to the last: silence is expected.

    Returns
    -------
    list of (first day, last day, size)
        The ordinals of the first and last day on which sales were to be expected, and the share of the usual lines
        that is there all the same.

    Examples
    --------
    >>> day = np.array([d for d in range(733408, 733408 + 280) if not 100 <= d - 733408 < 107])
    >>> missing_weeks(pd.DataFrame({"day": day, "n_lines": 30.0}), np.zeros(280, dtype=bool))
    [(733508, 733514, 0.0)]
    """
    if len(days) < 2:
        return []
    start = int(days["day"].iloc[0])
    lines = np.zeros(len(rest))
    lines[days["day"].to_numpy() - start] = days["n_lines"].to_numpy()
    sold = lines > 0
    sold[1:-1] &= ~_nearly_silent(lines)[1:-1]
    open_on_holidays = bool(rest.any()) and sold[rest].mean() >= sold.mean() / 2
    silences = [_Silence(begin, end, sold, rest, trim=not open_on_holidays) for begin, end in runs_of(~sold)]
    if not silences:
        return []
    n_sold = max(int(sold.sum()), 1)
    # Two days with sales in a row have a silence of no days, and no surprise, between them.
    surprises = np.zeros(max(n_sold, len(silences)))
    surprises[: len(silences)] = [silence.surprise for silence in silences]
    scale = max(1.0, float(np.quantile(surprises, 0.9)) / math.log(10))
    limit = scale * math.log(n_sold / ALPHA)
    found = [
        silence
        for silence in silences
        if silence.surprise > limit and silence.n_expected >= _FEWEST_DAYS and not _yearly(silence, silences, len(rest))
    ]
    return [(start + s.first, start + s.last, s.share_of_lines(lines, sold)) for s in found]


class _Silence:
    """The days from ``begin`` up to and without ``end``, and how much of a surprise their silence is."""

    def __init__(self, begin: int, end: int, sold: NDArray[np.bool_], rest: NDArray[np.bool_], *, trim: bool) -> None:
        self.begin, self.end = begin, end
        chance, n_around = _chances(begin, end, sold, rest)
        usual = chance.copy()
        chance[rest[begin:end]] = 0
        # The rhythm is known from so many days with sales: Gamma's prediction of none, (1 + s / n) to the power of -n.
        self.surprise = n_around * math.log1p(float(-np.log1p(-chance).sum()) / n_around)
        self.n_expected = float(chance.sum())
        # A missing week of a Monday-to-Friday business begins on the Monday, after a holiday on the Tuesday; but a
        # shop that sells on holidays misses those too.
        expected = chance if trim else usual
        clear = np.flatnonzero(expected >= expected.max() / 2)
        self.first, self.last = begin + int(clear[0]), begin + int(clear[-1])

    def share_of_lines(self, lines: NDArray[np.float64], sold: NDArray[np.bool_]) -> float:
        reach = slice(max(self.begin - _RHYTHM_WEEKS * _WEEK, 0), self.end + _RHYTHM_WEEKS * _WEEK)
        usual = float(np.median(lines[reach][sold[reach]])) * self.n_expected
        return round(float(lines[self.first : self.last + 1].sum()) / usual, 4)


def _chances(begin: int, end: int, sold: NDArray[np.bool_], rest: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """Return for each silent day how likely a day of its weekday has sales around there, and from how many days."""
    reach = _RHYTHM_WEEKS * _WEEK
    around = np.r_[max(begin - reach, 0) : begin, end : min(end + reach, len(sold))]
    around = around[~rest[around]]
    if len(around) == 0:
        return np.zeros(end - begin), 1
    overall = sold[around].mean()
    with_sales = np.bincount(around % _WEEK, weights=sold[around], minlength=_WEEK)
    counted = np.bincount(around % _WEEK, minlength=_WEEK)
    # Few weeks around: each weekday is drawn to the mean of all by one week's weight.
    chance = np.minimum((with_sales + overall) / (counted + 1), _SUREST)
    return np.asarray(chance[np.arange(begin, end) % _WEEK], dtype=np.float64), max(int(with_sales.sum()), 1)


def _nearly_silent(lines: NDArray[np.float64]) -> NDArray[np.bool_]:
    n_weeks = -(-len(lines) // _WEEK)
    weeks = pd.DataFrame(np.pad(lines, (0, n_weeks * _WEEK - len(lines))).reshape(n_weeks, _WEEK))
    usual = weeks.where(weeks > 0).rolling(_RHYTHM_WEEKS + 1, center=True, min_periods=4).median()
    usual_lines = usual.to_numpy().ravel()[: len(lines)]
    with np.errstate(invalid="ignore"):
        return (usual_lines >= _ENOUGH_LINES) & (lines <= _NEAR_SILENCE * usual_lines)


def runs_of(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where each run of marked days begins, and the place after its end.

    Examples
    --------
    >>> runs_of(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, marked, False].astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _yearly(silence: _Silence, silences: list[_Silence], n_days: int) -> bool:
    """Tell whether the same silence is there in at least half of the other years."""
    n_years = int(n_days / _YEAR) + 1
    seen = covered = 0
    for years in range(-n_years, n_years + 1):
        begin, end = (round(day + years * _YEAR) for day in (silence.first, silence.last))
        if years == 0 or begin < 0 or end >= n_days:
            continue
        covered += 1
        seen += any(
            other.surprise >= silence.surprise / 2 and other.first <= end + _MOVES and other.last >= begin - _MOVES
            for other in silences
        )
    return covered > 0 and seen >= max(1, covered / 2)
