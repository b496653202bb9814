"""From wave to wave: has satisfaction changed, of the same customers?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.satisfaction.intervals import mean_interval
from kehu_analysis.satisfaction.questionnaires import read_questionnaires
from kehu_analysis.satisfaction.scores import answers_of, attributes_of, measure

__all__ = ["survey_waves"]

_FEWEST_PAIRS = 10


def survey_waves(
    surveys: pd.DataFrame,
    customers: pd.DataFrame | None = None,
    *,
    by: Sequence[str] = ("region", "business_type", "size_class"),
    interval: float = 0.90,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Finding:
    """Answer: has satisfaction changed since the wave before?

    Who answers differs from wave to wave, so the difference of two means is partly one of who was in them. The change
    is taken of the customers that answered both times: the mean of their differences with Student's limits. Beside it
    stand the scores of each wave, weighted as in :func:`~kehu_analysis.satisfaction.survey_scores`.

    Parameters
    ----------
    surveys, customers, by, interval, scales, failures
        As for ``survey_scores``.

    Returns
    -------
    Finding
        ``survey_waves``: one row a wave: ``wave`` (its first day), ``n_asked``, ``n_answers``, ``satisfaction``,
        ``satisfaction_low``, ``satisfaction_high``, ``nps``, ``nps_low``, ``nps_high``, and against the wave before
        ``n_pairs``, ``satisfaction_change`` with ``_low``, ``_high`` (points; missing for fewer than 10 customers
        that answered both times). Facts: ``n_waves``, ``first_wave``, ``last_wave``, ``n_pairs``, ``change`` with
        ``_low`` and ``_high`` and ``change_of_means`` of the last wave, and ``direction`` (risen, fallen,
        no_change_seen).

    Raises
    ------
    InsufficientDataError
        One wave only, too few customers that answered twice in a row, or a reason of ``read_questionnaires``.
    UsageError
        ``interval`` is not between 0 and 1.

    Examples
    --------
    >>> first = pd.DataFrame({"customer_id": [f"c{n:02d}" for n in range(20)], "date": "2025-10-01",
    ...                       "satisfaction": [3, 4] * 10})
    >>> second = first.assign(date="2026-04-01", satisfaction=[4, 4] * 10)
    >>> survey_waves(pd.concat([first, second])).facts["change"].value
    0.5
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    read = read_questionnaires(surveys, analysis="survey_waves", scales=scales, failures=failures)
    n_waves = len(read.wave_names)
    if n_waves < 2:
        raise InsufficientDataError("one_wave", wave=read.wave_names[0])
    if "satisfaction" not in read.rows or read.rows["satisfaction"].isna().all():
        raise InsufficientDataError("survey_without_answers", n_rows=read.n_asked)
    given, _ = answers_of(read, attributes_of(customers, by))
    answers = read.rows[read.rows["answered"]]
    rows = []
    for number, name in enumerate(read.wave_names):
        inside = (answers["wave"] == number).to_numpy()
        row: dict[str, object] = {
            "wave": name,
            "n_asked": int((read.rows["wave"] == number).sum()) if read.knows_silence else None,
            "n_answers": int(inside.sum()),
        }
        for score, column in (("satisfaction", "satisfaction"), ("nps", "recommendation")):
            there = inside & (answers[column].notna().to_numpy() if column in answers else False)
            enough = int(there.sum()) >= _FEWEST_PAIRS
            values = answers[column].to_numpy(dtype=np.float64) if column in answers else np.zeros(0)
            found = measure(score, values, given, interval, there) if enough else (None, None, None)
            row |= dict(zip((score, f"{score}_low", f"{score}_high"), found, strict=True))
        rows.append(row | _change(answers, number, interval))
    table = pd.DataFrame(rows)
    told = table[table["satisfaction_change"].notna()]
    if told.empty:
        raise InsufficientDataError("no_pairs_of_waves", n_waves=n_waves, fewest=_FEWEST_PAIRS)
    last = told.iloc[-1]
    before = table.loc[told.index[-1] - 1]
    sign = int(last["satisfaction_change_low"] > 0) - int(last["satisfaction_change_high"] < 0)
    means = (last["satisfaction"], before["satisfaction"])
    facts = {
        "n_waves": Fact(n_waves, "count"),
        "first_wave": Fact(read.wave_names[0], "text"),
        "last_wave": Fact(str(last["wave"]), "text"),
        "wave_before": Fact(str(before["wave"]), "text"),
        "n_pairs": Fact(int(last["n_pairs"]), "customers"),
        "change": Fact(float(last["satisfaction_change"]), "number"),
        "change_low": Fact(float(last["satisfaction_change_low"]), "number"),
        "change_high": Fact(float(last["satisfaction_change_high"]), "number"),
        "change_of_means": Fact(None if pd.isna(list(means)).any() else float(means[0] - means[1]), "number"),
        "direction": Fact(("no_change_seen", "risen", "fallen")[sign], "code"),
        "interval": Fact(interval, "share"),
    }
    return Finding("survey_waves", table, facts, {"by": list(by), "interval": interval}, ("waves_same_customers",))


def _change(answers: pd.DataFrame, number: int, level: float) -> dict[str, object]:
    """Return the mean difference to the wave before, of the customers that answered both times."""
    told = answers.dropna(subset="satisfaction")
    now, then = (told[told["wave"] == wave].set_index("customer_id")["satisfaction"] for wave in (number, number - 1))
    difference = (now - then).dropna()
    n = len(difference)
    names = ("n_pairs", "satisfaction_change", "satisfaction_change_low", "satisfaction_change_high")
    if n < _FEWEST_PAIRS:
        return dict(zip(names, (n if number else None, None, None, None), strict=True))
    found = mean_interval(
        float(difference.mean()),
        float(difference.var(ddof=1)) / n,
        level=level,
        degrees_of_freedom=n - 1,
        limits=(-4.0, 4.0),
    )
    return dict(zip(names, (n, *found), strict=True))
