"""Every error that the package can raise has its words, in both languages, and they say what to do next."""

import ast
import pickle
import string
from importlib import resources
from pathlib import Path

import pytest

from kehu_analysis import errors, labels
from kehu_analysis.errors import DataError, InsufficientDataError, KehuError, RunError, UsageError

PACKAGE = Path(str(resources.files("kehu_analysis")))
KINDS = {name for name in errors.__all__ if name.endswith("Error")}
PASSED_ON = "**"  # details that are handed on from a caller


def raised():
    """Yield each ``SomeError("code", detail=...)`` in the package: file, line, code, names of the details."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in KINDS or not node.args:
                continue
            code = node.args[0]
            if isinstance(code, ast.Constant):
                details = frozenset(keyword.arg or PASSED_ON for keyword in node.keywords)
                yield pytest.param(code.value, details, id=f"{path.relative_to(PACKAGE)}:{node.lineno}:{code.value}")


RAISED = list(raised())


def fields(template):
    return {name.split("|")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_the_walk_finds_the_errors():
    assert {"no_such_path", "empty_file", "too_many_rejected", "unusable_rows"} <= {param.values[0] for param in RAISED}


@pytest.mark.parametrize(("code", "details"), RAISED)
def test_each_error_has_its_words_and_is_given_what_they_name(code, details):
    words = labels.entry(f"error.{code}")
    assert set(words) == {"zh", "en"}
    assert fields(words["zh"]) == fields(words["en"])
    assert details.isdisjoint({"code", "lang"})  # names of the parameters of render
    if PASSED_ON not in details:
        assert fields(words["en"]) <= details
        for lang in labels.LANGUAGES:
            text = KehuError(code, **dict.fromkeys(details, "{x}")).message(lang)
            assert "{x}" in text or not fields(words["en"])


@pytest.mark.parametrize("code", sorted(labels.entry("error")))
def test_each_message_is_whole_sentences(code):
    words = labels.entry(f"error.{code}")
    assert words["zh"].endswith(("。", "…"))
    assert words["en"].endswith(".")


def test_no_message_without_an_error():
    used = {param.values[0] for param in RAISED}
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    unused = [
        code for code in labels.entry("error") if code not in used and f'"{code}"' not in text and code not in text
    ]
    assert unused == []


def test_exit_codes():
    assert [kind("x").exit_code for kind in (UsageError, DataError, InsufficientDataError, RunError)] == [2, 1, 1, 1]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_errors_cross_process_borders(name):
    error = getattr(errors, name)("no_such_path", path=Path("a b"))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert str(error).startswith("a b does not exist")


def test_phrases_speak_the_language_of_the_message():
    counted = labels.Phrase("ui.reason", {"reason": labels.Phrase("value.not_date"), "n_lines": 2})
    error = DataError("nothing_accepted", dataset="d", n_lines=2, reasons=[counted, counted])
    assert "不是日期 2 行；不是日期 2 行" in error.message("zh")
    assert "not a date: 2; not a date: 2" in error.message("en")


def test_braces_in_a_value_are_text():
    assert "{path.__class__}" in UsageError("no_such_path", path="{path.__class__}").message("zh")
