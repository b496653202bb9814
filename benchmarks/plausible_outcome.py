"""Whether what is read of a plausible dataset is true, or was told: no wrong total is accepted in silence.

What the check says is followed as a user would follow it: what a draft ticks is taken, what it leaves open is filled in
by one who knows the files, and where a doubt is told of, the setting that it speaks of is made.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.malformed_files import Line, Truth
from kehu_analysis.data import Dataset, check_dataset
from kehu_analysis.data.proposals import Proposals, propose_settings
from kehu_analysis.errors import DataError, KehuError
from kehu_analysis.intake.draft import draft_text
from kehu_analysis.intake.toml_text import toml_key, toml_value

#: What is said of rows only where it is so; anything else is a false word.
JUDGED = {
    "doubtful_state", "goods_came_back", "total_differs", "second_table", "invisible_characters", "null_text",
    "foreign_currency", "sum_of_the_others", "counted_twice", "unit_beside", "amount_of_order",
    "quantity_below_zero", "rounded_id",
}  # fmt: skip
_MOST_ANSWERS = 6


@dataclass
class Judgement:
    """What became of a plausible dataset whose check was followed.

    Attributes
    ----------
    faults
        What must not be; empty where all is well.
    n_answers
        How often the user had to say something.
    accepted
        The last dataset that was accepted; None where none was.
    """

    faults: list[str]
    n_answers: int = 0
    accepted: Dataset | None = None


def judge(truth: Truth, folder: Path, cache: Path, found: Dataset | KehuError) -> Judgement:
    """Follow what the check says until it accepts, or rightly does not.

    Parameters
    ----------
    truth
        What is true of the dataset.
    folder, cache
        Where it is; ``dataset.toml`` is written there.
    found
        What the check has said.
    """
    settings: dict[str, Any] = {}
    judgement = Judgement([])
    while judgement.n_answers < _MOST_ANSWERS:
        if isinstance(found, KehuError):
            if found.code not in truth.told or not isinstance(found, DataError):
                return _with(judgement, f"{found.code}, for no reason: {found.message('en')}")
            answer, faults = _answered(folder, found, truth)
        else:
            judgement.accepted = found
            answer, faults = _compared(found, truth, settings)
        if faults or answer is None:
            return _with(judgement, *faults)
        if (said := merged(settings, answer)) == settings:
            return _with(judgement, f"says the same again, though it was answered: {settings}")
        settings = said
        lines = (f"{toml_key(name)} = {toml_value(value)}\n" for name, value in settings.items())
        (folder / "dataset.toml").write_text("".join(lines), encoding="utf-8")
        judgement.n_answers += 1
        try:
            found = check_dataset(folder, cache=cache)
        except KehuError as error:
            found = error
    return _with(judgement, f"no end after {_MOST_ANSWERS} answers: {settings}")


def _with(judgement: Judgement, *faults: str) -> Judgement:
    judgement.faults += faults
    return judgement


def merged(said: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings and more of them, filters put together."""
    result = dict(said)
    for name, value in more.items():
        old = result.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            result[name] = merged(old, value)
        elif name == "filters" and isinstance(old, list):
            result[name] = [*old, *(one for one in value if one not in old)]
        else:
            result[name] = value
    return result


# --- what the check refuses ----------------


def _answered(folder: Path, error: DataError, truth: Truth) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what a user says to a refusal; nothing more where the data can go no further."""
    remedy = truth.told[error.code][0]
    if remedy:
        return remedy, []
    proposals = propose_settings(folder, error)
    table = next((one for one in proposals.needed if one.table == "transactions"), None)
    if table is None:
        return None, [f"{error.code}, and nothing is proposed"]
    faults = _wrong_ticks(proposals, truth)
    draft = tomllib.loads(draft_text(proposals, folder, "zh"))
    columns: dict[str, str] = {}
    for column in table.columns:
        header = truth.headers.get(column.column)
        if not column.is_left(table.amount_from):
            continue
        if header is None:
            return None, faults  # there is none, and none was ticked
        if header not in (one.header for one in column.candidates):
            faults.append(f"{column.column}: {header} is not offered")
        columns[column.column] = header
    said: dict[str, Any] = {"columns": columns} if columns else {}
    said |= {style.setting: truth.settings[style.setting] for style in table.styles if style.chosen is None}
    return merged(draft, {"tables": {"transactions": said}}), faults


def _wrong_ticks(proposals: Proposals, truth: Truth) -> list[str]:
    """Return what a draft ticks that is not so."""
    faults = []
    for table in proposals.needed:
        for column in table.columns:
            header = truth.headers.get(column.column)
            if (
                column.chosen is not None
                and column.chosen != header
                and not (column.column == "amount" and table.amount_from)
            ):
                faults.append(f"draft ticks {column.chosen} as {column.column}, which is {header}")
        if table.amount_from is not None and table.amount_from.headers != truth.settings.get("amount_from"):
            faults.append(f"draft makes the amount of {table.amount_from.headers}")
        if table.lines is not None and table.lines.on != truth.settings.get("lines"):
            faults.append(f"draft joins by {table.lines}")
        for style in table.styles:
            if style.chosen is not None and style.chosen != truth.settings.get(style.setting, style.chosen):
                faults.append(f"draft ticks {style.setting} = {style.chosen}")
    return faults


# --- what it accepts ----------------


def _compared(dataset: Dataset, truth: Truth, settings: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what a user says to the doubts that are told, if the lines are not the true ones yet; and faults."""
    lines, faults = _lines(dataset), []
    failures = dataset.failures()
    n_of = failures.groupby("reason")["n_lines"].sum().to_dict()
    classes = dataset.line_classes().groupby("line_class")["n_lines"].sum().to_dict()
    said = settings.get("tables", {}).get("transactions", {}).keys()
    if not said & {"source", "sheet"} and sum(classes.values()) != truth.n_rows:
        faults.append(f"{classes} are not {truth.n_rows} rows")
    is_first = not said & {"filters", "returns", "source", "sheet"}
    if is_first:
        false = [code for code in n_of if code in JUDGED and code not in truth.told]
        false += [f"{code}: {row}" for code, row in _errors(failures) if code not in truth.told]
        faults += [f"false word: {code}" for code in false]
        totals = dataset.account["tables"]["transactions"]["totals"]
        if truth.totals is not None and (totals.get("n"), totals.get("n_agree")) != truth.totals:
            faults.append(f"totals: {totals}, not {truth.totals}")
    is_once = "counted_twice" not in truth.told
    remedies: dict[str, Any] = {}
    for code, (remedy, counted) in truth.told.items():
        if code in n_of and is_first and is_once and counted.get("n_lines", n_of[code]) != n_of[code]:
            faults.append(f"{code}: {n_of[code]} lines, not {counted['n_lines']}")
        if code in n_of:
            remedies = merged(remedies, remedy)
    currency = truth.told.get("foreign_currency", ({}, {}))[0].get("currency", dataset.currency)
    if lines == truth.lines and dataset.currency == currency:
        return (remedies if merged(settings, remedies) != settings else None), faults
    if truth.is_for_the_user and truth.told.keys() & n_of.keys():
        return None, faults
    if not remedies or merged(settings, remedies) == settings:
        wrong = f"{_total(lines)} {dataset.currency}, truly {_total(truth.lines)}"
        faults.append(f"in silence: {wrong}; {_different(lines, truth.lines)}; said: {sorted(n_of)}")
        return None, faults
    return remedies, faults


def _errors(failures: pd.DataFrame) -> list[tuple[str, str]]:
    errors = failures[failures["severity"] == "error"]
    return [(row.reason, f"{row.column} {row.example!r} in row {row.first_row}") for row in errors.itertuples()]


def _lines(dataset: Dataset) -> Counter[Line]:
    keys = pd.read_parquet(dataset.path("customer_keys")).set_index("customer_key")["customer_id"]
    accepted = pd.read_parquet(dataset.path("transactions"))
    apart = pd.read_parquet(dataset.path("transactions_set_apart"))
    lines = Counter(zip(accepted["customer_key"].map(keys), accepted["date"], accepted["amount"], strict=True))
    lines.update((None, day, amount) for day, amount in zip(apart["date"], apart["amount"], strict=True))
    return lines


def _total(lines: Counter[Line]) -> Decimal:
    return sum((amount * n for (*_, amount), n in lines.items()), Decimal(0))


def _different(found: Counter[Line], true: Counter[Line]) -> str:
    more, less = list(found - true), list(true - found)
    return f"{len(more)} lines too many {more[:2]}, {len(less)} missing {less[:2]}"
