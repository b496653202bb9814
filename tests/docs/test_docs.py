from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import click
import pandas as pd
import pytest
import xlsxwriter
from packaging.requirements import Requirement

from kehu_analysis import cli, labels, open_dataset
from kehu_analysis.data import contract
from kehu_analysis.data.reading.sources import SUFFIXES
from kehu_analysis.data.settings import DatasetSettings, TableSettings, read_settings
from kehu_analysis.segmentation.rfm import RULES
from kehu_analysis.workbook import record
from kehu_analysis.workbook.chapters import CHAPTERS, chosen
from kehu_analysis.workbook.own_chapters import METADATA, Stated
from kehu_analysis.workbook.parameters import Parameters, read_assignments, share_out
from tests.rooms import ROOT, analyses, analysis_rooms, public

READMES = ("README.md", "README.zh-CN.md")
GUIDES = ("docs/DATA.md", "docs/DATA.zh-CN.md")
OWN_CHAPTER = ("docs/OWN_CHAPTER.md", "docs/OWN_CHAPTER.zh-CN.md")
PAGES = (
    *READMES,
    *GUIDES,
    *OWN_CHAPTER,
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "docs/GLOSSARY.md",
    "docs/METHODS.md",
    "docs/ONLINE_RETAIL.md",
)
#: Programs in the pages that are neither make nor kehu.
OTHER_PROGRAMS = {"cd", "source", "python", ".venv/bin/python", "conda", "schtasks", "read", "export"}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", text_of(page), flags=re.MULTILINE | re.DOTALL)


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def headings(page: str) -> list[tuple[int, str]]:
    return [(len(level), words.strip()) for level, words in re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE)]


def tables(page: str) -> list[list[list[str]]]:
    """Return the tables of a page as rows of cells, without the row of dashes."""
    found = re.findall(r"(?:^\|.*\|\n)+", prose(page), flags=re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|---" not in line]
        for table in found
    ]


def code_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shell_lines(page: str) -> list[str]:
    return [line for kind, body in blocks(page) if kind in ("sh", "bat", "crontab") for line in body.splitlines()]


@pytest.mark.parametrize("pair", [READMES, GUIDES, OWN_CHAPTER], ids=lambda pair: pair[0])
def test_pages_say_the_same_in_two_languages(pair: tuple[str, str]) -> None:
    english, chinese = pair
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]
    assert blocks(english) == blocks(chinese)
    first_columns = [[[code_words(row[0]) for row in table] for table in tables(page)] for page in pair]
    assert first_columns[0] == first_columns[1]
    links = [sorted(re.findall(r"\]\(([^)#]+)", prose(page).replace(".zh-CN.", "."))) for page in pair]
    assert links[0] == links[1]
    assert f"({Path(chinese).name})" in text_of(english)
    assert f"({Path(english).name})" in text_of(chinese)


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in shell_lines(page)}))
def test_shell_commands_exist(line: str) -> None:
    if re.match(r"[A-Z_]+=\S+$", line):
        return  # a variable of a crontab
    for call in line.split(" && "):
        # What stands around a scheduled command: when, by whom, where its output goes.
        bare = re.sub(r"^[\d,* ]+ |^conda run -n \w+ |^\.venv/bin/(?=kehu)| >> .*$|\"$", "", call)
        program, *arguments = bare.split()
        if program in CHECKS:
            CHECKS[program](arguments)
        else:
            assert program in OTHER_PROGRAMS
    for file in re.findall(r"(?:-r|-f) (\S+)", line):
        assert (ROOT / file).is_file()


def check_make(arguments: list[str]) -> None:
    target, *variables = arguments
    assert re.search(rf"^{re.escape(target)}:.*## ", MAKEFILE, re.MULTILINE), f"no target {target}"
    for variable in variables:
        assert f"\n{variable.partition('=')[0]} ?=" in MAKEFILE


def check_kehu(arguments: list[str]) -> None:
    name, *rest = arguments
    context = cli.commands.commands[name].make_context(name, rest)
    if given := context.params.get("assignments"):
        only = [chapter for chapter in context.params["only"].split(",") if chapter]
        share_out(read_assignments(given), {chapter.name: chapter.parameters for chapter in chosen(only)})


CHECKS = {"make": check_make, "kehu": check_kehu}


def own_options(command: click.Command) -> Iterator[click.Option]:
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in ("help", "version"):
            yield option


@pytest.mark.parametrize("page", READMES)
@pytest.mark.parametrize("name", sorted(cli.commands.commands))
def test_every_command_and_option_is_documented(page: str, name: str) -> None:
    assert f"`kehu {name}" in text_of(page)
    documented = " ".join(code_words(prose(page)))
    for option in own_options(cli.commands.commands[name]):
        for spelling in option.opts:
            assert re.search(rf"(^|\s){spelling}\b", documented), f"kehu {name} {spelling}"


@pytest.mark.parametrize("name", sorted(cli.commands.commands))
def test_help_stands_in_both_languages(name: str) -> None:
    command = cli.commands.commands[name]
    for words in (command.help, *(option.help for option in own_options(command))):
        chinese, english = (words or "").split("\n\n")
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        assert re.fullmatch(r"[^\u4e00-\u9fff]*[a-z][^\u4e00-\u9fff]*", english)


def example_settings() -> str:
    return next(body for kind, body in blocks(GUIDES[0]) if kind == "toml")


def test_settings_example_names_every_key_and_works(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(example_settings(), encoding="utf-8")
    settings = read_settings(tmp_path)
    assert settings.model_fields_set == set(DatasetSettings.model_fields)
    shown = set(settings.table("transactions").model_fields_set)
    for _, _, toml, _ in examples_of_settings("docs/DATA.md"):
        for stated in tomllib.loads(toml).get("tables", {}).values():
            shown |= set(stated)
    assert shown == set(TableSettings.model_fields)

    with xlsxwriter.Workbook(tmp_path / "export_1.xlsx") as book:
        sheet = book.add_worksheet("明细")
        sheet.write_row(0, 0, ["购货单位", "过账日", "数量", "成交价", "单据类型"])
        for n in range(1, 21):
            sheet.write_row(n, 0, [f"00{n:03}", f"{n}/11/2025", "2", f"1,{n:03}.50", "销售"])
        sheet.write_row(21, 0, ["00001", "1/12/2025", "1", "9.00", "样品"])
    dataset = open_dataset(tmp_path, cache=tmp_path / "cache")
    classes = dataset.line_classes().set_index("line_class")
    assert classes.loc["accepted", ["n_lines", "amount"]].tolist() == [20, 2 * (20_000 + 210 + 10)]
    assert classes.loc["filtered", ["reason", "n_lines"]].tolist() == ["样品单", 1]
    assert (dataset.name, dataset.currency, dataset.complete_until.isoformat()) == ("mycompany", "CNY", "2025-12-31")


def examples_of_settings(document: str) -> list[tuple[str, list[tuple[str, str]], str, float]]:
    """Return the examples of further settings: title, files, settings, accepted amount."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)[2:]
    found = []
    for example in next(one for one in section if "amount_unit = " in one and "### " in one).split("### ")[1:]:
        files = []
        for body in re.findall(r"```csv\n(.*?)```", example, re.DOTALL):
            name = re.match(r"# (\S+)\n", body)
            files.append((name[1], body[name.end() :]) if name else ("transactions.csv", body))
        if not files:  # nothing is set, and so nothing tried
            continue
        toml = re.findall(r"```toml\n(.*?)```", example, re.DOTALL)[0]
        total = re.findall(r"(?:Accepted: |计入 )([\d,.]+\d)", example)[0]
        found.append((example.splitlines()[0], files, toml, float(total.replace(",", ""))))
    return found


@pytest.mark.parametrize("document", ["docs/DATA.md", "docs/DATA.zh-CN.md"])
def test_examples_of_settings_give_what_they_say(document: str, tmp_path: Path) -> None:
    examples = examples_of_settings(document)
    assert len(examples) == 12
    for number, (title, files, toml, total) in enumerate(examples):
        folder = tmp_path / str(number)
        folder.mkdir()
        encoding = re.findall(r'^encoding = "(.*)"$', toml, re.MULTILINE) or ["utf-8"]
        for name, text in files:
            (folder / name).write_bytes(text.encode(encoding[0]))
        (folder / "dataset.toml").write_text(toml, encoding="utf-8")
        dataset = open_dataset(folder, cache=tmp_path / "cache")
        assert (title, float(dataset.account["log"]["amount"])) == (title, total)
        if "scales" in toml:
            assert dataset.table("surveys")["satisfaction"].tolist() == [5, 3]
        if "customers_by" in toml:
            assert dataset.account["log"]["n_customers"] == 2


def test_settings_of_the_real_log_are_ten_lines() -> None:
    (settings,) = (body for kind, body in blocks("docs/ONLINE_RETAIL.md") if kind == "toml")
    assert len(settings.splitlines()) == 10
    table = DatasetSettings.model_validate(tomllib.loads(settings)).table("transactions")
    printed = {row[1] for found in tables("docs/ONLINE_RETAIL.md") for row in found if row[0].startswith("filtered")}
    assert printed == {rule.reason for rule in table.filters}
    assert all(re.fullmatch(r"[\u4e00-\u9fff]+ [a-z ]+", reason) for reason in printed)


@pytest.mark.parametrize("page", OWN_CHAPTER)
def test_metadata_of_an_own_chapter_are_those_that_are_read(page: str) -> None:
    (written,) = (json.loads(body) for kind, body in blocks(page) if kind == "json")
    told = next(table for table in tables(page) if code_words(table[1][0]) == ["needs"])[1:]
    assert {code_words(row[0])[0] for row in told} == set(Stated.model_fields)
    Stated.model_validate(written[METADATA])


def test_log_example_works(tmp_path: Path) -> None:
    (log,) = (body for kind, body in blocks("README.md") if kind == "csv")
    (tmp_path / "transactions.csv").write_text(log, encoding="utf-8")
    assert open_dataset(tmp_path, cache=tmp_path / "cache").log_facts()["n_returns"] == 1


@pytest.mark.parametrize("pages", list(zip(READMES, GUIDES, strict=True)), ids=lambda pages: pages[0])
def test_tables_of_keys_and_parameters_are_complete(pages: tuple[str, str]) -> None:
    every_table = [table for page in pages for table in tables(page)]
    by_first = {code_words(row[0])[0]: row for table in every_table for row in table if code_words(row[0])}
    keys = {name for name in DatasetSettings.model_fields if name != "tables"}
    keys |= {f"tables.‹table›.{name}" for name in TableSettings.model_fields}
    parameters = {name: field for chapter in CHAPTERS for name, field in chapter.parameters.model_fields.items()}
    own = {name: field for name, field in parameters.items() if name not in Parameters.model_fields}
    assert keys | set(own) <= set(by_first)
    for name, field in own.items():
        assert read_assignments([f"{name}={code_words(by_first[name][-1])[0]}"]) == {name: field.default}
    assert code_words(by_first["--only"][1]) == [chapter.name for chapter in CHAPTERS]


@pytest.mark.parametrize("page", GUIDES)
def test_names_of_tables_are_those_of_the_contract(page: str) -> None:
    listed = next(table for table in tables(page) if code_words(table[1][0]) == ["transactions"])[1:]
    described = {code_words(first)[0]: tuple(re.split(r", |、", names)) for first, names in listed}
    assert described == {name: table.names for name, table in contract().items()}


@pytest.mark.parametrize("page", GUIDES)
def test_formats_are_those_that_are_read(page: str) -> None:
    named = {suffix for row in next(iter(tables(page)))[1:] for suffix in code_words(" ".join(row)) if suffix[0] == "."}
    packed = {suffix.removesuffix(".gz") for suffix in SUFFIXES if suffix.endswith(".gz")}
    assert named == {*SUFFIXES, ".gz"} - {f"{suffix}.gz" for suffix in packed}


def public_analyses() -> set[str]:
    """Return the findings' functions and the models by their full public names."""
    return {
        f"kehu_analysis.{room}.{name}"
        for room in analysis_rooms()
        for name, thing in public(room).items()
        if inspect.isclass(thing) or name in analyses(room)
    }


def test_methods_name_every_analysis_and_nothing_else() -> None:
    named = {word for word in code_words(prose("docs/METHODS.md")) if word.startswith("kehu_analysis.")}
    assert public_analyses() <= named
    for word in named:
        resolve_name(word)  # raises where there is no such thing


def test_methods_state_the_rules_of_segments() -> None:
    stated = next(table for table in tables("docs/METHODS.md") if table[0][0] == "segment")[1:]
    whole = (1, 5)

    def written(low: int, high: int) -> str:
        return "any" if (low, high) == whole else str(low) if low == high else f"{low}–{high}"

    rules = [[rule.segment, *(written(*span) for span in rule[1:])] for rule in RULES]
    assert stated == rules


def label_texts(entry: object, code: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(entry, dict) and isinstance(entry.get("zh"), str):
        yield code, entry["zh"], entry["en"]
    elif isinstance(entry, dict):
        for name, inner in entry.items():
            yield from label_texts(inner, f"{code}.{name}".lstrip("."))
    elif isinstance(entry, list):
        for number, inner in enumerate(entry):
            yield from label_texts(inner, f"{code}[{number}]")


def glossary() -> list[list[str]]:
    return [row for table in tables("docs/GLOSSARY.md") for row in table if row[0] != "English"]


def test_labels_use_the_words_of_the_glossary() -> None:
    for english, chinese, *_, code, _ in glossary():
        for name in code_words(code):
            assert chinese in labels.label(name, "zh"), name
            assert english.lower() in labels.label(name, "en").lower(), name


def test_labels_avoid_the_synonyms_of_the_glossary() -> None:
    # What stands in braces is the name of a value, no word that is read, and perhaps words that go by it.
    texts = [
        (code, *(re.sub(r"\{[^|}]*", "", words) for words in both)) for code, *both in label_texts(labels.catalogue())
    ]
    used = []
    for _, _, english, chinese, *_ in glossary():
        for synonym in filter(None, re.split(r",\s*", english)):
            whole_word = re.compile(rf"\b{re.escape(synonym)}(s|es)?\b", re.IGNORECASE)
            used += [(synonym, code) for code, _, words in texts if whole_word.search(words)]
        for synonym in filter(None, chinese.split("、")):
            used += [(synonym, code) for code, words, _ in texts if synonym in words]
    assert used == []


def prose_cells(lang: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if f"lang-{lang}" in cell["metadata"].get("tags", []):
                yield f"{path.name}, cell {number}", "".join(cell["source"])


def test_notebooks_avoid_the_synonyms_of_the_glossary() -> None:
    avoided = {synonym for row in glossary() for synonym in row[3].split("、") if synonym}
    assert [(place, word) for place, text in prose_cells("zh") for word in avoided if word in text] == []


def test_shops_are_counted_as_shops() -> None:
    texts = [*((code, zh) for code, zh, _ in label_texts(labels.catalogue())), *prose_cells("zh")]
    assert [place for place, text in texts if re.search(r"[\d}一每哪这那几多]\s?位客户", text)] == []


def test_glossary_has_one_word_a_concept() -> None:
    for column in (0, 1):
        words = [row[column] for row in glossary()]
        avoided = {word for row in glossary() for word in re.split(r",\s*|、", row[column + 2])}
        assert len(words) == len(set(words))
        assert not avoided & set(words)


def anchors(page: Path) -> set[str]:
    found = headings(str(page.relative_to(ROOT)))
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for _, words in found}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    for link in links:
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.is_file(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link
    if page in READMES:
        assert links


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs").glob("*.png"))
    assert [path.name for path in pictures] == ["report.png", "report.zh-CN.png"]
    assert all(path.stat().st_size < 400_000 for path in pictures)


def test_contributing_names_every_dependency() -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    listed = [row[0] for table in tables("CONTRIBUTING.md") if table[0][0] == "package" for row in table[1:]]
    assert listed == [Requirement(line).name for line in wanted]


def test_changelog_has_this_version() -> None:
    assert (2, PROJECT["project"]["version"]) in headings("CHANGELOG.md")
    assert "MIT License" in text_of("LICENSE")


def test_data_dictionary_is_the_contract() -> None:
    sections = re.split(r"^### ", prose("data/README.md"), flags=re.MULTILINE)[1:]
    described = {}
    for section in sections:
        rows = re.findall(r"^\| `(\S+)` \| (\w+) \| (yes 是)? *\| (.+) \| (.+) \|$", section, re.MULTILINE)
        assert all(re.search(r"[\u4e00-\u9fff]", chinese) for *_, chinese in rows)
        key = re.search(r"Key 主键: (.*)\.", section)
        columns = [(name, kind, bool(required)) for name, kind, required, *_ in rows]
        described[section.splitlines()[0]] = (columns, tuple(code_words(key[1])) if key else ())
    columns = {
        name: ([(column.name, column.kind, column.required) for column in table.columns], table.key)
        for name, table in contract().items()
    }
    assert described == columns


def dictionary_row(first: str) -> list[str]:
    """Return the row that begins with these words, in English and perhaps in Chinese."""
    named = re.compile(rf"{re.escape(first)}( [\u4e00-\u9fff]+)?")
    return next(row for table in tables("data/README.md") for row in table if named.fullmatch(row[0]))


def test_data_dictionary_tells_how_dates_are_written(tmp_path: Path) -> None:
    dates = [word.replace("2026", "2025") for word in code_words(dictionary_row("date")[1])]
    rows = [f"c{number},{day},1" for number, day in enumerate([*dates, f"{dates[0]} 23:59:59"])]
    (tmp_path / "transactions.csv").write_text("\n".join(["customer_id,date,amount", *rows, ""]), encoding="utf-8")
    facts = open_dataset(tmp_path, cache=tmp_path / "cache").log_facts()
    assert facts["n_lines"] == len(rows)
    assert str(facts["first_date"]) == str(facts["last_date"]) == "2025-09-30"


def test_data_dictionary_tells_how_money_is_written(tmp_path: Path) -> None:
    *written, with_comma = code_words(dictionary_row("money")[1])
    # In one log several currencies are refused.
    dollars = [amount for amount in written if "$" in amount]
    assert amounts_read(tmp_path / "dollars.csv", dollars) == [1280]
    written = [amount for amount in written if amount not in dollars]
    signs = [-1 if re.search(r"[-(]", amount) else 1 for amount in written]
    assert amounts_read(tmp_path / "point.csv", written) == [sign * 1280 for sign in signs]
    assert amounts_read(tmp_path / "comma.csv", [with_comma, "0,5"]) == [1280, 0.5]


def amounts_read(path: Path, amounts: list[str]) -> list[float]:
    rows = [f"c{number:02};2025-09-30;{amount}" for number, amount in enumerate(amounts)]
    path.write_text("\n".join(["customer_id;date;amount", *rows, ""]), encoding="utf-8")
    log = pd.read_parquet(open_dataset(path, cache=path.parent / "cache").path("transactions"))
    return log.sort_values("customer_id")["amount"].astype(float).tolist()


def test_data_dictionary_tells_the_numbers_of_cdnow(tmp_path: Path) -> None:
    facts = open_dataset(ROOT / "data" / "cdnow", cache=tmp_path).log_facts()
    assert dictionary_row("rows")[1] == f"{facts['n_lines']:,}"
    assert dictionary_row("customers")[1] == f"{facts['n_customers']:,}"
    assert dictionary_row("first day")[1] == str(facts["first_date"])
    assert dictionary_row("last day")[1] == str(facts["last_date"])
    assert dictionary_row("sales")[1] == f"{facts['amount']:,.2f} USD"
    assert dictionary_row("purchases of 0.00")[1] == str(facts["n_zero_amount"])


def test_data_dictionary_tells_the_numbers_of_the_simulated_company(tmp_path: Path) -> None:
    demo = open_dataset(ROOT / "data" / "demo", cache=tmp_path)
    facts = demo.log_facts()
    shops, products = (pd.read_parquet(demo.path(name)) for name in ("customers", "products"))
    assert dictionary_row("shops")[1] == f"{len(shops):,}"
    assert dictionary_row("shops that bought")[1] == f"{facts['n_customers']:,}"
    assert dictionary_row("products")[1] == str(len(products))
    assert dictionary_row("salespeople")[1] == str(shops["salesperson_id"].nunique())
    assert dictionary_row("rows of the log")[1] == f"{facts['n_lines']:,}"
    assert dictionary_row("returns among them")[1] == f"{facts['n_returns']:,}"
    assert dictionary_row("first day of the log")[1] == str(facts["first_date"])
    assert dictionary_row("last day of the log")[1] == str(facts["last_date"])
    assert dictionary_row("sales of the log")[1] == f"{facts['amount']:,.2f} CNY"
    for page in READMES:
        assert re.search(rf"\b{len(shops)}\b", prose(page).replace(",", ""))


def test_report_folder_is_described() -> None:
    # The names as the program writes them.
    sources = "".join((ROOT / "kehu_analysis" / "report" / name).read_text("utf-8") for name in ("run.py", "folder.py"))
    for page in READMES:
        table = next(table for table in tables(page) if "index.html" in table[1][0])
        for file in (code_words(row[0])[0] for row in table[1:]):
            assert json.dumps(file.partition("/")[0]) in sources, file


@pytest.mark.parametrize("page", READMES)
def test_readme_names_what_is_in_a_report_folder(page, demo_report):
    (told,) = (rows for rows in tables(page) if any("manifest.json" in row[0] for row in rows))
    patterns = [row[0].strip("`") for row in told[1:]]
    files = {path.relative_to(demo_report) for path in demo_report.rglob("*") if path.is_file()}
    assert all(any(path.match(pattern) for path in files) for pattern in patterns)
    assert [path for path in files if not any(path.match(pattern) for pattern in patterns)] == []


def test_methods_tell_the_digits_that_are_kept(demo_report):
    assert f"{record.DIGITS} significant digits" in text_of("docs/METHODS.md")
    metrics = json.loads((demo_report / "metrics.json").read_text(encoding="utf-8"))
    facts = [
        fact["value"] for chapter in metrics["facts"].values() for found in chapter.values() for fact in found.values()
    ]
    numbers = [value for value in facts if isinstance(value, float)]
    assert len(numbers) > 50
    assert [value for value in numbers if value not in (float(f"{value:.{record.DIGITS}g}"), round(value, 2))] == []
