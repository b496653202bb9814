"""The amount of a row where the file has none as such: from factors, from two columns, in another currency, by kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from kehu_analysis.data.checking.numbers import is_number, number_of
from kehu_analysis.data.checking.texts import Style, clean_text, given_text
from kehu_analysis.data.schema import currencies_of, currency_signs, no_share_words, pattern_of, tenths_words
from kehu_analysis.data.settings import AmountFrom, Currencies, TableSettings
from kehu_analysis.engine.duckdb import identifier, quoted

_FACTOR, _MONEY = "DECIMAL(18, 6)", "DECIMAL(18, 4)"


def computed_amount(parts: AmountFrom, types: Mapping[str, str], style: Style) -> str:
    """Return the amount that other columns of a file make, exact to four decimals.

    Parameters
    ----------
    parts
        What the settings say: quantity times unit price, less a share and a discount; or debit less credit.
    types
        SQL type of each header of the file.
    style
        How the file writes numbers.

    Returns
    -------
    str
        An SQL expression over the file's row, in the dataset's currency; NULL where a part cannot be read.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('3', '1,000.25', '10%'), ('-2', '5', NULL), ('x', '5', '0')) AS rows (n, price, off)"
    >>> parts = AmountFrom(quantity="n", unit_price="price", discount_rate="off")
    >>> amount = computed_amount(parts, dict.fromkeys(("n", "price", "off"), "VARCHAR"), Style())
    >>> [str(value) for (value,) in duckdb.sql(f"SELECT {amount} FROM {rows}").fetchall()]
    ['2700.6750', '-10.0000', 'None']
    """

    def factor(header: str) -> str:
        if is_number(types[header]):
            return f"TRY_CAST({identifier(header)} AS {_FACTOR})"
        return number_of(clean_text(header), _FACTOR, style)

    def if_given(header: str, value: str) -> str:
        return f"CASE WHEN {given_text(header)} IS NULL THEN 0 ELSE {value} END"

    unit = f" * {style.units['amount']}" if style.units.get("amount") else ""
    if parts.debit is not None and parts.credit is not None:
        sides = [if_given(header, factor(header)) for header in (parts.debit, parts.credit)]
        return f"TRY_CAST(({sides[0]} - {sides[1]}){unit} AS {_MONEY})"
    product = " * ".join(factor(header) for header in (parts.quantity, parts.unit_price) if header is not None)
    amount = f"CAST({product} AS DECIMAL(24, 8))"
    if parts.discount_rate is not None:
        share = if_given(parts.discount_rate, _share(parts.discount_rate, types, style))
        amount = f"CAST({amount} * (1 - {share}) AS DECIMAL(24, 8))"
    if parts.paid_rate is not None:
        remaining = _share(parts.paid_rate, types, style, remains=True)
        share = f"CASE WHEN {given_text(parts.paid_rate)} IS NULL THEN 1 ELSE 1 - {remaining} END"
        amount = f"CAST({amount} * ({share}) AS DECIMAL(24, 8))"
    if parts.discount is not None:
        off = if_given(parts.discount, factor(parts.discount))
        # Written below 0 it is taken off a sale all the same.
        amount = f"({amount} - CASE WHEN {amount} > 0 THEN abs({off}) ELSE {off} END)"
    return f"TRY_CAST({amount}{unit} AS {_MONEY})"


def _share(header: str, types: Mapping[str, str], style: Style, *, remains: bool = False) -> str:
    """Return a share that is taken off: ``0.1``, ``10%``, or in tenths that remain; NULL beyond 0 to 1.

    Where it ``remains``, numbers and hundredths are what is paid; tenths always are.
    """
    in_hundredths = re.search(pattern_of("shares", "in_hundredths"), header) is not None
    scale = "100" if in_hundredths else "1"
    if is_number(types[header]):
        share = f"CAST(TRY_CAST({identifier(header)} AS DECIMAL(18, 6)) / {scale} AS DECIMAL(12, 6))"
        share = f"CAST(1 - {share} AS DECIMAL(12, 6))" if remains else share
    else:
        text = clean_text(header)
        signs, percent, tenths = (quoted(pattern_of("shares", form)) for form in ("signs", "percent", "tenths"))
        plain = f"regexp_replace({text}, {signs}, '', 'g')"
        bare = number_of(plain, "DECIMAL(12, 6)", style)
        digits = tenths_words()
        in_digits = number_of(
            f"translate({plain}, {quoted(''.join(digits))}, {quoted(''.join(digits.values()))})",
            "DECIMAL(12, 6)",
            style,
        )
        none = ", ".join(map(quoted, no_share_words()))
        off = (lambda value: f"1 - {value}") if remains else (lambda value: value)
        # 85 tenths are 8.5 of them.
        share = (
            f"CASE WHEN lower({text}) IN ({none}) THEN 0 "
            f"WHEN regexp_matches({text}, {percent}) THEN CAST({off(f'{bare} / 100')} AS DECIMAL(12, 6)) "
            f"WHEN regexp_matches({text}, {tenths}) THEN CAST(1 - {in_digits} / CASE WHEN {in_digits} > 10 THEN 100 "
            f"ELSE 10 END AS DECIMAL(12, 6)) ELSE CAST({off(f'{bare} / {scale}')} AS DECIMAL(12, 6)) END"
        )
    return f"CASE WHEN {share} BETWEEN 0 AND 1 THEN {share} END"


def is_computable(parts: AmountFrom) -> str:
    """Return the condition that a row has what its amount is made of."""
    if parts.debit is not None and parts.credit is not None:
        return f"({given_text(parts.debit)} IS NOT NULL OR {given_text(parts.credit)} IS NOT NULL)"
    return " AND ".join(f"{given_text(header)} IS NOT NULL" for header in (parts.quantity, parts.unit_price) if header)


def adjusted_amount(amount: str, day: str, amount_header: str | None, settings: TableSettings) -> str:
    """Return an amount in the dataset's currency, below 0 where the row's kind says that goods came back.

    Parameters
    ----------
    amount, day
        SQL expressions over the file's row.
    amount_header
        The column that holds the amount, whose sign may name the currency; None where it is computed.
    settings
        What ``dataset.toml`` says of the table.
    """
    if settings.returns is not None:
        kinds = ", ".join(map(quoted, settings.returns.values))
        amount = f"CASE WHEN {clean_text(settings.returns.column)} IN ({kinds}) THEN -abs({amount}) ELSE {amount} END"
    if settings.currencies is not None:
        rate = _rate(currency_of(settings.currencies, amount_header), day, settings.currencies)
        amount = f"TRY_CAST({amount} * {rate} AS {_MONEY})"
    return amount


def currency_of(currencies: Currencies, amount_header: str | None) -> str:
    """Return what names the currency of a row: its column, else the letters and signs beside the amount."""
    if currencies.column is not None or amount_header is None:
        return f"upper({clean_text(currencies.column or '')})" if currencies.column else "NULL"
    return sign_of(amount_header)


def sign_of(header: str) -> str:
    """Return the currency sign or code that stands in an amount; NULL where none does.

    Examples
    --------
    >>> import duckdb
    >>> rows = "(VALUES ('$12'), ('12.50 EUR'), ('12')) AS rows (paid)"
    >>> duckdb.sql(f"SELECT {sign_of('paid')} FROM {rows}").fetchall()
    [('$',), ('EUR',), (None,)]
    """
    sign = quoted(pattern_of("row_kinds", "sign"))
    return f"nullif(upper(regexp_extract({clean_text(header)}, {sign}, 1)), '')"


def spellings_in(name: str, rates: Collection[str]) -> list[str]:
    """Return the keys of rates that hold for a currency as it is written in a file: itself, else what it stands for.

    Examples
    --------
    >>> spellings_in("$", {"USD", "CNY"}), spellings_in("￥", {"¥"}), spellings_in("EUR", {"USD"})
    (['USD'], ['¥'], [])
    """
    own = [key for key in rates if key.upper() == name]
    return own or [key for key in rates if currencies_of(key)[0] == currencies_of(name)[0]]


def _rate(currency: str, day: str, currencies: Currencies) -> str:
    # A sign stands for the currency whose rate is given, and amounts without one are in the dataset's own.
    cases = [] if currencies.column is not None else [f"WHEN {currency} IS NULL THEN CAST(1 AS DECIMAL(18, 8))"]
    every = [name.upper() for name in currencies.rates]
    others = [sign for sign in currency_signs() if sign not in every and spellings_in(sign, currencies.rates)]
    read_as = {name: [name.upper()] for name in currencies.rates}
    for sign in others:
        read_as[spellings_in(sign, currencies.rates)[0]].append(sign)
    for name, rate in currencies.rates.items():
        dated = [(None, rate)] if isinstance(rate, float) else sorted((one.since, one.rate) for one in rate)
        value = "NULL"
        for since, number in dated:
            value = (
                f"{number!r}"
                if since is None
                else f"CASE WHEN {day} >= DATE '{since}' THEN {number!r} ELSE {value} END"
            )
        called = ", ".join(map(quoted, dict.fromkeys([*read_as[name], currencies_of(name)[0]])))
        cases.append(f"WHEN {currency} IN ({called}) THEN CAST({value} AS DECIMAL(18, 8))")
    return f"CASE {' '.join(cases)} END"
