"""The folder that an import fills: tables are written aside and put in place together, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kehu_analysis.data.schema import contract
from kehu_analysis.data.settings import FILE_NAME
from kehu_analysis.errors import RunError, UsageError, reason_of

#: What an import wrote: tables, rows, time and kind of database; never its address.
MANIFEST = "import.json"
_MADE_BY = "kehu import"
_BUILDING = ".importing"
_LOCK = ".import.lock"
#: What file managers and spreadsheets leave in any folder.
_LEFT_BY_OTHERS = (".", "~$", "Thumbs.db", "desktop.ini")


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Give a folder to write tables into; :func:`put_in_place` within it makes them the content of ``folder``.

    Whatever ends it, nothing is left but what :func:`put_in_place` put there, or what was there before.

    Raises
    ------
    UsageError
        ``folder`` is a file, or holds something else than an earlier import and a ``dataset.toml``.
    RunError
        The place cannot be written, or another import into it is under way.
    """
    made: list[Path] = []
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError("import_into_file", path=folder)
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunError("import_under_way", path=folder) from error
    except OSError as error:
        raise RunError("import_cannot_write", path=folder, reason=reason_of(error)) from error
    try:
        building = folder / _BUILDING
        _finish_what_was_begun(building, folder)
        _refuse_foreign(folder)
        building.mkdir()
        try:
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise RunError("import_cannot_write", path=folder, reason=reason_of(error)) from error
    finally:
        lock.release()
        if made and not (folder / MANIFEST).exists():
            (folder / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # somebody put something there meanwhile
                for path in made:
                    path.rmdir()


def put_in_place(building: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Make the tables in ``building`` the content of ``folder``, in place of those of an earlier import."""
    text = json.dumps({"made_by": _MADE_BY, **manifest}, ensure_ascii=False, indent=1)
    aside = building / "before"
    aside.mkdir()
    before = [name for name in (*_files(folder), MANIFEST) if (folder / name).exists()]
    moved: list[tuple[Path, Path]] = []
    try:
        for name in before:
            moved.append((folder / name, aside / name))
            (folder / name).rename(aside / name)
        (building / MANIFEST).write_text(text, encoding="utf-8")
        # From here on everything is there: a run that is killed now is completed by the next.
        for name in (*_files(building), MANIFEST):
            moved.append((building / name, folder / name))
            (building / name).rename(folder / name)
    except BaseException:
        for origin, target in reversed(moved):
            if target.exists() and not origin.exists():
                target.rename(origin)
        raise


def _finish_what_was_begun(building: Path, folder: Path) -> None:
    """Clear up after a run that was killed."""
    if not building.is_dir():
        return
    before = building / "before"
    if names := _files(building):
        # It had all its tables and had begun to put them in place.
        for name in (*names, MANIFEST):
            if (building / name).exists():
                (building / name).replace(folder / name)
    elif before.is_dir() and not ((folder / MANIFEST).exists() and (before / MANIFEST).exists()):
        for path in sorted(before.iterdir()):
            path.replace(folder / path.name)
    shutil.rmtree(building)


def _files(folder: Path) -> list[str]:
    """Return the names of the files that an import wrote there, by its manifest."""
    known = {f"{name}.parquet" for name in contract()}
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = [table["file"] for table in manifest["tables"].values()]
        return [name for name in names if name in known] if manifest["made_by"] == _MADE_BY else []
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _refuse_foreign(folder: Path) -> None:
    ours = {FILE_NAME, *_files(folder)}
    if len(ours) > 1:
        ours.add(MANIFEST)
    names = sorted(path.name for path in folder.iterdir())
    if others := [name for name in names if name not in ours and not name.startswith(_LEFT_BY_OTHERS)]:
        raise UsageError("import_folder_foreign", path=folder, names=", ".join(others[:20]))
