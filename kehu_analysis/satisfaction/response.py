"""Who answers: response by group, and whether the content of before answer more readily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.satisfaction.intervals import wilson_interval
from kehu_analysis.satisfaction.questionnaires import Questionnaires, read_questionnaires
from kehu_analysis.satisfaction.scores import attributes_of

__all__ = ["survey_response"]

Array = npt.NDArray[np.float64]

#: A smaller group shows no rate of its own and is not named.
SMALLEST_GROUP = 10
_ALL, _SMALL = "all_asked", "small_groups"
_FEWEST_PAIRS = 20


def survey_response(
    surveys: pd.DataFrame,
    customers: pd.DataFrame | None = None,
    *,
    by: Sequence[str] = ("region", "business_type", "size_class"),
    interval: float = 0.90,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Finding:
    """Answer: who answers when asked, and does answering depend on satisfaction itself?

    Shares have Wilson's limits at the number of askings that tell as much as if each were of another customer:
    ``p (1 - p) / V``, with ``V`` the variance clustered by customer.

    Whether answering depends on the answer cannot be seen where there is none. A trace of it can: satisfaction lasts
    from wave to wave, so where the content answer more readily, those who answer again were more content last time
    than those who do not. The difference is taken with the attributes held fixed. None seen is no proof of none.

    Parameters
    ----------
    surveys, customers, by, interval, scales, failures
        As for :func:`~kehu_analysis.satisfaction.survey_scores`.

    Returns
    -------
    Finding
        ``survey_response``: a row for all and for every group of every attribute: ``attribute``, ``group``,
        ``n_asked``, ``n_answered``, ``response_rate``, ``low``, ``high``; groups of fewer than 10 askings stand
        together. Facts: ``n_asked``, ``n_answered``, ``response_rate`` with ``_low``, ``_high``; ``lowest_group``,
        ``highest_group`` with their rates; ``earlier_difference`` with ``_low`` and ``_high`` (points of satisfaction
        in the wave before, of who answered less who did not) and ``n_earlier``.

    Raises
    ------
    InsufficientDataError
        Nobody is known to have been asked and kept silent, or a reason of ``read_questionnaires``.
    UsageError
        ``interval`` is not between 0 and 1.

    Examples
    --------
    >>> surveys = pd.DataFrame({"customer_id": [f"c{n:02d}" for n in range(40)], "date": "2026-04-01",
    ...                         "satisfaction": [5, 4, 3, None] * 10})
    >>> survey_response(surveys).facts["response_rate"].value
    0.75
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    read = read_questionnaires(surveys, analysis="survey_response", scales=scales, failures=failures)
    if not read.knows_silence:
        raise InsufficientDataError("silence_unknown", n_answers=read.n_answered)
    attributes = attributes_of(customers, [name for name in by if name not in read.rows])
    rows = read.rows.join(attributes, on="customer_id")
    table = pd.DataFrame([_rate(_ALL, _ALL, rows, interval), *_groups(rows, list(attributes.columns), interval)])
    facts = _facts(table, interval) | _earlier(read, rows, list(attributes.columns), interval)
    notes = ["response_no_proof"]
    low = facts["earlier_difference_low"].value
    if low is not None and low > 0:  # type: ignore[operator]
        notes.insert(0, "response_by_satisfaction")
    if (table["group"] == _SMALL).any():
        notes.append("response_small_groups")
    facts["smallest_group"] = Fact(SMALLEST_GROUP, "count")
    return Finding("survey_response", table, facts, {"by": list(by), "interval": interval}, tuple(notes))


def _groups(rows: pd.DataFrame, attributes: list[str], level: float) -> Iterator[dict[str, object]]:
    for name in attributes:
        values = rows[name].astype("object").where(rows[name].notna(), None)
        sizes = values.value_counts()
        small = set(sizes[sizes < SMALLEST_GROUP].index)
        named = values.map(lambda value, small=small: _SMALL if value in small else value)
        groups = sorted((group for group in named.dropna().unique() if group != _SMALL), key=str)
        for group in [*groups, *([_SMALL] if (named == _SMALL).any() else [])]:
            yield _rate(name, str(group), rows[named == group], level)


def _rate(attribute: str, group: str, rows: pd.DataFrame, level: float) -> dict[str, object]:
    answered = rows["answered"].to_numpy(dtype=np.float64)
    share = float(answered.mean())
    owner = pd.factorize(rows["customer_id"])[0]
    variance = float((np.bincount(owner, answered - share) ** 2).sum()) / len(answered) ** 2
    size = min(share * (1 - share) / variance, float(len(answered))) if variance > 0 else float(owner.max() + 1)
    found = wilson_interval(share, size, level=level)
    return {
        "attribute": attribute,
        "group": group,
        "n_asked": len(answered),
        "n_answered": int(answered.sum()),
        "response_rate": share,
        "low": found.low,
        "high": found.high,
    }


def _facts(table: pd.DataFrame, interval: float) -> dict[str, Fact]:
    first, groups = table.iloc[0], table[~table["group"].isin([_ALL, _SMALL])]
    facts = {
        "n_asked": Fact(int(first["n_asked"]), "count"),
        "n_answered": Fact(int(first["n_answered"]), "count"),
        "response_rate": Fact(float(first["response_rate"]), "share"),
        "response_rate_low": Fact(float(first["low"]), "share"),
        "response_rate_high": Fact(float(first["high"]), "share"),
        "interval": Fact(interval, "share"),
    }
    ordered = groups.sort_values(["response_rate", "attribute", "group"], kind="stable")
    for name, place in (("lowest_group", 0), ("highest_group", -1)):
        row = ordered.iloc[place] if len(ordered) else None
        facts[name] = Fact(None if row is None else str(row["group"]), "text")
        facts[f"{name}_rate"] = Fact(None if row is None else float(row["response_rate"]), "share")
    return facts


def _earlier(read: Questionnaires, rows: pd.DataFrame, attributes: list[str], level: float) -> dict[str, Fact]:
    """Compare the satisfaction told in the wave before of those who answered now and of those who did not."""
    names = ("earlier_difference", "earlier_difference_low", "earlier_difference_high")
    nothing = {name: Fact(None, "number") for name in names} | {"n_earlier": Fact(None, "count")}
    if "satisfaction" not in rows:
        return nothing
    earlier = read.rows.loc[read.rows["satisfaction"].notna(), ["customer_id", "wave", "satisfaction"]]
    told = earlier.assign(wave=earlier["wave"] + 1).rename(columns={"satisfaction": "earlier"})
    pairs = rows.merge(told, on=["customer_id", "wave"])
    answered = pairs["answered"].to_numpy(dtype=np.float64)
    if min(answered.sum(), (1 - answered).sum()) < _FEWEST_PAIRS:
        return nothing
    fixed = [pd.get_dummies(pairs[name], drop_first=True, dtype=float).to_numpy() for name in (*attributes, "wave")]
    design = np.column_stack([np.ones(len(pairs)), answered, *fixed])
    y = pairs["earlier"].to_numpy(dtype=np.float64)
    bread = np.linalg.pinv(design.T @ design)
    slopes = bread @ (design.T @ y)
    owner = pd.factorize(pairs["customer_id"])[0]
    n_shops = int(owner.max()) + 1
    sums = np.zeros((n_shops, design.shape[1]))
    np.add.at(sums, owner, design * (y - design @ slopes)[:, None])
    variance = (bread @ (sums.T @ sums) @ bread)[1, 1] * n_shops / (n_shops - 1)
    width = float(stats.t.ppf(0.5 + level / 2, n_shops - 1)) * float(np.sqrt(variance))
    values = (float(slopes[1]), float(slopes[1]) - width, float(slopes[1]) + width)
    facts = {name: Fact(value, "number") for name, value in zip(names, values, strict=True)}
    return facts | {"n_earlier": Fact(len(pairs), "count")}
