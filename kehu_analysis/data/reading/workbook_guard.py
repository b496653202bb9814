"""Refuse workbooks that would end the process that reads them, or fill its memory, before they are read.

The reader of workbooks takes what a file says of its size at its word: a cell in the last corner of a sheet, or a count
of texts, is memory asked for at once, and where that is not to be had the process ends without an exception. A text
that a million cells share it keeps a million times.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from array import array
from pathlib import Path

from kehu_analysis.data.reading.workbook_parts import Extent, Limits, PartTooLargeError, measure, text_of_cells
from kehu_analysis.errors import DataError

#: A sheet is read whole, as a rectangle: one cell far away makes it as large as the memory.
_MOST_CELLS = 40_000_000
#: What Excel has room for.
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
#: A million rows of twenty texts of a hundred bytes each; and twice that in all sheets.
_MOST_TEXT, _MOST_TEXT_IN_ALL = 2 << 30, 4 << 30
_LIMITS = Limits(
    most_bytes=4 << 30,
    much=1 << 28,
    most_times=200,
    most_texts=25_000_000,
    most_blocks=4_000_000,
    most_rows=_MOST_ROWS,
    most_columns=_MOST_COLUMNS,
)
#: A workbook of the old format says how far it reaches in too many ways to look for: it is read on trial. It is not
#: packed, so what it takes of memory goes by its size, but for texts that cells share.
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
_LEAST_TRIAL_BYTES, _TRIAL_BYTES, _TRIAL_TIMES, _MOST_TRIAL_BYTES = 480 << 20, 120 << 20, 16, 3 << 30
_TRIAL_SECONDS = 120
_GIGABYTE = 1 << 30


def refuse_harmful(path: Path, shown: str) -> None:
    """Refuse a workbook that is not to be read.

    Raises
    ------
    DataError
        A sheet has more cells or more text than memory holds, or the file says of itself what no workbook can be.
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError
        The file is damaged as an archive.
    """
    if not zipfile.is_zipfile(path):
        _try_elsewhere(path, shown)
        return
    with zipfile.ZipFile(path) as archive:
        # A workbook says by itself which of its parts are sheets, and may call them anything.
        parts = [(part, _measured(archive, part, shown)) for part in archive.infolist()]
        texts = _shared_texts([found for _, found in parts if found.texts])
        n_sheets = sum(found.n_cells > 0 for _, found in parts)
        few = min(_MOST_TEXT, _MOST_TEXT_IN_ALL // max(n_sheets, 1))
        n_bytes_in_all = 0
        for part, found in parts:
            if found.n_cells:
                n_bytes = text_of_cells(archive, part, _LIMITS, found, texts, few, _MOST_TEXT)
                n_bytes_in_all += n_bytes
                if n_bytes > _MOST_TEXT:
                    raise _too_packed(part.filename, n_bytes, shown)
                if n_bytes_in_all > _MOST_TEXT_IN_ALL:
                    raise _too_packed(part.filename.rpartition("/")[0], n_bytes_in_all, shown)


def _shared_texts(found: list[Extent]) -> Extent:
    """Return the part with the texts that sheets share; where several could be it, each is as long as the longest."""
    if len(found) == 1:
        return found[0]
    longest = max((max(one.texts) for one in found), default=0)
    return Extent(texts=array("L", [longest]), is_plain=False)


def _measured(archive: zipfile.ZipFile, part: zipfile.ZipInfo, shown: str) -> Extent:
    try:
        found = measure(archive, part, _LIMITS)
    except PartTooLargeError as error:
        raise _too_packed(part.filename, error.n_bytes, shown) from error
    if found.n_rows > _MOST_ROWS or found.n_columns > _MOST_COLUMNS or found.n_said > part.file_size:
        raise DataError("no_workbook", path=shown)
    if found.n_rows * found.n_columns > _MOST_CELLS:
        raise DataError("sheet_too_large", path=shown, n_rows=found.n_rows, n_columns=found.n_columns)
    return found


def _too_packed(part: str, n_bytes: int, shown: str) -> DataError:
    return DataError("workbook_too_packed", path=shown, part=part, size=f"{n_bytes / _GIGABYTE:.1f}")


def _try_elsewhere(path: Path, shown: str) -> None:
    """Read a workbook in a process of its own; that it cannot be read at all is told of where it is read."""
    by_size = _TRIAL_BYTES + _TRIAL_TIMES * path.stat().st_size
    n_bytes = min(max(by_size, _LEAST_TRIAL_BYTES), _MOST_TRIAL_BYTES)
    trial = [sys.executable, "-P", "-c", _TRIAL, str(path.absolute()), str(n_bytes)]
    try:
        done = subprocess.run(trial, capture_output=True, timeout=_TRIAL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError("no_workbook", path=shown) from error
    if done.returncode != 0:
        raise DataError("old_workbook_too_packed", path=shown, size=f"{n_bytes / _GIGABYTE:.1f}")
