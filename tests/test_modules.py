"""Modules stay of a size that can be read, and nothing private is used from outside."""

import ast
from pathlib import Path

import kehu_analysis

PACKAGE = Path(kehu_analysis.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Lines of a module.
MOST_LINES = 350


def test_no_module_is_too_long():
    assert len(MODULES) > 100
    lines = {path.relative_to(PACKAGE): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: number for path, number in lines.items() if number > MOST_LINES} == {}


def test_no_private_name_is_imported_by_another_module():
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {alias.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kehu_analysis")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert found == []
