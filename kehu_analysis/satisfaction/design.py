"""Before a survey, and about one that somebody else made: how many to ask, and what a share that is told can mean."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from scipy import stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.satisfaction.intervals import wilson_interval

__all__ = ["stated_share", "survey_plan"]

_HALF_WIDTHS = (0.03, 0.05, 0.08, 0.10)
#: Standard deviation of five grades where nothing is known: most surveys lie between .7 and 1.1.
_GRADE_DEVIATION = 1.0
_MOST_LISTED = 8


def survey_plan(
    customers: pd.DataFrame, *, half_width: float = 0.05, response_rate: float = 0.5, interval: float = 0.90
) -> Finding:
    """Answer: how many customers would have to be asked, to know a share so exactly?

    For a share of ½, the least sure one, ``n₀ = z² / (4 h²)`` answers give limits of ``± h`` in an endless
    population, of ``N`` customers ``n = n₀ / (1 + (n₀ - 1) / N)``; ``n`` over the share that answers are to be asked.
    More than there are cannot be asked: then all are, and the width that this gives is told.

    Parameters
    ----------
    customers
        ``customer_id`` of all who could be asked.
    half_width
        ``h``, 0 to ½.
    response_rate
        Share that answers; a guess before the first survey.
    interval
        Level of the limits.

    Returns
    -------
    Finding
        ``survey_plan``: one row a width: ``half_width``, ``n_answers_needed``, ``n_to_ask``, ``half_width_reached``
        (of a share), ``half_width_of_mean`` (points of five grades, with a standard deviation of 1). Facts: those of
        the width asked for, ``n_customers``, ``response_rate``.

    Raises
    ------
    InsufficientDataError
        There are no customers.
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> plan = survey_plan(pd.DataFrame({"customer_id": [f"c{n}" for n in range(1000)]}), interval=0.95)
    >>> plan.facts["n_answers_needed"].value, plan.facts["n_to_ask"].value
    (278, 556)
    """
    if not (0 < half_width < 0.5 and 0 < response_rate <= 1 and 0 < interval < 1):
        raise UsageError(
            "survey_plan", half_width=half_width, response_rate=response_rate, interval=interval
        )  # fmt: skip
    n = customers["customer_id"].nunique()
    if n < 1:
        raise InsufficientDataError("no_rows", analysis="survey_plan")
    z = float(stats.norm.ppf(0.5 + interval / 2))
    rows = [_plan(width, n, response_rate, z) for width in sorted({*_HALF_WIDTHS, half_width})]
    table = pd.DataFrame(rows)
    chosen = table[table["half_width"] == half_width].iloc[0]
    facts = {
        "n_customers": Fact(n, "customers"),
        "half_width": Fact(half_width, "share"),
        "n_answers_needed": Fact(int(chosen["n_answers_needed"]), "count"),
        "n_to_ask": Fact(int(chosen["n_to_ask"]), "customers"),
        "half_width_reached": Fact(float(chosen["half_width_reached"]), "share"),
        "half_width_of_mean": Fact(float(chosen["half_width_of_mean"]), "number"),
        "response_rate": Fact(response_rate, "share"),
        "interval": Fact(interval, "share"),
    }
    parameters = {"half_width": half_width, "response_rate": response_rate, "interval": interval}
    return Finding("survey_plan", table, facts, parameters, ("plan_at_random", "plan_adds"))


def _plan(width: float, n: int, response_rate: float, z: float) -> dict[str, object]:
    endless = z**2 / (4 * width**2)
    needed = min(ceil(endless / (1 + (endless - 1) / n) - 1e-9), n)
    asked = min(ceil(needed / response_rate - 1e-9), n)
    answers = min(needed, max(round(asked * response_rate), 1))
    left = np.sqrt(max((n - answers) / max(n - 1, 1), 0.0))
    return {
        "half_width": width,
        "n_answers_needed": needed,
        "n_to_ask": asked,
        "half_width_reached": float(z * 0.5 / np.sqrt(answers) * left),
        "half_width_of_mean": float(z * _GRADE_DEVIATION / np.sqrt(answers) * left),
    }


def stated_share(share: float, n_asked: int, *, decimals: int = 4, interval: float = 0.90) -> Finding:
    """Answer: a report says that so many per cent of so many asked are satisfied; what can that mean?

    A share of whole customers is a fraction. Those with a numerator that is a whole number and a denominator up to the
    number asked are listed: where none has the number asked itself below the line, not all answered, and the number who
    did must be asked for. Each possible number of answers comes with Wilson's limits, and with what the share of all
    asked can be if those who kept silent were all dissatisfied, or all satisfied.

    Parameters
    ----------
    share
        As it is told, 0 to 1.
    n_asked
        Customers asked.
    decimals
        To which the share was rounded; 97.78 % has 4.
    interval
        Level of the limits.

    Returns
    -------
    Finding
        ``stated_share``: the smallest numbers of answers that fit, and the largest: ``n_answers``, ``n_satisfied``,
        ``share``, ``low``, ``high``, ``lowest``, ``highest``. Facts: ``share``, ``n_asked``, ``n_if_all`` (the number
        of customers it would be if all had answered), ``is_whole`` (code), ``fewest_answers``, ``n_possible``, and
        ``low``, ``high``, ``lowest``, ``highest`` of the fewest.

    Raises
    ------
    InsufficientDataError
        No number of answers up to the asked gives this share.
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> finding = stated_share(0.9778, 1500)
    >>> [finding.facts[name].value for name in ("is_whole", "fewest_answers", "n_if_all")]
    ['not_whole', 45, 1466.7]
    """
    if not (0 <= share <= 1 and n_asked >= 1 and 1 <= decimals <= 8 and 0 < interval < 1):
        raise UsageError("stated_share", share=share, n_asked=n_asked, decimals=decimals, interval=interval)
    n = np.arange(1, n_asked + 1)
    k = np.rint(share * n)
    # Rounded half up, as people do; half of the last digit is meant to fit.
    fits = np.flatnonzero(np.abs(k / n - share) <= 0.5 * 10.0**-decimals * (1 + 1e-9))
    if not len(fits):
        raise InsufficientDataError("share_of_nobody", share=f"{100 * share:g}", n_asked=n_asked)
    shown = fits if len(fits) <= 2 * _MOST_LISTED else np.concatenate([fits[:_MOST_LISTED], fits[-_MOST_LISTED:]])
    rows = []
    for place in shown.tolist():
        answers, satisfied = int(n[place]), int(k[place])
        limits = wilson_interval(satisfied / answers, answers, level=interval, population=n_asked)
        rows.append(
            {
                "n_answers": answers,
                "n_satisfied": satisfied,
                "share": satisfied / answers,
                "low": limits.low,
                "high": limits.high,
                "lowest": satisfied / n_asked,
                "highest": (satisfied + n_asked - answers) / n_asked,
            }
        )
    table = pd.DataFrame(rows)
    first = table.iloc[0]
    facts = {
        "share": Fact(f"{100 * share:.{max(decimals - 2, 0)}f}%", "text"),
        "n_asked": Fact(n_asked, "customers"),
        "n_if_all": Fact(round(share * n_asked, 6), "number"),
        "is_whole": Fact("whole" if fits[-1] == n_asked - 1 else "not_whole", "code"),
        "n_possible": Fact(len(fits), "count"),
        "fewest_answers": Fact(int(first["n_answers"]), "count"),
        "most_answers": Fact(int(table["n_answers"].iloc[-1]), "count"),
        "interval": Fact(interval, "share"),
    }
    facts |= {name: Fact(float(first[name]), "share") for name in ("low", "high", "lowest", "highest")}
    parameters = {"share": share, "n_asked": n_asked, "decimals": decimals, "interval": interval}
    notes = ("stated_share_ask", "stated_share_silent")
    return Finding("stated_share", table, facts, parameters, notes)
