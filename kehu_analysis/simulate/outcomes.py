"""What came of the truth: sums that no analysis can know, as the last part of ``truth_parameters.toml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from kehu_analysis.simulate.names import salesperson_ids
from kehu_analysis.simulate.sums import Sums
from kehu_analysis.simulate.targets import mix_shares
from kehu_analysis.simulate.world import catalogue, parameters


def outcomes(sums: Sums) -> dict[str, Any]:
    """Return what came of the company's truth, as nested tables.

    Returns
    -------
    dict
        ``company``: counts, and the net amount (currency). ``campaigns``: by promotion: members, treated, the expected
        incremental net amount in all (currency); where nobody was held back also what is usually compared, the net
        amounts of a member and of another shop in its weeks, their difference, and the bias in it. ``margin_rate``: of
        each category and all, in the last quarter and the one before. ``targets``: share of the plan that the unfairly
        treated salesperson has, and would have by the mix of its shops, in the last month.
    """
    by_mix, by_number = mix_shares(sums)
    return {
        "company": {**sums.counts, "net_amount": _currency(sums.sales.sum())},
        "campaigns": {code: _campaign(code, values.tolist()) for code, values in sums.campaigns.items()},
        "margin_rate": _margin_rates(sums),
        "targets": {
            "unfair_salesperson": salesperson_ids(sums.world, np.array([sums.world.salespeople]))[0].as_py(),
            "share_given": round(float(by_number[-1, -1]), 4),
            "share_by_mix": round(float(by_mix[-1, -1]), 4),
        },
    }


def _currency(cents: float) -> float:
    return round(float(cents) / 100, 2)


def _campaign(code: str, sums: list[float]) -> dict[str, Any]:
    members, treated, gained, of_members, of_others, others = sums
    found = {"members": int(members), "treated": int(treated), "incremental_amount": _currency(gained)}
    if "eligible_amount" not in parameters()["campaigns"][code]:
        return found
    each = {"member": of_members / max(members, 1), "other": of_others / max(others, 1)}
    effect, naive = gained / max(treated, 1), each["member"] - each["other"]
    return found | {
        "amount_per_member": _currency(each["member"]),
        "amount_per_other": _currency(each["other"]),
        "naive_effect_per_member": _currency(naive),
        "true_effect_per_member": _currency(effect),
        "bias_per_member": _currency(naive - effect),
    }


def _margin_rates(sums: Sums) -> dict[str, Any]:
    found = {}
    for name, quarter in (("quarter_before", -2), ("last_quarter", -1)):
        sales, cost = sums.category_sales[quarter], sums.category_cost[quarter]
        codes = [category["code"] for category in catalogue()["categories"]]
        rates = {code: 1 - cost[place] / sales[place] for place, code in enumerate(codes) if sales[place] > 0}
        rates["all"] = 1 - cost.sum() / sales.sum()
        found[name] = {code: round(float(rate), 5) for code, rate in rates.items()}
    return found


def truth_document(sums: Sums, made: Mapping[str, Any]) -> str:
    """Return the text of ``truth_parameters.toml``: the parameters as they are, how it was made, and the outcomes."""
    text = resources.files("kehu_analysis.simulate").joinpath("parameters.toml").read_text(encoding="utf-8")
    return "\n".join([text.rstrip(), *_tables("made", made), *_tables("outcomes", outcomes(sums)), ""])


def _tables(name: str, values: Mapping[str, Any]) -> list[str]:
    # Numbers, texts and truth values are written alike in JSON and TOML.
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = ["", f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items())]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _tables(f"{name}.{key}", value)
    return lines
