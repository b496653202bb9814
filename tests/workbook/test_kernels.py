"""The sockets over which kernels are spoken to: short paths, private, and gone afterwards."""

import os
import stat
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from jupyter_core.utils import ensure_event_loop

from kehu_analysis.workbook import sockets
from kehu_analysis.workbook.execute import execute_chapter
from kehu_analysis.workbook.kernels import kernels
from kehu_analysis.workbook.sockets import socket_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows speaks to kernels over TCP")


@pytest.fixture
def place(monkeypatch):
    """An empty place that is looked at first, with a path as short as places of temporary files have."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_a_folder_is_private_and_is_taken_away(place):
    with socket_folder() as folder:
        assert folder.parent == place
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(os.fsencode(folder / "01234567-5")) <= 107
    assert list(place.iterdir()) == []


def test_a_place_that_is_too_deep_or_missing_is_passed_over(place, monkeypatch):
    deep = place / ("x" * 90)
    deep.mkdir()
    for unfit in (deep, place / "missing"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(unfit))
        monkeypatch.setattr(tempfile, "tempdir", str(unfit))
        with socket_folder() as folder:
            assert folder.parent == Path("/tmp")
    assert list(deep.iterdir()) == []


def test_without_sockets_kernels_are_spoken_to_over_tcp(monkeypatch):
    monkeypatch.setattr(sockets, "_takes_sockets", lambda folder: False)
    with kernels(preload=False) as settings:
        assert settings["kernel_manager_class"](kernel_name="python3").transport == "tcp"


def test_what_a_killed_run_left_is_cleared_up_and_nothing_else(place):
    old = time.time() - 3600

    def leave(name, *, aged=True, lock=True):
        (place / name).mkdir()
        if lock:
            (place / name / "lock").touch()
            if aged:
                os.utime(place / name / "lock", (old, old))
        return place / name

    killed, young, strange = leave("kehu-k-killed"), leave("kehu-k-young", aged=False), leave("kehu-k-no", lock=False)
    running, others = leave("kehu-k-running"), leave("theirs")
    (place / "kehu-k-link").symlink_to(others)
    with FileLock(running / "lock"):
        os.utime(running / "lock", (old, old))
        with socket_folder():
            pass
    assert not killed.exists()
    assert all(folder.exists() for folder in (young, strange, running, others))
    assert (others / "lock").exists()


CELL = """import json
from ipykernel.connect import get_connection_info
info = json.loads(get_connection_info())
print(info["transport"], info["ip"])"""


def test_two_runs_at_the_same_moment_have_sockets_of_their_own(place, tmp_path):
    together = threading.Barrier(2, timeout=120)
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=spec)
    nbformat.write(notebook, tmp_path / "in.ipynb")

    def run(number):
        with kernels() as settings:
            together.wait()
            output = tmp_path / f"{number}.ipynb"
            deadline = time.monotonic() + 120
            done = execute_chapter(tmp_path / "in.ipynb", output, {}, deadline=deadline, kernel_settings=settings)
            ensure_event_loop().close()  # nbclient made one for this thread and leaves it open
            (cell,) = done.notebook.cells
            return cell.outputs[0]["text"].split()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, (1, 2))
    assert one[0] == other[0] == "ipc"
    assert {Path(path).parent.parent for _, path in (one, other)} == {place}
    assert Path(one[1]).parent != Path(other[1]).parent
    assert list(place.iterdir()) == []
