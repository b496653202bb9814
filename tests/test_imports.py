"""The one-way street holds, and importing does nothing but define names."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import grimp
import matplotlib
import pytest

import kehu_analysis

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(kehu_analysis.__path__, "kehu_analysis."))

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

IMPORT_ALL = """
import importlib, sys, threading
for name in sys.argv[1:]:
    importlib.import_module(name)
print("threads:", threading.active_count())
import matplotlib.pyplot
print("figures:", len(matplotlib.pyplot.get_fignums()))
"""


class Imported(NamedTuple):
    """What a Python process said that imported every module, and what it left in its home folder."""

    output: str
    errors: str
    left_behind: list[Path]


def run_python(code: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    home = tmp_path_factory.mktemp("home")
    # matplotlib keeps its list of fonts: that is its own affair, and stays where it has made one.
    places = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "MPLCONFIGDIR": matplotlib.get_configdir(),
        "KEHU_CACHE": str(home / "kehu"),
    }
    done = run_python(IMPORT_ALL, *MODULES, cwd=home, **places)
    return Imported(done.stdout, done.stderr, list(home.rglob("*")))


def test_contracts_hold() -> None:
    done = run_python(LINT, "--no-cache", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def needs(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Add to what each module imports the packages that Python enters on the way there.

    It enters those of the module itself first, so they are under way already.
    """

    def packages(name: str) -> set[str]:
        parts = name.split(".")
        return {".".join(parts[:depth]) for depth in range(1, len(parts))}

    return {
        name: {entered for target in targets for entered in {target, *packages(target)} - packages(name) - {name}}
        | (targets & packages(name))
        for name, targets in imports.items()
    }


def import_order(imports: dict[str, set[str]]) -> list[str]:
    """Return modules in an order in which each finds what it imports; an order exists for each alone, too."""
    return list(TopologicalSorter(needs(imports)).static_order())


def test_every_module_imports_alone() -> None:
    graph = grimp.build_graph("kehu_analysis", exclude_type_checking_imports=True, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(MODULES) > 40
    assert set(import_order(imports)) == {"kehu_analysis", *MODULES}


@pytest.mark.parametrize(
    "imports",
    [
        {"p.a": {"p.b"}, "p.b": {"p.a"}},
        {"p": {"p.a"}, "p.a": {"p"}},
        # Whoever enters with p.a enters q first, which wants p.a before it is done.
        {"p.a": {"q.x"}, "q": {"p.a"}, "q.x": set()},
    ],
    ids=["each other", "its own package", "through a package"],
)
def test_a_circle_is_found(imports: dict[str, set[str]]) -> None:
    with pytest.raises(CycleError):
        import_order(imports)


def test_a_package_that_gathers_its_modules_is_no_circle() -> None:
    assert import_order({"p": {"p.a", "p.b"}, "p.a": {"p.b"}, "p.b": set()}) == ["p.b", "p.a", "p"]


def test_importing_starts_nothing_says_nothing_and_writes_nothing(imported: Imported) -> None:
    assert imported.output.splitlines()[-2:] == ["threads: 1", "figures: 0"]
    assert imported.errors == ""
    assert imported.left_behind == []
