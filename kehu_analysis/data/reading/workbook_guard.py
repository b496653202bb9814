"""Refuse workbooks that would end the process that reads them, or fill its memory, before they are read.

The reader of workbooks takes what a file says of its size at its word: a cell in the last corner of a sheet, or a count
of texts, is memory asked for at once, and where that is not to be had the process ends without an exception.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from kehu_analysis.data.reading.chunks import CHUNK
from kehu_analysis.errors import DataError

#: A sheet is read whole, as a rectangle: one cell far away makes it as large as the memory.
_MOST_CELLS = 40_000_000
#: What Excel has room for.
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
#: A row or a cell that says where it stands, in any way that XML allows.
_PLACE = re.compile(rb"""\sr\s*=\s*["']\s*([A-Za-z]*)(\d+)""")
_UNIQUE_TEXTS = re.compile(rb"""uniqueCount\s*=\s*["']\s*(\d+)""")
_LONGEST_TAG, _LONGEST_NUMBER = 200, 9
#: A workbook of the old format says how far it reaches in too many ways to look for: it is read on trial.
_TRIAL = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
except (ImportError, ValueError, OSError):
    pass
import python_calamine
try:
    with python_calamine.load_workbook(sys.argv[1]) as book:
        for name in book.sheet_names:
            book.get_sheet_by_name(name)
except BaseException:
    pass
"""
_TRIAL_BYTES, _TRIAL_SECONDS = 3 << 30, 120


def refuse_harmful(path: Path, shown: str) -> None:
    """Refuse a workbook that is not to be read.

    Raises
    ------
    DataError
        A sheet has more cells than memory holds, or the file says of itself what no workbook can be.
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError
        The file is damaged as an archive.
    """
    if not zipfile.is_zipfile(path):
        _try_elsewhere(path, shown)
        return
    with zipfile.ZipFile(path) as archive:
        # A workbook says by itself which of its parts are sheets, and may call them anything.
        for part in archive.infolist():
            n_rows, n_columns, n_texts = _extent(archive, part)
            if n_rows > _MOST_ROWS or n_columns > _MOST_COLUMNS or n_texts > part.file_size:
                raise DataError("no_workbook", path=shown)
            if n_rows * n_columns > _MOST_CELLS:
                raise DataError("sheet_too_large", path=shown, n_rows=n_rows, n_columns=n_columns)


def _try_elsewhere(path: Path, shown: str) -> None:
    """Read a workbook in a process of its own; that it cannot be read at all is told of where it is read."""
    trial = [sys.executable, "-P", "-c", _TRIAL, str(path.absolute()), str(_TRIAL_BYTES)]
    try:
        done = subprocess.run(trial, capture_output=True, timeout=_TRIAL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError("no_workbook", path=shown) from error
    if done.returncode != 0:
        raise DataError("no_workbook", path=shown)


def _extent(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> tuple[int, int, int]:
    """Return the last row and column that a part names, and how many texts it says to hold."""
    last_row = last_column = n_texts = 0
    tail = b""
    with archive.open(part) as file:
        while chunk := file.read(CHUNK):
            text = tail + chunk
            if places := _PLACE.findall(text):
                last_row = max(last_row, max(_number(row) for _, row in places))
                last_column = max(last_column, max(map(_column_number, {letters for letters, _ in places})))
            n_texts = max(n_texts, *map(_number, _UNIQUE_TEXTS.findall(text)), 0)
            tail = text[-_LONGEST_TAG:]
    return last_row, last_column, n_texts


def _number(digits: bytes) -> int:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:_LONGEST_NUMBER]:
        number = number * 26 + letter - ord("A") + 1
    return number
