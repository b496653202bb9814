"""Write what was measured as Markdown."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import ROOT


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with the first two columns of words, the rest of numbers."""
    dashes = ["---" if place < 2 else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, dashes, *rows)) + "\n"


def machine() -> str:
    """Return cores, memory and versions in words."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    ours = [f"{name} {version(name)}" for name in ("duckdb", "pandas", "numpy", "pyarrow")]
    pins = (ROOT / "benchmarks" / "requirements.txt").read_text(encoding="utf-8")
    peers = [f"{name} {number}" for name, number in re.findall(r"^(lifetimes|pymc-marketing)==([\w.]+)", pins, re.M)]
    model = f" ({_processor()})" if _processor() else ""
    return (
        f"{os.cpu_count()} cores{model}, {memory_gb:.0f} GB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join([*ours, *peers])}"
    )


def write_between_markers(path: Path, name: str, text: str) -> None:
    """Put a text in a Markdown file in place of what stands between the markers of that name.

    Raises
    ------
    ValueError
        The file has no such markers.
    """
    start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8")
    before, found_start, rest = page.partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise ValueError(f"{path.name} has no markers {start} and {end}")
    path.write_text(f"{before}{start}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(encoding="utf-8"), re.M)
    return found[1] if found else ""
