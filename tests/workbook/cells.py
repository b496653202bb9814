"""Run a chapter's code here and now, without a kernel: fast, and every fault is raised where it happens."""

from __future__ import annotations

import os
from contextlib import chdir
from typing import Any
from unittest.mock import patch

import nbformat
from matplotlib.figure import Figure

from kehu_analysis.finding import Finding
from kehu_analysis.workbook.chapters import ChapterRecord, with_prerequisites
from kehu_analysis.workbook.own_chapters import chapters_in
from kehu_analysis.workbook.session import FINDINGS_VARIABLE, SNAPSHOT_VARIABLE

KNOWN = chapters_in()


def run_chapter(name: str, snapshot: Any, folder: Any) -> dict[str, Finding]:
    """Run a chapter of the project on a snapshot, after those that it takes findings from; return what it found."""
    (wanted,) = (record for record in KNOWN if record.name == name)
    environment = {SNAPSHOT_VARIABLE: str(snapshot), FINDINGS_VARIABLE: str(folder)}
    # Charts are drawn, but no picture is made of them: that takes longest.
    with patch.dict(os.environ, environment), patch.object(Figure, "savefig"):
        for record in with_prerequisites([wanted], KNOWN):
            names = run_cells(record)
    return dict(names["book"].findings)


def run_cells(record: ChapterRecord) -> dict[str, Any]:
    """Run the code cells of a notebook and return its names."""
    assert record.notebook is not None
    names: dict[str, Any] = {}
    with chdir(record.notebook.parent):
        for cell in nbformat.read(record.notebook, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{record.name}[{cell.get('id')}]", "exec"), names)
    return names
