"""Open a workbook, or say why it is none that can be read."""

from __future__ import annotations

import errno
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import python_calamine

from kehu_analysis.data.reading.chunks import CHUNK
from kehu_analysis.data.reading.workbook_guard import refuse_harmful
from kehu_analysis.errors import DataError

_PROTECTED = "EncryptedPackage".encode("utf-16-le")


@contextmanager
def opened_workbook(path: Path, shown: str) -> Iterator[python_calamine.CalamineWorkbook]:
    """Open a workbook that can be read without harm.

    Raises
    ------
    DataError
        It is empty, damaged, protected by a password, or takes more memory than there is.
    """
    if path.stat().st_size == 0:
        raise DataError("empty_file", path=shown)
    if _is_protected(path):
        raise DataError("protected_workbook", path=shown)
    try:
        known = path.stat()
        _refuse_harmful(path, shown, known.st_mtime_ns, known.st_size)
        with python_calamine.load_workbook(path) as book:
            yield book
    except python_calamine.PasswordError as error:
        raise DataError("protected_workbook", path=shown) from error
    except (python_calamine.CalamineError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError("no_workbook", path=shown) from error
    except OSError as error:
        # An archive whose beginning is lost names places before its beginning.
        if error.errno != errno.EINVAL:
            raise
        raise DataError("no_workbook", path=shown) from error
    except BaseException as error:
        # A reader that finds what it never thought of panics; that is no reason for the program to end.
        if type(error).__name__ != "PanicException":
            raise
        raise DataError("no_workbook", path=shown) from error


@lru_cache(maxsize=64)
def _refuse_harmful(path: Path, shown: str, _changed: int, _size: int) -> None:
    # A workbook is opened several times in one run, and a large one takes seconds to go through.
    refuse_harmful(path, shown)


def _is_protected(path: Path) -> bool:
    # Excel wraps an encrypted workbook in its old format; that names its parts in the directory.
    with path.open("rb") as file:
        if not file.read(8).startswith(b"\xd0\xcf\x11\xe0"):
            return False
        tail = b""
        while chunk := file.read(CHUNK):
            if _PROTECTED in tail + chunk:
                return True
            tail = chunk[-len(_PROTECTED) :]
    return False


def visible_sheets(book: python_calamine.CalamineWorkbook) -> list[str]:
    """Return the names of the sheets that are tables and can be seen."""
    return [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        and sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
