"""A company in a folder: written whole or not at all, the same for the same seed, and read without fault or doubt."""

import os
import tomllib
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis import simulate
from kehu_analysis.data import check_dataset, contract
from kehu_analysis.data.folders import CACHE_VARIABLE
from kehu_analysis.errors import DataError, RunError, UsageError
from kehu_analysis.simulate import writing
from kehu_analysis.simulate.world import BLOCK, World
from kehu_analysis.simulate.writing import PARAMETERS, TABLES, TRUTHS, loaded_twice, write_company
from tests.scale import examples

COMPANY = World(customers=700, quarters=8, seed=3)
#: More than one block of customers, and a part of one.
LARGE, SMALL = World(customers=1100, quarters=4, seed=2), World(customers=600, quarters=4, seed=2)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tables_of(folder):
    return {name: pa.parquet.read_table(folder / f"{name}.parquet") for name in (*TABLES, *TRUTHS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("company") / "demo"
    write_company(place, COMPANY)
    return place


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    place = tmp_path_factory.mktemp("large") / "demo"
    write_company(place, LARGE)
    return place


# --- the command ----------------


@pytest.mark.parametrize(
    ("arguments", "zh", "en"),
    [
        (("--customers", "49"), "50 至 10000000 家门店", "50 to 10000000 shops"),
        (("--quarters", "3"), "4 至 40 个季度", "4 to 40 quarters"),
        (("--quarters", "41"), "4 至 40 个季度", "4 to 40 quarters"),
        (("--seed", "-1"), "种子须在 0 至", "seed lies between 0 and"),
        (("--customers", "1e9"), "--customers 的值应是整数", "--customers must be a whole number"),
        (("--seed", ""), "--seed 的值应是整数", "--seed must be a whole number"),
        (("--format", "xls"), "parquet", "parquet"),
        (("--nonresponse", "mood"), "attributes", "attributes"),
    ],
)
def test_what_cannot_be_made_is_a_wrong_use(kehu, tmp_path, arguments, zh, en):
    for lang, words in (("zh", zh), ("en", en)):
        code, out, err = kehu("demo", tmp_path / "new", *arguments, "--lang", lang)
        assert (code, out) == (2, "")
        assert words in err
    assert not (tmp_path / "new").exists()


def test_the_command_says_what_it_made_and_what_comes_next(kehu, tmp_path):
    place = tmp_path / "a company"
    code, out, _ = kehu("demo", place, "--customers", 60, "--quarters", 4, "--lang", "en")
    assert code == 0
    assert f'kehu report "{place}"' in out
    assert all(word in out for word in ("60 shops", "2025-10-01", "2026-09-30", "README.md"))


def test_who_stops_it_hears_that_no_company_was_written(kehu, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "write_company", stopped)
    code, out, err = kehu("demo", tmp_path / "new", "--lang", "en")
    assert (code, out) == (130, "")
    assert "No company was written" in err


@pytest.mark.long
def test_a_company_is_called_like_its_folder(tmp_path):
    for name in ("first", "second"):
        write_company(tmp_path / name, World(customers=60, quarters=4))
        assert check_dataset(tmp_path / name, cache=tmp_path / "cache").name == name


def test_a_file_is_no_folder(kehu, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = kehu("demo", tmp_path / "notes.txt", "--customers", 60, "--quarters", 4, "--lang", "en")
    assert code == 2
    assert "is a file" in err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_below_a_file_cannot_be_written(kehu, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = kehu("demo", tmp_path / "notes.txt" / "demo", "--customers", 60, "--quarters", 4, "--lang", "en")
    assert code == 1
    assert "cannot be written" in err
    assert "Traceback" not in err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="cannot be written"):
            write_company(tmp_path / "demo", World(customers=60, quarters=4))
    finally:
        tmp_path.chmod(0o700)


# --- the folder ----------------


@pytest.mark.parametrize("foreign", ["holiday.jpg", "transactions.xlsx", "transactions.csv"])
def test_other_files_are_refused_and_kept(tmp_path, foreign):
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(UsageError) as refused:
        write_company(tmp_path, World(customers=60, quarters=4))
    assert refused.value.code == "demo_folder_taken"
    assert foreign in refused.value.message("zh")
    assert contents(tmp_path) == {foreign: b"mine"}


def test_a_file_beside_an_earlier_company_is_refused_and_all_is_kept(tmp_path):
    write_company(tmp_path, World(customers=60, quarters=4))
    (tmp_path / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"notes\.txt"):
        write_company(tmp_path, World(customers=70, quarters=4))
    assert contents(tmp_path) == before


def test_an_earlier_company_is_replaced_whole(tmp_path):
    write_company(tmp_path / "demo", World(customers=60, quarters=4), file_format="csv")
    write_company(tmp_path / "demo", World(customers=70, quarters=5))
    write_company(tmp_path / "new", World(customers=70, quarters=5))
    assert contents(tmp_path / "demo") == contents(tmp_path / "new")


@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
@pytest.mark.parametrize("is_new", [True, False])
def test_what_ends_in_between_leaves_what_was_there(tmp_path, monkeypatch, end, is_new):
    place = tmp_path / "demo"
    if not is_new:
        write_company(place, World(customers=60, quarters=4))
    before = {} if is_new else contents(place)

    def fail(*_):
        raise end

    # After the tables, before the last of the files.
    monkeypatch.setattr(writing, "truth_document", fail)
    with pytest.raises(RunError if isinstance(end, OSError) else type(end)):
        write_company(place, World(customers=70, quarters=4))
    assert place.exists() is not is_new
    assert ({} if is_new else contents(place)) == before


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("moved", [1, len(TABLES) + len(TRUTHS) + 1])
def test_a_folder_in_between_is_no_company_and_can_be_filled_again(tmp_path, monkeypatch, moved, is_new):
    place, world = tmp_path / "demo", World(customers=60, quarters=4)
    if not is_new:
        write_company(place, World(customers=70, quarters=4))
    done = []

    def rename(path, target):
        done.append(target)
        if len(done) > moved:
            raise OSError(5, "Input/output error")
        return path.replace(target)

    with monkeypatch.context() as failing:
        failing.setattr(Path, "rename", rename)
        with pytest.raises(RunError, match="cannot be written"):
            write_company(place, world)
    with pytest.raises(DataError):
        check_dataset(place, cache=tmp_path / "cache")
    write_company(place, world)
    write_company(tmp_path / "new", world)
    assert contents(place) == contents(tmp_path / "new")


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    write_company(tmp_path / "demo", World(customers=60, quarters=4))
    whole = contents(tmp_path / "demo")
    (tmp_path / "demo" / ".writing").mkdir()
    (tmp_path / "demo" / ".writing" / "transactions.parquet").write_bytes(b"half")
    write_company(tmp_path / "demo", World(customers=60, quarters=4))
    assert contents(tmp_path / "demo") == whole


def test_of_two_runs_at_once_the_later_is_refused_and_the_first_is_whole(tmp_path):
    place, refused = tmp_path / "demo", []

    def begin_another(*_):
        with pytest.raises(RunError) as error:
            write_company(place, World(customers=70, quarters=4))
        refused.append(error.value.code)

    write_company(place, World(customers=60, quarters=4), progress=begin_another)
    write_company(tmp_path / "alone", World(customers=60, quarters=4))
    assert refused == ["demo_under_way"]
    assert contents(place) == contents(tmp_path / "alone")


def test_progress_is_told_to_the_end(tmp_path):
    told = []
    write_company(tmp_path / "demo", SMALL, progress=lambda done, of: told.append((done, of)))
    assert told == [(BLOCK, 600), (600, 600)]


# --- seeds, sizes and chunks ----------------


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_company(folder, tmp_path):
    write_company(tmp_path / "again", COMPANY)
    assert contents(tmp_path / "again") == contents(folder)
    write_company(tmp_path / "other", World(customers=700, quarters=8, seed=4))
    mine, other = tables_of(folder), tables_of(tmp_path / "other")
    same = {name for name in mine if mine[name].equals(other[name])}
    assert same == {"products", "campaigns", "calendar"}


def test_how_shops_answer_changes_the_answers_alone(folder, tmp_path):
    write_company(tmp_path / "other", World(customers=700, quarters=8, seed=3, nonresponse="satisfaction"))
    mine, other = contents(folder), contents(tmp_path / "other")
    changed = {name for name in mine if mine[name] != other[name]}
    assert changed == {"surveys.parquet", "truth_surveys.parquet", "truth_parameters.toml", "README.md"}
    asked = [tables_of(place)["truth_surveys"].drop_columns("answered") for place in (folder, tmp_path / "other")]
    assert asked[0].equals(asked[1])


@pytest.mark.long
@examples(6)
@given(chunk=st.integers(1, 3 * BLOCK))
def test_chunks_change_nothing_in_the_data(large, tmp_path_factory, chunk):
    place = tmp_path_factory.mktemp("chunks") / "demo"
    write_company(place, LARGE, chunk_customers=chunk)
    mine, other = tables_of(large), tables_of(place)
    for name, table in mine.items():
        assert table.equals(other[name]), name
    texts = [name for name in contents(large) if not name.endswith(".parquet")]
    assert [contents(place)[name] for name in texts] == [contents(large)[name] for name in texts]


def test_chunks_change_no_byte_of_text_files(tmp_path):
    write_company(tmp_path / "whole", SMALL, file_format="csv")
    write_company(tmp_path / "chunks", SMALL, file_format="csv", chunk_customers=1)
    assert contents(tmp_path / "chunks") == contents(tmp_path / "whole")


def test_the_first_shops_of_a_larger_company_are_those_of_a_smaller_one(large, tmp_path):
    write_company(tmp_path / "small", SMALL)
    few = tables_of(tmp_path / "small")
    many = tables_of(large)
    of_shops = [name for name in few if "customer_id" in few[name].column_names]
    assert len(of_shops) == len({*TABLES, *TRUTHS} - {"products", "campaigns", "targets", "calendar"})
    for name in of_shops:
        columns = [column for column in few[name].column_names if column != "salesperson_id"]
        mine, all_of_them = (one[name].select(columns).to_pandas() for one in (few, many))
        ids = few["customers"]["customer_id"].to_pylist()
        first = all_of_them[all_of_them["customer_id"].isin(ids)].reset_index(drop=True)
        pd.testing.assert_frame_equal(first, mine, obj=name)


def test_frames_hold_what_files_hold(folder):
    frames = simulate.simulate_company(customers=700, quarters=8, seed=3)
    written = tables_of(folder)
    assert set(frames) == set(written)
    for name, table in written.items():
        assert list(frames[name].columns) == table.column_names
        assert len(frames[name]) == table.num_rows
    cents = sum(int(amount * 100) for amount in written["transactions"]["amount"].to_pylist())
    assert frames["transactions"]["amount"].sum() == pytest.approx(cents / 100, rel=1e-12)


# --- read and checked ----------------


@pytest.mark.parametrize(
    ("customers", "quarters", "seed", "file_format"),
    [
        (50, 4, 5, "parquet"),
        (60, 4, 1, "csv"),
        pytest.param(300, 5, 2, "parquet", marks=pytest.mark.long),
        pytest.param(700, 12, 3, "parquet", marks=pytest.mark.long),
        pytest.param(1500, 12, 1, "parquet", marks=pytest.mark.long),
    ],
)
def test_checking_finds_neither_fault_nor_doubt(tmp_path, customers, quarters, seed, file_format):
    write_company(tmp_path / "demo", World(customers, quarters, seed), file_format=file_format)
    dataset = check_dataset(tmp_path / "demo", cache=tmp_path / "cache")
    assert dataset.failures().to_dict("records") == []
    assert all(dataset.has(name) for name in contract())
    for name in contract():
        assert set(dataset.line_classes(name)["line_class"]) == {"accepted"}, name
    assert len(dataset.quarters()) == quarters


@pytest.mark.parametrize(("customers", "quarters"), [(50, 4), (200, 4), pytest.param(1500, 12, marks=pytest.mark.long)])
def test_the_week_loaded_twice_is_found_and_named(tmp_path, customers, quarters):
    world = World(customers, quarters)
    monday, sunday = loaded_twice(world)
    assert (monday.weekday(), sunday - monday) == (0, timedelta(days=6))
    write_company(tmp_path / "demo", world, dirty=True)
    truth = tomllib.loads((tmp_path / "demo" / PARAMETERS).read_text(encoding="utf-8"))
    assert truth["made"]["week_loaded_twice"] == str(monday)
    dataset = check_dataset(tmp_path / "demo", cache=tmp_path / "cache")
    days = dataset.log_days()["date"]
    # In a small company a day may pass without a sale; Sundays do in any.
    traded = days[(days >= monday) & (days <= sunday)]
    found = dataset.failures()[["severity", "reason", "period"]].to_dict("records")
    assert found == [
        {"severity": "warning", "reason": "loaded_twice", "period": f"{traded.min()} – {traded.max()}"},
    ]


@pytest.mark.long
def test_the_command_names_the_week_that_was_loaded_twice(kehu, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert kehu("demo", tmp_path / "demo", "--dirty", "--customers", 200, "--quarters", 4)[0] == 0
    code, out, _ = kehu("check", tmp_path / "demo", "--out", tmp_path / "page", "--lang", "en")
    monday, sunday = loaded_twice(World())
    assert code == 0
    assert f"{monday} – {sunday - timedelta(days=1)}" in out


def test_a_dirty_copy_differs_in_that_week_alone(folder, tmp_path):
    write_company(tmp_path / "dirty", COMPANY, dirty=True)
    mine, other = contents(folder), contents(tmp_path / "dirty")
    changed = {name for name in mine if mine[name] != other[name]}
    assert changed == {"transactions.parquet", "truth_parameters.toml"}
    clean, dirty = (tables_of(place)["transactions"].to_pandas() for place in (folder, tmp_path / "dirty"))
    monday, sunday = loaded_twice(COMPANY)
    again = clean[clean["date"].between(monday, sunday)]
    assert len(again) > 0
    columns = list(clean.columns)
    expected = pd.concat([clean, again]).sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(dirty.sort_values(columns, ignore_index=True), expected)


@pytest.mark.long
def test_both_formats_come_to_the_same_snapshot(tmp_path):
    frames = {}
    for file_format in simulate.FORMATS:
        write_company(tmp_path / file_format, World(customers=120, quarters=5, seed=9), file_format=file_format)
        dataset = check_dataset(tmp_path / file_format, cache=tmp_path / "cache")
        frames[file_format] = {name: pd.read_parquet(dataset.path(name)) for name in contract()}
    for name in contract():
        pd.testing.assert_frame_equal(frames["parquet"][name], frames["csv"][name], obj=name)


def test_text_files_open_in_excel(tmp_path):
    write_company(tmp_path, World(customers=60, quarters=4), file_format="csv")
    for path in tmp_path.glob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf"), path.name
