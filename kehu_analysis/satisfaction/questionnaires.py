"""Reads the rows of a survey: which are answers, of which wave and scale; refuses what it cannot be sure of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.frames import check_columns

__all__ = ["DRIVER", "SCALES", "Questionnaires", "driver_columns", "read_questionnaires"]

#: Beginning of the names of columns with satisfaction in one respect.
DRIVER = "driver_"
#: Smallest and largest answer.
SCALES: Mapping[str, tuple[float, float]] = {
    "satisfaction": (1.0, 5.0),
    "repurchase_probability": (0.0, 1.0),
    "recommendation": (0.0, 10.0),
    "wallet_share": (0.0, 1.0),
}
_DRIVER_SCALE = (1.0, 5.0)
#: So many days without asking part two waves; one that goes on for longer than half a year is parted by half years.
_DAYS_BETWEEN_WAVES = 45
_LONGEST_WAVE_DAYS = 184
#: With so many answers a scale of which only the lower half is used is another scale, or has to be confirmed.
_MANY_ANSWERS = 30
#: More unreadable answers than this share of all make a figure wrong, and not only less sure.
_MOST_UNREADABLE = 0.02


@dataclass(frozen=True)
class Questionnaires:
    """The rows of a survey, one for each customer and wave.

    Attributes
    ----------
    rows
        ``customer_id``, ``date``, ``wave`` (number, from 0), ``answered``, and the answers as floats, rescaled to their
        scale where another was stated; in order of customer and wave.
    wave_names
        First day of each wave.
    knows_silence
        Whether there are rows of who was asked and did not answer.
    n_repeated
        Rows left out because a customer has a later one in the same wave.
    n_unreadable
        Answers that the data room could not read.
    """

    rows: pd.DataFrame
    wave_names: tuple[str, ...]
    knows_silence: bool
    n_repeated: int
    n_unreadable: int

    @property
    def n_asked(self) -> int:
        """How many were asked, counted anew in every wave; where nobody knows, how many answered."""
        return len(self.rows)

    @property
    def n_answered(self) -> int:
        """How many answered."""
        return int(self.rows["answered"].sum())


def driver_columns(surveys: pd.DataFrame) -> list[str]:
    """Return the columns with satisfaction in one respect, in order.

    Examples
    --------
    >>> driver_columns(pd.DataFrame(columns=["date", "driver_service", "driver_price"]))
    ['driver_price', 'driver_service']
    """
    return sorted(str(name) for name in surveys.columns if str(name).startswith(DRIVER))


def read_questionnaires(
    surveys: pd.DataFrame,
    *,
    analysis: str,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Questionnaires:
    """Read the rows of a survey.

    Parameters
    ----------
    surveys
        ``customer_id``, ``date`` and answers; a row without any answer is of a customer who did not answer.
    analysis
        The analysis's code, for messages.
    scales
        Smallest and largest answer of columns on another scale, or on their own where that was asked; a scale whose
        smallest is above its largest runs the other way.
    failures
        What could not be read of the data (:meth:`kehu_analysis.data.Dataset.failures`): answers off the scale are
        empty in ``surveys``, and whoever gave them did not keep silent.

    Raises
    ------
    DataError
        Columns are missing.
    InsufficientDataError
        No rows, no date, no answers, or answers on another scale than the one expected.
    UsageError
        A scale has no width.

    Examples
    --------
    >>> surveys = pd.DataFrame({"customer_id": ["a", "b"], "date": ["2026-04-01", "2026-04-02"]})
    >>> surveys["satisfaction"] = [4, None]
    >>> read = read_questionnaires(surveys, analysis="survey_scores")
    >>> read.n_asked, read.n_answered, read.knows_silence, read.wave_names
    (2, 1, True, ('2026-04-01',))
    """
    check_columns(surveys, ("customer_id",), analysis=analysis)
    days = pd.to_datetime(surveys["date"]) if "date" in surveys else pd.Series(pd.NaT, index=surveys.index)
    if days.isna().any():
        raise InsufficientDataError("survey_without_dates", n_rows=len(surveys), n_without=int(days.isna().sum()))
    n_unreadable = _unreadable(failures, surveys, scales or {})
    rows = pd.DataFrame({"customer_id": surveys["customer_id"].to_numpy(), "date": days.to_numpy()})
    names = [name for name in (*SCALES, *driver_columns(surveys)) if name in surveys]
    for name in names:
        rows[name] = _on_scale(surveys[name], name, (scales or {}).get(name))
    rows["answered"] = rows[names].notna().any(axis=1)
    if "has_alternative" in surveys:
        rows["has_alternative"] = surveys["has_alternative"].to_numpy()
        rows["answered"] |= rows["has_alternative"].notna()
    if not rows["answered"].any():
        raise InsufficientDataError("survey_without_answers", n_rows=len(rows))
    rows["wave"], first_days = _waves(rows["date"])
    ordered = rows.sort_values(["customer_id", "wave", "answered", "date", *names], kind="stable")
    kept = ordered.drop_duplicates(["customer_id", "wave"], keep="last").reset_index(drop=True)
    return Questionnaires(
        rows=kept,
        wave_names=first_days,
        knows_silence=bool((~kept["answered"]).any()),
        n_repeated=len(rows) - len(kept),
        n_unreadable=n_unreadable,
    )


def _on_scale(column: pd.Series, name: str, stated: tuple[float, float] | None) -> npt.NDArray[np.float64]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    low, high = SCALES.get(name, _DRIVER_SCALE)
    there = values[np.isfinite(values)]
    first, last = stated or (low, high)
    if first == last:
        raise UsageError("survey_scale_width", column=name, smallest=first, largest=last)
    if len(there) and (there.min() < min(first, last) or there.max() > max(first, last)):
        raise _another_scale(name, float(there.min()), float(there.max()), (first, last))
    if stated is None and len(there) >= _MANY_ANSWERS and name != "wallet_share" and there.max() <= (low + high) / 2:
        raise _another_scale(name, float(there.min()), float(there.max()), (low, high))
    return np.asarray(low + (values - first) * (high - low) / (last - first))


def _another_scale(name: str, smallest: float, largest: float, scale: tuple[float, float]) -> InsufficientDataError:
    told = {"smallest": f"{smallest:g}", "largest": f"{largest:g}", "low": f"{scale[0]:g}", "high": f"{scale[1]:g}"}
    return InsufficientDataError("answers_off_scale", column=name, **told)


def _unreadable(failures: pd.DataFrame | None, surveys: pd.DataFrame, scales: Mapping[str, tuple[float, float]]) -> int:
    """Count answers that could not be read; refuse where they are many, for they would pass as silence."""
    if failures is None or failures.empty:
        return 0
    ours = failures[
        (failures["table"] == "surveys") & failures["reason"].isin(["above_range", "below_range", "not_integer"])
    ]
    found = 0
    for name, n_lines in ours.groupby("column")["n_lines"].sum().items():
        read = int(surveys[name].notna().sum()) if name in surveys else 0
        found += int(n_lines)
        if n_lines > _MOST_UNREADABLE * (read + n_lines):
            examples = ", ".join(str(value) for value in ours.loc[ours["column"] == name, "example"].head(3))
            low, high = SCALES.get(str(name), _DRIVER_SCALE)
            raise InsufficientDataError(
                "answers_unreadable", column=str(name), n_lines=int(n_lines), examples=examples,
                low=f"{low:g}", high=f"{high:g}",
            )  # fmt: skip
    return found


def _waves(days: pd.Series) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the number of each row's wave, and the first day of every wave."""
    number = days.to_numpy().astype("datetime64[D]").astype(np.int64)
    asked_on = np.unique(number)
    start = np.concatenate([[True], np.diff(asked_on) >= _DAYS_BETWEEN_WAVES])
    begins = asked_on[start]
    ends = np.concatenate([asked_on[np.flatnonzero(start)[1:] - 1], asked_on[-1:]])
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if end - begin > _LONGEST_WAVE_DAYS:
            # Asking goes on all the time: the half years of the calendar are its waves.
            within = asked_on[(asked_on > begin) & (asked_on <= end)]
            month = within.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
            half = np.concatenate([[_half_year(begin)], month // 6])
            begins = np.union1d(begins, within[np.diff(half) > 0])
    wave = np.searchsorted(begins, number, side="right") - 1
    return wave.astype(np.int64), tuple(str(np.datetime64(int(day), "D")) for day in begins)


def _half_year(day: int) -> int:
    return int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64)) // 6
