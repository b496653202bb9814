"""Jumps of weekly lines or sales to another level that stays."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kehu_analysis.data.doubts.silences import ALPHA

_WEEK, _YEAR = 7, 52
#: Half, or double: what an estimate of it may come out as.
_LEAST_FACTOR = 1.75
#: Weeks next to the jump, weeks that the level must last, and the quarter that a log needs to settle.
_NEAR, _LASTS, _QUARTER = 6, 6, 13
#: Of the whole change, so much happens from one fortnight to the next; a ramp of six weeks has half.
_ABRUPT, _AT_ONCE = 0.75, 3
#: A level that moves by more than this share of the jump, in the quarter before it or the two quarters after it, is
#: none: where no new customers come from some week on, lines fall at once, but then go on falling.
_DRIFT = 1 / 4
#: A season's jump comes back a year later within so many weeks.
_SEASON_MOVES = 3
#: Below so many lines a week, chance alone halves and doubles.
_FEWEST_LINES = 5.0
#: Weeks with more days of rest than this are not compared.
_REST_DAYS = 2
#: So close to the break of the New Year the peak before it and the lull after it are nobody's fault.
_NEXT_TO = 3


def level_shift(
    days: pd.DataFrame,
    rest: NDArray[np.bool_],
    missing: list[tuple[int, int, float]],
) -> list[tuple[int, int, float]]:
    """Answer: do weekly lines or sales jump to half or double, from one week to the next, and stay there?

    For every week, the median log of the six weeks from it on less that of the six before, less what the slopes on
    both sides explain, is measured against its own robust scale over all weeks (so seasons, growth and noise of the
    log itself set the scale), with Bonferroni's correction for the weeks looked at.

    Parameters
    ----------
    days
        One row a day with lines: ``day`` (ordinal, ascending), ``n_lines``, ``amount`` (currency).
    rest
        One value for every calendar day from the first to the last: silence, or little, is expected.
    missing
        Periods with lines missing; their weeks are not compared.

    Returns
    -------
    list of (first day, last day, size)
        Ordinals: from the jump to the next one or the log's end; and how many times the level before.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> days = pd.DataFrame({"day": range(733408, 733408 + 700), "n_lines": rng.poisson(50, 700).astype(float)})
    >>> days.loc[420:, "n_lines"] *= 3
    >>> days["amount"] = days["n_lines"] * 20
    >>> [(begin - 733408, round(size)) for begin, _, size in
    ...  level_shift(days, np.zeros(700, dtype=bool), [])]
    [(420, 3)]
    """
    start = int(days["day"].iloc[0])
    # Ordinal 1 is a Monday: weeks are those of the calendar, and the first and last may be cut.
    offset = (start - 1) % _WEEK
    left_out = rest.copy()
    for begin, end, _ in missing:
        left_out[begin - start : end - start + 1] = True
    n_weeks = (offset + len(rest) - 1) // _WEEK + 1
    if n_weeks < _QUARTER + _LASTS + 2:
        return []
    week = (days["day"].to_numpy() - start + offset) // _WEEK
    n_left_out = np.bincount((np.flatnonzero(left_out) + offset) // _WEEK, minlength=n_weeks)
    unfit = n_left_out > _REST_DAYS
    unfit[[0, -1]] = True
    festive = _festive(np.bincount((np.flatnonzero(rest) + offset) // _WEEK, minlength=n_weeks) > _REST_DAYS)
    found: list[tuple[int, float, float]] = []
    for name in ("n_lines", "amount"):
        weekly = np.bincount(week, weights=days[name].to_numpy(), minlength=n_weeks).astype(np.float64)
        found += _jumps(weekly, days["n_lines"].sum() / n_weeks, unfit, festive)
    chosen: list[tuple[int, float]] = []
    for place, size, _ in sorted(found, key=lambda jump: (-jump[2], jump[0])):
        if all(abs(place - other) >= _QUARTER for other, _ in chosen):
            chosen.append((place, size))
    if not chosen:
        return []
    chosen.sort()
    first_days = [_first_day(days, start - offset + _WEEK * place, size) for place, size in chosen]
    last_days = [day - 1 for day in first_days[1:]] + [int(days["day"].iloc[-1])]
    return [(begin, end, size) for begin, end, (_, size) in zip(first_days, last_days, chosen, strict=True)]


def _jumps(
    weekly: NDArray[np.float64], mean_lines: float, unfit: NDArray[np.bool_], festive: NDArray[np.bool_]
) -> list[tuple[int, float, float]]:
    """Return week, factor and evidence (in standard deviations) of every jump of one weekly series."""
    fit = ~unfit & (weekly > 0)
    if mean_lines < _FEWEST_LINES or fit.sum() < _QUARTER + _LASTS:
        return []
    level = np.where(fit, np.log(np.where(fit, weekly, 1.0)), np.nan)
    jump = np.where(festive, np.nan, _step(level, _NEAR) - _NEAR * _slope(level))
    found = [one for one in _staying(level, jump, mean_lines) if not _seasonal(jump, one[0])]
    if len(level) >= 2 * _YEAR:
        # Against the same weeks of the other years a season is no noise. A fault shows upside down in the other years,
        # where the weeks themselves do not jump; so many jumps are its echoes that the smaller ones tell the scale.
        against = level - _other_years(level)
        jump_against = np.where(festive, np.nan, _step(against, _NEAR) - _NEAR * _slope(against))
        alike = jump * np.sign(jump_against) >= np.log(_LEAST_FACTOR) * _ABRUPT
        found += _staying(
            against, np.where(alike, jump_against, np.nan), mean_lines, scale=_scale(jump_against, at=0.25)
        )
    return found


def _staying(
    level: NDArray[np.float64], jump: NDArray[np.float64], mean_lines: float, *, scale: float | None = None
) -> list[tuple[int, float, float]]:
    """Return the jumps that are beyond chance, abrupt, and lead from one level to another."""
    scale = max(_scale(jump) if scale is None else scale, 1 / np.sqrt(mean_lines))
    limit = max(np.log(_LEAST_FACTOR), NormalDist().inv_cdf(1 - ALPHA / 8 / len(level)) * scale)
    far, abrupt = _step(level, _QUARTER), _step(level, _AT_ONCE)
    found = []
    for place in np.flatnonzero(np.nan_to_num(np.abs(jump)) >= limit).tolist():
        sign = np.sign(jump[place])
        change = far[place] * sign
        lasting = change >= np.log(_LEAST_FACTOR) and place >= _QUARTER and place + _LASTS <= len(level)
        at_once = abrupt[place] * sign >= _ABRUPT * change
        before = abs(_drift(level[max(place - _QUARTER, 0) : place]))
        after = _drift(level[place : place + 2 * _QUARTER]) * sign
        if lasting and at_once and max(before, after) <= _DRIFT * change:
            found.append((place, round(float(np.exp(far[place])), 2), abs(float(jump[place])) / scale))
    return found


def _scale(jump: NDArray[np.float64], at: float = 0.5) -> float:
    """Return the standard deviation of most jumps, from a quantile of their distance from the median."""
    known = jump[np.isfinite(jump)]
    if len(known) < _QUARTER:
        return np.inf
    return float(np.quantile(np.abs(known - np.median(known)), at)) / NormalDist().inv_cdf((1 + at) / 2)


def _other_years(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the same weeks of the other years."""
    total, n_known = np.zeros(len(level)), np.zeros(len(level))
    weeks = np.arange(len(level))
    n_years = len(level) // _YEAR
    for years in range(-n_years, n_years + 1):
        same = weeks + round(years * 365.25 / _WEEK)
        there = (same >= 0) & (same < len(level)) & (years != 0)
        values = np.where(there, level[np.clip(same, 0, len(level) - 1)], np.nan)
        total += np.nan_to_num(values)
        n_known += np.isfinite(values)
    return np.asarray(np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan))


def _festive(resting: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the weeks in and next to a break of two weeks or more: sales before it and after it are not alike."""
    long = resting & (np.r_[False, resting[:-1]] | np.r_[resting[1:], False])
    near = np.convolve(long, np.ones(2 * _NEXT_TO + 1), mode="same")
    return np.asarray(near > 0)


def _before(level: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the ``width`` weeks before each week, one row a week."""
    return np.lib.stride_tricks.sliding_window_view(np.r_[np.full(width, np.nan), level[:-1]], width)


def _from(level: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return each week and those after it, ``width`` in all, one row a week."""
    return np.lib.stride_tricks.sliding_window_view(np.r_[level, np.full(width - 1, np.nan)], width)


def _medians(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row of which at least half is known."""
    enough = 2 * np.isfinite(windows).sum(axis=1) >= windows.shape[1]
    medians = np.full(len(windows), np.nan)
    if enough.any():
        medians[enough] = np.nanmedian(windows[enough], axis=1)
    return medians


def _step(level: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the median of the weeks from each week on less that of the weeks before it."""
    return _medians(_from(level, width)) - _medians(_before(level, width))


def _slope(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the slopes a week (Theil's median over pairs) of the quarters before and after each week."""
    left, right = np.triu_indices(_QUARTER, 1)
    slopes = np.zeros(len(level))
    n_known = np.zeros(len(level))
    for windows in (_before(level, _QUARTER), _from(level, _QUARTER)):
        slope = _medians((windows[:, right] - windows[:, left]) / (right - left))
        slopes += np.nan_to_num(slope)
        n_known += np.isfinite(slope)
    return np.asarray(slopes / np.maximum(n_known, 1))


def _drift(level: NDArray[np.float64]) -> float:
    """Return by how much a level moves from its first third to its last."""
    known = level[np.isfinite(level)]
    third = max(len(known) // 3, 1)
    return float(np.median(known[-third:]) - np.median(known[:third])) if len(known) else 0.0


def _seasonal(jump: NDArray[np.float64], place: int) -> bool:
    """Tell whether the same jump is there in another year."""
    sign = np.sign(jump[place])
    for years in range(-(len(jump) // _YEAR), len(jump) // _YEAR + 1):
        around = round(place + years * 365.25 / _WEEK)
        near = jump[max(around - _SEASON_MOVES, 0) : max(around + _SEASON_MOVES + 1, 0)] * sign
        if years and np.isfinite(near).any() and np.nanmax(near) >= abs(jump[place]) / 2:
            return True
    return False


def _first_day(days: pd.DataFrame, monday: int, size: float) -> int:
    """Return the day of the jump: of the days around its week, that which splits them best."""
    near = days[days["day"].between(monday - 4 * _WEEK, monday + 4 * _WEEK - 1)]
    day, lines = near["day"].to_numpy(), np.log(near["n_lines"].to_numpy())
    usual = pd.Series(np.log(days["n_lines"].to_numpy())).groupby(days["day"].to_numpy() % _WEEK).median()
    lines = lines - usual.reindex(day % _WEEK).to_numpy()
    places = [place for place in range(2, len(day) - 1) if abs(int(day[place]) - monday) < 2 * _WEEK]
    if not places:
        return monday
    gains = [
        np.sign(np.log(size)) * (lines[place:].mean() - lines[:place].mean()) * np.sqrt(place * (len(lines) - place))
        for place in places
    ]
    return int(day[places[int(np.argmax(gains))]])
