"""Look whether everything that a report needs is in place."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from kehu_analysis.data import default_cache
from kehu_analysis.errors import RunError
from kehu_analysis.font import font_file
from kehu_analysis.lab import has_chinese_font
from kehu_analysis.workbook.execute import KERNEL
from kehu_analysis.workbook.own_chapters import chapters_in

_PACKAGES = (
    "jupyterlab",
    "pandas",
    "seaborn",
    "statsmodels",
    "scikit-learn",
    "papermill",
    "duckdb",
    "sqlalchemy",
    "python-calamine",
)


@dataclass(frozen=True)
class Examined:
    """One thing looked at: its code under ``doctor.`` in the labels, whether it is well, and what was seen."""

    code: str
    is_well: bool
    detail: str


def examine() -> list[Examined]:
    """Look at Python, the packages, the kernel, the fonts, the notebooks and the cache folder.

    Examples
    --------
    >>> all(finding.is_well for finding in examine() if finding.code in ("python", "packages", "kernel"))
    True
    """
    looks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("python", platform.python_version),
        ("packages", lambda: ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        ("kernel", lambda: str(KernelSpecManager().get_kernel_spec(KERNEL).display_name)),
        ("chart_font", lambda: font_file().name),
        ("browser_font", _browser_font),
        ("notebooks", lambda: ", ".join(record.notebook.name for record in chapters_in() if record.notebook)),
        ("cache", _writable_cache),
    )
    return [_look(code, see) for code, see in looks]


def _look(code: str, see: Callable[[], str]) -> Examined:
    try:
        return Examined(code, True, see())
    except (OSError, NoSuchKernel, PackageNotFoundError, RunError) as error:
        return Examined(code, False, str(error))


def _browser_font() -> str:
    # No fault: `kehu lab` copies one where there is none.
    return "✓" if has_chinese_font() else "→ kehu lab"


def _writable_cache() -> str:
    folder = default_cache()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder)
