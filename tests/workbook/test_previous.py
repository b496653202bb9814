"""The report before: what it gives, and what is no such report."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from kehu_analysis.errors import DataError, KehuError, UsageError
from kehu_analysis.periods import Quarter
from kehu_analysis.workbook.previous import choose_previous, find_previous, read_previous

QUARTER = Quarter.parse("2026Q3")


def write_report(folder: Path, *, dataset="demo", quarter="2026Q2", preview=False, actions=True) -> Path:
    """Write of a report what another may take from it."""
    (folder / "tables").mkdir(parents=True)
    facts = {"amount": {"value": 5.0, "unit": "currency"}, "last_date": {"value": "2026-06-30", "unit": "date"}}
    metrics = {
        "dataset": dataset,
        "quarter": quarter,
        "as_of": "2026-06-30",
        "preview": preview,
        "facts": {"data_quality": {"quarter_sales": facts}},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    pd.DataFrame({"quarter": ["2026Q2"], "amount": [5.0]}).to_parquet(folder / "tables" / "quarter_sales.parquet")
    if actions:
        rows = pd.DataFrame({"customer_id": ["a"], "kind": ["call"], "reason_1": ["late"]})
        rows.to_parquet(folder / "actions.parquet")
    return folder


def read(folder: Path):
    return read_previous(folder, dataset="demo", quarter=QUARTER)


def test_facts_tables_and_actions_are_given(tmp_path):
    found = read(write_report(tmp_path / "2026Q2"))
    assert (str(found.quarter), found.as_of) == ("2026Q2", date(2026, 6, 30))
    assert found.facts["quarter_sales"]["amount"].value == 5.0
    assert found.facts["quarter_sales"]["last_date"].value == date(2026, 6, 30)
    assert found.tables == ["quarter_sales"]
    assert found.table("quarter_sales")["amount"].tolist() == [5.0]
    assert found.table("no_such_finding") is None
    assert found.actions["customer_id"].tolist() == ["a"]
    assert found.models is None
    (found.folder / "models").mkdir()
    assert found.models == found.folder / "models"


def test_a_report_without_a_list_of_actions_stays_readable(tmp_path):
    assert read(write_report(tmp_path / "2026Q2", actions=False)).actions is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": "other"}, "of the dataset other"),
        ({"quarter": "2026Q3"}, "not before 2026Q3"),
        ({"quarter": "2027Q1"}, "not before 2026Q3"),
        ({"preview": True}, "preview of 2026Q2"),
    ],
)
def test_a_report_that_is_not_the_one_before_is_refused_where_named_and_passed_over_where_found(tmp_path, given, said):
    folder = write_report(tmp_path / "2026Q2", **given)
    with pytest.raises(UsageError, match=said):
        read(folder)
    assert find_previous([folder], dataset="demo", quarter=QUARTER) is None


def test_a_folder_that_is_no_report(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="is no report"):
            read(place)
        assert find_previous([place], dataset="demo", quarter=QUARTER) is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metrics.json", b"{"),
        ("metrics.json", b"[]"),
        (
            "metrics.json",
            b'{"dataset": "demo", "quarter": "soon", "as_of": "2026-06-30", "preview": false, "facts": {}}',
        ),
        ("metrics.json", b'{"dataset": "demo", "quarter": "2026Q2", "preview": false, "facts": {"x": 3}}'),
        ("actions.parquet", b"no parquet"),
        ("tables/quarter_sales.parquet", b""),
    ],
)
def test_a_damaged_report_is_told_in_words_wherever_it_was_found(tmp_path, file, content):
    folder = write_report(tmp_path / "2026Q2")
    (folder / file).write_bytes(content)
    for look in (read, lambda place: find_previous([place], dataset="demo", quarter=QUARTER)):
        with pytest.raises(DataError) as raised:
            look(folder)
        assert Path(file).name in raised.value.message("en")
        assert "移走" in raised.value.message("zh")


def test_a_list_that_lacks_its_columns_is_damaged(tmp_path):
    folder = write_report(tmp_path / "2026Q2")
    pd.DataFrame({"customer_id": ["a"]}).to_parquet(folder / "actions.parquet")
    with pytest.raises(DataError, match=r"actions\.parquet"):
        read(folder)


def test_it_is_looked_for_beside_the_new_report_and_then_among_the_projects(tmp_path):
    def chosen(given=None, target=tmp_path / "out" / "2026Q3"):
        return choose_previous(given, target, tmp_path / "reports", dataset="demo", quarter=QUARTER)

    assert chosen() is None
    among = write_report(tmp_path / "reports" / "demo" / "2026Q2")
    assert chosen().folder == among
    beside = write_report(tmp_path / "out" / "2026Q2")
    assert chosen().folder == beside
    older = write_report(tmp_path / "older", quarter="2026Q1")
    assert str(chosen(older).quarter) == "2026Q1"
    with pytest.raises(KehuError):
        chosen(tmp_path / "nowhere")


def test_the_hash_is_of_what_may_be_taken_and_of_nothing_else(tmp_path):
    one, two = (read(write_report(tmp_path / name)) for name in ("one", "two"))
    assert one.content_hash() == two.content_hash()
    (two.folder / "manifest.json").write_text('{"made_at": "later"}')
    assert one.content_hash() == two.content_hash()
    (two.folder / "models").mkdir()
    (two.folder / "models" / "churn.json").write_text("{}")
    with_models = two.content_hash()
    pd.DataFrame({"quarter": ["2026Q2"], "amount": [6.0]}).to_parquet(two.folder / "tables" / "quarter_sales.parquet")
    assert len({one.content_hash(), with_models, two.content_hash()}) == 3
