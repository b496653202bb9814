"""Read a file piece by piece, so that memory stays bounded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20


def chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def decoded(path: Path, encoding: str) -> Iterator[str]:
    """Yield the text of a file.

    Raises
    ------
    UnicodeDecodeError
        It is in another encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in chunks(path):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
