"""dataset.toml: what it may say, and what is said of what it may not."""

import pytest

from kehu_analysis.data.settings import read_settings
from kehu_analysis.errors import DataError

HEADER = "customer_id,date,amount\n"


def settings_of(folder, toml):
    (folder / "dataset.toml").write_text(toml, encoding="utf-8")
    return read_settings(folder)


def test_without_a_file_the_defaults(folder):
    settings = read_settings(folder)
    assert (settings.currency, settings.timezone, settings.fiscal_year_start) == ("CNY", "Asia/Shanghai", 1)
    assert settings.maximum_rejected == 0.05


def test_a_byte_order_mark_is_no_fault(folder):
    (folder / "dataset.toml").write_text('currency = "USD"', encoding="utf-8-sig")
    assert read_settings(folder).currency == "USD"


FILTER = '[[tables.transactions.filters]]\ncolumn = "c"\nreason = "r"\n'
WRONG = {
    'curency = "CNY"': "curency: there is no such setting",
    'currency = "yuan"': "currency: yuan is not written as it should be",
    'timezone = "Nowhere/X"': "timezone: there is no time zone Nowhere/X",
    'timezone = "America"': "timezone: there is no time zone America",
    'timezone = "../../etc/passwd"': "timezone: there is no time zone",
    "timezone = 8": "timezone: must be text in quotes, but is 8",
    "fiscal_year_start = 13": "fiscal_year_start: 13 is outside the range allowed",
    'fiscal_year_start = "April"': "fiscal_year_start: must be a number, but is 'April'",
    "maximum_rejected = 1.5": "maximum_rejected: 1.5 is outside the range allowed",
    "maximum_rejected = nan": "maximum_rejected: ",
    "customer_acquisition_cost = -1": "customer_acquisition_cost: -1 is outside the range allowed",
    'amounts_include_tax = "perhaps"': "amounts_include_tax: must be true or false, but is 'perhaps'",
    'complete_until = "soon"': "complete_until: must be a date like 2026-09-30",
    "complete_until = 2999-01-01": "complete_until: 2999-01-01 has not come yet",
    'name = ""': "name: must not be empty",
    'name = "../x"': "name: ../x is not written",
    'name = "..."': "name: ... is not written",
    'name = "it\'s\\u0000"': "name: ",
    '[tables.sales]\nsource = "x.csv"': "there is no table sales; tables are transactions, customers",
    '[tables.transactions.columns]\nprice = "x"': "there is no column price; columns are customer_id, date",
    '[tables.transactions]\nfile = "x"': "tables.transactions.file: there is no such setting",
    f'{FILTER}operator = "like"\nvalue = "x"': "like will not do; it must be 'equals', ",
    f'{FILTER}operator = "equals"': "tables.transactions.filters.0.value: is missing",
    f'{FILTER}operator = "less_than"\nvalue = "1 OR true"': "value does not go with less_than",
    f'{FILTER}operator = "greater_than"\nvalue = nan': "value does not go with greater_than",
    f'{FILTER}operator = "less_than"\nvalue = inf': "value does not go with less_than",
    f'{FILTER}operator = "less_than"\nvalue = [1]': "value does not go with less_than",
    f'{FILTER}operator = "is_one_of"\nvalue = []': "value does not go with is_one_of",
    f'{FILTER}operator = "is_one_of"\nvalue = "x"': "value does not go with is_one_of",
    f'{FILTER}operator = "equals"\nvalue = ["x"]': "value does not go with equals",
    f'{FILTER}operator = "contains"\nvalue = 5': "value does not go with contains",
    f'{FILTER}operator = "equals"\nvalue = "\\u0000"': "value does not go with equals",
    f'{FILTER}operator = "equals"\nvalue = true': "filters.0.value",
}


@pytest.mark.parametrize(("toml", "message"), WRONG.items())
def test_each_fault_is_named(folder, toml, message):
    with pytest.raises(DataError) as error:
        settings_of(folder, toml)
    assert error.value.code == "settings_wrong"
    assert error.value.exit_code == 1
    assert message in error.value.message("en")
    chinese = error.value.message("zh")
    assert "设置" in chinese
    assert "should be" not in chinese


def test_all_faults_at_once(folder):
    with pytest.raises(DataError) as error:
        settings_of(folder, 'curency = "CNY"\ntimezone = "X"\nfiscal_year_start = 0\n')
    assert [word in str(error.value) for word in ("curency", "timezone", "fiscal_year_start")] == [True] * 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"name = ", "settings_not_toml"),
        ("name = 客户".encode(), "settings_not_toml"),
        ('name = "客户"'.encode("gb18030"), "settings_not_utf8"),
        ('name = "客户"'.encode("utf-16"), "settings_not_utf8"),
    ],
)
def test_what_is_no_toml(folder, content, code):
    (folder / "dataset.toml").write_bytes(content)
    with pytest.raises(DataError) as error:
        read_settings(folder)
    assert error.value.code == code


def test_settings_under_the_name_that_an_editor_gave_them_are_not_passed_over(folder):
    (folder / "dataset.toml.txt").write_text('currency = "EUR"')
    with pytest.raises(DataError, match=r"dataset\.toml\.txt is not read"):
        read_settings(folder)
    (folder / "dataset.toml").write_text('currency = "USD"')
    assert read_settings(folder).currency == "USD"


def test_a_folder_in_its_place_is_not_passed_over(folder):
    (folder / "dataset.toml").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_settings(folder)


@pytest.mark.parametrize(
    ("operator", "value", "kept"),
    [
        ("equals", '"a"', "b 1.0 5 it's"),
        ("equals", "1", "a b 5 it's"),
        ("equals", "1.0", "a b 5 it's"),
        ("is_one_of", '["a", "it\'s", 5]', "b 1.0"),
        ("starts_with", '"it\'"', "a b 1.0 5"),
        ("contains", '"\'"', "a b 1.0 5"),
        ("less_than", "5", "a b 5 it's"),
        ("greater_than", "1e0", "a b 1.0 it's"),
        ("equals", '"\' OR true --"', "a b 1.0 5 it's"),
    ],
)
def test_filters(check, operator, value, kept):
    lines = "".join(f"1,2026-01-05,1, {note} \n" for note in ("a", "b", "1.0", "5", "it's"))
    dataset = check(
        transactions="customer_id,date,amount,channel\n" + lines,
        dataset__toml='[[tables.transactions.filters]]\ncolumn = "channel"\nreason = "by rule"\n'
        f'operator = "{operator}"\nvalue = {value}\n',
    )
    counts = dataset.line_classes().set_index("line_class")["n_lines"]
    assert counts["accepted"] == len(kept.split())
    assert counts.sum() == 5


@pytest.mark.parametrize(
    ("toml", "code"),
    [
        ('[tables.transactions.columns]\ncustomer_id = "who"\n', "mapped_header_missing"),
        (f'{FILTER}operator = "equals"\nvalue = "x"\n', "filter_column_missing"),
        ('[tables.transactions]\nsource = "sales.csv"\n', "source_missing"),
        ('[tables.transactions]\nsource = "/etc/pass*"\n', "source_missing"),
        ('[tables.transactions]\nsource = ["transactions.csv", ""]\n', "source_missing"),
        ('[tables.transactions]\nsource = "a**b"\n', "source_missing"),
        ('[tables.customers]\nsource = "none.csv"\n', "source_missing"),
    ],
)
def test_settings_that_the_files_do_not_bear_out(check, toml, code):
    with pytest.raises(DataError) as error:
        check(transactions=HEADER + "1,2026-01-05,1\n", dataset__toml=toml)
    assert error.value.code == code
    assert error.value.message("zh") != error.value.message("en")
