"""What a check found, as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd

from kehu_analysis import labels
from kehu_analysis.data import Dataset, contract
from kehu_analysis.data.checking.validate import LINE_CLASSES
from kehu_analysis.intake.account import (
    class_words,
    next_steps,
    quarters_words,
    reason_words,
    shown,
    tables_read,
    unused_words,
)
from kehu_analysis.intake.understood import understood
from kehu_analysis.report.layout import fill_template

#: What marks a page as ours, so that nobody else's is overwritten.
MARK = "kehu_analysis data check"
#: Rows of a table on the page.
MAX_FAILURES, MAX_REJECTED = 500, 20
_LONGEST_CELL = 200
_FAILURES = ("severity", "place", "column", "reason", "n_lines", "first_row", "example")
_REJECTED = ("place", "row", "column", "value", "reason")
_KINDS = dict.fromkeys(("n_lines", "first_row", "row", "amount_read", "share_of_lines"), "number")
#: What comes from a file may be one long word, and breaks anywhere.
_KINDS |= dict.fromkeys(("place", "example", "value", "header"), "raw")
_WORDS = (
    *("contents", "key_figures", "provenance", "to_top"),
    *(
        "understood",
        "check_verdict",
        "check_next",
        "check_failures",
        "check_failures_lead",
        "check_no_failures",
        "check_doubts",
    ),
    *("check_lines_title", "check_lines_lead", "check_tables", "check_files", "check_columns", "check_unused_none"),
    "check_rejected_title",
)


class Figure(NamedTuple):
    """One figure of the head of the page, in words."""

    label: str
    value: str
    share: str = ""


def check_page(dataset: Dataset, *, lang: str, workbook: str = "", refusal: str = "") -> str:
    """Write the page of a check.

    Parameters
    ----------
    dataset
        As :func:`kehu_analysis.data.check_dataset` returns it.
    lang
        ``"zh"`` or ``"en"``.
    workbook
        Where the rejected rows are.
    refusal
        Why no report can be made of what was accepted; empty where one can.

    Returns
    -------
    str
        A complete HTML document in UTF-8 without a network address; everything that comes from a file is escaped.
        Equal inputs give equal bytes.

    Examples
    --------
    >>> from kehu_analysis.data import check_dataset
    >>> page = check_page(check_dataset("data/cdnow"), lang="en")
    >>> "69,659" in page, "://" in page
    (True, False)
    """
    failures = dataset.failures()
    lines = {table: dataset.line_classes(table) for table in tables_read(dataset)}
    # What speaks of no file speaks of the log as a whole.
    is_doubt = failures["file"] == ""
    values: dict[str, Any] = {
        "mark": MARK,
        "words": {code: labels.label(f"ui.{code}", lang) for code in _WORDS},
        "title": labels.label("ui.check_title", lang),
        "dataset": shown(dataset.name),
        "period": _period(dataset, lang),
        "understood": _grid(
            ["understood_item", "understood_value"], [list(row) for row in understood(dataset, lang)], lang
        ),
        "figures": _figures(lines["transactions"], lang),
        "refusal": refusal,
        "verdict": quarters_words(dataset, lang) if not refusal else "",
        "steps": _steps(dataset, lang, workbook=workbook, refusal=refusal),
        "lines": [_lines_of(table, frame, lang, dataset.currency) for table, frame in lines.items()],
        "failures": _failures(failures, lang),
        "doubts": [_doubt(row, lang) for row in failures[is_doubt].itertuples()],
        "tables": [_table(dataset, table, lang) for table in lines],
        "rejected": _rejected(dataset, lang),
        "rejected_all": _rejected_all(lines, lang, workbook),
        "provenance": _provenance(dataset, lang),
    }
    return fill_template("check.html.j2", values, lang=lang, package="kehu_analysis.intake")


def _period(dataset: Dataset, lang: str) -> str:
    checked_on = dataset.account["checked_on"]
    if dataset.account["log"]["first_date"] is None:
        return labels.render("ui.check_period_none", lang, checked_on=checked_on)
    first, last = dataset.first_date, dataset.last_date
    return labels.render("ui.check_period", lang, first_date=first, last_date=last, checked_on=checked_on)


def _figures(lines: pd.DataFrame, lang: str) -> list[Figure]:
    counts = lines.groupby("line_class")["n_lines"].sum()
    total = int(counts.sum())
    figures = [Figure(labels.label("ui.check_all_lines", lang), labels.format_value(total, "lines", lang))]
    for name in LINE_CLASSES:
        n = int(counts.get(name, 0))
        share = labels.format_value(n / total, "share", lang) if total and n else ""
        words = labels.label(f"value.{name}", lang)
        figures.append(Figure(words, labels.format_value(n, "lines", lang), share))
    return figures


def _steps(dataset: Dataset, lang: str, *, workbook: str, refusal: str) -> list[str]:
    steps = next_steps(dataset, lang, workbook=workbook)
    return steps if refusal else [*steps, labels.label("ui.check_next_report", lang)]


def _lines_of(table: str, lines: pd.DataFrame, lang: str, currency: str) -> dict[str, Any]:
    total = int(lines["n_lines"].sum())
    counts = lines.groupby("line_class")["n_lines"].sum()
    has_amount = bool(lines["amount"].notna().any())
    columns = ["line_class", "n_lines", "share_of_lines", *(["amount_read"] if has_amount else [])]
    rows = []
    for line_class, reason, n_lines, amount in lines[["line_class", "reason", "n_lines", "amount"]].itertuples(
        index=False, name=None
    ):
        cells = [
            shown(class_words(line_class, reason, lang), _LONGEST_CELL),
            labels.format_value(n_lines, "lines", lang),
            labels.format_value(n_lines / total, "share", lang),
            labels.format_value(amount, "currency", lang),
        ]
        rows.append(cells[: len(columns)])
    return {
        "title": _table_title(table, lang),
        "bar": [(name, f"{100 * counts.get(name, 0) / total:.4f}") for name in LINE_CLASSES if counts.get(name, 0)],
        "grid": _grid(columns, rows, lang, currency=currency),
    }


def _table_title(table: str, lang: str) -> str:
    return f"{labels.label(f'table.{table}', lang)} · {table}"


def _grid(
    columns: Sequence[str], rows: Sequence[Sequence[str]], lang: str, *, currency: str = "", caption: str = ""
) -> dict[str, Any]:
    kinds = [_KINDS.get(column, "words") for column in columns]
    headings = [labels.column_label(column, lang, currency=currency) for column in columns]
    return {
        "headings": list(zip(headings, kinds, strict=True)),
        "rows": [list(zip(row, kinds, strict=True)) for row in rows],
        "caption": caption,
    }


def _failures(failures: pd.DataFrame, lang: str) -> dict[str, Any]:
    rows = []
    for failure in failures.head(MAX_FAILURES).itertuples():
        rows.append(
            [
                labels.label(f"value.{failure.severity}", lang),
                _place(failure.table, failure.file or failure.period, lang),
                shown(failure.column, _LONGEST_CELL),
                shown(reason_words(str(failure.reason), lang), _LONGEST_CELL),
                labels.format_value(failure.n_lines, "lines", lang),
                labels.format_value(failure.first_row, "lines", lang),
                shown(failure.example, _LONGEST_CELL),
            ]
        )
    return _grid(_FAILURES, rows, lang, caption=_caption(len(rows), len(failures), lang))


def _place(table: object, where: object, lang: str) -> str:
    words = labels.label(f"table.{table}", lang)
    return f"{words}\n{shown(where, _LONGEST_CELL)}" if where else words


def _caption(n_shown: int, total: int, lang: str) -> str:
    if n_shown == total:
        return ""
    n, all_rows = (labels.format_value(number, "count", lang) for number in (n_shown, total))
    return labels.render("ui.rows_shown", lang, n=n, total=all_rows)


def _doubt(failure: Any, lang: str) -> str:
    period = failure.period or labels.label("ui.check_whole_log", lang)
    n_lines = labels.format_value(failure.n_lines, "lines", lang)
    reason = reason_words(str(failure.reason), lang)
    return labels.render("ui.check_doubt", lang, period=period, reason=reason, lines=n_lines)


def _table(dataset: Dataset, table: str, lang: str) -> dict[str, Any]:
    account = dataset.account["tables"][table]
    order = {column.name: place for place, column in enumerate(contract()[table].columns)}
    headers = sorted(account["columns"].items(), key=lambda item: order.get(item[0], len(order)))
    rows = [[name, _meaning(table, name, lang), shown(header)] for name, header in headers]
    unused = unused_words(account, labels.label("ui.list_separator", lang), lang)
    sheets = labels.label("ui.list_separator", lang).join(map(shown, account.get("sheets_passed_over", ())))
    return {
        "title": _table_title(table, lang),
        "files": [shown(name, _LONGEST_CELL) for name in account["files"]],
        "passed_over": labels.render("ui.check_passed_over", lang, sheets=sheets) if sheets else "",
        "columns": _grid(["column", "meaning", "header"], rows, lang),
        "unused": labels.render("ui.check_unused", lang, headers=unused) if unused else "",
    }


def _meaning(table: str, name: str, lang: str) -> str:
    known = next((c.name for c in contract()[table].columns if fnmatchcase(name, c.name)), "")
    return labels.label(f"contract.{table}.{known}", lang) if known else ""


def _rejected(dataset: Dataset, lang: str) -> dict[str, Any]:
    rejected = dataset.rejected()
    rows = [
        [
            _place(row.table, row.file, lang),
            labels.format_value(row.row, "lines", lang),
            shown(row.column),
            shown(row.value, _LONGEST_CELL),
            reason_words(str(row.reason), lang),
        ]
        for row in rejected.head(MAX_REJECTED).itertuples()
    ]
    return _grid(_REJECTED, rows, lang, caption=_caption(len(rows), len(rejected), lang))


def _rejected_all(lines: dict[str, pd.DataFrame], lang: str, workbook: str) -> str:
    # Another table below is ended by a setting, and its rows are not handed out.
    is_to_mend = [(frame["line_class"] == "rejected") & (frame["reason"] != "second_table") for frame in lines.values()]
    n = sum(int(frame.loc[rows, "n_lines"].sum()) for frame, rows in zip(lines.values(), is_to_mend, strict=True))
    if not n or not workbook:
        return ""
    return labels.render("ui.check_rejected_all", lang, n=labels.format_value(n, "lines", lang), path=workbook)


def _provenance(dataset: Dataset, lang: str) -> dict[str, str]:
    return {
        labels.label("source.dataset", lang): shown(dataset.name),
        labels.label("source.content_hash", lang): dataset.content_hash[:16],
        labels.label("source.version", lang): version("kehu_analysis"),
        labels.label("source.made_on", lang): dataset.account["checked_on"],
    }
