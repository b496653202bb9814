"""Write what a new chapter begins with: everything by name, so that the tests say what is still to be written.

Whoever works on the project gets a notebook, a record, a room, a chart and tests; somebody with a folder of notebooks
of their own gets a notebook alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import nbformat
from jinja2 import Environment, PackageLoader, StrictUndefined

from kehu_analysis import labels
from kehu_analysis.data.folders import project_folder
from kehu_analysis.errors import RunError, UsageError, reason_of
from kehu_analysis.workbook.chapters import CHAPTERS, OVERVIEW
from kehu_analysis.workbook.own_chapters import METADATA

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_OWN_NUMBER, _LAST_NUMBER = 80, 99
_READMES = ("README.md", "README.zh-CN.md")
#: What the notebook of somebody's own says of itself at first.
_STATED: Mapping[str, list[str]] = {"needs": [], "uses": [], "after": []}


def write_own_chapter(name: str, folder: Path, *, lang: str = "zh") -> list[Path]:
    """Write a notebook into a folder of somebody's own, from which ``kehu report --notebooks`` takes it.

    Parameters
    ----------
    name
        What the chapter is called: small letters, digits and underscores.
    folder
        Where to; made where it does not exist.
    lang
        The language in which the notebook starts.

    Returns
    -------
    list of Path
        The notebook.

    Raises
    ------
    UsageError
        The name will not do, or there is such a chapter.
    RunError
        The folder cannot be written.
    """
    _check_name(name)
    if taken := sorted(folder.glob(f"[0-9][0-9]_{name}.ipynb")):
        raise UsageError("chapter_exists", name=name, path=taken[0])
    path = folder / f"{_OWN_NUMBER}_{name}.ipynb"
    data = Path(os.path.relpath(project_folder() / "data" / "demo", folder.absolute())).as_posix()
    notebook = _notebook("own_notebook.j2", {"name": name, "data": data, "lang": lang})
    notebook.metadata[METADATA] = {key: list(value) for key, value in _STATED.items()}
    _write({path: nbformat.writes(notebook) + "\n"})
    return [path]


def write_chapter(name: str, *, finding: str = "", project: Path | None = None) -> list[Path]:
    """Write the skeleton of a chapter into the project, and name it where chapters, rooms and charts are named.

    Parameters
    ----------
    name
        What the chapter and its room are called: small letters, digits and underscores.
    finding
        Its first analysis; by default called like the chapter.
    project
        The project's checkout; by default the one that this package lies in.

    Returns
    -------
    list of Path
        New files first, then those that were added to.

    Raises
    ------
    UsageError
        A name will not do, there is such a chapter, room or finding already, or this is no checkout of the project.
    RunError
        A file cannot be written.
    """
    finding = finding or name
    _check_name(name)
    _check_name(finding)
    root = project or project_folder()
    if not (root / "pyproject.toml").is_file() or not (root / "kehu_analysis").is_dir():
        raise UsageError("no_checkout", folder=root)
    for taken in (root / "kehu_analysis" / name, root / "kehu_analysis" / f"{name}.py", root / "tests" / name):
        if taken.exists():
            raise UsageError("chapter_exists", name=name, path=taken)
    if labels.has(f"finding.{finding}"):
        raise UsageError("chapter_exists", name=finding, path="labels.toml")
    highest = max(record.number for record in CHAPTERS)
    number = min(highest + 10, _LAST_NUMBER)
    values = {"name": name, "room": name, "finding": finding}
    answer = {"stored_answer": {lang: labels.label("ui.stored_answer", lang) for lang in labels.LANGUAGES}}
    notebook = _notebook("notebook.j2", {**values, **answer})
    new = {
        root / "notebooks" / f"{number:02d}_{name}.ipynb": nbformat.writes(notebook) + "\n",
        root / "kehu_analysis" / name / "__init__.py": _rendered("room.py.j2", values),
        root / "kehu_analysis" / name / f"{finding}.py": _rendered("analysis.py.j2", values),
        root / "kehu_analysis" / name / "labels.toml": _rendered("labels.toml.j2", values),
        root / "kehu_analysis" / "plots" / f"{name}.py": _rendered("plot.py.j2", values),
        root / "tests" / name / "examples.py": _rendered("examples.py.j2", values),
        root / "tests" / name / f"test_{finding}.py": _rendered("test.py.j2", values),
    }
    changed = _named_everywhere(root, number, name, finding)
    _write({**new, **changed})
    return [*new, *changed]


def _named_everywhere(root: Path, number: int, name: str, finding: str) -> dict[Path, str]:
    """Return the files in which chapters, rooms and charts are named, with the new one among them."""
    last = CHAPTERS[-1].name
    package = root / "kehu_analysis"
    record = f'\n    ChapterRecord({number}, "{name}", "{name}"),'
    changes = [
        (package / "workbook" / "chapters.py", r"\n\)\n\n\ndef chapter\(", f"{record}\\g<0>"),
        (root / "pyproject.toml", r" \| simulate\b", f" | {name}\\g<0>"),
        *((root / page, rf"^(\| `--only` \|.*`([^`]+)`{last}`)", f"\\1\\2`{name}`") for page in _READMES),
    ]
    texts = {path: _replaced(path, pattern, new) for path, pattern, new in changes}
    plots = package / "plots" / "__init__.py"
    imported = f"from kehu_analysis.plots.{name} import {finding}\n"
    text = _in_order(plots.read_text(encoding="utf-8"), r"^from kehu_analysis\.plots\.\w+ import ", imported)
    texts[plots] = _in_order(text, r'^    "\w+",$', f'    "{finding}",\n')
    return texts


def _replaced(path: Path, pattern: str, new: str) -> str:
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    if not count:
        raise UsageError("no_place_for_chapter", path=path)
    return text


def _in_order(text: str, pattern: str, line: str) -> str:
    """Put a line before the first of those like it that sorts after it, or after the last of them."""
    found = list(re.finditer(pattern, text, re.MULTILINE))
    later = [match for match in found if text[match.start() : match.end()] > line[: match.end() - match.start()]]
    place = later[0].start() if later else text.index("\n", found[-1].end()) + 1
    return text[:place] + line + text[place:]


def _check_name(name: str) -> None:
    taken = {record.name for record in (OVERVIEW, *CHAPTERS)}
    if not _NAME.fullmatch(name):
        raise UsageError("chapter_name", name=name)
    if name in taken:
        raise UsageError("chapter_exists", name=name, path=f"notebooks/{name}")


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise RunError("cannot_write", path=path, reason=reason_of(error)) from error


def _notebook(template: str, values: Mapping[str, object]) -> nbformat.NotebookNode:
    """Make a notebook of a text in which a line such as ``%% code setup`` begins each cell, with its tags."""
    cells = []
    for place, part in enumerate(_rendered(template, values).split("%% ")[1:]):
        head, _, source = part.partition("\n")
        kind, *tags = head.split()
        make: Callable[..., nbformat.NotebookNode] = (
            nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        )
        cell = make(source.rstrip(), metadata={"tags": tags} if tags else {})
        cell["id"] = f"{str(values['name']).replace('_', '-')}-{place:02d}"  # the same name gives the same bytes
        cells.append(cell)
    spec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
    made: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    return made


def _rendered(template: str, values: Mapping[str, object]) -> str:
    return _environment().get_template(template).render(values) + "\n"


@cache
def _environment() -> Environment:
    # What is written is code and prose of ours, no page: nothing is to be escaped.
    return Environment(loader=PackageLoader("kehu_analysis.workbook"), undefined=StrictUndefined, autoescape=False)
