"""What was made of a company's files, for a person to see in ten seconds whether it is their business."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from kehu_analysis import labels
from kehu_analysis.data import Dataset
from kehu_analysis.intake.account import printable, shown
from kehu_analysis.periods import Quarter

#: Of a long log the last quarters are listed.
_MOST_QUARTERS = 12


def understood(dataset: Dataset, lang: str) -> list[tuple[str, str]]:
    """Say what the mapping made of the files: customers, the largest of them, sales by quarter, days, ways of writing.

    Parameters
    ----------
    dataset
        As :func:`kehu_analysis.data.check_dataset` returns it.
    lang
        ``"zh"`` or ``"en"``.

    Returns
    -------
    list of tuple
        A name and what is said of it, in reading order.

    Examples
    --------
    >>> from kehu_analysis.data import check_dataset
    >>> dict(understood(check_dataset("data/cdnow"), "en"))["Days"]
    '1997-01-01 to 1998-06-30'
    """
    log = dataset.account["log"]
    found: dict[str, str] = {}
    if log["n_lines"]:
        found["customers"] = _customers(dataset, lang)
        found["largest"] = _largest(dataset, lang)
        found["quarters"] = _quarters(dataset, lang)
        found["days"] = labels.render("ui.understood_period", lang, first=dataset.first_date, last=dataset.last_date)
    found["columns"] = _columns(dataset, lang)
    found["writing"] = _writing(dataset, lang)
    found["lines"] = _lines(dataset, lang)
    if totals := _totals(dataset, lang):
        found["totals"] = totals
    return [(labels.label(f"ui.understood_{name}", lang), words) for name, words in found.items()]


def understood_lines(dataset: Dataset, lang: str) -> list[str]:
    """Return :func:`understood` as lines of the terminal.

    Examples
    --------
    >>> from kehu_analysis.data import check_dataset
    >>> understood_lines(check_dataset("data/cdnow"), "en")[1]
    '  Customers: 23,570 customers, 69,659 lines, 2.96 lines a customer'
    """
    lines = [labels.label("ui.understood", lang)]
    lines += [
        f"  {labels.render('ui.understood_line', lang, name=name, words=words)}"
        for name, words in understood(dataset, lang)
    ]
    return [printable(line) for line in lines]


def _customers(dataset: Dataset, lang: str) -> str:
    log = dataset.account["log"]
    each = labels.format_value(log["n_lines"] / max(log["n_customers"], 1), "number", lang)
    n, n_lines = (labels.format_value(log[name], "count", lang) for name in ("n_customers", "n_lines"))
    return labels.render("ui.understood_of_customers", lang, n=n, n_lines=n_lines, each=each)


def _largest(dataset: Dataset, lang: str) -> str:
    total, names = Decimal(dataset.account["log"]["amount"]), dataset.customer_names()
    told = []
    for customer, amount, _ in dataset.account["log"]["largest"]:
        name = str(names.get(customer, "") or "")
        who = f"{shown(customer, 30)} {shown(name, 30)}" if name and name != customer else shown(customer, 30)
        share = labels.format_value(float(Decimal(amount) / total), "share", lang) if total > 0 else "–"
        money = labels.format_value(float(amount), "currency", lang)
        told.append(labels.render("ui.understood_one", lang, who=who, amount=money, share=share))
    return labels.label("ui.list_separator", lang).join(told)


def _quarters(dataset: Dataset, lang: str) -> str:
    days = dataset.log_days()
    start = dataset.fiscal_year_start
    quarter = [Quarter.containing(day, fiscal_year_start=start) for day in days["date"]]
    sums = pd.Series(days["amount"].to_numpy(), index=[str(one) for one in quarter]).groupby(level=0, sort=False).sum()
    told = [f"{name} {labels.format_value(amount, 'currency', lang)}" for name, amount in sums.items()]
    left_out = ["…"] if len(told) > _MOST_QUARTERS else []
    return labels.label("ui.list_separator", lang).join(left_out + told[-_MOST_QUARTERS:])


def _columns(dataset: Dataset, lang: str) -> str:
    headers = dataset.account["tables"]["transactions"]["columns"]
    said = [f"{name} = {shown(header, 30)}" for name, header in headers.items() if header]
    parts = dataset.account["settings"]["tables"].get("transactions", {}).get("amount_from") or {}
    named = {name: shown(header, 30) for name, header in parts.items() if header}
    if named:
        said.insert(0, f"amount = {_formula(named)}")
    return labels.label("ui.list_separator", lang).join(said)


def _formula(parts: dict[str, str]) -> str:
    """Return in signs how an amount is made of columns."""
    if "debit" in parts:
        return f"{parts['debit']} − {parts['credit']}"
    words = f"{parts['quantity']} × {parts['unit_price']}"
    words += f" × (1 − {parts['discount_rate']})" if "discount_rate" in parts else ""
    words += f" × {parts['paid_rate']}" if "paid_rate" in parts else ""
    return words + (f" − {parts['discount']}" if "discount" in parts else "")


def _writing(dataset: Dataset, lang: str) -> str:
    account = dataset.account["tables"]["transactions"]
    foreign = ", ".join(dict.fromkeys(shown(one["name"]) for one in account.get("foreign_currencies", ())))
    code = "ui.understood_foreign" if foreign else "ui.understood_currency"
    words = [labels.render(code, lang, currency=dataset.currency, names=foreign)]
    styles = account["styles"].values()
    for code, values in (
        (_code_of_encoding(dataset), dict.fromkeys(account.get("encodings", {}).values())),
        ("date_order", dict.fromkeys(style["date_order"] for style in styles)),
        ("decimal_mark", dict.fromkeys(style["decimal_mark"] for style in styles if style["decimal_mark"] != ".")),
        ("unit", dict.fromkeys(str(style.get("units", {}).get("amount", "")) for style in styles)),
    ):
        told = [_in_words(code, value, lang) for value in values if value]
        if told:
            words.append(labels.render(f"ui.understood_{code}", lang, value=" / ".join(told)))
    return labels.label("ui.check_failure_separator", lang).join(words)


def _code_of_encoding(dataset: Dataset) -> str:
    """Return how an encoding is told of: one that was found out may be wrong, and names show it."""
    account, settings = dataset.account["tables"]["transactions"], dataset.account["settings"]["tables"]
    is_said = bool(settings.get("transactions", {}).get("encoding"))
    is_old = any(not name.startswith("utf") for name in account.get("encodings", {}).values())
    return "encoding_found" if is_old and not is_said else "encoding"


def _in_words(code: str, value: str, lang: str) -> str:
    if code == "date_order":
        return labels.label(f"value.{value}", lang)
    return labels.format_value(int(value), "count", lang) if code == "unit" else value


def _lines(dataset: Dataset, lang: str) -> str:
    lines = dataset.line_classes()
    n = labels.format_value(int(lines["n_lines"].sum()), "lines", lang)
    total = sum((Decimal(line["amount"]) for line in dataset.account["tables"]["transactions"]["lines"]), Decimal(0))
    amount = labels.format_value(float(total), "currency", lang)
    return labels.render("ui.understood_of_lines", lang, n=n, amount=amount, currency=dataset.currency)


def _totals(dataset: Dataset, lang: str) -> str:
    totals = dataset.account["tables"]["transactions"].get("totals") or {}
    if not totals.get("n"):
        return ""
    code = "ui.understood_totals_agree" if totals["n"] == totals["n_agree"] else "ui.understood_totals_differ"
    return labels.render(code, lang, n=totals["n"], n_differ=totals["n"] - totals["n_agree"])
