"""From which day a workbook counts its days: 1900, or 1904 as Excel for the Mac once did and still may."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

#: The property of a workbook in XML, and the part that it stands in.
_PROPERTY = re.compile(rb"""<(?:[\w.-]+:)?workbookPr\b[^>]*?\sdate1904\s*=\s*["']\s*(?:1|true|on)\s*["']""")
_PART = "xl/workbook.xml"
#: How the stream of an old workbook begins, in the two versions that are read; and its records of interest.
_BEGINNINGS = (b"\x09\x08\x10\x00\x00\x06\x05\x00", b"\x09\x08\x08\x00\x00\x05\x05\x00")
_DATE_MODE, _END = 0x0022, 0x000A
#: No record is longer, and the one that is looked for stands among the first.
_LONGEST_RECORD, _SEARCHED = 8228, 1 << 20
_STREAM = 1 << 16


def begins_in_1904(path: Path) -> bool:
    """Tell whether the numbers of days in a workbook count from 1904.

    Parameters
    ----------
    path
        A workbook that :func:`~kehu_analysis.data.reading.workbook_guard.refuse_harmful` let through.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return _old_one_does(file.read(_SEARCHED))
    with zipfile.ZipFile(path) as archive:
        # Names of parts are told apart without regard to case.
        name = next((name for name in archive.namelist() if name.lower().replace("\\", "/") == _PART), None)
        return name is not None and _PROPERTY.search(archive.read(name)) is not None


def _old_one_does(start: bytes) -> bool:
    place = max((start.find(beginning) for beginning in _BEGINNINGS), default=-1)
    end = min(len(start), place + _STREAM)
    while 0 <= place <= end - 6:
        code, length, value = struct.unpack_from("<HHH", start, place)
        if code == _DATE_MODE:
            return bool(value == 1)
        if code == _END or length > _LONGEST_RECORD:
            return False
        place += 4 + length
    return False
