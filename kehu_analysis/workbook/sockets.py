"""A short-lived folder for the sockets over which kernels are spoken to.

The path of a socket has 107 bytes at most (on macOS 103), and folders of reports may lie deep, so it is a folder of its
own in a short place; what a killed run left there is taken away by the next one.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "kehu-k-"
_LOCK = "lock"
#: Bytes of a socket's path, and what our names take of them.
_LONGEST_PATH, _LONGEST_NAME = 103, 16
#: A folder as young as this may not be locked yet by the run that just made it.
_YOUNG_SECONDS = 60


@contextmanager
def socket_folder() -> Iterator[Path | None]:
    """Give a folder that takes sockets, or None where the system has none (Windows) or no place for them."""
    made = _make() if hasattr(socket, "AF_UNIX") and sys.platform != "win32" else None
    if made is None:
        yield None
        return
    try:
        with FileLock(made / _LOCK):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make() -> Path | None:
    for place in dict.fromkeys(filter(None, (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"))):
        try:
            _clear_up_after_killed_runs(Path(place))
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        except OSError:
            continue
        if _takes_sockets(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
    return None


def _takes_sockets(folder: Path) -> bool:
    if len(os.fsencode(folder)) + _LONGEST_NAME > _LONGEST_PATH:
        return False
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.bind(str(folder / "tried"))
        except OSError:
            return False
    (folder / "tried").unlink()
    return True


def _clear_up_after_killed_runs(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        # Of other people's folders, and of links to anywhere, not even the lock is opened.
        if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / _LOCK).is_file():
            continue
        if time.time() - (folder / _LOCK).stat().st_mtime < _YOUNG_SECONDS:
            continue
        try:
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # a run is using it
