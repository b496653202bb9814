"""Keep the canonical snapshot of a dataset: used again while its sources are the same, built anew or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from filelock import FileLock

from kehu_analysis.data.build import build_tables
from kehu_analysis.data.checking.failures import failure
from kehu_analysis.data.progress import Progress, Watch
from kehu_analysis.data.reading.sources import find_files, line_files, shown_name, unread_files
from kehu_analysis.data.schema import contract
from kehu_analysis.data.settings import FILE_NAME, DatasetSettings
from kehu_analysis.errors import DataError, RunError, reason_of

#: Raised when the snapshot's form changes, so that old ones are not read.
FORMAT = 7
ACCOUNT = "account.json"
_NO_SPACE = os.strerror(errno.ENOSPC)


def content_hash(files: Sequence[Path], settings: DatasetSettings, unread: Sequence[Path] = ()) -> str:
    """Return a hash of everything that a snapshot depends on; of files that are not read, that is the name."""
    digest = hashlib.sha256(f"{FORMAT}\n{settings.model_dump_json()}\n".encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    for path in unread:
        digest.update(f"{path.parent.name}/{path.name}\n".encode(errors="replace"))
    return digest.hexdigest()


def source_files(root: Path, settings: DatasetSettings) -> dict[str, list[Path]]:
    """Return the files of every table that the dataset has.

    Raises
    ------
    DataError
        There is no file with transactions.
    """
    found = {name: find_files(root, table, settings.table(name)) for name, table in contract().items()}
    if not found["transactions"]:
        present = ", ".join(sorted(path.name for path in root.iterdir())[:20]) if root.is_dir() else root.name
        raise DataError("no_transactions", folder=root, present=present or "–", settings=FILE_NAME)
    for path in (path for files in found.values() for path in files):
        try:
            str(path).encode()
        except UnicodeEncodeError:  # bytes that are no UTF-8, from an archive made elsewhere
            raise DataError("file_name", path=ascii(path.name)) from None
    return {name: files for name, files in found.items() if files}


def ensure_snapshot(root: Path, name: str, settings: DatasetSettings, cache: Path, progress: Progress) -> Path:
    """Return the folder of the dataset's snapshot, building it where the sources are new or have changed.

    Parameters
    ----------
    root
        The dataset's folder, or its one file; it is only read.
    name
        Name of the dataset, with which that of the snapshot's folder begins.
    settings
        What ``dataset.toml`` says.
    cache
        The folder that holds snapshots; made where it does not exist.
    progress
        Told of every step and the share of it that is done, from 0 to 1.

    Returns
    -------
    Path
        The folder with the tables as Parquet and the account of every row. It is there whole or not at all.

    Raises
    ------
    DataError
        The sources break the contract as a whole (no file, no such column), or cannot be read.
    RunError
        The cache folder cannot be written.
    """
    today = datetime.now(ZoneInfo(settings.timezone)).date()
    try:
        files = source_files(root, settings)
        progress("hash", 0.0)
        read = [path for paths in (*files.values(), line_files(root, settings)) for path in paths]
        unread = unread_files(root, read, settings)
        digest = content_hash(read, settings, unread)
    except OSError as error:
        raise DataError("unreadable_file", path=error.filename or root, reason=reason_of(error)) from error
    folder = cache / f"{name}-{digest[:16]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{folder.name}.lock"):
            if not _is_current(folder, today):
                with _building_folder(cache / f".building-{folder.name}") as building:
                    finished = _build(building, root, files, unread, name, settings, digest, today, progress)
                    shutil.rmtree(folder, ignore_errors=True)
                    finished.replace(folder)
    except OSError as error:
        raise RunError("cannot_write", path=cache, reason=reason_of(error)) from error
    except duckdb.Error as error:
        if _NO_SPACE in str(error):
            raise RunError("cannot_write", path=cache, reason=reason_of(OSError(errno.ENOSPC, _NO_SPACE))) from error
        raise DataError("snapshot_failed", name=name, reason=str(error).splitlines()[0]) from error
    return folder


def _is_current(folder: Path, today: date) -> bool:
    if not (folder / ACCOUNT).is_file():
        return False
    account = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    # Rows dated after the day of the check were rejected; on another day the same rows may be sound.
    return bool(account["checked_on"] == today.isoformat() or not account["depends_on_today"])


@contextmanager
def _building_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder to build in, over whatever a run that was killed left there; take it away at the end."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _build(
    building: Path,
    root: Path,
    files: dict[str, list[Path]],
    unread: Sequence[Path],
    name: str,
    settings: DatasetSettings,
    digest: str,
    today: date,
    progress: Progress,
) -> Path:
    folder = building / "snapshot"
    folder.mkdir()
    account: dict[str, Any] = {
        "name": name,
        "content_hash": digest,
        "checked_on": today.isoformat(),
        "settings": settings.model_dump(mode="json"),
        **build_tables(files, root, settings, folder, building, today, Watch(progress)),
    }
    account["failures"] += [failure("", "file_not_read", file=shown_name(path, root)) for path in unread]
    text = json.dumps(account, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / ACCOUNT).write_text(text, encoding="utf-8")
    return folder
