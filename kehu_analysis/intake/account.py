"""What a check found, in words: the lines of the terminal, and the texts that the page shares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kehu_analysis import labels
from kehu_analysis.data import Dataset, contract
from kehu_analysis.data.checking.failures import last_rows
from kehu_analysis.data.schema import currencies_of
from kehu_analysis.intake.toml_text import toml_value

#: Failures on the terminal; the page has them all.
MAX_FAILURES = 20
_LONGEST_VALUE = 80


def account_lines(dataset: Dataset, lang: str) -> list[str]:
    """Say what became of every line that was read, and then what was found, most serious first.

    Parameters
    ----------
    dataset
        As :func:`kehu_analysis.data.check_dataset` returns it.
    lang
        ``"zh"`` or ``"en"``.

    Returns
    -------
    list of str
        One text a line. What files hold does not steer a terminal (see :func:`printable`).

    Examples
    --------
    >>> from kehu_analysis.data import check_dataset
    >>> account_lines(check_dataset("data/cdnow"), "en")[1]
    '  Accepted: 69,659 lines, 2,500,315.63 USD'
    """
    lines = [line for table in tables_read(dataset) for line in _table_lines(dataset, table, lang)]
    failures = dataset.failures()
    if len(failures):
        lines.append(labels.label("ui.check_failures", lang))
    lines += [f"  {failure_text(failure, lang)}" for failure in failures.head(MAX_FAILURES).itertuples()]
    if len(failures) > MAX_FAILURES:
        lines.append("  " + labels.render("ui.check_more_failures", lang, n=len(failures) - MAX_FAILURES))
    return [printable(line) for line in lines]


def _table_lines(dataset: Dataset, table: str, lang: str) -> list[str]:
    account = dataset.account["tables"][table]
    lines = [labels.render("ui.check_table", lang, table=table, files=", ".join(account["files"]))]
    for row in dataset.line_classes(table).itertuples():
        n_lines = labels.format_value(row.n_lines, "lines", lang)
        amount = labels.format_value(row.amount, "currency", lang)
        money = "" if labels.is_missing(row.amount) else f", {amount} {dataset.currency}"
        name = class_words(str(row.line_class), str(row.reason), lang)
        lines.append("  " + labels.render("ui.check_lines", lang, name=name, lines=n_lines) + money)
    if sheets := account.get("sheets_passed_over"):
        lines.append("  " + labels.render("ui.check_passed_over", lang, sheets=", ".join(map(shown, sheets))))
    if account["unused_headers"]:
        headers = ", ".join(map(shown, account["unused_headers"]))
        lines.append("  " + labels.render("ui.check_unused", lang, headers=headers))
    return lines


def class_words(line_class: str, reason: str, lang: str) -> str:
    """Return the name of a class of lines with its reason, where there are several.

    Examples
    --------
    >>> class_words("rejected", "not_date", "en")
    'Rejected (not a date)'
    """
    name = labels.label(f"value.{line_class}", lang)
    # What is set apart has one reason, and says it in its name.
    return f"{name} ({reason_words(reason, lang)})" if reason and line_class != "set_apart" else name


def reason_words(code: str, lang: str) -> str:
    """Return a reason in words; that of a dataset's own filter as it was written.

    Examples
    --------
    >>> reason_words("not_date", "en"), reason_words("postage lines", "en")
    ('not a date', 'postage lines')
    """
    return labels.format_value(code, "code", lang)


def failure_text(failure: Any, lang: str) -> str:
    """Return a row of :meth:`kehu_analysis.data.Dataset.failures` as one line."""
    between = labels.label("ui.check_place_separator", lang)
    parts = [
        labels.render(
            "ui.check_failure",
            lang,
            severity=labels.label(f"value.{failure.severity}", lang),
            place=between.join(shown(part) for part in (failure.file or failure.table, failure.column) if part),
            reason=reason_words(str(failure.reason), lang),
            lines=labels.format_value(failure.n_lines, "lines", lang),
        )
    ]
    if not labels.is_missing(failure.first_row):
        parts.append(labels.render("ui.check_failure_row", lang, row=int(failure.first_row)))
    if failure.example:
        parts.append(labels.render("ui.check_failure_example", lang, example=shown(failure.example)))
    if failure.period:
        parts.append(str(failure.period))
    return labels.label("ui.check_failure_separator", lang).join(parts)


def next_steps(dataset: Dataset, lang: str, *, workbook: str) -> list[str]:
    """Say what an analyst does about what was found; ``workbook`` is where the rejected rows are."""
    steps = []
    between = labels.label("ui.list_separator", lang)
    if tables := tables_to_mend(dataset):
        names = between.join(mended_name(dataset, table) for table in tables)
        steps.append(labels.render("ui.check_next_mend", lang, path=workbook, names=names))
    steps += _steps_of_currency(dataset, lang) + _steps_of_states(dataset, lang)
    for table in tables_read(dataset):
        if setting := last_rows(dataset.account, table):
            failures = dataset.failures()
            one = failures[(failures["reason"] == "second_table") & (failures["table"] == table)].iloc[0]
            words = {"file": shown(one["file"]), "row": int(one["first_row"]), "setting": setting, "table": table}
            steps.append(labels.render("ui.check_next_last_row", lang, **words))
    if (dataset.failures()["reason"] == "rounded_id").any():
        steps.append(labels.label("ui.check_next_rounded", lang))
    if again := still_rejected(dataset):
        steps.append(labels.render("ui.check_next_again", lang, files=between.join(map(shown, again))))
    if (dataset.failures()["severity"] == "warning").any():
        steps.append(labels.label("ui.check_next_warnings", lang))
    if any(account["unused_headers"] for account in dataset.account["tables"].values()):
        steps.append(labels.label("ui.check_next_unused", lang))
    return [printable(step) for step in steps]


def _steps_of_currency(dataset: Dataset, lang: str) -> list[str]:
    """Say what to write where the amounts are in one currency, and the dataset is taken to be in another."""
    found = dataset.account["tables"]["transactions"].get("foreign_currencies", ())
    return [
        labels.render(
            "ui.check_next_currency",
            lang,
            column=shown(one["column"]),
            name=shown(one["name"]),
            own=currencies_of(one["name"])[0],
            currency=dataset.currency,
        )
        for one in found[:1]
    ]


def _steps_of_states(dataset: Dataset, lang: str) -> list[str]:
    """Say by which settings rows that may be no sales are left out or counted against the others."""
    states = dataset.account["tables"]["transactions"].get("states", ())
    steps = []
    for column in dict.fromkeys(one["column"] for one in states):
        for code, came_back in (("ui.check_next_filter", False), ("ui.check_next_returns", True)):
            values = dict.fromkeys(
                one["value"] for one in states if one["column"] == column and one["came_back"] is came_back
            )
            if values:
                listed = ", ".join(toml_value(value) for value in values)
                steps.append(labels.render(code, lang, column=toml_value(column), values=f"[{listed}]"))
    return steps


def tables_read(dataset: Dataset) -> list[str]:
    """Return the tables that a dataset has, in the order of the contract."""
    return [table for table in contract() if table in dataset.account["tables"]]


def tables_to_mend(dataset: Dataset) -> list[str]:
    """Return the tables of which rows were rejected that no mended workbook has taken on yet."""
    errors = _errors(dataset)
    # Another table below is ended by a setting, not mended row by row.
    errors = errors[errors["reason"] != "second_table"]
    found = set(errors.loc[~is_mended(dataset, errors["file"]), "table"])
    return [table for table in tables_read(dataset) if table in found]


def still_rejected(dataset: Dataset) -> dict[str, int]:
    """Return the mended workbooks of which rows were rejected again, and how many: they are mended where they are."""
    errors = _errors(dataset)
    counts = errors[is_mended(dataset, errors["file"])].groupby("file")["n_lines"].sum()
    return {str(file): int(n_lines) for file, n_lines in counts.items()}


def is_mended(dataset: Dataset, files: pd.Series[str]) -> pd.Series[bool]:
    """Tell which files hold mended rows of others: rows that are wrong there still are mended there.

    Handed out once more, they would be read beside those that they came from, and a sale would count twice.
    """
    return files.isin([name for account in dataset.account["tables"].values() for name in account.get("mended", ())])


def mended_name(dataset: Dataset, table: str) -> str:
    """Return a name for the workbook of a table's mended rows that no earlier one has.

    Examples
    --------
    >>> from kehu_analysis.data import check_dataset
    >>> mended_name(check_dataset("data/cdnow"), "transactions")
    'transactions-mended.xlsx'
    """
    # Of a workbook with several sheets, the name of the sheet read stands behind that of the file.
    taken = {name.partition(".xlsx")[0] + ".xlsx" for name in dataset.account["tables"][table]["files"]}
    names = (f"{table}-mended{ending}.xlsx" for ending in ("", *(f"-{number}" for number in range(2, len(taken) + 3))))
    return next(name for name in names if name not in taken)


def _errors(dataset: Dataset) -> pd.DataFrame:
    failures = dataset.failures()
    return failures[failures["severity"] == "error"]


def quarters_words(dataset: Dataset, lang: str) -> str:
    """Say that a report can be made, and which quarters are complete."""
    quarters: Sequence[object] = dataset.quarters()
    listed = f"{quarters[0]} – {quarters[-1]}" if quarters else labels.label("ui.no_quarter", lang)
    return labels.render("ui.check_done", lang, quarters=listed)


def shown(value: object, longest: int = _LONGEST_VALUE) -> str:
    """Return a value from a file on one line, cut where it is long: one value must not fill a screen.

    Examples
    --------
    >>> shown("first" + chr(10) + "second", 8)
    'first⏎se…'
    """
    text = printable(str(value).replace("\n", "⏎"))
    return text if len(text) <= longest else f"{text[:longest]}…"


def argument(path: Path) -> str:
    """Return a path as it is typed after a command.

    Examples
    --------
    >>> argument(Path("my data")), argument(Path("data"))
    ('"my data"', 'data')
    """
    return f'"{path}"' if re.search(r"\s", str(path)) else str(path)


def printable(text: str) -> str:
    """Return a text that steers neither a terminal nor the direction of writing.

    Examples
    --------
    >>> printable("red" + chr(27) + "[31m") == "red" + chr(0xFFFD) + "[31m"
    True
    """
    return "".join(
        letter if letter == "\n" or not unicodedata.category(letter).startswith("C") else "\ufffd" for letter in text
    )
