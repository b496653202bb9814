"""Doubts about the log as a whole: what no single line shows."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kehu_analysis.calendar import new_year_break, rest_days
from kehu_analysis.data.doubts.amount_units import power_of_ten
from kehu_analysis.data.doubts.levels import level_shift
from kehu_analysis.data.doubts.silences import ALPHA, missing_weeks, runs_of

REASONS = ("loaded_twice", "many_repeated_lines", "missing_weeks", "power_of_ten", "level_shift")
COLUMNS = ("reason", "first_date", "last_date", "n_lines", "size")
#: From this share of repeats on, a log without a period loaded twice is doubtful as a whole.
_MANY, _FEWEST_REPEATS = 0.10, 10
#: On few lines half is exactly half; on many, a mended line or two make it "about half".
_HALF, _ABOUT_HALF, _ENOUGH_LINES = 0.5, 0.45, 20
#: Where most of the log repeats there is no rest to hold a period against.
_MOST_OF_LOG = 0.8
_ROUNDS = 20


def doubtful_periods(days: pd.DataFrame, *, timezone: str, own_calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    """Answer: does the log as a whole look like something went wrong when it was exported or loaded?

    Parameters
    ----------
    days
        One row per day with accepted lines: ``date``, ``n_lines``, ``n_repeated_lines`` (lines that repeat an earlier
        one exactly), ``amount`` (currency, net), ``median_amount`` (currency, of amounts above 0; may be missing).
    timezone
        Name of the company's time zone: it tells which public holidays explain a silence.
    own_calendar
        The company's own ``calendar`` (``date``, ``is_workday``): of the days in it nothing else explains a silence.

    Returns
    -------
    DataFrame
        ``reason``, ``first_date``, ``last_date``, ``n_lines`` (lines in the period), ``size``; by reason, then by
        date. ``loaded_twice``: how many times the lines are there; ``many_repeated_lines``: share of lines that
        repeat; ``missing_weeks``: share of the usual lines that is there; ``power_of_ten`` and ``level_shift``: how
        many times the amounts, or lines, of before. Rules, thresholds and measured rates stand in docs/METHODS.md.

    Examples
    --------
    >>> day = pd.date_range("2025-01-06", "2025-12-28").date
    >>> days = pd.DataFrame({"date": day, "n_lines": 40, "n_repeated_lines": 0, "amount": 400.0, "median_amount": 9.0})
    >>> days.loc[56:62, ["n_lines", "n_repeated_lines"]] = [80, 40]
    >>> doubtful_periods(days, timezone="Asia/Shanghai").to_dict("records")  # doctest: +NORMALIZE_WHITESPACE
    [{'reason': 'loaded_twice', 'first_date': datetime.date(2025, 3, 3), 'last_date': datetime.date(2025, 3, 9),
      'n_lines': 560, 'size': 2.0}]
    """
    log = _in_order(days)
    if log.empty:
        return _table([], log)
    first, last = (date.fromordinal(int(log["day"].iloc[place])) for place in (0, -1))
    rest = rest_days(first, last, timezone=timezone, own_calendar=own_calendar)
    repeated, many = _repeated_lines(log)
    missing = missing_weeks(log, rest)
    shifted_units = power_of_ten(log)
    once = _without(log, repeated, shifted_units)
    # Who works through the New Year sells little all the same.
    shifts = level_shift(once, rest | new_year_break(first, last, timezone=timezone), missing)
    found = zip(REASONS, (repeated, many, missing, shifted_units, shifts), strict=True)
    return _table([(reason, *period) for reason, periods in found for period in sorted(periods)], log)


def _in_order(days: pd.DataFrame) -> pd.DataFrame:
    dates = pd.to_datetime(days["date"])
    # Days since the year 1, as date.toordinal counts them.
    ordinals = (dates.astype("datetime64[s]") - pd.Timestamp("1970-01-01")).dt.days + date(1970, 1, 1).toordinal()
    columns = {
        "n_lines": "n_lines",
        "n_repeated": "n_repeated_lines",
        "amount": "amount",
        "median_amount": "median_amount",
    }
    log = pd.DataFrame({"day": ordinals} | {new: days[old].astype("float64") for new, old in columns.items()})
    log = log[log["day"].notna() & (log["n_lines"] > 0)]
    return log.astype({"day": "int64"}).sort_values("day").reset_index(drop=True)


def _table(found: list[tuple[str, int, int, float]], log: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (reason, date.fromordinal(begin), date.fromordinal(end), int(_within(log, begin, end)["n_lines"].sum()), size)
        for reason, begin, end, size in found
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str", "n_lines": "int64", "size": "float64"})


def _within(log: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
    return log[log["day"].between(begin, end)]


def _without(
    log: pd.DataFrame, repeated: list[tuple[int, int, float]], units: list[tuple[int, int, float]]
) -> pd.DataFrame:
    """Take out of lines and amounts what other doubts explain, so that one fault is told once."""
    corrected = log.copy()
    for begin, end, copies in repeated:
        corrected.loc[log["day"].between(begin, end), ["n_lines", "amount"]] /= copies
    for begin, end, factor in units:
        corrected.loc[log["day"].between(begin, end), "amount"] /= factor
    return corrected


def _repeated_lines(log: pd.DataFrame) -> tuple[list[tuple[int, int, float]], list[tuple[int, int, float]]]:
    """Return the periods loaded twice, and the whole log where too many of its other lines repeat."""
    day, lines, repeats = (log[name].to_numpy() for name in ("day", "n_lines", "n_repeated"))
    candidates = runs_of(_half_repeated(lines, repeats))
    chosen = candidates
    # What is usual is what the rest of the log does, and what the rest is depends on what is chosen: begin with all
    # that may be doubted, and give back to the rest what is no surprise beside it.
    for _ in range(_ROUNDS):
        rest = np.ones(len(day), dtype=bool)
        for begin, end in chosen:
            rest[begin:end] = False
        usual, spread = _usual_share(lines[rest], repeats[rest])
        again = [run for run in chosen if _is_surprising(run, lines, repeats, usual, spread)]
        if again == chosen:
            break
        chosen = again
    n_within = sum(float(lines[begin:end].sum()) for begin, end in chosen)
    if n_within > _MOST_OF_LOG * lines.sum():
        chosen, rest = [], np.ones(len(day), dtype=bool)
    twice = [
        (int(day[begin]), int(day[end - 1]), _copies(lines[begin:end].sum(), repeats[begin:end].sum(), usual))
        for begin, end in chosen
    ]
    n_rest, n_repeats = float(lines[rest].sum()), float(repeats[rest].sum())
    too_many = n_repeats >= max(_MANY * n_rest, _FEWEST_REPEATS)
    return twice, [(int(day[0]), int(day[-1]), round(n_repeats / n_rest, 4))] if too_many else []


def _half_repeated(lines: NDArray[np.float64], repeats: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark days of which half or more repeats, and clearly more than in the log as a whole."""
    share = repeats / lines
    # The median over lines that are no repeats: a period loaded twice weighs no more than it would loaded once.
    order = np.argsort(share, kind="stable")
    distinct = np.maximum(lines - repeats, 0)[order].cumsum()
    usual = float(share[order][np.searchsorted(distinct, distinct[-1] / 2)]) if distinct[-1] > 0 else 1.0
    half = np.where(lines >= _ENOUGH_LINES, _ABOUT_HALF, _HALF)
    # Loaded twice, a day with a share b of repeats has (1 + b) / 2; the limit is half-way from b to there.
    return np.asarray(share >= np.maximum(half, (1 + 3 * usual) / 4))


def _usual_share(lines: NDArray[np.float64], repeats: NDArray[np.float64]) -> tuple[float, float]:
    """Return the share of repeats, and by how much days vary more than chance alone would let them."""
    total = float(lines.sum())
    if total == 0:
        return 1.0, 1.0
    share = (float(repeats.sum()) + 0.5) / (total + 1)
    if len(lines) < 3 or share >= 1:
        return share, 1.0
    squares = (repeats - lines * share) ** 2 / (lines * share * (1 - share))
    return share, max(1.0, float(squares.sum()) / (len(lines) - 1))


def _is_surprising(
    run: tuple[int, int], lines: NDArray[np.float64], repeats: NDArray[np.float64], usual: float, spread: float
) -> bool:
    begin, end = run
    n, share = lines[begin:end], np.minimum(repeats[begin:end] / lines[begin:end], 1 - 1e-9)
    if usual >= share.min():
        return False
    # Chernoff's bound of the binomial tail, day by day; days vary more than chance by `spread`.
    divergence = share * np.log(share / usual) + (1 - share) * np.log((1 - share) / (1 - usual))
    evidence = float((n * divergence).sum()) / spread
    # As many runs of this length as days, and lengths weighed by 1 / (k (k + 1)), which add up to 1.
    length = end - begin
    return evidence > math.log(len(lines) * length * (length + 1) / ALPHA)


def _copies(n_lines: float, n_repeats: float, usual: float) -> float:
    return round(n_lines * (1 - usual) / max(n_lines - n_repeats, 1.0), 2)
