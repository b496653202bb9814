"""JupyterLab as its users need it: Chinese menus, a font with Chinese characters, no calls home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kehu_analysis.data.folders import project_folder
from kehu_analysis.errors import RunError, UsageError, reason_of
from kehu_analysis.font import font_file

_LOCALES = {"zh": "zh_CN", "en": "default"}
_CONFIG_VARIABLE = "JUPYTER_CONFIG_PATH"


def write_lab_settings(lang: str, folder: Path) -> Path:
    """Write JupyterLab's defaults for this workbook; what users set in its menus goes before them.

    Parameters
    ----------
    lang
        ``zh`` or ``en``, the language of the menus.
    folder
        A folder on Jupyter's search path for configuration.
    """
    settings = {
        "@jupyterlab/translation-extension:plugin": {"locale": _LOCALES[lang]},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    path = folder / "labconfig" / "default_setting_overrides.json"
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

    Raises
    ------
    RunError
        The font folder cannot be written.
    """
    if has_chinese_font():
        return None
    folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fonts"
    copy = folder / font_file().name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(font_file(), copy)
    except OSError as error:
        raise RunError("cannot_write", path=copy, reason=reason_of(error)) from error
    if refresh := shutil.which("fc-cache"):
        subprocess.run([refresh, str(folder)], check=False, capture_output=True)
    return copy


def lab_arguments(root: Path, arguments: Sequence[str] = ()) -> list[str]:
    """Return the arguments with which JupyterLab opens a folder and asks the network for nothing.

    Examples
    --------
    >>> from pathlib import Path
    >>> lab_arguments(Path("/no/such/folder"), ["--no-browser"])[-1]
    '--no-browser'
    """
    start = "/lab/tree/notebooks" if (root / "notebooks").is_dir() else "/lab"
    own = [
        f"--ServerApp.root_dir={root.absolute()}",
        f"--LabApp.default_url={start}",
        # The usual manager asks PyPI for extensions, and the usual checks ask for news and newer versions.
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        # Looking for language servers starts npm, which has calls home of its own.
        "--LanguageServerManager.autodetect=False",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        own.append("--allow-root")
    return [*own, *arguments]


def start_lab(lang: str, arguments: Sequence[str] = (), *, root: Path | None = None) -> None:
    """Start JupyterLab and return when it has been ended.

    Parameters
    ----------
    lang
        ``zh`` or ``en``, the language of the menus.
    arguments
        Further arguments for JupyterLab.
    root
        The folder to open, the project's by default; its ``notebooks`` folder is shown first.

    Raises
    ------
    UsageError
        There is no such folder.
    RunError
        The font folder cannot be written.
    """
    folder = root or project_folder()
    if not folder.is_dir():
        raise UsageError("no_such_path", path=folder)
    ensure_chinese_font()
    with _settings_on_path(lang):
        # Here and not above: `kehu doctor` looks at the fonts, which needs no server.
        from jupyterlab.labapp import LabApp

        # In this process, so that Ctrl-C and signals reach the server, which then ends its kernels.
        LabApp.launch_instance(lab_arguments(folder, arguments))


@contextmanager
def _settings_on_path(lang: str) -> Iterator[None]:
    # The settings live as long as the server: neither the environment nor the user's own settings are touched.
    before = os.environ.get(_CONFIG_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="kehu-lab-") as folder:
        write_lab_settings(lang, Path(folder))
        os.environ[_CONFIG_VARIABLE] = os.pathsep.join(filter(None, (folder, before)))
        try:
            yield
        finally:
            if before is None:
                del os.environ[_CONFIG_VARIABLE]
            else:
                os.environ[_CONFIG_VARIABLE] = before
