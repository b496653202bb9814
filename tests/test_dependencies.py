"""pyproject.toml, requirements.lock and environment.yml say one thing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
DEVELOPMENT = [Requirement(line) for line in PROJECT["dependency-groups"]["dev"]]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SYSTEMS = {
    "linux": {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"},
    "win32": {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"},
}
LOWEST_PYTHON = "3.11"


def pins() -> dict[str, list[tuple[Requirement, list[str]]]]:
    """Return each package's pins, with their hashes."""
    found = defaultdict(list)
    for entry in re.sub(r"\\\n\s*", " ", LOCK).splitlines():
        line, *hashes = entry.split("--hash=")
        pin = Requirement(line)
        found[canonicalize_name(pin.name)].append((pin, [digest.strip() for digest in hashes]))
    return found


def test_every_line_of_the_lock_is_a_hashed_pin() -> None:
    for entries in pins().values():
        for pin, hashes in entries:
            assert re.fullmatch(r"==[\w.+!]+", str(pin.specifier)), pin
            assert pin.url is None
            assert hashes, pin
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), pin


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("wanted", [*DEPENDENCIES, *DEVELOPMENT], ids=lambda wanted: wanted.name)
def test_every_dependency_is_pinned_within_its_bounds(wanted: Requirement, system: str) -> None:
    environment = {**SYSTEMS[system], "python_version": LOWEST_PYTHON, "python_full_version": f"{LOWEST_PYTHON}.0"}
    environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    entries = pins()[canonicalize_name(wanted.name)]
    (version,) = (
        next(iter(pin.specifier)).version for pin, _ in entries if not pin.marker or pin.marker.evaluate(environment)
    )
    assert wanted.specifier.contains(version, prereleases=False)


def test_every_runtime_dependency_is_bounded_above() -> None:
    for wanted in DEPENDENCIES:
        assert {"<", ">="} == {bound.operator for bound in wanted.specifier}, wanted


def test_lowest_python_is_the_same_everywhere() -> None:
    python = SpecifierSet(PROJECT["project"]["requires-python"])
    assert [bound.version for bound in python if bound.operator == ">="] == [LOWEST_PYTHON]
    assert PROJECT["tool"]["mypy"]["python_version"] == LOWEST_PYTHON
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{LOWEST_PYTHON.replace('.', '')}"
    assert f"--python-version {LOWEST_PYTHON} " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_conda_environment_is_python_and_the_lock() -> None:
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    entries = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    assert entries == ["conda-forge", f"python={LOWEST_PYTHON}", "pip", "pip:", "-r requirements.lock"]


@pytest.mark.parametrize(
    "file", ["requirements.lock", "environment.yml", "pyproject.toml", "Makefile", "benchmarks/requirements.txt"]
)
def test_no_registry_address(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text.replace("--no-emit-", ""))


def imported(folder: str) -> set[str]:
    """Return the distributions that a folder's modules import, deferred imports included."""
    distributions = packages_distributions()
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    ours = sys.stdlib_module_names | {"kehu_analysis", "tests", "benchmarks"}
    return {canonicalize_name(distributions.get(name, [name])[0]) for name in names - ours}


def test_every_import_is_declared() -> None:
    run_time = {canonicalize_name(wanted.name) for wanted in DEPENDENCIES}
    assert imported("kehu_analysis") <= run_time
    for_development = run_time | {canonicalize_name(wanted.name) for wanted in DEVELOPMENT}
    assert imported("tests") <= for_development
    peers = re.findall(r"^[\w-]+", (ROOT / "benchmarks" / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    assert imported("benchmarks") <= for_development | set(peers)
