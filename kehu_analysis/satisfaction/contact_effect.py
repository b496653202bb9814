"""Do contacts go along with larger orders, once the size of the customer is held fixed?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from kehu_analysis.errors import InsufficientDataError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.frames import check_columns, check_numbers
from kehu_analysis.satisfaction.within import Slopes, pooled_slopes, within_slopes

__all__ = ["contact_effect"]

Array = npt.NDArray[np.float64]

_BEFORE, _AFTER = "_before", "_after"
_FEWEST_CUSTOMERS = 20
#: With fewer customers the errors that are clustered by them are themselves unsure.
_FEW_CLUSTERS = 40


def contact_effect(orders: pd.DataFrame, *, days: int = 28, interval: float = 0.90) -> Finding:
    """Answer: does more contact go along with larger orders of the same customer?

    The log of the amount of a purchase day is regressed on the contacts of each kind in the ``days`` before it, within
    customers and within months: what stays the same of a customer, its size above all, and what all have in common,
    season and prices, is held fixed. Beside stands the *naive* figure, the same over all customers together, which
    takes the plan of visits for their effect: large customers are visited more often. Contacts in the days *after* an
    order cannot have moved it; where they seem to, contacts follow orders, and the other figures are not to be
    trusted.

    It says how much larger orders are, not how many more of them come.

    Parameters
    ----------
    orders
        ``customer_id``, ``date``, ``amount`` (currency, of a purchase day) and for each kind of contact
        ``<kind>_before`` and ``<kind>_after``, numbers of contacts
        (:func:`kehu_analysis.summaries.orders_with_contacts`).
    days
        How many days before and after were counted. The first and the last so many days of the orders are left out:
        what came before or after them is not known whole.
    interval
        Level of the limits.

    Returns
    -------
    Finding
        ``contact_effect``: one row a kind: ``contact``, ``n_contacts`` (in the windows before orders),
        ``n_customers_varying`` (whose contacts differ from order to order; the others tell nothing), ``naive``,
        ``within``, ``within_low``, ``within_high``, ``after``, ``after_low``, ``after_high``, all of these as the
        share by which an order is larger for one more contact. Facts: ``effect`` with ``_low`` and ``_high`` (log
        units a visit, or of the first kind), ``effect_share`` with ``_low`` and ``_high``, ``naive_share``,
        ``after_share`` with ``_low`` and ``_high``, ``n_orders``, ``n_customers``, ``n_without_amount``, ``kind``.

    Raises
    ------
    DataError
        Columns are missing or hold no numbers.
    InsufficientDataError
        Fewer than 20 customers with two orders, no contacts, or none that differ within a customer.
    UsageError
        A parameter is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> visits = rng.poisson(1.0, 900)
    >>> orders = pd.DataFrame({"customer_id": np.repeat([f"c{n}" for n in range(30)], 30), "visit_before": visits,
    ...     "visit_after": 0, "date": np.tile(pd.date_range("2026-01-01", periods=30, freq="7D"), 30)})
    >>> orders["amount"] = 100 * np.exp(0.1 * visits + 0.1 * rng.normal(size=900))
    >>> round(contact_effect(orders).facts["effect"].value, 1)
    0.1
    """
    if not 0 < interval < 1:
        raise UsageError("interval", interval=interval)
    if days < 1:
        raise UsageError("contact_window", days=days)
    kinds, kept, n_without = _kept(orders, days)
    customer = pd.factorize(kept["customer_id"], sort=True)[0].astype(np.int64)
    month = pd.factorize(pd.to_datetime(kept["date"]).dt.to_period("M"), sort=True)[0].astype(np.int64)
    y = np.log(kept["amount"].to_numpy(dtype=np.float64))
    before, after = (kept[[f"{kind}{end}" for kind in kinds]].to_numpy(dtype=np.float64) for end in (_BEFORE, _AFTER))
    naive = pooled_slopes(y, before, customer)
    within = within_slopes(y, before, customer, month)
    # Where no contact comes after any order there is nothing to test.
    leads = [place for place in range(len(kinds)) if _varies(after[:, place], customer)]
    tested = within_slopes(y, np.column_stack([before, after[:, leads]]), customer, month) if leads else None
    rows = []
    for place, kind in enumerate(kinds):
        row: dict[str, object] = {
            "contact": kind,
            "n_contacts": int(before[:, place].sum()),
            "n_customers_varying": _n_varying(before[:, place], customer),
            "naive": float(np.expm1(naive.slopes[place])),
        }
        row |= dict(_limits("within", within, place, interval))
        at = len(kinds) + leads.index(place) if place in leads else None
        row |= dict(_limits("after", tested, at, interval))
        rows.append(row)
    table = pd.DataFrame(rows)
    facts = _facts(table, within, interval)
    facts |= {
        "n_orders": Fact(len(kept), "purchases"),
        "n_customers": Fact(int(customer.max()) + 1, "customers"),
        "n_without_amount": Fact(n_without, "purchases"),
        "days": Fact(days, "days"),
        "interval": Fact(interval, "share"),
    }
    first = table.iloc[0]
    notes = ["contacts_planned", "contacts_no_cause"]
    if leads and not (first["after_low"] <= 0 <= first["after_high"]):
        notes.insert(0, "contacts_follow_orders")
    if int(customer.max()) + 1 < _FEW_CLUSTERS:
        notes.append("contacts_few_customers")
    notes.append("sales_not_margin")
    return Finding("contact_effect", table, facts, {"days": days, "interval": interval}, tuple(notes))


def _kept(orders: pd.DataFrame, days: int) -> tuple[list[str], pd.DataFrame, int]:
    check_columns(orders, ("customer_id", "date", "amount"), analysis="contact_effect")
    named = [str(name) for name in orders.columns]
    kinds = [name.removesuffix(_BEFORE) for name in named if name.endswith(_BEFORE)]
    if not kinds:
        raise InsufficientDataError("no_contacts")
    both = tuple(f"{kind}{end}" for kind in kinds for end in (_BEFORE, _AFTER))
    check_columns(orders, both, analysis="contact_effect")
    check_numbers(orders, ("amount",), analysis="contact_effect")
    check_numbers(orders, both, analysis="contact_effect", at_least=0)
    day = pd.to_datetime(orders["date"])
    width = pd.Timedelta(days=days)
    inside = orders[(day >= day.min() + width) & (day <= day.max() - width)]
    bought = inside[inside["amount"] > 0]
    # One order of a customer has nothing to be held against.
    kept = bought[bought.groupby("customer_id")["date"].transform("size") > 1]
    n_customers = kept["customer_id"].nunique()
    if n_customers < _FEWEST_CUSTOMERS:
        raise InsufficientDataError("few_customers_with_orders", n_customers=n_customers, fewest=_FEWEST_CUSTOMERS)
    kept = kept.sort_values(["customer_id", "date"]).reset_index(drop=True)
    owner = pd.factorize(kept["customer_id"])[0].astype(np.int64)
    told = [kind for kind in kinds if _varies(kept[f"{kind}{_BEFORE}"].to_numpy(dtype=np.float64), owner)]
    if not told:
        raise InsufficientDataError("contacts_do_not_vary", n_customers=n_customers)
    return told, kept, len(inside) - len(bought)


def _n_varying(contacts: Array, customer: npt.NDArray[np.int64]) -> int:
    by_customer = pd.Series(contacts).groupby(customer)
    return int((by_customer.max() > by_customer.min()).sum())


def _varies(contacts: Array, customer: npt.NDArray[np.int64]) -> bool:
    return _n_varying(contacts, customer) > 1


def _limits(name: str, fit: Slopes | None, place: int | None, level: float) -> Iterator[tuple[str, float | None]]:
    """Yield a slope and its limits as shares by which an order is larger."""
    if fit is None or place is None:
        yield from ((name, None), (f"{name}_low", None), (f"{name}_high", None))
        return
    width = float(stats.t.ppf(0.5 + level / 2, fit.degrees_of_freedom)) * float(fit.errors[place])
    slope = float(fit.slopes[place])
    for end, value in (("", slope), ("_low", slope - width), ("_high", slope + width)):
        yield f"{name}{end}", float(np.expm1(value))


def _facts(table: pd.DataFrame, within: Slopes, level: float) -> dict[str, Fact]:
    first = table.iloc[0]
    width = float(stats.t.ppf(0.5 + level / 2, within.degrees_of_freedom)) * float(within.errors[0])
    slope = float(within.slopes[0])
    facts = {"kind": Fact(str(first["contact"]), "code"), "naive_share": Fact(float(first["naive"]), "share")}
    facts |= {
        f"effect{end}": Fact(value, "parameter")
        for end, value in (("", slope), ("_low", slope - width), ("_high", slope + width))
    }
    for name, column in (("effect_share", "within"), ("after_share", "after")):
        for end in ("", "_low", "_high"):
            facts[f"{name}{end}"] = Fact(first[f"{column}{end}"], "share")
    facts["n_customers_varying"] = Fact(int(first["n_customers_varying"]), "customers")
    return facts
