"""The one-way street holds, and importing does nothing but define names."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import kehu_analysis

ROOT = Path(__file__).parents[1]
MODULES = sorted(module.name for module in pkgutil.walk_packages(kehu_analysis.__path__, "kehu_analysis."))

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# Other packages stay loaded: what is tried is whether ours finds its own parts in whatever order it is entered.
IMPORT_EACH_ALONE = """
import importlib, sys, threading
for name in sys.argv[1:]:
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "kehu_analysis"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print("does not import alone:", name, error)
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
    home, cache = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache")
    # matplotlib keeps its list of fonts: that is its own affair, and goes elsewhere.
    places = {"HOME": str(home), "USERPROFILE": str(home), "MPLCONFIGDIR": str(cache), "KEHU_CACHE": str(home / "kehu")}
    done = run_python(IMPORT_EACH_ALONE, "kehu_analysis", *MODULES, cwd=home, **places)
    return Imported(done.stdout, done.stderr, list(home.rglob("*")))


def test_contracts_hold() -> None:
    done = run_python(LINT, "--no-cache", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_module_imports_alone(imported: Imported) -> None:
    assert len(MODULES) > 40
    assert "does not import alone" not in imported.output


def test_importing_starts_nothing_says_nothing_and_writes_nothing(imported: Imported) -> None:
    assert imported.output.splitlines()[-2:] == ["threads: 1", "figures: 0"]
    assert imported.errors == ""
    assert imported.left_behind == []
