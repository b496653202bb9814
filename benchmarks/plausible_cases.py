"""Plausible datasets, each from its seed: sales, and what an office did to them in one to seven ways."""

from __future__ import annotations

import random

from benchmarks import plausible_features as features
from benchmarks import plausible_pages as pages
from benchmarks.malformed_files import Case
from benchmarks.plausible_worlds import Feature, sold, written

WHO: dict[str, Feature] = {
    "customer by a hint": features.customer_by_clue,
    "no customer": features.no_customer,
    "invisible in ids": features.invisible_in_ids,
    "nothing in words": features.nothing_in_words,
    "other columns": features.other_columns,
}
WHEN: dict[str, Feature] = {"dates written otherwise": features.dates_otherwise}
WHETHER: dict[str, Feature] = {
    "states": pages.states,
    "refunds not asked for": pages.refunds_not_asked_for,
    "all is well": pages.all_is_well,
    "returns by type": pages.returns_by_type,
    "returns with a sign": pages.returns_signed,
    "flags": pages.flags,
    "amount of the order": pages.amount_of_order,
    "quantity below zero": pages.quantity_below_zero,
}
TOTALS: dict[str, Feature] = {
    "total at the end": pages.grand_total,
    "totals by month": pages.totals_by_month,
    "totals by customer": pages.totals_by_customer,
    "total without a word": pages.total_without_a_word,
    "total in other words": pages.total_in_other_words,
}
HOW_MUCH: dict[str, Feature] = {
    "unit in header": features.unit_in_header,
    "unit above": features.unit_above,
    "unit below": features.unit_below,
    "unit in a row": features.unit_in_row,
    "unit in cells": features.unit_in_cells,
    "written with marks": features.written_with_marks,
    "factors": features.factors,
    "discount rate": features.discount_rate,
    "currencies": features.currencies,
    "one currency in words": features.one_currency_in_words,
    "signs": features.signs,
    "sign on some": features.sign_on_some,
    "another currency": features.another_currency,
}
AROUND: dict[str, Feature] = {
    "titles": pages.titles,
    "footers": pages.footers,
    "header on each page": pages.header_on_each_page,
    "second table": pages.second_table,
}
STORED: dict[str, Feature] = {
    "in parts": pages.in_parts,
    "sheet by month": pages.sheets_by_month,
    "sheet of all": pages.sheet_of_all,
    "second copy": pages.second_copy,
    "sums in another file": pages.sums_in_another_file,
    "orders and lines": pages.orders_and_lines,
}
#: In the order in which a file comes about, and how many of the files have one of each.
_STEPS = ((WHO, 0.4), (WHEN, 0.4), (WHETHER, 0.3), (TOTALS, 0.45), (HOW_MUCH, 0.5), (AROUND, 0.4), (STORED, 0.15))
_ACTS = {name: act for table, _ in _STEPS for name, act in table.items()}
FEATURES = tuple(_ACTS)
#: What a sum of the figures as they stand, or a line between the sales, does not go with.
_BARE_SUMS = {"total without a word", "total in other words"}
_NO_SUMS = {"factors", "discount rate", "unit in cells", "currencies", "signs", "sign on some"}
_NO_LINES = {*TOTALS, "footers", "header on each page", "second table", "unit below", "unit in a row"}
_NOT_WITH: dict[str, set[str]] = {
    "amount of the order": {*TOTALS, *_NO_SUMS, "invisible in ids", "nothing in words"},
    "quantity below zero": {*TOTALS, "factors", "discount rate", "other columns", "customer by a hint"},
    # A sum without the sign is one in another currency, one of millions is beyond what an amount may be.
    "another currency": _BARE_SUMS,
    "unit in header": _BARE_SUMS,
    "unit above": _BARE_SUMS,
    "sums in another file": {*HOW_MUCH, *WHO, *WHETHER, *_NO_LINES},
    "no customer": {"totals by customer", "total without a word", "total in other words", "orders and lines"},
    "nothing in words": {"totals by customer", "total in other words"},
    "returns by type": {*TOTALS, "factors", "discount rate"},
    "returns with a sign": {"factors", "discount rate"},
    "unit in a row": {"header on each page"},
    "orders and lines": {*WHO, *WHETHER, *TOTALS, *HOW_MUCH, *AROUND},
    **dict.fromkeys(TOTALS, _NO_SUMS),
    **dict.fromkeys(("in parts", "sheet by month", "sheet of all", "second copy"), _NO_LINES),
}


def plausible_case(seed: int) -> Case:
    """Return the plausible dataset of a seed, ready to be written."""
    rng = random.Random(seed)
    chosen: list[str] = []
    # How a file is kept bars most of the rest, and is chosen first.
    for table, share in (_STEPS[-1], *_STEPS[:-1]):
        for _ in range(2 if table is AROUND else 1):
            name = rng.choice(tuple(table))
            if rng.random() < share and name not in chosen and not _is_barred(name, chosen):
                chosen.append(name)
    chosen.sort(key=FEATURES.index)
    world = sold(rng)
    for name in chosen:
        _ACTS[name](world)
    case = Case(seed, [], mutations=chosen)
    written(world, case)
    return case


def _is_barred(name: str, chosen: list[str]) -> bool:
    return any(name in _NOT_WITH.get(one, ()) or one in _NOT_WITH.get(name, ()) for one in chosen)
