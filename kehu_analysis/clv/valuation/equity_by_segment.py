"""What the customers of each segment are worth."""

from __future__ import annotations

from kehu_analysis.clv.valuation.lifetime_value import CustomerValues
from kehu_analysis.clv.valuation.lifetime_value_inputs import OTHER_SEGMENTS, SMALLEST_SEGMENT
from kehu_analysis.errors import UsageError
from kehu_analysis.finding import Fact, Finding


def equity_by_segment(finding: CustomerValues) -> Finding:
    """Tell what the customers of each segment are worth, from the same futures as the customers' own values.

    Parameters
    ----------
    finding
        Of :func:`customer_lifetime_value` with ``segment``.

    Returns
    -------
    Finding
        ``equity_by_segment``. Table, a row a segment by value: segment (``other_segments`` for those of fewer than 5
        customers, and for customers without one), n_customers, customer_equity, equity_parameter_low and
        equity_parameter_high, equity_low and equity_high, share_of_equity.

    Raises
    ------
    UsageError
        The finding is another one, or values were not asked for by segment.
    """
    if not isinstance(finding, CustomerValues):
        raise UsageError("wrong_finding", wanted="customer_lifetime_value", found=finding.name)
    if finding.parameters["segment"] is None:
        raise UsageError("no_segments")
    table, named = finding.segments, finding.segments["segment"] != OTHER_SEGMENTS
    wanted = ("n_customers", "value_is", "horizon_days", "discount_rate", "interval", "customer_equity")
    facts = {name: finding.facts[name] for name in wanted} | {
        "n_segments": Fact(int(named.sum()), "count"),
        "first_segment": Fact(table["segment"].iloc[0], "code"),
        "first_equity": Fact(table["customer_equity"].iloc[0], "currency"),
        "first_equity_low": Fact(table["equity_low"].iloc[0], "currency"),
        "first_equity_high": Fact(table["equity_high"].iloc[0], "currency"),
        "first_share": Fact(table["share_of_equity"].iloc[0], "share"),
        "smallest_segment": Fact(SMALLEST_SEGMENT, "customers"),
    }
    notes = [note for note in finding.notes if note.startswith(("value_endless", "value_until", "value_is"))]
    if not named.all():
        notes.append("small_segments_together")
    return Finding("equity_by_segment", table, facts, finding.parameters, tuple(notes), finding.currency)
