"""What can go wrong around a notebook, apart from the notebook itself (see tests/report/test_run.py)."""

import errno
import os
import time

import papermill
import pytest

from kehu_analysis.workbook.execute import execute_chapter


def test_full_disk_is_told_and_not_the_half_file_that_it_left(monkeypatch, tmp_path):
    def run_out_of_space(source, output, *_, **__):
        (tmp_path / "out.ipynb").write_text('{"cells": [')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), output)

    monkeypatch.setattr(papermill, "execute_notebook", run_out_of_space)
    with pytest.raises(OSError, match="No space"):
        execute_chapter(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, deadline=time.monotonic() + 1)
