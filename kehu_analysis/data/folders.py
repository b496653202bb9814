"""Where the project is, where results go, and where snapshots are kept."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "KEHU_CACHE"


def project_folder() -> Path:
    """Return the top of the project: where ``notebooks`` is, else the current folder."""
    project = Path(__file__).resolve().parents[2]
    return project if (project / "notebooks").is_dir() else Path.cwd()


def reports_folder() -> Path:
    """Return where results go by default: ``reports`` in the current folder; within the project, at its top.

    Never into an installation that is used from elsewhere.
    """
    project, here = project_folder(), Path.cwd()
    return (project if here.is_relative_to(project) else here) / "reports"


def default_cache(out: Path | None = None) -> Path:
    """Return the folder of snapshots: ``KEHU_CACHE``, else ``.kehu-cache`` beside the report that is to be ``out``.

    Without ``out``, ``.cache`` in :func:`reports_folder`.
    """
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    return reports_folder() / ".cache" if out is None else out.absolute().parent / ".kehu-cache"
