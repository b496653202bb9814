"""The list of actions of a quarter as a finding."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pandas as pd

from kehu_analysis.actions.proposals import PROPOSALS
from kehu_analysis.actions.rows import listed_before, merge_proposals
from kehu_analysis.finding import Fact, Finding

#: What may be proposed for a customer who has almost surely left.
_ASKS_WHETHER_GONE = "check_if_closed"


def list_actions(
    findings: Iterable[Finding],
    *,
    dataset: str,
    quarter: str,
    as_of: date,
    previous: pd.DataFrame | None = None,
) -> Finding:
    """Answer: what is to be done next quarter, with whom, by whom and by when?

    Every finding that has something to propose does so; what several propose to do with one customer becomes one row
    with two reasons. Rows are ranked by expected gain, then by the amount that hangs on it, then by their name.

    The expected gain of an action is missing as long as no trial with a control group tells how many customers answer
    it: a rate of response that nobody measured would be an invention. The amount involved says how much business
    hangs on it, not what the action brings: twelve months of who still buys or has just stopped, one order of who has
    been silent for long.

    Parameters
    ----------
    findings
        Of all chapters, or of one.
    dataset, quarter
        Name and quarter of the report, which name its actions.
    as_of
        Last day counted; deadlines run from it.
    previous
        The list of an earlier quarter (columns customer_id, kind, reason_1), if there is one.

    Returns
    -------
    Finding
        ``list_actions``: a row an action with the columns of :data:`~kehu_analysis.actions.rows.ACTION_COLUMNS` and
        ``listed_before`` (whether the same was on the earlier list; missing without one). ``reason_1_numbers`` and
        ``reason_2_numbers`` hold what the reasons' words name, as JSON. ``customer_id`` is empty for a decision of the
        company, ``amount_is`` says whether ``amount_involved`` (currency) is sales or margin. Facts:
        ``n_actions``, ``n_customers``, ``n_decisions``, ``n_listed_before``, ``n_spared`` (proposals left out because
        the customer has almost surely left, as ``customer_states`` among the findings says).

    Examples
    --------
    >>> found = list_actions([], dataset="demo", quarter="2026Q3", as_of=date(2026, 9, 30))
    >>> found.facts["n_actions"].value, found.reading("en")
    (0, '0 actions for the coming quarter: 0 customers, and 0 decisions of the company.')
    """
    findings = list(findings)
    used = [finding for finding in findings if finding.not_run is None and finding.name in PROPOSALS]
    proposed = [PROPOSALS[finding.name](finding, as_of) for finding in used]
    gone = _gone(findings)
    kept = [rows[~(rows["customer_id"].isin(gone) & (rows["kind"] != _ASKS_WHETHER_GONE))] for rows in proposed]
    n_spared = sum(map(len, proposed)) - sum(map(len, kept))
    rows = merge_proposals(kept, dataset=dataset, quarter=quarter)
    before = pd.Series(pd.NA, index=rows.index) if previous is None else listed_before(rows, previous)
    rows["listed_before"] = before.astype("boolean")
    is_decision = rows["customer_id"] == ""
    facts = {
        "n_actions": Fact(len(rows), "count"),
        "n_customers": Fact(int(rows.loc[~is_decision, "customer_id"].nunique()), "customers"),
        "n_decisions": Fact(int(is_decision.sum()), "count"),
        "n_listed_before": Fact(None if previous is None else int(rows["listed_before"].sum()), "count"),
        "n_spared": Fact(n_spared, "count"),
    }
    notes = ["actions_gain_unknown", "actions_amount"] if len(rows) else []
    if n_spared:
        notes.append("actions_spare_gone")
    if previous is not None:
        notes.append("actions_listed_before")
    currency = next((finding.currency for finding in used if finding.currency), "")
    return Finding("list_actions", rows, facts, notes=tuple(notes), currency=currency)


def _gone(findings: Iterable[Finding]) -> set[str]:
    """Return the customers of whom the chapter of loyalty says that they have left; nobody where it is not there."""
    states = [finding.table for finding in findings if finding.name == "customer_states" and finding.not_run is None]
    return {str(customer) for table in states for customer in table.loc[table["state"] == "gone", "customer_id"]}
