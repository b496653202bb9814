"""The folder that becomes the report: built aside, put in place whole, never mixed with something else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from kehu_analysis.errors import KehuError, RunError, UsageError

MANIFEST = "manifest.json"
MADE_BY = "kehu_analysis"
FAILED_SUFFIX = ".failed"


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a report of ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("made_by") == MADE_BY


def check_target(out: Path) -> None:
    """Refuse a target that holds something else than an earlier report.

    Raises
    ------
    UsageError
        ``out`` is a file, or a folder with other content.
    """
    if out.is_file():
        raise UsageError("out_is_file", path=out)
    if out.is_dir() and any(out.iterdir()) and not is_report(out):
        raise UsageError("out_is_foreign", path=out)


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Give a folder to build the report in; leaving without an error puts it in place of ``out``.

    On an error what was built is kept beside it, as ``<out>.failed``, for reading; an earlier report stays as it was.

    Raises
    ------
    UsageError
        The target holds something else than an earlier report.
    RunError
        The place cannot be written, or another run is making this very report.
    """
    check_target(out)
    failed = out.with_name(out.name + FAILED_SUFFIX)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out.parent / f".{out.name}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise RunError("already_running", path=out) from error
    except OSError as error:
        raise RunError("cannot_write", path=out.parent, reason=error.strerror or error) from error
    try:
        for left_over in out.parent.glob(f".{out.name}.building-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        building = out.parent / f".{out.name}.building-{uuid4().hex[:8]}"
        building.mkdir()
        try:
            yield building
            _put_in_place(building, out)
            shutil.rmtree(failed, ignore_errors=True)
        except BaseException as error:
            _keep_for_reading(building, failed, error)
            raise
    except OSError as error:
        raise RunError("cannot_write", path=out, reason=error.strerror or error) from error
    finally:
        lock.release()


def _put_in_place(building: Path, out: Path) -> None:
    before = out.parent / f".{out.name}.before"
    shutil.rmtree(before, ignore_errors=True)
    if out.exists():
        out.rename(before)
    building.rename(out)
    shutil.rmtree(before, ignore_errors=True)


def _keep_for_reading(building: Path, failed: Path, error: BaseException) -> None:
    notebooks = building / "notebooks"
    if isinstance(error, KehuError) and notebooks.is_dir() and any(notebooks.iterdir()):
        shutil.rmtree(failed, ignore_errors=True)
        failed.mkdir()
        notebooks.rename(failed / "notebooks")
        (failed / "error.txt").write_text(f"{error.message('zh')}\n{error.message('en')}\n", encoding="utf-8")
    shutil.rmtree(building, ignore_errors=True)
