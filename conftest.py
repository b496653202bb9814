"""Keep every test, and every kernel that a test starts, away from the project's own reports folder."""

import os
import shutil
import tempfile

_OURS = "KEHU_TEST_CACHE"


def pytest_configure(config):
    """Give the session a cache of its own."""
    # The controller of pytest-xdist runs this first; its workers and all kernels inherit the environment.
    if _OURS not in os.environ:
        os.environ[_OURS] = os.environ["KEHU_CACHE"] = tempfile.mkdtemp(prefix="kehu-test-")
        # Notebooks and reports of the tests know no earlier report, whatever was made on this machine.
        os.environ["KEHU_PREVIOUS"] = ""
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(_OURS), ignore_errors=True))
