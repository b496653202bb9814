"""Where the results of a check go: put in place whole, nothing of anybody else's overwritten, no source touched."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from kehu_analysis.data import Dataset
from kehu_analysis.data.folders import reports_folder
from kehu_analysis.data.proposals import Proposals
from kehu_analysis.errors import KehuError, RunError, UsageError, reason_of
from kehu_analysis.intake import page, rejected
from kehu_analysis.intake.account import printable, tables_to_mend

PAGE, WORKBOOK = "check.html", "rejected.xlsx"
_HEAD_BYTES = 4096
_PROPERTIES = "docProps/core.xml"


@dataclass(frozen=True)
class Results:
    """The files that a check wrote; without rejected rows there is no workbook."""

    page: Path
    workbook: Path | None


def results_folder(dataset: Dataset | Proposals) -> Path:
    """Return where the results of a check go by default: ``reports/<dataset>/check``."""
    return reports_folder() / dataset.name / "check"


def refuse_place(out: Path, source: Path) -> None:
    """Refuse a folder for results that is none, or that lies in the folder of the data.

    Raises
    ------
    UsageError
        ``out`` is a file, or in the source's folder (where the source is one file: is its folder).
    RunError
        ``out`` cannot be looked at.
    """
    try:
        target, root = out.resolve(), source.resolve()
        if target.exists() and not target.is_dir():  # a device, too
            raise UsageError("check_out_is_file", path=out)
    except (OSError, RuntimeError, ValueError) as error:  # round in circles, no path at all
        raise RunError("cannot_write", path=out, reason=reason_of(error)) from error
    # A workbook of rejected rows beside the data would be read as data.
    if target.is_relative_to(root) or (target == root.parent and not root.is_dir()):
        raise UsageError("check_out_in_source", path=out)


def write_results(dataset: Dataset, folder: Path, *, lang: str, refusal: KehuError | None = None) -> Results:
    """Write the page of a check and, where rows were rejected, the workbook to mend them in.

    Parameters
    ----------
    dataset
        As :func:`kehu_analysis.data.check_dataset` returns it.
    folder
        Where to; made where it does not exist. Only results of an earlier check are replaced.
    lang
        ``"zh"`` or ``"en"``.
    refusal
        Why no report can be made, where none can; the page tells it.

    Raises
    ------
    UsageError
        A file of another origin lies where a result goes.
    RunError
        The place cannot be written.
    """
    target = Results(folder / PAGE, folder / WORKBOOK if tables_to_mend(dataset) else None)
    try:
        for path in (folder / PAGE, folder / WORKBOOK):
            if os.path.lexists(path) and not is_result(path):
                raise UsageError("check_out_is_foreign", path=path)
        folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".check-", dir=folder))
        try:
            if target.workbook is not None:
                rejected.write_rejected(dataset, building / WORKBOOK, lang=lang)
            message = printable(refusal.message(lang)) if refusal is not None else ""
            text = page.check_page(dataset, lang=lang, workbook=WORKBOOK, refusal=message)
            (building / PAGE).write_text(text, encoding="utf-8", newline="\n")
            (building / PAGE).replace(target.page)
            if target.workbook is not None:
                (building / WORKBOOK).replace(target.workbook)
            else:
                # Rows that are sound by now are not to be mended again.
                (folder / WORKBOOK).unlink(missing_ok=True)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise RunError("cannot_write", path=folder, reason=reason_of(error)) from error
    return target


def is_result(path: Path) -> bool:
    """Tell whether a file is the page or the workbook of an earlier check, be it saved again by a spreadsheet."""
    if not path.is_file():
        return False
    if path.name == PAGE:
        with path.open("rb") as file:
            return page.MARK.encode() in file.read(_HEAD_BYTES)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_PROPERTIES) as properties:
            return rejected.MARK.encode() in properties.read(_HEAD_BYTES)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False
