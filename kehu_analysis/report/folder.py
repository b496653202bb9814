"""The folder that becomes the report: built aside, put in place whole, with no harm to what others keep there.

The manifest lists the files of a report with their hashes. What stands in the folder and is not on the list belongs to
somebody else: at the top (a ``.git``, notes) it is kept; among our tables and notebooks, where it would be read as part
of the report, a new report is refused, and so it is where a file of ours was changed since. Hidden files and what file
managers leave are kept everywhere.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from uuid import uuid4

from filelock import FileLock, Timeout

from kehu_analysis.errors import KehuError, RunError, UsageError, reason_of

MANIFEST = "manifest.json"
MADE_BY = "kehu_analysis"
FAILED_SUFFIX = ".failed"
_ERROR = "error.txt"
_METRICS, _TABLES, _NOTEBOOKS = "metrics.json", "tables", "notebooks"
#: What a report consists of.
_CONTENT = frozenset(("index.html", "report.xlsx", "actions.parquet", _METRICS, MANIFEST, _TABLES, _NOTEBOOKS))
_MOST_NAMES = 5
#: What file managers and spreadsheets leave in any folder.
_LEFT_BY_OTHERS = (".", "~$", "Thumbs.db", "desktop.ini")


class _NotOurs(NamedTuple):
    """What stands in a report's folder and is not as our last report left it, by its path within."""

    strangers: list[str]
    changed: list[str]

    @property
    def in_the_way(self) -> list[str]:
        """Strangers that a new report could be mixed up with."""
        paths = [PurePosixPath(name) for name in self.strangers]
        visible = [path for path in paths if not path.name.startswith(_LEFT_BY_OTHERS)]
        return [str(path) for path in visible if len(path.parts) > 1 or path.name in _CONTENT]


def is_report(folder: Path) -> bool:
    """Tell whether a folder is a report of ours."""
    return _manifest(folder).get("made_by") == MADE_BY


def list_files(folder: Path) -> dict[str, str]:
    """Return the files of a report with their SHA-256 hashes, as its manifest lists them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in paths}


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
        ``out`` is a file, or a folder with other content; or, in a report's folder, somebody else's files lie among
        our tables and notebooks, or ours were changed.
    RunError
        ``out`` cannot be looked at.
    """
    try:
        if out.exists() and not out.is_dir():  # a device, too
            raise UsageError("out_is_file", path=out)
        if not out.is_dir() or not any(out.iterdir()):
            return
        if not is_report(out):
            raise UsageError("out_is_foreign", path=out)
        found = _not_ours(out)
    except OSError as error:
        raise RunError("cannot_write", path=out, reason=reason_of(error)) from error
    if found.in_the_way:
        raise UsageError("out_holds_more", path=out, names=_listed(found.in_the_way))
    _refuse_changed(out, found)


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Give a folder to build the report in; leaving without an error puts it in place of ``out``.

    What others keep in ``out`` stays there. On an error what was built is kept beside it, as ``<out>.failed``, for
    reading; an earlier report stays as it was.

    Raises
    ------
    UsageError
        The target cannot take the report (see :func:`check_target`).
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
        building = _building(out)
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
    elif before.exists():
        _hand_over(before, out)


def _before(out: Path) -> Path:
    return out.parent / f".{out.name}.before"


def _building(out: Path) -> Path:
    return out.parent / f".{out.name}.building-{uuid4().hex[:8]}"


def _put_in_place(building: Path, out: Path) -> None:
    before = _before(out)
    if out.exists():
        # Somebody may have worked in the folder while the report was made.
        found = _not_ours(out)
        _refuse_changed(out, found)
        if taken := [name for name in found.strangers if os.path.lexists(building / name)]:
            raise UsageError("out_holds_more", path=out, names=_listed(taken))
        out.rename(before)
    try:
        building.rename(out)
    except OSError:
        if before.exists():
            before.rename(out)
        raise
    if before.exists():
        _hand_over(before, out)


def _hand_over(before: Path, out: Path) -> None:
    """Move what is not ours from the report before to the one in place, and take the report before away.

    Each move is whole or not at all, and a run that is killed among them leaves the others to the next run.
    """
    for name in _not_ours(before).strangers if is_report(before) else ():
        goal = out / name
        while os.path.lexists(goal):  # made since, beside a report whose run was killed at this place
            goal = goal.with_name(f"{goal.name}.before")
        goal.parent.mkdir(parents=True, exist_ok=True)
        (before / name).rename(goal)
    # Without its manifest nobody would know what is whose: first the name goes, then the content.
    emptied = _building(out)
    before.rename(emptied)
    shutil.rmtree(emptied, ignore_errors=True)


def _not_ours(folder: Path) -> _NotOurs:
    """Compare what stands in a report's folder with what its manifest lists; links are followed nowhere."""
    files = _files_of(folder)
    folders = {_TABLES, _NOTEBOOKS} | {str(parent) for name in files for parent in PurePosixPath(name).parents}
    found = _NotOurs([], [])
    looked_at = [folder]
    while looked_at:
        for path in sorted(looked_at.pop().iterdir()):
            name = path.relative_to(folder).as_posix()
            if path.is_dir() and name in folders and not path.is_symlink():
                looked_at.append(path)
            elif not path.is_file() or path.is_symlink() or name not in files:
                found.strangers.append(name)
            elif files[name] not in (None, _hash(path)):
                found.changed.append(name)
    return found


def _files_of(folder: Path) -> dict[str, str | None]:
    """Return a report's files with their hashes; of one made before these were listed, those known by name."""
    manifest = _manifest(folder)
    if isinstance(listed := manifest.get("files"), dict):
        return {**listed, MANIFEST: None}
    chapters, facts, not_run = (manifest.get("notebooks"), *map(_json(folder / _METRICS).get, ("facts", "not_run")))
    if not (isinstance(chapters, dict) and isinstance(facts, dict) and isinstance(not_run, dict)):
        return dict.fromkeys(_CONTENT)
    tables = [f"{_TABLES}/{name}.parquet" for names in (not_run, *facts.values()) for name in names]
    notebooks = [path.name for path in (folder / _NOTEBOOKS).glob("[0-9][0-9]_*.ipynb") if path.stem[3:] in chapters]
    return dict.fromkeys((*_CONTENT, *tables, *(f"{_NOTEBOOKS}/{name}" for name in notebooks)))


def _manifest(folder: Path) -> dict[str, Any]:
    return _json(folder / MANIFEST)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_changed(out: Path, found: _NotOurs) -> None:
    if found.changed:
        raise UsageError("out_is_changed", path=out, names=_listed(found.changed))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")


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
