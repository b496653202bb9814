"""Where the results of a check go."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kehu_analysis.data import Dataset
from kehu_analysis.errors import DataError, RunError, UsageError
from kehu_analysis.intake.results import refuse_place, results_folder, write_results

pytestmark = pytest.mark.usefixtures("quick")
SOUND = "customer_id,date,amount\n1,2026-01-05,1\n2,2026-03-31,2\n3,2026-03-31,1\n"


def test_page_and_workbook_are_written_and_replaced(dirty: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    first = write_results(dirty, out, lang="zh")
    (out / "notes.txt").write_text("mine")
    assert write_results(dirty, out, lang="en", refusal=DataError("no_table", table="x", dataset="y")) == first
    assert sorted(path.name for path in out.iterdir()) == ["check.html", "notes.txt", "rejected.xlsx"]
    assert "Dataset y has no table x." in first.page.read_text(encoding="utf-8")


def test_without_rejected_rows_there_is_no_workbook(dirty: Dataset, check: Callable[..., Dataset], tmp_path) -> None:
    out = tmp_path / "out"
    write_results(dirty, out, lang="zh")
    results = write_results(check(transactions__csv=SOUND), out, lang="zh")
    assert results.workbook is None
    assert [path.name for path in out.iterdir()] == ["check.html"]


@pytest.mark.parametrize("name", ["check.html", "rejected.xlsx"])
@pytest.mark.parametrize("content", [b"", b"mine", b"PK\x03\x04"])
def test_files_of_others_are_never_replaced(dirty: Dataset, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="no result of an earlier check"):
        write_results(dirty, tmp_path, lang="zh")
    assert (tmp_path / name).read_bytes() == content
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="no result of an earlier check"):
        write_results(dirty, tmp_path, lang="zh")


def test_a_place_that_cannot_be_written(dirty: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_results(dirty, tmp_path / "file" / "out", lang="zh")


def test_never_into_the_source(folder: Path, tmp_path: Path) -> None:
    source = folder / "sales.csv"
    source.write_text(SOUND)
    (tmp_path / "link").symlink_to(folder)
    for out in (folder, folder / "out", folder / ".." / "shop" / "x", tmp_path / "link" / "out"):
        with pytest.raises(UsageError, match="only read"):
            refuse_place(out, folder)
    with pytest.raises(UsageError, match="only read"):
        refuse_place(folder, source)
    with pytest.raises(UsageError, match="is no folder"):
        refuse_place(source, folder)
    with pytest.raises(UsageError, match="is no folder"):
        refuse_place(Path(os.devnull), folder)
    refuse_place(tmp_path / "shop-check", folder)
    refuse_place(folder / "out", source)


def test_check_tells_where_its_results_are(dirty: Dataset, dirty_folder: Path, tmp_path: Path, kehu) -> None:
    before = {path: path.read_bytes() for path in dirty_folder.iterdir()}
    code, said, _ = kehu("check", dirty_folder, "--out", tmp_path / "out", "--lang", "en")
    assert code == 1  # 10 of 161 rows are rejected, more than one in twenty
    assert f"Page of the check: {tmp_path / 'out' / 'check.html'}" in said
    assert f"Rejected rows: {tmp_path / 'out' / 'rejected.xlsx'}" in said
    assert "→ Open" in said
    assert "more than the 5.0% allowed" in (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert {path: path.read_bytes() for path in dirty_folder.iterdir()} == before
    assert not results_folder(dirty).exists()


def test_check_writes_to_reports_by_default(check: Callable[..., Dataset], folder: Path, kehu) -> None:
    dataset = check(transactions__csv=SOUND)
    code, said, _ = kehu("check", folder)
    assert code == 0
    assert (results_folder(dataset) / "check.html").is_file()
    assert str(results_folder(dataset)) in said
    assert results_folder(dataset).parts[-3:] == ("reports", "shop", "check")


def test_data_that_stop_the_check_leave_no_results(folder: Path, tmp_path: Path, kehu) -> None:
    (folder / "transactions.csv").write_text("customer_id,amount\n1,2\n")
    code, _, said = kehu("check", folder, "--out", tmp_path / "out", "--lang", "en")
    assert (code, "says on which day" in said) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_place_in_the_source_is_wrong_usage(folder: Path, kehu) -> None:
    assert kehu("check", folder, "--out", folder / "out")[0] == 2


def test_templates_by_command(tmp_path: Path, kehu) -> None:
    code, said, _ = kehu("template", tmp_path / "t", "--lang", "en")
    assert (code, f"kehu check {tmp_path / 't'}" in said) == (0, True)
    assert kehu("template", tmp_path / "t")[0] == 2
    assert kehu("template")[0] == 2


def test_a_check_does_not_wait_for_what_draws() -> None:
    code = "import sys, kehu_analysis.cli, kehu_analysis.intake.results; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
