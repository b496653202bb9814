"""Who is still a customer: by what is known of anybody, and day by day for one."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from kehu_analysis.clv.checks import checked_summary, days_per_unit
from kehu_analysis.clv.models.candidates import fitted_to, model_code
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.data import Dataset
from kehu_analysis.errors import DataError, InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.summaries import btyd_summaries, customer_days

_STEPS = 40
_LEAST_TOP_FREQUENCY = 5
_SILENCE_DAYS = 91


def alive_map(
    model: PurchaseModel, summary: pd.DataFrame, *, horizon_days: int = 365, time_unit: str = "week"
) -> Finding:
    """Show how the probability of being alive and the expected purchases follow from frequency and silence.

    Parameters
    ----------
    model
        Fitted to ``summary``, or unfitted: it is then fitted to it as a copy.
    summary
        One row a customer: frequency (repeat purchase days), recency and T (ages in ``time_unit``).
    horizon_days
        Length of the future in which purchases are expected.
    time_unit
        Unit of recency and T.

    Returns
    -------
    Finding
        ``alive_map``. Table, a row a cell of the map: frequency (from 1 to the 95th percentile of repeat buyers),
        silence_days (since the last purchase), probability_alive, expected_purchases, all of a customer as old as the
        oldest of the summary. Facts compare a customer of median frequency and one of the 90th percentile after the
        same silence of 91 days (half of the age at most).

    Raises
    ------
    DataError
        The summary breaks its rules.
    InsufficientDataError
        Nobody bought twice, or the customers do not carry the model.
    UsageError
        The horizon is not positive.

    Notes
    -----
    The map of Fader, Hardie and Lee (2005), "RFM and CLV", Journal of Marketing Research 42, 415-430, with the time
    since the last purchase in place of recency. Who has bought often and falls silent for long is given up sooner than
    who has always bought rarely: for the latter a silence is nothing new.

    Examples
    --------
    >>> from kehu_analysis.clv import BetaGeoModel
    >>> model = BetaGeoModel()
    >>> model.params_ = pd.Series({"r": 0.24, "alpha": 4.41, "a": 0.79, "b": 2.43})
    >>> summary = pd.DataFrame({"frequency": [1, 12], "recency": [20.0, 30.0], "T": [38.0, 38.0]})
    >>> table = alive_map(model, summary).table
    >>> table["frequency"].max(), round(table["silence_days"].max())
    (np.int64(11), 266)
    """
    if horizon_days <= 0:
        raise UsageError("bad_horizon", future_t=horizon_days)
    customers = checked_summary(summary, ["frequency", "recency", "T"])
    repeated = customers.loc[customers["frequency"] > 0, "frequency"].to_numpy(dtype=float)
    if not len(repeated):
        raise InsufficientDataError("nobody_bought_twice", n=len(customers))
    fitted, unit_days = fitted_to(model, summary), days_per_unit(time_unit)
    age = float(customers["T"].max())
    typical, frequent = (max(1, round(float(np.quantile(repeated, share)))) for share in (0.5, 0.9))
    top = max(_LEAST_TOP_FREQUENCY, round(float(np.quantile(repeated, 0.95))))
    # Ages beyond which nobody could have bought so often in whole days are left in: the model does not know days.
    frequencies = np.unique(np.linspace(1, top, min(top, _STEPS)).round())
    silences = np.linspace(0, age, _STEPS)
    cells = pd.DataFrame({"frequency": np.repeat(frequencies, _STEPS), "silence": np.tile(silences, len(frequencies))})
    alike = cells.assign(recency=age - cells["silence"], T=age)
    # The last column would be a repeat purchase on the day of the first.
    alike["recency"] = np.maximum(alike["recency"], age * 1e-6)
    table = pd.DataFrame(
        {
            "frequency": cells["frequency"].astype("int64"),
            "silence_days": cells["silence"] * unit_days,
            "probability_alive": fitted.expected_probability_alive(alike),
            "expected_purchases": fitted.expected_purchases(alike, horizon_days / unit_days),
        }
    )
    silence = min(_SILENCE_DAYS / unit_days, age / 2)
    two = pd.DataFrame({"frequency": [typical, frequent], "recency": age - silence, "T": age}, dtype=float)
    alive = fitted.expected_probability_alive(two).to_numpy()
    facts = {
        "model": Fact(model_code(fitted), "code"),
        "n_customers": Fact(round(float(customers.get("weight", pd.Series(1, customers.index)).sum())), "customers"),
        "age_days": Fact(round(age * unit_days), "days"),
        "horizon_days": Fact(horizon_days, "days"),
        "silence_days": Fact(round(silence * unit_days), "days"),
        "typical_frequency": Fact(typical, "count"),
        "typical_probability_alive": Fact(alive[0], "share"),
        "high_frequency": Fact(frequent, "count"),
        "high_probability_alive": Fact(alive[1], "share"),
    }
    parameters = {"model": model_code(fitted), "horizon_days": horizon_days, "time_unit": time_unit}
    return Finding("alive_map", table, facts, parameters)


def alive_history(
    dataset: Dataset,
    model: PurchaseModel,
    *,
    as_of: date | None = None,
    since: date | None = None,
    customer_id: str | None = None,
    time_unit: str = "week",
) -> Finding:
    """Follow the probability that one customer is still alive, day by day.

    Parameters
    ----------
    dataset
        An open dataset.
    model
        Fitted to the summary as of ``as_of`` in ``time_unit``, or unfitted: it is then fitted to it as a copy.
    as_of
        Last day, inclusive; by default the last day of the log.
    since
        Without ``customer_id`` the customer is the one of whom most is feared lost since the end of this day, as
        :func:`largest_fall` says; by default a year before ``as_of``.
    customer_id
        The customer to follow.
    time_unit
        Unit of the fit.

    Returns
    -------
    Finding
        ``alive_history``. Table, a row a day from the first purchase on: date, is_purchase, frequency (repeat purchase
        days so far), probability_alive (at the end of the day, by what was known then; the parameters are those of
        now). A day of purchase lifts it, silence lowers it. Facts: customer_id, the purchase days, the probability on
        the last purchase day and now.

    Raises
    ------
    DataError
        The customer is unknown.
    InsufficientDataError
        The customers do not carry the model.
    UsageError
        ``as_of`` is after the end of the log, or the unit is unknown.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> from kehu_analysis.clv import BetaGeoModel
    >>> model = BetaGeoModel()
    >>> model.params_ = pd.Series({"r": 0.25, "alpha": 4.8, "a": 0.72, "b": 2.16})
    >>> finding = alive_history(open_dataset("data/cdnow"), model, customer_id="00003")
    >>> finding.facts["n_purchase_days"].value, bool(finding.table["is_purchase"].iloc[0])
    (6, True)
    """
    end, unit_days = as_of or dataset.last_date, days_per_unit(time_unit)
    if end > max(dataset.last_date, dataset.complete_until):
        raise UsageError("day_beyond_log", as_of=end, last=dataset.last_date)
    before = since or end - timedelta(days=365)
    summaries = btyd_summaries(dataset, (end, before), time_unit)
    summary, earlier = summaries[end], summaries[before]
    fitted = fitted_to(model, summary)
    if customer_id is None:
        customer_id = largest_fall(summary, earlier, fitted)
    bought = customer_days(dataset, customer_id, end)["date"].tolist()
    if not bought:
        raise DataError("unknown_customer", customer_id=customer_id, as_of=end)
    days = [bought[0] + timedelta(days=number) for number in range((end - bought[0]).days + 1)]
    ages, marks = np.arange(len(days)), np.array([(day - bought[0]).days for day in bought])
    frequency = np.searchsorted(marks, ages, side="right") - 1
    past = pd.DataFrame({"frequency": frequency, "recency": marks[frequency] / unit_days, "T": ages / unit_days})
    alive = fitted.expected_probability_alive(past.astype(float))
    table = pd.DataFrame(
        {
            "date": days,
            "is_purchase": np.isin(ages, marks),
            "frequency": frequency,
            "probability_alive": alive.to_numpy(),
        }
    )
    facts = {
        "model": Fact(model_code(fitted), "code"),
        "customer_id": Fact(customer_id, "text"),
        "as_of": Fact(end, "date"),
        "first_purchase": Fact(bought[0], "date"),
        "last_purchase": Fact(bought[-1], "date"),
        "n_purchase_days": Fact(len(bought), "count"),
        "silence_days": Fact((end - bought[-1]).days, "days"),
        "probability_at_last_purchase": Fact(alive.iloc[marks[-1]], "share"),
        "probability_alive": Fact(alive.iloc[-1], "share"),
    }
    parameters = {"as_of": end, "customer_id": customer_id, "time_unit": time_unit, "model": model_code(fitted)}
    return Finding("alive_history", table, facts, parameters)


def largest_fall(summary: pd.DataFrame, earlier: pd.DataFrame, model: PurchaseModel) -> str:
    """Return the customer of whom most is feared lost between two days.

    Parameters
    ----------
    summary, earlier
        customer_id, frequency, recency, T, monetary_value as of the later and of the earlier day.
    model
        Fitted in the time unit of both.

    Returns
    -------
    str
        The customer_id with the largest product of the fall of the probability of being alive and the spend a time
        unit by the earlier day (frequency over T times monetary_value); of equals the first in order.

    Raises
    ------
    InsufficientDataError
        There is nobody in the earlier summary.
    """
    if earlier.empty:
        raise InsufficientDataError("no_rows", analysis="alive_history")
    before, now = (
        frame.assign(alive=model.expected_probability_alive(frame)).set_index("customer_id").sort_index()
        for frame in (earlier, summary)
    )
    fall = before["alive"] - now["alive"].reindex(before.index)
    spend = before["frequency"] * before["monetary_value"] / before["T"].where(before["T"] > 0, np.inf)
    return str((fall * spend).idxmax())
