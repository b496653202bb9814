"""Find notebooks, and the chapters in a folder of somebody's own: their records are read from the notebooks."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from kehu_analysis.data import contract
from kehu_analysis.data.folders import project_folder
from kehu_analysis.data.setting_faults import describe_fault
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.labels import Phrase
from kehu_analysis.workbook.chapters import CHAPTERS, OVERVIEW, ChapterRecord, refuse_circles
from kehu_analysis.workbook.parameters import Parameters

#: Set by the report where its notebooks come from a folder of somebody's own.
NOTEBOOKS_VARIABLE = "KEHU_NOTEBOOKS"
#: What a chapter of one's own says of itself, in the metadata of its notebook.
METADATA = "kehu"
_NAME = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)")


class Stated(BaseModel):
    """What the metadata of a notebook may say (see :class:`ChapterRecord`)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    needs: list[str] = []
    uses: list[str] = []
    after: list[str] = []
    weight: int = Field(default=1, ge=1)


def chapters_in(folder: Path | None = None) -> tuple[ChapterRecord, ...]:
    """Return the chapters that there are, in reading order, the overview first, each with the place of its notebook.

    Parameters
    ----------
    folder
        A folder of somebody's own; None for the project's ``notebooks`` alone. A notebook in it named like one of the
        project's stands in for that one, whatever its number; every other one named like ``80_my_question.ipynb`` is a
        chapter of its own. What the folder lacks comes from the project.

    Raises
    ------
    RunError
        The project lacks a notebook.
    UsageError
        The folder holds no chapter; a notebook in it is none that can be run; chapters wait for each other in a circle.

    Examples
    --------
    >>> [record.name for record in chapters_in()][:2]
    ['overview', 'data_quality']
    """
    project = project_folder() / "notebooks"
    found = {} if folder is None else _named(folder)
    if folder is not None and not found:
        raise UsageError("no_chapter_in", folder=folder)
    standing = _named(project)
    ours = []
    for record in (OVERVIEW, *CHAPTERS):
        path = found.pop(record.name, standing.get(record.name))
        if path is None:
            raise RunError("no_notebook", chapter=record.name, folder=project)
        ours.append(replace(record, notebook=path))
    own = [record_of(path) for path in found.values()]
    chapters = sorted((*ours, *own), key=lambda record: (record.number, record.name))
    for record in own:
        _refuse_unknown(record, [other.name for other in chapters[1:]])
    refuse_circles(chapters)
    return tuple(chapters)


def record_of(path: Path) -> ChapterRecord:
    """Read the record of a chapter from its notebook: name, ``parameters`` cell and metadata.

    Raises
    ------
    UsageError
        It cannot be read, lacks a parameters cell with ``data``, ``quarter`` and ``lang``, does not open its own
        chapter, or its metadata say something that is not known.
    """
    number, _, name = path.stem.partition("_")
    try:
        # Plain JSON: nbformat takes long to import, and every kernel imports this module.
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
        tagged = ["parameters" in cell["metadata"].get("tags", ()) for cell in cells]
        told = [source for source, is_told in zip(sources, tagged, strict=True) if is_told]
        metadata = notebook["metadata"].get(METADATA, {})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _refusal(path, Phrase("fault.unreadable_notebook")) from error
    if not any(f'open_workbook("{name}"' in source for source in sources):
        raise _refusal(path, Phrase("fault.opens_another_chapter", {"chapter": name}))
    values = _literals(told[0]) if len(told) == 1 else None
    if values is None or not set(Parameters.model_fields) <= set(values):
        raise _refusal(path, Phrase("fault.parameters_cell", {"names": ", ".join(Parameters.model_fields)}))
    try:
        stated = Stated.model_validate(metadata)
    except ValidationError as error:
        raise _refusal(path, describe_fault(error.errors()[0])) from error
    own: dict[str, Any] = {key: (type(value), value) for key, value in values.items() if key not in _COMMON}
    schema = create_model(f"{name}_parameters", __base__=Parameters, **own)
    return ChapterRecord(
        int(number),
        name,
        "",
        parameters=schema,
        needs=tuple(stated.needs),
        uses=tuple(stated.uses),
        after=tuple(stated.after),
        weight=stated.weight,
        notebook=path,
    )


def record_named(name: str) -> ChapterRecord:
    """Return the record of the chapter that runs in this process, of the project's or of a folder of one's own.

    Raises
    ------
    LookupError
        There is none of this name.
    """
    ours = next((record for record in (OVERVIEW, *CHAPTERS) if record.name == name), None)
    if ours is not None:
        return ours
    # In a report the folder is told; in JupyterLab a notebook runs where it lies.
    path = _named(notebooks_folder() or Path.cwd()).get(name)
    if path is None:
        raise LookupError(f"no chapter is called {name!r}: its notebook is to be named like 80_{name}.ipynb")
    return record_of(path)


def notebooks_folder() -> Path | None:
    """Return the folder of one's own from which the report takes its notebooks; None where it takes the project's."""
    told = os.environ.get(NOTEBOOKS_VARIABLE)
    return Path(told) if told else None


_COMMON = frozenset(Parameters.model_fields)


def _named(folder: Path) -> dict[str, Path]:
    paths = sorted(folder.glob("*.ipynb"), reverse=True)
    return {match[2]: path for path in paths if (match := _NAME.fullmatch(path.stem))}


def _literals(source: str) -> Mapping[str, Any] | None:
    try:
        statements = ast.parse(source).body
        pairs = [(one.targets[0], ast.literal_eval(one.value)) for one in statements if isinstance(one, ast.Assign)]
    except (SyntaxError, ValueError):
        return None
    named = {target.id: value for target, value in pairs if isinstance(target, ast.Name)}
    return named if len(named) == len(statements) else None


def _refuse_unknown(record: ChapterRecord, chapters: list[str]) -> None:
    if unknown := [name for name in record.after if name not in chapters]:
        raise UsageError("unknown_chapter", names=", ".join(unknown), known=", ".join(chapters))
    for source in (*record.needs, *record.uses):
        table, _, column = source.partition(".")
        known = contract().get(table)
        if known is None or (column and known.column(column) is None):
            assert record.notebook is not None
            raise _refusal(record.notebook, Phrase("fault.no_such_source", {"source": source}))


def _refusal(path: Path, fault: Phrase) -> UsageError:
    return UsageError("own_chapter", notebook=path.name, fault=fault)
