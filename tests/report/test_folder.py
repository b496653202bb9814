"""How a report is put in place: whole, and without harm to what others keep there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.report import folder as report_folder
from kehu_analysis.report.folder import MADE_BY, list_files, staging, target_of


def build(out, text="x", tables=("one",)):
    with staging(target_of(out)) as building:
        write(building, text, tables)


def write(building, text="x", tables=("one",)):
    (building / "tables").mkdir()
    (building / "notebooks").mkdir()
    (building / "index.html").write_text(text)
    (building / "notebooks" / "30_loyalty.ipynb").write_text(text)
    for name in tables:
        (building / "tables" / f"{name}.parquet").write_text(text)
    manifest = {"made_by": MADE_BY, "files": list_files(building)}
    (building / "manifest.json").write_text(json.dumps(manifest))


def build_old(out):
    """Make a report as it was before manifests listed files."""
    build(out, "old", ("one", "two"))
    (out / "metrics.json").write_text('{"facts": {"loyalty": {"one": {}}}, "not_run": {"two": "no_rows"}}')
    (out / "manifest.json").write_text(json.dumps({"made_by": MADE_BY, "notebooks": {"loyalty": {}}}))


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


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


REPORT = ["index.html", "manifest.json", "notebooks/30_loyalty.ipynb", "tables/one.parquet"]


def test_a_manifest_lists_every_file_with_its_hash(tmp_path):
    build(tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    assert sorted(listed) == [name for name in REPORT if name != "manifest.json"]
    # printf x | sha256sum
    assert listed["index.html"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.parametrize("earlier", [build, build_old], ids=["with list", "without list"])
def test_what_others_keep_at_the_top_stays(tmp_path, earlier):
    out = tmp_path / "out"
    earlier(out)
    for name in (".DS_Store", "my notes.docx", "archive/2025/old.csv", "tables/.DS_Store", "notebooks/~$x.xlsx"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    (out / "archive" / "empty").mkdir()
    (out / "link").symlink_to("nowhere")
    build(out, "new")
    kept = {".DS_Store", "my notes.docx", "archive/2025/old.csv", "tables/.DS_Store", "notebooks/~$x.xlsx"}
    assert set(below(out)) == {*REPORT, *kept}
    assert all((out / name).read_text() == name for name in kept)
    assert (out / "archive" / "empty").is_dir()
    assert Path("nowhere") == (out / "link").readlink()
    assert (out / "index.html").read_text() == "new"
    assert names(tmp_path) == [".out.lock", "out"]


@pytest.mark.parametrize("earlier", [build, build_old], ids=["with list", "without list"])
@pytest.mark.parametrize("theirs", ["tables/mine.parquet", "notebooks/50_mine.ipynb", "tables/backup/one.parquet"])
def test_what_would_be_read_as_part_of_the_report_is_refused_by_name(tmp_path, earlier, theirs):
    out = tmp_path / "out"
    earlier(out)
    (out / theirs).parent.mkdir(exist_ok=True)
    (out / theirs).write_text("keep me")
    with pytest.raises(UsageError, match=theirs if theirs.count("/") == 1 else "tables/backup"):
        build(out, "new")
    assert (out / theirs).read_text() == "keep me"
    assert (out / "index.html").read_text() != "new"


@pytest.mark.parametrize("changed", ["index.html", "tables/one.parquet", "notebooks/30_loyalty.ipynb"])
def test_a_file_that_was_changed_since_is_not_overwritten(tmp_path, changed):
    out = tmp_path / "out"
    build(out)
    (out / changed).write_text("with my remarks")
    with pytest.raises(UsageError, match=changed):
        build(out, "new")
    assert (out / changed).read_text() == "with my remarks"


def test_a_link_in_the_place_of_ours_is_refused(tmp_path):
    out = tmp_path / "out"
    build(out)
    shutil.move(out / "tables", tmp_path / "elsewhere")
    (out / "tables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="tables"):
        build(out, "new")
    assert names(tmp_path / "elsewhere") == ["one.parquet"]


def test_tables_of_the_report_before_go(tmp_path):
    build(tmp_path / "out", tables=("one", "two"))
    build(tmp_path / "out", tables=("one",))
    assert below(tmp_path / "out") == REPORT


def test_a_report_in_a_git_repository_leaves_it_working(tmp_path):
    out = tmp_path / "out"
    build(out)

    def git(*arguments):
        settings = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *settings, *arguments], cwd=out, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    git("init", "--quiet")
    (out / ".gitignore").write_text("*.tmp\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "First quarter")
    head = git("rev-parse", "HEAD")
    build(out, "new")
    assert git("rev-parse", "HEAD") == head
    assert git("fsck", "--strict") == ""
    changed = {line[3:] for line in git("status", "--porcelain").splitlines()}
    assert changed == set(REPORT)
    git("commit", "--quiet", "--all", "--message", "Second quarter")
    assert git("status", "--porcelain") == ""
    assert git("show", "HEAD~1:index.html") == "x"


def test_what_comes_while_the_report_is_made_is_kept_too(tmp_path):
    out = tmp_path / "out"
    build(out)
    with staging(out) as building:
        write(building, "new")
        (out / "notes.txt").write_text("just written")
        (out / "tables" / "mine.csv").write_text("just written")
    assert set(below(out)) == {*REPORT, "notes.txt", "tables/mine.csv"}


def change_while_it_is_made(out):
    with staging(out) as building:
        write(building, "newer")
        (out / "index.html").write_text("with my remarks")


def test_what_is_changed_while_the_report_is_made_is_not_overwritten(tmp_path):
    build(tmp_path / "out")
    with pytest.raises(UsageError, match=r"index\.html"):
        change_while_it_is_made(tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_text() == "with my remarks"


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_run_killed_while_it_hands_over_loses_nothing(tmp_path, monkeypatch, moves):
    out = tmp_path / "out"
    build(out)
    kept = {".git/HEAD", ".gitignore", "notes.txt"}
    for name in kept:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(name)

    class Killed(BaseException):
        pass

    # A kill is no exception that anybody handles: nothing of what follows may be tidied up.
    monkeypatch.setattr(report_folder, "_keep_for_reading", lambda *_: None)
    rename, done = Path.rename, []

    def until_killed(self, goal):
        if self.parent.name == ".out.before":
            if len(done) == moves:
                raise Killed
            done.append(goal)
        return rename(self, goal)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", until_killed)
        with pytest.raises(Killed):
            build(out, "new")
    assert (out / "index.html").read_text() == "new"
    with pytest.raises(RunError):
        fail(out)  # a run of its own, that ends otherwise
    assert set(below(out)) == {*REPORT, *kept}
    assert (out / "index.html").read_text() == "new"
    assert all((out / name).read_text() == name for name in kept)
    assert not (tmp_path / ".out.before").exists()


def test_a_name_made_since_a_killed_run_displaces_nothing(tmp_path):
    out = tmp_path / "out"
    build(out)
    (out / "notes.txt").write_text("old")
    shutil.copytree(out, tmp_path / ".out.before")
    (out / "notes.txt").write_text("new")
    build(out)
    assert (out / "notes.txt").read_text() == "new"
    assert (out / "notes.txt.before").read_text() == "old"
