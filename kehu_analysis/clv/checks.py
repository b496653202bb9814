"""Is this frame a sound summary of purchases? All faults are gathered before anything is said."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import pandas as pd

from kehu_analysis.errors import DataError, UsageError
from kehu_analysis.periods import DAYS_PER_UNIT

_EXAMPLES = 3
_ROUNDING = 1e-9

#: What is wrong, and with which rows, (n,).
Rule = tuple[str, "npt.NDArray[np.bool_] | pd.Series[bool]"]


def checked_summary(summary: pd.DataFrame, columns: Sequence[str], *, in_opportunities: bool = False) -> pd.DataFrame:
    """Return the named columns as floats, in the order and with the index of ``summary``.

    Parameters
    ----------
    summary
        One row a customer (or, with a ``weight`` column, a group of identical customers).
    columns
        Those that the caller needs, of ``frequency`` (repeat purchase days), ``recency`` and ``T`` (ages in one
        time unit), ``monetary_value`` (currency per repeat purchase day; below 0 where returns outweigh the
        repeat purchases), ``sum_log_interval`` (of the logs of times between purchases, in that unit). ``weight``
        comes along when present.
    in_opportunities
        Ages count opportunities to purchase, each taken once at most.

    Raises
    ------
    DataError
        A column is missing, or rows break the rules: each broken rule is named with the number of rows and
        the first of them.

    Examples
    --------
    >>> broken = pd.DataFrame({"customer_id": ["A7"], "frequency": [2], "recency": [9.0], "T": [8.0]})
    >>> try:
    ...     checked_summary(broken, ["frequency", "recency", "T"])
    ... except DataError as error:
    ...     print(error.details["faults"])
    recency > T: 1 (A7)
    """
    check_table(summary)
    missing = [column for column in columns if column not in summary.columns]
    if missing:
        found = ", ".join(str(column) for column in summary.columns)
        raise DataError("missing_columns", analysis="clv", missing=", ".join(missing), found=found)
    wanted = [*columns, *(["weight"] if "weight" in summary.columns else [])]
    numbers = pd.DataFrame({name: _numbers(summary[name]) for name in wanted})
    rules = _rules(summary, numbers)
    if in_opportunities:
        rules += _rules_of_opportunities(numbers)
    if faults := faults_in(summary, rules):
        raise DataError("opportunities_broken" if in_opportunities else "summary_broken", faults=faults)
    return numbers


def _numbers(values: pd.Series) -> pd.Series[float]:
    # Days and lengths of time would be read as nanoseconds.
    if values.dtype.kind in "mMc" or isinstance(values.dtype, pd.PeriodDtype):
        return pd.Series(np.nan, index=values.index)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    return pd.to_numeric(values, errors="coerce").astype(float)


def customers_in_order(summary: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return sound customers by their id, the named columns as numbers.

    Examples
    --------
    >>> given = pd.DataFrame({"customer_id": ["b", "a"], "T": ["8.5", "3"]})
    >>> customers_in_order(given, ["T"]).to_dict("list")
    {'customer_id': ['a', 'b'], 'T': [3.0, 8.5]}
    """
    check_ids(summary)
    if "weight" in summary.columns:
        raise UsageError("weighted_customers")
    numbers = checked_summary(summary, columns)
    customers = summary.assign(**{name: numbers[name] for name in columns})
    # One order of customers, whatever the order given: the random numbers of each depend on it.
    if customers["customer_id"].is_monotonic_increasing:
        return customers.reset_index(drop=True)
    return customers.sort_values("customer_id", kind="stable", ignore_index=True)


def check_table(given: object) -> None:
    """Refuse what is no table, or one in which a name stands over two columns."""
    if not isinstance(given, pd.DataFrame):
        raise DataError("not_a_table", kind=type(given).__name__)
    if not given.columns.is_unique:
        twice = dict.fromkeys(str(name) for name in given.columns[given.columns.duplicated()])
        raise DataError("columns_twice", columns=", ".join(twice))


def check_ids(summary: pd.DataFrame) -> None:
    """Refuse customers whose ids are missing, or of types that have no order among them.

    Examples
    --------
    >>> check_ids(pd.DataFrame({"customer_id": ["a", "b"]}))
    """
    check_table(summary)
    if "customer_id" not in summary.columns:
        found = ", ".join(str(column) for column in summary.columns)
        raise DataError("missing_columns", analysis="clv", missing="customer_id", found=found)
    ids = summary["customer_id"]
    if faults := faults_in(summary, [("customer_id = NaN", ids.isna())]):
        raise DataError("summary_broken", faults=faults)
    if ids.dtype == object and (kinds := {type(one).__name__ for one in ids}) and len(kinds) > 1:
        raise DataError("mixed_customer_ids", kinds=", ".join(sorted(kinds)))


def check_interval(interval: float) -> None:
    """Refuse what is no coverage of an interval."""
    if not 0 < as_number(interval) < 1:
        raise UsageError("interval", interval=interval)


def check_draws(draws: int) -> None:
    """Refuse what is no number of draws."""
    if not is_whole(draws) or draws < 1:
        raise UsageError("bad_draws", draws=draws)


def days_per_unit(time_unit: str) -> float:
    """Return how many days a unit of time has.

    Raises
    ------
    UsageError
        The unit is unknown.

    Examples
    --------
    >>> days_per_unit("week")
    7.0
    """
    if time_unit not in DAYS_PER_UNIT:
        raise UsageError("unknown_time_unit", name="time_unit", given=time_unit, known=", ".join(DAYS_PER_UNIT))
    return float(DAYS_PER_UNIT[time_unit])


def generator_of(rng: object) -> np.random.Generator:
    """Return the generator that a seed or a generator stands for.

    Raises
    ------
    UsageError
        It is neither.

    Examples
    --------
    >>> bool(generator_of(1).random() == np.random.default_rng(1).random())
    True
    """
    try:
        return np.random.default_rng(rng)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise UsageError("bad_rng", rng=rng) from error


def as_number(given: object) -> float:
    """Return a number, NaN for anything else: words, truth values, nothing.

    Examples
    --------
    >>> as_number(0.1), as_number("10%"), as_number(True)
    (0.1, nan, nan)
    """
    if isinstance(given, bool) or not isinstance(given, Real):
        return np.nan
    return float(given)


def is_whole(given: object) -> bool:
    """Tell whether this is a whole number, of whatever type."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def faults_in(rows: pd.DataFrame, rules: Sequence[Rule]) -> str:
    """Return the broken rules, each with the number of rows that break it and the first of them; empty if none is."""
    return "; ".join(_fault(rule, np.asarray(broken, dtype=bool), rows) for rule, broken in rules if np.any(broken))


def _rules(summary: pd.DataFrame, numbers: pd.DataFrame) -> list[Rule]:
    # The rules are written as mathematics, which both languages share.
    rules: list[Rule] = []
    if "customer_id" in summary.columns:
        rules.append(("customer_id: 2×", summary["customer_id"].duplicated()))
    by_name = {str(column): numbers[column].to_numpy() for column in numbers.columns}
    for column, values in by_name.items():
        rules.append((f"{column} = NaN", np.isnan(values)))
        rules.append((f"{column} = ±∞", np.isinf(values)))
        # Returns can outweigh the repeat purchases (who may use that is the model's affair); logs can be negative.
        if column not in ("monetary_value", "sum_log_interval"):
            rules.append((f"{column} < 0", values < 0))
    if "weight" in by_name:
        rules.append(("weight = 0", by_name["weight"] == 0))
    x, t_x, T, logs = (by_name.get(name) for name in ("frequency", "recency", "T", "sum_log_interval"))
    if x is not None:
        rules.append(("frequency ≠ 0, 1, 2, …", np.isfinite(x) & (x != np.floor(x))))
    if t_x is not None and T is not None:
        rules.append(("recency > T", t_x > T))
    if x is not None and t_x is not None:
        rules.append(("frequency = 0, recency > 0", (x == 0) & (t_x > 0)))
    if x is not None and t_x is not None and logs is not None:
        # Equal intervals have the largest product: more than that is another time unit.
        with np.errstate(divide="ignore", invalid="ignore"):
            most = np.where(x > 0, x * np.log(t_x / x), 0.0)
            rules.append(("sum_log_interval > frequency · ln(recency / frequency)", logs > most + 1e-6 * (1 + x)))
        rules.append(("frequency = 0, sum_log_interval ≠ 0", (x == 0) & (logs != 0)))
    return rules


def _rules_of_opportunities(numbers: pd.DataFrame) -> list[Rule]:
    by_name = {str(column): numbers[column].to_numpy() for column in numbers.columns}
    rules: list[Rule] = [
        (f"{name} ≠ 0, 1, 2, …", np.isfinite(by_name[name]) & (by_name[name] != np.floor(by_name[name])))
        for name in ("recency", "T")
        if name in by_name
    ]
    if {"frequency", "recency"} <= set(by_name):
        rules.append(("frequency > recency", by_name["frequency"] > by_name["recency"]))
    return rules


def _fault(rule: str, broken: npt.NDArray[np.bool_], summary: pd.DataFrame) -> str:
    names = summary["customer_id"].to_numpy() if "customer_id" in summary.columns else summary.index.to_numpy()
    first = ", ".join(str(name) for name in names[broken][:_EXAMPLES])
    more = ", …" if int(broken.sum()) > _EXAMPLES else ""
    return f"{rule}: {int(broken.sum())} ({first}{more})"
