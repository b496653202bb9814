"""JupyterLab as its users need it: Chinese menus, a font with Chinese characters, no calls home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from kehu_analysis.data.dataset import project_folder
from kehu_analysis.plots.theme import font_file

_LOCALES = {"zh": "zh_CN", "en": "default"}


def write_lab_settings(lang: str, prefix: Path | None = None) -> Path:
    """Set JupyterLab's language for this Python environment; settings that are there already stay.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.
    prefix
        The environment's folder; by default that of the running Python.
    """
    path = (prefix or Path(sys.prefix)) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    settings.setdefault("@jupyterlab/translation-extension:plugin", {})["locale"] = _LOCALES[lang]
    news = settings.setdefault("@jupyterlab/apputils-extension:notification", {})
    news.setdefault("fetchNews", "false")
    news.setdefault("checkForUpdates", False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return path


def has_chinese_font() -> bool:
    """Tell whether browsers on this machine have a font with Chinese characters."""
    if not sys.platform.startswith("linux"):
        return True  # Windows and macOS come with one
    listing = shutil.which("fc-list")
    if listing is None:
        return False
    return bool(subprocess.run([listing, ":lang=zh", "family"], capture_output=True, check=False).stdout.strip())


def ensure_chinese_font() -> Path | None:
    """Copy our font to the user's font folder where the machine has none with Chinese characters.

    Returns
    -------
    Path or None
        The copy, or ``None`` where nothing was needed.
    """
    if has_chinese_font():
        return None
    folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / font_file().name
    shutil.copyfile(font_file(), copy)
    if refresh := shutil.which("fc-cache"):
        subprocess.run([refresh, "-f", str(folder)], check=False, capture_output=True)
    return copy


def start_lab(lang: str, arguments: tuple[str, ...] = ()) -> int:
    """Start JupyterLab on the project's notebooks and return its exit code."""
    write_lab_settings(lang)
    ensure_chinese_font()
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(project_folder())]
    command += ["--LabApp.default_url=/lab/tree/notebooks"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.run([*command, *arguments], check=False).returncode
