"""The Chinese font of charts, pages and JupyterLab."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def font_file() -> Path:
    """Return the path of the Chinese font that ships with the environment (Noto Sans SC, OFL)."""
    # The package that carries the font changes matplotlib when imported; only its file is wanted.
    spec = find_spec("zhplot")
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in Path(folder).rglob("NotoSansSC*.ttf")]
    if not found:
        raise FileNotFoundError("NotoSansSC-Regular.ttf is missing: install the package zhplot")
    return found[0]
