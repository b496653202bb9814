"""What `kehu lab` prepares before JupyterLab starts (tests/browser/test_lab.py looks at what comes of it)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kehu_analysis import lab
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.font import font_file


@pytest.mark.parametrize(("lang", "locale"), [("zh", "zh_CN"), ("en", "default")])
def test_settings_choose_the_language_and_ask_for_no_news(lang: str, locale: str, tmp_path: Path) -> None:
    settings = json.loads(lab.write_lab_settings(lang, tmp_path).read_text())
    assert settings["@jupyterlab/translation-extension:plugin"] == {"locale": locale}
    assert settings["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}


def test_settings_stand_on_the_search_path_only_while_the_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/of/the/user")
    with lab._settings_on_path("zh"):
        first, rest = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
        assert (Path(first) / "labconfig" / "default_setting_overrides.json").is_file()
        assert rest == "/of/the/user"
    assert os.environ["JUPYTER_CONFIG_PATH"] == "/of/the/user"
    assert not Path(first).exists()


def test_lab_opens_the_notebooks_of_its_root(tmp_path: Path) -> None:
    assert "--LabApp.default_url=/lab" in lab.lab_arguments(tmp_path)
    (tmp_path / "notebooks").mkdir()
    arguments = lab.lab_arguments(tmp_path, ["--no-browser"])
    assert "--LabApp.default_url=/lab/tree/notebooks" in arguments
    assert f"--ServerApp.root_dir={tmp_path}" in arguments
    assert arguments[-1] == "--no-browser"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="only systems with a root user")
@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_starts_for_root_too(user: int, allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in lab.lab_arguments(tmp_path)) is allowed


def test_lab_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        lab.start_lab("zh", root=tmp_path / "nowhere")


@pytest.fixture
def a_machine_without_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lab.sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    silent = subprocess.CompletedProcess([], 0, stdout=b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: silent)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share"


def test_the_font_is_copied_where_there_is_none(a_machine_without_chinese: Path) -> None:
    assert not lab.has_chinese_font()
    copy = lab.ensure_chinese_font()
    assert copy is not None
    assert copy.parent == a_machine_without_chinese / "fonts"
    assert copy.read_bytes() == font_file().read_bytes()


def test_a_font_folder_that_cannot_be_written_is_named(a_machine_without_chinese: Path) -> None:
    a_machine_without_chinese.write_text("a file where the folder should be")
    with pytest.raises(RunError, match="fonts"):
        lab.ensure_chinese_font()


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_nothing_is_copied_where_a_font_is_there(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.sys, "platform", platform)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    listed = subprocess.CompletedProcess([], 0, stdout=b"Noto Sans CJK SC\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: listed)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert lab.ensure_chinese_font() is None
    assert not (tmp_path / "share").exists()
