"""Keep every test, and every kernel that a test starts, away from the project's own reports folder."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_OURS = "KEHU_TEST_CACHE"


def pytest_configure(config):
    """Give the session a cache of its own."""
    # The controller of pytest-xdist runs this first; its workers and all kernels inherit the environment.
    if _OURS not in os.environ:
        os.environ[_OURS] = os.environ["KEHU_CACHE"] = tempfile.mkdtemp(prefix="kehu-test-")
        # Notebooks and reports of the tests know no earlier report, whatever was made on this machine.
        os.environ["KEHU_PREVIOUS"] = ""
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(_OURS), ignore_errors=True))


def pytest_collect_file(file_path, parent):
    """Compare the stored outputs of the notebooks with what they say in the session's report."""
    if file_path.suffix == ".ipynb" and file_path.parent == Path(__file__).parent / "notebooks":
        from tests.notebooks.recorded import RecordedNotebook

        return RecordedNotebook.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def demo_report():
    """Return the folder of the session's report on the shipped company; nobody may change it."""
    from tests.demo import demo_report

    return demo_report()
