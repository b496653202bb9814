"""Run the notebooks on the shipped data and store their text outputs: ``make notebooks``.

Images are left out, so that a stored notebook stays small and reads well in a diff; the answer that each notebook
gives on the shipped data is copied into its ``answer`` cells, in both languages.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import nbformat
from tqdm import tqdm

from kehu_analysis import labels
from kehu_analysis.workbook.execute import execute_chapter, kernel_environment
from kehu_analysis.workbook.kernels import kernels

FOLDER = Path(__file__).parents[2] / "notebooks"


def answer_of(notebook: nbformat.NotebookNode) -> str:
    """Return what the notebook's ``answer-source`` cell said."""
    (source,) = (cell for cell in notebook.cells if "answer-source" in cell.metadata.get("tags", []))
    return str(source.outputs[0]["data"]["text/markdown"])


def without_images(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave out images, injected cells and the marks of papermill."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("image/png", None)
            output.get("data", {}).pop("image/png", None)
    return notebook


def refresh(source: Path, folder: Path) -> None:
    """Run a notebook in both languages and write it back."""
    run = {}
    for lang in ("en", "zh"):
        output = folder / f"{source.stem}.{lang}.ipynb"
        # The stored default stands in the parameters cell; only the language differs.
        told = {} if lang == "zh" else {"lang": lang}
        deadline = time.monotonic() + 600
        with kernels() as settings:
            run[lang] = execute_chapter(source, output, told, deadline=deadline, kernel_settings=settings).notebook
    stored = without_images(run["zh"])
    for cell in stored.cells:
        tags = cell.metadata.get("tags", [])
        if "answer" in tags:
            lang = "zh" if "lang-zh" in tags else "en"
            cell.source = f"{answer_of(run[lang])}\n\n*{labels.label('ui.stored_answer', lang)}*"
    nbformat.validate(stored)
    nbformat.write(stored, source)


def main() -> None:
    """Refresh the notebooks named on the command line, or all; the overview last, from the others' findings."""
    names = sys.argv[1:]
    chosen = [path for path in sorted(FOLDER.glob("*.ipynb")) if not names or path.stem in names]
    with tempfile.TemporaryDirectory() as folder, kernel_environment({"KEHU_CACHE": str(Path(folder) / "cache")}):
        for source in tqdm([*chosen[1:], *chosen[:1]]):
            refresh(source, Path(folder))


if __name__ == "__main__":
    main()
