"""Days on which the company was closed, by its calendar and by its log."""

from __future__ import annotations

from datetime import date, timedelta

from kehu_analysis.calendar import rest_days
from kehu_analysis.data import Dataset


def closed_days(dataset: Dataset, as_of: date | None = None) -> list[date]:
    """List the days on which nobody could be expected to buy, and nobody did.

    Parameters
    ----------
    dataset
        An open dataset. Its own ``calendar`` tells, where it has one, else public holidays and the New Year's break.
    as_of
        Last day, inclusive; by default the last day of the log.

    Returns
    -------
    list of date
        Days of rest without a line in the log, from its first day on, in order.

    Examples
    --------
    >>> from kehu_analysis import open_dataset
    >>> closed_days(open_dataset("data/demo"), date(2024, 2, 29))[:2]
    [datetime.date(2024, 2, 8), datetime.date(2024, 2, 9)]
    """
    first, last = dataset.first_date, as_of or dataset.last_date
    resting = rest_days(first, last, timezone=dataset.timezone, own_calendar=dataset.own_calendar())
    sold = set(dataset.log_days()["date"])
    days = (first + timedelta(days=int(place)) for place in resting.nonzero()[0])
    return [day for day in days if day not in sold]
