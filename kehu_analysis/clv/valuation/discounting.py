"""Coming purchases up to a horizon, each counted by what it is worth today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.checks import as_number
from kehu_analysis.clv.models.histories import part_of
from kehu_analysis.clv.models.purchases import History, PurchaseModel
from kehu_analysis.clv.numerics.exponential_dropout import nodes_to
from kehu_analysis.errors import UsageError
from kehu_analysis.periods import DAYS_PER_UNIT

#: The first purchases are expected at a steady pace within this share of the horizon.
_SOON = 1e-6
#: Below this rate per year an endless future is no longer cut off by discount.
_LEAST_ENDLESS_RATE = 1e-6
_FEWEST_PERIODS, _MOST_PERIODS = 4, 12
_PERIODS_PER_YEAR = 1
#: Draws of a long or endless future end where a purchase is worth this share of one today.
_LEAST_WORTH = 1e-3
#: Below this a difference of expectations is rounding.
_LEAST_SHARE = 1e-9
#: Of log(1 + t / age), with so many nodes: right within 1e-8.
_LONGEST_STEP = 1.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass(frozen=True)
class Horizon:
    """How far ahead value is counted, and what waiting costs.

    Attributes
    ----------
    length
        In the time unit of the fit; infinite for the whole life.
    rate
        Continuously compounded discount rate per time unit, ln(1 + d) times the unit in years; 0 without discount.
    days
        The length in days.

    Examples
    --------
    >>> half = Horizon.of(6, "month", discount_rate=0.10, time_unit="week")
    >>> round(half.length, 3), bool(np.isclose(np.exp(-half.rate * half.length), 1.1**-0.5))
    (26.089, True)
    """

    length: float
    rate: float
    days: float

    @classmethod
    def of(cls, horizon: float | None, unit: str, *, discount_rate: float, time_unit: str) -> Horizon:
        """Read a horizon in a unit of its own, endless where it is None, and a discount rate per year.

        Raises
        ------
        UsageError
            The horizon is no length above 0, a unit is unknown, the rate is negative, or the horizon is endless and
            nothing, or next to nothing, is discounted, so that the sum need not be finite.
        """
        for name, given in (("horizon_unit", unit), ("time_unit", time_unit)):
            if given not in DAYS_PER_UNIT:
                raise UsageError("unknown_time_unit", name=name, given=given, known=", ".join(DAYS_PER_UNIT))
        if not 0 <= as_number(discount_rate) < np.inf:
            raise UsageError("bad_yearly_discount_rate", discount_rate=discount_rate)
        rate = np.log1p(discount_rate) * DAYS_PER_UNIT[time_unit] / DAYS_PER_UNIT["year"]
        if horizon is None:
            if discount_rate == 0:
                raise UsageError("endless_without_discount")
            if discount_rate < _LEAST_ENDLESS_RATE:
                raise UsageError(
                    "endless_discount_too_small", discount_rate=discount_rate, least=f"{_LEAST_ENDLESS_RATE:f}"
                )
            return cls(np.inf, rate, np.inf)
        if not 0 < as_number(horizon) < np.inf:
            raise UsageError("bad_value_horizon", horizon=horizon, unit=unit)
        days = horizon * DAYS_PER_UNIT[unit]
        return cls(days / DAYS_PER_UNIT[time_unit], rate, days)

    def ends(self) -> FloatArray:
        """Return the ends of the periods into which draws of the future cut it, in the time unit of the fit."""
        quarters = _PERIODS_PER_YEAR * self.days / DAYS_PER_UNIT["year"]
        if self.rate == 0 or quarters <= _MOST_PERIODS:
            n = int(np.clip(np.ceil(quarters), _FEWEST_PERIODS, _MOST_PERIODS))
            return self.length * np.arange(1, n + 1) / n
        # Longer periods in even steps of worth: in one of a decade all purchases would count alike, early or late.
        end = min(self.length, -np.log(_LEAST_WORTH) / self.rate)
        lost = -np.expm1(-self.rate * end) * np.arange(1, _MOST_PERIODS + 1) / _MOST_PERIODS
        return np.asarray(-np.log1p(-lost) / self.rate)


def discounted_purchases_while_alive(
    model: PurchaseModel, past: History, horizon: Horizon, parameters: Sequence[FloatArray]
) -> FloatArray:
    r"""Expected purchases of customers alive now, one after the time t counting as exp(-delta t).

    With the expected purchases E(t) up to t, integrated by parts,

    .. math:: D(H) = \int_0^H e^{-\delta t}\, dE(t) = e^{-\delta H} E(H) + \delta \int_0^H e^{-\delta t} E(t)\, dt

    by Gauss-Legendre in log(1 + t / c), with c the least of the age of the model's scale, of the time in which
    customers, at first, buy all that they are expected to, and of 1 / delta.

    Parameters
    ----------
    model
        Any; of an endless horizon it states the residual itself.
    past
        Customers, (n,).
    horizon
        In the time unit of the parameters.
    parameters
        Shape () or (n,) each.

    Examples
    --------
    Customers who hardly leave and buy at a steady rate of 2 a week, over a year at 10 % a year:

    >>> import pandas as pd
    >>> from kehu_analysis.clv import ParetoNBDModel
    >>> steady = [np.array(value) for value in (2e9, 1e9, 1e-9, 1.0)]
    >>> new = History(np.zeros(1), np.zeros(1), np.zeros(1))
    >>> year = Horizon.of(1, "year", discount_rate=0.1, time_unit="week")
    >>> found = discounted_purchases_while_alive(ParetoNBDModel(), new, year, steady)
    >>> bool(np.isclose(found.item(), 2 * (1 - 1 / 1.1) / year.rate))
    True
    """
    if not np.isfinite(horizon.length):
        return model.residual_while_alive(past, horizon.rate, parameters)
    size = len(past.x)
    end = np.full(size, horizon.length)
    total = model.purchases_while_alive(past, end, parameters)
    if horizon.rate == 0:
        return total
    soon = model.purchases_while_alive(past, end * _SOON, parameters) / _SOON
    # The nearest pole of the integrand lies at the scale's age; discount and the last purchases bend it earlier.
    ages = [np.broadcast_to(values + past.T, size) for values in _with_time(model, parameters)]
    busy = np.divide(horizon.length * total, soon, out=end.copy(), where=soon > 0)
    scale = np.minimum.reduce([*ages, busy, np.full(size, 1 / horizon.rate)])
    integral = np.zeros(size)
    for rows, t, dt in nodes_to(scale, end):
        every = np.broadcast_to(rows, t.shape).ravel()
        by_then = model.purchases_while_alive(past.part(every), t.ravel(), part_of(parameters, every))
        integral[rows] = np.sum(np.exp(-horizon.rate * t) * by_then.reshape(t.shape) * dt, axis=0)
    return np.asarray(np.exp(-horizon.rate * horizon.length) * total + horizon.rate * integral)


def period_factors(
    model: PurchaseModel, past: History, weight: FloatArray, horizon: Horizon, parameters: Sequence[FloatArray]
) -> FloatArray:
    """Return what a purchase of each of the horizon's periods is expected to be worth today, over all customers.

    Parameters
    ----------
    model, past, horizon, parameters
        As for :func:`discounted_purchases_while_alive`.
    weight
        How many customers are alive of each, (n,).
    """
    ends = np.concatenate([[0.0], horizon.ends()])
    # By parts in short steps of log(1 + t / age): in a long period most is bought early.
    age = float(np.median([np.median(values + past.T) for values in _with_time(model, parameters)]))
    ways = np.log1p(ends / age)
    steps = np.ceil(np.diff(ways) / _LONGEST_STEP).astype(int)
    periods = zip(ways[:-1].tolist(), ways[1:].tolist(), steps.tolist(), strict=True)
    grid = [np.linspace(start, end, n, endpoint=False) for start, end, n in periods]
    u = np.append(np.concatenate(grid), ways[-1])
    half = np.diff(u)[:, None] / 2
    times = age * np.expm1(u[:-1, None] + half * (1 + _NODES))
    until = age * np.expm1(u)
    by_then = _bought_together(model, past, weight, np.column_stack([until[:-1], times]), parameters)
    at_end = np.append(by_then[1:, 0], _bought_together(model, past, weight, until[-1:], parameters))
    waiting = np.exp(-horizon.rate * times) * (by_then[:, 1:] - by_then[:, :1]) * half * _WEIGHTS * (age + times)
    bought = at_end - by_then[:, 0]
    worth = np.exp(-horizon.rate * until[1:]) * bought + horizon.rate * waiting.sum(axis=1)
    first = np.cumsum(steps) - steps
    expected, worth = np.add.reduceat(bought, first), np.add.reduceat(worth, first)
    middle = np.exp(-horizon.rate * (ends[1:] + ends[:-1]) / 2)
    some = expected > _LEAST_SHARE * at_end[-1]
    return np.asarray(np.divide(worth, expected, out=middle, where=some))


def _with_time(model: PurchaseModel, parameters: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the parameters that are ages."""
    return [values for values, power in zip(parameters, model.dimensions, strict=True) if power == 1]


def _bought_together(
    model: PurchaseModel, past: History, weight: FloatArray, times: FloatArray, parameters: Sequence[FloatArray]
) -> FloatArray:
    later = times > 0
    rows = np.tile(np.arange(len(weight)), int(later.sum()))
    t = np.repeat(times[later], len(weight))
    each = model.purchases_while_alive(past.part(rows), t, part_of(parameters, rows))
    together = np.zeros(times.shape)
    together[later] = np.sum(each.reshape(-1, len(weight)) * weight, axis=1)
    return together
