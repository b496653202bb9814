"""No words that nothing says: every code of the catalogue is named in the sources, whole or in parts.

A code that is put together (``f"help.{code}"``) is reached where each part that is left open is itself a word of the
sources, or put together from such words (``f"n_{kind}"``).
"""

from __future__ import annotations

import ast
import errno
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import kehu_analysis
from kehu_analysis import labels

PACKAGE = Path(kehu_analysis.__file__).parent
NOTEBOOKS = PACKAGE.parent / "notebooks"
#: Writes into the notebooks.
REFRESH = Path(__file__).parent / "notebooks" / "refresh.py"
#: A part of a code that is left open.
OPEN = "\0"


def sources() -> Iterator[ast.AST]:
    for path in PACKAGE.rglob("*.py"):
        yield ast.parse(path.read_text(encoding="utf-8"))
    yield ast.parse(REFRESH.read_text(encoding="utf-8"))
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))


def put_together(node: ast.JoinedStr) -> str:
    return "".join(part.value if isinstance(part, ast.Constant) else OPEN for part in node.values)


def written() -> tuple[set[str], set[str], set[str]]:
    """Return the words of the sources, the texts that are put together, and the groups that are gone through."""
    words, texts, groups = set(), set(), set()
    for node in (node for tree in sources() for node in ast.walk(tree)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None  # a docstring says nothing
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
            words |= {node.value, *re.findall(r"\w+", node.value)}
        elif isinstance(node, ast.JoinedStr):
            # In a query a code stands in quotes.
            texts |= set(re.findall(rf"[\w.{OPEN}]+", put_together(node)))
        elif isinstance(node, (ast.Name, ast.arg, ast.keyword, ast.Attribute, ast.FunctionDef, ast.ClassDef)):
            words |= {str(getattr(node, field)) for field in ("id", "arg", "attr", "name") if hasattr(node, field)}
        elif isinstance(node, (ast.For, ast.comprehension)):
            gone_through = node.iter.func.value if is_items(node.iter) else node.iter
            if is_entry(gone_through):
                groups.add(gone_through.args[0].value)
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".sql", ".j2") or (path.suffix == ".toml" and path.name != "labels.toml"):
            words |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        if path.suffix == ".toml" and path.name != "labels.toml":
            words |= set(keys(tomllib.loads(path.read_text(encoding="utf-8"))))
    words |= {*errno.errorcode.values(), *told_of(labels.catalogue())}
    return words, {text for text in texts if OPEN in text}, groups


def told_of(table: object) -> Iterator[str]:
    """Yield the codes that entries name beside their words, such as a unit."""
    if isinstance(table, dict) and isinstance(table.get("en"), str):
        yield from (str(value) for name, value in table.items() if name not in labels.LANGUAGES)
    elif isinstance(table, dict):
        for inner in table.values():
            yield from told_of(inner)


def keys(table: object) -> Iterator[str]:
    if isinstance(table, dict):
        for name, inner in table.items():
            yield name
            yield from keys(inner)


def is_items(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "items"


def is_entry(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "entry"
        and isinstance(node.args[0], ast.Constant)
    )


WORDS, TEXTS, GROUPS = written()
PATTERNS = {
    re.compile(re.escape(text).replace(re.escape(OPEN), r"([\w*]+)"))
    for text in TEXTS
    if re.search(r"[a-z]{2}|[a-z]_|_[a-z]", text)
}


@cache
def is_said(word: str, deep: int = 2) -> bool:
    if word in WORDS:
        return True
    found = (pattern.fullmatch(word) for pattern in PATTERNS) if deep else ()
    return any(match and all(is_said(part, deep - 1) for part in match.groups()) for match in found)


def is_reached(code: str) -> bool:
    if code in WORDS or any(code.startswith(f"{group}.") for group in GROUPS):
        return True
    found = (pattern.fullmatch(code) for pattern in PATTERNS if "." in pattern.pattern)
    return any(match and all(is_said(part) for part in match.groups()) for match in found)


def codes(table: object, above: str = "") -> Iterator[str]:
    """Yield the codes of all words; those of lists are read as a whole, and those of values one by one."""
    if isinstance(table, dict) and isinstance(table.get("en"), str):
        yield above
    elif isinstance(table, dict):
        for name, inner in table.items():
            yield from codes(inner, f"{above}.{name}".lstrip("."))


def test_all_words_are_reached() -> None:
    every = list(codes(labels.catalogue()))
    assert len(every) > 600
    values = [code for code in every if code.startswith("value.")]
    dead = [code for code in every if not is_reached(code) and code not in values]
    dead += [code for code in values if not is_said(code.removeprefix("value."))]
    assert dead == []


def test_what_is_not_said_is_seen() -> None:
    assert is_reached("help.check_out")
    assert is_reached("error.no_rows")
    assert not is_reached("error.no_such_fault_anywhere")
    assert not is_reached("help.no_such_help_anywhere")
    assert not is_reached("nowhere.no_rows")
