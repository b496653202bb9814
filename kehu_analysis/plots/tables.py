"""A Finding's table as HTML, for JupyterLab and for the report alike."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from pandas.api import types

from kehu_analysis import labels

#: Units whose values are numbers: right-aligned, so that digits of one place stand below each other.
NUMBER_UNITS = frozenset(
    (
        *("count", "customers", "lines", "purchases", "currency", "share"),
        *("days", "weeks", "months", "number", "parameter"),
    )
)

#: Wider than so many digits words are a sentence, which is not to stand in a column of one word.
_SENTENCE = 36

# The report drops these styles for its own sheet; JupyterLab would set words to the right and the caption above.
_TEMPLATE = """\
{%- macro style(kind) %}{% if kind != "number" %} style="text-align:left"{% endif %}{% endmacro -%}
<div class="table-scroll"><table class="finding-table">
{%- if caption %}<caption style="caption-side:bottom;text-align:left">{{ caption }}</caption>{% endif %}
<thead><tr>
{%- for heading, kind in headings %}<th scope="col" class="{{ kind }}"{{ style(kind) }}>{{ heading }}</th>{% endfor -%}
</tr></thead>
<tbody>
{%- for row in rows %}
<tr>{% for text, kind in row %}<td class="{{ kind }}"{{ style(kind) }}>{{ text }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>"""


def table_html(table: pd.DataFrame, *, lang: str = "zh", currency: str = "", rows: int = 15) -> str:
    """Write the first rows of a table, or its last, as HTML with headings, units and separators.

    Parameters
    ----------
    table
        Any tidy table (n rows, k columns); a column's words and unit come from ``column.<name>``. The
        index is not shown.
    lang
        ``"zh"`` or ``"en"``.
    currency
        ISO code of the money, named in the headings of money columns.
    rows
        At most so many rows are shown, the last ones where the number is negative (of what runs in time, the latest
        count); a caption then says how many there are.

    Returns
    -------
    str
        A ``<table class="finding-table">`` in a ``<div class="table-scroll">``; every text is escaped, and one of
        unusual length is cut (the workbook has it whole).

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["007", "<b>"], "amount": [1234.5, 2.0]})
    >>> html = table_html(table, lang="en", rows=1)
    >>> "1,234.50" in html, "First 1 of 2 rows" in html, "<b>" in html
    (True, True, False)
    """
    units = [display_unit(table.iloc[:, i]) for i in range(table.shape[1])]
    kinds = ["number" if unit in NUMBER_UNITS else "date" if unit == "date" else "words" for unit in units]
    headings = [labels.column_label(str(column), lang, currency=currency) for column in table.columns]
    shown = [
        [_shown(value, unit, lang) for value, unit in zip(row, units, strict=True)]
        for row in (table.iloc[rows:] if rows < 0 else table.iloc[:rows]).itertuples(index=False, name=None)
    ]
    for place, texts in enumerate(zip(*shown, strict=True)):
        if kinds[place] == "words" and max(map(labels.text_width, texts)) > _SENTENCE:
            kinds[place] = "words sentence"
    return _template().render(
        headings=list(zip(headings, kinds, strict=True)),
        rows=[list(zip(texts, kinds, strict=True)) for texts in shown],
        caption=_caption(len(shown), len(table), lang, code="ui.last_rows_shown" if rows < 0 else "ui.rows_shown"),
    )


def display_unit(column: pd.Series[Any]) -> str:
    """Return the unit in which a column is written: its own, or what its kind of values suggests.

    Examples
    --------
    >>> display_unit(pd.Series([0.5], name="share_of_sales"))
    'share'
    >>> display_unit(pd.Series([3], name="a column without an entry"))
    'count'
    """
    unit = labels.column_unit(str(column.name))
    if types.is_bool_dtype(column):
        return "text"
    if unit == "text" and types.is_numeric_dtype(column):
        return "count" if types.is_integer_dtype(column) else "number"
    if unit == "text" and types.is_datetime64_any_dtype(column):
        return "date"
    return unit


def cell_text(value: Any, unit: str, lang: str = "zh") -> str:
    """Write one cell: like :func:`labels.format_value`, with yes and no for booleans and a dash for nothing.

    Examples
    --------
    >>> cell_text(True, "text", "en"), cell_text(pd.NA, "currency"), cell_text(pd.Period("1998Q2"), "date")
    ('Yes', '–', '1998Q2')
    """
    if types.is_scalar(value) and pd.isna(value):
        return labels.format_value(None)
    if isinstance(value, (bool, np.bool_)):
        return labels.label("value.yes" if value else "value.no", lang)
    if isinstance(value, Decimal):
        value = float(value)
    return labels.format_value(value, unit, lang)


def _shown(value: Any, unit: str, lang: str) -> str:
    # A customer's number may be of any length; sentences stand in columns of another unit.
    text = cell_text(value, unit, lang)
    return labels.shortened(text) if unit == "text" else text


def _caption(shown: int, total: int, lang: str, *, code: str) -> str:
    if total == 0:
        return labels.label("ui.no_rows", lang)
    if shown == total:
        return ""
    n, all_rows = (labels.format_value(number, "count", lang) for number in (shown, total))
    return labels.render(code, lang, n=n, total=all_rows)


@cache
def _template() -> Template:
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE)
