"""A chapter takes another one's finding, and is told in one way what the data lack."""

import json
from importlib.util import find_spec

import pandas as pd
import pytest

from kehu_analysis import labels, open_dataset
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.finding import Fact, Finding
from kehu_analysis.summaries import monthly_sales, product_margins
from kehu_analysis.workbook import own_chapters, record
from kehu_analysis.workbook.chapters import CHAPTERS, ChapterRecord, chapter, chosen
from kehu_analysis.workbook.quarters import choose_quarter
from kehu_analysis.workbook.sentences import sentences
from kehu_analysis.workbook.session import FINDINGS_VARIABLE, Workbook


@pytest.fixture
def book(tmp_path):
    def _open(name, **tables):
        days = pd.date_range("2025-11-03", "2026-04-02")
        log = pd.DataFrame({"customer_id": "a", "date": days.strftime("%Y-%m-%d"), "amount": 1.0})
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        log.to_csv(data / "transactions.csv", index=False)
        for table, rows in tables.items():
            rows.to_csv(data / f"{table}.csv", index=False)
        dataset = open_dataset(data, cache=tmp_path / "cache")
        return Workbook(name, dataset, choose_quarter(dataset, "2026Q1"), "en", tmp_path / "findings")

    return _open


@pytest.fixture
def reader(monkeypatch):
    """A chapter that reads contacts, in place of the project's record of its name."""
    made = ChapterRecord(70, "reader", "x", needs=("contacts.cost",), uses=("transactions.cost",))
    monkeypatch.setattr("kehu_analysis.workbook.session.record_named", lambda name: made)
    return made


def counted(rows):
    return Finding("overdue_customers", rows, {})


CONTACTS = pd.DataFrame({"customer_id": "a", "date": ["2026-03-31", "2026-04-01"], "kind": "visit", "cost": [7.0, 9.0]})


def test_a_table_holds_what_happened_by_the_last_day_counted(book, reader):
    rows = book("reader", contacts=CONTACTS).table("contacts")
    assert [str(day)[:10] for day in rows["date"]] == ["2026-03-31"]
    assert rows["cost"].astype(float).tolist() == [7.0]


@pytest.mark.parametrize(
    ("tables", "said"),
    [({}, "the table Contacts (contacts)"), ({"contacts": CONTACTS.drop(columns="cost")}, "column cost of the table")],
)
def test_what_is_missing_is_said_of_the_analysis_that_needs_it(book, reader, tables, said):
    opened = book("reader", **tables)
    finding = opened.run(counted, opened.table("contacts"))
    assert finding.not_run[0] == "needs_data"
    assert said in finding.reading("en")
    assert "contacts" in finding.reading("zh")
    (kept,) = record.load_findings(opened.folder / "reader")
    assert [kept.reading(lang) for lang in labels.LANGUAGES] == [finding.reading(lang) for lang in labels.LANGUAGES]


def test_all_that_is_missing_is_said_at_once(book, reader):
    opened = book("reader")
    finding = opened.attempt(counted, opened.summary(product_margins, "transactions.cost"), opened.table("contacts"))
    assert "column cost of the table Transactions" in finding.reading("en")
    assert "the table Contacts" in finding.reading("en")


def test_a_column_without_a_value_is_missing(book, reader):
    empty = CONTACTS.assign(cost=None)
    assert isinstance(book("reader", contacts=empty).table("contacts"), Finding)


def test_data_that_a_record_does_not_name_are_refused(book):
    with pytest.raises(LookupError, match="contacts"):
        book("segmentation").table("contacts")
    with pytest.raises(LookupError, match="cost"):
        book("segmentation").summary(product_margins, "transactions.cost")
    assert len(book("segmentation").summary(monthly_sales)) == 5


def save(folder, finding):
    record.save_finding(finding, folder)
    record.note_order(folder, [finding.name])


def test_a_finding_of_a_chapter_before(book, monkeypatch, tmp_path):
    monkeypatch.setenv(FINDINGS_VARIABLE, str(tmp_path))
    opened = book("lifetime_value")
    save(opened.folder / "segmentation", Finding("rfm_segments", pd.DataFrame(), {"n": Fact(3, "count")}))
    assert opened.finding("rfm_segments").facts["n"].value == 3
    with pytest.raises(LookupError, match="after"):
        opened.finding("overdue_customers")
    with pytest.raises(LookupError, match="after"):
        book("loyalty").finding("rfm_segments")
    own = opened.run(counted, pd.DataFrame())
    assert opened.finding("overdue_customers") is own


def test_in_jupyterlab_a_chapter_before_is_run_once(book, monkeypatch):
    monkeypatch.delenv(FINDINGS_VARIABLE, raising=False)
    opened = book("lifetime_value")
    ran = []

    def run_chapter(self, chapter):
        ran.append(chapter.name)
        save(self.folder / chapter.name, Finding("rfm_segments", pd.DataFrame(), {}))

    monkeypatch.setattr(Workbook, "run_chapter", run_chapter)
    assert opened.finding("rfm_segments").name == opened.finding("rfm_segments").name == "rfm_segments"
    assert ran == ["segmentation"]


def test_records_are_of_rooms_and_facts_that_there_are():
    for found in CHAPTERS:
        assert find_spec(f"kehu_analysis.{found.room}")
        for finding, fact, _ in found.key_facts:
            assert labels.has(f"key_figure.{finding}.{fact}")
    stated = {(finding, fact) for found in CHAPTERS for finding, fact, _ in found.key_facts}
    assert stated == {(name, fact) for name, facts in labels.entry("key_figure").items() for fact in facts}
    with pytest.raises(LookupError):
        chapter("nothing")
    with pytest.raises(UsageError, match="loyalty"):
        chosen(["nothing"])


def test_answers_follow_the_findings_and_not_the_rooms():
    def finding(name, **facts):
        return Finding(name, pd.DataFrame(), {key: Fact(value, "customers") for key, value in facts.items()})

    sales = finding("quarter_sales", quarter=1, amount=2, n_active=3, change_on_quarter=4)
    moves = finding("grade_moves", n_up=1, n_down=2, n_stopped=3)
    # The room `sales` comes before `segmentation` in the alphabet.
    first, second = sentences("answer", [moves, sales], "en")
    assert first.startswith("Against the quarter before")
    assert second.startswith("Sales of")


# --- chapters of one's own ----------------


def own_notebook(folder, name="my_question", source=None, told='data = "x"\nquarter = ""\nlang = "zh"\nn = 3', **said):
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": text, "outputs": [], "execution_count": None}
        for tags, text in ((["parameters"], told), (["setup"], source or f'book = open_workbook("{name}", data)'))
    ]
    notebook = {"cells": cells, "metadata": {"kehu": said}, "nbformat": 4, "nbformat_minor": 4}
    path = folder / f"80_{name}.ipynb"
    path.write_text(json.dumps(notebook))
    return path


def test_a_record_is_read_from_the_notebook(tmp_path):
    path = own_notebook(tmp_path, needs=["contacts.cost"], after=["segmentation"], weight=2)
    *_, found = own_chapters.chapters_in(tmp_path)
    assert (found.number, found.name, found.notebook, found.weight) == (80, "my_question", path, 2)
    assert (found.needs, found.after) == (("contacts.cost",), ("segmentation",))
    assert found.parameters.model_fields["n"].default == 3
    ours = [record.name for record in own_chapters.chapters_in()]
    assert [record.name for record in own_chapters.chapters_in(tmp_path)] == [*ours, "my_question"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"source": 'open_workbook("loyalty", data)'}, 'open_workbook("my_question"'),
        ({"told": "n = 3"}, "quarter"),
        ({"told": 'data = "x"\nquarter = lang = f()'}, "parameters"),
        ({"needs": ["contact.cost"]}, "contact.cost"),
        ({"needs": ["contacts.price"]}, "contacts.price"),
        ({"need": ["contacts"]}, "need"),
        ({"weight": 0}, "weight"),
        ({"after": ["segments"]}, "segments"),
        ({"after": ["my_question"]}, "wait for each other"),
    ],
)
def test_a_notebook_that_is_no_chapter_yet(tmp_path, written, said):
    own_notebook(tmp_path, **written)
    with pytest.raises(UsageError) as refused:
        own_chapters.chapters_in(tmp_path)
    assert said in refused.value.message("en")


def test_folders_without_a_chapter(tmp_path, monkeypatch):
    (tmp_path / "Untitled.ipynb").write_text("{}")
    with pytest.raises(UsageError, match="no notebook"):
        own_chapters.chapters_in(tmp_path)
    (tmp_path / "80_broken.ipynb").write_text("no json")
    with pytest.raises(UsageError, match=r"80_broken\.ipynb"):
        own_chapters.chapters_in(tmp_path)
    monkeypatch.setattr(own_chapters, "project_folder", lambda: tmp_path / "elsewhere")
    with pytest.raises(RunError, match="overview"):
        own_chapters.chapters_in()
