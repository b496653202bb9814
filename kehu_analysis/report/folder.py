"""The folder that becomes the report: built aside, put in place whole, never mixed with something else."""

from __future__ import annotations

import glob
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from kehu_analysis.errors import KehuError, RunError, UsageError, reason_of

MANIFEST = "manifest.json"
MADE_BY = "kehu_analysis"
FAILED_SUFFIX = ".failed"
_ERROR = "error.txt"
#: What a report consists of.
CONTENT = frozenset(("index.html", "report.xlsx", "actions.parquet", "metrics.json", MANIFEST, "tables", "notebooks"))
#: What file managers and spreadsheets leave in any folder.
_LEFT_BY_OTHERS = (".", "~$", "Thumbs.db", "desktop.ini")


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a report of ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("made_by") == MADE_BY


def target_of(out: Path) -> Path:
    """Return the folder that ``out`` means, links followed.

    Raises
    ------
    UsageError
        ``out`` has no name of its own, or the command runs within it: a report is put in place by renaming.
    RunError
        ``out`` cannot be looked at.
    """
    try:
        found = out.resolve()
        if not found.name or Path.cwd().is_relative_to(found):
            raise UsageError("out_is_no_name", path=out)
    except (OSError, RuntimeError) as error:  # in a folder that is gone, or round in circles
        raise RunError("cannot_write", path=out, reason=reason_of(error)) from error
    return found


def check_target(out: Path) -> None:
    """Refuse a target that holds something else than an earlier report.

    Raises
    ------
    UsageError
        ``out`` is a file, or a folder with other content, be it beside a report.
    RunError
        ``out`` cannot be looked at.
    """
    try:
        if out.exists() and not out.is_dir():  # a device, too
            raise UsageError("out_is_file", path=out)
        names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    except OSError as error:
        raise RunError("cannot_write", path=out, reason=reason_of(error)) from error
    if not names:
        return
    if not is_report(out):
        raise UsageError("out_is_foreign", path=out)
    if others := [name for name in names if name not in CONTENT and not name.startswith(_LEFT_BY_OTHERS)]:
        raise UsageError("out_holds_more", path=out, names=", ".join(others))


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
        raise RunError("cannot_write", path=out.parent, reason=reason_of(error)) from error
    try:
        _clear_up_after_a_killed_run(out)
        building = out.parent / f".{out.name}.building-{uuid4().hex[:8]}"
        building.mkdir()
        try:
            yield building
            _put_in_place(building, out)
            _take_away(failed)
        except BaseException as error:
            _keep_for_reading(building, failed, error)
            raise
    except OSError as error:
        raise RunError("cannot_write", path=error.filename or out, reason=reason_of(error)) from error
    finally:
        lock.release()


def _clear_up_after_a_killed_run(out: Path) -> None:
    for left_over in out.parent.glob(f".{glob.escape(out.name)}.building-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    before = _before(out)
    if before.exists() and not out.exists():
        before.rename(out)


def _before(out: Path) -> Path:
    return out.parent / f".{out.name}.before"


def _put_in_place(building: Path, out: Path) -> None:
    before = _before(out)
    shutil.rmtree(before, ignore_errors=True)
    if out.exists():
        out.rename(before)
    try:
        building.rename(out)
    except OSError:
        if before.exists():
            before.rename(out)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _keep_for_reading(building: Path, failed: Path, error: BaseException) -> None:
    notebooks = building / "notebooks"
    if isinstance(error, KehuError) and notebooks.is_dir() and any(notebooks.iterdir()):
        _take_away(failed)
        if not failed.exists():
            failed.mkdir()
            notebooks.rename(failed / "notebooks")
            (failed / _ERROR).write_text(f"{error.message('zh')}\n{error.message('en')}\n", encoding="utf-8")
    shutil.rmtree(building, ignore_errors=True)


def _take_away(failed: Path) -> None:
    # Somebody may have a folder of their own by this name.
    if failed.is_dir() and {path.name for path in failed.iterdir()} <= {"notebooks", _ERROR}:
        shutil.rmtree(failed, ignore_errors=True)
