"""The data dictionary and the generator cannot drift apart: both are read, and each is held against the other."""

import re
from fnmatch import fnmatchcase

import pyarrow.csv
import pyarrow.parquet
import pytest

from kehu_analysis import labels
from kehu_analysis.data import contract
from kehu_analysis.simulate import FORMATS
from kehu_analysis.simulate.dictionary import FIELD, dictionary_text, meaning_code, parameter_text
from kehu_analysis.simulate.world import World, parameters
from kehu_analysis.simulate.writing import write_company

MADE = labels.entry("made")
TRUTHS = {name for name in MADE if name.startswith("truth_")}


def leaves(table, path=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key


PARAMETERS = list(leaves(parameters()))
#: Names stand in tables of their own; a log has them where there are no such tables.
IN_OTHER_TABLES = {"customer_name", "salesperson_name"}


@pytest.fixture(scope="module", params=[(FORMATS[0], 80, 5), (FORMATS[1], 60, 4)], ids=lambda param: param[0])
def company(request, tmp_path_factory):
    """A folder with a company in it, the format of its files, and their columns by table."""
    file_format, customers, quarters = request.param
    folder = tmp_path_factory.mktemp(file_format) / "demo"
    write_company(folder, World(customers=customers, quarters=quarters), file_format=file_format)
    columns = {}
    for path in folder.glob(f"*.{file_format}"):
        if file_format == "parquet":
            columns[path.stem] = pyarrow.parquet.read_schema(path).names
        else:
            # The mark by which Excel knows UTF-8 is no part of the first header.
            columns[path.stem] = path.read_text(encoding="utf-8-sig").split("\n", 1)[0].split(",")
    return folder, file_format, columns


@pytest.fixture(scope="module")
def page(company):
    return (company[0] / "README.md").read_text(encoding="utf-8")


def tables_of(page):
    """Yield the Markdown tables of a page as rows of cells, each with the heading above it."""
    heading, rows = "", []
    for line in [*page.split("\n"), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            assert line.endswith("|")
            rows.append([cell.strip() for cell in line[1:-1].split("|")])
        elif rows:
            yield heading, rows
            rows = []


# --- files and columns ----------------


def test_every_file_that_is_written_is_told_and_no_other(company, page):
    told = next(rows for heading, rows in tables_of(page) if "Files" in heading)
    assert {row[0].strip("`") for row in told[2:]} == {path.name for path in company[0].iterdir()}


def test_every_column_that_is_written_is_explained_and_no_other(company, page):
    _, _, written = company
    told = {heading: [row[0].strip("`") for row in rows[2:]] for heading, rows in tables_of(page) if heading in MADE}
    assert list(told) == list(MADE)
    assert set(written) == set(told)
    for name, columns in written.items():
        # Columns stand in the order of the file; several may share one explanation.
        explained = [next((one for one in told[name] if fnmatchcase(column, one)), column) for column in columns]
        assert list(dict.fromkeys(explained)) == told[name], name


def test_every_column_is_one_of_the_contract_in_its_order(company):
    _, _, written = company
    assert {name for name in written if name not in TRUTHS} == set(contract())
    for name, table in contract().items():
        names = [column.name for column in table.columns if column.name not in IN_OTHER_TABLES]
        matched = [next((one for one in names if fnmatchcase(column, one)), column) for column in written[name]]
        assert list(dict.fromkeys(matched)) == names, name


def test_drivers_are_those_of_the_parameters(company):
    drivers = [name for name in company[2]["surveys"] if name.startswith("driver_")]
    assert drivers == [f"driver_{name}" for name in parameters()["satisfaction"]["drivers"]]


def test_every_column_says_what_it_is_and_in_what_it_is_measured(page):
    units = labels.entry("dictionary.unit")
    used = {entry["measured_in"] for columns in MADE.values() for entry in columns.values()}
    assert used == set(units)
    for heading, rows in tables_of(page):
        if heading in MADE:
            assert all(all(row) for row in rows), heading
    truths = {name: set(columns) for name, columns in labels.entry("truth").items()}
    assert truths == {name: set(MADE[name]) for name in TRUTHS}
    for name, columns in MADE.items():
        assert all(labels.has(meaning_code(name, column)) for column in columns)


def test_measured_in_agrees_with_the_kind_of_the_contract():
    kinds = {"id": {"id"}, "date": {"date"}, "month": {"month"}, "flag": {"flag"}, "text": {"text"}}
    kinds["money"] = {"currency", "currency_per_carton"}
    for name, table in contract().items():
        for column in table.columns:
            if column.kind in kinds and column.name not in IN_OTHER_TABLES:
                assert MADE[name][column.name]["measured_in"] in kinds[column.kind], (name, column.name)


# --- parameters ----------------


def test_every_parameter_stands_in_the_page_with_its_value(page):
    assert [name for name in PARAMETERS if f"`{name}` = {parameter_text(name)}" not in page] == []


def test_every_group_is_explained_and_every_parameter_in_its_words():
    groups = labels.entry("dictionary.parameters")
    assert list(groups) == list(parameters())
    for lang in labels.LANGUAGES:
        told = {
            field[1]
            for group in groups
            for field in FIELD.finditer(labels.label(f"dictionary.parameters.{group}", lang))
        }
        assert told == set(PARAMETERS), lang


def test_every_parameter_that_words_mention_exists_and_both_languages_mention_the_same():
    entries = [entry for columns in MADE.values() for entry in columns.values()]
    entries += labels.entry("dictionary.parameters").values()
    for entry in entries:
        fields = {lang: {field.groups() for field in FIELD.finditer(entry[lang])} for lang in labels.LANGUAGES}
        assert fields["zh"] == fields["en"], entry["en"]
        assert {name for name, _ in fields["en"]} <= set(PARAMETERS)
        assert all("{" not in FIELD.sub("", entry[lang]) for lang in labels.LANGUAGES)


def test_a_parameter_in_a_table_stands_with_its_name(page):
    cells = [cell for heading, rows in tables_of(page) if heading in MADE for row in rows[2:] for cell in row[4:]]
    named = {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}
    fields = {
        field[1] for columns in MADE.values() for entry in columns.values() for field in FIELD.finditer(entry["en"])
    }
    assert named == fields
    assert any(f"{parameter_text('simpson.cost_factor')} (`simpson.cost_factor`)" in cell for cell in cells)


def test_an_unknown_parameter_is_a_mistake():
    for name in ("visits.effects", "no_group.key", "visits"):
        with pytest.raises(KeyError):
            parameter_text(name)


@pytest.mark.parametrize(
    ("name", "lang", "form", "text"),
    [
        ("company.share_open_at_start", "en", "%", "{:g}%"),
        ("company.share_open_at_start", "en", "", "{:g}"),
    ],
)
def test_a_share_is_written_as_it_is_asked_for(name, lang, form, text):
    value = parameters()["company"]["share_open_at_start"]
    assert parameter_text(name, lang, form) == text.format(100 * value if form else value)


def test_a_range_is_written_in_the_language_of_the_sentence():
    first, last = parameters()["order_size"]["return_days"]
    assert parameter_text("order_size.return_days", "en", "to") == f"{first} to {last}"
    assert parameter_text("order_size.return_days", "zh", "to") != f"{first} to {last}"


# --- the page ----------------


def test_tables_have_as_many_cells_in_every_row(page):
    found = list(tables_of(page))
    assert len(found) == 1 + len(MADE)
    for heading, rows in found:
        assert {len(row) for row in rows} == {len(rows[0])}, heading
        assert set(rows[1]) == {"---"}, heading


def test_nothing_is_left_unfilled(page):
    assert not re.search(r"[{}]|None|nan\b", page)


def test_the_page_tells_how_to_make_the_company_again():
    world = World(customers=123, quarters=7, seed=45, nonresponse="satisfaction")
    page = dictionary_text(world, "csv")
    command = "kehu demo DIR --customers 123 --quarters 7 --seed 45 --nonresponse satisfaction --format csv"
    assert command in page
    assert page.count(str(world.first_day)) == 2


def test_the_command_in_the_page_makes_the_same_files(company, page, tmp_path, kehu):
    folder = company[0]
    command = re.search(r"^kehu demo DIR (.*)$", page, re.MULTILINE)[1].split()
    code, _, _ = kehu("demo", tmp_path / "again", *command)
    assert code == 0
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name
