"""The SQL texts keep to what DuckDB and Spark share, and to the shape they promise."""

import re
from importlib import resources

import pytest

TEXTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in resources.files("kehu_analysis.summaries").iterdir()
    if path.name.endswith(".sql")
}
#: Functions of both engines; unix_date is Spark's, and a macro of our DuckDB sessions.
FUNCTIONS = {"coalesce", "count", "floor", "lag", "ln", "max", "min", "month", "sum", "unix_date", "year"}
#: Words that may stand before a bracket without being functions.
WORDS = {"as", "by", "cast", "decimal", "over", "using"}
#: What only DuckDB has, or means something else in Spark.
FOREIGN = (
    r"::|\bFILTER\b|\bQUALIFY\b|\bASOF\b|\bEXCLUDE\b|\bREPLACE\b|\bGROUP BY ALL\b|\bLIMIT\b|//|\bILIKE\b|\bPIVOT\b"
)


def code_of(name):
    return re.sub(r"--[^\n]*", "", TEXTS[name])


@pytest.mark.parametrize("name", TEXTS)
def test_only_functions_of_both_engines(name):
    called = {word.lower() for word in re.findall(r"(\w+)\s*\(", code_of(name))}
    assert called - WORDS <= FUNCTIONS
    assert re.findall(FOREIGN, code_of(name), flags=re.IGNORECASE) == []


@pytest.mark.parametrize("name", TEXTS)
def test_no_literal_that_spark_reads_as_a_decimal_and_no_text(name):
    assert re.findall(r"\b\d+\.\d+\b|'", code_of(name)) == []


@pytest.mark.parametrize("name", TEXTS)
def test_rows_come_in_order_and_the_text_begins_by_saying_what_it_does(name):
    assert TEXTS[name].startswith("-- ")
    assert re.search(r"ORDER BY [\w, ]+\s*$", code_of(name))
