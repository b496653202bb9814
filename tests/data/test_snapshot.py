"""The snapshot: reused while nothing changed, never half, complete up to the right day."""

import multiprocessing
import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from kehu_analysis.data import build, check_dataset, default_cache, open_dataset, snapshot
from kehu_analysis.data.folders import project_folder, reports_folder
from kehu_analysis.errors import DataError, RunError, UsageError

HEADER = "customer_id,date,amount\n"


def log(*lines):
    return HEADER + "".join(f"{line}\n" for line in lines)


def steps_of(source):
    steps = []
    dataset = check_dataset(source, progress=lambda step, share: steps.append(step))
    return dataset.snapshot, "transactions" in steps


def test_reused_while_nothing_changed_rebuilt_when_something_did(check, folder):
    first = check(transactions=log("1,2026-01-05,1")).snapshot
    assert steps_of(folder) == (first, False)
    os.utime(folder / "transactions.csv")
    assert steps_of(folder) == (first, False)
    (folder / "notes.md").write_text("no table")
    assert steps_of(folder) == (first, False)
    (folder / "dataset.toml").write_text('currency = "USD"')
    second, built = steps_of(folder)
    assert built
    assert second != first
    (folder / "transactions.csv").write_text(log("1,2026-01-05,1", "1,2026-01-06,1"))
    third, built = steps_of(folder)
    assert built
    (folder / "customers.csv").write_text("customer_id\n1\n")
    fourth, built = steps_of(folder)
    assert built
    assert len({first, second, third, fourth}) == 4


def test_a_snapshot_can_be_opened_itself_but_not_any_folder_with_an_account(check, folder):
    dataset = check(transactions=log("1,2026-01-05,1"), account__json="[]")
    again = open_dataset(dataset.snapshot)
    assert (again.name, again.content_hash) == (dataset.name, dataset.content_hash)


def test_one_file_is_a_dataset(check, folder):
    check(transactions=log("1,2026-01-05,1"), customers="customer_id\n1\n")
    dataset = open_dataset(folder / "transactions.csv")
    assert dataset.name == "transactions"
    assert not dataset.has("customers")
    with pytest.raises(DataError) as error:
        dataset.table("customers")
    assert error.value.code == "no_table"
    assert dataset.customer_names().empty


@pytest.mark.parametrize(
    ("given", "name"),
    [("2026.07 sales", "2026.07 sales"), ('a:b"c', "a_b_c"), ("..hidden", "hidden"), ("客" * 80, "客" * 60)],
)
def test_names(tmp_path, given, name):
    folder = tmp_path / given
    folder.mkdir()
    (folder / "transactions.csv").write_text(log("1,2026-01-05,1"))
    dataset = open_dataset(folder)
    assert dataset.name == name
    assert dataset.snapshot.is_dir()


def test_nothing_is_left_of_a_build_that_failed(check, cache, monkeypatch):
    def fail(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "log_facts", fail)
        with pytest.raises(KeyboardInterrupt):
            check(transactions=log("1,2026-01-05,1"))
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    dataset = check()
    assert dataset.line_classes()["n_lines"].tolist() == [1]


def test_what_a_killed_build_left_is_cleared_and_never_taken_for_a_snapshot(check, cache):
    dataset = check(transactions=log("1,2026-01-05,1"))
    # As if the process had been killed: a half-built folder and a snapshot without its account.
    left = cache / f".building-{dataset.snapshot.name}"
    shutil.copytree(dataset.snapshot, left / "snapshot")
    (dataset.snapshot / "account.json").unlink()
    (dataset.snapshot / "transactions.parquet").write_bytes(b"half")
    again = check()
    assert len(pd.read_parquet(again.path("transactions"))) == 1
    assert not left.exists()


def _open(source, cache, results):
    try:
        dataset = open_dataset(source, cache=cache)
        results.put((str(dataset.snapshot), len(pd.read_parquet(dataset.path("transactions")))))
    except Exception as error:
        results.put(repr(error))


def test_two_processes_at_once(folder, cache):
    rows = [f"{n},2026-01-05,1.00" for n in range(20_000)]
    (folder / "transactions.csv").write_text(log(*rows))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_open, args=(folder, cache, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=60)
    assert found == {(str(open_dataset(folder, cache=cache).snapshot), 20_000)}


@pytest.mark.parametrize("blocked", ["cache", "cache/below"])
def test_a_cache_that_cannot_be_written(tmp_path, folder, blocked):
    (folder / "transactions.csv").write_text(log("1,2026-01-05,1"))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(RunError) as error:
        open_dataset(folder, cache=tmp_path / blocked)
    assert error.value.code == "cannot_write"


def test_a_source_that_cannot_be_read(check, folder, monkeypatch):
    source = folder / "transactions.csv"
    source.write_text(log("1,2026-01-05,1"))
    really_open = Path.open

    def refuse(self, *args, **settings):
        if self == source:
            raise PermissionError(13, "Permission denied", str(self))
        return really_open(self, *args, **settings)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError) as error:
        open_dataset(folder)
    assert error.value.code == "unreadable_file"
    assert "没有权限" in error.value.message("zh")


@pytest.mark.parametrize("path", ["/no/such/folder", "/dev/null", "x" * 5000, "\0"])
def test_no_such_path(path):
    with pytest.raises(UsageError) as error:
        open_dataset(path)
    assert error.value.code == "no_such_path"


def test_in_the_cache_folder_of_a_hostile_name(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "it's [c*che]"))
    (folder / "transactions.csv").write_text(log("1,2026-01-05,1"))
    assert len(open_dataset(folder).rejected()) == 0


# --- the day up to which the log is complete, and its quarters -------------------------------------------------


def days(first, last, *, weekdays=range(7)):
    return [str(day.date()) for day in pd.date_range(first, last) if day.weekday() in weekdays]


@pytest.mark.parametrize(
    ("sold_on", "complete"),
    [
        (days("2024-01-01", "2024-06-30"), "2024-06-30"),
        (days("2024-01-01", "2024-06-28", weekdays=range(5)), "2024-06-30"),  # a Friday: complete to Sunday
        (days("2024-01-01", "2024-06-26", weekdays=range(5)), "2024-06-28"),
        (["2024-01-01", "2024-01-31", "2024-03-01", "2024-03-31"], "2024-04-29"),
        (["2024-01-01", "2024-06-01"], "2024-07-01"),  # so rare that a silence tells nothing: a month, no more
        (["2024-06-30"], "2024-06-30"),
    ],
    ids=["daily", "to a Friday", "to a Wednesday", "monthly", "rare", "one day"],
)
def test_complete_until(check, sold_on, complete):
    dataset = check(transactions=log(*(f"1,{day},1" for day in sold_on)))
    assert dataset.complete_until.isoformat() == complete
    assert (dataset.first_date.isoformat(), dataset.last_date.isoformat()) == (sold_on[0], sold_on[-1])


def test_the_future_is_never_complete(check):
    # A wide gap reaches beyond today; nobody knows yet what will be sold by then.
    today = pd.Timestamp.now("Asia/Shanghai").date()
    dataset = check(transactions=log(f"1,{today - timedelta(days=400)},1", f"1,{today - timedelta(days=10)},1"))
    assert dataset.complete_until == today
    assert dataset.account["depends_on_today"]


def test_complete_until_may_be_stated(check):
    dataset = check(transactions=log("1,2024-01-05,1", "1,2024-07-02,1"), dataset__toml="complete_until = 2024-06-30")
    assert dataset.complete_until == date(2024, 6, 30)
    assert [str(quarter) for quarter in dataset.quarters()] == ["2024Q1", "2024Q2"]
    assert str(dataset.last_quarter()) == "2024Q3"


def test_quarters_of_a_fiscal_year(check):
    dataset = check(transactions=log("1,2024-01-05,1", "1,2024-06-29,1"), dataset__toml="fiscal_year_start = 4")
    assert [str(quarter) for quarter in dataset.quarters()] == ["2023Q4", "2024Q1"]
    assert dataset.quarters()[-1].last_day == date(2024, 6, 30)


def test_rows_of_the_future_are_looked_at_again_another_day(check, folder, monkeypatch):
    today = pd.Timestamp.now("Asia/Shanghai").date()
    lines = ["1,2024-01-05,1"] * 40 + [f"1,{today + timedelta(days=1)},1"]
    dataset = check(transactions=log(*lines))
    assert dataset.rejected()["reason"].tolist() == ["in_the_future"]

    class Tomorrow(snapshot.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + timedelta(days=1)

    monkeypatch.setattr(snapshot, "datetime", Tomorrow)
    assert check_dataset(folder).rejected().empty


def test_today_is_that_of_the_dataset(check, monkeypatch):
    class Evening(snapshot.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 5, 20, tzinfo=snapshot.ZoneInfo("UTC")).astimezone(tz)

    monkeypatch.setattr(snapshot, "datetime", Evening)
    assert check(transactions=log("1,2026-01-06,1")).last_date == date(2026, 1, 6)


# --- what is refused --------------------------------------------------------


def test_more_rejected_than_allowed(check, folder):
    check(transactions=log(*["1,2026-01-05,1"] * 94, *["1,never,1"] * 6))
    with pytest.raises(DataError) as error:
        open_dataset(folder)
    assert error.value.code == "too_many_rejected"
    assert "不是日期 6 行" in error.value.message("zh")
    (folder / "dataset.toml").write_text("maximum_rejected = 0.06")
    assert open_dataset(folder).log_facts()["n_transactions"] == 94


def test_nothing_accepted(check, folder):
    check(transactions=log(",2026-01-05,1", "1,never,1"))
    with pytest.raises(DataError) as error:
        open_dataset(folder)
    assert error.value.code == "nothing_accepted"
    assert error.value.message("en").startswith(
        "None of the 2 rows of dataset shop can be used (no customer: 1; not a date: 1)"
    )


def test_a_year_is_read_fast_enough_to_be_read_again(folder):
    # Per-row Python would take minutes; the bound is loose, for machines under load.
    rows = "".join(f"{n % 5000:05d},2026-0{n % 9 + 1}-15,{n % 977}.{n % 100:02d}\n" for n in range(200_000))
    (folder / "transactions.csv").write_text(HEADER + rows)
    started = time.process_time()
    dataset = open_dataset(folder)
    assert dataset.account["log"]["n_lines"] == 200_000
    assert time.process_time() - started < 15


def test_where_snapshots_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("KEHU_CACHE", str(tmp_path / "named"))
    assert default_cache() == default_cache(tmp_path / "out") == tmp_path / "named"
    monkeypatch.delenv("KEHU_CACHE")
    assert default_cache(tmp_path / "out") == tmp_path / ".kehu-cache"
    assert default_cache().parts[-2:] == ("reports", ".cache")


def test_results_go_to_the_current_folder_and_within_the_project_to_its_top(tmp_path, monkeypatch):
    assert reports_folder() == project_folder() / "reports"
    monkeypatch.chdir(project_folder() / "notebooks")
    assert reports_folder() == project_folder() / "reports"
    monkeypatch.chdir(tmp_path)
    assert reports_folder() == tmp_path / "reports"
