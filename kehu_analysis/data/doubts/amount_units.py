"""Runs of days whose amounts are a power of ten times those around: a change of unit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_WEEK = 7
#: A median of fewer lines says too little: days are put together until they have so many.
_ENOUGH_LINES = 20
#: The blocks over which the base level (without its power of ten) is smoothed, and the levels tried.
_SMOOTHED, _HIGHEST = 41, 4
#: How far off a single block may count, in powers of ten.
_FURTHEST = 2.5
#: How concentrated amounts must be, whatever their power of ten, for a level to be told (1: all the same).
_CONCENTRATED = 0.5
#: A jump is a power of ten within a factor of 1.5, and noise is never taken as smaller than 3 %.
_TOLERANCE, _LEAST_NOISE = np.log10(1.5), 0.013
#: A run and its neighbours are compared over so many days, or lines where days have few.
_COMPARED, _COMPARED_LINES = 10, 200
#: What comes back more often than this is the business's own rhythm.
_MOST_RUNS = 3


def power_of_ten(days: pd.DataFrame) -> list[tuple[int, int, float]]:
    """Answer: are there days whose amounts are 10, 100, … times, or a 10th, a 100th, … of those around?

    The common logarithm of the daily median amount is a slowly moving base, plus a whole number (the unit), plus
    noise. The base is found by a circular mean, to which whole numbers are invisible; then the most likely whole
    numbers by Viterbi's algorithm, each change of which costs as much as N times chance; then every change must be a
    power of ten within a factor of 1.5 in the amounts themselves.

    Parameters
    ----------
    days
        One row a day with lines: ``day`` (ordinal, ascending), ``n_lines``, ``median_amount`` (currency; missing or
        not above 0 where the day has none).

    Returns
    -------
    list of (first day, last day, size)
        Ordinals, and how many times the amounts of the longest part of the log: 100.0, 0.01, …

    Examples
    --------
    >>> days = pd.DataFrame({"day": range(733408, 733608), "n_lines": 30.0, "median_amount": 52.0})
    >>> days.loc[150:, "median_amount"] *= 100
    >>> power_of_ten(days)
    [(733558, 733607, 100.0)]
    """
    known = days[(days["median_amount"] > 0) & np.isfinite(days["median_amount"])]
    day, lines = known["day"].to_numpy(), known["n_lines"].to_numpy()
    level = _without_weekdays(np.log10(known["median_amount"].to_numpy()), day)
    block = _blocks(lines)
    n_blocks = int(block[-1]) + 1 if len(block) else 0
    if n_blocks < 3:
        return []
    starts = np.searchsorted(block, np.arange(n_blocks))
    means = np.array([np.median(part) for part in np.split(level, starts[1:])])
    base = _base(means)
    if base is None:
        return []
    powers = _most_likely_powers(means - base)
    changes = _exact_changes(powers, starts, level)
    bounds = [0, *changes, len(level)]
    unit = [int(np.median(powers[block[begin:end]])) for begin, end in pairwise(bounds)]
    lengths = {power: sum(bounds[i + 1] - bounds[i] for i in range(len(unit)) if unit[i] == power) for power in unit}
    usual = max(lengths, key=lambda power: (lengths[power], power == unit[0]))
    compared = max(_COMPARED, -int(-_COMPARED_LINES // max(float(np.median(lines)), 1.0)))
    odd = [i for i, power in enumerate(unit) if power != usual and _is_exact(level, bounds, unit, i, compared)]
    if len(odd) > _MOST_RUNS:
        return []
    return [(int(day[bounds[i]]), int(day[bounds[i + 1] - 1]), 10.0 ** (unit[i] - usual)) for i in odd]


def _without_weekdays(level: NDArray[np.float64], day: NDArray[np.int64]) -> NDArray[np.float64]:
    # A shop that sells to trade from Monday to Friday and to the public on Saturday has no change of unit.
    if len(level) < 8 * _WEEK:
        return level
    frame = pd.DataFrame({"level": level, "weekday": day % _WEEK})
    usual = frame.groupby("weekday")["level"].transform("median").to_numpy()
    return np.asarray(level - usual + np.median(level))


def _blocks(lines: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the days so that each number has enough lines."""
    numbers = np.zeros(len(lines), dtype=np.int64)
    number, held = 0, 0.0
    for place, n_lines in enumerate(lines):
        numbers[place] = number
        held += n_lines
        if held >= _ENOUGH_LINES:
            number, held = number + 1, 0.0
    if held > 0 and number > 0:  # the last days have too few lines for a block of their own
        numbers[numbers == number] = number - 1
    return numbers


def _base(level: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the slowly moving level without its whole part; None where amounts are too scattered to tell."""
    turns = pd.Series(np.exp(2j * np.pi * level))
    smooth = [
        part.rolling(_SMOOTHED, center=True, min_periods=1).mean().to_numpy()
        for part in (pd.Series(turns.to_numpy().real), pd.Series(turns.to_numpy().imag))
    ]
    if float(np.median(np.hypot(*smooth))) < _CONCENTRATED:
        return None
    return np.asarray(np.unwrap(np.arctan2(smooth[1], smooth[0])) / (2 * np.pi))


def _most_likely_powers(level: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the whole number of each block: Laplace noise, and a cost for every change."""
    centre = round(float(np.median(level)))
    powers = centre + np.arange(-_HIGHEST, _HIGHEST + 1)
    off = np.abs(level[:, None] - powers)
    noise = max(float(np.median(off.min(axis=1))) * 1.5, _LEAST_NOISE)
    # Beyond that nothing more is learnt: a single block cannot buy a change at any price.
    cost = np.minimum(off, _FURTHEST) / noise
    change = 4.0 + 2 * np.log(len(level))
    best = cost[0]
    came_from = np.zeros(cost.shape, dtype=np.int64)
    for place in range(1, len(level)):
        cheapest = int(best.argmin())
        moved = best[cheapest] + change
        came_from[place] = np.where(best <= moved, np.arange(len(powers)), cheapest)
        best = np.minimum(best, moved) + cost[place]
    path = np.empty(len(level), dtype=np.int64)
    path[-1] = int(best.argmin())
    for place in range(len(level) - 1, 0, -1):
        path[place - 1] = came_from[place, path[place]]
    # A block that a change cuts in two may lie half-way: it belongs to what follows.
    for place in range(1, len(path) - 1):
        if path[place - 1] < path[place] < path[place + 1] or path[place - 1] > path[place] > path[place + 1]:
            path[place] = path[place + 1]
    return powers[path]


def _exact_changes(powers: NDArray[np.int64], starts: NDArray[np.int64], level: NDArray[np.float64]) -> list[int]:
    """Return the day with which each change begins: the split of the two blocks that fits their days best."""
    changes: list[int] = []
    for place in np.flatnonzero(np.diff(powers)) + 1:
        begin = max(int(starts[place - 1]), changes[-1] + 1 if changes else 0)
        end = int(starts[place + 1]) if place + 1 < len(starts) else len(level)
        before = np.median(level[max(begin - _COMPARED, 0) : max(int(starts[place]), begin + 1)])
        after = before + powers[place] - powers[place - 1]
        gain = np.abs(level[begin:end] - after) - np.abs(level[begin:end] - before)
        # The cost of a split is that of the days before it at the old level and of those after at the new.
        costs = [-gain[:split].sum() + gain[split:].sum() for split in range(len(gain))]
        changes.append(begin + int(np.argmin(costs)))
    return [change for change in sorted(set(changes)) if change > 0]


def _is_exact(level: NDArray[np.float64], bounds: list[int], unit: list[int], run: int, compared: int) -> bool:
    """Tell whether the amounts of a run are, by a power of ten, those of its neighbours."""
    begin, end = bounds[run], bounds[run + 1]
    checks = []
    for edge, inner, outer, other in (
        (begin > 0, level[begin : min(begin + compared, end)], level[max(begin - compared, 0) : begin], run - 1),
        (end < len(level), level[max(end - compared, begin) : end], level[end : end + compared], run + 1),
    ):
        if edge:
            jump = float(np.median(inner) - np.median(outer))
            checks.append(abs(jump - (unit[run] - unit[other])) <= _TOLERANCE)
    return bool(checks) and all(checks)
