"""What goes along with satisfaction: how important each driver is, and what is its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.satisfaction.importance import (
    MOST_DRIVERS,
    correlations,
    johnson_weights,
    shapley_shares,
    variance_inflation,
)
from kehu_analysis.satisfaction.ordinal import fit_ordinal
from kehu_analysis.satisfaction.questionnaires import DRIVER, driver_columns, read_questionnaires

__all__ = ["key_drivers"]

Array = npt.NDArray[np.float64]

#: A driver that fewer of the answers have is left out: what is not asked of all would leave out the others' answers.
_LEAST_SHARE_ASKED = 0.5
_FEWEST_CUSTOMERS = 30
_FEWEST_ROWS_PER_DRIVER = 10
#: From here on a driver goes along with the others so closely that its own effect is hardly told.
_HIGH_INFLATION = 5.0
#: Chance that of drivers without any effect of their own one is said to have one.
_ERROR_OF_ALL = 0.05


def key_drivers(
    surveys: pd.DataFrame,
    *,
    interval: float = 0.90,
    repetitions: int = 500,
    rng: int | np.random.Generator = 20260930,
    scales: Mapping[str, tuple[float, float]] | None = None,
    failures: pd.DataFrame | None = None,
) -> Finding:
    """Answer: which drivers go along with overall satisfaction, and which of them do so by themselves?

    *Importance* shares out what all drivers together explain (R²) among them: the mean of what a driver adds over all
    orders in which the drivers can be taken up (LMG, the Shapley value), as a share of R²; Johnson's weights stand
    beside. A driver that does nothing has a share all the same when it goes along with one that does. *Own effect* is
    what is left of it with all others held fixed: ordinal regression, log odds of a better grade for each point, and
    least squares in points of satisfaction. Only a driver whose own effect is above 0 by Holm's test of all of them
    at 5 % is named. Neither is a cause: who is content rates everything better, and what was not asked is not in it.

    Rows of one customer go along: limits of importance come from drawing customers with replacement, limits of own
    effects from errors that are clustered by customer.

    Parameters
    ----------
    surveys
        ``customer_id``, ``date``, ``satisfaction`` and two or more ``driver_*``, all 1 to 5.
    interval
        Level of the limits.
    repetitions
        Draws of customers.
    rng
        Seed or generator of the draws.
    scales, failures
        As for :func:`~kehu_analysis.satisfaction.questionnaires.read_questionnaires`.

    Returns
    -------
    Finding
        ``key_drivers``: one row a driver, the most important first: ``driver``, ``importance``, ``low``, ``high``,
        ``johnson``, ``correlation``, ``own_effect``, ``own_effect_low``, ``own_effect_high``, ``own_points``,
        ``own_points_low``, ``own_points_high``, ``evidence`` (``own_effect_seen`` or ``no_own_effect_seen``), ``vif``,
        ``mean_score``. Facts: ``n_answers``, ``n_customers``, ``n_drivers``, ``r_squared``, ``strongest`` (the driver
        with the largest own effect of those seen, with its importance and points), ``n_with_own_effect``,
        ``largest_vif``, ``mean_importance``, ``mean_score``.

    Raises
    ------
    InsufficientDataError
        No drivers, too few answers, satisfaction or all drivers equal, or a reason of ``read_questionnaires``.
    ConvergenceError
        The ordinal regression has no maximum.
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> draw = np.random.default_rng(1).integers(1, 6, (200, 3))
    >>> surveys = pd.DataFrame(draw, columns=["driver_price", "driver_service", "chance"])
    >>> surveys = surveys.assign(customer_id=[f"c{n}" for n in range(200)], date="2026-04-01",
    ...                          satisfaction=((surveys["driver_price"] * 3 + surveys["chance"]) / 4).round())
    >>> key_drivers(surveys, repetitions=50).table[["driver", "evidence"]].values.tolist()
    [['price', 'own_effect_seen'], ['service', 'no_own_effect_seen']]
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if repetitions < 50:
        raise UsageError("too_few_repetitions", repetitions=repetitions, fewest=50)
    read = read_questionnaires(surveys, analysis="key_drivers", scales=scales, failures=failures)
    rows, left_out = _complete(read.rows)
    names = driver_columns(rows)
    owner = np.unique(rows["customer_id"], return_inverse=True)[1]
    x, y = rows[names].to_numpy(dtype=np.float64), rows["satisfaction"].to_numpy(dtype=np.float64)
    moments = _moments(x, y, owner)
    together = correlations(moments.sum(axis=0))
    share_out = shapley_shares if len(names) <= MOST_DRIVERS else johnson_weights
    drawn = _drawn(moments, repetitions, np.random.default_rng(rng))
    ends = (1 - interval) / 2, (1 + interval) / 2
    explained = (
        float(shapley_shares(together).sum()) if len(names) <= MOST_DRIVERS else float(johnson_weights(together).sum())
    )
    low, high = np.quantile(_shares(share_out(drawn)), ends, axis=0)
    own = fit_ordinal(rows["satisfaction"].astype(int), rows[names], owner)
    points, errors = _least_squares(x, y, owner)
    times = float(stats.norm.ppf(ends[1]))
    of_points = float(stats.t.ppf(ends[1], len(moments) - 1))
    table = pd.DataFrame(
        {
            "driver": [name.removeprefix(DRIVER) for name in names],
            "importance": _shares(share_out(together)),
            "low": low,
            "high": high,
            "johnson": _shares(johnson_weights(together)),
            "correlation": together[:-1, -1],
            "own_effect": own.effects,
            "own_effect_low": own.effects - times * own.errors,
            "own_effect_high": own.effects + times * own.errors,
            "own_points": points,
            "own_points_low": points - of_points * errors,
            "own_points_high": points + of_points * errors,
            "vif": variance_inflation(together),
            "mean_score": x.mean(axis=0),
        }
    )
    # Several drivers are judged at once. Below 0, something else is behind it than the driver.
    p_values = 2 * stats.norm.sf(np.abs(own.effects / own.errors))
    seen = multipletests(p_values, alpha=_ERROR_OF_ALL, method="holm")[0] & (own.effects > 0)
    table.insert(12, "evidence", np.where(seen, "own_effect_seen", "no_own_effect_seen"))
    table = table.sort_values(["importance", "driver"], ascending=[False, True]).reset_index(drop=True)
    facts = _facts(table, len(rows), len(moments), explained, interval)
    notes = ["drivers_no_cause", "drivers_shared"]
    if facts["largest_vif"].value is None or float(facts["largest_vif"].value) > _HIGH_INFLATION:  # type: ignore[arg-type]
        notes.append("drivers_collinear")
    if left_out:
        notes.append("drivers_left_out")
        facts["left_out"] = Fact(", ".join(left_out), "text")
    if len(names) > MOST_DRIVERS:
        notes.append("drivers_too_many")
    parameters = {"interval": interval, "repetitions": repetitions}
    return Finding("key_drivers", table, facts, parameters, tuple(notes))


def _complete(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the answers that tell satisfaction and every driver, and the drivers left out."""
    if "satisfaction" not in rows or not driver_columns(rows):
        raise InsufficientDataError("no_drivers")
    given = rows[rows["satisfaction"].notna()]
    if given.empty:
        raise InsufficientDataError("no_drivers")
    names = driver_columns(given)
    left_out = [name for name in names if given[name].notna().mean() < _LEAST_SHARE_ASKED]
    used = [name for name in names if name not in left_out]
    kept = given.dropna(subset=used)
    left_out += [name for name in used if kept.empty or kept[name].min() == kept[name].max()]
    used = [name for name in used if name not in left_out]
    if len(used) < 2:
        raise InsufficientDataError("no_drivers")
    if kept["satisfaction"].min() == kept["satisfaction"].max():
        value = f"{kept['satisfaction'].iloc[0]:g}"
        raise InsufficientDataError("answers_equal", column="satisfaction", n_answers=len(kept), value=value)
    n_customers = kept["customer_id"].nunique()
    fewest = max(_FEWEST_CUSTOMERS, _FEWEST_ROWS_PER_DRIVER * len(used))
    if n_customers < _FEWEST_CUSTOMERS or len(kept) < fewest:
        raise InsufficientDataError(
            "few_answers_for_drivers", n_answers=len(kept), n_customers=n_customers, fewest=fewest
        )
    columns = ["customer_id", "satisfaction", *used]
    # The grades are whole; a scale that was stated may have put them between.
    whole = kept[columns].assign(satisfaction=np.rint(kept["satisfaction"]))
    return whole.reset_index(drop=True), [name.removeprefix(DRIVER) for name in left_out]


def _moments(x: Array, y: Array, owner: npt.NDArray[np.int64]) -> Array:
    """Return the sums of products of (1, x, y) of each customer, shape (n customers, p + 2, p + 2)."""
    centre = np.concatenate([x.mean(axis=0), [y.mean()]])
    rows = np.concatenate([np.ones((len(y), 1)), np.column_stack([x, y]) - centre], axis=1)
    products = rows[:, :, None] * rows[:, None, :]
    sums = np.zeros((int(owner.max()) + 1, *products.shape[1:]))
    np.add.at(sums, owner, products)
    return sums


def _drawn(moments: Array, repetitions: int, rng: np.random.Generator) -> Array:
    """Return correlations of customers drawn with replacement, shape (repetitions, p + 1, p + 1)."""
    n = len(moments)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=repetitions).astype(np.float64)
    return correlations((counts @ moments.reshape(n, -1)).reshape(repetitions, *moments.shape[1:]))


def _shares(weights: Array) -> Array:
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def _least_squares(x: Array, y: Array, owner: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the slopes in points, and standard errors clustered by customer."""
    design = np.concatenate([np.ones((len(y), 1)), x], axis=1)
    bread = np.linalg.pinv(design.T @ design)
    slopes = bread @ (design.T @ y)
    scores = design * (y - design @ slopes)[:, None]
    n_shops, n, k = int(owner.max()) + 1, *design.shape
    sums = np.zeros((n_shops, k))
    np.add.at(sums, owner, scores)
    correction = n_shops / (n_shops - 1) * (n - 1) / (n - k)
    covariance = bread @ (sums.T @ sums) @ bread * correction
    return slopes[1:], np.sqrt(np.diag(covariance))[1:]


def _facts(table: pd.DataFrame, n_answers: int, n_customers: int, explained: float, interval: float) -> dict[str, Fact]:
    seen = table[table["evidence"] == "own_effect_seen"].sort_values(["own_effect", "driver"], ascending=[False, True])
    first = seen.iloc[0] if len(seen) else None
    largest = float(table["vif"].max())
    return {
        "n_answers": Fact(n_answers, "count"),
        "n_customers": Fact(n_customers, "customers"),
        "n_drivers": Fact(len(table), "count"),
        "r_squared": Fact(explained, "share"),
        "n_with_own_effect": Fact(len(seen), "count"),
        "strongest": Fact(None if first is None else str(first["driver"]), "code"),
        "strongest_importance": Fact(None if first is None else float(first["importance"]), "share"),
        "strongest_low": Fact(None if first is None else float(first["low"]), "share"),
        "strongest_high": Fact(None if first is None else float(first["high"]), "share"),
        "strongest_points": Fact(None if first is None else float(first["own_points"]), "number"),
        "strongest_points_low": Fact(None if first is None else float(first["own_points_low"]), "number"),
        "strongest_points_high": Fact(None if first is None else float(first["own_points_high"]), "number"),
        "largest_vif": Fact(largest if np.isfinite(largest) else None, "number"),
        "mean_importance": Fact(1 / len(table), "share"),
        "mean_score": Fact(float(table["mean_score"].mean()), "number"),
        "interval": Fact(interval, "share"),
    }
