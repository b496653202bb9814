"""What holds for every finding of every room, tried on the examples that ``tests/‹room›/examples.py`` make."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from io import BytesIO

import pandas as pd
import pytest
from matplotlib.figure import Figure

from kehu_analysis import labels, plots
from kehu_analysis.finding import Finding
from kehu_analysis.workbook import record
from tests.company import Company, small_company
from tests.rooms import ROOT, analyses, analysis_rooms

UNITS = {*labels._DECIMALS, "share", "date", "code", "text"}
NAMES = sorted(labels.entry("finding"))
EXAMPLES = {path.parent.name: f"tests.{path.parent.name}.examples" for path in (ROOT / "tests").glob("*/examples.py")}
#: Codes that are not ours: a quarter, a class of a customers' file, the reason of somebody's own filter or complaint.
FOREIGN_CODES = {"cohort", "complaint_reason", "group", "reason"}

of_every_finding = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return small_company(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def by_room(company: Company) -> dict[str, list[Finding]]:
    return {
        room: [finding.in_currency("CNY") for finding in import_module(module).findings(company)]
        for room, module in sorted(EXAMPLES.items())
    }


@pytest.fixture(scope="module")
def findings(by_room: dict[str, list[Finding]]) -> dict[str, Finding]:
    return {finding.name: finding for made in by_room.values() for finding in made}


def test_every_room_has_examples_of_all_its_analyses(by_room: dict[str, list[Finding]]) -> None:
    made = {room: {finding.name for finding in found} for room, found in by_room.items()}
    assert made == {room: set(analyses(room)) for room in analysis_rooms()}


def test_every_finding_that_has_words_is_made(findings: dict[str, Finding]) -> None:
    assert sorted(findings) == NAMES


@of_every_finding
def test_it_was_run_and_has_its_words(findings: dict[str, Finding], name: str) -> None:
    finding = findings[name]
    assert finding.not_run is None
    for lang in labels.LANGUAGES:
        texts = [finding.title(lang), finding.reading(lang), *finding.note_texts(lang)]
        assert all(text.strip() for text in texts)
        assert not [text for text in texts if "nan" in text or "None" in text or "{" in text]


@of_every_finding
def test_its_columns_and_facts_have_words_and_units(findings: dict[str, Finding], name: str) -> None:
    finding = findings[name]
    assert [column for column in finding.table.columns if not labels.has(f"column.{column}")] == []
    assert {labels.column_unit(column) for column in finding.table.columns} <= UNITS
    assert {fact.unit for fact in finding.facts.values()} <= UNITS


@of_every_finding
def test_its_codes_have_words(findings: dict[str, Finding], name: str) -> None:
    table, facts = findings[name].table, findings[name].facts.values()
    coded = [column for column in table.columns if labels.column_unit(column) == "code" and column not in FOREIGN_CODES]
    codes = {str(value) for column in coded for value in table[column].dropna()}
    codes |= {str(fact.value) for fact in facts if fact.unit == "code" and fact.value is not None}
    # Grades are letters, and what is true or false is written as yes or no.
    unknown = {code for code in codes - {"True", "False"} if len(code) > 1 and not labels.has(f"value.{code}")}
    assert unknown == set()


@of_every_finding
def test_it_can_be_kept_and_read_again(
    findings: dict[str, Finding], name: str, tmp_path: pytest.TempPathFactory
) -> None:
    finding = findings[name]
    record.save_finding(finding, tmp_path)
    record.note_order(tmp_path, [name])
    (read,) = record.load_findings(tmp_path)
    assert (read.notes, read.currency) == (finding.notes, finding.currency)
    assert {key: fact.unit for key, fact in read.facts.items()} == {
        key: fact.unit for key, fact in finding.facts.items()
    }
    for key, fact in finding.facts.items():
        assert read.facts[key].value == kept(fact.value), key
    assert [read.reading(lang) for lang in labels.LANGUAGES] == [finding.reading(lang) for lang in labels.LANGUAGES]
    pd.testing.assert_frame_equal(comparable(read.table), comparable(finding.table), rtol=10.0 ** (1 - record.DIGITS))


def kept(value: object) -> object:
    """Return what a fact is when it has been kept: with so many digits."""
    return pytest.approx(value, rel=10.0 ** (1 - record.DIGITS)) if isinstance(value, float) else value


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose periods are texts, and whose missing values are all of one kind."""
    texts = {name: table[name].astype("str") for name in table if isinstance(table[name].dtype, pd.PeriodDtype)}
    plain = table.assign(**texts).astype(object)
    return plain.where(plain.notna(), None)


@pytest.mark.parametrize("room", sorted(EXAMPLES))
def test_rows_in_another_order_change_nothing(company: Company, by_room: dict[str, list[Finding]], room: str) -> None:
    module = import_module(EXAMPLES[room])
    if getattr(module, "ONCE", False):
        return
    for finding, again in zip(by_room[room], module.findings(replace(company, shuffled=True)), strict=True):
        pd.testing.assert_frame_equal(finding.table, again.table, rtol=1e-9)
        assert {key: fact.unit for key, fact in finding.facts.items()} == {
            key: fact.unit for key, fact in again.facts.items()
        }
        for key, fact in finding.facts.items():
            assert again.facts[key].value == (
                pytest.approx(fact.value, rel=1e-9) if isinstance(fact.value, float) else fact.value
            ), key


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(plots, name)])
def test_its_chart_is_drawn_in_both_languages(findings: dict[str, Finding], name: str) -> None:
    plots.apply_theme()
    for lang in labels.LANGUAGES:
        figure = Figure()
        axes = getattr(plots, name)(findings[name], lang=lang, ax=figure.add_subplot())
        figure.savefig(BytesIO(), dpi=40)  # a character that the font lacks is a warning, and so an error
        assert axes.get_title(loc="left") or axes.get_title()
