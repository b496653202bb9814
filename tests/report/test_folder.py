"""How a report is put in place: whole, and without harm to what others keep there."""

import os

import pytest

from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.report.folder import MADE_BY, staging, target_of


def build(out, text="x"):
    with staging(target_of(out)) as building:
        (building / "manifest.json").write_text(f'{{"made_by": "{MADE_BY}"}}')
        (building / "index.html").write_text(text)


def fail(out):
    with staging(out) as building:
        (building / "notebooks" / "one").mkdir(parents=True)
        raise RunError("no_notebook", chapter="x", folder="y")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_link_leads_to_the_folder_that_becomes_the_report(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "out")
    build(tmp_path / "link", "one")
    build(tmp_path / "link", "two")
    assert (tmp_path / "out" / "index.html").read_text() == "two"
    assert names(tmp_path) == [".out.lock", "link", "out"]


def test_a_failed_run_deletes_nobody_elses_folder(tmp_path):
    (tmp_path / "out.failed").mkdir()
    (tmp_path / "out.failed" / "theirs.txt").write_text("keep me")
    with pytest.raises(RunError):
        fail(tmp_path / "out")
    build(tmp_path / "out")
    assert names(tmp_path / "out.failed") == ["theirs.txt"]


def test_what_a_killed_run_left_is_cleared_up(tmp_path):
    build(tmp_path / "o[u]t")
    (tmp_path / "o[u]t").rename(tmp_path / ".o[u]t.before")  # killed between its two renames
    (tmp_path / ".o[u]t.building-1234").mkdir()
    (tmp_path / ".out.building-1234").mkdir()  # of a run on another report
    with pytest.raises(RunError):
        fail(tmp_path / "o[u]t")
    assert names(tmp_path) == [".o[u]t.lock", ".out.building-1234", "o[u]t", "o[u]t.failed"]
    assert (tmp_path / "o[u]t" / "index.html").is_file()


def test_a_place_that_cannot_be_looked_at(tmp_path):
    with pytest.raises(RunError, match="cannot be written"), staging(tmp_path / ("x" * 300)):
        pass
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises((RunError, UsageError)), staging(target_of(tmp_path / "round")):
        pass


def test_what_is_neither_file_nor_folder_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a file"), staging(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
