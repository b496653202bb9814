"""Words go by their count: one customer, two customers; what English does, Chinese does not."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import labels
from kehu_analysis.plurals import fill

#: Values that are no count: names and texts, dates and quarters, amounts, shares. Any other may be 1.
NO_COUNTS = """
    analysis by cell chapter cohort column columns dataset files folder input model name names notebook option parameter
    path reason source standards table text value
    age first_quarter horizon_end last quarter
    allowed amount change_on_quarter expected_amount interval old_customers_measure parameters_at_boundary retention_1
    retention_1_high share top_share_of_expected_amount
    any_incidence first_incidence kept kept_share net_retention gross_retention share_true_loyalty survival_12
    survival_24 survival_36 won_back_share
    cost_ratio cost_ratio_low cost_ratio_high difference_months mean_months proverb_low proverb_high start_months
    trend_per_year
    earlier_difference change half_width_of_mean r_squared strongest strongest_points complaint_ratio strongest_ratio
    kind effect_share
"""
#: Where what is counted has been named, or is not going to be.
ENDS = """
    and as at be between but by can cannot could did for from has in is it its must no not of on one or so than that the
    this to was which who will with
"""
#: What is counted.
ONE = """
    champion cohort column customer day doubt driver error interval item line model month purchase quarter return row
    segment shop supposition template term value warning week year
"""


def templates(table=None, path=()):
    """Yield code and words of both languages, of every entry with a value in it."""
    for name, content in (labels.catalogue() if table is None else table).items():
        if isinstance(content, list):
            yield from ((".".join((*path, name, str(place))), entry) for place, entry in enumerate(content))
        elif isinstance(content, dict) and isinstance(content.get("en"), str):
            yield ".".join((*path, name)), content
        elif isinstance(content, dict):
            yield from templates(content, (*path, name))


# The parameters of the simulated company ({company.default_customers}) are as they are in its own file.
TEMPLATES = {code: entry for code, entry in templates() if re.search(r"\{\w+[^.}]*\}", entry["en"])}


def names(template):
    return {field.split("|")[0] for _, field, _, _ in string.Formatter().parse(template) if field}


def unfit(text):
    """Return where a 1 stands before words of many: "1 rows", "1 grade A customers have"."""
    found = []
    for stretch in re.findall(r"(?<![\w.,/-])1((?: [A-Za-z'-]+){1,4})", text):
        for word in stretch.lower().split():
            bare = word.removesuffix("'s").removesuffix("'")
            if bare in f"{ENDS} {ONE}".split():
                break
            if bare in ("are", "were", "have") or (bare.endswith("s") and not bare.endswith("ss")):
                found.append(f"1{stretch}")
                break
    return found


@pytest.mark.parametrize(
    ("text", "is_unfit"),
    [
        ("1 customers left", True),
        ("of the 1 known customers", True),
        ("1 months' sales", True),
        ("1 are due", True),
        ("1 grade A customers carry", True),
        ("1 customer buys", False),
        ("1 of 10 customers", False),
        ("1 month's sales", False),
        ("0.1 days, 21 rows", False),
    ],
)
def test_what_is_unfit_is_seen(text, is_unfit):
    assert bool(unfit(text)) == is_unfit


def test_one_is_never_many():
    assert len(TEMPLATES) > 200
    found = {}
    for code, entry in TEMPLATES.items():
        plain = re.sub(r"!\w|:%", "", entry["en"])
        values = {name: "x" if name in NO_COUNTS.split() else "1" for name in names(plain) if "." not in name}
        if words := unfit(fill(plain, "en", values)) if len(values) == len(names(plain)) else []:
            found[code] = words
    assert found == {}


def test_every_form_is_given():
    """Where words go by a count there is one for each form of the language, and a sentence for any value."""
    for code, entry in TEMPLATES.items():
        for lang in labels.LANGUAGES:
            counted = [field for _, field, _, _ in string.Formatter().parse(entry[lang]) if field and "|" in field]
            assert not counted or lang == "en", f"{code}: Chinese has no plural"
            for field in counted:
                assert len(field.split("|")) == 3, (code, field)
                assert fill(f"{{{field}}}", lang, {field.split("|")[0]: 1}).strip(), code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1 day is"),
        ("1", "1 day is"),
        (0, "0 days are"),
        ("1.0", "1.0 days are"),
        ("-1", "-1 day is"),
        ("1,001", "1,001 days are"),
        ("–", "– days are"),
        ("2.50 thousand", "2.50 thousand days are"),
        (float("nan"), "nan days are"),
    ],
)
def test_what_is_written_decides(value, text):
    assert fill("{n|# day is|# days are}", "en", {"n": value}) == text


def test_chinese_has_one_form():
    assert fill("{n|# 天}", "zh", {"n": 1}) == "1 天"
    with pytest.raises(ValueError, match="zip"):
        fill("{n|day|days}", "zh", {"n": 1})


def test_words_without_number_and_other_ways_of_writing():
    words = "{n|The only customer has|All # customers have} left {share:.1%} {name!r}"
    assert fill(words, "en", {"n": 1, "share": 0.25, "name": "x"}) == "The only customer has left 25.0% 'x'"
    assert fill(words, "en", {"n": 9, "share": 0.25, "name": "x"}) == "All 9 customers have left 25.0% 'x'"


@given(st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.decimals()))
def test_any_value_can_be_counted(value):
    assert fill("{n|# row|# rows}", "en", {"n": value}) in (f"{value} row", f"{value} rows")
